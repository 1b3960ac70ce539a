# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small programs without a subsystem: echo, date, id, getent, which, digests, cmp, wc, uniq, and their like."""

from __future__ import annotations

import re
import time
import typing as t
import zlib

from model.command import Exit, options
from model.files import reason
from model.longopts import long_options
from model.process_run import run_here
from model.process_run import which as find_program
from model.userland import Each, read, usage, write_bytes

if t.TYPE_CHECKING:
    from model.command import Context

BASENAME = """usage: basename string [suffix]
       basename [-a] [-s suffix] string [...]
"""
DIRNAME = "usage: dirname string [...]\n"
ID = """usage: id [user]
       id -A
       id -G [-n] [user]
       id -M
       id -P [user]
       id -c
       id -d [user]
       id -g [-nr] [user]
       id -p [user]
       id -s [user]
       id -u [-nr] [user]
"""
GETENT = "usage: getent [-s source[:...]] database [key ...]\n"
DATE = """usage: date [-jnRu] [-I[date|hours|minutes|seconds|ns]] [-f input_fmt]
            [ -z output_zone ] [-r filename|seconds] [-v[+|-]val[y|m|w|d|H|M|S]]
            [[[[[[cc]yy]mm]dd]HH]MM[.SS] | new_date] [+output_fmt]
"""
CMP = "usage: cmp [-l | -s | -x] [-hz] [--ignore-initial=num1[:num2]] file1 file2 [skip1 [skip2]]\n"
WC = "usage: wc [-Lclmw] [file ...]\n"
UNIQ = "usage: uniq [-cdiu] [-D[septype]] [-f fields] [-s chars] [input [output]]\n"


def echo(ctx: Context) -> int:
    """echo(1): no option but -n."""
    words = ctx.arguments
    newline = words[:1] != ["-n"]
    text = " ".join(words if newline else words[1:])
    if text.endswith("\\c"):
        text, newline = text[:-2], False
    ctx.out.write(text + "\n" * newline)
    return 0


def here(ctx: Context) -> int:
    """Run the program of this machine that has the same name and does the same: printf(1), test(1), ..."""
    return run_here(ctx, ctx.argv)


def sleep(ctx: Context) -> int:
    """sleep(1)."""
    _unused, words = options(ctx, "", "usage: sleep number[unit] [...]\n")
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    total = 0.0
    for word in words:
        match = re.fullmatch(r"(\d*\.?\d+|\d+\.)([smhd]?)", word)
        if not match:
            raise Exit(1, f"invalid time interval: {word}")
        total += float(match[1]) * units[match[2] or "s"]
    if not words:
        usage(ctx, "usage: sleep number[unit] [...]\n")
    from model import task  # noqa: PLC0415

    task.rest(ctx.host, getattr(ctx, "pid", 0), total)
    return 0


def basename(ctx: Context) -> int:
    """basename(1)."""
    flags, names = options(ctx, "as:", BASENAME)
    if not names or (len(names) > 2 and not flags):
        usage(ctx, BASENAME)
    suffix = flags.get("s", [""])[-1]
    if not flags and len(names) == 2:
        suffix = names.pop()
    for name in names:
        base = name.rstrip("/").rpartition("/")[2] or ("/" if name else "")
        ctx.print(base[: -len(suffix)] if suffix and base.endswith(suffix) and base != suffix else base)
    return 0


def dirname(ctx: Context) -> int:
    """dirname(1)."""
    _unused, names = options(ctx, "", DIRNAME)
    if not names:
        usage(ctx, DIRNAME)
    for name in names:
        head, slash, _tail = name.rstrip("/").rpartition("/")
        ctx.print(head.rstrip("/") or ("/" if slash or name.startswith("/") else "."))
    return 0


def which(ctx: Context) -> int:
    """which(1)."""
    flags, names = options(ctx, "as", "usage: which [-as] program ...\n")
    if not names:
        usage(ctx, "usage: which [-as] program ...\n")
    from model.files import Files  # noqa: PLC0415

    files = Files(ctx.host)
    status = 0
    base = files.host_path(ctx.host.path(ctx.inside)).rstrip("/")
    for name in names:
        found = find_program(ctx, name)
        if found is None:
            status = 1
        elif "s" not in flags:
            ctx.print(files.host_path(found)[len(base) :])
    return status


