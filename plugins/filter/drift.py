# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
author:
  - the jailisp.vps authors (@jailisp)
short_description: What differs between hosts and their records
description:
  - Compares what the roles of C(site.yml) would change, run in check mode, and what M(jailisp.vps.jail_host_info)
    found, with the records. Made for C(drift.yml).
  - Everything that comes from a host is escaped where a terminal would not show it as itself.
positional: _input, variables
options:
  _input:
    description: The names of the hosts.
    type: list
    elements: str
    required: true
  variables:
    description:
      - The variables of each host, C(hostvars); with the results that the roles register, and that of
        M(jailisp.vps.jail_host_info) as C(__drift_found).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what differs
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | jailisp.vps.drift(hostvars)).differences }}"

# gives, for instance:
#   - host: h1
#     kind: pipe
#     name: "10034"
#     where: differs
#     detail: "host: bw 1.000 Kbit/s delay 0 ms queue 50 sl.; git: bw 10.000 Mbit/s delay 0 ms queue 50 sl."
"""

RETURN = r"""
_value:
  description:
    - In C(differences) one element a difference, sorted, each with C(host), C(kind), C(name), C(where) (C(host only),
      C(git only) or C(differs)) and C(detail).
    - In C(foreign) the running jails of others, in C(unasked) the hosts that could not be asked.
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.drift import drift


class FilterModule:
    """Ansible's filter drift."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"drift": drift}
