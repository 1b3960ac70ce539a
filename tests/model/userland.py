# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that make, change and remove files: cat, tee, mkdir, rm, ln, touch, chmod, chown, chflags, truncate."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import typing as t

from model.command import Exit, options
from model.files import FLAG_NAMES, Files, account_id, fail, new_mode, reason

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

# Of the machine that the model runs on.
PATH_MAX = 4096
# Room is taken by such blocks, in bytes.
BLOCK = 4096

CAT = "usage: cat [-belnstuv] [file ...]\n"
TEE = "usage: tee [-ai] [file ...]\n"
MKDIR = "usage: mkdir [-pv] [-m mode] directory_name ...\n"
RMDIR = "usage: rmdir [-pv] directory ...\n"
RM = "usage: rm [-f | -i] [-dIPRrvWx] file ...\n       unlink [--] file\n"
LN = """usage: ln [-s [-F] | -L | -P] [-f | -i] [-hnv] source_file [target_file]
       ln [-s [-F] | -L | -P] [-f | -i] [-hnv] source_file ... target_dir
"""
TOUCH = """usage: touch [-A [-][[hh]mm]SS] [-achm] [-r file] [-t [[CC]YY]MMDDhhmm[.SS]]
       [-d YYYY-MM-DDThh:mm:SS[.frac][tz]] file ...
"""
CHMOD = "usage: chmod [-fhv] [-R [-H | -L | -P]] mode file ...\n"
CHOWN = """usage: chown [-fhvx] [-R [-H | -L | -P]] owner[:group] file ...
       chown [-fhvx] [-R [-H | -L | -P]] :group file ...
"""
CHGRP = "usage: chgrp [-fhvx] [-R [-H | -L | -P]] group file ...\n"
CHFLAGS = "usage: chflags [-fhvx] [-R [-H | -L | -P]] flags file ...\n"
FSYNC = "usage: fsync file ...\n"
TRUNCATE = """usage: truncate [-c] -s [+|-|%|/]size[K|k|M|m|G|g|T|t] file ...
       truncate [-c] -r rfile file ...
       truncate [-c] -d [-o offset[K|k|M|m|G|g|T|t]] -l length[K|k|M|m|G|g|T|t] file ...
"""
EX_USAGE = 64
UNITS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}


def write_bytes(ctx: Context, data: bytes) -> None:
    """Write raw bytes to standard output."""
    ctx.out.flush()
    ctx.out.buffer.write(data)


def usage(ctx: Context, text: str, status: int = 1) -> t.NoReturn:
    """End with the usage text."""
    ctx.err.write(text)
    raise Exit(status)


class Each:
    """Does something with each operand; an operating system's error is reported as warn(3) does and makes status 1."""

    def __init__(self, ctx: Context) -> None:
        """Begin with status 0."""
        self.ctx = ctx
        self.status = 0

    def __call__(self, name: str, action: t.Callable[[], object]) -> None:
        """Do ``action``."""
        try:
            action()
        except OSError as error:
            self.ctx.warn(f"{name}: {reason(error)}")
            self.status = 1


def size(text: str) -> int | None:
    """Read a size as expand_number(3) does."""
    unit = UNITS.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    return int(digits) * 1024**unit if digits.isdigit() else None


# Content --------------------------------------------------------------------------------------------------------------


def cat(ctx: Context) -> int:
    """cat(1)."""
    flags, names = options(ctx, "SbelnstuUv", CAT)
    each = Each(ctx)
    numbering = _Numbering("b" in flags, "s" in flags)

    def show(name: str) -> None:
        data = ctx.stdin.read() if name == "-" else read(ctx, name)
        if flags.keys() & {"n", "b", "s"}:
            data = numbering.apply(data, number=bool(flags.keys() & {"n", "b"}))
        if flags.keys() & {"e", "t", "v"}:
            data = _visible(data, ends="e" in flags, tabs="t" in flags)
        write_bytes(ctx, data)

    for name in names or ["-"]:
        each("stdin" if name == "-" else name, lambda name=name: show(name))  # type: ignore[misc]
    return each.status


def read(ctx: Context, name: str) -> bytes:
    """Read a whole file."""
    path = ctx.path(name)
    if path.is_dir():
        raise fail(errno.EISDIR, name)
    return path.read_bytes()


