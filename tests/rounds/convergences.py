# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Round after round of changed records on model hosts, and what must hold after each.

Every round: the roles in check mode, for real, and once more. What check mode said is what the real run says, the third
run is empty, the rules of rctl in force are those of the records and no others, and no root that ever was is lost.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_interfaces
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Resolved, open_project
from model import archive, machine
from model.host import Host
from rounds.records import ADDRESSES, BASE, KINDS, PUBLIC, RELEASE, Records
from support.lab import FORETOLD, Lab
from support.site import Run, Site

# Somebody else's, which has to survive.
FOREIGN_RULE = "user:www:maxproc:deny=77"
FOREIGN_INTERFACES = ("bridge7", "lo1", "lo2")
FOREIGN_ADDRESSES = {
    "vtnet0": "198.51.100.99",
    "lo0": "127.0.0.53",
    "lo1": "10.66.0.1",
    "lo2": "10.66.0.2",
    "bridge7": "10.77.0.1",
}
# What the roles make; on lo1 only the addresses of jails are ours.
OWN_INTERFACES = re.compile(r"lo1|bridge0|vps.*")
# What a plan says by keys of its own, and what rctl calls it.
OF_PLAN = {"memory": "memoryuse:deny", "processes": "maxproc:deny", "cpu": "pcpu:deny"}
MARK = "mark"
LONGEST = 600

Values = dict[str, t.Any]


class Rounds:
    """Two model hosts, their records, and what was seen of them so far."""

    def __init__(self, folder: Path, jails: int, seed: int, patch: pytest.MonkeyPatch) -> None:
        """Install the hosts, and write the records."""
        self.labs = {name: Lab(_install(folder / name, name), patch) for name in KINDS}
        digest = hashlib.sha256(self.labs["h1"].path(BASE).read_bytes()).hexdigest()
        self.records = Records(folder / "records", jails, digest, seed)
        self.site = Site()
        self.foreign = {name: _foreign(lab) for name, lab in self.labs.items()}
        self.marked: dict[str, str] = {}
        self.wrong: list[str] = []

    def round(self, *, change: bool = True) -> list[str]:
        """Change something, converge both hosts; return what was changed. What must not be is in ``wrong``."""
        said = [*self.records.change(), *self._use_disk()] if change else []
        resolved = open_project(self.records.folder / "fleet.yml", DataLoader()).resolve()
        for name, lab in self.labs.items():
            self._converge(name, lab, resolved)
            self._look(name, lab, resolved.jails[name], resolved.accounts[name])
        return said

    def _converge(self, name: str, lab: Lab, resolved: Resolved) -> None:
        foretold = self.site.converge(lab, name, resolved, check=True)
        real = self.site.converge(lab, name, resolved)
        again = self.site.converge(lab, name, resolved)
        for before, after in zip(foretold, real, strict=True):
            self.wrong += [
                f"{name}: {after.module}: {key}: foretold {_shown(told)}, did {_shown(done)}"
                for key, told, done in zip(_told(before), _told(before).values(), _told(after).values(), strict=True)
                if told != done
            ]
        self.wrong += [
            f"{name}: {run.module}: {error}" for run in real for error in _errors(run) if not _refused(error)
        ]
        self.wrong += [f"{name}: {run.module}: once more: {_told(run)}" for run in again if _changed(run)]

    def _look(self, name: str, lab: Lab, jails: list[Values], accounts: Values) -> None:
        """See that limits and accounts are as recorded, and that every root is there with what was put in it."""
        self.wrong += [f"{name}: {text}" for text in _rules_wrong(lab, jails)]
        if (found := _foreign(lab)) != self.foreign[name]:
            self.wrong.append(f"{name}: the host's own interfaces were {self.foreign[name]} and are {found}")
        self.wrong += [f"{name}: {text}" for jail in jails for text in _ways_wrong(lab, jail, accounts)]
        mounted = {line.split()[1] for line in lab.run("mount", "-p").splitlines()}
        for jail in jails:
            at_hand = jail["storage"] != "image" or jail["path"] in mounted
            if jail["storage"] == "image" and (jail["path"] in mounted) != (jail["state"] == "running"):
                self.wrong.append(f"{name}: {jail['name']} is {jail['state']}, its image mounted: {at_hand}")
            if at_hand and (jail["name"] in self.marked or jail["state"] != "absent"):
                self._mark(lab, jail)

    def _mark(self, lab: Lab, jail: Values) -> None:
        """See that the file is there that was put into the root when it was first seen."""
        path = lab.path(f"{jail['path']}/{MARK}")
        content = f"{jail['name']} {jail['id']}\n"
        if jail["name"] not in self.marked:
            self.marked[jail["name"]] = content
            path.write_text(content)
        elif not path.exists() or path.read_text() != content:
            self.wrong.append(f"{jail['name']}: its root at {jail['path']} is lost")

    def _use_disk(self) -> list[str]:
        """Let the customer of a running jail on a dataset write something, so that his disk cannot shrink below it."""
        chance = self.records.chance
        running = [name for name in self.marked if self.records.jails[name].get("state", "running") == "running"]
        names = [name for name in running if self.records.jails[name]["host"] == "h2"]
        if not names or chance.random() < 0.5:
            return []
        name, size = chance.choice(names), chance.choice((1, 30, 80))
        path = f"/usr/local/jails/h2/{name}/filled"
        self.labs["h2"].host.run(["dd", "if=/dev/zero", f"of={path}", "bs=1m", f"count={size}"])
        return [f"{name}: writes {size} MiB"]


