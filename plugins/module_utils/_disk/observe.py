# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Measuring what jails take of their host's disks.

At most one process for each kind of storage. Only where du(1) needs longer than the time limit is it started again for
those that it did not come to: then each run of it ends with a jail's figure, or with one that took too long alone.
"""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import HANGING, Command, CommandFailed, output
from ansible_collections.jailisp.vps.plugins.module_utils._disk.parse import (
    Room,
    count_complaints,
    parse_rooms,
    parse_sizes,
)
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_sources
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired
from ansible_collections.jailisp.vps.plugins.module_utils._releases import plain
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import NAME as DATASET
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import number, parse_properties

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

# A customer's disk is measured when nobody else wants it, and each line comes out as soon as it is known.
DU = ("nice", "-n", "19", "stdbuf", "-o", "L", "du", "-skx")

Values = t.Mapping[str, t.Any]
Found = dict[str, dict[str, t.Any]]


def measure(host: Host, parameters: Values) -> dict[str, Found]:
    """Return what each jail takes (`jails`, by name) and the file systems of the folders (`rooms`, by path)."""
    _check(parameters)
    kinds: dict[str, list[Values]] = {"directory": [], "image": [], "dataset": []}
    for jail in parameters["jails"]:
        kinds["image" if jail["image"] else "dataset" if jail["dataset"] else "directory"].append(jail)
    mounted = _mounted(host, kinds["image"])
    folders = [folder for folder in parameters["folders"] if host.files.kind(folder) in ("folder", "empty")]
    rooms = _rooms(host, [*folders, *mounted.values()])
    found = {
        **_directories(host, kinds["directory"], parameters["seconds"]),
        **{jail["name"]: _image(host, jail, rooms.get(mounted.get(jail["name"], ""))) for jail in kinds["image"]},
        **_datasets(host, kinds["dataset"]),
    }
    return {
        "jails": {name: {"used": None, "trouble": "", **found[name]} for name in sorted(found)},
        "rooms": {folder: rooms[folder]._asdict() for folder in folders},
    }


def _check(parameters: Values) -> None:
    """Raise InvalidDesired unless all that the host is asked about could be there."""
    for folder in parameters["folders"]:
        plain("folders", folder)
    for jail in parameters["jails"]:
        plain(f"jails: {jail['name']}: path", jail["path"])
        if jail["image"]:
            plain(f"jails: {jail['name']}: image: file", jail["image"]["file"])
        if jail["dataset"] and not DATASET.fullmatch(jail["dataset"]):
            raise InvalidDesired(f"jails: {jail['name']}: dataset: {jail['dataset']!r} is no name of a dataset")


# Directories ----------------------------------------------------------------------------------------------------------


def _directories(host: Host, jails: t.Iterable[Values], seconds: int) -> Found:
    paths = {jail["path"]: jail["name"] for jail in jails}
    kinds = {path: host.files.kind(path) for path in paths}
    there = [path for path, kind in kinds.items() if kind in ("folder", "empty")]
    sizes, trouble = _sizes(host, there, seconds)
    trouble |= {path: "there is no root" for path, kind in kinds.items() if kind == "missing"}
    trouble |= {path: "its root is no folder" for path, kind in kinds.items() if kind == "other"}
    return {
        name: {"kind": "directory", "used": sizes.get(path), "trouble": trouble.get(path, "")}
        for path, name in paths.items()
    }


def _sizes(host: Host, paths: t.Sequence[str], seconds: int) -> tuple[dict[str, int], dict[str, str]]:
    """Return the bytes that paths take, and by path what went wrong."""
    sizes: dict[str, int] = {}
    trouble: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        done = host.runner.run(Command((*DU, *waiting), seconds=seconds))
        # 1 says that something could not be looked at.
        if done.rc not in (0, 1, HANGING):
            raise CommandFailed(done)
        found = parse_sizes(done.out, waiting)
        complaints = count_complaints(done.err, waiting)
        trouble |= {path: f"it takes more: du could not look at {count} things" for path, count in complaints.items()}
        sizes |= found
        waiting = [path for path in waiting if path not in found]
        if done.rc != HANGING:
            trouble |= {path: "du says nothing of it" for path in waiting}
            break
        if not found:
            # It had all of the time to itself.
            trouble[waiting.pop(0)] = f"du needs more than {seconds} s for it"
    return sizes, trouble


# Images and datasets --------------------------------------------------------------------------------------------------


def _mounted(host: Host, jails: t.Sequence[Values]) -> dict[str, str]:
    """Return the roots, by name, at which nothing but the jail's image is seen."""
    mounts = parse_sources(output(host.runner, "mount", "-p")) if jails else []
    topmost = {point: source for source, point in mounts}
    return {
        jail["name"]: jail["path"] for jail in jails if topmost.get(jail["path"]) == Backing(**jail["image"]).device
    }


def _image(host: Host, jail: Values, room: Room | None) -> dict[str, t.Any]:
    extent = host.files.extent(jail["image"]["file"])
    if extent is None:
        return {"kind": "image", "trouble": f"{jail['image']['file']} is not there, or no file"}
    used = extent.allocated if room is None else room.used
    return {"kind": "image", "used": used, "size": extent.size, "allocated": extent.allocated}


def _datasets(host: Host, jails: t.Sequence[Values]) -> Found:
    if not jails:
        return {}
    names = [jail["dataset"] for jail in jails]
    found = parse_properties(ask(host, "zfs", "get", "-Hp", "-o", "name,property,value", "referenced", *names))
    return {jail["name"]: {"kind": "dataset", **_dataset(jail["dataset"], found)} for jail in jails}


def _dataset(name: str, found: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, t.Any]:
    if name not in found:
        return {"trouble": f"there is no dataset {name}"}
    return {"used": number(found[name].get("referenced", ""))}


def _rooms(host: Host, paths: t.Sequence[str]) -> dict[str, Room]:
    return parse_rooms(output(host.runner, "df", "-k", *paths), paths) if paths else {}
