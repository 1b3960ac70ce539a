# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tar -c."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import typing as t

from model import zstd
from model.command import Exit
from model.files import Files, account_names, reason
from model.tar import DELAYED, FORMATS, Flags, excluded, listed, patterns
from model.userland import check_open

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context
    from model.host import State

SUFFIXES = {
    ".gz": "gz",
    ".tgz": "gz",
    ".xz": "xz",
    ".txz": "xz",
    ".bz2": "bz2",
    ".tbz": "bz2",
    ".tar": "",
    ".zst": "zst",
    ".tzst": "zst",
}


def create(ctx: Context, flags: Flags, operands: list[tuple[str, str]]) -> int:
    """Write an archive of the operands."""
    folder = os.path.join(*flags["C"]) if "C" in flags else ""
    operands = [*operands, *((line, folder) for line in listed(ctx, flags))]
    if not operands:
        raise Exit(1, "no files or directories specified")
    name = flags.get("f", ["/dev/sa0"])[-1]
    kind = "gz" if "z" in flags else "xz" if "J" in flags else "bz2" if flags.keys() & {"j", "y"} else ""
    kind = "zst" if "zstd" in flags else kind
    if "a" in flags:
        kind = next((each for suffix, each in SUFFIXES.items() if name.endswith(suffix)), "")
    form = flags.get("format", ["paxr"])[-1]
    if form not in FORMATS:
        raise Exit(1, f"the model does not know --format {form}")
    data = io.BytesIO()
    mode = t.cast(t.Literal["w:gz"], f"w:{'' if kind == 'zst' else kind}")
    with tarfile.open(fileobj=data, mode=mode, format=tarfile.PAX_FORMAT) as archive:
        writer = _Writer(ctx, flags, archive)
        for word, folder in operands:
            writer.operand(word, folder)
    content = zstd.compress(data.getvalue()) if kind == "zst" else data.getvalue()
    if name == "-":
        ctx.out.flush()
        ctx.out.buffer.write(content)
    else:
        try:
            _store(ctx, name, content)
        except OSError:
            raise Exit(1, f"Failed to open '{name}'") from None
    if writer.status:
        ctx.warn(DELAYED)
    return writer.status


def _store(ctx: Context, name: str, content: bytes) -> None:
    """Write the archive's file; on a full file system as much of it as there is room for."""
    files, path = Files(ctx.host), ctx.path(name)
    check_open(files, path)
    room = files.room(path)
    fits = room is None or len(content) <= room
    path.write_bytes(content if fits else content[: max(room or 0, 0)])
    if not fits:
        # libarchive knows why, bsdtar does not say it.
        raise Exit(1, "Write error")


class _Writer:
    def __init__(self, ctx: Context, flags: Flags, archive: tarfile.TarFile) -> None:
        self.ctx, self.flags, self.archive, self.status = ctx, flags, archive, 0
        self.files = Files(ctx.host)
        self.excluded = patterns(ctx, flags)
        self.told_slash = False
        self.mount: State | None = None
        self.first: dict[int, str] = {}
        numeric = "numeric-owner" in flags
        self.users = {} if numeric else account_names(ctx)
        self.groups = {} if numeric else account_names(ctx, "group")

    def operand(self, word: str, folder: str) -> None:
        if folder and not self.ctx.path(folder).is_dir():
            raise Exit(1, f"could not chdir to '{folder}'")
        path = self.ctx.path(os.path.join(folder, word), follow="H" in self.flags or "L" in self.flags)
        if not os.path.lexists(path):
            self.ctx.warn(f"{word}: Cannot stat: No such file or directory")
            self.status = 1
            return
        self.mount = self.files.mount_of(path)
        self._add(word, path)

    def _add(self, name: str, path: Path) -> None:
        if excluded(name, self.excluded):
            return
        stored = name
        if stored.startswith("/") and "P" not in self.flags:
            if not self.told_slash:
                self.ctx.warn("Removing leading '/' from member names")
                self.told_slash = True
            stored = stored.lstrip("/") or "."
        try:
            status = path.stat() if "L" in self.flags and path.exists() else os.lstat(path)
        except OSError as error:
            self.ctx.warn(f"{name}: Cannot stat: {reason(error)}")
            self.status = 1
            return
        if stat.S_ISSOCK(status.st_mode):
            self.ctx.warn(f"{name}: tar format cannot archive socket")
            return
        self._member(stored, path, status)
        if "v" in self.flags:
            self.ctx.err.write(f"a {name}\n")
        if stat.S_ISDIR(status.st_mode) and "n" not in self.flags:
            if "one-file-system" in self.flags and self.files.mount_of(path) != self.mount:
                # The folder itself is an entry all the same.
                return
            for child in self.files.names(path):
                self._add(f"{name.rstrip('/')}/{child}", path / child)

    def _member(self, name: str, path: Path, status: os.stat_result) -> None:
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        info.uid, info.gid = self.files.owner(status)
        for field in ("uid", "gid"):
            if field in self.flags:
                setattr(info, field, int(self.flags[field][-1]))
        info.uname, info.gname = self.users.get(info.uid, ""), self.groups.get(info.gid, "")
        flags = self.files.flags_of(path, status)
        if flags and "no-fflags" not in self.flags:
            info.pax_headers = {"SCHILY.fflags": ",".join(sorted(flags))}
        if stat.S_ISDIR(status.st_mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
        elif stat.S_ISFIFO(status.st_mode):
            info.type = tarfile.FIFOTYPE
        elif status.st_nlink > 1 and status.st_ino in self.first:
            info.type, info.linkname = tarfile.LNKTYPE, self.first[status.st_ino]
        elif stat.S_ISREG(status.st_mode):
            self.first[status.st_ino] = name
            self._regular(info, path, status)
            return
        self.archive.addfile(info)

    def _regular(self, info: tarfile.TarInfo, path: Path, status: os.stat_result) -> None:
        """Add a file's content; of one with holes what is between them, in GNU's form 1.0, as bsdtar does."""
        with path.open("rb") as file:
            if status.st_blocks * 512 >= status.st_size:
                info.size = status.st_size
                self.archive.addfile(info, file)
                return
            parts = list(_parts(file.fileno(), status.st_size))
            listed = "".join(f"{number}\n" for number in [len(parts), *(each for part in parts for each in part)])
            data = listed.encode()
            data += bytes(-len(data) % tarfile.BLOCKSIZE)
            for start, length in parts:
                file.seek(start)
                data += file.read(length)
        form = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": info.name}
        info.pax_headers = {**info.pax_headers, **form, "GNU.sparse.realsize": str(status.st_size)}
        info.size = len(data)
        self.archive.addfile(info, io.BytesIO(data))


def _parts(descriptor: int, size: int) -> t.Iterator[tuple[int, int]]:
    """Yield start and length of what is between a file's holes, and at its end nothing, so that its size is told."""
    place = 0
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
        except OSError:
            # Nothing but a hole up to the end.
            break
        place = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, place - start
    yield size, 0
