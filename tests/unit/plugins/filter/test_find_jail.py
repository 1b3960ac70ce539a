# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.filter.find_jail import FilterModule

find_jail = FilterModule().filters()["find_jail"]

FLEET = {"h1": [{"name": "bob"}], "h2": [{"name": "alice"}, {"name": "carol"}]}


def test_a_jail_is_on_the_host_of_its_record() -> None:
    assert find_jail(FLEET, "alice") == {"host": "h2", "wrong": ""}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("alcie", "No jail is named alcie; did you mean alice? There are alice, bob, carol"),
        ("zzz", "No jail is named zzz. There are alice, bob, carol"),
        ("\x1b[2J", "No jail is named \\x1b[2J. There are alice, bob, carol"),
        ("", "Name the jail as -e jail=NAME. There are alice, bob, carol"),
    ],
)
def test_who_names_none_is_told_which_there_are(name: str, wrong: str) -> None:
    assert find_jail(FLEET, name) == {"host": "", "wrong": wrong}


def test_of_many_names_the_first_are_told() -> None:
    fleet = {"h1": [{"name": f"j{number:03}"} for number in range(500)]}
    assert find_jail(fleet, "x")["wrong"].endswith("j038, j039 and 460 more")


@pytest.mark.parametrize("fleet", [{}, {"h1": []}])
def test_without_any_record_the_inventory_is_wrong(fleet: dict[str, list[dict[str, str]]]) -> None:
    assert "fleet.yml" in find_jail(fleet, "alice")["wrong"]
