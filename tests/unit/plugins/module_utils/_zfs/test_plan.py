# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import Dataset, parse_properties, wish
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.plan import plan
from support.recordings import printed


def wished(*datasets: tuple[str, dict[str, t.Any]]) -> dict[str, Dataset]:
    return wish({"datasets": [{"name": name, "properties": properties} for name, properties in datasets]})


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


def test_what_is_missing_is_made_parents_first_and_what_differs_is_set() -> None:
    wish = wished(("tank/b/c", {}), ("tank/b", {"quota": 4096, "mountpoint": "/b"}), ("tank/a", {"quota": 1}))
    made = plan(wish, {"tank/a": {"type": "filesystem", "quota": "0"}})
    assert made.commands == [
        "zfs set quota=1 tank/a",
        "zfs create -p -o mountpoint=/b -o quota=4096 tank/b",
        "zfs create -p tank/b/c",
    ]
    assert made.changes[0].before == {"quota": "0"}
    assert made.changes[1].before is None


PROPERTIES = st.dictionaries(
    st.sampled_from(["quota", "mountpoint", "atime"]), st.sampled_from(["0", "1", "/x"]), max_size=3
)
NAMES = st.sampled_from(["tank", "tank/a", "tank/a/b", "tank/c"])


@given(st.dictionaries(NAMES, PROPERTIES), st.dictionaries(NAMES, PROPERTIES))
def test_after_a_plan_nothing_is_left_and_nothing_else_is_touched(
    wanted: dict[str, dict[str, str]], actual: dict[str, dict[str, str]]
) -> None:
    wish = wished(*wanted.items())
    made = plan(wish, actual)
    after = {name: dict(properties) for name, properties in actual.items()}
    for change in made.changes:
        after.setdefault(change.name.removeprefix("dataset "), {}).update(change.after)
    assert plan(wish, after).steps == ()
    assert all(after[name] == actual[name] for name in actual.keys() - wanted.keys())
    assert not any("destroy" in command for command in made.commands)
