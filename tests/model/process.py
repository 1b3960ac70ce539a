# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: pgrep, pkill, renice, cpuset, sockstat, and what a booting host has before rc(8) starts daemons."""

from __future__ import annotations

import re
import signal
import typing as t

from model import prison, task
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context

State = dict[str, t.Any]

_KERNEL_PROCESSES_WORDS = (
    "kernel init clock crypto cam busdma rand_harvestq pagedaemon vmdaemon bufdaemon audit idle intr geom vnlru syncer "
    "racctd"
)
KERNEL_PROCESSES = _KERNEL_PROCESSES_WORDS.split()
TERMINALS = ("ttyv0", "ttyv1", "ttyv2", "ttyv3", "ttyv4", "ttyv5", "ttyv6", "ttyv7", "ttyu0")
CPUS = 2
PGREP = """usage: pgrep [-LSfilnoqvx] [-d delim] [-F pidfile] [-G gid]
             [-P ppid] [-U uid] [-c class] [-g pgrp] [-j jail]
             [-s sid] [-t tty] [-u euid] pattern ...
"""
PKILL = """usage: pkill [-signal] [-ILfilnovx] [-F pidfile] [-G gid]
             [-P ppid] [-U uid] [-c class] [-g pgrp] [-j jail]
             [-s sid] [-t tty] [-u euid] pattern ...
"""
RENICE = """usage: renice [-n] priority [[-p] pid ...] [[-g] pgrp ...] [[-u] user ...]
       renice -n increment [[-p] pid ...] [[-g] pgrp ...] [[-u] user ...]
"""
CPUSET = """usage: cpuset [-l cpu-list] [-n policy:domain-list] [-s setid] cmd ...
       cpuset [-l cpu-list] [-n policy:domain-list] [-s setid] -p pid
       cpuset [-c] [-l cpu-list] [-n policy:domain-list] -C -p pid
       cpuset [-c] [-l cpu-list] [-n policy:domain-list]
              [-j jailid | -p pid | -t tid | -s setid | -x irq]
       cpuset -g [-cir]
              [-d domain | -j jailid | -p pid | -t tid | -s setid | -x irq]
"""
SOCKSTAT = "usage: sockstat [--libxo ...] [-46ACcfIiLlnqSsUuvw] [-j jid] [-p ports] [-P protocols]\n"


def boot(kernel: State) -> None:
    """Enter what runs before any daemon: the kernel's own processes, init, and what waits at the terminals."""
    for number, name in enumerate(KERNEL_PROCESSES):
        own = {} if name == "init" else {"inside": True}
        stat = {"kernel": "DLs", "init": "ILs", "idle": "RNL"}.get(name, "DL")
        rss = {"kernel": 992, "init": 1244}.get(name, 32)
        arguments = ["/sbin/init"] if name == "init" else [name]
        vsz = 12712 if name == "init" else 0
        task.add(kernel, arguments, pid=number, comm=name, ppid=0, stat=stat, rss=rss, vsz=vsz, deaf=True, **own)
    for terminal in TERMINALS:
        words = ["/usr/libexec/getty", "3wire" if terminal == "ttyu0" else "Pc", terminal]
        task.add(kernel, words, tty=terminal, stat="Is+", rss=2496, vsz=14220)


# Finding --------------------------------------------------------------------------------------------------------------


class Found(t.NamedTuple):
    """A process that a pattern was looked for in."""

    pid: int
    entry: State

    @property
    def command(self) -> str:
        """Its whole command line."""
        return " ".join(self.entry["args"])


def visible(ctx: Context, kernel: State) -> list[Found]:
    """Return the processes that this one may see, lowest number first: in a jail only its own and its children's."""
    found = [Found(int(number), entry) for number, entry in task.processes(kernel).items()]
    if ctx.jail is not None:
        mine = {each["jid"] for each in prison.prisons(kernel) if f"{each['name']}.".startswith(f"{ctx.jail}.")}
        found = [each for each in found if each.entry["jid"] in mine]
    return sorted(found)


def user_of(entry: State) -> str:
    """Return the name of a process's user."""
    return str(entry.get("user", "root"))


def _jails(ctx: Context, kernel: State, words: list[str]) -> set[int] | None:
    """Return the jail numbers that -j names (jail names, numbers, any, none); None if it was not given."""
    found: set[int] = set()
    for word in [part for text in words for part in text.split(",")]:
        if word in ("none", "0"):
            found.add(0)
        elif word == "any":
            found |= {each["jid"] for each in prison.prisons(kernel)}
        else:
            jail = prison.find(kernel, word)
            if jail is None:
                raise Exit(2, f"Invalid jail ID or name `{word}'")
            found.add(jail["jid"])
    return found if words else None


