# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The jails of a host as pipes and queues of dummynet.

A rule of pf hands a packet either to a pipe or to a queue, never to both, and dummynet hands it on to no second one: a
queue ends in the pipe that it shares with others. So a jail with a cap has two pipes of its own, and one without a cap
has two queues, which share the pipes of the host's line by their weights.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate

from .model import RATE_MAX

Jail = t.Mapping[str, t.Any]

DIRECTIONS = ("up", "down")


@dataclass(frozen=True)
class Flow:
    """What carries a jail's traffic: two pipes, or two queues, by their numbers. The two kinds are numbered apart."""

    kind: str
    up: int
    down: int

    def option(self, direction: str) -> str:
        """Return the option of a rule of pf: first what carries packets of the rule's direction, then the answers."""
        first, second = (self.up, self.down) if direction == "out" else (self.down, self.up)
        return f"dn{self.kind} ({first}, {second})"


def flow(jail: Jail, base: int) -> Flow:
    """Return what carries a jail's traffic; `base` and the number after it are the pipes of the host's line."""
    capped = None not in (jail["bandwidth"]["up"], jail["bandwidth"]["down"])
    return Flow("pipe" if capped else "queue", base + 2 * jail["id"], base + 2 * jail["id"] + 1)


def line_rate(rate: int) -> str:
    """Return the bandwidth of the pipe of a host's line.

    No pipe is as fast as a line of more than 4.29 Gbit/s. Its pipe has no limit, since a lower one would cost most of
    the line: the weights have no effect there, the caps keep theirs.
    """
    return format_rate(rate if rate <= RATE_MAX else 0)


def pipes(jails: t.Iterable[Jail], link: t.Mapping[str, int], base: int = 10000) -> dict[str, list[dict[str, t.Any]]]:
    """Return the options `pipes` and `queues` of the module dummynet_pipes; `link` are the line's rates in bit/s.

    A stopped or suspended jail keeps its own: pf drops what a rule sends to a pipe or queue that is not there.
    """
    line = dict(zip(DIRECTIONS, (base, base + 1), strict=True))
    found: dict[str, list[dict[str, t.Any]]] = {
        "pipes": [{"number": line[each], "bandwidth": line_rate(link[each])} for each in DIRECTIONS],
        "queues": [],
    }
    for jail in jails:
        if jail["state"] == "absent":
            continue
        carrier = flow(jail, base)
        for number, direction in zip((carrier.up, carrier.down), DIRECTIONS, strict=True):
            own = {"number": number, "jail": jail["name"]}
            if carrier.kind == "pipe":
                found["pipes"].append({**own, "bandwidth": format_rate(jail["bandwidth"][direction])})
            else:
                found["queues"].append({**own, "pipe": line[direction], "weight": jail["bandwidth"]["weight"]})
    return found
