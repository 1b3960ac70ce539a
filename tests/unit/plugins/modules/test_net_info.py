# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a host's network, on hosts that pf_anchor and dummynet_pipes have converged."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes
from model import connect
from support import network as support
from support.lab import Lab

from ..filter.conftest import host as host_values
from ..filter.conftest import jail

PUBLIC, OWN, CLIENT = "203.0.113.10", "203.0.113.20", "198.51.100.77"
OF_JAILS = "<jails>"
TRAFFIC = "/var/db/jailisp/pf_jailisp_traffic.json"
CAPPED = {"up": 10_000_000, "down": 20_000_000, "weight": 10}

Values = dict[str, t.Any]


def port(number: int | list[int], to: int, protocol: str = "tcp", sources: t.Sequence[str] = ()) -> Values:
    return {"protocol": protocol, "address": PUBLIC, "port": number, "to": to, "from": list(sources)}


def start(lab: Lab, record: Values) -> None:
    support.start(lab, {**record, "path": "/"})


def converge(lab: Lab, *jails: Values) -> None:
    support.converge(lab, host_values(netblocks=["192.168.1.0/24", "2001:db8:1::/64"]), *jails)


@pytest.fixture
def network(lab: Lab) -> Lab:
    """Return a host that has pf, dummynet and the interface of jails."""
    support.prepare(lab)
    return lab


def told(lab: Lab, *names: str) -> dict[str, Values]:
    """Return what is told of the jails that are named, or of all."""
    result = lab.check("net_info", **({"names": list(names)} if names else {}))
    assert not result.get("failed"), result["msg"]
    return t.cast(dict[str, Values], result["jails"])


def published(lab: Lab, name: str) -> set[tuple[str, ...]]:
    """Return what leads to a jail: protocol, address, port, port of the jail, who may come."""
    (found,) = told(lab, name).values()
    return {
        (*(each[key] for key in ("protocol", "address", "port", "to")), *each["from"]) for each in found["published"]
    }


def test_a_host_that_was_never_used_is_told_as_such(lab: Lab) -> None:
    result = lab.check("net_info", names=["alice"])
    assert result["pf"] == {"loaded": False, "enabled": False, "called": False}
    assert result["jails"]["alice"] == {
        "running": False,
        "vnet": False,
        "addresses": [],
        "rules": 0,
        "passed": [],
        "published": [],
        "translation": [],
        "smtp": True,
        "shaping": None,
        "traffic": {"received": 0, "sent": 0, "packets_received": 0, "packets_sent": 0},
        "states": {},
    }


def test_a_jail_with_a_cap_is_told_with_its_pipes(network: Lab) -> None:
    alice = jail("alice", 17, publish=[port(8017, 22)], bandwidth=CAPPED)
    start(network, alice)
    converge(network, alice)
    found = told(network)["alice"]
    assert (found["running"], found["vnet"], found["smtp"]) == (True, False, False)
    assert (found["addresses"], found["passed"]) == (["192.168.1.17"], ["192.168.1.17"])
    assert found["translation"] == [
        {"kind": "nat", "interface": "vtnet0", "source": "192.168.1.17", "public": PUBLIC},
    ]
    assert found["published"] == [
        {
            "protocol": "tcp",
            "address": PUBLIC,
            "port": "8017",
            "target": "192.168.1.17",
            "to": "22",
            "from": [OF_JAILS, "any"],
        }
    ]
    assert found["shaping"] == {
        "kind": "pipe",
        "up": {"number": 10034, "there": True, "rate": 10_000_000, "weight": None},
        "down": {"number": 10035, "there": True, "rate": 20_000_000, "weight": None},
    }


def test_a_jail_without_a_cap_is_told_with_its_share_of_the_line(network: Lab) -> None:
    bandwidth = {"up": None, "down": None, "weight": 30}
    converge(network, jail("bob", 18, bandwidth=bandwidth))
    assert told(network)["bob"]["shaping"] == {
        "kind": "queue",
        "up": {"number": 10036, "there": True, "rate": 10**9, "weight": 30},
        "down": {"number": 10037, "there": True, "rate": 10**9, "weight": 30},
    }


