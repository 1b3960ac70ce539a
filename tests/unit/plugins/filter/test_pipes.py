# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.pipes import FilterModule

pipes = FilterModule().filters()["pipes"]

LINK = {"up": 10**9, "down": 2 * 10**9}
OF_THE_LINE = [{"number": 10000, "bandwidth": "1Gbit/s"}, {"number": 10001, "bandwidth": "2Gbit/s"}]
OF_ALICE = [
    {"number": 10034, "bandwidth": "10Mbit/s", "jail": "alice"},
    {"number": 10035, "bandwidth": "20Mbit/s", "jail": "alice"},
]
OF_BOB = [
    {"number": 10036, "pipe": 10000, "weight": 10, "jail": "bob"},
    {"number": 10037, "pipe": 10001, "weight": 10, "jail": "bob"},
]


def test_a_jail_with_a_cap_has_pipes_and_one_without_has_queues(jails: list[dict[str, t.Any]]) -> None:
    assert pipes(jails, LINK) == {"pipes": [*OF_THE_LINE, *OF_ALICE], "queues": OF_BOB}


@pytest.mark.parametrize("state", ["running", "stopped", "suspended"])
def test_pipes_and_queues_stay_until_the_jail_goes(jails: list[dict[str, t.Any]], state: str) -> None:
    there = [{**jail, "state": state} for jail in jails]
    gone = [{**jail, "state": "absent"} for jail in jails]
    assert pipes(there, LINK) == {"pipes": [*OF_THE_LINE, *OF_ALICE], "queues": OF_BOB}
    assert pipes(gone, LINK) == {"pipes": OF_THE_LINE, "queues": []}


def test_the_weight_is_the_queues(jails: list[dict[str, t.Any]]) -> None:
    jails[1]["bandwidth"]["weight"] = 30
    assert [queue["weight"] for queue in pipes(jails, LINK)["queues"]] == [30, 30]


def test_pipes_count_from_a_base(jails: list[dict[str, t.Any]]) -> None:
    found = pipes(jails, LINK, base=100)
    assert [pipe["number"] for pipe in found["pipes"]] == [100, 101, 134, 135]
    assert [(queue["number"], queue["pipe"]) for queue in found["queues"]] == [(136, 100), (137, 101)]


def test_numbers_of_the_first_and_the_last_possible_jail(jails: list[dict[str, t.Any]]) -> None:
    jails[0]["id"], jails[1]["id"] = 1, 24999
    found = pipes(jails, LINK)
    assert [pipe["number"] for pipe in found["pipes"]] == [10000, 10001, 10002, 10003]
    assert [queue["number"] for queue in found["queues"]] == [59998, 59999]


def test_the_pipe_of_a_line_that_no_pipe_can_have_has_no_limit() -> None:
    link = {"up": 2**32 - 1, "down": 10 * 10**9}
    assert [pipe["bandwidth"] for pipe in pipes([], link)["pipes"]] == ["4294967295bit/s", "0bit/s"]
