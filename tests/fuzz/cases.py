# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is common to all searches: how a case is tried, how one that fails is made small, and what is counted."""

from __future__ import annotations

import contextlib
import signal
import traceback
import types
import typing as t
from collections import Counter
from dataclasses import dataclass, field

# So much of the processor's time one case may take; the slowest of those that are right takes a tenth.
CPU_SECONDS = 10.0
# What waits for something that never comes takes none of it; no machine is so busy that a case lasts as long.
SECONDS = 300.0
# So much of an input is shown; the seed brings back the rest.
SHOWN = 600
TRIES = 4000


class TooLong(Exception):
    """A case took more of the processor's time than any may."""


def _expired(_signal: int, _frame: types.FrameType | None) -> t.NoReturn:
    raise TooLong(f"more than {CPU_SECONDS:g} s of the processor's time, or {SECONDS:g} s of waiting")


@contextlib.contextmanager
def watched() -> t.Iterator[None]:
    """Let each case within be ended by TooLong, see :func:`fresh`."""
    before = {number: signal.signal(number, _expired) for number in (signal.SIGVTALRM, signal.SIGALRM)}
    try:
        yield
    finally:
        for clock in (signal.ITIMER_VIRTUAL, signal.ITIMER_REAL):
            signal.setitimer(clock, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def fresh(seconds: float = CPU_SECONDS) -> None:
    """Give the next case all of its time; the clock is the process's own, whatever else the machine does."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)


@dataclass(frozen=True)
class Violation:
    """What must not happen, and the smallest input that was found to make it happen."""

    kind: str
    target: str
    trouble: str
    case: str

    def __str__(self) -> str:
        """Show it on a few lines."""
        return f"VIOLATION {self.kind}: {self.target}: {self.trouble}\n    {self.case[:SHOWN]}"


@dataclass
class Tally:
    """How many cases of each kind were tried, and what was found."""

    cases: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, kind: str, target: str, trouble: str, case: str) -> None:
        """Note a violation; of those that are told alike the first counts."""
        if all((each.kind, each.target, each.trouble) != (kind, target, trouble) for each in self.violations):
            self.violations.append(Violation(kind, target, trouble, case))


def trouble_of(error: BaseException) -> str:
    """Return in one line what was raised, and where: two such inputs are one mistake."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/plugins/" in frame.filename]
    place = (ours or last)[-1] if ours or last else None
    where = f" in {place.name} ({place.filename.rpartition('/plugins/')[2]}:{place.lineno})" if place else ""
    # Not the message: it often holds the input.
    return f"{type(error).__name__}{where}"


def shrink(text: str, fails: t.Callable[[str], bool]) -> str:
    """Return a shorter text that fails as well: without each piece that it can do without, greatest pieces first."""
    tries = 0
    size = max(1, len(text) // 2)
    while size and tries < TRIES:
        place, smaller = 0, False
        while place < len(text) and tries < TRIES:
            tries += 1
            shorter = text[:place] + text[place + size :]
            if fails(shorter):
                text, smaller = shorter, True
            else:
                place += size
        size = size if smaller and size == 1 else size // 2
    return text
