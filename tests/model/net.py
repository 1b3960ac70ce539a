# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's network interfaces, addresses and routes: of the host and of each jail that has a stack of its own.

State: ``kernel["net"]`` with ``interfaces`` (a list; ``stack`` is the name of the jail that has it, None on the host)
and ``routes`` (those that were added; the others follow from the addresses).
"""

from __future__ import annotations

import ipaddress
import time
import typing as t
import zlib

from model import prison

if t.TYPE_CHECKING:
    from model.host import State

CLONED = ("lo", "bridge", "epair", "vlan", "pflog", "tap", "tun", "gif")
MEMBER_FLAGS = ("AUTOEDGE", "AUTOPTP", "DISCOVER", "LEARNING")
ETHERNET = frozenset({"ether", "bridge", "epair", "vlan", "tap"})
EPAIR_ENDS = ("a", "b")
# A backup takes over when it has missed the master this many times.
CARP_MISSED = 3
# What the kernel adds to an error that it explains further.
EXISTS = "(errno 17 category 7 (src sys/net/if_bridge.c:1389) p1 0 p2 0)"
FIRST_MAC = "52:54:00:00:00:01"


class NetError(Exception):
    """The kernel refuses; the text is strerror(3)'s, or a whole message."""


def _table(kernel: State) -> State:
    return t.cast("State", kernel.setdefault("net", {"interfaces": [], "routes": []}))


def start(kernel: State, interface: str) -> None:
    """Find the machine's own network card and make lo0, as the kernel does before rc(8)."""
    kernel.pop("net", None)
    _add(kernel, interface, "ether", mac=FIRST_MAC)
    _add(kernel, "lo0", "lo")


# Interfaces -----------------------------------------------------------------------------------------------------------


def stack_of(kernel: State, jail: str | None) -> str | None:
    """Return whose network stack a process in that jail uses: the jail's name, or None for the host's."""
    found = None if jail is None else prison.find(kernel, jail)
    if found is None:
        return None
    return str(found["name"]) if prison.value(kernel, found, "vnet") == "new" else None


def interfaces(kernel: State, stack: str | None = None) -> list[State]:
    """Return the interfaces of a stack in the kernel's order; a stack always has its lo0."""
    found = [each for each in _table(kernel)["interfaces"] if each["stack"] == stack]
    if not found and stack is not None:
        found = [_add(kernel, "lo0", "lo", stack=stack)]
    return found


def find(kernel: State, name: str, stack: str | None = None) -> State | None:
    """Return the interface of that name, None if the stack has none such."""
    return next((each for each in interfaces(kernel, stack) if each["name"] == name), None)


def kind_of(name: str) -> str:
    """Return the kind of a cloned interface by its name (``lo1`` -> ``lo``), '' if there is none such."""
    kind = name.rstrip("0123456789")
    if kind.startswith("epair") and kind[5:] in ("", *EPAIR_ENDS):
        kind = "epair"
    return kind if kind in CLONED else ""


def create(kernel: State, name: str, stack: str | None = None) -> str:
    """Make a cloned interface and return its name (``lo`` takes the next free number); raises NetError."""
    kind = kind_of(name)
    if not kind:
        raise NetError("Invalid argument")
    if name == kind:
        name = next(f"{kind}{number}" for number in range(1 << 15) if not _taken(kernel, f"{kind}{number}", stack))
    if _taken(kernel, name, stack):
        raise NetError("File exists")
    if kind != "epair":
        _add(kernel, name, kind, stack=stack)
        return name
    first, second = (name + end for end in EPAIR_ENDS)
    _add(kernel, first, kind, stack=stack, peer=second)
    _add(kernel, second, kind, stack=stack, peer=first)
    return first


def _taken(kernel: State, name: str, stack: str | None) -> bool:
    names = {name, *(name + end for end in EPAIR_ENDS)} if kind_of(name) == "epair" else {name}
    return any(
        not names.isdisjoint({each["name"], each["made"]}) and (each["stack"] == stack or each["kind"] == "epair")
        for each in _table(kernel)["interfaces"]
    )


