# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from .conftest import ALICE, PLAN, FleetFolder

BOB = "host: h1\ncustomer: alice\nplan: base\nid: 18\naddress: 192.168.1.18\n"
PUBLIC = {"vps_public": ["203.0.113.64/28"]}
FILE = "jails/alice.yml:6: "


@pytest.fixture
def pair(fleet: FleetFolder) -> FleetFolder:
    """Return a fleet with bob beside alice, and public addresses for jails."""
    fleet.write("jails/bob.yml", BOB)
    fleet.hosts["h1"] |= PUBLIC
    return fleet


def resolved(fleet: FleetFolder) -> dict[str, t.Any]:
    """Return alice's jail."""
    return next(jail for jail in fleet.compile()["h1"] if jail["name"] == "alice")


WRONG = [
    ("public: 203.0.113.99\n", "public: 203.0.113.99 is not in vps_public of h1; add it there or choose another"),
    ("publish_all: true\n", "publish_all: has no address that is the jail's alone; give it public"),
    ("nat: 203.0.113.99\n", "nat: 203.0.113.99 is no address of h1; choose one of 203.0.113.10, 203.0.113.11"),
    (
        "publish: [{port: 80, to: 80, address: 203.0.113.70}]\n",
        "publish[0].address: 203.0.113.70 is no address of h1; choose one of 203.0.113.10, 203.0.113.11",
    ),
    (
        "publish: [{port: 8000-8009, to: 65530}]\n",
        "publish[0].to: 65530 and the ports after it go beyond 65535; choose a lower one",
    ),
    (
        "publish: [{port: 8000-8999, to: 1000}, {port: 8999, to: 1}]\n",
        "publish[1].port: tcp port 8999 of 203.0.113.10 is taken by alice (jails/alice.yml:6); choose a free one",
    ),
    (
        "publish: [{port: 20-30, to: 20}]\n",
        "publish[0].port: tcp port 22 of 203.0.113.10 is where Ansible reaches h1; choose another",
    ),
    ("allow_from: [{port: 80}]\n", "allow_from[0].jail: missing; add it, or a network"),
    ("allow_from: [{jail: carol}]\n", "allow_from[0].jail: carol is unknown; name a jail of the fleet"),
    (
        "allow_from: [{jail: alice}]\n",
        "allow_from[0].jail: alice is this jail itself, which reaches itself anyway; remove it",
    ),
    (
        "connections: {rate: 200}\n",
        "connections.rate: 200 is not text; put it in quotes",
    ),
]


@pytest.mark.parametrize(("text", "error"), WRONG, ids=[text.strip() for text, error in WRONG])
def test_what_cannot_be_is_refused(pair: FleetFolder, text: str, error: str) -> None:
    pair.append(text)
    assert pair.errors() == [FILE + error]


def test_an_entry_means_a_jail_or_a_network(pair: FleetFolder) -> None:
    pair.append("allow_from: [{jail: bob, network: 10.0.0.0/8}]\n")
    assert pair.errors() == [
        f"{FILE}allow_from[0].jail: stands beside network; make it an entry of its own",
        f"{FILE}allow_from[0].network: stands beside jail; make it an entry of its own",
    ]


def test_a_jail_on_another_host_is_not_let_in(pair: FleetFolder) -> None:
    pair.hosts["h2"] = {**pair.hosts["h1"], "vps_addresses": ["203.0.113.20"], "vps_netblock": "192.168.2.0/24"}
    pair.hosts["h2"]["vps_public"] = []
    pair.write("jails/bob.yml", BOB.replace("h1", "h2").replace("192.168.1", "192.168.2"))
    pair.append("allow_from: [{jail: bob}]\n")
    assert pair.errors() == [
        f"{FILE}allow_from[0].jail: bob is on h2, not on h1; publish the port to it, by from",
    ]


def test_two_jails_do_not_have_one_public_address(pair: FleetFolder) -> None:
    pair.write("jails/bob.yml", f"{BOB}public: 203.0.113.65\n")
    pair.append("public: 203.0.113.65\n")
    assert pair.errors() == [
        "jails/bob.yml:6: public: 203.0.113.65 is taken by alice (jails/alice.yml:6); choose a free one"
    ]


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("vps_nat", "203.0.113.99", "203.0.113.99 is not in vps_addresses; choose one of 203.0.113.10, 203.0.113.11"),
        ("vps_interfaces", ["em1", "vtnet0"], "vtnet0 is vps_interface already; remove it here"),
        ("vps_public", ["2001:db8::/64"], "2001:db8::/64 is not IPv4; jails have IPv6 addresses by address6"),
        (
            "vps_public",
            ["192.168.0.0/16"],
            "192.168.0.0/16 overlaps 192.168.1.0/24, the jails' vps_netblock; choose another",
        ),
    ],
)
def test_what_a_host_cannot_have_is_refused(fleet: FleetFolder, variable: str, value: t.Any, error: str) -> None:
    fleet.hosts["h1"][variable] = value
    assert fleet.errors() == [f"hosts.yml: h1: {variable}: {error}"]


def test_a_plan_whose_address_the_host_does_not_have_is_refused(fleet: FleetFolder) -> None:
    fleet.write("plans/base.yml", f"{PLAN}nat: 203.0.113.99\n")
    assert fleet.errors() == [
        "jails/alice.yml:3: plan: base has a nat that is no address of h1; choose one of 203.0.113.10, 203.0.113.11"
    ]


def test_the_address_of_connections_is_the_jails_then_the_plans_then_the_hosts(fleet: FleetFolder) -> None:
    assert resolved(fleet)["nat"] == "203.0.113.10"
    fleet.hosts["h1"] |= {"vps_nat": "203.0.113.11", **PUBLIC}
    assert resolved(fleet)["nat"] == "203.0.113.11"
    fleet.write("plans/base.yml", f"{PLAN}nat: 203.0.113.10\n")
    assert resolved(fleet)["nat"] == "203.0.113.10"
    fleet.append("public: 203.0.113.65\n")
    assert resolved(fleet)["nat"] == "203.0.113.65"
    fleet.append("public: 203.0.113.65\nnat: 203.0.113.11\n")
    assert resolved(fleet)["nat"] == "203.0.113.11"


def test_a_published_port_is_at_the_jails_own_address_if_it_has_one(fleet: FleetFolder) -> None:
    fleet.hosts["h1"] |= PUBLIC
    fleet.write("jails/alice.yml", f"{ALICE}public: 203.0.113.65\npublish: [{{port: 8000-8009, to: 80}}]\n")
    assert resolved(fleet)["publish"] == [
        {"protocol": "tcp", "address": "203.0.113.65", "port": (8000, 8009), "to": 80, "from": []}
    ]


def test_a_jails_record_overrides_its_plans_limits(fleet: FleetFolder) -> None:
    assert (resolved(fleet)["outgoing"], resolved(fleet)["connections"]) == (
        {"smtp": False},
        {"states": None, "rate": None},
    )
    fleet.write("plans/base.yml", f"{PLAN}outgoing: {{smtp: true}}\nconnections: {{states: 5000, rate: 200/10}}\n")
    fleet.append("outgoing: {smtp: false}\nconnections: {states: 9000}\n")
    assert (resolved(fleet)["outgoing"], resolved(fleet)["connections"]) == (
        {"smtp": False},
        {"states": 9000, "rate": "200/10"},
    )
