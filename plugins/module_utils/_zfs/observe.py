# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading datasets: one process, however many there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import parse_properties, wish
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.plan import MEASURED, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Datasets:
    """The subsystem of the module zfs_datasets."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> dict[str, dict[str, str]]:
        """Read the properties of the datasets that are there, and of their parents."""
        if not self.wish:
            return {}
        datasets = self.wish.values()
        keys = sorted({*MEASURED, *[key for dataset in datasets for key in dataset.properties]})
        names = sorted({*self.wish, *[dataset.parent for dataset in datasets if dataset.parent]})
        return parse_properties(ask(host, "zfs", "get", "-Hp", "-o", "name,property,value", ",".join(keys), *names))

    def plan(self, actual: dict[str, dict[str, str]], attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)
