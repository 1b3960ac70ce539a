#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_worlds
short_description: Give every jail of a host a world
version_added: 0.1.0
description:
  - Fills the root of each given jail that has none yet with a release of FreeBSD, from a base archive whose SHA-256 is
    checked first. Hosts with a pool fill one dataset for each release and clone it; others fill folders, side by side.
  - Where there is no archive, the host makes one of a release, once, from a built source tree, from packages, or from
    the files of a dataset. Nothing is used that does not name the release, with its patch level, in
    C(bin/freebsd-version).
  - A root comes into being whole or not at all. Wherever a run is cut off, the next one begins that root again.
  - A root that holds a world stays as it is, whatever its release; RV(differs) names those of another release.
    One that holds something else is refused.
  - The password of root, which is empty in FreeBSD's archive, is locked in a fresh root.
  - Destroys a root only where O(destroy) names its jail. All roots that are named nowhere stay as they are.
options:
  worlds:
    description: The roots.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      path:
        description: The root. Its parent folder is there already and belongs to the host alone.
        type: str
        required: true
      release:
        description:
          - The release that a fresh root gets; one of O(releases).
          - Either this or O(worlds[].root_archive) is required.
        type: str
      root_archive:
        description:
          - A root that M(jailisp.vps.jail_archives) packed on another host, and that a fresh root is unpacked from as
            it is. It gets none of O(files), and its passwords stay.
        type: dict
        suboptions:
          archive:
            description: The path of the archive on the host.
            type: str
            required: true
          sha256:
            description: The SHA-256 of that archive.
            type: str
            required: true
      properties:
        description:
          - Properties that its dataset is made with, so that it is never without its limits; see
            O(jailisp.vps.zfs_datasets#module:datasets[].properties). Only with O(dataset).
          - A dataset that is there keeps its own; M(jailisp.vps.zfs_datasets) changes them.
        type: dict
        default: {}
      image:
        description:
          - The image of the root, which M(jailisp.vps.jail_images) makes. The root is filled where it is mounted.
          - A root in an image that is not mounted, because its jail is stopped, is taken to be as it shall be.
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
  releases:
    description:
      - The releases. Each key is a release with its patch level, such as V(15.1-RELEASE-p1). Each value says where it
        is from, in one of four ways.
      - C(archive), the path of its base archive on the host, and C(sha256), the SHA-256 of that archive. With C(url),
        the host fetches an archive that is missing and that a fresh root is made from, by fetch(1); it has its name
        only when its SHA-256 is the given one. Its folder is there already. C(src) beside it is for
        M(jailisp.vps.jail_upgrades).
      - C(src), the path of a source tree of that release on the host, built there (buildworld).
      - C(dataset), a ZFS snapshot or file system on the host that holds the release and has never been run. A snapshot
        is cloned, which takes O(dataset) in its pool. The files of a file system are copied, once. Neither is changed.
      - C(pkgbase), with C(repository), the address or path of a repository of the base system of FreeBSD 15 or later.
        C(fingerprints) is the folder on the host with the fingerprints of whoever signs it, by default
        V(/usr/share/keys/pkgbase-15) for FreeBSD 15; C(packages) is what is installed, by default
        V([FreeBSD-set-base-jail]). The host has C(pkg) itself; its own repositories and its list of packages have no
        part in it.
    type: dict
    required: true
  made_releases:
    description: The folder on the host for the archives that it makes. It is made for root alone.
    type: path
    default: /var/jail-releases
  files:
    description: Files that a fresh root gets before anybody else has it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path relative to the root.
        type: str
        required: true
      content:
        description: The whole content.
        type: str
        required: true
      mode:
        description: The mode, octal.
        type: str
        default: '0644'
  dataset:
    description:
      - The dataset whose children are the jails' datasets; it is mounted where the roots are.
      - If not given, roots are plain folders.
    type: str
  release_dataset:
    description: The dataset whose children are the releases' datasets. Required with O(dataset).
    type: str
  release_root:
    description: Where O(release_dataset) is mounted. Required with O(dataset).
    type: path
  destroy:
    description:
      - The jails whose roots are destroyed, with all snapshots where they are datasets. Naming a jail is the consent.
      - Refused while a jail runs in the root, while anything is mounted in it, and for a dataset that has children,
        held snapshots, or clones.
      - A folder first gets another name, so that what is half destroyed is never taken for a root.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the jail, which must not be among O(worlds).
        type: str
        required: true
      archive:
        description:
          - The archive of the root that M(jailisp.vps.jail_archives) made. It must be there with its checksum, and
            match it.
          - Either this or O(destroy[].without_archive) is required.
        type: str
      without_archive:
        description: Consents to destroy what there is no archive of.
        type: bool
        default: false
      image:
        description: The image of the root, which is unmounted and destroyed with it.
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
  images:
    description:
      - The folder of the host's images. A fresh root is no folder where the jail has an image there, and its record
        has been changed.
    type: str
  root:
    description: The folder that holds the roots, each by the name of its jail. Required with O(destroy).
    type: str
  at_once:
    description: How many roots are filled at the same time.
    type: int
    default: 4
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Fill folders
  jailisp.vps.jail_worlds:
    worlds:
      - {name: alice, path: /usr/local/jails/h1/alice, release: 15.1-RELEASE-p1}
    releases:
      15.1-RELEASE-p1:
        archive: /var/base.txz
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    files:
      - {path: etc/resolv.conf, content: "nameserver 192.0.2.53\n"}

- name: Fill an image
  jailisp.vps.jail_worlds:
    worlds:
      - name: dave
        path: /usr/local/jails/h1/dave
        release: 15.1-RELEASE-p1
        image: {file: /var/jail-images/dave.img, unit: 41}
    releases:
      15.1-RELEASE-p1:
        archive: /var/base.txz
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Clone datasets
  jailisp.vps.jail_worlds:
    worlds:
      - name: bob
        path: /usr/local/jails/h2/bob
        release: 15.1-RELEASE-p1
        properties: {refquota: 4G, quota: 6G}
    releases:
      15.1-RELEASE-p1:
        archive: /var/base.txz
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    dataset: tank/jails
    release_dataset: tank/releases
    release_root: /usr/local/jails/releases

- name: Clone a snapshot, and make other releases of sources and of packages
  jailisp.vps.jail_worlds:
    worlds:
      - {name: bob, path: /usr/local/jails/h2/bob, release: 15.1-RELEASE-p2}
      - {name: carol, path: /usr/local/jails/h2/carol, release: 14.4-RELEASE-p1}
      - {name: dave, path: /usr/local/jails/h2/dave, release: 15.1-RELEASE-p3}
    releases:
      15.1-RELEASE-p2: {dataset: "tank/golden/15.1@p2"}
      14.4-RELEASE-p1: {src: /usr/src-14.4}
      15.1-RELEASE-p3:
        pkgbase:
          repository: pkg+https://pkg.FreeBSD.org/${ABI}/base_release_1
    dataset: tank/jails
    release_dataset: tank/releases
    release_root: /usr/local/jails/releases

- name: Take the root of a jail that is moved here
  jailisp.vps.jail_worlds:
    worlds:
      - name: alice
        path: /usr/local/jails/h2/alice
        root_archive:
          archive: /var/jail-archives/alice.moving.tar.zst
          sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    releases: {}

- name: Destroy the root of a retired jail that has its archive
  jailisp.vps.jail_worlds:
    worlds: []
    releases: {}
    root: /usr/local/jails/h1
    destroy:
      - {name: alice, archive: /var/jail-archives/alice-2026-11-24T093000Z.tar.zst}
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
differs:
  description: The jails whose root holds another release than the given one.
  returned: always
  type: dict
  sample: {"alice": {"is": "14.3-RELEASE", "wanted": "15.1-RELEASE-p1"}}
made:
  description:
    - The jails that get a fresh root, in check mode. After a real run M(jailisp.vps.jail_accounts) finds by itself what
      was made.
  returned: always
  type: list
  elements: str
unmade:
  description: The jails that have no root, and did not get one.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.observe import Worlds

ARGUMENT_SPEC = {
    "worlds": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "release": {"type": "str"},
            "root_archive": {
                "type": "dict",
                "options": {
                    "archive": {"type": "str", "required": True},
                    "sha256": {"type": "str", "required": True},
                },
            },
            "properties": {"type": "dict", "default": {}},
            "image": IMAGE,
        },
    },
    "releases": {"type": "dict", "required": True},
    "made_releases": {"type": "path", "default": "/var/jail-releases"},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "mode": {"type": "str", "default": "0644"},
        },
    },
    "dataset": {"type": "str"},
    "release_dataset": {"type": "str"},
    "release_root": {"type": "path"},
    "destroy": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "archive": {"type": "str"},
            "without_archive": {"type": "bool", "default": False},
            "image": IMAGE,
        },
    },
    "images": {"type": "str"},
    "root": {"type": "str"},
    "at_once": {"type": "int", "default": 4},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Worlds(module.params))


if __name__ == "__main__":
    main()
