# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh roots of releases that are no archive: a source tree, a dataset, packages."""

from __future__ import annotations

import typing as t

import pytest

from model import archive, fuse, packages, source_tree
from support.lab import Lab, Result
from support.upgrades import NEW, OLD, POOL, ROOTS, contents, shrink

MADE = "/var/jail-releases"
SRC = {"src": "/usr/src"}
FILES = "tank/golden"
PKGBASE = {"pkgbase": {"repository": "/var/repo"}}
SEED = {"path": "etc/rc.conf", "content": 'sshd_enable="YES"\n'}


class Land:
    """A host with or without a pool, and the module jail_worlds at work on it."""

    def __init__(self, lab: Lab, *, pool: bool) -> None:
        self.lab = lab
        self.pool = POOL if pool else {}
        if pool:
            lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
            lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
            lab.run("zfs", "create", "-o", f"mountpoint={POOL['release_root']}", "tank/releases")
        else:
            lab.run("mkdir", "-p", ROOTS)

    def parameters(self, release: dict[str, t.Any], *names: str, name: str = NEW) -> dict[str, t.Any]:
        worlds = [{"name": each, "path": f"{ROOTS}/{each}", "release": name} for each in names]
        return {"worlds": worlds, "releases": {name: release}, "files": [SEED], **self.pool}

    def converge(self, release: dict[str, t.Any], *names: str) -> list[str]:
        return t.cast("list[str]", self.lab.converge("jail_worlds", **self.parameters(release, *names))["commands"])

    def module(self, release: dict[str, t.Any], *names: str, **more: t.Any) -> Result:
        return self.lab.module("jail_worlds", **self.parameters(release, *names, **more))

    def refused(self, release: dict[str, t.Any], **more: t.Any) -> str:
        """Return why a release is refused: in check mode too, and before anything is changed."""
        foretold = self.lab.check("jail_worlds", **self.parameters(release, "alice", **more))
        result = self.module(release, "alice", **more)
        assert result["failed"]
        assert (result["changed"], result["errors"], self.roots()) == (False, foretold["errors"], [])
        return str(result["errors"][0]["error"])

    def roots(self) -> list[str]:
        return [name for name in self.lab.files.names(ROOTS) if not name.startswith(".")]

    def made(self) -> list[str]:
        return self.lab.files.names(MADE)

    def like_the_archive(self, name: str) -> bool:
        """Whether a root is as one that was made from FreeBSD's archive."""
        given = {"archive": "/var/base.txz", "sha256": self.lab.files.sha256("/var/base.txz")}
        twin = {"name": "twin", "path": "/var/twin", "release": NEW}
        result = self.lab.module("jail_worlds", worlds=[twin], releases={NEW: given}, files=[SEED])
        assert not result.get("failed"), result["msg"]
        found = [contents(self.lab, root) for root in (f"{ROOTS}/{name}", "/var/twin")]
        for each in found:
            # Of packages pkg(8) keeps a list.
            each.pop("var/db/pkg/local.sqlite", None)
        return found[0] == found[1]


@pytest.fixture(params=["directory", "dataset"])
def land(request: pytest.FixtureRequest, lab: Lab) -> Land:
    return Land(lab, pool=request.param == "dataset")


@pytest.fixture
def folders(lab: Lab) -> Land:
    return Land(lab, pool=False)


@pytest.fixture
def pooled(lab: Lab) -> Land:
    return Land(lab, pool=True)


# A source tree --------------------------------------------------------------------------------------------------------


def test_a_release_of_sources_is_made_once_and_serves_all_roots(land: Land) -> None:
    source_tree.write(land.lab.host, NEW)
    commands = land.converge(SRC, "alice", "bob")
    assert [command.rsplit(" ", 1)[1] for command in commands if command.startswith("make -C")] == [
        "installworld",
        "distribution",
    ]
    assert land.roots() == ["alice", "bob"]
    (name,) = land.made()
    assert name.startswith(f"{NEW}-")
    assert land.lab.path(MADE).stat().st_mode & 0o777 == 0o700
    assert land.like_the_archive("alice")
    assert not any(command.startswith("make -C") for command in land.converge(SRC, "alice", "bob", "carol"))


