# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import ID_MAX, Route, Vnet, vnet
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import give, links, made, make, remove
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import given as given_by

IDS = st.integers(1, ID_MAX)
# What the kernel takes: IFNAMSIZ with its end, and IF_MAXUNIT.
LONGEST_NAME, LAST_UNIT = 15, 32767


def link(number: int) -> Vnet:
    found = vnet("x", {"vnet": {"id": number, "bridge": "bridge0", "gateway4": "10.0.0.1", "gateway6": None}},
                 ["10.0.0.9"], [])  # fmt: skip
    assert found is not None
    return found


@given(IDS)
def test_names_and_units_are_such_as_the_kernel_takes(number: int) -> None:
    one = link(number)
    assert len(f"{one.pair}b") <= LONGEST_NAME and len(f"{one.name}b") <= LONGEST_NAME
    assert int(one.pair.removeprefix("epair")) <= LAST_UNIT


@given(IDS, IDS)
def test_no_two_ends_have_one_address(number: int, other: int) -> None:
    macs = [each.mac(end) for each in dict.fromkeys((link(number), link(other))) for end in "ab"]
    assert len(set(macs)) == len(macs)
    # Unicast, and locally administered.
    assert all(int(mac[:2], 16) & 0b11 == 0b10 and len(mac) == 17 for mac in macs)


@given(IDS)
def test_what_a_file_says_is_read_again(number: int) -> None:
    one = link(number)
    text = "".join(f'  exec.x = "{command}";\n' for command in (make(one), give(one, "alice"), remove(one)))
    assert (made(text), given_by(text)) == (one.name, str(give(one, "alice")))
    assert links([f"{one.name}a", f"{one.name}b", "epair0a", "vpsa", f"x{one.name}a"]) == {one.name}


def test_a_jail_has_a_route_for_each_of_its_addresses() -> None:
    record = {"vnet": {"id": 7, "bridge": "bridge0", "gateway4": "10.0.0.1", "gateway6": "FD00::1"}}
    found = vnet("x", record, ["10.0.0.9"], ["fd00::9"])
    assert found == Vnet(7, "bridge0", (Route("10.0.0.9", "10.0.0.1"), Route("fd00::9", "fd00::1")))
    assert vnet("x", record, [], []) == Vnet(7, "bridge0", ())
    assert vnet("x", {"vnet": None}, ["10.0.0.9"], []) is None
