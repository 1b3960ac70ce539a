# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of datasets over both modules that give them: jail_worlds with a fresh root, zfs_datasets from then on."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import datasets, worlds
from support.lab import FORETOLD, Lab, Result

ROOT, RELEASE = "/usr/local/jails/h2", "15.1-RELEASE-p1"
PARENTS = [
    {"name": "tank/jails", "properties": {"mountpoint": ROOT, "compression": "lz4", "atime": "off"}},
    {"name": "tank/releases", "properties": {"mountpoint": "/usr/local/jails/releases"}},
]
POOL = {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": "/usr/local/jails/releases"}
LIMITS = "refquota,quota,reservation,compression,atime"
MIB = 1 << 20


def jail(name: str, disk: int = 64 * MIB, **changes: t.Any) -> dict[str, t.Any]:
    """Return what a resolved jail says of its root."""
    record = {"name": name, "path": f"{ROOT}/{name}", "release": RELEASE, "state": "running", "image": None}
    limits = {"dataset": f"tank/jails/{name}", "snapshot_room": 150, "reservation": None, "limits": {"disk": disk}}
    return {**record, **limits, **changes}


class Rack:
    """A host with a pool, and the two modules as the roles storage and world call them."""

    def __init__(self, lab: Lab, sha256: str) -> None:
        """Make the pool."""
        self.lab = lab
        self.releases = {RELEASE: {"archive": "/var/base.txz", "sha256": sha256}}
        lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")

    def run(self, *jails: dict[str, t.Any], check: bool = False) -> list[Result]:
        """Run storage, then world."""
        return [
            self.lab.module("zfs_datasets", check=check, datasets=[*PARENTS, *datasets(jails)]),
            self.lab.module("jail_worlds", check=check, worlds=worlds(jails), releases=self.releases, **POOL),
        ]

    def converge(self, *jails: dict[str, t.Any]) -> list[str]:
        """Run both, foretold in check mode and at rest afterwards; return the commands."""
        told = self.run(*jails, check=True)
        done = self.run(*jails)
        assert [result.get("msg") for result in done] == [None, None]
        assert [[each[key] for key in FORETOLD] for each in told] == [[each[key] for key in FORETOLD] for each in done]
        assert [result["commands"] for result in self.run(*jails)] == [[], []]
        return [command for result in done for command in result["commands"]]

    def limits(self, name: str) -> list[str]:
        """Return the limits of a jail's dataset, and what it inherits."""
        return self.lab.run("zfs", "get", "-Hp", "-o", "value", LIMITS, f"tank/jails/{name}").split()


@pytest.fixture
def rack(lab: Lab, sha256: str) -> Rack:
    return Rack(lab, sha256)


def test_a_fresh_root_has_its_limits_from_its_first_moment(rack: Rack) -> None:
    commands = rack.converge(jail("alice"), jail("bob", reservation=16 * MIB))
    assert rack.limits("alice") == [str(64 * MIB), str(96 * MIB), "0", "lz4", "off"]
    assert rack.limits("bob") == [str(64 * MIB), str(96 * MIB), str(16 * MIB), "lz4", "off"]
    assert not any(command.startswith("zfs set") for command in commands)
    again = rack.converge(jail("alice"), jail("bob", reservation=16 * MIB), jail("carol"))
    assert [command.split()[1] for command in again if command.startswith("zfs")] == ["clone"]


def test_a_changed_record_changes_a_running_jails_limits(rack: Rack) -> None:
    rack.converge(jail("alice"))
    for disk, room, reservation in ((128, 150, 32), (32, 100, None), (64, 200, 64)):
        changed = jail("alice", disk * MIB, snapshot_room=room, reservation=reservation and reservation * MIB)
        (command,) = rack.converge(changed)
        assert command.startswith("zfs set ")
        quota = disk * room // 100
        assert rack.limits("alice")[:3] == [str(size * MIB) for size in (disk, quota, reservation or 0)]


def test_what_a_customer_has_in_use_is_not_taken_from_him(rack: Rack) -> None:
    rack.converge(jail("alice"), jail("bob"))
    rack.lab.run("dd", "if=/dev/zero", f"of={ROOT}/alice/data", "bs=1m", "count=40")
    storage, world = rack.run(jail("alice", 32 * MIB), jail("bob", 32 * MIB))
    assert [error["name"] for error in storage["errors"]] == ["alice"]
    assert "refquota of tank/jails/alice stays 64M" in storage["msg"]
    assert not world.get("failed")
    assert rack.limits("alice")[:2] == [str(64 * MIB), str(48 * MIB)]
    assert rack.limits("bob")[:2] == [str(32 * MIB), str(48 * MIB)]
    assert rack.lab.host.run(("dd", "if=/dev/zero", f"of={ROOT}/alice/more", "bs=1m", "count=40")).rc == 1
    assert rack.lab.host.run(("dd", "if=/dev/zero", f"of={ROOT}/bob/more", "bs=1m", "count=40")).rc == 1


def test_the_dataset_of_an_absent_jail_stays_as_it_is(rack: Rack) -> None:
    rack.converge(jail("alice"))
    assert rack.converge(jail("alice", 128 * MIB, state="absent")) == []
    assert rack.limits("alice")[0] == str(64 * MIB)
