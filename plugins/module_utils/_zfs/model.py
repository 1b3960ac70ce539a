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
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size, parse_size

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
PROPERTY = re.compile(r"[a-z0-9_:.-]+")
_NUMBER = re.compile(r"[0-9]{1,20}")
# Properties that `zfs get -p` prints in bytes; of the first four 0 is none.
SIZES = ("quota", "refquota", "reservation", "refreservation", "recordsize")
# What is set aside, and what it must fit into.
FITS_INTO = {"reservation": "quota", "refreservation": "refquota"}

Properties = dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """A dataset and the properties that it shall have, as ``zfs get -p`` prints them (sizes in bytes).

    ``jail`` is the record that it serves, '' for the host as a whole. With ``create`` false, somebody else makes it.
    """

    name: str
    properties: Properties
    create: bool = True
    jail: str = ""

    @property
    def parent(self) -> str:
        """Return the name of the dataset above, '' of a pool's."""
        return self.name.rpartition("/")[0]


def wish(parameters: t.Mapping[str, t.Any]) -> dict[str, Dataset]:
    """Check the module's parameters and return the datasets by name, parents first."""
    records = by_name(parameters["datasets"], "datasets")
    for name in records:
        if not NAME.fullmatch(name):
            raise InvalidDesired(f"datasets: {name!r}: name: zfs cannot carry it")
    return {
        name: Dataset(
            name,
            normalized(f"datasets: {name}: properties", record["properties"]),
            record["create"],
            record["jail"] or "",
        )
        for name, record in sorted(records.items())
    }


def normalized(place: str, properties: t.Mapping[str, t.Any]) -> Properties:
    """Return properties as ``zfs get -p`` prints them, sorted; raise :class:`InvalidDesired` that names the place."""
    found = {key: _value(place, key, value) for key, value in sorted(properties.items())}
    for key, whole in FITS_INTO.items():
        if int(found.get(whole, 0)) and int(found.get(key, 0)) > int(found[whole]):
            raise InvalidDesired(
                f"{place}: {key}: {format_size(int(found[key]))} is more than {whole}, "
                f"{format_size(int(found[whole]))}; give it at most that"
            )
    return found


def _value(place: str, key: str, value: t.Any) -> str:
    if not PROPERTY.fullmatch(key):
        raise InvalidDesired(f"{place}: {key!r} is no name of a property")
    if isinstance(value, bool):
        # YAML's words for it are those of zfs.
        return "on" if value else "off"
    if key not in SIZES:
        if not str(value).isprintable():
            raise InvalidDesired(f"{place}: {key}: {value!r} has characters that cannot be printed; remove them")
        return str(value)
    try:
        return str(parse_size("0" if value == "none" else str(value)))
    except ValueError as error:
        raise InvalidDesired(f"{place}: {key}: {error}; write one, or none") from None


def number(value: str) -> int:
    """Return a number that zfs prints with -p; what a dataset does not have (``-``) is 0."""
    return int(value) if _NUMBER.fullmatch(value) else 0


def parse_properties(text: str) -> dict[str, Properties]:
    """Return the properties of each dataset, from ``zfs get -Hp -o name,property,value``."""
    found: dict[str, Properties] = {}
    for line in text.splitlines():
        try:
            name, key, value = line.split("\t")
        except ValueError:
            raise ParseError(f"`zfs get` printed a line that is not known: {line!r}") from None
        found.setdefault(name, {})[key] = value
    return found
