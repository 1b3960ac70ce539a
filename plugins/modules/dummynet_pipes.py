#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dummynet_pipes
short_description: Converge all dummynet pipes and queues of a host
version_added: 0.1.0
description:
  - Makes the pipes and queues of a host that are within a range of numbers be as given, live and for the next boot.
  - Numbers outside the range, and pipes that somebody else made within it, are left as they are.
  - Needs the kernel module C(dummynet), see M(jailisp.vps.host_settings). C(ipfw) is neither needed nor loaded.
options:
  pipes:
    description: The pipes that shall be.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The number of the pipe.
        type: int
        required: true
      bandwidth:
        description: What passes at most, with its unit, such as V(10Mbit/s); V(0bit/s) is unlimited.
        type: str
        required: true
      delay:
        description: How long a packet is held, in milliseconds.
        type: int
        default: 0
      slots:
        description: How many packets wait at most.
        type: int
        default: 50
      jail:
        description: The record that the pipe is for; messages name it.
        type: str
  queues:
    description: The queues that shall be; those of one pipe share it by their weights.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The number of the queue.
        type: int
        required: true
      pipe:
        description: The number of the pipe that carries it; one of O(pipes).
        type: int
        required: true
      weight:
        description: Its share in comparison with the other queues of the pipe, from 1 to 100.
        type: int
        default: 10
      slots:
        description: How many packets wait at most.
        type: int
        default: 50
      jail:
        description: The record that the queue is for; messages name it.
        type: str
  first:
    description: The first number of the range that belongs to the collection.
    type: int
    default: 10000
  last:
    description: The last number of the range that belongs to the collection.
    type: int
    default: 59999
  remove:
    description:
      - Whether to delete pipes and queues that were made by an earlier run and are no longer wanted.
      - A pf rule that names a missing pipe drops its traffic. So set this to V(false) before the rules are loaded,
        and delete what RV(stale) names after that.
    type: bool
    default: true
  assumed:
    description:
      - In check mode, whether an earlier task with O(remove=false) would have done its part; it is not told again.
    type: bool
    default: false
  file:
    description:
      - The file that C(rc.d/dnctl) loads at boot.
      - Only the part of it between two marks belongs to the collection.
    type: path
    default: /etc/dnctl.conf
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Give alice 2 Mbit/s up and 4 Mbit/s down
  jailisp.vps.dummynet_pipes:
    pipes:
      - {number: 10034, bandwidth: 2Mbit/s, jail: alice}
      - {number: 10035, bandwidth: 4Mbit/s, jail: alice}

- name: Share a line of 100 Mbit/s fairly, shop counting double
  jailisp.vps.dummynet_pipes:
    pipes:
      - {number: 10000, bandwidth: 100Mbit/s}
    queues:
      - {number: 10034, pipe: 10000, weight: 10, jail: alice}
      - {number: 10036, pipe: 10000, weight: 20, jail: shop}
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
stale:
  description: With O(remove=false), what is no longer wanted and still there.
  returned: always
  type: list
  elements: str
  sample: ["pipe 10034", "pipe 10035"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.observe import Dummynet
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "pipes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "number": {"type": "int", "required": True},
            "bandwidth": {"type": "str", "required": True},
            "delay": {"type": "int", "default": 0},
            "slots": {"type": "int", "default": 50},
            "jail": {"type": "str"},
        },
    },
    "queues": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "number": {"type": "int", "required": True},
            "pipe": {"type": "int", "required": True},
            "weight": {"type": "int", "default": 10},
            "slots": {"type": "int", "default": 50},
            "jail": {"type": "str"},
        },
    },
    "first": {"type": "int", "default": 10000},
    "last": {"type": "int", "default": 59999},
    "remove": {"type": "bool", "default": True},
    "assumed": {"type": "bool", "default": False},
    "file": {"type": "path", "default": "/etc/dnctl.conf"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Dummynet(module.params))


if __name__ == "__main__":
    main()
