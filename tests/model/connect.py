# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An attempt to connect: the way of its first packet and of the answer, and whether anything listens.

Hosts of one rack reach each other's addresses by their cards.
"""

from __future__ import annotations

import ipaddress
import pathlib
import typing as t

from model import net, pf_states, prison
from model.host import Host
from model.path import DENIED, LOOPBACK, REFUSED, TIMEOUT, UNREACHABLE, End, Hop, Path
from model.pf_hosts import read_address
from model.pf_packets import ICMP, ICMP6, TCP, UDP, Evaluator, Packet, Verdict

if t.TYPE_CHECKING:
    from model.host import State

OPEN = "open"
# In strerror(3)'s words.
ERRORS = {
    REFUSED: "Connection refused",
    TIMEOUT: "Operation timed out",
    DENIED: "Permission denied",
    UNREACHABLE: "Network is unreachable",
}
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
RACK = pathlib.Path("/.rack")
FIRST_PORT = 49152
PRIVATE = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7")
)
Listener = tuple[str | None, int]
Outcome = tuple[str, Listener | None]


class Connection(t.NamedTuple):
    """How it went: ``result`` is open, refused, timeout, denied or unreachable.

    ``hops`` is each packet at each interface, and what pf made of it.
    ``listener`` is who answers: the jail's name (None on a host itself) and the process.
    """

    result: str
    hops: tuple[Hop, ...] = ()
    listener: Listener | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What pf decided, packet by packet."""
        return tuple(hop.verdict for hop in self.hops)

    @property
    def states(self) -> tuple[int, ...]:
        """The states that were made or used on the host."""
        return tuple(dict.fromkeys(verdict.state for verdict in self.verdicts if verdict.state))


def connect(
    host: Host, source: str, destination: str, protocol: str = "tcp", port: int = 0, *, jail: str | None = None
) -> Connection:
    """Try to connect from ``source`` ('' lets the kernel choose) to the destination.

    A source that is no address of the host comes from outside. ``jail`` says in which jail the connecting process is.
    """
    with host.kernel() as kernel:
        attempt = Attempt(kernel, protocol, port, jail)
        end = attempt.send(source, destination)
        if end.place != "outside":
            return attempt.answered(end)
    outcome = _elsewhere(host, end.packet, protocol)
    with host.kernel() as kernel:
        return attempt.back(kernel, end.packet, outcome)


class Attempt:
    """The part of an attempt that happens on one machine; the caller holds its kernel's lock."""

    def __init__(self, kernel: State, protocol: str, port: int, jail: str | None) -> None:
        """Prepare to connect from that jail, or from the host itself, or from outside."""
        self.kernel, self.protocol, self.port, self.jail = kernel, protocol, port, jail
        self.path = Path(kernel)
        self.stack = net.stack_of(kernel, jail)
        self.asked: Packet | None = None
        self.is_from_outside = False

    def send(self, source: str, destination: str) -> End:
        """Send the first packet as far as this machine's border; from outside, if the source is not of this machine."""
        if source and self.jail is None and source not in self.path.where and self.path.stack_with(source) is None:
            return self.from_outside(source, destination)
        return self._from_inside(source, destination)

    def _packet(self, direction: str, source: str, source_port: int, destination: str) -> Packet:
        number = ICMP6 if self.protocol == "icmp" and ":" in destination else PROTOCOLS[self.protocol]
        self.asked = Packet(direction, "", number, source, source_port, destination, self.port)
        return self.asked

    def _from_inside(self, source: str, destination: str) -> End:
        own = self._jail_addresses(":" in destination)
        if self.stack is None and own and destination in LOOPBACK:
            destination = own[0]
        source = source or (own[0] if own else "") or self._source_for(destination)
        packet = self._packet("out", source, self._next_port(), destination)
        if not source or (self.jail is not None and self.stack is None and not own):
            return End("lost", packet, why=UNREACHABLE)
        return self._send(packet, self.stack)

    def _send(self, packet: Packet, stack: str | None) -> End:
        return self.path.from_host(packet) if stack is None else self.path.from_stack(packet, stack)

    def _jail_addresses(self, six: bool) -> list[str]:
        found = None if self.jail is None or self.stack is not None else prison.find(self.kernel, self.jail)
        if found is None:
            return []
        return [str(each) for each in prison.value(self.kernel, found, "ip6.addr" if six else "ip4.addr")]

    def _source_for(self, destination: str) -> str:
        if destination in LOOPBACK or (self.stack is None and destination in self.path.where):
            return destination
        way = net.way_to(self.kernel, destination, self.stack)
        family = net.family_of(destination)
        for name, own, _bits in net.addresses(self.kernel, self.stack):
            if way and name == way.interface and net.family_of(own) == family and not own.startswith("fe80:"):
                return own
        return ""

    def _next_port(self) -> int:
        ports = self.kernel.setdefault("connect", {"last": 0})
        ports["last"] = (int(ports["last"]) + 1) % 16000
        return FIRST_PORT + int(ports["last"])

    def from_outside(self, source: str, destination: str, source_port: int = 0) -> End:
        """Let a packet come from another machine."""
        source_port = source_port or self._next_port()
        self.is_from_outside = True
        return self.path.from_outside(self._packet("in", source, source_port, destination))

    # Answers ------------------------------------------------------------------------------------------------------

    def answered(self, end: End) -> Connection:
        """Return what came of a packet that did not leave this machine: whoever got it answers, if it is awaited."""
        if end.place != "stack":
            return Connection(end.why or TIMEOUT, tuple(self.path.hops))
        result, listener = self._listening(end)
        back = self._send(_answer(end.packet), end.stack)
        home = ("outside", None) if self.is_from_outside else ("stack", self.stack)
        if (back.place, back.stack) != home or not self._expected(back.packet):
            result, listener = TIMEOUT, None
        return Connection(result, tuple(self.path.hops), listener)

    def back(self, kernel: State, left: Packet, outcome: Outcome) -> Connection:
        """Return what came of a packet that left this machine: the other one's answer has to come in."""
        result, listener = outcome
        hops = list(self.path.hops)
        if result != TIMEOUT:
            self.path = Path(kernel)
            end = self.path.from_outside(_answer(left))
            hops = [*hops, *self.path.hops]
            if (end.place, end.stack) != ("stack", self.stack) or not self._expected(end.packet):
                result, listener = TIMEOUT, None
        return Connection(result, tuple(hops), listener)

    def _expected(self, packet: Packet) -> bool:
        """Say whether a packet answers what was asked, as who asked it sees it."""
        return self.asked is not None and _answer(packet).key == self.asked.key

    # Sockets ------------------------------------------------------------------------------------------------------

    def _listening(self, end: End) -> Outcome:
        """Find who listens at an address of this machine; a jail's own socket comes before one of the host's."""
        from model.process import listeners  # noqa: PLC0415

        packet = end.packet
        if self.protocol == "icmp":
            return OPEN, (end.stack, 0)
        name = "tcp" if packet.protocol == TCP else "udp"
        family = "6" if ":" in packet.target else "4"
        best: tuple[int, str | None, int] | None = None
        for jail, address, protocol, port, pid in listeners(self.kernel):
            if port != packet.target_port or not protocol.startswith(name) or family not in protocol:
                continue
            if net.stack_of(self.kernel, jail) != end.stack or not self._listens_at(jail, address, packet.target):
                continue
            rank = (2 if address != "*" else 0) + (1 if jail is not None else 0)
            if best is None or rank > best[0]:
                best = (rank, jail, pid)
        return (OPEN, best[1:]) if best else (REFUSED, None)

    def _listens_at(self, jail: str | None, address: str, target: str) -> bool:
        if address != "*":
            return address == target
        found = None if jail is None else prison.find(self.kernel, jail)
        if found is None or net.stack_of(self.kernel, jail) is not None:
            return True
        kind = "ip6" if ":" in target else "ip4"
        inherits = prison.value(self.kernel, found, kind) == "inherit"
        return inherits or target in prison.value(self.kernel, found, f"{kind}.addr")


