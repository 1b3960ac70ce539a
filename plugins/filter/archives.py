# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: archives
author:
  - the jailisp.vps authors (@jailisp)
short_description: The retired jails of a host as archives
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jail_archives#module:archives) of
    M(jailisp.vps.jail_archives). Only jails that are absent and were retired get an archive.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep what is left of retired jails
  jailisp.vps.jail_archives:
    archives: "{{ jails | jailisp.vps.archives }}"

# archives gives, for instance:
#   - {name: alice, path: /usr/local/jails/h1/alice, retired: 2026-11-24T093000Z}
"""

RETURN = r"""
_value:
  description: One element a retired jail, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import archives


class FilterModule:
    """Ansible's filter archives."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"archives": archives}
