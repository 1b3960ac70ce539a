# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jails with stacks of their own: epairs and a bridge, and the ways of their packets."""

from __future__ import annotations

import typing as t

import pytest

from model import machine, task
from model.host import Host
from model.questions import Questions

if t.TYPE_CHECKING:
    from pathlib import Path

PUBLIC, CLIENT, GATEWAY = "203.0.113.10", "198.51.100.7", "10.8.0.1"
ADDRESSES = {"alice": "10.8.0.17", "bob": "10.8.0.18"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A gateway on bridge0 and two jails behind it, each with /32 and a route by way of the gateway."""
    host = Host(tmp_path)
    machine.install(host, name="h1", address=PUBLIC)
    machine.boot(host)
    run(host, "kldload pf", f"ifconfig bridge0 create inet {GATEWAY}/24 up", "sysctl net.inet.ip.forwarding=1")
    for jid, (name, address) in enumerate(ADDRESSES.items(), 1):
        run(
            host,
            f"ifconfig epair{jid} create up",
            f"ifconfig bridge0 addm epair{jid}a private epair{jid}a",
            f"jail -c name={name} path=/ persist vnet vnet.interface=epair{jid}b",
            f"ifconfig -j {name} epair{jid}b inet {address}/32",
            f"route -j {name} -n add -host {GATEWAY} -interface epair{jid}b",
            f"route -j {name} -n add default {GATEWAY}",
        )
        with host.kernel() as kernel:
            task.add(kernel, ["server"], jid=jid, listen=[["tcp4", "*", 80, 3]])
    return host


def run(host: Host, *lines: str) -> list[str]:
    done = [host.run(line.split()) for line in lines]
    assert not [(line, each.err) for line, each in zip(lines, done, strict=True) if each.rc], done
    return [each.out.rstrip("\n") for each in done]


def load(host: Host, rules: str) -> Questions:
    host.run(["pfctl", "-e"])
    assert host.run(["pfctl", "-f", "-"], rules).rc == 0
    return Questions(host)


def passed(ask: Questions, destination: str, **more: t.Any) -> tuple[str, list[tuple[str, str]]]:
    found = ask.reach(destination, 80, **more)
    return found.result, [(answer.direction, answer.interface) for answer in found.answers]


def test_packets_come_in_on_the_bridge_and_are_forwarded(host: Host) -> None:
    ask = load(host, f"nat on vtnet0 from 10.8.0.0/24 to any -> {PUBLIC}\npass\n")
    way = [("in", "bridge0"), ("out", "vtnet0"), ("in", "vtnet0"), ("out", "bridge0")]
    assert passed(ask, "192.0.2.1", jail="alice") == ("open", way)
    run(host, "sysctl net.inet.ip.forwarding=0")
    assert Questions(host).reach("192.0.2.1", 80, jail="alice").result == "timeout"


def test_member_is_filtered_too_if_that_is_asked_for(host: Host) -> None:
    run(host, "sysctl net.link.bridge.pfil_member=1", "sysctl net.link.bridge.pfil_local_phys=1")
    ask = load(host, f"nat on vtnet0 from 10.8.0.0/24 to any -> {PUBLIC}\npass no state\n")
    assert passed(ask, "192.0.2.1", jail="alice")[1][:2] == [("in", "epair1a"), ("in", "bridge0")]


def test_redirection_leads_into_a_jail(host: Host) -> None:
    ask = load(host, f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 8080 -> {ADDRESSES['bob']} port 80\npass\n")
    found = ask.reach(PUBLIC, 8080, source=CLIENT)
    assert (found.jail, found.answers[-1].source) == ("bob", (PUBLIC, 8080))


def test_private_members_meet_only_by_way_of_the_gateway(host: Host) -> None:
    ask = load(host, "pass\n")
    found = ask.reach(ADDRESSES["bob"], 80, jail="alice")
    assert (found.jail, {answer.interface for answer in found.answers}) == ("bob", {"bridge0"})
    # A jail that takes its neighbour to be on its own wire gets no answer: the bridge keeps them apart.
    run(host, "ifconfig -j alice epair1b inet 10.8.0.17/24")
    assert Questions(host).reach(ADDRESSES["bob"], 80, jail="alice").result == "timeout"
    run(host, "ifconfig bridge0 -private epair1a", "ifconfig -j bob epair2b inet 10.8.0.18/24")
    assert Questions(host).reach(ADDRESSES["bob"], 80, jail="alice").reached


def test_neighbour_that_the_host_was_told_of_keeps_its_address(host: Host) -> None:
    run(host, f"ifconfig -j alice epair1b inet {ADDRESSES['bob']}/32 alias")
    assert Questions(host).reach(ADDRESSES["bob"], 80).jail == "alice"
    mac = run(host, "ifconfig -j bob epair2b ether")[0].split("ether ")[1].split()[0]
    run(host, f"arp -S {ADDRESSES['bob']} {mac}")
    assert Questions(host).reach(ADDRESSES["bob"], 80).jail == "bob"
    assert run(host, "arp -an") == [f"? ({ADDRESSES['bob']}) at {mac} permanent"]


def test_shared_address_cannot_answer_for_a_public_one_by_way_of_the_bridge(host: Host) -> None:
    """What lo0 redirected to a jail behind the bridge is answered past lo0, and not turned back."""
    run(host, "ifconfig lo1 create", "jail -c name=carol path=/ persist ip4.addr=lo1|10.9.0.1")
    rdr = f"rdr on lo0 proto tcp from 10.9.0.1 to {PUBLIC} port 8080 -> {ADDRESSES['bob']} port 80\npass\n"
    assert load(host, rdr).reach(PUBLIC, 8080, jail="carol").result == "timeout"
    # From the bridge it works, since the answer leaves by it.
    rdr = f"rdr on bridge0 proto tcp from any to {PUBLIC} port 8080 -> {ADDRESSES['bob']} port 80\npass\n"
    assert load(host, rdr).reach(PUBLIC, 8080, jail="alice").jail == "bob"


def test_renamed_epair_keeps_its_unit_and_its_peer(host: Host) -> None:
    assert run(host, "ifconfig epair9 create", "ifconfig epair9a name vps9a") == ["epair9a", "vps9a"]
    assert host.run(["ifconfig", "epair9", "create"]).rc == 1
    assert host.run(["ifconfig", "vps9a", "name", "lo0"]).err == (
        "ifconfig: ioctl SIOCSIFNAME (set name): File exists\n"
    )
    run(host, "ifconfig vps9a destroy")
    assert host.run(["ifconfig", "epair9b"]).rc == 1


def test_flags_of_members_are_shown(host: Host) -> None:
    run(host, "ifconfig bridge0 -learn epair1a -discover epair1a static epair1a 02:00:00:00:00:01")
    lines = run(host, "ifconfig bridge0")[0].splitlines()
    assert "\tmember: epair1a flags=940<PRIVATE,AUTOEDGE,AUTOPTP>" in lines
    assert host.run(["ifconfig", "bridge0", "private", "epair1b"]).rc == 1
