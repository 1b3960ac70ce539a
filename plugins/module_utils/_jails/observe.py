# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading all jails of a host: four processes, however many there are, and one for each devfs ruleset in doubt."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import fresh_roots
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import (
    parse_allow,
    parse_interfaces,
    parse_jails,
    parse_mounts,
)
from ansible_collections.jailisp.vps.plugins.module_utils._jails.plan import Actual, plan, takes_ruleset
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import jails_between
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import SCRIPT

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import Parameters
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
        running = parse_jails(output(run, "jls", "--libxo", "json", "-n"))
        return Actual(
            running=running,
            files={name: host.files.read(self.wish.file(name)) or "" for name in names},
            allow=parse_allow(output(run, "sysctl", "-N", "security.jail.param")),
            interfaces=parse_interfaces(output(run, "ifconfig")),
            mounts=parse_mounts(output(run, "mount", "-p")),
            fresh=frozenset(fresh_roots(host.files)),
            empty_rulesets=self._empty_rulesets(host, running),
            script=host.files.read(SCRIPT),
            between=frozenset(jails_between(host.files, self.wish.jails)),
        )

    def _empty_rulesets(self, host: Host, running: dict[str, Parameters]) -> frozenset[int]:
        """Return the rulesets without rules among those that a jail is going to take."""
        taken = {jail.devfs_ruleset for jail in self.wish.jails.values() if takes_ruleset(jail, running.get(jail.name))}
        rules = {
            number: output(host.runner, "devfs", "rule", "-s", str(number), "show")
            for number in sorted(taken - self.wish.loaded_rulesets)
        }
        return frozenset(number for number, text in rules.items() if not text.strip())

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)
