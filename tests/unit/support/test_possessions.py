# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checksum of a customer's possessions sees each change, and nothing where there is none."""

from __future__ import annotations

import os
import stat
import typing as t

import pytest

from model.files import Files
from model.host import Host
from support import possessions

if t.TYPE_CHECKING:
    from pathlib import Path

ROOT = "/jails/alice"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for folder in ("jails/alice", "jails/bob", "etc", "tmp"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    host = Host(tmp_path)
    possessions.make(host, ROOT)
    return host


def test_possessions_are_of_every_kind(host: Host) -> None:
    found = possessions.catalogue(host, ROOT)
    kinds = {stat.S_IFMT(mode) for mode, *_rest in found.values()}
    assert kinds == {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO}
    assert any(name != twin for name, (*_rest, twin) in found.items()), "no hard link"
    assert any(mode & stat.S_ISUID for mode, *_rest in found.values())
    assert {flag for _mode, _owner, flags, *_rest in found.values() for flag in flags} >= {"schg", "uchg", "nodump"}
    assert {owner for _mode, owner, *_rest in found.values()} >= {(0, 0), (1001, 1001)}
    assert any("\n" in name for name in found)
    assert max(name.count("/") for name in found) > possessions.DEPTH
    sizes = [path.stat().st_size for path in Files(host).walk(host.path(ROOT)) if path.is_file()]
    assert possessions.room(host, ROOT) < sum(sizes) / 4, "nothing is sparse"


def test_the_same_seed_makes_the_same_and_another_one_does_not(host: Host) -> None:
    possessions.make(host, "/jails/bob")
    assert possessions.checksum(host, "/jails/bob") == possessions.checksum(host, ROOT)
    host.path("/jails/carol").mkdir()
    possessions.make(host, "/jails/carol", seed=1)
    assert possessions.checksum(host, "/jails/carol") != possessions.checksum(host, ROOT)


@pytest.mark.parametrize(
    "command",
    [
        "tee -a {file}",
        "chmod 711 {file}",
        "chown 7:7 {file}",
        "chflags nodump {file}",
        "touch {file}",
        "rm {file}",
        "mv {file} {file}x",
        "touch {file}x",
        "chmod 711 {folder}",
    ],
)
def test_the_checksum_sees_each_change(host: Host, command: str) -> None:
    first = host.path(f"{ROOT}/home/first")
    first.write_text("first\n")
    os.utime(first, (10**9, 10**9))
    before = possessions.checksum(host, ROOT)
    assert possessions.checksum(host, ROOT) == before
    line = command.format(file=f"{ROOT}/home/first", folder=f"{ROOT}/opt")
    assert host.run(line.split(), "more\n").rc == 0
    assert possessions.checksum(host, ROOT) != before


def test_the_checksum_sees_hard_links_that_became_copies(host: Host) -> None:
    place = host.path(f"{ROOT}/home")
    (place / "one").write_text("x\n")
    os.link(place / "one", place / "two")
    os.utime(place, (10**9, 10**9))
    os.utime(place / "one", (10**9, 10**9))
    before = possessions.checksum(host, ROOT)
    (place / "two").unlink()
    (place / "two").write_text("x\n")
    os.utime(place / "two", (10**9, 10**9))
    os.utime(place, (10**9, 10**9))
    assert possessions.checksum(host, ROOT) != before


def test_an_archive_keeps_all_and_what_is_unpacked_from_it_is_the_same(host: Host) -> None:
    assert host.run(["tar", "-cf", "/tmp/all.tar", "-C", ROOT, *possessions.OWNED]).rc == 0
    assert host.run(["tar", "-xpf", "/tmp/all.tar", "-C", "/jails/bob"]).rc == 0
    assert possessions.catalogue(host, "/jails/bob") == possessions.catalogue(host, ROOT)
    assert possessions.room(host, "/jails/bob") == possessions.room(host, ROOT), "holes were filled"