def _add(kernel: State, name: str, kind: str, *, stack: str | None = None, **more: str) -> State:
    table = _table(kernel)["interfaces"]
    used = {each["index"] for each in table}
    code = zlib.crc32(f"{kernel.get('hostname')} {name}".encode())
    interface: State = {
        "name": name,
        "kind": kind,
        "stack": stack,
        "home": stack,
        "index": next(number for number in range(1, 1 << 16) if number not in used),
        "mac": f"58:9c:fc:10:{code >> 8 & 255:02x}:{code & 255:02x}",
        "peer": "",
        "up": False,
        "inet": [],
        "inet6": [],
        "members": [],
        "member_flags": {},
        "made": name,
        "carp": {},
        "mtu": {"lo": 16384, "pflog": 33152}.get(kind, 1500),
        "descr": "",
        "groups": [] if kind == "ether" else [kind],
        "promiscuous": 0,
        **more,
    }
    table.append(interface)
    return interface


def destroy(kernel: State, interface: State) -> None:
    """Remove a cloned interface (both ends of an epair); raises NetError."""
    if interface["kind"] == "ether" or interface["name"] == "lo0":
        raise NetError("Invalid argument")
    for name in {interface["name"], interface["peer"]} - {""}:
        for each in [each for each in _table(kernel)["interfaces"] if each["name"] == name]:
            _forget(kernel, each)


def _forget(kernel: State, interface: State) -> None:
    table = _table(kernel)
    table["interfaces"].remove(interface)
    _leave(kernel, interface)


def _leave(kernel: State, interface: State) -> None:
    """Undo what others know of an interface that goes away or moves."""
    table = _table(kernel)
    for member in list(interface["members"]):
        delete_member(kernel, interface, member)
    for bridge in interfaces(kernel, interface["stack"]):
        if interface["name"] in bridge["members"]:
            delete_member(kernel, bridge, interface["name"])
    table["routes"] = [
        route
        for route in table["routes"]
        if (route["interface"], route["stack"]) != (interface["name"], interface["stack"])
    ]


def set_up(interface: State, up: bool) -> None:
    """Mark an interface up or down; a loopback that comes up gets its link-local address."""
    interface["up"] = up
    if up and interface["kind"] == "lo" and not interface["inet6"]:
        if interface["name"] == "lo0" and interface["stack"] is None:
            interface["inet6"].append(["::1", 128])
        interface["inet6"].append([f"fe80::1%{interface['name']}", 64])


def add_member(kernel: State, bridge: State, name: str) -> None:
    """Put an interface on a bridge (BRDGADD); raises NetError."""
    if bridge["kind"] != "bridge":
        raise NetError("Invalid argument")
    member = find(kernel, name, bridge["stack"])
    if member is None:
        raise NetError("No such file or directory")
    if any(name in each["members"] for each in interfaces(kernel, bridge["stack"])):
        busy = name not in bridge["members"]
        raise NetError("Device busy" if busy else f"File exists {EXISTS}")
    if member["kind"] not in ETHERNET or member["inet"]:
        raise NetError("Invalid argument")
    bridge["members"].append(name)
    bridge["member_flags"][name] = list(MEMBER_FLAGS)
    member["promiscuous"] += 1


def delete_member(kernel: State, bridge: State, name: str) -> None:
    """Take an interface off a bridge (BRDGDEL); raises NetError."""
    if name not in bridge["members"]:
        raise NetError("No such file or directory")
    bridge["members"].remove(name)
    del bridge["member_flags"][name]
    member = find(kernel, name, bridge["stack"])
    if member is not None:
        member["promiscuous"] -= 1


def flag_member(bridge: State, name: str, flag: str, *, on: bool) -> None:
    """Set or clear a flag of a bridge's member (BRDGSIFFLGS); raises NetError."""
    if name not in bridge["members"]:
        raise NetError("No such file or directory")
    flags = set(bridge["member_flags"][name]) - {flag} | ({flag} if on else set())
    bridge["member_flags"][name] = sorted(flags)


