# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module jail_worlds destroys what is named for it, all of that, and nothing else."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, Done
from support.lab import Lab, ModelRunner, Result, copy, snapshot

ROOTS = "/usr/local/jails/h1"
ARCHIVE = "/var/jail-archives/alice-2026-11-24T093000Z.tar.zst"
POOL = {
    "dataset": "tank/jails",
    "release_dataset": "tank/releases",
    "release_root": "/usr/local/jails/releases",
}


class Yard:
    """A host with the roots of alice and bob, and the module jail_worlds that is to destroy alice's."""

    def __init__(self, lab: Lab, world: Path, *, pool: bool) -> None:
        self.lab = lab
        self.more: dict[str, t.Any] = dict(POOL) if pool else {}
        if pool:
            lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
            lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
            lab.run("zfs", "create", "-o", f"mountpoint={POOL['release_root']}", "tank/releases")
        for name in ("alice", "bob"):
            if pool:
                lab.run("zfs", "create", f"tank/jails/{name}")
            copy(world / "bin", self.root(name) / "bin")
            copy(world / "etc", self.root(name) / "etc")
        lab.path(ARCHIVE).parent.mkdir(mode=0o700)
        lab.path(ARCHIVE).write_text("all of alice's")
        self.seal(hashlib.sha256(b"all of alice's").hexdigest())

    def seal(self, digest: str) -> None:
        """Write the archive's checksum."""
        self.lab.path(ARCHIVE + ".sha256").write_text(f"{digest}  {ARCHIVE.rpartition('/')[2]}\n")

    def root(self, name: str = "alice") -> Path:
        return self.lab.path(f"{ROOTS}/{name}")

    def names(self) -> list[str]:
        return self.lab.files.names(ROOTS)

    def parameters(self, **doomed: t.Any) -> dict[str, t.Any]:
        named = {"name": "alice", "archive": ARCHIVE, **doomed}
        named = {key: value for key, value in named.items() if value is not None}
        return {"worlds": [], "releases": {}, "destroy": [named], "root": ROOTS, **self.more}

    def converge(self, **doomed: t.Any) -> Result:
        return self.lab.converge("jail_worlds", **self.parameters(**doomed))

    def refused(self, **doomed: t.Any) -> str:
        """Return why alice's root is not destroyed, as foretold, and see that nothing was."""
        self.lab.run("jls")
        before = snapshot(self.lab.host)
        foretold, result = (
            self.lab.module("jail_worlds", check=check, **self.parameters(**doomed)) for check in (True, False)
        )
        assert (result["changed"], result["commands"], snapshot(self.lab.host) == before) == (False, [], True)
        assert foretold["errors"] == result["errors"]
        (error,) = result["errors"]
        assert error["name"] == "alice"
        return t.cast(str, error["error"])


def content(root: Path) -> dict[Path, tuple[int, int, float]]:
    """Return all that is below a root: mode, size, time."""
    return {path: (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime) for path in root.rglob("*")}


@pytest.fixture
def land(lab: Lab, world: Path) -> Yard:
    return Yard(lab, world, pool=False)


@pytest.fixture
def pool(lab: Lab, world: Path) -> Yard:
    return Yard(lab, world, pool=True)


@pytest.fixture(params=["land", "pool"])
def yard(request: pytest.FixtureRequest) -> Yard:
    return t.cast(Yard, request.getfixturevalue(request.param))


# What is destroyed ----------------------------------------------------------------------------------------------------


def test_a_root_is_destroyed_and_no_other(yard: Yard) -> None:
    bob = content(yard.root("bob"))
    result = yard.converge()
    assert yard.names() == ["bob"]
    assert content(yard.root("bob")) == bob
    assert result["before"] == {f"world {ROOTS}/alice": "15.1-RELEASE-p1\n"}
    assert yard.lab.path(ARCHIVE).exists()


def test_nothing_is_destroyed_that_is_not_named(yard: Yard) -> None:
    parameters = yard.parameters() | {"destroy": []}
    result = yard.lab.module("jail_worlds", **parameters)
    assert (result["changed"], yard.names()) == (False, ["alice", "bob"])


def test_what_is_gone_needs_no_archive(yard: Yard) -> None:
    yard.converge()
    yard.lab.path(ARCHIVE).unlink()
    assert yard.converge()["commands"] == []


def test_without_an_archive_it_takes_another_word(yard: Yard) -> None:
    yard.lab.path(ARCHIVE).unlink()
    assert "there is no archive" in yard.refused()
    yard.converge(archive=None, without_archive=True)
    assert yard.names() == ["bob"]


def test_the_snapshots_of_a_dataset_go_with_it(pool: Yard) -> None:
    for name in ("alice@monday", "alice@tuesday", "bob@monday"):
        pool.lab.run("zfs", "snapshot", f"tank/jails/{name}")
    assert pool.converge()["commands"] == ["zfs destroy -r tank/jails/alice"]
    left = pool.lab.run("zfs", "list", "-H", "-o", "name", "-t", "all", "-r", "tank/jails").split()
    assert left == ["tank/jails", "tank/jails/bob", "tank/jails/bob@monday"]


