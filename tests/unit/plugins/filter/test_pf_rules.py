# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.filter.pf_rules import FilterModule
from model import connect, machine, task
from model.host import Host

pf_rules = FilterModule().filters()["pf_rules"]

NETBLOCKS = ["192.168.1.0/24"]
BOTH = ["192.168.1.0/24", "2001:db8:1::/64"]
ADDRESSES = ["203.0.113.10", "203.0.113.11"]
ISOLATION = {"rule": "block drop quick on lo inet from <jails> to <jails>"}


def test_pf_rules_of_two_jails(jails: list[dict[str, t.Any]]) -> None:
    result = pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=NETBLOCKS)
    assert result["tables"] == {"jails": NETBLOCKS}
    assert [(rule.get("jail"), rule["rule"]) for rule in result["rules"]] == [
        ("alice", "nat on vtnet0 inet from 192.168.1.17 to any tag jail_alice -> 203.0.113.10"),
        ("bob", "nat on vtnet0 inet from 192.168.1.18 to any tag jail_bob -> 203.0.113.10"),
        (
            "alice",
            "rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port 8017 tag jail_alice -> 192.168.1.17 port 22",
        ),
        (
            "alice",
            "rdr on vtnet0 inet proto udp from any to 203.0.113.11 port 53 tag jail_alice -> 192.168.1.17 port 5353",
        ),
        ("alice", "pass quick on lo inet from 192.168.1.17 to 192.168.1.17"),
        ("bob", "pass quick on lo inet from 192.168.1.18 to 192.168.1.18"),
        (None, ISOLATION["rule"]),
        (
            "alice",
            'pass out quick on vtnet0 inet tagged jail_alice keep state label "jail:alice" dnpipe (10034, 10035)',
        ),
        (
            "alice",
            'pass in quick on vtnet0 inet tagged jail_alice keep state label "jail:alice" dnpipe (10035, 10034)',
        ),
        ("bob", 'pass out quick on vtnet0 inet tagged jail_bob keep state label "jail:bob"'),
        ("bob", 'pass in quick on vtnet0 inet tagged jail_bob keep state label "jail:bob"'),
    ]


def isolation(jails: list[dict[str, t.Any]], netblocks: list[str]) -> list[tuple[str | None, str]]:
    rules = pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=netblocks)["rules"]
    return [(rule.get("jail"), rule["rule"]) for rule in rules if " on lo " in rule["rule"]]


def test_pf_rules_isolate_over_ipv6_too(jails: list[dict[str, t.Any]]) -> None:
    jails[0]["address6"] = "2001:db8:1::17"
    result = pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=BOTH)
    assert isolation(jails, BOTH) == [
        *isolation([{**jail, "address6": None} for jail in jails], NETBLOCKS),
        ("alice", "pass quick on lo inet6 from 2001:db8:1::17 to 2001:db8:1::17"),
        (None, "block drop quick on lo inet6 from <jails> to <jails>"),
    ]
    assert result["tables"] == {"jails": BOTH}


def test_pf_rules_isolate_on_a_host(jails: list[dict[str, t.Any]], tmp_path: Path) -> None:
    host = Host(tmp_path)
    machine.install(host, name="h1", address="203.0.113.10", addresses=["203.0.113.11"])
    machine.boot(host)
    for command in (["kldload", "pf"], ["kldload", "dummynet"], ["ifconfig", "lo1", "create"]):
        assert host.run(command).rc == 0
    for number, jail in enumerate(jails, 1):
        jail["address6"] = f"2001:db8:1::{jail['id']}"
        addresses = [f"ip4.addr=lo1|{jail['address']}", f"ip6.addr=lo1|{jail['address6']}"]
        assert host.run(["jail", "-c", f"name={jail['name']}", "path=/", "persist", *addresses]).rc == 0
        with host.kernel() as kernel:
            task.add(kernel, ["server"], jid=number, listen=[["tcp4", "*", 80, 3], ["tcp6", "*", 80, 4]])
    alice, bob = jails
    for key in ("address", "address6"):
        assert connect.connect(host, "", bob[key], "tcp", 80, jail="alice").result == "open"
    rules = pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=BOTH)
    table = " ".join(rules["tables"]["jails"])
    text = "\n".join([f"table <jails> {{ {table} }}", *(rule["rule"] for rule in rules["rules"])]) + "\n"
    assert host.run(["pfctl", "-f", "-"], text).rc == 0
    host.run(["pfctl", "-e"])
    for key in ("address", "address6"):
        assert connect.connect(host, "", bob[key], "tcp", 80, jail="alice").result == "denied"
        assert connect.connect(host, "", alice[key], "tcp", 80, jail="alice").result == "open"


def test_pf_rules_need_a_netblock(jails: list[dict[str, t.Any]]) -> None:
    with pytest.raises(ValueError, match="netblocks is empty"):
        pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=[])


@pytest.mark.parametrize("state", ["suspended", "absent"])
def test_pf_rules_leave_only_the_isolation(jails: list[dict[str, t.Any]], state: str) -> None:
    for jail in jails:
        jail["state"] = state
    assert pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=NETBLOCKS) == {
        "rules": [ISOLATION],
        "tables": {"jails": NETBLOCKS},
    }


def test_pf_rules_of_no_jails_still_isolate() -> None:
    assert pf_rules([], interface="vtnet0", addresses=ADDRESSES, netblocks=NETBLOCKS) == {
        "rules": [ISOLATION],
        "tables": {"jails": NETBLOCKS},
    }


def test_pf_rules_take_other_interfaces_and_numbers(jails: list[dict[str, t.Any]]) -> None:
    rules = pf_rules(
        jails, interface="em0", addresses=ADDRESSES, netblocks=NETBLOCKS, jail_interface="jails", base=100
    )["rules"]
    assert rules[4]["rule"] == "pass quick on jails inet from 192.168.1.17 to 192.168.1.17"
    assert rules[7]["rule"].startswith("pass out quick on em0 ")
    assert rules[7]["rule"].endswith(" dnpipe (134, 135)")


def test_pf_rules_stay_below_the_limits_of_pf(jails: list[dict[str, t.Any]]) -> None:
    jails[0]["name"] = "a" + 30 * "b"
    rule = pf_rules(jails, interface="vtnet0", addresses=ADDRESSES, netblocks=NETBLOCKS)["rules"][7]["rule"]
    tag, label = rule.split("tagged ")[1].split()[0], rule.split('"')[1]
    assert (tag, label) == (f"jail_{jails[0]['name']}", f"jail:{jails[0]['name']}")
    assert max(len(tag), len(label)) < 64


def test_pf_rules_need_an_address(jails: list[dict[str, t.Any]]) -> None:
    with pytest.raises(ValueError, match="addresses is empty"):
        pf_rules(jails, interface="vtnet0", addresses=[], netblocks=NETBLOCKS)
