# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images
author:
  - the jailisp.vps authors (@jailisp)
short_description: The jails of a host as images
description:
  - Turns the resolved jails of a host into the option O(jailisp.vps.jail_images#module:images) of
    M(jailisp.vps.jail_images). Only jails whose storage is an image get one, and absent ones none.
positional: _input
options:
  _input:
    description: The resolved jails of a host, the variable C(jails) that P(jailisp.vps.fleet#inventory) gives.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Make the images
  jailisp.vps.jail_images:
    images: "{{ jails | jailisp.vps.images }}"

# images gives, for instance:
#   - name: dave
#     file: /var/jail-images/dave.img
#     unit: 41
#     size: 4G
#     path: /usr/local/jails/h1/dave
"""

RETURN = r"""
_value:
  description: One element a jail with an image, in the order of the input.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import images


class FilterModule:
    """Ansible's filter images."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"images": images}
