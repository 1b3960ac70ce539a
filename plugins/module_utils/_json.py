# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""JSON that a program printed, or that a run which was cut off may have left behind."""

from __future__ import annotations

import json
import typing as t


def read_json(text: str) -> t.Any:
    """Return what a text of JSON says; whatever is wrong with it is a ValueError, a depth without end too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_whole(value: t.Any) -> bool:
    """Whether a value that was read is a whole number; Python takes true and false for one."""
    return isinstance(value, int) and not isinstance(value, bool)
