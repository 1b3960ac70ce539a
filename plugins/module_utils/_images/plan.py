# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that every image is there, as large as it shall be, and in its place while it is fresh.

An image is made while a note says that its root is empty (see _fresh.py): what is half made then is made again. What
has no such note holds a customer's files, and is never made anew, shrunk or removed. Its jail mounts it at its start
and unmounts it when it stops, so here only what would keep it from doing so is told of.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT, TEXT, script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Change,
    MakeFolder,
    Plan,
    Remove,
    Run,
    Step,
    Write,
)
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Extent
    from ansible_collections.jailisp.vps.plugins.module_utils._images.model import Image, Wish


@dataclass(frozen=True)
class Found:
    """What is there of one image: the kind of its file (`Files.kind`) and how large it is, None if it is none.

    ``growing``: a growth was begun and not ended. ``place`` is the kind of the folder that it is mounted at.
    """

    kind: str
    extent: Extent | None
    growing: bool
    place: str


@dataclass(frozen=True)
class Actual:
    """What is.

    ``script`` is the text of the script; ``folder`` the kind of the images' folder (other, if a link leads there),
    ``private`` whether it is root's alone. ``disks`` are the files of memory disks by unit, ``mounts`` what is mounted
    where, ``notes`` what says which roots are fresh. Of the folder's file system ``room`` bytes are left, and the
    images in it may still come to take ``owed``.
    """

    script: str | None
    folder: str
    private: bool
    images: dict[str, Found]
    disks: dict[int, str]
    mounts: list[tuple[str, str]]
    notes: dict[str, str]
    room: int
    owed: int

    def units(self, image: Image) -> list[int]:
        """Return the units that an image's file is attached as."""
        return sorted(unit for unit, file in self.disks.items() if file == image.file)

    def is_mounted(self, image: Image) -> bool:
        """Whether an image is mounted in its place."""
        return (image.backing.device, image.path) in self.mounts


@dataclass(frozen=True)
class Decision:
    """What is to become of one image: whether it is made (anew) or mounted, and to how many bytes it grows."""

    image: Image
    make: bool
    mount: bool
    grow: int | None


def plan(wish: Wish, actual: Actual | None) -> Plan:
    """Return the steps: the script, the folder, then each image's own."""
    if actual is None:
        return Plan()
    if actual.folder == "other":
        text = f"images: {wish.folder} is not a folder, or a link leads there; name the folder itself"
        return Plan(refused=(("", text),))
    trouble = {
        name: _trouble_with_file(image, actual) or _trouble_with_place(image, actual)
        for name, image in wish.images.items()
    }
    refused = {name: reason for name, reason in trouble.items() if reason}
    decisions = [_decide(image, actual) for name, image in wish.images.items() if name not in refused]
    no_room = _no_room(decisions, wish, actual)
    decisions = [one for one in decisions if one.image.name not in no_room]
    sizes = {one.image.name: _too_large(one, actual) for one in decisions}
    too_large = {name: reason for name, reason in sizes.items() if reason}
    return Plan(
        steps=(
            *([Write(SCRIPT, TEXT, 0o755)] if actual.script != TEXT else []),
            *_folder(wish, actual),
            *[step for one in decisions for step in _steps(one, actual)],
        ),
        changes=(
            *([Change(SCRIPT, actual.script, TEXT)] if actual.script != TEXT else []),
            *([Change(f"folder {wish.folder}", None, "root's alone\n")] if _folder(wish, actual) else []),
            *[change for one in decisions for change in _changes(one, actual)],
        ),
        refused=tuple(sorted({**refused, **no_room, **too_large}.items())),
    )


def _trouble_with_file(image: Image, actual: Actual) -> str | None:
    """Say what is wrong with an image's file or the disk that it is attached as."""
    found, unit = actual.images[image.name], image.backing.unit
    units, holder = actual.units(image), actual.disks.get(unit, image.file)
    if found.kind != "missing" and found.extent is None:
        return f"{image.file} is not a plain file, so it is no image; move it away"
    if units not in ([], [unit]):
        disks = " and ".join(f"md{each}" for each in units)
        return f"{image.file} is attached as {disks}, not as md{unit} alone; unmount and detach it (mdconfig -d -u)"
    if holder != image.file:
        return f"md{unit} holds {holder if holder != '-' else 'no file'}, not {image.file}; detach it (mdconfig -d -u)"
    return None


def _trouble_with_place(image: Image, actual: Actual) -> str | None:
    """Say why an image cannot be mounted in its place."""
    found, device = actual.images[image.name], image.backing.device
    points = [point for source, point in actual.mounts if source == device]
    others = [source for source, point in actual.mounts if point == image.path and source != device]
    if points not in ([], [image.path]):
        return f"{device} is mounted at {', '.join(points)}, not at {image.path}; unmount it there"
    if others:
        return f"{others[-1]} is mounted at {image.path}; unmount it there"
    if found.place == "other":
        return f"{image.path} is not a folder; an image is mounted at one"
    if found.place == "folder" and not points:
        return (
            f"its root {image.path} is a directory that holds something; pack what is in it and move it away before "
            "the jail gets an image, or have its record say storage: directory"
        )
    return None


