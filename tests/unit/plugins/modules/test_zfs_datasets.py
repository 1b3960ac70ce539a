# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_size
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
    first = {"name": "tank/a", "jail": "a", "properties": {"compression": "much"}}
    result = pool.module("zfs_datasets", datasets=[first, {"name": "tank/b", "jail": "b"}])
    assert [error["name"] for error in result["errors"]] == ["a"]
    assert "'compression' must be one of" in result["msg"]
    assert value(pool, "tank/b", "type") == "filesystem"


def test_a_pool_that_is_not_there_is_told(lab: Lab) -> None:
    result = lab.module("zfs_datasets", **WISH)
    assert result["failed"]
    assert not result["changed"]
    assert "no such pool" in result["msg"]


def with_jails(pool: Lab, *names: str) -> None:
    """Make the datasets of jails, each with 4 MiB in it."""
    pool.run("zfs", "create", "-o", "mountpoint=/jails", "tank/jails")
    for name in names:
        pool.run("zfs", "create", f"tank/jails/{name}")
        pool.run("dd", "if=/dev/zero", f"of=/jails/{name}/data", "bs=1m", "count=4")


def of_jail(name: str, **properties: t.Any) -> dict[str, t.Any]:
    return {"name": f"tank/jails/{name}", "jail": name, "create": False, "properties": properties}


def test_a_dataset_that_somebody_else_makes_gets_its_properties_when_it_is_there(pool: Lab) -> None:
    wished: dict[str, t.Any] = {"datasets": [of_jail("alice", refquota="8M"), of_jail("bob", refquota="8M")]}
    assert pool.converge("zfs_datasets", **wished)["commands"] == []
    with_jails(pool, "alice")
    assert pool.converge("zfs_datasets", **wished)["commands"] == [f"zfs set refquota={8 << 20} tank/jails/alice"]


def test_a_limit_below_what_is_in_use_is_told_beforehand_and_stops_nothing_else(pool: Lab) -> None:
    with_jails(pool, "alice", "bob")
    wished: dict[str, t.Any] = {"datasets": [of_jail(name, refquota="8M", quota="12M") for name in ("alice", "bob")]}
    pool.converge("zfs_datasets", **wished)
    smaller: dict[str, t.Any] = {
        "datasets": [of_jail("alice", refquota="2M", quota="6M"), of_jail("bob", refquota="5M", quota="6M")]
    }
    foretold, result = pool.check("zfs_datasets", **smaller), pool.module("zfs_datasets", **smaller)
    text = (
        "refquota of tank/jails/alice stays 8M: 5M are referenced, 2M are wished; have files in it deleted, or wish "
        "for at least 5M"
    )
    assert result["errors"] == [{"name": "alice", "error": text}]
    assert result["commands"] == [
        f"zfs set quota={6 << 20} tank/jails/alice",
        f"zfs set quota={6 << 20} refquota={5 << 20} tank/jails/bob",
    ]
    assert {**foretold, "invocation": 0} == {**result, "invocation": 0}
    again = pool.module("zfs_datasets", **smaller)
    assert (again["commands"], again["changed"], again["errors"]) == ([], False, result["errors"])
    pool.run("rm", "/jails/alice/data")
    assert pool.converge("zfs_datasets", **smaller)["commands"] == [f"zfs set refquota={2 << 20} tank/jails/alice"]


def test_what_is_wrong_with_a_dataset_of_the_host_is_the_hosts(pool: Lab) -> None:
    result = pool.module("zfs_datasets", datasets=[{"name": "tank/a", "properties": {"compression": "much"}}])
    assert [error["name"] for error in result["errors"]] == [""]


SIZES = st.sampled_from(["none", "2M", "6M", "8M", "7G"])
LIMITS = ("quota", "refquota", "reservation")


OF_SOME = st.fixed_dictionaries({}, optional=dict.fromkeys(LIMITS, SIZES))


@given(OF_SOME, OF_SOME)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_refused_beforehand_is_what_zfs_refuses(
    pool: Lab, wished: dict[str, str], before: dict[str, str]
) -> None:
    if pool.host.run(("zfs", "list", "tank/jails/alice")).rc != 0:
        with_jails(pool, "alice")
    pool.run("zfs", "set", *[f"{key}=none" for key in LIMITS], "tank/jails/alice")
    pool.host.run(("zfs", "set", *[f"{key}={size}" for key, size in before.items()], "tank/jails/alice"))
    result = pool.module("zfs_datasets", datasets=[of_jail("alice", **wished)])
    if "errors" not in result:
        # More set aside than the limit of the same wish.
        assert "give it at most that" in result["msg"]
        return
    told = {error["error"].partition(" ")[0] for error in result["errors"]}
    assert told <= wished.keys()
    for key in told:
        assert pool.host.run(("zfs", "set", f"{key}={wished[key]}", "tank/jails/alice")).rc == 255
    assert all(
        parse_size(value(pool, "tank/jails/alice", key)) == parse_size(size.replace("none", "0"))
        for key, size in wished.items()
        if key not in told
    )


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
