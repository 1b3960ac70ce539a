# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The jails of a host as rules and tables of pf.

Translation rules see packets as they are on the wire, and the first that matches counts. Filter rules see what
translation made of them: outwards on the outside interface a jail's address is gone. What still knows the jail there is
the tag that its translation rule set. All filter rules are quick, so that the first that matches counts there, too.

docs/network.md explains the rules of the example fleet one by one.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import vnet
from .shaping import flow
from .values import port_range

Jail = t.Mapping[str, t.Any]
Entry = t.Mapping[str, t.Any]
Rules = list[dict[str, t.Any]]

# The tables of pf that pf_rules gives, and the one that the host's administrators fill.
JAILS, HOST, PUBLIC, BARRED, BLOCKED = "jails", "host", "public", "barred", "blocked"
TABLES = frozenset({JAILS, HOST, PUBLIC, BARRED, BLOCKED})
# The group of all loopback interfaces: traffic between jails passes lo1, traffic to addresses of the host lo0.
LOOPBACK = "lo"
# Where a jail's packets to a public address of its own host pass.
HAIRPIN = "lo0"
LOCALHOST = ("127.0.0.1", "::1")
SMTP = 25
# A jail that is suspended has no network, one that is absent nothing at all.
_CONNECTED = frozenset({"running", "stopped"})
_FAMILIES = (("inet", "address"), ("inet6", "address6"))


def pf_rules(jails: t.Iterable[Jail], host: t.Mapping[str, t.Any], base: int = 10000) -> dict[str, t.Any]:
    """Return the options of the module pf_anchor, the rules in the order that pf.conf(5) demands.

    `host` is the variable vps_host, `base` as in shaping.pipes().
    """
    outside = (host["interface"], *host["interfaces"])
    known = [_Jail(jail, outside, base) for jail in jails if jail["state"] in _CONNECTED]
    neighbours = {jail.name: jail.record for jail in known}
    bridge = _Bridge(host["bridge"], host["gateways"], known)
    result = [
        *_of_each(known, _Jail.translation),
        *_of_each(known, _Jail.redirections),
        *_of_each(known, _Jail.hairpins),
        *bridge.translation(),
        *_host_wide(_blocked(outside)),
        *bridge.filters(neighbours, host["services"]),
        *_of_each(known, lambda jail: jail.local(neighbours)),
        *_host_wide(_loopback(host["services"], hairpins=any(jail.hairpins() for jail in known))),
        *_of_each(known, lambda jail: jail.outward(neighbours)),
        *_host_wide(_rest(outside)),
    ]
    tables = {
        JAILS: list(host["netblocks"]),
        BARRED: list(host["blocked"]),
        HOST: sorted({*host["addresses"], *host["own_addresses"], *LOCALHOST}),
        PUBLIC: sorted({address for jail in known for address in jail.public()}),
    }
    return {
        "rules": result,
        "tables": tables,
        "kept_tables": [BLOCKED],
        "unskipped": [LOOPBACK, HAIRPIN, host["jail_interface"], *outside, *bridge.interfaces],
    }


def _host_wide(texts: t.Iterable[str]) -> Rules:
    return [{"rule": text} for text in texts]


def _of_each(jails: t.Iterable[_Jail], texts: t.Callable[[_Jail], t.Iterable[str]]) -> Rules:
    return [{"rule": text, "jail": jail.name} for jail in jails for text in texts(jail)]


def _blocked(outside: t.Iterable[str]) -> t.Iterator[str]:
    """Yield the rules against those who are blocked, and against packets that pretend to come from a jail."""
    for interface in outside:
        for table in (BARRED, BLOCKED):
            yield f"block drop quick on {interface} from <{table}> to any"
            yield f"block drop quick on {interface} from any to <{table}>"
        yield f"block drop in quick on {interface} from <{JAILS}> to any"


def _loopback(services: t.Iterable[Entry], *, hairpins: bool) -> t.Iterator[str]:
    """Yield the rules by which jails meet neither each other nor the host.

    What goes to a published port passes outwards here and is redirected when it comes in again: there it is decided.
    """
    end = 'keep state label "local"'
    if hairpins:
        yield f"pass out quick on {LOOPBACK} from <{JAILS}> to <{PUBLIC}> {end}"
    for each in services:
        yield f"pass quick on {LOOPBACK} proto {each['protocol']} from <{JAILS}> to <{HOST}> port {each['port']} {end}"
    yield f"pass quick on {LOOPBACK} from <{HOST}> to <{JAILS}> {end}"
    # The netblocks, not the jails: one that is being removed, or that somebody else made there, is in them too.
    yield f"block drop quick on {LOOPBACK} from <{JAILS}> to any"
    yield f"block drop quick on {LOOPBACK} from any to <{JAILS}>"


def _rest(outside: t.Iterable[str]) -> t.Iterator[str]:
    """Yield the rules against what no jail's rule lets pass: nothing comes in, nothing leaves untranslated."""
    for interface in outside:
        yield f"block drop quick on {interface} from any to <{JAILS}>"
        yield f"block drop quick on {interface} from <{JAILS}> to any"


