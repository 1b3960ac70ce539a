# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.pipes import FilterModule

pipes = FilterModule().filters()["pipes"]

OF_ALICE = [
    {"number": 10034, "bandwidth": "10Mbit/s", "jail": "alice"},
    {"number": 10035, "bandwidth": "20Mbit/s", "jail": "alice"},
]


def test_pipes_of_two_jails(jails: list[dict[str, t.Any]]) -> None:
    assert pipes(jails) == {"pipes": OF_ALICE, "queues": []}


@pytest.mark.parametrize(
    ("state", "expected"), [("running", OF_ALICE), ("stopped", OF_ALICE), ("suspended", OF_ALICE), ("absent", [])]
)
def test_pipes_stay_until_the_jail_goes(jails: list[dict[str, t.Any]], state: str, expected: list[t.Any]) -> None:
    jails[0]["state"] = state
    assert pipes(jails)["pipes"] == expected


def test_pipes_count_from_a_base(jails: list[dict[str, t.Any]]) -> None:
    assert [pipe["number"] for pipe in pipes(jails, base=100)["pipes"]] == [134, 135]


def test_pipes_of_the_last_possible_jail_are_numbers_of_dummynet(jails: list[dict[str, t.Any]]) -> None:
    jails[0]["id"] = 24999
    assert [pipe["number"] for pipe in pipes(jails)["pipes"]] == [59998, 59999]
