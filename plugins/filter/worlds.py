# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: worlds
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as worlds
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jail_worlds#module:worlds) of
    M(jailisp.vps.jail_worlds). Absent jails get no world.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Fill the roots
  jailisp.vps.jail_worlds:
    worlds: "{{ jails | jailisp.vps.worlds }}"
    releases:
      - {name: 15.1-RELEASE-p1, archive: /var/base.txz, sha256: "{{ sha256 }}"}

# worlds gives, for instance:
#   - {name: alice, path: /usr/local/jails/h1/alice, release: 15.1-RELEASE-p1}
"""

RETURN = r"""
_value:
  description: One element a jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import worlds


class FilterModule:
    """Ansible's filter worlds."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"worlds": worlds}
