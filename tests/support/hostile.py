# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jails' roots as a hostile customer leaves them: a kind for each trick, planted by its function.

What leads out of a root leads to the victims of :mod:`support.watch`, or to folders that host and root both have.
A link to a file never names one that the machine which runs the tests could have.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
import typing as t
from pathlib import Path

from model.files import Files
from support.watch import FIFO, FILE, FOLDER, RAN, VICTIMS

if t.TYPE_CHECKING:
    from model.host import Host

UP = "../" * 20
# Says that the host ran it: in the jail that path is the jail's own.
SCRIPT = f"#!/bin/sh\necho ran >> {RAN}\n"
HUGE = 1 << 40
# Folders of a root that the collection, installworld, etcupdate or pkg write in.
_FOLDER_WORDS = (
    "bin dev etc etc/rc.d etc/ssh etc/ssl etc/ssl/certs home lib libexec root sbin tmp usr usr/bin usr/lib usr/libexec "
    "usr/local usr/sbin usr/share usr/share/certs var var/db var/db/etcupdate var/db/pkg var/log var/run var/tmp"
)
FOLDERS = _FOLDER_WORDS.split()
# Files of a root that they write or read.
_FILE_WORDS = (
    "bin/freebsd-version bin/sh etc/group etc/hosts etc/localtime etc/login.conf etc/login.conf.db etc/master.passwd "
    "etc/master.passwd.new etc/passwd etc/pwd.db etc/rc etc/rc.conf etc/resolv.conf etc/spwd.db etc/ssh/sshd_config "
    "etc/ssl/cert.pem lib/libc.so.7 libexec/ld-elf.so.1 root/.ssh/authorized_keys sbin/init usr/bin/uname "
    "var/db/etcupdate/log var/db/etcupdate/warnings var/db/pkg/local.sqlite var/log/utx.log"
)
FILES = _FILE_WORDS.split()
FOLDER_TARGETS = {"host": "/{path}", "victim": FOLDER, "up": UP + FOLDER.lstrip("/"), "top": "/", "self": "{name}"}
FILE_TARGETS = {
    "victim": FILE,
    "up": UP + FILE.lstrip("/"),
    "new": f"{VICTIMS}/new",
    "fifo": FIFO,
    "folder": FOLDER,
    "device": "/dev/null",
    "self": "{name}",
}
# master.passwd(5)
ROW = "{name}:*:{uid}:{gid}::0:0:{gecos}:/home/{name}:/bin/sh\n"


class Root:
    """A jail's root in the customer's hands: he is root there, so nothing stops him but the model's file system."""

    def __init__(self, host: Host, name: str) -> None:
        """Keep the host and the root's path on it."""
        self.host, self.name = host, name
        self.path = host.path(name)

    def clear(self, path: str) -> Path:
        """Make room for something at that path and return the place; folders above that are missing are made."""
        place = self.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        files = Files(self.host)
        if files.is_mount(place):
            # Nobody can remove a mount point: whoever came here found the jail stopped.
            done = self.host.run(["umount", f"{self.name}/{path}"])
            assert done.rc == 0, done.err
            files = Files(self.host)
        for each in files.walk(place) if os.path.lexists(place) else ():
            if files.flags_of(each):
                files.set_flags(each, set())
        files.save()
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        return place

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link there."""
        self.clear(path).symlink_to(target)

    def file(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Put a file there."""
        place = self.clear(path)
        place.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogateescape"))
        place.chmod(mode)

    def append(self, path: str, text: str) -> None:
        """Add to the end of a file."""
        old = (self.path / path).read_bytes() if (self.path / path).is_file() else b""
        self.file(path, old + text.encode(errors="surrogateescape"))

    def fifo(self, path: str) -> None:
        """Put a fifo there, from which nothing ever comes."""
        os.mkfifo(self.clear(path))

    def folder(self, path: str) -> None:
        """Put a folder with something in it there."""
        place = self.clear(path)
        place.mkdir()
        (place / "mine").write_text("mine\n")

    def sparse(self, path: str) -> None:
        """Put a file there that takes no room and reads as a terabyte."""
        place = self.clear(path)
        place.touch()
        os.truncate(place, HUGE)

    def flag(self, path: str, *flags: str) -> None:
        """Give a file these flags, as only securelevel could forbid."""
        files = Files(self.host)
        files.set_flags(self.path / path, set(flags))
        files.save()

    def mount(self, kind: str, source: str, path: str) -> None:
        """Mount something there, as a jail may that has allow.mount: a source of nullfs is a folder of the root."""
        origin = f"{self.name}/{source}" if kind == "nullfs" else source
        done = self.host.run(["mount", "-t", kind, origin, f"{self.name}/{path}"])
        assert done.rc == 0, done.err


