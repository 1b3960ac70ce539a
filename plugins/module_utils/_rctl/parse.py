# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What rctl(8) prints, and what its file says."""

from __future__ import annotations

import re
import typing as t

# Its words for jails as a subject: any beginning of "jail" will do for rctl(8), but one letter and the whole are usual.
_SUBJECT = re.compile(r"(?:j|jail):(?P<name>[^:]+):", re.IGNORECASE)

_USED = re.compile(r"(?P<resource>[a-z]+)=(?P<amount>[0-9]{1,20})")


def parse_rules(text: str) -> dict[str, set[str]]:
    """Return the rules of jails that ``rctl`` prints, as text, by jail; others are no affair of ours."""
    return _by_jail(text.splitlines())


def parse_lines(lines: t.Iterable[str]) -> dict[str, set[str]]:
    """Return the rules of jails in lines of rctl.conf(5), as text, by the name of the jail."""
    words = (line.partition("#")[0].split() for line in lines)
    return _by_jail(word[0] for word in words if word)


def parse_usage(text: str) -> dict[str, int]:
    """Return what of each resource is used, from ``rctl -u`` of one subject."""
    return {match["resource"]: int(match["amount"]) for match in map(_USED.fullmatch, text.splitlines()) if match}


def _by_jail(rules: t.Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in rules:
        match = _SUBJECT.match(rule)
        if match:
            found.setdefault(match["name"], set()).add(rule)
    return found
