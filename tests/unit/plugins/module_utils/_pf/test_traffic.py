# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import (
    Traffic,
    added,
    after_load,
    before_load,
    parse_labels,
    parse_traffic,
    render_traffic,
)

SHOWN = """\
jail:alice 56 10 1000 6 600 4 400 2
jail:alice 50 1 100 1 100 0 0 1
jail:bob 56 0 0 0 0 0 0 0
"""
COUNTED = {"jail:alice": (106, 7, 700, 4, 400), "jail:bob": (56, 0, 0, 0, 0)}

counters = st.tuples(st.integers(1, 9), *[st.integers(0, 9)] * 4)
sums = st.dictionaries(st.sampled_from(["jail:a", "jail:b", "local:a"]), counters, min_size=1)


def test_labels_are_added_up() -> None:
    assert parse_labels(SHOWN) == COUNTED


@pytest.mark.parametrize("text", ["", "pfctl: Anchor does not exist.\n", "jail:alice 1 2\n", "a b c d e f g h i\n"])
def test_what_are_no_counters_is_no_traffic(text: str) -> None:
    assert parse_labels(text) == {}


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"sums": 5}', '{"sums": {"a": ["x"]}}'])
def test_a_file_that_is_not_ours_says_nothing(text: str | None) -> None:
    assert parse_traffic(text) == Traffic()


@given(sums, sums | st.none())
def test_what_is_written_is_read(kept: dict[str, tuple[int, int, int, int, int]], pending: None) -> None:
    assert parse_traffic(render_traffic(Traffic(kept, pending))) == Traffic(kept, pending)


@given(st.lists(st.tuples(sums, st.sampled_from(["finished", "before", "after"])), max_size=6))
def test_nothing_is_lost_or_counted_twice_wherever_loads_are_cut_off(
    runs: list[tuple[dict[str, tuple[int, int, int, int, int]], str]],
) -> None:
    kept, shown = Traffic(), parse_labels("")
    total = shown
    for more, cut in runs:
        shown, total = added(shown, more), added(total, more)
        kept = before_load(kept, shown)
        if cut != "before":
            # The load: every rule begins to count anew, and looks at packets at once.
            shown = dict.fromkeys(shown, (0, 0, 0, 0, 0))
        if cut == "finished":
            kept = after_load(kept)
        if cut == "after":
            # Whoever comes next finds less than was pending.
            kept = after_load(before_load(kept, shown))
    assert added(after_load(before_load(kept, shown)).sums, {}) == total
