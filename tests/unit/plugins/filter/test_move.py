# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.move import FilterModule

move = FilterModule().filters()["move"]

OLDER, NEWER = "2026-11-24T093000Z", "2026-11-25T093000Z"


class Fleet:
    """Hosts h1, h2 and h3 with what is on each of them, and the records."""

    def __init__(self, **homes: str) -> None:
        """Take the host of each jail's record."""
        self.records: dict[str, list[dict[str, t.Any]]] = {"h1": [], "h2": [], "h3": []}
        for name, home in homes.items():
            path = f"/jails/{home}/{name}"
            self.records[home].append({"name": name, "state": "running", "id": 17, "image": None, "path": path})
        self.answers: dict[str, dict[str, t.Any]] = {
            host: {"folders": [f"/jails/{host}"], "roots": {}, "datasets": [], "images": {}, "jails": {}}
            for host in self.records
        }
        self.archives: dict[str, list[str]] = {host: [] for host in self.records}

    def root(self, name: str, *hosts: str) -> Fleet:
        """Put a jail's root on hosts."""
        for host in hosts:
            self.answers[host]["roots"][f"/jails/{host}/{name}"] = "folder"
        return self

    def archive(self, host: str, moment: str) -> None:
        """Put an archive of alice on a host, each host having a folder of its own for them."""
        self.archives[host].append(f"/{'z' if host == 'h1' else 'a'}/alice-{moment}.tar.zst")

    def move(self, name: str = "alice") -> dict[str, t.Any]:
        way: dict[str, t.Any] = move(self.records, self.answers, name, self.archives)
        return way


def test_a_root_goes_to_the_host_of_its_record() -> None:
    fleet = Fleet(alice="h2", bob="h1").root("alice", "h1").root("bob", "h1")
    fleet.answers["h1"]["jails"] = {"alice": {}}
    assert fleet.move() == {
        "wrong": "",
        "old": "h1",
        "new": "h2",
        "old_path": "/jails/h1/alice",
        "new_path": "/jails/h2/alice",
        "old_image": None,
        "new_image": None,
        "runs": True,
        "arrived": False,
        "archive": "",
    }


def test_an_image_is_found_where_it_is_and_made_where_the_record_wants_it() -> None:
    fleet = Fleet(alice="h2")
    fleet.answers["h1"]["images"] = {"alice": "/images/alice.img"}
    fleet.records["h2"][0]["image"] = "/var/jail-images/alice.img"
    way = fleet.move()
    assert (way["old"], way["old_image"]) == ("h1", {"file": "/images/alice.img", "unit": 17})
    assert way["new_image"] == {"file": "/var/jail-images/alice.img", "unit": 17}


def test_a_dataset_is_a_root_mounted_or_not() -> None:
    fleet = Fleet(alice="h2")
    fleet.answers["h1"]["datasets"] = ["alice"]
    assert (fleet.move()["old"], fleet.move()["arrived"]) == ("h1", False)
    fleet.archive("h1", OLDER)
    fleet.answers["h2"]["datasets"] = ["alice"]
    assert fleet.move()["arrived"]


def test_a_root_that_was_moved_has_its_archive_on_the_old_host() -> None:
    fleet = Fleet(alice="h2").root("alice", "h1", "h2")
    for moment in (NEWER, OLDER):
        fleet.archive("h1", moment)
    way = fleet.move()
    assert (way["arrived"], way["archive"]) == (True, f"/z/alice-{NEWER}.tar.zst")


def test_an_archive_from_an_earlier_way_back_does_not_disturb() -> None:
    fleet = Fleet(alice="h2").root("alice", "h1", "h2")
    fleet.archive("h1", NEWER)
    fleet.archive("h2", OLDER)
    assert fleet.move()["arrived"]