class _Numbering:
    def __init__(self, only_filled: bool, squeeze: bool) -> None:
        self.only_filled, self.squeeze = only_filled, squeeze
        self.line = 0
        self.blank = False

    def apply(self, data: bytes, *, number: bool) -> bytes:
        out = []
        for line in data.splitlines(keepends=True):
            empty = line == b"\n"
            if self.squeeze and empty and self.blank:
                continue
            self.blank = empty
            if number and not (self.only_filled and empty):
                self.line += 1
                out.append(b"%6d\t" % self.line)
            out.append(line)
        return b"".join(out)


def _visible(data: bytes, *, ends: bool, tabs: bool) -> bytes:
    out = []
    for byte in data:
        if byte == 10:
            out.append(b"$\n" if ends else b"\n")
        elif byte == 9:
            out.append(b"^I" if tabs else b"\t")
        else:
            low = byte & 0x7F
            shown = b"^%c" % (low ^ 0x40) if low < 32 or low == 127 else b"%c" % low
            out.append((b"M-" if byte > 127 else b"") + shown)
    return b"".join(out)


def tee(ctx: Context) -> int:
    """tee(1)."""
    flags, names = options(ctx, "ai", TEE)
    data = ctx.stdin.read()
    write_bytes(ctx, data)
    each, files = Each(ctx), Files(ctx.host)
    for name in names:
        each(name, lambda name=name: write(files, ctx.path(name), data, append="a" in flags))  # type: ignore[misc]
    return each.status


def write(files: Files, path: Path, data: bytes, *, append: bool = False) -> None:
    """Write a file's content as far as its flags and its file system let."""
    check_open(files, path)
    with path.open("ab" if append else "wb") as file:
        file.write(data)


def check_open(files: Files, path: Path) -> None:
    """Raise what open(2) for writing raises."""
    if path.is_dir():
        raise fail(errno.EISDIR, path)
    if path.exists():
        files.check_write(path)
    else:
        files.check_create(path)


def truncate(ctx: Context) -> int:
    """truncate(1)."""
    flags, names = options(ctx, "cdl:o:r:s:", TRUNCATE)
    if not names or ("s" in flags) == ("r" in flags):
        usage(ctx, TRUNCATE)
    each, files = Each(ctx), Files(ctx.host)
    text = flags.get("s", [""])[-1]
    sign = text[:1] if text[:1] in "+-%/" else ""
    wanted = size(text.lstrip("+-%/")) if text else ctx.path(flags["r"][-1]).stat().st_size
    if wanted is None:
        raise Exit(1, f"invalid size argument `{text}'")

    def change(name: str) -> None:
        path = ctx.path(name)
        if not path.exists() and "c" in flags:
            return
        check_open(files, path)
        with path.open("ab") as file:
            file.truncate(_new_size(file.seek(0, 2), sign, wanted))

    for name in names:
        each(name, lambda name=name: change(name))  # type: ignore[misc]
    return each.status


