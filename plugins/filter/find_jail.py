# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: find_jail
author:
  - the jailisp.vps authors (@jailisp)
short_description: The host of a jail by its record
description:
  - Looks for the name of a jail in the records of all hosts. Made for C(show.yml).
positional: _input, name
options:
  _input:
    description: The resolved jails of each host, the variables C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: dict
    required: true
  name:
    description: The name of the jail.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Tell where alice is
  ansible.builtin.debug:
    msg: "{{ ({'h1': hostvars.h1.jails, 'h2': hostvars.h2.jails} | jailisp.vps.find_jail('alice')).host }}"
"""

RETURN = r"""
_value:
  description:
    - In C(host) the name of its host, in C(wrong) what is wrong with the name, with the names that there are; one of
      them is empty.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.show import find_jail


class FilterModule:
    """Ansible's filter find_jail."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"find_jail": find_jail}
