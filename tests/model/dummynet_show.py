# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``dnctl pipe|queue|sched show``."""

from __future__ import annotations

import ipaddress
import typing as t

from model.dummynet_config import PIE_ONE, PLR_ONE, RED_ONE
from model.dummynet_kernel import IDS, in_order

if t.TYPE_CHECKING:
    from model.host import State

HAVE_MASK = 0x0001


def show(known: State, kind: str, ranges: list[tuple[int, int]]) -> str:
    """Return the listing of all, or of those whose numbers are in the ranges."""
    if kind == "queue":
        flows = [(number, flow) for number, flow in in_order(known["flow"]) if number < IDS and _chosen(number, ranges)]
        return "".join(_flow(number, flow) for number, flow in flows)
    base = IDS if kind == "pipe" else 0
    return "".join(
        _scheduler(known, number, scheduler)
        for number, scheduler in in_order(known["sched"])
        if base < number < base + IDS and _chosen(number - base, ranges)
    )


def _chosen(number: int, ranges: list[tuple[int, int]]) -> bool:
    return not ranges or any(low <= number <= high for low, high in ranges)


def _scheduler(known: State, number: int, scheduler: State) -> str:
    text = f"{number % IDS:05d}: {bandwidth(scheduler['bandwidth'])} {scheduler['delay']:4d} ms burst "
    text += f"{_humanized(scheduler['burst'])}\n"
    flow = known["flow"].get(str(scheduler["flow"]))
    if flow is not None:
        text += _flow(scheduler["flow"], flow)
    flags = HAVE_MASK if scheduler["have_mask"] else 0
    text += f" sched {number} type {scheduler['type']} flags 0x{flags:x} {scheduler['buckets']} buckets 0 active\n"
    if scheduler["type"] in ("FQ_CODEL", "FQ_PIE"):
        text += _fair(scheduler["extra"])
    if scheduler["have_mask"]:
        text += _mask(scheduler["mask"])
    children = [
        (flow["attached"], each)
        for each, flow in known["flow"].items()
        if flow["sched"] == number and flow["attached"] and int(each) < IDS
    ]
    if children:
        text += (
            "   Children flowsets: " + "".join(f"{each} " for _unused, each in sorted(children, reverse=True)) + "\n"
        )
    return text


def bandwidth(value: int) -> str:
    """Return a rate as dnctl shows it."""
    if not value:
        return "unlimited     "
    for unit, name in ((1000000000, "Gbit/s"), (1000000, "Mbit/s"), (1000, "Kbit/s")):
        if value >= unit:
            return f"{value / unit:7.3f} {name}"
    return f"{value:7.3f} bit/s "


def _humanized(value: int) -> str:
    """humanize_number(3) into 11 characters."""
    for prefix in ("", "K", "M", "G", "T"):
        if value < 10**9:
            return f"{value} {prefix}"
        value = (value + 512) // 1024
    return f"{value} P"


def _flow(number: int, flow: State) -> str:
    size = flow["size"]
    octets = f"{size // 1024} KB" if size >= 8192 else f"{size} B"
    queue = octets if flow["in_bytes"] else f"{size:3d} sl."
    loss = f"plr {flow['plr'] / PLR_ONE:f}" if flow["plr"] else ""
    weight, lmax, priority = flow["par"]
    text = (
        f"q{number:05d} {queue}{loss} 0 flows ({flow['buckets']} buckets) sched {flow['sched']} "
        f"weight {weight} lmax {lmax} pri {priority} {_discipline(flow)}\n"
    )
    return text + (_mask(flow["mask"]) if flow["have_mask"] else "")


def _discipline(flow: State) -> str:
    red = flow["red"]
    if red:
        text = (
            f"\n\t {'G' if red['gentle'] else ' '}RED w_q {red['w_q'] / RED_ONE:f} min_th {red['min_th']} "
            f"max_th {red['max_th']} max_p {red['max_p'] / RED_ONE:f}"
        )
        return text + (" (ecn)" if flow["ecn"] else "")
    if not flow["aqm"]:
        return "droptail"
    return _aqm(flow["aqm"])


def _aqm(aqm: State) -> str:
    if aqm["name"] == "codel":
        return f" AQM CoDel target {_time(aqm['target'])} interval {_time(aqm['interval'])} {_ecn(aqm)}"
    return f" AQM type PIE {_pie(aqm)} {_pie_flags(aqm)}"


def _ecn(aqm: State) -> str:
    return "ECN" if aqm["ecn"] else "NoECN"


def _pie(aqm: State) -> str:
    return (
        f"target {_time(aqm['target'])} tupdate {_time(aqm['tupdate'])} alpha {aqm['alpha'] / PIE_ONE:g} "
        f"beta {aqm['beta'] / PIE_ONE:g} max_burst {_time(aqm['max_burst'])} max_ecnth {aqm['max_ecnth'] / PIE_ONE:.3g}"
    )


def _pie_flags(aqm: State) -> str:
    words = [_ecn(aqm), "CapDrop" if aqm["capdrop"] else "NoCapDrop"]
    words += ["OnOff"] if aqm["onoff"] else []
    return " ".join([*words, "DRE" if aqm["dre"] else "TS", "Derand" if aqm["derand"] else "NoDerand"])


def _fair(extra: State) -> str:
    sizes = f"quantum {extra['quantum']} limit {extra['limit']} flows {extra['flows']}"
    if extra["name"] == "fq_codel":
        return f" FQ_CODEL target {_time(extra['target'])} interval {_time(extra['interval'])} {sizes} {_ecn(extra)}\n"
    return f"  FQ_PIE {_pie(extra)} {sizes} {_pie_flags(extra)}\n"


def _time(microseconds: int) -> str:
    if microseconds < 1000:
        return f"{microseconds}us" if microseconds else "0"
    return f"{microseconds / 1000:g}ms" if microseconds < 1000000 else f"{microseconds / 1000000:g}fs"


def _mask(mask: t.Mapping[str, int]) -> str:
    extra = "queue," if mask.get("extra") else ""
    ports = f"0x{mask.get('src_port', 0):04x}", f"0x{mask.get('dst_port', 0):04x}"
    protocol = f"0x{mask.get('proto', 0):02x}"
    if mask.get("family") != 6:
        source, target = f"0x{mask.get('src_ip', 0):08x}", f"0x{mask.get('dst_ip', 0):08x}"
        return f"    mask: {extra} {protocol} {source}/{ports[0]} -> {target}/{ports[1]}\n"
    source, target = _bits(mask.get("src_ip6", 0)), _bits(mask.get("dst_ip6", 0))
    flow = f"flow_id: 0x{mask.get('flow_id', 0):08x},  "
    return f"\n        mask: {extra}proto: {protocol}, {flow}{source}/{ports[0]} -> {target}/{ports[1]}\n"


def _bits(length: int) -> str:
    return str(ipaddress.IPv6Address((1 << 128) - (1 << (128 - length))))