Plant = t.Callable[[Root], None]


def _linked(path: str, target: str) -> Plant:
    return lambda root: root.link(path, target.format(path=path, name=path.rpartition("/")[2]))


def _links() -> t.Iterator[tuple[str, Plant]]:
    """Yield a kind for each path that is written or read, and each way to lead it elsewhere."""
    for paths, targets in ((FOLDERS, FOLDER_TARGETS), (FILES, FILE_TARGETS)):
        for path in paths:
            for word, target in targets.items():
                yield f"{path} -> {word}", _linked(path, target)


def _chain(root: Root) -> None:
    root.link("usr", "usr2")
    root.link("usr2", "usr3")
    root.link("usr3", "../../../..")


def _circle(root: Root) -> None:
    root.link("etc", "etc2")
    root.link("etc2", "etc")


def _deep(root: Root) -> None:
    """Make a path that is longer than any system call takes."""
    place = root.clear("home/deep")
    place.mkdir(parents=True)
    here = os.open(place, os.O_RDONLY)
    for _unused in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _hard_link(root: Root) -> None:
    """Let a program and a file of the customer be one: what is written into the one is in the other."""
    root.file("home/mine", "mine\n", 0o755)
    os.link(root.path / "home/mine", root.clear("bin/cat"))


def _missing(path: str) -> Plant:
    def remove(root: Root) -> None:
        root.clear(path)

    return remove


def _immutable(path: str, *flags: str) -> Plant:
    return lambda root: root.flag(path, *flags)


def _row(name: str, uid: str = "1001", gecos: str = "x") -> str:
    return ROW.format(name=name, uid=uid, gid=uid, gecos=gecos)


def _version(text: str) -> Plant:
    return lambda root: root.file("bin/freebsd-version", f'{SCRIPT}USERLAND_VERSION="{text}"\n', 0o555)


# Names of files: lines, escapes, templates, shell, options, no UTF-8, as long as can be.
NAMES = {
    "newline": "a\nb",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "template": "{{ lookup('pipe', 'touch /var/victims/ran') }}",
    "shell": "$(touch /var/victims/ran);`touch /var/victims/ran`",
    "option": "-C",
    "long option": "--use-compress-program=touch",
    "percent": "%s%n%x",
    "bytes": os.fsdecode(b"\xff\xfe"),
    "long": "n" * 255,
    "space": " a  b ",
    "override": "\u202egnp.exe",
    "star": "*",
    "tilde": "~root",
}

# What certctl(8) reads and cleans in the course of installworld.
CERTIFICATES: dict[str, Plant] = {
    "certificates are all files of the host": _linked("usr/local/share/certs/all", "/"),
    "other certificates are the host's": _linked("etc/ssl/untrusted", "/var/victims"),
    "more certificates are the host's": _linked("usr/local/share/certs", "/var/victims"),
    "a certificate is the host's secret": _linked("usr/share/certs/trusted/mine.pem", FILE),
    "a certificate is a fifo": lambda root: root.fifo("usr/share/certs/trusted/mine.pem"),
}

