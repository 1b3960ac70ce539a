# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that a root that is named for it is gone, and why it may not be done.

A folder is renamed before anything in it is removed, so what bears a jail's name is whole or not there, wherever a run
was cut off. A dataset goes at once.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import CHECKSUM
from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import GROWTH, script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Move, Remove, Run, Step

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import Doomed, Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import Dataset

SHOWN = 5


@dataclass(frozen=True)
class Remains:
    """What is there of a root that shall go.

    ``kind`` and ``version`` are those of the folder, ``parts`` the folders of ours beside it that are half made or half
    destroyed. ``dataset`` is the jail's, ``children`` the datasets below it, ``pins`` what keeps its snapshots (see
    ``parse_pins``). ``user`` is the jail that runs in the root, ``mounts`` the mount points at it or below it.
    ``archive`` is what the archive's file holds and ``checksum`` what it shall hold (SHA-256, None: no such file).
    ``image``: the image's file is there, and ``kind`` is that of the folder where it is mounted, or not. ``notes`` are
    the files in which the host keeps something about the root.
    """

    kind: str
    version: str | None
    parts: tuple[str, ...]
    dataset: Dataset | None
    children: tuple[str, ...]
    pins: dict[str, dict[str, str]] = field(default_factory=dict)
    user: str | None = None
    mounts: tuple[str, ...] = ()
    archive: str | None = None
    checksum: str | None = None
    image: bool = False
    notes: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the root is gone."""
        return self.kind == "missing" and not self.parts and self.dataset is None and not self.image


def staging(path: str) -> str:
    """Return the name under which a root is filled."""
    return f"{posixpath.dirname(path)}/.{posixpath.basename(path)}.new"


def trash(path: str) -> str:
    """Return the name under which a root is destroyed."""
    return f"{posixpath.dirname(path)}/.{posixpath.basename(path)}.gone"


def refused(wish: Wish, remains: t.Mapping[str, Remains]) -> dict[str, str]:
    """Tell by name which roots must stay, and why."""
    reasons = {name: _reason(doomed, remains[name], wish) for name, doomed in wish.doomed.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(doomed: Doomed, there: Remains, wish: Wish) -> str | None:
    if there.nothing:
        return None
    path = doomed.path
    if there.user is not None:
        return f"the jail {there.user} runs in {path}; stop it first"
    if there.kind == "other":
        return f"{path} is not a folder, so it is no root of ours; see what it is"
    if there.mounts:
        return f"{_some(there.mounts)}: something is mounted there; unmount it first"
    if wish.dataset is not None:
        return _dataset_reason(doomed, there) or _archive_reason(doomed, there)
    return _archive_reason(doomed, there)


def _dataset_reason(doomed: Doomed, there: Remains) -> str | None:
    if there.dataset is None:
        return f"{doomed.path} is a folder that holds something, and no dataset; see what it is"
    if there.dataset.mountpoint != doomed.path:
        return f"the dataset's mountpoint is {there.dataset.mountpoint}, not {doomed.path}; correct one of the two"
    if there.children:
        return f"there are datasets below it: {_some(there.children)}; destroy or rename them first"
    clones = [name for pins in there.pins.values() for name in pins.get("clones", "").split(",") if name]
    if clones:
        return f"clones of it depend on it: {_some(clones)}; promote or destroy them first"
    held = [name for name, pins in there.pins.items() if "userrefs" in pins]
    if held:
        return f"snapshots of it are held: {_some(held)}; `zfs holds` tells by whom, release them first"
    return None


def _archive_reason(doomed: Doomed, there: Remains) -> str | None:
    if doomed.archive is None:
        return None
    if there.archive is None:
        return f"there is no archive {doomed.archive}; make it, or give without_archive for {doomed.name}"
    if there.checksum is None:
        return f"{doomed.archive}{CHECKSUM} is missing or damaged; look at the archive before anything is destroyed"
    if there.checksum != there.archive:
        return f"{doomed.archive} has the SHA-256 {there.archive}, not {there.checksum} as in {CHECKSUM}: it is damaged"
    return None


def _some(names: t.Sequence[str]) -> str:
    """Show the first of many names; what a customer named is shown in quotes if it is more than letters."""
    shown = [name if name.isprintable() else repr(name) for name in names[:SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def steps(wish: Wish, doomed: Doomed, there: Remains) -> list[Step]:
    """Return the steps that destroy a root."""
    # Whatever bears the name afterwards is not fresh because this was, and has none of its accounts.
    found: list[Step] = [Remove(note, doomed.name) for note in there.notes]
    if there.dataset is not None:
        command = Command(("zfs", "destroy", "-r", f"{wish.dataset}/{doomed.name}"), seconds=LONG_SECONDS)
        return [*found, Run(command, doomed.name)]
    if doomed.image and there.image:
        found.append(Run(script("unmount", doomed.image, doomed.path), doomed.name))
    found += [step for part in there.parts for step in clear(part, doomed.name)]
    if there.kind in ("folder", "empty"):
        gone = trash(doomed.path)
        # A folder that is immutable itself cannot be renamed.
        found.append(Run(Command(("chflags", "-h", "0", doomed.path)), doomed.name))
        found += [Move(doomed.path, gone, doomed.name), *clear(gone, doomed.name)]
    if doomed.image and there.image:
        # Last: what is mounted still keeps the folder from being renamed, and its image from being removed.
        found += [Remove(file, doomed.name) for file in (doomed.image.file + GROWTH, doomed.image.file)]
    return found


def clear(place: str, name: str) -> list[Step]:
    """Remove a folder with all that is in it, and nothing that is mounted there; no link is followed.

    Immutable files first lose that flag.
    """
    return [
        Run(Command(("chflags", "-R", "-x", "0", place), seconds=LONG_SECONDS), name),
        Run(Command(("rm", "-rfx", place), seconds=LONG_SECONDS), name),
    ]


def change(doomed: Doomed, there: Remains) -> Change:
    """Tell what is destroyed."""
    return Change(f"world {doomed.path}", f"{there.version or 'no world, or part of one'}\n", None)
