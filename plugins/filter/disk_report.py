# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: disk_report
author:
  - the jailisp.vps authors (@jailisp)
short_description: What jails take of the disk and what they were sold
description:
  - Compares what M(jailisp.vps.jail_disk_info) measured with the records. Made for C(disk.yml).
positional: _input, variables
options:
  _input:
    description: The names of the hosts.
    type: list
    elements: str
    required: true
  variables:
    description:
      - The variables of each host, C(hostvars), with the result of M(jailisp.vps.jail_disk_info) as C(__disk_found).
    type: dict
    required: true
  soft:
    description: From so many percent of what it was sold on, a jail is near it.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Tell who takes more than he pays for
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | jailisp.vps.disk_report(hostvars, soft=80)).over }}"

# gives, for instance:
#   - host: h1
#     name: alice
"""

RETURN = r"""
_value:
  description:
    - In C(jails) one element a jail, each with C(host), C(name), C(customer), C(neighbourhood), C(kind), C(sold) and
      C(used) (bytes), C(percent), C(state) (C(over), C(near), C(within), or C(unknown)) and C(trouble).
    - In C(over) C(host) and C(name) of the jails that take more than they were sold.
    - In C(rooms) one element for each folder of a host, each with C(host), C(name) (of the neighbourhood, or none),
      C(path), C(point) (where its file system is mounted), C(mounted), and in bytes C(size), C(used), C(free), and of a
      neighbourhood C(disk) and C(sold).
    - In C(unasked) the hosts that could not be asked.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.disk import disk_report


class FilterModule:
    """Ansible's filter disk_report."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"disk_report": disk_report}
