# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of a scene, converged while something goes wrong, and again: it has to come to what it comes to otherwise."""

from __future__ import annotations

import contextlib
import copy as copies
import hashlib
import shutil
import tempfile
import traceback
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.parsing.dataloader import DataLoader

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import upgrades
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Resolved, open_project
from faults.meddle import (
    AMID,
    HUNG,
    KILLED,
    REFUSED,
    UNANSWERED,
    WHOLE,
    Fault,
    Killed,
    MeddledLab,
    Meddler,
    Operation,
    listen,
)
from faults.scenes import ADDRESSES, ARCHIVES, NEW, PUBLIC, Act, Fleet, Scene
from model import archive, machine, source_tree
from model.host import Host
from support.ends import End, differences, end
from support.lab import Lab, Result, copy
from support.site import Site
from support.upgrades import Contents, contents, shrink, upgrade

if t.TYPE_CHECKING:
    import pytest

DISKS = {"h2": {"vtbd1": "2G"}}
# Of a host's jails one after another, so that the operations have the same numbers each time.
ONE_BY_ONE = {"world_at_once": 1, "jails_at_once": 1}
MARK = "usr/local/mine"
ROOTS = "/usr/local/jails"
SOURCES = "/usr/src"
# What a running jail changes in its root.
ITS_OWN = ("dev", "var", "tmp")
# What customers have who are not suited by the new release.
TURN_AWAY = f'case "$(freebsd-version)" in\n{NEW})\n\tservice sshd stop\n\t;;\nesac\n'
# Every so many kills are followed by a loss of power.
POWER_EVERY = 3
MOST_SHOWN = 12


def install(folder: Path, name: str) -> Host:
    """Return a host as it comes from the installer, with the archives of two releases."""
    folder.mkdir(parents=True)
    host = Host(folder)
    machine.install(
        host,
        name,
        ADDRESSES[name],
        addresses=[PUBLIC[name]],
        disks=DISKS.get(name, {}),
        tunables={"kern.racct.enable": "1"},
    )
    machine.boot(host)
    for release, path in ARCHIVES.items():
        archive.write_base(host.path(path), release)
        shrink(host.path(path))
    source_tree.write(host, NEW)
    if name in DISKS:
        assert host.run(["zpool", "create", "-m", "none", "tank", "/dev/vtbd1"]).rc == 0
    return host


def resolve(fleet: Fleet, host: Host) -> Resolved:
    """Compile a fleet."""
    digests = {release: hashlib.sha256(host.path(path).read_bytes()).hexdigest() for release, path in ARCHIVES.items()}
    with tempfile.TemporaryDirectory() as folder:
        return open_project(fleet.write(Path(folder), digests), DataLoader()).resolve()


class Wrong(Exception):
    """Something is not as it must be; the text says what."""


@dataclass(frozen=True)
class _Start:
    """The host before a call of a module: how many operations and which results came before it."""

    folder: Path
    count: int
    results: list[Result]