def _answer(packet: Packet) -> Packet:
    """Return what answers a packet."""
    return packet._replace(
        direction="out", interface="", received="", tag="", flags="SA",
        source=packet.target, source_port=packet.target_port, target=packet.source, target_port=packet.source_port,
    )  # fmt: skip


def _elsewhere(host: Host, packet: Packet, protocol: str) -> Outcome:
    """Let a packet that left this machine arrive at the host of the rack that has its address, if one does.

    Its answers find the way to addresses of cards, and to public ones.
    """
    if any(ipaddress.ip_address(packet.source) in network for network in PRIVATE):
        with host.kernel() as kernel:
            cards = {own for name, own, _bits in net.addresses(kernel) if net.kind_of(name) not in ("lo", "bridge")}
        if packet.source not in cards:
            return TIMEOUT, None
    other = host_with(RACK if RACK.is_dir() else host.directory.parent.parent, packet.target)
    if other is None:
        return TIMEOUT, None
    with other.kernel() as kernel:
        attempt = Attempt(kernel, protocol, packet.target_port, None)
        found = attempt.answered(attempt.from_outside(packet.source, packet.target, packet.source_port))
        return found.result, found.listener


def host_with(rack: pathlib.Path, address: str) -> Host | None:
    """Return the host of a rack that has an address on a card of its own, None if none has."""
    hosts = rack / "hosts"
    for directory in sorted(hosts.iterdir()) if hosts.is_dir() else []:
        if not (directory / "kernel.json").exists():
            continue
        other = Host(directory)
        with other.kernel() as kernel:
            cards = (
                [a for name, a, _unused in net.addresses(kernel) if net.kind_of(name) != "lo"]
                if "net" in kernel
                else []
            )
        if address in cards:
            return other
    return None


def transfer(host: Host, connection: Connection, sent: int, received: int, *, packet: int = 1448) -> None:
    """Let an open connection carry that many bytes to its far end and back, on this host's states and rules."""
    with host.kernel() as kernel:
        evaluator = Evaluator(kernel)
        if evaluator.pf is None:
            return
        for state in pf_states.alive(evaluator.pf):
            if state["id"] in connection.states:
                evaluator.count_traffic(state, True, -(-sent // packet), sent)
                evaluator.count_traffic(state, False, -(-received // packet), received)


def close(host: Host, connection: Connection) -> None:
    """End a connection: its states stay for a while, as pf lets them."""
    import time  # noqa: PLC0415

    with host.kernel() as kernel:
        evaluator = Evaluator(kernel)
        for state in pf_states.alive(evaluator.pf) if evaluator.pf is not None else []:
            if state["id"] in connection.states and state["proto"] == TCP:
                state["levels"] = ["FIN_WAIT_2", "FIN_WAIT_2"]
                state["until"] = time.time() + evaluator.pf["timeouts"].get("tcp.closed", 90) if evaluator.pf else 0


def is_address(text: str) -> bool:
    """Say whether it is a numeric address."""
    return read_address(text) is not None