def test_a_dataset_that_is_not_mounted_goes_too(pool: Yard) -> None:
    pool.lab.run("zfs", "unmount", "tank/jails/alice")
    pool.converge()
    assert pool.lab.host.run(("zfs", "list", "tank/jails/alice")).rc == 1


def test_immutable_files_and_folders_go_too(land: Yard) -> None:
    for flags, name in (("schg", "etc/rc"), ("uchg,sunlnk", "etc"), ("sappnd", "bin"), ("schg", "")):
        land.lab.run("chflags", flags, f"{ROOTS}/alice/{name}")
    (land.root() / "bin" / "mine").symlink_to("nowhere")
    land.lab.run("chflags", "-h", "schg", f"{ROOTS}/alice/bin/mine")
    land.converge()
    assert land.names() == ["bob"]


def test_no_link_is_followed(land: Yard) -> None:
    land.lab.path("/root/keep").mkdir()
    land.lab.path("/root/keep/file").write_text("the host's")
    land.lab.run("chflags", "schg", "/root/keep/file")
    for name, target in (("a", "/root/keep"), ("b", "/root/keep/file"), ("c", "../bob"), ("d", "../../../../..")):
        (land.root() / name).symlink_to(target)
    bob = sorted(land.root("bob").rglob("*"))
    land.converge()
    assert land.lab.path("/root/keep/file").read_text() == "the host's"
    assert "schg" in land.lab.run("ls", "-lo", "/root/keep/file")
    assert sorted(land.root("bob").rglob("*")) == bob


def test_names_are_only_names(land: Yard) -> None:
    deep = land.root() / "a\nb" / "-rf" / "$(reboot)" / " "
    deep.mkdir(parents=True)
    os.mkfifo(deep / "*")
    (land.root() / ("x" * 255)).write_text("x")
    land.converge()
    assert land.names() == ["bob"]


def test_a_half_made_root_beside_it_goes_with_it(land: Yard) -> None:
    copy(land.root(), land.lab.path(f"{ROOTS}/.alice.new"))
    land.converge()
    assert land.names() == ["bob"]


def test_a_half_destroyed_root_is_finished(land: Yard) -> None:
    land.lab.run("mv", f"{ROOTS}/alice", f"{ROOTS}/.alice.gone")
    land.lab.run("rm", "-r", f"{ROOTS}/.alice.gone/bin")
    land.converge()
    assert land.names() == ["bob"]


def test_a_root_that_came_back_goes_after_the_half_destroyed_one(land: Yard) -> None:
    copy(land.root(), land.lab.path(f"{ROOTS}/.alice.gone"))
    land.converge()
    assert land.names() == ["bob"]


def test_an_empty_folder_is_a_root_without_a_pool_only(land: Yard) -> None:
    land.lab.run("rm", "-r", f"{ROOTS}/alice")
    land.root().mkdir()
    land.converge()
    assert land.names() == ["bob"]


# What must stay -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{ROOTS}/alice", f"{ROOTS}/alice/etc"])
def test_a_root_in_use_stays(yard: Yard, path: str) -> None:
    yard.lab.run("jail", "-c", "name=other", f"path={path}", "persist")
    assert yard.refused() == f"the jail other runs in {ROOTS}/alice; stop it first"


def test_a_root_with_something_mounted_in_it_stays(yard: Yard) -> None:
    yard.lab.run("mkdir", f"{ROOTS}/alice/host", f"{ROOTS}/alice/with space")
    yard.lab.run("mount", "-t", "nullfs", "/etc", f"{ROOTS}/alice/host")
    yard.lab.run("mount", "-t", "tmpfs", "tmpfs", f"{ROOTS}/alice/with space")
    text = yard.refused()
    assert f"{ROOTS}/alice/host, {ROOTS}/alice/with space: something is mounted there" in text
    assert yard.lab.path("/etc/rc.conf").exists()


def test_a_root_that_is_a_mount_point_itself_stays(land: Yard) -> None:
    land.lab.run("mount", "-t", "nullfs", "/etc", f"{ROOTS}/alice")
    assert f"{ROOTS}/alice: something is mounted there" in land.refused()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_stays(yard: Yard, kind: str) -> None:
    if yard.more:
        yard.lab.run("zfs", "destroy", "tank/jails/alice")
    else:
        yard.lab.run("rm", "-r", f"{ROOTS}/alice")
    yard.root().symlink_to("bob") if kind == "link" else yard.root().write_text("x")
    assert "is not a folder" in yard.refused()


def test_a_folder_where_a_dataset_should_be_stays(pool: Yard) -> None:
    pool.lab.run("zfs", "destroy", "tank/jails/alice")
    (pool.root() / "etc").mkdir(parents=True)
    assert "is a folder that holds something, and no dataset" in pool.refused()


