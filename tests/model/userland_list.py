# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that show files: ls, stat, readlink, realpath, du, df, getfacl."""

from __future__ import annotations

import errno
import os
import re
import stat as st
import time
import typing as t
from pathlib import Path

from model.command import Exit, options
from model.files import Files, account_names, fail, mode_string, reason
from model.longopts import long_options
from model.userland import EX_USAGE, usage

if t.TYPE_CHECKING:
    from model.command import Context

LS = (
    "usage: ls [-ABCFGHILPRSTUWZabcdfghiklmnopqrstuvwxy1,] [--color=when] [-D format] "
    "[--group-directories=] [file ...]\n"
)
STAT = "usage: stat [-FHhLnq] [-f format | -l | -r | -s | -x] [-t timefmt] [file|handle ...]\n"
READLINK = "usage: readlink [-fn] [file ...]\n"
REALPATH = "usage: realpath [-q] [path ...]\n"
DU = """usage: du [--libxo] [-Aclnx] [-H | -L | -P] [-g | -h | -k | -m]
          [-a | -s | -d depth] [-B blocksize] [-I mask] [-t threshold]
          [file ...]
"""
DF = """usage: df [-b | -g | -H | -h | -k | -m | -P] [-acilnT] [-t type] [-,]
          [file | filesystem ...]
"""
HALF_YEAR = 365 * 86400 // 2
# A folder and a file grown by truncate(2), as UFS has them.
FOLDER_SIZE = 512
SPARSE_BLOCKS = 128


def blocks(status: os.stat_result) -> int:
    """Return how many blocks of 512 bytes the file takes on UFS, which gives a grown file its last block."""
    return SPARSE_BLOCKS if st.S_ISREG(status.st_mode) and status.st_size and not status.st_blocks else status.st_blocks


def human(number: float, *, letters: str = "BKMGTPE", step: int = 1024) -> str:
    """Return a size as humanize_number(3) shows it in five places."""
    index = 0
    while number >= 999.5 and index < len(letters) - 1:
        number /= step
        index += 1
    if index and number < 9.95:
        return f"{number:.1f}{letters[index]}"
    return f"{number:.0f}{letters[index]}"


# ls -------------------------------------------------------------------------------------------------------------------


def ls(ctx: Context) -> int:
    """ls(1)."""
    long = {"color": "::", "group-directories": "::", "group-directories-first": ""}
    flags, names = long_options(ctx, "+1ABCD:FGHILPRSTUWXZabcdfghiklmnopqrstuvwxy,", long, LS)
    return _Lister(ctx, flags).run(names or ["."])


class _Entry(t.NamedTuple):
    name: str
    path: Path
    status: os.stat_result


