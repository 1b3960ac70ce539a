# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Datasets with the properties that are wished of them, and what ``zfs get`` prints."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, ParseError, by_name

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
PROPERTY = re.compile(r"[a-z0-9_:.-]+")


@dataclass(frozen=True)
class Dataset:
    """A dataset and the properties that it shall have, as ``zfs get -p`` prints them (sizes in bytes)."""

    name: str
    properties: dict[str, str]


def wish(parameters: t.Mapping[str, t.Any]) -> dict[str, Dataset]:
    """Check the module's parameters and return the datasets by name, parents first."""
    records = by_name(parameters["datasets"], "datasets")
    for name, record in records.items():
        if not NAME.fullmatch(name):
            raise InvalidDesired(f"datasets: {name!r}: name: zfs cannot carry it")
        for key in record["properties"]:
            if not PROPERTY.fullmatch(key):
                raise InvalidDesired(f"datasets: {name}: properties: {key!r} is no name of a property")
    return {
        name: Dataset(name, {key: str(value) for key, value in sorted(record["properties"].items())})
        for name, record in sorted(records.items())
    }


def parse_properties(text: str) -> dict[str, dict[str, str]]:
    """Return the properties of each dataset, from ``zfs get -Hp -o name,property,value``."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        try:
            name, key, value = line.split("\t")
        except ValueError:
            raise ParseError(f"`zfs get` printed a line that is not known: {line!r}") from None
        found.setdefault(name, {})[key] = value
    return found
