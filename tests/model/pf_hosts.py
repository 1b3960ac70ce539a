# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of pf rules and tables: how pfctl(8) reads them, and whether a packet's address is one of them.

In a rule an address is the text that pfctl prints: ``any``, ``10.0.0.0/8``, ``10.0.0.1 - 10.0.0.9``, ``<table>``,
``(vtnet0:0)``, ``no-route``.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

if t.TYPE_CHECKING:
    from model.host import Host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

INET, INET6 = "inet", "inet6"
BITS = {INET: 32, INET6: 128}
MODIFIERS = ("network", "broadcast", "peer", "0")


class Node(t.NamedTuple):
    """One address as read: its canonical text, its family ('' if it has none), whether it is negated."""

    text: str = "any"
    family: str = ""
    negated: bool = False
    # A mask too long for the family is noticed only when the rule is expanded.
    bits: int = -1


class BadHost(Exception):
    """pfctl cannot make an address of it; the text goes to standard error as it is."""


class Interfaces(t.Protocol):
    """What the addresses of rules need to know of the machine's interfaces."""

    def addresses(self, name: str) -> list[str]:
        """Return the addresses with prefix lengths of that interface or of all in that group; [] if there is none."""


def node(address: Address, bits: int | None = None) -> Node:
    """Return an address with the bits behind its mask cleared."""
    family = INET if address.version == 4 else INET6
    length = BITS[family] if bits is None else bits
    if length > BITS[family]:
        return Node(f"{address}/{length}", family, bits=length)
    if length == BITS[family]:
        return Node(str(address), family)
    kind = ipaddress.IPv4Address if family == INET else ipaddress.IPv6Address
    mask = (1 << BITS[family]) - (1 << (BITS[family] - length))
    return Node(f"{kind(int(address) & mask)}/{length}", family)


def read_address(text: str) -> Address | None:
    """Read a numeric address; None if it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def read_host(text: str, interfaces: Interfaces, host: Host) -> list[Node]:
    """Do what pfctl does with a word that should be an address: number, interface name, or host name."""
    name, slash, mask = text.rpartition("/")
    if not slash:
        name, bits = text, None
    else:
        bits = int(mask) if mask.isdigit() else 129
        if bits > 128:
            raise BadHost(f"invalid netmask '/{mask}'")
        short = _short_network(name, bits)
        if short is not None:
            return [short]
    address = read_address(name)
    if address is not None:
        return [node(address, bits)]
    found = _of_interface(name, bits, interfaces) or [node(each, bits) for each in _resolve(name, host)]
    if not found:
        raise BadHost(f"no IP address found for {text}")
    return found


def _short_network(name: str, bits: int) -> Node | None:
    """Read ``10/8`` or ``192.168/16``."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}", name) or bits > 32:
        return None
    address = read_address(name + ".0" * (3 - name.count(".")))
    return node(address, bits) if address is not None else None


def _of_interface(name: str, bits: int | None, interfaces: Interfaces) -> list[Node]:
    name, *modifiers = name.split(":")
    if any(modifier not in MODIFIERS for modifier in modifiers):
        return []
    nodes: list[Node] = []
    seen: set[int] = set()
    for text in interfaces.addresses(name):
        each = ipaddress.ip_interface(text)
        if "0" in modifiers and (each.version in seen or each.is_link_local):
            continue
        seen.add(each.version)
        nodes.append(_modified(each, modifiers, bits))
    return nodes


def _modified(each: ipaddress.IPv4Interface | ipaddress.IPv6Interface, modifiers: list[str], bits: int | None) -> Node:
    if "network" in modifiers:
        return node(each.ip, each.network.prefixlen)
    if "broadcast" in modifiers:
        return node(each.network.broadcast_address)
    return node(each.ip, bits)


def _resolve(name: str, host: Host) -> list[Address]:
    """Look the name up in the host's /etc/hosts; the model has no name server."""
    path = host.path("/etc/hosts")
    found: list[Address] = []
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        words = line.partition("#")[0].split()
        address = read_address(words[0]) if name in words[1:] else None
        if address is not None:
            found.append(address)
    return found


# Matching -------------------------------------------------------------------------------------------------------------


def within(address: Address, text: str) -> bool:
    """Say whether the address is that address or lies in that network or range."""
    first, dash, last = text.partition(" - ")
    if dash:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return low.version == address.version and int(low) <= int(address) <= int(high)
    if "/" not in text:
        return str(address) == text
    return address in ipaddress.ip_network(text, strict=False)


def table_key(text: str) -> tuple[int, int, int]:
    """Return the place of a table's entry (without ``!``) in its radix tree, as listings have it."""
    network = ipaddress.ip_network(text.lstrip("!"), strict=False)
    return network.version, int(network.network_address), network.prefixlen


def table_holds(address: Address, entries: t.Iterable[str]) -> bool:
    """Say whether the most specific entry that covers the address is there and not negated."""
    best, result = -1, False
    for entry in entries:
        network = ipaddress.ip_network(entry.lstrip("!"), strict=False)
        if network.prefixlen > best and address in network:
            best, result = network.prefixlen, not entry.startswith("!")
    return result


def dynamic(text: str, interfaces: Interfaces) -> list[str]:
    """Return the addresses that ``(vtnet0:0)`` or ``(vtnet0:network)/24`` stands for now."""
    inside, _unused, mask = text[1:].partition(")")
    bits = int(mask[1:]) if mask.startswith("/") else None
    return [each.text for each in _of_interface(inside, bits, interfaces)]


def matches(address: Address, text: str, tables: t.Callable[[str], t.Iterable[str]], interfaces: Interfaces) -> bool:
    """Say whether an address of a rule covers a packet's address."""
    if text == "any":
        return True
    if text.startswith("<"):
        return table_holds(address, tables(text[1:-1]))
    if text.startswith("("):
        return any(within(address, each) for each in dynamic(text, interfaces))
    return text not in ("no-route", "urpf-failed") and within(address, text)