def _select(ctx: Context, flags: t.Mapping[str, list[str]], patterns: list[str]) -> list[Found]:
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern, re.IGNORECASE if "i" in flags else 0))
        except re.error as error:
            raise Exit(2, f"Cannot compile regular expression `{pattern}' ({error})") from None
    with ctx.host.kernel() as kernel:
        jails = _jails(ctx, kernel, flags.get("j", []))
        rows = [each for each in visible(ctx, kernel) if "inside" not in each.entry and each.pid != ctx.pid]
    found = [each for each in rows if _fits(each, flags, jails, compiled) is ("v" not in flags)]
    if "n" in flags or "o" in flags:
        found = found[-1:] if "n" in flags else found[:1]
    return found


def _fits(
    each: Found, flags: t.Mapping[str, list[str]], jails: set[int] | None, patterns: list[re.Pattern[str]]
) -> bool:
    if jails is not None and each.entry["jid"] not in jails:
        return False
    users = [word for letter in "uU" for text in flags.get(letter, []) for word in text.split(",")]
    if users and user_of(each.entry) not in users and not ("0" in users and user_of(each.entry) == "root"):
        return False
    parents = [word for text in flags.get("P", []) for word in text.split(",")]
    if parents and str(each.entry.get("ppid", 1)) not in parents:
        return False
    text = each.command if "f" in flags else each.entry["comm"]
    search = (lambda pattern: pattern.fullmatch(text)) if "x" in flags else (lambda pattern: pattern.search(text))
    return not patterns or any(search(pattern) for pattern in patterns)


def pgrep(ctx: Context) -> int:
    """pgrep(1)."""
    flags, patterns = options(ctx, "aDd:F:fG:ILM:N:P:SU:ac:fg:ij:lnoqs:t:u:vx", PGREP, 2)
    selectors = flags.keys() & set("FGPUgjtuc")
    if not patterns and not selectors:
        ctx.err.write(PGREP)
        return 2
    found = _select(ctx, flags, patterns)
    if "q" not in flags:
        lines = [
            f"{each.pid} {each.command if 'f' in flags else each.entry['comm']}" if "l" in flags else str(each.pid)
            for each in found
        ]
        ctx.out.write(
            "".join(line + flags.get("d", ["\n"])[-1] for line in lines[:-1])
            + "".join(f"{line}\n" for line in lines[-1:])
        )
    return int(not found)


def pkill(ctx: Context) -> int:
    """pkill(1)."""
    number = int(signal.SIGTERM)
    if ctx.arguments and re.fullmatch(r"-(\d+|[A-Z]{3,}\d?)", ctx.arguments[0]):
        number = signal_number(ctx.argv.pop(1)[1:])
    flags, patterns = options(ctx, "DF:G:ILM:N:P:U:c:fg:ij:lnos:t:u:vx", PKILL, 2)
    if not patterns and not flags.keys() & set("FGPUgjtuc"):
        ctx.err.write(PKILL)
        return 2
    found = _select(ctx, flags, patterns)
    with ctx.host.kernel() as kernel:
        for each in found:
            task.kill(kernel, each.pid, number)
            if "l" in flags:
                ctx.print(f"kill -{number} {each.pid}")
        prison.prisons(kernel)
    return int(not found)


def signal_number(text: str) -> int:
    """Return a signal's number from its number or name."""
    if text.isdigit():
        return int(text)
    try:
        return int(signal.Signals[f"SIG{text.removeprefix('SIG')}"])
    except KeyError:
        raise Exit(2, f"Unknown signal `{text}'") from None


# Priorities and processors --------------------------------------------------------------------------------------------


def renice(ctx: Context) -> int:
    """renice(8): with -n by so much, without it to that value. What it did, it says on standard error."""
    words = ctx.arguments
    increment = words[:1] == ["-n"]
    words = words[1:] if increment else words
    if len(words) < 2:
        ctx.err.write(RENICE)
        return 1
    try:
        amount = int(words[0])
    except ValueError:
        raise Exit(1, f"{'increment' if increment else 'priority'} '{words[0]}' is not a number") from None
    status, kind = 0, "-p"
    for word in words[1:]:
        if word in ("-p", "-g", "-u"):
            kind = word
        else:
            status |= _renice_some(ctx, kind, word, amount, increment=increment)
    return status


def _renice_some(ctx: Context, kind: str, word: str, amount: int, *, increment: bool) -> int:
    with ctx.host.kernel() as kernel:
        if kind == "-u":
            found = [each for each in visible(ctx, kernel) if user_of(each.entry) == word]
        else:
            found = [each for each in visible(ctx, kernel) if str(each.pid) == word]
        if not found:
            ctx.warn(f"{word}: getpriority: No such process" if word.isdigit() else f"{word}: bad value")
            return 1
        for each in found:
            old = each.entry.get("nice", 0)
            each.entry["nice"] = new = min(max(old + amount if increment else amount, -20), 20)
            ctx.err.write(f"{word}: old priority {old}, new priority {new}\n")
    return 0


