# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of two hosts before and after a change of their records: what is converged while something goes wrong."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

OLD, NEW = "15.0-RELEASE-p3", "15.1-RELEASE-p1"
ARCHIVES = {OLD: "/var/base-15.0.txz", NEW: "/var/base.txz"}
ADDRESSES = {"h1": "198.51.100.11", "h2": "198.51.100.12"}
PUBLIC = {"h1": "203.0.113.10", "h2": "203.0.113.20"}
HASH = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"
OTHER_HASH = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAsBje1G1y2FoUgagEF9l+05FZFm2uqbWajLTvG8Fxxg one"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEpZ8v/sXEhBxBRs5nx50/PXbzqJKy52foUFuCVXGdlJ two"

Values = dict[str, t.Any]


@dataclass
class Fleet:
    """Records: of jails and customers by name, of plans by name, and what is true of each host."""

    jails: dict[str, Values]
    customers: dict[str, Values]
    plans: dict[str, Values]
    hosts: dict[str, Values]

    def write(self, folder: Path, digests: t.Mapping[str, str]) -> Path:
        """Write the records below a folder; return the file of the inventory plugin. ``digests``: of the archives."""
        releases = {release: {"archive": path, "sha256": digests[release]} for release, path in ARCHIVES.items()}
        hosts = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
        _put(folder / "fleet.yml", {"plugin": "jailisp.vps.fleet"})
        _put(folder / "hosts.yml", {"jail_hosts": {"hosts": hosts}})
        _put(folder / "group_vars/jail_hosts.yml", {**GROUP, "vps_releases": releases})
        for kind, records in (("host_vars", self.hosts), ("plans", self.plans), ("customers", self.customers)):
            for name, record in records.items():
                _put(folder / kind / f"{name}.yml", record)
        for name, record in self.jails.items():
            _put(folder / "jails" / f"{name}.yml", record)
        return folder / "fleet.yml"

    def changed(self, change: t.Callable[[Fleet], None]) -> Fleet:
        """Return a fleet like this one, changed."""
        other = copy.deepcopy(self)
        change(other)
        return other


@dataclass(frozen=True)
class Act:
    """Records that a host is to be converged by; and parameters of jail_upgrades, where that module comes first."""

    fleet: Fleet
    upgrade: Values | None = None


@dataclass(frozen=True)
class Scene:
    """What was done with a host before, in turn; and what is done with it while something goes wrong.

    ``unsuited`` are jails with something that does not answer under the new release: they go back by themselves. Then
    there is an upgrade alone: nobody converges a host on which one failed.
    """

    before: tuple[Act, ...]
    after: Act
    unsuited: tuple[str, ...] = ()


GROUP = {
    "vps_interface": "vtnet0",
    "vps_memory": "64G",
    "vps_disk": "100G",
    "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
    "vps_release": NEW,
}
PLANS = {
    "small": {"disk": "64M", "memory": "256M", "processes": 50, "cpu": "25%", "rctl": {"openfiles:deny": 2048}},
    "large": {
        "disk": "96M",
        "memory": "1G",
        "processes": 400,
        "cpu": "200%",
        "bandwidth": {"up": "50Mbit/s", "down": "20Mbit/s"},
        "rctl": {"memoryuse:log": "400M"},
    },
}
CUSTOMERS = {
    "anna": {"name": "Anna", "contact": "anna@example.net", "keys": [KEY], "password": HASH},
    "bert": {"name": "Bert", "contact": "bert@example.net", "keys": [OTHER_KEY]},
}


def jail(host: str, number: int, customer: str, **more: t.Any) -> Values:
    return {
        "host": host,
        "customer": customer,
        "plan": "small",
        "id": number,
        "address": f"192.168.{host[1:]}.{number}",
        "publish": [{"port": 8000 + number, "to": 22}],
        **more,
    }


def host(number: int, **more: t.Any) -> Values:
    name = f"h{number}"
    return {
        "vps_addresses": [PUBLIC[name]],
        "vps_own_addresses": [ADDRESSES[name]],
        "vps_netblock": f"192.168.{number}.0/24",
        **more,
    }


