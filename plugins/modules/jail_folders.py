#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_folders
short_description: Keep the folders of the jails' roots to the host alone
version_added: 0.1.0
description:
  - Makes the folder of the roots if it is missing, and gives it and those of the neighbourhoods to root alone. Whoever
    could enter them might run what a customer has made setuid in there.
  - A neighbourhood is refused where no file system is mounted at its folder. Its roots would come to lie in the file
    system around it, which has no room for them, and would be hidden once its own is mounted.
  - If one of them is refused, nothing is done with the others.
options:
  root:
    description: The folder of the roots, and of the mount points of datasets and images.
    type: str
    required: true
  neighbourhoods:
    description:
      - The neighbourhoods of the host. Each key is a name, each value has the key C(path), the folder where its file
        system is mounted. What else it has is not looked at.
    type: dict
    default: {}
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: A folder
  jailisp.vps.jail_folders:
    root: /usr/local/jails/h1

- name: Two partitions beside it
  jailisp.vps.jail_folders:
    root: /usr/local/jails/h1
    neighbourhoods:
      n1: {path: /jails/n1}
      n2: {path: /jails/n2}
"""

RETURN = r"""
commands:
  description: What was done, or in check mode would be done, in order; processes as typed, and folders made.
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
  description: What went wrong. It is the host's trouble, so the name is empty.
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._folders.observe import Folders
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "root": {"type": "str", "required": True},
    "neighbourhoods": {"type": "dict", "default": {}},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Folders(module.params))


if __name__ == "__main__":
    main()
