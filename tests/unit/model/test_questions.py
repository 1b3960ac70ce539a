# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers about packets, against what was measured on a real host; rules as they were loaded there."""

from __future__ import annotations

import typing as t

import pytest

from model import machine, task
from model.host import Host
from model.questions import Journey, Met, Questions

if t.TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB, PUBLIC, INTERNET = "192.168.0.10", "192.168.0.11", "203.0.113.1", "203.0.113.2"
JAILS = f"{{ {ALICE} {BOB} }}"
NAT = f"nat on vtnet0 inet from {JAILS} to any -> {PUBLIC}\n"
TAGGED = f"nat on vtnet0 inet from {ALICE} to any tag alice -> {PUBLIC}\n"
ISOLATED = (
    f"pass quick on lo from {ALICE} to {ALICE}\npass quick on lo from {BOB} to {BOB}\n"
    f"block drop quick on lo from {JAILS} to {JAILS}\n"
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """The host of measured.md: alice and bob on lo1, pipes 1 and 2, queues 11, 12, 21 and 22."""
    host = Host(tmp_path)
    machine.install(host, name="h1", address=PUBLIC)
    machine.boot(host)
    for command in ("kldload pf", "kldload dummynet", "ifconfig lo1 create"):
        assert host.run(command.split()).rc == 0
    for jid, (name, address) in enumerate((("alice", ALICE), ("bob", BOB)), 1):
        six = f"fd00::{address.rpartition('.')[2]}"
        addresses = [f"ip4.addr=lo1|{address}", f"ip6.addr=lo1|{six}"]
        assert host.run(["jail", "-c", f"name={name}", "path=/", "persist", *addresses]).rc == 0
        with host.kernel() as kernel:
            ports = [22, 53, 80, 443, 6000, 8000, *range(9000, 9011)]
            listen = [[protocol, "*", port, 3] for protocol in ("tcp4", "tcp6", "udp4") for port in ports]
            task.add(kernel, ["server"], jid=jid, listen=listen)
    for number, rate in (("1", "2Mbit/s"), ("2", "4Mbit/s")):
        assert host.run(["dnctl", "pipe", number, "config", "bw", rate]).rc == 0
        for queue in (f"1{number}", f"2{number}"):
            assert host.run(["dnctl", "queue", queue, "config", "pipe", number, "weight", "50"]).rc == 0
    assert host.run(["pfctl", "-e"]).rc == 0
    return host


def load(host: Host, rules: str, *anchor: str) -> Questions:
    done = host.run(["pfctl", *anchor, "-f", "-"], rules)
    assert (done.rc, done.err) == (0, "")
    return Questions(host)


def up(ask: Questions, jail: str = "alice") -> Journey:
    return ask.reach(INTERNET, 80, jail=jail)


def down(ask: Questions, port: int = 8080) -> Journey:
    return ask.reach(PUBLIC, port, source=INTERNET)


# Shaping a jail behind NAT --------------------------------------------------------------------------------------------


def test_nat_alone_shapes_nothing(host: Host) -> None:
    found = up(load(host, NAT + "pass\n"))
    assert (found.result, found.pipes) == ("open", ())
    asked, answer = found.answers
    assert (asked.direction, asked.interface) == ("out", "vtnet0")
    assert (asked.source[0], asked.target) == (PUBLIC, (INTERNET, 80))
    assert (answer.direction, answer.why, answer.target[0]) == ("in", "state", ALICE)


@pytest.mark.parametrize("verb", ["pass", "match"])
def test_rule_on_the_tag_shapes_both_directions(host: Host, verb: str) -> None:
    keep = " keep state" if verb == "pass" else ""
    ask = load(host, f"{NAT.replace(ALICE, '')}{TAGGED}pass\n{verb} out on vtnet0 tagged alice dnpipe (1, 2){keep}\n")
    assert up(ask).pipes == (("pipe", 1), ("pipe", 2))
    # Bob, who has no rule of his own, is not shaped.
    assert (up(ask, "bob").result, up(ask, "bob").pipes) == ("open", ())


def test_rule_on_the_private_address_shapes_nothing(host: Host) -> None:
    ask = load(host, f"{NAT}pass\npass out on vtnet0 from {ALICE} to any dnpipe (1, 2)\n")
    assert (up(ask).result, up(ask).pipes) == ("open", ())
    assert [met.rule for met in up(ask).answers[0].rules][1:] == ["pass all flags S/SA keep state"]


def test_redirection_with_a_tag_shapes_what_comes_to_the_jail(host: Host) -> None:
    ask = load(
        host,
        f"rdr on vtnet0 inet proto tcp from any to {PUBLIC} port 8080 tag alice -> {ALICE} port 8000\n"
        "pass\npass in on vtnet0 tagged alice dnpipe (2, 1) keep state\n",
    )
    found = down(ask)
    assert (found.jail, found.pipes) == ("alice", (("pipe", 2), ("pipe", 1)))
    # The answer leaves under the address that was asked.
    assert found.answers[-1].source == (PUBLIC, 8080)


def test_shaping_works_from_anchors(host: Host) -> None:
    load(host, 'nat-anchor "vps/*"\nanchor "vps/*"\npass\n')
    load(host, TAGGED, "-a", "vps/nat")
    ask = load(host, "pass out quick on vtnet0 tagged alice dnpipe (1, 2) label a\n", "-a", "vps/filter")
    assert up(ask).answers[0].rules == (
        Met("vps/nat", "nat", f"nat on vtnet0 inet from {ALICE} to any tag alice -> {PUBLIC}"),
        Met("", "filter", 'anchor "vps/*" all'),
        Met("vps/filter", "filter",
            'pass out quick on vtnet0 all flags S/SA keep state label "a" dnpipe(1, 2) tagged alice'),
    )  # fmt: skip
    assert up(ask).pipes == (("pipe", 1), ("pipe", 2))


def test_missing_pipe_drops_what_names_it(host: Host) -> None:
    found = up(load(host, f"{TAGGED}pass out on vtnet0 tagged alice dnpipe (1, 99)\n"))
    assert (found.result, found.answers[-1].why, found.answers[-1].pipe) == ("timeout", "pipe", ("pipe", 99))
    assert up(load(host, f"{TAGGED}pass out on vtnet0 tagged alice dnpipe (99, 2)\n")).answers[0].why == "pipe"


# Fair share -----------------------------------------------------------------------------------------------------------


def test_each_jail_goes_through_its_own_queues(host: Host) -> None:
    rules = [f"nat on vtnet0 inet from {address} to any tag {name} -> {PUBLIC}"
             for name, address in (("alice", ALICE), ("bob", BOB))]  # fmt: skip
    rules += [f"pass out on vtnet0 tagged {name} dnqueue ({n}1, {n}2)" for name, n in (("alice", 1), ("bob", 2))]
    ask = load(host, "\n".join(rules) + "\n")
    assert up(ask).pipes == (("queue", 11), ("queue", 12))
    assert up(ask, "bob").pipes == (("queue", 21), ("queue", 22))


def test_numbers_of_match_and_pass_rules_combine_by_direction(host: Host) -> None:
    found = up(load(host, f"{TAGGED}match out tagged alice dnpipe (1, 2)\npass out tagged alice dnpipe 2\n"))
    assert found.pipes == (("pipe", 2), ("pipe", 2))


# Counting -------------------------------------------------------------------------------------------------------------


def test_label_of_the_tagged_rule_counts_both_directions(host: Host) -> None:
    ask = load(host, f'{TAGGED}pass out on vtnet0 tagged alice label "jail:alice"\npass in\n')
    assert [answer.labels for answer in up(ask).answers] == [("jail:alice",)] * 2
    # What asks neither makes states nor counts on the host.
    assert host.run(["pfctl", "-ss"]).out == ""
    assert host.run(["pfctl", "-s", "labels"]).out == "jail:alice 0 0 0 0 0 0 0 0\n"


# Isolation ------------------------------------------------------------------------------------------------------------


def test_jails_meet_on_lo1(host: Host) -> None:
    found = load(host, f"block drop quick on lo0 from {BOB} to {ALICE}\npass\n").reach(ALICE, 8000, jail="bob")
    assert (found.result, {answer.interface for answer in found.answers}) == ("open", {"lo1"})
    found = load(host, f"block drop quick on lo from {BOB} to {ALICE}\npass\n").reach(ALICE, 8000, jail="bob")
    assert (found.result, found.answers[-1].rules[-1].rule.split()[:2]) == ("denied", ["block", "drop"])


def test_jails_are_isolated_and_keep_their_own_address(host: Host) -> None:
    ask = load(host, f"{ISOLATED}pass\n")
    for jail, own, other in (("alice", ALICE, BOB), ("bob", BOB, ALICE)):
        assert ask.reach(own, 8000, jail=jail).jail == jail
        assert ask.reach("127.0.0.1", 8000, jail=jail).jail == jail
        assert ask.reach(other, 8000, jail=jail).result == "denied"


def test_published_port_is_redirected_for_jails_on_lo0(host: Host) -> None:
    outside = f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 8080 -> {ALICE} port 8000\n"
    assert load(host, f"{outside}pass\n").reach(PUBLIC, 8080, jail="bob").result == "refused"
    hairpin = f"rdr on lo0 proto tcp from {JAILS} to {PUBLIC} port 8080 -> {ALICE} port 8000\n"
    found = load(host, f"{outside}{hairpin}pass\n").reach(PUBLIC, 8080, jail="bob")
    assert (found.jail, found.answers[0].interface) == ("alice", "lo0")


# Other ----------------------------------------------------------------------------------------------------------------


def test_numbers_that_pfctl_should_not_accept_lose_packets(host: Host) -> None:
    # 70000 is 4464 in the kernel's 16 bits.
    found = up(load(host, f"{TAGGED}pass out tagged alice dnpipe (70000, 2)\n"))
    assert (found.answers[0].why, found.answers[0].pipe) == ("pipe", ("pipe", 4464))


def test_main_rules_without_anchors_leave_the_rules_of_anchors_alone(host: Host) -> None:
    load(host, "block all\n", "-a", "vps/x")
    assert up(load(host, f"{NAT}pass\n")).reached


# Rules of the transcripts ---------------------------------------------------------------------------------------------


REDIRECTIONS = f"""\
rdr on vtnet0 inet proto tcp from any to {PUBLIC} port 8080 -> {ALICE} port 80
rdr pass on vtnet0 inet proto tcp from any to {PUBLIC} port 8022 -> {ALICE} port 22
rdr pass on vtnet0 inet proto udp from any to {PUBLIC} port 5353 -> {ALICE} port 53
rdr pass on vtnet0 inet proto tcp from any to {PUBLIC} port 9000:9010 -> {ALICE} port 9000:*
rdr pass on vtnet0 inet proto {{ tcp udp }} from any to {PUBLIC} port 6000 -> {ALICE}
rdr pass on vtnet0 inet proto tcp from any to {PUBLIC} port http -> {BOB} port https
"""


@pytest.mark.parametrize(
    ("protocol", "port", "target"),
    [
        ("tcp", 8080, (ALICE, 80)), ("tcp", 8022, (ALICE, 22)), ("udp", 5353, (ALICE, 53)),
        ("tcp", 9000, (ALICE, 9000)), ("tcp", 9007, (ALICE, 9007)), ("tcp", 9010, (ALICE, 9010)),
        ("tcp", 6000, (ALICE, 6000)), ("udp", 6000, (ALICE, 6000)), ("tcp", 80, (BOB, 443)),
        ("tcp", 9011, (PUBLIC, 9011)), ("udp", 8022, (PUBLIC, 8022)), ("tcp", 8999, (PUBLIC, 8999)),
    ],
)  # fmt: skip
def test_redirections_of_transcript_04(host: Host, protocol: str, port: int, target: tuple[str, int]) -> None:
    load(host, 'rdr-anchor "vps/*"\nblock in\npass out\n')
    ask = load(host, REDIRECTIONS, "-a", "vps/rdr")
    found = ask.packet("in", "vtnet0", INTERNET, PUBLIC, port, protocol=protocol)
    assert found.target == target
    # `rdr pass` goes past the filter, the first rule does not.
    assert found.passed == (found.translated and port != 8080)
    assert ask.packet("in", "lo0", INTERNET, PUBLIC, port, protocol=protocol).target == (PUBLIC, port)


def test_translations_of_transcript_04(host: Host) -> None:
    ask = load(
        host,
        "no nat on vtnet0 inet from 192.168.0.9 to any\n"
        f"nat on vtnet0 inet proto {{ tcp udp }} from 192.168.0.5 to any -> {PUBLIC} port 1024:65535\n"
        f"nat on vtnet0 inet from 192.168.0.0/24 to ! 192.168.0.0/16 -> {PUBLIC} static-port\npass\n",
    )
    assert ask.packet("out", "vtnet0", "192.168.0.9", INTERNET, 80).source == ("192.168.0.9", 40000)
    assert ask.packet("out", "vtnet0", "192.168.0.5", INTERNET, 80).source[1] >= 1024
    assert ask.packet("out", "vtnet0", "192.168.0.6", INTERNET, 80).source == (PUBLIC, 40000)
    assert not ask.packet("out", "vtnet0", "192.168.0.6", "192.168.9.9", 80).translated
    assert not ask.packet("in", "vtnet0", "192.168.0.6", INTERNET, 80).translated


def test_binat_of_transcript_04(host: Host) -> None:
    ask = load(host, "binat on vtnet0 inet from 192.168.0.12 to any -> 203.0.113.17\npass\n")
    assert ask.packet("out", "vtnet0", "192.168.0.12", INTERNET, 80).source == ("203.0.113.17", 40000)
    assert ask.packet("in", "vtnet0", INTERNET, "203.0.113.17", 80).target == ("192.168.0.12", 80)
    assert not ask.packet("in", "vtnet0", INTERNET, "203.0.113.18", 80).translated


def test_no_rdr_ends_the_search_for_a_binat_too(host: Host) -> None:
    binat = "binat on vtnet0 inet from 192.168.0.12 to any -> 203.0.113.17\npass\n"
    ask = load(host, f"no rdr on vtnet0 inet proto tcp from any to 203.0.113.17 port 22\n{binat}")
    found = ask.packet("in", "vtnet0", INTERNET, "203.0.113.17", 22)
    assert (found.target, found.rules[0].kind) == (("203.0.113.17", 22), "rdr")
    assert ask.packet("in", "vtnet0", INTERNET, "203.0.113.17", 23).target == ("192.168.0.12", 23)


def test_translations_of_ipv6(host: Host) -> None:
    for command in ("ifconfig vtnet0 inet6 2001:db8::1/64", "route -6 add default 2001:db8::ff"):
        assert host.run(command.split()).rc == 0
    ask = load(
        host,
        "nat on vtnet0 inet6 from fd00::/64 to any -> 2001:db8::1\n"
        "binat on vtnet0 inet6 from fd00::12 to any -> 2001:db8::12\n"
        "rdr pass on vtnet0 inet6 proto tcp from any to 2001:db8::1 port 80 -> fd00::10 port 80\npass\n",
    )
    assert ask.packet("out", "vtnet0", "fd00::10", "2001:db8:ffff::1", 80).source[0] == "2001:db8::1"
    assert ask.packet("out", "vtnet0", "fd00::12", "2001:db8:ffff::1", 80).source == ("2001:db8::12", 40000)
    assert ask.packet("in", "vtnet0", "2001:db8:ffff::1", "2001:db8::12", 80).target == ("fd00::12", 80)
    found = ask.reach("2001:db8::1", 80, source="2001:db8:ffff::1")
    assert (found.jail, found.answers[-1].source) == ("alice", ("2001:db8::1", 80))
    echo = ask.packet("out", "vtnet0", "fd00::10", "2001:db8:ffff::1", protocol="icmp")
    assert echo.source[0] == "2001:db8::1"


def test_filter_rules_of_transcript_04(host: Host) -> None:
    ask = load(
        host,
        "pass in on vtnet0 inet from any to 192.168.0.11 dnqueue 11\n"
        "match in on vtnet0 inet from any to 192.168.0.13 dnpipe (1, 2)\n"
        "block in quick on vtnet0 inet proto tcp from any to 192.168.0.99 port 25\n",
    )
    found = ask.packet("in", "vtnet0", INTERNET, BOB, 80)
    assert (found.passed, found.pipe, found.back) == (True, ("queue", 11), None)
    found = ask.packet("in", "vtnet0", INTERNET, "192.168.0.13", 80)
    assert (found.passed, found.why, found.pipe) == (True, "default", ("pipe", 1))
    assert not ask.packet("in", "vtnet0", INTERNET, "192.168.0.99", 25).passed


# What sells and protects ----------------------------------------------------------------------------------------------


def test_redirection_from_a_table_is_for_those_alone(host: Host) -> None:
    rdr = f"rdr pass on vtnet0 inet proto tcp from <good> to {PUBLIC} port 8022 -> {ALICE} port 22\n"
    ask = load(host, f"table <good> {{ 198.51.100.0/24 !198.51.100.9 }}\n{rdr}block in\n")
    assert ask.reach(PUBLIC, 8022, source="198.51.100.7").jail == "alice"
    assert ask.reach(PUBLIC, 8022, source="198.51.100.9").result == "timeout"
    assert ask.reach(PUBLIC, 8022, source=INTERNET).result == "timeout"


def test_table_of_an_anchor_comes_before_that_of_the_main_ruleset(host: Host) -> None:
    load(host, 'table <blocked> persist\nanchor "vps/*"\npass\n')
    ask = load(host, f"table <blocked> {{ {INTERNET} }}\nblock in quick from <blocked>\n", "-a", "vps/x")
    assert not ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22).passed
    assert ask.packet("in", "vtnet0", "198.51.100.7", PUBLIC, 22).passed
    assert host.run(["pfctl", "-a", "vps/x", "-t", "blocked", "-T", "delete", INTERNET]).rc == 0
    assert Questions(host).packet("in", "vtnet0", INTERNET, PUBLIC, 22).passed


