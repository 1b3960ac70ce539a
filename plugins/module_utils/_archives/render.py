# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Names of archives, and what stands in the file of an archive's checksum."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_moment

if t.TYPE_CHECKING:
    import datetime

SUFFIX = ".tar.zst"
CHECKSUM = ".sha256"
HALF_MADE = ".part"


def archive_name(jail: str, retired: datetime.datetime) -> str:
    """Return the name of the archive of a jail that was retired then."""
    return f"{jail}-{format_moment(retired)}{SUFFIX}"


def half_made(archive: str) -> str:
    """Return the name that an archive's file has until it is whole."""
    return f".{archive}{HALF_MADE}"


def checksum_line(digest: str, archive: str) -> str:
    """Return the content of a checksum's file, as `sha256sum -c` takes it."""
    return f"{digest}  {archive}\n"


def tar(root: str, target: str) -> Command:
    """Return the command that packs all that is below a root, and nothing that is mounted there, into a file.

    By its default tar(1) follows no link, and keeps flags, ACLs and extended attributes. Names of owners are the
    host's, not the jail's, so numbers have to do.
    """
    options = ("--zstd", "--format", "pax", "--one-file-system", "--numeric-owner")
    return Command(("tar", "-c", *options, "-f", target, "-C", root, "."), seconds=LONG_SECONDS)
