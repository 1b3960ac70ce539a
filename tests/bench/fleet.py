# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated fleets: as many hosts and jails as a measurement needs, in the form of the inventory's records."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

import yaml

from model import example

RELEASE = "15.1-RELEASE-p1"
# The first is what everybody has where a fleet has one customer only.
PLANS: dict[str, dict[str, t.Any]] = {
    "base": {
        "disk": "4G",
        "memory": "512M",
        "processes": 100,
        "cpu": "50%",
        "bandwidth": {"up": "10Mbit/s", "down": "10Mbit/s"},
    },
    "small": {"disk": "2G", "memory": "256M", "processes": 50, "cpu": "25%"},
    "large": {
        "disk": "16G",
        "memory": "2G",
        "processes": 400,
        "cpu": "100%",
        "bandwidth": {"up": "20Mbit/s", "down": "20Mbit/s", "weight": 30},
        "ports": 3,
    },
}
# What a group says of where roots lie, by kind.
STORAGES: dict[str, dict[str, str]] = {
    "directory": {"vps_storage": "directory"},
    "dataset": {"vps_storage": "dataset", "vps_pool": "tank"},
}
# Of a hundred jails.
STATES = {"running": 90, "stopped": 5, "suspended": 3, "absent": 2}
SEED = 2004
# A /22 has room for the jails of a host and is left free between two hosts.
ADDRESSES_OF_HOST = 1024


def write(folder: Path, hosts: int, jails: int, customers: int = 1, storage: str = "directory") -> list[str]:
    """Write an inventory of so many hosts, each with so many jails; return the names of the hosts.

    With one customer all jails are alike. With more they differ in plan, state and ports, the same ones each time.
    """
    names = [f"h{number}" for number in range(1, hosts + 1)]
    for part in ("group_vars", "host_vars", "plans", "customers", "jails"):
        (folder / part).mkdir(parents=True)
    _put(folder / "hosts.yml", {"jail_hosts": {"hosts": {name: None for name in names}}})
    _put(folder / "fleet.yml", {"plugin": "jailisp.vps.fleet"})
    _put(folder / "group_vars" / "jail_hosts.yml", _group() | STORAGES[storage])
    for plan, keys in PLANS.items():
        _put(folder / "plans" / f"{plan}.yml", keys)
    for customer in range(1, customers + 1):
        content = {"name": f"Customer {customer}", "contact": f"c{customer}@example.net", "keys": []}
        _put(folder / "customers" / f"c{customer}.yml", content)
    choose = random.Random(SEED)
    for number, name in enumerate(names, 1):
        _put(folder / "host_vars" / f"{name}.yml", _host(number))
        for jail in range(1, jails + 1):
            add_jail(folder, number, jail, jails + 1, **(_variety(choose, jail, customers) if customers > 1 else {}))
    return names


def set_releases(folder: Path, release: str, releases: t.Mapping[str, t.Any] | None = None) -> None:
    """Give all hosts another default release, and other releases if there are any."""
    path = folder / "group_vars" / "jail_hosts.yml"
    keys = yaml.safe_load(path.read_text()) | {"vps_release": release}
    _put(path, keys | ({"vps_releases": dict(releases)} if releases else {}))


def add_jail(folder: Path, host: int, jail: int, stride: int, **keys: t.Any) -> str:
    """Write the record of jail number ``jail`` of host number ``host``, with some keys changed; return its name."""
    name = f"j{host}-{jail}"
    record = {
        "host": f"h{host}",
        "customer": "c1",
        "plan": "base",
        "id": host * stride + jail,
        "address": f"10.{host * 4 // 256}.{host * 4 % 256 + jail // 256}.{jail % 256}",
        "publish": [{"port": 10000 + jail, "to": 22}],
        **keys,
    }
    _put(folder / "jails" / f"{name}.yml", record)
    return name


def _variety(choose: random.Random, jail: int, customers: int) -> dict[str, t.Any]:
    """Return what distinguishes a jail from others."""
    services = choose.sample((80, 443, 25, 993), choose.randint(0, 2))
    return {
        "customer": f"c{choose.randint(1, customers)}",
        "plan": choose.choice(list(PLANS)),
        "state": choose.choices(list(STATES), list(STATES.values()))[0],
        "publish": [{"port": 10000 + 1000 * place + jail, "to": port} for place, port in enumerate((22, *services))],
    }


def hardware(host: int) -> dict[str, t.Any]:
    """Return the addresses of host number ``host`` and its disk for a pool, as model.example takes them."""
    return {"address": f"198.18.{host}.1", "addresses": [public(host)], "disks": {example.POOL_DISK: "400G"}}


def public(host: int) -> str:
    """Return the public address of host number ``host``."""
    return f"198.19.{host}.1"


def _host(number: int) -> dict[str, t.Any]:
    network = f"10.{number * 4 // 256}.{number * 4 % 256}.0/22"
    return {
        "vps_addresses": [public(number)],
        "vps_own_addresses": [hardware(number)["address"]],
        "vps_netblock": network,
    }


def _group() -> dict[str, t.Any]:
    return {
        "ansible_python_interpreter": "/usr/local/bin/python3",
        "vps_interface": "vtnet0",
        "vps_memory": "128G",
        "vps_disk": "2T",
        "vps_link": {"up": "2Gbit/s", "down": "2Gbit/s"},
        "vps_release": RELEASE,
        "vps_releases": {RELEASE: {"archive": "/var/base.txz", "sha256": "0" * 64}},
    }


def _put(path: Path, content: t.Any) -> None:
    path.write_text(yaml.safe_dump(content, explicit_start=True))
