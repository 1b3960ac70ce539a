# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for inputs that take a parser more than linear time: many lines, long lines, deep nesting.

Calls of functions are counted, which is the same each time. What happens inside one call, such as in a regular
expression, shows only in the processor's time: it is measured for inputs that take long enough, again and again. Of the
measures the middle one counts, for a virtual machine's clock may leap both ways.
"""

from __future__ import annotations

import contextlib
import functools
import re
import statistics
import sys
import time
import typing as t

from fuzz.cases import Tally, TooLong, fresh, watched
from fuzz.targets import Target

KIND = "fuzz_linear"
# Four times the input takes four times as long, sixteen times if in the square.
FEW, MANY, TIMES = 4000, 16000, 4
TIME_MOST, CALLS_MOST = 9.0, 6.0
# In what takes less than this, nothing can be told from the clock's own noise.
SECONDS_LEAST = 0.03
CALLS_LEAST = 3000
COUNTED = 200
REPEATED = (3, 9)
LINES, PLACES = 6, 4
PUMPS = (
    " ",
    "\t",
    "a",
    "1",
    ".",
    ":",
    "-",
    "#",
    '"',
    "[",
    "{",
    '{"a":',
    "to ",
    " # ",
    " 1",
    "1 ",
    "a b ",
    "\\",
    "=",
    "/a",
)
_NUMBER = re.compile(r"[0-9]+")


Make = t.Callable[[int], str]


def _same(line: str, size: int) -> str:
    return f"{line}\n" * (size // 10)


def _numbered(line: str, size: int) -> str:
    return "".join(_NUMBER.sub(str(count % 65536), f"{line}\n") for count in range(size // 10))


def _named(line: str, size: int) -> str:
    """Return lines whose names differ, so that what is kept by name grows."""
    return "".join(line.replace("alice", f"a{count}", 1) + "\n" for count in range(size // 10))


def _pumped(before: str, pump: str, after: str, size: int) -> str:
    # What ends it is in no line that is in order.
    return f"{before}{pump * size}{after}\0"


def shapes(target: Target) -> t.Iterator[tuple[str, Make]]:
    """Yield shapes of input, each with a function that makes one of any size."""
    lines = list(dict.fromkeys(line for text in target.seeds for line in text.split("\n") if line))[:LINES]
    for line in lines:
        for what, make in (("the same as", _same), ("numbered like", _numbered), ("named like", _named)):
            yield f"many lines {what} {line[:60]!r}", functools.partial(make, line)
    for line in ("", *lines[:3]):
        for place in sorted({len(line) * part // PLACES for part in range(PLACES + 1)}):
            before, after = line[:place], line[place:]
            for pump in PUMPS:
                shape = f"{before[-60:]!r}, {pump!r} repeated, {after[:60]!r}"
                yield shape, functools.partial(_pumped, before, pump, after)


def _seconds(target: Target, text: str, repeated: int) -> float:
    measured = []
    for _unused in range(repeated):
        fresh()
        begin = time.process_time()
        with contextlib.suppress(*target.raises):
            target.call(text)
        measured.append(time.process_time() - begin)
    return statistics.median(measured)


def calls(target: Target, text: str) -> int:
    """Return how many functions are called for a text."""
    count = 0

    def note(_frame: t.Any, event: str, _argument: t.Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        with contextlib.suppress(*target.raises):
            target.call(text)
    finally:
        sys.setprofile(None)
    return count


def trouble(target: Target, make: t.Callable[[int], str]) -> str | None:
    """Return how a target takes more than linear time for a shape, None if it does not."""
    few, many = (calls(target, make(COUNTED * times)) for times in (1, TIMES))
    if many > CALLS_LEAST and many > CALLS_MOST * few:
        return f"{many} calls, and {few} for a quarter of the input"
    try:
        if _seconds(target, make(MANY), 1) < SECONDS_LEAST:
            return None
        for repeated in REPEATED:
            short, long = (_seconds(target, make(size), repeated) for size in (FEW, MANY))
            if long < max(SECONDS_LEAST, TIME_MOST * short):
                return None
    except TooLong as error:
        return str(error)
    return f"{long:.3f} s, and {short:.3f} s for a quarter of the input"


def search(targets: t.Sequence[Target], tally: Tally) -> None:
    """Try all shapes on each target."""
    with watched():
        for target in targets:
            for shape, make in shapes(target):
                tally.cases[KIND] += 1
                wrong = trouble(target, make)
                if wrong:
                    tally.add(KIND, target.name, "more than linear", f"{shape}: {wrong}")