def test_a_line_of_any_rate_is_told_as_unlimited(network: Lab) -> None:
    bob = jail("bob", 18)
    converge(network, bob)
    faster: Values = {**pipes([bob], {"up": 10**10, "down": 10**10})}
    network.module("dummynet_pipes", **faster)
    assert told(network)["bob"]["shaping"]["up"]["rate"] == 0


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_missing_pipe_or_queue_is_told(network: Lab, name: str) -> None:
    alice, bob = jail("alice", 17, bandwidth=CAPPED), jail("bob", 18)
    converge(network, alice, bob)
    network.run("dnctl", "pipe", "delete", "10035")
    network.run("dnctl", "queue", "delete", "10037")
    shaping = told(network, name)[name]["shaping"]
    assert [shaping[end]["there"] for end in ("up", "down")] == [True, False]
    assert (shaping["down"]["rate"], shaping["down"]["weight"]) == (None, None)


def test_every_way_to_a_jail_is_told_with_who_may_come(network: Lab) -> None:
    sources = ["198.51.100.0/24", "192.0.2.1"]
    ports = [port(53, 5353, "udp"), port([9000, 9009], 9000), port(8017, 22, sources=sources)]
    nearby = [{"jail": "bob", "port": 3306}, {"network": "192.0.2.0/24", "protocol": "tcp", "port": 22}]
    alice = jail("alice", 17, publish=ports, allow_from=nearby)
    converge(network, alice, jail("bob", 18))
    assert published(network, "alice") == {
        ("udp", PUBLIC, "53", "5353", OF_JAILS, "any"),
        ("tcp", PUBLIC, "9000-9009", "9000-9009", OF_JAILS, "any"),
        ("tcp", PUBLIC, "8017", "22", "192.0.2.1", "198.51.100.0/24"),
        ("tcp", "192.168.1.17", "3306", "3306", "192.168.1.18"),
        ("tcp", "192.168.1.17", "22", "22", "192.0.2.0/24"),
    }
    assert published(network, "bob") == set()


def test_a_public_address_of_its_own_leads_to_it_whole(network: Lab) -> None:
    converge(network, jail("alice", 17, public=OWN, publish_all=True))
    assert published(network, "alice") == {("", OWN, "", "", OF_JAILS, "any")}
    assert told(network)["alice"]["translation"][0]["kind"] == "binat"


def test_a_port_is_published_over_ipv6_at_the_jails_own_address(network: Lab) -> None:
    alice = jail("alice", 17, address6="2001:db8:1::17", publish=[port(8017, 22)])
    start(network, alice)
    converge(network, alice)
    found = told(network)["alice"]
    assert found["addresses"] == found["passed"] == ["192.168.1.17", "2001:db8:1::17"]
    assert ("tcp", "2001:db8:1::17", "22", "22", OF_JAILS, "any") in published(network, "alice")


def test_of_a_stack_of_its_own_the_rules_say_which_addresses_pass(network: Lab) -> None:
    alice = jail("alice", 17, network="vnet", address6="2001:db8:1::17", publish=[port(8017, 22)])
    start(network, alice)
    converge(network, alice)
    found = told(network)["alice"]
    assert (found["vnet"], found["addresses"]) == (True, [])
    assert [each["interface"] for each in found["translation"]] == ["vtnet0"]
    assert found["passed"] == ["192.168.1.17", "2001:db8:1::17"]


def test_a_jail_that_may_send_mail_is_told_so(network: Lab) -> None:
    converge(network, jail("alice", 17, outgoing={"smtp": True}), jail("bob", 18))
    assert {name: found["smtp"] for name, found in told(network).items()} == {"alice": True, "bob": False}


def test_traffic_is_what_is_counted_now_and_before_earlier_loads(network: Lab) -> None:
    alice = jail("alice", 17, publish=[port(8017, 22)])
    start(network, alice)
    converge(network, alice)
    connection = connect.connect(network.host, CLIENT, PUBLIC, "tcp", 8017)
    assert connection.result == "open"
    connect.transfer(network.host, connection, 5000, 90000)
    before = told(network)["alice"]
    assert before["traffic"]["received"] >= 5000
    assert before["traffic"]["sent"] >= 90000
    assert (before["states"]["jail"], before["states"]["local"]) == (1, 0)
    converge(network, {**alice, "publish": [port(8117, 22)]})
    assert json.loads(network.path(TRAFFIC).read_text())["sums"]["jail:alice"]
    after = told(network)["alice"]
    assert (after["traffic"], after["states"]["jail"]) == (before["traffic"], 0)


