#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_upgrades
short_description: Bring the worlds of a host's jails to another release, and back
version_added: 0.1.0
description:
  - Upgrades the root of each given jail that holds another release than the given one, many jails side by side.
  - A jail is stopped, what changes is kept, the release is written over its root, C(/etc) is merged by
    C(etcupdate(8)), and it is started. If it then does not run, does not hold the new release, or does not answer where
    it did before, it is given back what it held, and runs as before.
  - What C(hier(7)) gives to whoever owns the machine (C(/usr/local), C(/home), C(/root), C(/var) and more) is never
    touched.
  - Before anything is written, no folder that the release writes to may be a link, a mount point or anything else than
    a folder. A jail that fails this is refused.
  - Wherever a run is cut off, the jail is stopped or runs one release whole, and nobody starts what is between two, not
    even a boot. The next run puts it back and begins it again.
  - While it works, C(/var/log/jailisp_upgrades.log) on the host gets a line for each jail that is begun and ended.
options:
  jails:
    description: The jails, in the order in which they are begun.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      path:
        description: The root. Its parent folder belongs to the host alone.
        type: str
        required: true
      release:
        description:
          - The release that it shall hold; one of O(releases).
          - With O(state=rolled_back), the release that it was upgraded to and shall no longer hold.
        type: str
        required: true
      address:
        description: The address at which its ports are asked.
        type: str
        required: true
      ports:
        description: TCP ports. Those that answer before the upgrade must answer after it.
        type: list
        elements: int
        default: []
      image:
        description: The image of the root, see M(jailisp.vps.jail_images).
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
  state:
    description:
      - V(upgraded) brings each jail to its release.
      - V(rolled_back) brings each jail that was upgraded back to what it held before. What its customer wrote since
        stays. In the release's own folders, files that he made or changed since are packed first; of C(/etc) only files
        that the upgrade changed, and nobody since, go back.
    type: str
    choices: [upgraded, rolled_back]
    default: upgraded
  releases:
    description:
      - The releases that jails get, and those that they hold. Each key is a release with its patch level, such as
        V(15.1-RELEASE-p1). Each value says where it is from, as for
        O(jailisp.vps.jail_worlds#module:releases); with O(mode=installworld), C(src) is needed, alone or beside
        C(archive).
      - An archive that is missing and that an upgrade reads is fetched, with C(url), or made, from C(src) or
        C(dataset); it has its name only when it is whole, and names the release. What is done to the jails is foretold
        in check mode once the archive is there; before, that it is fetched or made, and which jails change.
      - C(pkgbase) is for new roots. No jail is upgraded to or from such a release here.
    type: dict
    required: true
  made_releases:
    description: The folder on the host for the archives that it makes. It is made for root alone.
    type: path
    default: /var/jail-releases
  folder:
    description: The folder on the host for what upgrades keep. It is made for root alone.
    type: path
    default: /var/jail-upgrades
  dataset:
    description:
      - The dataset whose children are the jails' datasets. What is kept is a snapshot then.
      - If not given, roots are folders or images, and what is kept is an archive.
    type: str
  mode:
    description:
      - Whether a root is written from the archive, or by C(make installworld). The host then makes an archive of C(src)
        too, once, beside any that is given, since a root is checked by what installworld writes; it is refused when
        the sources were built again afterwards.
    type: str
    choices: [archive, installworld]
    default: archive
  delete_old:
    description: Whether C(make delete-old) deletes what the release no longer has. Only with O(mode=installworld).
    type: bool
    default: false
  conflicts:
    description:
      - What becomes of files in C(/etc) that both the customer and the release changed. V(keep) leaves them as the
        customer made them, and names them in RV(report). V(roll_back) takes it for a failure.
    type: str
    choices: [keep, roll_back]
    default: keep
  most_failures:
    description: After more failures than this, no further jail is begun.
    type: int
    default: 0
  at_once:
    description: How many jails are upgraded at the same time.
    type: int
    default: 4
  seconds:
    description: How long a jail's ports may take to answer, in seconds.
    type: int
    default: 120
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Upgrade two jails
  jailisp.vps.jail_upgrades:
    jails:
      - {name: alice, path: /usr/local/jails/h1/alice, release: 15.1-RELEASE-p1, address: 192.168.1.17, ports: [22]}
      - {name: bob, path: /usr/local/jails/h1/bob, release: 15.1-RELEASE-p1, address: 192.168.1.18}
    releases:
      15.0-RELEASE:
        archive: /var/base-15.0.txz
        sha256: 3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7
      15.1-RELEASE-p1:
        archive: /var/base.txz
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Bring one back
  jailisp.vps.jail_upgrades:
    jails:
      - {name: alice, path: /usr/local/jails/h1/alice, release: 15.1-RELEASE-p1, address: 192.168.1.17}
    releases: {}
    state: rolled_back
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
report:
  description: What came of each jail that was worked on.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the jail.
      type: str
    result:
      description:
        - V(upgraded), V(rolled back), V(as before) where it failed, V(cut off) where it is between two releases,
          V(to do) where it was not begun, V(not seen) where its image is not mounted because it is stopped.
      type: str
    from:
      description: The release before.
      type: str
    to:
      description: The release that it was upgraded to.
      type: str
    seconds:
      description: How long it took.
      type: int
    todo:
      description: What its customer has to do.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.observe import Upgrades

ARGUMENT_SPEC = {
    "jails": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "default": []},
            "image": IMAGE,
        },
    },
    "state": {"type": "str", "choices": ["upgraded", "rolled_back"], "default": "upgraded"},
    "releases": {"type": "dict", "required": True},
    "made_releases": {"type": "path", "default": "/var/jail-releases"},
    "folder": {"type": "path", "default": "/var/jail-upgrades"},
    "dataset": {"type": "str"},
    "mode": {"type": "str", "choices": ["archive", "installworld"], "default": "archive"},
    "delete_old": {"type": "bool", "default": False},
    "conflicts": {"type": "str", "choices": ["keep", "roll_back"], "default": "keep"},
    "most_failures": {"type": "int", "default": 0},
    "at_once": {"type": "int", "default": 4},
    "seconds": {"type": "int", "default": 120},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Upgrades(module.params))


if __name__ == "__main__":
    main()
