# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of 500 jails: what its rules cost."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules
from support.lab import Lab

JAILS = 500
# What one jail with two published ports has of rules; what the host has besides, whatever its jails.
PROCESSES = 10
OF_A_JAIL, OF_THE_HOST = 10, 11
HOST: dict[str, t.Any] = {
    "interface": "vtnet0",
    "interfaces": [],
    "addresses": ["203.0.113.10"],
    "own_addresses": ["198.51.100.11"],
    "netblocks": ["10.1.0.0/22"],
    "services": [],
    "blocked": [],
    "jail_interface": "lo1",
    "bridge": "bridge0",
    "gateways": ["192.168.1.1"],
}


def jail(number: int) -> dict[str, t.Any]:
    """Return a resolved jail with two published ports."""
    ports = [
        {"protocol": "tcp", "address": "203.0.113.10", "port": first + number, "to": to, "from": []}
        for first, to in ((8000, 22), (20000, 80))
    ]
    return {
        "name": f"jail{number}",
        "id": number,
        "state": "running",
        "address": f"10.1.{number // 250}.{number % 250 + 1}",
        "address6": None,
        "network": "shared",
        "publish": ports,
        "public": None,
        "publish_all": False,
        "nat": "203.0.113.10",
        "allow_from": [],
        "outgoing": {"smtp": False},
        "connections": {"states": 5000, "rate": "200/10"},
        "bandwidth": {"up": None, "down": None, "weight": 10},
    }


def wish(count: int) -> dict[str, t.Any]:
    return pf_rules([jail(number) for number in range(1, count + 1)], HOST)


@pytest.fixture
def loaded(lab: Lab) -> Lab:
    lab.run("kldload", "pf")
    assert not lab.module("pf_anchor", **wish(JAILS)).get("failed")
    return lab


def test_500_jails_have_ten_rules_each_in_one_anchor(loaded: Lab) -> None:
    wished = wish(JAILS)["rules"]
    assert len(wished) == JAILS * OF_A_JAIL + OF_THE_HOST
    shown = loaded.run("pfctl", "-a", "jailisp", "-sn") + loaded.run("pfctl", "-a", "jailisp", "-sr")
    assert shown.count("\n") == len(wished)
    # The kernel has room for 512 anchors.
    assert loaded.run("pfctl", "-sA").split() == ["jailisp"]


def test_500_jails_take_as_many_processes_as_five(loaded: Lab) -> None:
    assert loaded.processes("pf_anchor", **wish(JAILS)) == PROCESSES
    loaded.module("pf_anchor", **wish(5))
    assert loaded.processes("pf_anchor", **wish(5)) == PROCESSES


def test_one_jail_more_is_one_load_and_cuts_nobody_off(loaded: Lab) -> None:
    commands = loaded.module("pf_anchor", **wish(JAILS + 1))["commands"]
    file = "/etc/pf.anchors/jailisp.conf"
    assert commands == [f"write {file}", f"pfctl -a jailisp -f {file}"]


def test_rules_of_500_jails_are_made_in_a_moment() -> None:
    wish(JAILS)
    begin = time.process_time()
    wish(JAILS)
    assert time.process_time() - begin < 1
