# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module jails at work on jails with network stacks of their own."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import SCRIPT
from model import machine, net
from model.host import Host
from model.questions import Questions
from support.lab import Lab, Result, copy

ROOTS, GATEWAY, GATEWAY6 = "/usr/local/jails/h1", "192.168.1.1", "2001:db8:1::1"
IDS = {"alice": 17, "bob": 18}
CONFIGURATION = "/etc/jail.conf.d/alice.conf"


def jails(*names: str, **changes: t.Any) -> dict[str, t.Any]:
    each = [
        {
            "name": name,
            "path": f"{ROOTS}/{name}",
            "ip4": [f"192.168.1.{IDS[name]}"],
            "ip6": [f"2001:db8:1::{IDS[name]}"],
            "vnet": {"id": IDS[name], "gateway4": GATEWAY, "gateway6": GATEWAY6},
            **changes,
        }
        for name in names or ("alice",)
    ]
    return {"jails": each, "exec_timeout": 60, "stop_timeout": 1}


@pytest.fixture
def made(lab: Lab, world: Path) -> Lab:
    """Return a host with a bridge and the roots of two jails."""
    lab.module("host_settings", interfaces=["lo1", "bridge0"], devfs_rulesets=[4])
    lab.run("ifconfig", "bridge0", "inet", f"{GATEWAY}/24", "up")
    lab.run("ifconfig", "bridge0", "inet6", f"{GATEWAY6}/64")
    for oid in ("net.inet.ip.forwarding", "net.inet6.ip6.forwarding"):
        lab.run("sysctl", f"{oid}=1")
    for name in IDS:
        for part in world.iterdir():
            copy(part, lab.path(f"{ROOTS}/{name}") / part.name)
    return lab


def names(lab: Lab) -> list[str]:
    return sorted(name for name in lab.run("ifconfig", "-l").split() if name.startswith(("vps", "epair")))


def inside(lab: Lab, name: str = "alice") -> str:
    return lab.run("ifconfig", "-j", name, f"vps{IDS[name]}b")


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


def test_a_jail_has_its_end_of_the_link_and_its_routes(made: Lab) -> None:
    result = made.converge("jails", **jails("alice", "bob"))
    assert result["commands"][0] == f"write {SCRIPT}"
    assert names(made) == ["vps17a", "vps18a"]
    shown = inside(made)
    assert "ether 02:76:70:00:11:0b" in shown
    assert "inet 192.168.1.17 netmask 0xffffffff" in shown
    assert "inet6 2001:db8:1::17 prefixlen 128" in shown
    bridge = made.run("ifconfig", "bridge0")
    assert "member: vps17a flags=940<PRIVATE,AUTOEDGE,AUTOPTP>" in bridge
    assert "? (192.168.1.17) at 02:76:70:00:11:0b permanent\n" in made.run("arp", "-an")
    ask = Questions(made.host)
    assert {answer.interface for answer in ask.reach("192.0.2.1", 80, jail="alice").answers} == {"bridge0", "vtnet0"}
    for address in ("192.168.1.17", "2001:db8:1::17"):
        assert ask.reach(address, protocol="icmp", jail="bob").jail == "alice"


def test_a_jail_survives_a_reboot(made: Lab) -> None:
    made.converge("jails", **jails())
    before = inside(made)
    made.run("jail", "-f", CONFIGURATION, "-r", "alice")
    assert names(made) == []
    made.run("jail", "-f", CONFIGURATION, "-c", "alice")
    assert inside(made) == before
    assert not made.module("jails", **jails())["changed"]


@pytest.mark.parametrize("state", ["stopped", "suspended", "absent"])
def test_a_jail_that_shall_not_run_leaves_no_link(made: Lab, state: str) -> None:
    made.converge("jails", **jails("alice", "bob"))
    both = jails("alice", "bob")["jails"]
    made.converge("jails", **{**jails(), "jails": [{**both[0], "state": state}, both[1]]})
    assert names(made) == ["vps18a"]


