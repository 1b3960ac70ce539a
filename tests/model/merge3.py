# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging two changed versions of a file by their common origin, line by line, as diff3(1) does."""

from __future__ import annotations

import difflib
import typing as t

Lines = list[bytes]


class Change(t.NamedTuple):
    """Lines ``start`` to ``end`` of the origin are lines ``low`` to ``high`` of the version."""

    start: int
    end: int
    low: int
    high: int


class Hunk(t.NamedTuple):
    """A stretch of the merged file: what it is, or (``conflict``) what each of the three has there."""

    mine: Lines
    origin: Lines
    theirs: Lines
    conflict: bool

    @property
    def merged(self) -> Lines:
        """The lines of a stretch without conflict: those that differ from the origin."""
        return self.theirs if self.mine == self.origin else self.mine


def lines(content: bytes) -> Lines:
    """Return the lines with their ends; the last one may have none."""
    found = [line + b"\n" for line in content.split(b"\n")]
    found[-1] = found[-1][:-1]
    return found if found[-1] else found[:-1]


def _changes(origin: Lines, version: Lines) -> list[Change]:
    matcher = difflib.SequenceMatcher(None, origin, version, autojunk=False)
    return [Change(*numbers) for tag, *numbers in matcher.get_opcodes() if tag != "equal"]


def _groups(mine: list[Change], theirs: list[Change]) -> t.Iterator[tuple[list[Change], list[Change]]]:
    """Yield the changes that touch each other, in the order of the origin."""
    left = ([*mine], [*theirs])
    while left[0] or left[1]:
        first = min((side[0].start, side[0].end) for side in left if side)
        end, group = first[1], ([], [])  # type: tuple[int, tuple[list[Change], list[Change]]]
        grown = True
        while grown:
            grown = False
            for side, taken in zip(left, group, strict=True):
                # Neighbours count as overlapping: nobody can say which of them comes first.
                while side and side[0].start <= end:
                    taken.append(side.pop(0))
                    end, grown = max(end, taken[-1].end), True
        yield group


def _side(version: Lines, changes: list[Change], start: int, end: int, shift: int) -> tuple[Lines, int]:
    """Return a version's lines in place of the origin's ``start`` to ``end``, and the shift that follows."""
    low = start + shift
    for change in changes:
        shift += (change.high - change.low) - (change.end - change.start)
    return version[low : end + shift], shift


def merge(mine: bytes, origin: bytes, theirs: bytes) -> list[Hunk]:
    """Return the merged file as hunks."""
    old, one, two = lines(origin), lines(mine), lines(theirs)
    hunks: list[Hunk] = []
    place = shift_one = shift_two = 0
    for left, right in _groups(_changes(old, one), _changes(old, two)):
        start = min(change.start for change in left + right)
        end = max(change.end for change in left + right)
        same = old[place:start]
        hunks.append(Hunk(same, same, same, conflict=False))
        ours, shift_one = _side(one, left, start, end, shift_one)
        others, shift_two = _side(two, right, start, end, shift_two)
        hunks.append(Hunk(ours, old[start:end], others, conflict=bool(left and right) and ours != others))
        place = end
    return [*hunks, Hunk(old[place:], old[place:], old[place:], conflict=False)]


def has_conflicts(hunks: t.Iterable[Hunk]) -> bool:
    """Say whether somebody must decide."""
    return any(hunk.conflict for hunk in hunks)


def text(hunks: t.Iterable[Hunk]) -> bytes:
    """Return the merged file; where somebody must decide, all three versions between marks (``diff3 -m``)."""
    found: Lines = []
    for hunk in hunks:
        if not hunk.conflict:
            found += hunk.merged
            continue
        found += [b"<<<<<<< yours\n", *_ended(hunk.mine), b"||||||| original\n", *_ended(hunk.origin)]
        found += [b"=======\n", *_ended(hunk.theirs), b">>>>>>> new\n"]
    return b"".join(found)


def beside(local: bytes, stock: bytes) -> bytes:
    """Return two versions without an origin in one, what differs between marks."""
    mine, other = lines(local), lines(stock)
    found: Lines = []
    for tag, low, high, start, end in difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        if tag == "equal":
            found += mine[low:high]
        else:
            found += [b"<<<<<<< (local)\n", *_ended(mine[low:high]), b"=======\n"]
            found += [*_ended(other[start:end]), b">>>>>>> (stock)\n"]
    return b"".join(found)


def _ended(part: Lines) -> Lines:
    return [line if line.endswith(b"\n") else line + b"\n" for line in part]
