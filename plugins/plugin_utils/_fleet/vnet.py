# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Jails with network stacks of their own: their gateway, and the rules of pf for the bridge that they are on.

What such a jail sends comes in twice. On the host's end of its link it must have the jail's own address, which is seen
nowhere else. On the bridge it is let out, or kept from other jails and from the host; states are bound to the bridge
there, else the link's end would use them, and translate by them, before the bridge does.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import ipaddress

Jail = t.Mapping[str, t.Any]
Rules = t.Iterator[dict[str, t.Any]]

VNET = "vnet"
# The group of the host's ends of all links.
GROUP = "vps"
IPV4 = 4
FAMILIES = (("inet", "address"), ("inet6", "address6"))
NEIGHBOURS = "inet6 proto icmp6"
# See above.
STATE = "keep state (if-bound)"


def gateway_of(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """Return the host's address on the bridge, the first that a jail of the netblock could have."""
    return str(network[1])


def bridged_hosts(jails: t.Iterable[Jail]) -> set[str]:
    """Return the hosts that have a jail with a stack of its own, from their records."""
    bridged = (jail for jail in jails if jail.get("network") == VNET and jail.get("state") != "absent")
    return {jail["host"] for jail in bridged if "host" in jail}


def link_of(jail: Jail, bridge: str, gateways: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the key `vnet` of a jail in the options of modules, or nothing if it shares the host's stack."""
    if jail["network"] != VNET:
        return {}
    return {"vnet": {"id": jail["id"], "bridge": bridge, **{f"gateway{_version(each)}": each for each in gateways}}}


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def reflections(jails: t.Iterable[Jail], bridge: str, gateways: t.Sequence[str], tag: t.Callable[[Jail], str]) -> Rules:
    """Yield the rules by which a jail that asks for a port of its own seems to be asked by the gateway.

    Its answer would never leave it otherwise.
    """
    for gateway in (each for each in gateways if _version(each) == IPV4):
        for jail in jails:
            address = jail["address"]
            yield _rule(f"nat on {bridge} inet from {address} to {address} tag {tag(jail)} -> {gateway}", jail)


def links(jails: t.Sequence[Jail], bridge: str) -> Rules:
    """Yield the rules of the host's ends: nothing but a jail's own addresses, and what finds neighbours by IPv6."""
    for jail in jails:
        for family, address in _addresses(jail):
            yield _rule(f"pass in quick on {GROUP}{jail['id']}a {family} from {address} to any no state", jail)
    for place in (f"in quick on {GROUP} {NEIGHBOURS} from fe80::/10 to any", f"quick on {bridge} {NEIGHBOURS}"):
        for kind in ("neighbrsol", "neighbradv"):
            yield _rule(f"pass {place} icmp6-type {kind} no state")
        if GROUP in place:
            yield _rule(f"block drop in quick on {GROUP}")


def filters(jails: t.Iterable[Jail], bridge: str, gateways: t.Iterable[str], tag: t.Callable[[Jail], str]) -> Rules:
    """Yield the filter rules of the bridge that come behind what is published and what records allow."""
    jails = list(jails)
    for jail in jails:
        yield _rule(f"pass out quick on {bridge} tagged {tag(jail)} {STATE}", jail)
    for gateway in gateways:
        yield _rule(f"pass out quick on {bridge} from {gateway} to <jails> {STATE}")
    yield _rule(f"block drop quick on {bridge} from <jails> to <jails>")
    yield _rule(f"block drop in quick on {bridge} from any to (self)")
    for jail in jails:
        for family, address in _addresses(jail):
            yield _rule(f"pass in quick on {bridge} {family} from {address} to any tag {tag(jail)} {STATE}", jail)
    yield _rule(f"block drop quick on {bridge}")


def _addresses(jail: Jail) -> list[tuple[str, str]]:
    return [(family, jail[key]) for family, key in FAMILIES if jail[key]]


def _rule(text: str, jail: Jail | None = None) -> dict[str, t.Any]:
    return {"rule": text, "jail": jail["name"]} if jail else {"rule": text}