def nproc(ctx: Context) -> int:
    """nproc(1)."""
    text = "usage: nproc [--all] [--ignore=count]\n       nproc --help\n       nproc --version\n"
    flags, _unused = long_options(ctx, "", {"all": "", "ignore": ":", "help": "", "version": ""}, text)
    with ctx.host.disk() as disk:
        count = int(disk.get("machine", {}).get("processors", 2))
    ctx.print(max(1, count - int(flags.get("ignore", ["0"])[-1])))
    return 0


# Accounts -------------------------------------------------------------------------------------------------------------


def _table(ctx: Context, file: str) -> list[list[str]]:
    try:
        lines = ctx.path(f"/etc/{file}").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [line.split(":") for line in lines if line and not line.startswith("#")]


def _users(ctx: Context) -> list[list[str]]:
    """Return the accounts as passwd(5) has them, with the password that root sees."""
    secrets = {row[0]: row[1] for row in _table(ctx, "master.passwd") if len(row) > 1}
    return [[row[0], secrets.get(row[0], row[1]), *row[2:]] for row in _table(ctx, "passwd") if len(row) == 7]


def id_command(ctx: Context) -> int:
    """id(1), and whoami(1)."""
    if ctx.argv[0] == "whoami":
        options(ctx, "", "usage: whoami\n")
        ctx.print("root")
        return 0
    flags, names = options(ctx, "APGMacdgnprsu", ID)
    name = names[0] if names else "root"
    rows = [row for row in _users(ctx) if name in (row[0], row[2])] or (
        [["root", "", "0", "0", "", "/root", "/bin/sh"]] if name in ("root", "0") else []
    )
    if not rows:
        raise Exit(1, f"{name}: no such user")
    row = rows[0]
    groups = _table(ctx, "group") or [["wheel", "*", "0", "root"]]
    named = {group[2]: group[0] for group in groups}
    mine = [row[3]] + [group[2] for group in groups if row[0] in group[3].split(",") and group[2] != row[3]]
    simple = {"u": row[0] if "n" in flags else row[2], "g": named.get(row[3], row[3]) if "n" in flags else row[3]}
    for letter, value in simple.items():
        if letter in flags:
            ctx.print(value)
            return 0
    if "G" in flags:
        ctx.print(*(named.get(gid, gid) if "n" in flags else gid for gid in mine))
    elif "P" in flags:
        ctx.print(":".join([*row[:4], "", "0", "0", *row[4:]]))
    else:
        shown = ",".join(f"{gid}({named[gid]})" if gid in named else gid for gid in mine)
        own = f"{row[3]}({named[row[3]]})" if row[3] in named else row[3]
        ctx.print(f"uid={row[2]}({row[0]}) gid={own} groups={shown}")
    return 0


def getent(ctx: Context) -> int:
    """getent(1)."""
    _unused, words = options(ctx, "s:", GETENT)
    if not words:
        usage(ctx, GETENT)
    base, *keys = words
    rows = {"passwd": _users, "group": lambda ctx: _table(ctx, "group"), "hosts": _hosts, "services": _services}
    if base not in rows:
        raise Exit(1, f"Unknown database `{base}'")
    lines = rows[base](ctx)
    if base == "hosts":
        found = [_host_line(row) for row in lines if not keys or set(keys) & set(row)]
    elif base == "services":
        found = [f"{row[0]:<16} {' '.join(row[1:])}" for row in lines if not keys or row[0] in keys]
    else:
        found = [":".join(row) for row in lines if not keys or row[0] in keys or row[2] in keys]
    for line in found:
        ctx.print(line)
    return 0 if found else 2


def _hosts(ctx: Context) -> list[list[str]]:
    try:
        lines = ctx.path("/etc/hosts").read_text().splitlines()
    except OSError:
        lines = []
    return [row for row in (line.partition("#")[0].split() for line in lines) if row]


def _services(ctx: Context) -> list[list[str]]:
    del ctx
    return [["ssh", "22/tcp"], ["domain", "53/udp"], ["http", "80/tcp"], ["https", "443/tcp"]]


def _host_line(row: list[str]) -> str:
    return f"{row[0]:<16}  {'  '.join(row[1:])}"


