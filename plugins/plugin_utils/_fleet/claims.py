# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Values of which there is one in the fleet: ids, addresses, published ports; and who claims one that is taken."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from .model import Block, Problem, Record, Sources, Surroundings
from .values import port_range, said_of

if t.TYPE_CHECKING:
    from .check import Checked, Values


@dataclass(frozen=True)
class _Claim:
    """Someone's claim to a value of which there is one: who, where, and the mapping in which it was written.

    The value of a published port is its address, protocol and port.
    """

    value: t.Any
    owner: str
    file: str
    line: int
    key: str
    block: Block

    @property
    def shown(self) -> str:
        """How an error shows the value."""
        if not isinstance(self.value, tuple):
            return said_of(self.block, self.key, self.value)
        keys = ("address", "protocol", "port")
        address, protocol, port = (said_of(self.block, *each) for each in zip(keys, self.value, strict=True))
        return f"{protocol} port {port} of {address}"


def publish_block(record: Record, index: int) -> Block:
    """Return an entry of publish as it was written."""
    entry = record.block.values["publish"][index]
    return entry if isinstance(entry, Block) else Block({})


def public_address(record: Record, index: int, jail: Values, host: Values) -> str | None:
    """Return the public address of an entry of publish; None if an error hides it."""
    entry: Values = jail["publish"][index]
    if "address" in entry or "address" in publish_block(record, index).values:
        return entry.get("address")
    if "public" in record.block.values:
        return jail.get("public")
    return next(iter(host.get("vps_addresses", ())), None)


def _check(claims: t.Iterable[_Claim], problems: list[Problem]) -> None:
    """Note every claim to a value that an earlier claim of another key or record took."""
    taken: dict[t.Hashable, _Claim] = {}
    told: set[tuple[str, str]] = set()
    for claim in claims:
        first = taken.setdefault(claim.value, claim)
        if first is claim:
            continue
        # Of a range of ports that is taken, one is told.
        if not isinstance(claim.value, tuple) or (claim.file, claim.key) not in told:
            told.add((claim.file, claim.key))
            place = f"{first.file}:{first.line}" if first.line else first.file
            text = f"{claim.shown} is taken by {first.owner} ({place}); choose a free one"
            problems.append(Problem(claim.file, claim.line, claim.key, text))


def _jails(records: list[Record], checked: Checked, key: str) -> t.Iterator[_Claim]:
    """Yield the jails' claims to the values of a key."""
    for record in records:
        value = checked.jails[record.name].get(key)
        if value is not None:
            yield _Claim(value, record.name, record.file, record.block.line_of(key), key, record.block)


def _ports(records: list[Record], checked: Checked) -> t.Iterator[_Claim]:
    """Yield the jails' claims to published ports: address, protocol and port."""
    for record in records:
        jail = checked.jails[record.name]
        host = checked.hosts.get(jail.get("host", ""), {})
        for index, entry in enumerate(jail.get("publish", ())):
            address, protocol = public_address(record, index, jail, host), entry.get("protocol")
            if None not in (address, protocol, entry.get("port")):
                block = publish_block(record, index)
                claim = _Claim(None, record.name, record.file, block.line_of("port"), f"publish[{index}].port", block)
                yield from (replace(claim, value=(address, protocol, port)) for port in port_range(entry["port"]))


def _hosts(hosts: dict[str, Values], sources: Sources) -> t.Iterator[_Claim]:
    """Yield the hosts' claims to public addresses."""
    for name, host in hosts.items():
        for address in host.get("vps_addresses", ()):
            yield _Claim(address, name, f"{sources.hosts}: {name}", 0, "vps_addresses", Block({}))


def _reached(checked: Checked, sources: Sources, around: Surroundings) -> t.Iterator[_Claim]:
    """Yield the hosts' claims to the addresses by which Ansible reaches them, but for their public ones."""
    for name, host in checked.hosts.items():
        address = as_address(around.ways.get(name, {}).get("ansible_host", name))
        if address is not None and address not in host.get("vps_addresses", ()):
            yield _Claim(address, name, f"{sources.hosts}: {name}", 0, "ansible_host", Block({}))


def as_address(name: t.Any) -> str | None:
    """Return an IP address in its usual form; None if a name is none."""
    try:
        address = ipaddress.ip_address(str(name))
    except ValueError:
        return None
    return str(address)


def check_unique(
    records: list[Record], checked: Checked, sources: Sources, around: Surroundings, problems: list[Problem]
) -> None:
    """Note every value of a jail or a host that another has; `records` are the jails'."""
    public = list(_hosts(checked.hosts, sources))
    _check(public, problems)
    _check(_jails(records, checked, "id"), problems)
    # Two hosts may well be reached by one address, at two ports; no jail may have it.
    taken = {claim.value: claim for claim in (*public, *_reached(checked, sources, around))}
    own = (claim for key in ("address", "address6", "public") for claim in _jails(records, checked, key))
    _check((*taken.values(), *own), problems)
    _check(_ports(records, checked), problems)
