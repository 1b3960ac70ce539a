# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import hashlib
import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from model import zstd
from support.lab import Lab, ModelRunner, Result, copy

ROOTS = "/usr/local/jails/h1"
FOLDER = "/var/jail-archives"
RETIRED = "2026-11-24T093000Z"
ALICE = f"alice-{RETIRED}.tar.zst"


class Shelf:
    """A host with the roots of stopped jails, and the module jail_archives at work on it."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab = lab
        self.monkeypatch = monkeypatch
        self.today("2026-11-25T000000Z")
        lab.run("mkdir", "-p", ROOTS)

    def today(self, moment: str) -> None:
        """Have the host's clock stand still."""
        now = datetime.datetime.strptime(moment, "%Y-%m-%dT%H%M%S%z")

        class Clock(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> t.Any:
                return now

        self.monkeypatch.setattr(datetime, "datetime", Clock)

    def root(self, name: str, **files: str) -> Path:
        """Make a root with these files."""
        path = self.lab.path(f"{ROOTS}/{name}")
        path.mkdir(exist_ok=True)
        for file, text in files.items():
            (path / file).write_text(text)
        return path

    def parameters(self, *names: str, **more: t.Any) -> dict[str, t.Any]:
        archives = [{"name": name, "path": f"{ROOTS}/{name}", "retired": RETIRED} for name in names]
        return {"archives": archives, **more}

    def converge(self, *names: str, **more: t.Any) -> Result:
        return self.lab.converge("jail_archives", **self.parameters(*names, **more))

    def module(self, *names: str, **more: t.Any) -> Result:
        return self.lab.module("jail_archives", **self.parameters(*names, **more))

    def names(self) -> list[str]:
        """Return all that lies in the folder, hidden things too."""
        return self.lab.files.names(FOLDER)

    def put(self, name: str, text: str = "x") -> None:
        """Put a file into the folder."""
        self.lab.path(FOLDER).mkdir(mode=0o700, exist_ok=True)
        self.lab.path(f"{FOLDER}/{name}").write_text(text)

    def unpacked(self, name: str = "alice") -> Path:
        """Return a folder with what an archive holds."""
        self.lab.run("mkdir", "/tmp/unpacked")
        self.lab.run("tar", "-xpf", f"{FOLDER}/{name}-{RETIRED}.tar.zst", "-C", "/tmp/unpacked")
        return self.lab.path("/tmp/unpacked")


@pytest.fixture
def shelf(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(lab, monkeypatch)


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


# Packing --------------------------------------------------------------------------------------------------------------


def test_each_root_is_packed_once_with_its_checksum(shelf: Shelf) -> None:
    shelf.root("alice", letter="dear mother")
    shelf.root("bob", letter="x")
    result = shelf.converge("alice", "bob")
    assert shelf.names() == [name + end for name in (ALICE, f"bob-{RETIRED}.tar.zst") for end in ("", ".sha256")]
    assert (shelf.unpacked() / "letter").read_text() == "dear mother"
    content = shelf.lab.path(f"{FOLDER}/{ALICE}").read_bytes()
    assert result["archives"]["alice"] == {
        "path": f"{FOLDER}/{ALICE}",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "until": "2027-02-22",
    }
    assert result["after"][f"archive {FOLDER}/{ALICE}"] == f"all of {ROOTS}/alice\n"
    assert shelf.root("alice").is_dir()


def test_freebsd_verifies_the_checksum_by_one_command(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.converge("alice")
    verify = ("sh", "-c", f"cd {FOLDER} && sha256sum -c {ALICE}.sha256")
    assert shelf.lab.run(*verify) == f"{ALICE}: OK\n"
    shelf.put(ALICE, "damaged")
    assert shelf.lab.host.run(verify).rc == 1


def test_check_mode_knows_the_place_and_not_the_content(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    foretold = shelf.lab.check("jail_archives", **shelf.parameters("alice"))
    assert foretold["changed"]
    assert foretold["archives"]["alice"] == {
        "path": f"{FOLDER}/{ALICE}",
        "bytes": None,
        "sha256": None,
        "until": "2027-02-22",
    }


def test_nobody_but_root_can_read_an_archive(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.converge("alice")
    assert shelf.lab.path(FOLDER).stat().st_mode & 0o777 == 0o700
    shelf.lab.path(FOLDER).chmod(0o755)
    assert shelf.converge("alice")["commands"] == [f"chown root:wheel {FOLDER}", f"chmod 700 {FOLDER}"]
    assert shelf.lab.path(FOLDER).stat().st_mode & 0o777 == 0o700


def test_owners_flags_modes_and_links_are_kept(shelf: Shelf) -> None:
    root = shelf.root("alice", mine="x", init="x")
    os.link(root / "mine", root / "twin")
    shelf.lab.run("chown", "1001:1002", f"{ROOTS}/alice/mine")
    shelf.lab.run("chmod", "4711", f"{ROOTS}/alice/init")
    shelf.lab.run("chflags", "schg", f"{ROOTS}/alice/init")
    shelf.converge("alice")
    unpacked = shelf.unpacked()
    listing = shelf.lab.run("ls", "-lno", "/tmp/unpacked")
    assert [line.split()[:5] for line in listing.splitlines()[1:]] == [
        ["-rws--x--x", "1", "0", "0", "schg"],
        ["-rw-r--r--", "2", "1001", "1002", "-"],
        ["-rw-r--r--", "2", "1001", "1002", "-"],
    ]
    assert (unpacked / "mine").samefile(unpacked / "twin")


@pytest.mark.parametrize("count", [2, 9])
def test_archives_that_are_there_take_one_process(shelf: Shelf, count: int) -> None:
    names = [f"j{number}" for number in range(count)]
    for name in names:
        shelf.root(name, letter="x")
    shelf.module(*names)
    assert shelf.lab.processes("jail_archives", **shelf.parameters(*names)) == 1


def test_a_root_that_is_gone_is_no_error_once_it_has_its_archive(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.converge("alice")
    shelf.lab.run("rm", "-r", f"{ROOTS}/alice")
    assert shelf.converge("alice")["commands"] == []


# Hostile roots --------------------------------------------------------------------------------------------------------


def test_no_link_is_followed(shelf: Shelf) -> None:
    root = shelf.root("alice")
    shelf.lab.path("/root/secret").write_text("the host's")
    for name, target in (("file", "/root/secret"), ("folder", "/root"), ("up", "../../.."), ("self", "self")):
        (root / name).symlink_to(target)
    shelf.converge("alice")
    unpacked = shelf.unpacked()
    assert {path.name: str(path.readlink()) for path in unpacked.iterdir()} == {
        "file": "/root/secret",
        "folder": "/root",
        "up": "../../..",
        "self": "self",
    }
    assert b"the host's" not in shelf.lab.path(f"{FOLDER}/{ALICE}").read_bytes()


def test_names_are_only_names(shelf: Shelf) -> None:
    root = shelf.root("alice")
    names = {"-rf", "--checkpoint-action=exec=sh x", "@archive", "a\nb", "$(reboot)", "*", "\x1b[31m", " "}
    for name in names:
        (root / name).write_text("x")
    (root / "deep").mkdir()
    os.mkfifo(root / "deep" / "fifo")
    shelf.converge("alice")
    assert {path.name for path in shelf.unpacked().iterdir()} == {*names, "deep"}


def test_what_is_mounted_in_a_root_does_not_get_in(shelf: Shelf) -> None:
    root = shelf.root("alice", letter="x")
    (root / "dev").mkdir()
    (root / "host").mkdir()
    shelf.lab.run("mount", "-t", "devfs", "devfs", f"{ROOTS}/alice/dev")
    shelf.lab.run("mount", "-t", "nullfs", "/etc", f"{ROOTS}/alice/host")
    shelf.converge("alice")
    unpacked = shelf.unpacked()
    found = sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("*"))
    assert found == ["dev", "host", "letter"]


@pytest.mark.parametrize("path", [f"{ROOTS}/alice", f"{ROOTS}/alice/inner"])
def test_a_root_in_use_is_not_packed(shelf: Shelf, path: str) -> None:
    shelf.root("alice", letter="x")
    shelf.root("bob", letter="x")
    shelf.lab.run("mkdir", "-p", path)
    shelf.lab.run("jail", "-c", "name=other", f"path={path}", "persist")
    result = shelf.module("alice", "bob")
    assert errors(result) == {"alice": f"the jail other runs in {ROOTS}/alice; stop it first"}
    assert shelf.names() == [f"bob-{RETIRED}.tar.zst", f"bob-{RETIRED}.tar.zst.sha256"]


def test_a_jail_that_runs_elsewhere_under_the_name_is_in_the_way(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.lab.run("jail", "-c", "name=alice", "path=/", "persist")
    assert "the jail alice runs" in errors(shelf.module("alice"))["alice"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "is gone, and there is no /var/jail-archives/alice-"),
        (lambda path: path.mkdir(), "is empty; if it is a dataset's mount point, mount that"),
        (lambda path: path.symlink_to("/etc"), "is not a folder"),
        (lambda path: path.write_text("x"), "is not a folder"),
    ],
)
def test_what_is_no_root_is_not_packed(shelf: Shelf, make: t.Callable[[Path], object], reason: str) -> None:
    make(shelf.lab.path(f"{ROOTS}/alice"))
    shelf.root("bob", letter="x")
    for check in (True, False):
        result = shelf.lab.module("jail_archives", check=check, **shelf.parameters("alice", "bob"))
        assert reason in errors(result)["alice"]
        assert set(errors(result)) == {"alice"}
    assert result["archives"]["bob"]["bytes"]
    assert result["archives"]["alice"]["bytes"] is None


# Trouble on the way ---------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_archive_and_no_rubbish(shelf: Shelf) -> None:
    shelf.root("alice", letter="x" * (1 << 20))
    with shelf.lab.host.disk() as disk:
        disk["machine"]["disk_free_kb"] = 1
    result = shelf.module("alice")
    assert f"tar: Write error (No space left on device? `df -h {FOLDER}` tells)" in errors(result)["alice"]
    assert shelf.names() == []
    with shelf.lab.host.disk() as disk:
        del disk["machine"]["disk_free_kb"]
    shelf.converge("alice")
    assert (shelf.unpacked() / "letter").stat().st_size == 1 << 20


def test_what_tar_says_is_shown_in_part_and_in_quotes(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.root("alice", letter="x")
    said = "".join(f"tar: {number}\x1b[2J: Input/output error\n" for number in range(999))
    run = ModelRunner.run

    def failing(runner: ModelRunner, command: Command) -> Done:
        done = run(runner, command)
        return replace(done, rc=1, err=said) if command.argv[0] == "tar" else done

    monkeypatch.setattr(ModelRunner, "run", failing)
    text = errors(shelf.module("alice"))["alice"]
    assert "998" in text
    assert "\x1b" not in text
    assert len(text) < 1000


def test_an_archive_that_reads_differently_is_not_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.root("alice", letter="x")
    digests = iter(["ab" * 32, "cd" * 32])
    with monkeypatch.context() as patch:
        patch.setattr(Files, "sha256", lambda files, name: next(digests))
        text = errors(shelf.module("alice"))["alice"]
    assert "it does not read twice alike: see to the disk" in text
    assert ALICE not in shelf.names()
    shelf.converge("alice")


def test_a_half_made_archive_is_begun_again(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.put(f".{ALICE}.part", "half")
    shelf.put(f"{ALICE}.sha256", "of the half")
    shelf.converge("alice")
    assert shelf.names() == [ALICE, f"{ALICE}.sha256"]
    assert (shelf.unpacked() / "letter").read_text() == "x"


@pytest.mark.parametrize("checksum", [None, "", "x", f"{'ab' * 32}  bob-{RETIRED}.tar.zst\n"])
def test_an_archive_without_its_checksum_is_made_again_or_told(shelf: Shelf, checksum: str | None) -> None:
    shelf.root("alice", letter="x")
    shelf.put(ALICE, "what is it?")
    if checksum is not None:
        shelf.put(f"{ALICE}.sha256", checksum)
    shelf.lab.run("mv", f"{ROOTS}/alice", f"{ROOTS}/elsewhere")
    assert ".sha256 is missing or damaged" in errors(shelf.module("alice"))["alice"]
    assert shelf.lab.path(f"{FOLDER}/{ALICE}").read_text() == "what is it?"
    shelf.lab.run("mv", f"{ROOTS}/elsewhere", f"{ROOTS}/alice")
    shelf.converge("alice")
    assert (shelf.unpacked() / "letter").read_text() == "x"


# Keeping --------------------------------------------------------------------------------------------------------------


def test_what_is_too_old_is_removed_with_its_checksum(shelf: Shelf) -> None:
    for name in ("carol-2026-08-01T000000Z", "dave-2026-08-26T235959Z", "dave-2026-08-27T000000Z"):
        shelf.put(f"{name}.tar.zst")
        shelf.put(f"{name}.tar.zst.sha256")
    shelf.put("erin-2026-01-01T000000Z.tar.zst.sha256")
    shelf.put(".erin-2026-11-24T000000Z.tar.zst.part")
    result = shelf.converge()
    assert shelf.names() == ["dave-2026-08-27T000000Z.tar.zst", "dave-2026-08-27T000000Z.tar.zst.sha256"]
    assert result["before"] == {
        f"archive {FOLDER}/carol-2026-08-01T000000Z.tar.zst": "kept until 2026-10-30\n",
        f"archive {FOLDER}/dave-2026-08-26T235959Z.tar.zst": "kept until 2026-11-24\n",
    }


def test_nothing_else_in_the_folder_is_touched(shelf: Shelf) -> None:
    names = [
        "README",
        "alice.tar.zst",
        "alice-2020-01-01.tar.zst",
        "alice-2020-13-01T000000Z.tar.zst",
        "alice-2020-01-01T000000Z.tar.zst.old",
        "alice-2020-01-01T000000Z.tar.gz",
        "Alice-2020-01-01T000000Z.tar.zst",
        "x.alice-2020-01-01T000000Z.tar.zst",
        "alice-2020-01-01T000000Z.tar.zst\n",
        ".alice-2020-01-01T000000Z.tar.zst.sha256.part",
        "alice-٢020-01-01T000000Z.tar.zst",
    ]
    for name in names:
        shelf.put(name)
    assert shelf.converge()["commands"] == []
    assert shelf.names() == sorted(names)


def test_the_archive_of_a_jail_that_has_its_record_is_kept(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.converge("alice")
    shelf.today("2036-01-01T000000Z")
    assert shelf.converge("alice")["commands"] == []
    assert shelf.converge()["commands"] == [f"remove {FOLDER}/{ALICE}", f"remove {FOLDER}/{ALICE}.sha256"]


def test_without_a_retired_jail_nothing_is_made_and_nothing_started(shelf: Shelf) -> None:
    assert shelf.lab.processes("jail_archives", **shelf.parameters()) == 0
    assert not shelf.lab.path(FOLDER).exists()


def test_a_folder_that_is_none_is_left_alone(shelf: Shelf) -> None:
    shelf.root("alice", letter="x")
    shelf.lab.path(FOLDER).symlink_to("/etc")
    result = shelf.module("alice")
    assert "is not a folder" in errors(result)[""]
    assert not result["changed"]


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "more", "message"),
    [
        ({"retired": "2026-11-24"}, {}, "archives: alice: retired: '2026-11-24' is not a moment"),
        ({"retired": "2026-02-30T000000Z"}, {}, "archives: alice: retired: '2026-02-30T000000Z' is not a moment"),
        ({"path": "/usr/../etc"}, {}, "archives: alice: path: '/usr/../etc' is not an absolute, plain path"),
        ({"name": "../alice"}, {}, "archives: '../alice': name"),
        ({"path": "/var"}, {}, "archives: alice: path: /var holds the folder of the archives, /var/jail-archives"),
        ({}, {"folder": "archives"}, "folder: 'archives' is not an absolute, plain path"),
        ({}, {"keep_days": 0}, "keep_days: 0 is not from 1 to 36500"),
    ],
)
def test_bad_input_fails_before_anything_changes(
    shelf: Shelf, record: dict[str, str], more: dict[str, t.Any], message: str
) -> None:
    shelf.root("alice", letter="x")
    archives = [{"name": "alice", "path": f"{ROOTS}/alice", "retired": RETIRED, **record}]
    started = len(shelf.lab.runner.ran)
    result = shelf.lab.module("jail_archives", archives=archives, **more)
    assert result["failed"]
    assert result["msg"].startswith(message)
    assert (len(shelf.lab.runner.ran), shelf.names()) == (started, [])


def test_a_dataset_is_packed_where_it_is_mounted(shelf: Shelf, world: Path) -> None:
    shelf.lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    shelf.lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
    shelf.lab.run("zfs", "create", "tank/jails/alice")
    copy(world / "etc", shelf.lab.path(f"{ROOTS}/alice/etc"))
    shelf.lab.run("zfs", "unmount", "tank/jails/alice")
    assert "is empty" in errors(shelf.module("alice"))["alice"]
    shelf.lab.run("zfs", "mount", "tank/jails/alice")
    shelf.converge("alice")
    assert (shelf.unpacked() / "etc/master.passwd").is_file()


@pytest.mark.parametrize("size", [0, 1, zstd.BLOCK - 1, zstd.BLOCK, zstd.BLOCK + 1, 3 * zstd.BLOCK])
def test_the_models_zstd_reads_what_it_writes(size: int) -> None:
    data = os.urandom(size)
    packed = zstd.compress(data)
    assert zstd.decompress(packed) == data
    with pytest.raises(EOFError):
        zstd.decompress(packed[:-1])
