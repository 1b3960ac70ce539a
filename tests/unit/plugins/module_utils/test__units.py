# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._units import (
    format_moment,
    format_rate,
    format_size,
    parse_moment,
    parse_percent,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("1K", 1024), ("512M", 512 * 2**20), ("4G", 4 * 2**30), ("2T", 2 * 2**40)],
)
def test_parse_size_is_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "4g", "4GB", "4 G", "-4G", "1.5G", "4G\n", "0x10"])
def test_parse_size_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 512M or 4G"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1025, "1025"), (1024, "1K"), (1536 * 2**20, "1536M"), (4 * 2**30, "4G"), (2**41, "2T")],
)
def test_format_size_is_exact_and_read_back(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0bit/s", 0),
        ("9600bit/s", 9600),
        ("512Kbit/s", 512_000),
        ("10Mbit/s", 10_000_000),
        ("1Gbit/s", 1_000_000_000),
        ("10.000 Mbit/s", 10_000_000),
        ("1.5Mbit/s", 1_500_000),
        ("1.001 Mbit/s", 1_001_000),
        ("512.000 Kbit/s", 512_000),
    ],
)
def test_parse_rate_is_in_powers_of_1000(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "10Mbit", "10mbit/s", "10MByte/s", "-1Mbit/s", "1.0000Mbit/s", "10Mbit/s\n"]
)
def test_parse_rate_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate such as"):
        parse_rate(text)


def test_parse_rate_refuses_a_part_of_a_bit() -> None:
    with pytest.raises(ValueError, match=r"'1\.5bit/s' is not a whole number of bit/s"):
        parse_rate("1.5bit/s")


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0bit/s"),
        (7, "7bit/s"),
        (1_500_000, "1500Kbit/s"),
        (512_000, "512Kbit/s"),
        (10_000_000, "10Mbit/s"),
        (1_000_000_000, "1Gbit/s"),
        (1_000_000_001, "1000000001bit/s"),
    ],
)
def test_format_rate_is_exact_and_read_back(rate: int, text: str) -> None:
    assert format_rate(rate) == text
    assert parse_rate(text) == rate


def test_format_rate_refuses_a_negative_rate() -> None:
    with pytest.raises(ValueError, match="-1 is not a rate: it is negative"):
        format_rate(-1)


def test_parse_percent() -> None:
    assert [parse_percent(text) for text in ("0%", "50%", "400%")] == [0, 50, 400]


@pytest.mark.parametrize("text", ["50", "50 %", "-1%", "1.5%", "%"])
def test_parse_percent_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a share such as 50%"):
        parse_percent(text)


def test_parse_moment_is_read_back() -> None:
    moment = parse_moment("2026-11-24T093000Z")
    assert moment == datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
    assert format_moment(moment) == "2026-11-24T093000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24",
        "2026-11-24T09:30:00Z",
        "2026-11-24T093000",
        "2026-11-24T093000Z\n",
        "2026-1-24T093000Z",
        "2026-02-29T000000Z",
        "2026-11-24T250000Z",
        "9999-12-31T000000Z",
        "٢٠٢٦-11-24T093000Z",
    ],
)
def test_parse_moment_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a moment such as"):
        parse_moment(text)
