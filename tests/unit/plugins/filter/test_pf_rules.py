# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules the jails of a host become; what packets make of them is asked in test_pf_questions.py."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.pf_rules import FilterModule

from .conftest import host

pf_rules = FilterModule().filters()["pf_rules"]

Jails = list[dict[str, t.Any]]
HOST_WIDE = [
    "block drop quick on vtnet0 from <barred> to any",
    "block drop quick on vtnet0 from any to <barred>",
    "block drop quick on vtnet0 from <blocked> to any",
    "block drop quick on vtnet0 from any to <blocked>",
    "block drop in quick on vtnet0 from <jails> to any",
    'pass quick on lo from <host> to <jails> keep state label "local"',
    "block drop quick on lo from <jails> to any",
    "block drop quick on lo from any to <jails>",
    "block drop quick on vtnet0 from any to <jails>",
    "block drop quick on vtnet0 from <jails> to any",
]
HAIRPIN = 'pass out quick on lo from <jails> to <public> keep state label "local"'
LOCALHOST = ["127.0.0.1", "198.51.100.11", "203.0.113.10", "203.0.113.11", "::1"]


def of_jail(jails: Jails, name: str, **changes: t.Any) -> list[str]:
    return [rule["rule"] for rule in pf_rules(jails, host(**changes))["rules"] if rule.get("jail") == name]


def test_a_jail_with_a_cap_and_two_ports(jails: Jails) -> None:
    tag, state = "jail_alice", 'keep state label "jail:alice"'
    assert of_jail(jails, "alice") == [
        f"nat on vtnet0 inet from 192.168.1.17 to any tag {tag} -> 203.0.113.10",
        f"rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port 8017 tag {tag} -> 192.168.1.17 port 22",
        f"rdr on vtnet0 inet proto udp from any to 203.0.113.11 port 53 tag {tag} -> 192.168.1.17 port 5353",
        f"rdr on lo0 inet proto tcp from <jails> to 203.0.113.10 port 8017 tag {tag} -> 192.168.1.17 port 22",
        f"rdr on lo0 inet proto udp from <jails> to 203.0.113.11 port 53 tag {tag} -> 192.168.1.17 port 5353",
        'pass quick on lo inet from 192.168.1.17 to 192.168.1.17 keep state label "local:alice"',
        f'pass in quick on lo inet tagged {tag} keep state label "local:alice"',
        f'block return out quick on vtnet0 inet proto tcp from any to any port 25 tagged {tag} label "smtp:alice"',
        f"pass out quick on vtnet0 inet tagged {tag} {state} dnpipe (10034, 10035)",
        f"pass in quick on vtnet0 inet tagged {tag} {state} dnpipe (10035, 10034)",
    ]


def test_a_jail_without_a_cap_has_queues_and_one_without_ports_no_hairpin(jails: Jails) -> None:
    rules = of_jail(jails, "bob")
    assert [rule.split()[0] for rule in rules] == ["nat", "pass", "block", "pass", "pass"]
    assert [rule.partition('" ')[2] for rule in rules[-2:]] == ["dnqueue (10036, 10037)", "dnqueue (10037, 10036)"]


def test_the_rules_of_the_host_and_its_tables(jails: Jails) -> None:
    result = pf_rules(jails, host(blocked=["192.0.2.0/24"]))
    wide = [rule["rule"] for rule in result["rules"] if "jail" not in rule]
    assert wide == [*HOST_WIDE[:5], HAIRPIN, *HOST_WIDE[5:]]
    public = ["203.0.113.10", "203.0.113.11"]
    assert result["tables"] == {
        "jails": ["192.168.1.0/24"],
        "barred": ["192.0.2.0/24"],
        "host": LOCALHOST,
        "public": public,
    }
    assert result["kept_tables"] == ["blocked"]
    assert result["unskipped"] == ["lo", "lo0", "lo1", "vtnet0"]


