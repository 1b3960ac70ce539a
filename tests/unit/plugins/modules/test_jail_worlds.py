# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from model import archive
from support.lab import Lab, Result

RELEASE, OTHER = "15.1-RELEASE-p1", "14.3-RELEASE"
BASE = "/var/base.txz"
ROOTS = "/usr/local/jails/h1"
RELEASES = "/usr/local/jails/releases"
POOL = {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": RELEASES}
RC_CONF = {"path": "etc/rc.conf", "content": 'sshd_enable="YES"\n', "mode": "0640"}


class Land:
    """A host with a place for roots, and the module jail_worlds at work on it."""

    def __init__(self, lab: Lab, sha256: str, *, pool: bool) -> None:
        self.lab = lab
        self.more: dict[str, t.Any] = {"files": [RC_CONF]}
        self.releases = {RELEASE: {"archive": BASE, "sha256": sha256}}
        if pool:
            self.more |= POOL
            lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
            lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
            lab.run("zfs", "create", "-o", f"mountpoint={RELEASES}", "tank/releases")
        else:
            lab.run("mkdir", "-p", ROOTS)

    def parameters(self, *names: str, release: str = RELEASE) -> dict[str, t.Any]:
        worlds = [{"name": name, "path": f"{ROOTS}/{name}", "release": release} for name in names]
        return {"worlds": worlds, "releases": self.releases, **self.more}

    def converge(self, *names: str) -> Result:
        return self.lab.converge("jail_worlds", **self.parameters(*names))

    def module(self, *names: str, **more: t.Any) -> Result:
        return self.lab.module("jail_worlds", **{**self.parameters(*names), **more})

    def root(self, name: str) -> Path:
        return self.lab.path(f"{ROOTS}/{name}")

    def is_whole(self, name: str) -> bool:
        """Whether a root is what a root shall be when it is fresh."""
        root = self.root(name)
        seed = root / "etc/rc.conf"
        password = next(
            line.split(":")[1]
            for line in (root / "etc/master.passwd").read_text().splitlines()
            if line.startswith("root:")
        )
        return (
            password == "*"
            and (root / "bin/freebsd-version").stat().st_mode & 0o777 == 0o555
            and (seed.read_text(), seed.stat().st_mode & 0o777) == (RC_CONF["content"], 0o640)
            and root.stat().st_mode & 0o777 == 0o755
        )

    def names(self) -> list[str]:
        """Return all that lies where the roots are, hidden things too."""
        return self.lab.files.names(ROOTS)

    def write(self, name: str, file: str, text: str = "mine") -> Path:
        path = self.root(name) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def land(lab: Lab, sha256: str) -> Land:
    return Land(lab, sha256, pool=False)


@pytest.fixture
def pool(lab: Lab, sha256: str) -> Land:
    return Land(lab, sha256, pool=True)


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


def test_fresh_roots_are_filled_whole(land: Land) -> None:
    land.root("bob").mkdir()
    result = land.converge("alice", "bob")
    assert land.is_whole("alice")
    assert land.is_whole("bob")
    assert land.names() == ["alice", "bob"]
    assert result["after"] == {f"world {ROOTS}/{name}": f"{RELEASE}\n" for name in ("alice", "bob")}


def test_fresh_datasets_are_clones_of_one_release(pool: Land) -> None:
    commands = pool.converge("alice", "bob")["commands"]
    assert pool.is_whole("alice")
    assert pool.is_whole("bob")
    assert [command.split()[:2] for command in commands].count(["tar", "-xpf"]) == 1
    assert pool.converge("alice", "bob", "carol")["commands"] == [
        command.replace("bob", "carol") for command in commands[-2:]
    ]
    assert pool.is_whole("carol")


def limits(pool: Land, name: str) -> list[str]:
    return pool.lab.run("zfs", "get", "-Hp", "-o", "value", "refquota,quota,reservation", f"tank/jails/{name}").split()


def limited(pool: Land, **properties: t.Any) -> dict[str, t.Any]:
    return {"worlds": [{"name": "alice", "path": f"{ROOTS}/alice", "release": RELEASE, "properties": properties}]}


def test_a_fresh_dataset_is_never_without_its_limits(pool: Land) -> None:
    wished = limited(pool, refquota="1G", quota=3 * 2**29, reservation="16M")
    result = pool.lab.converge("jail_worlds", **{**pool.parameters(), **wished})
    assert f"zfs clone -o quota={3 * 2**29} -o refquota={2**30} -o reservation={16 * 2**20}" in result["commands"][-1]
    assert limits(pool, "alice") == [str(2**30), str(3 * 2**29), str(16 * 2**20)]
    assert pool.module(**limited(pool, refquota="2G"))["commands"] == []


def test_a_fresh_dataset_that_does_not_fit_its_limits_is_told_and_stops_no_other(pool: Land) -> None:
    wished = limited(pool, refquota="1K")
    wished["worlds"] += pool.parameters("bob")["worlds"]
    result = pool.module(**wished)
    assert list(errors(result)) == ["alice"]
    assert "out of space; its refquota is less than the release takes" in errors(result)["alice"]
    assert result["unmade"] == ["alice"]
    assert pool.names() == ["bob"]


@pytest.mark.parametrize("place", ["land", "pool"])
def test_what_a_customer_did_to_his_root_stays(request: pytest.FixtureRequest, place: str) -> None:
    land: Land = request.getfixturevalue(place)
    land.converge("alice")
    mine = land.write("alice", "etc/rc.conf")
    land.write("alice", "root/data")
    assert land.converge("alice")["commands"] == []
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("count", [5, 50])
def test_roots_that_are_there_take_no_process(land: Land, count: int) -> None:
    names = [f"j{number}" for number in range(count)]
    for name in names:
        land.write(name, "bin/freebsd-version", f'USERLAND_VERSION="{RELEASE}"\n')
    assert land.lab.processes("jail_worlds", **land.parameters(*names)) == 0


@pytest.mark.parametrize("count", [2, 8])
def test_datasets_that_are_there_take_one_process(pool: Land, count: int) -> None:
    names = [f"j{number}" for number in range(count)]
    pool.module(*names)
    assert pool.lab.processes("jail_worlds", **pool.parameters(*names)) == 1


# Cut off halfway ------------------------------------------------------------------------------------------------------


def test_a_half_made_root_is_begun_again(land: Land) -> None:
    place = f"{ROOTS}/.alice.new"
    land.lab.run("mkdir", place)
    land.lab.run("tar", "-xpf", BASE, "-C", place)
    land.lab.path(f"{place}/rubbish").write_text("x")
    land.converge("alice")
    assert land.is_whole("alice")
    assert land.names() == ["alice"]
    assert not (land.root("alice") / "rubbish").exists()


def test_a_half_made_release_is_begun_again(pool: Land) -> None:
    pool.lab.run("zfs", "create", f"tank/releases/{RELEASE}")
    pool.lab.run("tar", "-xpf", BASE, "-C", f"{RELEASES}/{RELEASE}")
    pool.lab.path(f"{RELEASES}/{RELEASE}/rubbish").write_text("x")
    pool.converge("alice")
    assert pool.is_whole("alice")
    assert not (pool.root("alice") / "rubbish").exists()


def test_a_dataset_that_is_not_mounted_is_mounted(pool: Land) -> None:
    pool.converge("alice")
    pool.write("alice", "root/data")
    pool.lab.run("zfs", "unmount", "tank/jails/alice")
    assert pool.converge("alice")["commands"] == ["zfs mount tank/jails/alice"]
    assert (pool.root("alice") / "root/data").read_text() == "mine"


# Roots from elsewhere -------------------------------------------------------------------------------------------------


PACKED = "/var/jail-archives/alice.moving.tar.zst"


def pack(land: Land) -> dict[str, t.Any]:
    """Pack a root as its customer made it; return the parameters by which alice gets it."""
    here = "/tmp/old"
    lab = land.lab
    lab.path(here).mkdir()
    (lab.path(here) / "data").write_text("mine")
    for argv in (
        ("ln", f"{here}/data", f"{here}/hard"),
        ("ln", "-s", "/etc/passwd", f"{here}/link"),
        ("ln", "-s", "/", f"{here}/etc"),
        ("cp", f"{here}/data", f"{here}/suid"),
        ("chown", "1001:1002", f"{here}/suid"),
        ("chmod", "4711", f"{here}/suid"),
        ("chflags", "-h", "schg", f"{here}/suid"),
        ("chmod", "711", here),
        ("chflags", "-h", "uchg", here),
        ("mkdir", "/var/jail-archives"),
        ("tar", "-c", "--zstd", "--format", "pax", "--numeric-owner", "-f", PACKED, "-C", here, "."),
    ):
        lab.run(*argv)
    source = {"archive": PACKED, "sha256": lab.files.sha256(PACKED)}
    worlds = [{"name": "alice", "path": f"{ROOTS}/alice", "root_archive": source}]
    return {**land.parameters(), "worlds": worlds}


def listing(land: Land, folder: str) -> list[list[str]]:
    """Return modes, links, owners and flags of all that lies in a folder, with its size and name."""
    lines = land.lab.run("ls", "-lao", folder).splitlines()
    return [
        [*words[:6], *words[9:]] for line in lines if len(words := line.split()) > 8 and words[-1] not in (".", "..")
    ]


@pytest.mark.parametrize("place", ["land", "pool"])
def test_a_root_from_elsewhere_is_as_its_customer_left_it(request: pytest.FixtureRequest, place: str) -> None:
    land: Land = request.getfixturevalue(place)
    parameters = pack(land)
    result = land.lab.converge("jail_worlds", **parameters)
    assert listing(land, f"{ROOTS}/alice") == listing(land, "/tmp/old")
    assert "schg" in str(listing(land, f"{ROOTS}/alice"))
    root = land.root("alice")
    assert root.stat().st_mode & 0o7777 == 0o711
    assert (root / "data").samefile(root / "hard")
    assert land.names() == ["alice"]
    assert result["after"] == {f"world {ROOTS}/alice": f"the root in {PACKED}\n"}
    assert result["differs"] == {}
    # From now on it is a root like the others, which names no release that could be told of.
    assert land.lab.module("jail_worlds", **{**parameters, "worlds": []})["changed"] is False


def test_a_dataset_that_is_half_filled_is_begun_again(pool: Land) -> None:
    parameters = pack(pool)
    pool.lab.run("zfs", "create", "tank/jails/alice.new")
    (pool.root("alice.new") / "rubbish").write_text("x")
    pool.lab.converge("jail_worlds", **parameters)
    assert pool.lab.files.names(f"{ROOTS}/alice") == ["data", "etc", "hard", "link", "suid"]
    assert "alice.new" not in pool.lab.run("zfs", "list", "-H", "-o", "name")


@pytest.mark.parametrize("place", ["land", "pool"])
def test_a_root_that_cannot_be_unpacked_leaves_nothing(request: pytest.FixtureRequest, place: str) -> None:
    land: Land = request.getfixturevalue(place)
    parameters = pack(land)
    land.lab.path(PACKED).write_text("no archive")
    parameters["worlds"][0]["root_archive"]["sha256"] = land.lab.files.sha256(PACKED)
    result = land.lab.module("jail_worlds", **parameters)
    assert "alice" in errors(result)
    assert land.names() == []
    assert "tank/jails/" not in str(land.lab.host.run(["zfs", "list", "-H", "-o", "name"]).out)


def test_the_archive_of_a_root_is_checked_too(land: Land) -> None:
    parameters = pack(land)
    truncate(land.lab.path(PACKED))
    assert errors(land.lab.module("jail_worlds", **parameters))["alice"].startswith(f"{PACKED} has the SHA-256")
    assert land.names() == []


# Archives -------------------------------------------------------------------------------------------------------------


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace(path: Path) -> None:
    archive.write_base(path, OTHER)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove, f"there is no archive {BASE} on this host"),
        (truncate, f"{BASE} has the SHA-256"),
        (replace, f"{BASE} has the SHA-256"),
    ],
)
@pytest.mark.parametrize("place", ["land", "pool"])
def test_a_bad_archive_is_never_unpacked(
    request: pytest.FixtureRequest, place: str, spoil: t.Callable[[Path], None], reason: str
) -> None:
    land: Land = request.getfixturevalue(place)
    spoil(land.lab.path(BASE))
    for check in (True, False):
        result = land.lab.module("jail_worlds", check=check, **land.parameters("alice"))
        assert errors(result)[RELEASE].startswith(reason)
        assert (result["changed"], result["commands"], result["unmade"]) == (False, [], ["alice"])
    assert land.names() == []


