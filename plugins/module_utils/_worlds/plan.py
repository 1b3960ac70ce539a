# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that every jail has a world; a root that holds anything is never touched unless it is doomed.

A root comes into being whole: a folder is filled under another name and renamed, a dataset is cloned from a snapshot
that is taken when the release is finished, or is filled and renamed if it takes a root from elsewhere. So whatever
bears a jail's name is whole, wherever a run was cut off.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils import _making as making
from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import image_file, script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Change,
    MakeFolder,
    Move,
    Plan,
    Remove,
    Run,
    Step,
    Write,
)
from ansible_collections.jailisp.vps.plugins.module_utils._releases import complaint, is_obtained
from ansible_collections.jailisp.vps.plugins.module_utils._worlds import destroy
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import clear, staging

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing
    from ansible_collections.jailisp.vps.plugins.module_utils._making import Origin
    from ansible_collections.jailisp.vps.plugins.module_utils._releases import Release
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import Remains
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import Wish, World
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import Dataset


@dataclass(frozen=True)
class Root:
    """What stands at a jail's path: missing, empty, folder or other; the release that it says it holds.

    The root in an image is empty until it has been filled whole, and unmounted if it holds something that cannot be
    seen now. ``has_image``: there is an image of the jail, though its root shall be a folder.
    """

    kind: str
    version: str | None
    half_made: bool
    has_image: bool = False


@dataclass(frozen=True)
class Actual:
    """What is: the roots by jail, the datasets, and the SHA-256 of those archives that would be unpacked.

    ``remains`` is what is there of each doomed root, ``origins`` what those releases would be made from that the host
    makes, by their names.
    """

    roots: dict[str, Root]
    datasets: dict[str, Dataset]
    digests: dict[str, str | None]
    remains: dict[str, Remains]
    origins: dict[str, Origin] = field(default_factory=dict)


def fresh(world: World, roots: t.Mapping[str, Root], datasets: t.Mapping[str, Dataset], wish: Wish) -> bool:
    """Whether the jail has no root yet and gets one."""
    if roots[world.name].has_image:
        return False
    no_root = roots[world.name].kind in ("missing", "empty")
    return no_root and (wish.dataset is None or f"{wish.dataset}/{world.name}" not in datasets)


def unpacks(world: World, roots: t.Mapping[str, Root], datasets: t.Mapping[str, Dataset], wish: Wish) -> bool:
    """Whether the archive of the jail's release is needed: a release that has its dataset is just cloned."""
    return begins(world, roots, datasets, wish) and not world.release.is_snapshot