# Digests --------------------------------------------------------------------------------------------------------------

DIGESTS = {"md5": "MD5", "sha1": "SHA1", "sha224": "SHA224", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}


def digest(ctx: Context) -> int:
    """md5(1), sha256(1), ..., and by the names md5sum, sha256sum, ... the form that these have."""
    import hashlib  # noqa: PLC0415

    name = ctx.argv[0]
    gnu = name.endswith("sum")
    kind = name.removesuffix("sum")
    if gnu:
        return _digest_sum(ctx, kind)
    text = f"usage: {name} [-pqrtx] [-c string] [-s string] [file ...]\n"
    flags, names = options(ctx, "c:pqrs:tx", text)
    each = Each(ctx)
    state = {"bad": False}

    def show(file: str) -> None:
        value = hashlib.new(kind, read(ctx, file)).hexdigest()
        wrong = "c" in flags and value != flags["c"][-1].lower()
        state["bad"] = state["bad"] or wrong
        mark = " [ Failed ]" if wrong else ""
        if "q" in flags:
            ctx.print(value + mark)
        elif "r" in flags:
            ctx.print(f"{value} {file}{mark}")
        else:
            ctx.print(f"{DIGESTS[kind]} ({file}) = {value}{mark}")

    if "s" in flags:
        value = hashlib.new(kind, flags["s"][-1].encode()).hexdigest()
        ctx.print(value if "q" in flags else f'{DIGESTS[kind]} ("{flags["s"][-1]}") = {value}')
    elif not names:
        data = ctx.stdin.read()
        value = hashlib.new(kind, data).hexdigest()
        if "p" in flags:
            write_bytes(ctx, data)
        state["bad"] = "c" in flags and value != flags["c"][-1].lower()
        ctx.print(value + (" [ Failed ]" if state["bad"] else ""))
    for file in names:
        each(file, lambda file=file: show(file))  # type: ignore[misc]
    return each.status or (2 if state["bad"] else 0)


def _digest_sum(ctx: Context, kind: str) -> int:
    import hashlib  # noqa: PLC0415

    long = {"binary": "b", "check": "c", "help": "", "quiet": "", "status": "", "strict": "", "tag": "", "text": "t"}
    flags, names = long_options(ctx, "bctwz", long, f"usage: {ctx.argv[0]} [-bctwz] [files ...]\n")
    each = Each(ctx)
    bad = 0
    if "c" in flags:
        for name in names or ["-"]:
            lines = (ctx.stdin.read() if name == "-" else read(ctx, name)).decode().splitlines()
            for line in lines:
                value, _unused, file = line.partition(" ")
                good = hashlib.new(kind, read(ctx, file[1:])).hexdigest() == value.lower()
                bad += not good
                if "status" not in flags and not (good and "quiet" in flags):
                    ctx.print(f"{file[1:]}: {'OK' if good else 'FAILED'}")
        return 1 if bad else 0

    def show(file: str) -> None:
        data = ctx.stdin.read() if file == "-" else read(ctx, file)
        ctx.print(f"{hashlib.new(kind, data).hexdigest()} {'*' if 'b' in flags else ' '}{file}")

    for file in names or ["-"]:
        each(file, lambda file=file: show(file))  # type: ignore[misc]
    return each.status


def cksum(ctx: Context) -> int:
    """cksum(1), POSIX's algorithm and (-o 3) the common one."""
    flags, names = options(ctx, "o:", "usage: cksum [-o 1 | 2 | 3] [file ...]\n")
    each = Each(ctx)

    def show(file: str) -> None:
        data = read(ctx, file) if file else ctx.stdin.read()
        value = zlib.crc32(data) if flags.get("o") == ["3"] else _posix_crc(data)
        ctx.print(f"{value} {len(data)}{' ' * bool(file)}{file}")

    for file in names or [""]:
        each(file, lambda file=file: show(file))  # type: ignore[misc]
    return each.status


def _posix_crc(data: bytes) -> int:
    length = len(data)
    tail = bytearray()
    while length:
        tail.append(length & 0xFF)
        length >>= 8
    value = 0
    for byte in data + bytes(tail):
        value ^= byte << 24
        for _unused in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value ^ 0xFFFFFFFF


