# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The anchor's file, the note beside it, and a pf.conf with the lines that call the anchor."""

from __future__ import annotations

import json

from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import FILTER, Rule, Wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import Note, Statement, statements, text_lines

HEADER = "# jailisp.vps: written by Ansible from the inventory; changes here are lost.\n"
FRESH = "# Made by jailisp.vps since there was none. Yours to edit: only the lines that name its anchor are kept up.\n"

# What begins the filter rules of a pf.conf; translation anchors must stand before the first of them.
FILTERING = (*FILTER, "anchor", "antispoof", "load")


def render_file(wish: Wish) -> str:
    """Return the anchor's file: tables, then one rule a line with the record that it comes from."""
    tables = [f"table <{name}> persist {{ {' '.join(addresses)} }}\n" for name, addresses in wish.tables.items()]
    # Without a list of addresses a load leaves in it what is there.
    tables += [f"table <{name}> persist\n" for name in wish.kept]
    rules = [f"{rule.text} # {rule.jail}\n" if rule.jail else f"{rule.text}\n" for rule in wish.rules]
    return "".join([HEADER, *tables, *rules])


def render_note(file: str, shown: str) -> str:
    """Return the note of a finished load of ``file`` after which pf showed ``shown``."""
    return json.dumps({"file": file, "shown": shown}) + "\n"


def loaded(note: Note | None, file: str, shown: str) -> bool:
    """Whether the note says that this file was loaded and pf still shows what it showed then."""
    return note == Note(file, shown)


def points(wish: Wish) -> tuple[list[str], list[str]]:
    """Return the lines of pf.conf that call the anchor: for translation, and for filtering and loading."""
    quoted = f'"{wish.anchor}"'
    translation = [f"{kind}-anchor {quoted}" for kind in ("nat", "rdr", "binat")]
    return translation, [f"anchor {quoted}", f'load anchor {quoted} from "{wish.file}"']


def render_conf(wish: Wish, text: str | None) -> str:
    """Return pf.conf with our lines where pf.conf(5) allows them; all other lines stay as they are.

    Translation anchors go behind the administrator's own translation rules (the first match wins, so his do), and the
    filter anchor to the end (the last match wins, so what we say about jails holds; what he calls quick stays his).
    """
    lines = text_lines(FRESH if text is None else text)
    found = statements(text or "")
    there = {statement.words for statement in found}
    translation, rest = ([line for line in part if line not in there] for part in points(wish))
    place = _first_filtering(found, len(lines))
    return "\n".join([*lines[:place], *translation, *lines[place:], *rest]) + "\n"


def _first_filtering(found: list[Statement], end: int) -> int:
    return next((statement.first for statement in found if statement.kind in FILTERING), end)


def rules_by_line(file: str, wish: Wish) -> dict[int, Rule]:
    """Return the rule that stands on each line (from 1) of the anchor's file."""
    before = file.count("\n") - len(wish.rules)
    return {before + place: rule for place, rule in enumerate(wish.rules, 1)}