# The tricks that are no link of one path. A name says what is where.
TRICKS: dict[str, Plant] = {
    "lib -> /": _linked("lib", "/"),
    "usr -> ../../..": _linked("usr", "../../.."),
    "etc -> /etc": _linked("etc", "/etc"),
    "usr/share/man -> up": _linked("usr/share/man", UP),
    "a chain of links": _chain,
    "a circle of links": _circle,
    "no bin/sh": _missing("bin/sh"),
    "bin/sh is a script": lambda root: root.file("bin/sh", SCRIPT, 0o755),
    "bin/sh is rubbish": lambda root: root.file("bin/sh", b"\x7fELF\0\0", 0o755),
    "bin/sh is setuid": lambda root: (root.path / "bin/sh").chmod(0o4777),
    "no etc/rc": _missing("etc/rc"),
    "etc/rc never ends": lambda root: root.file("etc/rc", "#!/bin/sh\nwhile :; do sleep 1; done\n"),
    "etc/rc fails": lambda root: root.file("etc/rc", "#!/bin/sh\nexit 1\n"),
    "etc/rc.shutdown never ends": lambda root: root.file("etc/rc.shutdown", "#!/bin/sh\nwhile :; do sleep 1; done\n"),
    "usr/sbin/pw never ends": lambda root: root.file("usr/sbin/pw", "#!/bin/sh\nwhile :; do sleep 1; done\n", 0o755),
    "usr/sbin/pw lies": lambda root: root.file("usr/sbin/pw", "#!/bin/sh\nexit 0\n", 0o755),
    "usr/sbin/pw fails": lambda root: root.file("usr/sbin/pw", "#!/bin/sh\necho no >&2\nexit 64\n", 0o755),
    "usr/sbin/pw tells": lambda root: root.file("usr/sbin/pw", "#!/bin/sh\ncat\ncat >&2\n", 0o755),
    "etc/rc is of two minds": lambda root: root.append("etc/rc", "exit 1\n<<<<<<< yours\n"),
    "passwd has a name twice": lambda root: root.append("etc/master.passwd", _row("carol") + _row("carol", "1002")),
    "passwd has a second root": lambda root: root.append("etc/master.passwd", _row("admin", "0")),
    "passwd has negative numbers": lambda root: root.append("etc/master.passwd", _row("carol", "-1")),
    "passwd has large numbers": lambda root: root.append("etc/master.passwd", _row("carol", "99999999999")),
    "passwd has a long line": lambda root: root.append("etc/master.passwd", _row("carol", gecos="x" * 70_000)),
    "passwd has a template": lambda root: root.append("etc/master.passwd", _row("carol", gecos="{{ 7 * 7 }}$(id)")),
    "passwd has escapes": lambda root: root.append("etc/master.passwd", _row("ca\x1b[2Jrol")),
    "passwd has a row too short": lambda root: root.append("etc/master.passwd", "carol:*:1001\n"),
    "passwd is no text": lambda root: root.file("etc/master.passwd", b"\xff\xfe\0\n" * 9, 0o600),
    "passwd is empty": lambda root: root.file("etc/master.passwd", "", 0o600),
    "no passwd": _missing("etc/master.passwd"),
    "group has a name twice": lambda root: root.append("etc/group", "carol:*:1001:\ncarol:*:1002:root\n"),
    "the version is newer than any": _version("99.9-RELEASE"),
    "the version is old": _version("4.4-RELEASE"),
    "the version is empty": _version(""),
    "the version runs": _version(f"$(touch {RAN})"),
    "the version is a template": _version("{{ lookup('env', 'HOME') }}"),
    "the version has lines": _version('15.1-RELEASE"\nUSERLAND_VERSION="15.2-RELEASE'),
    "the version has escapes": _version("15.1-RELEASE\x1b[2J"),
    "there is no version": lambda root: root.file("bin/freebsd-version", SCRIPT, 0o555),
    "a huge etc/rc.conf": lambda root: root.sparse("etc/rc.conf"),
    "a huge etc/master.passwd": lambda root: root.sparse("etc/master.passwd"),
    "a huge bin/freebsd-version": lambda root: root.sparse("bin/freebsd-version"),
    "a huge file of the customer": lambda root: root.sparse("home/huge"),
    "a deep tree": _deep,
    "a program is a file of the customer": _hard_link,
    "a setuid program": lambda root: root.file("usr/local/bin/become", SCRIPT, 0o4755),
    "etc is immutable": _immutable("etc", "schg"),
    "etc/rc is immutable": _immutable("etc/rc", "schg"),
    "etc/master.passwd is immutable": _immutable("etc/master.passwd", "uchg"),
    "bin is immutable": _immutable("bin", "schg"),
    "bin/sh is held": _immutable("bin/sh", "sunlnk"),
    "bin/cat can only grow": _immutable("bin/cat", "sappnd"),
    "lib/libc.so.7 has all flags": _immutable("lib/libc.so.7", "schg", "uchg", "sappnd", "uappnd", "sunlnk", "uunlnk"),
    "the root is immutable": _immutable(".", "schg"),
    "a tmpfs over usr/share": lambda root: root.mount("tmpfs", "tmpfs", "usr/share"),
    "home over usr/libexec": lambda root: root.mount("nullfs", "home", "usr/libexec"),
    "lib over etc": lambda root: root.mount("nullfs", "lib", "etc"),
    "conflicts are left": lambda root: root.file("var/db/etcupdate/conflicts/etc/rc", "<<<<<<< yours\n"),
    "the old tree is a lie": lambda root: root.file("var/db/etcupdate/current/etc/rc", "never there\n"),
    "the work folder is a file": lambda root: root.file("var/db/etcupdate", "mine\n"),
    "etc/pkg/FreeBSD.conf leads elsewhere": lambda root: root.file("etc/pkg/FreeBSD.conf", 'X: { url: "file:///" }\n'),
}