def _decide(image: Image, actual: Actual) -> Decision:
    found, fresh = actual.images[image.name], image.name in actual.notes
    mounted = actual.is_mounted(image)
    if found.extent is None or (actual.notes.get(image.name) == EMPTY and not mounted):
        return Decision(image, make=True, mount=True, grow=None)
    size = max(image.size, found.extent.size)
    return Decision(
        image,
        make=False,
        mount=fresh and not mounted,
        grow=size if found.growing or size > found.extent.size else None,
    )


def _too_large(one: Decision, actual: Actual) -> str | None:
    image, extent = one.image, actual.images[one.image.name].extent
    if extent is None or extent.size <= image.size or one.make:
        return None
    return (
        f"{image.file} has {format_size(extent.size)} and shall have {format_size(image.size)}: an image cannot "
        "shrink; give the jail at least what it has, or move what is in it to a new jail"
    )


def _no_room(decisions: list[Decision], wish: Wish, actual: Actual) -> dict[str, str]:
    """Tell of images that would be larger than what is left when all images have taken what they may."""
    refused, owed = {}, actual.owed
    for one in decisions:
        more = _more(one, actual)
        if more and owed + more > actual.room:
            refused[one.image.name] = (
                f"{wish.folder} has {format_size(actual.room)} left, and all images with this one may still come to "
                f"take {format_size(owed + more)}; make room there, or give the jail less disk"
            )
        else:
            owed += more
    return refused


def _more(one: Decision, actual: Actual) -> int:
    """Return the bytes by which what an image may come to take grows."""
    extent = actual.images[one.image.name].extent
    there = extent.size if extent else 0
    return max(0, (one.image.size if one.make else one.grow or there) - there)


def _folder(wish: Wish, actual: Actual) -> tuple[Step, ...]:
    if actual.folder == "missing":
        return (MakeFolder(wish.folder, 0o700),)
    if actual.private:
        return ()
    return (
        Run(Command(("chown", "root:wheel", wish.folder))),
        Run(Command(("chmod", "700", wish.folder))),
    )


def _steps(one: Decision, actual: Actual) -> list[Step]:
    image, name = one.image, one.image.name
    found = actual.images[name]
    place = [MakeFolder(image.path, 0o755, name)] if (one.make or one.mount) and found.place == "missing" else []
    made = _make(image, actual) if one.make else []
    mount = [Run(script("mount", image.backing, image.path), name)] if one.mount else []
    grown = _grow(one, one.grow, actual) if one.grow is not None else []
    return [*made, *place, *mount, *grown]


def _make(image: Image, actual: Actual) -> list[Step]:
    """Make an image and its file system; the note comes first, and allows to do it again. -n: without .snap."""
    name, unit = image.name, str(image.backing.unit)
    attached = actual.units(image) != []
    return [
        *([Write(note(name), EMPTY, 0o600, name)] if actual.notes.get(name) != EMPTY else []),
        *([Run(Command(("mdconfig", "-d", "-u", unit)), name)] if attached else []),
        *([Write(image.file, "", 0o600, name)] if actual.images[name].extent is None else []),
        *([Remove(image.growth, name)] if actual.images[name].growing else []),
        Run(Command(("truncate", "-s", str(image.size), image.file)), name),
        _attach(image),
        Run(Command(("newfs", "-U", "-n", image.backing.device)), name),
    ]


def _attach(image: Image) -> Run:
    unit = str(image.backing.unit)
    return Run(Command(("mdconfig", "-a", "-t", "vnode", "-u", unit, "-f", image.file)), image.name)


def _grow(one: Decision, size: int, actual: Actual) -> list[Step]:
    """Have an image grow; what is mounted grows where it is. The file beside it has a growth that was cut off end.

    growfs(8) is content with what has its size already.
    """
    image, name, unit = one.image, one.image.name, str(one.image.backing.unit)
    mounted = one.mount or actual.is_mounted(image)
    attached = mounted or actual.units(image) != []
    resize = Run(Command(("mdconfig", "-r", "-u", unit, "-s", f"{size}b")), name)
    check = Run(Command(("fsck_ffs", "-p", image.backing.device), seconds=LONG_SECONDS), name)
    detach = Run(Command(("mdconfig", "-d", "-u", unit)), name)
    return [
        *([] if actual.images[name].growing else [Write(image.growth, f"{size}\n", 0o600, name)]),
        Run(Command(("truncate", "-s", str(size), image.file)), name),
        resize if attached else _attach(image),
        *([] if mounted else [check]),
        Run(Command(("growfs", "-y", image.backing.device), seconds=LONG_SECONDS), name),
        *([] if mounted else [detach]),
        Remove(image.growth, name),
    ]


def _changes(one: Decision, actual: Actual) -> t.Iterator[Change]:
    """Tell of an image what its size and its mount were and will be."""
    image, extent = one.image, actual.images[one.image.name].extent
    before, after = [], []
    if one.make or one.grow is not None:
        before.append(format_size(extent.size) if extent else "")
        after.append(format_size(image.size if one.make or one.grow is None else one.grow))
    if one.mount:
        before.append("not mounted")
        after.append(f"mounted at {image.path}")
    if after:
        there = ", ".join(before) + "\n" if extent else None
        yield Change(f"image {image.file}", there, ", ".join(after) + "\n")
