# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
LINES = st.lists(LINE.filter(lambda line: line not in (block.BEGIN, block.END)), max_size=5)


@given(ours=LINES, others=LINES)
def test_splitting_returns_what_was_joined_first(ours: list[str], others: list[str]) -> None:
    rest = "".join(f"{line}\n" for line in others)
    assert block.split(block.join(ours, rest)) == (ours, rest)


@given(ours=LINES, others=LINES)
def test_splitting_returns_what_was_joined_last(ours: list[str], others: list[str]) -> None:
    rest = "".join(f"{line}\n" for line in others)
    assert block.split(block.join(ours, rest, first=False)) == (ours, rest)


def test_a_file_without_a_part_of_ours_is_all_somebody_elses() -> None:
    assert block.split("a\nb\n") == ([], "a\nb\n")


def test_a_last_line_without_an_end_gets_one_before_our_part() -> None:
    assert block.join(["x"], "a", first=False) == f"a\n{block.BEGIN}\nx\n{block.END}\n"


def test_a_part_in_the_middle_is_taken_out_of_it() -> None:
    assert block.split(f"a\n{block.BEGIN}\nx\n{block.END}\nb\n") == (["x"], "a\nb\n")


def test_no_lines_leave_no_marks() -> None:
    assert block.join([], "a\n") == "a\n"


def test_a_last_mark_without_its_lines_end_is_one() -> None:
    assert block.split(f"a\n{block.BEGIN}\nx\n{block.END}") == (["x"], "a\n")


def test_without_the_mark_at_its_end_nothing_of_others_is_lost() -> None:
    assert block.split(f"a\n{block.BEGIN}\nx\nb\n") == ([], "a\nx\nb\n")
