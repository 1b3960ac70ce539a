# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of processes: ps(1) and top(1)."""

from __future__ import annotations

import json
import time
import typing as t

from model import kernel as kernels
from model import prison, task
from model.command import Exit, options
from model.process import CPUS, Found, user_of, visible

if t.TYPE_CHECKING:
    from model.command import Context

State = dict[str, t.Any]

MEMORY_KB = 4 * 1024 * 1024
# What a small program uses, by name: resident and virtual KB.
SIZES = {
    "cron": (3136, 14296),
    "devd": (3816, 15804),
    "sh": (2828, 14844),
    "sleep": (2348, 14080),
    "sshd": (8912, 22316),
    "sshd-session": (9576, 22824),
    "syslogd": (3376, 14444),
}
PS = """usage: ps [--libxo] [-aCcdefHhjlmrSTuvwXxZ] [-O fmt | -o fmt]
          [-G gid[,gid...]] [-J jid[,jid...]] [-M core] [-N system]
          [-p pid[,pid...]] [-t tty[,tty...]] [-U user[,user...]]
          [-u user[,user...]]
       ps [--libxo] -L
"""
TOP = """usage: top [-abCHIijnPpqSTtuvwxz] [-d count] [-J jail] [-m cpu | io] [-o field]
           [-p pid] [-s time] [-U username] [number]
"""


class Column(t.NamedTuple):
    """A keyword of ps: its heading, its key in JSON, whether it stands to the left, and its value."""

    heading: str
    key: str
    left: bool
    value: t.Callable[[Row], str]


class Row:
    """One process to be shown."""

    def __init__(self, found: Found, jails: t.Mapping[int, str], spinning: int) -> None:
        """Look up what the columns need."""
        self.pid = found.pid
        self.entry = found.entry
        self.jail = jails.get(found.entry["jid"], "-")
        spins = self.entry.get("spin")
        share = min(1.0, CPUS / spinning) if spinning else 0.0
        self.seconds = (time.time() - spins) * share if spins else 0.05
        self.cpu = 100 * share if spins else 0.0
        rss, vsz = SIZES.get(self.entry["comm"], (2500, 14000))
        self.rss, self.vsz = self.entry.get("rss", rss), self.entry.get("vsz", vsz)

    @property
    def stat(self) -> str:
        """State and flags."""
        usual = "R" if "spin" in self.entry or self.entry.get("running") else "Ss"
        return str(self.entry.get("stat", usual)) + ("J" if self.entry["jid"] else "")

    @property
    def command(self) -> str:
        """The command line."""
        text = " ".join(self.entry["args"])
        return f"[{text}]" if "inside" in self.entry else text

    @property
    def time(self) -> str:
        """Processor time used."""
        minutes, seconds = divmod(self.seconds, 60)
        return f"{int(minutes)}:{seconds:05.2f}"


def _elapsed(row: Row) -> str:
    seconds = int(time.time() - row.entry["start"])
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


COLUMNS: dict[str, Column] = {
    "args": Column("COMMAND", "arguments", True, lambda row: row.command),
    "comm": Column("COMMAND", "command", True, lambda row: row.entry["comm"]),
    "command": Column("COMMAND", "command", True, lambda row: row.command),
    "etime": Column("ELAPSED", "elapsed-time", False, _elapsed),
    "etimes": Column("ELAPSED", "elapsed-times", False, lambda row: str(int(time.time() - row.entry["start"]))),
    "jail": Column("JAIL", "jail-name", True, lambda row: row.jail),
    "jid": Column("JID", "jail-id", False, lambda row: str(row.entry["jid"])),
    "lstart": Column("STARTED", "start-time", True, lambda row: time.ctime(row.entry["start"])),
    "nice": Column("NI", "nice", False, lambda row: str(row.entry.get("nice", 0))),
    "pcpu": Column("%CPU", "percent-cpu", False, lambda row: f"{row.cpu:.1f}"),
    "pid": Column("PID", "pid", False, lambda row: str(row.pid)),
    "pmem": Column("%MEM", "percent-memory", False, lambda row: f"{100 * row.rss / MEMORY_KB:.1f}"),
    "ppid": Column("PPID", "ppid", False, lambda row: str(row.entry.get("ppid", 1))),
    "rss": Column("RSS", "rss", False, lambda row: str(row.rss)),
    "ruser": Column("RUSER", "real-user", True, lambda row: user_of(row.entry)),
    "start": Column("STARTED", "start-time", True, lambda row: time.strftime("%H:%M", time.gmtime(row.entry["start"]))),
    "state": Column("STAT", "state", True, lambda row: row.stat),
    "time": Column("TIME", "cpu-time", False, lambda row: row.time),
    "tt": Column("TT", "terminal-name", True, lambda row: row.entry.get("tty", " -").removeprefix("tty")),
    "tty": Column("TTY", "terminal-name", True, lambda row: row.entry.get("tty", "-")),
    "uid": Column("UID", "uid", False, lambda row: "0" if user_of(row.entry) == "root" else "65534"),
    "user": Column("USER", "user", True, lambda row: user_of(row.entry)),
    "vsz": Column("VSZ", "virtual-size", False, lambda row: str(row.vsz)),
}
ALIASES = {
    "%cpu": "pcpu",
    "%mem": "pmem",
    "ni": "nice",
    "stat": "state",
    "ucomm": "comm",
    "vsize": "vsz",
    "cputime": "time",
}
USUAL = "pid tt state time command"
BY_USER = "user pid pcpu pmem vsz rss tt state start time command"
LONG = "uid pid ppid nice vsz rss state tt time command"


