# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pfctl -t TABLE -T COMMAND``."""

from __future__ import annotations

import ipaddress
import time
import typing as t

from model import pf_hosts, pf_kernel
from model.command import Exit

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

COMMANDS = ("kill", "flush", "add", "delete", "load", "replace", "show", "test", "zero", "expire", "reset")
FAILED = 255
ABSENT = "Table does not exist"


class Request(t.NamedTuple):
    """What was asked for: the anchor and name of the table, the addresses, and how much is to be said."""

    ctx: Context
    anchor: str
    name: str
    words: list[str]
    file: str | None
    verbose: int
    quiet: bool
    dummy: bool

    def say(self, text: str) -> None:
        """Write a result to standard error, unless pfctl is to be quiet."""
        if not self.quiet:
            self.ctx.err.write(f"{text}{' (dummy)' if self.dummy else ''}.\n")

    def fail(self, message: str) -> Exit:
        """Return the end of a request that the kernel refuses."""
        return Exit(FAILED, f"{message}.")


def run(request: Request, command: str) -> int:
    """Do it and return the exit status."""
    with request.ctx.host.kernel() as kernel:
        pf = pf_kernel.state(kernel)
        entries = _addresses(request, kernel) if command in ("add", "delete", "replace", "test") else []
        return _RUN[command](request, pf, entries)


def _addresses(request: Request, kernel: State) -> list[str]:
    words = list(request.words)
    if request.file is not None:
        words += _file(request, request.file)
    interfaces = pf_kernel.Live(kernel)
    found: list[str] = []
    for word in words:
        negation = "!" if (len(word) - len(word.lstrip("!"))) % 2 else ""
        try:
            nodes = pf_hosts.read_host(word.lstrip("!"), interfaces, request.ctx.host)
        except pf_hosts.BadHost as error:
            request.ctx.err.write(f"{error}\n")
            raise Exit(FAILED) from None
        if any(node.bits > 0 for node in nodes):
            raise Exit(FAILED, f"cannot decode {word}: Invalid argument")
        found += [negation + node.text for node in nodes]
    return found


def _file(request: Request, name: str) -> list[str]:
    if name == "-":
        text = request.ctx.stdin.read().decode()
    else:
        path = request.ctx.path(name)
        if not path.is_file():
            raise Exit(FAILED, f"cannot load {name}: No such file or directory")
        text = path.read_text()
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]


def _find(request: Request, pf: State) -> State:
    found: State | None = pf["tables"].get(request.anchor, {}).get(request.name)
    if found is None:
        raise request.fail(ABSENT)
    return found


def _writable(request: Request, table: State) -> State:
    if "const" in table["flags"]:
        raise request.fail("Operation not permitted")
    return table


def _find_or_make(request: Request, pf: State) -> State:
    tables = pf["tables"].setdefault(request.anchor, {})
    if request.name not in tables:
        tables[request.name] = {"flags": ["persist"], "entries": {}}
        request.say("1 table created")
    return _writable(request, tables[request.name])


def _show_each(request: Request, marks: t.Mapping[str, str]) -> None:
    for entry, mark in marks.items():
        if request.verbose and (mark.strip() or request.verbose > 1):
            request.ctx.print(f"{mark} {'!' if entry.startswith('!') else ' '}{entry.lstrip('!')}")


def _add(request: Request, pf: State, entries: list[str]) -> int:
    table = _find_or_make(request, pf)["entries"]
    new = [entry for entry in dict.fromkeys(entries) if entry not in table]
    table.update(dict.fromkeys(new, int(time.time())))
    request.say(f"{len(new)}/{len(entries)} addresses added")
    _show_each(request, {entry: "A" if entry in new else " " for entry in entries})
    return 0


def _delete(request: Request, pf: State, entries: list[str]) -> int:
    table = _writable(request, _find(request, pf))["entries"]
    gone = [entry for entry in dict.fromkeys(entries) if table.pop(entry, None) is not None]
    request.say(f"{len(gone)}/{len(entries)} addresses deleted")
    _show_each(request, {entry: "D" if entry in gone else " " for entry in entries})
    return 0


def _replace(request: Request, pf: State, entries: list[str]) -> int:
    table = _find_or_make(request, pf)["entries"]
    added = [entry for entry in dict.fromkeys(entries) if entry not in table]
    gone = [entry for entry in table if entry not in entries]
    for entry in gone:
        del table[entry]
    table.update(dict.fromkeys(added, int(time.time())))
    if added:
        request.say(f"{len(added)} addresses added")
    if gone:
        request.say(f"{len(gone)} addresses deleted")
    if not added and not gone:
        request.say("no changes")
    _show_each(request, {**dict.fromkeys(added, "A"), **dict.fromkeys(gone, "D")})
    return 0


def _show(request: Request, pf: State, _entries: list[str]) -> int:
    table = _find(request, pf)
    for entry in sorted(table["entries"], key=pf_hosts.table_key):
        request.ctx.print(f"  {'!' if entry.startswith('!') else ' '}{entry.lstrip('!')}")
        if request.verbose:
            request.ctx.print(f"\tCleared:     {time.ctime(table['entries'][entry])}")
            if "counters" in table["flags"]:
                for name in ("In/Block:", "In/Pass:", "Out/Block:", "Out/Pass:"):
                    request.ctx.print(f"\t{name:<12s} [ Packets: {0:<18d} Bytes: {0:<18d} ]")
    return 0


def _test(request: Request, pf: State, entries: list[str]) -> int:
    table = _find(request, pf)["entries"]
    hits = [entry for entry in entries if pf_hosts.table_holds(ipaddress.ip_address(entry), table)]
    request.say(f"{len(hits)}/{len(entries)} addresses match")
    _show_each(request, {entry: "M" if entry in hits else " " for entry in entries})
    return 0 if len(hits) == len(entries) else 2


def _kill(request: Request, pf: State, _entries: list[str]) -> int:
    _writable(request, _find(request, pf))
    del pf["tables"][request.anchor][request.name]
    if not pf["tables"][request.anchor]:
        del pf["tables"][request.anchor]
    request.say("1 table deleted")
    return 0


def _flush(request: Request, pf: State, _entries: list[str]) -> int:
    table = _writable(request, _find(request, pf))["entries"]
    request.say(f"{len(table)} addresses deleted")
    table.clear()
    return 0


def _expire(request: Request, pf: State, _entries: list[str]) -> int:
    if len(request.words) != 1 or not request.words[0].isdigit():
        raise Exit(1, "expiry time: invalid")
    table = _find(request, pf)["entries"]
    old = [entry for entry, since in table.items() if time.time() - since > int(request.words[0])]
    for entry in old:
        del table[entry]
    request.say(f"{len(old)}/{len(old)} addresses expired")
    return 0


def _zero(request: Request, pf: State, _entries: list[str]) -> int:
    table = _find(request, pf)["entries"]
    table.update(dict.fromkeys(table, int(time.time())))
    request.say("1 table/stats cleared")
    return 0


def _reset(request: Request, pf: State, _entries: list[str]) -> int:
    request.say(f"0/{len(_find(request, pf)['entries'])} stats cleared")
    return 0


_RUN: dict[str, t.Callable[[Request, State, list[str]], int]] = {
    "add": _add,
    "delete": _delete,
    "replace": _replace,
    "show": _show,
    "test": _test,
    "kill": _kill,
    "flush": _flush,
    "expire": _expire,
    "zero": _zero,
    "reset": _reset,
}