def test_what_a_converged_host_has_made_costs_no_process(land: Land) -> None:
    source_tree.write(land.lab.host, NEW)
    land.converge(SRC, "alice")
    assert land.lab.processes("jail_worlds", **land.parameters(SRC, "alice")) == (1 if land.pool else 0)


@pytest.mark.parametrize(("release", "built"), [(OLD, True), (NEW.removesuffix("-p1"), True), (OLD, False)])
def test_sources_of_another_release_are_refused(folders: Land, release: str, built: bool) -> None:
    source_tree.write(folders.lab.host, release, built=built)
    said = folders.refused(SRC)
    assert said == (
        f"/usr/src holds {release}, not {NEW}; build that one there, or name the release so (needed by alice)"
    )
    assert not folders.lab.files.names(MADE)


def test_sources_that_are_not_there_are_refused(folders: Land) -> None:
    assert folders.refused(SRC).startswith(f"/usr/src holds no release, not {NEW}")


def test_sources_that_were_never_built_make_nothing(land: Land) -> None:
    source_tree.write(land.lab.host, NEW, built=False)
    result = land.module(SRC, "alice")
    assert "A build is required first" in result["msg"]
    assert (land.roots(), [name for name in land.made() if not name.startswith(".")]) == ([], [])
    source_tree.write(land.lab.host, NEW)
    land.converge(SRC, "alice")
    assert (len(land.made()), land.like_the_archive("alice")) == (1, True)


@pytest.mark.parametrize(("program", "files"), [("make", 5), ("make", 60)])
def test_an_installworld_that_is_cut_off_is_begun_again(folders: Land, program: str, files: int) -> None:
    source_tree.write(folders.lab.host, NEW)
    fuse.light(folders.lab.host, program, files)
    assert folders.module(SRC, "alice")["failed"]
    assert (folders.roots(), [name for name in folders.made() if not name.startswith(".")]) == ([], [])
    # What a half made root holds besides must not become part of the release.
    (left,) = folders.made()
    folders.lab.path(f"{MADE}/{left}/etc/left").write_text("over")
    folders.converge(SRC, "alice")
    assert (len(folders.made()), folders.like_the_archive("alice")) == (1, True)


def test_another_source_tree_makes_another_archive(folders: Land) -> None:
    for folder in ("/usr/src", "/usr/stable"):
        source_tree.write(folders.lab.host, NEW, folder=folder)
    folders.converge(SRC, "alice")
    folders.converge({"src": "/usr/stable"}, "alice", "bob")
    assert len(folders.made()) == 2


# A dataset ------------------------------------------------------------------------------------------------------------


def golden(lab: Lab, release: str = NEW, *, name: str = FILES) -> None:
    """Have a file system that holds a release, as its administrator made it, and a snapshot of it."""
    archive.write_base(lab.path("/var/golden.txz"), release)
    shrink(lab.path("/var/golden.txz"))
    lab.run("zfs", "create", "-o", "mountpoint=/golden", name)
    lab.run("tar", "-xpf", "/var/golden.txz", "-C", "/golden")
    lab.run("zfs", "snapshot", f"{name}@p1")


def state(lab: Lab) -> str:
    """Return all that zfs(8) tells of what its administrator made, but for the clones of it."""
    said = lab.run("zfs", "get", "-rHp", "-t", "all", "-o", "name,property,value", "all", FILES)
    return "\n".join(line for line in said.splitlines() if line.split("\t")[1] not in ("clones", "available"))


