# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading the rules of all jails: one process, however many there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.parse import parse_rules
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.plan import Actual, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan

# How rctl says that the kernel keeps no accounts, so that there can be no rules.
NO_ACCOUNTS = ("RACCT/RCTL present, but disabled", "RACCT/RCTL support not present in kernel")


class Limits:
    """The subsystem of the module rctl_rules."""

    # Kernels before FreeBSD 14 keep the old rule beside a new one: the second attempt removes it.
    attempts = 2

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual:
        """Read what is in force, and the boot file."""
        text = rules_in_force(host)
        rules = None if text is None else parse_rules(text)
        return Actual(rules, host.files.read(self.wish.file) or "")

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)


def rules_in_force(host: Host) -> str | None:
    """Return what ``rctl`` prints, None where the kernel keeps no accounts."""
    done = host.runner.run(Command(("rctl",)))
    if done.rc != 0 and not any(text in done.err for text in NO_ACCOUNTS):
        raise CommandFailed(done)
    return done.out if done.rc == 0 else None
