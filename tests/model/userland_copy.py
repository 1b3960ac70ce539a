# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that copy and move files: cp, mv, install, dd, mktemp."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import typing as t

from model.command import Exit, options
from model.files import Files, account_id, copy_content, fail, new_mode, reason
from model.longopts import long_options
from model.userland import EX_USAGE, Room, check_open, check_room, size, usage

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

CP = """usage: cp [-R [-H | -L | -P]] [-f | -i | -n] [-alpsvx] source_file target_file
       cp [-R [-H | -L | -P]] [-f | -i | -n] [-alpsvx] source_file ... target_directory
"""
CP_LONG = {
    "archive": "a",
    "force": "f",
    "interactive": "i",
    "dereference": "L",
    "link": "l",
    "no-clobber": "n",
    "no-dereference": "P",
    "one-file-system": "x",
    "recursive": "R",
    "symbolic-link": "s",
    "verbose": "v",
}
MV = """usage: mv [-f | -i | -n] [-hv] source target
       mv [-f | -i | -n] [-v] source ... directory
"""
_INSTALL_TAIL = "               [-M log] [-D dest] [-h hash] [-T tags]\n"
_INSTALL_COPY = f"""install [-bCcpSsUv] [-f flags] [-g group] [-m mode] [-o owner]
{_INSTALL_TAIL}               [-B suffix] [-l linkflags] [-N dbdir]
"""
INSTALL = (
    f"usage: {_INSTALL_COPY}               file1 file2\n"
    f"       {_INSTALL_COPY}               file1 ... fileN directory\n"
    "       install -dU [-vU] [-g group] [-m mode] [-N dbdir] [-o owner]\n"
    f"{_INSTALL_TAIL}               directory ...\n"
)
MKTEMP = """usage: mktemp [-d] [-p tmpdir] [-q] [-t prefix] [-u] template ...
       mktemp [-d] [-p tmpdir] [-q] [-u] -t prefix
"""
EX_OSERR = 71
# dd's operands and the values that have a meaning of their own.
DD = frozenset({"if", "of", "bs", "ibs", "obs", "count", "skip", "iseek", "seek", "oseek", "conv", "status", "iflag"})
DD |= {"oflag", "files", "cbs", "fillchar", "speed"}


def _base(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2] or "/"


def _join(folder: str, name: str) -> str:
    return folder.rstrip("/") + "/" + name


def cp(ctx: Context) -> int:
    """cp(1)."""
    found, names = long_options(ctx, "+HLPRafilNnprsvx", CP_LONG, CP, EX_USAGE)
    flags = set(found)
    if len(names) < 2:
        usage(ctx, CP, EX_USAGE)
    flags |= {"R", "p", "P"} if "a" in flags else {"R", "L"} if "r" in flags else set()
    *sources, target = names
    place = ctx.path(target)
    if len(sources) > 1 and not place.is_dir():
        raise Exit(1, f"{target}: {'Not a directory' if place.exists() else 'No such file or directory'}")
    copier = _Copier(ctx, flags)
    for source in sources:
        inside = place.is_dir() and not (source.endswith("/") and "R" in flags)
        copier.copy(source, _join(target, _base(source)) if inside else target)
    copier.files.save()
    return copier.status


