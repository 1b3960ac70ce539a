# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.capacity import Room, amounts, usage
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checked

G = 2**30
M = 10**6


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"vps_memory": "511M"}, "vps_memory: 512M sold is more than 100% of 511M; move a jail, or raise {}.memory"),
        ({"vps_disk": "3G"}, "vps_disk: 4G sold is more than 100% of 3G; move a jail, or raise {}.disk"),
        (
            {"vps_link": {"up": "9Mbit/s", "down": "1Gbit/s"}},
            "vps_link.up: 10Mbit/s sold is more than 100% of 9Mbit/s; move a jail, or raise {}.bandwidth",
        ),
        (
            {"vps_link": {"up": "1Gbit/s", "down": "19999Kbit/s"}},
            "vps_link.down: 20Mbit/s sold is more than 100% of 19999Kbit/s; move a jail, or raise {}.bandwidth",
        ),
        (
            {"vps_memory": "1G", "vps_overcommit": {"memory": "49%"}},
            "vps_memory: 512M sold is more than 49% of 1G; move a jail, or raise {}.memory",
        ),
    ],
)
def test_check_capacity_names_what_is_sold_twice(fleet: t.Any, variables: dict[str, t.Any], error: str) -> None:
    fleet.hosts["h1"].update(variables)
    assert fleet.errors() == [f"hosts.yml: h1: {error.format('vps_overcommit')}"]


@pytest.mark.parametrize(
    "variables",
    [
        {"vps_memory": "512M", "vps_disk": "4G", "vps_link": {"up": "10Mbit/s", "down": "20Mbit/s"}},
        {"vps_memory": "256M", "vps_overcommit": {"memory": "200%"}},
    ],
)
def test_check_capacity_lets_all_be_sold(fleet: t.Any, variables: dict[str, t.Any]) -> None:
    fleet.hosts["h1"].update(variables)
    assert len(fleet.compile()["h1"]) == 1


def test_check_capacity_says_nothing_of_what_an_error_hides(fleet: t.Any) -> None:
    fleet.hosts["h1"].update(vps_memory="1", vps_link={"up": "1bit/s"}, vps_overcommit={"disk": "none"}, vps_disk="1G")
    assert [error.split(": ")[2] for error in fleet.errors()] == [
        "vps_link.down",
        "vps_link.up",
        "vps_memory",
        "vps_overcommit.disk",
    ]


@pytest.mark.parametrize("state", ["running", "stopped", "suspended"])
def test_amounts_of_a_jail_that_could_run(state: str) -> None:
    plan = {"memory": G, "disk": 4 * G, "bandwidth": {"up": M, "down": 2 * M, "weight": 5}}
    jail = {"state": state, "limits": {"memory": 2 * G}, "bandwidth": {"up": 3 * M}}
    assert amounts(jail, plan) == {"memory": 2 * G, "disk": 4 * G, "up": 3 * M, "down": 2 * M}


def test_amounts_of_an_absent_jail_are_its_data() -> None:
    plan = {"memory": G, "disk": 4 * G, "bandwidth": {"up": M, "down": M}}
    assert amounts({"state": "absent"}, plan) == {"memory": 0, "disk": 4 * G, "up": 0, "down": 0}


def test_amounts_of_a_jail_without_a_cap() -> None:
    assert amounts({"state": "running"}, {"memory": G, "disk": G}) == {"memory": G, "disk": G, "up": 0, "down": 0}


def test_usage_adds_up_by_host() -> None:
    host = {
        "vps_memory": 8 * G,
        "vps_disk": 100 * G,
        "vps_link": {"up": 100 * M, "down": 200 * M},
        "vps_overcommit": {"memory": 150, "disk": 90, "bandwidth": 1000},
    }
    plan = {"memory": G, "disk": 4 * G, "bandwidth": {"up": M, "down": 2 * M}}
    jails = {name: {"host": "h1", "plan": "base", "state": "running"} for name in ("alice", "bob")}
    jails["carol"] = {"host": "elsewhere", "plan": "base", "state": "running"}
    checked = Checked(hosts={"h1": host, "h2": host}, plans={"base": plan}, customers={}, jails=jails)
    limit = {"memory": 12 * G, "disk": 90 * G, "up": 1000 * M, "down": 2000 * M}
    assert usage(checked) == {
        "h1": Room({"memory": 2 * G, "disk": 8 * G, "up": 2 * M, "down": 4 * M}, limit),
        "h2": Room({"memory": 0, "disk": 0, "up": 0, "down": 0}, limit),
    }