def rename(kernel: State, interface: State, name: str) -> None:
    """Give an interface another name (SIOCSIFNAME); raises NetError."""
    if find(kernel, name, interface["stack"]) is not None:
        raise NetError("File exists")
    for each in _table(kernel)["interfaces"]:
        if each["peer"] == interface["name"]:
            each["peer"] = name
    bridge = bridge_of(kernel, interface["name"], interface["stack"])
    if bridge is not None:
        bridge["members"][bridge["members"].index(interface["name"])] = name
        bridge["member_flags"][name] = bridge["member_flags"].pop(interface["name"])
    interface["name"] = name


def bridge_of(kernel: State, name: str, stack: str | None = None) -> State | None:
    """Return the bridge that an interface is a member of."""
    return next((each for each in interfaces(kernel, stack) if name in each["members"]), None)


# Jails with a stack of their own --------------------------------------------------------------------------------------


def move(kernel: State, name: str, jail: str | None, source: str | None = None) -> None:
    """Move an interface from one stack to another (vnet.interface); it loses its addresses; raises NetError."""
    interface = find(kernel, name, source)
    if interface is None:
        raise NetError(f"interface {name} does not exist")
    if find(kernel, name, jail) is not None:
        raise NetError("File exists")
    _leave(kernel, interface)
    table = _table(kernel)["interfaces"]
    table.remove(interface)
    table.append(interface)
    interface.update(stack=jail, up=False, inet=[], inet6=[], carp={})


def jail_gone(kernel: State, jail: str) -> None:
    """Give the interfaces of a jail that ends back to where they came from; its own ones are gone."""
    for interface in [each for each in _table(kernel)["interfaces"] if each["stack"] == jail]:
        if interface["home"] == jail:
            _forget(kernel, interface)
        else:
            move(kernel, interface["name"], interface["home"], source=jail)


# Addresses ------------------------------------------------------------------------------------------------------------


def addresses(kernel: State, stack: str | None = None) -> list[tuple[str, str, int]]:
    """Return (interface, address, prefix length) of all addresses in a stack."""
    return [
        (interface["name"], entry[0].partition("%")[0], entry[1])
        for interface in interfaces(kernel, stack)
        for entry in [*interface["inet"], *interface["inet6"]]
    ]


def groups(kernel: State, interface: str) -> list[str]:
    """Return the groups that the host's interface is in."""
    found = find(kernel, interface)
    return ["all", *found["groups"]] if found else []


def add_address(kernel: State, interface: State, family: str, entry: tuple[str, int, int]) -> None:
    """Add an address, or change what it has (address, prefix length, vhid or 0); the interface comes up.

    Raises NetError.
    """
    if any(interface["name"] in each["members"] for each in interfaces(kernel, interface["stack"])):
        raise NetError("Invalid argument")
    entries = interface[family]
    found = next((each for each in entries if each[0] == entry[0]), None)
    if found is None:
        entries.append(list(entry))
    else:
        found[:] = entry
    set_up(interface, True)


def remove_address(interface: State, family: str, address: str) -> None:
    """Remove an address (SIOCDIFADDR), and the virtual host that has no other; raises NetError."""
    found = next((entry for entry in interface[family] if entry[0] == address), None)
    if found is None:
        raise NetError("Can't assign requested address")
    interface[family].remove(found)
    left = {str(entry[2]) for entry in [*interface["inet"], *interface["inet6"]] if entry[2:]}
    for vhid in [vhid for vhid in interface["carp"] if vhid not in left]:
        del interface["carp"][vhid]


def interface_towards(kernel: State, address: str, stack: str | None = None) -> str | None:
    """Return the interface whose network the address lies in, None if none's."""
    wanted = ipaddress.ip_address(address)
    best: tuple[int, str] | None = None
    for name, own, prefix in addresses(kernel, stack):
        network = ipaddress.ip_network(f"{own}/{prefix}", strict=False)
        if wanted in network and (best is None or prefix > best[0]):
            best = (prefix, name)
    return best[1] if best else None


# CARP -----------------------------------------------------------------------------------------------------------------


