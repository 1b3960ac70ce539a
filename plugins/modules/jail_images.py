#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_images
short_description: Give jails of a host images of their own for their roots
version_added: 0.1.0
description:
  - Makes for each given jail a file with a UFS of its own, which is mounted at the jail's root. What the jail stores is
    limited by the size of the file; this is the hard limit on disk space for hosts without ZFS.
  - An image is attached as the memory disk of a given number, mounted when its jail starts, and unmounted when it has
    stopped, by the jail's own file, see the option C(image) of M(jailisp.vps.jails). Here it is mounted as long as its
    root is fresh, so that M(jailisp.vps.jail_worlds) can fill it.
  - An image grows to a larger O(images[].size), also while its jail runs. It never shrinks.
  - Images are sparse files. One is refused if the host's file system has less room than what all images of the folder
    may still come to take.
  - Destroys nothing. A file that is there and does not belong to a fresh root is never given a new file system.
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      file:
        description:
          - The file of the image. All images are in one folder, which no symbolic link leads to, and which is root's
            alone.
          - The names on the way have letters, digits, C(.), C(_) and C(-) only, since jail(8) splits at others.
        type: str
        required: true
      unit:
        description: The number of the memory disk, which no other image has, such as the jail's id.
        type: int
        required: true
      size:
        description: The size, such as V(4G).
        type: str
        required: true
      path:
        description: The root of the jail. An empty folder, or none yet; its parent folder is there already.
        type: str
        required: true
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: An image of 4 GB
  jailisp.vps.jail_images:
    images:
      - name: dave
        file: /var/jail-images/dave.img
        unit: 41
        size: 4G
        path: /usr/local/jails/h1/dave
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

from ansible_collections.jailisp.vps.plugins.module_utils._images.observe import Images
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "file": {"type": "str", "required": True},
            "unit": {"type": "int", "required": True},
            "size": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
        },
    },
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Images(module.params))


if __name__ == "__main__":
    main()