def test_states_are_those_of_the_moment(network: Lab) -> None:
    alice = jail("alice", 17, publish=[port(8017, 22)])
    start(network, alice)
    converge(network, alice)
    for _each in range(3):
        connect.connect(network.host, CLIENT, PUBLIC, "tcp", 8017)
    assert told(network)["alice"]["states"]["jail"] == 3
    network.run("pfctl", "-k", "label", "-k", "jail:alice")
    assert told(network)["alice"]["states"]["jail"] == 0


def test_rules_without_effect_are_told(network: Lab) -> None:
    converge(network, jail("alice", 17))
    assert network.check("net_info")["pf"] == {"loaded": True, "enabled": True, "called": True}
    network.run("pfctl", "-f", "-", stdin="pass\n")
    network.run("pfctl", "-d")
    found = network.check("net_info")
    assert found["pf"] == {"loaded": True, "enabled": False, "called": False}
    assert found["jails"]["alice"]["rules"] > 0


def test_an_anchor_that_was_flushed_is_told_as_empty(network: Lab) -> None:
    alice = jail("alice", 17, publish=[port(8017, 22)])
    start(network, alice)
    converge(network, alice)
    for what in ("nat", "rules"):
        network.run("pfctl", "-a", "jailisp", "-F", what)
    found = told(network)["alice"]
    assert (found["running"], found["rules"], found["published"], found["shaping"]) == (True, 0, [], None)


def test_without_dummynet_no_pipe_is_there(network: Lab) -> None:
    converge(network, jail("alice", 17, bandwidth=CAPPED))
    network.run("kldunload", "-f", "dummynet")
    assert told(network)["alice"]["shaping"]["up"]["there"] is False


def test_jails_without_rules_and_rules_without_jails_are_told(network: Lab) -> None:
    network.run("jail", "-c", "name=theirs", "path=/", "persist")
    converge(network, jail("alice", 17, state="stopped"))
    found = told(network)
    assert {name: (each["running"], each["rules"] > 0) for name, each in found.items()} == {
        "alice": (False, True),
        "theirs": (True, False),
    }
    assert set(told(network, "alice", "nobody")) == {"alice", "nobody"}


def test_what_a_customer_names_within_his_jail_can_be_printed(network: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    run = network.runner.run

    def hostile(command: t.Any) -> t.Any:
        done = run(command)
        if command.argv[0] == "jls":
            answer = {
                "jail-information": {"jail": [{"name": "alice.\x1b[2J\nbob", "jid": "7", "path": "/", "ip4.addr": []}]}
            }
            return type(done)(command, 0, json.dumps(answer), "")
        return done

    monkeypatch.setattr(network.runner, "run", hostile)
    assert list(told(network)) == ["alice.\\x1b[2J\\nbob"]


def test_a_rule_of_a_jail_that_nobody_knows_is_an_error(network: Lab) -> None:
    converge(network, jail("alice", 17))
    network.run(
        "pfctl", "-a", "jailisp", "-f", "-", stdin='pass in proto tcp from any port 5 to any label "jail:alice"\n'
    )
    result = network.module("net_info")
    assert result["failed"]
    assert "a rule of the jail alice that is not known" in result["msg"]


def test_an_anchor_of_another_name_is_asked_for(network: Lab) -> None:
    converge(network, jail("alice", 17))
    assert network.module("net_info", anchor="other")["jails"] == {}
    assert "no name for an anchor" in network.module("net_info", anchor="a b")["msg"]


@pytest.mark.parametrize("count", [1, 20])
def test_processes_do_not_grow_with_the_jails(network: Lab, count: int) -> None:
    jails = [jail(f"j{number}", number, publish=[port(8000 + number, 22)]) for number in range(20, 20 + count)]
    for each in jails:
        start(network, each)
    converge(network, *jails)
    assert network.processes("net_info") == 9
