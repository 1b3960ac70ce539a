# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's dummynet knows: schedulers with their links, and flow sets.

``pipe N`` is three things: scheduler N (WF2Q+) for the queues that name it, scheduler N + 65536 (FIFO) that packets of
the pipe itself go through, and the flow set N + 131072 in front of that one. ``queue N`` is the flow set N.

State: ``kernel["dummynet"]`` with ``sched`` and ``flow`` (number as text -> what it is) and ``last``, which numbers
everything that is put into a list: listings show the newest first in each of 64 buckets.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from model.dummynet_config import Request
    from model.host import State

IDS = 65536
BUCKETS = 64
TYPES = {name.lower(): name for name in ("FIFO", "WF2Q+", "RR", "QFQ", "PRIO", "FQ_CODEL", "FQ_PIE")}
# These have queues of their own and need no flow set in front of them.
MULTIQUEUE = frozenset({"WF2Q+", "RR", "QFQ", "PRIO"})
# What a scheduler makes of a flow set's weight and largest packet: (default, lowest, highest).
BOUNDS: dict[str, dict[int, tuple[int, int, int]]] = {
    "WF2Q+": {0: (1, 1, 100)},
    "RR": {0: (1, 1, 65536)},
    "QFQ": {0: (1, 1, 65536), 1: (1500, 1, 2000)},
}
SLOTS, BYTES, LEAST_BYTES = 50, 16384, 1500
INVALID = "Invalid argument"

# The mask of a scheduler, and its buckets.
Mask = tuple[dict[str, int], int]


class Refused(Exception):
    """The kernel refuses; the text is strerror(3)'s."""


def state(kernel: State) -> State:
    """Return what dummynet knows; the module must be loaded."""
    found: State = kernel.setdefault("dummynet", {"sched": {}, "flow": {}, "last": 0})
    return found


def has_pipe(kernel: State, number: int) -> bool:
    """Say whether packets can be sent through that pipe."""
    return str(number + IDS) in kernel.get("dummynet", {}).get("sched", {})


def has_queue(kernel: State, number: int) -> bool:
    """Say whether packets can be sent through that queue: it must exist, and the scheduler that it names."""
    known = kernel.get("dummynet", {})
    flow = known.get("flow", {}).get(str(number))
    return flow is not None and str(flow["sched"]) in known["sched"]


def in_order(objects: t.Mapping[str, State]) -> list[tuple[int, State]]:
    """Return (number, object) in the order of the kernel's hash table."""

    def place(pair: tuple[int, State]) -> tuple[int, int]:
        number, found = pair
        return (number >> 8 ^ number >> 4 ^ number) & (BUCKETS - 1), -found["serial"]

    return sorted(((int(number), found) for number, found in objects.items()), key=place)


def _serial(known: State) -> int:
    known["last"] = int(known["last"]) + 1
    return int(known["last"])


# Configuring ----------------------------------------------------------------------------------------------------------


def configure(known: State, request: Request) -> None:
    """Do what one ``config`` asks."""
    number = request.number
    if request.kind == "queue":
        _flow(known, number, request.target, _flow_of(request), request.parameters)
        return
    if not 0 < number < IDS:
        raise Refused(INVALID)
    pipe = request.kind == "pipe"
    _schedulers(known, request, pipe=pipe)
    if pipe:
        for each in (number, number + IDS):
            known["sched"][str(each)].update(bandwidth=request.bandwidth, delay=request.delay, burst=request.burst)
        flow = {**_flow_of(request), "mask": {}, "have_mask": False, "buckets": 1}
        _flow(known, number + 2 * IDS, request.target or number + IDS, flow, request.parameters)
    else:
        _flow(known, number + IDS, request.target or number, _flow_of(request), request.parameters)


def _schedulers(known: State, request: Request, *, pipe: bool) -> None:
    """Make or change scheduler N and its FIFO."""
    number = request.number
    there = known["sched"].get(str(number))
    name = TYPES.get(request.type.lower(), "") if request.type else there["type"] if there else "WF2Q+"
    if not name:
        raise Refused(INVALID)
    mask, buckets = _mask_of(request)
    if there is None or not pipe or request.type:
        own = ({}, 0) if pipe and not request.type else (mask, buckets)
        _scheduler(known, number, name, own, request.scheduler_parameters)
    if pipe or str(number + IDS) not in known["sched"]:
        fifo = (mask, buckets) if pipe else ({}, 0)
        _scheduler(known, number + IDS, "FIFO", fifo, {})


def _mask_of(request: Request) -> Mask:
    if not request.have_mask:
        return {}, request.buckets
    return dict(request.mask), _bound(request.buckets, BUCKETS, 1, 65536)