def _at(path: str, plant: t.Callable[[Root, str], None]) -> Plant:
    return lambda root: plant(root, path)


def _script(path: str) -> Plant:
    return lambda root: root.file(path, SCRIPT, 0o755)


def _in_place() -> t.Iterator[tuple[str, Plant]]:
    """Yield kinds that have something else than a file where a file belongs, and a file where a folder belongs."""
    for path in ("bin/freebsd-version", "bin/sh", "etc/master.passwd", "etc/rc", "etc/rc.conf", "lib/libc.so.7"):
        yield f"{path} is a fifo", _at(path, Root.fifo)
        yield f"{path} is a folder", _at(path, Root.folder)
    for path in ("etc", "lib", "tmp", "usr/share", "var/db"):
        yield f"{path} is a file", _script(path)
        yield f"{path} is a fifo", _at(path, Root.fifo)
    for path in ("root/.ssh/authorized_keys", "var/db/etcupdate/log", "var/db/etcupdate/warnings"):
        yield f"{path} is a fifo", _at(path, Root.fifo)


def _named() -> t.Iterator[tuple[str, Plant]]:
    """Yield kinds that have files with such names among the system's and among the customer's."""
    for word, name in NAMES.items():
        for folder in ("home", "etc", "usr/bin"):
            yield f"a name in {folder}: {word}", _script(f"{folder}/{name}")


# Those that are quick to go through, and all.
CHOICE: dict[str, Plant] = TRICKS | CERTIFICATES | dict(_in_place()) | dict(_named())
KINDS: dict[str, Plant] = CHOICE | dict(_links())


@contextlib.contextmanager
def _changing(root: Root, path: str) -> t.Iterator[None]:
    """Have a file be by turns itself and a link to the host's secret, or to a fifo, as fast as can be."""
    place, over = root.path / path, threading.Event()
    content = place.read_bytes()

    def change() -> None:
        new = place.with_name(f"{place.name}.next")
        while not over.is_set():
            for target in (FILE, None, UP + FILE.lstrip("/"), None, FIFO, None):
                new.unlink(missing_ok=True)
                if target is None:
                    new.write_bytes(content)
                else:
                    new.symlink_to(target)
                new.replace(place)
                # The others have to come to something, too.
                time.sleep(0.0002)

    customer = threading.Thread(target=change, daemon=True)
    customer.start()
    try:
        yield
    finally:
        over.set()
        customer.join()


# What a customer does while his jail runs: files that change while they are read.
MOVING: dict[str, t.Callable[[Root], contextlib.AbstractContextManager[None]]] = {
    f"{path} changes all the time": functools.partial(_changing, path=path)
    for path in ("bin/freebsd-version", "etc/master.passwd", "etc/passwd", "root/.ssh/authorized_keys", "etc/rc.conf")
}


@contextlib.contextmanager
def planted(host: Host, root: str, kind: str) -> t.Iterator[None]:
    """Turn the root into a hostile one of that kind, and keep it hostile meanwhile."""
    with MOVING[kind](Root(host, root)) if kind in MOVING else contextlib.nullcontext():
        if kind not in MOVING:
            plant(host, root, kind)
        yield


def plant(host: Host, root: str, kind: str) -> None:
    """Turn the root into a hostile one of that kind."""
    KINDS[kind](Root(host, root))
