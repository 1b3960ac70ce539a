# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pf does with one packet: states, translation, filter rules, tags, tables, dummynet."""

from __future__ import annotations

import ipaddress
import time
import typing as t

from model import dummynet_kernel, net, pf_hosts, pf_kernel, pf_states
from model.pf_names import TIMEOUTS
from model.pf_print import counts

if t.TYPE_CHECKING:
    from model.host import State
    from model.pf_reader import Port, Rule

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
# What an ICMP packet asks, if nothing else is said.
ECHO_REQUEST = {ICMP: 8, ICMP6: 128}
BACK = {"in": "out", "out": "in"}
# Where pf takes the source ports of translated connections from.
FIRST_PORT = 50001
PORTS = 15000
SYN = "S"
MAX_DEPTH = 8
PACKET_BYTES = 60

Key = tuple[str, int, str, int]


# A rule: its anchor ('' is the main ruleset), its kind (binat, nat, rdr, filter) and its number there.
Place = tuple[str, str, int]


class Packet(t.NamedTuple):
    """A packet on an interface; ``direction`` is ``in`` or ``out`` as the machine sees it.

    ``received`` is the interface that an outgoing packet came in by, '' if it is the machine's own.
    """

    direction: str
    interface: str
    protocol: int
    source: str
    source_port: int
    target: str
    target_port: int
    flags: str = SYN
    tag: str = ""
    received: str = ""
    icmp: int | None = None

    @property
    def key(self) -> Key:
        """Its addresses and ports."""
        return (self.source, self.source_port, self.target, self.target_port)

    def moved(self, key: Key) -> Packet:
        """Return the packet with other addresses and ports."""
        source, source_port, target, target_port = key
        return self._replace(source=source, source_port=source_port, target=target, target_port=target_port)


class Verdict(t.NamedTuple):
    """What became of a packet: ``packet`` is as translated.

    ``why`` is one of disabled, skip, state, rule, default, pipe, limit. ``reset``: a block that is told at once.
    ``pipe``: what the packet went through (kind, number), if anything. ``matched``: the rules that matched, in the
    order in which pf came to them; of a packet with a state, those that count it. ``forward``: the packet goes in the
    direction of its state.
    """

    passed: bool
    packet: Packet
    why: str
    labels: tuple[str, ...] = ()
    dummynet: tuple[str, int, int] | None = None
    pipe: tuple[str, int] | None = None
    reset: bool = False
    state: int = 0
    matched: tuple[Place, ...] = ()
    forward: bool = True


class _Found:
    """What walking through rulesets has gathered so far."""

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.tag = ""
        self.dummynet: tuple[str, int, int] | None = None
        self.matched: list[Place] = []
        # The rules that count the packet: [anchor, kind, number].
        self.counting: list[list[t.Any]] = []
        self.at: list[t.Any] = []
        self.calls: list[list[t.Any]] = []
        self.translations: list[tuple[str, dict[str, t.Any], Rule]] = []


