# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jails_parameters
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as parameters of jail(8)
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jails#module:jails) of M(jailisp.vps.jails).
  - Gives only what comes from the records; the rest is left to the module's defaults.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
  interface:
    description: Interface on the host that carries the jails' addresses.
    type: str
    required: true
  bridge:
    description: Bridge on the host of the jails with network stacks of their own.
    type: str
    default: bridge0
  gateways:
    description: The host's addresses on that bridge, at most one of each family.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Converge the jails
  jailisp.vps.jails:
    jails: "{{ jails | jailisp.vps.jails_parameters(interface='lo1') }}"

# gives, for instance:
#   - name: alice
#     path: /usr/local/jails/h1/alice
#     hostname: www.alice.example.net
#     state: running
#     interface: lo1
#     ip4: [192.168.1.17]
#     restart: false
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import jails_parameters


class FilterModule:
    """Ansible's filter jails_parameters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"jails_parameters": jails_parameters}
