# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import Dataset, parse_properties, wish
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.plan import plan
from support.recordings import printed

GIB = 1 << 30


def wished(*datasets: tuple[str, dict[str, t.Any]], **more: t.Any) -> dict[str, Dataset]:
    of_all = {"create": True, "jail": None, **more}
    return wish({"datasets": [{"name": name, "properties": properties, **of_all} for name, properties in datasets]})


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ([("tank/a", {}), ("tank/a", {})], "datasets[1].name: tank/a stands already at datasets[0]; remove one"),
        *[
            ([(name, {})], f"datasets: {name!r}: name: zfs cannot carry it")
            for name in ("", "/a", "a/", "-r", "a@b", "a b")
        ],
        ([("tank", {"a=b": 1})], "datasets: tank: properties: 'a=b' is no name of a property"),
        ([("tank", {"a,b": 1})], "datasets: tank: properties: 'a,b' is no name of a property"),
        (
            [("tank", {"quota": "much"})],
            "datasets: tank: properties: quota: 'much' is not a size such as 512M or 4G; write one, or none",
        ),
        (
            [("tank", {"quota": "4G", "reservation": "5G"})],
            "datasets: tank: properties: reservation: 5G is more than quota, 4G; give it at most that",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_zfs_could_not_carry_is_refused(datasets: list[tuple[str, dict[str, t.Any]]], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wished(*datasets)
    assert str(caught.value) == message


def test_properties_of_a_real_host() -> None:
    command = "zfs get -Hp -o name,property,value,source quota,used,refquota,mountpoint tank/jails/template"
    text = "".join("\t".join(line.split("\t")[:3]) + "\n" for line in printed("08-storage", command).splitlines())
    assert parse_properties(text) == {
        "tank/jails/template": {
            "quota": "4294967296",
            "used": "24576",
            "refquota": "0",
            "mountpoint": "/usr/local/jails/z/template",
        }
    }


def test_a_line_that_zfs_is_not_known_to_print_is_an_error() -> None:
    with pytest.raises(ParseError, match="'tank quota'"):
        parse_properties("tank quota\n")


def test_properties_are_compared_as_zfs_prints_them() -> None:
    given = {"refquota": "4G", "quota": "none", "atime": False, "exec": True, "compression": "lz4", "recordsize": 4096}
    assert wished(("tank", given))["tank"].properties == {
        "atime": "off",
        "compression": "lz4",
        "exec": "on",
        "quota": "0",
        "recordsize": "4096",
        "refquota": str(4 * GIB),
    }


def test_what_is_missing_is_made_parents_first_and_what_differs_is_set() -> None:
    wish = wished(("tank/b/c", {}), ("tank/b", {"quota": 4096, "mountpoint": "/b"}), ("tank/a", {"quota": 1}))
    made = plan(wish, {"tank/a": {"quota": "0"}})
    assert made.commands == [
        "zfs set quota=1 tank/a",
        "zfs create -p -o mountpoint=/b -o quota=4096 tank/b",
        "zfs create -p tank/b/c",
    ]
    assert made.changes[0].before == {"quota": "0"}
    assert made.changes[1].before is None


def test_what_somebody_else_makes_is_not_made() -> None:
    wish = wished(("tank/jails/alice", {"quota": GIB}), create=False, jail="alice")
    assert plan(wish, {}).empty
    assert plan(wish, {"tank/jails/alice": {"quota": "0"}}).commands == [f"zfs set quota={GIB} tank/jails/alice"]


def in_use(**changes: int) -> dict[str, str]:
    """Return what there is of a dataset with 3G in its files, 5G with its snapshots, and the limits of one of 8G."""
    sizes = {"referenced": 3 * GIB, "used": 5 * GIB, "available": 5 * GIB, "refquota": 8 * GIB, "quota": 12 * GIB}
    return {key: str(value) for key, value in {**sizes, "reservation": 0, "refreservation": 0, **changes}.items()}


REFUSED = [
    (
        {"refquota": 2 * GIB, "quota": 6 * GIB},
        {},
        [f"zfs set quota={6 * GIB} tank/jails/alice"],
        "refquota of tank/jails/alice stays 8G: 3G are referenced, 2G are wished; have files in it deleted, or wish "
        "for at least 3G",
    ),
    (
        {"refquota": 4 * GIB, "quota": 4 * GIB},
        {"used": 5 * GIB + 1},
        [f"zfs set refquota={4 * GIB} tank/jails/alice"],
        "quota of tank/jails/alice stays 12G: 5121M are used, 4G are wished; destroy snapshots of it, have files in it "
        "deleted, or wish for at least 5121M",
    ),
    (
        {"quota": 6 * GIB},
        {"reservation": 7 * GIB},
        [],
        "quota of tank/jails/alice stays 12G: reservation is 7G, 6G are wished; lower reservation too",
    ),
    (
        {"reservation": 9 * GIB},
        {"quota": 8 * GIB},
        [],
        "reservation of tank/jails/alice stays none: quota is 8G, 9G are wished; raise quota too",
    ),
    (
        {"reservation": 8 * GIB},
        {"reservation": GIB},
        [],
        "reservation of tank/jails/alice stays 1G: tank/jails has room for 2G, 3G more are wished; make room there",
    ),
]


@pytest.mark.parametrize(("properties", "changes", "commands", "text"), REFUSED)
def test_what_zfs_would_refuse_is_refused_beforehand(
    properties: dict[str, int], changes: dict[str, int], commands: list[str], text: str
) -> None:
    wish = wished(("tank/jails/alice", properties), jail="alice")
    actual = {"tank/jails": in_use(available=2 * GIB), "tank/jails/alice": in_use(**changes)}
    made = plan(wish, actual)
    assert made.refused == (("alice", text),)
    assert made.commands == commands


def test_room_is_given_away_once() -> None:
    wish = wished(*[(f"tank/jails/{name}", {"reservation": 7 * GIB}) for name in ("alice", "bob", "carol")], jail="j")
    actual = {"tank/jails": in_use(available=3 * GIB)}
    actual |= {f"tank/jails/{name}": in_use() for name in ("alice", "bob")}
    made = plan(wish, actual)
    assert made.commands == [f"zfs set reservation={7 * GIB} tank/jails/alice"]
    assert [text.partition(";")[0] for _jail, text in made.refused] == [
        "reservation of tank/jails/bob stays none: tank/jails has room for 1G, 2G more are wished",
        "reservation of tank/jails/carol stays none: tank/jails has room for 1G, 7G more are wished",
    ]


def test_a_volume_has_no_limits_to_compare_with() -> None:
    wish = wished(("tank/v", {"refquota": 4}), jail="v")
    assert plan(wish, {"tank/v": {"refquota": "-", "referenced": "-"}}).commands == ["zfs set refquota=4 tank/v"]


SIZES = st.sampled_from(["0", "1", "2", "3"])
LIMITS = ("quota", "refquota", "reservation")
PROPERTIES = st.fixed_dictionaries({}, optional={key: SIZES for key in LIMITS} | {"atime": st.booleans()})
THERE = st.fixed_dictionaries({key: SIZES for key in (*LIMITS, "used", "referenced", "available")})
NAMES = st.sampled_from(["tank", "tank/a", "tank/a/b", "tank/c"])


@given(st.dictionaries(NAMES, PROPERTIES), st.dictionaries(NAMES, THERE), st.booleans())
def test_after_a_plan_nothing_is_left_and_nothing_else_is_touched(
    wanted: dict[str, dict[str, t.Any]], actual: dict[str, dict[str, str]], create: bool
) -> None:
    try:
        wish = wished(*wanted.items(), create=create)
    except InvalidDesired:
        assume(False)
    made = plan(wish, actual)
    after = {name: dict(properties) for name, properties in actual.items()}
    for change in made.changes:
        name = change.name.removeprefix("dataset ")
        after.setdefault(name, {"used": "0", "referenced": "0"}).update(change.after)
    # What was set aside is room no longer; what was refused for the lack of it stays refused.
    for there in after.values():
        there["available"] = "0"
    assert plan(wish, after).steps == ()
    assert all(after[name] == {**actual[name], "available": "0"} for name in actual.keys() - wanted.keys())
    assert create or after.keys() == actual.keys()
    assert not any("destroy" in command for command in made.commands)
    for name, properties in ((change.name.removeprefix("dataset "), change.after) for change in made.changes):
        assert all(fits(key, after[name]) for key in properties)


def fits(key: str, there: dict[str, str]) -> bool:
    """Whether zfs keeps a dataset with such a limit."""
    used, referenced, quota, refquota, reservation = (
        int(there.get(measure, 0)) for measure in ("used", "referenced", "quota", "refquota", "reservation")
    )
    if key == "refquota":
        return not 0 < refquota < referenced
    return key not in ("quota", "reservation") or not 0 < quota < max(used if key == "quota" else 0, reservation)
