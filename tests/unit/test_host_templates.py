# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host writes for the next boot, with and without a bridge."""

from __future__ import annotations

import typing as t
from pathlib import Path

from jinja2 import Environment, StrictUndefined

FOLDER = Path(__file__).resolve().parents[2] / "roles" / "host" / "templates" / "rc.conf.d"
LO1 = 'cloned_interfaces="${cloned_interfaces:+${cloned_interfaces} }lo1'


def rendered(name: str, bridge: str, *addresses: str) -> list[str]:
    """Return the lines of a file as Ansible makes them."""
    variables: dict[str, t.Any] = {
        "host_jail_interface": "lo1",
        "host_bridge": bridge,
        "host_bridge_addresses": addresses,
        "__host_bridge": {"interfaces": [bridge] if bridge else []},
    }
    environment = Environment(trim_blocks=True, undefined=StrictUndefined)
    return environment.from_string((FOLDER / name).read_text()).render(variables).splitlines()


def test_host_without_a_bridge_has_its_interface_and_forwards_nothing() -> None:
    assert rendered("netif.j2", "") == [f'{LO1}"']
    assert rendered("routing.j2", "") == []


def test_bridge_comes_back_at_boot_with_its_addresses() -> None:
    assert rendered("netif.j2", "bridge0", "192.168.1.1/24", "2001:db8:1::1/64") == [
        f'{LO1} bridge0"',
        'ifconfig_bridge0="inet 192.168.1.1/24"',
        'ifconfig_bridge0_ipv6="inet6 2001:db8:1::1/64"',
    ]
    assert rendered("routing.j2", "bridge0") == ['gateway_enable="YES"', 'ipv6_gateway_enable="YES"']
