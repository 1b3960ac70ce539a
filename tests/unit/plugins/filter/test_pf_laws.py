# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the rules of any jails: who reaches whom is what the records say, and nobody meets another's pipe."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.wall import CLIENT, CLIENT6, Wall

from .conftest import host, jail

ADDRESSES = ["203.0.113.10", "203.0.113.11"]
OWN = {"one": "203.0.113.65", "two": "203.0.113.66", "three": "203.0.113.67"}
IDS = {"one": 1, "two": 17, "three": 24999}
HOST = host(netblocks=["192.168.1.0/24", "2001:db8:1::/64"])
FRIEND, FRIEND6 = "192.0.2.9", "2001:db8:2::9"
PORTS = (22, 80, 81, 8000, 8001)
# Where ports and ranges lead to.
LISTENING = (*PORTS, 23)
PROTOCOLS = ("tcp", "udp")
Values = dict[str, t.Any]


def number(name: str) -> int:
    return 10 + [*IDS].index(name)


def address(name: str) -> str:
    return f"192.168.1.{number(name)}"


def address6(name: str) -> str:
    return f"2001:db8:1::{number(name)}"


@st.composite
def fleets(draw: st.DrawFn) -> list[Values]:
    """Draw the records of all jails; no two claim one port."""
    claims: dict[tuple[t.Any, ...], str] = {}
    found = []
    for name, own in OWN.items():
        public = draw(st.sampled_from([None, own]))
        entries = []
        for _unused in range(draw(st.integers(0, 3))):
            entry = {
                "protocol": draw(st.sampled_from(PROTOCOLS)),
                "address": draw(st.sampled_from([*ADDRESSES, *([public] if public else [])])),
                "port": draw(st.sampled_from([80, [80, 81], 8000, [8000, 8001]])),
                "to": draw(st.sampled_from([22, 80, 8000])),
                "from": draw(st.sampled_from([[], ["192.0.2.0/24"], ["192.0.2.0/24", "2001:db8:2::/48"]])),
            }
            taken = {(entry["address"], entry["protocol"], port) for port in span(entry["port"])}
            if not taken & claims.keys():
                claims.update(dict.fromkeys(taken, name))
                entries.append(entry)
        friend = draw(st.sampled_from([other for other in OWN if other != name]))
        capped = {"up": 10_000_000, "down": 20_000_000, "weight": 10}
        found.append(
            jail(
                name,
                number(name),
                address6=address6(name),
                publish=entries,
                public=public,
                publish_all=bool(public) and draw(st.booleans()),
                nat=draw(st.sampled_from([*ADDRESSES, *([public] if public else [])])),
                allow_from=draw(st.sampled_from([[], [{"jail": friend}], [{"jail": friend, "port": [80, 81]}]])),
                outgoing={"smtp": draw(st.booleans())},
                state=draw(st.sampled_from(["running", "running", "running", "suspended"])),
                **({"bandwidth": capped} if draw(st.booleans()) else {}),
            )
            | {"id": IDS[name]}
        )
    return found


def span(port: t.Any) -> list[int]:
    return [port] if isinstance(port, int) else list(range(port[0], port[1] + 1))


def lets_in(entry: Values, source: str) -> bool:
    """Say whether an entry of publish is open to somebody outside."""
    networks = [ipaddress.ip_network(network) for network in entry["from"]]
    return not networks or any(ipaddress.ip_address(source) in network for network in networks)


def connected(jails: list[Values]) -> list[Values]:
    return [each for each in jails if each["state"] == "running"]


def expected(jails: list[Values], target: str, protocol: str, port: int, source: str | None) -> str:
    """Say who must answer at a public address: to somebody outside, or (None) to a jail of the host."""
    for each in connected(jails):
        for entry in each["publish"]:
            claimed = (entry["address"], entry["protocol"]) == (target, protocol) and port in span(entry["port"])
            if claimed and (lets_in(entry, source) if source else not entry["from"]):
                return str(each["name"])
    for each in connected(jails):
        if each["publish_all"] and each["public"] == target:
            return str(each["name"])
    return "host" if source else ""


def expected6(each: Values, protocol: str, port: int, source: str | None) -> str:
    """The same of a jail's own IPv6 address."""
    if each["state"] != "running":
        return ""
    if each["publish_all"]:
        return str(each["name"])
    for entry in each["publish"]:
        ports = range(entry["to"], entry["to"] + len(span(entry["port"])))
        open_to = lets_in(entry, source) if source else not entry["from"]
        if entry["protocol"] == protocol and port in ports and open_to:
            return str(each["name"])
    return ""


