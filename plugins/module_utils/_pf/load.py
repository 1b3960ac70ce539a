# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Loading rules: again while pf is busy, and with the counters kept that a load forgets."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import (
    after_load,
    before_load,
    parse_labels,
    parse_traffic,
    render_traffic,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._command import Done
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

# A load is a transaction; pf ends it with EBUSY if another one began in the meantime.
BUSY = "Device busy"
PAUSES = (0.5, 1, 2, 4)


@dataclass(frozen=True)
class Load:
    """Run a command that loads rules; the traffic that the labels of ``anchor`` counted goes into the file before."""

    command: Command
    anchor: str
    traffic: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Keep the counters, load, and count them as loaded."""
        shown = host.runner.run(Command(("pfctl", "-a", self.anchor, "-s", "labels"))).out
        kept = before_load(parse_traffic(host.files.read(self.traffic)), parse_labels(shown))
        host.files.write(self.traffic, render_traffic(kept), 0o600)
        done = self._patiently(host)
        if done.rc != 0:
            raise CommandFailed(done)
        host.files.write(self.traffic, render_traffic(after_load(kept)), 0o600)
        return ""

    def _patiently(self, host: Host) -> Done:
        done = host.runner.run(self.command)
        for pause in PAUSES:
            if done.rc == 0 or BUSY not in done.err:
                break
            time.sleep(pause)
            done = host.runner.run(self.command)
        return done

    def __str__(self) -> str:
        """Show it as typed."""
        return str(self.command)
