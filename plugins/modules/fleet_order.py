#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_order
short_description: Write the record of a new jail
version_added: 0.1.0
description:
  - Chooses a host with room and the lowest id, address and ports that are free, and writes the record of the jail into
    the inventory, and that of its customer if he is new.
  - The whole fleet is checked before, with the new record, and once more after it is written. What fails leaves nothing
    behind.
  - Which host it is depends on the room that would remain (the smallest of the free shares of memory, disk and
    bandwidth in whole percents), then on a hash of the names of jail and host; never on who orders.
  - If there is a record of that name which says the same, nothing is written, and the result is the same. If it says
    otherwise, the task fails.
  - It works on the controller. Several may order at once; one waits for the other.
extends_documentation_fragment:
  - jailisp.vps.attributes.controller
  - jailisp.vps.attributes.converges
options:
  fleet:
    description: The file C(fleet.yml) of the inventory.
    type: path
    required: true
  jail:
    description: Name of the new jail.
    type: str
    required: true
  plan:
    description: The plan that was bought, which must have a record. Its key C(ports) says how many ports the jail gets.
    type: str
    required: true
  customer:
    description: Who pays. Without a record of that name, O(customer_name) and O(customer_contact) make one.
    type: str
    required: true
  host:
    description:
      - The jail host. Without it, the one with the greatest room is taken among those whose C(vps_orders) is true.
    type: str
  hostname:
    description: Host name inside the jail; its name if there is none.
    type: str
  publish:
    description: Public ports that lead to the jail besides those that its plan gives.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Port on the host's public address.
        type: int
        required: true
      to:
        description: Port in the jail.
        type: int
        required: true
      protocol:
        description: Transport protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      address:
        description: Public address of the host; the first of C(vps_addresses) if there is none.
        type: str
  customer_name:
    description: Name of a new customer, a person or a company.
    type: str
  customer_contact:
    description: Mail address of a new customer.
    type: str
  customer_keys:
    description: Public ssh keys of a new customer.
    type: list
    elements: str
    default: []
  commit:
    description: Whether to commit what was written, and nothing else, to the git repository of the inventory.
    type: bool
    default: false
seealso:
  - plugin: jailisp.vps.fleet
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Order a jail for a customer who is known
  jailisp.vps.fleet_order:
    fleet: inventory/fleet.yml
    jail: alice-shop
    plan: base
    customer: alice
    publish:
      - {port: 443, to: 8443}

- name: Order the first jail of a new customer on a certain host, and commit both records
  jailisp.vps.fleet_order:
    fleet: inventory/fleet.yml
    jail: frank
    plan: plus
    host: h2
    hostname: www.frank.example.net
    customer: frank
    customer_name: Frank Fisher
    customer_contact: frank@example.net
    customer_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu frank@example.net
    commit: true
"""

RETURN = r"""
jail:
  description: The jail as P(jailisp.vps.fleet#inventory) resolves it, with its host, id, address and published ports.
  returned: success
  type: dict
  sample: {name: alice-shop, host: h1, id: 3, address: 192.168.1.2}
ssh:
  description: The public address and port that lead to the jail's port 22.
  returned: success
  type: dict
  sample: {address: 203.0.113.10, port: 8002}
gives:
  description: What the jail has of disk, memory, processes, cpu and bandwidth, written as in a plan.
  returned: success
  type: dict
  sample: {disk: 4G, memory: 512M, processes: 100, cpu: 50%, up: 10Mbit/s, down: 10Mbit/s}
files:
  description: The records that were written, or in check mode would be, relative to the inventory.
  returned: success
  type: list
  elements: str
  sample: [jails/alice-shop.yml]
commit:
  description: The commit that was made; empty if there was none.
  returned: success
  type: str
"""
