# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

FIRST, SECOND = "203.0.113.10", "203.0.113.11"


@pytest.mark.parametrize(
    ("way", "taken", "free"),
    [
        ({}, [(FIRST, 22), (SECOND, 22)], [(FIRST, 2222)]),
        ({"ansible_host": "h1.example.net"}, [(FIRST, 22), (SECOND, 22)], []),
        ({"ansible_host": "198.51.100.1"}, [(FIRST, 22), (SECOND, 22)], []),
        ({"ansible_host": FIRST}, [(FIRST, 22)], [(SECOND, 22)]),
        ({"ansible_host": SECOND, "ansible_port": "2222"}, [(SECOND, 2222)], [(FIRST, 2222), (SECOND, 22)]),
        ({"ansible_port": 2222}, [(FIRST, 2222), (SECOND, 2222)], [(FIRST, 22), (SECOND, 22)]),
        ({"ansible_port": None}, [(FIRST, 22)], []),
    ],
)
def test_check_ways_keeps_the_way_to_the_host_free(
    fleet: t.Any, way: dict[str, t.Any], taken: list[tuple[str, int]], free: list[tuple[str, int]]
) -> None:
    fleet.surroundings = replace(fleet.surroundings, ways={"h1": way})
    for address, port in taken:
        fleet.append(f"publish:\n  - {{to: 22, address: {address},\n     port: {port}}}\n")
        assert fleet.errors() == [
            f"jails/alice.yml:8: publish[0].port: tcp port {port} of {address} is where Ansible reaches h1; "
            "choose another"
        ]
    for address, port in free:
        fleet.append(f"publish: [{{port: {port}, to: 22, address: {address}}}]\n")
        assert fleet.compile()["h1"][0]["publish"][0]["port"] == port


def test_check_ways_leaves_udp_alone(fleet: t.Any) -> None:
    fleet.append("publish: [{port: 22, to: 22, protocol: udp}]\n")
    assert len(fleet.compile()["h1"][0]["publish"]) == 1


@pytest.mark.parametrize("port", ["ssh", "0", "65536", "-1", "٣", 10**30])
def test_check_ways_names_a_port_that_is_none(fleet: t.Any, port: t.Any) -> None:
    fleet.surroundings = replace(fleet.surroundings, ways={"h1": {"ansible_port": port}})
    assert fleet.errors() == ["hosts.yml: h1: ansible_port: is not a port; write a number from 1 to 65535"]
