# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that need neither files nor the kernel."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from model.command import Context


def true(ctx: Context) -> int:
    """true(1)."""
    del ctx
    return 0


def false(ctx: Context) -> int:
    """false(1)."""
    del ctx
    return 1