class Evaluator:
    """pf and dummynet of one kernel; the caller holds its lock."""

    def __init__(self, kernel: State) -> None:
        """Look at this kernel."""
        self.kernel = kernel
        self.pf = pf_kernel.state(kernel) if pf_kernel.loaded(kernel) else None
        self.live = pf_kernel.Live(kernel)

    def packet(self, packet: Packet) -> Verdict:
        """Let a packet pass or not, make or use a state, and count."""
        if self.pf is None or not self.pf["enabled"]:
            return Verdict(True, packet, "disabled")
        if any(self.live.is_named(packet.interface, name) for name in self.pf["skip"]):
            return Verdict(True, packet, "skip")
        self._count("searches")
        by_state = self._by_state(packet)
        if by_state is not None:
            return by_state
        return self._by_rules(packet)

    def _count(self, name: str) -> None:
        assert self.pf is not None
        self.pf["count"][name] = self.pf["count"].get(name, 0) + 1

    # States -------------------------------------------------------------------------------------------------------

    def _by_state(self, packet: Packet) -> Verdict | None:
        assert self.pf is not None
        for state in pf_states.alive(self.pf):
            if state["proto"] != packet.protocol or state["bound"] not in ("", packet.interface):
                continue
            forward = packet.direction == state["dir"]
            first, second = ("inside", "wire") if state["dir"] == "out" else ("wire", "inside")
            seen, becomes = (state[first], state[second]) if forward else (state[second], state[first])
            if packet.key == (tuple(seen) if forward else _reversed(seen)):
                moved = packet.moved(_key(becomes) if forward else _reversed(becomes))
                return self._through_state(state, moved, forward)
        return None

    def _through_state(self, state: State, packet: Packet, forward: bool) -> Verdict:
        dummynet = tuple(state["dn"]) if state["dn"] else None
        pipe = _pipe(dummynet, forward)
        lost = pipe is not None and not self._has(pipe)
        if not lost:
            self.count_traffic(state, forward, 1, PACKET_BYTES)
        return Verdict(
            not lost, packet, "pipe" if lost else "state", tuple(state["labels"]), dummynet, pipe, state=state["id"],
            matched=tuple((anchor, kind, number) for anchor, kind, number in state["rules"]), forward=forward,
        )  # fmt: skip

    def count_traffic(self, state: State, forward: bool, packets: int, octets: int) -> None:
        """Count packets of a state, in its own direction or back, on it and on its rules."""
        assert self.pf is not None
        side = 0 if forward else 1
        state["packets"][side] += packets
        state["bytes"][side] += octets
        direction = state["dir"] if forward else BACK[state["dir"]]
        for anchor, kind, number in state["rules"]:
            found = pf_kernel.rules(self.pf, anchor, kind)
            if number < len(found):
                _count_rule(found[number], direction, packets, octets)

    def _has(self, pipe: tuple[str, int]) -> bool:
        kind, number = pipe
        known = dummynet_kernel.has_pipe if kind == "pipe" else dummynet_kernel.has_queue
        return known(self.kernel, number)

    # Rules --------------------------------------------------------------------------------------------------------

    def _by_rules(self, packet: Packet) -> Verdict:
        before, found = packet, _Found()
        translation, packet = self._translate(packet, found)
        found.tag = packet.tag
        if translation is None or "natpass" not in translation[0]:
            self._filter("", packet, found, 0)
        packet = packet._replace(tag=found.tag)
        rule = found.rule
        verdict = Verdict(True, packet, "rule" if rule else "default", _labels(rule), matched=tuple(found.matched))
        counting = [found.at, *found.counting] if found.at else list(found.counting)
        if rule is not None:
            self._count("match")
        if rule is not None and rule["action"] == "block":
            self._count_rules(counting, packet.direction)
            return verdict._replace(passed=False, reset=_resets(rule, packet))
        packet = self._late_translations(packet, found)
        if translation is not None:
            counting.insert(0, translation[1])
        dummynet = _combined(found.dummynet, rule)
        verdict = verdict._replace(packet=packet, dummynet=dummynet, pipe=_pipe(dummynet, True))
        if verdict.pipe is not None and not self._has(verdict.pipe):
            self._count_rules(counting, packet.direction)
            return verdict._replace(passed=False, why="pipe")
        if rule is not None and _is_full(rule):
            self._count_rules(counting, packet.direction)
            return verdict._replace(passed=False, why="limit")
        if (rule is not None and "keep" in rule) or translation is not None or found.translations:
            bound = packet.interface if rule is not None and "if-bound" in rule.get("state_opts", ()) else ""
            return verdict._replace(state=self._new_state(before, verdict, bound, counting))
        self._count_rules(counting, packet.direction)
        return verdict

    def _count_rules(self, counting: list[list[t.Any]], direction: str) -> None:
        assert self.pf is not None
        for anchor, kind, number in counting:
            _count_rule(pf_kernel.rules(self.pf, anchor, kind)[number], direction, 1, PACKET_BYTES)

    def _new_state(self, before: Packet, verdict: Verdict, bound: str, counting: list[list[t.Any]]) -> int:
        assert self.pf is not None
        out, after = before.direction == "out", verdict.packet
        self.pf["last"] += 1
        now = time.time()
        levels, name = _life(before.protocol)
        state: State = {
            "id": int(self.pf["since"]) << 32 | self.pf["last"],
            "dir": before.direction,
            "proto": before.protocol,
            "inside": list(before.key if out else after.key),
            "wire": list(after.key if out else before.key),
            "levels": levels,
            "made": now,
            "until": now + self.pf["timeouts"].get(name, TIMEOUTS[name]),
            "labels": list(verdict.labels),
            "dn": list(verdict.dummynet) if verdict.dummynet else None,
            "bound": bound,
            "rules": counting,
            "packets": [0, 0],
            "bytes": [0, 0],
        }
        self.pf["states"].append(state)
        self._count("inserts")
        for anchor, kind, number in counting:
            numbers = counts(pf_kernel.rules(self.pf, anchor, kind)[number])
            numbers[5] += 1
            numbers[6] += 1
        self.count_traffic(state, True, 1, PACKET_BYTES)
        return int(state["id"])

    # Translation --------------------------------------------------------------------------------------------------

    def _translate(self, packet: Packet, found: _Found) -> tuple[tuple[Rule, list[t.Any]] | None, Packet]:
        """Return the translation rule that applies, and the packet after it.

        A rule with ``no`` that matches ends the search, for the other kind too (pf_get_translation).
        """
        for kind in ("binat", "nat") if packet.direction == "out" else ("rdr", "binat"):
            first = self._first("", kind, packet, 0)
            if first is None:
                continue
            rule, at, tag = first
            found.matched.append((at[0], kind, at[2]))
            packet = packet._replace(tag=tag or packet.tag)
            if rule["action"].startswith("no "):
                break
            return (rule, at), self._apply(kind, rule["pool"], rule, packet)
        return None, packet

    def _first(self, anchor: str, kind: str, packet: Packet, depth: int) -> tuple[Rule, list[t.Any], str] | None:
        assert self.pf is not None
        for rule in pf_kernel.rules(self.pf, anchor, kind):
            counts(rule)[0] += 1
            if not self._matches(rule, packet, anchor, kind):
                continue
            if "anchor" not in rule:
                return rule, [anchor, kind, rule["nr"]], rule.get("tag", "")
            for below in self._called(anchor, rule) if depth < MAX_DEPTH else ():
                found = self._first(below, kind, packet, depth + 1)
                if found is not None:
                    return found
        return None

    def _called(self, anchor: str, rule: Rule) -> list[str]:
        """Return the anchors that a rule calls: one, or with ``/*`` all right below one."""
        assert self.pf is not None
        path = pf_kernel.called(anchor, rule["anchor"])
        if not rule["anchor"].endswith("*"):
            return [path]
        return [f"{path}/{child}".strip("/") for child in pf_kernel.children(self.pf, path)]

    def _apply(self, kind: str, pool: dict[str, t.Any], rule: Rule, packet: Packet) -> Packet:
        if kind == "binat":
            if packet.direction == "out":
                return packet._replace(source=self._binat(packet.source, pool["hosts"][0]))
            return packet._replace(target=self._binat(packet.target, rule.get("src", "any")))
        address = self._pool_address(pool)
        if address is None:
            return packet
        if kind == "nat":
            return packet._replace(source=address, source_port=self._source_port(pool, packet))
        return packet._replace(target=address, target_port=_target_port(pool, rule, packet.target_port))

    def _binat(self, address: str, other: str) -> str:
        """Put the bits of an address behind the mask into the other network."""
        first = (pf_hosts.dynamic(other, self.live) or [address])[0] if other.startswith("(") else other
        network = ipaddress.ip_network(first, strict=False)
        return str(network[int(ipaddress.ip_address(address)) % network.num_addresses])

    def _pool_address(self, pool: dict[str, t.Any]) -> str | None:
        assert self.pf is not None
        choices: list[str] = []
        for text in pool["hosts"]:
            if text.startswith("<"):
                choices += sorted(pf_kernel.table_entries(self.pf, "", text[1:-1]), key=pf_hosts.table_key)
            else:
                choices += pf_hosts.dynamic(text, self.live) if text.startswith("(") else [text]
        choices = [text.partition("/")[0] for text in choices if ":" not in text] or choices
        if not choices:
            return None
        turn = self.pf["last"] if pool.get("type") == "round-robin" else 0
        return choices[turn % len(choices)]

    def _source_port(self, pool: dict[str, t.Any], packet: Packet) -> int:
        assert self.pf is not None
        if "static-port" in pool or not packet.source_port:
            return packet.source_port
        ports = pool.get("ports", [FIRST_PORT, FIRST_PORT + PORTS])
        return int(ports[0]) + int(self.pf["last"]) % (int(ports[-1]) - int(ports[0]) + 1)

    def _late_translations(self, packet: Packet, found: _Found) -> Packet:
        """Apply ``nat-to`` and ``rdr-to`` of the rules that matched."""
        for kind, pool, rule in found.translations:
            packet = self._apply(kind, pool, rule, packet)
        return packet

    # Filter -------------------------------------------------------------------------------------------------------

    def _filter(self, anchor: str, packet: Packet, found: _Found, depth: int) -> bool:
        """Walk through a ruleset; say whether a ``quick`` rule ended it all."""
        assert self.pf is not None
        for rule in pf_kernel.rules(self.pf, anchor, "filter"):
            counts(rule)[0] += 1
            if not self._matches(rule, packet._replace(tag=found.tag), anchor, "filter"):
                continue
            found.tag = rule.get("tag", found.tag)
            at = [anchor, "filter", rule["nr"]]
            found.matched.append((anchor, "filter", rule["nr"]))
            if "anchor" in rule:
                if depth < MAX_DEPTH and self._call(rule, at, packet, found, depth):
                    return True
                continue
            self._matched(rule, at, found)
            if "quick" in rule and rule["action"] != "match":
                return True
        return False

    def _call(self, rule: Rule, at: list[t.Any], packet: Packet, found: _Found, depth: int) -> bool:
        before, anchor = found.rule, at[0]
        for below in self._called(anchor, rule):
            ended = self._filter(below, packet, found, depth + 1)
            if found.rule is not before:
                found.counting = [each for each in found.counting if each != at] + [at]
            if ended:
                return True
        return "quick" in rule and found.rule is not before

    def _matched(self, rule: Rule, at: list[t.Any], found: _Found) -> None:
        translations = [(name[:3], rule[name], rule) for name in ("nat_to", "rdr_to") if name in rule]
        if rule["action"] == "match":
            found.dummynet = _combined(found.dummynet, rule)
            found.counting.append(at)
            found.translations += translations
            return
        found.rule, found.at = rule, at
        if translations:
            found.translations = translations

    # Matching -----------------------------------------------------------------------------------------------------

    def _matches(self, rule: Rule, packet: Packet, anchor: str, kind: str) -> bool:
        if not _is_of_kind(rule, packet):
            return False
        received = packet.received if packet.direction == "out" else packet.interface
        if "received" in rule and not self.live.is_named(received, rule["received"]):
            return False
        if "on" in rule and self.live.is_named(packet.interface, rule["on"]) == bool(rule.get("on_not")):
            return False
        sides = rule
        if kind == "binat" and packet.direction == "in" and "pool" in rule:
            # The other way round: from where the rule's packets go, to what they look as if they came from.
            sides = {"src": rule.get("dst", "any"), "dst": rule["pool"]["hosts"][0]}
        return self._side(sides, "src", packet.source, packet.source_port, anchor) and self._side(
            sides, "dst", packet.target, packet.target_port, anchor
        )

    def _side(self, rule: Rule, side: str, address: str, port: int, anchor: str) -> bool:
        if f"{side}_port" in rule and not port_matches(rule[f"{side}_port"], port):
            return False
        if side not in rule:
            return True

        def table(name: str) -> t.Iterable[str]:
            assert self.pf is not None
            return pf_kernel.table_entries(self.pf, anchor, name)

        inside = pf_hosts.matches(ipaddress.ip_address(address), rule[side], table, self.live)
        return inside != bool(rule.get(f"{side}_not"))


