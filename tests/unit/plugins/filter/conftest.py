# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest


def jail(name: str, number: int, **changes: t.Any) -> dict[str, t.Any]:
    """Return a resolved jail, as the inventory plugin gives it."""
    return {
        "name": name,
        "id": number,
        "host": "h1",
        "customer": name,
        "plan": "base",
        "address": f"192.168.1.{number}",
        "address6": None,
        "hostname": f"www.{name}.example.net",
        "network": "shared",
        "state": "running",
        "retired": None,
        "path": f"/usr/local/jails/h1/{name}",
        "release": "15.1-RELEASE-p1",
        "restart": False,
        "canary": False,
        "storage": "directory",
        "image": None,
        "dataset": None,
        "snapshot_room": 150,
        "publish": [],
        "limits": {"disk": 4 * 2**30, "memory": 512 * 2**20, "processes": 100, "cpu": 50},
        "reservation": None,
        "public": None,
        "publish_all": False,
        "nat": "203.0.113.10",
        "allow_from": [],
        "outgoing": {"smtp": False},
        "connections": {"states": None, "rate": None},
        "bandwidth": {"up": None, "down": None, "weight": 10},
        "parameters": {"securelevel": 2, "sysvipc": "new", "allow": ["reserved_ports", "suser"]},
        **changes,
    }


def host(**changes: t.Any) -> dict[str, t.Any]:
    """Return what is known of a host, as the inventory plugin gives it."""
    return {
        "interface": "vtnet0",
        "interfaces": [],
        "addresses": ["203.0.113.10", "203.0.113.11"],
        "own_addresses": ["198.51.100.11"],
        "netblocks": ["192.168.1.0/24"],
        "services": [],
        "blocked": [],
        "jail_interface": "lo1",
        "bridge": "bridge0",
        "gateways": ["192.168.1.1"],
        "link": {"up": 10**9, "down": 10**9},
        **changes,
    }


@pytest.fixture
def jails() -> list[dict[str, t.Any]]:
    """Return two jails: alice with a cap and two ports, bob with neither, stopped, and allowed to be restarted."""
    ports = [
        {"protocol": "tcp", "address": "203.0.113.10", "port": 8017, "to": 22, "from": []},
        {"protocol": "udp", "address": "203.0.113.11", "port": 53, "to": 5353, "from": []},
    ]
    bandwidth = {"up": 10_000_000, "down": 20_000_000, "weight": 10}
    return [jail("alice", 17, publish=ports, bandwidth=bandwidth), jail("bob", 18, state="stopped", restart=True)]
