# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of two hosts whose customers change their minds: records, and random changes of them."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

import yaml

RELEASE = "15.1-RELEASE-p1"
BASE = "/var/base.txz"
# By host, what its jails' roots are: of the first one some are images.
KINDS = {"h1": ("directory", "directory", "image"), "h2": ("dataset",)}
ADDRESSES = {"h1": "198.51.100.11", "h2": "198.51.100.12"}
PUBLIC = {"h1": "203.0.113.10", "h2": "203.0.113.20"}
CUSTOMERS = 8
PLANS: dict[str, dict[str, t.Any]] = {
    "tiny": {"disk": "64M", "memory": "128M", "processes": 20, "cpu": "10%"},
    "small": {"disk": "96M", "memory": "256M", "processes": 50, "cpu": "25%", "rctl": {"openfiles:deny": 2048}},
    "base": {
        "disk": "128M",
        "memory": "512M",
        "processes": 100,
        "cpu": "50%",
        "bandwidth": {"up": "10Mbit/s", "down": "10Mbit/s"},
        "rctl": {"readbps:throttle": "20M", "memoryuse:log": "400M"},
    },
    "large": {
        "disk": "192M",
        "memory": "1G",
        "processes": 400,
        "cpu": "200%",
        "bandwidth": {"up": "50Mbit/s", "down": "20Mbit/s"},
        "rctl": {"nthr:deny": "none", "vmemoryuse:deny": "4G", "memoryuse:devctl": "900M"},
    },
}
# Every so many has a network stack of its own.
BRIDGED = 5
# More of them may not become absent in one run.
MOST_REMOVALS = 3
HASHES = (
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
    "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
)
KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAsBje1G1y2FoUgagEF9l+05FZFm2uqbWajLTvG8Fxxg one",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEpZ8v/sXEhBxBRs5nx50/PXbzqJKy52foUFuCVXGdlJ two",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMC+DhrH0MBuEnL+dEtw925SyBkT5P1rJRuBvD2o5Snn three",
)

Values = dict[str, t.Any]


class Records:
    """The records of ``count`` jails, on the disk below ``folder`` and as mappings by name."""

    def __init__(self, folder: Path, count: int, sha256: str, seed: int) -> None:
        """Write them."""
        self.folder = folder
        self.chance = random.Random(seed)
        self.jails: dict[str, Values] = {}
        self.customers: dict[str, Values] = {}
        self._put("fleet.yml", {"plugin": "jailisp.vps.fleet"})
        hosts = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
        self._put("hosts.yml", {"jail_hosts": {"hosts": hosts}})
        self._put("group_vars/jail_hosts.yml", _group(sha256))
        for number, (name, kinds) in enumerate(KINDS.items(), 1):
            self._put(f"host_vars/{name}.yml", _host(number, name, kinds[0]))
        for name, plan in PLANS.items():
            self._put(f"plans/{name}.yml", plan)
        for number in range(1, CUSTOMERS + 1):
            self.customers[f"customer{number}"] = {"name": f"Customer {number}", "contact": f"c{number}@example.net"}
        for number in range(1, count + 1):
            self.jails[f"jail{number}"] = self._jail(number)
        self._write_all()

    def change(self) -> list[str]:
        """Change some records at random; return what was changed, one line each."""
        said = [self._change_customer()] if self.chance.random() < 0.2 else []
        leaving = dict.fromkeys(KINDS, 0)
        for name in self.chance.sample(sorted(self.jails), self.chance.randint(1, 8)):
            jail = self.jails[name]
            change = self.chance.choice((self._plan, self._limits, self._state, self._state, self._port))
            said.append(f"{name}: {change(jail, leaving)}")
        self._write_all()
        return said

    def _jail(self, number: int) -> Values:
        host = sorted(KINDS)[number % len(KINDS)]
        kind = self.chance.choice(KINDS[host])
        return {
            "host": host,
            "customer": f"customer{self.chance.randint(1, CUSTOMERS)}",
            "plan": self.chance.choice(sorted(PLANS)),
            "id": number,
            "address": f"192.168.{host[1:]}.{number + 10}",
            "publish": [{"port": 8000 + number, "to": 22}],
            **({"storage": "image"} if kind == "image" else {}),
            **({"network": "vnet"} if number % BRIDGED == 0 else {}),
        }

    def _plan(self, jail: Values, _leaving: dict[str, int]) -> str:
        jail["plan"] = self.chance.choice(sorted(PLANS))
        return f"plan {jail['plan']}"

    def _limits(self, jail: Values, _leaving: dict[str, int]) -> str:
        choices: tuple[Values, ...] = (
            {},
            {"memory": f"{self.chance.randint(64, 2048)}M"},
            {"processes": self.chance.randint(5, 500), "cpu": f"{self.chance.randint(5, 400)}%"},
            {"disk": f"{self.chance.randint(64, 256)}M"},
            {"rctl": {"openfiles:deny": self.chance.randint(100, 9999), "swapuse:deny": "none"}},
            {"rctl": {"writebps:throttle": f"{self.chance.randint(1, 99)}M", "maxproc:log": 10}},
        )
        jail["limits"] = self.chance.choice(choices)
        return f"limits {jail['limits']}"

    def _state(self, jail: Values, leaving: dict[str, int]) -> str:
        states = ["running", "running", "stopped", "suspended"]
        if leaving[jail["host"]] < MOST_REMOVALS and jail.get("state") != "absent":
            states.append("absent")
        jail["state"] = self.chance.choice(states)
        leaving[jail["host"]] += jail["state"] == "absent"
        return f"state {jail['state']}"

    def _port(self, jail: Values, _leaving: dict[str, int]) -> str:
        more = [{"port": 10000 + jail["id"], "to": 80}] if self.chance.random() < 0.5 else []
        jail["publish"] = [{"port": 8000 + jail["id"], "to": 22}, *more]
        return f"publish {len(jail['publish'])} ports"

    def _change_customer(self) -> str:
        name = self.chance.choice(sorted(self.customers))
        customer = self.customers[name]
        customer["keys"] = self.chance.sample(KEYS, self.chance.randint(0, len(KEYS)))
        customer.pop("password", None)
        if self.chance.random() < 0.7:
            customer["password"] = self.chance.choice(HASHES)
        return f"{name}: {len(customer['keys'])} keys, password {'password' in customer}"

    def _write_all(self) -> None:
        for folder, records in (("jails", self.jails), ("customers", self.customers)):
            for name, record in records.items():
                self._put(f"{folder}/{name}.yml", record)

    def _put(self, file: str, content: t.Any) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, explicit_start=True), encoding="utf-8")


def _group(sha256: str) -> Values:
    return {
        "vps_interface": "vtnet0",
        "vps_memory": "256G",
        "vps_disk": "1T",
        "vps_link": {"up": "10Gbit/s", "down": "10Gbit/s"},
        "vps_release": RELEASE,
        "vps_releases": {RELEASE: {"archive": BASE, "sha256": sha256}},
    }


def _host(number: int, name: str, storage: str) -> Values:
    return {
        "vps_addresses": [PUBLIC[name]],
        "vps_own_addresses": [ADDRESSES[name]],
        "vps_netblock": f"192.168.{number}.0/24",
        "vps_storage": storage,
        **({"vps_pool": "tank"} if storage == "dataset" else {}),
    }
