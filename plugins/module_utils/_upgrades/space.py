# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Whether a jail's dataset has room for another world beside the one that its snapshot keeps.

What a snapshot keeps still counts for the quota, so an upgrade, and the way back from it, write a whole world anew: one
that runs out of room halfway could go neither forward nor back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import number

COLUMNS = "name,used,referenced,available,quota,refquota,reservation"
LIST = ("zfs", "list", "-Hp", "-o", COLUMNS)


@dataclass(frozen=True)
class Space:
    """What a dataset or snapshot takes, and what it may; bytes, 0: there is no such limit."""

    used: int
    referenced: int
    available: int
    quota: int
    refquota: int
    reservation: int


def parse_spaces(text: str) -> dict[str, Space]:
    """Return datasets and snapshots by name, from LIST; what one of them does not have (``-``) is 0."""
    found = {}
    for line in text.splitlines():
        name, *values = line.split("\t")
        if len(values) != len(Space.__dataclass_fields__):
            raise ParseError(f"`zfs list` printed a line that is not known: {line!r}")
        found[name] = Space(*map(number, values))
    return found


def shortage(there: Space, room_above: int, needed: int, more: int) -> str:
    """Say what a dataset lacks for a world of ``needed`` bytes beside what is kept, '' if nothing.

    ``more``: how many bytes that world has more than the one in whose place it comes. ``room_above``: what the
    dataset's parent has left.
    """
    room = room_above + max(0, there.reservation - there.used)
    if there.quota:
        room = min(room, there.quota - there.used)
    if needed > room:
        return (
            f"{needed} bytes are needed beside what its snapshot keeps, and there is room for {max(0, room)}; "
            "destroy other snapshots of it, or raise vps_snapshot_room, or make room in the pool"
        )
    free = there.refquota - there.referenced
    if there.refquota and more > free:
        return (
            f"its world grows by {more} bytes, and there is room for {max(0, free)}; have its customer delete files, "
            "or sell him more disk"
        )
    return ""
