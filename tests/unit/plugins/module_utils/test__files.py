# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._files import Files

NAME = "/etc/pf.conf"
VERSION = "bin/freebsd-version"
NOBODY = 65534


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def attributes(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid


def test_a_written_file_has_its_content_mode_and_owner_and_leaves_nothing_beside_it(
    files: Files, tmp_path: Path
) -> None:
    files.write(NAME, "new\n", 0o600)
    path = tmp_path / "etc/pf.conf"
    assert path.read_text() == "new\n"
    assert attributes(path) == (0o600, os.geteuid())
    assert names(path.parent) == ["pf.conf"]


def test_the_umask_does_not_matter(files: Files, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write("/a", "x")
        files.make_folder("/b", 0o755)
    finally:
        os.umask(before)
    assert (attributes(tmp_path / "a")[0], attributes(tmp_path / "b")[0]) == (0o644, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_somebody_else_owned_becomes_roots(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    os.chown(path, NOBODY, NOBODY)
    files.write("/a", "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 0)


@pytest.mark.parametrize(("old", "expected"), [(0o640, 0o640), (None, 0o644)])
def test_the_mode_is_kept_if_none_is_given(files: Files, tmp_path: Path, old: int | None, expected: int) -> None:
    path = tmp_path / "a"
    if old is not None:
        path.write_text("old")
        path.chmod(old)
    files.write("/a", "new", None)
    assert attributes(path)[0] == expected


def test_a_link_at_the_temporary_name_is_not_followed(files: Files, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "a.jailisp-new").symlink_to(tmp_path / "victim")
    files.write("/a", "new")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path) == ["a", "victim"]


def test_a_link_that_comes_back_at_the_temporary_name_is_refused(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "a.jailisp-new").symlink_to(tmp_path / "victim")
    monkeypatch.setattr(os, "unlink", lambda path: None)
    with pytest.raises(OSError, match=r"a\.jailisp-new") as caught:
        files.write("/a", "new")
    assert caught.value.errno == errno.EEXIST
    assert (tmp_path / "victim").read_text() == "untouched"


def test_a_link_at_the_name_itself_is_replaced(files: Files, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "a").symlink_to(tmp_path / "victim")
    files.write("/a", "new")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not (tmp_path / "a").is_symlink()


def test_killed_before_the_rename_the_old_content_stays(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("/a", "old")
    seen = []

    def killed(source: str, target: str) -> None:
        seen.append((Path(source).read_text(), attributes(Path(source))[0]))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        files.write("/a", "new", 0o600)
    assert (tmp_path / "a").read_text() == "old"
    assert seen == [("new", 0o600)]
    files.write("/a", "newer", 0o600)
    assert (tmp_path / "a").read_text() == "newer"
    assert names(tmp_path) == ["a"]


def test_a_secret_is_never_readable_by_others_on_its_way(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, change = [], os.fchmod

    def look(descriptor: int, mode: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        change(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", look)
    files.write("/a", "secret", 0o600)
    assert modes == [0o600]


def test_bytes_that_are_no_text_are_kept(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\n")
    text = files.read("/a")
    assert text is not None
    files.write("/b", text)
    assert (tmp_path / "b").read_bytes() == b"\xff\n"


def test_what_is_not_there_is_none(files: Files) -> None:
    assert files.read("/no/such") is None
    assert files.sha256("/no/such") is None
    assert files.names("/no/such") == []
    files.remove("/no/such")


def test_names_are_sorted(files: Files) -> None:
    for name in ("b", "a", "c"):
        files.write(f"/d/{name}", "")
    assert files.names("/d") == ["a", "b", "c"]


def test_sha256_is_that_of_the_content(files: Files) -> None:
    files.write("/a", "abc")
    assert files.sha256("/a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_is_private_that_nobody_else_may_look_into(files: Files, tmp_path: Path) -> None:
    for mode, private in ((0o700, True), (0o500, True), (0o750, False), (0o701, False)):
        tmp_path.chmod(mode)
        assert files.is_private("/") is private
    tmp_path.chmod(0o700)


def test_the_size_is_that_of_a_link_itself(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to("file")
    assert (files.size("/file"), files.size("/link")) == (1000, 4)


def test_what_is_synced_is_not_followed(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    files.sync("/file")
    with pytest.raises(OSError, match="link"):
        files.sync("/link")


def test_kinds(files: Files, tmp_path: Path) -> None:
    files.write("/full/file", "")
    (tmp_path / "void").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "full")
    found = {name: files.kind(f"/{name}") for name in ("full", "void", "link", "full/file", "none", "full/file/x")}
    assert found == {
        "full": "folder",
        "void": "empty",
        "link": "other",
        "full/file": "other",
        "none": "missing",
        "full/file/x": "missing",
    }


def test_a_folder_is_renamed_over_an_empty_one_and_over_no_other(files: Files, tmp_path: Path) -> None:
    files.write("/new/file", "x")
    (tmp_path / "root").mkdir()
    files.move("/new", "/root")
    assert (tmp_path / "root/file").read_text() == "x"
    files.write("/newer/file", "y")
    with pytest.raises(OSError, match="Directory not empty"):
        files.move("/newer", "/root")
    assert (tmp_path / "root/file").read_text() == "x"


# What a customer can make of a file in his root --------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "jails" / "alice"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/freebsd-version").write_text("right")
    (tmp_path / "outside" / "bin").mkdir(parents=True)
    (tmp_path / "outside/bin/freebsd-version").write_text("wrong")
    return folder


def look(tmp_path: Path, limit: int = 100) -> str | None:
    return Files(str(tmp_path)).read_beneath("/jails/alice", VERSION, limit)


def test_a_plain_file_beneath_a_root_is_read(root: Path, tmp_path: Path) -> None:
    assert look(tmp_path) == "right"


@pytest.mark.parametrize("part", ["", "bin", "bin/freebsd-version"])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_no_link_is_followed_beneath_a_root(root: Path, tmp_path: Path, part: str, absolute: bool) -> None:
    path = root / part
    path.rename(tmp_path / "moved")
    target = tmp_path / "outside" / part
    path.symlink_to(target if absolute else os.path.relpath(target, path.parent))
    assert (root / VERSION).read_text() == "wrong"
    assert look(tmp_path) is None


def test_a_link_to_the_file_itself_is_not_followed_either(root: Path, tmp_path: Path) -> None:
    (root / "bin/real").write_text("right")
    (root / VERSION).unlink()
    (root / VERSION).symlink_to("real")
    assert look(tmp_path) is None


def test_a_fifo_is_not_waited_for(root: Path, tmp_path: Path) -> None:
    (root / VERSION).unlink()
    os.mkfifo(root / VERSION)
    assert look(tmp_path) is None


def test_a_fifo_in_place_of_a_folder_is_not_waited_for(root: Path, tmp_path: Path) -> None:
    (root / VERSION).unlink()
    (root / "bin").rmdir()
    os.mkfifo(root / "bin")
    assert look(tmp_path) is None


def test_a_socket_is_no_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / VERSION).unlink()
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(VERSION)
        assert look(tmp_path) is None


def test_a_folder_is_no_file(root: Path, tmp_path: Path) -> None:
    (root / VERSION).unlink()
    (root / VERSION).mkdir()
    assert look(tmp_path) is None


def test_a_device_is_no_file() -> None:
    assert Files("/").read_beneath("/dev", "zero", 10) is None


def test_of_a_huge_file_only_the_beginning_is_read(root: Path, tmp_path: Path) -> None:
    os.truncate(root / VERSION, 1 << 36)
    assert look(tmp_path, 7) == "right\0\0"


def test_bytes_that_are_no_text_do_no_harm(root: Path, tmp_path: Path) -> None:
    (root / VERSION).write_bytes(b"a\xffb")
    assert look(tmp_path) == "a\ufffdb"


def test_no_descriptor_stays_open(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real = os.open

    def noting(*arguments: t.Any, **more: t.Any) -> int:
        opened.append(real(*arguments, **more))
        return opened[-1]

    monkeypatch.setattr(os, "open", noting)
    look(tmp_path)
    (root / VERSION).unlink()
    look(tmp_path)
    assert len(opened) == 5
    for descriptor in set(opened):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_kinds_tell_what_stands_in_a_root_and_follow_no_link(files: Files, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin/sh").write_text("x")
    (root / "lib").symlink_to("/")
    os.mkfifo(root / "fifo")
    assert files.kinds("/root", ["bin", "bin/sh", "bin/sh/x", "lib", "lib/etc", "fifo", "none/at/all"]) == {
        "bin": "folder",
        "bin/sh": "file",
        "bin/sh/x": "missing",
        "lib": "link",
        "lib/etc": "missing",
        "fifo": "fifo",
        "none/at/all": "missing",
    }


def test_fingerprints_differ_when_a_file_does(files: Files, tmp_path: Path) -> None:
    etc = tmp_path / "root/etc"
    (etc / "ssh").mkdir(parents=True)
    (etc / "motd").symlink_to("/var/run/motd")
    (etc / "outside").symlink_to("/")
    file = etc / "ssh/config"
    file.write_text("a")
    os.mkfifo(etc / "fifo")
    before = files.fingerprints("/root", "etc")
    assert sorted(before) == ["etc/fifo", "etc/motd", "etc/outside", "etc/ssh/config"]
    assert files.fingerprints("/root", "etc") == before
    for change in (lambda: file.write_text("b"), lambda: file.chmod(0o600), lambda: os.truncate(file, 1 << 30)):
        change()
        assert files.fingerprints("/root", "etc") != before
        before = files.fingerprints("/root", "etc")


def test_what_is_neither_folder_nor_file_is_found_and_where_it_leads(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certs = tmp_path / "root/certs"
    (certs / "more").mkdir(parents=True)
    (certs / "file").write_text("x")
    (certs / "up").symlink_to("/")
    (certs / "more/gone").symlink_to("../gone")
    os.mkfifo(certs / "fifo")
    found = {"certs/up": "/", "certs/more/gone": "../gone", "certs/fifo": None}
    assert files.links_below("/root", ["certs"]) == found
    monkeypatch.setattr(sys.modules[Files.__module__], "MOST_FINGERPRINTS", 2)
    with pytest.raises(OSError, match="more than 2 links"):
        files.links_below("/root", ["certs"])


def test_too_many_files_are_not_looked_at(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Files.__module__], "MOST_FINGERPRINTS", 2)
    (tmp_path / "etc").mkdir()
    for name in "abc":
        (tmp_path / "etc" / name).write_text("x")
    with pytest.raises(OSError, match="more than 2 files"):
        files.fingerprints("/", "etc")


def test_what_was_changed_since_a_moment_is_found(files: Files, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text("x")
    moment = (tmp_path / "bin/new").lstat().st_ctime
    assert files.changed_since("/", ["bin", "lib"], moment) == []
    while (tmp_path / "bin/new").lstat().st_ctime <= moment:
        (tmp_path / "bin/new").chmod(0o600)
    assert files.changed_since("/", ["bin", "lib"], moment) == ["bin/new"]
    (tmp_path / "lib").symlink_to("bin")
    assert files.changed_since("/", ["lib"], moment) == ["lib"]


def test_lines_are_added_to_a_file(files: Files, tmp_path: Path) -> None:
    for line in ("a\n", "b\n"):
        files.append("/log", line)
    assert (tmp_path / "log").read_text() == "a\nb\n"
    (tmp_path / "link").symlink_to("log")
    with pytest.raises(OSError, match="symbolic"):
        files.append("/link", "c\n")
