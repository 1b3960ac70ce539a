# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading all jails of a host: four processes, however many jails there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import (
    parse_allow,
    parse_interfaces,
    parse_jails,
    parse_mounts,
)
from ansible_collections.jailisp.vps.plugins.module_utils._jails.plan import Actual, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Jails:
    """The subsystem of the module jails."""

    # As asked for, then by force.
    attempts = 2

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual:
        """Read what runs, the files, the addresses and the mounts."""
        run, folder = host.runner, self.wish.folder
        names = [name.removesuffix(".conf") for name in host.files.names(folder) if name.endswith(".conf")]
        return Actual(
            running=parse_jails(output(run, "jls", "--libxo", "json", "-n")),
            files={name: host.files.read(self.wish.file(name)) or "" for name in names},
            allow=parse_allow(output(run, "sysctl", "-N", "security.jail.param")),
            interfaces=parse_interfaces(output(run, "ifconfig")),
            mounts=parse_mounts(output(run, "mount", "-p")),
        )

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)
