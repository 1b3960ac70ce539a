#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_daemons
short_description: Keep the daemons of a jail host away from the addresses of its jails
version_added: 0.1.0
description:
  - Makes the host's sshd listen at the host's own addresses and at no other. A daemon of the host that listens at every
    address answers at a jail's address too, whenever the jail itself does not.
  - The lines of O(addresses) are the first in C(/etc/ssh/sshd_config), between two marks; all others stay as they are.
    C(sshd -t) reads the text before it is written. Logins that are open stay open.
  - The socket of a syslogd that listens at every address is closed, by C(/etc/rc.conf.d/syslogd).
  - Refused are, before anything is changed, addresses without the one at which this very login came in, addresses that
    no interface has, and a C(ListenAddress) that somebody else wrote.
options:
  addresses:
    description: The host's own addresses, IPv4 and IPv6.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Let the host's sshd answer at the address of its administration only
  jailisp.vps.host_daemons:
    addresses: [198.51.100.11]
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
listening_everywhere:
  description: Other daemons of the host that listen at every address, those of the jails among them.
  returned: always
  type: list
  elements: str
  sample: ["ntpd (udp port 123)"]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._daemons.observe import Daemons
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {"addresses": {"type": "list", "elements": "str", "required": True}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Daemons(module.params, os.environ.get("SSH_CONNECTION", "")))


if __name__ == "__main__":
    main()
