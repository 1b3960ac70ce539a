# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Where the host's own daemons shall answer: at addresses of the host, never at those of jails."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

# SSH_CONNECTION: client, its port, server, its port.
CONNECTION_WORDS = 4


@dataclass(frozen=True)
class Wish:
    """The host's own addresses, and the one at which this login came in ('' if that is not known)."""

    addresses: tuple[str, ...]
    login: str


def wish(parameters: t.Mapping[str, t.Any], connection: str) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`.

    ``connection`` is what sshd says of the login in SSH_CONNECTION.
    """
    addresses = tuple(_address(text) for text in parameters["addresses"])
    if not addresses:
        raise InvalidDesired("addresses: is empty, sshd would answer at every address of every jail; give at least one")
    return Wish(tuple(dict.fromkeys(addresses)), login_address(connection))


def login_address(connection: str) -> str:
    """Return the address at which a login came in, from its SSH_CONNECTION; '' without one."""
    words = connection.split()
    return _address(words[2]) if len(words) == CONNECTION_WORDS else ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise InvalidDesired(f"addresses: {text!r} is neither an IPv4 nor an IPv6 address; correct it") from error
