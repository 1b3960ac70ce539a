# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The images of a host's jails as they shall be."""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import GROWTH, Backing, checked
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name
from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_size

# md(4) has whole sectors.
SECTOR = 512


@dataclass(frozen=True)
class Image:
    """The image of one jail: its file and unit, its size in bytes, and the path that it is mounted at."""

    name: str
    backing: Backing
    size: int
    path: str

    @property
    def file(self) -> str:
        """Return the path of the image's file."""
        return self.backing.file

    @property
    def growth(self) -> str:
        """Return the path of the file that says that the image is growing."""
        return self.file + GROWTH


@dataclass(frozen=True)
class Wish:
    """All images by the name of their jail, and the folder that their files are in ('' without images)."""

    images: dict[str, Image]
    folder: str


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    for key in ("file", "unit", "path"):
        by_name(parameters["images"], "images", key)
    records = by_name(parameters["images"], "images")
    images = {name: _image(record) for name, record in sorted(records.items())}
    folders = {posixpath.dirname(image.file): name for name, image in images.items()}
    if len(folders) > 1:
        places = ", ".join(f"that of {name} in {folder}" for folder, name in sorted(folders.items()))
        raise InvalidDesired(f"images: they are in several folders ({places}); have them in one")
    return Wish(images, next(iter(folders), ""))


def _image(record: t.Mapping[str, t.Any]) -> Image:
    name, path = record["name"], record["path"]
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"images: {name!r}: name: no jail can have it; see the module jails for what it takes")
    found = checked(f"images: {name}", record, path)
    try:
        size = parse_size(record["size"])
    except ValueError as error:
        raise InvalidDesired(f"images: {name}: size: {error}") from error
    if size < SECTOR or size % SECTOR:
        raise InvalidDesired(f"images: {name}: size: {record['size']} is no multiple of {SECTOR} bytes; round it")
    return Image(name, found, size, path)