def _new_size(old: int, sign: str, size: int) -> int:
    if sign == "%":
        return -(-old // size) * size
    if sign == "/":
        return old // size * size
    return old + size if sign == "+" else max(0, old - size) if sign == "-" else size


# Making and removing --------------------------------------------------------------------------------------------------


def mkdir(ctx: Context) -> int:
    """mkdir(1)."""
    flags, names = options(ctx, "m:pv", MKDIR, EX_USAGE)
    if not names:
        usage(ctx, MKDIR, EX_USAGE)
    mode = None
    if "m" in flags:
        mode = new_mode(flags["m"][-1], 0o777, folder=True)
        if mode is None:
            raise Exit(1, f"invalid file mode: {flags['m'][-1]}")
    status = 0
    files = Files(ctx.host)
    for name in names:
        try:
            for made in _make(ctx, files, name, parents="p" in flags):
                if "v" in flags:
                    ctx.print(made)
                if mode is not None and made == name.rstrip("/"):
                    ctx.path(made).chmod(mode)
        except OSError as error:
            ctx.warn(f"{error.filename2 or name}: {reason(error)}")
            status = 1
    return status


def _make(ctx: Context, files: Files, name: str, *, parents: bool) -> t.Iterator[str]:
    """Make the folder; yield the name of each that was made."""
    steps = name.rstrip("/").split("/")
    wanted = ["/".join(steps[: end + 1]) for end in range(len(steps))] if parents else [name.rstrip("/") or "/"]
    for step in wanted:
        path = ctx.path(step or "/")
        if parents and path.is_dir():
            continue
        try:
            if not os.path.lexists(path):
                files.check_create(path)
            path.mkdir()
        except OSError as error:
            if step in ("", name):
                raise
            raise OSError(error.errno, error.strerror, step, None, step) from None
        yield step


def rmdir(ctx: Context) -> int:
    """rmdir(1)."""
    flags, names = options(ctx, "pv", RMDIR)
    if not names:
        usage(ctx, RMDIR)
    each, files = Each(ctx), Files(ctx.host)

    def remove(name: str) -> None:
        path = ctx.path(name, follow=False)
        os.lstat(path)
        files.check_remove(path)
        path.rmdir()
        if "v" in flags:
            ctx.print(name)
        parent = os.path.dirname(name.rstrip("/"))
        if "p" in flags and parent.strip("/"):
            remove(parent)

    for name in names:
        each(name, lambda name=name: remove(name))  # type: ignore[misc]
    files.save()
    return each.status


def rm(ctx: Context) -> int:
    """rm(1), and unlink(1)."""
    if ctx.argv[0] == "unlink":
        _unused, names = options(ctx, "", RM, EX_USAGE)
        if len(names) != 1:
            usage(ctx, RM, EX_USAGE)
        return Remover(ctx, set()).run(names)
    flags, names = options(ctx, "dfiIPRrvWx", RM, EX_USAGE)
    if not names and "f" not in flags:
        usage(ctx, RM, EX_USAGE)
    return Remover(ctx, set(flags)).run(names)


class Remover:
    """Removes files as rm(1) does with the given option letters."""

    def __init__(self, ctx: Context, flags: set[str]) -> None:
        """Read what protects files."""
        self.ctx, self.flags, self.status = ctx, flags, 0
        self.recursive = bool(flags & {"r", "R"})
        self.files = Files(ctx.host)

    def run(self, names: t.Sequence[str]) -> int:
        """Remove the operands; return the exit status."""
        for name in names:
            last = name.rstrip("/").rpartition("/")[2]
            if last in (".", "..") or not name.rstrip("/"):
                self.ctx.warn('"/" may not be removed' if not last else '"." and ".." may not be removed')
                self.status = 1
            else:
                self.remove(name, self.ctx.path(name, follow=name.endswith("/")))
        self.files.save()
        return self.status

    def remove(self, name: str, path: Path, *, below: bool = False) -> bool:
        """Remove one file or tree, an operand or what is below one; say whether it is gone."""
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode):
                return self._folder(name, path, below=below)
            self.files.check_remove(path)
            if not self._agreed(name):
                return False
            self.files.forget(path)
            path.unlink()
        except FileNotFoundError as error:
            return "f" in self.flags or self._warn(name, reason(error))
        except NotADirectoryError as error:
            return "f" in self.flags or self._warn(name, reason(error))
        except OSError as error:
            return self._warn(name, reason(error))
        if "v" in self.flags:
            self.ctx.print(name)
        return True

    def delete(self, name: str) -> None:
        """Remove one file or empty folder for ``find -delete``."""
        try:
            path = self.ctx.path(name, follow=False)
            self.files.check_remove(path)
            self.files.forget(path)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            self.ctx.err.write(f"find: -delete: {'rmdir' if path.is_dir() else 'unlink'}({name}): {reason(error)}\n")
            self.status = 1

    def _folder(self, name: str, path: Path, *, below: bool) -> bool:
        if not self.recursive and "d" not in self.flags:
            return self._warn(name, "is a directory")
        if self.recursive and not (below and "x" in self.flags and self.files.is_mount(path)):
            for entry in self.files.names(path):
                if len(os.fspath(path / entry)) < PATH_MAX:
                    self.remove(f"{name}/{entry}", path / entry, below=True)
                else:
                    _remove_deep(path, entry)
        if not self._agreed(name):
            return False
        try:
            self.files.check_remove(path)
        except OSError as error:
            # The kernel looks for entries before it looks at the flags of the folder.
            full = error.errno == errno.EPERM and any(path.iterdir())
            return self._warn(name, "Directory not empty" if full else reason(error))
        self.files.forget(path)
        path.rmdir()
        if "v" in self.flags:
            self.ctx.print(name)
        return True

    def _agreed(self, name: str) -> bool:
        if "i" not in self.flags:
            return True
        self.ctx.err.write(f"remove {name}? ")
        return self.ctx.stdin.readline()[:1] in (b"y", b"Y")

    def _warn(self, name: str, text: str) -> bool:
        self.ctx.warn(f"{name}: {text}")
        self.status = 1
        return False


