# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""A network stack of a jail's own: an epair whose one end is on the host's bridge, the other one in the jail.

All of its names and hardware addresses follow from the jail's id, so they are the same at each start and on each host.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

ID_MAX = 24999
# Units that nobody is given who lets the kernel choose, up to the kernel's last: 32767.
FIRST_UNIT = 7000
# Locally administered; the middle says "vp".
MAC = "02:76:70:{high:02x}:{low:02x}:{end:02x}"
BRIDGE = re.compile(r"bridge[0-9]{1,5}")
# The option `vnet` of modules, in their argument specs.
OPTION = {
    "type": "dict",
    "options": {
        "id": {"type": "int", "required": True},
        "bridge": {"type": "str", "default": "bridge0"},
        "gateway4": {"type": "str"},
        "gateway6": {"type": "str"},
    },
}


@dataclass(frozen=True)
class Route:
    """An address of the jail, and the host's address on the bridge by which it reaches everybody else."""

    address: str
    gateway: str


@dataclass(frozen=True)
class Vnet:
    """The link of one jail: the bridge, and its ways out, at most one of each family."""

    id: int
    bridge: str
    routes: tuple[Route, ...]

    @property
    def name(self) -> str:
        """Return what its interfaces are called, without their last letter: ``a`` on the host, ``b`` in the jail."""
        return f"vps{self.id}"

    @property
    def pair(self) -> str:
        """Return the epair that it is made of."""
        return f"epair{FIRST_UNIT + self.id}"

    def mac(self, end: str) -> str:
        """Return the hardware address of an end, a or b."""
        return MAC.format(high=self.id >> 8, low=self.id & 0xFF, end=int(end, 16))


def vnet(what: str, record: t.Mapping[str, t.Any], ip4: t.Sequence[str], ip6: t.Sequence[str]) -> Vnet | None:
    """Return the key ``vnet`` of a record with the jail's addresses, None if it shares the host's stack.

    ``what`` names the record. Raise :class:`InvalidDesired` if no epair could carry it.
    """
    given = record["vnet"]
    if not given:
        return None
    if not 0 < given["id"] <= ID_MAX:
        raise InvalidDesired(f"{what}: vnet: id: {given['id']} is not from 1 to {ID_MAX}; give the jail's id")
    if not BRIDGE.fullmatch(given["bridge"]):
        raise InvalidDesired(f"{what}: vnet: bridge: {given['bridge']!r} is no bridge's name, such as bridge0")
    routes = []
    for key, addresses, kind in (("4", ip4, ipaddress.IPv4Address), ("6", ip6, ipaddress.IPv6Address)):
        gateway = _gateway(f"{what}: vnet: gateway{key}", given[f"gateway{key}"], kind)
        if len(addresses) > 1:
            raise InvalidDesired(f"{what}: ip{key}: a jail with a stack of its own takes one address; give only one")
        if addresses and not gateway:
            raise InvalidDesired(f"{what}: vnet: gateway{key}: missing; give the host's address on {given['bridge']}")
        routes += [Route(address, gateway) for address in addresses]
    return Vnet(given["id"], given["bridge"], tuple(routes))


def _gateway(what: str, text: str | None, kind: t.Callable[[str], t.Any]) -> str:
    """Return an address as the kernel writes it, '' if there is none."""
    try:
        return str(kind(text)) if text else ""
    except ValueError as error:
        raise InvalidDesired(f"{what}: {error}") from error
