# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The last archives of retired jails, and where they are kept."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import archive_name
from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, backing
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name
from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_moment


@dataclass(frozen=True)
class Archive:
    """The archive that a retired jail shall have of its root; `file` is its name in the folder.

    ``image`` is what is mounted at the path while it is packed, where the root is an image.
    """

    name: str
    path: str
    retired: datetime.datetime
    image: Backing | None = None

    @property
    def file(self) -> str:
        """Return the name of the archive's file."""
        return archive_name(self.name, self.retired)


@dataclass(frozen=True)
class Wish:
    """All archives by the name of their jail, and for how many days after its retiring a jail's archive is kept."""

    archives: dict[str, Archive]
    folder: str
    keep_days: int
    at_once: int

    def place(self, file: str) -> str:
        """Return the path of a file in the folder."""
        return f"{self.folder}/{file}"

    def until(self, retired: datetime.datetime) -> datetime.datetime:
        """Return the moment from which the archive of a jail that was retired then may go."""
        return retired + datetime.timedelta(days=self.keep_days)


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    folder, keep_days = parameters["folder"], parameters["keep_days"]
    if not is_plain(folder):
        raise InvalidDesired(f"folder: {folder!r} is not an absolute, plain path below /")
    if not 0 < keep_days <= DAYS_MAX:
        raise InvalidDesired(f"keep_days: {keep_days} is not from 1 to {DAYS_MAX}; choose another number")
    records = by_name(parameters["archives"], "archives")
    archives = {name: _archive(record) for name, record in sorted(records.items())}
    for archive in archives.values():
        if f"{folder}/".startswith(f"{archive.path}/"):
            raise InvalidDesired(
                f"archives: {archive.name}: path: {archive.path} holds the folder of the archives, {folder}; "
                "keep them elsewhere"
            )
    return Wish(archives, folder, keep_days, parameters["at_once"])


DAYS_MAX = 36500


def _archive(record: t.Mapping[str, t.Any]) -> Archive:
    name, path = record["name"], record["path"]
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"archives: {name!r}: name: no jail can have it; see the module jails for what it takes")
    if not is_plain(path):
        raise InvalidDesired(f"archives: {name}: path: {path!r} is not an absolute, plain path below /")
    try:
        retired = parse_moment(record["retired"])
    except ValueError as error:
        raise InvalidDesired(f"archives: {name}: retired: {error}") from error
    return Archive(name, path, retired, backing(f"archives: {name}", record, path))
