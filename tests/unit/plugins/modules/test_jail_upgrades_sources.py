# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades to and from releases that are no archive: a source tree, a dataset, packages."""

from __future__ import annotations

import typing as t

import pytest

from model import fuse, source_tree
from support.lab import Lab, Result
from support.upgrades import ARCHIVES, NEW, OLD, Yard

MADE = "/var/jail-releases"
SRC = {"src": "/usr/src"}
PKGBASE = {"pkgbase": {"repository": "/var/repo"}}


def golden(yard: Yard, release: str) -> None:
    """Have a file system that holds a release, and a snapshot of it."""
    lab = yard.lab
    if yard.storage != "dataset":
        lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    lab.run("zfs", "create", "-o", "mountpoint=/golden", "tank/golden")
    lab.run("tar", "-xpf", ARCHIVES[release], "-C", "/golden")
    lab.run("zfs", "snapshot", "tank/golden@p1")


def releases(yard: Yard, **sources: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the releases, one of which is from elsewhere."""
    return {**yard.releases, **{{"old": OLD, "new": NEW}[key]: value for key, value in sources.items()}}


def upgraded(yard: Yard, **more: t.Any) -> Result:
    """Upgrade alice."""
    result = yard.converge(**more)
    assert (yard.version("alice"), yard.running(), yard.answers("alice")) == (NEW, ["alice"], True)
    return result


def refused(yard: Yard, **more: t.Any) -> str:
    result = yard.upgrade(**more)
    assert (result["failed"], result.get("changed", False)) == (True, False)
    assert (yard.version("alice"), yard.running(), yard.lab.files.names(MADE)) == (OLD, ["alice"], [])
    return str(result["msg"])


@pytest.fixture
def yard(lab: Lab) -> Yard:
    return Yard(lab, "directory", "alice", small=True)


@pytest.fixture
def pooled(lab: Lab) -> Yard:
    return Yard(lab, "dataset", "alice", small=True)


@pytest.mark.parametrize("mode", ["archive", "installworld"])
def test_a_jail_is_upgraded_to_a_release_of_sources(yard: Yard, mode: str) -> None:
    source_tree.write(yard.lab.host, NEW)
    result = upgraded(yard, releases=releases(yard, new=SRC), mode=mode)
    made = [command for command in result["commands"] if command.endswith(" installworld")]
    assert len(made) == (1 if mode == "archive" else 2)
    assert len(yard.lab.files.names(MADE)) == 1


def test_a_jail_is_upgraded_from_a_release_of_sources_and_goes_back(yard: Yard) -> None:
    source_tree.write(yard.lab.host, OLD)
    parameters = {"releases": releases(yard, old=SRC)}
    upgraded(yard, **parameters)
    result = yard.upgrade(state="rolled_back", **parameters)
    assert not result.get("failed"), result["msg"]
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice"])


def test_sources_of_another_release_upgrade_nothing(yard: Yard) -> None:
    source_tree.write(yard.lab.host, OLD)
    for mode in ("archive", "installworld"):
        said = refused(yard, releases=releases(yard, new=SRC), mode=mode)
        assert said.startswith(f"alice: {NEW}: /usr/src holds {OLD}, not {NEW}; build that one there"), said


def test_an_installworld_that_is_cut_off_leaves_the_jail_as_it_is(yard: Yard) -> None:
    source_tree.write(yard.lab.host, NEW)
    fuse.light(yard.lab.host, "make", 20)
    result = yard.upgrade(releases=releases(yard, new=SRC))
    assert result["failed"]
    assert [row["result"] for row in result["report"]] == ["to do"]
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice"])
    assert not yard.upgrade(releases=releases(yard, new=SRC)).get("failed")
    assert (yard.version("alice"), len(yard.lab.files.names(MADE))) == (NEW, 1)


def test_a_jail_is_upgraded_to_the_files_of_a_file_system(yard: Yard) -> None:
    golden(yard, NEW)
    upgraded(yard, releases=releases(yard, new={"dataset": "tank/golden"}))


def test_a_jail_is_upgraded_to_a_snapshot_and_nothing_is_left_of_its_clone(pooled: Yard) -> None:
    golden(pooled, NEW)
    upgraded(pooled, releases=releases(pooled, new={"dataset": "tank/golden@p1"}))
    names = pooled.lab.run("zfs", "list", "-H", "-o", "name", "-r", "tank").split()
    assert set(names) >= {"tank/golden", "tank/jails/alice"}
    assert not [name for name in names if name.endswith(".packed")]
    assert len(pooled.lab.files.names(MADE)) == 1


def test_a_clone_that_a_cut_left_is_made_anew(pooled: Yard) -> None:
    golden(pooled, NEW)
    parameters = {"releases": releases(pooled, new={"dataset": "tank/golden@p1"})}
    (pooled.lab.path("/mnt/left")).mkdir()
    pooled.lab.run("zfs", "clone", "-o", "mountpoint=/mnt/left", "tank/golden@p1", f"tank/jails/{NEW}.packed")
    upgraded(pooled, **parameters)
    assert f"tank/jails/{NEW}.packed" not in pooled.lab.run("zfs", "list", "-H", "-o", "name")


def test_a_snapshot_of_another_release_upgrades_nothing(pooled: Yard) -> None:
    golden(pooled, OLD)
    result = pooled.upgrade(releases=releases(pooled, new={"dataset": "tank/golden@p1"}))
    assert f"it holds {OLD}; name the release so" in result["msg"]
    assert (pooled.version("alice"), pooled.running()) == (OLD, ["alice"])


def test_a_dataset_that_is_not_there_upgrades_nothing(yard: Yard) -> None:
    said = refused(yard, releases=releases(yard, new={"dataset": "tank/golden"}))
    assert said == f"alice: {NEW}: there is no tank/golden on this host; make it, or name another dataset"


def test_packages_upgrade_nothing(yard: Yard) -> None:
    assert refused(yard, releases=releases(yard, new=PKGBASE)) == (
        f"releases: {NEW}: pkgbase: packages make new roots and upgrade none; for upgrades give {NEW} as archive and "
        "sha256, or as src"
    )


def test_a_root_of_packages_is_not_upgraded(yard: Yard) -> None:
    assert refused(yard, releases=releases(yard, old=PKGBASE)) == (
        f"alice: its root holds {OLD} as packages, which pkg(8) alone upgrades: "
        "`pkg -j alice upgrade -r FreeBSD-base`, or move its customer to a new jail"
    )


def test_installworld_needs_sources(yard: Yard) -> None:
    said = refused(yard, releases=releases(yard, new={"dataset": "tank/golden"}), mode="installworld")
    assert said == (
        f"releases: {NEW}: src: mode installworld needs the built source tree; give src instead of dataset, or leave "
        "the mode out"
    )
