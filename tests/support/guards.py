# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards of pf in the process of a test: they mark what they guard, and their time is up when the test says so."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, Done

if t.TYPE_CHECKING:
    import pytest

    from model.command import Context
    from model.host import Result
    from support.lab import Lab

SCRIPT = "/var/db/jailisp/pf_jailisp_guard.sh"


class _Asleep(BaseException):
    """The guard sleeps."""


class Guards:
    """All guards that are started on a host from now on, by daemon(8)."""

    def __init__(self, lab: Lab, patch: pytest.MonkeyPatch) -> None:
        """Stand in for daemon(8)."""
        self.lab, self.patch = lab, patch
        self.tokens: list[str] = []
        self.run_really = lab.runner.run
        patch.setattr(lab.runner, "run", self._run)

    def _run(self, command: Command) -> Done:
        if command.argv[0] != "daemon":
            return self.run_really(command)
        assert command.argv[:-1] == ("daemon", "-f", "/bin/sh", SCRIPT, "guard")
        self.tokens.append(command.argv[-1])
        with self.patch.context() as patch:
            patch.setattr("model.userland_small.sleep", _sleep)
            try:
                self.lab.host.run(command.argv[2:])
            except _Asleep:
                return Done(command, 0, "", "")
        raise AssertionError("the guard does not wait")

    def time_is_up(self) -> list[Result]:
        """Let the time of each be up, in the order in which they were started."""
        tokens, self.tokens = self.tokens, []
        return [self.lab.host.run(["/bin/sh", SCRIPT, "over", token]) for token in tokens]


def _sleep(ctx: Context) -> int:
    del ctx
    raise _Asleep
