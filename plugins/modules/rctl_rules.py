#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rctl_rules
short_description: Converge the resource limits of all jails of a host
version_added: 0.1.0
description:
  - Makes the rules of rctl(8) whose subject is one of the given jails be exactly the given ones, in force and for the
    next boot. What else such a jail has is removed, an old limit never stays beside a new one.
  - Rules of other subjects, and of jails that are not given, are left as they are.
  - A jail need not run for its rules to be in force.
  - Where the kernel keeps no accounts (C(kern.racct.enable) is 0) only the file is written, and RV(in_force) says so.
options:
  jails:
    description: The jails that are spoken of.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      rules:
        description:
          - All of its rules, without their subject, such as V(memoryuse:deny=512M) or V(maxproc:deny=100).
          - The actions are C(deny), C(log), C(devctl), and of the four rates C(throttle).
          - An empty list removes all.
        type: list
        elements: str
        required: true
  file:
    description:
      - The file that C(rc.d/rctl) loads at boot.
      - Only the part of it between two marks belongs to the collection.
    type: path
    default: /etc/rctl.conf
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: What alice was sold, and nothing any more for bob
  jailisp.vps.rctl_rules:
    jails:
      - name: alice
        rules: ["memoryuse:deny=512M", "maxproc:deny=100", "pcpu:deny=50", "readbps:throttle=20M"]
      - name: bob
        rules: []
"""

RETURN = r"""
commands:
  description: What was done, or in check mode would be done, in order; processes as typed, and files written.
  returned: always
  type: list
  elements: str
before:
  description: What differs, as it was; keyed by the name of the thing.
  returned: always
  type: dict
after:
  description: What differs, as it is now; keyed by the name of the thing.
  returned: always
  type: dict
errors:
  description: What went wrong, by record; an empty name means the host.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the record.
      type: str
    error:
      description: What went wrong.
      type: str
in_force:
  description: Whether the kernel keeps accounts; if not, no limit is in force until a boot with C(kern.racct.enable=1).
  returned: always
  type: bool
unlisted:
  description: Jails that are not given and have rules in our part of the file; they were left.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._rctl.observe import Limits
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "jails": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "str", "required": True},
        },
    },
    "file": {"type": "path", "default": "/etc/rctl.conf"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Limits(module.params))


if __name__ == "__main__":
    main()
