# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import textwrap
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import compile_fleet
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError, Sources, Surroundings
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Project, open_project

HOST: dict[str, t.Any] = {
    "vps_interface": "vtnet0",
    "vps_addresses": ["203.0.113.10", "203.0.113.11"],
    "vps_netblock": "192.168.1.0/24",
    "vps_memory": "64G",
    "vps_disk": "1T",
    "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
    "vps_storage": "directory",
    "vps_release": "15.1-RELEASE-p1",
    "vps_releases": {"15.1-RELEASE-p1": {"archive": "/var/base.txz", "sha256": "0" * 64}},
}
PLAN = "disk: 4G\nmemory: 512M\nprocesses: 100\ncpu: 50%\nbandwidth: {up: 10Mbit/s, down: 20Mbit/s}\n"
CUSTOMER = "name: Alice Archer\ncontact: alice@example.net\n"
ALICE = "host: h1\ncustomer: alice\nplan: base\nid: 17\naddress: 192.168.1.17\n"


class FleetFolder:
    """An inventory's folder with one right record of each kind, to be made wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hosts: dict[str, dict[str, t.Any]] = {"h1": dict(HOST)}
        self.sources = Sources()
        self.surroundings = Surroundings(frozenset({"h1"}), frozenset({"jail_hosts"}))
        for folder, name, text in (
            ("plans", "base", PLAN),
            ("customers", "alice", CUSTOMER),
            ("jails", "alice", ALICE),
        ):
            (path / folder).mkdir()
            self.write(f"{folder}/{name}.yml", text)

    def write(self, file: str, text: str) -> None:
        """Write a file below the folder."""
        (self.path / file).write_text(textwrap.dedent(text), encoding="utf-8")

    def append(self, text: str) -> None:
        """Append to the record of alice's jail, which has five lines."""
        self.write("jails/alice.yml", ALICE + text)

    def compile(self) -> dict[str, list[dict[str, t.Any]]]:
        """Compile the fleet."""
        return compile_fleet(self.path, self.sources, self.hosts, self.surroundings)

    def project(self, loader: DataLoader | None = None) -> Project:
        """Open the fleet by its file, with the hosts' variables in the file of the hosts."""
        self.write("hosts.yml", json.dumps({"jail_hosts": {"hosts": self.hosts}}))
        self.write("fleet.yml", "plugin: jailisp.vps.fleet\n")
        return open_project(self.path / "fleet.yml", loader or DataLoader())

    def errors(self) -> list[str]:
        """Return the lines of the error that compiling the fleet raises."""
        with pytest.raises(FleetError) as caught:
            self.compile()
        return str(caught.value).splitlines()


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    return FleetFolder(tmp_path)


@pytest.fixture(scope="module")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetFolder:
    """Return a folder for generated records, each of which is written over the one before."""
    return FleetFolder(tmp_path_factory.mktemp("fleet"))
