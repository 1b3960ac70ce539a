# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading where the host's own daemons listen: two processes."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._daemons.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._daemons.plan import (
    SSHD_CONFIG,
    SYSLOGD_CONFIG,
    Actual,
    own_sockets,
    plan,
)
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_interfaces

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Daemons:
    """The subsystem of the module host_daemons."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any], connection: str = "") -> None:
        """Check the wish; ``connection`` is the login's SSH_CONNECTION, '' without one."""
        self.wish = wish(parameters, connection)

    def observe(self, host: Host) -> Actual:
        """Read the sockets of the host's own processes, its addresses, and the two files."""
        interfaces = parse_interfaces(output(host.runner, "ifconfig"))
        return Actual(
            sshd_config=host.files.read(SSHD_CONFIG) or "",
            syslogd_config=host.files.read(SYSLOGD_CONFIG) or "",
            sockets=own_sockets(host),
            addresses=frozenset(address for each in interfaces.values() for address in each),
        )

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)
