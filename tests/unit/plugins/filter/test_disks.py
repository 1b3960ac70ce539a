# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.disks import FilterModule

ROOT = "/usr/local/jails/h1"


def test_every_jail_is_measured_as_what_it_is_the_absent_too(jails: list[dict[str, t.Any]]) -> None:
    alice, bob = jails
    carol = {**bob, "name": "carol", "path": f"{ROOT}/carol", "state": "absent", "dataset": "tank/jails/carol"}
    assert FilterModule().filters()["disks"]([{**alice, "image": "/images/alice.img"}, bob, carol]) == [
        {"name": "alice", "path": f"{ROOT}/alice", "image": {"file": "/images/alice.img", "unit": 17}},
        {"name": "bob", "path": f"{ROOT}/bob"},
        {"name": "carol", "path": f"{ROOT}/carol", "dataset": "tank/jails/carol"},
    ]
