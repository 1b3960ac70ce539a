# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Quantities with units: sizes in powers of 1024, rates in powers of 1000 as dummynet counts them; and moments."""

from __future__ import annotations

import datetime
import re

# From end to end, with the unit that may be missing. Not \d: it means the digits of every script.
SIZE_PATTERN = r"([0-9]+)([KMGT]?)"
RATE_PATTERN = r"([0-9]+)(?:\.([0-9]{1,3}))? ?([KMG]?)bit/s"
PERCENT_PATTERN = r"([0-9]+)%"

_SIZE = re.compile(SIZE_PATTERN + r"\Z")
_SIZE_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_RATE = re.compile(RATE_PATTERN + r"\Z")
_RATE_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}

_PERCENT = re.compile(PERCENT_PATTERN + r"\Z")


def parse_size(text: str) -> int:
    """Return the bytes that a size such as ``4G``, ``512M`` or ``1024`` means; `ValueError` if it is none."""
    match = _SIZE.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a size such as 512M or 4G")
    return int(match[1]) * _SIZE_FACTORS[match[2]]


def format_size(size: int) -> str:
    """Return the shortest text that parse_size reads as exactly so many bytes: ``4G``, ``1536M``, ``1025``."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _SIZE_FACTORS[unit] == 0:
            return f"{size // _SIZE_FACTORS[unit]}{unit}"
    return str(size)


def parse_rate(text: str) -> int:
    """Return the bit/s that a rate means, written as people do (``10Mbit/s``) or as dnctl prints (``10.000 Mbit/s``).

    `ValueError` if it is neither, or if it is no whole number of bit/s.
    """
    match = _RATE.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a rate such as 512Kbit/s, 10Mbit/s or 1Gbit/s")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    # Integers only: a float would make 1.001 Mbit/s into 1000999.
    thousandths = int(whole) * 1000 + int(fraction.ljust(3, "0") or 0)
    bits, rest = divmod(thousandths * _RATE_FACTORS[unit], 1000)
    if rest:
        raise ValueError(f"{text!r} is not a whole number of bit/s")
    return bits


def format_rate(bits: int) -> str:
    """Return the shortest rate that dnctl(8) reads as exactly so many bit/s: ``10Mbit/s``, ``1500Kbit/s``, ``7bit/s``.

    dnctl reads whole numbers only, so the unit is the greatest that divides. `ValueError` if negative.
    """
    if bits < 0:
        raise ValueError(f"{bits} is not a rate: it is negative")
    for unit in ("G", "M", "K"):
        if bits and bits % _RATE_FACTORS[unit] == 0:
            return f"{bits // _RATE_FACTORS[unit]}{unit}bit/s"
    return f"{bits}bit/s"


def parse_percent(text: str) -> int:
    """Return the whole percent that ``50%`` means; 100 is one processor, so more is possible. `ValueError` if none."""
    match = _PERCENT.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a share such as 50%")
    return int(match[1])


# Without colons, so that it can stand in the name of a file.
_MOMENT = "%Y-%m-%dT%H%M%SZ"
# To a moment of these years days can be added.
_YEARS = range(2000, 3000)


def parse_moment(text: str) -> datetime.datetime:
    """Return the moment that a text such as ``2026-11-24T093000Z`` means, in UTC; `ValueError` if it is none."""
    try:
        moment = datetime.datetime.strptime(text, _MOMENT).replace(tzinfo=datetime.UTC)
    except ValueError:
        moment = None
    # strptime takes 2026-1-1T1Z too.
    if moment is None or format_moment(moment) != text or moment.year not in _YEARS:
        raise ValueError(f"{text!r} is not a moment such as 2026-11-24T093000Z")
    return moment


def format_moment(moment: datetime.datetime) -> str:
    """Return a moment of UTC as :func:`parse_moment` takes it."""
    return moment.strftime(_MOMENT)
