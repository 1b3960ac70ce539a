# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Whether what the records say of public addresses, and of who may reach a jail, can be."""

from __future__ import annotations

import ipaddress
import typing as t

from .claims import publish_block
from .model import Block, Problem, Record, Sources
from .values import port_range, said_of

if t.TYPE_CHECKING:
    from .check import Checked, Values

_PORT_MAX = 65535


def check_reach(records: list[Record], checked: Checked, sources: Sources, problems: list[Problem]) -> None:
    """Note each public address that is not its host's, and each entry that lets in nobody; `records` are the jails'."""
    for name, host in checked.hosts.items():
        problems += [Problem(f"{sources.hosts}: {name}", 0, key, text) for key, text in _host(host)]
    for record in records:
        reach = _Reach(record, checked)
        for key, block, last, text in (*reach.addresses(), *reach.published(), *reach.allowed()):
            problems.append(Problem(record.file, block.line_of(last), key, text))


def _host(host: Values) -> t.Iterator[tuple[str, str]]:
    """Yield the errors of a host, each with its variable."""
    addresses = host.get("vps_addresses", [])
    if addresses and "vps_nat" in host and host["vps_nat"] not in addresses:
        yield "vps_nat", f"{host['vps_nat']} is not in vps_addresses; choose one of {', '.join(addresses)}"
    for each in host.get("vps_interfaces", ()):
        if each == host.get("vps_interface"):
            yield "vps_interfaces", f"{each} is vps_interface already; remove it here"
    for text in host.get("vps_public", ()):
        public = ipaddress.ip_network(text)
        if isinstance(public, ipaddress.IPv6Network):
            yield "vps_public", f"{text} is not IPv4; jails have IPv6 addresses by address6"
            continue
        netblock = host.get("vps_netblock")
        if netblock is not None and public.overlaps(netblock):
            yield "vps_public", f"{text} overlaps {netblock}, the jails' vps_netblock; choose another"


# The key as an error names it, the mapping that it is in, the key there, and the text.
_Found = tuple[str, Block, str, str]


class _Reach:
    """What one jail's record says; what has an error already is missing in `jail`, `host` and `plan`."""

    def __init__(self, record: Record, checked: Checked) -> None:
        self.record = record
        self.jail = checked.jails[record.name]
        self.jails = checked.jails
        self.host = checked.hosts.get(self.jail.get("host", ""), {})
        self.plan = checked.plans.get(self.jail.get("plan", ""), {})

    def known(self) -> list[str]:
        """Return the public addresses that it may use; none if an error hides some."""
        own = [self.jail["public"]] if "public" in self.jail else []
        hidden = "public" in self.record.block.values and not own
        return [] if hidden or "vps_addresses" not in self.host else [*self.host["vps_addresses"], *own]

    def addresses(self) -> t.Iterator[_Found]:
        """Yield what is wrong with its own public address, and with the one that its connections come from."""
        block, known = self.record.block, self.known()
        if "public" in self.jail and "vps_public" in self.host:
            address = ipaddress.ip_address(self.jail["public"])
            if not any(address in ipaddress.ip_network(network) for network in self.host["vps_public"]):
                said = said_of(block, "public", address)
                text = f"{said} is not in vps_public of {self.jail['host']}; add it there or choose another"
                yield "public", block, "public", text
        if self.jail.get("publish_all") and not {"public", "address6"} & block.values.keys():
            yield "publish_all", block, "publish_all", "has no address that is the jail's alone; give it public"
        for key, record, value in (("nat", self.jail, "nat"), ("plan", self.plan, "plan")):
            if known and "nat" in record and record["nat"] not in known and (key == "nat" or "nat" not in self.jail):
                said = said_of(block, value, record["nat"] if key == "nat" else self.jail["plan"])
                what = "is" if key == "nat" else "has a nat that is"
                text = f"{said} {what} no address of {self.jail['host']}; choose one of {', '.join(known)}"
                yield key, block, key, text

    def published(self) -> t.Iterator[_Found]:
        """Yield the published ports that lead from an address that is not the host's, or to ports that are none."""
        known = self.known()
        for index, entry in enumerate(self.jail.get("publish", ())):
            block = publish_block(self.record, index)
            if known and "address" in entry and entry["address"] not in known:
                said = said_of(block, "address", entry["address"])
                text = f"{said} is no address of {self.jail['host']}; choose one of {', '.join(known)}"
                yield f"publish[{index}].address", block, "address", text
            if {"port", "to"} <= entry.keys() and entry["to"] + len(port_range(entry["port"])) - 1 > _PORT_MAX:
                said = said_of(block, "to", entry["to"])
                text = f"{said} and the ports after it go beyond {_PORT_MAX}; choose a lower one"
                yield f"publish[{index}].to", block, "to", text

    def allowed(self) -> t.Iterator[_Found]:
        """Yield the entries of allow_from that mean nobody, or a jail that cannot come."""
        raw = self.record.block.values.get("allow_from")
        for index, entry in enumerate(self.jail.get("allow_from", ())):
            block = raw[index] if isinstance(raw, list) and isinstance(raw[index], Block) else None
            if block is None:
                continue
            path = f"allow_from[{index}]"
            named = {"jail", "network"} & block.values.keys()
            if not named:
                yield f"{path}.jail", block, "jail", "missing; add it, or a network"
            elif len(named) > 1:
                # Which of the two is the mistake, nobody knows.
                for key, other in (("jail", "network"), ("network", "jail")):
                    yield f"{path}.{key}", block, key, f"stands beside {other}; make it an entry of its own"
            elif "jail" in entry:
                text = self._stranger(entry["jail"])
                if text:
                    yield f"{path}.jail", block, "jail", f"{said_of(block, 'jail', entry['jail'])} {text}"

    def _stranger(self, name: str) -> str:
        """Return why a jail cannot be let in; '' if it can."""
        other = self.jails.get(name)
        if other is None:
            return "is unknown; name a jail of the fleet"
        if name == self.record.name:
            return "is this jail itself, which reaches itself anyway; remove it"
        if {"host"} <= other.keys() & self.jail.keys() and other["host"] != self.jail["host"]:
            return f"is on {other['host']}, not on {self.jail['host']}; publish the port to it, by from"
        return ""
