# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder's content as bytes and back: what stands in the model's disk images and ZFS streams."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from model.files import Files


def pack(files: Files, folder: Path) -> bytes:
    """Return all that lies below the folder, with its own attributes."""
    entries: list[list[t.Any]] = []
    parts: list[bytes] = []
    first: dict[int, str] = {}
    _collect(files, folder, "", (entries, parts, first))
    head = json.dumps(entries).encode()
    return b"%d\n" % len(head) + head + b"".join(parts)


def _collect(files: Files, path: Path, name: str, into: tuple[list[list[t.Any]], list[bytes], dict[int, str]]) -> None:
    entries, parts, first = into
    status = os.lstat(path)
    mode = status.st_mode
    data: bytes | None = None
    link = ""
    if stat.S_ISLNK(mode):
        link = os.readlink(path)
    elif stat.S_ISREG(mode) and status.st_nlink > 1 and status.st_ino in first:
        link, mode = first[status.st_ino], 0
    elif stat.S_ISREG(mode):
        first[status.st_ino] = name
        data = path.read_bytes()
        parts.append(data)
    flags = sorted(files.flags_of(path, status))
    size = len(data) if data is not None else 0
    entries.append([name, mode, *files.owner(status), status.st_mtime_ns, size, link, flags])
    if stat.S_ISDIR(mode):
        for child in files.names(path):
            _collect(files, path / child, f"{name}/{child}" if name else child, into)


def unpack(files: Files, data: bytes, folder: Path) -> None:
    """Make the folder (it must not exist) with the content that :func:`pack` returned."""
    head, _unused, rest = data.partition(b"\n")
    length = int(head)
    entries = json.loads(rest[:length])
    place = length
    folders = []
    for name, mode, uid, gid, mtime, size, link, flags in entries:
        path = folder / name if name else folder
        attributes = (path, mode, uid, gid, mtime, flags)
        if stat.S_ISDIR(mode):
            path.mkdir()
            folders.append(attributes)
            continue
        if mode == 0:
            os.link(folder / link, path)
            continue
        if stat.S_ISLNK(mode):
            path.symlink_to(link)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(path)
        else:
            path.write_bytes(rest[place : place + size])
        place += size
        _restore(files, attributes)
    for attributes in reversed(folders):
        _restore(files, attributes)


def _restore(files: Files, attributes: tuple[Path, int, int, int, int, list[str]]) -> None:
    path, mode, uid, gid, mtime, flags = attributes
    if (uid, gid) != (0, 0):
        files.chown(path, uid, gid, follow=False)
    if not stat.S_ISLNK(mode):
        path.chmod(stat.S_IMODE(mode))
    os.utime(path, ns=(mtime, mtime), follow_symlinks=False)
    if flags:
        files.set_flags(path, flags)
