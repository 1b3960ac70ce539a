# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The jails of a host as rules and tables of pf."""

from __future__ import annotations

import typing as t

from .shaping import pipe_numbers

Jail = t.Mapping[str, t.Any]

# The table of pf that pf_rules gives.
TABLE = "jails"
# A jail that is suspended has no network, one that is absent nothing at all.
_CONNECTED = frozenset({"running", "stopped"})


def _tag(jail: Jail) -> str:
    """Return the tag by which filter rules know a jail's packets: they see the translated address, not its own."""
    return f"jail_{jail['name']}"


def _nat(jail: Jail, interface: str, public: str) -> str:
    return f"nat on {interface} inet from {jail['address']} to any tag {_tag(jail)} -> {public}"


def _redirections(jail: Jail, interface: str) -> list[str]:
    return [
        f"rdr on {interface} inet proto {entry['protocol']} from any to {entry['address']} port {entry['port']}"
        f" tag {_tag(jail)} -> {jail['address']} port {entry['to']}"
        for entry in jail["publish"]
    ]


def _passes(jail: Jail, interface: str, base: int) -> list[str]:
    """Return the two rules that let a jail's packets pass, count them by label and lead them through its pipes.

    The first pipe takes what goes in the rule's own direction, the second what comes back. They are quick, because
    else a general pass further down in the host's pf.conf would win, and nothing be shaped.
    """
    numbers = pipe_numbers(jail, base)
    rules = []
    for direction, order in (("out", 1), ("in", -1)):
        rule = f'pass {direction} quick on {interface} inet tagged {_tag(jail)} keep state label "jail:{jail["name"]}"'
        rules.append(rule + (" dnpipe ({}, {})".format(*numbers[::order]) if numbers else ""))
    return rules


def _isolation(connected: t.Sequence[Jail], netblocks: t.Sequence[str], interface: str) -> list[dict[str, t.Any]]:
    """Return the rules by which jails meet themselves and no other; those of IPv6 if the host has a netblock of it.

    What is kept apart are the netblocks, not the jails: a jail that is being removed, or that somebody else made there,
    is in them too, and the rules stay the same whoever comes and goes.
    """
    rules: list[dict[str, t.Any]] = []
    for family, key in (("inet", "address"), ("inet6", "address6")):
        for jail in connected:
            if jail[key]:
                rule = f"pass quick on {interface} {family} from {jail[key]} to {jail[key]}"
                rules.append({"rule": rule, "jail": jail["name"]})
        if any((":" in netblock) == (family == "inet6") for netblock in netblocks):
            rules.append({"rule": f"block drop quick on {interface} {family} from <jails> to <jails>"})
    return rules


def pf_rules(
    jails: t.Iterable[Jail],
    interface: str,
    addresses: t.Sequence[str],
    netblocks: t.Sequence[str],
    jail_interface: str = "lo",
    base: int = 10000,
) -> dict[str, t.Any]:
    """Return the options `rules` and `tables` of the module pf_anchor, in the order that pf.conf(5) demands.

    `interface` is the host's outside interface, the first of `addresses` what NAT translates to, `netblocks` are the
    networks of the host's jails, `jail_interface` is the interface (or group: lo is lo0 and lo1) where jails meet each
    other. Raises ValueError without an address or a netblock.
    """
    connected = [jail for jail in jails if jail["state"] in _CONNECTED]
    if not addresses:
        raise ValueError("addresses is empty: there is nothing that NAT could translate to")
    if not netblocks:
        raise ValueError("netblocks is empty: there is nothing that could be kept apart")
    rules = [(jail, _nat(jail, interface, addresses[0])) for jail in connected]
    rules += [(jail, rule) for jail in connected for rule in _redirections(jail, interface)]
    result = [{"rule": rule, "jail": jail["name"]} for jail, rule in rules]
    result += _isolation(connected, netblocks, jail_interface)
    result += [{"rule": rule, "jail": jail["name"]} for jail in connected for rule in _passes(jail, interface, base)]
    return {"rules": result, "tables": {TABLE: list(netblocks)}}
