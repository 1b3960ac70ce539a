# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pipes
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as dummynet pipes
description:
  - Turns the resolved jails of a host into the options of M(jailisp.vps.dummynet_pipes).
  - A jail whose bandwidth is capped has two pipes, the first for what it sends, the second for what it receives. One
    without a cap has two queues instead, which share the pipes of the host's line by their weights. Absent jails have
    none.
  - No pipe can be as fast as a line of more than 4.29 Gbit/s. The pipes of such a line have no limit, so that the
    weights have no effect.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
  link:
    description: The rates of the host's line in bit/s, C(up) and C(down).
    type: dict
    required: true
  base:
    description:
      - Number of the first pipe. It and the one after it are those of the host's line; a jail has the pipes or queues
        O(base) + 2 * id and the one after it.
    type: int
    default: 10000
"""

EXAMPLES = r"""
- name: Shape the jails
  vars:
    shaping: "{{ jails | jailisp.vps.pipes(vps_host.link) }}"
  jailisp.vps.dummynet_pipes:
    pipes: "{{ shaping.pipes }}"
    queues: "{{ shaping.queues }}"

# gives, for instance:
#   pipes:
#     - {number: 10000, bandwidth: 1Gbit/s}
#     - {number: 10001, bandwidth: 1Gbit/s}
#     - {number: 10034, bandwidth: 10Mbit/s, jail: alice}
#     - {number: 10035, bandwidth: 20Mbit/s, jail: alice}
#   queues:
#     - {number: 10036, pipe: 10000, weight: 10, jail: bob}
#     - {number: 10037, pipe: 10001, weight: 10, jail: bob}
"""

RETURN = r"""
_value:
  description: The options C(pipes) and C(queues).
  type: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes


class FilterModule:
    """Ansible's filter pipes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"pipes": pipes}
