# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What sysctl(8) prints."""

from __future__ import annotations


def parse_sysctl(text: str) -> dict[str, str]:
    """Return values by name, from ``sysctl NAME...``; a name that the kernel does not know is missing."""
    pairs = [line.partition(": ") for line in text.splitlines()]
    return {name: value for name, colon, value in pairs if colon}
