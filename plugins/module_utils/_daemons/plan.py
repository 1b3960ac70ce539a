# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that no daemon of the host answers in the place of a jail."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, output
from ansible_collections.jailisp.vps.plugins.module_utils._daemons.parse import (
    EVERYWHERE,
    Socket,
    parse_listen_addresses,
    parse_ports,
    parse_sockets,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, InvalidDesired, Plan, Run, Step, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._daemons.model import Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

SSHD, SYSLOGD = "sshd", "syslogd"
SSHD_CONFIG, SYSLOGD_CONFIG = "/etc/ssh/sshd_config", "/etc/rc.conf.d/syslogd"
# Twice -s: no socket at all. What rc.conf says besides, stays.
SYSLOGD_LINES = ('syslogd_flags="${syslogd_flags} -ss"',)
# A daemon opens its sockets when the command that (re)started it has ended already: so often, so many seconds apart.
LOOKS, PAUSE = 100, 0.1


@dataclass(frozen=True)
class Actual:
    """What is: the texts of the two files, the sockets of the host's own processes, the addresses of its interfaces."""

    sshd_config: str
    syslogd_config: str
    sockets: list[Socket]
    addresses: frozenset[str]


@dataclass(frozen=True)
class Renew:
    """Have a daemon open its sockets anew, and wait until it listens at just these addresses."""

    daemon: str
    verb: str
    addresses: frozenset[str]
    ports: frozenset[str]
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Do it; whoever looks again afterwards judges what came of it."""
        complaint = Run(self._command).apply(host)
        for _look in range(LOOKS):
            if listens_at(own_sockets(host), self.daemon, self.ports) == self.addresses:
                break
            time.sleep(PAUSE)
        return complaint

    @property
    def _command(self) -> Command:
        return Command(("service", self.daemon, self.verb))

    def __str__(self) -> str:
        """Show it as typed."""
        return str(self._command)


def own_sockets(host: Host) -> list[Socket]:
    """Return the sockets of the host's own processes, those of no jail."""
    return parse_sockets(output(host.runner, "sockstat", "-46", "-q", "-j", "0"))


def listens_at(sockets: t.Iterable[Socket], daemon: str, ports: frozenset[str]) -> frozenset[str]:
    """Return where a daemon listens on its ports, or on any port at every address.

    Other ports are what users of ssh had forwarded.
    """
    return frozenset(
        each.address
        for each in sockets
        if each.listens and each.command == daemon and (each.port in ports or each.address == EVERYWHERE)
    )


def plan(wish: Wish, actual: Actual) -> Plan:
    """Return the steps, or raise :class:`InvalidDesired` if they would lock out whoever asks for them."""
    others = block.split(actual.sshd_config)[1]
    ports = parse_ports(others)
    at = listens_at(actual.sockets, SSHD, ports)
    _refuse_conflict(actual.sshd_config)
    _refuse_missing(wish, actual)
    _refuse_lock_out(wish, actual, ports)
    config = block.join([f"ListenAddress {address}" for address in wish.addresses], others)
    steps, changes = _syslogd(actual)
    checks = []
    if config != actual.sshd_config:
        steps.append(Write(SSHD_CONFIG, config, None))
        changes.append(Change(SSHD_CONFIG, actual.sshd_config, config))
        checks = [Run(Command(("/usr/sbin/sshd", "-t", "-f", "/dev/stdin"), config))] if at else []
    if at and at != set(wish.addresses):
        steps.append(Renew(SSHD, "reload", frozenset(wish.addresses), ports))
        changes.append(Change(f"daemon {SSHD}", f"listens at {_shown(at)}\n", f"listens at {_shown(wish.addresses)}\n"))
    return Plan(tuple(steps), tuple(changes), tuple(checks), notes={"listening_everywhere": _everywhere(actual)})


def _refuse_conflict(config: str) -> None:
    lines = config.splitlines()
    ours = range(lines.index(block.BEGIN), lines.index(block.END)) if {block.BEGIN, block.END} <= set(lines) else ()
    for number, said in parse_listen_addresses(config):
        if number - 1 not in ours:
            raise InvalidDesired(
                f"{SSHD_CONFIG}, line {number}: `ListenAddress {said}` is not ours, and sshd would listen there too; "
                "remove the line, and if sshd shall answer there, add the address to vps_own_addresses"
            )


def _refuse_missing(wish: Wish, actual: Actual) -> None:
    missing = [address for address in wish.addresses if address not in actual.addresses]
    if missing:
        raise InvalidDesired(
            f"addresses: no interface of this host has {', '.join(missing)}, sshd could not listen there; "
            "give it the address first, or name others in vps_own_addresses"
        )


def _refuse_lock_out(wish: Wish, actual: Actual, ports: frozenset[str]) -> None:
    """Refuse to close the address at which this login came in; where it is not known, that of all logins."""
    sessions = {
        each.address
        for each in actual.sockets
        if not each.listens and each.command.startswith(SSHD) and each.port in ports
    }
    logins = {wish.login} if wish.login else sessions
    if logins and logins.isdisjoint(wish.addresses):
        raise InvalidDesired(
            f"addresses: you reached this host at {_shown(logins)}, where its sshd would no longer listen; "
            "add it to vps_own_addresses"
        )


def _syslogd(actual: Actual) -> tuple[list[Step], list[Change]]:
    """Close syslogd's socket if it is open at every address; one that was bound to an address is meant so."""
    at = {each.address for each in actual.sockets if each.listens and each.command == SYSLOGD}
    ours, others = block.split(actual.syslogd_config)
    text = block.join(SYSLOGD_LINES, others, first=False) if ours or EVERYWHERE in at else actual.syslogd_config
    steps: list[Step] = []
    changes = []
    if text != actual.syslogd_config:
        steps.append(Write(SYSLOGD_CONFIG, text))
        changes.append(Change(SYSLOGD_CONFIG, actual.syslogd_config or None, text))
    if EVERYWHERE in at:
        steps.append(Renew(SYSLOGD, "restart", frozenset(), frozenset()))
        changes.append(Change(f"daemon {SYSLOGD}", f"listens at {_shown(at)}\n", "listens nowhere\n"))
    return steps, changes


def _everywhere(actual: Actual) -> list[str]:
    """Return the other daemons that answer at every address, those of the jails among them."""
    found = {
        f"{each.command} ({each.protocol} port {each.port})"
        for each in actual.sockets
        if each.listens and each.address == EVERYWHERE and each.command not in (SSHD, SYSLOGD)
    }
    return sorted(found)


def _shown(addresses: t.Iterable[str]) -> str:
    return ", ".join(sorted(addresses))
