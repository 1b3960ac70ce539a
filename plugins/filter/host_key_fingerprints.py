# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_key_fingerprints
author:
  - the jailisp.vps authors (@jailisp)
short_description: Fingerprints of the host keys that ssh-keyscan printed
description:
  - Returns the fingerprint of each host key in the output of C(ssh-keyscan).
  - Lines that are no public key are left out, so nothing else of what an unknown machine answered gets any further.
positional: _input
options:
  _input:
    description: What C(ssh-keyscan) printed on its standard output.
    type: str
    required: true
  without:
    description: Keys to leave out, in base64 as the facts C(ssh_host_key_*_public) have them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask for the host keys of a jail
  ansible.builtin.command:
    argv: [ssh-keyscan, -p, "8017", 203.0.113.10]
  register: scan
  changed_when: false

- name: Show their fingerprints
  ansible.builtin.debug:
    msg: "{{ scan.stdout | jailisp.vps.host_key_fingerprints }}"
"""

RETURN = r"""
_value:
  description: The type of each key and its fingerprint, as C(ssh-keygen -l) shows it.
  type: list
  elements: str
  sample: ["ssh-ed25519 SHA256:Xn2kWvfOSVZfnXYJYLGyMNlTySzsWGLFvr4t0VsHAMI"]
"""

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.host_keys import host_key_fingerprints


class FilterModule:
    """Ansible's filter host_key_fingerprints."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"host_key_fingerprints": host_key_fingerprints}
