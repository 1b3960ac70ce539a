# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a test says so, a command that changes many files is killed in the midst of them, as by kill -9."""

from __future__ import annotations

import typing as t

from model.command import Exit

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host

KILLED = 137


def light(host: Host, program: str, steps: int) -> None:
    """Have the next run of that program end after so many files."""
    with host.kernel() as kernel:
        kernel.setdefault("fuse", {})[program] = steps


class Fuse:
    """What is left of a program's time."""

    def __init__(self, ctx: Context) -> None:
        """Take the fuse that was lit for this program, if one was."""
        with ctx.host.kernel() as kernel:
            self._left: int | None = kernel.get("fuse", {}).pop(ctx.argv[0], None)

    def step(self) -> None:
        """Go on with another file."""
        if self._left == 0:
            raise Exit(KILLED)
        if self._left is not None:
            self._left -= 1
