# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.upgrades import FilterModule


def test_every_jail_that_is_not_absent_is_given_with_its_own_tcp_ports(jails: list[dict[str, t.Any]]) -> None:
    alice, bob = jails
    ports = [
        {"protocol": protocol, "address": "203.0.113.10", "port": port, "to": to}
        for protocol, port, to in (("tcp", 8017, 22), ("tcp", 8018, 22), ("udp", 53, 53))
    ]
    image = {**bob, "image": "/var/jail-images/bob.img"}
    absent = {**bob, "name": "carol", "state": "absent"}
    assert FilterModule().filters()["upgrades"]([{**alice, "publish": ports}, image, absent]) == [
        {**{key: alice[key] for key in ("name", "path", "release", "address")}, "ports": [22]},
        {
            **{key: bob[key] for key in ("name", "path", "release", "address")},
            "ports": [],
            "image": {"file": "/var/jail-images/bob.img", "unit": bob["id"]},
        },
    ]
