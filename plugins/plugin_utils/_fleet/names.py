# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Names that meet in Ansible's inventory: its hosts and groups, and the jails, which are hosts there in groups too."""

from __future__ import annotations

import re
import typing as t

from .model import JAIL_KEYS, Fleet, Problem, Record, Sources, Surroundings

# The group of all jails.
JAILS = "jails"
STATES = next(key.choices for key in JAIL_KEYS if key.name == "state")


def group_name(kind: str, name: str) -> str:
    """Return the name of the group of all jails of a host, plan, customer or state; it has to be an identifier."""
    return re.sub("[^A-Za-z0-9_]", "_", f"{kind}_{name}")


class _Names:
    """Notes who wants a group's name that is taken, and keeps what each name stands for."""

    def __init__(self, around: Surroundings, hosts: str, problems: list[Problem]) -> None:
        self.problems = problems
        self.meanings = {name: f"a host in {hosts}" for name in around.hosts}
        self.meanings.update(dict.fromkeys(("all", "ungrouped"), "a group that Ansible makes"))
        self.meanings.update({name: f"a group in {hosts}" for name in around.groups - self.meanings.keys()})

    def add(self, group: str, meaning: str, file: str) -> None:
        """Note a group's name if it stands for something already; else keep it for what `meaning` says."""
        taken = self.meanings.setdefault(group, meaning)
        if taken != meaning:
            text = f"{meaning} would be named {group}, as is {taken}; rename one of them"
            self.problems.append(Problem(file, 0, "", text))


def check_names(
    fleet: Fleet, hosts: t.Iterable[str], sources: Sources, around: Surroundings, problems: list[Problem]
) -> None:
    """Note each name of a record or a jail host that could not be told from another in Ansible's inventory."""
    names = _Names(around, sources.hosts, problems)
    names.add(JAILS, "the group of all jails", sources.hosts)
    for state in STATES:
        names.add(group_name("state", state), f"the group of all jails in state {state}", sources.hosts)
    for host in hosts:
        names.add(group_name("host", host), f"the group of the jails of host {host}", f"{sources.hosts}: {host}")
    for kind, records in (("plan", fleet.plans), ("customer", fleet.customers)):
        for record in records or ():
            names.add(group_name(kind, record.name), f"the group of the jails of {kind} {record.name}", record.file)
    for record in fleet.jails or ():
        _check_jail(record, names)


def _check_jail(record: Record, names: _Names) -> None:
    """Note a jail's name that stands for something else."""
    if record.name in names.meanings:
        text = f"{record.name} is the name of {names.meanings[record.name]} already; choose another"
        names.problems.append(Problem(record.file, 0, "", text))