def test_an_archive_is_not_needed_where_all_have_their_roots(land: Land) -> None:
    land.converge("alice")
    land.lab.path(BASE).unlink()
    assert not land.module("alice").get("failed")


@pytest.mark.parametrize("place", ["land", "pool"])
def test_an_archive_that_cannot_be_unpacked_leaves_no_root(request: pytest.FixtureRequest, place: str) -> None:
    land: Land = request.getfixturevalue(place)
    path = land.lab.path(BASE)
    right = path.read_bytes()
    truncate(path)
    broken = {RELEASE: {"archive": BASE, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}
    result = land.module("alice", releases=broken)
    assert "tar" in errors(result)["alice" if place == "land" else RELEASE]
    assert land.names() == []
    path.write_bytes(right)
    land.converge("alice")
    assert land.is_whole("alice")


def test_a_full_disk_leaves_no_root_and_no_rubbish(land: Land) -> None:
    land.converge("alice")
    with land.lab.host.disk() as disk:
        disk["machine"]["disk_free_kb"] = 1
    result = land.module("alice", "bob")
    assert set(errors(result)) == {"bob"}
    assert "No space left on device" in errors(result)["bob"]
    assert land.names() == ["alice"]
    with land.lab.host.disk() as disk:
        del disk["machine"]["disk_free_kb"]
    land.converge("alice", "bob")
    assert land.is_whole("bob")


# Roots that are something else ----------------------------------------------------------------------------------------


def test_a_root_that_holds_something_else_is_left_alone(land: Land) -> None:
    land.write("alice", "letters/mother")
    result = land.module("alice", "bob")
    assert "holds something else than a world" in errors(result)["alice"]
    assert land.is_whole("bob")
    assert sorted(path.name for path in land.root("alice").rglob("*")) == ["letters", "mother"]


def test_a_root_that_is_no_folder_is_left_alone(land: Land) -> None:
    land.root("alice").write_text("mine")
    land.root("bob").symlink_to("/etc")
    found = errors(land.module("alice", "bob"))
    assert all("is not a folder" in found[name] for name in ("alice", "bob"))
    assert (land.root("alice").read_text(), str(land.root("bob").readlink())) == ("mine", "/etc")


def test_a_root_of_another_release_is_named_and_left_alone(land: Land) -> None:
    land.write("alice", "bin/freebsd-version", f'USERLAND_VERSION="{OTHER}"\n')
    result = land.converge("alice")
    assert (result["differs"], result["changed"]) == ({"alice": {"is": OTHER, "wanted": RELEASE}}, False)


@pytest.mark.parametrize("part", ["bin", "bin/freebsd-version"])
def test_what_a_customer_links_to_is_not_read(land: Land, part: str) -> None:
    land.write("alice", "bin/freebsd-version", f'USERLAND_VERSION="{RELEASE}"\n')
    path = land.root("alice") / part
    path.rename(land.root("alice") / "elsewhere")
    path.symlink_to(land.root("alice") / "elsewhere")
    assert "holds something else" in errors(land.module("alice"))["alice"]


def test_a_missing_folder_of_roots_is_told(land: Land) -> None:
    land.lab.run("rmdir", ROOTS)
    assert errors(land.module("alice")) == {
        "alice": f"cannot make folder {ROOTS}/.alice.new: No such file or directory"
    }


def test_bad_input_fails_before_anything_changes(land: Land) -> None:
    started = len(land.lab.runner.ran)
    for wrong, message in (
        ({"releases": {RELEASE: {"archive": BASE, "sha256": "x"}}}, "sha256: 'x' is not 64 hexadecimal digits"),
        (
            {"files": [{"path": "../etc/passwd", "content": ""}]},
            "'../etc/passwd': not a plain path relative to the root",
        ),
        ({"dataset": "tank/jails"}, "release_dataset, release_root"),
    ):
        result = land.module("alice", **t.cast(dict[str, t.Any], wrong))
        assert result["failed"]
        assert message in result["msg"]
    assert (len(land.lab.runner.ran), land.names()) == (started, [])
