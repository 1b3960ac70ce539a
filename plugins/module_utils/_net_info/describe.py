# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What the rules of one jail, its pipes and its counters amount to, as the module's result tells it."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_rate

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import Shown
    from ansible_collections.jailisp.vps.plugins.module_utils._net_info.parse import Rule
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import Sums

# How dnctl prints a pipe that is as fast as the machine.
UNLIMITED = "unlimited"
# What everybody is as the source of a rule.
ANYBODY = "any"

Values = dict[str, t.Any]
Rules = t.Sequence["Rule"]


class Flows(t.NamedTuple):
    """All pipes and queues of a host by number."""

    pipes: t.Mapping[int, Shown]
    queues: t.Mapping[int, Shown]


def describe(name: str, rules: Rules, flows: Flows, traffic: Sums) -> Values:
    """Return what is in force for a jail by its ``rules``."""
    return {
        "rules": len(rules),
        "passed": sorted({rule.source for rule in rules if rule.source and _leaves(rule)}),
        "published": _published(rules),
        "translation": _translation(rules),
        "smtp": not any(rule.label == "smtp" for rule in rules),
        "shaping": _shaping(rules, flows),
        "traffic": _traffic(traffic, f"jail:{name}"),
        "states": {
            label: sum(rule.states for rule in rules if rule.label == label)
            for label in sorted({rule.label for rule in rules if rule.action == "pass"} - {""})
        },
    }


def _leaves(rule: Rule) -> bool:
    """Whether the rule is about packets that the jail sends to anywhere."""
    return rule.action in ("nat", "binat") or not (rule.action == "rdr" or rule.target)


def _translation(rules: Rules) -> list[Values]:
    return [
        {"kind": rule.action, "interface": rule.interface, "source": rule.source, "public": rule.goal}
        for rule in rules
        # To itself it seems to come from the bridge, or its answers would never leave it.
        if rule.action in ("nat", "binat") and rule.source != rule.target
    ]


def _published(rules: Rules) -> list[Values]:
    """Return what leads to the jail; one that several rules lead to is told once, with all who may come."""
    found: dict[tuple[str, ...], set[str]] = {}
    for rule in rules:
        if opening := _opening(rule):
            found.setdefault(opening, set()).add((rule.action != "binat" and rule.source) or ANYBODY)
    keys = ("protocol", "address", "port", "target", "to")
    return [{**dict(zip(keys, opening, strict=True)), "from": sorted(sources)} for opening, sources in found.items()]


def _opening(rule: Rule) -> tuple[str, ...] | None:
    """Return protocol, address and port that lead to the jail by a rule, and to which address and port of its own."""
    port = rule.port.replace(":", "-")
    if rule.action == "rdr":
        return rule.protocol, rule.target, port, rule.goal, rule.goal_port.replace(":", "-")
    if rule.action == "binat":
        return "", rule.goal, "", rule.source, ""
    # Its own address, from outside or from a neighbour; from itself is no news.
    direct = rule.action == "pass" and rule.direction != "out" and rule.target and rule.source != rule.target
    return (rule.protocol, rule.target, port, rule.target, port) if direct else None


def _shaping(rules: Rules, flows: Flows) -> Values | None:
    carrier = next((rule.carrier for rule in rules if rule.carrier), None)
    if carrier is None:
        return None
    tell = _pipe if carrier.kind == "pipe" else _queue
    return {"kind": carrier.kind, "up": tell(carrier.up, flows), "down": tell(carrier.down, flows)}


def _pipe(number: int, flows: Flows) -> Values:
    return {"number": number, "there": number in flows.pipes, "rate": _rate(flows.pipes.get(number)), "weight": None}


def _queue(number: int, flows: Flows) -> Values:
    """Tell of a queue with the rate of the pipe that it shares with others."""
    queue = flows.queues.get(number)
    if queue is None:
        return {"number": number, "there": False, "rate": None, "weight": None}
    pipe = flows.pipes.get(queue.sched)
    return {"number": number, "there": pipe is not None, "rate": _rate(pipe), "weight": queue.weight}


def _rate(pipe: Shown | None) -> int | None:
    if pipe is None:
        return None
    return 0 if pipe.rate == UNLIMITED else parse_rate(pipe.rate)


def _traffic(traffic: Sums, label: str) -> Values:
    """Tell of a label's counters what the jail received, which comes in by the outside interface, and sent."""
    _evaluations, packets_in, bytes_in, packets_out, bytes_out = traffic.get(label, (0, 0, 0, 0, 0))
    return {
        "received": bytes_in,
        "sent": bytes_out,
        "packets_received": packets_in,
        "packets_sent": packets_out,
    }
