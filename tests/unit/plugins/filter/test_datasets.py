# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.datasets import FilterModule
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import worlds

GIB = 1 << 30
LIMITS = {"refquota": 4 * GIB, "quota": 6 * GIB, "reservation": GIB}


def test_only_jails_with_a_dataset_that_are_not_absent_have_one(jails: list[dict[str, t.Any]]) -> None:
    with_dataset = {**jails[0], "dataset": "tank/jails/alice", "reservation": GIB}
    absent = {**with_dataset, "name": "carol", "state": "absent"}
    assert FilterModule().filters()["datasets"]([with_dataset, jails[1], absent]) == [
        {"name": "tank/jails/alice", "jail": "alice", "create": False, "properties": LIMITS}
    ]
    assert worlds([with_dataset])[0]["properties"] == LIMITS
    assert "properties" not in worlds([jails[1]])[0]


def test_room_for_snapshots_is_in_percent_of_the_disk(jails: list[dict[str, t.Any]]) -> None:
    def quota(disk: int, room: int) -> int:
        jail = {**jails[0], "dataset": "tank/jails/alice", "limits": {"disk": disk}, "snapshot_room": room}
        (found,) = FilterModule().filters()["datasets"]([jail])
        assert found["properties"]["reservation"] == 0
        return int(found["properties"]["quota"])

    assert quota(4 * GIB, 100) == 4 * GIB
    assert quota(4 * GIB, 325) == 13 * GIB
    # zfs(8) takes no more.
    assert quota(1 << 62, 300) == (1 << 63) - 1
