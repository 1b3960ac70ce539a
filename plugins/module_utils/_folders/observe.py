# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading the folders of a host's roots: one process where there are neighbourhoods, none elsewhere."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._folders.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._folders.plan import Actual, Folder, plan
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_sources

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Folders:
    """The subsystem of the module jail_folders."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual:
        """Look at the folders, and at what is mounted."""
        mounts = parse_sources(output(host.runner, "mount", "-p")) if self.wish.neighbourhoods else []
        folders = {path: _found(host.files, path) for path in self.wish.folders}
        return Actual(folders, frozenset(point for _source, point in mounts))

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)


def _found(files: Files, path: str) -> Folder:
    kind = files.kind(path) if files.is_direct(path) else "other"
    return Folder(kind, private=kind in ("folder", "empty") and files.is_private(path))
