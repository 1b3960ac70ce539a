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
  interface:
    description: Outside interface of the host.
    type: str
    required: true
  addresses:
    description: Public addresses of the host; NAT translates to the first.
    type: list
    elements: str
    required: true
  netblocks:
    description: The networks of the host's jails.
    type: list
    elements: str
    required: true
  jail_interface:
    description:
      - Interface, or group of interfaces, where the jails of a host meet each other.
      - The group V(lo) holds lo0 and lo1. Neither alone isolates, because packets between shared addresses on lo1 pass
        lo1, and packets to the host's own addresses pass lo0.
    type: str
    default: lo
  base:
    description: Number of the first pipe; the pipes of a jail are O(base) + 2 * id and the one after it.
    type: int
    default: 10000
"""

EXAMPLES = r"""
- name: Translate, redirect, isolate
  vars:
    network: >-
      {{ jails | jailisp.vps.pf_rules(interface='vtnet0', addresses=['203.0.113.10'], netblocks=['192.168.1.0/24']) }}
  jailisp.vps.pf_anchor:
    rules: "{{ network.rules }}"
    tables: "{{ network.tables }}"

# gives, for instance:
#   rules:
#     - rule: nat on vtnet0 inet from 192.168.1.17 to any tag jail_alice -> 203.0.113.10
#       jail: alice
#   tables:
#     jails: [192.168.1.0/24]
"""

RETURN = r"""
_value:
  description:
    - The options C(rules), each with its text in C(rule) and, if it is one jail's, the name of that in C(jail), and
      C(tables), addresses by the name of the table.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules


class FilterModule:
    """Ansible's filter pf_rules."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"pf_rules": pf_rules}
