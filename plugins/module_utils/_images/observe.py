# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading the images of a host: two processes, however many images there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import fresh_roots
from ansible_collections.jailisp.vps.plugins.module_utils._images.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_disks, parse_sources
from ansible_collections.jailisp.vps.plugins.module_utils._images.plan import Actual, Found, plan
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT, SUFFIX

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._images.model import Image
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Images:
    """The subsystem of the module jail_images."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual | None:
        """Read what is; nothing, where no image is wished."""
        if not self.wish.images:
            return None
        files, folder = host.files, self.wish.folder
        kind = files.kind(folder)
        return Actual(
            script=files.read(SCRIPT),
            folder=kind if files.is_direct(folder) else "other",
            private=kind in ("folder", "empty") and files.is_private(folder),
            images={name: _found(files, image) for name, image in self.wish.images.items()},
            disks=parse_disks(output(host.runner, "mdconfig", "-lv")),
            mounts=parse_sources(output(host.runner, "mount", "-p")),
            notes=fresh_roots(files),
            room=files.room(folder),
            owed=owed(files, folder) if kind == "folder" else 0,
        )

    def plan(self, actual: Actual | None, attempt: int) -> Plan:
        """Say what to do."""
        del attempt
        return plan(self.wish, actual)


def _found(files: Files, image: Image) -> Found:
    return Found(
        kind=files.kind(image.file),
        extent=files.extent(image.file),
        growing=files.kind(image.growth) != "missing",
        place=files.kind(image.path),
    )


def owed(files: Files, folder: str) -> int:
    """Return the bytes that the images in a folder may still come to take of their file system: they are sparse."""
    extents = [files.extent(f"{folder}/{name}") for name in files.names(folder) if name.endswith(SUFFIX)]
    return sum(max(0, extent.size - extent.allocated) for extent in extents if extent)