# Text -----------------------------------------------------------------------------------------------------------------


def cmp(ctx: Context) -> int:
    """cmp(1)."""
    flags, names = long_options(ctx, "+bhi:ln:sxz", {"ignore-initial": "i:", "silent": "s", "quiet": "s"}, CMP, 2)
    if len(names) < 2:
        usage(ctx, CMP, 2)
    try:
        one, two = [ctx.stdin.read() if name == "-" else read(ctx, name) for name in names[:2]]
    except OSError as error:
        if "s" in flags:
            return 2
        raise Exit(2, f"{error.filename if '-' in names else _first_missing(ctx, names)}: {reason(error)}") from None
    for place, (left, right) in enumerate(zip(one, two, strict=False)):
        if left != right:
            if "s" not in flags:
                line = one[:place].count(b"\n") + 1
                ctx.print(f"{names[0]} {names[1]} differ: char {place + 1}, line {line}")
            return 1
    if len(one) != len(two):
        if "s" not in flags:
            ctx.err.write(f"cmp: EOF on {names[0] if len(one) < len(two) else names[1]}\n")
        return 1
    return 0


def _first_missing(ctx: Context, names: t.Sequence[str]) -> str:
    return next((name for name in names if name != "-" and not ctx.path(name).is_file()), names[0])


def wc(ctx: Context) -> int:
    """wc(1)."""
    flags, names = long_options(ctx, "+clmwL", {"libxo": "::"}, WC)
    wanted = [letter for letter in "lwcmL" if letter in flags] or ["l", "w", "c"]
    totals = dict.fromkeys(wanted, 0)
    each = Each(ctx)

    def show(name: str) -> None:
        data = read(ctx, name) if name else ctx.stdin.read()
        longest = max((len(line) for line in data.split(b"\n")), default=0)
        counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data), "m": len(data), "L": longest}
        for letter in wanted:
            totals[letter] += counts[letter]
        ctx.print("".join(f" {counts[letter]:7}" for letter in wanted) + (f" {name}" if name else ""))

    for name in names or [""]:
        each(f"{name}: open", lambda name=name: show(name))  # type: ignore[misc]
    if len(names) > 1:
        ctx.print("".join(f" {totals[letter]:7}" for letter in wanted) + " total")
    return each.status


def uniq(ctx: Context) -> int:
    """uniq(1)."""
    flags, names = long_options(
        ctx,
        "+D::cdif:s:u",
        {"count": "c", "repeated": "d", "unique": "u", "ignore-case": "i", "skip-fields": "f:", "skip-chars": "s:"},
        UNIQ,
    )
    try:
        data = read(ctx, names[0]) if names and names[0] != "-" else ctx.stdin.read()
    except OSError as error:
        raise Exit(1, f"{names[0]}: {reason(error)}") from None
    fields, chars = int(flags.get("f", ["0"])[-1]), int(flags.get("s", ["0"])[-1])

    def key(line: bytes) -> bytes:
        for _unused in range(fields):
            line = re.sub(rb"^\s*\S+", b"", line)
        return line[chars:].lower() if "i" in flags else line[chars:]

    groups: list[tuple[bytes, int]] = []
    for line in data.splitlines():
        if groups and key(groups[-1][0]) == key(line):
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    shown = [
        (b"%4d " % count if "c" in flags else b"") + line + b"\n"
        for line, count in groups
        if not ("d" in flags and count == 1) and not ("u" in flags and count > 1)
    ]
    if len(names) > 1:
        ctx.path(names[1]).write_bytes(b"".join(shown))
    else:
        write_bytes(ctx, b"".join(shown))
    return 0


# date -----------------------------------------------------------------------------------------------------------------

ISO = {"date": "%Y-%m-%d", "hours": "%Y-%m-%dT%H", "minutes": "%Y-%m-%dT%H:%M", "seconds": "%Y-%m-%dT%H:%M:%S"}


