# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pfctl -s``: rules, anchors, labels, states, tables, and pf's own numbers."""

from __future__ import annotations

import time
import typing as t

from model import pf_kernel, pf_states
from model.command import Exit
from model.pf_names import LIMITS, TIMEOUTS
from model.pf_parse import DEBUG_LEVELS
from model.pf_print import counters, counts, rule_line

if t.TYPE_CHECKING:
    from model.host import State
    from model.pf import Request
    from model.pf_reader import Rule

WORDS = (
    "ether", "nat", "queue", "rules", "Anchors", "Sources", "states", "info", "Interfaces", "labels", "timeouts",
    "memory", "Tables", "osfp", "Running", "all", "creatorids",
)  # fmt: skip
COUNTERS = (
    "match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp", "congestion", "ip-option",
    "proto-cksum", "state-mismatch", "state-insert", "state-limit", "src-limit", "synproxy", "map-failed", "translate",
)  # fmt: skip
TABLE_FLAGS = (("const", "c"), ("persist", "p"), ("", "a"), ("", ""), ("used", "r"), ("", ""), ("counters", "C"))


def show(request: Request, what: str) -> int:
    """Show that and return the exit status."""
    with request.ctx.host.kernel() as kernel:
        pf = pf_kernel.state(kernel)
        if what == "Running":
            request.ctx.print("Enabled" if pf["enabled"] else "Disabled")
            return int(not pf["enabled"])
        if what == "all":
            _show_all(request, pf)
        elif what in _SHOW:
            _SHOW[what](request, pf)
        elif what not in ("ether", "queue", "Sources"):
            raise Exit(1, f"the model does not show '{what}'")
    if what in ("rules", "labels") and "z" in request:
        with request.ctx.host.kernel() as kernel:
            pf_kernel.clear_counters(pf_kernel.state(kernel), request.anchor)
    return 0


# Rules ----------------------------------------------------------------------------------------------------------------


def _show_nat(request: Request, pf: State) -> None:
    _nat(request, pf, request.anchor, 0)


def _nat(request: Request, pf: State, anchor: str, depth: int) -> None:
    if not pf_kernel.exists(pf, anchor):
        request.ctx.warn("DIOCGETRULES: Invalid argument")
        return
    for kind in ("nat", "rdr", "binat"):
        for rule in pf_kernel.rules(pf, anchor, kind):
            _rule(_Place(request, pf, anchor, depth), rule, _nat, "nat-anchor")


def _show_rules(request: Request, pf: State) -> None:
    _filter(request, pf, request.anchor, 0)


def _filter(request: Request, pf: State, anchor: str, depth: int) -> None:
    if not pf_kernel.exists(pf, anchor):
        request.ctx.warn("Anchor does not exist")
        return
    for kind in ("scrub", "filter"):
        for rule in pf_kernel.rules(pf, anchor, kind):
            _rule(_Place(request, pf, anchor, depth), rule, _filter, "anchor")


Below = t.Callable[["Request", "State", str, int], None]


class _Place(t.NamedTuple):
    """Where a rule stands that is shown."""

    request: Request
    pf: State
    anchor: str
    depth: int


def _rule(place: _Place, rule: Rule, below: Below, word: str) -> None:
    request, pf, anchor, depth = place
    ctx = request.ctx
    indent = "" if request.verbose else "  " * depth
    line = indent + rule_line(rule, numbers=request.verbose > 1, numeric="P" in request)
    name = rule.get("anchor", "")
    opens = bool(name) and (name.rpartition("/")[2].startswith("_") or request.recurse)
    ctx.print(line + " {" if opens else line)
    if request.verbose:
        ctx.out.write(counters(rule, request.verbose))
    if not opens:
        return
    path = pf_kernel.called(anchor, name)
    if not name.endswith("*"):
        below(request, pf, path, depth + 1)
    else:
        inner = "" if request.verbose else "  " * (depth + 1)
        for child in pf_kernel.children(pf, path):
            ctx.print(f'{inner}{word} "{child}" all {{')
            below(request, pf, f"{path}/{child}".strip("/"), depth + 2)
            ctx.print(inner + "}")
    ctx.print(indent + "}")


def _show_labels(request: Request, pf: State) -> None:
    _labels(request, pf, request.anchor)


def _labels(request: Request, pf: State, anchor: str) -> None:
    if not pf_kernel.exists(pf, anchor):
        request.ctx.warn("Anchor does not exist")
        return
    for rule in pf_kernel.rules(pf, anchor, "filter"):
        if rule.get("labels"):
            evaluations, packets_in, bytes_in, packets_out, bytes_out, _unused, created, _unused = counts(rule)
            total = (evaluations, packets_in + packets_out, bytes_in + bytes_out)
            request.ctx.print(*rule["labels"], *total, packets_in, bytes_in, packets_out, bytes_out, created)
        name = rule.get("anchor", "")
        if name and (name.rpartition("/")[2].startswith("_") or request.recurse):
            path = pf_kernel.called(anchor, name)
            wild = name.endswith("*")
            below = [f"{path}/{child}".strip("/") for child in pf_kernel.children(pf, path)]
            for each in below if wild else [path]:
                _labels(request, pf, each)


