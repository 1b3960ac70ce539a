# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

BOB = "host: h1\ncustomer: alice\nplan: base\nid: 18\n"


def test_check_unique_names_an_address6_however_it_is_written(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    fleet.append("address6: 2001:db8:1::17\n")
    fleet.write("jails/bob.yml", BOB + "address: 192.168.1.18\naddress6: 2001:0DB8:1:0:0::17\n")
    assert fleet.errors() == [
        "jails/bob.yml:6: address6: 2001:db8:1::17 is taken by alice (jails/alice.yml:6); choose a free one"
    ]


@pytest.mark.parametrize("address", ["203.0.113.10", "203.0.113.11"])
def test_check_unique_names_a_jail_with_a_host_s_public_address(fleet: t.Any, address: str) -> None:
    fleet.hosts["h2"] = {**fleet.hosts["h1"], "vps_addresses": ["198.51.100.1"], "vps_netblock": "203.0.113.0/24"}
    fleet.write("jails/bob.yml", BOB.replace("h1", "h2") + f"address: {address}\n")
    assert fleet.errors() == [f"jails/bob.yml:5: address: {address} is taken by h1 (hosts.yml: h1); choose a free one"]


@pytest.mark.parametrize(
    ("reached", "key"),
    [("192.168.1.17", "address"), ("2001:DB8:1::17", "address6")],
)
def test_check_unique_names_a_jail_with_the_address_of_a_host(fleet: t.Any, reached: str, key: str) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    fleet.surroundings = replace(fleet.surroundings, ways={"h1": {"ansible_host": reached}})
    fleet.append("address6: 2001:db8:1::17\n")
    line = {"address": 5, "address6": 6}[key]
    assert fleet.errors() == [
        f"jails/alice.yml:{line}: {key}: {reached.lower()} is taken by h1 (hosts.yml: h1); choose a free one"
    ]


def test_check_unique_takes_the_name_of_a_host_for_its_address(fleet: t.Any) -> None:
    fleet.hosts = {"192.168.1.17": fleet.hosts["h1"]}
    fleet.write("jails/alice.yml", (fleet.path / "jails/alice.yml").read_text().replace("h1", "192.168.1.17"))
    assert fleet.errors() == [
        "jails/alice.yml:5: address: 192.168.1.17 is taken by 192.168.1.17 (hosts.yml: 192.168.1.17); choose a free one"
    ]


def test_check_unique_lets_hosts_be_reached_by_one_address(fleet: t.Any) -> None:
    fleet.hosts["h2"] = {**fleet.hosts["h1"], "vps_addresses": ["203.0.113.20"], "vps_netblock": "192.168.2.0/24"}
    ways = {name: {"ansible_host": "198.51.100.1", "ansible_port": port} for name, port in (("h1", 1022), ("h2", 2022))}
    fleet.surroundings = replace(fleet.surroundings, ways=ways)
    assert len(fleet.compile()["h1"]) == 1
