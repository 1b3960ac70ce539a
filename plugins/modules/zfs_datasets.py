#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_datasets
short_description: Converge datasets and their properties
version_added: 0.1.0
description:
  - Makes the given datasets be there with the given properties, by one read and by changing only what differs.
  - Destroys nothing, and leaves datasets and properties that are not given as they are.
  - What zfs would refuse, a limit below what is in use or more set aside than there is, is an error of its record, also
    in check mode. It stays as it is; all else is set.
options:
  datasets:
    description: The datasets.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name, beginning with the pool. Parents that are missing are made.
        type: str
        required: true
      properties:
        description:
          - Properties as C(zfs get -p) prints them. Sizes are bytes, or such as V(4G); V(none) and V(0) are the same.
        type: dict
        default: {}
      create:
        description:
          - Whether to make it if it is not there. Else only one that is there gets its properties, such as a jail's,
            which M(jailisp.vps.jail_worlds) makes.
        type: bool
        default: true
      jail:
        description:
          - The jail that it is for. What goes wrong with it is this jail's error and stops no other dataset. Without
            it, it is the host's.
        type: str
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: The parent of the jails' datasets
  jailisp.vps.zfs_datasets:
    datasets:
      - name: tank/jails
        properties: {mountpoint: /usr/local/jails/h2, compression: lz4}
      - name: tank/jails/bob
        jail: bob
        create: false
        properties: {refquota: 4G, quota: 6G}
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.observe import Datasets

ARGUMENT_SPEC = {
    "datasets": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "properties": {"type": "dict", "default": {}},
            "create": {"type": "bool", "default": True},
            "jail": {"type": "str"},
        },
    },
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Datasets(module.params))


if __name__ == "__main__":
    main()
