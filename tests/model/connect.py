# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An attempt to connect: which interfaces its packets pass, what pf makes of them there, and whether anything listens.

Traffic to an address of the machine itself passes a loopback interface, out and in again: lo1 if the address is there,
otherwise lo0. Hosts of one rack reach each other's addresses by their cards.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from model import net, pf_states, prison
from model.host import Host
from model.pf_hosts import read_address
from model.pf_packets import TCP, UDP, Evaluator, Packet, Verdict, outside_interface

if t.TYPE_CHECKING:
    from model.host import State

OPEN, REFUSED, TIMEOUT, DENIED, UNREACHABLE = "open", "refused", "timeout", "denied", "unreachable"
# In strerror(3)'s words.
ERRORS = {
    REFUSED: "Connection refused",
    TIMEOUT: "Operation timed out",
    DENIED: "Permission denied",
    UNREACHABLE: "Network is unreachable",
}
PROTOCOLS = {"tcp": TCP, "udp": UDP}
RACK = Path("/.rack")
FIRST_PORT = 49152
LOOPBACK = ("127.0.0.1", "::1")


class Connection(t.NamedTuple):
    """How it went: ``result`` is open, refused, timeout, denied or unreachable; then what pf decided, packet by packet.

    ``listener`` is who answers: the jail's name (None on a host itself) and the process. ``states`` are those that were
    made on the host, ``far`` the other host if the connection went to one.
    """

    result: str
    verdicts: tuple[Verdict, ...] = ()
    listener: tuple[str | None, int] | None = None
    source: str = ""
    states: tuple[int, ...] = ()


def connect(
    host: Host, source: str, destination: str, protocol: str = "tcp", port: int = 0, *, jail: str | None = None
) -> Connection:
    """Try to connect from ``source`` ('' lets the kernel choose) to the destination.

    A source that is no address of the host comes from outside. ``jail`` says in which jail the connecting process is.
    """
    with host.kernel() as kernel:
        attempt = _Attempt(kernel, PROTOCOLS[protocol], port, jail)
        if attempt.own(source) or not source:
            done, packet = attempt.from_inside(source, destination)
        else:
            return attempt.finish(attempt.from_outside(source, destination))
        if done is not None:
            return attempt.finish(done)
        answered = attempt.reachable_back(packet.source)
    result = _elsewhere(host, packet, protocol) if answered else (TIMEOUT, None)
    return attempt.finish(result, packet.source)


Outcome = tuple[str, tuple[str | None, int] | None]