def _of_family(networks: t.Iterable[str], family: str) -> list[str]:
    return [network for network in networks if (":" in network) == (family == "inet6")]


def _list(words: t.Sequence[str]) -> str:
    return words[0] if len(words) == 1 else "{ " + ", ".join(words) + " }"


def _span(ports: range) -> str:
    return f"{ports[0]}:{ports[-1]}" if len(ports) > 1 else str(ports[0])


def _tag(jail: Jail) -> str:
    return f"jail_{jail['name']}"


def _service(entry: Entry) -> tuple[str, str]:
    """Return the protocol and the port of an entry of allow_from as words of a rule; '' for all of them."""
    protocol = entry.get("protocol") or ("tcp" if "port" in entry else None)
    port = f" port {_span(port_range(entry['port']))}" if "port" in entry else ""
    return f" proto {protocol}" if protocol else "", port


@dataclass(frozen=True)
class _Jail:
    """One jail and its rules; `outside` are the host's outside interfaces.

    Its labels: `jail:NAME` on what passes the outside interfaces, which is what traffic is counted by; `local:NAME` on
    what stays on the host; `smtp:NAME` on mail that it must not send.
    """

    record: Jail
    outside: tuple[str, ...]
    base: int

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.record["name"])

    @property
    def tag(self) -> str:
        """The tag by which filter rules know its packets."""
        return _tag(self.record)

    @property
    def bridged(self) -> bool:
        """Whether it has a network stack of its own, behind the host's bridge."""
        return bool(self.record["network"] == vnet.VNET)

    def public(self) -> list[str]:
        """Return the public addresses at which something leads to it."""
        own = [self.record["public"]] if self.record["publish_all"] else []
        return [*own, *(entry["address"] for entry in self.record["publish"])]

    # Translation --------------------------------------------------------------------------------------------------

    def translation(self) -> t.Iterator[str]:
        """Yield the rules that give its packets a public source."""
        address, public = self.record["address"], self.record["nat"]
        kind = "nat"
        if self.record["publish_all"]:
            # A public address of its own in both directions.
            kind, public = "binat", self.record["public"]
        for interface in self.outside:
            yield f"{kind} on {interface} inet from {address} to any tag {self.tag} -> {public}"

    def redirections(self) -> t.Iterator[str]:
        """Yield the rules that lead its published ports to it."""
        for entry in self.record["publish"]:
            sources = _of_family(entry["from"], "inet")
            if sources or not entry["from"]:
                for interface in self.outside:
                    yield self._redirection(entry, interface, _list(sources or ["any"]))

    def hairpins(self, interface: str = HAIRPIN) -> list[str]:
        """Return the rules that do the same for the jails of its host, whose packets pass no outside interface.

        A port with restricted sources has none: the sources are public, and these are private.
        """
        rules = [
            self._redirection(entry, interface, f"<{JAILS}>") for entry in self.record["publish"] if not entry["from"]
        ]
        if self.record["publish_all"]:
            whole = f"rdr on {interface} inet from <{JAILS}> to {self.record['public']} tag {self.tag}"
            rules.append(f"{whole} -> {self.record['address']}")
        return rules

    def _redirection(self, entry: Entry, interface: str, sources: str) -> str:
        ports = port_range(entry["port"])
        target = f"{entry['to']}:*" if len(ports) > 1 else entry["to"]
        return (
            f"rdr on {interface} inet proto {entry['protocol']} from {sources} to {entry['address']}"
            f" port {_span(ports)} tag {self.tag} -> {self.record['address']} port {target}"
        )

    # Filter -------------------------------------------------------------------------------------------------------

    def local(self, neighbours: t.Mapping[str, Jail]) -> t.Iterator[str]:
        """Yield what passes on the loopback: from the jail to itself, what its record allows, what is published."""
        end = f'keep state label "local:{self.name}"'
        for family, key in _FAMILIES:
            if self.record[key] and not self.bridged:
                yield f"pass quick on {LOOPBACK} {family} from {self.record[key]} to {self.record[key]} {end}"
        yield from self.near(LOOPBACK, end, neighbours)

    def near(self, interface: str, end: str, neighbours: t.Mapping[str, Jail]) -> t.Iterator[str]:
        """Yield what other jails of its host may reach of it by an interface: what its record allows, or publishes."""
        for family, key in _FAMILIES:
            for entry in self.record["allow_from"] if self.record[key] else ():
                protocol, port = _service(entry)
                target = f"{self.record[key]}{port}"
                for source in self._sources(entry, family, neighbours):
                    yield f"pass quick on {interface} {family}{protocol} from {source} to {target} {end}"
        if self.hairpins():
            yield f"pass in quick on {interface} inet tagged {self.tag} {end}"
        yield from self._published6(f"pass quick on {interface}", f"<{JAILS}>", end)

    def arriving6(self, interface: str, end: str) -> t.Iterator[str]:
        """Yield what goes on to it by an interface of what came in from outside, over IPv6: it has no tag."""
        yield from self._published6(f"pass out quick on {interface}", "any", end)

    def _sources(self, entry: Entry, family: str, neighbours: t.Mapping[str, Jail]) -> list[str]:
        """Return whom an entry of allow_from means, by the family; nobody if it is a jail that has no network."""
        if "network" in entry:
            return _of_family([entry["network"]], family)
        address = neighbours.get(entry["jail"], {}).get(dict(_FAMILIES)[family])
        return [address] if address else []

    def outward(self, neighbours: t.Mapping[str, Jail]) -> t.Iterator[str]:
        """Yield what passes on the outside interfaces, is counted there and shaped."""
        carrier = flow(self.record, self.base)
        label = f'label "jail:{self.name}"'
        out = f"keep state{self._limits(opened=True)} {label} {carrier.option('out')}"
        into = f"keep state{self._limits(opened=False)} {label} {carrier.option('in')}"
        address6 = self.record["address6"]
        for interface in self.outside:
            if not self.record["outgoing"]["smtp"]:
                yield from self._no_mail(interface)
            yield f"pass out quick on {interface} inet tagged {self.tag} {out}"
            yield f"pass in quick on {interface} inet tagged {self.tag} {into}"
            if address6:
                yield f"pass out quick on {interface} inet6 from {address6} to any {out}"
                yield from self._published6(f"pass in quick on {interface}", "any", into)
            for family, key in _FAMILIES:
                for entry in self.record["allow_from"] if self.record[key] else ():
                    protocol, port = _service(entry)
                    for source in self._sources(entry, family, {}) if "network" in entry else ():
                        start = f"pass in quick on {interface} {family}{protocol}"
                        yield f"{start} from {source} to {self.record[key]}{port} {into}"

    def _no_mail(self, interface: str) -> t.Iterator[str]:
        end = f'port {SMTP} tagged {self.tag} label "smtp:{self.name}"'
        yield f"block return out quick on {interface} inet proto tcp from any to any {end}"
        if self.record["address6"]:
            end = f'port {SMTP} label "smtp:{self.name}"'
            yield f"block return out quick on {interface} inet6 proto tcp from {self.record['address6']} to any {end}"

    def _published6(self, start: str, anyone: str, end: str) -> t.Iterator[str]:
        """Yield the rules for what is published over IPv6, where the jail's own address is public."""
        address = self.record["address6"]
        if not address:
            return
        for entry in self.record["publish"]:
            sources = _of_family(entry["from"], "inet6")
            # From the host's other jails as from anywhere.
            if entry["from"] and (not sources or anyone != "any"):
                continue
            first, ports = entry["to"], port_range(entry["port"])
            port = _span(range(first, first + len(ports)))
            come = f"inet6 proto {entry['protocol']} from {_list(sources or [anyone])}"
            yield f"{start} {come} to {address} port {port} {end}"
        if self.record["publish_all"]:
            yield f"{start} inet6 from {anyone} to {address} {end}"

    def _limits(self, *, opened: bool) -> str:
        """Return the options of a rule's states; the rate is that of connections which the jail opens."""
        states, rate = self.record["connections"]["states"], self.record["connections"]["rate"]
        options = [f"max {states}"] if states else []
        if opened and rate:
            # By rule, for all jails have one source here: the public address.
            options += ["source-track rule", f"max-src-conn-rate {rate}"]
        return f" ({', '.join(options)})" if options else ""


