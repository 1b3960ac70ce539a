# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What of one jail is in force otherwise than its record says, in words."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate

from .limits import rules
from .shaping import flow
from .values import port_range
from .vnet import VNET

Values = t.Mapping[str, t.Any]
# Who may come to what is published, beside those that a record names.
ANYBODY, NEIGHBOURS = "any", "<jails>"
CONNECTED = frozenset({"running", "stopped"})


def differences(jail: Values, answers: t.Mapping[str, Values]) -> t.Iterator[str]:
    """Yield what differs between a resolved record and the answers that `show.jail_report` describes."""
    name = jail["name"]
    if "jails" in answers["jail"]:
        yield from _running(jail, answers["jail"]["jails"].get(name))
    if "pf" in answers["net"]:
        net, pf = answers["net"]["jails"][name], answers["net"]["pf"]
        yield from _addresses(jail, net)
        yield from _in_force(pf)
        yield from _rules(jail, net) if pf["loaded"] else ()
    if "rules" in answers["limits"]:
        yield from _limits(jail, answers["limits"])


def _running(jail: Values, info: Values | None) -> t.Iterator[str]:
    wanted = jail["state"]
    if info is None:
        if wanted == "running":
            yield "it does not run, and by its record it does"
        return
    if wanted != "running":
        yield f"it runs, and by its record it is {wanted}"
    if not info["ours"]:
        yield "it runs by somebody else's configuration"
    if info["release"] not in (None, jail["release"]):
        yield f"its root says that it holds {info['release']}, and its record says {jail['release']}"


def _in_force(pf: Values) -> t.Iterator[str]:
    if not pf["loaded"]:
        yield "pf is not loaded: nothing is translated, published or kept apart"
    elif not pf["enabled"]:
        yield "pf is disabled: nothing is translated, published or kept apart"
    elif not pf["called"]:
        yield "the main rules of pf do not call the anchor: what it says has no effect"


def _addresses(jail: Values, net: Values) -> t.Iterator[str]:
    own = _own(jail)
    if net["running"] and net["vnet"] != (jail["network"] == VNET):
        yield f"it has {'a' if net['vnet'] else 'no'} network stack of its own, and by its record the contrary"
    elif net["running"] and not net["vnet"] and set(net["addresses"]) != own:
        yield f"its addresses are {_list(net['addresses'])}, and by its record {_list(own)}"


def _rules(jail: Values, net: Values) -> t.Iterator[str]:
    connected = jail["state"] in CONNECTED
    there = {entry for entry in map(_published, net["published"]) if entry[1] not in _own(jail)}
    wanted = set(_wanted(jail)) if connected else set()
    yield from (f"{_words(entry)} is published, and not by its record" for entry in sorted(there - wanted))
    yield from (f"{_words(entry)} is not published, and by its record it is" for entry in sorted(wanted - there))
    public = {jail["public"] if jail["publish_all"] else jail["nat"]} if connected else set()
    leaves = {entry["public"] for entry in net["translation"]}
    if leaves != public:
        yield f"it leaves as {_list(leaves)}, and by its record as {_list(public)}"
    if connected and net["shaping"]:
        yield from _shaping(jail, net["shaping"])


def _own(jail: Values) -> set[str]:
    return {jail[key] for key in ("address", "address6") if jail[key]}


Published = tuple[str, str, str, str, tuple[str, ...]]


def _published(entry: Values) -> Published:
    """Return what is published as far as a record says it: that neighbours may come too follows from the rest."""
    sources = {source for source in entry["from"] if source != NEIGHBOURS}
    return entry["protocol"], entry["address"], entry["port"], entry["to"], tuple(sorted(sources))


def _wanted(jail: Values) -> t.Iterator[Published]:
    """Yield what a record publishes over IPv4, where the address is the host's; over IPv6 it is the jail's own."""
    if jail["publish_all"]:
        yield "", jail["public"], "", "", (ANYBODY,)
    for entry in jail["publish"]:
        sources = {_network_of(source) for source in entry["from"] if ":" not in source}
        if sources or not entry["from"]:
            ports = port_range(entry["port"])
            goal = range(entry["to"], entry["to"] + len(ports))
            yield entry["protocol"], entry["address"], _span(ports), _span(goal), tuple(sorted(sources or {ANYBODY}))


def _network_of(source: str) -> str:
    """Return a network as pf prints it: an address alone has no length."""
    network = ipaddress.ip_network(source)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _span(ports: range) -> str:
    return f"{ports[0]}-{ports[-1]}" if len(ports) > 1 else str(ports[0])


def _words(entry: Published) -> str:
    protocol, address, port, to, sources = entry
    who = "" if sources == (ANYBODY,) else f" from {_list(sources)}"
    return f"{protocol} {address}:{port} -> {to}{who}" if port else f"all of {address}{who}"


def _shaping(jail: Values, shaping: Values) -> t.Iterator[str]:
    wanted = flow(jail, 0).kind
    for end in ("up", "down"):
        found = shaping[end]
        if not found["there"]:
            yield f"the {shaping['kind']} {found['number']} is missing: pf drops what it is to carry ({end})"
        elif shaping["kind"] != wanted:
            yield f"a {shaping['kind']} carries it {end}, and by its record a {wanted}"
        elif wanted == "pipe" and found["rate"] != jail["bandwidth"][end]:
            yield f"it has {format_rate(found['rate'])} {end}, and by its record {format_rate(jail['bandwidth'][end])}"
        elif wanted == "queue" and found["weight"] != jail["bandwidth"]["weight"]:
            yield f"its weight {end} is {found['weight']}, and by its record {jail['bandwidth']['weight']}"


def _limits(jail: Values, answer: Values) -> t.Iterator[str]:
    if not answer["accounts"]:
        yield "the kernel keeps no accounts (kern.racct.enable): no limit is in force"
        return
    wanted = {f"jail:{jail['name']}:{rule}={amount}" for rule, amount in rules(jail).items()}
    there = set(answer["rules"].get(jail["name"], ()))
    yield from (f"the limit {rule} is in force, and not by its record" for rule in sorted(there - wanted))
    yield from (f"the limit {rule} is not in force, and by its record it is" for rule in sorted(wanted - there))


def _list(words: t.Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "none"
