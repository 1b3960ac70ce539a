# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: datasets
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as datasets with limits
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.zfs_datasets#module:datasets) of
    M(jailisp.vps.zfs_datasets). Only jails whose storage is a dataset are in it, and absent ones not, so that theirs
    stay as they are.
  - The disk of a jail is its refquota, which leaves its snapshots out; quota, for both, is greater by the host's
    C(vps_snapshot_room).
  - They are not made by that module, but by M(jailisp.vps.jail_worlds) with the same properties.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Converge the limits of the datasets
  jailisp.vps.zfs_datasets:
    datasets: "{{ jails | jailisp.vps.datasets }}"

# datasets gives, for instance:
#   - name: tank/jails/bob
#     jail: bob
#     create: false
#     properties: {refquota: 4294967296, quota: 6442450944, reservation: 0}
"""

RETURN = r"""
_value:
  description: One element a jail with a dataset, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import datasets


class FilterModule:
    """Ansible's filter datasets."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"datasets": datasets}
