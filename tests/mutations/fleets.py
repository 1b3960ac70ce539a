# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that are broken: the example, and a generated one that uses what the example leaves out."""

from __future__ import annotations

import random
import re
import shutil
import struct
import typing as t
from base64 import b64encode
from pathlib import Path

import yaml

from model.sha_crypt import sha512_crypt
from mutations.mutant import Source

SEED = 20261124
# Every fourth host, one of two that keep their jails in directories, has neighbourhoods.
NEIGHBOURLY = 3
HOSTS, JAILS, CUSTOMERS = 20, 300, 25
# Where the hosts have the releases' archives.
ARCHIVES = {"15.1-RELEASE-p1": "/var/base.txz", "14.3-RELEASE": "/var/base-14.3.txz"}
PLANS: dict[str, dict[str, t.Any]] = {
    "small": {
        "disk": "1G",
        "memory": "256M",
        "processes": 50,
        "cpu": "25%",
        "bandwidth": {"up": "5Mbit/s", "down": "5Mbit/s"},
    },
    "base": {
        "disk": "4G",
        "memory": "512M",
        "processes": 100,
        "cpu": "50%",
        "bandwidth": {"up": "10Mbit/s", "down": "20Mbit/s", "weight": 10},
        "ports": 2,
    },
    "old": {
        "disk": "4G",
        "memory": "512M",
        "processes": 100,
        "cpu": "100%",
        "bandwidth": {"up": "10Mbit/s", "down": "10Mbit/s"},
        "release": "14.3-RELEASE",
    },
    "free": {"disk": "16G", "memory": "2G", "processes": 500, "cpu": "200%"},
}
# The example of bcrypt's own description.
BCRYPT = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


def copy_example(example: Path, folder: Path, checksums: t.Mapping[str, str]) -> Source:
    """Return a copy of the example whose hosts have their archive."""
    shutil.copytree(example, folder)
    group = folder / "group_vars" / "jail_hosts.yml"
    text = group.read_text(encoding="utf-8")
    group.write_text(
        re.sub(r"sha256: ['\"]?[0-9a-f]{64}['\"]?", f'sha256: "{checksums["15.1-RELEASE-p1"]}"', text), encoding="utf-8"
    )
    return Source("example", folder)


def generate(folder: Path, checksums: t.Mapping[str, str]) -> Source:
    """Return a generated inventory, the same each time."""
    chance = random.Random(SEED)
    folders = {name: name for name in ("plans", "customers", "jails")}
    fleet = {"plugin": "jailisp.vps.fleet", "hosts": "hosts.yml", **folders, "host_group": "jail_hosts"}
    _put(folder, "fleet.yml", fleet)
    names = [f"h{number}" for number in range(1, HOSTS + 1)]
    _put(folder, "hosts.yml", {"jail_hosts": {"hosts": {name: {"ansible_host": _own(name)} for name in names}}})
    _put(folder, "group_vars/jail_hosts.yml", _group(checksums))
    for number, name in enumerate(names, 1):
        _put(folder, f"host_vars/{name}.yml", _host(number))
    for name, plan in PLANS.items():
        _put(folder, f"plans/{name}.yml", plan)
    for number in range(1, CUSTOMERS + 1):
        _put(folder, f"customers/customer{number}.yml", _customer(number, chance))
    for number in range(1, JAILS + 1):
        _put(folder, f"jails/jail{number}.yml", _jail(number, chance))
    return Source("generated", folder)


def public(host: int, number: int = 1) -> str:
    """Return a public address of host number `host`."""
    return f"203.0.113.{host * 2 + number}"


def _own(name: str) -> str:
    """Return the address by which a host is administered."""
    return f"198.51.100.{name[1:]}"


def _put(folder: Path, file: str, content: t.Any) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, explicit_start=True, sort_keys=False), encoding="utf-8")