def carrier(each: Values, *, out: bool) -> tuple[str, int, int]:
    kind = "pipe" if each["bandwidth"]["up"] else "queue"
    up, down = 10000 + 2 * each["id"], 10001 + 2 * each["id"]
    return (kind, up, down) if out else (kind, down, up)


def befriended(jails: list[Values], one: str, other: str, protocol: str, port: int) -> bool:
    """Say whether a jail lets in another at its private address."""
    both = {each["name"] for each in connected(jails)} >= {one, other}
    entries = next(each["allow_from"] for each in jails if each["name"] == other)
    return both and any(
        entry["jail"] == one and ("port" not in entry or (protocol == "tcp" and port in span(entry["port"])))
        for entry in entries
    )


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Wall:
    """Return a host on which all jails run, with whatever rules come."""
    jails = [jail(name, number(name), address6=address6(name), public=own) for name, own in OWN.items()]
    return Wall(tmp_path_factory.mktemp("laws"), HOST, jails, LISTENING)


# Each question costs what it costs: a fleet that breaks a law is told as it is, without looking for a smaller one.
laws = settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def load(wall: Wall, jails: list[Values]) -> None:
    wall.load(HOST, jails)
    wall.run("pfctl", "-F", "states")


@laws
@given(jails=fleets())
def test_from_outside_every_published_port_leads_to_its_jail_and_nothing_else_to_any(
    wall: Wall, jails: list[Values]
) -> None:
    load(wall, jails)
    by_name = {each["name"]: each for each in jails}
    for source in (CLIENT, FRIEND):
        for target in (*ADDRESSES, *OWN.values()):
            for protocol, port in ((protocol, port) for protocol in PROTOCOLS for port in PORTS):
                answer = wall.ask(target, port, protocol, source=source)
                assert answer.who == expected(jails, target, protocol, port, source), (source, target, protocol, port)
                if answer.who != "host":
                    assert answer.carrier == carrier(by_name[answer.who], out=False)
        assert {wall.ask(address(name), port, source=source).who for name in OWN for port in PORTS} == {""}
    for source in (CLIENT6, FRIEND6):
        for each in jails:
            for protocol, port in ((protocol, port) for protocol in PROTOCOLS for port in PORTS):
                answer = wall.ask(each["address6"], port, protocol, source=source)
                assert answer.who == expected6(each, protocol, port, source), (source, each["name"], protocol, port)
                assert answer.carrier == (carrier(each, out=False) if answer.who else None)


@laws
@given(jails=fleets())
def test_a_jail_reaches_itself_whom_a_record_names_and_what_is_published(wall: Wall, jails: list[Values]) -> None:
    load(wall, jails)
    for one in OWN:
        for protocol, port in ((protocol, port) for protocol in PROTOCOLS for port in PORTS):
            for other in jails:
                name = other["name"]
                itself = name == one and other["state"] == "running"
                known = itself or befriended(jails, one, name, protocol, port)
                found = wall.ask(address(name), port, protocol, jail=one).who
                assert found == (name if known else ""), (one, name, protocol, port)
                six = name if known else expected6(other, protocol, port, None)
                assert wall.ask(address6(name), port, protocol, jail=one).who == six, (one, name, protocol, port)
            for target in (*ADDRESSES, *OWN.values(), *HOST["own_addresses"]):
                found = wall.ask(target, port, protocol, jail=one).who
                assert found == expected(jails, target, protocol, port, None), (one, target, protocol, port)


@laws
@given(jails=fleets())
def test_every_jail_leaves_by_its_own_pipes_or_queues_and_its_own_address(wall: Wall, jails: list[Values]) -> None:
    load(wall, jails)
    for each in jails:
        source = each["public"] if each["publish_all"] else each["nat"]
        for target, own in ((CLIENT, source), (CLIENT6, each["address6"])):
            for protocol, port in (("tcp", 443), ("udp", 53), ("tcp", 25)):
                answer = wall.leaves(each["name"], target, port, protocol)
                if each["state"] != "running" or (port == 25 and not each["outgoing"]["smtp"]):
                    assert answer.who == "", (each["name"], target, port)
                else:
                    assert answer == ("outside", carrier(each, out=True), own, (f"jail:{each['name']}",))
