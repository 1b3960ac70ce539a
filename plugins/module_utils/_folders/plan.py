# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the folders of a host's roots are there, and the host's alone.

A customer could make a program setuid in his root, and a user of the host run it, if there were a way in.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._folders.model import Wish


@dataclass(frozen=True)
class Folder:
    """What is there: its kind (other, too, if a link leads there), and whether it is root's alone."""

    kind: str
    private: bool


@dataclass(frozen=True)
class Actual:
    """The folders by path, and the host's mount points."""

    folders: dict[str, Folder]
    points: frozenset[str]


def plan(wish: Wish, actual: Actual) -> Plan:
    """Return the steps. If one folder is not what it must be nothing is done, for the rest would be built upon it."""
    trouble = [reason for reason in _trouble(wish, actual) if reason]
    if trouble:
        return Plan(refused=tuple(("", reason) for reason in trouble))
    wrong = [path for path, found in actual.folders.items() if not found.private]
    return Plan(
        steps=tuple(map(_step, wrong)),
        changes=tuple(Change(f"folder {path}", "not root's alone\n", "root's alone\n") for path in wrong),
    )


def _trouble(wish: Wish, actual: Actual) -> t.Iterator[str]:
    keys = {wish.root: "root", **{path: f"neighbourhoods: {name}" for name, path in wish.neighbourhoods.items()}}
    for path, key in keys.items():
        if actual.folders[path].kind == "other":
            yield f"{key}: {path} is not a folder, or a link leads there; name the folder itself"
        elif path != wish.root and path not in actual.points:
            yield (
                f"{key}: nothing is mounted at {path}, so its roots would fill the file system around it; mount its "
                "partition, also in /etc/fstab"
            )


def _step(path: str) -> Run:
    """Return what makes a folder, or puts it right: the same for both, since zfs may make it before this does."""
    return Run(Command(("install", "-d", "-o", "root", "-g", "wheel", "-m", "700", path)))