@dataclass(frozen=True)
class _Bridge:
    """The bridge `name` of the jails that have network stacks of their own, among all that are `known`.

    The host's addresses on it are `gateways`. Without such jails there are no rules for it.
    """

    name: str
    gateways: t.Sequence[str]
    known: t.Sequence[_Jail]

    @property
    def jails(self) -> list[Jail]:
        """The records of the jails behind it."""
        return [jail.record for jail in self.known if jail.bridged]

    @property
    def interfaces(self) -> list[str]:
        """The interfaces on which pf must see its packets."""
        return [self.name, vnet.GROUP] if self.jails else []

    def translation(self) -> t.Iterator[dict[str, t.Any]]:
        """Yield the rules by which the jails behind it reach what jails of this host publish."""
        if self.jails:
            published = [jail.record for jail in self.known if jail.bridged and jail.hairpins()]
            yield from vnet.reflections(published, self.name, self.gateways, _tag)
            yield from _of_each(self.known, lambda jail: jail.hairpins(self.name))

    def filters(self, neighbours: t.Mapping[str, Jail], services: t.Iterable[Entry]) -> t.Iterator[dict[str, t.Any]]:
        """Yield the rules of the links and of the bridge."""
        if not self.jails:
            return
        yield from vnet.links(self.jails, self.name)
        yield from _of_each(self.known, lambda jail: jail.near(self.name, vnet.STATE, neighbours))
        behind = [jail for jail in self.known if jail.bridged]
        yield from _of_each(behind, lambda jail: jail.arriving6(self.name, vnet.STATE))
        for each in services:
            to_host = f"proto {each['protocol']} from <{JAILS}> to <{HOST}> port {each['port']}"
            yield {"rule": f"pass in quick on {self.name} {to_host} {vnet.STATE}"}
        yield from vnet.filters(self.jails, self.name, self.gateways, _tag)
