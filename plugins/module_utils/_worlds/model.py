# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The worlds (userlands) of a host's jails, and the releases that they are made from."""

from __future__ import annotations

import hashlib
import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._archives.parse import parse_entry
from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, backing
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name, file_mode
from ansible_collections.jailisp.vps.plugins.module_utils._releases import (
    Release,
    check_pool,
    checked,
    plain,
    release,
)
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import normalized

DATASET = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


@dataclass(frozen=True)
class Seed:
    """A file that a fresh root gets before anybody but us has had it; its path is relative to the root."""

    path: str
    content: str
    mode: int


@dataclass(frozen=True)
class World:
    """The root of one jail, and the release that it shall hold if it holds nothing yet.

    ``image`` is what is mounted at the path, where the root is an image. ``properties`` are what its dataset is made
    with, as pairs in the order of their names.
    """

    name: str
    path: str
    release: Release
    image: Backing | None = None
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Doomed:
    """A root that shall be destroyed; ``archive`` is what must be there of it, None if nothing needs to.

    ``image`` is what is mounted at the path, where the root is an image.
    """

    name: str
    path: str
    archive: str | None
    image: Backing | None = None


@dataclass(frozen=True)
class Wish:
    """All worlds by name. ``dataset`` is the parent of the jails' datasets, None where roots are plain folders.

    ``release_dataset`` is the parent of the releases' datasets and is mounted at ``release_root``. ``doomed`` are by
    name, too. ``images`` is the folder of the host's images, None if it has none.
    """

    worlds: dict[str, World]
    doomed: dict[str, Doomed]
    seeds: tuple[Seed, ...]
    dataset: str | None
    release_dataset: str
    release_root: str
    at_once: int
    images: str | None = None

    def snapshot(self, release: Release) -> str:
        """Return the snapshot that holds the finished release; its name changes with all that goes into it.

        A dataset that is cloned is another one then, too: it cannot be filled anew.
        """
        recipe = hashlib.sha256(repr((release.sha256, self.seeds)).encode()).hexdigest()[:16]
        dataset = f"{self.release_dataset}/{release.name}"
        return f"{dataset}.{recipe[:8]}@{recipe}" if release.is_snapshot else f"{dataset}@{recipe}"


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    made = parameters["made_releases"]
    releases = {name: release(name, record, made) for name, record in parameters["releases"].items()}
    check_pool(releases, parameters["dataset"])
    worlds = by_name(parameters["worlds"], "worlds")
    seeds = by_name(parameters["files"], "files", "path")
    dataset, release_dataset = parameters["dataset"], parameters["release_dataset"]
    release_root = parameters["release_root"]
    for key, value in (("dataset", dataset), ("release_dataset", release_dataset)):
        if value is not None and not DATASET.fullmatch(value):
            raise InvalidDesired(f"{key}: {value!r} is no name of a dataset")
    imaged = [name for name, record in (worlds | by_name(parameters["destroy"], "destroy")).items() if record["image"]]
    if dataset and imaged:
        raise InvalidDesired(f"worlds: {imaged[0]}: image: has no meaning with dataset; leave one of them out")
    limited = [name for name, record in worlds.items() if record["properties"]]
    if limited and not dataset:
        raise InvalidDesired(
            f"worlds: {limited[0]}: properties: only datasets have them; leave them out, or give dataset"
        )
    if dataset and not (release_dataset and release_root):
        raise InvalidDesired("release_dataset, release_root: with dataset, say where the releases' datasets are")
    return Wish(
        worlds={name: _world(record, releases) for name, record in sorted(worlds.items())},
        doomed=_all_doomed(parameters, worlds),
        seeds=tuple(_seed(path, record) for path, record in sorted(seeds.items())),
        dataset=dataset,
        release_dataset=release_dataset or "",
        release_root=plain("release_root", release_root) if release_root else "",
        at_once=parameters["at_once"],
        images=None if parameters["images"] is None else plain("images", parameters["images"]),
    )


def _world(record: t.Mapping[str, t.Any], releases: dict[str, Release]) -> World:
    name = record["name"]
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"worlds: {name!r}: name: no jail can have it; see the module jails for what it takes")
    path = plain(f"worlds: {name}: path", record["path"])
    properties = tuple(normalized(f"worlds: {name}: properties", record["properties"]).items())
    return World(name, path, _source(record, releases), backing(f"worlds: {name}", record, path), properties)


def _source(record: t.Mapping[str, t.Any], releases: dict[str, Release]) -> Release:
    """Return what a fresh root is made from."""
    name, wanted, packed = record["name"], record["release"], record["root_archive"]
    if (wanted is None) == (packed is None):
        raise InvalidDesired(f"worlds: {name}: give either its release, or root_archive")
    if packed is not None:
        return Release(name, *checked("worlds", f"{name}: root_archive", packed), is_root=True)
    if wanted not in releases:
        known = ", ".join(sorted(releases)) or "none is given"
        raise InvalidDesired(f"worlds: {name}: release: {wanted} is not among releases ({known}); add it there")
    return releases[wanted]


def _all_doomed(parameters: t.Mapping[str, t.Any], worlds: t.Collection[str]) -> dict[str, Doomed]:
    records, root = by_name(parameters["destroy"], "destroy"), parameters["root"]
    if records and not is_plain(root or ""):
        raise InvalidDesired(
            f"root: {root!r} is not an absolute, plain path below /; with destroy, name the roots' folder"
        )
    for name in records:
        if name in worlds:
            raise InvalidDesired(f"destroy: {name} is among worlds too; remove it from one of the two")
    return {name: _doomed(record, root) for name, record in sorted(records.items())}


def _doomed(record: t.Mapping[str, t.Any], root: str) -> Doomed:
    name, archive = record["name"], record["archive"]
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"destroy: {name!r}: name: no jail can have it; see the module jails for what it takes")
    if (archive is None) != record["without_archive"]:
        raise InvalidDesired(f"destroy: {name}: give either its archive, or without_archive: true")
    if archive is not None:
        entry = parse_entry(posixpath.basename(plain(f"destroy: {name}: archive", archive)))
        if entry is None or (entry.name, entry.kind) != (name, "archive"):
            raise InvalidDesired(f"destroy: {name}: archive: {archive} is no archive of {name}; name its own")
    path = f"{root}/{name}"
    return Doomed(name, path, archive, backing(f"destroy: {name}", record, path))


def _seed(path: str, record: t.Mapping[str, t.Any]) -> Seed:
    if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path or not path.isprintable():
        raise InvalidDesired(f"files: {path!r}: not a plain path relative to the root")
    return Seed(path, record["content"], file_mode(path, record["mode"]))