def test_roots_are_clones_of_a_snapshot_which_stays_as_it_is(pooled: Land) -> None:
    lab = pooled.lab
    golden(lab)
    before = state(lab)
    commands = pooled.converge({"dataset": f"{FILES}@p1"}, "alice", "bob")
    assert not any(command.startswith(("tar ", "zfs create")) for command in commands)
    assert state(lab) == before
    origin = lab.run("zfs", "get", "-Hp", "-o", "value", "origin", "tank/jails/alice").strip()
    release, _at, _name = origin.partition("@")
    assert release.startswith(f"tank/releases/{NEW}.")
    assert lab.run("zfs", "get", "-Hp", "-o", "value", "origin", release) == f"{FILES}@p1\n"
    assert (lab.files.read(f"{ROOTS}/alice/etc/rc.conf"), pooled.made()) == (SEED["content"], [])
    assert (lab.files.read(f"{ROOTS}/alice/etc/master.passwd") or "").startswith(("# ", "root:*:"))
    assert pooled.converge({"dataset": f"{FILES}@p1"}, "alice", "bob", "carol")[-1].endswith("tank/jails/carol")


def test_other_files_for_fresh_roots_make_another_clone(pooled: Land) -> None:
    golden(pooled.lab)
    release = {"dataset": f"{FILES}@p1"}
    pooled.converge(release, "alice")
    parameters = pooled.parameters(release, "alice", "bob") | {"files": [{"path": "etc/x", "content": "y"}]}
    pooled.lab.converge("jail_worlds", **parameters)
    assert pooled.lab.files.read(f"{ROOTS}/bob/etc/x") == "y"
    assert pooled.lab.files.read(f"{ROOTS}/bob/etc/rc.conf") is None


def test_a_snapshot_of_another_release_is_not_used(pooled: Land) -> None:
    golden(pooled.lab, OLD)
    result = pooled.module({"dataset": f"{FILES}@p1"}, "alice")
    assert f"holds {NEW}: it holds {OLD}; name the release so, or say where {NEW} is from" in result["msg"]
    assert pooled.roots() == []
    assert pooled.module({"dataset": f"{FILES}@p1"}, "alice")["failed"]
    assert pooled.roots() == []


@pytest.mark.parametrize("name", [FILES, f"{FILES}@p2", "other/golden"])
def test_a_dataset_that_is_not_there_is_refused(pooled: Land, name: str) -> None:
    if "@" in name:
        golden(pooled.lab)
    said = pooled.refused({"dataset": name})
    assert said == f"there is no {name} on this host; make it, or name another dataset (needed by alice)"


def test_a_host_without_a_pool_has_no_dataset(folders: Land) -> None:
    # The first zfs(8) loads the kernel's module.
    folders.lab.host.run(["zfs", "list"])
    assert folders.refused({"dataset": FILES}).startswith(f"there is no {FILES} on this host")


def test_the_files_of_a_file_system_are_copied(land: Land) -> None:
    lab = land.lab
    if not land.pool:
        lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    golden(lab)
    before = state(lab)
    land.converge({"dataset": FILES}, "alice", "bob")
    assert (land.roots(), len(land.made()), state(lab)) == (["alice", "bob"], 1, before)
    assert lab.files.read(f"{ROOTS}/bob/bin/freebsd-version") == lab.files.read("/golden/bin/freebsd-version")
    # It was copied: what happens to it later is no part of the release.
    lab.path("/golden/etc/later").write_text("x")
    land.converge({"dataset": FILES}, "alice", "bob", "carol")
    assert not lab.path(f"{ROOTS}/carol/etc/later").exists()


def test_a_file_system_of_another_release_is_refused(pooled: Land) -> None:
    golden(pooled.lab, OLD)
    said = pooled.refused({"dataset": FILES})
    assert said == f"{FILES} holds {OLD}, not {NEW}; name one that does, or name the release so (needed by alice)"


