# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What traffic the labels of an anchor counted before its rules were loaded anew: a load forgets its counters.

The sums are kept in a file. Before a load the counters go into it as pending, after it they are added to the sums.
Where a run was cut off between the two, the next one sees by the counters whether they began again: if one of them is
lower than it was, the load happened and the pending ones are added; if none is, they are still in the counters.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._json import is_whole, read_json

# Evaluations, packets and bytes in, packets and bytes out.
Counters = tuple[int, int, int, int, int]
Sums = dict[str, Counters]
# How many numbers follow a label, and which of them we keep: not the totals, nor the states, which are of the moment.
NUMBERS = 8
NUMBER = re.compile(r"[0-9]{1,20}")
KEPT = (0, 3, 4, 5, 6)
# No counter comes to this; Python does not write numbers of thousands of digits.
MOST = 1 << 100
NONE: Counters = (0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Traffic:
    """What was counted by rules that are gone, by label; ``pending`` is what a load is about to forget."""

    sums: Sums = field(default_factory=dict)
    pending: Sums | None = None


def parse_labels(text: str) -> Sums:
    """Return what ``pfctl -s labels`` shows; a label that several rules have is shown once for each.

    What never counted anything is left out, so that a load more or less leaves the same.
    """
    found: Sums = {}
    for line in text.splitlines():
        label, *numbers = line.rsplit(maxsplit=NUMBERS) or [""]
        if len(numbers) == NUMBERS and all(map(NUMBER.fullmatch, numbers)):
            counters = t.cast(Counters, tuple(int(numbers[place]) for place in KEPT))
            found[label] = _sum(found.get(label, NONE), counters)
    return {label: counters for label, counters in found.items() if any(counters)}


def added(sums: Sums, more: Sums) -> Sums:
    """Return the sums of both."""
    return {label: _sum(sums.get(label, NONE), more.get(label, NONE)) for label in {**sums, **more}}


def _sum(one: Counters, other: Counters) -> Counters:
    return t.cast(Counters, tuple(map(sum, zip(one, other, strict=True))))


def before_load(kept: Traffic, now: Sums) -> Traffic:
    """Return what to keep when the counters show ``now`` and a load follows."""
    if kept.pending is not None and _began_again(kept.pending, now):
        kept = after_load(kept)
    return Traffic(kept.sums, now)


def after_load(kept: Traffic) -> Traffic:
    """Return what to keep when a load is done."""
    return Traffic(added(kept.sums, kept.pending or {}))


def _began_again(pending: Sums, now: Sums) -> bool:
    """Whether the counters are others than those that were pending."""
    return any(
        label not in now or any(new < old for new, old in zip(now[label], counters, strict=True))
        for label, counters in pending.items()
    )


def parse_traffic(text: str | None) -> Traffic:
    """Return what the file says; nothing if there is none, or it is not ours."""
    try:
        found = read_json(text or "{}")
        pending = found.get("pending")
        return Traffic(_sums(found["sums"]), None if pending is None else _sums(pending))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Traffic()


def _sums(found: t.Mapping[str, t.Sequence[int]]) -> Sums:
    """Return sums that the file gives; raise ValueError if they are none, or TypeError."""
    sums = {label: tuple(numbers) for label, numbers in found.items()}
    for counters in sums.values():
        if len(counters) != len(KEPT) or not all(map(_is_counter, counters)):
            raise ValueError("not the counters of a label")
    return t.cast(Sums, sums)


def _is_counter(value: t.Any) -> bool:
    return is_whole(value) and 0 <= value < MOST


def render_traffic(traffic: Traffic) -> str:
    """Return the file."""
    return json.dumps({"sums": traffic.sums, "pending": traffic.pending}) + "\n"