def ln(ctx: Context) -> int:
    """ln(1), and link(1)."""
    flags, names = options(ctx, "FLPfhinsvw", LN)
    if not names:
        usage(ctx, LN)
    linker = _Linker(ctx, set(flags))
    if len(names) == 1:
        return linker.link(names[0], ".", into=True)
    target = ctx.path(names[-1])
    keeps_link = bool(flags.keys() & {"h", "n"}) and ctx.path(names[-1], follow=False).is_symlink()
    into = target.is_dir() and not keeps_link
    if len(names) > 2 and not into:
        raise Exit(1, f"{names[-1]}: {'No such file or directory' if not target.exists() else 'Not a directory'}")
    return max([linker.link(name, names[-1], into=into) for name in names[:-1]])


class _Linker:
    def __init__(self, ctx: Context, flags: set[str]) -> None:
        self.ctx, self.flags = ctx, flags
        self.files = Files(ctx.host)

    def link(self, source: str, target: str, *, into: bool) -> int:
        if into:
            target = target.rstrip("/") + "/" + source.rstrip("/").rpartition("/")[2]
        path = self.ctx.path(target, follow=False)
        symbolic = "s" in self.flags
        try:
            real = None if symbolic else self.ctx.path(source, follow="P" not in self.flags)
            if real is not None and real.is_dir():
                self.ctx.warn(f"{source}: Is a directory")
                return 1
            if real is not None:
                os.lstat(real)
        except OSError as error:
            self.ctx.warn(f"{source}: {reason(error)}")
            return 1
        try:
            if os.path.lexists(path) and "f" in self.flags:
                self.files.check_remove(path)
                path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
            self.files.check_create(path)
            if real is None:
                path.symlink_to(source)
            else:
                self.files.check_write(real)
                os.link(real, path)
        except OSError as error:
            self.ctx.warn(f"{target}: {reason(error)}")
            return 1
        if "v" in self.flags:
            self.ctx.print(f"{target} {'-' if symbolic else '='}> {source}")
        return 0


def fsync(ctx: Context) -> int:
    """fsync(1), of files and folders."""
    _flags, names = options(ctx, "", FSYNC)
    if not names:
        usage(ctx, FSYNC, EX_USAGE)
    status = 0
    for name in names:
        try:
            descriptor = os.open(ctx.path(name), os.O_RDONLY)
        except OSError as error:
            ctx.warn(f"open {name}: {error.strerror}")
            status = 1
            continue
        os.fsync(descriptor)
        os.close(descriptor)
    return status


def touch(ctx: Context) -> int:
    """touch(1)."""
    flags, names = options(ctx, "A:acd:fhmr:t:", TOUCH)
    if not names:
        usage(ctx, TOUCH)
    when = _when(ctx, flags)
    each, files = Each(ctx), Files(ctx.host)

    def change(name: str) -> None:
        path = ctx.path(name, follow="h" not in flags)
        if not os.path.lexists(path):
            if "c" in flags:
                return
            files.check_create(path)
            check_room(files, path, 1)
            path.touch()
        files.check_write(path)
        status = os.lstat(path)
        atime, mtime = when
        if "m" in flags and "a" not in flags:
            atime = status.st_atime_ns
        if "a" in flags and "m" not in flags:
            mtime = status.st_mtime_ns
        os.utime(path, ns=(atime, mtime), follow_symlinks=False)

    for name in names:
        each(name, lambda name=name: change(name))  # type: ignore[misc]
    return each.status


