# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading pipes and queues from the kernel: two processes, however many there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import NO_PROGRAM, Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import Shown, parse_pipes, parse_queues
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.plan import Actual, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Dummynet:
    """The subsystem of the module dummynet_pipes."""

    attempts = 2

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual:
        """Read what is in force, and the boot file."""
        pipes = parse_pipes(_show(host, "pipe"))
        queues = parse_queues(_show(host, "queue"))
        flows: dict[tuple[str, int], Shown] = {("pipe", number): pipe for number, pipe in pipes.items()}
        flows |= {("queue", number): queue for number, queue in queues.items()}
        return Actual(flows, host.files.read(self.wish.file) or "")

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)


def _show(host: Host, kind: str) -> str:
    """Return what is shown; nothing where dummynet is not loaded. Else a failure must not pass for an empty list."""
    done = host.runner.run(Command(("dnctl", kind, "show")))
    if done.rc == 0:
        return done.out
    if host.runner.run(Command(("kldstat", "-q", "-m", "dummynet"))).rc == 0 or done.rc == NO_PROGRAM:
        raise CommandFailed(done)
    return ""
