#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: net_info
short_description: Tell what of the network is in force for jails
version_added: 0.1.0
description:
  - Returns for each jail its addresses, what leads to it, what its packets leave as, what carries them, and how much
    there was of them, as the kernel has it now, by nine processes however many jails there are.
  - What the rules of the anchor say of a jail is known by their tags and labels, which M(jailisp.vps.pf_anchor) gets
    from the records. Rules that name none, such as those by which jails behind a bridge reach each other, are not told.
  - Names are escaped where they hold anything that a terminal would not show as itself.
options:
  names:
    description:
      - Only these jails; one that neither runs nor has rules is told as such. If not given, all that run, whoever
        made them, and all that have rules.
    type: list
    elements: str
  anchor:
    description: The name of the pf anchor.
    type: str
    default: jailisp
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.info
"""

EXAMPLES = r"""
- name: See what is in force for all jails of a host
  jailisp.vps.net_info:
  register: found

- name: See it for one
  jailisp.vps.net_info:
    names: [alice]
  register: found
"""

RETURN = r"""
pf:
  description: Whether the rules have any effect.
  returned: always
  type: dict
  contains:
    loaded:
      description: Whether the kernel has pf.
      type: bool
    enabled:
      description: Whether it is enabled.
      type: bool
    called:
      description: Whether the main rules call the anchor, for translation and for filtering.
      type: bool
jails:
  description: The jails by name.
  returned: always
  type: dict
  contains:
    running:
      description: Whether it runs.
      type: bool
    vnet:
      description: Whether it runs with a network stack of its own.
      type: bool
    addresses:
      description: The addresses that the kernel gives it; none in a network stack of its own.
      type: list
      elements: str
    rules:
      description: How many rules name it.
      type: int
    passed:
      description: The addresses from which rules let its packets leave.
      type: list
      elements: str
    published:
      description: What leads to it. Of what is empty there is no restriction.
      type: list
      elements: dict
      contains:
        protocol:
          description: The protocol.
          type: str
        address:
          description: The address that others use.
          type: str
        port:
          description: The port, or the first and the last.
          type: str
          sample: 8000-8009
        target:
          description: The address of the jail to which it leads.
          type: str
        to:
          description: The port of the jail, or the first and the last.
          type: str
        from:
          description: Who may come; V(any) is everybody, V(<jails>) the jails of the host.
          type: list
          elements: str
    translation:
      description: What its packets leave as.
      type: list
      elements: dict
      contains:
        kind:
          description: V(nat), or V(binat) for a public address of its own.
          type: str
        interface:
          description: The interface by which they leave.
          type: str
        source:
          description: The address of the jail.
          type: str
        public:
          description: The address that others see.
          type: str
    smtp:
      description: Whether no rule keeps it from sending mail to port 25.
      type: bool
    shaping:
      description: What carries its packets; none if no rule says so.
      type: dict
      contains:
        kind:
          description: V(pipe) or V(queue).
          type: str
        up:
          description: What carries that which it sends.
          type: dict
          contains: &carrier
            number:
              description: The number of the pipe or queue.
              type: int
            there:
              description: Whether there is such a one. If not, pf drops the packets.
              type: bool
            rate:
              description: The bit/s of the pipe, or of the pipe that its queue shares; 0 without a limit.
              type: int
            weight:
              description: The weight of the queue.
              type: int
        down:
          description: What carries that which it receives.
          type: dict
          contains: *carrier
    traffic:
      description: What passed the outside interfaces since it was first counted, before earlier loads of rules too.
      type: dict
      contains:
        received:
          description: The bytes that it received.
          type: int
        sent:
          description: The bytes that it sent.
          type: int
        packets_received:
          description: The packets that it received.
          type: int
        packets_sent:
          description: The packets that it sent.
          type: int
    states:
      description:
        - The states that there are now by the first word of the rules' label, V(jail) for what passes the outside
          interfaces, V(local) for what stays on the host.
      type: dict
      sample: {"jail": 12, "local": 0}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._net_info.observe import tell
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_info

ARGUMENT_SPEC = {
    "names": {"type": "list", "elements": "str"},
    "anchor": {"type": "str", "default": "jailisp"},
}


def main() -> None:
    """Run the module."""
    run_info(
        AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True),
        lambda host, wish: tell(host, wish["anchor"], wish["names"]),
    )


if __name__ == "__main__":
    main()
