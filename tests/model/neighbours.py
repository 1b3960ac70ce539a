# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""arp(8) and ndp(8), as far as they set, delete and list the entries that stay: ``arp -S``, ``ndp -s``.

As their manuals have it; no transcript shows them. State: ``kernel["net"]["neighbours"]``, address -> hardware address.
"""

from __future__ import annotations

import typing as t

from model import net
from model.command import Exit, options
from model.pf_hosts import read_address

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

ARP_USAGE = (
    "usage: arp [-n] [-i interface] hostname\n"
    "       arp [-n] [-i interface] -a\n"
    "       arp -d hostname [pub]\n"
    "       arp -d [-i interface] -a\n"
    "       arp -s hostname ether_addr [temp] [reject | blackhole] [pub [only]]\n"
    "       arp -S hostname ether_addr [temp] [reject | blackhole] [pub [only]]\n"
    "       arp -f filename\n"
)
NDP_USAGE = "usage: ndp [-nt] hostname\n       ndp [-nt] -a | -c | -p\n       ndp [-nt] -r\n"


def entries(kernel: State) -> dict[str, str]:
    """Return the hardware address of each neighbour that is told and not asked for."""
    return t.cast("dict[str, str]", kernel["net"].setdefault("neighbours", {}))


def arp(ctx: Context) -> int:
    """arp(8)."""
    flags, words = options(ctx, "adnsS", ARP_USAGE, 1)
    return _run(ctx, flags, words, ARP_USAGE, "inet")


def ndp(ctx: Context) -> int:
    """ndp(8)."""
    flags, words = options(ctx, "adns", NDP_USAGE, 1)
    return _run(ctx, flags, words, NDP_USAGE, "inet6")


def _run(ctx: Context, flags: t.Container[str], words: list[str], usage: str, family: str) -> int:
    with ctx.host.kernel() as kernel:
        there = entries(kernel)
        if "a" in flags and not words:
            for address, mac in there.items():
                if net.family_of(address) == family:
                    ctx.print(f"? ({address}) at {mac} permanent")
            return 0
        if len(words) == 2 and ("S" in flags or "s" in flags):
            return _set(kernel, *words)
        if len(words) == 1 and "d" in flags:
            if there.pop(words[0], None) is None:
                raise Exit(1, f"delete: cannot locate {words[0]}")
            ctx.print(f"{words[0]} ({words[0]}) deleted")
            return 0
    ctx.err.write(usage)
    return 1


def _set(kernel: State, address: str, mac: str) -> int:
    way = net.way_to(kernel, address) if read_address(address) is not None else None
    if way is None or net.kind_of(way.interface) == "lo" or way.hop != address:
        raise Exit(1, f"cannot intuit interface index and type for {address}")
    entries(kernel)[address] = mac
    return 0
