# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading the folder of the archives, the roots, and which jails run: one process, however many there are."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._archives.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._archives.parse import Entry, parse_checksum, parse_entry
from ansible_collections.jailisp.vps.plugins.module_utils._archives.plan import Actual, plan
from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails, user_of

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._archives.model import Archive
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Archives:
    """The subsystem of the module jail_archives."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)
        # One moment for the whole run: what is expired must be so when the host is looked at again, too.
        self._now = datetime.datetime.now(datetime.UTC)

    def observe(self, host: Host) -> Actual:
        """Read what is."""
        folder, archives = self.wish.folder, self.wish.archives
        running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n")) if archives else {}
        kind = host.files.kind(folder)
        entries = entries_of(host.files, folder) if kind in ("folder", "empty") else {}
        sums = {
            each.archive: parse_checksum(host.files.read(self.wish.place(file)), each.archive)
            for file, each in entries.items()
            if each.kind == "checksum"
        }
        return Actual(
            roots={name: _root(host.files, archive) for name, archive in archives.items()},
            users={name: user for name, each in archives.items() if (user := user_of(running, name, each.path))},
            folder=kind,
            private=kind != "missing" and host.files.is_private(folder),
            entries=entries,
            digests={archive: digest for archive, digest in sums.items() if digest},
            sizes={file: host.files.size(self.wish.place(file)) for file in entries},
            now=self._now,
        )

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)


def _root(files: Files, archive: Archive) -> str:
    """Return the kind of a root; one in an image is a folder as soon as that is mounted."""
    if archive.image and files.extent(archive.image.file):
        return "folder"
    return files.kind(archive.path)


def entries_of(files: Files, folder: str) -> dict[str, Entry]:
    """Return our files in the folder by name; what else lies there is nothing to us."""
    found = {file: parse_entry(file) for file in files.names(folder)}
    return {file: entry for file, entry in found.items() if entry}