@pytest.mark.parametrize(
    "archives",
    [(), (("h2", OLDER),), (("h1", OLDER), ("h2", NEWER))],
    ids=["none", "on the new host", "newer on the new host"],
)
def test_two_roots_that_no_move_explains_are_refused(archives: tuple[tuple[str, str], ...]) -> None:
    fleet = Fleet(alice="h2").root("alice", "h1", "h2")
    for host, moment in archives:
        fleet.archive(host, moment)
    assert fleet.move()["wrong"].startswith(
        "jail alice: it has a root on h1 and on h2, and none of them is what a move"
    )


def test_what_runs_was_not_left_behind() -> None:
    fleet = Fleet(alice="h2").root("alice", "h1", "h2")
    fleet.archive("h1", NEWER)
    fleet.answers["h1"]["jails"] = {"alice": {}}
    assert "it has a root on h1 and on h2" in fleet.move()["wrong"]


@pytest.mark.parametrize(
    ("fleet", "name", "message"),
    [
        (Fleet(), "alcie", "jail alcie: no record of this fleet has that name"),
        (Fleet(alice="h2"), "alice", "jail alice: host: nothing to move to h2: no host has a root of it"),
        (
            Fleet(alice="h2").root("alice", "h2"),
            "alice",
            "jail alice: host: nothing to move to h2: its root is on h2 already",
        ),
        (
            Fleet(alice="h2").root("alice", "h1", "h3"),
            "alice",
            "jail alice: host: there are several roots of it: /jails/h1/alice on h1, /jails/h3/alice on h3; leave one",
        ),
    ],
)
def test_what_cannot_be_moved_is_told(fleet: Fleet, name: str, message: str) -> None:
    assert fleet.move(name)["wrong"].startswith(message)


def test_an_absent_jail_is_not_moved() -> None:
    fleet = Fleet(alice="h2").root("alice", "h1")
    fleet.records["h2"][0]["state"] = "absent"
    assert fleet.move()["wrong"].startswith("jail alice: state: its record (host h2) says absent")


@pytest.mark.parametrize("answer", [{}, {"unreachable": True}, {"failed": True, "msg": "no"}])
def test_every_host_must_answer(answer: dict[str, t.Any]) -> None:
    fleet = Fleet(alice="h2").root("alice", "h1")
    fleet.answers["h3"] = answer
    assert fleet.move()["wrong"].startswith("jail alice: h3 could not be asked what is there")


def test_one_jail_is_moved_after_the_other() -> None:
    fleet = Fleet(alice="h2", bob="h1").root("alice", "h1").root("bob", "h2")
    assert "jail bob: host: its record says h1" in fleet.move()["wrong"]
    assert fleet.root("bob", "h1").move()["wrong"] == ""


def test_what_was_changed_between_other_hosts_is_no_affair_of_this() -> None:
    fleet = Fleet(alice="h2", bob="h3", carol="h3").root("alice", "h1")
    assert fleet.move()["wrong"] == ""


def test_a_root_goes_from_one_neighbourhood_to_another() -> None:
    fleet = Fleet(alice="h2")
    fleet.records["h2"][0]["path"] = "/more/h2/alice"
    fleet.answers["h1"]["roots"]["/more/h1/alice"] = "folder"
    way = fleet.move()
    assert (way["wrong"], way["old_path"], way["new_path"]) == ("", "/more/h1/alice", "/more/h2/alice")


def test_within_a_host_a_root_is_moved_by_hand() -> None:
    fleet = Fleet(alice="h2").root("alice", "h2")
    fleet.records["h2"][0]["path"] = "/more/h2/alice"
    wrong = "jail alice: neighbourhood: by its record its root is /more/h2/alice, but it is /jails/h2/alice. "
    assert fleet.move()["wrong"].startswith(wrong)


def test_two_roots_on_the_old_host_are_refused() -> None:
    fleet = Fleet(alice="h2").root("alice", "h1")
    fleet.answers["h1"]["roots"]["/more/h1/alice"] = "folder"
    assert "several roots of it: /jails/h1/alice on h1, /more/h1/alice on h1" in fleet.move()["wrong"]
