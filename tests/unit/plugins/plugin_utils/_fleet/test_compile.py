# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import check_fleet
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import resolve_fleet, resolve_host
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Block, Fleet, Problem, Record, Sources
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document

# What the kernel lets a jail do whose plan says nothing of it.
HARDENED = {
    "securelevel": 2,
    "enforce_statfs": 2,
    "devfs_ruleset": 4,
    "children_max": 0,
    "sysvipc": "new",
    "allow": ["reserved_ports", "suser"],
}


# What its network is if no record says anything of it.
NETWORK: dict[str, t.Any] = {
    "public": None,
    "publish_all": False,
    "nat": "203.0.113.10",
    "allow_from": [],
    "outgoing": {"smtp": False},
    "connections": {"states": None, "rate": None},
}


def test_compile_fleet_resolves_a_short_record(fleet: t.Any) -> None:
    assert fleet.compile() == {
        "h1": [
            {
                "name": "alice",
                "id": 17,
                "host": "h1",
                "customer": "alice",
                "plan": "base",
                "address": "192.168.1.17",
                "address6": None,
                "hostname": "alice",
                "network": "shared",
                "state": "running",
                "retired": None,
                "neighbourhood": None,
                "path": "/usr/local/jails/h1/alice",
                "storage": "directory",
                "image": None,
                "dataset": None,
                "snapshot_room": 150,
                "release": "15.1-RELEASE-p1",
                "restart": False,
                "canary": False,
                "publish": [],
                **NETWORK,
                "limits": {"disk": 4 * 2**30, "memory": 512 * 2**20, "processes": 100, "cpu": 50},
                "reservation": None,
                "rctl": {},
                "bandwidth": {"up": 10_000_000, "down": 20_000_000, "weight": 10},
                "parameters": HARDENED,
            }
        ]
    }


def test_compile_fleet_resolves_a_record_that_overrides_everything(fleet: t.Any) -> None:
    release = {"archive": "/var/14.txz", "sha256": "0" * 64}
    fleet.hosts["h1"]["vps_releases"] = {**fleet.hosts["h1"]["vps_releases"], "14.3-RELEASE": release}
    fleet.hosts["h1"] |= {"vps_root": "/tank/jails", "vps_images": "/tank/images"}
    fleet.append(
        "storage: image\n"
        "hostname: www.example.net\nstate: stopped\nrestart: true\ncanary: true\nrelease: 14.3-RELEASE\n"
        "limits: {memory: 1G, disk: 8G, processes: 5, cpu: 200%}\n"
        "bandwidth: {up: 512Kbit/s, weight: 30}\n"
        "publish:\n  - {port: 8017, to: 22}\n  - {port: 53, to: 5353, protocol: udp, address: 203.0.113.11}\n"
    )
    (jail,) = fleet.compile()["h1"]
    assert jail == {
        "name": "alice",
        "id": 17,
        "host": "h1",
        "customer": "alice",
        "plan": "base",
        "address": "192.168.1.17",
        "address6": None,
        "hostname": "www.example.net",
        "network": "shared",
        "state": "stopped",
        "retired": None,
        "neighbourhood": None,
        "path": "/tank/jails/alice",
        "storage": "image",
        "image": "/tank/images/alice.img",
        "dataset": None,
        "snapshot_room": 150,
        "release": "14.3-RELEASE",
        "restart": True,
        "canary": True,
        "publish": [
            {"protocol": "tcp", "address": "203.0.113.10", "port": 8017, "to": 22, "from": []},
            {"protocol": "udp", "address": "203.0.113.11", "port": 53, "to": 5353, "from": []},
        ],
        **NETWORK,
        "limits": {"disk": 8 * 2**30, "memory": 2**30, "processes": 5, "cpu": 200},
        "reservation": None,
        "rctl": {},
        "bandwidth": {"up": 512_000, "down": 20_000_000, "weight": 30},
        "parameters": HARDENED,
    }


def test_compile_fleet_without_a_cap(fleet: t.Any) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%, bandwidth: {weight: 5}}")
    (jail,) = fleet.compile()["h1"]
    assert jail["bandwidth"] == {"up": None, "down": None, "weight": 5}


def test_compile_fleet_sorts_jails_and_keeps_hosts_without_any(fleet: t.Any) -> None:
    fleet.hosts["h2"] = {**fleet.hosts["h1"], "vps_netblock": "192.168.2.0/24", "vps_addresses": ["203.0.113.20"]}
    fleet.write("jails/aaron.yml", "{host: h1, customer: alice, plan: base, id: 18, address: 192.168.1.18}")
    compiled = fleet.compile()
    assert [jail["name"] for jail in compiled["h1"]] == ["aaron", "alice"]
    assert compiled["h2"] == []


def _host(number: int, host: dict[str, t.Any]) -> dict[str, t.Any]:
    network = f"10.{number // 256}.{number % 256}"
    return {**host, "vps_addresses": [f"172.16.{number // 256}.{number % 256}"], "vps_netblock": f"{network}.0/24"}