def _show_anchors(request: Request, pf: State) -> None:
    if not pf_kernel.exists(pf, request.anchor):
        request.ctx.err.write(f"Anchor '{request.anchor}' not found.\n")
    else:
        _anchors(request, pf, request.anchor)
    if request.verbose > 1:
        request.ctx.print("Ethernet:")


def _anchors(request: Request, pf: State, anchor: str) -> None:
    for name in pf_kernel.children(pf, anchor):
        path = f"{anchor}/{name}" if anchor else name
        if request.verbose or not (anchor or name).startswith("_"):
            request.ctx.print(f"  {path}")
        _anchors(request, pf, path)


# The rest -------------------------------------------------------------------------------------------------------------


def _show_tables(request: Request, pf: State) -> None:
    for name, table in sorted(pf["tables"].get(request.anchor, {}).items()):
        if not request.verbose:
            request.ctx.print(name)
            continue
        flags = {*table["flags"], "used" if _is_used(pf, name) else "-"}
        marks = "".join(mark if mark == "a" or word in flags else "-" for word, mark in TABLE_FLAGS)
        request.ctx.print(f"{marks}\t{name}" + (f"\t{request.anchor}" if request.anchor else ""))


def _is_used(pf: State, name: str) -> bool:
    texts = [
        rule.get(side)
        for kinds in pf["rules"].values()
        for rules in kinds.values()
        for rule in rules
        for side in ("src", "dst")
    ]
    return f"<{name}>" in texts


def _show_states(request: Request, pf: State) -> None:
    for each in pf_states.alive(pf):
        request.ctx.out.write(pf_states.text(each, request.verbose))


def _show_timeouts(request: Request, pf: State) -> None:
    for name, default in TIMEOUTS.items():
        unit = " states" if name.startswith("adaptive") else "s"
        request.ctx.print(f"{name:<20s} {pf['timeouts'].get(name, default):10d}{unit}")


def _show_limits(request: Request, pf: State) -> None:
    for name, default in LIMITS.items():
        request.ctx.print(f"{name:<13s} hard limit {pf['limits'].get(name, default):8d}")


def _show_info(request: Request, pf: State) -> None:
    ctx = request.ctx
    seconds = int(time.time() - pf["since"])
    minutes, hours = seconds // 60, seconds // 3600
    status = "Enabled" if pf["enabled"] else "Disabled"
    line = f"Status: {status} for {hours // 24} days {hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}"
    level = DEBUG_LEVELS[pf["options"].get("debug", "urgent")]
    ctx.print(f"{line:<44s}{f'Debug: {level}':>15s}\n")
    count = pf["count"]
    ctx.print(f"{'State Table':<27s} {'Total':>14s} {'Rate':>16s}")
    ctx.print(f"  {'current entries':<25s} {len(pf_states.alive(pf)):14d} {'':>14s}")
    for name in ("searches", "inserts", "removals"):
        ctx.print(_counter(name, count, seconds))
    ctx.print("Counters")
    for name in COUNTERS:
        ctx.print(_counter(name, count, seconds))


def _counter(name: str, count: t.Mapping[str, int], seconds: int) -> str:
    value = count.get(name, 0)
    rate = f"{value / seconds:14.1f}/s" if seconds > 0 else " " * 14
    return f"  {name:<25s} {value:14d} {rate}"


_SHOW: dict[str, t.Callable[[Request, State], None]] = {
    "nat": _show_nat,
    "rules": _show_rules,
    "labels": _show_labels,
    "Anchors": _show_anchors,
    "Tables": _show_tables,
    "states": _show_states,
    "info": _show_info,
    "timeouts": _show_timeouts,
    "memory": _show_limits,
}


def _show_all(request: Request, pf: State) -> None:
    """Show everything, each part under its title."""
    first = True
    for title, what in (
        ("TRANSLATION RULES:", "nat"), ("FILTER RULES:", "rules"), ("STATES:", "states"), ("INFO:", "info"),
        ("LABEL COUNTERS:", "labels"), ("TIMEOUTS:", "timeouts"), ("LIMITS:", "memory"), ("TABLES:", "Tables"),
    ):  # fmt: skip
        if _is_empty(request, pf, what):
            continue
        request.ctx.print(title if first else f"\n{title}")
        first = False
        _SHOW[what](request, pf)


def _is_empty(request: Request, pf: State, what: str) -> bool:
    kinds = {"nat": ("nat", "rdr", "binat"), "labels": ("filter",)}.get(what)
    if kinds is not None:
        found = [rule for kind in kinds for rule in pf_kernel.rules(pf, request.anchor, kind)]
        return not any(what == "nat" or rule.get("labels") for rule in found)
    if what == "states":
        return not pf_states.alive(pf)
    return what == "Tables" and not pf["tables"].get(request.anchor)