def test_every_filter_rule_is_quick_and_comes_after_translation(jails: Jails) -> None:
    kinds = [rule["rule"].split()[0] for rule in pf_rules(jails, host())["rules"]]
    first = next(place for place, kind in enumerate(kinds) if kind in ("pass", "block"))
    assert {*kinds[:first]} == {"nat", "rdr"}
    assert all(" quick " in rule["rule"] for rule in pf_rules(jails, host())["rules"][first:])


@pytest.mark.parametrize("state", ["suspended", "absent"])
def test_without_a_network_only_the_isolation_is_left(jails: Jails, state: str) -> None:
    result = pf_rules([{**jail, "state": state} for jail in jails], host())
    assert [rule["rule"] for rule in result["rules"]] == HOST_WIDE
    assert result == pf_rules([], host())
    assert result["tables"]["public"] == []


def test_what_holds_on_one_outside_interface_holds_on_all(jails: Jails) -> None:
    one = [rule["rule"] for rule in pf_rules(jails, host())["rules"]]
    both = [rule["rule"] for rule in pf_rules(jails, host(interfaces=["em1"]))["rules"]]
    outside = [rule for rule in one if " on vtnet0 " in rule]
    assert [rule for rule in both if " on em1 " not in rule] == one
    assert sorted(rule.replace("em1", "vtnet0") for rule in both if " on em1 " in rule) == sorted(outside)


def test_a_range_of_ports_with_restricted_sources(jails: Jails) -> None:
    sources = ["198.51.100.0/24", "203.0.113.99", "2001:db8:2::/48"]
    entry = {"protocol": "tcp", "address": "203.0.113.10", "port": (9000, 9009), "to": 100, "from": sources}
    jails[0] |= {"publish": [entry], "address6": "2001:db8:1::17"}
    rules = of_jail(jails, "alice", netblocks=["192.168.1.0/24", "2001:db8:1::/64"])
    assert [rule for rule in rules if rule.startswith("rdr")] == [
        "rdr on vtnet0 inet proto tcp from { 198.51.100.0/24, 203.0.113.99 } to 203.0.113.10 port 9000:9009 "
        "tag jail_alice -> 192.168.1.17 port 100:*"
    ]
    assert (
        "pass in quick on vtnet0 inet6 proto tcp from 2001:db8:2::/48 to 2001:db8:1::17 port 100:109 "
        'keep state label "jail:alice" dnpipe (10035, 10034)'
    ) in rules
    assert not [rule for rule in rules if "lo inet6 proto" in rule]


def test_connections_come_from_the_address_that_the_record_says(jails: Jails) -> None:
    jails[1]["nat"] = "203.0.113.11"
    assert of_jail(jails, "bob")[0] == "nat on vtnet0 inet from 192.168.1.18 to any tag jail_bob -> 203.0.113.11"


def test_a_jail_that_has_a_public_address_all_for_itself(jails: Jails) -> None:
    jails[1] |= {"public": "203.0.113.65", "publish_all": True, "nat": "203.0.113.65"}
    assert of_jail(jails, "bob")[:2] == [
        "binat on vtnet0 inet from 192.168.1.18 to any tag jail_bob -> 203.0.113.65",
        "rdr on lo0 inet from <jails> to 203.0.113.65 tag jail_bob -> 192.168.1.18",
    ]


def test_limits_of_connections_are_of_each_rule(jails: Jails) -> None:
    jails[1]["connections"] = {"states": 5000, "rate": "200/10"}
    states = [rule.partition("keep state ")[2].partition(" label")[0] for rule in of_jail(jails, "bob")[-2:]]
    assert states == ["(max 5000, source-track rule, max-src-conn-rate 200/10)", "(max 5000)"]


def test_tags_and_labels_stay_below_the_limits_of_pf(jails: Jails) -> None:
    jails[0]["name"] = name = "a" + 30 * "b"
    words = " ".join(of_jail(jails, name)).replace('"', " ").split()
    assert max(len(word) for word in words if name in word) < 64
