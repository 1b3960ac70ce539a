# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Where each value of a resolved jail, or of a host, came from.

resolve_jail takes values from one record or another and never looks into them. So it is given values that carry their
origin, and gives them back in the places where they belong: there is no second description of what counts before what.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, format_size

from .check import Checked, Values, as_block
from .compile import resolve_jail
from .model import HOST_KEYS, JAIL_KEYS, PLAN_KEYS, Block, Fleet, Key, Record, Vaulted
from .values import ELEMENTS, ENTRIES, VAULTED

DEFAULT = "default"

# How a record writes the values of a kind; str() does for the others.
_WRITTEN: dict[str, t.Callable[[t.Any], str]] = {
    "size": format_size,
    "rate": format_rate,
    "percent": "{}%".format,
    "boolean": lambda value: "true" if value else "false",
    "ports": lambda value: "{}-{}".format(*value),
    "choices": lambda value: ", ".join(value) or "none",
    "portrange": lambda value: str(value) if isinstance(value, int) else "{}-{}".format(*value),
}


@dataclass(frozen=True)
class Sourced:
    """A value, how a record writes it, and where it came from."""

    value: t.Any
    text: str
    origin: str

    def __add__(self, more: Sourced | str) -> Sourced:
        """Return a text that goes on: it comes from where its beginning does."""
        tail = more if isinstance(more, str) else more.value
        return Sourced(self.value + tail, self.text + tail, self.origin)


# A key, dotted as in errors (limits.memory, publish[0].port), and what it says.
Line = tuple[str, Sourced]


def explain_jail(
    name: str, fleet: Fleet, checked: Checked, variables: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[Line]:
    """Return every key of a resolved jail, in its order.

    `name` is one of checked.jails; `fleet` and `variables` (of each host) are what was checked.
    """
    record, jail = _named(fleet.jails, name), checked.jails[name]
    source = _Source(record)
    plan = _Source(_named(fleet.plans, jail["plan"])).mapping(checked.plans[jail["plan"]], PLAN_KEYS)
    host = _host(jail["host"], checked, variables)
    resolved = resolve_jail(Sourced(name, name, record.file), source.mapping(jail, JAIL_KEYS), plan, host)
    # Where there is no entry that could carry the origin.
    for key in ("publish", "allow_from"):
        if not resolved[key]:
            resolved[key] = Sourced([], "none", source.origin(key, record.block))
    if not resolved["rctl"]:
        resolved["rctl"] = Sourced({}, "none", DEFAULT)
    return list(_lines(resolved))


def explain_host(name: str, checked: Checked, variables: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[Line]:
    """Return every variable vps_* of a host, in the order of their table; `name` is one of checked.hosts."""
    return list(_lines(_host(name, checked, variables)))


def _host(name: str, checked: Checked, variables: t.Mapping[str, t.Mapping[str, t.Any]]) -> Values:
    """Return the values of a host, each with its origin: the variable, for its file is known to Ansible alone."""
    return _Source(Record(name, name, as_block(variables[name]))).mapping(checked.hosts[name], HOST_KEYS)


def _named(records: list[Record] | None, name: str) -> Record:
    """Return the record of a name, which is there."""
    return next(record for record in records or () if record.name == name)


class _Source:
    """Gives the values of one record their origin."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def origin(self, key: str, block: Block, above: str = "") -> str:
        """Return where a key of a block was written; `above` is where the block was, for one without lines."""
        if key not in block.values:
            return DEFAULT
        line = block.lines.get(key)
        return f"{self.record.file}:{line}" if line else above or f"{self.record.file}: {key}"

    def mapping(self, values: Values, keys: t.Iterable[Key], block: Block | None = None, above: str = "") -> Values:
        """Return the values of a mapping: of the record, or of a `block` in it."""
        written = self.record.block if block is None else block
        return {
            key.name: self.value(
                values[key.name], key, written.values.get(key.name), self.origin(key.name, written, above)
            )
            for key in keys
            if key.name in values
        }

    def value(self, value: t.Any, key: Key, written: t.Any, origin: str) -> t.Any:
        """Return a value, or what it consists of, with its origin; `written` is None for a default."""
        if key.kind == "mapping":
            return self.mapping(value, key.keys, written or Block({}), origin)
        if key.kind in ("rules", *ENTRIES):
            return {name: self.entry(part, name, key, written, origin) for name, part in value.items()}
        if key.kind == "mappings":
            parts = zip(value, written or (), strict=True)
            return [self.mapping(part, key.keys, entry, origin) for part, entry in parts]
        if key.kind in ELEMENTS and key.kind not in _WRITTEN:
            return [Sourced(part, str(part), origin) for part in value]
        text = VAULTED if isinstance(written, Vaulted) else _WRITTEN.get(key.kind, str)(value)
        return Sourced(value, text, origin)

    def entry(self, value: t.Any, name: str, key: Key, written: Block, above: str) -> t.Any:
        """Return what a mapping whose keys are free has at a name, with its origin."""
        if key.kind == "rules":
            return self.rule(value, name, written, above)
        return self.mapping(value, key.keys, written.values[name], above)

    def rule(self, value: t.Any, name: str, written: Block, above: str) -> Sourced:
        """Return the amount of a rule of rctl(8) with its origin."""
        text = VAULTED if isinstance(written.values[name], Vaulted) else str(value)
        return Sourced(value, text, self.origin(name, written, above))


def _lines(value: t.Any, path: str = "") -> t.Iterator[Line]:
    """Yield the keys of resolved values with what they say; what came from no record is a default."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _lines(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _lines(part, f"{path}[{index}]")
    elif isinstance(value, Sourced):
        yield path, value
    else:
        yield path, Sourced(value, "none" if value in (None, []) else str(value), DEFAULT)
