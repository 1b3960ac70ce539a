# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the datasets are there and have the wished properties; nothing is ever destroyed.

What zfs would refuse (a limit below what is in use, more set aside than there is) is left out and told, for it stays so
until somebody makes room. All other properties of a dataset go into one ``zfs set``: it tries a second time what did
not fit at first, so their order does not matter.
"""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import FITS_INTO, number

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import Dataset, Properties

# What is read of each dataset, besides what is wished of it, to tell what zfs would refuse.
MEASURED = ("used", "referenced", "available", "quota", "refquota", "reservation", "refreservation")
# What is in use of a limit, and how it is lowered; and what may be set aside of it.
_BOUNDS = {
    "refquota": ("referenced", "refreservation", "have files in it deleted"),
    "quota": ("used", "reservation", "destroy snapshots of it, have files in it deleted"),
}
_MEBIBYTE = 1 << 20


def plan(wish: dict[str, Dataset], actual: dict[str, Properties]) -> Plan:
    """Return the steps: create what is missing, set what differs and can be set.

    ``actual`` has of each dataset that is there, and of the parents of the wished ones, at least MEASURED.
    """
    steps, changes, refused = [], [], []
    rooms = {name: _size(there, "available") for name, there in actual.items()}
    for name, dataset in wish.items():
        there = actual.get(name)
        if there is None and not dataset.create:
            continue
        differing = {key: value for key, value in dataset.properties.items() if (there or {}).get(key) != value}
        why = dict(_refused(dataset, differing, there or {}, rooms))
        refused += [(dataset.jail, text) for text in why.values()]
        to_set = {key: value for key, value in differing.items() if key not in why}
        if there is None and not why:
            steps.append(_create(dataset))
            changes.append(Change(f"dataset {name}", None, dataset.properties))
        elif there is not None and to_set:
            steps.append(Run(Command(("zfs", "set", *_pairs(to_set), name)), dataset.jail))
            changes.append(Change(f"dataset {name}", {key: there.get(key) for key in to_set}, to_set))
    return Plan(tuple(steps), tuple(changes), refused=tuple(refused))


def _create(dataset: Dataset) -> Run:
    options = [word for pair in _pairs(dataset.properties) for word in ("-o", pair)]
    return Run(Command(("zfs", "create", "-p", *options, dataset.name)), dataset.jail)


def _pairs(properties: Properties) -> list[str]:
    return [f"{key}={value}" for key, value in properties.items()]


def _refused(
    dataset: Dataset, differing: Properties, there: Properties, rooms: dict[str, int]
) -> t.Iterator[tuple[str, str]]:
    """Yield the properties that zfs would not set, and why; of ``rooms`` take what a reservation sets aside."""
    after = {**there, **differing}
    for key in differing:
        why = ""
        if key in _BOUNDS:
            why = _below_use(key, there, after)
        elif key in FITS_INTO:
            why = _beyond_limit(key, after)
            if key == "reservation" and not why:
                why = _beyond_room(dataset, there, after, rooms)
        if why:
            yield key, f"{key} of {dataset.name} stays {_shown(_size(there, key))}: {why}"


def _below_use(key: str, there: Properties, after: Properties) -> str:
    """Say why a limit cannot be set, '' if it can."""
    measure, aside, remedy = _BOUNDS[key]
    wished, used, reserved = _size(after, key), _shown(_size(there, measure)), _shown(_size(after, aside))
    if 0 < wished < _size(there, measure):
        return f"{used} are {measure}, {format_size(wished)} are wished; {remedy}, or wish for at least {used}"
    if 0 < wished < _size(after, aside):
        return f"{aside} is {reserved}, {format_size(wished)} are wished; lower {aside} too"
    return ""


def _beyond_limit(key: str, after: Properties) -> str:
    """Say why a dataset's own limit forbids to set so much aside, '' if it does not."""
    limit = FITS_INTO[key]
    if 0 < _size(after, limit) < _size(after, key):
        return f"{limit} is {_shown(_size(after, limit))}, {_shown(_size(after, key))} are wished; raise {limit} too"
    return ""


def _beyond_room(dataset: Dataset, there: Properties, after: Properties, rooms: dict[str, int]) -> str:
    """Say why so much cannot be set aside, '' if it can; then it is taken from its parent's room."""
    used = _size(there, "used")
    more = max(used, _size(after, "reservation")) - max(used, _size(there, "reservation"))
    room = rooms.get(dataset.parent)
    if room is None:
        return ""
    if more > room:
        return f"{dataset.parent} has room for {_shown(room)}, {_shown(more)} more are wished; make room there"
    rooms[dataset.parent] = room - more
    return ""


def _size(properties: Properties, key: str) -> int:
    """Return a size in bytes; what a dataset does not have is 0, as a volume has no refquota."""
    return number(properties.get(key, "0"))


def _shown(size: int) -> str:
    """Return a size for people, rounded up to whole mebibytes, for so much is needed."""
    return format_size(-(-size // _MEBIBYTE) * _MEBIBYTE) if size else "none"
