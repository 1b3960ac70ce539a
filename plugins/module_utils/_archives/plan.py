# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that each retired jail has its archive, and none is kept for longer than it shall be.

An archive is packed under another name and gets its own when it has been read again, so what bears an archive's name
is whole, wherever a run was cut off.
"""

from __future__ import annotations

import datetime
import errno
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._archives.parse import Entry, parse_checksum
from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import (
    CHECKSUM,
    checksum_line,
    half_made,
    tar,
)
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Change,
    Host,
    MakeFolder,
    Move,
    Plan,
    Remove,
    Run,
    Step,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._archives.model import Archive, Wish

# So much of what tar says is shown: names in it are a customer's.
SHOWN_LINES, SHOWN_CHARACTERS = 3, 500


@dataclass(frozen=True)
class Actual:
    """What is. `roots` are the kinds of the roots by jail (`Files.kind`), `users` the running jails by retired jail.

    `folder` is the kind of the folder, `private` whether it is root's alone. `entries` are our files in it by name,
    `digests` what the checksums' files say and `sizes` (bytes) of the archives, both by archive.
    """

    roots: dict[str, str]
    users: dict[str, str]
    folder: str
    private: bool
    entries: dict[str, Entry]
    digests: dict[str, str]
    sizes: dict[str, int]
    now: datetime.datetime


@dataclass(frozen=True)
class Seal:
    """Write the checksum of an archive that is packed, and read it again: what was written is what is on the disk."""

    half: str
    checksum: str
    archive: str
    subject: str

    def apply(self, host: Host) -> str:
        """Do it; raise OSError if the archive cannot be read twice alike."""
        host.files.sync(self.half)
        digest = host.files.sha256(self.half) or ""
        host.files.write(self.checksum, checksum_line(digest, self.archive), 0o600)
        if host.files.sha256(self.half) != parse_checksum(host.files.read(self.checksum), self.archive):
            raise OSError(errno.EIO, "it does not read twice alike: see to the disk")
        return ""

    def __str__(self) -> str:
        """Show the checksum's name."""
        return f"write {self.checksum}"


def plan(wish: Wish, actual: Actual) -> Plan:
    """Return the steps: the folder, what may go, then the archives side by side."""
    if actual.folder == "other":
        text = f"folder: {wish.folder} is not a folder (a link is none); correct it or name another"
        return Plan(refused=(("", text),), notes={"archives": {}})
    refused = dict(_refused(wish, actual))
    new = [each for each in wish.archives.values() if not _whole(each.file, actual) and each.name not in refused]
    expired = [entry for entry in actual.entries.values() if _is_expired(entry, wish, actual)]
    folder = _folder(wish, actual) if wish.archives else ()
    return Plan(
        steps=(
            *folder,
            *_removals(expired, wish, actual),
            *_side_by_side(new, wish, actual),
        ),
        changes=(
            *([Change(f"folder {wish.folder}", None, "root's alone\n")] if folder else ()),
            *[Change(f"archive {wish.place(e.archive)}", _kept(e, wish), None) for e in expired if e.kind == "archive"],
            *[Change(f"archive {wish.place(each.file)}", None, f"all of {each.path}\n") for each in new],
        ),
        refused=tuple(refused.items()),
        notes={"archives": {each.name: _told(each, wish, actual) for each in wish.archives.values()}},
    )


def _whole(archive: str, actual: Actual) -> bool:
    return archive in actual.entries and archive in actual.digests


def _refused(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    """Tell of each root that must not or cannot be packed."""
    for name, archive in wish.archives.items():
        kind, place = actual.roots[name], wish.place(archive.file)
        if _whole(archive.file, actual):
            continue
        if name in actual.users:
            yield name, f"the jail {actual.users[name]} runs in {archive.path}; stop it first"
        elif kind == "missing" and archive.file in actual.entries:
            yield name, f"{place}{CHECKSUM} is missing or damaged, and {archive.path} is gone; look at the archive"
        elif kind == "missing":
            yield name, f"{archive.path} is gone, and there is no {place}; nothing is left to keep of it"
        elif kind == "empty":
            yield name, f"{archive.path} is empty; if it is a dataset's mount point, mount that"
        elif kind == "other":
            yield name, f"{archive.path} is not a folder; a jail's root must be one"


def _is_expired(entry: Entry, wish: Wish, actual: Actual) -> bool:
    """Whether a file is to go: half made, or too old and of no jail that has its record still."""
    wanted = {archive.file for archive in wish.archives.values()}
    if entry.kind == "half-made":
        return entry.archive not in wanted or _whole(entry.archive, actual)
    return entry.archive not in wanted and wish.until(entry.retired) < actual.now


def _folder(wish: Wish, actual: Actual) -> tuple[Step, ...]:
    if actual.folder == "missing":
        return (MakeFolder(wish.folder, 0o700),)
    if actual.private:
        return ()
    return (
        Run(Command(("chown", "root:wheel", wish.folder))),
        Run(Command(("chmod", "700", wish.folder))),
    )


def _removals(expired: list[Entry], wish: Wish, actual: Actual) -> list[Remove]:
    files = {entry: file for file, entry in actual.entries.items()}
    return [Remove(wish.place(files[entry]), entry.name) for entry in expired]


def _side_by_side(new: list[Archive], wish: Wish, actual: Actual) -> tuple[Branches, ...]:
    branches = tuple(_pack(archive, wish, actual) for archive in new)
    undo = tuple(
        (Remove(wish.place(half_made(archive.file)), archive.name), *_mount("unmount", archive)) for archive in new
    )
    return (Branches(branches, undo, wish.at_once),) if new else ()


def _mount(action: str, archive: Archive) -> tuple[Step, ...]:
    """Mount a stopped jail's image, or unmount it; nothing for other roots."""
    return (Run(script(action, archive.image, archive.path), archive.name),) if archive.image else ()


def _pack(archive: Archive, wish: Wish, actual: Actual) -> tuple[Step, ...]:
    half, name = wish.place(half_made(archive.file)), archive.name
    place = wish.place(archive.file)
    return (
        *([Remove(half, name)] if half_made(archive.file) in actual.entries else ()),
        *_mount("mount", archive),
        Run(tar(archive.path, half), name, explain=lambda said: _explain(said, wish.folder)),
        *_mount("unmount", archive),
        Seal(half, place + CHECKSUM, archive.file, name),
        Move(half, place, name),
    )


def _explain(said: str, folder: str) -> str:
    """Return the end of what tar said, and what it does not say of a full disk."""
    lines = [line if line.isprintable() else repr(line) for line in said.splitlines()[-SHOWN_LINES:]]
    full = f" ({os.strerror(errno.ENOSPC)}? `df -h {folder}` tells)" if "Write error" in said else ""
    return " / ".join(lines)[-SHOWN_CHARACTERS:] + full


def _kept(entry: Entry, wish: Wish) -> str:
    return f"kept until {wish.until(entry.retired):%Y-%m-%d}\n"


def _told(archive: Archive, wish: Wish, actual: Actual) -> dict[str, t.Any]:
    """Return what the result says of an archive; bytes and sha256 are None until there is one."""
    whole = _whole(archive.file, actual)
    return {
        "path": wish.place(archive.file),
        "bytes": actual.sizes[archive.file] if whole else None,
        "sha256": actual.digests[archive.file] if whole else None,
        "until": f"{wish.until(archive.retired):%Y-%m-%d}",
    }
