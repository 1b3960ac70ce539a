# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile roots are hostile: who follows what is planted in them does harm outside, and the watch says so."""

from __future__ import annotations

import os
import shutil
import typing as t

import pytest

from model import archive, machine, source_tree
from model.files import Files
from model.host import Host
from support import hostile, watch

if t.TYPE_CHECKING:
    from pathlib import Path

RELEASE = "15.1-RELEASE-p1"
JAILS = "/usr/local/jails"
ROOT, STOCK = f"{JAILS}/alice", "/var/stock"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host with victims, with sources, and with a root that was never touched."""
    host = Host(tmp_path_factory.mktemp("host"))
    machine.install(host, "h1", "198.51.100.11")
    machine.boot(host)
    watch.place_victims(host)
    source_tree.write(host, RELEASE)
    archive.write_base(host.path("/base.txz"), RELEASE)
    for line in (
        f"mkdir -p {JAILS} {STOCK}",
        f"tar -xpf /base.txz --no-fflags -C {STOCK}",
        f"mkdir {STOCK}/home/carol",
    ):
        assert host.run(line.split()).rc == 0
    return host


@pytest.fixture
def root(host: Host) -> t.Iterator[hostile.Root]:
    """A fresh copy of that root."""
    Files(host).copy_tree(host.path(STOCK), host.path(JAILS) / "alice")
    root = hostile.Root(host, ROOT)
    yield root
    for place in ("usr/share", "usr/libexec", "etc"):
        host.run(["umount", "-f", f"{ROOT}/{place}"])
    root.flag(".")
    shutil.rmtree(host.path(JAILS) / "alice")


@pytest.fixture
def own(tmp_path: Path) -> Host:
    """A host of the test's own, to be harmed."""
    host = Host(tmp_path)
    machine.install(host, "h1", "198.51.100.11")
    machine.boot(host)
    watch.place_victims(host)
    source_tree.write(host, RELEASE)
    archive.write_base(host.path("/base.txz"), RELEASE)
    for line in (f"mkdir -p {ROOT}", f"tar -xpf /base.txz --no-fflags -C {ROOT}"):
        assert host.run(line.split()).rc == 0
    return host


def look(root: hostile.Root) -> dict[str, object]:
    """Return what the root holds, without following anything; a path that is too long ends the search there."""
    files = Files(root.host)
    found: dict[str, object] = {}
    for folder, folders, names in os.walk(root.path):
        for name in (*folders, *names, "."):
            path = f"{folder}/{name}"
            if len(path) < 3000:
                status = os.lstat(path)
                size = status.st_size if os.path.isfile(path) else 0  # noqa: PTH113
                found[path] = (status.st_mode, status.st_nlink > 1, size, sorted(files.flags_of(root.path, status)))
    return found


def test_there_are_enough_kinds() -> None:
    assert len(hostile.CHOICE) >= 100
    assert len(hostile.KINDS) >= 400


@pytest.mark.parametrize("kind", hostile.CHOICE)
def test_each_trick_changes_the_root_and_nothing_else(host: Host, root: hostile.Root, kind: str) -> None:
    before = look(root)
    with watch.watch(host, ROOT, allowed=(STOCK,)):
        hostile.plant(host, ROOT, kind)
    assert look(root) != before


def test_each_path_that_is_written_is_led_elsewhere_and_nothing_else_happens(host: Host) -> None:
    place = host.path(JAILS) / "alice"
    with watch.watch(host, ROOT, allowed=(STOCK,)):
        for kind in hostile.KINDS.keys() - hostile.CHOICE.keys():
            place.mkdir()
            hostile.plant(host, ROOT, kind)
            assert (place / kind.partition(" ")[0]).is_symlink(), kind
            shutil.rmtree(place)


INSTALL = f"make -C /usr/src installworld DB_FROM_SRC=yes DESTDIR={ROOT}"
CONFIGURE = f"make -C /usr/src distribution DESTDIR={ROOT}"
MERGE = f"etcupdate extract -D {ROOT}"


@pytest.mark.parametrize(
    ("kind", "command", "harm"),
    [
        ("lib -> /", INSTALL, "created /libc.so.7"),
        ("usr -> ../../..", INSTALL, "created /usr/bin/cc"),
        ("etc -> /etc", CONFIGURE, "created /etc/crontab"),
        ("usr/share/man -> up", f"touch {ROOT}/usr/share/man/new", "created /new"),
        ("a chain of links", INSTALL, "created /bin/awk"),
        ("sbin -> victim", INSTALL, f"created {watch.FOLDER}/init"),
        ("sbin -> up", INSTALL, f"created {watch.FOLDER}/init"),
        ("bin -> host", INSTALL, "wrote /bin/cat"),
        ("bin/sh -> folder", INSTALL, f"created {watch.FOLDER}/sh"),
        ("etc/ssl/certs -> victim", INSTALL, f"created {watch.FOLDER}/d8304ce6.0"),
        ("var/db/etcupdate -> victim", MERGE, f"created {watch.FOLDER}/log"),
        ("var/db/etcupdate/log -> victim", MERGE, f"wrote {watch.FILE}"),
        ("var/db/etcupdate/log -> new", MERGE, f"created {watch.VICTIMS}/new"),
        ("the version runs", f"{ROOT}/bin/freebsd-version -u", f"created {watch.RAN}"),
        ("bin/sh is a script", f"{ROOT}/bin/sh", f"created {watch.RAN}"),
    ],
)
def test_who_follows_a_hostile_root_does_harm_that_the_watch_reports(
    own: Host, kind: str, command: str, harm: str
) -> None:
    hostile.plant(own, ROOT, kind)
    watched = watch.Watch(own, ROOT)
    own.run(["sh", "-c", command])
    assert harm in watched.changes()
    with pytest.raises(AssertionError, match="outside of the root: "):
        watched.check()


def test_the_watch_reports_each_kind_of_change_and_what_is_allowed_is_not_one(host: Host) -> None:
    place = host.path("/tmp")
    for name in ("mode", "gone", "text", "kind", "flag", "owner"):
        (place / name).write_text("x\n")
    with pytest.raises(AssertionError) as caught, watch.watch(host, ROOT, allowed=("/tmp/free",)):
        (place / "mode").chmod(0o600)
        (place / "gone").unlink()
        (place / "text").write_text("y\n")
        (place / "kind").unlink()
        (place / "kind").mkdir()
        (place / "made").touch()
        (place / "free").mkdir()
        (place / "free/inside").touch()
        host.run(["chflags", "schg", "/tmp/flag"])
        host.run(["chown", "5:6", "/tmp/owner"])
        host.run(["logger", "the host writes its log"])
    assert str(caught.value).removeprefix("outside of the root: ").split("; ") == [
        "changed the flags of /tmp/flag from () to ('schg',)",
        "changed the mode of /tmp/kind from 644 to 755",
        "changed the mode of /tmp/mode from 644 to 600",
        "changed the owner of /tmp/owner from (0, 0) to (5, 6)",
        "created /tmp/made",
        "removed /tmp/gone",
        "replaced /tmp/kind",
        "wrote /tmp/text",
    ]


def test_a_root_that_nobody_harmed_is_quiet(own: Host) -> None:
    with watch.watch(own, ROOT):
        assert own.run(INSTALL.split()).rc == 0
        assert own.run(CONFIGURE.split()).rc == 0
        assert own.run(MERGE.split()).rc == 0
