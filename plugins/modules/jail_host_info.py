#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_host_info
short_description: Tell what is on a jail host, whoever made it
version_added: 0.1.0
description:
  - Returns the roots, datasets, images, jails, tables and anchors of pf, pipes, queues and resource limits that are on
    a host, those of jails that have no record among them. C(drift.yml) compares them with the records.
  - Names are escaped where they hold anything that a terminal would not show as itself.
options:
  folders:
    description:
      - The folders of the jails' roots. Datasets and images are mounted in the first.
    type: list
    elements: path
    required: true
  dataset:
    description: The dataset whose children are the jails' datasets. None are looked for if not given.
    type: str
  images:
    description: The folder of the jails' images. None are looked for if not given.
    type: path
  anchor:
    description: The name of the pf anchor.
    type: str
    default: jailisp
  first:
    description: The first number of the range of pipes and queues that belongs to the collection.
    type: int
    default: 10000
  last:
    description: The last number of the range of pipes and queues that belongs to the collection.
    type: int
    default: 59999
  gather_subset:
    description: What to look for.
    type: list
    elements: str
    choices: [roots, jails, pf, pipes, limits]
    default: [roots, jails, pf, pipes, limits]
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.info
"""

EXAMPLES = r"""
- name: See what is on a host
  jailisp.vps.jail_host_info:
    folders: [/usr/local/jails/h2]
    dataset: tank/jails
  register: found

- name: See only which roots there are
  jailisp.vps.jail_host_info:
    folders: [/usr/local/jails/h1, /jails/n1, /jails/n2]
    gather_subset: [roots]
"""

RETURN = r"""
folders:
  description: The folders of the roots.
  returned: always
  type: list
  elements: str
roots:
  description:
    - Everything in these folders by its path, as V(folder), V(empty) (a folder with nothing in it) or V(other).
    - What file systems make for themselves is left out. What is half filled counts as empty.
  returned: with roots in O(gather_subset)
  type: dict
  sample: {"/usr/local/jails/h1/alice": "folder"}
datasets:
  description: The names of the datasets directly below O(dataset), without it.
  returned: with roots in O(gather_subset)
  type: list
  elements: str
images:
  description: The files of the images in O(images) by the name of their jail, without those that are not filled yet.
  returned: with roots in O(gather_subset)
  type: dict
  sample: {"dave": "/var/jail-images/dave.img"}
jails:
  description: The running jails by name.
  returned: with jails in O(gather_subset)
  type: dict
  contains:
    path:
      description: The root.
      type: str
    ours:
      description: Whether a file that M(jailisp.vps.jails) wrote is the jail's configuration.
      type: bool
tables:
  description: The tables of the anchor.
  returned: with pf in O(gather_subset)
  type: list
  elements: str
anchors:
  description: The anchors below the anchor, with its name before theirs.
  returned: with pf in O(gather_subset)
  type: list
  elements: str
pipes:
  description: The numbers of the pipes in the range.
  returned: with pipes in O(gather_subset)
  type: list
  elements: int
queues:
  description: The numbers of the queues in the range.
  returned: with pipes in O(gather_subset)
  type: list
  elements: int
rules:
  description: The resource limits whose subject is a jail, by its name, as rctl(8) prints them.
  returned: with limits in O(gather_subset)
  type: dict
  sample: {"alice": ["jail:alice:maxproc:deny=100"]}
accounts:
  description: Whether the kernel keeps accounts (C(kern.racct.enable)); without them no limit is in force.
  returned: with limits in O(gather_subset)
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._host_info.observe import observe
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_info

SUBSETS = ["roots", "jails", "pf", "pipes", "limits"]
ARGUMENT_SPEC = {
    "folders": {"type": "list", "elements": "path", "required": True},
    "dataset": {"type": "str"},
    "images": {"type": "path"},
    "anchor": {"type": "str", "default": "jailisp"},
    "first": {"type": "int", "default": 10000},
    "last": {"type": "int", "default": 59999},
    "gather_subset": {"type": "list", "elements": "str", "choices": SUBSETS, "default": SUBSETS},
}


def main() -> None:
    """Run the module."""
    run_info(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), observe)


if __name__ == "__main__":
    main()
