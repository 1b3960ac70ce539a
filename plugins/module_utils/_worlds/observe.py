# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading all roots of a host: as data, by one process on hosts with a pool and none on others.

Roots that shall be destroyed need more, see remains.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, fresh_roots
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import image_file
from ansible_collections.jailisp.vps.plugins.module_utils._making import origin_of
from ansible_collections.jailisp.vps.plugins.module_utils._releases import digest_of
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import staging
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import (
    VERSION_FILE,
    VERSION_FILE_BYTES,
    Dataset,
    parse_datasets,
    parse_version,
)
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.plan import Actual, Root, begins, plan, unpacks
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.remains import remains_of
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing
    from ansible_collections.jailisp.vps.plugins.module_utils._making import Origin
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import Wish, World

LIST = ("zfs", "list", "-Hp", "-t", "filesystem,volume,snapshot", "-o", "name,mountpoint,mounted", "-r")


class Worlds:
    """The subsystem of the module jail_worlds."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)
        # Reading an archive takes long; it is read once, also when the host is looked at again afterwards.
        self._digests: dict[str, str | None] = {}
        self._kept: dict[str, str | None] = {}

    def observe(self, host: Host) -> Actual:
        """Read roots and datasets, and those archives that a fresh root needs."""
        notes = fresh_roots(host.files) if self.wish.worlds else {}
        roots = {name: _root_of(host.files, world, notes, self.wish) for name, world in self.wish.worlds.items()}
        datasets = self._datasets(host)
        origins: dict[str, Origin] = {}
        for world in self.wish.worlds.values():
            release = world.release
            # What is missing may have been fetched or made since.
            if self._digests.get(release.archive) is None and unpacks(world, roots, datasets, self.wish):
                self._digests[release.archive] = digest_of(host.files, release)
            missing = release.is_snapshot or (release.is_made and self._digests.get(release.archive) is None)
            if missing and release.name not in origins and begins(world, roots, datasets, self.wish):
                origins[release.name] = origin_of(host, release, self.wish.dataset)
        remains = remains_of(self.wish, host, datasets, self._kept)
        return Actual(roots, datasets, dict(self._digests), remains, origins)

    def _datasets(self, host: Host) -> dict[str, Dataset]:
        if self.wish.dataset is None:
            return {}
        return parse_datasets(ask(host, *LIST, self.wish.dataset, self.wish.release_dataset))

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)


def _root_of(files: Files, world: World, notes: t.Mapping[str, str], wish: Wish) -> Root:
    if world.image:
        return _image_root(files, world, world.image, notes)
    found = root(files, world.path)
    has_image = wish.images is not None and files.kind(image_file(wish.images, world.name)) != "missing"
    return replace(found, has_image=has_image)


def _image_root(files: Files, world: World, image: Backing, notes: t.Mapping[str, str]) -> Root:
    """Look at an image's root: what is in it while it is empty by its note is rubbish, an unmounted one is unknown."""
    kind = files.kind(world.path)
    if kind == "other":
        return Root(kind, None, half_made=False)
    if notes.get(world.name) == EMPTY:
        return Root("empty", None, half_made=kind == "folder")
    if files.kind(image.file) == "missing":
        return Root("empty", None, half_made=False)
    if kind != "folder":
        return Root("unmounted", None, half_made=False)
    return root(files, world.path)


def root(files: Files, path: str) -> Root:
    """Look at a jail's root without following or running anything in it."""
    kind = files.kind(path)
    text = files.read_beneath(path, VERSION_FILE, VERSION_FILE_BYTES) if kind == "folder" else None
    return Root(kind, parse_version(text), files.kind(staging(path)) != "missing")