class Stage:
    """A host of a scene, as it is before; and what was recorded when nothing went wrong."""

    def __init__(self, scene: Scene, name: str, installed: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Do what was done before, and then, recorded, what is done after."""
        listen()
        self.scene, self.name, self.folder, self.patch = scene, name, folder, patch
        self.site = Site(**ONE_BY_ONE)
        copy(installed, folder / "before")
        host = Host(folder / "before")
        for act in scene.before:
            self._succeed(Lab(host, patch), act, resolve(act.fleet, host))
            self._mark(host, act.fleet)
        self.after = (scene.after, resolve(scene.after.fleet, host))
        self.trace: list[Operation] = []
        self.starts: list[_Start] = []
        # Of jails whose worlds change, all that a root may hold when somebody could start it.
        self.worlds: dict[str, list[Contents]] = {}
        self._record()
        self.expected = self._expected(power=False)
        self.expected_after_power = self._expected(power=True)
        if scene.unsuited:
            # Those too that go back when they were started and do not answer.
            lab, (act, resolved) = self._copied("unasked"), self.after
            parameters = self._parameters(act, resolved)
            upgrade(lab, {**parameters, "jails": [{**jail, "ports": []} for jail in parameters["jails"]]})
            self._keep_worlds(lab)

    def faults(self) -> t.Iterator[Fault]:
        """Yield every fault that can happen: a kill only where the host is another than at the kill before."""
        differs = True
        for place, operation in enumerate(self.trace, 1):
            if differs:
                yield Fault(KILLED, place)
            differs = operation.changed
            if operation.changed and operation.changes > 2 and not operation.text.startswith(WHOLE):
                yield Fault(AMID, place, operation.changes // 2 + 1)
            yield Fault(REFUSED, place)
            if operation.is_command:
                yield Fault(HUNG, place)
                if operation.changed:
                    yield Fault(UNANSWERED, place)

    def try_fault(self, fault: Fault) -> list[str]:
        """Let the fault happen to a host of its own; return what is wrong afterwards, nothing if all is well."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "host"
        try:
            self._try(fault, place)
        except Wrong as wrong:
            return str(wrong).split("\n")
        except Exception:
            return traceback.format_exc().splitlines()
        finally:
            shutil.rmtree(place.parent)
        return []

    def _try(self, fault: Fault, place: Path) -> None:
        start = max((each for each in self.starts if each.count < fault.place), key=lambda each: each.count)
        copy(start.folder, place)
        host = Host(place)
        meddler = Meddler(host, fault, start.count)
        lab = MeddledLab(host, self.patch, meddler, copies.deepcopy(start.results))
        with contextlib.suppress(Killed):
            self._converge(lab, *self.after)
        if not meddler.met:
            raise Wrong("there is no such operation")
        if not start.results:
            self._see_nothing_between(Lab(host, self.patch))
        power = fault.kind in (KILLED, AMID) and fault.place % POWER_EVERY == 0
        if power:
            machine.power_off(host)
            machine.boot(host)
        self._judge(host, self.expected_after_power if power else self.expected)

    def _judge(self, host: Host, expected: End) -> None:
        """See that two further runs end well, the second of them without a change, and where they end."""
        lab = Lab(host, self.patch)
        self._succeed(lab, *self.after)
        # What a loss of power takes from the kernel, and nobody saw, the first run after it may only find.
        found = differences(expected, end(lab))
        if found:
            raise Wrong("\n".join(found[:MOST_SHOWN]))
        # Who went back by himself is tried anew by each run.
        for result in [] if self.scene.unsuited else self._succeed(lab, *self.after):
            if result["changed"] or result.get("commands"):
                raise Wrong(f"once more: {result.get('commands')} {result.get('after')}")

    def _see_nothing_between(self, lab: Lab) -> None:
        """See that what runs, or would be started by a boot, is one release whole."""
        running = lab.module("jail_info")["jails"]
        for name, worlds in self.worlds.items():
            is_seen = name in running or self.scene.after.fleet.jails[name].get("storage") != "image"
            if is_seen and (name in running or lab.path(f"/etc/jail.conf.d/{name}.conf").exists()):
                found = self._world(lab, name)
                differs = [[path for path in found | whole if found.get(path) != whole.get(path)] for whole in worlds]
                # A file of /etc is put back before it is proven that the jail runs.
                if not any(all(path.startswith("etc/") for path in paths) for paths in differs):
                    raise Wrong(f"{name} is between two releases: {min(differs, key=len)[:MOST_SHOWN]}")

    def _world(self, lab: Lab, name: str) -> Contents:
        """Return all of a root but what a running jail changes in it."""
        found = contents(lab, f"{ROOTS}/{self.name}/{name}")
        return {path: value for path, value in found.items() if not path.startswith(ITS_OWN)}

    def _record(self) -> None:
        """Converge the host by the records after, with nothing that goes wrong."""
        place = self.folder / "recorded"
        copy(self.folder / "before", place)
        host = Host(place)
        meddler = Meddler(host, trace=self.trace)

        def began(number: int) -> None:
            kept = self.folder / f"start{number}"
            copy(place, kept)
            self.starts.append(_Start(kept, meddler.count, copies.deepcopy(lab.results)))

        lab = MeddledLab(host, self.patch, meddler, began=began)
        self._succeed(lab, *self.after)

    def _expected(self, *, power: bool) -> End:
        """Return what the host comes to when nothing goes wrong, or nothing but that its power fails."""
        lab = self._copied(f"whole{power}")
        self._keep_worlds(lab)
        self._succeed(lab, *self.after)
        self._keep_worlds(lab)
        if power:
            machine.power_off(lab.host)
            machine.boot(lab.host)
            self._succeed(lab, *self.after)
        return end(lab)

    def _copied(self, name: str) -> Lab:
        copy(self.folder / "before", self.folder / name)
        return Lab(Host(self.folder / name), self.patch)

    def _keep_worlds(self, lab: Lab) -> None:
        """Keep what roots hold."""
        if self.scene.after.upgrade is not None:
            for name in self.names(self.scene.after.fleet):
                self.worlds.setdefault(name, []).append(self._world(lab, name))

    def names(self, fleet: Fleet) -> list[str]:
        """Return the jails of this host."""
        return [name for name, jail in fleet.jails.items() if jail["host"] == self.name]

    def _converge(self, lab: Lab, act: Act, resolved: Resolved) -> list[Result]:
        """Converge the host by all of its roles; upgrade its jails before, where the act says so."""
        results = []
        if act.upgrade is not None:
            results.append(upgrade(lab, self._parameters(act, resolved)))
            if results[0].get("failed"):
                return results
        return results + [run.result for run in self.site.converge(lab, self.name, resolved)]

    def _parameters(self, act: Act, resolved: Resolved) -> dict[str, t.Any]:
        """Return those of jail_upgrades."""
        host, upgrade = resolved.hosts[self.name], t.cast("dict[str, t.Any]", act.upgrade)
        sources = {NEW: {**host["releases"][NEW], "src": SOURCES}} if "mode" in upgrade else {}
        return {
            "jails": [{**jail, "release": NEW} for jail in upgrades(resolved.jails[self.name])],
            "releases": {**host["releases"], **sources},
            "folder": host["upgrades"],
            "seconds": 2,
            "at_once": 1,
            **({"dataset": host["dataset"]} if host["storage"] == "dataset" else {}),
            **upgrade,
        }

    def _succeed(self, lab: Lab, act: Act, resolved: Resolved) -> list[Result]:
        """Converge the host; raise :class:`Wrong` if that fails where it should not, or for others than it should."""
        results = self._converge(lab, act, resolved)
        expected = sorted(set(self.scene.unsuited) & set(self.names(act.fleet))) if act is self.scene.after else []
        failed = sorted({error["name"] for result in results for error in result.get("errors", [])})
        if failed != expected:
            said = [result["msg"] for result in results if result.get("failed")]
            raise Wrong(f"the next run failed for {failed}, not for {expected}: {said}")
        for result in results:
            if result.get("failed") and not expected:
                raise Wrong(f"the next run failed: {result['msg']}")
        return results

    def _mark(self, host: Host, fleet: Fleet) -> None:
        """Put files of each customer into his root, as far as the root can be seen."""
        for name in self.names(fleet):
            if fleet.jails[name].get("state", "running") == "running":
                path = host.path(f"{ROOTS}/{self.name}/{name}")
                (path / MARK).parent.mkdir(parents=True, exist_ok=True)
                (path / MARK).write_text(f"{name}\n")
                if name in self.scene.unsuited:
                    with (path / "etc/rc").open("a") as script:
                        script.write(TURN_AWAY)