def date(ctx: Context) -> int:
    """date(1); the host's clock is this machine's, its zone is UTC."""
    flags, words = options(ctx, "f:I::jnRr:uv:z:".replace("I::", "I"), DATE) if not _has_iso(ctx) else _with_iso(ctx)
    form = next((word[1:] for word in words if word.startswith("+")), "%a %b %e %H:%M:%S %Z %Y")
    given = [word for word in words if not word.startswith("+")]
    moment = time.time()
    if "r" in flags:
        moment = _moment(ctx, flags["r"][-1])
    if given:
        moment = _parse(ctx, given[0], flags.get("f", [""])[-1])
        if "j" not in flags:
            raise Exit(1, "settimeofday (timeval): Operation not permitted")
    for change in flags.get("v", []):
        moment = _adjust(ctx, moment, change)
    clock = time.gmtime(moment)
    if "I" in flags:
        kind = flags["I"][-1] or "date"
        form = ISO.get(kind, ISO["seconds"]) + ("" if kind == "date" else "+00:00")
    elif "R" in flags:
        form = "%a, %d %b %Y %H:%M:%S +0000"
    form = form.replace("%Z", "UTC").replace("%z", "+0000").replace("%s", str(int(moment)))
    ctx.print(time.strftime(form.replace("%N", f"{int(moment % 1 * 1e9):09d}"), clock))
    return 0


def _has_iso(ctx: Context) -> bool:
    return any(word.startswith("-I") for word in ctx.arguments)


def _with_iso(ctx: Context) -> tuple[dict[str, list[str]], list[str]]:
    """-I takes its argument only in the same word, which getopt(3) knows and Python's getopt does not."""
    word = next(word for word in ctx.arguments if word.startswith("-I"))
    if word[2:] and word[2:] not in {*ISO, "ns"}:
        ctx.warn(f"invalid argument '{word[2:]}' for -I")
        usage(ctx, DATE)
    rest = [each for each in ctx.argv if each is not word]
    saved, ctx.argv = ctx.argv, rest
    flags, words = options(ctx, "f:jnRr:uv:z:", DATE)
    ctx.argv = saved
    return {**flags, "I": [word[2:]]}, words


def _moment(ctx: Context, text: str) -> float:
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return ctx.path(text).stat().st_mtime
    except OSError as error:
        raise Exit(1, f"{text}: {reason(error)}") from None


def _parse(ctx: Context, text: str, form: str) -> float:
    import calendar  # noqa: PLC0415

    if form:
        try:
            return calendar.timegm(
                time.strptime(text.removesuffix("Z") if form.endswith("Z") else text, form.removesuffix("Z"))
            )
        except ValueError:
            ctx.warn(f"Failed conversion of ``{text}'' using format ``{form}''")
            ctx.err.write("date: illegal time format\n")
            usage(ctx, DATE)
    match = re.fullmatch(r"(?:(?:(?:(?:(\d\d)?(\d\d))?(\d\d))?(\d\d))?(\d\d))?(\d\d)(?:\.(\d\d))?", text)
    if not match:
        ctx.err.write("date: illegal time format\n")
        usage(ctx, DATE)
    now = time.gmtime()
    century, year, month, day, hour, minute, second = match.groups()
    full = int((century or "20") + year) if year else now.tm_year
    numbers = [int(new) if new else old for new, old in ((month, now.tm_mon), (day, now.tm_mday), (hour, now.tm_hour))]
    return calendar.timegm((full, *numbers, int(minute), int(second or 0)))


SPANS = {"S": 1, "M": 60, "H": 3600, "d": 86400, "w": 604800}


def _adjust(ctx: Context, moment: float, change: str) -> float:
    import calendar  # noqa: PLC0415

    match = re.fullmatch(r"([-+]?)(\d+)([ymwdHMS])", change)
    if not match:
        ctx.warn(f"{change}: Cannot apply date adjustment")
        usage(ctx, DATE)
    sign, number, unit = {"": 0, "+": 1, "-": -1}[match[1]], int(match[2]), match[3]
    if sign and unit in SPANS:
        return moment + sign * number * SPANS[unit]
    parts = list(time.gmtime(moment)[:6])
    place = "ymdHMS".index(unit if unit != "w" else "d")
    parts[place] = parts[place] + sign * number if sign else number
    if sign and unit == "m":
        months = parts[0] * 12 + parts[1] - 1
        parts[0], parts[1] = months // 12, months % 12 + 1
        parts[2] = min(parts[2], calendar.monthrange(parts[0], parts[1])[1])
    return calendar.timegm(tuple(parts)) + moment % 1