class _Copier:
    def __init__(self, ctx: Context, flags: set[str]) -> None:
        self.ctx, self.flags, self.status = ctx, flags, 0
        self.files = Files(ctx.host)
        self.room = Room(self.files)

    def warn(self, text: str) -> None:
        self.ctx.warn(text)
        self.status = 1

    def copy(self, source: str, target: str, *, depth: int = 0) -> None:
        follow = ("R" not in self.flags or "L" in self.flags or ("H" in self.flags and not depth)) and (
            "P" not in self.flags
        )
        try:
            origin = self.ctx.path(source, follow=follow)
            status = os.lstat(origin)
        except OSError as error:
            self.warn(f"{source}: {reason(error)}")
            return
        if stat.S_ISDIR(status.st_mode):
            self._folder(source, target, origin, status, depth)
            return
        try:
            self._file(source, target, origin, status)
        except OSError as error:
            self.warn(f"{target}: {reason(error)}")

    def _folder(self, source: str, target: str, origin: Path, status: os.stat_result, depth: int) -> None:
        if "R" not in self.flags:
            self.warn(f"{source} is a directory (not copied).")
            return
        place = self.ctx.path(target)
        try:
            if place.exists() and not place.is_dir():
                raise fail(errno.ENOTDIR, target)
            names = self.files.names(origin)
            if not place.exists():
                self.files.check_create(place)
                place.mkdir()
                place.chmod(stat.S_IMODE(status.st_mode) & ~0o022)
        except OSError as error:
            self.warn(f"{target}: {reason(error)}")
            return
        for name in names:
            if not ("x" in self.flags and self.files.is_mount(origin / name)):
                self.copy(_join(source, name), _join(target, name), depth=depth + 1)
        if "p" in self.flags:
            self.files.copy_attributes(origin, place, status)

    def _file(self, source: str, target: str, origin: Path, status: os.stat_result) -> None:
        link = stat.S_ISLNK(status.st_mode)
        place = self.ctx.path(target, follow=not link and not self.flags & {"l", "s"})
        there = os.path.lexists(place)
        if there and place.is_dir() and not place.is_symlink():
            raise fail(errno.EISDIR, target)
        if there and place.samefile(origin):
            self.warn(f"{target} and {source} are identical (not copied).")
            return
        if there and "n" in self.flags:
            return
        if there and (link or self.flags & {"l", "s"}):
            self.files.check_remove(place)
            place.unlink()
        check_open(self.files, place)
        if self.flags & {"l", "s"} and not link:
            os.link(origin, place) if "l" in self.flags else place.symlink_to(source)
        else:
            self._content(origin, place, status, there)
        if "v" in self.flags:
            self.ctx.print(f"{source} -> {target}")

    def _content(self, origin: Path, place: Path, status: os.stat_result, there: bool) -> None:
        self.room.take(place, status.st_size)
        if stat.S_ISREG(status.st_mode):
            copy_content(origin, place)
            if not there:
                place.chmod(stat.S_IMODE(status.st_mode) & ~0o022)
        elif "R" not in self.flags and not stat.S_ISLNK(status.st_mode):
            with origin.open("rb") as device, place.open("wb") as file:
                shutil.copyfileobj(device, file)
        else:
            self.files.copy_file(origin, place)
        if "p" in self.flags:
            self.files.copy_attributes(origin, place, status)


def mv(ctx: Context) -> int:
    """mv(1)."""
    flags, names = options(ctx, "fhinv", MV, EX_USAGE)
    if len(names) < 2:
        usage(ctx, MV, EX_USAGE)
    *sources, target = names
    place = ctx.path(target, follow="h" not in flags)
    if len(sources) > 1 and not place.is_dir():
        if place.exists():
            raise Exit(1, f"{target} is not a directory")
        usage(ctx, MV, EX_USAGE)
    files = Files(ctx.host)
    into = place.is_dir()
    return max(
        [_move(ctx, files, set(flags), each, _join(target, _base(each)) if into else target) for each in sources]
    )


def _move(ctx: Context, files: Files, flags: set[str], source: str, target: str) -> int:
    try:
        origin, place = ctx.path(source, follow=False), ctx.path(target, follow=False)
        if os.path.lexists(place) and "n" in flags:
            return 0
        os.lstat(origin)
        files.check_remove(origin)
        if os.path.lexists(place):
            files.check_remove(place)
        files.check_create(place)
        origin.rename(place)
    except OSError as error:
        ctx.warn(f"rename {source} to {target}: {reason(error)}")
        return 1
    if "v" in flags:
        ctx.print(f"{source} -> {target}")
    return 0


# install --------------------------------------------------------------------------------------------------------------


def install(ctx: Context) -> int:
    """install(1)."""
    flags, names = options(ctx, "B:bCcD:df:g:h:l:M:m:N:o:pSsT:Uv", INSTALL, EX_USAGE)
    if not names or (len(names) < 2 and "d" not in flags):
        usage(ctx, INSTALL, EX_USAGE)
    installer = _Installer(ctx, flags)
    if "d" in flags:
        for name in names:
            installer.folder(name)
    else:
        *sources, target = names
        into = ctx.path(target).is_dir()
        if len(sources) > 1 and not into:
            what = "is not a directory" if ctx.path(target).exists() else "does not exist"
            ctx.warn(f"target directory `{target}' {what}")
            usage(ctx, INSTALL, EX_USAGE)
        for source in sources:
            installer.file(source, _join(target, _base(source)) if into else target)
    installer.files.save()
    return 0


