# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
short_description: The jails of every jail host, from records in the inventory's folder
author:
  - the jailisp.vps authors (@jailisp)
description:
  - Reads one file a plan, a customer and a jail, checks all of them together, and gives each jail host the variable
    C(jails), the list of its jails with nothing left to look up, the variable C(vps_host), what is known of the
    host itself, with all defaults, and the variable C(vps_accounts), what lets the customers of its jails in.
  - Makes each jail a host of its own, with its record in C(vps_jail), in the group C(jails) and in groups such as
    C(host_h1), C(plan_base), C(customer_alice) and C(state_running), reached by P(jailisp.vps.jail#connection).
  - With any error in any record it gives nothing, and says all errors at once, each with file, line, key and what to
    do.
  - Ansible only warns of an inventory that cannot be parsed and goes on with the rest. Set
    C(any_unparsed_is_failed = true) in the section C(inventory) of C(ansible.cfg), so that it stops.
  - The file must be named C(fleet.yml), or end in C(.fleet.yml).
  - Ansible takes every file of a folder given as inventory for an inventory, records too. Name the files instead, as in
    C(-i inventory/hosts.yml -i inventory/fleet.yml).
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [jailisp.vps.fleet]
  hosts:
    description:
      - The inventory of the hosts, an ordinary one, relative to this file.
      - C(group_vars/) and C(host_vars/) beside it count, whatever other inventories are given, and in which order.
    type: str
    default: hosts.yml
  plans:
    description: Folder of the plans, relative to this file.
    type: str
    default: plans
  customers:
    description: Folder of the customers, relative to this file.
    type: str
    default: customers
  jails:
    description: Folder of the jails, relative to this file.
    type: str
    default: jails
  host_group:
    description: The group of the jail hosts in O(hosts).
    type: str
    default: jail_hosts
"""

EXAMPLES = r"""
# inventory/fleet.yml, all by default
plugin: jailisp.vps.fleet

---
# inventory/fleet.yml, all options
plugin: jailisp.vps.fleet
hosts: hosts.yml
plans: plans
customers: customers
jails: jails
host_group: jail_hosts
"""

import typing as t
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.names import JAILS, STATES, group_name
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project

if t.TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.inventory.group import Group
    from ansible.inventory.host import Host
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Values
    from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Resolved


def add_variables(entity: Group | Host, variables: dict[str, t.Any]) -> None:
    """Set the variables that a group or host does not have yet."""
    for name in variables.keys() - entity.vars.keys():
        entity.set_variable(name, variables[name])


def add_hosts(inventory: InventoryData, hosts: InventoryManager) -> None:
    """Add the hosts, groups and variables of `hosts` that the inventory does not have yet."""
    for name, group in hosts.groups.items():
        inventory.add_group(name)
        add_variables(inventory.groups[name], group.vars)
    for host in hosts.get_hosts():
        inventory.add_host(host.name)
        add_variables(inventory.hosts[host.name], host.vars)
    for name, group in hosts.groups.items():
        for child in (*group.child_groups, *group.hosts):
            inventory.add_child(name, child.name)


def add_jails(inventory: InventoryData, resolved: Resolved, connections: dict[str, Values]) -> None:
    """Give each jail host what is known of it and of its jails, and make each jail a host with its groups.

    What says how to reach a jail is set on the jail itself: what is set on a group here counts less than
    group_vars/all, and a jail that took its host's connection from there would be its host.
    """
    inventory.add_group(JAILS)
    groups = [("host", resolved.jails), ("state", STATES)]
    for name in (group_name(kind, each) for kind, members in groups for each in members):
        add_jail_group(inventory, name)
    for host, jails in resolved.jails.items():
        # Not inventory.set_variable: that walks through every value to note its origin, and takes longer than the
        # compiler. What it would add is of no use here: nothing in a record is ever a template.
        inventory.hosts[host].set_variable("jails", jails)
        inventory.hosts[host].set_variable("vps_host", resolved.hosts[host])
        inventory.hosts[host].set_variable("vps_accounts", resolved.accounts[host])
        for jail in jails:
            add_jail(inventory, jail, connections[host])


def add_jail(inventory: InventoryData, jail: Values, connection: Values) -> None:
    """Add a jail as a host."""
    name = jail["name"]
    inventory.add_host(name)
    host = inventory.hosts[name]
    host.vars.update(connection, ansible_connection="jailisp.vps.jail", ansible_jail_name=name, vps_jail=jail)
    for kind in ("host", "plan", "customer", "state"):
        # Not inventory.add_child: that forgets the members of all groups, for each jail anew.
        add_jail_group(inventory, group_name(kind, jail[kind])).add_host(host)


def add_jail_group(inventory: InventoryData, name: str) -> Group:
    """Return a group of jails, which is added if it is not there."""
    if name not in inventory.groups:
        inventory.add_group(name)
        inventory.add_child(JAILS, name)
    return inventory.groups[name]


class InventoryModule(BaseInventoryPlugin):
    """The shell around the compiler: Ansible's hosts go in, host variables come out."""

    NAME = "jailisp.vps.fleet"

    def verify_file(self, path: str) -> bool:
        """Accept C(fleet.yml) and C(*.fleet.yml)."""
        name = Path(path).name
        return super().verify_file(path) and (name == "fleet.yml" or name.endswith(".fleet.yml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Give each jail host what is known of it; raise AnsibleParserError with all errors of the fleet."""
        super().parse(inventory, loader, path, cache)
        try:
            project = open_project(Path(path), loader)
            resolved = project.resolve()
        except FleetError as error:
            raise AnsibleParserError(str(error)) from None
        add_hosts(inventory, project.inventory)
        add_jails(inventory, resolved, project.connections)