def _scheduler(known: State, number: int, name: str, masked: Mask, extra: dict[str, t.Any]) -> None:
    mask, buckets = masked
    there = known["sched"].get(str(number))
    wanted = {"type": name, "mask": mask, "have_mask": bool(mask), "buckets": buckets}
    if there is None or any(there[key] != value for key, value in wanted.items()):
        # A scheduler that changes is made anew; it keeps its link, and the flow sets come back to it.
        link = {key: there[key] for key in ("bandwidth", "delay", "burst")} if there else {}
        fresh = {"bandwidth": 0, "delay": 0, "burst": 0, "extra": {}, "flow": 0, **link, **wanted}
        known["sched"][str(number)] = there = {**fresh, "serial": _serial(known)}
        _own_flow(known, number, there)
        _attach_all(known, number)
    if extra:
        there["extra"] = extra
    elif name in ("FQ_CODEL", "FQ_PIE") and not there["extra"]:
        there["extra"] = _default_extra(name.lower())


def _default_extra(name: str) -> dict[str, t.Any]:
    from model.dummynet_config import AQM, AQM_FIRST  # noqa: PLC0415

    return {"name": name, **AQM[name], **AQM_FIRST[name]}


def _own_flow(known: State, number: int, scheduler: State) -> None:
    """A scheduler without queues of its own takes the flow set of its number, or gets one made."""
    if scheduler["type"] in MULTIQUEUE:
        return
    if str(number) in known["flow"]:
        scheduler["flow"] = number
        return
    scheduler["flow"] = number + IDS
    if str(number + IDS) not in known["flow"]:
        empty = {
            "size": SLOTS, "in_bytes": False, "plr": 0, "noerror": False, "buckets": 1, "mask": {}, "have_mask": False,
            "red": {}, "ecn": False, "aqm": {},
        }  # fmt: skip
        _flow(known, number + IDS, number, empty, [None, None, None])


def _flow_of(request: Request) -> State:
    mask, buckets = _mask_of(request)
    if request.in_bytes:
        size = _bound(request.size, BYTES, LEAST_BYTES, 1024 * 1024)
    else:
        size = _bound(request.size, SLOTS, 1, 100)
    return {
        "size": size, "in_bytes": request.in_bytes, "plr": request.plr, "noerror": request.noerror,
        "buckets": buckets if request.have_mask else 1, "mask": mask, "have_mask": request.have_mask,
        "red": request.red, "ecn": request.ecn, "aqm": request.aqm,
    }  # fmt: skip


def _bound(value: int, default: int, low: int, high: int) -> int:
    return default if value < low else min(value, high)


def _flow(known: State, number: int, target: int, wanted: State, parameters: t.Sequence[int | None]) -> None:
    there = known["flow"].get(str(number))
    if not 0 < number < 3 * IDS or (there is None and not target):
        raise Refused("Operation not permitted")
    old = there["par"] if there else [0, 0, 0]
    target = target or there["sched"]
    new = {**wanted, "sched": target, "par": [o if p is None else p for p, o in zip(parameters, old, strict=True)]}
    if there is None:
        there = {"serial": _serial(known), "attached": 0}
        known["flow"][str(number)] = there
    elif all(there[key] == value for key, value in new.items()):
        return
    there.update(new)
    _attach(known, there)


def _attach(known: State, flow: State) -> None:
    scheduler = known["sched"].get(str(flow["sched"]))
    flow["attached"] = _serial(known) if scheduler else 0
    if scheduler:
        for place, (default, low, high) in BOUNDS.get(scheduler["type"], {}).items():
            flow["par"][place] = _bound(flow["par"][place], default, low, high)


def _attach_all(known: State, number: int) -> None:
    waiting = [flow for flow in known["flow"].values() if flow["sched"] == number]
    for flow in sorted(waiting, key=lambda each: int(each["attached"])):
        _attach(known, flow)


# Deleting -------------------------------------------------------------------------------------------------------------


def delete(known: State, kind: str, number: int) -> bool:
    """Delete a pipe or a queue (a scheduler cannot be deleted); say whether it was there."""
    if kind == "queue":
        return 0 < number < IDS and known["flow"].pop(str(number), None) is not None
    if kind == "sched":
        return False
    done = [_delete_scheduler(known, each) for each in (number, number + IDS)]
    return all(done)


def _delete_scheduler(known: State, number: int) -> bool:
    if known["sched"].pop(str(number), None) is None:
        return False
    known["flow"].pop(str(number + IDS), None)
    for flow in known["flow"].values():
        if flow["sched"] == number:
            flow["attached"] = 0
    return True