class _Installer:
    def __init__(self, ctx: Context, flags: t.Mapping[str, list[str]]) -> None:
        self.ctx, self.flags = ctx, flags
        self.files = Files(ctx.host)
        text = flags.get("m", ["0755"])[-1]
        mode = new_mode(text, 0)
        if mode is None:
            ctx.warn(f"invalid file mode: {text}")
            raise Exit(EX_USAGE)
        self.mode = mode
        self.uid = self._account("o", "passwd", "user")
        self.gid = self._account("g", "group", "group")

    def _account(self, letter: str, file: str, what: str) -> int:
        if letter not in self.flags:
            return -1
        name = self.flags[letter][-1]
        number = account_id(self.ctx, name, file)
        if number is None:
            raise Exit(67, f"unknown {what} {name}")
        return number

    def folder(self, name: str) -> None:
        steps = name.rstrip("/").split("/")
        path = self.ctx.path(name)
        try:
            for end in range(1, len(steps) + 1):
                step = self.ctx.path("/".join(steps[:end]) or "/")
                if step.exists() and not step.is_dir():
                    raise fail(errno.ENOTDIR, step)
                if not step.exists():
                    self.files.check_create(step)
                    step.mkdir(mode=0o755)
                    if "v" in self.flags:
                        self.ctx.print(f"install: mkdir {'/'.join(steps[:end])}")
        except OSError as error:
            raise Exit(EX_OSERR, f"mkdir {name}: {reason(error)}") from None
        self._attributes(path)

    def _attributes(self, path: Path) -> None:
        path.chmod(self.mode)
        if self.uid >= 0 or self.gid >= 0:
            self.files.chown(path, self.uid, self.gid)

    def file(self, source: str, target: str) -> None:
        origin, place = self.ctx.path(source), self.ctx.path(target)
        if "l" in self.flags and "s" in self.flags["l"][-1]:
            self._place_link(source, target)
            return
        try:
            data = origin.read_bytes()
        except OSError as error:
            raise Exit(EX_OSERR, f"{source}: {reason(error)}") from None
        try:
            if place.exists() and self.files.flags_of(place):
                # install(1) takes immutable flags off what it replaces.
                self.files.set_flags(place, set())
            check_open(self.files, place)
            if not ("C" in self.flags and place.is_file() and place.read_bytes() == data):
                if "b" in self.flags and place.exists():
                    place.rename(f"{place}{self.flags.get('B', ['.old'])[-1]}")
                if place.exists():
                    place.unlink()
                check_room(self.files, place, len(data))
                place.write_bytes(data)
            if "p" in self.flags:
                shutil.copystat(origin, place)
            self._attributes(place)
        except OSError as error:
            raise Exit(EX_OSERR, f"{target}: {reason(error)}") from None
        if "v" in self.flags:
            self.ctx.print(f"install: {source} -> {target}")

    def _place_link(self, source: str, target: str) -> None:
        place = self.ctx.path(target, follow=False)
        if os.path.lexists(place):
            self.files.check_remove(place)
            place.unlink()
        place.symlink_to(source)


# dd -------------------------------------------------------------------------------------------------------------------


def dd(ctx: Context) -> int:
    """dd(1)."""
    words: dict[str, str] = {}
    for word in ctx.arguments:
        name, equals, value = word.partition("=")
        if name not in DD:
            raise Exit(1, f"unknown operand {name}")
        if not equals or not value:
            raise Exit(1, f"no value specified for {name}")
        words[name] = value
    block = _number(words.get("bs") or words.get("ibs", "512"), "bs")
    began = time.monotonic()
    copier = _Blocks(ctx, words, block)
    try:
        copier.run()
    except OSError as error:
        ctx.warn(f"{error.filename or words.get('if', 'stdin')}: {reason(error)}")
        copier.status = 1
        if not copier.opened:
            return 1
    if words.get("status") != "none":
        copier.report(words.get("status", ""), time.monotonic() - began)
    return copier.status


def _number(text: str, name: str) -> int:
    product = 1
    for factor in text.split("x"):
        value = int(factor[:-1]) * 512 if factor[-1:] == "b" and factor[:-1].isdigit() else size(factor)
        if value is None:
            raise Exit(1, f"{name}: illegal numeric value")
        product *= value
    return product


