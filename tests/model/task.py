# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's table of processes.

An entry stands for a process. Some end by themselves at a moment known beforehand (``until``), some are run by a
process of this machine (``real``), the rest stay until something kills them.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t

if t.TYPE_CHECKING:
    from model.host import Host

State = dict[str, t.Any]

FIRST_PID = 1000
POLL_SECONDS = 0.05
# Signals that a process without a handler of its own survives.
HARMLESS = frozenset({0, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT, signal.SIGIO})


class Killed(BaseException):
    """Ends a command whose process was killed; no command catches it by accident."""


class Refused(Exception):
    """The kernel makes no process: the jail may have no more of them (EAGAIN)."""


def processes(kernel: State) -> dict[str, State]:
    """Return the table (number as text -> entry) without those that have ended meanwhile."""
    table: dict[str, State] = kernel.setdefault("process", {"last": FIRST_PID, "list": {}})["list"]
    now = time.time()
    for number in [number for number, entry in table.items() if _ended(entry, now)]:
        del table[number]
    return table


def _ended(entry: State, now: float) -> bool:
    if entry.get("until") is not None and entry["until"] <= now:
        return True
    return "real" in entry and not _is_alive(entry["real"])


def _is_alive(real: int) -> bool:
    try:
        os.kill(real, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def add(kernel: State, arguments: t.Sequence[str], *, jid: int = 0, comm: str = "", **more: t.Any) -> int:
    """Enter a process and return its number.

    ``more`` are fields of the entry: ppid, user, nice, until, spin (since when it computes), listen (a list of
    [protocol, address, port, descriptor]), rss, vsz, deaf (it ignores SIGTERM), real, helper (of which process it is a
    part), tty, stat, inside (a part of the kernel).
    """
    table = processes(kernel)
    limit = process_limit(kernel, jid)
    if limit is not None and sum(entry["jid"] == jid for entry in table.values()) >= limit:
        raise Refused
    number = more.pop("pid", None)
    if number is None:
        number = kernel["process"]["last"] = kernel["process"]["last"] + 1
    comm = comm or os.path.basename(arguments[0])
    table[str(number)] = {"jid": jid, "comm": comm, "args": list(arguments), "start": time.time(), **more}
    return t.cast(int, number)


def process_limit(kernel: State, jid: int) -> int | None:
    """Return how many processes rctl lets the jail have, None if any number."""
    from model import prison  # noqa: PLC0415

    found = prison.by_jid(kernel, jid) if jid else None
    if found is None:
        return None
    amounts = [
        int(rule["amount"])
        for rule in kernel.get("rctl", {}).get("rules", [])
        if isinstance(rule, dict)
        and (rule.get("subject"), rule.get("id"), rule.get("resource"), rule.get("action"))
        == ("jail", found["name"], "maxproc", "deny")
    ]
    return min(amounts, default=None)


def end(kernel: State, pid: int) -> None:
    """Take a process that has ended out of the table."""
    processes(kernel).pop(str(pid), None)


def kill(kernel: State, pid: int, number: int = signal.SIGTERM) -> bool:
    """Send a signal; say whether there is such a process."""
    entry = processes(kernel).get(str(pid))
    if entry is None:
        return False
    if number not in HARMLESS and not (entry.get("deaf") and number != signal.SIGKILL):
        table = processes(kernel)
        for each in [str(pid), *(other for other, helper in table.items() if helper.get("helper") == pid)]:
            del table[each]
        if "real" in entry:
            _end_real(entry["real"])
    return True


def _end_real(real: int) -> None:
    try:
        os.kill(real, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def of_jail(kernel: State, jid: int) -> list[tuple[int, State]]:
    """Return the processes (number, entry) in that jail itself, oldest first."""
    return [(int(number), entry) for number, entry in processes(kernel).items() if entry["jid"] == jid]


def rest(host: Host, pid: int, seconds: float | None) -> None:
    """Wait as the process ``pid`` (0: one that nobody can kill): for ever if None; ends when it is killed."""
    end_at = None if seconds is None else time.monotonic() + seconds
    if pid == 0 and seconds is not None:
        time.sleep(seconds)
        return
    seen = -1
    while end_at is None or time.monotonic() < end_at:
        path = host.directory / "kernel.json"
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if stamp != seen:
            seen = stamp
            with host.kernel() as kernel:
                alive = str(pid) in processes(kernel)
            if not alive:
                raise Killed
        left = POLL_SECONDS if end_at is None else min(POLL_SECONDS, end_at - time.monotonic())
        time.sleep(max(left, 0))
