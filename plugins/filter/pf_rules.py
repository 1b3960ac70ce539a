# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pf_rules
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as rules of pf
description:
  - Turns the resolved jails of a host into the options of M(jailisp.vps.pf_anchor), translation before filtering.
  - Running and stopped jails are translated, redirected to, counted and shaped; suspended and absent ones are only kept
    apart from the others, as is everything in the host's netblocks.
  - Filter rules on the outside interface see translated addresses. They know a jail by the tag C(jail_NAME) that the
    translation gave the packet.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
  host:
    description:
      - What is known of the host, the variable C(vps_host) that P(jailisp.vps.fleet#inventory) gives.
      - Of it C(interface), C(interfaces), C(addresses), C(own_addresses), C(netblocks), C(services), C(blocked),
        C(bridge) and C(gateways) count.
    type: dict
    required: true
  base:
    description:
      - Number of the first pipe. It and the one after it are those of the host's line; a jail has the pipes or queues
        O(base) + 2 * id and the one after it.
    type: int
    default: 10000
"""

EXAMPLES = r"""
- name: Translate, redirect, isolate
  vars:
    network: "{{ jails | jailisp.vps.pf_rules(vps_host) }}"
  jailisp.vps.pf_anchor:
    rules: "{{ network.rules }}"
    tables: "{{ network.tables }}"
    kept_tables: "{{ network.kept_tables }}"
    unskipped: "{{ network.unskipped }}"

# gives, for instance:
#   rules:
#     - rule: nat on vtnet0 inet from 192.168.1.17 to any tag jail_alice -> 203.0.113.10
#       jail: alice
#   tables:
#     host: [127.0.0.1, 198.51.100.11, 203.0.113.10, "::1"]
#     jails: [192.168.1.0/24]
#     public: [203.0.113.10]
#     barred: []
#   kept_tables: [blocked]
"""

RETURN = r"""
_value:
  description:
    - The options C(rules), each with its text in C(rule) and, if it is one jail's, the name of that in C(jail),
      C(tables), addresses by the name of the table, C(kept_tables) and C(unskipped).
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules


class FilterModule:
    """Ansible's filter pf_rules."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"pf_rules": pf_rules}
