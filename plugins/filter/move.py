# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: move
author:
  - the jailisp.vps authors (@jailisp)
short_description: The way of a jail's root to the host of its record
description:
  - Compares the resolved jails of all hosts with what M(jailisp.vps.jail_host_info) found on each of them, and says
    from where to where the root of one jail has to go.
positional: _input
options:
  _input:
    description: The resolved jails of each host, the variables C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: dict
    required: true
  answers:
    description: What M(jailisp.vps.jail_host_info) returned on each host for the subsets V(roots) and V(jails).
    type: dict
    required: true
  name:
    description: The name of the jail.
    type: str
    required: true
  archives:
    description: The paths of the archives of this jail on each host. They tell a root that was moved from another one.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell where alice goes
  ansible.builtin.debug:
    msg: "{{ way.wrong or way.old_path ~ ' on ' ~ way.old ~ ' goes to ' ~ way.new_path ~ ' on ' ~ way.new }}"
  vars:
    way: "{{ {'h1': hostvars.h1.jails, 'h2': hostvars.h2.jails}
      | jailisp.vps.move({'h1': hostvars.h1.answer, 'h2': hostvars.h2.answer}, 'alice', {'h1': [], 'h2': []}) }}"

# way is, for instance:
#   wrong: ""
#   old: h1
#   new: h2
#   old_path: /usr/local/jails/h1/alice
#   new_path: /usr/local/jails/h2/alice
#   runs: true
#   arrived: false
#   archive: ""
"""

RETURN = r"""
_value:
  description:
    - In C(wrong) why the jail cannot be moved, with nothing else then; it is empty if it can.
    - In C(old) and C(new) the hosts, in C(old_path) and C(new_path) the roots, in C(runs) whether the jail shall run.
    - In C(arrived) whether the root is on the new host already, and in C(archive) the archive that it came from.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.moves import move


class FilterModule:
    """Ansible's filter move."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"move": move}
