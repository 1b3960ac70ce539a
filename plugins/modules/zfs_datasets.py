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
        description: Properties as C(zfs get -p) prints them, sizes in bytes.
        type: dict
        default: {}
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: The parent of the jails' datasets
  jailisp.vps.zfs_datasets:
    datasets:
      - name: tank/jails
        properties: {mountpoint: /usr/local/jails/h2}
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
        },
    },
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Datasets(module.params))


if __name__ == "__main__":
    main()
