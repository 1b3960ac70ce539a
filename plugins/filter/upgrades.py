# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrades
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as upgrades
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jail_upgrades#module:jails) of
    M(jailisp.vps.jail_upgrades). Absent jails are left out.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Upgrade all jails
  jailisp.vps.jail_upgrades:
    jails: "{{ jails | jailisp.vps.upgrades }}"
    releases: "{{ vps_host.releases }}"

# upgrades gives, for instance:
#   - name: alice
#     path: /usr/local/jails/h1/alice
#     release: 15.1-RELEASE-p1
#     address: 192.168.1.17
#     ports: [22]
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import upgrades


class FilterModule:
    """Ansible's filter upgrades."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"upgrades": upgrades}
