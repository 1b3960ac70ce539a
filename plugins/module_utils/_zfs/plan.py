# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the datasets are there and have the wished properties; nothing is ever destroyed."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import Dataset

Properties = dict[str, str]


def plan(wish: dict[str, Dataset], actual: dict[str, Properties]) -> Plan:
    """Return the steps: create what is missing, set what differs."""
    steps, changes = [], []
    for name, dataset in wish.items():
        there = actual.get(name)
        differing = {key: value for key, value in dataset.properties.items() if (there or {}).get(key) != value}
        if there is None:
            steps.append(_create(dataset))
            changes.append(Change(f"dataset {name}", None, dataset.properties))
        elif differing:
            steps.append(Run(Command(("zfs", "set", *_pairs(differing), name)), name))
            changes.append(Change(f"dataset {name}", {key: there.get(key) for key in differing}, differing))
    return Plan(tuple(steps), tuple(changes))


def _create(dataset: Dataset) -> Run:
    options = [word for pair in _pairs(dataset.properties) for word in ("-o", pair)]
    return Run(Command(("zfs", "create", "-p", *options, dataset.name)), dataset.name)


def _pairs(properties: Properties) -> list[str]:
    return [f"{key}={value}" for key, value in properties.items()]