def _is_of_kind(rule: Rule, packet: Packet) -> bool:
    """Say whether direction, protocol, family, flags and tag are those of the rule."""
    asked = (("dir", packet.direction), ("proto", packet.protocol), ("af", "inet6" if ":" in packet.target else "inet"))
    if any(rule.get(name, value) != value for name, value in asked):
        return False
    if packet.protocol == TCP and "flags" in rule and not _flags_match(rule["flags"], packet.flags):
        return False
    if "icmp" in rule and rule["icmp"][0] != (packet.icmp or ECHO_REQUEST[packet.protocol]):
        return False
    # The model's packets are whole.
    if "fragment" in rule:
        return False
    return "tagged" not in rule or (rule["tagged"] == packet.tag) != bool(rule.get("tagged_not"))


def _key(key: t.Sequence[t.Any]) -> Key:
    source, source_port, target, target_port = key
    return str(source), int(source_port), str(target), int(target_port)


def _reversed(key: t.Sequence[t.Any]) -> Key:
    source, source_port, target, target_port = _key(key)
    return target, target_port, source, source_port


def _labels(rule: Rule | None) -> tuple[str, ...]:
    return tuple(rule.get("labels", ())) if rule else ()


def _combined(before: tuple[str, int, int] | None, rule: Rule | None) -> tuple[str, int, int] | None:
    """Return the pipes of the rules that matched so far and of one more, whose numbers count before theirs.

    Each direction by itself, as pf_rule_to_actions has it.
    """
    if rule is None or "dn" not in rule:
        return before
    _unused, first, second = before or ("", 0, 0)
    kind, there, back = rule["dn"]
    return str(kind), int(there) or first, int(back) or second


