# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What is on a host, as text that is safe to print, and what pfctl and rctl list."""

from __future__ import annotations

import re

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

RULE = re.compile(r"(?P<subject>\w+):(?P<name>[^:]*):\w+:\w+=[^:]+")


def printable(text: str) -> str:
    """Return text with everything that a terminal would not show as itself, and the backslash, escaped."""
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode() for char in text
    )


def parse_names(text: str) -> list[str]:
    """Return the names that ``pfctl -s Tables`` or ``pfctl -s Anchors`` prints, one on a line."""
    return sorted(printable(line.strip()) for line in text.splitlines() if line.strip())


def parse_rules(text: str) -> dict[str, list[str]]:
    """Return the rules whose subject is a jail, by the name of that jail, from ``rctl``."""
    rules: dict[str, list[str]] = {}
    for line in text.splitlines():
        match = RULE.fullmatch(line)
        if match is None:
            raise ParseError(f"`rctl` printed a line that is not known: {line!r}")
        if match["subject"] == "jail":
            rules.setdefault(printable(match["name"]), []).append(printable(line))
    return {name: sorted(found) for name, found in sorted(rules.items())}
