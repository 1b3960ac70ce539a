# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pf's states: how they are shown, killed, and end by themselves.

A state: ``id``, ``dir``, ``proto``, ``inside`` and ``wire`` (each [source, its port, destination, its port], as the
machine itself and as the wire see it), ``levels``, ``made``, ``until``, ``labels``, ``dn``,
``rules`` ([anchor, kind, number] of all rules that count it), ``packets`` and ``bytes`` (in its direction, and back).
"""

from __future__ import annotations

import ipaddress
import time
import typing as t

from model import pf_kernel
from model.command import Exit
from model.pf_names import protocol_name, protocol_number
from model.pf_print import counts

if t.TYPE_CHECKING:
    from model.host import State
    from model.pf import Request

CREATOR = 0x6A61696C


def alive(pf: State) -> list[State]:
    """Return the states, without those whose time is over."""
    now = time.time()
    over = [each for each in pf["states"] if each["until"] <= now]
    if over:
        remove(pf, over)
    found: list[State] = pf["states"]
    return found


def remove(pf: State, states: t.Collection[State]) -> int:
    """Remove states; their rules count them no more."""
    gone = {each["id"] for each in states}
    for each in states:
        for anchor, kind, number in each["rules"]:
            found = pf_kernel.rules(pf, anchor, kind)
            if number < len(found):
                counts(found[number])[5] = max(0, counts(found[number])[5] - 1)
    pf["states"] = [each for each in pf["states"] if each["id"] not in gone]
    pf["count"]["removals"] = pf["count"].get("removals", 0) + len(gone)
    return len(gone)


def clear(pf: State) -> int:
    """Remove all states and return how many there were."""
    return remove(pf, list(alive(pf)))


# Showing --------------------------------------------------------------------------------------------------------------


def text(state: State, verbose: int) -> str:
    """Return a state as ``pfctl -ss`` shows it, with more lines for ``-v`` and ``-vv``."""
    lines = [_line(state)]
    if verbose:
        lines += ["   [0 + 65536] wscale 6  [0 + 65536] wscale 6"] if state["proto"] == 6 else []
        lines.append(_details(state))
    if verbose > 1:
        lines.append(f"   id: {state['id']:016x} creatorid: {CREATOR:08x}")
    return "".join(f"{line}\n" for line in lines)


def _line(state: State) -> str:
    outside, inside = state["wire"], state["inside"]
    if state["dir"] == "out":
        left, right = _side(outside[:2], inside[:2]), _side(outside[2:], inside[2:])
        arrow = "->"
    else:
        left, right = _side(inside[2:], outside[2:]), _side(inside[:2], outside[:2])
        arrow = "<-"
    return f"all {protocol_name(state['proto'])} {left} {arrow} {right}       {':'.join(state['levels'])}"


def _side(first: list[t.Any], other: list[t.Any]) -> str:
    return _end(*first) if first == other else f"{_end(*first)} ({_end(*other)})"


def _end(address: str, port: int) -> str:
    if not port:
        return address
    return f"{address}[{port}]" if ":" in address else f"{address}:{port}"


def _details(state: State) -> str:
    now = time.time()
    there, back = zip(state["packets"], state["bytes"], strict=True)
    found = f"   age {_clock(now - state['made'])}, expires in {_clock(state['until'] - now)}, "
    found += f"{there[0]}:{back[0]} pkts, {there[1]}:{back[1]} bytes"
    if state["rules"]:
        found += f", rule {state['rules'][-1][2]}"
    if state["dn"]:
        kind, first, second = state["dn"]
        found += f", dummynet {kind} ({first} {second})"
    return found


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


# Killing --------------------------------------------------------------------------------------------------------------


def kill(request: Request) -> None:
    """``pfctl -k``: by label, by number, by key, or by addresses."""
    words = request.all["k"]
    with request.ctx.host.kernel() as kernel:
        pf = pf_kernel.state(kernel)
        if words[0] in ("label", "id", "key", "gateway"):
            chosen = _by_word(request, pf, *words)
            told = f"killed {remove(pf, chosen)} states"
        else:
            told = _by_address(pf, words)
    if "q" not in request:
        request.ctx.err.write(told + "\n")


def _by_word(request: Request, pf: State, word: str, value: str = "") -> list[State]:
    if not value:
        raise request.usage(f"no {word} specified")
    if word == "label":
        return [each for each in alive(pf) if value in each["labels"]]
    if word == "gateway":
        return []
    if word == "key":
        return _by_key(pf, value)
    try:
        number = int(value.partition("/")[0], 16)
    except ValueError:
        raise request.usage("wrong id format specified") from None
    if not number:
        raise request.usage("cannot kill id 0")
    return [each for each in alive(pf) if each["id"] == number]


def _by_key(pf: State, value: str) -> list[State]:
    words = value.split()
    if len(words) != 4:
        raise Exit(1, 'pfctl_key_kill_states: key must be "protocol host1:port1 direction host2:port2" format')
    if protocol_number(words[0]) is None:
        raise Exit(1, f"invalid protocol: {words[0]}")
    if words[2] not in ("->", "<-"):
        raise Exit(1, f"invalid direction: {words[2]}")
    ends = (words[1], words[3]) if words[2] == "->" else (words[3], words[1])
    found = []
    for each in alive(pf):
        keys = [(_end(*key[:2]), _end(*key[2:])) for key in (each["wire"], each["inside"])]
        if each["proto"] == protocol_number(words[0]) and ends in keys:
            found.append(each)
    return found


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _by_address(pf: State, words: list[str]) -> str:
    nat = len(words) == 2 and words[0] == "nat"
    networks = [_network(word) for word in (words[1:] if nat else words)]
    chosen = [each for each in alive(pf) if _concerns(each, networks, nat)]
    return f"killed {remove(pf, chosen)} states from 1 sources and {len(networks) - 1} destinations"


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise Exit(1, "getaddrinfo: Name does not resolve") from None


def _concerns(state: State, networks: list[Network], nat: bool) -> bool:
    """Say whether a state goes from the first network (to the second), on the wire or (``nat``) inside."""
    key = state["inside" if nat else "wire"]
    ends = [ipaddress.ip_address(key[0]), ipaddress.ip_address(key[2])]
    return all(end in network for end, network in zip(ends, networks, strict=False))