def test_addresses_change_live(made: Lab) -> None:
    made.converge("jails", **jails())
    jid = made.module("jail_info")["jails"]["alice"]["jid"]
    result = made.converge("jails", **jails(ip4=["192.168.1.99"], ip6=[]))
    assert result["commands"] == [
        f"/bin/sh {SCRIPT} give vps17 alice 02:76:70:00:11:0b 192.168.1.99 {GATEWAY}",
        f"write {CONFIGURATION}",
    ]
    assert made.module("jail_info")["jails"]["alice"]["jid"] == jid
    shown = inside(made)
    assert ("192.168.1.99" in shown, "192.168.1.17" in shown, "2001:db8:1::17" in shown) == (True, False, False)


def test_own_stack_and_the_hosts_change_by_a_restart(made: Lab) -> None:
    made.converge("jails", **jails())
    result = made.converge("jails", **jails(vnet=None))
    assert result["pending_restart"] == {"alice": ["vnet"]}
    made.converge("jails", **jails(vnet=None, restart=True))
    assert names(made) == []
    assert made.module("jail_info")["jails"]["alice"]["ip4"] == ["192.168.1.17"]
    made.converge("jails", **jails(restart=True))
    assert names(made) == ["vps17a"]
    assert "192.168.1.17" not in made.run("ifconfig", "lo1")


def lose_the_link(lab: Lab) -> None:
    lab.run("ifconfig", "vps17a", "destroy")


def lose_the_file(lab: Lab) -> None:
    lab.path(CONFIGURATION).unlink()


def lose_the_jail(lab: Lab) -> None:
    lab.run("jail", "-R", "alice")


def change_the_script(lab: Lab) -> None:
    lab.path(SCRIPT).write_text("#!/bin/sh\n")


@pytest.mark.parametrize("drift", [lose_the_link, lose_the_file, lose_the_jail, change_the_script])
def test_drift_is_found_and_mended(made: Lab, drift: t.Callable[[Lab], None]) -> None:
    made.converge("jails", **jails())
    before = inside(made)
    drift(made)
    assert made.converge("jails", **jails())["changed"]
    assert (inside(made), names(made)) == (before, ["vps17a"])


def test_link_of_a_start_that_failed_is_made_anew(made: Lab) -> None:
    """A killed start may leave the epair under any of its names."""
    made.run("ifconfig", "epair7017", "create")
    made.run("ifconfig", "epair7017b", "name", "vps17b")
    made.converge("jails", **jails())
    assert names(made) == ["vps17a"]


def test_link_that_no_jail_has_is_removed(made: Lab) -> None:
    made.converge("jails", **jails("alice", "bob"))
    made.run("jail", "-R", "alice")
    made.path(CONFIGURATION).unlink()
    result = made.converge("jails", **jails("bob"))
    assert result["commands"] == [f"/bin/sh {SCRIPT} remove vps17 epair7017"]
    assert (result["before"], result["after"]) == ({"interface vps17a": "there\n"}, {"interface vps17a": None})
    assert names(made) == ["vps18a"]


def test_jail_that_refuses_to_stop_loses_its_link_too(made: Lab) -> None:
    made.converge("jails", **jails())
    made.path(f"{ROOTS}/alice/etc/rc.shutdown").write_text("exit 1\n")
    assert not made.module("jails", **jails(state="stopped")).get("failed")
    assert names(made) == []


def test_epairs_of_others_stay(made: Lab) -> None:
    made.run("ifconfig", "epair", "create")
    made.run("ifconfig", "epair5", "create")
    made.converge("jails", **jails())
    made.converge("jails", **jails(state="absent"))
    assert names(made) == ["epair0a", "epair0b", "epair5a", "epair5b"]


