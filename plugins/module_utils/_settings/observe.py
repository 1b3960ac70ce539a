# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading the settings of a host: a process for each kind of them."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, output
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_interfaces
from ansible_collections.jailisp.vps.plugins.module_utils._settings.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._settings.parse import parse_sysctl
from ansible_collections.jailisp.vps.plugins.module_utils._settings.plan import Actual, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan
    from ansible_collections.jailisp.vps.plugins.module_utils._settings.model import Wish


# Where the administrator says what interfaces the host has.
RC_CONF = ("/etc/rc.conf", "/etc/rc.conf.local")


class Settings:
    """The subsystem of the module host_settings."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any], connection: str = "") -> None:
        """Check the wish; ``connection`` is the login's SSH_CONNECTION, '' without one."""
        self.wish = wish(parameters, connection)

    def observe(self, host: Host) -> Actual:
        """Read what is; kinds that nothing is wished of are not read."""
        wished, run = self.wish, host.runner
        names = [*wished.sysctl, *wished.tunables]
        # sysctl ends with 1 when the kernel does not know one of the names, and prints the others.
        values = run.run(Command(("sysctl", *names))).out if names else ""
        rulesets = {number: output(run, "devfs", "rule", "-s", str(number), "show") for number in wished.rulesets}
        return Actual(
            files={part.path: host.files.read(part.path) or "" for part in wished.parts},
            modules=frozenset(name for name in wished.modules if _loaded(host, name)),
            values=parse_sysctl(values),
            interfaces=_interfaces(host, wished),
            rulesets=frozenset(number for number, rules in rulesets.items() if rules.strip()),
            rc_conf="".join(host.files.read(path) or "" for path in RC_CONF),
        )

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)


def _interfaces(host: Host, wished: Wish) -> dict[str, set[str]]:
    """Return the addresses of each interface."""
    return parse_interfaces(output(host.runner, "ifconfig")) if wished.interfaces or wished.addresses else {}


def _loaded(host: Host, name: str) -> bool:
    """Ask by the module's name: one that is built into the kernel is no file of kldstat's list."""
    return host.runner.run(Command(("kldstat", "-q", "-m", name))).rc == 0
