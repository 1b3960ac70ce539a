# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What mdconfig(8) and mount(8) list."""

from __future__ import annotations

import re

from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_table
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

# md17<tab>vnode<tab>   4.0G<tab>/var/jail-images/alice.img<tab>...
DISK = re.compile(r"md(?P<unit>[0-9]{1,10})\t(?P<kind>[a-z]+)\t[^\t]*\t(?P<file>[^\t]*)(\t.*)?")


def parse_disks(text: str) -> dict[int, str]:
    """Return the file of each memory disk by its unit, from ``mdconfig -lv``; ``-`` for one that has no file."""
    disks = {}
    for line in text.splitlines():
        match = DISK.fullmatch(line)
        if match is None:
            raise ParseError(f"`mdconfig -lv` printed a line that is not known: {line!r}")
        disks[int(match["unit"])] = match["file"] if match["kind"] == "vnode" else "-"
    return disks


def parse_sources(text: str) -> list[tuple[str, str]]:
    """Return (what is mounted, mount point) of all mounts in their order, from ``mount -p``."""
    return [(source, point) for source, point, _kind in parse_table(text)]
