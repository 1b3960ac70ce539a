# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A fleet by its file fleet.yml: where the plugin, the actions and the command line start."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.vault import EncryptedString
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

from ansible_collections.jailisp.vps.plugins.plugin_utils._ssh import jail_variables

from .check import Checked, Checker, Values
from .compile import check_all, resolve_accounts, resolve_fleet, resolve_host
from .model import BROKEN, FLEET_KEYS, HOST_PREFIX, Fleet, FleetError, Problem, Record, Sources, Surroundings, Vaulted
from .read import read_document, read_fleet
from .unreadable import hosts_problems, words_of
from .vault import Vault

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader


# How Ansible reaches a host. Of the two names for each, it is the older that counts where both are given.
_WAY = {
    "ansible_host": "ansible_host",
    "ansible_ssh_host": "ansible_host",
    "ansible_port": "ansible_port",
    "ansible_ssh_port": "ansible_port",
}
_Variables = dict[str, dict[str, t.Any]]


class Resolved(t.NamedTuple):
    """What is given to Ansible, by jail host: what is known of it, its jails, and what lets their customers in."""

    hosts: dict[str, Values]
    jails: dict[str, list[Values]]
    accounts: dict[str, dict[str, Values]]


@dataclass(frozen=True)
class Project:
    """A fleet's folder `base`, where its records are, its hosts as Ansible knows them, and what their variables say.

    `variables` are the variables vps_* of each host in the group of jail hosts, templates resolved, group_vars/ and
    host_vars/ in effect. `connections` are for each of these hosts the variables by which its jails are reached.
    `problems` are what is wrong with these variables already: templates that cannot be resolved, whose value is BROKEN.
    `surroundings` are what else of the hosts the fleet is checked against, `vault` decrypts records.
    """

    base: Path
    sources: Sources
    inventory: InventoryManager
    variables: dict[str, dict[str, t.Any]]
    connections: dict[str, dict[str, t.Any]]
    problems: tuple[Problem, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    vault: Vault = field(default_factory=Vault)

    def read(self) -> Fleet:
        """Return all records as they are written; raise FleetError if one cannot be read."""
        problems: list[Problem] = []
        fleet = read_fleet(self.base, self.sources, problems, self.vault)
        if problems:
            raise FleetError(problems)
        return fleet

    def check(self, *records: Record, customers: t.Sequence[Record] = ()) -> Checked:
        """Return the checked values of all records; those given here replace, or join, the ones in the folder jails.

        So do `customers` for the folder customers.

        Raises FleetError with all errors of the fleet.
        """
        problems = list(self.problems)
        fleet = read_fleet(self.base, self.sources, problems, self.vault)
        fleet = replace(fleet, jails=_joined(fleet.jails, records), customers=_joined(fleet.customers, customers))
        return check_all(fleet, self.variables, self.sources, problems, self.surroundings)

    def resolve(self) -> Resolved:
        """Return everything with nothing left to look up; raise FleetError with all errors of the fleet."""
        checked = self.check()
        hosts = {name: resolve_host(host) for name, host in checked.hosts.items()}
        return Resolved(hosts, resolve_fleet(checked), resolve_accounts(checked))


def _joined(found: list[Record] | None, records: t.Sequence[Record]) -> list[Record] | None:
    """Return the records found in a folder, if it could be read, with others that replace or join them."""
    if found is None or not records:
        return found
    by_name = {record.name: record for record in (*found, *records)}
    return [by_name[name] for name in sorted(by_name)]


def open_project(file: Path, loader: DataLoader) -> Project:
    """Return the fleet of a file fleet.yml; raise FleetError if that file or its hosts cannot be used."""
    sources = read_sources(file, loader)
    hosts = file.parent / sources.hosts
    # A folder could hold the file that is being parsed, and would be read for ever.
    if not hosts.is_file():
        raise FleetError([Problem(file.name, 0, "hosts", f"{sources.hosts} is no file; make it or correct hosts")])
    try:
        return _open(file, sources, loader)
    except AnsibleError as error:
        raise FleetError(hosts_problems(hosts, loader, error)) from None


def _open(file: Path, sources: Sources, loader: DataLoader) -> Project:
    """Return the fleet whose hosts Ansible reads; what it cannot read raises its own errors."""
    # Read by itself: what other inventories say must not change the fleet.
    inventory = InventoryManager(loader=loader, sources=[str(file.parent / sources.hosts)])
    if sources.host_group not in inventory.groups:
        text = f"{sources.hosts} has no group {sources.host_group}; add it there or correct host_group"
        raise FleetError([Problem(file.name, 0, "host_group", text)])
    problems: list[Problem] = []
    variables, connections, ways = _host_variables(inventory, sources, loader, problems)
    surroundings = Surroundings(frozenset(inventory.hosts), frozenset(inventory.groups), ways)
    return Project(
        file.parent, sources, inventory, variables, connections, tuple(problems), surroundings, Vault(loader)
    )


def read_sources(file: Path, loader: DataLoader | None = None) -> Sources:
    """Return what a file fleet.yml says; raise FleetError with all of its errors."""
    problems: list[Problem] = []
    # A fifo would be waited for, and a device might never end.
    if file.exists() and not file.is_file():
        raise FleetError([Problem(file.name, 0, "", "is no file; write one")])
    try:
        block = read_document(file.read_bytes(), file.name, problems, Vault(loader))
    except OSError as error:
        raise FleetError([Problem(file.name, 0, "", f"cannot be read ({error.strerror}); correct that")]) from None
    values = Checker(file.name, file.stem, problems).block(block, FLEET_KEYS) if block else {}
    if problems:
        raise FleetError(problems)
    return Sources(**{name: values[name] for name in Sources.__dataclass_fields__})


def _host_variables(
    inventory: InventoryManager, sources: Sources, loader: DataLoader, problems: list[Problem]
) -> tuple[_Variables, _Variables, _Variables]:
    """Return by jail host the variables vps_*, those by which its jails are reached, and ansible_host and ansible_port.

    What cannot be resolved is noted in `problems`; but a way to a host that takes a play to resolve is left out.
    """
    manager = VariableManager(loader=loader, inventory=inventory)
    names = jail_variables()
    known, connections, ways = {}, {}, {}
    for host in inventory.groups[sources.host_group].get_hosts():
        variables = manager.get_vars(host=host, include_hostvars=False)
        templar = Templar(loader=loader, variables=variables)
        place = Problem(f"{sources.hosts}: {host.name}", 0, "", "")
        # Also those that no table has, so that one that is misspelt is seen.
        # YAML has numbers for keys too, and Ansible takes them.
        named = sorted(name for name in variables if str(name).startswith(HOST_PREFIX))
        known[host.name] = _resolved(named, variables, templar, place, problems)
        ways[host.name] = _way(_resolved(_WAY, variables, templar, place, []))
        connections[host.name] = _connection(host.name, variables, names)
    return known, connections, ways


def _way(resolved: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return ansible_host and ansible_port of a host from its resolved variables, where it has them."""
    found = {_WAY[name]: value for name, value in resolved.items() if name in _WAY and value is not BROKEN}
    return {name: value.value if isinstance(value, Vaulted) else value for name, value in found.items()}


def _resolved(
    names: t.Iterable[str], variables: t.Mapping[str, t.Any], templar: Templar, place: Problem, problems: list[Problem]
) -> dict[str, t.Any]:
    """Return those of a host's variables that it has, with their templates resolved.

    One whose templates cannot be resolved is BROKEN, with the error noted at the `place`; one that Ansible Vault
    encrypted is Vaulted.
    """
    resolved = {}
    for name in names:
        if name not in variables:
            continue
        try:
            value = templar.template(variables[name])
            resolved[name] = Vaulted(value) if isinstance(variables[name], EncryptedString) else value
        except AnsibleError as error:
            problems.append(replace(place, key=name, text=words_of(error)))
            resolved[name] = BROKEN
    return resolved


def _connection(host: str, variables: t.Mapping[str, t.Any], names: frozenset[str]) -> dict[str, t.Any]:
    """Return the variables by which the jails of a host are reached, those of `names` among them that the host has.

    Each says where the host's own variable is, for Ansible to look it up when it connects. So a password does not show
    in the inventory, nothing asks for one beforehand, and a template has its host's variables around it.
    """
    address = next((name for name in ("ansible_ssh_host", "ansible_host") if name in variables), None)
    connection = {name: _lookup(host, name) for name in sorted(names & variables.keys())}
    return {**connection, "ansible_jail_host": _lookup(host, address) if address else host}


def _lookup(host: str, name: str) -> str:
    """Return the template that stands for a variable of a host."""
    return trust_as_template(f"{{{{ hostvars[{host!r}][{name!r}] }}}}")
