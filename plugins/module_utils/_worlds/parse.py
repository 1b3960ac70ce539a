# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What a root says of its release, and what zfs(8) lists."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

# The customer can write anything into the file; only this form of a release is believed.
VERSION = re.compile(r'^USERLAND_VERSION="?([0-9]+\.[0-9]+-[A-Z0-9.-]{1,20}(?:-p[0-9]+)?)"?$', re.MULTILINE)
VERSION_FILE = "bin/freebsd-version"
# Longer than the script is on any release.
VERSION_FILE_BYTES = 65536


def parse_version(text: str | None) -> str | None:
    """Return the release (``15.1-RELEASE-p1``) from the text of /bin/freebsd-version, None if there is none."""
    match = VERSION.search(text or "")
    return match[1] if match else None


@dataclass(frozen=True)
class Dataset:
    """A file system or snapshot: where it is mounted, and whether it is."""

    mountpoint: str
    mounted: bool


def parse_pins(text: str) -> dict[str, dict[str, str]]:
    """Return what keeps snapshots from being destroyed, from ``zfs get -Hp -o name,property,value clones,userrefs``.

    By snapshot: ``clones`` (names, with commas between) and ``userrefs`` (a number of holds), where there are any.
    """
    pins: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        try:
            name, key, value = line.split("\t")
        except ValueError:
            raise ParseError(f"`zfs get` printed a line that is not known: {line!r}") from None
        if value not in ("", "-", "0"):
            pins.setdefault(name, {})[key] = value
    return pins


def parse_datasets(text: str) -> dict[str, Dataset]:
    """Return datasets and snapshots by name, from ``zfs list -Hp -o name,mountpoint,mounted``."""
    datasets = {}
    for line in text.splitlines():
        try:
            name, mountpoint, mounted = line.split("\t")
        except ValueError:
            raise ParseError(f"`zfs list` printed a line that is not known: {line!r}") from None
        datasets[name] = Dataset(mountpoint, mounted == "yes")
    return datasets
