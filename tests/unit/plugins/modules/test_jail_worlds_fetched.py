# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases whose archives a host fetches when it needs them, for fresh roots and for upgrades."""

from __future__ import annotations

import typing as t

import pytest

from model import archive, fuse
from support.lab import Lab, Result
from support.upgrades import NEW, OLD, POOL, ROOTS, Yard

MIRROR, BASE = "/mirror/base.txz", "/var/base.txz"
URL = f"file://{MIRROR}"
FETCH = f"fetch -o {BASE} {URL}"


class Land:
    """A host whose archive lies where it can be fetched from, and the module jail_worlds at work on it."""

    def __init__(self, lab: Lab, *, pool: bool) -> None:
        self.lab = lab
        self.release = {"archive": BASE, "sha256": lab.files.sha256(BASE), "url": URL}
        self.pool = POOL if pool else {}
        move(lab)
        if pool:
            lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
            lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
            lab.run("zfs", "create", "-o", f"mountpoint={POOL['release_root']}", "tank/releases")
        else:
            lab.run("mkdir", "-p", ROOTS)

    def parameters(self, *names: str, **changes: t.Any) -> dict[str, t.Any]:
        worlds = [{"name": name, "path": f"{ROOTS}/{name}", "release": NEW} for name in names]
        return {"worlds": worlds, "releases": {NEW: {**self.release, **changes}}, **self.pool}

    def converge(self, *names: str) -> Result:
        return self.lab.converge("jail_worlds", **self.parameters(*names))

    def module(self, *names: str, **changes: t.Any) -> Result:
        return self.lab.module("jail_worlds", **self.parameters(*names, **changes))

    def roots(self) -> list[str]:
        return self.lab.files.names(ROOTS)


def move(lab: Lab) -> None:
    """Have the archive where it can be fetched from, and nowhere else."""
    lab.run("mkdir", "/mirror")
    lab.run("mv", BASE, MIRROR)


def archives(lab: Lab) -> list[str]:
    """Return what lies where the archive shall be."""
    return [name for name in lab.files.names("/var") if "base.txz" in name]


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


@pytest.fixture(params=["directory", "dataset"])
def land(request: pytest.FixtureRequest, lab: Lab) -> Land:
    return Land(lab, pool=request.param == "dataset")


def test_an_archive_that_is_missing_is_fetched_once(land: Land) -> None:
    assert land.converge("alice", "bob")["commands"].count(FETCH) == 1
    assert land.roots() == ["alice", "bob"]
    assert archives(land.lab) == ["base.txz"]
    assert land.lab.files.sha256(BASE) == land.release["sha256"]
    assert FETCH not in land.converge("carol")["commands"]


def test_no_archive_is_fetched_that_no_root_is_made_from(land: Land) -> None:
    land.converge("alice")
    land.lab.files.remove(BASE)
    assert land.converge("alice")["commands"] == []
    assert land.converge()["commands"] == []


def test_a_release_that_has_its_dataset_needs_no_archive(lab: Lab) -> None:
    land = Land(lab, pool=True)
    land.converge("alice")
    lab.files.remove(BASE)
    assert FETCH not in land.converge("bob")["commands"]


def test_an_archive_that_is_half_fetched_is_never_taken(land: Land) -> None:
    fuse.light(land.lab.host, "fetch", 0)
    said = errors(land.module("alice"))[NEW]
    assert said.startswith(f"`fetch -q -T 60 -o {BASE}.part {URL}` ended with status 137")
    assert f"have this host reach that address, or put the archive at {BASE} by hand" in said
    assert (archives(land.lab), land.roots()) == ([], [])
    assert land.converge("alice")["commands"][0] == FETCH


def test_what_a_cut_left_of_an_archive_is_fetched_anew(land: Land) -> None:
    land.lab.path(f"{BASE}.part").write_bytes(land.lab.path(MIRROR).read_bytes()[:1000])
    land.converge("alice")
    assert archives(land.lab) == ["base.txz"]


def test_another_archive_at_the_address_is_not_taken(land: Land) -> None:
    archive.write_base(land.lab.path(MIRROR), OLD)
    digest = land.lab.files.sha256(MIRROR)
    said = errors(land.module("alice"))[NEW]
    assert said == (
        f"cannot {FETCH}: it has the SHA-256 {digest}, not {land.release['sha256']} as given; "
        "correct sha256, or url, so that they are of one archive"
    )
    assert (archives(land.lab), land.roots()) == ([], [])


def test_another_archive_that_is_there_already_is_left_alone(land: Land) -> None:
    land.lab.path(BASE).write_text("mine")
    assert f"remove it, and it is fetched from {URL} (needed by alice)" in errors(land.module("alice"))[NEW]
    assert land.lab.files.read(BASE) == "mine"


def test_an_address_that_does_not_answer_stops_only_who_needs_it(land: Land) -> None:
    other = "/var/base-15.0.txz"
    archive.write_base(land.lab.path(other), OLD)
    parameters = land.parameters("alice", "bob", url="http://192.0.2.1/base.txz")
    parameters["worlds"][1]["release"] = OLD
    parameters["releases"][OLD] = {"archive": other, "sha256": land.lab.files.sha256(other)}
    result = land.lab.module("jail_worlds", **parameters)
    assert set(errors(result)) == {NEW, "alice"}
    assert "Connection refused; have this host reach that address" in errors(result)[NEW]
    assert (land.roots(), result["unmade"]) == (["bob"], ["alice"])


def test_an_address_that_never_ends_is_given_up(land: Land) -> None:
    land.module("alice")
    (fetch,) = [command for command in land.lab.runner.ran if command.argv[0] == "fetch"]
    assert fetch.argv[:4] == ("fetch", "-q", "-T", "60")
    assert fetch.seconds == 7200


# Upgrades -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def yard(lab: Lab) -> Yard:
    found = Yard(lab, "directory", "alice", small=True)
    found.releases[NEW]["url"] = URL
    move(lab)
    return found


def test_an_upgrade_fetches_the_archive_that_it_needs(yard: Yard) -> None:
    foretold = yard.lab.check("jail_upgrades", **yard.parameters())
    assert (foretold["changed"], foretold["commands"]) == (True, [FETCH])
    result = yard.upgrade()
    assert not result.get("failed"), result["msg"]
    assert result["commands"].count(FETCH) == 1
    assert all(result[key] == foretold[key] for key in ("changed", "before", "after", "diff"))
    assert [row["result"] for row in result["report"]] == ["upgraded"]
    assert (yard.version("alice"), yard.running()) == (NEW, ["alice"])
    again = yard.upgrade()
    assert (again["changed"], again["commands"]) == (False, [])


def test_an_upgrade_that_gets_no_archive_leaves_the_jail_as_it_is(yard: Yard) -> None:
    fuse.light(yard.lab.host, "fetch", 0)
    result = yard.upgrade()
    assert set(errors(result)) == {NEW}
    assert [row["result"] for row in result["report"]] == ["to do"]
    assert (yard.version("alice"), yard.running(), archives(yard.lab)) == (OLD, ["alice"], [])
    assert not yard.upgrade().get("failed")
    assert yard.version("alice") == NEW


def test_a_rollback_fetches_nothing(yard: Yard) -> None:
    assert not yard.upgrade().get("failed")
    yard.lab.files.remove(BASE)
    result = yard.upgrade(state="rolled_back")
    assert not result.get("failed"), result["msg"]
    assert (yard.version("alice"), archives(yard.lab)) == (OLD, [])
