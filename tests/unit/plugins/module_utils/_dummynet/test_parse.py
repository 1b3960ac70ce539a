# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import (
    Shown,
    numbers,
    parse_pipes,
    parse_queues,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from support.recordings import all_printed, printed

FILE = "05-dummynet"


def test_all_that_a_real_host_shows_of_its_pipes() -> None:
    assert parse_pipes(printed(FILE, "dnctl pipe show", 3)) == {
        1: Shown("10.000 Mbit/s", 0, "50 sl."),
        2: Shown("512.000 Kbit/s", 10, "60 sl."),
        3: Shown("1.000 Gbit/s", 0, "50 sl."),
        4: Shown("100.000 Mbit/s", 0, "50 sl."),
        5: Shown("10.000 Mbit/s", 0, "50 KB", plain=False),
        6: Shown("8.000 Mbit/s", 0, "50 sl."),
        7: Shown("unlimited", 0, "50 sl."),
        8: Shown("10.000 Mbit/s", 0, "50 sl.", plain=False),
        9: Shown("10.000 Mbit/s", 0, "50 sl.", plain=False),
        10: Shown("100.000 Mbit/s", 0, "50 sl."),
    }


def test_all_that_a_real_host_shows_of_its_queues() -> None:
    assert parse_queues(printed(FILE, "dnctl queue show", 2)) == {
        10: Shown(size="50 sl.", sched=10, weight=50),
        21: Shown(size="50 sl.", sched=10, weight=10),
        22: Shown(size="50 sl.", sched=4, weight=50),
        23: Shown(size="50 sl.", sched=4, weight=50),
    }


def test_every_recorded_listing_is_understood() -> None:
    pipes = [len(parse_pipes(text)) for text in all_printed(FILE, "dnctl pipe show")]
    queues = [len(parse_queues(text)) for text in all_printed(FILE, "dnctl queue show")]
    heads = [text.count(" burst ") for text in all_printed(FILE, "dnctl pipe show")]
    assert pipes == heads
    assert max(queues) > 1


def test_nothing_is_no_pipes() -> None:
    assert (parse_pipes(""), parse_queues("")) == ({}, {})


@pytest.mark.parametrize(
    "line",
    [
        "00001: 10 apples 0 ms burst 0",
        "dnctl: something went wrong",
        "00001:  10.000 Mbit/s    zero ms burst 0",
    ],
)
def test_a_line_that_is_not_known_is_an_error_that_shows_it(line: str) -> None:
    for parse in (parse_pipes, parse_queues):
        with pytest.raises(ParseError) as caught:
            parse(f"{line}\n")
        assert repr(line) in str(caught.value)


def test_the_numbers_that_our_part_of_the_boot_file_names() -> None:
    lines = ["pipe 10034 config bw 10Mbit/s", "queue 7 config pipe 10034", "# leaving: pipe 10036 ", "# pipe 9 config"]
    assert numbers(lines) == {("pipe", 10034), ("queue", 7), ("pipe", 10036)}
