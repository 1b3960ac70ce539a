# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom, and through which pipe, behind the rules that the jails of a host become."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from support.wall import CLIENT, CLIENT6, Wall

from .conftest import host, jail

PUBLIC, SECOND, OWN = "203.0.113.10", "203.0.113.11", "198.51.100.11"
ALICE, BOB, CAROL = "192.168.1.17", "192.168.1.18", "192.168.1.19"
ALICE6, BOB6 = "2001:db8:1::17", "2001:db8:1::18"
PORTS = (22, 25, 53, 80, 5432, 8017, 9003)
NETBLOCKS = ["192.168.1.0/24", "2001:db8:1::/64"]
Values = dict[str, t.Any]


def port(number: t.Any, to: int, **changes: t.Any) -> Values:
    """Return a published port as the inventory plugin gives it."""
    return {"protocol": "tcp", "address": PUBLIC, "port": number, "to": to, "from": [], **changes}


def alice(**changes: t.Any) -> Values:
    capped = {"up": 10_000_000, "down": 20_000_000, "weight": 10}
    return jail("alice", 17, **{"publish": [port(8017, 22)], "bandwidth": capped, "address6": ALICE6, **changes})


def bob(**changes: t.Any) -> Values:
    return jail("bob", 18, **{"address6": BOB6, **changes})


@pytest.fixture
def build(tmp_path: Path) -> t.Callable[..., Wall]:
    """Return what makes a host with jails."""

    def make(*jails: Values, **changes: t.Any) -> Wall:
        return Wall(tmp_path, host(netblocks=NETBLOCKS, **changes), jails, PORTS)

    return make


Build = t.Callable[..., Wall]


def test_a_published_port_leads_to_its_jail_and_through_its_pipes(build: Build) -> None:
    wall = build(alice(), bob())
    answer = wall.ask(PUBLIC, 8017)
    assert (answer.who, answer.carrier, answer.labels) == ("alice", ("pipe", 10035, 10034), ("jail:alice",))


def test_what_is_not_published_leads_nowhere(build: Build) -> None:
    wall = build(alice(), bob())
    for address in (ALICE, BOB, ALICE6, BOB6):
        for number in PORTS:
            expected = "alice" if (address, number) == (ALICE6, 22) else ""
            assert wall.ask(address, number).who == expected, (address, number)
    # What the host itself has there is not ours to judge.
    assert {wall.ask(PUBLIC, number).who for number in (80, 5432)} == {"host"}


def test_jails_do_not_reach_each_other(build: Build) -> None:
    wall = build(alice(publish=[]), bob())
    for one, addresses in (("alice", (BOB, BOB6)), ("bob", (ALICE, ALICE6))):
        for address in addresses:
            for protocol in ("tcp", "udp"):
                assert {wall.ask(address, number, protocol, jail=one).who for number in PORTS} == {""}
    assert wall.ask(ALICE, 80, jail="alice").who == "alice"
    assert wall.ask(ALICE6, 80, jail="alice").who == "alice"
    assert wall.ask("127.0.0.1", 80, jail="alice").who == "alice"


def test_jails_do_not_reach_the_host_except_for_its_services(build: Build) -> None:
    wall = build(alice(), services=[{"protocol": "udp", "port": 53}])
    for address in (OWN, PUBLIC, SECOND):
        assert {wall.ask(address, number, jail="alice").who for number in PORTS if number != 8017} == {""}
        assert wall.ask(address, 53, "udp", jail="alice").who == "host"
        assert wall.ask(address, 80, "udp", jail="alice").who == ""


def test_the_host_reaches_its_jails(build: Build) -> None:
    wall = build(alice())
    assert wall.ask(ALICE, 80, source=OWN).who == "alice"
    assert wall.ask(ALICE, 80, source="127.0.0.1").who == "alice"


def test_a_published_port_leads_to_its_jail_from_jails_of_the_same_host(build: Build) -> None:
    wall = build(alice(), bob())
    for name in ("alice", "bob"):
        assert wall.ask(PUBLIC, 8017, jail=name).who == "alice"
    assert wall.ask(ALICE6, 22, jail="bob").who == "alice"
    assert wall.ask(ALICE6, 80, jail="bob").who == ""


def test_connections_leave_translated_and_through_the_pipes(build: Build) -> None:
    wall = build(alice(), bob(nat=SECOND))
    for name, target, source, carrier in (
        ("alice", CLIENT, PUBLIC, ("pipe", 10034, 10035)),
        ("bob", CLIENT, SECOND, ("queue", 10036, 10037)),
        ("alice", CLIENT6, ALICE6, ("pipe", 10034, 10035)),
        ("bob", CLIENT6, BOB6, ("queue", 10036, 10037)),
    ):
        for protocol in ("tcp", "udp"):
            answer = wall.leaves(name, target, 443, protocol)
            assert answer == ("outside", carrier, source, (f"jail:{name}",))


def test_mail_leaves_only_where_the_record_says_so(build: Build) -> None:
    wall = build(alice(), bob(outgoing={"smtp": True}))
    for target in (CLIENT, CLIENT6):
        assert [wall.leaves(name, target, 25).who for name in ("alice", "bob")] == ["", "outside"]


