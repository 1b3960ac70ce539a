# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A fleet by its file fleet.yml: where the plugin, the actions and the command line start."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ansible.inventory.manager import InventoryManager
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from .check import Checked, Checker, Values
from .compile import check_all, resolve_fleet
from .model import FLEET_KEYS, HOST_KEYS, Fleet, FleetError, Problem, Record, Sources
from .read import read_document, read_fleet

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader


@dataclass(frozen=True)
class Project:
    """A fleet's folder `base`, where its records are, its hosts as Ansible knows them, and their variables vps_*.

    `variables` are those of each host in the group of jail hosts, templates resolved, group_vars/ and host_vars/ in
    effect.
    """

    base: Path
    sources: Sources
    inventory: InventoryManager
    variables: dict[str, dict[str, t.Any]]

    def read(self) -> Fleet:
        """Return all records as they are written; raise FleetError if one cannot be read."""
        problems: list[Problem] = []
        fleet = read_fleet(self.base, self.sources, problems)
        if problems:
            raise FleetError(problems)
        return fleet

    def check(self, *records: Record) -> Checked:
        """Return the checked values of all records; those given here replace, or join, the ones in the folder jails.

        Raises FleetError with all errors of the fleet.
        """
        problems: list[Problem] = []
        fleet = read_fleet(self.base, self.sources, problems)
        if records and fleet.jails is not None:
            by_name = {record.name: record for record in (*fleet.jails, *records)}
            fleet = replace(fleet, jails=[by_name[name] for name in sorted(by_name)])
        return check_all(fleet, self.variables, self.sources, problems)

    def resolve(self) -> dict[str, list[Values]]:
        """Return the resolved jails of each jail host; raise FleetError with all errors of the fleet."""
        return resolve_fleet(self.check())


def open_project(file: Path, loader: DataLoader) -> Project:
    """Return the fleet of a file fleet.yml; raise FleetError if that file or its hosts cannot be used."""
    sources = read_sources(file)
    hosts = file.parent / sources.hosts
    # A folder could hold the file that is being parsed, and would be read for ever.
    if not hosts.is_file():
        raise FleetError([Problem(file.name, 0, "hosts", f"{sources.hosts} is no file; make it or correct hosts")])
    # Read by itself: what other inventories say must not change the fleet.
    inventory = InventoryManager(loader=loader, sources=[str(hosts)])
    if sources.host_group not in inventory.groups:
        text = f"{sources.hosts} has no group {sources.host_group}; add it there or correct host_group"
        raise FleetError([Problem(file.name, 0, "host_group", text)])
    return Project(file.parent, sources, inventory, _variables(inventory, sources.host_group, loader))


def read_sources(file: Path) -> Sources:
    """Return what a file fleet.yml says; raise FleetError with all of its errors."""
    problems: list[Problem] = []
    try:
        block = read_document(file.read_bytes(), file.name, problems)
    except OSError as error:
        raise FleetError([Problem(file.name, 0, "", f"cannot be read ({error.strerror}); correct that")]) from None
    values = Checker(file.name, file.stem, problems).block(block, FLEET_KEYS) if block else {}
    if problems:
        raise FleetError(problems)
    return Sources(**{name: values[name] for name in Sources.__dataclass_fields__})


def _variables(inventory: InventoryManager, host_group: str, loader: DataLoader) -> dict[str, dict[str, t.Any]]:
    """Return the variables vps_* of each jail host."""
    manager = VariableManager(loader=loader, inventory=inventory)
    result = {}
    for host in inventory.groups[host_group].get_hosts():
        variables = manager.get_vars(host=host, include_hostvars=False)
        templar = Templar(loader=loader, variables=variables)
        known = {key.name: variables[key.name] for key in HOST_KEYS if key.name in variables}
        result[host.name] = templar.template(known)
    return result