def _pipe(dummynet: tuple[str, int, int] | None, forward: bool) -> tuple[str, int] | None:
    """Return what a packet of the rule's direction, or one back, goes through."""
    if dummynet is None:
        return None
    number = dummynet[1] if forward else dummynet[2]
    return (dummynet[0], number) if number else None


def _is_full(rule: Rule) -> bool:
    """Say whether a rule has as many states as its ``max`` allows: pf_create_state() in pf.c drops what comes then."""
    limits = [int(option.split()[1]) for option in rule.get("state_opts", ()) if option.startswith("max ")]
    return bool(limits) and counts(rule)[5] >= limits[0]


def _resets(rule: Rule, packet: Packet) -> bool:
    how = str(rule.get("return", "drop"))
    return how in ("return", "return-icmp") or (how.startswith("return-rst") and packet.protocol == TCP)


def _life(protocol: int) -> tuple[list[str], str]:
    """Return how a fresh state of that protocol is shown, and the time-out that ends it."""
    if protocol == TCP:
        return ["ESTABLISHED", "ESTABLISHED"], "tcp.established"
    if protocol == UDP:
        return ["MULTIPLE", "SINGLE"], "udp.multiple"
    return (["0", "0"], "icmp.first") if protocol in (ICMP, ICMP6) else (["MULTIPLE", "SINGLE"], "other.multiple")


