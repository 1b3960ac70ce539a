# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What an upgrade changed in /etc, and what of it a rollback may change back."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import Pair

# The files of passwd(5), made of one another: they go back together or not at all.
PASSWD = frozenset({"etc/master.passwd", "etc/passwd", "etc/pwd.db", "etc/spwd.db"})
CONFLICT = re.compile(r"^ *C (/\S.*)$", re.MULTILINE)


def parse_conflicts(text: str) -> tuple[str, ...]:
    """Return the files that could not be merged, from ``etcupdate status``."""
    return tuple(sorted(path.removeprefix("/") for path in CONFLICT.findall(text)))


def changes(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> dict[str, Pair]:
    """Return what differs between two looks at /etc, by path; None: it is not there."""
    paths = sorted({*before, *after})
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}


def undoing(etc: t.Mapping[str, Pair], now: t.Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Return which files come back from what was kept, which go, and which stay as the customer made them since.

    What is as it was before already needs nothing: a rollback that was cut off goes on.
    """
    touched = {path for path, pair in etc.items() if now.get(path) not in pair}
    if touched & PASSWD:
        touched |= PASSWD & etc.keys()
    differs = [path for path, (before, _after) in etc.items() if path not in touched and now.get(path) != before]
    gone = [path for path in differs if etc[path][0] is None]
    return [path for path in differs if path not in gone], gone, sorted(touched)
