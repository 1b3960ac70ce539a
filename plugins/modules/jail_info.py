#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_info
short_description: Tell which jails run on a host
version_added: 0.1.0
description:
  - Returns the jails that run on the host, whoever made them, with what the kernel and their roots say of them.
  - What a root says of its release is the customer's word.
options:
  names:
    description: Only these jails. All if not given.
    type: list
    elements: str
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.info
"""

EXAMPLES = r"""
- name: See what runs
  jailisp.vps.jail_info:
  register: found

- name: Show one jail's addresses
  ansible.builtin.debug:
    var: found.jails.alice.ip4
"""

RETURN = r"""
jails:
  description: The running jails by name.
  returned: always
  type: dict
  contains:
    jid:
      description: The number of the jail.
      type: int
    age:
      description: The seconds since its oldest process began; none if it has no process.
      type: int
    path:
      description: The root.
      type: str
    hostname:
      description: The host name inside.
      type: str
    ip4:
      description: The IPv4 addresses.
      type: list
      elements: str
    ip6:
      description: The IPv6 addresses.
      type: list
      elements: str
    ours:
      description: Whether a file that M(jailisp.vps.jails) wrote is the jail's configuration.
      type: bool
    release:
      description: The release that the root says it holds; none if it says nothing that can be one.
      type: str
    parameters:
      description: All parameters, as C(jls --libxo json -n) prints them.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._jails.info import tell
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_info

ARGUMENT_SPEC = {"names": {"type": "list", "elements": "str"}}


def main() -> None:
    """Run the module."""
    run_info(
        AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True),
        lambda host, wish: {"jails": tell(host, wish["names"])},
    )


if __name__ == "__main__":
    main()
