# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants of single keys, from the compiler's own tables: a key that is new there is broken here too."""

from __future__ import annotations

import json
import random
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import (
    CUSTOMER_KEYS,
    FLEET_KEYS,
    HOST_KEYS,
    JAIL_KEYS,
    PLAN_KEYS,
    Key,
)
from mutations.edit import Document, Edit, Path, key_of
from mutations.mutant import Mutant, Place, Source
from mutations.wrong import Wrong, wrong_values

OPTIONAL = "the key is optional: what holds without it is documented"
WARNED = "the same value twice in a file of Ansible's own, which warns of it"
# Numbers that lose their form when Ansible reads them.
YAML_NUMBERS = ("YAML 1.1's octal", "YAML 1.1's sexagesimal")
READ_BY_ANSIBLE = "a number in a file of Ansible's own, which reads it so"
# What more is sold than there is, is said of the host.
GROUP = "group_vars/jail_hosts.yml"
# The variables of a host that are judged by another.
RELATED = {"vps_storage": ("vps_pool", "vps_neighbourhoods"), "vps_releases": ("vps_release",)}
WAYS = (".archive", ".sha256", ".src", ".dataset", ".pkgbase")
NOWHERE = ("nothing-here", "../nothing-here")
NEIGHBOURHOODS = tuple(f"vps_neighbourhoods.{name}.disk" for name in ("n1", "n2"))
CAPACITY = ("vps_memory", "vps_disk", "vps_link.up", "vps_link.down", *NEIGHBOURHOODS)
LIMITED = frozenset({"size", "rate", "percent"})


@dataclass(frozen=True)
class Table:
    """A table of keys, and the files (of a source) that are written by it."""

    name: str
    keys: tuple[Key, ...]
    folder: str

    def files(self, source: Source) -> list[str]:
        """Return the files, sorted."""
        return source.records(self.folder) if self.folder else ["fleet.yml"]

    def where(self, file: str) -> str:
        """Return how an error names a file."""
        return f"hosts.yml: {file.removeprefix('host_vars/').removesuffix('.yml')}" if self.of_hosts else file

    @property
    def of_hosts(self) -> bool:
        """Whether it is about the variables of hosts, which have no lines."""
        return self.folder == "host_vars"

    def place(self, file: str, edit: Edit | None, *keys: str) -> Place:
        """Return where an error about an edit of a file must be."""
        if self.of_hosts or edit is None:
            return Place(self.where(file), keys)
        return Place(file, keys, edit.first, edit.last)


TABLES = (
    Table("jail", JAIL_KEYS, "jails"),
    Table("plan", PLAN_KEYS, "plans"),
    Table("customer", CUSTOMER_KEYS, "customers"),
    Table("host", HOST_KEYS, "host_vars"),
    Table("fleet", FLEET_KEYS, ""),
)


def paths(keys: tuple[Key, ...], before: Path = ()) -> t.Iterator[tuple[Path, Key]]:
    """Yield each key of a table with the path to it: of a list's first element, of other mappings one entry."""
    for key in keys:
        path = (*before, key.name)
        yield path, key
        inner = {"mappings": (*path, 0), "releases": (*path, "15.1-RELEASE-p1"), "named": (*path, "n1")}
        yield from paths(key.keys, inner.get(key.kind, path))


