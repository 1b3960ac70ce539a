# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.space import Space, parse_spaces, shortage

TEXT = """\
tank/jails\t98304\t24576\t1000000\t0\t0\t0
tank/jails/alice\t500\t400\t100\t900\t600\t0
tank/jails/alice@jailisp-upgrade\t8192\t400\t-\t-\t-\t-
"""
ALICE = Space(used=500, referenced=400, available=100, quota=900, refquota=600, reservation=0)


def test_a_list_is_read() -> None:
    found = parse_spaces(TEXT)
    assert list(found) == ["tank/jails", "tank/jails/alice", "tank/jails/alice@jailisp-upgrade"]
    assert found["tank/jails/alice"] == ALICE
    assert found["tank/jails/alice@jailisp-upgrade"] == Space(8192, 400, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("there", "above", "needed", "more", "said"),
    [
        (ALICE, 10000, 400, 200, ""),
        (ALICE, 10000, 401, 0, "401 bytes are needed beside what its snapshot keeps, and there is room for 400"),
        (ALICE, 10000, 400, 201, "its world grows by 201 bytes, and there is room for 200"),
        (ALICE, 300, 400, 0, "400 bytes are needed beside what its snapshot keeps, and there is room for 300"),
        (Space(500, 400, 0, 0, 0, 800), 100, 400, 400, ""),
        (Space(500, 400, 0, 0, 0, 800), 100, 401, 0, "401 bytes are needed beside what its snapshot keeps"),
        (Space(500, 700, 0, 400, 600, 0), 100, 1, 0, "1 bytes are needed beside what its snapshot keeps"),
    ],
)
def test_what_lacks_is_told_with_both_numbers(there: Space, above: int, needed: int, more: int, said: str) -> None:
    found = shortage(there, above, needed, more)
    assert found.startswith(said)
    assert bool(found) == bool(said)
