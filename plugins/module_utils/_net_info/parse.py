# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The rules of our anchor as pfctl prints them, by the jail that their tag or label names.

The others are the host's, and say nothing of one jail. Ports have to be printed as numbers (``pfctl -P``).
"""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

OWNER = re.compile(r'(?: tag(?:ged)? jail_| label "(?P<label>jail|local|smtp):)(?P<jail>[A-Za-z0-9_.-]+)')
RULE = re.compile(
    r"(?P<action>nat|rdr|binat|pass|block \S+)(?: (?P<direction>in|out))?(?: quick)? on (?P<interface>\S+)"
    r"(?: inet6?)?(?: proto (?P<protocol>\S+))?"
    r" (?:all|from (?P<source>\S+) to (?P<target>\S+)(?: port (?:= )?(?P<port>[0-9:]+))?)(?: .*)?"
)
GOAL = re.compile(r" -> (?P<address>\S+)(?: port (?P<port>[0-9:*]+))?")
CARRIER = re.compile(r" dn(?P<kind>pipe|queue)\((?P<first>[0-9]{1,10}), (?P<second>[0-9]{1,10})\)")
# Below each rule, with -v: what there is now. The last number of `pfctl -s labels` is that of all states ever made.
STATES = re.compile(r"  \[ Evaluations: .* States: (?P<states>[0-9]{1,20}) *\]")


class Carrier(t.NamedTuple):
    """The pipes or queues (``kind``) that a rule hands packets to, by number: what the jail sends, and receives."""

    kind: str
    up: int
    down: int


class Rule(t.NamedTuple):
    """A rule in force that is a jail's. ``label`` is the first word of its label, '' if only its tag names the jail.

    Of addresses and ports '' is any; ``goal`` and ``goal_port`` are what translation makes of them.
    """

    jail: str
    action: str
    direction: str
    interface: str
    protocol: str
    source: str
    target: str
    port: str
    label: str
    goal: str
    goal_port: str
    carrier: Carrier | None
    states: int


def parse_rules(text: str) -> list[Rule]:
    """Return the rules of jails, from ``pfctl -P -s nat`` or ``pfctl -P -v -s rules`` of our anchor."""
    rules = []
    for line, below in itertools.pairwise([*text.splitlines(), ""]):
        if not line.startswith(" ") and (owner := OWNER.search(line)):
            states = STATES.match(below)
            rules.append(_rule(line, owner, int(states["states"]) if states else 0))
    return rules


def _rule(line: str, owner: re.Match[str], states: int) -> Rule:
    match, goal = RULE.fullmatch(line), GOAL.search(line)
    if match is None:
        raise ParseError(f"`pfctl` printed a rule of the jail {owner['jail']} that is not known: {line!r}")
    direction = match["direction"] or ""
    return Rule(
        jail=owner["jail"],
        action=match["action"],
        direction=direction,
        interface=match["interface"],
        protocol=match["protocol"] or "",
        source=_some(match["source"]),
        target=_some(match["target"]),
        port=match["port"] or "",
        label=owner["label"] or "",
        goal=goal["address"] if goal else "",
        goal_port=(goal["port"] or "") if goal else "",
        carrier=_carrier(line, direction),
        states=states,
    )


def _some(address: str | None) -> str:
    return "" if address in (None, "any") else str(address)


def _carrier(line: str, direction: str) -> Carrier | None:
    """Return what carries packets of the rule, which names first what carries those of its own direction."""
    match = CARRIER.search(line)
    if match is None:
        return None
    first, second = int(match["first"]), int(match["second"])
    return Carrier(match["kind"], *((first, second) if direction == "out" else (second, first)))
