# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Where a new jail goes: the host and neighbourhood with the greatest room, and the lowest free id, address, ports."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, format_size

from .capacity import RESOURCES, Room, amounts, neighbourhood_usage, usage
from .model import ID_MAX
from .values import port_range
from .vnet import bridged_hosts, gateway_of

if t.TYPE_CHECKING:
    import ipaddress

    from .check import Checked, Values

SSH = 22
_SHOWN = {"memory": format_size, "disk": format_size, "up": format_rate, "down": format_rate}

# By host, ansible_host and ansible_port, by which Ansible reaches it, where it has them.
Ways = t.Mapping[str, t.Mapping[str, t.Any]]
Port = tuple[str, int]


@dataclass(frozen=True)
class Wanted:
    """A jail that has no place yet: its `plan` as checked, and the `publish` entries that it brings along."""

    name: str
    plan: Values
    publish: list[Values]


@dataclass(frozen=True)
class Offer:
    """What a host offers to a jail: the first of its ports, its address, and the room that would remain (percent).

    `neighbourhood` is the one that its root goes to, None on a host that has none.
    `lacks` says in words what the host does not have; then nothing else counts.
    """

    host: str
    room: int
    address: str
    port: int
    neighbourhood: str | None = None
    lacks: list[str] = field(default_factory=list)


def free_id(checked: Checked) -> int | None:
    """Return the lowest id that no jail of the fleet has, absent ones included; None if there is none."""
    taken = {jail["id"] for jail in checked.jails.values()}
    return next((number for number in range(1, ID_MAX + 1) if number not in taken), None)


def free_address(network: ipaddress.IPv4Network, taken: t.Collection[str]) -> str | None:
    """Return the lowest address of a network that is not taken, nor its first or last; None if there is none."""
    return next((str(address) for address in network.hosts() if str(address) not in taken), None)


def free_ports(span: tuple[int, int], count: int, taken: t.Collection[int]) -> int | None:
    """Return the first of so many consecutive free ports, the lowest there are; None if there are none."""
    first, last = span
    begin = first
    for port in range(first, last + 1):
        if port in taken:
            begin = port + 1
        elif port - begin + 1 == count:
            return begin
    return None


def _ports_of(entry: Values) -> list[Port]:
    """Return the ports that an entry of publish takes."""
    return [(entry["protocol"], port) for port in port_range(entry["port"])]