def test_ports_of_a_range_keep_their_order(host: Host) -> None:
    ask = load(host, f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 7000:7010 -> {ALICE} port 9000:*\npass\n")
    for offset in (0, 1, 10):
        assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, 7000 + offset).target == (ALICE, 9000 + offset)


def test_received_on_knows_where_a_forwarded_packet_came_in(host: Host) -> None:
    ask = load(host, "pass\nblock out on vtnet0 received-on lo1\n")
    assert not ask.packet("out", "vtnet0", ALICE, INTERNET, 80, received="lo1").passed
    assert ask.packet("out", "vtnet0", ALICE, INTERNET, 80, received="lo0").passed
    # What the machine itself sends was received nowhere.
    assert ask.packet("out", "vtnet0", ALICE, INTERNET, 80).passed


def test_icmp_rules_are_for_their_type(host: Host) -> None:
    ask = load(host, "block in\npass in inet proto icmp icmp-type echoreq\n")
    assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, protocol="icmp").passed
    assert not ask.packet("in", "vtnet0", INTERNET, PUBLIC, protocol="icmp", icmp=13).passed


def test_state_that_is_bound_counts_on_its_interface_alone(host: Host) -> None:
    ask = load(host, "block all\npass in on vtnet0 proto tcp to port 22 keep state (if-bound)\n")
    assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22, keep=True).passed
    assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22, flags="A").why == "state"
    assert not ask.packet("in", "lo0", INTERNET, PUBLIC, 22, flags="A").passed


def test_question_keeps_a_state_only_if_told_to(host: Host) -> None:
    ask = load(host, "block in\npass in proto tcp to port 22\n")
    assert ask.reach(PUBLIC, 22, source=INTERNET).reached
    assert not ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22, flags="A").passed
    assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22, keep=True).passed
    assert ask.packet("in", "vtnet0", INTERNET, PUBLIC, 22, flags="A").passed


def test_administrator_gets_in_and_the_host_gets_out(host: Host) -> None:
    ask = load(host, f"{NAT}block in\npass in proto tcp to {PUBLIC} port 22\npass out\n")
    assert ask.reach(INTERNET, 443).reached
    assert ask.reach(PUBLIC, 22, source=INTERNET).reached
    assert ask.reach(PUBLIC, 23, source=INTERNET).result == "timeout"