def _read(file: str, text: str, problems: list[Problem]) -> Record:
    block = read_document(text, file, problems)
    return Record(file, file.partition("/")[2].partition(".")[0], block or Block({}))


def _seconds(jails: int, host: dict[str, t.Any], customer: str) -> tuple[float, int]:
    """Return the time that reading, checking and resolving so many jails takes, and the number of errors."""
    hosts = {f"h{number}": _host(number, host) for number in range(jails // 50)}
    start = time.process_time()
    problems: list[Problem] = []
    plan = "{disk: 4G, memory: 1G, processes: 9, cpu: 50%}"
    records = [
        _read(
            f"jails/j{number}.yml",
            f"host: h{number // 50}\ncustomer: {customer}{number}\nplan: base\nid: {number + 1}\n"
            f"address: 10.{number // 50 // 256}.{number // 50 % 256}.{number % 50 + 1}\n"
            f"publish:\n  - {{port: {8000 + number % 50}, to: 22}}\n",
            problems,
        )
        for number in range(jails)
    ]
    customers = [
        _read(f"customers/c{number}.yml", "{name: C, contact: c@example.net}", problems) for number in range(jails)
    ]
    fleet = Fleet([_read("plans/base.yml", plan, problems)], customers, records)
    checked = check_fleet(fleet, hosts, Sources(), problems)
    if not problems:
        assert sum(len(resolved) for resolved in resolve_fleet(checked).values()) == jails
    return time.process_time() - start, len(problems)


def test_compile_fleet_takes_time_in_proportion_to_its_records(fleet: t.Any) -> None:
    few, errors = _seconds(2000, fleet.hosts["h1"], "c")
    many, more_errors = _seconds(10000, fleet.hosts["h1"], "c")
    assert (errors, more_errors) == (0, 0)
    assert many < few * 10


def test_compile_fleet_takes_time_in_proportion_to_its_errors(fleet: t.Any) -> None:
    few, errors = _seconds(2000, fleet.hosts["h1"], "unknown")
    many, more_errors = _seconds(10000, fleet.hosts["h1"], "unknown")
    assert (errors, more_errors) == (2000, 10000)
    assert many < few * 10


def test_a_dataset_has_its_name_and_what_is_set_aside(fleet: t.Any) -> None:
    fleet.hosts["h1"].update(vps_storage="dataset", vps_pool="tank", vps_snapshot_room="200%")
    fleet.append("limits: {reservation: 1G}\n")
    (jail,) = fleet.compile()["h1"]
    assert (jail["dataset"], jail["snapshot_room"], jail["reservation"]) == ("tank/jails/alice", 200, 2**30)


def test_a_jails_storage_is_its_own_or_its_hosts(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_storage"] = "image"
    (jail,) = fleet.compile()["h1"]
    assert (jail["storage"], jail["image"]) == ("image", "/var/jail-images/alice.img")
    fleet.append("storage: directory\n")
    (jail,) = fleet.compile()["h1"]
    assert (jail["storage"], jail["image"]) == ("directory", None)


def test_a_jails_rules_go_over_its_plans_one_by_one(fleet: t.Any) -> None:
    fleet.write(
        "plans/base.yml",
        "{disk: 4G, memory: 1G, processes: 9, cpu: 50%, rctl: {nthr:deny: 50, nshm:deny: none, vmemoryuse:log: 2g}}",
    )
    fleet.append("limits: {rctl: {nthr:deny: none, readbps:throttle: 20M}}\n")
    (jail,) = fleet.compile()["h1"]
    assert jail["rctl"] == {
        "nthr:deny": "none",
        "nshm:deny": "none",
        "vmemoryuse:log": 2 * 2**30,
        "readbps:throttle": 20 * 2**20,
    }


def test_a_plan_relaxes_what_it_names(fleet: t.Any) -> None:
    fleet.write(
        "plans/base.yml",
        "{disk: 4G, memory: 1G, processes: 9, cpu: 50%, jail: {sysvipc: disable, allow: [suser, raw_sockets]}}",
    )
    (jail,) = fleet.compile()["h1"]
    assert jail["parameters"] == {**HARDENED, "sysvipc": "disable", "allow": ["suser", "raw_sockets"]}


def test_a_hosts_own_addresses_are_its_public_ones_unless_it_has_others(fleet: t.Any) -> None:
    assert resolve_host(fleet.project().check().hosts["h1"])["own_addresses"] == ["203.0.113.10", "203.0.113.11"]
    fleet.hosts["h1"]["vps_own_addresses"] = ["198.51.100.1", "2001:db8:9::1"]
    assert resolve_host(fleet.project().check().hosts["h1"])["own_addresses"] == ["198.51.100.1", "2001:db8:9::1"]


def test_a_host_is_the_gateway_of_its_netblocks(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    host = resolve_host(fleet.project().check().hosts["h1"])
    assert (host["bridge"], host["gateways"]) == ("bridge0", ["192.168.1.1", "2001:db8:1::1"])
    assert host["bridge_addresses"] == ["192.168.1.1/24", "2001:db8:1::1/64"]
