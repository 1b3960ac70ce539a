# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Pipes and queues as dnctl(8) has them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name
from ansible_collections.jailisp.vps.plugins.module_utils._releases import plain
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, parse_rate

# dnctl(8) and the kernel's limits on 15.1.
LAST_NUMBER = 65535
MOST_BANDWIDTH = 2**32 - 1
MOST_DELAY = 9999
MOST_SLOTS = 100
MOST_WEIGHT = 100


@dataclass(frozen=True, order=True)
class Pipe:
    """A pipe: bandwidth in bit/s (0: unlimited), delay in ms, length of its queue in slots."""

    number: int
    bandwidth: int
    delay: int = 0
    slots: int = 50

    @property
    def line(self) -> str:
        """The complete line for dnctl: what a line leaves out returns to its default."""
        return f"pipe {self.number} config bw {format_rate(self.bandwidth)} delay {self.delay} queue {self.slots}"


@dataclass(frozen=True, order=True)
class Queue:
    """A queue with a weight (1 to 100) on a pipe, which it shares with the pipe's other queues."""

    number: int
    pipe: int
    weight: int
    slots: int = 50

    @property
    def line(self) -> str:
        """The complete line for dnctl."""
        return f"queue {self.number} config pipe {self.pipe} weight {self.weight} queue {self.slots}"


Flow: t.TypeAlias = "Pipe | Queue"


@dataclass(frozen=True)
class Wish:
    """The pipes and queues that shall be, in numbers from ``first`` to ``last``, which are ours; who each is for.

    ``assumed``: what is there is taken to be as it would be if a call that removes nothing had come before.
    """

    pipes: dict[int, Pipe]
    queues: dict[int, Queue]
    owners: dict[tuple[str, int], str]
    first: int
    last: int
    file: str
    remove: bool
    assumed: bool = False

    def owns(self, number: int) -> bool:
        """Whether the number is in our range."""
        return self.first <= number <= self.last


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    pipes = by_name(parameters["pipes"], "pipes", "number")
    queues = by_name(parameters["queues"], "queues", "number")
    first, last = parameters["first"], parameters["last"]
    if not 1 <= first <= last <= LAST_NUMBER:
        raise InvalidDesired(f"first, last: {first} to {last} is no range of numbers within 1 to {LAST_NUMBER}")
    for what, records in (("pipes", pipes), ("queues", queues)):
        for number, record in records.items():
            _within(f"{what}: {_who(record)}number", number, first, last)
    wished = Wish(
        pipes={number: _pipe(record) for number, record in pipes.items()},
        queues={number: _queue(record) for number, record in queues.items()},
        owners={("pipe", n): r["jail"] or "" for n, r in pipes.items()}
        | {("queue", n): r["jail"] or "" for n, r in queues.items()},
        first=first,
        last=last,
        file=plain("file", parameters["file"]),
        remove=parameters["remove"],
        assumed=parameters["assumed"],
    )
    for queue in wished.queues.values():
        if queue.pipe not in wished.pipes:
            raise InvalidDesired(f"queues: {queue.number}: pipe {queue.pipe} is not among pipes; add it there")
    return wished


def _who(record: t.Mapping[str, t.Any]) -> str:
    return f"{record['jail']}: " if record["jail"] else ""


def _within(what: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidDesired(f"{what}: {value} is not within {least} to {most}")
    return value


def _pipe(record: t.Mapping[str, t.Any]) -> Pipe:
    who = f"pipes: {_who(record)}{record['number']}"
    try:
        bandwidth = parse_rate(record["bandwidth"])
    except ValueError as error:
        raise InvalidDesired(f"{who}: bandwidth: {error}") from error
    return Pipe(
        record["number"],
        _within(f"{who}: bandwidth", bandwidth, 0, MOST_BANDWIDTH),
        _within(f"{who}: delay", record["delay"], 0, MOST_DELAY),
        _within(f"{who}: slots", record["slots"], 1, MOST_SLOTS),
    )


def _queue(record: t.Mapping[str, t.Any]) -> Queue:
    who = f"queues: {_who(record)}{record['number']}"
    return Queue(
        record["number"],
        record["pipe"],
        _within(f"{who}: weight", record["weight"], 1, MOST_WEIGHT),
        _within(f"{who}: slots", record["slots"], 1, MOST_SLOTS),
    )