def begins(world: World, roots: t.Mapping[str, Root], datasets: t.Mapping[str, Dataset], wish: Wish) -> bool:
    """Whether the jail gets a root, and its release has no dataset yet that it could be cloned from."""
    cloned = wish.dataset is not None and not world.release.is_root and wish.snapshot(world.release) in datasets
    return fresh(world, roots, datasets, wish) and not cloned


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps: doomed roots go, then releases that clones need, then all fresh roots side by side."""
    must_stay = destroy.refused(wish, actual.remains)
    going = [
        (doomed, actual.remains[name])
        for name, doomed in wish.doomed.items()
        if name not in must_stay and not actual.remains[name].nothing
    ]
    bad = dict(_bad_releases(wish, actual))
    waiting = [world for world in wish.worlds.values() if _is_new(wish, actual, world)]
    new = [world for world in waiting if world.release.name not in bad]
    return Plan(
        steps=(
            *[step for doomed, there in going for step in destroy.steps(wish, doomed, there)],
            *_obtained(wish, actual, new),
            *(_in_folders(wish, actual, new) if wish.dataset is None else _in_datasets(wish, actual, new)),
        ),
        changes=(
            *[destroy.change(doomed, there) for doomed, there in going],
            *[Change(f"world {world.path}", None, f"{_shown(world.release)}\n") for world in new],
        ),
        refused=(*must_stay.items(), *bad.items(), *_refused(wish, actual)),
        notes={
            "differs": dict(_differs(wish, actual)),
            "made": [world.name for world in new if attempt == 1 and not world.release.is_root],
            "unmade": [
                world.name
                for world in wish.worlds.values()
                if actual.roots[world.name].has_image or (world in waiting and (attempt > 1 or world not in new))
            ],
        },
    )


def _in_folders(wish: Wish, actual: Actual, new: list[World]) -> tuple[Step | Branches, ...]:
    """Return what fills folders and images."""
    fillings = [
        _fill_image(wish, actual, world, world.image) if world.image else _fill(wish, actual, world) for world in new
    ]
    return _side_by_side(fillings, new, wish)


def _in_datasets(wish: Wish, actual: Actual, new: list[World]) -> tuple[Step | Branches, ...]:
    """Return what clones datasets, after their releases were made, and fills those of roots from other hosts."""
    moved = [world for world in new if world.release.is_root]
    cloned = [world for world in new if not world.release.is_root]
    wanted = {wish.snapshot(world.release): world.release for world in cloned}
    missing = [release for snapshot, release in wanted.items() if snapshot not in actual.datasets]
    made = [step for release in missing for step in _make_release(wish, actual, release)]
    clones = [step for world in cloned for step in _clone(wish, world)]
    filled = _side_by_side([_fill_dataset(wish, actual, world) for world in moved], moved, wish)
    return (*_mounts(wish, actual), *made, *clones, *filled)


def _shown(release: Release) -> str:
    return f"the root in {release.archive}" if release.is_root else release.name


def _is_new(wish: Wish, actual: Actual, world: World) -> bool:
    return fresh(world, actual.roots, actual.datasets, wish)


def _bad_releases(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    """Tell, once for each release that fresh roots need, what is wrong with its archive, or what it is made from."""
    waiting = [world for world in wish.worlds.values() if _is_new(wish, actual, world)]
    for release in sorted({world.release for world in waiting}, key=lambda release: release.name):
        wrong = None
        if release.archive in actual.digests:
            wrong = complaint(release, actual.digests[release.archive])
        if release.name in actual.origins:
            wrong = making.complaint(release, actual.origins[release.name])
        if wrong:
            names = ", ".join(world.name for world in waiting if world.release == release)
            yield release.name, f"{wrong} (needed by {names})"


def _obtained(wish: Wish, actual: Actual, new: list[World]) -> list[Step]:
    """Fetch or make the archives that are missing, each once."""
    releases = {world.release.archive: world.release for world in new}
    missing = [
        releases[archive]
        for archive, digest in actual.digests.items()
        if archive in releases and is_obtained(releases[archive], digest)
    ]
    return making.obtained(missing, actual.origins, wish.dataset)


def _refused(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    for name, world in wish.worlds.items():
        root = actual.roots[name]
        if root.kind == "other":
            yield name, f"{world.path} is not a folder; a jail's root must be one"
        elif root.has_image:
            yield (
                name,
                f"it has the image {image_file(wish.images or '', name)}, and its record says storage: directory; say "
                "storage: image, or move that file away when nothing in it is needed",
            )
        elif root.kind == "unmounted":
            # Nothing can be said of an image whose jail is stopped.
            continue
        elif world.release.is_root:
            # What a customer left of his world is his affair.
            continue
        elif root.version is None and not _is_new(wish, actual, world) and _mounted(wish, actual, name):
            yield (
                name,
                f"{world.path} holds something else than a world (bin/freebsd-version names none); move it away",
            )


def _differs(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, dict[str, str]]]:
    """Tell which roots hold another release than wished; nothing is done about it here."""
    for name, world in wish.worlds.items():
        version = actual.roots[name].version
        if version and not world.release.is_root and version != world.release.name:
            yield name, {"is": version, "wanted": world.release.name}


def _side_by_side(branches: list[tuple[Step, ...]], new: list[World], wish: Wish) -> tuple[Branches, ...]:
    undo = tuple(_undo(wish, world) for world in new)
    return (Branches(tuple(branches), undo, wish.at_once),) if branches else ()


def _fill(wish: Wish, actual: Actual, world: World) -> tuple[Step, ...]:
    """Fill a folder beside the root's place and rename it."""
    place, name = staging(world.path), world.name
    left_over = clear(place, name) if actual.roots[name].half_made else []
    return (
        *left_over,
        MakeFolder(place, 0o755, name),
        *_filled(wish, world, place),
        _whose(world),
        Move(place, world.path, name),
    )


def _whose(world: World) -> Step:
    """Note, before a root appears, whether it is fresh: one from elsewhere is its customer's at once."""
    name = world.name
    return Remove(note(name), name) if world.release.is_root else Write(note(name), FILLED, 0o600, name)


def _undo(wish: Wish, world: World) -> tuple[Step, ...]:
    """Remove what is half made; what is in an image takes no room from others."""
    if world.image:
        return ()
    if wish.dataset is None:
        return tuple(clear(staging(world.path), world.name))
    return (_destroy(staging_dataset(wish, world), world),)


def _fill_image(wish: Wish, actual: Actual, world: World, image: Backing) -> tuple[Step, ...]:
    """Fill an image where it is mounted, while the note says that it is empty."""
    place, name = world.path, world.name
    rubbish = [
        Run(Command(("chflags", "-R", "-x", "0", place), seconds=LONG_SECONDS), name),
        Run(Command(("find", place, "-mindepth", "1", "-delete"), seconds=LONG_SECONDS), name),
    ]
    return (
        # Mounted it is, unless jail_images could not do it: nothing may land in the folder below.
        Run(script("mount", image, place), name),
        *(rubbish if actual.roots[name].half_made else []),
        *([_unpack_root(world, place)] if world.release.is_root else _unpack(wish, world.release, place, name)),
        _whose(world),
    )


