# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._disk.parse import (
    Room,
    count_complaints,
    parse_rooms,
    parse_sizes,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

ALICE, BOB = "/usr/local/jails/h1/alice", "/usr/local/jails/h1/bob"


def test_sizes_are_those_of_the_paths_that_du_finished() -> None:
    assert parse_sizes(f"87857\t{ALICE}\n", [ALICE, BOB]) == {ALICE: 87857 * 1024}
    assert parse_sizes("", [ALICE]) == {}


@pytest.mark.parametrize("line", [f"12\t{ALICE}/deep", f"12 {ALICE}", f"-1\t{ALICE}", "12\t/etc", f"\t{ALICE}", "x"])
def test_a_line_that_is_none_of_ours_is_refused(line: str) -> None:
    with pytest.raises(ParseError, match="`du` printed a line"):
        parse_sizes(f"{line}\n", [ALICE])


def test_complaints_are_counted_for_the_path_that_they_are_about() -> None:
    text = (
        f"du: {ALICE}/tmp/x: No such file or directory\ndu: {ALICE}: Permission denied\n"
        f"du: {ALICE}-2/x: No such file or directory\ndu: No more memory for tracking hard links\n"
    )
    assert count_complaints(text, [ALICE, BOB]) == {ALICE: 2}


@given(st.text(), st.sampled_from([ALICE, BOB]))
def test_whatever_a_name_holds_the_jail_itself_is_told(name: str, path: str) -> None:
    assert count_complaints(f"du: {path}/{name}: No such file or directory\n", [ALICE, BOB])[path] >= 1


def test_rooms_are_in_the_order_of_the_paths() -> None:
    text = (
        "Filesystem    1024-blocks   Used   Avail Capacity  Mounted on\n"
        "/dev/vtbd0        8316764 262548 7638380     3%    /\n"
        "/dev/gpt/n 1        63004  70000   -1044   102%    /jails/n1\n"
    )
    assert parse_rooms(text, ["/var/jail-images", "/jails/n1"]) == {
        "/var/jail-images": Room(8316764 * 1024, 262548 * 1024, 7638380 * 1024, "/"),
        "/jails/n1": Room(63004 * 1024, 70000 * 1024, -1044 * 1024, "/jails/n1"),
    }


@pytest.mark.parametrize("lines", ["", "/dev/vtbd0 1 2 3 3% /\n/dev/vtbd0 1 2 3 3% /\n", "/dev/vtbd0 1 2 3 /\n"])
def test_rooms_that_are_not_as_many_as_the_paths_are_refused(lines: str) -> None:
    with pytest.raises(ParseError, match="`df` printed what is not known"):
        parse_rooms(f"Filesystem 1024-blocks Used Avail Capacity Mounted on\n{lines}", ["/jails/n1"])