# On the first host two directories, one of them with a network stack of its own, and an image; on the second datasets.
BASE = Fleet(
    jails={
        "alice": jail("h1", 17, "anna"),
        "bob": jail("h1", 18, "bert", storage="image"),
        "carol": jail("h1", 19, "anna", network="vnet", plan="large"),
        "dave": jail("h2", 20, "bert"),
        "erin": jail("h2", 21, "anna", plan="large"),
    },
    customers=CUSTOMERS,
    plans=PLANS,
    hosts={"h1": host(1, vps_storage="directory"), "h2": host(2, vps_storage="dataset", vps_pool="tank")},
)


def _come(fleet: Fleet) -> None:
    """Let a jail be ordered on each host, and a customer come with it."""
    fleet.customers["cora"] = {"name": "Cora", "contact": "cora@example.net", "keys": [KEY]}
    fleet.jails["frank"] = jail("h1", 30, "cora", plan="large")
    fleet.jails["grace"] = jail("h2", 31, "cora")


def _change(fleet: Fleet) -> None:
    """Change of jails that go on running an address, ports, limits, plan and pipe, and the ways in."""
    fleet.jails["alice"] |= {"address": "192.168.1.99", "limits": {"memory": "300M"}}
    fleet.jails["bob"] |= {"plan": "large", "publish": [{"port": 8118, "to": 22}, {"port": 8119, "to": 80}]}
    fleet.jails["carol"] |= {"plan": "small", "hostname": "www.carol.example.net"}
    fleet.jails["dave"] |= {"plan": "large", "address": "192.168.2.99"}
    fleet.jails["erin"] |= {"limits": {"processes": 9, "rctl": {"maxproc:log": 5}}, "publish": []}
    fleet.customers["anna"] |= {"keys": [OTHER_KEY], "password": OTHER_HASH}
    fleet.plans["small"] = {**PLANS["small"], "cpu": "30%"}


def _stop(fleet: Fleet) -> None:
    """Let jails be stopped and suspended."""
    fleet.jails["alice"] |= {"state": "suspended"}
    fleet.jails["bob"] |= {"state": "stopped"}
    fleet.jails["carol"] |= {"state": "stopped"}
    fleet.jails["dave"] |= {"state": "suspended"}


def _leave(fleet: Fleet) -> None:
    """Let jails leave, with what else is theirs."""
    for name in ("alice", "bob", "carol", "dave"):
        fleet.jails[name] |= {"state": "absent", "retired": "2026-11-24T093000Z"}


def _few(fleet: Fleet) -> None:
    """Leave one jail for each kind of storage."""
    for name in ("carol", "erin"):
        del fleet.jails[name]


def _upgrade(fleet: Fleet) -> None:
    """Let the records name the new release."""
    for jail in fleet.jails.values():
        jail["release"] = NEW


def _old(fleet: Fleet) -> None:
    """Let the records name the old release."""
    for jail in fleet.jails.values():
        jail["release"] = OLD


STOPPED, FEW = BASE.changed(_stop), BASE.changed(_few)
IS_OLD, IS_NEW = FEW.changed(_old), FEW.changed(_upgrade)
UNSUITED = ("alice", "bob", "dave")
SCENES = {
    "first": Scene((), Act(BASE)),
    "order": Scene((Act(BASE),), Act(BASE.changed(_come))),
    "change": Scene((Act(BASE),), Act(BASE.changed(_change))),
    "stop": Scene((Act(BASE),), Act(STOPPED)),
    "resume": Scene((Act(STOPPED),), Act(BASE)),
    "leave": Scene((Act(BASE),), Act(BASE.changed(_leave))),
    "upgrade": Scene((Act(IS_OLD),), Act(IS_NEW, {})),
    "installworld": Scene((Act(IS_OLD),), Act(IS_NEW, {"mode": "installworld", "delete_old": True})),
    "unsuited": Scene((Act(IS_OLD),), Act(IS_NEW, {"most_failures": len(UNSUITED)}), UNSUITED),
    "rollback": Scene((Act(IS_OLD), Act(IS_NEW, {})), Act(IS_OLD, {"state": "rolled_back"})),
}


def _put(path: Path, content: t.Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, explicit_start=True), encoding="utf-8")
