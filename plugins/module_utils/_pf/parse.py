# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading what pfctl prints, what we wrote earlier, and the statements of somebody's pf.conf."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._json import read_json
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import FILTER, TRANSLATION, Rule

OWNER = re.compile(r"(?P<rule>.*\S) # (?P<jail>\S+)")


@dataclass(frozen=True)
class Note:
    """What a finished load left: the anchor's file that was loaded, and the rules as pf showed them after it."""

    file: str
    shown: str


def parse_note(text: str | None) -> Note | None:
    """Return the note; None if there is none or it is not whole, which only costs one load more."""
    try:
        found = read_json(text or "")
        file, shown = found["file"], found["shown"]
    except (ValueError, KeyError, TypeError):
        return None
    return Note(file, shown) if isinstance(file, str) and isinstance(shown, str) else None


def parse_file(text: str) -> list[Rule]:
    """Return the rules of an anchor's file that we wrote, with their owners."""
    rules = []
    for line in text.splitlines():
        if line.partition(" ")[0] in TRANSLATION + FILTER:
            match = OWNER.fullmatch(line)
            rules.append(Rule(match["rule"], match["jail"]) if match else Rule(line, ""))
    return rules


@dataclass(frozen=True)
class Statement:
    """One statement of a pf.conf: the lines (from, to; from 0) that it covers, and its words without comments."""

    first: int
    last: int
    words: str

    @property
    def kind(self) -> str:
        """Its first word."""
        return self.words.partition(" ")[0]


def statements(text: str) -> list[Statement]:
    """Split a pf.conf into statements; braces and a backslash at the end of a line continue one."""
    found: list[Statement] = []
    pending: list[str] = []
    first = depth = 0
    for number, line in enumerate(text_lines(text)):
        bare = _without_comment(line).strip()
        if not pending:
            first = number
        depth += bare.count("{") - bare.count("}")
        pending.append(bare.rstrip("\\").strip())
        if depth > 0 or bare.endswith("\\"):
            continue
        words = " ".join(" ".join(pending).split())
        if words:
            found.append(Statement(first, number, words))
        pending, depth = [], 0
    return found


def text_lines(text: str) -> list[str]:
    """Return the lines as pfctl sees them: only a newline ends one, not all that str.splitlines takes for an end."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _without_comment(line: str) -> str:
    quoted = False
    for place, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "#" and not quoted:
            return line[:place]
    return line