def ps(ctx: Context) -> int:
    """ps(1)."""
    style = _libxo(ctx)
    if ctx.arguments and not ctx.arguments[0].startswith("-"):
        ctx.argv[1] = "-" + ctx.argv[1]
    flags, operands = options(ctx, "aAcCdefgG:hHjJ:lL:mM:N:O:o:p:rSTt:uU:vwxXZ".replace("L:", "L"), PS)
    if operands:
        ctx.err.write(PS)
        return 1
    columns = _columns(ctx, flags)
    rows = _rows(ctx, flags)
    lines = [[column.value(row) for _unused, column in columns] for row in rows]
    if style:
        ctx.out.write(_json(columns, lines))
    else:
        ctx.out.write(_text(columns, lines, headings=any(heading for heading, _unused in columns)))
    return int(not lines)


def _columns(ctx: Context, flags: t.Mapping[str, list[str]]) -> list[tuple[str, Column]]:
    usual = BY_USER if "u" in flags else LONG if "l" in flags else USUAL
    found = []
    for text in flags.get("o", [usual]):
        for word in text.replace(" ", ",").split(","):
            name, equals, heading = word.partition("=")
            column = COLUMNS.get(ALIASES.get(name, name))
            if column is None:
                ctx.warn(f"{name}: keyword not found")
                raise Exit(1, "no valid keywords; valid keywords:")
            found.append((heading if equals else column.heading, column))
    return found


def _rows(ctx: Context, flags: t.Mapping[str, list[str]]) -> list[Row]:
    with ctx.host.kernel() as kernel:
        jails = {each["jid"]: str(each["name"]) for each in prison.prisons(kernel)}
        found = [*visible(ctx, kernel), *_of_modules(ctx, kernel), *_own(ctx)]
        wanted = _wanted(ctx, kernel, flags)
    spinning = sum("spin" in each.entry for each in found)
    rows = [Row(each, jails, spinning) for each in found if wanted(each)]
    if ctx.pid:
        for row in rows:
            if row.pid == ctx.pid:
                row.entry = {**row.entry, "stat": "Rs"}
    rows.sort(key=lambda row: (row.entry.get("tty", ""), row.pid))
    return sorted(rows, key=lambda row: -row.cpu) if "r" in flags else rows


def _wanted(ctx: Context, kernel: State, flags: t.Mapping[str, list[str]]) -> t.Callable[[Found], bool]:
    """Return the choice: whatever any of -J, -p, -U names, or all, or the own terminal's."""
    jids = set()
    for word in [word for text in flags.get("J", []) for word in text.split(",")]:
        jail = prison.find(kernel, word)
        if jail is None and word != "0":
            raise Exit(1, f"Invalid jail id: {word}")
        jids.add(jail["jid"] if jail else 0)
    pids = {word for text in flags.get("p", []) for word in text.split(",")}
    users = {word for letter in "U" for text in flags.get(letter, []) for word in text.split(",")}
    if jids or pids or users:
        return lambda each: each.entry["jid"] in jids or str(each.pid) in pids or user_of(each.entry) in users
    if flags.keys() & {"a", "x", "A", "d", "e"}:
        return lambda each: "x" in flags or "A" in flags or "tty" in each.entry
    return lambda each: each.entry.get("tty") == "own"


def _of_modules(ctx: Context, kernel: State) -> list[Found]:
    """The processes that kernel modules bring along."""
    names = [("pf", 4770, ["pf purge"]), ("zfs", 6716, ["zfskern", "aiod1", "aiod2", "aiod3", "aiod4"])]
    start = kernel.get("boottime", time.time())
    common = {"jid": 0, "ppid": 0, "start": start, "stat": "DL", "rss": 16, "vsz": 0, "inside": True}
    return [
        Found(number + place, {**common, "comm": name, "args": [name]})
        for module, number, each in names
        if ctx.jail is None and kernels.loaded(kernel, module)
        for place, name in enumerate(each)
    ]


