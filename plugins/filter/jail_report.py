# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jail_report
author:
  - the jailisp.vps authors (@jailisp)
short_description: One jail in plain words, as it is and as it was sold
description:
  - Compares what the host says of a jail with its record, and puts both into words. Made for C(show.yml).
  - Nothing in it can be more than text to a terminal, whatever the jail's customer did.
positional: _input, answers
options:
  _input:
    description: The resolved jail, an element of the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: dict
    required: true
  answers:
    description:
      - What the host answered to M(jailisp.vps.jail_info) (C(jail)), M(jailisp.vps.net_info) (C(net)),
        M(jailisp.vps.jail_disk_info) (C(disk)), M(jailisp.vps.jail_host_info) for C(limits) (C(limits)) and
        C(rctl -u) (C(used)). Of one that is empty nothing is told.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell what differs
  ansible.builtin.debug:
    msg: "{{ (jails | first | jailisp.vps.jail_report(answers)).differs }}"
  vars:
    answers: {jail: "{{ __jail }}", net: "{{ __net }}", disk: {}, limits: {}, used: {}}
"""

RETURN = r"""
_value:
  description:
    - In C(title) which jail it is, in C(rows) one element a line, each with C(name) and C(text), in C(differs) what is
      not as its record says, and in C(trouble) what the host could not answer.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.show import jail_report


class FilterModule:
    """Ansible's filter jail_report."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"jail_report": jail_report}