def test_a_dataset_of_another_place_stays(pool: Yard) -> None:
    pool.lab.run("zfs", "set", "mountpoint=none", "tank/jails/alice")
    assert f"the dataset's mountpoint is none, not {ROOTS}/alice" in pool.refused()


def test_a_dataset_with_children_stays(pool: Yard) -> None:
    pool.lab.run("zfs", "create", "tank/jails/alice/data")
    pool.lab.run("zfs", "unmount", "tank/jails/alice/data")
    assert "there are datasets below it: tank/jails/alice/data" in pool.refused()


def test_a_dataset_with_clones_stays(pool: Yard) -> None:
    pool.lab.run("zfs", "snapshot", "tank/jails/alice@monday")
    for name in ("tank/copy", "tank/jails/bob/copy"):
        pool.lab.run("zfs", "clone", "tank/jails/alice@monday", name)
    assert "clones of it depend on it: tank/copy, tank/jails/bob/copy" in pool.refused()


def test_a_dataset_with_held_snapshots_stays(pool: Yard) -> None:
    pool.lab.run("zfs", "snapshot", "tank/jails/alice@monday")
    pool.lab.run("zfs", "hold", "backup", "tank/jails/alice@monday")
    assert "snapshots of it are held: tank/jails/alice@monday" in pool.refused()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda yard: yard.lab.path(ARCHIVE).unlink(), "there is no archive"),
        (lambda yard: yard.lab.path(ARCHIVE).write_text("all of alic"), "it is damaged"),
        (lambda yard: yard.seal("ab" * 32), "it is damaged"),
        (lambda yard: yard.seal("ab"), "is missing or damaged; look at the archive"),
        (lambda yard: yard.lab.path(ARCHIVE + ".sha256").unlink(), "is missing or damaged; look at the archive"),
    ],
)
def test_a_root_without_a_whole_archive_stays(land: Yard, spoil: t.Callable[[Yard], object], reason: str) -> None:
    spoil(land)
    assert reason in land.refused()


def test_one_that_must_stay_does_not_keep_another(land: Yard) -> None:
    land.lab.run("jail", "-c", "name=alice", f"path={ROOTS}/alice", "persist")
    parameters = land.parameters()
    parameters["destroy"].append({"name": "bob", "without_archive": True})
    result = land.lab.module("jail_worlds", **parameters)
    assert [error["name"] for error in result["errors"]] == ["alice"]
    assert land.names() == ["alice"]


# Trouble and bad input ------------------------------------------------------------------------------------------------


def test_a_host_that_may_not_clear_flags_is_told(land: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    land.lab.run("chflags", "schg", f"{ROOTS}/alice/etc/rc")
    run = ModelRunner.run

    def secured(runner: ModelRunner, command: Command) -> Done:
        if command.argv[:2] == ("chflags", "-R"):
            return Done(command, 1, "", "chflags: x: Operation not permitted")
        return run(runner, command)

    with monkeypatch.context() as patch:
        patch.setattr(ModelRunner, "run", secured)
        result = land.lab.module("jail_worlds", **land.parameters())
    assert "chflags: x: Operation not permitted" in result["errors"][0]["error"]
    assert land.names() == [".alice.gone", "bob"]
    land.converge()
    assert land.names() == ["bob"]


WRONG: tuple[tuple[dict[str, t.Any], dict[str, t.Any], str], ...] = (
    ({"archive": None}, {}, "destroy: alice: give either its archive, or without_archive: true"),
    ({"without_archive": True}, {}, "destroy: alice: give either its archive, or without_archive: true"),
    ({"archive": "/var/jail-archives/bob-2026-11-24T093000Z.tar.zst"}, {}, "is no archive of alice"),
    ({"archive": ARCHIVE + ".sha256"}, {}, "is no archive of alice"),
    ({"archive": "alice-2026-11-24T093000Z.tar.zst"}, {}, "destroy: alice: archive: 'alice-2026"),
    ({"name": ".."}, {}, "destroy: '..': name"),
    ({}, {"root": None}, "root: None is not an absolute, plain path"),
    ({}, {"root": "/usr/local/jails/h1/"}, "root: '/usr/local/jails/h1/' is not an absolute, plain path"),
)


def test_bad_input_fails_before_anything_changes(land: Yard) -> None:
    started = len(land.lab.runner.ran)
    for doomed, more, message in WRONG:
        result = land.lab.module("jail_worlds", **{**land.parameters(**doomed), **more})
        assert result["failed"]
        assert message in result["msg"]
    assert (len(land.lab.runner.ran), land.names()) == (started, ["alice", "bob"])


def test_what_shall_be_and_go_at_once_is_refused(land: Yard, sha256: str) -> None:
    releases = {"15.1-RELEASE-p1": {"archive": "/var/base.txz", "sha256": sha256}}
    worlds = [{"name": "alice", "path": f"{ROOTS}/alice", "release": "15.1-RELEASE-p1"}]
    result = land.lab.module("jail_worlds", **{**land.parameters(), "worlds": worlds, "releases": releases})
    assert "destroy: alice is among worlds too" in result["msg"]