def set_carp(interface: State, vhid: int, settings: t.Mapping[str, t.Any]) -> None:
    """Make or change a virtual host of an interface: advbase, advskew, pass, state."""
    fresh = {"advbase": 1, "advskew": 0, "pass": "", "state": "BACKUP", "since": time.time()}
    carp = interface["carp"].setdefault(str(vhid), fresh)
    carp.update(settings)
    if "state" in settings:
        carp["since"] = time.time()


def carp_state(carp: t.Mapping[str, t.Any]) -> str:
    """Return MASTER or BACKUP: nobody else answers, so a backup becomes master when it has waited long enough."""
    # carp_setrun() in sys/netinet/ip_carp.c.
    wait = CARP_MISSED * carp["advbase"] + carp["advskew"] / 256
    alone = time.time() - carp["since"] > wait
    return "MASTER" if carp["state"] == "MASTER" or alone else "BACKUP"


# Routes ---------------------------------------------------------------------------------------------------------------


class Way(t.NamedTuple):
    """Where a packet goes next: the interface it leaves by, and whose address there is asked for."""

    interface: str
    hop: str


def family_of(address: str) -> str:
    """Return the family of an address or network."""
    return "inet6" if ":" in address else "inet"


def way_to(kernel: State, address: str, stack: str | None = None) -> Way | None:
    """Return the way to an address: the most specific of the networks of a stack's interfaces and its routes."""
    wanted = ipaddress.ip_address(address)
    found = [
        (ipaddress.ip_network(f"{own}/{prefix}", strict=False).prefixlen, 0, Way(name, address))
        for name, own, prefix in addresses(kernel, stack)
        if wanted in ipaddress.ip_network(f"{own}/{prefix}", strict=False)
    ]
    for route in routes(kernel, stack):
        if route["family"] == family_of(address) and _reaches(route["destination"], wanted):
            way = Way(str(route["interface"]), str(route["gateway"] or address))
            found.append((_length(route["destination"]), 1, way))
    return max(found)[2] if found else None


def _reaches(destination: str, wanted: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return destination == "default" or wanted in ipaddress.ip_network(destination)


def _length(destination: str) -> int:
    return -1 if destination == "default" else ipaddress.ip_network(destination).prefixlen


def routes(kernel: State, stack: str | None = None) -> list[State]:
    """Return the routes of a stack that were added (not those that follow from addresses)."""
    return [route for route in _table(kernel)["routes"] if route["stack"] == stack]


def add_route(kernel: State, destination: str, gateway: str, stack: str | None = None, *, family: str = "inet") -> None:
    """Add a route by a gateway; ``destination`` is ``default`` or a network; raises NetError."""
    way = way_to(kernel, gateway, stack)
    if way is None:
        raise NetError("Network is unreachable")
    _add_route(kernel, destination, Way(way.interface, gateway), stack, family)


def add_direct_route(
    kernel: State, destination: str, interface: str, stack: str | None = None, *, family: str = "inet"
) -> None:
    """Add a route whose destination is found on an interface itself (``-interface``); raises NetError."""
    if find(kernel, interface, stack) is None:
        raise NetError("Invalid argument")
    _add_route(kernel, destination, Way(interface, ""), stack, family)


def _add_route(kernel: State, destination: str, way: Way, stack: str | None, family: str) -> None:
    if _route(kernel, destination, stack, family) is not None:
        raise NetError("File exists")
    route = {"destination": destination, "gateway": way.hop, "interface": way.interface, "stack": stack}
    _table(kernel)["routes"].append(route | {"family": family})


def _route(kernel: State, destination: str, stack: str | None, family: str) -> State | None:
    wanted = (destination, family)
    return next((each for each in routes(kernel, stack) if (each["destination"], each["family"]) == wanted), None)


def delete_route(kernel: State, destination: str, stack: str | None = None, *, family: str = "inet") -> str:
    """Remove a route and return its gateway; raises NetError."""
    found = _route(kernel, destination, stack, family)
    if found is None:
        raise NetError("No such process")
    _table(kernel)["routes"].remove(found)
    return str(found["gateway"])
