# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The folders that hold the roots of a host's jails, as they shall be."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired


@dataclass(frozen=True)
class Wish:
    """The folder of the roots, and those of the neighbourhoods by name, at which file systems must be mounted."""

    root: str
    neighbourhoods: dict[str, str]

    @property
    def folders(self) -> tuple[str, ...]:
        """Return all folders."""
        return (self.root, *self.neighbourhoods.values())


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    root = _plain("root", parameters["root"])
    neighbourhoods: dict[str, str] = {}
    for name, record in sorted(parameters["neighbourhoods"].items()):
        if not isinstance(record, dict) or not isinstance(record.get("path"), str):
            raise InvalidDesired(f"neighbourhoods: {name}: give it the key path")
        path = _plain(f"neighbourhoods: {name}: path", record["path"])
        if path in (root, *neighbourhoods.values()):
            raise InvalidDesired(f"neighbourhoods: {name}: path: {path} is given twice; each has a folder of its own")
        neighbourhoods[name] = path
    return Wish(root, neighbourhoods)


def _plain(what: str, path: str) -> str:
    if not is_plain(path):
        raise InvalidDesired(f"{what}: {path!r} is not an absolute, plain path below /")
    return path
