# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades by installworld, from sources that are not what they were, or of which the given archive does not tell."""

from __future__ import annotations

import os

import pytest

from model import source_tree
from support.lab import Lab, snapshot
from support.upgrades import NEW, OLD, Yard

OTHER = "15.1-RELEASE"
MADE = "/var/jail-releases"


@pytest.fixture
def yard(lab: Lab) -> Yard:
    return Yard(lab, "directory", "alice", small=True)


def said(other: str) -> str:
    return f"{NEW}: /usr/src holds {other}, not {NEW}; "


def test_sources_of_another_build_write_nothing(yard: Yard) -> None:
    more = yard.with_sources()
    source_tree.write(yard.lab.host, OTHER)
    before = snapshot(yard.lab.host)
    result = yard.upgrade(**more)
    assert [error["name"] for error in result["errors"]] == ["alice"]
    assert result["errors"][0]["error"].startswith(said(OTHER))
    assert (result["changed"], result["commands"], snapshot(yard.lab.host)) == (False, [], before)


def test_what_was_built_counts_and_not_what_would_be(yard: Yard) -> None:
    more = yard.with_sources()
    source_tree.write(yard.lab.host, OTHER, built=False)
    assert yard.lab.check("jail_upgrades", **yard.parameters(**more))["errors"] == []


def test_sources_that_were_built_elsewhere_say_what_they_are(yard: Yard) -> None:
    more = yard.with_sources()
    yard.lab.run("rm", "-rf", "/usr/obj/usr/src")
    source_tree.write(yard.lab.host, OTHER, built=False)
    assert yard.upgrade(**more)["errors"][0]["error"].startswith(said(OTHER))


def test_sources_that_are_not_there_are_refused(yard: Yard) -> None:
    more = yard.with_sources()
    yard.lab.run("rm", "-rf", "/usr/obj/usr/src", "/usr/src/sys")
    assert yard.upgrade(**more)["errors"][0]["error"].startswith(said("no release"))
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice"])


def test_a_root_is_checked_by_what_the_sources_write_and_not_by_what_the_archive_has(yard: Yard) -> None:
    """The small archive has no /usr/bin/uname, where installworld would follow the link into the folder."""
    more = yard.with_sources()
    planted = yard.lab.path(yard.path("alice")) / "usr/bin/uname"
    planted.parent.mkdir(exist_ok=True)
    yard.lab.path("/var/victim").mkdir()
    planted.symlink_to("/var/victim")
    assert "usr/bin/uname is a link instead of a file" in yard.upgrade(**more)["errors"][0]["error"]
    assert list(yard.lab.path("/var/victim").iterdir()) == []
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice"])
    planted.unlink()
    assert not yard.upgrade(**more).get("failed")
    assert yard.version("alice") == NEW


def test_sources_that_were_built_again_are_not_what_the_made_archive_says(yard: Yard) -> None:
    more = yard.with_sources()
    yard.lab.path(yard.path("alice")).joinpath("usr/share/certs/trusted/mine.pem").symlink_to("/etc/passwd")
    assert yard.upgrade(**more)["failed"]
    (made,) = yard.lab.path(MADE).glob("*.tar.zst")
    yard.lab.path(yard.path("alice")).joinpath("usr/share/certs/trusted/mine.pem").unlink()
    os.utime(made, (0, 0))
    error = yard.upgrade(**more)["errors"][0]["error"]
    assert error == (
        f"{NEW}: /usr/src was built again after {MADE}/{made.name} was made of it; remove that file: it is made anew"
    )
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice"])
    made.unlink()
    assert not yard.upgrade(**more).get("failed")


def test_sources_of_the_release_that_a_jail_leaves_do_not_matter(yard: Yard) -> None:
    more = yard.with_sources()
    more["releases"][OLD]["src"] = "/usr/src"
    assert not yard.upgrade(**more).get("failed")
    assert yard.version("alice") == NEW


def test_sources_do_not_matter_where_the_archive_is_unpacked(yard: Yard) -> None:
    releases = yard.with_sources()["releases"]
    source_tree.write(yard.lab.host, OTHER)
    assert not yard.upgrade(releases=releases).get("failed")
    assert yard.version("alice") == NEW
