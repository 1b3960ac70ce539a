#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_archives
short_description: Keep the last archive of each retired jail
version_added: 0.1.0
description:
  - Packs the root of each given jail, which must not run, into C(FOLDER/NAME-RETIRED.tar.zst), with the SHA-256 of that
    archive beside it in C(FOLDER/NAME-RETIRED.tar.zst.sha256). C(cd FOLDER && sha256sum -c NAME-RETIRED.tar.zst.sha256)
    verifies it, C(tar -xpf) unpacks it.
  - What a customer has in his root is packed as it is. No link is followed, and nothing that is mounted below the root
    gets in.
  - An archive gets its name when it is whole and was read again. Wherever a run is cut off, the next one begins that
    archive again.
  - An archive that is there is kept as it is. It is removed when its days are over, unless its jail is among
    O(archives). Nothing else in the folder is ever removed.
  - Nothing is done to the roots. M(jailisp.vps.jail_worlds) destroys them.
options:
  archives:
    description: The retired jails. None is fine, then what is too old is removed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      path:
        description: The root. A jail's dataset must be mounted there.
        type: str
        required: true
      retired:
        description: When the jail was retired, in UTC, such as V(2026-11-24T093000Z).
        type: str
        required: true
      image:
        description: The image of the root, which is mounted while it is packed.
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
  folder:
    description: The folder of the archives. It is made if its parent folder is there, and belongs to root alone.
    type: str
    default: /var/jail-archives
  keep_days:
    description: How many days after its jail was retired an archive is kept.
    type: int
    default: 90
  at_once:
    description: How many archives are packed at the same time.
    type: int
    default: 2
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Keep what a customer left
  jailisp.vps.jail_archives:
    archives:
      - {name: alice, path: /usr/local/jails/h1/alice, retired: 2026-11-24T093000Z}
    keep_days: 30

- name: Remove what is too old
  jailisp.vps.jail_archives:
    archives: []
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
archives:
  description:
    - The archive of each jail, by its name. RV(archives.bytes) and RV(archives.sha256) are null until there is one.
    - From the day RV(archives.until) on it is removed, once its jail is no longer among O(archives).
  returned: always
  type: dict
  contains:
    path:
      description: The path of the archive.
      type: str
    bytes:
      description: Its size.
      type: int
    sha256:
      description: Its SHA-256.
      type: str
    until:
      description: The day, in UTC.
      type: str
  sample:
    alice:
      path: /var/jail-archives/alice-2026-11-24T093000Z.tar.zst
      bytes: 41943040
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      until: "2027-02-22"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._archives.observe import Archives
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "archives": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "retired": {"type": "str", "required": True},
            "image": IMAGE,
        },
    },
    "folder": {"type": "str", "default": "/var/jail-archives"},
    "keep_days": {"type": "int", "default": 90},
    "at_once": {"type": "int", "default": 2},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Archives(module.params))


if __name__ == "__main__":
    main()
