# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What ``dnctl pipe show`` and ``dnctl queue show`` print, and which numbers our part of the boot file names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

# A number that a kernel keeps. Not \d, which means the digits of every script.
_NUMBER = "[0-9]{1,20}"
# A rate as parse_rate takes it: a whole number of bit/s.
_RATE = r"[0-9]{1,15}(?:\.[0-9]{1,3})? [KMG]bit/s|[0-9]{1,15}(?:\.0{1,3})? bit/s|unlimited"
PIPE = re.compile(rf"(?P<number>[0-9]{{5}}): +(?P<rate>{_RATE}) +(?P<delay>{_NUMBER}) ms burst {_NUMBER}")
FLOWSET = re.compile(
    rf"q(?P<number>{_NUMBER}) +(?P<size>{_NUMBER} (?:sl\.|[KM]?B))(?P<loss>plr [0-9.]+)? {_NUMBER} flows "
    rf"\({_NUMBER} buckets\) sched (?P<sched>{_NUMBER}) weight (?P<weight>{_NUMBER}) lmax {_NUMBER} pri {_NUMBER} "
    r"(?P<drop>.*)"
)
# Lines about schedulers, masks, queue management, and the flows that pass at the moment; none of them is compared.
OTHER = re.compile(r" sched [0-9]+ type |\s+mask:|\s+Children flowsets:|\s*(GRED|RED|AQM|FQ_)|BKT |\s*[0-9]+ +\w+ ")
CONFIGURED = re.compile(r"(?:# leaving: )?(?P<kind>pipe|queue) (?P<number>[0-9]{1,10}) ")
# A pipe's own flowset has the pipe's number and this.
OWN_FLOWSET = 131072


@dataclass(frozen=True)
class Shown:
    """A pipe or queue in force: what of it can be compared, as dnctl prints it. ``sched`` is 0 for a pipe."""

    rate: str = ""
    delay: int = 0
    size: str = ""
    plain: bool = True
    sched: int = 0
    weight: int = 0


def parse_pipes(text: str) -> dict[int, Shown]:
    """Return the pipes by number; raise :class:`ParseError` for a line that dnctl is not known to print."""
    pipes: dict[int, Shown] = {}
    heads: dict[int, tuple[str, int]] = {}
    for line in text.splitlines():
        if match := PIPE.match(line):
            heads[int(match["number"])] = match["rate"], int(match["delay"])
        elif match := FLOWSET.match(line):
            number = int(match["number"]) - OWN_FLOWSET
            if number in heads:
                pipes[number] = Shown(*heads[number], match["size"], _plain(match))
        elif line.strip() and not OTHER.match(line):
            raise ParseError(f"`dnctl pipe show` printed a line that is not known: {line!r}")
    return pipes


def parse_queues(text: str) -> dict[int, Shown]:
    """Return the queues by number; raise :class:`ParseError` for a line that dnctl is not known to print."""
    queues: dict[int, Shown] = {}
    for line in text.splitlines():
        if match := FLOWSET.match(line):
            shown = Shown("", 0, match["size"], _plain(match), int(match["sched"]), int(match["weight"]))
            queues[int(match["number"])] = shown
        elif line.strip() and not OTHER.match(line):
            raise ParseError(f"`dnctl queue show` printed a line that is not known: {line!r}")
    return queues


def _plain(match: re.Match[str]) -> bool:
    """Whether nothing but the tail is dropped when the queue is full."""
    return match["loss"] is None and match["drop"] == "droptail"


def numbers(lines: list[str]) -> set[tuple[str, int]]:
    """Return (pipe or queue, number) of all that our lines name: what we made, or were about to remove."""
    return {(match["kind"], int(match["number"])) for match in map(CONFIGURED.match, lines) if match}
