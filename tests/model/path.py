# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a packet through one machine: which interfaces it passes, what pf makes of it at each, where it ends.

Traffic to an address of the machine itself passes a loopback interface, out and in again: lo1 if the address is there,
otherwise lo0. What a jail with a stack of its own sends comes in on the host's end of its epair, and if that is on a
bridge, and meant for the host, on the bridge (GRAB_OUR_PACKETS of FreeBSD's if_bridge.c). What goes to it leaves by the
bridge alone (if_bridge(4)).
"""

from __future__ import annotations

import typing as t

from model import kernel as kernels
from model import neighbours, net
from model.pf_packets import Evaluator, Packet, Verdict, outside_interface

if t.TYPE_CHECKING:
    from model.host import State

REFUSED, TIMEOUT, DENIED, UNREACHABLE = "refused", "timeout", "denied", "unreachable"
FORWARDING = {"inet": "net.inet.ip.forwarding", "inet6": "net.inet6.ip6.forwarding"}
LOOPBACK = ("127.0.0.1", "::1")
# More than any packet needs that does not go round in circles.
MOST_HOPS = 16


class Hop(t.NamedTuple):
    """A packet at an interface, as it came there, and what pf made of it."""

    packet: Packet
    verdict: Verdict


class End(t.NamedTuple):
    """Where a packet ended: ``place`` is stack (that of a jail, or None for the host's), outside, or lost, and why."""

    place: str
    packet: Packet
    stack: str | None = None
    why: str = ""


class Path:
    """Ways through the machine of one kernel, whose lock the caller holds; ``hops`` are those that were gone."""

    def __init__(self, kernel: State) -> None:
        """Look at this kernel."""
        self.kernel = kernel
        self.evaluator = Evaluator(kernel)
        self.hops: list[Hop] = []
        self.where = {address: name for name, address, _unused in net.addresses(kernel)}

    def stack_with(self, address: str) -> str | None:
        """Return the jail whose own stack has the address."""
        stacks = {each["stack"] for each in self.kernel.get("net", {}).get("interfaces", [])} - {None}
        for stack in sorted(stacks):
            if any(own == address and own not in LOOPBACK for _if, own, _bits in net.addresses(self.kernel, stack)):
                return str(stack)
        return None

    # From where packets come --------------------------------------------------------------------------------------

    def from_host(self, packet: Packet) -> End:
        """Let a process of the host, or of a jail that shares its stack, send a packet."""
        if packet.target in self.where:
            return self._over_loopback(packet)
        way = net.way_to(self.kernel, packet.target)
        if way is None:
            return _lost(packet, UNREACHABLE)
        verdict = self._pass(packet._replace(direction="out", interface=way.interface))
        if not verdict.passed:
            return _lost(packet, REFUSED if verdict.reset else DENIED)
        return self._beyond(verdict.packet, way)

    def from_stack(self, packet: Packet, stack: str) -> End:
        """Let a jail with a stack of its own send a packet."""
        if any(own == packet.target for _unused, own, _unused2 in net.addresses(self.kernel, stack)):
            return End("stack", packet, stack)
        way = net.way_to(self.kernel, packet.target, stack)
        interface = net.find(self.kernel, way.interface, stack) if way is not None else None
        peer = net.find(self.kernel, interface["peer"]) if interface is not None else None
        if way is None or peer is None:
            return _lost(packet, UNREACHABLE)
        bridge = net.bridge_of(self.kernel, peer["name"])
        if bridge is None:
            return self.arrive(packet._replace(direction="in", interface=peer["name"]))
        if self.where.get(way.hop) == bridge["name"]:
            return self._from_member(packet, peer["name"], bridge["name"])
        return self._bridged(packet, way.hop, peer, bridge)

    def from_outside(self, packet: Packet) -> End:
        """Let a packet come in by the card that has its address, or by the outside one."""
        interface = self.where.get(packet.target, "")
        if not interface or net.kind_of(interface) in ("lo", "bridge"):
            interface = outside_interface(self.kernel)
        return self.arrive(packet._replace(direction="in", interface=interface))

    # Steps --------------------------------------------------------------------------------------------------------

    def arrive(self, packet: Packet) -> End:
        """Let a packet come in by an interface of the host: it is for the host, or is forwarded."""
        verdict = self._pass(packet)
        if not verdict.passed:
            return _lost(packet, REFUSED if verdict.reset else TIMEOUT)
        packet = verdict.packet
        if packet.target in self.where:
            return End("stack", packet)
        way = net.way_to(self.kernel, packet.target)
        if way is None or not self._is_on(FORWARDING[net.family_of(packet.target)]):
            return _lost(packet, TIMEOUT)
        verdict = self._pass(packet._replace(direction="out", interface=way.interface, received=packet.interface))
        if not verdict.passed:
            return _lost(packet, REFUSED if verdict.reset else TIMEOUT)
        return self._beyond(verdict.packet, way)

    def _over_loopback(self, packet: Packet) -> End:
        interface = self.where[packet.target]
        interface = interface if net.kind_of(interface) == "lo" else "lo0"
        verdict = self._pass(packet._replace(direction="out", interface=interface))
        if not verdict.passed:
            return _lost(packet, REFUSED if verdict.reset else DENIED)
        return self.arrive(verdict.packet._replace(direction="in", interface=interface))

    def _beyond(self, packet: Packet, way: net.Way) -> End:
        """Say who gets what the host sends by an interface."""
        if net.kind_of(way.interface) == "lo":
            return _lost(packet, TIMEOUT)
        interface = net.find(self.kernel, way.interface) or {}
        ends = interface["members"] if interface["kind"] == "bridge" else [way.interface] if interface["peer"] else None
        if ends is None:
            return End("outside", packet)
        stack = self._behind(ends, way.hop)
        return End("stack", packet, stack) if stack is not None else _lost(packet, TIMEOUT)

    def _behind(self, ends: t.Iterable[str], address: str) -> str | None:
        """Return the jail that has an address on the other end of one of these epairs.

        Where several claim it, it is the one that the host was told of, else who answers first.
        """
        told = neighbours.entries(self.kernel).get(address)
        for name in ends:
            end = net.find(self.kernel, name) or {}
            for peer in self.kernel["net"]["interfaces"]:
                if peer["name"] != end.get("peer") or peer["stack"] is None or told not in (None, peer["mac"]):
                    continue
                if address in (entry[0] for entry in [*peer["inet"], *peer["inet6"]]):
                    return str(peer["stack"])
        return None

    def _from_member(self, packet: Packet, member: str, bridge: str) -> End:
        """Take in what a member of a bridge sends to the host itself: on the member only if that is asked for."""
        if self._is_on("net.link.bridge.pfil_local_phys") and self._is_on("net.link.bridge.pfil_member"):
            verdict = self._pass(packet._replace(direction="in", interface=member))
            if not verdict.passed:
                return _lost(packet, REFUSED if verdict.reset else TIMEOUT)
            packet = verdict.packet
        return self.arrive(packet._replace(direction="in", interface=bridge))

    def _bridged(self, packet: Packet, hop: str, peer: State, bridge: State) -> End:
        """Hand a frame from one member to another; members that are both private do not see each other."""
        flags = bridge["member_flags"]
        private = {name for name in bridge["members"] if "PRIVATE" in flags[name]}
        others = [name for name in bridge["members"] if name != peer["name"] and not {name, peer["name"]} <= private]
        for name in others:
            stack = self._behind([name], hop)
            if stack is None:
                continue
            steps = [("in", peer["name"], "member"), ("in", bridge["name"], "bridge")]
            for direction, interface, kind in [*steps, ("out", bridge["name"], "bridge"), ("out", name, "member")]:
                if self._is_on(f"net.link.bridge.pfil_{kind}"):
                    verdict = self._pass(packet._replace(direction=direction, interface=interface))
                    if not verdict.passed:
                        return _lost(packet, TIMEOUT)
                    packet = verdict.packet
            return End("stack", packet, stack)
        return _lost(packet, TIMEOUT)

    def _is_on(self, name: str) -> bool:
        return kernels.value(self.kernel, name) == "1"

    def _pass(self, packet: Packet) -> Verdict:
        verdict = self.evaluator.packet(packet)
        if len(self.hops) >= MOST_HOPS:
            return verdict._replace(passed=False)
        self.hops.append(Hop(packet, verdict))
        return verdict


def _lost(packet: Packet, why: str) -> End:
    return End("lost", packet, why=why)
