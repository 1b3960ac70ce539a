# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.filter.disk_report import FilterModule

disk_report = FilterModule().filters()["disk_report"]

G = 1 << 30
Values = dict[str, t.Any]


def host(used: t.Mapping[str, int | None], sold: int = 4 * G, **changes: t.Any) -> Values:
    """Return the variables of a host with jails of these names in its neighbourhood n1, and what they take."""
    records = [
        {"name": name, "customer": "alice", "neighbourhood": "n1", "limits": {"disk": sold}} for name in sorted(used)
    ]
    room = {"size": 80 * G, "used": G, "free": 70 * G, "point": "/jails/n1"}
    found = {
        "jails": {name: {"kind": "directory", "used": amount, "trouble": ""} for name, amount in used.items()},
        "rooms": {"/jails/n1": room, "/var/jail-images": {**room, "point": "/"}},
    }
    neighbourhoods = {"n1": {"path": "/jails/n1", "disk": 80 * G}}
    return {"jails": records, "vps_host": {"neighbourhoods": neighbourhoods}, "__disk_found": found, **changes}


@pytest.mark.parametrize(
    ("used", "percent", "state"),
    [
        (0, 0, "within"),
        (1, 1, "within"),
        (3 * G, 75, "within"),
        (int(3.6 * G), 90, "near"),
        (4 * G, 100, "near"),
        (4 * G + 1, 101, "over"),
        (None, None, "unknown"),
    ],
)
def test_a_jail_is_told_with_its_share_of_what_it_was_sold(used: int | None, percent: int | None, state: str) -> None:
    (row,) = disk_report(["h1"], {"h1": host({"shop": used})})["jails"]
    assert row == {
        "host": "h1",
        "name": "shop",
        "customer": "alice",
        "neighbourhood": "n1",
        "kind": "directory",
        "sold": 4 * G,
        "used": used,
        "percent": percent,
        "state": state,
        "trouble": "",
    }


def test_the_soft_limit_may_be_another() -> None:
    variables = {"h1": host({"shop": 3 * G})}
    assert [disk_report(["h1"], variables, soft=soft)["jails"][0]["state"] for soft in (75, 76)] == ["near", "within"]


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 99) | st.none()), st.integers(1, 99))
def test_over_are_those_that_take_more_than_they_were_sold(used: dict[str, int | None], sold: int) -> None:
    found = disk_report(["h1"], {"h1": host(used, sold)}, soft=50)
    assert found["over"] == [
        {"host": "h1", "name": name} for name, amount in sorted(used.items()) if amount is not None and amount > sold
    ]
    assert len(found["jails"]) == len(used)


def test_a_neighbourhood_is_told_with_its_room_and_what_was_sold_of_it() -> None:
    first, second = disk_report(["h1"], {"h1": host({"shop": G, "mail": G})})["rooms"]
    assert first == {
        "host": "h1",
        "name": "n1",
        "path": "/jails/n1",
        "point": "/jails/n1",
        "mounted": True,
        "disk": 80 * G,
        "sold": 8 * G,
        "size": 80 * G,
        "used": G,
        "free": 70 * G,
    }
    assert {key: second[key] for key in ("name", "path", "mounted", "disk", "sold")} == {
        "name": None,
        "path": "/var/jail-images",
        "mounted": True,
        "disk": None,
        "sold": None,
    }


def test_a_neighbourhood_that_is_not_mounted_is_told() -> None:
    variables = host({})
    variables["__disk_found"]["rooms"]["/jails/n1"]["point"] = "/"
    assert [room["mounted"] for room in disk_report(["h1"], {"h1": variables})["rooms"]] == [False, True]


def test_what_a_host_says_can_be_printed() -> None:
    variables = host({"shop": G})
    variables["__disk_found"]["jails"]["shop"]["trouble"] = "a\x1b[2Jb"
    assert disk_report(["h1"], {"h1": variables})["jails"][0]["trouble"] == "a\\x1b[2Jb"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"unreachable": True, "msg": "no\nroute"}, "no route"),
        ({"failed": True, "msg": "`df` \x1b[2J"}, "`df` \\x1b[2J"),
        ({}, "it did not answer"),
    ],
)
def test_a_host_that_could_not_be_asked_hides_no_other(answer: Values, detail: str) -> None:
    found = disk_report(["h2", "h1"], {"h1": host({"shop": G}), "h2": host({}, __disk_found=answer)})
    assert found["unasked"] == [{"host": "h2", "detail": detail}]
    assert [row["name"] for row in found["jails"]] == ["shop"]