class _Attempt:
    """The part of an attempt that happens on one machine; the caller holds its kernel's lock."""

    def __init__(self, kernel: State, protocol: int, port: int, jail: str | None) -> None:
        self.kernel, self.protocol, self.port, self.jail = kernel, protocol, port, jail
        self.evaluator = Evaluator(kernel)
        self.verdicts: list[Verdict] = []
        self.stack = net.stack_of(kernel, jail)
        self.where = {address: name for name, address, _unused in net.addresses(kernel)}

    def finish(self, outcome: Outcome, source: str = "") -> Connection:
        """Return what came of it."""
        result, listener = outcome
        states = tuple(verdict.state for verdict in self.verdicts if verdict.state)
        source = source or (self.verdicts[-1].packet.source if self.verdicts else "")
        return Connection(result, tuple(self.verdicts), listener, source, states)

    def own(self, address: str) -> bool:
        """Say whether it is an address of the machine, or of a jail that has a stack of its own."""
        return address in self.where or self.stack_with(address) is not None

    def stack_with(self, address: str) -> str | None:
        """Return the jail whose own stack has the address."""
        stacks = {each["stack"] for each in self.kernel.get("net", {}).get("interfaces", [])} - {None}
        for stack in sorted(stacks):
            if any(
                own == address for _unused, own, _unused2 in net.addresses(self.kernel, stack) if own not in LOOPBACK
            ):
                return str(stack)
        return None

    def reachable_back(self, source: str) -> bool:
        """Say whether answers from another machine find the way to this source."""
        name = self.where.get(source, "lo")
        return net.kind_of(name) != "lo"

    # From a process of this machine -------------------------------------------------------------------------------

    def from_inside(self, source: str, destination: str) -> tuple[Outcome | None, Packet]:
        """Go as far as this machine's border; None instead of an outcome means the packet left it."""
        own = self._jail_addresses(":" in destination)
        if self.stack is None and own and destination in LOOPBACK:
            destination = own[0]
        local = destination in self.where and self.stack is None
        source = source or (own[0] if own else "") or self._source_for(destination, local)
        packet = Packet("out", "", self.protocol, source, self._next_port(), destination, self.port)
        if not source or (self.jail is not None and self.stack is None and not own):
            return (UNREACHABLE, None), packet
        if local:
            return self._over_loopback(packet), packet
        if self.stack is not None:
            return self._from_stack(packet)
        return self._leave(packet)

    def _jail_addresses(self, six: bool) -> list[str]:
        found = None if self.jail is None or self.stack is not None else prison.find(self.kernel, self.jail)
        if found is None:
            return []
        return [str(each) for each in prison.value(self.kernel, found, "ip6.addr" if six else "ip4.addr")]

    def _source_for(self, destination: str, local: bool) -> str:
        if local or destination in LOOPBACK:
            return destination
        towards = net.interface_towards(self.kernel, destination, self.stack)
        if towards is None:
            routes = [route for route in net.routes(self.kernel, self.stack) if route["destination"] == "default"]
            towards = str(routes[0]["interface"]) if routes else None
        six = ":" in destination
        found = [
            a for name, a, _unused in net.addresses(self.kernel, self.stack) if name == towards and (":" in a) == six
        ]
        return found[0] if found else ""

    def _next_port(self) -> int:
        ports = self.kernel.setdefault("connect", {"last": 0})
        ports["last"] = (int(ports["last"]) + 1) % 16000
        return FIRST_PORT + int(ports["last"])

    def _over_loopback(self, packet: Packet) -> Outcome:
        interface = self.where[packet.target]
        interface = interface if net.kind_of(interface) == "lo" else "lo0"
        verdict = self._pass(packet._replace(interface=interface))
        if not verdict.passed:
            return (REFUSED if verdict.reset else DENIED), None
        arriving = verdict.packet._replace(direction="in", interface=interface)
        return self._arrive(arriving)

    def _leave(self, packet: Packet) -> tuple[Outcome | None, Packet]:
        towards = net.interface_towards(self.kernel, packet.target)
        routes = [route for route in net.routes(self.kernel) if route["destination"] == "default"]
        if towards is None and not routes:
            return (UNREACHABLE, None), packet
        interface = towards or str(routes[0]["interface"])
        verdict = self._pass(packet._replace(interface=interface))
        if not verdict.passed:
            return ((REFUSED if verdict.reset else DENIED), None), packet
        if self.stack_with(verdict.packet.target) is not None:
            return self._listening(verdict.packet), verdict.packet
        return None, verdict.packet

    def _from_stack(self, packet: Packet) -> tuple[Outcome | None, Packet]:
        """A jail with a stack of its own: its packets come in on the host's side of the link, and may be forwarded."""
        if any(own == packet.target for _unused, own, _unused2 in net.addresses(self.kernel, self.stack)):
            return self._listening(packet), packet
        interface = net.interface_towards(self.kernel, packet.source) or outside_interface(self.kernel)
        verdict = self._pass(packet._replace(direction="in", interface=interface))
        if not verdict.passed:
            return ((REFUSED if verdict.reset else TIMEOUT), None), packet
        inside = verdict.packet
        if inside.target in self.where or self.stack_with(inside.target) is not None:
            return self._listening(inside), inside
        if not self._forwards():
            return (TIMEOUT, None), inside
        return self._leave(inside._replace(direction="out"))

    def _forwards(self) -> bool:
        from model import kernel as kernels  # noqa: PLC0415

        return kernels.value(self.kernel, "net.inet.ip.forwarding") == "1"

    # From another machine -----------------------------------------------------------------------------------------

    def from_outside(self, source: str, destination: str, source_port: int = 0) -> Outcome:
        """A packet comes in by the card that has the address, or by the outside one."""
        interface = self.where.get(destination, "")
        if not interface or net.kind_of(interface) == "lo":
            interface = outside_interface(self.kernel)
        source_port = source_port or self._next_port()
        return self._arrive(Packet("in", interface, self.protocol, source, source_port, destination, self.port))

    def _arrive(self, packet: Packet) -> Outcome:
        verdict = self._pass(packet)
        if not verdict.passed:
            return (REFUSED if verdict.reset else TIMEOUT), None
        if not self._answer(verdict):
            return TIMEOUT, None
        return self._listening(verdict.packet)

    def _answer(self, verdict: Verdict) -> bool:
        """Say whether what answers finds its pipe: without it the answer is lost."""
        back = verdict.packet
        if not verdict.state:
            return True
        answer = back._replace(
            direction="out" if back.direction == "in" else "in", flags="SA", source=back.target,
            source_port=back.target_port, target=back.source, target_port=back.source_port,
        )  # fmt: skip
        return self.evaluator.packet(answer).passed

    def _pass(self, packet: Packet) -> Verdict:
        verdict = self.evaluator.packet(packet)
        self.verdicts.append(verdict)
        if verdict.passed and packet.direction == "out" and not self._answer(verdict):
            verdict = verdict._replace(passed=False, why="pipe")
            self.verdicts[-1] = verdict
        return verdict

    # Sockets ------------------------------------------------------------------------------------------------------

    def _listening(self, packet: Packet) -> Outcome:
        """Find who listens at an address of this machine; a jail's own socket comes before one of the host's."""
        from model.process import listeners  # noqa: PLC0415

        stack = None if packet.target in self.where else self.stack_with(packet.target)
        if packet.target not in self.where and stack is None:
            return TIMEOUT, None
        name = "tcp" if packet.protocol == TCP else "udp"
        family = "6" if ":" in packet.target else "4"
        best: tuple[int, str | None, int] | None = None
        for jail, address, protocol, port, pid in listeners(self.kernel):
            if port != packet.target_port or not protocol.startswith(name) or family not in protocol:
                continue
            if net.stack_of(self.kernel, jail) != stack or not self._listens_at(jail, address, packet.target):
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


def _elsewhere(host: Host, packet: Packet, protocol: str) -> Outcome:
    """Let a packet that left this machine arrive at the host of the rack that has its address, if one does."""
    other = host_with(RACK if RACK.is_dir() else host.directory.parent.parent, packet.target)
    if other is None:
        return TIMEOUT, None
    with other.kernel() as kernel:
        attempt = _Attempt(kernel, PROTOCOLS[protocol], packet.target_port, None)
        return attempt.from_outside(packet.source, packet.target, packet.source_port)


def host_with(rack: Path, address: str) -> Host | None:
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
