# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: limits
author:
  - the jailisp.vps authors (@jailisp)
short_description: What the jails of a host were sold as rules of rctl(8)
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.rctl_rules#module:jails) of
    M(jailisp.vps.rctl_rules). Absent jails have no rules.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Bring what was sold into force
  jailisp.vps.rctl_rules:
    jails: "{{ jails | jailisp.vps.limits }}"

# limits gives, for instance (and more rules, of what the kernel has once for the whole host):
#   - {name: alice, rules: ["maxproc:deny=100", "memoryuse:deny=536870912", "pcpu:deny=50"]}
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import limits


class FilterModule:
    """Ansible's filter limits."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"limits": limits}