def test_jail_without_its_bridge_does_not_start(made: Lab) -> None:
    made.run("ifconfig", "bridge0", "destroy")
    assert "bridge0" in errors(made.module("jails", **jails()))["alice"]
    assert "alice" not in made.module("jail_info")["jails"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vnet": {"id": 0, "gateway4": GATEWAY, "gateway6": GATEWAY6}}, "vnet: id: 0 is not from 1 to 24999"),
        ({"vnet": {"id": 17, "bridge": "em0", "gateway4": GATEWAY, "gateway6": GATEWAY6}}, "'em0' is no bridge's name"),
        ({"vnet": {"id": 17}}, "vnet: gateway4: missing"),
        ({"ip4": ["192.168.1.17", "192.168.1.18"]}, "takes one address"),
        ({"vnet": {"id": 17, "gateway4": "; reboot", "gateway6": GATEWAY6}}, "vnet: gateway4"),
    ],
)
def test_what_no_link_could_carry_is_refused(made: Lab, changes: dict[str, t.Any], said: str) -> None:
    result = made.module("jails", **jails(**changes))
    assert result["failed"]
    assert result["msg"].startswith("jails: alice: ") and said in result["msg"]


class Killed(BaseException):
    """Stands for the end of the script's process."""


def cut_off(lab: Lab, monkeypatch: pytest.MonkeyPatch, after: int, *argv: str) -> bool:
    """Run the script and kill it at one of its commands; say whether it came so far."""
    counted = iter(range(after))

    def log(_host: Host, _argv: t.Sequence[str]) -> None:
        if next(counted, None) is None:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Host, "log", log)
        try:
            lab.host.run(["/bin/sh", SCRIPT, *argv])
        except Killed:
            return True
    return False


MAKE = ("make", "vps17", "epair7017", "bridge0", "02:76:70:00:11:0a", "02:76:70:00:11:0b")
GIVE = ("give", "vps17", "alice", "02:76:70:00:11:0b", "192.168.1.99", GATEWAY)


def test_link_that_was_half_made_is_made_anew(made: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made.converge("jails", **jails())
    made.run("jail", "-f", CONFIGURATION, "-r", "alice")
    whole, killed = "", 0
    while cut_off(made, monkeypatch, killed, *MAKE):
        killed += 1
        assert not made.module("jails", **jails()).get("failed")
        assert names(made) == ["vps17a"]
        whole = whole or inside(made)
        assert inside(made) == whole
        made.run("jail", "-f", CONFIGURATION, "-r", "alice")
    assert killed > 8


def test_change_of_addresses_that_was_cut_off_is_ended(made: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made.converge("jails", **jails(ip6=[]))
    killed = 0
    while cut_off(made, monkeypatch, killed, *GIVE):
        killed += 1
        made.converge("jails", **jails(ip6=[], ip4=["192.168.1.99"]))
        shown = inside(made)
        assert ("192.168.1.99" in shown, "192.168.1.17" in shown) == (True, False)
        made.converge("jails", **jails(ip6=[]))
    assert killed > 6


def test_reading_takes_as_many_processes_for_many_jails(made: Lab) -> None:
    made.converge("jails", **jails("alice", "bob"))
    assert made.processes("jails", **jails("alice", "bob")) == made.processes("jails", **jails("alice"))


def test_reboot_starts_jails_with_their_links(made: Lab) -> None:
    for line in ('cloned_interfaces="lo1 bridge0"', f'ifconfig_bridge0="inet {GATEWAY}/24"', 'jail_enable="YES"'):
        made.run("sysrc", line.replace('"', ""))
    made.run("sysrc", "jail_list=alice")
    made.converge("jails", **jails(ip6=[]))
    machine.power_off(made.host)
    machine.boot(made.host)
    with made.host.kernel() as kernel:
        assert [each for _name, each, _bits in net.addresses(kernel, "alice")].count("192.168.1.17") == 1
    assert not made.module("jails", **jails(ip6=[]))["changed"]
