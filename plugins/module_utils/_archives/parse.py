# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What the folder of the archives holds, and what stands in a checksum's file."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import (
    CHECKSUM,
    HALF_MADE,
    SUFFIX,
    checksum_line,
)
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_moment

OURS = re.compile(
    rf"(?P<archive>(?P<name>{NAME.pattern})-(?P<retired>[0-9TZ-]{{18}}){re.escape(SUFFIX)})"
    rf"(?P<checksum>{re.escape(CHECKSUM)})?"
)
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file of ours in the folder. `kind`: archive, checksum, or half-made; `archive` is the archive's own name."""

    name: str
    retired: datetime.datetime
    kind: str
    archive: str


def parse_entry(file: str) -> Entry | None:
    """Return what the name of a file in the folder says, None if it is none of ours."""
    half = file.startswith(".") and file.endswith(HALF_MADE)
    match = OURS.fullmatch(file[1 : -len(HALF_MADE)] if half else file)
    if not match or (half and match["checksum"]):
        return None
    try:
        retired = parse_moment(match["retired"])
    except ValueError:
        return None
    kind = "half-made" if half else "checksum" if match["checksum"] else "archive"
    return Entry(match["name"], retired, kind, match["archive"])


def parse_checksum(text: str | None, archive: str) -> str | None:
    """Return the SHA-256 that a checksum's file gives of an archive, None if it gives none in our form."""
    digest = (text or "")[:64]
    return digest if DIGEST.fullmatch(digest) and text == checksum_line(digest, archive) else None
