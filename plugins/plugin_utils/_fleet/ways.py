# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""How Ansible reaches the hosts: the port of a host's own sshd, which no jail may take from it."""

from __future__ import annotations

import typing as t

from .claims import as_address, public_address, publish_block
from .model import Problem, Record, Sources, Surroundings
from .values import port_range, said_of

if t.TYPE_CHECKING:
    from .check import Checked, Values

_SSH = 22
_PORT_MAX = 65535


def _port(way: t.Mapping[str, t.Any]) -> int | None:
    """Return the port at which Ansible reaches a host; None if what is given is none."""
    port = str(way.get("ansible_port") or _SSH)
    return int(port) if port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX else None


def _sockets(name: str, host: Values, way: t.Mapping[str, t.Any], port: int) -> set[tuple[str, str, int]]:
    """Return the public addresses, protocol and port at which Ansible may reach a host.

    By a name, or through a port that something in front of the host redirects, it may come in by any of its addresses.
    """
    addresses = host.get("vps_addresses", [])
    reached = as_address(way.get("ansible_host", name))
    return {(address, "tcp", port) for address in addresses if reached not in addresses or address == reached}


def check_ways(
    records: list[Record], checked: Checked, sources: Sources, around: Surroundings, problems: list[Problem]
) -> None:
    """Note each jail that publishes the port of its host's own sshd; `records` are the jails'."""
    reserved = set()
    for name, host in checked.hosts.items():
        way = around.ways.get(name, {})
        port = _port(way)
        if port is None:
            text = "is not a port; write a number from 1 to 65535"
            problems.append(Problem(f"{sources.hosts}: {name}", 0, "ansible_port", text))
        else:
            reserved |= _sockets(name, host, way, port)
    for record in records:
        _check_published(record, checked, reserved, problems)


def _check_published(
    record: Record, checked: Checked, reserved: set[tuple[str, str, int]], problems: list[Problem]
) -> None:
    """Note the ports of a jail that are reserved."""
    jail = checked.jails[record.name]
    host = checked.hosts.get(jail.get("host", ""), {})
    for index, entry in enumerate(jail.get("publish", ())):
        address = public_address(record, index, jail, host)
        ports = port_range(entry["port"]) if "port" in entry else ()
        for port in (each for each in ports if (address, entry.get("protocol"), each) in reserved):
            block = publish_block(record, index)
            said = f"tcp port {said_of(block, 'port', port)} of {said_of(block, 'address', address)}"
            text = f"{said} is where Ansible reaches {jail['host']}; choose another"
            problems.append(Problem(record.file, block.line_of("port"), f"publish[{index}].port", text))