class Target:
    """A key of one file, to be broken."""

    def __init__(self, source: Source, table: Table, path: Path, key: Key, chance: random.Random) -> None:
        """Choose the file: one that has the key, else one that has what the key belongs in, else any."""
        self.source, self.table, self.path, self.key = source, table, path, key
        files = table.files(source)
        having: list[str] = []
        for length in range(len(path), -1, -1):
            having = having or [file for file in files if source.document(file).has(path[:length])]
        near = [file for file in having if file in source.near()]
        self.file = chance.choice(near or having)
        self.document = source.document(self.file)
        self.there = self.document.has(self.path)
        if table.of_hosts and not self.there:
            self.document = self._with_group()

    def _with_group(self) -> Document:
        """Return the host's file, with what its group says of this key written there too."""
        top = self.path[0]
        group = self.source.document(GROUP).data
        if top in group and not self.document.has((top,)):
            return Document(self.document.insert((top,), json.dumps(group[top])).text)
        return self.document

    def mutant(self, what: str, edit: Edit, *places: Place, **more: t.Any) -> Mutant:
        """Return a mutant with this file edited."""
        title = f"{self.source.name}: {self.file}: {key_of(self.path)}: {what}"
        return Mutant(title, {self.file: edit.text.encode()}, places, **more)

    def value(self, wrong: Wrong) -> Mutant:
        """Return the mutant that has a wrong value."""
        edit = self.document.put(self.path, wrong.text)
        name = key_of(self.path)
        # A template that fails is said of the whole variable.
        whole = (str(self.path[0]),) if self.table.of_hosts and "template" in wrong.what else ()
        place = self.table.place(self.file, edit, name, name + wrong.part, *whole)
        harmless = wrong.harmless or (READ_BY_ANSIBLE if self.table.of_hosts and wrong.what in YAML_NUMBERS else "")
        return self.mutant(wrong.what, edit, place, *self.related(), harmless=harmless, secret=wrong.secret)

    def related(self) -> list[Place]:
        """Return where else a value of this key may be refused, because of other records."""
        places = []
        if self.key.kind in LIMITED:
            places += [Place(f"hosts.yml: {host}", CAPACITY) for host in hosts_of(self.source)]
        if self.key.kind == "relative":
            places += [Place("fleet.yml", (key_of(self.path),)), *(Place(folder, ("",)) for folder in NOWHERE)]
        if self.path[0] == "allow_from":
            # What stands beside another is told of both.
            places.append(Place(self.file, ("allow_from[0].jail", "allow_from[0].network")))
        if self.table.name == "plan":
            places += [Place(file, ("plan",)) for file in self.source.records("jails")]
        if self.path[0] == "vps_releases" and len(self.path) > 1:
            # What a release cannot have beside what it has.
            release = key_of(self.path[:2])
            places.append(Place(self.table.where(self.file), tuple(f"{release}{key}" for key in ("", *WAYS))))
        if self.table.of_hosts:
            # What Ansible itself cannot read is said of the file.
            places.append(Place(self.file, ("",)))
            names = RELATED.get(str(self.path[0]), ())
            places += [Place(self.table.where(self.file), names)] if names else []
            places += [
                Place(file, ("address", "address6", "release", "plan", "neighbourhood")) for file in self._jails()
            ]
        return places

    def _jails(self) -> list[str]:
        """Return the records of this host's jails."""
        host = self.file.removeprefix("host_vars/").removesuffix(".yml")
        return [file for file in self.source.records("jails") if f"host: {host}\n" in self.source.texts[file]]

    def removed(self) -> Mutant:
        """Return the mutant without the key."""
        edit = self.document.remove(self.path)
        after = Document(edit.text)
        parent = self.path[:-1]
        lines = Edit(edit.text, after.line(parent[:1]) if parent else 1, edit.last)
        place = self.table.place(self.file, lines, key_of(self.path))
        harmless = "" if self.key.required else OPTIONAL
        return self.mutant("removed", edit, place, *self.related(), harmless=harmless)

    def misspelt(self) -> Mutant:
        """Return the mutant with a letter of the key left out."""
        name = misspell(self.key.name)
        edit = self.document.rename(self.path, name)
        wrong = self.table.place(self.file, edit, key_of((*self.path[:-1], name)))
        lines = Edit(edit.text, 1, edit.last)
        missing = self.table.place(self.file, lines, key_of(self.path))
        mentions = f"did you mean {self.key.name}?"
        return self.mutant("misspelt", edit, wrong, missing, *self.related(), mentions=mentions)

    def duplicated(self) -> Mutant:
        """Return the mutant with the key twice."""
        edit = self.document.duplicate(self.path)
        place = self.table.place(self.file, edit, key_of(self.path))
        return self.mutant("twice", edit, place, harmless=WARNED if self.table.of_hosts else "")


def misspell(name: str) -> str:
    """Return a name with the last letter but one left out, or the last of two twice."""
    return name[:-2] + name[-1] if len(name) > 2 else name + name[-1]


def hosts_of(source: Source) -> list[str]:
    """Return the names of the jail hosts."""
    return list(source.document("hosts.yml").get(("jail_hosts", "hosts")))


def key_mutants(source: Source, chance: random.Random, share: float) -> t.Iterator[Mutant]:
    """Yield the mutants of all keys of all tables; of wrong values only a share, chosen at random."""
    for table in TABLES:
        for path, key in paths(table.keys):
            target = Target(source, table, path, key, chance)
            for wrong in wrong_values(key):
                if chance.random() < share:
                    yield target.value(wrong)
            if target.there and chance.random() < max(share, 0.3):
                yield target.removed()
                yield target.misspelt()
                yield target.duplicated()


def group_mutants(source: Source) -> t.Iterator[Mutant]:
    """Yield the mutants of what is said of all hosts at once."""
    document = source.document(GROUP)
    for key in HOST_KEYS:
        if not document.has((key.name,)):
            continue
        places = tuple(Place(f"hosts.yml: {host}", (key.name, "vps_pool", *CAPACITY)) for host in hosts_of(source))
        edit = document.remove((key.name,))
        title = f"{source.name}: {GROUP}: {key.name}"
        yield Mutant(f"{title}: removed", {GROUP: edit.text.encode()}, places, "" if key.required else OPTIONAL)
        edit = document.replace((key.name,), "[{a: b}]")
        yield Mutant(f"{title}: another type", {GROUP: edit.text.encode()}, places)
        name = misspell(key.name)
        both = tuple(Place(place.file, (name, *place.keys)) for place in places)
        edit = document.rename((key.name,), name)
        yield Mutant(f"{title}: misspelt", {GROUP: edit.text.encode()}, both, mentions=f"did you mean {key.name}?")


def unknown_keys(source: Source, chance: random.Random) -> t.Iterator[Mutant]:
    """Yield a record of each table with a key that it does not have, at each depth."""
    for table in TABLES:
        files = table.files(source)
        for path in [(), *(path for path, key in paths(table.keys) if key.kind == "mapping")]:
            having = [file for file in files if source.document(file).has(path)]
            if not having:
                continue
            file = chance.choice(having)
            name = "vps_colour" if table.of_hosts and not path else "colour"
            edit = source.document(file).insert((*path, name), "red")
            place = table.place(file, edit, key_of((*path, name)))
            yield Mutant(
                f"{source.name}: {file}: {key_of((*path, name))}: unknown", {file: edit.text.encode()}, (place,)
            )
