# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading datasets: one process, however many there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import parse_properties, wish
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.plan import plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan

# How zfs says that a dataset is not there yet; those that are there it tells of all the same.
NO_DATASET = "dataset does not exist"


class Datasets:
    """The subsystem of the module zfs_datasets."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> dict[str, dict[str, str]]:
        """Read the properties of the datasets that are there; each has a type, so each shows."""
        if not self.wish:
            return {}
        keys = sorted({"type", *[key for dataset in self.wish.values() for key in dataset.properties]})
        done = host.runner.run(Command(("zfs", "get", "-Hp", "-o", "name,property,value", ",".join(keys), *self.wish)))
        if done.rc != 0 and NO_DATASET not in done.err:
            raise CommandFailed(done)
        return parse_properties(done.out)

    def plan(self, actual: dict[str, dict[str, str]], attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)
