# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an accepted mutant is harmless: its hosts, as model hosts that ran the unbroken fleet, converge to it."""

from __future__ import annotations

import hashlib
import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import resolve_host
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import (
    datasets,
    images,
    jails_parameters,
    limits,
    worlds,
)
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes
from model import archive, machine
from model.host import Host
from mutations.fleets import ARCHIVES
from mutations.judge import Fleet
from support.lab import Lab

Values = dict[str, t.Any]
Wish = tuple[tuple[str, Values], ...]
DEVFS_RULES = "[greatest=65535]\nadd include $devfsrules_jail\n"
# What a second run must say.
AT_REST = {"changed": False, "commands": []}


def write_archives(folder: Path) -> dict[str, str]:
    """Write the archive of each release; return their checksums."""
    for release in ARCHIVES:
        archive.write_base(folder / release, release)
    return {release: hashlib.sha256((folder / release).read_bytes()).hexdigest() for release in ARCHIVES}


def wish(host: Values, jails: t.Sequence[Values]) -> Wish:
    """Return the modules that converge a host, in the order of site.yml, with what each is given."""
    root, dataset = host["vps_root"], host["vps_storage"] == "dataset"
    above = root.rpartition("/")[0]
    shaping = pipes(jails, host["vps_link"])
    interface, known = host["vps_jail_interface"], resolve_host(host)
    link = {"bridge": known["bridge"], "gateways": known["gateways"]}
    pool = {
        "dataset": f"{host.get('vps_pool')}/jails",
        "release_dataset": f"{host.get('vps_pool')}/releases",
        "release_root": f"{above}/releases",
    }
    parents = [
        {"name": pool["dataset"], "properties": {"mountpoint": root}},
        {"name": pool["release_dataset"], "properties": {"mountpoint": pool["release_root"]}},
    ]
    return (
        ("host_settings", {"kernel_modules": ["pf", "dummynet"], "devfs_rulesets": [4], **_bridge(known, interface)}),
        *([("zfs_datasets", {"datasets": parents + datasets(jails)})] if dataset else []),
        ("jail_folders", {"root": root, "neighbourhoods": host.get("vps_neighbourhoods", {})}),
        ("jail_images", {"images": images(jails)}),
        ("jail_worlds", {"worlds": worlds(jails), "releases": host["vps_releases"], **(pool if dataset else {})}),
        ("dummynet_pipes", {**shaping, "remove": False}),
        ("pf_anchor", pf_rules(jails, known)),
        ("dummynet_pipes", shaping),
        ("rctl_rules", {"jails": limits(jails)}),
        ("jails", {"jails": jails_parameters(jails, interface=interface, **link)}),
    )


def _bridge(known: Values, interface: str) -> dict[str, t.Any]:
    """Return the interfaces of the jails; on the mutants' hosts a bridge hurts nobody where it is not needed."""
    addresses = {known["bridge"]: known["bridge_addresses"]}
    netif = {"path": "/etc/rc.conf.d/netif", "content": f'cloned_interfaces="{interface} {known["bridge"]}"'}
    return {"interfaces": [interface, known["bridge"]], "interface_addresses": addresses, "files": [netif]}


class Rack:
    """The model hosts of a fleet, each made when it is first needed, and converged from one wish to the next."""

    def __init__(self, folder: Path, archives: Path, fleet: Fleet) -> None:
        """Keep the unbroken fleet."""
        self.folder = folder
        self.archives = archives
        self.wishes = wishes(fleet)
        self.hosts = fleet[0].hosts
        # What each host was converged to last, and what came of every wish so far.
        self.last: dict[str, Wish] = {}
        self.known: dict[str, str] = {}

    def trouble(self, fleet: Fleet) -> str:
        """Return what goes wrong when the hosts of which a fleet says something else converge to it; '' if nothing."""
        for name, wanted in wishes(fleet).items():
            if name in self.wishes and wanted == self.wishes[name]:
                continue
            key = json.dumps([name, wanted])
            if key not in self.known:
                self.known[key] = self._converge(name, fleet[0].hosts[name], wanted)
            if self.known[key]:
                return f"{name}: {self.known[key]}"
        return ""

    def _converge(self, name: str, host: Values, wanted: Wish) -> str:
        """Return what goes wrong when a host that runs what it should converges to a wish."""
        folder = self.folder / name
        if name not in self.last:
            self._install(folder, name, self.hosts.get(name, host))
            self.last[name] = self.wishes.get(name, ())
            unbroken = converge(Host(folder), self.last[name], ())
            if unbroken:
                raise RuntimeError(f"{name} does not converge to the unbroken fleet: {unbroken}")
        trouble = converge(Host(folder), wanted, self.last.pop(name))
        if trouble:
            shutil.rmtree(folder)
        else:
            self.last[name] = wanted
        return trouble

    def _install(self, folder: Path, name: str, host: Values) -> None:
        folder.mkdir(parents=True)
        made = Host(folder)
        partitions = {f"vtbd{n}": place for n, place in enumerate(host.get("vps_neighbourhoods", {}).values(), 2)}
        disks = dict.fromkeys(partitions, "1G") | ({"vtbd1": "6G"} if host["vps_storage"] == "dataset" else {})
        tunables = {"kern.racct.enable": "1"}
        machine.install(made, name, "198.51.100.250", addresses=host["vps_addresses"], disks=disks, tunables=tunables)
        machine.boot(made)
        for release, path in ARCHIVES.items():
            shutil.copy(self.archives / release, made.path(path))
        # A host has what its plans name: devfs rulesets, and the kernel's modules that bring parameters of jail(8).
        made.path("/etc/devfs.rules").write_text(DEVFS_RULES)
        commands = [["mkdir", "-p", host["vps_root"]], ["service", "devfs", "restart"]]
        commands += [["kldload", "-n", module] for module in ("linprocfs", "linsysfs", "zfs")]
        for device, place in partitions.items():
            commands += [["mkdir", "-p", place["path"]], ["newfs", f"/dev/{device}"]]
            commands.append(["mount", f"/dev/{device}", place["path"]])
        if host["vps_storage"] == "dataset":
            commands.append(["zpool", "create", "-m", "none", host["vps_pool"], "/dev/vtbd1"])
        for command in commands:
            done = made.run(command)
            if done.rc != 0:
                raise RuntimeError(f"{command}: {done.err}")


def wishes(fleet: Fleet) -> dict[str, Wish]:
    """Return the wish of each host."""
    checked, resolved = fleet
    return {name: wish(host, resolved[name]) for name, host in checked.hosts.items()}


def converge(host: Host, wanted: Wish, last: Wish) -> str:
    """Converge a host from its last wish to another, in check mode and for real; return what goes wrong, '' if nothing.

    What is as it was is run once only, at the end, with all the rest: nothing may be left to do.
    """
    with pytest.MonkeyPatch.context() as patch:
        lab = Lab(host, patch)
        for name, parameters in wanted:
            if (name, parameters) not in last:
                for check in (True, False):
                    result = lab.module(name, check=check, **parameters)
                    if result.get("failed"):
                        return f"{name}{' in check mode' if check else ''} fails: {result['msg']}"
        for name, parameters in wanted:
            again = lab.module(name, **parameters)
            if any(again.get(key) != value for key, value in AT_REST.items()):
                return f"{name} is not at rest: {again.get('msg') or again.get('commands')}"
    return ""