def _group(checksums: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {
        "ansible_python_interpreter": "/usr/local/bin/python3",
        "vps_interface": "vtnet0",
        "vps_jail_interface": "lo1",
        "vps_memory": "24G",
        "vps_disk": "250G",
        "vps_storage": "directory",
        "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
        "vps_overcommit": {"memory": "120%", "disk": "150%", "bandwidth": "200%"},
        "vps_ports": "8000-8999",
        "vps_orders": True,
        "vps_archives": "/var/jail-archives",
        "vps_archive_days": 30,
        "vps_release": "15.1-RELEASE-p1",
        "vps_releases": {
            release: {"archive": archive, "sha256": checksums[release]} for release, archive in ARCHIVES.items()
        },
    }


def _has_neighbourhoods(number: int) -> bool:
    """Whether host number `number` has neighbourhoods."""
    return number % 4 == NEIGHBOURLY


def _host(number: int) -> dict[str, t.Any]:
    more: dict[str, t.Any] = {"vps_storage": "dataset", "vps_pool": "tank"} if number % 2 == 0 else {}
    if _has_neighbourhoods(number):
        more = {"vps_neighbourhoods": {name: {"path": f"/jails/{name}", "disk": "150G"} for name in ("n1", "n2")}}
    return {
        "vps_addresses": [public(number), public(number, 2)],
        "vps_netblock": f"10.1.{number}.0/24",
        "vps_netblock6": f"2001:db8:{number}::/64",
        "vps_root": f"/usr/local/jails/h{number}",
        **more,
    }


def _customer(number: int, chance: random.Random) -> dict[str, t.Any]:
    password = BCRYPT if number % 5 == 0 else sha512_crypt(f"password {number}", f"salt{number}")
    record: dict[str, t.Any] = {
        "name": f"Customer {number} Ltd",
        "contact": f"customer{number}@example.net",
        "keys": [key(chance) for _unused in range(number % 3)],
    }
    return {**record, "password": password} if number % 2 else record


def key(chance: random.Random) -> str:
    """Return a public key of the form that ssh-keygen writes."""
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (b"ssh-ed25519", chance.randbytes(32)))
    return f"ssh-ed25519 {b64encode(blob).decode()} somebody@example.net"


def _jail(number: int, chance: random.Random) -> dict[str, t.Any]:
    """Return a jail's record; its number says which of the optional keys it has."""
    host, place = number % HOSTS + 1, number // HOSTS + 10
    record: dict[str, t.Any] = {
        "host": f"h{host}",
        "customer": f"customer{chance.randint(1, CUSTOMERS)}",
        "plan": chance.choice(list(PLANS)),
        "id": number,
        "address": f"10.1.{host}.{place}",
        "publish": _publish(number, host),
    }
    if _has_neighbourhoods(host):
        record["neighbourhood"] = f"n{place % 2 + 1}"
    optional: tuple[tuple[int, dict[str, t.Any]], ...] = (
        (2, {"address6": f"2001:db8:{host}::{place}"}),
        (3, {"hostname": f"www{number}.example.net"}),
        (4, {"limits": {"disk": "2G", "memory": "384M", "processes": 80, "cpu": "40%"}}),
        (5, {"bandwidth": {"up": "8Mbit/s", "down": "8Mbit/s", "weight": 20}}),
        (8, {"outgoing": {"smtp": True}}),
        (10, {"connections": {"states": 5000, "rate": "200/10"}}),
        (14, {"allow_from": [{"network": "10.9.0.0/16", "port": "5432-5433"}]}),
        (15, {"nat": public(host, 2)}),
        (7, {"release": "14.3-RELEASE"}),
        (9, {"restart": True}),
        (11, {"state": "stopped"}),
        (13, {"state": "suspended"}),
        (17, {"state": "absent", "retired": "2026-10-01T120000Z"}),
    )
    for divisor, keys in optional:
        if number % divisor == 0:
            record |= keys
    if record.get("state") != "absent":
        record.pop("retired", None)
    return record


def _publish(number: int, host: int) -> list[dict[str, t.Any]]:
    first: list[dict[str, t.Any]] = [{"port": 8000 + number, "to": 22}]
    if number % 4 == 0:
        first.append({"port": 20000 + number, "to": 53, "protocol": "udp"})
    if number % 5 == 0:
        first.append({"port": f"{21000 + 10 * number}-{21009 + 10 * number}", "to": 5000, "from": ["198.51.100.0/24"]})
    if number % 6 == 0:
        first.append({"port": 20000 + number, "to": 80, "address": public(host, 2)})
    return first