def check_room(files: Files, path: Path, amount: int) -> None:
    """Raise what write(2) raises if the file system (or the dataset's quota) has no room for so many bytes."""
    Room(files).take(path, amount)


class Room:
    """The room that many writes leave. It takes time to measure, so that is done again only where none seems left."""

    def __init__(self, files: Files) -> None:
        """Begin; nothing is measured yet."""
        self.files = files
        self._left: dict[str, int | None] = {}

    def take(self, path: Path, amount: int, least: int | None = None) -> None:
        """Take room for so many bytes, or raise what write(2) raises where there is not even room for the least."""
        mount = self.files.mount_of(path)
        key = mount["target"] if mount else "/"
        if key not in self._left:
            self._left[key] = self.files.room(path)
        left, blocks = self._left[key], -(-amount // BLOCK) * BLOCK
        if left is not None and left < blocks:
            # Perhaps there is what files had that were replaced since.
            left = self.files.room(path)
            if left is not None and left < (amount if least is None else least):
                raise fail(self.files.full_error(path), path)
        self._left[key] = None if left is None else left - blocks


def _when(ctx: Context, flags: t.Mapping[str, list[str]]) -> tuple[int, int]:
    if "r" in flags:
        try:
            status = ctx.path(flags["r"][-1]).stat()
        except OSError as error:
            raise Exit(1, f"{flags['r'][-1]}: {reason(error)}") from None
        return status.st_atime_ns, status.st_mtime_ns
    if "d" in flags:
        moment = _iso_time(flags["d"][-1])
        if moment is None:
            raise Exit(1, "out of range or illegal time specification: YYYY-MM-DDThh:mm:SS[.frac][tz]")
        return moment, moment
    if "t" in flags:
        moment = _stamp(flags["t"][-1])
        if moment is None:
            raise Exit(1, "out of range or illegal time specification: [[CC]YY]MMDDhhmm[.SS]")
        return moment, moment
    return time.time_ns(), time.time_ns()


def _iso_time(text: str) -> int | None:
    from datetime import UTC, datetime  # noqa: PLC0415

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # The model's clock is UTC, as a host's should be.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 10**9


def _stamp(text: str) -> int | None:
    import calendar  # noqa: PLC0415

    digits, _unused, seconds = text.partition(".")
    if not (digits + (seconds or "0")).isdigit() or len(digits) not in (8, 10, 12):
        return None
    now = time.gmtime()
    full = {8: f"{now.tm_year}", 10: "20" if int(digits[:2]) < 69 else "19", 12: ""}[len(digits)] + digits
    parts = (int(full[:4]), int(full[4:6]), int(full[6:8]), int(full[8:10]), int(full[10:12]), int(seconds or 0))
    return calendar.timegm(parts) * 10**9


# Attributes -----------------------------------------------------------------------------------------------------------


class _Changer:
    """Applies a change to each operand, and with -R to all below it."""

    def __init__(self, ctx: Context, flags: t.Collection[str]) -> None:
        self.ctx, self.flags = ctx, flags
        self.files = Files(ctx.host)
        self.status = 0

    def run(self, names: t.Sequence[str], change: t.Callable[[Path], object]) -> int:
        for name in names:
            path = self.ctx.path(name, follow="h" not in self.flags and "R" not in self.flags)
            if not os.path.lexists(path):
                self._warn(name, "No such file or directory")
                continue
            for each in self._tree(path) if "R" in self.flags else [path]:
                try:
                    change(each)
                except OSError as error:
                    below = os.fspath(each)[len(os.fspath(path)) :]
                    self._warn(name.rstrip("/") + below, reason(error))
                if "v" in self.flags:
                    self.ctx.print(name.rstrip("/") + os.fspath(each)[len(os.fspath(path)) :])
        self.files.save()
        return self.status

    def _tree(self, path: Path) -> t.Iterator[Path]:
        """Yield a file and all below it (with -x on its own file system), folders after what is in them."""
        if path.is_dir() and not path.is_symlink():
            for name in self.files.names(path):
                child = path / name
                if len(os.fspath(child)) >= PATH_MAX:
                    # fts(3) goes there step by step. The model knows files by their paths: this one is as it was made.
                    continue
                crosses = "x" in self.flags and self.files.is_mount(child)
                yield from [child] if crosses else self._tree(child)
        yield path

    def _warn(self, name: str, text: str) -> None:
        if "f" not in self.flags:
            self.ctx.warn(f"{name}: {text}")
            self.status = 1


def chmod(ctx: Context) -> int:
    """chmod(1)."""
    # A mode such as -x looks like options.
    dash = [word for word in ctx.argv[1:2] if word[:1] == "-" and word[1:] and not word[1:].strip("rwxst")]
    argv = list(ctx.argv)
    if dash:
        ctx.argv = [ctx.argv[0], "--", *ctx.argv[1:]]
    flags, names = options(ctx, "HLPRfhv", CHMOD)
    ctx.argv = argv
    if len(names) < 2:
        usage(ctx, CHMOD)
    text = names[0]
    if new_mode(text, 0) is None:
        raise Exit(1, f"invalid file mode: {text}")
    changer = _Changer(ctx, flags)

    def change(path: Path) -> None:
        changer.files.check_write(path)
        if path.is_symlink():
            return
        mode = new_mode(text, path.stat().st_mode, folder=path.is_dir())
        path.chmod(mode if mode is not None else 0)

    return changer.run(names[1:], change)


def chown(ctx: Context) -> int:
    """chown(8), and chgrp(1)."""
    group_only = ctx.argv[0] == "chgrp"
    text = CHGRP if group_only else CHOWN
    flags, names = options(ctx, "HLPRfhvx", text)
    if len(names) < 2:
        usage(ctx, text)
    user, _unused, group = ("", "", names[0]) if group_only else names[0].partition(":")
    uid = account_id(ctx, user) if user else -1
    gid = account_id(ctx, group, "group") if group else -1
    if uid is None or gid is None:
        raise Exit(1, f"{user}: illegal user name" if uid is None else f"{group}: illegal group name")
    changer = _Changer(ctx, flags)

    def change(path: Path) -> None:
        changer.files.check_write(path)
        changer.files.chown(path, uid, gid, follow="L" in flags or not flags.keys() & {"h", "R"})

    return changer.run(names[1:], change)


# What only root may change, in a jail only if it is allowed.
SYSTEM_FLAGS = frozenset({"arch", "sappnd", "schg", "sunlnk"})


def chflags(ctx: Context) -> int:
    """chflags(1)."""
    flags, names = options(ctx, "HLPRfhvx", CHFLAGS)
    if len(names) < 2:
        usage(ctx, CHFLAGS)
    from model import prison  # noqa: PLC0415

    add, drop, clear = _flag_words(names[0])
    changer = _Changer(ctx, flags)

    def change(path: Path) -> None:
        mount = changer.files.mount_of(path)
        if mount and "ro" in mount["options"]:
            raise fail(errno.EROFS, path)
        old = changer.files.flags_of(path)
        new = (set() if clear else old - drop) | add
        if ctx.jail is not None and (new ^ set(old)) & SYSTEM_FLAGS:
            with ctx.host.kernel() as kernel:
                if not prison.allowed(kernel, ctx.jail, "allow.chflags"):
                    raise fail(errno.EPERM, path)
        if new != old:
            changer.files.set_flags(path, new)

    return changer.run(names[1:], change)


def _remove_deep(folder: Path, name: str) -> None:
    """Remove what the model knows nothing of, for it has no path on this machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        shutil.rmtree(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _flag_words(text: str) -> tuple[set[str], set[str], bool]:
    """Return flags to add, flags to drop, and whether all go first."""
    add: set[str] = set()
    drop: set[str] = set()
    if text == "0":
        return add, drop, True
    for word in text.split(","):
        if word in FLAG_NAMES and word != "dump":
            add.add(FLAG_NAMES[word])
        elif word.startswith("no") and word[2:] in FLAG_NAMES and word != "nodump":
            drop.add(FLAG_NAMES[word[2:]])
        elif word == "dump":
            drop.add("nodump")
        else:
            raise Exit(1, f"invalid flag: {word}")
    return add, drop, False
