# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a customer has in his jail's root, of every kind that a file system holds, and a checksum of all of it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import typing as t
from pathlib import Path

from model.files import Files

if t.TYPE_CHECKING:
    from model.host import Host

# What hier(7) gives to whoever uses the system, and no release touches.
OWNED = ("home", "root", "usr/local", "var/db/mine", "var/mail", "srv", "opt")
# Names that somebody splits, quotes, decodes or normalises sooner or later.
NAMES = (
    "plain",
    " led by a space",
    "trailed by one ",
    "two\nlines",
    "tab\there",
    "-rf",
    "--null",
    "$(id)",
    "`id`",
    "{{ 7 * 7 }}",
    "quote'\"",
    "back\\slash",
    "semi;colon&and|pipe",
    "*?[a-z]",
    "#hash",
    "\u00e4\u00f6\u00fc",
    "a\u0308",
    "\u65e5\u672c\u8a9e",
    "\U0001f419",
    "\u202egnp.exe",
    os.fsdecode(b"latin-1 \xe9"),
    os.fsdecode(b"\xff\xfe\x80"),
    "\x01\x1b[31m",
    ".hidden",
    "n" * 255,
)
MODES = (0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6711, 0o000, 0o666, 0o1777, 0o444)
OWNERS = ((0, 0), (1001, 1001), (80, 80), (65534, 65534), (1001, 0))
FLAGS = ((), ("schg",), ("uchg",), ("nodump",), ("sappnd",), ("sunlnk", "hidden"), ("uarch",))
SPARSE = 1 << 20
DEPTH = 40


class Maker:
    """Makes files below a root by chance, but the same for the same seed."""

    def __init__(self, host: Host, root: str, seed: int) -> None:
        """Begin; the flags come last, or they would hinder what follows."""
        self.files, self.top = Files(host), host.path(root)
        self.chance = random.Random(seed)
        self.flagged: list[tuple[Path, tuple[str, ...]]] = []
        self.regular: list[Path] = []

    def finish(self) -> None:
        """Give the folders times of the past, and the files their flags."""
        for folder in OWNED:
            for path in self.files.walk(self.top / folder):
                if path.is_dir() and not path.is_symlink():
                    os.utime(path, (10**9, 10**9))
        for path, flags in self.flagged:
            self.files.set_flags(path, set(flags))
        self.files.save()

    def fill(self, folder: Path, depth: int = 0) -> None:
        """Put a file of each kind there, and folders with more of them."""
        folder.mkdir(parents=True, exist_ok=True)
        makers = (self._text, self._binary, self._sparse, self._empty, self._hard, self._link, self._fifo)
        names = self.chance.sample(NAMES, len(makers) + 2)
        for make, name in zip(makers, names, strict=False):
            make(folder / name)
        (folder / names[-1]).mkdir()
        self._dress(folder / names[-1])
        if depth < 1:
            self.fill(folder / names[-2], depth + 1)

    def deep(self, folder: Path) -> None:
        """Put a file below many folders."""
        place = folder.joinpath(*("d" * 20 for _unused in range(DEPTH)))
        place.mkdir(parents=True)
        self._text(place / "file")

    def _dress(self, path: Path) -> None:
        """Give a file a mode, an owner, a time, and at the end flags."""
        self.files.chown(path, *self.chance.choice(OWNERS), follow=False)
        path.chmod(self.chance.choice(MODES))
        moment = self.chance.randrange(10**9, 17 * 10**8)
        os.utime(path, (moment, moment))
        flags = self.chance.choice(FLAGS)
        if flags:
            self.flagged.append((path, flags))

    def _regular(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self._dress(path)
        self.regular.append(path)

    def _text(self, path: Path) -> None:
        self._regular(path, "".join(f"line {self.chance.random()}\n" for _unused in range(20)).encode())

    def _binary(self, path: Path) -> None:
        self._regular(path, self.chance.randbytes(self.chance.randrange(1, 70_000)))

    def _empty(self, path: Path) -> None:
        self._regular(path, b"")

    def _sparse(self, path: Path) -> None:
        with path.open("wb") as file:
            file.seek(self.chance.randrange(1, SPARSE // 2))
            file.write(b"in the middle of nothing")
            file.truncate(SPARSE)
        self._dress(path)

    def _hard(self, path: Path) -> None:
        os.link(self.chance.choice(self.regular), path)

    def _link(self, path: Path) -> None:
        path.symlink_to(self.chance.choice(("plain", "../..", "/etc/passwd", "nowhere", path.name[:100], "a b\nc")))
        os.utime(path, (10**9, 10**9), follow_symlinks=False)

    def _fifo(self, path: Path) -> None:
        os.mkfifo(path)
        self._dress(path)


def make(host: Host, root: str, seed: int = 0) -> None:
    """Put possessions into all folders of the root that are the customer's."""
    maker = Maker(host, root, seed)
    for folder in OWNED:
        maker.fill(maker.top / folder)
    maker.deep(maker.top / "home")
    maker.finish()


def catalogue(host: Host, root: str, folders: t.Iterable[str] = OWNED) -> dict[str, tuple[t.Any, ...]]:
    """Return all that is in those folders of the root: path -> kind and mode, owner, flags, time, content, twins.

    ``twins`` are the paths (the first stands for all) that are one file with this one.
    """
    files, top = Files(host), host.path(root)
    found: dict[str, tuple[t.Any, ...]] = {}
    first: dict[tuple[int, int], str] = {}
    for folder in folders:
        for path in files.walk(top / folder) if os.path.lexists(top / folder) else ():
            name = os.fspath(path.relative_to(top))
            status = path.lstat()
            twin = first.setdefault((status.st_dev, status.st_ino), name)
            found[name] = (
                status.st_mode,
                files.owner(status),
                tuple(sorted(files.flags_of(path, status))),
                int(status.st_mtime),
                _content(path, status),
                twin,
            )
    return found


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return os.fspath(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""


def checksum(host: Host, root: str, folders: t.Iterable[str] = OWNED) -> str:
    """Return one number for all that the customer has there."""
    text = json.dumps(sorted(catalogue(host, root, folders).items()))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def room(host: Host, root: str, folders: t.Iterable[str] = OWNED) -> int:
    """Return what the customer's files take on the disk, in bytes: more than before means that holes were filled."""
    top = host.path(root)
    seen = {
        (status.st_dev, status.st_ino): status.st_blocks
        for folder in folders
        for path in Files(host).walk(top / folder)
        if stat.S_ISREG((status := path.lstat()).st_mode)
    }
    return sum(seen.values()) * 512