class Market:
    """What the hosts of a fleet have to give: `checked` is the whole fleet, without errors."""

    def __init__(self, checked: Checked, ways: Ways) -> None:
        self.checked = checked
        self.ways = ways
        self.rooms = usage(checked)
        self.shares = neighbourhood_usage(checked)
        self.addresses = self._addresses()
        self.ports = self._ports()

    def _addresses(self) -> set[str]:
        """Return all addresses that somebody has: jails, absent ones included, hosts, and the gateways of bridges."""
        hosts = (address for host in self.checked.hosts.values() for address in host["vps_addresses"])
        reached = (str(each.get("ansible_host")) for each in self.ways.values())
        bridges = (self.checked.hosts[name] for name in bridged_hosts(self.checked.jails.values()))
        gateways = (gateway_of(host["vps_netblock"]) for host in bridges)
        return {*(jail["address"] for jail in self.checked.jails.values()), *hosts, *reached, *gateways}

    def _ports(self) -> dict[str, set[Port]]:
        """Return the taken ports of each public address; the one by which its host is reached is among them."""
        ports: dict[str, set[Port]] = {}
        for name, host in self.checked.hosts.items():
            ssh = int(self.ways.get(name, {}).get("ansible_port") or SSH)
            ports.update({address: {("tcp", ssh)} for address in host["vps_addresses"]})
        for jail in self.checked.jails.values():
            first = jail.get("public") or self.checked.hosts[jail["host"]]["vps_addresses"][0]
            for entry in jail["publish"]:
                ports.setdefault(entry.get("address", first), set()).update(_ports_of(entry))
        return ports

    def place(self, wanted: Wanted) -> tuple[Offer | None, list[Offer]]:
        """Return the best offer of the hosts that take orders, None if no host has room; and all offers.

        Which kind of customer it is plays no part: what decides is the room that would remain, then chance.
        """
        offers = [self.offer(name, wanted) for name, host in self.checked.hosts.items() if host["vps_orders"]]
        fitting = [offer for offer in offers if not offer.lacks]
        return min(fitting, key=lambda offer: (-offer.room, _chance(wanted.name, offer.host)), default=None), offers

    def offer(self, name: str, wanted: Wanted) -> Offer:
        """Return what a host offers to a jail."""
        host = self.checked.hosts[name]
        room = self.rooms[name]
        needs = amounts({}, wanted.plan)
        address = free_address(host["vps_netblock"], self.addresses)
        port = self._first_port(host, wanted)
        lacks = [*_short_of(room, needs), *self._missing(host, wanted)]
        if address is None:
            lacks.append(f"a free address in {host['vps_netblock']}")
        if port is None:
            first, last = host["vps_ports"]
            lacks.append(f"{wanted.plan['ports']} free ports in a row from {first} to {last}")
        neighbourhood, left = self._neighbourhood(name, wanted.name)
        if neighbourhood and left < needs["disk"]:
            least = f"{format_size(needs['disk'])} needed, at most {format_size(max(left, 0))} left in {neighbourhood}"
            lacks.append(f"disk in one neighbourhood ({least})")
        return Offer(name, _remaining(room, needs), address or "", port or 0, neighbourhood, lacks)

    def _neighbourhood(self, host: str, jail: str) -> tuple[str | None, int]:
        """Return the neighbourhood of a host with the greatest room, and how much that is; of equal ones any."""
        left = {name: share.left for name, share in self.shares[host].items()}
        best = min(left, key=lambda name: (-left[name], _chance(jail, name)), default=None)
        return best, left[best] if best else 0

    def _first_port(self, host: Values, wanted: Wanted) -> int | None:
        """Return the first of the ports that a plan gives, on the first address of the host."""
        first = host["vps_addresses"][0]
        brought = {port for each in wanted.publish if each.get("address", first) == first for port in _ports_of(each)}
        taken = {port for protocol, port in self.ports[first] | brought if protocol == "tcp"}
        return free_ports(host["vps_ports"], wanted.plan["ports"], taken)

    def _missing(self, host: Values, wanted: Wanted) -> t.Iterator[str]:
        """Yield what the jail needs by name and the host does not have: datasets, a release, addresses, ports."""
        if "reservation" in wanted.plan and host["vps_storage"] != "dataset":
            yield "datasets, which alone hold a reservation"
        release = wanted.plan.get("release")
        if release and release not in host["vps_releases"]:
            yield f"release {release}"
        for entry in wanted.publish:
            address = entry.get("address", host["vps_addresses"][0])
            if address not in host["vps_addresses"]:
                yield f"address {address}"
            else:
                taken = [port for protocol, port in _ports_of(entry) if (protocol, port) in self.ports[address]]
                yield from (f"{entry['protocol']} port {port} of {address}" for port in taken[:1])


def _short_of(room: Room, needs: t.Mapping[str, int]) -> t.Iterator[str]:
    """Yield each resource of which a host has less left than is needed."""
    for resource in RESOURCES:
        free = room.limit[resource] - room.sold[resource]
        if needs[resource] > free:
            shown = _SHOWN[resource]
            yield f"{resource} ({shown(needs[resource])} needed, {shown(free)} left)"


def _remaining(room: Room, needs: t.Mapping[str, int]) -> int:
    """Return the smallest share of its resources that a host would have left, in whole percents."""
    left = {resource: limit - room.sold[resource] - needs[resource] for resource, limit in room.limit.items()}
    return min(left[resource] * 100 // limit if limit else 0 for resource, limit in room.limit.items())


def _chance(jail: str, place: str) -> str:
    return hashlib.sha256(f"{jail} {place}".encode()).hexdigest()
