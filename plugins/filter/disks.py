# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: disks
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as what is to be measured of its disks
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jail_disk_info#module:jails) of
    M(jailisp.vps.jail_disk_info). Absent jails are in it, since their data are still there.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Measure all jails
  jailisp.vps.jail_disk_info:
    jails: "{{ jails | jailisp.vps.disks }}"

# jails gives, for instance:
#   - name: bob
#     path: /usr/local/jails/h2/bob
#     dataset: tank/jails/bob
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.disk import disks


class FilterModule:
    """Ansible's filter disks."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"disks": disks}
