#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_disk_info
short_description: Measure what jails take of their host's disks
version_added: 0.1.0
description:
  - Returns what each jail takes of the disk, and the room of the file systems that hold them. C(disk.yml) compares it
    with what was sold.
  - Directories are measured by du(1), at the lowest priority and without what is mounted in them. That takes long where
    there are many files.
  - One jail's trouble does not hide the others' figures.
options:
  jails:
    description: The jails. One that has neither O(jails[].dataset) nor O(jails[].image) is a directory.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      path:
        description: Its root.
        type: str
        required: true
      dataset:
        description: The name of its dataset.
        type: str
      image:
        description: Its image.
        type: dict
        suboptions:
          file:
            description: The file of the image.
            type: str
            required: true
          unit:
            description: The number of its memory disk.
            type: int
            required: true
  folders:
    description: Folders of whose file systems the room is told. Those that are not there are left out.
    type: list
    elements: path
    default: []
  seconds:
    description:
      - The seconds that du(1) may take. After that it begins again with the directory at which it was stopped; one that
        takes longer by itself is left out.
    type: int
    default: 3600
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.info
"""

EXAMPLES = r"""
- name: Measure a directory, an image and a dataset
  jailisp.vps.jail_disk_info:
    jails:
      - {name: alice, path: /jails/n1/alice}
      - {name: dave, path: /usr/local/jails/h1/dave, image: {file: /var/jail-images/dave.img, unit: 41}}
      - {name: bob, path: /usr/local/jails/h2/bob, dataset: tank/jails/bob}
    folders: [/jails/n1, /var/jail-images]
  register: measured
"""

RETURN = r"""
jails:
  description: The jails by name.
  returned: always
  type: dict
  contains:
    kind:
      description: What the root is, V(directory), V(image) or V(dataset).
      type: str
    used:
      description:
        - The bytes that it takes; none if it could not be measured.
        - Of a dataset what it refers to, snapshots aside; of an image what is used in its file system, or what its file
          takes while it is not mounted.
      type: int
    size:
      description: The size of the image.
      type: int
      returned: for images
    allocated:
      description: What the image's file takes of its file system. It never becomes less.
      type: int
      returned: for images
    trouble:
      description: What went wrong; empty if nothing did.
      type: str
rooms:
  description: The file systems by folder.
  returned: always
  type: dict
  contains:
    size:
      description: The bytes of the file system.
      type: int
    used:
      description: The bytes that are used.
      type: int
    free:
      description: The bytes that are free; less than none where root took what is kept for it.
      type: int
    point:
      description: Where it is mounted.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._disk.observe import measure
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_info

ARGUMENT_SPEC = {
    "jails": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "dataset": {"type": "str"},
            "image": IMAGE,
        },
    },
    "folders": {"type": "list", "elements": "path", "default": []},
    "seconds": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    run_info(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), measure)


if __name__ == "__main__":
    main()
