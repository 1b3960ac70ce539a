# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What a source tree, and what was built of it, say of which release they are; nothing of them is run to learn that."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import parse_version

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files

# Where buildworld puts what it makes, below it the path of the source tree and a folder for each architecture.
OBJECTS = "/usr/obj"
BUILT = "bin/freebsd-version/freebsd-version"
# Every buildworld writes it.
METADATA = "toolchain-metadata.mk"
NEWVERS = "sys/conf/newvers.sh"
NUMBER = re.compile(r'^(REVISION|BRANCH)="?([0-9A-Za-z.-]+)"?$', re.MULTILINE)


def parse_newvers(text: str | None) -> str | None:
    """Return the release (``15.1-RELEASE-p1``) from the text of sys/conf/newvers.sh, None if there is none."""
    said = dict(NUMBER.findall(text or ""))
    return f"{said['REVISION']}-{said['BRANCH']}" if said.keys() == {"REVISION", "BRANCH"} else None


def release_of(files: Files, source: str) -> str | None:
    """Return the release that was built, or where that is elsewhere, the one that would be."""
    texts = [files.read(f"{folder}/{BUILT}") for folder in _objects(files, source)]
    return next((version for text in texts if (version := parse_version(text))), None) or parse_newvers(
        files.read(f"{source}/{NEWVERS}")
    )


def built_at(files: Files, source: str) -> float:
    """Return when the tree was last built, in seconds of the epoch; 0 if that was elsewhere."""
    return max((files.moment(f"{folder}/{METADATA}") or 0 for folder in _objects(files, source)), default=0)


def _objects(files: Files, source: str) -> list[str]:
    folder = f"{OBJECTS}{source}"
    # Such as amd64.amd64; what lies beside it is of no world.
    return [f"{folder}/{name}" for name in files.names(folder) if "." in name]
