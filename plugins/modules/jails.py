#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jails
short_description: Converge all jails of a host
version_added: 0.1.0
description:
  - Makes every given jail run or not run as its O(jails[].state) says, with the given parameters.
  - What the kernel can change in a running jail is changed live. What it cannot waits, and is named in
    RV(pending_restart), unless the jail's O(jails[].restart) allows to restart it.
  - Each jail that shall run has a file of its own in C(jail.conf.d), complete in itself, with every C(allow)
    parameter stated; C(rc.d/jail) starts those jails at boot. A jail that shall not run has none.
  - Starts and stops are one process each for all jails, with a cap on how many go at once. Each jail logs to its own
    C(/var/log/jail_NAME_console.log). A jail that would not stop in time, or whose own scripts refuse, is removed.
  - A jail or file of the same name that somebody else made is refused. It and everything not given stay as they are.
options:
  jails:
    description: The jails.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name, a small letter followed by small letters, digits, C(-) and C(_), at most 31 characters.
        type: str
        required: true
      path:
        description: The root, without any symbolic link on the way, since the kernel compares it as text.
        type: str
        required: true
      hostname:
        description: The host name inside. The name of the jail if not given.
        type: str
      state:
        description:
          - Whether the jail runs.
          - The difference between V(stopped), V(suspended) and V(absent) is for other modules. Nothing of a jail's data
            is removed here.
        type: str
        choices: [running, stopped, suspended, absent]
        default: running
      interface:
        description: The interface that carries the addresses, unless the jail has its own with O(jails[].vnet).
        type: str
        default: lo1
      ip4:
        description: The IPv4 addresses; the first is the source address.
        type: list
        elements: str
        default: []
      ip6:
        description: The IPv6 addresses; the first is the source address.
        type: list
        elements: str
        default: []
      securelevel:
        description: As in jail(8).
        type: int
        default: 2
      enforce_statfs:
        description: As in jail(8).
        type: int
        default: 2
      devfs_ruleset:
        description:
          - As in jail(8).
          - A jail whose ruleset holds no rules is not started, since it would see every device of the host; see
            M(jailisp.vps.host_settings).
        type: int
        default: 4
      children_max:
        description: As C(children.max) in jail(8).
        type: int
        default: 0
      sysvipc:
        description: As C(sysvmsg), C(sysvsem) and C(sysvshm) in jail(8), which are the same.
        type: str
        choices: [new, inherit, disable]
        default: new
      allow:
        description:
          - The C(allow) parameters that are true, without C(allow.). All others that the kernel has are false.
          - One that the kernel does not have is refused.
        type: list
        elements: str
        default: [reserved_ports, suser]
      restart:
        description: Whether the jail may be restarted for a change that the kernel cannot make live.
        type: bool
        default: false
      image:
        description:
          - The image that is the jail's root, see M(jailisp.vps.jail_images). The jail's file has it mounted before
            the jail starts and unmounted after it has stopped, whoever starts and stops it.
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
      vnet:
        description:
          - A network stack of the jail's own, without which it shares the host's. It has one end of an epair, named
            C(vpsIDb); the other one, C(vpsIDa), is on a bridge of the host, apart from those of other jails.
          - The jail's file has the link made before the jail starts and destroyed after it has stopped. The host gives
            the jail its addresses and routes; nothing inside it is run for that.
          - A change of the addresses is made live, one between the host's stack and the jail's own needs a restart.
        type: dict
        suboptions:
          id:
            description: The jail's id, from which the names and the hardware addresses of its link follow.
            type: int
            required: true
          bridge:
            description: The bridge on the host.
            type: str
            default: bridge0
          gateway4:
            description: The host's address on the bridge; required with an address in O(jails[].ip4).
            type: str
          gateway6:
            description: The host's IPv6 address on the bridge; required with an address in O(jails[].ip6).
            type: str
  at_once:
    description: How many jails start or stop at the same time.
    type: int
    default: 8
  exec_timeout:
    description: How long a jail's start script or stop script may take, in seconds.
    type: int
    default: 300
  stop_timeout:
    description: How long a jail's processes have between the signals TERM and KILL, in seconds.
    type: int
    default: 10
  most_removals:
    description: How many jails may become V(absent) in one run; more are taken for an accident and refused.
    type: int
    default: 3
  loaded_rulesets:
    description:
      - Devfs rulesets that are known to hold rules, and are not asked for; in check mode, those that an earlier task
        would load.
    type: list
    elements: int
    default: []
  folder:
    description: Where the files of jail.conf(5) are.
    type: path
    default: /etc/jail.conf.d
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Two jails, one of them stopped
  jailisp.vps.jails:
    jails:
      - name: alice
        path: /usr/local/jails/h1/alice
        hostname: www.alice.example.net
        ip4: [192.168.1.17]
      - name: bob
        path: /usr/local/jails/h1/bob
        ip4: [192.168.1.18]
        state: stopped

- name: Let a jail ping and be restarted when it must be
  jailisp.vps.jails:
    jails:
      - name: carol
        path: /usr/local/jails/h1/carol
        ip4: [192.168.1.19]
        allow: [reserved_ports, suser, raw_sockets]
        restart: true

- name: A jail with a network stack of its own
  jailisp.vps.jails:
    jails:
      - name: dave
        path: /usr/local/jails/h1/dave
        ip4: [192.168.1.20]
        vnet: {id: 20, gateway4: 192.168.1.1}
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
starting:
  description: The jails that are still to be started; in check mode, those that the real run starts.
  returned: always
  type: list
  elements: str
pending_restart:
  description: The jails that wait for a restart, each with the parameters that need it.
  returned: always
  type: dict
  sample: {"alice": ["path"]}
unlisted:
  description: The jails that have a file which an earlier run wrote, and that are not among O(jails).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import ALLOWED_BY_DEFAULT
from ansible_collections.jailisp.vps.plugins.module_utils._jails.observe import Jails
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import OPTION as VNET

ARGUMENT_SPEC = {
    "jails": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "hostname": {"type": "str"},
            "state": {
                "type": "str",
                "choices": ["running", "stopped", "suspended", "absent"],
                "default": "running",
            },
            "interface": {"type": "str", "default": "lo1"},
            "ip4": {"type": "list", "elements": "str", "default": []},
            "ip6": {"type": "list", "elements": "str", "default": []},
            "securelevel": {"type": "int", "default": 2},
            "enforce_statfs": {"type": "int", "default": 2},
            "devfs_ruleset": {"type": "int", "default": 4},
            "children_max": {"type": "int", "default": 0},
            "sysvipc": {"type": "str", "choices": ["new", "inherit", "disable"], "default": "new"},
            "allow": {"type": "list", "elements": "str", "default": list(ALLOWED_BY_DEFAULT)},
            "restart": {"type": "bool", "default": False},
            "image": IMAGE,
            "vnet": VNET,
        },
    },
    "at_once": {"type": "int", "default": 8},
    "exec_timeout": {"type": "int", "default": 300},
    "stop_timeout": {"type": "int", "default": 10},
    "most_removals": {"type": "int", "default": 3},
    "loaded_rulesets": {"type": "list", "elements": "int", "default": []},
    "folder": {"type": "path", "default": "/etc/jail.conf.d"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Jails(module.params))


if __name__ == "__main__":
    main()