class _Lister:
    def __init__(self, ctx: Context, flags: t.Mapping[str, list[str]]) -> None:
        self.ctx, self.flags, self.status = ctx, flags, 0
        self.files = Files(ctx.host)
        self.first = True
        self.long = bool(flags.keys() & {"l", "n", "g", "o"} and ("l" in flags or "n" in flags or "g" in flags))
        self.users: dict[int, str] = {}
        self.groups: dict[int, str] = {}
        if self.long and "n" not in flags:
            self.users, self.groups = account_names(ctx), account_names(ctx, "group")

    def _look(self, name: str, path: Path, *, follow: bool) -> _Entry | None:
        try:
            return _Entry(name, path, os.stat(path) if follow and path.exists() else os.lstat(path))
        except OSError as error:
            self.ctx.warn(f"{name}: {reason(error)}")
            self.status = 1
            return None

    def run(self, names: t.Sequence[str]) -> int:
        follow = "L" in self.flags or "H" in self.flags or not (self.long or "F" in self.flags or "d" in self.flags)
        found = [self._look(name, self.ctx.path(name, follow=follow), follow=False) for name in sorted(names)]
        entries = [entry for entry in found if entry]
        plain = [entry for entry in entries if "d" in self.flags or not st.S_ISDIR(entry.status.st_mode)]
        folders = [entry for entry in self._sorted(entries) if entry not in plain]
        self._print(self._sorted(plain))
        self.first = not plain
        for entry in folders:
            self._folder(entry, heading=len(names) > 1)
        return self.status

    def _folder(self, entry: _Entry, *, heading: bool) -> None:
        if not self.first:
            self.ctx.print()
        if heading:
            self.ctx.print(f"{entry.name}:")
        self.first = False
        children = self._children(entry)
        if self.long or "s" in self.flags:
            self.ctx.print(f"total {self._total(children)}")
        self._print(children)
        if "R" in self.flags:
            for child in children:
                if st.S_ISDIR(child.status.st_mode) and child.name not in (".", ".."):
                    name = f"{entry.name.rstrip('/')}/{child.name}"
                    self._folder(child._replace(name=name), heading=True)

    def _total(self, children: t.Sequence[_Entry]) -> int:
        total = sum(blocks(child.status) for child in children)
        return -(-total * 512 // _unit(self.ctx, self.flags.keys() & {"k"}))

    def _children(self, entry: _Entry) -> list[_Entry]:
        try:
            names = self.files.names(entry.path)
        except OSError as error:
            self.ctx.warn(f"{entry.name}: {reason(error)}")
            self.status = 1
            return []
        dots = "a" in self.flags or "f" in self.flags
        if not dots and "A" not in self.flags:
            names = [name for name in names if not name.startswith(".")]
        found = [self._look(name, entry.path / name, follow="L" in self.flags) for name in names]
        if dots:
            found += [self._look(".", entry.path, follow=True), self._look("..", entry.path.parent, follow=True)]
        return self._sorted([child for child in found if child])

    def _sorted(self, entries: list[_Entry]) -> list[_Entry]:
        if "f" in self.flags:
            return entries
        entries = sorted(entries, key=lambda entry: entry.name.encode(errors="surrogateescape"))
        if "S" in self.flags:
            entries.sort(key=lambda entry: -entry.status.st_size)
        elif "t" in self.flags:
            what = "st_atime_ns" if "u" in self.flags else "st_ctime_ns" if "c" in self.flags else "st_mtime_ns"
            entries.sort(key=lambda entry: -getattr(entry.status, what))
        return entries[::-1] if "r" in self.flags else entries

    def _print(self, entries: t.Sequence[_Entry]) -> None:
        if not entries:
            return
        if self.long:
            for line in self._long_lines(entries):
                self.ctx.print(line)
            return
        inode = max(len(str(entry.status.st_ino)) for entry in entries)
        count = max(len(str(blocks(entry.status))) for entry in entries)
        shown = []
        for entry in entries:
            prefix = f"{entry.status.st_ino:>{inode}} " if "i" in self.flags else ""
            prefix += f"{blocks(entry.status):>{count}} " if "s" in self.flags else ""
            shown.append(prefix + entry.name + self._mark(entry))
        self.ctx.print((", " if "m" in self.flags else "\n").join(shown))

    def _mark(self, entry: _Entry) -> str:
        mode = entry.status.st_mode
        if st.S_ISDIR(mode) and self.flags.keys() & {"F", "p"}:
            return "/"
        if "F" not in self.flags:
            return ""
        if st.S_ISLNK(mode):
            return "@"
        return "|" if st.S_ISFIFO(mode) else "=" if st.S_ISSOCK(mode) else "*" if mode & 0o111 else ""

    def _long_lines(self, entries: t.Sequence[_Entry]) -> t.Iterator[str]:
        rows = [self._row(entry) for entry in entries]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        for row, entry in zip(rows, entries, strict=True):
            links, user, group, flags, size, date = row
            cells = [f"{links:>{widths[0]}}"]
            if "g" not in self.flags:
                cells.append(f"{user:<{widths[1]}}")
            cells.append(f"{group:<{widths[2]}}")
            if "o" in self.flags:
                cells.append(f"{flags:<{widths[3]}}")
            inode = f"{entry.status.st_ino} " if "i" in self.flags else ""
            count = f"{blocks(entry.status)} " if "s" in self.flags else ""
            arrow = f" -> {os.readlink(entry.path)}" if st.S_ISLNK(entry.status.st_mode) else ""
            head = f"{inode}{count}{mode_string(entry.status.st_mode)}  {' '.join(cells)}"
            yield f"{head} {size:>{widths[4]}} {date} {entry.name}{self._mark(entry)}{arrow}"

    def _row(self, entry: _Entry) -> tuple[str, str, str, str, str, str]:
        status = entry.status
        uid, gid = self.files.owner(status)
        length = FOLDER_SIZE if st.S_ISDIR(status.st_mode) else status.st_size
        flags = ",".join(sorted(self.files.flags_of(entry.path, status))) or "-"
        return (
            str(status.st_nlink),
            self.users.get(uid, str(uid)),
            self.groups.get(gid, str(gid)),
            flags,
            human(length) if "h" in self.flags else str(length),
            self._date(status),
        )

    def _date(self, status: os.stat_result) -> str:
        moment = status.st_atime if "u" in self.flags else status.st_ctime if "c" in self.flags else status.st_mtime
        clock = time.gmtime(moment)
        if "D" in self.flags:
            return time.strftime(self.flags["D"][-1], clock)
        if "T" in self.flags:
            return time.strftime("%b %e %H:%M:%S %Y", clock)
        recent = abs(time.time() - moment) < HALF_YEAR
        return time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", clock)


# stat -----------------------------------------------------------------------------------------------------------------

TIMES = {"a": "st_atime", "m": "st_mtime", "c": "st_ctime", "B": "st_mtime"}
KINDS = {
    st.S_IFDIR: ("Directory", "/"),
    st.S_IFREG: ("Regular File", ""),
    st.S_IFLNK: ("Symbolic Link", "@"),
    st.S_IFIFO: ("Fifo File", "|"),
    st.S_IFSOCK: ("Socket", "="),
    st.S_IFCHR: ("Character Device", ""),
    st.S_IFBLK: ("Block Device", ""),
}
RAW = "%d %i %#p %l %u %g %r %z %a %m %c %B %k %b %f %N"
DEFAULT = '%d %i %Sp %l %Su %Sg %r %z "%Sa" "%Sm" "%Sc" "%SB" %k %b %#Xf %N'
SHELL = (
    "st_dev=%d st_ino=%i st_mode=%#p st_nlink=%l st_uid=%u st_gid=%g st_rdev=%r st_size=%z st_atime=%a "
    "st_mtime=%m st_ctime=%c st_birthtime=%B st_blksize=%k st_blocks=%b st_flags=%f"
)
LIST = "%Sp %l %Su %Sg %Z %Sm %N%SY"
VERBOSE = """  File: "%N"
  Size: %-11z  FileType: %HT
  Mode: (%OMp%03OLp/%.10Sp)         Uid: (%5u/%8Su)  Gid: (%5g/%8Sg)
Device: %Hd,%Ld   Inode: %i    Links: %l
Access: %Sa
Modify: %Sm
Change: %Sc
 Birth: %SB"""
FIELD = re.compile(r"%([-+ #0]*)(\d*)(?:\.(\d+))?([DOUXFS]?)([HML]?)([a-zA-Z%@])|%([nt%@])")
FLAG_BITS = {"nodump": 0x1, "uchg": 0x2, "uappnd": 0x4, "opaque": 0x8, "uunlnk": 0x10, "uarch": 0x800}
FLAG_BITS |= {"hidden": 0x8000, "arch": 0x10000, "schg": 0x20000, "sappnd": 0x40000, "sunlnk": 0x100000}


def stat(ctx: Context) -> int:
    """stat(1)."""
    flags, names = options(ctx, "f:FHhLlnqrst:x", STAT)
    if len(flags.keys() & {"f", "l", "r", "s", "x"}) > 1:
        raise Exit(1, "can't use more than one of f, l, r, s, x")
    shapes = {"l": LIST, "r": RAW, "s": SHELL, "x": VERBOSE}
    form = next((shapes[letter] for letter in shapes if letter in flags), DEFAULT)
    form = flags["f"][-1] if "f" in flags else form
    clock = flags.get("t", ["%c" if "x" in flags else "%b %e %H:%M:%S %Y"])[-1]
    teller = _Teller(ctx, clock)
    status = 0
    for name in names or ["-"]:
        try:
            path = ctx.path(name, follow="L" in flags)
            if name == "-" and not names:
                raise Exit(1, "stdin: Bad file descriptor")
            text = teller.tell(form, name, path, os.lstat(path))
            ctx.out.write(text + ("" if "n" in flags else "\n"))
        except OSError as error:
            if "q" not in flags:
                ctx.warn(f"{name}: {'stat' if 'L' in flags else 'lstat'}: {reason(error)}")
            status = 1
    return status


class _Teller:
    def __init__(self, ctx: Context, clock: str) -> None:
        self.ctx, self.clock = ctx, clock
        self.files = Files(ctx.host)

    def tell(self, form: str, name: str, path: Path, status: os.stat_result) -> str:
        def one(match: re.Match[str]) -> str:
            if match[7]:
                return {"n": "\n", "t": "\t", "%": "%", "@": "1"}[match[7]]
            return self._field(match, name, path, status)

        return FIELD.sub(one, form.replace("%%", "%\0")).replace("%\0", "%")

    def _field(self, match: re.Match[str], name: str, path: Path, status: os.stat_result) -> str:
        marks, width, precision, kind, part, letter = match.groups()[:6]
        if letter in "nt":
            return "\n" if letter == "n" else "\t"
        value = self._value((letter, kind, part), name, path, status)
        if isinstance(value, int):
            base = kind or ("O" if letter == "p" else "U")
            value = f"{value:o}" if base == "O" else f"{value:x}" if base == "X" else str(value)
            if "#" in marks:
                value = {"O": "0", "X": "0x"}.get(base, "") + value
            if precision:
                value = value.zfill(int(precision))
        elif precision:
            value = value[: int(precision)]
        if not width:
            return value
        return value.ljust(int(width)) if "-" in marks else value.rjust(int(width), "0" if "0" in marks else " ")

    def _value(self, what: tuple[str, str, str], name: str, path: Path, status: os.stat_result) -> int | str:
        """Return the value of a format's letter, with the letters for its form (as S) and its part (as H) before."""
        letter, kind, part = what
        if letter in TIMES:
            value = self._time(getattr(status, TIMES[letter]), kind)
        elif letter == "p":
            value = _mode(status.st_mode, kind, part)
        elif letter in "ug":
            value = self._account(letter, kind, status)
        elif letter == "f":
            flags = self.files.flags_of(path, status)
            named = ",".join(sorted(flags)) or "-"
            value = named if kind == "S" else sum(FLAG_BITS.get(flag, 0) for flag in flags)
        elif letter in "NRYT":
            value = self._text(letter, part, name, path, status)
        else:
            value = self._number(letter, status)
        return value

    def _time(self, moment: float, kind: str) -> int | str:
        if kind == "F":
            return f"{moment:.9f}"
        return time.strftime(self.clock, time.gmtime(moment)) if kind == "S" else int(moment)

    def _account(self, letter: str, kind: str, status: os.stat_result) -> int | str:
        number = self.files.owner(status)[0 if letter == "u" else 1]
        if kind != "S":
            return number
        return account_names(self.ctx, "passwd" if letter == "u" else "group").get(number, f"({number})")

    def _text(self, letter: str, part: str, name: str, path: Path, status: os.stat_result) -> str:
        if letter == "T":
            long, short = KINDS[st.S_IFMT(status.st_mode)]
            short = "*" if not short and status.st_mode & 0o111 else short
            return long if part == "H" else short
        if letter == "Y":
            return f" -> {os.readlink(path)}" if st.S_ISLNK(status.st_mode) else ""
        return name if letter == "N" else self.files.host_path(self.ctx.path(name))

    def _number(self, letter: str, status: os.stat_result) -> int:
        numbers = {
            "d": status.st_dev,
            "i": status.st_ino,
            "l": status.st_nlink,
            "r": 2**64 - 1,
            "z": FOLDER_SIZE if st.S_ISDIR(status.st_mode) else status.st_size,
            "Z": FOLDER_SIZE if st.S_ISDIR(status.st_mode) else status.st_size,
            "k": 32768,
            "b": blocks(status),
            "v": 0,
        }
        if letter not in numbers:
            raise Exit(1, f"%{letter}: bad format")
        return numbers[letter]


def _mode(mode: int, kind: str, part: str) -> int | str:
    if kind == "S":
        text = mode_string(mode)
        # High, middle and low are the owner's, the group's and the others' letters.
        return {"H": text[1:4], "M": text[4:7], "L": text[7:10]}.get(part, text)
    return {"H": mode >> 12, "M": mode >> 9 & 7, "L": mode & 0o777}.get(part, mode)


# Names ----------------------------------------------------------------------------------------------------------------


def _resolve(ctx: Context, name: str) -> str:
    """Return the path without links, as realpath(3) does; the last component must exist too."""
    path = ctx.path(name)
    if name.endswith("/") and path.exists() and not path.is_dir():
        raise fail(errno.ENOTDIR, name)
    os.lstat(path)
    base = os.fspath(ctx.host.path(ctx.inside)).rstrip("/")
    return os.fspath(path)[len(base) :] or "/"


def readlink(ctx: Context) -> int:
    """readlink(1)."""
    flags, names = options(ctx, "fn", READLINK)
    if not names:
        usage(ctx, READLINK)
    status = 0
    for name in names:
        try:
            text = _resolve(ctx, name) if "f" in flags else os.readlink(ctx.path(name, follow=False))
            ctx.out.write(text + ("" if "n" in flags else "\n"))
        except OSError:
            status = 1
    return status


def realpath(ctx: Context) -> int:
    """realpath(1)."""
    flags, names = options(ctx, "q", REALPATH)
    status = 0
    for name in names or ["."]:
        try:
            ctx.print(_resolve(ctx, name))
        except OSError as error:
            status = 1
            if "q" not in flags:
                ctx.warn(f"{name}: {reason(error)}")
    return status


# du, df ---------------------------------------------------------------------------------------------------------------


def _unit(ctx: Context, flags: t.Collection[str]) -> int:
    for letter, size in (("k", 1024), ("m", 1024**2), ("g", 1024**3)):
        if letter in flags:
            return size
    # The login class sets BLOCKSIZE=K for everybody.
    text = ctx.env.get("BLOCKSIZE", "K")
    return {"k": 1024, "m": 1024**2, "g": 1024**3}.get(text.lower(), int(text) if text.isdigit() else 512)


def du(ctx: Context) -> int:
    """du(1)."""
    flags, names = long_options(ctx, "+AB:HI:LPasd:cghklmnrt:x", {"si": ""}, DU, EX_USAGE)
    if len(flags.keys() & {"a", "s", "d"}) > 1:
        usage(ctx, DU, EX_USAGE)
    counter = _Counter(ctx, flags)
    total = 0
    for name in names or ["."]:
        follow = bool(flags.keys() & {"H", "L"})
        path = ctx.path(name, follow=follow)
        if not os.path.lexists(path):
            ctx.warn(f"{name}: No such file or directory")
            counter.status = 1
            continue
        total += counter.count(name, path, 0)
    if "c" in flags:
        counter.show(total, "total")
    return counter.status


class _Counter:
    def __init__(self, ctx: Context, flags: t.Mapping[str, list[str]]) -> None:
        self.ctx, self.flags, self.status = ctx, flags, 0
        self.files = Files(ctx.host)
        self.unit = _unit(ctx, flags)
        self.depth = 0 if "s" in flags else int(flags["d"][-1]) if "d" in flags else 1 << 30
        self.seen: set[int] = set()

    def show(self, size: int, name: str) -> None:
        text = human(size) if "h" in self.flags else str(-(-size // self.unit))
        self.ctx.print(f"{text:>4}\t{name}" if "h" in self.flags else f"{text}\t{name}")

    def count(self, name: str, path: Path, level: int) -> int:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            # Somebody removed it since its folder was read.
            self.ctx.warn(f"{name}: No such file or directory")
            self.status = 1
            return 0
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            # fts(3) goes there step by step, but here is no path to it. There are folders only, and little in them.
            return 0
        size = status.st_size if "A" in self.flags else blocks(status) * 512
        if not st.S_ISDIR(status.st_mode):
            if status.st_nlink > 1 and "l" not in self.flags:
                size = 0 if status.st_ino in self.seen else size
                self.seen.add(status.st_ino)
            if level == 0 or ("a" in self.flags and level <= self.depth):
                self.show(size, name)
            return size
        for entry in self.files.names(path):
            child = path / entry
            if "x" in self.flags and self.files.is_mount(child):
                continue
            size += self.count(f"{name.rstrip('/')}/{entry}", child, level + 1)
        if level <= self.depth:
            self.show(size, name)
        return size


class _FileSystem(t.NamedTuple):
    source: str
    target: str
    kind: str
    size: int
    used: int
    free: int


def df(ctx: Context) -> int:
    """df(1)."""
    flags, names = long_options(ctx, "+abcgHhiklmnPt:T,", {"si": "H"}, DF, EX_USAGE)
    systems = _file_systems(ctx)
    status = 0
    chosen = []
    if names:
        files = Files(ctx.host)
        for name in names:
            path = ctx.path(name)
            if not path.exists():
                ctx.warn(f"{name}: No such file or directory")
                status = 1
                continue
            mount = files.mount_of(path)
            target = mount["target"] if mount and ctx.jail is None else "/"
            chosen.append(next((each for each in systems if name == each.source or target == each.target), systems[0]))
    else:
        chosen = [each for each in systems if "t" not in flags or each.kind in flags["t"][-1].split(",")]
        if "l" in flags:
            chosen = [each for each in chosen if each.kind != "nfs"]
    if chosen:
        _show_systems(ctx, flags, chosen)
    return status


def _file_systems(ctx: Context) -> list[_FileSystem]:
    from model import mount  # noqa: PLC0415

    systems = []
    for each in mount.visible(ctx):
        total, used = mount.space(ctx.host, each)
        systems.append(_FileSystem(each["source"], each["target"], each["type"], total, used, max(0, total - used)))
    return systems


def _show_systems(ctx: Context, flags: t.Mapping[str, list[str]], systems: t.Sequence[_FileSystem]) -> None:
    unit = _unit(ctx, flags)
    readable = bool(flags.keys() & {"h", "H"})
    thousand = "1024-blocks" if "k" in flags else "1K-blocks"
    heads = {512: "512-blocks", 1024: thousand, 1024**2: "1M-blocks", 1024**3: "1G-blocks"}
    head = [
        "Filesystem",
        *(["Type"] if "T" in flags else []),
        "Size" if readable else "1K-blocks" if unit == 1024 and "k" not in flags else heads.get(unit, f"{unit}-blocks"),
    ]
    head += ["Used", "Avail", "Capacity"]
    rows = [head]
    for each in systems:
        numbers = [human(n) if readable else str(n // unit) for n in (each.size, each.used, each.free)]
        whole = each.used + each.free
        share = (
            f"{-(-each.used * 100 // whole) if whole and each.used * 200 > whole else each.used * 100 // (whole or 1)}%"
        )
        kind = [each.kind] if "T" in flags else []
        rows.append([each.source, *kind, *numbers, "100%" if not whole else share])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    targets = ["Mounted on", *(each.target for each in systems)]
    left = 2 if "T" in flags else 1
    for row, target in zip(rows, targets, strict=True):
        cells = [
            f"{cell:<{w}}" if n < left else f"{cell:>{w}}" for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        ctx.print(" ".join(cells) + f"  {target}")


def getfacl(ctx: Context) -> int:
    """getfacl(1), of files that have no more than a mode."""
    text = "usage: getfacl [-dhnqv] [file ...]\n"
    flags, names = options(ctx, "dhinqv", text)
    status = 0
    for name in names:
        try:
            found = os.lstat(ctx.path(name))
        except OSError as error:
            ctx.warn(f"{name}: {reason(error)}")
            status = 1
            continue
        if "q" not in flags:
            uid, gid = Files(ctx.host).owner(found)
            user, group = account_names(ctx).get(uid, uid), account_names(ctx, "group").get(gid, gid)
            ctx.out.write(f"# file: {name}\n# owner: {user}\n# group: {group}\n")
        letters = mode_string(found.st_mode)
        for who, place in (("user", 1), ("group", 4), ("other", 7)):
            ctx.print(f"{who}::{letters[place : place + 3]}")
    return status
