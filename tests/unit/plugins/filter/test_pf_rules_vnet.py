# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for jails with network stacks of their own: as text, and asked by packets on a host that was converged."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.filter.jails_parameters import FilterModule as Jails
from ansible_collections.jailisp.vps.plugins.filter.pf_rules import FilterModule as Rules
from ansible_collections.jailisp.vps.plugins.filter.pipes import FilterModule as Pipes
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import vnet
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import SCRIPT, TEXT, give, make
from model import machine, prison, task
from model.host import Host
from model.questions import Questions
from support.lab import Lab, copy

from .conftest import host as host_values
from .conftest import jail

pf_rules = Rules().filters()["pf_rules"]
pipes = Pipes().filters()["pipes"]
jails_parameters = Jails().filters()["jails_parameters"]

PUBLIC, CLIENT, WORLD = "203.0.113.10", "198.51.100.7", "192.0.2.80"
NETBLOCKS = ["192.168.1.0/24", "2001:db8:1::/64"]
GATEWAYS = ["192.168.1.1", "2001:db8:1::1"]
LINK = {"bridge": "bridge0", "gateways": GATEWAYS}
# What the role host sets where there is a bridge.
SYSCTL = {
    "net.inet.ip.forwarding": "1",
    "net.inet6.ip6.forwarding": "1",
    "net.link.bridge.pfil_local_phys": "1",
    "net.link.bridge.pfil_member": "1",
}


def port(number: int, to: int) -> dict[str, t.Any]:
    return {"protocol": "tcp", "address": PUBLIC, "port": number, "to": to, "from": []}


def records() -> list[dict[str, t.Any]]:
    """Return alice and bob behind the bridge, and carol, who shares the host's stack; each publishes ssh."""
    capped = {"up": 10_000_000, "down": 20_000_000, "weight": 10}
    own = {"network": "vnet", "bandwidth": capped}
    return [
        jail("alice", 17, **own, address6="2001:db8:1::17", publish=[port(8017, 22)]),
        jail("bob", 18, **own, address6="2001:db8:1::18", publish=[port(8018, 22)]),
        jail("carol", 19, publish=[port(8019, 22)]),
    ]


