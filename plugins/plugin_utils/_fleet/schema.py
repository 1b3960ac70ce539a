# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""JSON Schemas of the records, by which an editor checks and completes what is typed.

They come from the tables of keys that the compiler checks by, and refuse nothing that it accepts. What takes more than
one value to see, such as an address that is taken, the compiler alone can tell.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from pathlib import Path

from .limits import AMOUNT_PATTERN, RULE_PATTERN
from .model import CUSTOMER_KEYS, FLEET_KEYS, HOST_KEYS, JAIL_KEYS, PLAN_KEYS, Key
from .values import ELEMENTS, ENTRIES, PATTERNS

Schema = dict[str, t.Any]

_HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$comment": "SPDX-License-Identifier: GPL-3.0-or-later. Written by scripts/fleet.py schema; do not edit.",
}
_RECORDS = {
    "fleet": ("The fleet's file, fleet.yml", FLEET_KEYS),
    "plan": ("What is sold, plans/NAME.yml", PLAN_KEYS),
    "customer": ("Who pays, customers/NAME.yml", CUSTOMER_KEYS),
    "jail": ("A jail, jails/NAME.yml", JAIL_KEYS),
}
_FORMATS = {"address": "ipv4", "address6": "ipv6"}
_ANY_ADDRESS = {"type": "string", "anyOf": [{"format": each} for each in _FORMATS.values()]}


def schemas() -> dict[str, Schema]:
    """Return the schema of each kind of file, by name: fleet, plan, customer, jail and host."""
    records = {name: {**_HEAD, "title": title, **_mapping(keys)} for name, (title, keys) in _RECORDS.items()}
    return {**records, "host": _host()}


def write_schemas(folder: Path) -> list[Path]:
    """Write the schemas into a folder as NAME.schema.json, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in schemas().items():
        files.append(folder / f"{name}.schema.json")
        files[-1].write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    return files


def _host() -> Schema:
    """Return the schema of a file in host_vars or group_vars.

    Each file gives some of the variables, and others beside them; any of them may be a template.
    """
    template = {"type": "string", "pattern": r"\{[{%]"}
    properties = {}
    for key in HOST_KEYS:
        notes, value = _notes(key), _value(key)
        properties[key.name] = {**notes, "anyOf": [value, template]}
    title = "What is true of jail hosts, host_vars/NAME.yml and group_vars/NAME.yml"
    return {**_HEAD, "title": title, "type": "object", "properties": properties}


def _mapping(keys: t.Sequence[Key]) -> Schema:
    """Return the schema of a mapping that has these keys and no others."""
    schema: Schema = {
        "type": "object",
        "properties": {key.name: {**_notes(key), **_value(key)} for key in keys},
        "additionalProperties": False,
    }
    required = [key.name for key in keys if key.required]
    return {**schema, "required": required} if required else schema


def _notes(key: Key) -> Schema:
    """Return what an editor shows of a key: its description and its default."""
    if key.default is None:
        return {"description": key.description}
    if isinstance(key.default, str) and "{name}" in key.default:
        return {"description": f"{key.description} Default: {key.default.replace('{name}', 'NAME')}."}
    return {
        "description": key.description,
        "default": list(key.default) if isinstance(key.default, tuple) else key.default,
    }


def _value(key: Key) -> Schema:
    """Return the schema of a key's value."""
    if key.kind in _STRUCTURES:
        return _STRUCTURES[key.kind](key)
    if key.kind in ELEMENTS:
        return _list(key, _value(replace(key, kind=ELEMENTS[key.kind])))
    return _text(key)


def _integer(key: Key) -> Schema:
    schema: Schema = {"type": "integer", "minimum": key.minimum}
    return schema if key.maximum is None else {**schema, "maximum": key.maximum}


def _port_range(key: Key) -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, _text(key)]}


def _list(key: Key, items: Schema) -> Schema:
    schema: Schema = {"type": "array", "items": items}
    return {**schema, "minItems": 1} if key.required else schema


def _entries(key: Key) -> Schema:
    pattern, _complaint = ENTRIES[key.kind]
    return {
        "type": "object",
        "patternProperties": {f"^{pattern}$": _mapping(key.keys)},
        "additionalProperties": False,
    }


def _rules(_key: Key) -> Schema:
    amount = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^(?:{AMOUNT_PATTERN})$"}]}
    return {"type": "object", "patternProperties": {f"^{RULE_PATTERN}$": amount}, "additionalProperties": False}


def _text(key: Key) -> Schema:
    if key.kind in _FORMATS:
        return {"type": "string", "format": _FORMATS[key.kind]}
    pattern = key.pattern or PATTERNS.get(key.kind, PATTERNS["text"])
    # An editor sees what is encrypted as it stands there, if it knows the tag !vault.
    secret = r"|\$ANSIBLE_VAULT;[\s\S]*" if key.kind == "crypt" else ""
    schema = {"type": "string", "pattern": f"^(?:{pattern}{secret})$"}
    return {**schema, "maxLength": key.maximum} if key.kind == "path" and key.maximum else schema


# What is not a text, or a text of a few; each takes a Key and returns the schema of its value.
_STRUCTURES: dict[str, t.Callable[[Key], Schema]] = {
    "integer": _integer,
    "address46": lambda key: _ANY_ADDRESS,
    "portrange": _port_range,
    "boolean": lambda key: {"type": "boolean"},
    "choice": lambda key: {"enum": list(key.choices)},
    "mapping": lambda key: _mapping(key.keys),
    "mappings": lambda key: _list(key, _mapping(key.keys)),
    **dict.fromkeys(ENTRIES, _entries),
    "rules": _rules,
}