def cpuset(ctx: Context) -> int:
    """cpuset(1) for jails and processes."""
    flags, operands = options(ctx, "Ccd:gij:l:n:p:rs:t:x:", CPUSET, 1)
    target = "j" if "j" in flags else "p"
    if operands or flags.keys() - set("gjlpcr") or ("g" in flags) is ("l" in flags) or ("j" in flags and "p" in flags):
        ctx.err.write(CPUSET)
        return 1
    word = flags.get(target, [str(ctx.pid)])[-1]
    with ctx.host.kernel() as kernel:
        holder: State | None
        if target == "j":
            holder = prison.find(kernel, word)
            number = holder["jid"] if holder else 0
        else:
            holder = task.processes(kernel).get(word, {} if "p" not in flags else None)
            number = int(word)
        if holder is None:
            raise Exit(1, "getaffinity: No such process" if "g" in flags else "setaffinity: No such process")
        if "g" in flags:
            mask = ", ".join(map(str, holder.get("cpus", range(CPUS))))
            kind = "jail" if target == "j" else "pid"
            shown = number if word != "0" else -1
            ctx.print(f"{kind} {shown} mask: {mask}")
            ctx.print(f"{kind} {shown} domain policy: first-touch mask: 0")
            return 0
        holder["cpus"] = _cpu_list(flags["l"][-1])
    return 0


def _cpu_list(text: str) -> list[int]:
    if text == "all":
        return list(range(CPUS))
    found: set[int] = set()
    for part in text.split(","):
        first, _unused, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise Exit(1, "Expecting list of integers")
        found |= set(range(int(first), int(last or first) + 1))
    if not found & set(range(CPUS)):
        raise Exit(1, "setaffinity: Invalid argument")
    return sorted(found & set(range(CPUS)))


# Sockets --------------------------------------------------------------------------------------------------------------


def listeners(kernel: State) -> list[tuple[str | None, str, str, int, int]]:
    """Return (jail's name or None, address or '*', protocol as tcp4, port, process) of all that listens.

    In a jail with one address of a family what listens on all addresses does so on that one; without any, not at all.
    """
    return [row[:5] for row in _sockets(kernel)]


def _sockets(kernel: State) -> list[tuple[str | None, str, str, int, int, int, State]]:
    names = {each["jid"]: each for each in prison.prisons(kernel)}
    found = []
    for number, entry in task.processes(kernel).items():
        jail = names.get(entry["jid"])
        for protocol, asked, port, *rest in entry.get("listen", ()):
            address = asked if jail is None else _narrowed(kernel, jail, protocol, asked)
            if address is not None:
                name = None if jail is None else jail["name"]
                found.append((name, address, protocol, port, int(number), rest[0] if rest else 3, entry))
    return found


def _narrowed(kernel: State, jail: State, protocol: str, address: str) -> str | None:
    family = "ip6" if protocol.endswith("6") else "ip4"
    own = prison.value(kernel, jail, f"{family}.addr")
    if prison.value(kernel, jail, "vnet") == "new" or prison.value(kernel, jail, family) == "inherit":
        return address
    if not own:
        return None
    return own[0] if address == "*" and len(own) == 1 else address


def sockstat(ctx: Context) -> int:
    """sockstat(1): what listens."""
    flags, operands = options(ctx, "46ACcFfIij:Ll:lnp:P:qSsUuvw".replace("l:", ""), SOCKSTAT)
    if operands:
        ctx.err.write(SOCKSTAT)
        return 1
    with ctx.host.kernel() as kernel:
        jails = _socket_jails(kernel, flags.get("j", []))
        rows = [row for row in _sockets(kernel) if jails is None or row[6]["jid"] in jails]
    if ctx.jail is not None:
        rows = [row for row in rows if row[0] == ctx.jail]
    families = [letter for letter in "46" if letter in flags] or ["4", "6"]
    ports = _ports(flags.get("p", []))
    protocols = [word for text in flags.get("P", []) for word in text.split(",")]
    rows = [row for row in rows if row[2][-1] in families and (not ports or row[3] in ports)]
    rows = [row for row in rows if not protocols or row[2].rstrip("46") in protocols]
    if "c" in flags and "l" not in flags:
        rows = []
    if "q" not in flags:
        ctx.out.write("USER COMMAND    PID FD PROTO LOCAL ADDRESS         FOREIGN ADDRESS      \n")
    for _unused, address, protocol, port, pid, descriptor, entry in sorted(rows, key=lambda row: -row[4]):
        local = f"{address}:{port}"
        words = f"{user_of(entry)} {entry['comm']:<10} {pid:>4} {descriptor:>2} {protocol:<5}"
        ctx.out.write(f"{words} {local:<21} {'*:*':<21}\n")
    return 0


def _socket_jails(kernel: State, words: list[str]) -> set[int] | None:
    found = set()
    for word in words:
        jail = prison.find(kernel, word)
        if jail is None and word != "0":
            raise Exit(1, f'jail "{word}" not found')
        found.add(jail["jid"] if jail else 0)
    return found if words else None


def _ports(words: list[str]) -> set[int]:
    found: set[int] = set()
    for part in [part for text in words for part in text.split(",")]:
        first, _unused, last = part.partition("-")
        if not first.isdigit():
            raise Exit(1, f"illegal port number: {part}")
        found |= set(range(int(first), int(last or first) + 1))
    return found
