# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from support.lab import Lab

WISH: dict[str, t.Any] = {
    "datasets": [
        {"name": "tank/jails/alice", "properties": {"quota": 4 * 2**30}},
        {"name": "tank/jails", "properties": {"mountpoint": "/usr/local/jails/h1"}},
        {"name": "tank/releases", "properties": {"mountpoint": "/usr/local/jails/releases"}},
    ]
}


@pytest.fixture
def pool(lab: Lab) -> Lab:
    """Return a host with a pool."""
    lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    return lab


def value(lab: Lab, name: str, key: str) -> str:
    return lab.run("zfs", "get", "-Hp", "-o", "value", key, name).strip()


def test_datasets_are_made_parents_first_and_stay_as_they_are(pool: Lab) -> None:
    result = pool.converge("zfs_datasets", **WISH)
    assert [command.split()[-1] for command in result["commands"]] == [
        "tank/jails",
        "tank/jails/alice",
        "tank/releases",
    ]
    assert value(pool, "tank/jails/alice", "mountpoint") == "/usr/local/jails/h1/alice"
    assert value(pool, "tank/jails/alice", "quota") == str(4 * 2**30)


def test_only_the_property_that_differs_is_set(pool: Lab) -> None:
    pool.converge("zfs_datasets", **WISH)
    pool.run("zfs", "set", "quota=1G", "tank/jails/alice")
    result = pool.converge("zfs_datasets", **WISH)
    assert result["commands"] == [f"zfs set quota={4 * 2**30} tank/jails/alice"]
    assert result["before"] == {"dataset tank/jails/alice": {"quota": str(2**30)}}


def test_a_dataset_that_was_destroyed_is_made_again(pool: Lab) -> None:
    pool.converge("zfs_datasets", **WISH)
    pool.run("zfs", "destroy", "tank/jails/alice")
    assert len(pool.converge("zfs_datasets", **WISH)["commands"]) == 1


def test_what_is_not_given_stays(pool: Lab) -> None:
    pool.run("zfs", "create", "-o", "quota=1G", "tank/mine")
    pool.converge("zfs_datasets", **WISH)
    pool.converge("zfs_datasets", datasets=[])
    assert value(pool, "tank/mine", "quota") == str(2**30)
    assert value(pool, "tank/jails/alice", "quota") == str(4 * 2**30)


def test_an_invalid_property_is_told_and_stops_no_other(pool: Lab) -> None:
    wrong: dict[str, t.Any] = {"datasets": [{"name": "tank/a", "properties": {"quota": "much"}}, {"name": "tank/b"}]}
    result = pool.module("zfs_datasets", **wrong)
    assert [error["name"] for error in result["errors"]] == ["tank/a"]
    assert "bad numeric value 'much'" in result["msg"]
    assert value(pool, "tank/b", "type") == "filesystem"


def test_a_pool_that_is_not_there_is_told(lab: Lab) -> None:
    result = lab.module("zfs_datasets", **WISH)
    assert result["failed"]
    assert not result["changed"]
    assert "no such pool" in result["msg"]


@pytest.mark.parametrize("count", [5, 50])
def test_nothing_to_do_takes_one_process(pool: Lab, count: int) -> None:
    wished: dict[str, t.Any] = {
        "datasets": [{"name": f"tank/j{number}", "properties": {"quota": 2**30}} for number in range(count)]
    }
    pool.module("zfs_datasets", **wished)
    assert pool.processes("zfs_datasets", **wished) == 1


def test_bad_input_fails_before_anything_changes(lab: Lab) -> None:
    for datasets, message in (
        ([{"name": "tank/a@b"}], "datasets: 'tank/a@b': name: zfs cannot carry it"),
        ([{"name": "tank"}, {"name": "tank"}], "datasets[1].name: tank stands already at datasets[0]"),
        ([{"name": "tank", "properties": {"a b": 1}}], "datasets: tank: properties: 'a b' is no name of a property"),
    ):
        result = lab.module("zfs_datasets", datasets=datasets)
        assert result["failed"]
        assert message in result["msg"]
    assert lab.runner.ran == []