def rules(jails: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", pf_rules(jails, host_values(netblocks=NETBLOCKS, **LINK)))


def reached_as_sold(ask: Questions, jails: list[dict[str, t.Any]], one: dict[str, t.Any]) -> None:
    """Check one jail: its port, its pipe or queue in both directions, its label, and that it reaches no other jail."""
    kind = "pipe" if one["bandwidth"]["up"] else "queue"
    own = [(kind, 10000 + 2 * one["id"] + end) for end in (0, 1)]
    number = 8000 + one["id"]
    found = ask.reach(PUBLIC, number, source=CLIENT)
    assert found.jail == (one["name"] if one["publish"] else None)
    assert list(found.pipes) == (own[::-1] if one["publish"] else [])
    found = ask.reach(WORLD, 443, jail=one["name"])
    assert (found.result, list(found.pipes), set(found.labels)) == ("open", own, {f"jail:{one['name']}"})
    for other in (each for each in jails if each is not one):
        assert not ask.reach(other["address"], 22, jail=one["name"]).reached
        if one["network"] == "vnet" and other["publish"]:
            assert ask.reach(PUBLIC, 8000 + other["id"], jail=one["name"]).jail == other["name"]


def start(host: Host, record: dict[str, t.Any]) -> None:
    """Start a jail as its file would, with something that listens."""
    (parameters,) = jails_parameters([record], interface="lo1", **LINK)
    own = vnet("jails", {"vnet": None, **parameters}, parameters["ip4"], parameters["ip6"])
    how = ["vnet"] if own else [f"ip4.addr=lo1|{record['address']}"]
    commands: list[t.Sequence[str]] = [["jail", "-c", f"name={record['name']}", "path=/", "persist", *how]]
    commands = [make(own).argv, *commands, give(own, record["name"]).argv] if own else commands
    assert [host.run(command).rc for command in commands] == [0] * len(commands)
    with host.kernel() as kernel:
        jid = next(each["jid"] for each in prison.prisons(kernel) if each["name"] == record["name"])
        task.add(kernel, ["server"], jid=jid, listen=[["tcp4", "*", 22, 3]])


def shape(host: Host, jails: list[dict[str, t.Any]]) -> None:
    """Make the pipes and queues of jails, and of the line."""
    flows = pipes(jails, host_values()["link"])
    lines = [f"pipe {each['number']} config bw {each['bandwidth']}" for each in flows["pipes"]]
    lines += [f"queue {each['number']} config pipe {each['pipe']} weight {each['weight']}" for each in flows["queues"]]
    assert [host.run(["dnctl", *line.split()]).rc for line in lines] == [0] * len(lines)


KINDS = st.tuples(st.sampled_from(["shared", "vnet"]), st.booleans(), st.booleans())


@settings(max_examples=5)
@given(st.lists(KINDS, min_size=2, max_size=4))
def test_any_jails_of_a_host_get_what_was_sold(installed: Path, kinds: list[tuple[str, bool, bool]]) -> None:
    capped, free = {"up": 10_000_000, "down": 20_000_000, "weight": 10}, {"up": None, "down": None, "weight": 10}
    jails = [
        jail(f"j{number}", number, network=network, publish=[port(8000 + number, 22)] if publishes else [],
             bandwidth=capped if is_capped else free)
        for number, (network, publishes, is_capped) in enumerate(kinds, 20)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        copy(installed, Path(folder, "h1"))
        host = Host(Path(folder, "h1"))
        host.path(SCRIPT).parent.mkdir(parents=True, exist_ok=True)
        host.path(SCRIPT).write_text(TEXT)
        lines = ["kldload pf dummynet", "ifconfig lo1 create", f"ifconfig bridge0 create inet {GATEWAYS[0]}/24 up"]
        lines += [f"sysctl {name}={value}" for name, value in SYSCTL.items()]
        assert [host.run(line.split()).rc for line in lines] == [0] * len(lines)
        for record in jails:
            start(host, record)
        shape(host, jails)
        made = rules(jails)
        tables = {**made["tables"], **dict.fromkeys(made["kept_tables"], ())}
        loaded = "".join(f"table <{name}> persist {{ {' '.join(each)} }}\n" for name, each in tables.items())
        loaded += "".join(f"{each['rule']}\n" for each in made["rules"]) + "pass\n"
        assert host.run(["pfctl", "-ef", "-"], loaded).rc == 0
        ask = Questions(host)
        for one in jails:
            reached_as_sold(ask, jails, one)


def test_rules_of_the_bridge() -> None:
    texts = [each["rule"] for each in rules([records()[0]])["rules"]]
    start = texts.index("pass in quick on vps17a inet from 192.168.1.17 to any no state")
    end = texts.index("block drop quick on bridge0")
    assert [text for text in texts[:start] if "bridge0" in text] == [
        "nat on bridge0 inet from 192.168.1.17 to 192.168.1.17 tag jail_alice -> 192.168.1.1",
        "rdr on bridge0 inet proto tcp from <jails> to 203.0.113.10 port 8017 tag jail_alice -> 192.168.1.17 port 22",
    ]
    assert texts[start : end + 1] == [
        "pass in quick on vps17a inet from 192.168.1.17 to any no state",
        "pass in quick on vps17a inet6 from 2001:db8:1::17 to any no state",
        "pass in quick on vps inet6 proto icmp6 from fe80::/10 to any icmp6-type neighbrsol no state",
        "pass in quick on vps inet6 proto icmp6 from fe80::/10 to any icmp6-type neighbradv no state",
        "block drop in quick on vps",
        "pass quick on bridge0 inet6 proto icmp6 icmp6-type neighbrsol no state",
        "pass quick on bridge0 inet6 proto icmp6 icmp6-type neighbradv no state",
        "pass in quick on bridge0 inet tagged jail_alice keep state (if-bound)",
        "pass quick on bridge0 inet6 proto tcp from <jails> to 2001:db8:1::17 port 22 keep state (if-bound)",
        "pass out quick on bridge0 inet6 proto tcp from any to 2001:db8:1::17 port 22 keep state (if-bound)",
        "pass out quick on bridge0 tagged jail_alice keep state (if-bound)",
        "pass out quick on bridge0 from 192.168.1.1 to <jails> keep state (if-bound)",
        "pass out quick on bridge0 from 2001:db8:1::1 to <jails> keep state (if-bound)",
        "block drop quick on bridge0 from <jails> to <jails>",
        "block drop in quick on bridge0 from any to (self)",
        "pass in quick on bridge0 inet from 192.168.1.17 to any tag jail_alice keep state (if-bound)",
        "pass in quick on bridge0 inet6 from 2001:db8:1::17 to any tag jail_alice keep state (if-bound)",
        "block drop quick on bridge0",
    ]


def test_no_rules_of_a_bridge_where_nobody_is_on_it() -> None:
    assert not [each for each in rules(records()[2:])["rules"] if "bridge0" in each["rule"] or "vps" in each["rule"]]


@pytest.fixture(scope="module")
def converged(installed: Path, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a host with the three jails, its pf open to whatever our anchor does not decide."""
    directory = tmp_path_factory.mktemp("vnet") / "h1"
    copy(installed, directory)
    with pytest.MonkeyPatch.context() as patch:
        lab = Lab(Host(directory), patch)
        lab.converge(
            "host_settings",
            kernel_modules=["pf", "dummynet", "if_bridge", "if_epair"],
            interfaces=["lo1", "bridge0"],
            interface_addresses={"bridge0": [f"{GATEWAYS[0]}/24", f"{GATEWAYS[1]}/64"]},
            devfs_rulesets=[4],
            sysctl=SYSCTL,
        )
        for record in records():
            for part in world.iterdir():
                copy(part, lab.path(record["path"]) / part.name)
        lab.converge("dummynet_pipes", **pipes(records(), host_values()["link"]))
        lab.path("/etc/pf.conf").write_text("pass\n")
        lab.module("pf_anchor", **rules(records()))
        lab.module("jails", jails=jails_parameters(records(), interface="lo1", **LINK))
        with lab.host.kernel() as kernel:
            jids = {found["name"]: found["jid"] for found in prison.prisons(kernel)}
            for name, jid in jids.items():
                task.add(kernel, [f"server of {name}"], jid=jid, listen=[["tcp4", "*", 22, 3], ["tcp4", "*", 80, 4]])
    return directory


@pytest.fixture
def ask(converged: Path) -> Questions:
    return Questions(Host(converged))


@pytest.mark.parametrize(("number", "name"), [(8017, "alice"), (8018, "bob"), (8019, "carol")])
def test_each_published_port_reaches_its_jail(ask: Questions, number: int, name: str) -> None:
    found = ask.reach(PUBLIC, number, source=CLIENT)
    assert (found.jail, found.answers[-1].source) == (name, (PUBLIC, number))
    assert found.labels == {f"jail:{name}"}


@pytest.mark.parametrize("number", [22, 80, 8016, 8020])
def test_nothing_else_reaches_a_jail(ask: Questions, number: int) -> None:
    assert ask.reach(PUBLIC, number, source=CLIENT).jail is None
    # Somebody beside the host on its outside network sends to the private address itself.
    for name in ("17", "18"):
        assert not ask.reach(f"192.168.1.{name}", number, source=CLIENT).reached


def test_traffic_of_a_jail_goes_through_its_own_pipes(ask: Questions) -> None:
    for name, first in (("alice", 10034), ("bob", 10036)):
        found = ask.reach(WORLD, 443, jail=name)
        assert (found.result, found.pipes) == ("open", (("pipe", first), ("pipe", first + 1)))
        assert [each.interface for each in found.answers[:3]] == [f"vps{(first - 10000) // 2}a", "bridge0", "vtnet0"]
        # Counted once, though its packets come in twice.
        assert [each.labels for each in found.answers].count((f"jail:{name}",)) == 2
    found = ask.reach(PUBLIC, 8017, source=CLIENT)
    assert found.pipes == (("pipe", 10035), ("pipe", 10034))


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_no_jail_reaches_another(ask: Questions, name: str) -> None:
    for record in records():
        for port in (22, 80):
            for address in (record["address"], *([record["address6"]] if record["address6"] else [])):
                found = ask.reach(address, port, jail=name)
                assert found.reached == (record["name"] == name and ":" not in address), (address, port)


def test_no_jail_reaches_the_host(ask: Questions) -> None:
    for address in (*GATEWAYS, PUBLIC):
        assert not ask.reach(address, 22, jail="alice").reached


def test_host_reaches_its_jails(ask: Questions) -> None:
    assert ask.reach("192.168.1.17", 22).jail == "alice"
    assert ask.reach("192.168.1.18", 22).jail == "bob"


def test_jails_behind_the_bridge_reach_what_is_published(ask: Questions) -> None:
    for number, name in ((8017, "alice"), (8018, "bob"), (8019, "carol")):
        assert ask.reach(PUBLIC, number, jail="alice").jail == name


@pytest.mark.parametrize("source", ["192.168.1.18", "192.168.1.19", "192.168.1.1", CLIENT, "2001:db8:1::18"])
def test_jail_sends_only_from_its_own_address(ask: Questions, source: str) -> None:
    target = "2001:db8:ffff::1" if ":" in source else WORLD
    found = ask.reach(target, 443, jail="alice", source=source)
    assert (found.result, [each.interface for each in found.answers]) == ("timeout", ["vps17a"])


def test_jail_that_takes_the_address_of_another_gets_nothing_of_it(converged: Path, tmp_path: Path) -> None:
    copy(converged, tmp_path / "h1")
    host = Host(tmp_path / "h1")
    assert host.run(["ifconfig", "-j", "alice", "vps17b", "inet", "192.168.1.18/32", "alias"]).rc == 0
    found = Questions(host).reach(PUBLIC, 8018, source=CLIENT)
    assert found.jail == "bob"


def test_administrator_gets_in(ask: Questions) -> None:
    assert ask.packet("in", "vtnet0", CLIENT, PUBLIC, 22).passed


def test_link_without_rules_is_shut(converged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(converged, tmp_path / "h1")
    lab = Lab(Host(tmp_path / "h1"), monkeypatch)
    lab.module("pf_anchor", **rules(records()[:1]))
    asked = Questions(lab.host)
    assert asked.reach(WORLD, 443, jail="alice").reached
    assert not asked.reach(WORLD, 443, jail="bob").reached


def test_reboot_brings_jails_and_bridge_back(converged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(converged, tmp_path / "h1")
    lab = Lab(Host(tmp_path / "h1"), monkeypatch)
    machine.power_off(lab.host)
    machine.boot(lab.host)
    lab.module("host_settings", interfaces=["lo1", "bridge0"], devfs_rulesets=[4],
               interface_addresses={"bridge0": [f"{GATEWAYS[0]}/24", f"{GATEWAYS[1]}/64"]})  # fmt: skip
    lab.module("jails", jails=jails_parameters(records(), interface="lo1", **LINK))
    assert sorted(lab.module("jail_info")["jails"]) == ["alice", "bob", "carol"]
    assert "inet 192.168.1.17 " in lab.run("ifconfig", "-j", "alice", "vps17b")
