# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.jails_parameters import FilterModule


def test_jails_parameters_of_two_jails(jails: list[dict[str, t.Any]]) -> None:
    jails[0]["address6"] = "2001:db8:1::17"
    assert FilterModule().filters()["jails_parameters"](jails, interface="lo1") == [
        {
            "name": "alice",
            "path": "/usr/local/jails/h1/alice",
            "hostname": "www.alice.example.net",
            "state": "running",
            "interface": "lo1",
            "ip4": ["192.168.1.17"],
            "ip6": ["2001:db8:1::17"],
            "restart": False,
            "securelevel": 2,
            "sysvipc": "new",
            "allow": ["reserved_ports", "suser"],
        },
        {
            "name": "bob",
            "path": "/usr/local/jails/h1/bob",
            "hostname": "www.bob.example.net",
            "state": "stopped",
            "interface": "lo1",
            "ip4": ["192.168.1.18"],
            "ip6": [],
            "restart": True,
            "securelevel": 2,
            "sysvipc": "new",
            "allow": ["reserved_ports", "suser"],
        },
    ]


def test_jails_parameters_of_no_jails() -> None:
    assert FilterModule().filters()["jails_parameters"]([], interface="lo1") == []
