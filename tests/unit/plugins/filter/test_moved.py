# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.moved import FilterModule

moved = FilterModule().filters()["moved"]


def fleet(**homes: str) -> dict[str, list[dict[str, str]]]:
    """Return the jails of h1, h2 and h3; each jail's value is its host, and after a slash its state."""
    found: dict[str, list[dict[str, str]]] = {"h1": [], "h2": [], "h3": []}
    for name, home in homes.items():
        host, _slash, state = home.partition("/")
        found[host].append({"name": name, "state": state or "running", "path": f"/jails/{host}/{name}"})
    return found


def answers(h1: str = "", h2: str = "", h3: str = "") -> dict[str, dict[str, t.Any]]:
    """Return what the hosts say: names of roots that are folders."""
    given = {"h1": h1, "h2": h2, "h3": h3}
    return {
        host: {
            "folders": [f"/jails/{host}", f"/more/{host}"],
            "roots": {f"/jails/{host}/{name}": "folder" for name in names.split()},
            "datasets": [],
            "images": {},
        }
        for host, names in given.items()
    }


def only(hosts: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the answers of these hosts; the others could not be asked."""
    return {host: answer if host in hosts.split() else {"unreachable": True} for host, answer in given.items()}


def test_jails_at_home_and_jails_that_are_nowhere_are_fine() -> None:
    found = moved(fleet(alice="h1", bob="h2", new="h2"), answers(h1="alice", h2="bob"))
    assert found == {"ask": [], "refused": {}}


def test_a_moved_jail_is_refused_on_both_hosts_and_on_no_other() -> None:
    found = moved(fleet(alice="h2", bob="h1"), answers(h1="alice bob"))
    assert sorted(found["refused"]) == ["h1", "h2"]
    for lines in found["refused"].values():
        (line,) = lines
        for word in (
            "jail alice: host:",
            "h1 (/jails/h1/alice)",
            "not on h2",
            "Set host back to h1",
            "move.yml -e jail=alice",
        ):
            assert word in line


def test_a_root_on_both_hosts_is_a_left_over() -> None:
    assert moved(fleet(alice="h2"), answers(h1="alice", h2="alice"))["refused"] == {}


def test_an_empty_folder_is_no_root_and_a_dataset_is_one() -> None:
    given = answers(h1="alice")
    given["h2"]["roots"] = {"/jails/h2/alice": "empty"}
    assert sorted(moved(fleet(alice="h2"), given)["refused"]) == ["h1", "h2"]
    given["h2"]["datasets"] = ["alice"]
    assert moved(fleet(alice="h2"), given)["refused"] == {}


@pytest.mark.parametrize("home", ["h1/absent", "h2/absent"])
def test_an_absent_jail_is_not_looked_for(home: str) -> None:
    assert moved(fleet(alice=home), answers(h1="alice")) == {"ask": [], "refused": {}}
    assert moved(fleet(alice=home), answers()) == {"ask": [], "refused": {}}


def test_a_root_without_a_record_is_not_judged() -> None:
    assert moved(fleet(), answers(h1="alice")) == {"ask": [], "refused": {}}


def test_hosts_that_may_hold_a_missing_root_are_asked() -> None:
    found = moved(fleet(alice="h2"), only("h2", answers()))
    assert (found["ask"], list(found["refused"])) == (["h1", "h3"], ["h2"])
    assert "h1, h3 could not be asked" in found["refused"]["h2"][0]
    assert "-e new=alice" in found["refused"]["h2"][0]


def test_only_the_new_host_of_a_root_is_asked() -> None:
    found = moved(fleet(alice="h2"), only("h1", answers(h1="alice")))
    assert (found["ask"], list(found["refused"])) == (["h2"], ["h1"])
    assert "its root is on h1 (/jails/h1/alice), and h2 could not be asked" in found["refused"]["h1"][0]


def test_nobody_is_asked_when_nothing_is_missing() -> None:
    assert moved(fleet(alice="h1", bob="h2"), only("h1", answers(h1="alice")))["ask"] == []


def test_a_new_jail_is_not_looked_for() -> None:
    assert moved(fleet(alice="h2", bob="h2"), only("h2", answers()), new="bob, alice") == {"ask": [], "refused": {}}
    assert moved(fleet(alice="h2"), only("h1", answers(h1="alice")), new="alice") == {"ask": [], "refused": {}}


def test_a_root_that_was_seen_counts_more_than_that_the_jail_is_new() -> None:
    assert sorted(moved(fleet(alice="h2"), answers(h1="alice"), new="alice")["refused"]) == ["h1", "h2"]


def test_all_jails_of_a_host_are_told_at_once() -> None:
    found = moved(fleet(alice="h2", bob="h2", carol="h3"), answers(h1="bob alice carol"))
    assert [line.split(":")[0] for line in found["refused"]["h1"]] == ["jail alice", "jail bob", "jail carol"]


def test_a_new_jail_without_a_record_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"new: no jail of this fleet is named alcie, bobb; give the names"):
        moved(fleet(alice="h1"), answers(), new="bobb,alice,alcie")


# Neighbourhoods -------------------------------------------------------------------------------------------------------


def in_n2(host: str) -> dict[str, list[dict[str, str]]]:
    """Return a fleet whose alice is in another folder of a host than the first."""
    found = fleet(alice=host)
    found[host][0]["path"] = f"/more/{host}/alice"
    return found


def test_a_root_that_stayed_in_another_neighbourhood_stops_its_host_alone() -> None:
    found = moved(in_n2("h1"), only("h1", answers(h1="alice")))
    assert (found["ask"], list(found["refused"])) == ([], ["h1"])
    (line,) = found["refused"]["h1"]
    assert line.startswith("jail alice: neighbourhood: by its record its root is /more/h1/alice, but it is /jails/h1/a")
    assert "Move a jail within its host" in line


def test_a_new_jail_whose_root_is_in_another_neighbourhood_is_none() -> None:
    assert list(moved(in_n2("h1"), answers(h1="alice"), new="alice")["refused"]) == ["h1"]


def test_a_root_in_the_neighbourhood_of_its_record_is_at_home() -> None:
    given = answers(h1="alice")
    given["h1"]["roots"]["/more/h1/alice"] = "folder"
    assert moved(in_n2("h1"), given)["refused"] == {}
    del given["h1"]["roots"]["/jails/h1/alice"]
    assert moved(in_n2("h1"), given)["refused"] == {}


def test_a_jail_that_became_an_image_leaves_its_folder_behind() -> None:
    given = answers()
    given["h1"]["images"] = {"alice": "/images/alice.img"}
    assert moved(fleet(alice="h1"), given)["refused"] == {}
    assert list(moved(in_n2("h1"), given)["refused"]) == ["h1"]


def test_a_root_in_any_neighbourhood_is_found_from_another_host() -> None:
    given = answers()
    given["h1"]["roots"]["/more/h1/alice"] = "folder"
    found = moved(fleet(alice="h2"), given)
    assert sorted(found["refused"]) == ["h1", "h2"]
    assert "its root is on h1 (/more/h1/alice) and not on h2" in found["refused"]["h2"][0]