@pytest.mark.parametrize("where", ["unmounted", "legacy"])
def test_a_file_system_that_is_not_mounted_is_refused(pooled: Land, where: str) -> None:
    golden(pooled.lab)
    pooled.lab.run(*(("zfs", "set", "mountpoint=legacy") if where == "legacy" else ("zfs", "unmount")), FILES)
    assert pooled.refused({"dataset": FILES}).startswith(f"{FILES} is not mounted by zfs(8) at a folder of its own")


# Packages -------------------------------------------------------------------------------------------------------------


def shop(lab: Lab, release: str = NEW, **more: t.Any) -> None:
    packages.install_pkg(lab.host)
    packages.write_repository(lab.host, "/var/repo", release, **more)


def test_a_release_of_packages_is_made_once_and_serves_all_roots(land: Land) -> None:
    shop(land.lab)
    land.lab.path("/var/db/pkg").mkdir(parents=True, exist_ok=True)
    host_database = land.lab.path("/var/db/pkg/local.sqlite")
    host_database.write_text("{}")
    commands = land.converge(PKGBASE, "alice", "bob")
    (install,) = [command for command in commands if command.startswith("pkg ")]
    assert "-o ABI=FreeBSD:15:amd64 -o OSVERSION=1501000 install -y -r FreeBSD-base FreeBSD-set-base-jail" in install
    assert (land.roots(), len(land.made())) == (["alice", "bob"], 1)
    assert land.like_the_archive("alice")
    assert land.lab.run("pkg", "-r", f"{ROOTS}/bob", "which", "-q", "/usr/bin/uname").startswith("FreeBSD-utilities")
    assert host_database.read_text() == "{}"
    assert not any(command.startswith("pkg ") for command in land.converge(PKGBASE, "alice", "bob", "carol"))


def test_which_packages_can_be_chosen(folders: Land) -> None:
    shop(folders.lab)
    folders.converge({"pkgbase": {**PKGBASE["pkgbase"], "packages": ["FreeBSD-set-minimal-jail"]}}, "alice")
    assert not folders.lab.path(f"{ROOTS}/alice/etc/ssh/sshd_config").exists()


def test_a_repository_is_taken_from_nobody_who_is_not_trusted(folders: Land) -> None:
    shop(folders.lab, signer="somebody")
    assert "No trusted public keys found" in folders.module(PKGBASE, "alice")["msg"]
    assert folders.roots() == []
    packages.trust(folders.lab.host, "somebody", "/etc/keys")
    folders.converge({"pkgbase": {**PKGBASE["pkgbase"], "fingerprints": "/etc/keys"}}, "alice")
    assert folders.like_the_archive("alice")


def test_packages_of_another_release_are_not_used(folders: Land) -> None:
    shop(folders.lab, NEW.removesuffix("-p1"))
    result = folders.module(PKGBASE, "alice")
    assert f"it holds {NEW.removesuffix('-p1')}; name the release so, or say where {NEW} is from" in result["msg"]
    assert (folders.roots(), [name for name in folders.made() if not name.startswith(".")]) == ([], [])


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (packages.PROGRAM, "pkg is not installed on this host; run `pkg bootstrap -y` there"),
        (
            packages.KEYS,
            f"there are no fingerprints in {packages.KEYS}/trusted on this host; put those of whoever signs",
        ),
        ("/var/repo", "there is no repository /var/repo on this host; put it there, or give another"),
    ],
)
def test_what_pkg_lacks_is_told_before_anything_is_changed(folders: Land, missing: str, why: str) -> None:
    shop(folders.lab)
    folders.lab.run("rm", "-rf", missing)
    assert folders.refused(PKGBASE).startswith(why)


def test_a_repository_that_does_not_answer_makes_nothing(folders: Land) -> None:
    shop(folders.lab)
    result = folders.module({"pkgbase": {"repository": "https://192.0.2.1/base"}}, "alice")
    assert "No address record" in result["msg"]
    assert folders.roots() == []
    folders.converge(PKGBASE, "alice")
    assert folders.like_the_archive("alice")