def _own(ctx: Context) -> list[Found]:
    """Ps itself and the connection that it was started over, which the table does not hold on the host."""
    if ctx.pid or ctx.jail is not None:
        return []
    now = time.time()
    number = 9000
    titles = ["sshd-session: root [priv] (sshd-session)", "sshd-session: root@notty (sshd-session)"]
    found = [
        Found(number + place, {"jid": 0, "comm": "sshd-session", "args": [title], "start": now})
        for place, title in enumerate(titles)
    ]
    return [*found, Found(number + 2, {"jid": 0, "comm": "ps", "args": ctx.argv, "start": now, "stat": "Rs"})]


def _text(columns: list[tuple[str, Column]], lines: list[list[str]], *, headings: bool) -> str:
    table = ([[heading for heading, _unused in columns]] if headings else []) + lines
    widths = [max((len(line[place]) for line in table), default=0) for place in range(len(columns))]
    text = ""
    for line in table:
        words = []
        for place, word in enumerate(line):
            left = columns[place][1].left
            last = place == len(columns) - 1
            words.append((word if last else word.ljust(widths[place])) if left else word.rjust(widths[place]))
        text += " ".join(words) + "\n"
    return text


def _json(columns: list[tuple[str, Column]], lines: list[list[str]]) -> str:
    objects = [
        "{"
        + ",".join(
            f"{json.dumps(column.key)}:{json.dumps(word)}"
            for (_unused, column), word in zip(columns, line, strict=True)
        )
        + "}"
        for line in lines
    ]
    return '{"process-information": {"process": [' + ", ".join(objects) + "]}}\n"


def _libxo(ctx: Context) -> bool:
    """Take libxo's options out of the arguments; say whether they ask for JSON."""
    if "--libxo" not in ctx.arguments and not any(word.startswith("--libxo=") for word in ctx.arguments):
        return False
    rest, asked = [], ""
    arguments = iter(ctx.arguments)
    for word in arguments:
        if word == "--libxo":
            asked = next(arguments, "")
        elif word.startswith("--libxo="):
            asked = word.partition("=")[2]
        else:
            rest.append(word)
    if asked not in ("json", "text"):
        raise Exit(1, f"unsupported libxo option '{asked}'")
    ctx.argv = [ctx.argv[0], *rest]
    return asked == "json"


# top ------------------------------------------------------------------------------------------------------------------


def top(ctx: Context) -> int:
    """top(1) as a list, not as a screen."""
    flags, operands = options(ctx, "abCd:HIiJ:jnm:o:Pp:qSs:TtU:uvwxz", TOP)
    if "b" not in flags and "n" not in flags and "d" not in flags:
        raise Exit(1, "can't initialize a terminal")
    limit = int(operands[0]) if operands and operands[0].isdigit() else 18
    chosen = {"J": flags["J"]} if "J" in flags else {"A": [""]}
    rows = [row for row in _rows(ctx, chosen) if "inside" not in row.entry]
    running = sum("spin" in row.entry for row in rows)
    rows = sorted(rows, key=lambda row: (-row.cpu, row.pid))[:limit]
    ctx.out.write(_summary(ctx, len(rows), running))
    jail = "   JID" if "J" in flags else ""
    ctx.out.write(f"  PID{jail} USERNAME    THR PRI NICE   SIZE    RES STATE    C   TIME    WCPU COMMAND\n")
    for row in rows:
        where = f" {row.entry['jid']:5d}" if jail else ""
        state = "CPU0" if "spin" in row.entry else "select"
        size, resident = f"{row.vsz // 1024}M", f"{row.rss}K"
        ctx.out.write(
            f"{row.pid:5d}{where} {user_of(row.entry):<11}   1 {124 if row.cpu else 20:3d} "
            f"{row.entry.get('nice', 0):4d} "
            f"{size:>6} {resident:>6} {state:<8} 0 {row.time.partition('.')[0]:>6} {row.cpu:6.2f}% "
            f"{row.entry['comm']}\n"
        )
    ctx.out.write("\n")
    return 0


def _summary(ctx: Context, count: int, running: int) -> str:
    with ctx.host.kernel() as kernel:
        up = time.gmtime(time.time() - kernel.get("boottime", time.time()))
        last = task.processes(kernel) and kernel["process"]["last"]
    load = f"{float(running):.2f}"
    idle = max(0.0, 100 - 100 * running / CPUS)
    return (
        f"last pid: {last:5d};  load averages:    {load},    {load},    {load}  up {up.tm_yday - 1}+"
        f"{time.strftime('%H:%M:%S', up)}    {time.strftime('%H:%M:%S', time.gmtime())}\n"
        f"{count} processes:  {running} running, {count - running} sleeping\n"
        f"CPU: {100 - idle:4.1f}% user,  0.0% nice,  0.0% system,  0.0% interrupt, {idle:4.1f}% idle\n"
        "Mem: 13M Active, 3324K Inact, 353M Wired, 148M Buf, 3568M Free\n\n"
    )
