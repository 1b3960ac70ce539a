# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What du(1) and df(1) print.

The sizes that du prints stand beside the paths that it was given, and beside no others. What it complains of holds
names that a customer made, and is only ever counted.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

KILO = 1024
# 87857<tab>/usr/local/jails/h1/alice
SIZE = re.compile(r"(?P<blocks>[0-9]{1,20})\t(?P<path>/.*)")
# /dev/vtbd0     8316764 262548 7638380     3%    /
FIGURES = re.compile(r"(?P<size>[0-9]{1,20}) (?P<used>-?[0-9]{1,20}) (?P<free>-?[0-9]{1,20}) [0-9]+%")
# How many words these are.
WORDS = 4


class Room(t.NamedTuple):
    """The size of a file system, what of it is used and free in bytes, and where it is mounted."""

    size: int
    used: int
    free: int
    point: str


def parse_sizes(text: str, paths: t.Collection[str]) -> dict[str, int]:
    """Return the bytes that each path takes, from ``du -sk`` of them; those that it did not finish are missing."""
    sizes = {}
    for line in text.splitlines():
        match = SIZE.fullmatch(line)
        if match is None or match["path"] not in paths:
            raise ParseError(f"`du` printed a line that is not known: {line!r}")
        sizes[match["path"]] = int(match["blocks"]) * KILO
    return sizes


def count_complaints(text: str, paths: t.Iterable[str]) -> dict[str, int]:
    """Return how much du could not look at, by the path that it lies in.

    A name with a line feed can make such a line of its own, about another jail: then that one's figure is told as
    incomplete, too, and no figure is another.
    """
    lines = text.splitlines()
    counts = {path: sum(line.startswith((f"du: {path}:", f"du: {path}/")) for line in lines) for path in paths}
    return {path: count for path, count in counts.items() if count}


def parse_rooms(text: str, paths: t.Sequence[str]) -> dict[str, Room]:
    """Return the file system that each path is in, from ``df -k`` of these paths: a line each, in their order."""
    lines = text.splitlines()[1:]
    rooms = [_room(line) for line in lines]
    if len(lines) != len(paths) or None in rooms:
        raise ParseError(f"`df` printed what is not known: {text!r}")
    return {path: room for path, room in zip(paths, rooms, strict=True) if room}


def _room(line: str) -> Room | None:
    """Return what a line says; before its figures and behind them stand names, which may have blanks in them."""
    words = line.split()
    for place in range(1, len(words) - WORDS):
        match = FIGURES.fullmatch(" ".join(words[place : place + WORDS]))
        if match and words[place + WORDS].startswith("/"):
            size, used, free = (int(match[key]) * KILO for key in ("size", "used", "free"))
            return Room(size, used, free, line.split(None, place + WORDS)[-1])
    return None