def test_a_jail_lets_in_whom_its_record_names(build: Build) -> None:
    friends = [{"jail": "bob", "port": 5432}, {"network": "10.1.0.0/16", "port": [80, 81]}]
    wall = build(alice(allow_from=friends), bob(), jail("carol", 19))
    assert wall.ask(ALICE, 5432, jail="bob").who == "alice"
    assert wall.ask(ALICE6, 5432, jail="bob").who == "alice"
    assert wall.ask(ALICE, 80, jail="bob").who == ""
    assert wall.ask(ALICE, 5432, jail="carol").who == ""
    assert wall.ask(BOB, 5432, jail="alice").who == ""
    far = wall.ask(ALICE, 80, source="10.1.2.3")
    assert (far.who, far.carrier) == ("alice", ("pipe", 10035, 10034))
    assert wall.ask(ALICE, 22, source="10.1.2.3").who == ""
    assert wall.ask(ALICE, 80, source="10.2.2.3").who == ""


def test_all_that_a_jail_has_may_be_open_to_another(build: Build) -> None:
    wall = build(alice(allow_from=[{"jail": "bob"}]), bob())
    assert {wall.ask(ALICE, number, each, jail="bob").who for number in PORTS for each in ("tcp", "udp")} == {"alice"}


def test_a_range_of_ports_with_restricted_sources(build: Build) -> None:
    wall = build(alice(publish=[port([8900, 8909], 9000, **{"from": ["198.51.100.0/24"]})]), bob())
    assert wall.ask(PUBLIC, 8903).who == "alice"
    assert wall.ask(PUBLIC, 8903, source="192.0.2.1").who == ""
    assert wall.ask(PUBLIC, 8903, jail="bob").who == ""
    assert wall.ask(ALICE6, 9003).who == ""


def test_a_public_address_of_its_own(build: Build) -> None:
    own = "203.0.113.65"
    wall = build(alice(public=own, nat=own, publish=[port(8017, 22, address=own)]), bob())
    assert (wall.ask(own, 8017).who, wall.ask(own, 80).who) == ("alice", "host")
    assert wall.leaves("alice", CLIENT, 443).source == own


def test_a_public_address_all_of_whose_ports_are_open(build: Build) -> None:
    own = "203.0.113.65"
    wall = build(alice(public=own, nat=own, publish_all=True, publish=[port(8017, 22, address=own)]), bob())
    for who in (None, "bob"):
        assert {wall.ask(own, number, jail=who).who for number in PORTS} == {"alice"}
        assert {wall.ask(ALICE6, number, jail=who).who for number in PORTS} == {"alice"}
    left = wall.leaves("alice", CLIENT, 443)
    assert (left.source, left.carrier) == (own, ("pipe", 10034, 10035))


def test_a_jail_has_as_many_connections_as_its_record_says(build: Build) -> None:
    wall = build(alice(connections={"states": 3, "rate": None}), bob())
    assert [wall.leaves("alice", CLIENT, number).who for number in range(1, 6)] == ["outside"] * 3 + [""] * 2
    assert [wall.ask(PUBLIC, 8017).who for _each in range(5)] == ["alice"] * 3 + [""] * 2
    # What one has used up is no other's loss.
    assert wall.leaves("bob", CLIENT, 443).who == "outside"
    wall.run("pfctl", "-k", "label", "-k", "jail:alice")
    assert wall.ask(PUBLIC, 8017).who == "alice"


def test_packets_that_pretend_to_come_from_a_jail_are_dropped(build: Build) -> None:
    wall = build(alice(), bob())
    for source in (CAROL, "2001:db8:1::99"):
        target = ALICE6 if ":" in source else PUBLIC
        assert wall.ask(target, 22 if ":" in source else 8017, source=source).who == ""


def test_the_blocked_reach_nobody_and_are_reached_by_nobody(build: Build) -> None:
    wall = build(alice())
    wall.run("pfctl", "-a", "jailisp", "-t", "blocked", "-T", "add", "198.51.100.64/27")
    wall.load(host(netblocks=NETBLOCKS), [alice()])
    assert wall.ask(PUBLIC, 8017).who == ""
    assert wall.ask(PUBLIC, 80).who == ""
    assert wall.leaves("alice", CLIENT, 443).who == ""
    assert wall.ask(PUBLIC, 8017, source="198.51.100.1").who == "alice"


def test_whom_a_record_bars_reaches_nobody(build: Build) -> None:
    wall = build(alice(), blocked=["198.51.100.64/27"])
    assert wall.ask(PUBLIC, 8017).who == ""
    assert wall.leaves("alice", CLIENT, 443).who == ""
    assert wall.ask(PUBLIC, 8017, source="198.51.100.1").who == "alice"


@pytest.mark.parametrize("state", ["suspended", "absent"])
def test_a_jail_without_a_network_is_cut_off_though_it_runs(build: Build, state: str) -> None:
    wall = build(alice(), bob())
    wall.load(host(netblocks=NETBLOCKS), [alice(state=state), bob()])
    for number in PORTS:
        assert wall.ask(ALICE6, number).who == ""
        assert wall.ask(ALICE, number, jail="bob").who == ""
    assert wall.ask(PUBLIC, 8017, source=CLIENT).who == "host"
    assert [wall.leaves("alice", target, 443).who for target in (CLIENT, CLIENT6)] == ["", ""]


def test_the_administrator_gets_in_whatever_the_jails_are(build: Build) -> None:
    wall = build(alice(), bob())
    assert wall.ask(OWN, 22).who == "host"