def _filled(wish: Wish, world: World, place: str) -> list[Step]:
    if not world.release.is_root:
        return _unpack(wish, world.release, place, world.name)
    # A folder that is immutable itself cannot be renamed.
    return [_unpack_root(world, place), Run(Command(("chflags", "-h", "0", place)), world.name)]


def _unpack_root(world: World, place: str) -> Run:
    """Fill an empty folder with a customer's root, as he left it.

    His files may be anything. Without -P tar(1) goes through no link of his and out of the folder by no name of his.
    """
    return Run(
        Command(("tar", "-xpf", world.release.archive, "--numeric-owner", "-C", place), seconds=LONG_SECONDS),
        world.name,
    )


def staging_dataset(wish: Wish, world: World) -> str:
    """Return the name under which a dataset is filled; no jail's name has a dot."""
    return f"{wish.dataset}/{world.name}.new"


def _fill_dataset(wish: Wish, actual: Actual, world: World) -> tuple[Step, ...]:
    """Fill a dataset beside the root's place and rename it."""
    dataset = staging_dataset(wish, world)
    return (
        *([_destroy(dataset, world)] if dataset in actual.datasets else []),
        _made_dataset(world, "create", *_options(world), dataset),
        _unpack_root(world, f"{world.path}.new"),
        _whose(world),
        Run(Command(("zfs", "rename", dataset, f"{wish.dataset}/{world.name}")), world.name),
    )


def _options(world: World) -> list[str]:
    return [word for key, value in world.properties for word in ("-o", f"{key}={value}")]


def _made_dataset(world: World, *arguments: str) -> Run:
    """Make a jail's dataset with its limits; zfs says no more than `out of space` of one that they do not fit."""
    return Run(Command(("zfs", *arguments)), world.name, explain=_explained)


def _explained(said: str) -> str:
    hint = "; its refquota is less than the release takes, or the pool has less than its reservation"
    return said.rstrip() + hint if "out of space" in said else said


def _destroy(dataset: str, world: World) -> Run:
    return Run(Command(("zfs", "destroy", "-r", dataset), seconds=LONG_SECONDS), world.name)


def _unpack(wish: Wish, release: Release, place: str, name: str) -> list[Step]:
    """Fill an empty folder with a release."""
    return [Run(Command(("tar", "-xpf", release.archive, "-C", place)), name), *_prepared(wish, place, name)]


def _prepared(wish: Wish, place: str, name: str) -> list[Step]:
    """Make a world fit for a jail. Its root comes with an empty password, so lock it before anything else."""
    return [
        Run(Command(("pw", "-R", place, "usermod", "root", "-h", "-")), name),
        *[Write(f"{place}/{seed.path}", seed.content, seed.mode, name) for seed in wish.seeds],
    ]


def _make_release(wish: Wish, actual: Actual, release: Release) -> list[Step]:
    """Fill the release's dataset and take the snapshot, which says that it is whole; without it, begin again."""
    snapshot, name = wish.snapshot(release), release.name
    dataset = snapshot.partition("@")[0]
    there = actual.datasets.get(dataset)
    place = there.mountpoint if there else f"{wish.release_root}/{posixpath.basename(dataset)}"
    take = Run(Command(("zfs", "snapshot", snapshot)), name)
    if release.is_snapshot:
        # A clone that has no snapshot is nobody's yet.
        left_over = [Run(Command(("zfs", "destroy", dataset)), name)] if there else []
        clone = Run(Command(("zfs", "clone", release.dataset or "", dataset)), name)
        return [*left_over, clone, making.Verify(name, place), *_prepared(wish, place, name), take]
    if there:
        begin = [
            *([] if there.mounted else [Run(Command(("zfs", "mount", dataset)), name)]),
            Run(Command(("chflags", "-R", "noschg", place)), name),
            Run(Command(("find", place, "-mindepth", "1", "-delete")), name),
        ]
    else:
        begin = [Run(Command(("zfs", "create", dataset)), name)]
    return [*begin, *_unpack(wish, release, place, name), take]


def _clone(wish: Wish, world: World) -> tuple[Step, ...]:
    snapshot, name = wish.snapshot(world.release), f"{wish.dataset}/{world.name}"
    return _whose(world), _made_dataset(world, "clone", *_options(world), snapshot, name)


def _mounted(wish: Wish, actual: Actual, name: str) -> bool:
    dataset = actual.datasets.get(f"{wish.dataset}/{name}")
    return dataset is None or dataset.mounted


def _mounts(wish: Wish, actual: Actual) -> list[Run]:
    """Mount the jails' datasets that are not."""
    names = [name for name in wish.worlds if not _mounted(wish, actual, name)]
    return [Run(Command(("zfs", "mount", f"{wish.dataset}/{name}")), name) for name in names]
