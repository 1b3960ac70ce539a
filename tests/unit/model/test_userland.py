# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The everyday programs: FreeBSD's options, its refusals, and the flags that stop even root."""

from __future__ import annotations

import os
import typing as t

import pytest

from model import fuse
from model.files import used_bytes
from model.host import Host, Result

if t.TYPE_CHECKING:
    from pathlib import Path


class Shell:
    """A host with a few folders, and a short way to run commands on it."""

    def __init__(self, directory: Path) -> None:
        for folder in ("tmp", "etc", "dev", "var/db"):
            (directory / "root" / folder).mkdir(parents=True)
        self.host = Host(directory)

    def __call__(self, line: str, stdin: str = "") -> Result:
        return self.host.run(["" if word == "''" else word for word in line.split()], stdin)


@pytest.fixture
def sh(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_an_immutable_file_stays_as_it_is_until_its_flag_goes(sh: Shell) -> None:
    sh("tee /tmp/f", "one\n")
    assert sh("chflags schg /tmp/f").rc == 0
    for command in (
        "rm -f /tmp/f",
        "mv /tmp/f /tmp/g",
        "cp /etc /tmp/f",
        "touch /tmp/f",
        "tee -a /tmp/f",
        "chmod 600 /tmp/f",
    ):
        assert sh(command, "two\n").rc == 1, command
    assert sh("cat /tmp/f").out == "one\n"
    assert " schg " in sh("ls -lo /tmp/f").out
    assert sh("chflags noschg /tmp/f").rc == 0
    assert sh("rm /tmp/f").rc == 0


def test_with_x_nothing_beyond_a_mount_point_is_touched(sh: Shell) -> None:
    sh("mkdir -p /tmp/a/m /tmp/b")
    sh("touch /tmp/a/f /tmp/b/g")
    sh("chflags schg /tmp/b/g")
    assert sh("mount -t nullfs /tmp/b /tmp/a/m").rc == 0
    assert sh("chflags -R -x 0 /tmp/a").rc == 0
    assert " schg " in sh("ls -lo /tmp/b/g").out
    assert sh("rm -rfx /tmp/a").err.splitlines() == [
        "rm: /tmp/a/m: Device busy",
        "rm: /tmp/a: Directory not empty",
    ]
    assert (sh("ls /tmp/a").out, sh("ls /tmp/b").out) == ("m\n", "g\n")


def test_recursively_the_flags_of_a_link_are_its_own(sh: Shell) -> None:
    sh("mkdir /tmp/a")
    sh("touch /tmp/f")
    sh("ln -s /tmp/f /tmp/a/link")
    sh("chflags -h schg /tmp/a/link")
    sh("chflags schg /tmp/f")
    assert sh("rm -rf /tmp/a").rc == 1
    assert sh("chflags -R 0 /tmp/a").rc == 0
    assert " schg " in sh("ls -lo /tmp/f").out
    assert sh("rm -rf /tmp/a").rc == 0


def test_tar_on_one_file_system_keeps_a_mount_point_and_nothing_in_it(sh: Shell) -> None:
    sh("mkdir -p /tmp/a/m /tmp/b")
    sh("touch /tmp/a/f /tmp/b/g")
    assert sh("mount -t nullfs /tmp/b /tmp/a/m").rc == 0
    assert sh("tar -c --zstd --format pax --one-file-system -f /tmp/a.tar.zst -C /tmp/a .").rc == 0
    assert sh("tar -tf /tmp/a.tar.zst").out == "./\n./f\n./m/\n"
    assert sh("tar -cf /tmp/a.tar -C /tmp/a .").rc == 0
    assert sh("tar -tf /tmp/a.tar").out == "./\n./f\n./m/\n./m/g\n"
    assert sh("tar -c --format cpio -f /tmp/x -C /tmp/a .").rc == 1


def test_flags_stay_with_a_file_when_a_folder_above_is_renamed(sh: Shell) -> None:
    sh("mkdir -p /tmp/a/b")
    sh("touch /tmp/a/b/f")
    sh("chflags schg /tmp/a/b/f")
    assert sh("mv /tmp/a /tmp/c").rc == 0
    assert sh("rm -rf /tmp/c").err.splitlines() == [
        "rm: /tmp/c/b/f: Operation not permitted",
        "rm: /tmp/c/b: Directory not empty",
        "rm: /tmp/c: Directory not empty",
    ]


def test_a_file_made_in_the_place_of_an_immutable_one_has_no_flag(sh: Shell) -> None:
    sh("touch -t 202001010000 /tmp/f")
    sh("chflags schg /tmp/f")
    # Something that knows nothing of the model's flags writes the file anew.
    sh.host.path("/tmp/f").write_text("new")
    assert sh("rm /tmp/f").rc == 0


@pytest.mark.parametrize(
    ("line", "status", "complaint"),
    [
        ("stat -c %a /etc", 1, "stat: illegal option -- c"),
        ("sed --version", 1, "sed: illegal option -- -"),
        ("grep -P x", 2, "grep: invalid option -- P"),
        ("cp --preserve a b", 64, "cp: unrecognized option `--preserve'"),
        ("du -sb /tmp", 64, "du: invalid option -- b"),
        ("find -name x", 1, "find: illegal option -- n"),
        ("date -d @0", 1, "date: illegal option -- d"),
        ("readlink -m x", 1, "readlink: illegal option -- m"),
        ("mount --bind a b", 1, "mount: illegal option -- -"),
        ("head -n -1 /etc/x", 1, "head: illegal line count -- -1"),
    ],
)
def test_options_of_other_systems_are_refused(sh: Shell, line: str, status: int, complaint: str) -> None:
    result = sh(line)
    assert (result.rc, result.err.splitlines()[0]) == (status, complaint)


def test_sed_in_place_takes_its_suffix_apart(sh: Shell) -> None:
    sh("tee /tmp/t", "a\nb\n")
    assert sh("sed -i '' s/a/c/ /tmp/t").rc == 0
    assert sh("cat /tmp/t").out == "c\nb\n"
    assert sh("sed -i s/c/d/ /tmp/t").err == "sed: -I or -i may not be used with stdin\n"


def test_what_belongs_to_the_model_never_shows(sh: Shell) -> None:
    sh.host.path("/.model/pool").mkdir(parents=True)
    assert sh("ls -A /").out.split() == ["dev", "etc", "tmp", "var"]
    assert ".model" not in sh("find / -type d").out


def test_a_lock_that_is_held_ends_with_75(sh: Shell) -> None:
    import fcntl  # noqa: PLC0415

    with sh.host.path("/tmp/lk").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sh("lockf -k -t 0 /tmp/lk true") == Result(75, "", "lockf: /tmp/lk: already locked\n")
    assert sh("lockf -k -t 0 /tmp/lk true").rc == 0


def test_install_makes_a_folder_with_owner_and_mode(sh: Shell) -> None:
    assert sh("install -d -o root -g wheel -m 0750 /tmp/a/b").rc == 0
    assert sh("stat -f %Lp:%Su:%Sg /tmp/a/b").out == "750:root:wheel\n"


def test_a_tilde_stands_for_the_home_of_a_user(sh: Shell) -> None:
    sh.host.path("/etc/passwd").write_text("www:*:80:80:Web:/var/www:/usr/sbin/nologin\n")
    script = "HOME='/a b'; x=~www/x; echo ~ ~/c ~www ~www/d ~nobody/e a~ '~' ~\"www\" $x"
    assert sh.host.run(["sh", "-c", script]).out == "/a b /a b/c /var/www /var/www/d ~nobody/e a~ ~ ~www /var/www/x\n"


def test_programs_run_others_at_another_priority_or_with_other_buffers(sh: Shell) -> None:
    assert sh("nice -n 19 stdbuf -o L echo yes").out == "yes\n"
    assert sh("stdbuf -x echo").err.splitlines() == [
        "stdbuf: illegal option -- x",
        "Usage: stdbuf [-e 0|L|B|<sz>] [-i 0|L|B|<sz>] [-o 0|L|B|<sz>] <cmd> [args ...]",
    ]
    assert sh("nice -n 19").rc != 0


def test_what_vanishes_while_it_is_counted_takes_nothing(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    sh("mkdir /tmp/there")
    sh("tee /tmp/there/f", "x" * 5000)
    folder = sh.host.path("/tmp")
    before = used_bytes(folder)
    (folder / "gone").mkdir()
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scan(path if "gone" not in path else f"{path}/vanished"))
    assert used_bytes(folder) == before > 0


def test_find_knows_files_by_their_flags(sh: Shell) -> None:
    sh("mkdir /tmp/a")
    sh("touch /tmp/a/free /tmp/a/held /tmp/a/kept")
    sh("chflags schg /tmp/a/held")
    sh("chflags schg,nodump /tmp/a/kept")
    assert sh("find -x /tmp/a -flags schg").out == "/tmp/a/held\n"
    assert sorted(sh("find /tmp/a -flags -schg -type f").out.split()) == ["/tmp/a/held", "/tmp/a/kept"]
    assert sh("find /tmp/a -type f -flags +nodump,uchg").out == "/tmp/a/kept\n"
    assert sh("find /tmp/a -type f -flags -noschg").out == "/tmp/a/free\n"
    assert sh("find /tmp/a -type f ! -flags +schg").out == "/tmp/a/free\n"
    assert sh("find /tmp/a -flags sticky").rc == 1
    sh("chflags 0 /tmp/a/held")
    assert sh("find /tmp/a -flags +schg").out == "/tmp/a/kept\n"


def test_tar_takes_names_from_a_list_and_keeps_their_flags(sh: Shell) -> None:
    sh("mkdir -p /tmp/a/b /tmp/c")
    for name in ("one", "b/two", "three"):
        sh(f"tee /tmp/a/{name}", name)
    sh("chflags schg /tmp/a/one")
    sh("tee /tmp/list", "one\nb\n")
    assert sh("tar -cf /tmp/x.tar -C /tmp/a -T /tmp/list").rc == 0
    assert sh("tar -tf /tmp/x.tar").out == "one\nb/\nb/two\n"
    assert sh("tar -xpf /tmp/x.tar -C /tmp/c").rc == 0
    assert " schg " in sh("ls -lo /tmp/c/one").out
    assert sh("tar -xpf /tmp/x.tar --no-fflags -C /tmp/c -T -", "./b/two\n").rc == 0
    assert (
        sh("tar -cf /tmp/x.tar -T /tmp/missing").err == "tar: Couldn't open /tmp/missing: No such file or directory\n"
    )


def test_tar_keeps_the_holes_of_a_file_however_large_it_is(sh: Shell) -> None:
    sh("mkdir /tmp/a /tmp/b")
    sh("truncate -s 1T /tmp/a/huge")
    sh("truncate -s 64M /tmp/a/file")
    with sh.host.path("/tmp/a/file").open("r+b") as file:
        file.seek(20 << 20)
        file.write(b"in the middle")
    assert sh("tar -cf /tmp/x.tar -C /tmp/a .").rc == 0
    assert sh.host.path("/tmp/x.tar").stat().st_size < 1 << 20
    assert sh("tar -xpf /tmp/x.tar -C /tmp/b").rc == 0
    for name in ("huge", "file"):
        old, new = (sh.host.path(f"/tmp/{folder}/{name}") for folder in "ab")
        assert (new.stat().st_size, new.stat().st_blocks) == (old.stat().st_size, old.stat().st_blocks)
    assert sh("cmp /tmp/a/file /tmp/b/file").rc == 0


def test_tar_killed_in_the_midst_leaves_what_it_has_unpacked_with_its_flags(sh: Shell) -> None:
    sh("mkdir /tmp/a /tmp/b")
    sh("touch /tmp/a/1 /tmp/a/2 /tmp/a/3")
    sh("chflags schg /tmp/a/1")
    sh("tar -cf /tmp/x.tar -C /tmp/a 1 2 3")
    fuse.light(sh.host, "tar", 2)
    assert sh("tar -xpf /tmp/x.tar -C /tmp/b").rc == fuse.KILLED
    assert sh("ls /tmp/b").out == "1\n2\n"
    assert " schg " in sh("ls -lo /tmp/b/1").out
    assert sh("tar -xpUf /tmp/x.tar --clear-nochange-fflags -C /tmp/b").rc == 0
    assert sh("ls /tmp/b").out == "1\n2\n3\n"