def _install(folder: Path, name: str) -> Host:
    folder.mkdir(parents=True)
    host = Host(folder)
    disks = {"vtbd1": "6G"} if "dataset" in KINDS[name] else {}
    tunables = {"kern.racct.enable": "1"}
    machine.install(host, name, ADDRESSES[name], addresses=[PUBLIC[name]], disks=disks, tunables=tunables)
    machine.boot(host)
    archive.write_base(host.path(BASE), RELEASE)
    commands = [["rctl", "-a", FOREIGN_RULE]]
    commands += [["ifconfig", interface, "create"] for interface in FOREIGN_INTERFACES]
    commands += [["ifconfig", name, "inet", f"{address}/32", "alias"] for name, address in FOREIGN_ADDRESSES.items()]
    commands += [["zpool", "create", "-m", "none", "tank", "/dev/vtbd1"]] if disks else []
    for command in commands:
        done = host.run(command)
        if done.rc != 0:
            raise RuntimeError(f"{command}: {done.err}")
    return host


def _foreign(lab: Lab) -> dict[str, set[str]]:
    """Return the addresses of all interfaces that are not ours, and those on lo1 that somebody else gave it."""
    found = parse_interfaces(lab.run("ifconfig"))
    others = {name: addresses for name, addresses in found.items() if not OWN_INTERFACES.fullmatch(name)}
    return {**others, "lo1": found["lo1"] & set(FOREIGN_ADDRESSES.values())}


def _told(run: Run) -> Values:
    return {key: run.result.get(key) for key in FORETOLD if key != "diff"}


def _shown(value: t.Any) -> str:
    """Return a value as text that people can take in."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _changed(run: Run) -> bool:
    return bool(run.result.get("changed") or run.result.get("commands"))


def _errors(run: Run) -> list[str]:
    if "errors" in run.result:
        return [f"{error['name']}: {error['error']}" for error in run.result["errors"]]
    return [str(run.result["msg"])] if run.result.get("failed") else []


def _refused(error: str) -> bool:
    """Whether an error is one that must be: a disk that would be smaller than what is on it, with both numbers."""
    size = r"\d+(\.\d+)?[KMG]"
    ways = (
        rf"{size}.*(less|smaller).*{size}",
        rf"{size} and shall have {size}: an image cannot shrink",
        rf"{size} are referenced, {size} are wished",
    )
    return any(re.search(way, error) for way in ways)


def _ways_wrong(lab: Lab, jail: Values, accounts: Values) -> t.Iterator[str]:
    """Yield what is wrong with the ways into a running jail: its passwords and keys are its customer's."""
    if jail["state"] != "running":
        return
    account = accounts[jail["customer"]]
    rows = (line.split(":") for line in lab.path(f"{jail['path']}/etc/master.passwd").read_text().splitlines())
    hashes = {row[0]: row[1] for row in rows if not row[0].startswith("#")}
    for user, home in (("root", "root"), (account["user"], f"home/{account['user']}")):
        if hashes.get(user) != (account["password"] or "*"):
            yield f"{jail['name']}: {user} has another password"
        keys = lab.path(f"{jail['path']}/{home}/.ssh/authorized_keys")
        if (keys.read_text().splitlines() if keys.exists() else []) != account["keys"]:
            yield f"{jail['name']}: {user} has other keys"


def _rules_wrong(lab: Lab, jails: list[Values]) -> t.Iterator[str]:
    """Yield what is wrong with the rules in force: one too many or too few, or another amount than was sold."""
    found: dict[str, dict[str, int]] = {jail["name"]: {} for jail in jails}
    foreign = []
    for line in lab.run("rctl").splitlines():
        kind, name, resource, amount = line.split(":", 3)
        action, _equals, number = amount.partition("=")
        if kind != "jail" or name not in found:
            foreign.append(line)
        elif f"{resource}:{action}" in found[name]:
            yield f"{name} has two rules {resource}:{action}"
        else:
            found[name][f"{resource}:{action}"] = int(number)
    if foreign != [FOREIGN_RULE]:
        yield f"rules of others are {foreign}"
    for jail in jails:
        sold = {rule: jail["limits"][key] for key, rule in OF_PLAN.items()} if jail["state"] != "absent" else {}
        rules = found[jail["name"]]
        if not sold and rules:
            yield f"{jail['name']} is absent and has {rules}"
        elif {rule: rules.get(rule) for rule in sold} != sold:
            yield f"{jail['name']} was sold {sold} and has {rules}"
