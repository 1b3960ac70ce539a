# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: accounts
author:
  - the jailisp.vps authors (@jailisp)
short_description: How the customers of a host get into their jails
description:
  - Turns the resolved jails of a host, and what lets their customers in, into the option
    O(jailisp.vps.jail_accounts#module:accounts) of M(jailisp.vps.jail_accounts). Absent jails are left out.
positional: _input, customers
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
  customers:
    description: What lets each customer in, the variable C(vps_accounts) that P(jailisp.vps.fleet#inventory) gives.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Hand over what was made
  jailisp.vps.jail_accounts:
    roots: fresh
    accounts: "{{ jails | jailisp.vps.accounts(vps_accounts) }}"

# accounts gives, for instance:
#   - {name: alice, path: /usr/local/jails/h1/alice, hostname: www.alice.example.net, user: alice, password: null,
#      keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu alice"],
#      addresses: [192.168.1.17], runs: true}
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import accounts


class FilterModule:
    """Ansible's filter accounts."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"accounts": accounts}
