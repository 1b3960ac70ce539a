# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Our part of a file that others write in too: the lines between two marks."""

from __future__ import annotations

import typing as t

BEGIN, END = "# BEGIN jailisp.vps: written by Ansible; changes here are lost", "# END jailisp.vps"


def split(text: str) -> tuple[list[str], str]:
    """Return our lines, and the rest of the text, which is somebody else's and stays as it is.

    Where somebody removed the mark at the end, nothing tells ours from theirs: then all of it is theirs.
    """
    head, begin, rest = text.partition(f"{BEGIN}\n")
    if not begin:
        return [], text
    ours, end, tail = rest.partition(f"{END}\n")
    if not end and rest.endswith(END):
        # An editor may leave out the last line's end.
        ours, end = rest.removesuffix(END), END
    return (ours.splitlines(), head + tail) if end else ([], head + rest.replace(f"{BEGIN}\n", ""))


def join(ours: t.Sequence[str], others: str, *, first: bool = True) -> str:
    """Return the text with our lines before all others', or behind them."""
    if not ours:
        return others
    own = "\n".join([BEGIN, *ours, END, ""])
    if first:
        return own + others
    return others + ("" if not others or others.endswith("\n") else "\n") + own
