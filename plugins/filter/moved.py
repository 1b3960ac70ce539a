# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: moved
author:
  - the jailisp.vps authors (@jailisp)
short_description: Jails whose root is on another host than their record says
description:
  - Compares the resolved jails of all hosts with the roots that M(jailisp.vps.jail_host_info) found on some of them.
  - A jail is refused when its root is on another host and not on its own, or when a host that may hold it was not
    asked. A jail that is absent is not looked for.
positional: _input
options:
  _input:
    description: The resolved jails of each host, the variables C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: dict
    required: true
  answers:
    description: What M(jailisp.vps.jail_host_info) returned on each host that was asked.
    type: dict
    required: true
  new:
    description: Names of jails, with commas between them, that have no root anywhere yet.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Refuse what was moved
  ansible.builtin.fail:
    msg: "{{ found.refused[inventory_hostname] | join('\n') }}"
  when: inventory_hostname in found.refused
  vars:
    found: "{{ {'h1': hostvars.h1.jails, 'h2': hostvars.h2.jails}
      | jailisp.vps.moved({'h1': hostvars.h1.answer, 'h2': hostvars.h2.answer}) }}"

# found is, for instance:
#   ask: [h2]
#   refused:
#     h1: ["jail alice: host: it has no root on h1, and h2 could not be asked whether it is there. ..."]
"""

RETURN = r"""
_value:
  description:
    - In C(ask) the hosts that were not asked and must be, in C(refused) by host what is wrong, one line a jail.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.moves import moved


class FilterModule:
    """Ansible's filter moved."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"moved": moved}
