#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_settings
short_description: Converge the settings of a jail host
version_added: 0.1.0
description:
  - Makes all settings that the jails of a host rest on be as given, live and for the next boot, in one call.
  - In each file only the lines between two marks belong to the collection; all others stay as they are.
options:
  files:
    description: Lines in files such as those of C(/etc/rc.conf.d) and C(/boot/loader.conf.d).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: str
        required: true
      content:
        description: The lines that it shall hold between the marks.
        type: str
        required: true
      mode:
        description: The mode of the file, octal.
        type: str
        default: '0644'
  kernel_modules:
    description: The kernel modules that shall be loaded.
    type: list
    elements: str
    default: []
  sysctl:
    description: Values that are set now. For the next boot, O(files) says them.
    type: dict
    default: {}
  tunables:
    description: Values that only the loader can set; those not in force are named in RV(reboot_needed).
    type: dict
    default: {}
  interfaces:
    description: Interfaces that are made now if missing, such as V(lo1). For the next boot, O(files) says them.
    type: list
    elements: str
    default: []
  interface_addresses:
    description:
      - The addresses of interfaces, with their prefix lengths, by the name of the interface. Each holds these and no
        others afterwards. For the next boot, O(files) says them.
      - Refused are, before anything is changed, an interface that C(/etc/rc.conf) names, one that has other addresses
        and that the lines between the marks do not name yet, and to take away the address at which this login came in.
    type: dict
    default: {}
  devfs_rulesets:
    description: Rulesets of devfs that must hold rules; with an empty one a jail would see every device of the host.
    type: list
    elements: int
    default: []
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: What jails behind NAT rest on
  jailisp.vps.host_settings:
    kernel_modules: [pf, dummynet]
    interfaces: [lo1, bridge0]
    interface_addresses:
      bridge0: [192.168.1.1/24]
    devfs_rulesets: [4]
    sysctl:
      security.bsd.see_jail_proc: 0
    tunables:
      kern.racct.enable: 1
    files:
      - path: /etc/rc.conf.d/netif
        content: cloned_interfaces="${cloned_interfaces} lo1"
      - path: /boot/loader.conf.d/jailisp.conf
        content: kern.racct.enable="1"
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
reboot_needed:
  description: The tunables that are not in force before the next reboot.
  returned: always
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._settings.observe import Settings
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
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
    "kernel_modules": {"type": "list", "elements": "str", "default": []},
    "sysctl": {"type": "dict", "default": {}},
    "tunables": {"type": "dict", "default": {}},
    "interfaces": {"type": "list", "elements": "str", "default": []},
    "interface_addresses": {"type": "dict", "default": {}},
    "devfs_rulesets": {"type": "list", "elements": "int", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Settings(module.params, os.environ.get("SSH_CONNECTION", "")))


if __name__ == "__main__":
    main()