class _Blocks:
    """One run of dd: copies block by block, so that a full file system stops it where it would."""

    def __init__(self, ctx: Context, words: t.Mapping[str, str], block: int) -> None:
        self.ctx, self.words, self.block = ctx, words, block
        self.full_in = self.part_in = self.full_out = self.part_out = self.bytes = self.status = 0
        self.opened = False

    def _open(self, name: str) -> t.BinaryIO:
        path = self.ctx.path(name)
        special = name in ("/dev/zero", "/dev/random", "/dev/urandom", "/dev/null")
        try:
            return t.cast(t.BinaryIO, open(name if special and not path.exists() else path, "rb"))
        except OSError as error:
            raise fail(error.errno or errno.EIO, name) from None

    def run(self) -> None:
        """Copy; raises OSError at the first block that cannot be read or written."""
        if "if" not in self.words:
            self._run(self.ctx.stdin)
            return
        with self._open(self.words["if"]) as source:
            self._run(source)

    def _run(self, source: t.BinaryIO) -> None:
        for _unused in range(_number(self.words.get("skip") or self.words.get("iseek", "0"), "skip")):
            source.read(self.block)
        name = self.words.get("of", "")
        if not name:
            self.opened = True
            self.ctx.out.flush()
            self._copy(source, self.ctx.out.buffer, lambda _amount: None)
            return
        files, path = Files(self.ctx.host), self.ctx.path(name)
        room = Room(files)
        try:
            if name == "/dev/null":
                path.parent.mkdir(exist_ok=True)
            check_open(files, path)
            kept = "notrunc" in self.words.get("conv", "")
            with path.open("r+b" if path.exists() and (kept or path.is_char_device()) else "wb") as target:
                self.opened = True
                target.seek(_number(self.words.get("seek") or self.words.get("oseek", "0"), "seek") * self.block)
                self._copy(source, target, lambda amount: room.take(path, amount, least=1))
                if not kept and not path.is_char_device():
                    target.truncate()
        except OSError as error:
            raise fail(error.errno or errno.EIO, name) from None

    def _copy(self, source: t.BinaryIO, target: t.BinaryIO, check: t.Callable[[int], None]) -> None:
        left = _number(self.words["count"], "count") if "count" in self.words else -1
        while left != 0:
            data = source.read(self.block)
            if not data:
                break
            if len(data) == self.block:
                self.full_in += 1
            else:
                self.part_in += 1
                data = data.ljust(self.block, b"\0") if "sync" in self.words.get("conv", "").split(",") else data
            target.flush()
            check(len(data))
            target.write(data)
            self.bytes += len(data)
            if len(data) == self.block:
                self.full_out += 1
            else:
                self.part_out += 1
            left -= 1
        target.flush()

    def report(self, kind: str, seconds: float) -> None:
        err = self.ctx.err
        err.write(f"{self.full_in}+{self.part_in} records in\n{self.full_out}+{self.part_out} records out\n")
        if kind != "noxfer":
            rate = int(self.bytes / max(seconds, 1e-6))
            err.write(f"{self.bytes} bytes transferred in {seconds:.6f} secs ({rate} bytes/sec)\n")


# mktemp ---------------------------------------------------------------------------------------------------------------


def mktemp(ctx: Context) -> int:
    """mktemp(1)."""
    long = {"directory": "d", "tmpdir": "p::", "quiet": "q", "dry-run": "u"}
    flags, names = long_options(ctx, "dp:qt:u", long, MKTEMP)
    folder = flags.get("p", [""])[-1] or ctx.env.get("TMPDIR") or "/tmp"
    if "t" in flags:
        names = [*names, _join(folder, flags["t"][-1] + ".XXXXXXXXXX")]
    elif not names:
        names = [_join(folder, "tmp.XXXXXXXXXX")]
    elif "p" in flags and flags["p"][-1]:
        names = [name if name.startswith("/") else _join(folder, name) for name in names]
    return max([_temporary(ctx, name, flags.keys()) for name in names])


def _temporary(ctx: Context, template: str, flags: t.Collection[str]) -> int:
    import secrets  # noqa: PLC0415

    stem = template.rstrip("X")
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    files = Files(ctx.host)
    for _unused in range(100):
        name = stem + "".join(secrets.choice(letters) for _unused in range(len(template) - len(stem)))
        path = ctx.path(name)
        try:
            files.check_create(path)
            if "d" in flags:
                path.mkdir(mode=0o700)
            else:
                path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            what = "mkdtemp" if "d" in flags else "mkstemp"
            if "q" not in flags:
                ctx.warn(f"{what} failed on {template}: {reason(error)}")
            return 1
        if "u" in flags:
            path.rmdir() if "d" in flags else path.unlink()
        ctx.print(name)
        return 0
    return 1
