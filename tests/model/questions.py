# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about packets, put to a host as it is: what becomes of this one, and does a connection come about.

    ask = Questions(host)
    ask.packet("in", "vtnet0", "198.51.100.7", "203.0.113.10", 8017).target     # ('192.168.1.17', 22)
    ask.reach("192.168.1.17", 22, jail="bob").reached                           # False
    ask.reach("203.0.113.10", 8017, source="198.51.100.7").pipes                # (('pipe', 10035), ('pipe', 10034))

The host stays as it is, and a question leaves no state behind for the next one unless it is told to ``keep`` it. Who
is outside answers everything, and finds the way back to any address.
"""

from __future__ import annotations

import contextlib
import copy
import typing as t
from dataclasses import dataclass

from model import pf_kernel
from model.connect import OPEN, PROTOCOLS, Attempt
from model.net import family_of
from model.pf_packets import ICMP6, SYN, Evaluator, Packet
from model.pf_print import rule_line

if t.TYPE_CHECKING:
    from model.host import Host
    from model.pf_packets import Verdict

Conduit = tuple[str, int]
CLIENT_PORT = 40000


@dataclass(frozen=True)
class Met:
    """A rule that matched a packet: its anchor ('' is the main ruleset), its kind, and as pfctl(8) prints it."""

    anchor: str
    kind: str
    rule: str


@dataclass(frozen=True)
class Answer:
    """What pf makes of one packet at one interface.

    ``rules`` are those that matched, as pf comes to them: translation, then filter with the anchors that it steps
    into; of several filter rules the last one decides. ``why``: disabled, skip, state, rule, default, or pipe (it is
    missing). ``pipe`` is what the packet goes through, ``back`` what answers to it will: (pipe or queue, number).
    """

    direction: str
    interface: str
    passed: bool
    why: str
    rules: tuple[Met, ...]
    before: tuple[str, int, str, int]
    after: tuple[str, int, str, int]
    tag: str
    labels: tuple[str, ...]
    pipe: Conduit | None
    back: Conduit | None

    @property
    def translated(self) -> bool:
        """Whether it has other addresses or ports now."""
        return self.before != self.after

    @property
    def source(self) -> tuple[str, int]:
        """Return whom it comes from now."""
        return self.after[:2]

    @property
    def target(self) -> tuple[str, int]:
        """Return where it goes now."""
        return self.after[2:]


@dataclass(frozen=True)
class Journey:
    """A connection that was tried: open, refused, timeout, denied or unreachable; and each packet on its way.

    ``answers``: first of the packet that asks, at each interface, then of the one that answers.
    ``jail``: where the process is that answers; None is the host itself, or somebody outside.
    """

    result: str
    jail: str | None
    answers: tuple[Answer, ...]

    @property
    def reached(self) -> bool:
        """Whether it came about."""
        return self.result == OPEN

    @property
    def pipes(self) -> tuple[Conduit, ...]:
        """Return what its packets went through, in order."""
        return tuple(answer.pipe for answer in self.answers if answer.pipe)

    @property
    def labels(self) -> frozenset[str]:
        """Return the labels that count it."""
        return frozenset(label for answer in self.answers for label in answer.labels)


class Questions:
    """Questions to a host, as it was when this was made."""

    def __init__(self, host: Host) -> None:
        """Take the host's kernel as it is now."""
        with host.kernel() as kernel:
            self._kernel = copy.deepcopy(kernel)

    def packet(
        self, direction: str, interface: str, source: str, target: str, port: int = 0, *, protocol: str = "tcp",
        source_port: int = CLIENT_PORT, keep: bool = False, **more: t.Any,
    ) -> Answer:  # fmt: skip
        """Say what becomes of one packet at an interface; ``more``: flags, tag, received and icmp of a Packet."""
        number = ICMP6 if protocol == "icmp" and family_of(target) == "inet6" else PROTOCOLS[protocol]
        flags = more.pop("flags", SYN)
        packet = Packet(direction, interface, number, source, source_port, target, port, flags, **more)
        with self._states(keep):
            return self._answer(packet, Evaluator(self._kernel).packet(packet))

    def reach(
        self, destination: str, port: int = 0, *, source: str = "", jail: str | None = None, protocol: str = "tcp",
        keep: bool = False,
    ) -> Journey:  # fmt: skip
        """Try to connect from a jail, from the host itself, or (a source that is not of the host) from outside."""
        with self._states(keep):
            attempt = Attempt(self._kernel, protocol, port, jail)
            end = attempt.send(source, destination)
            outside = end.place == "outside" and not attempt.is_from_outside
            made = attempt.back(self._kernel, end.packet, (OPEN, None)) if outside else attempt.answered(end)
        answers = tuple(self._answer(hop.packet, hop.verdict) for hop in made.hops)
        return Journey(made.result, made.listener[0] if made.listener else None, answers)

    @contextlib.contextmanager
    def _states(self, keep: bool) -> t.Iterator[None]:
        """Forget the states that a question makes, unless they are to be kept."""
        pf = self._kernel.get("pf")
        before = None if pf is None or keep else copy.deepcopy(pf["states"])
        yield
        if pf is not None and before is not None:
            pf["states"] = before

    def _answer(self, packet: Packet, verdict: Verdict) -> Answer:
        kind, first, second = verdict.dummynet or ("", 0, 0)
        back = second if verdict.forward else first
        return Answer(
            direction=packet.direction,
            interface=packet.interface,
            passed=verdict.passed,
            why=verdict.why,
            rules=tuple(self._met(*place) for place in verdict.matched),
            before=packet.key,
            after=verdict.packet.key,
            tag=verdict.packet.tag,
            labels=verdict.labels,
            pipe=verdict.pipe,
            back=(kind, back) if back else None,
        )

    def _met(self, anchor: str, kind: str, number: int) -> Met:
        rule = pf_kernel.rules(self._kernel["pf"], anchor, kind)[number]
        return Met(anchor, kind, rule_line(rule, numeric=True))