def _count_rule(rule: Rule, direction: str, packets: int, octets: int) -> None:
    numbers = counts(rule)
    first = 1 if direction == "in" else 3
    numbers[first] += packets
    numbers[first + 1] += octets
    numbers[7] = int(time.time())


def _flags_match(wanted: list[str], flags: str) -> bool:
    """``S/SA``: of S and A, exactly S is set."""
    return set(wanted[0]) == set(flags) & set(wanted[1])


def _target_port(pool: dict[str, t.Any], rule: Rule, port: int) -> int:
    ports = pool.get("ports")
    if not ports:
        return port
    if len(ports) == 1:
        return int(ports[0])
    low = int(rule.get("dst_port", ["=", port])[1])
    return int(ports[0]) + (port - low) % (int(ports[1]) - int(ports[0]) + 1)


def port_matches(given: Port, port: int) -> bool:
    """Say whether a port is one of those that a rule means."""
    operator, first, *rest = given
    last = rest[0] if rest else first
    return bool(
        {
            "=": port == first, "!=": port != first, "<": port < first, "<=": port <= first, ">": port > first,
            ">=": port >= first, ":": first <= port <= last, "><": first < port < last,
            "<>": port < first or port > last,
        }[operator]
    )  # fmt: skip


def evaluate(kernel: State, packet: Packet) -> Verdict:
    """Let one packet through pf and dummynet of a kernel."""
    return Evaluator(kernel).packet(packet)


def outside_interface(kernel: State) -> str:
    """Return the interface of the default route, or the machine's first card."""
    for route in net.routes(kernel):
        if (route["destination"], route["family"]) == ("default", "inet"):
            return str(route["interface"])
    return str(net.interfaces(kernel)[0]["name"])
