# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that every jail holds its release, or what it held before; the way back is part of the plan.

An upgrade writes in place, while the jail is stopped and nobody can start it, and after everything that it changes was
kept: a snapshot of a dataset, an archive of just that of a folder or an image. The root is whole again by taking the
release's parts from there, whatever a cut left of them, and what the customer owns is never touched. So one mechanism
serves all roots, both ways to write a world, the upgrade that fails, the one that was cut off, and the rollback of one
that succeeded.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ansible_collections.jailisp.vps.plugins.module_utils import _making as making
from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Change,
    InvalidDesired,
    MakeFolder,
    Move,
    Plan,
    Remove,
    Run,
    Step,
)
from ansible_collections.jailisp.vps.plugins.module_utils._releases import complaint, is_obtained
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import (
    BACK,
    BEGUN,
    DONE,
    FAILED,
    KEPT,
    LEAVING,
    UNDOING,
    WRITTEN,
    Journal,
    jail_file,
)
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.report import rows
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.space import Space, shortage
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.steps import (
    ETC,
    Ask,
    Begin,
    CheckRoom,
    CheckRoot,
    Hold,
    KeepChanged,
    Merge,
    Note,
    Prove,
    RestoreEtc,
    Start,
    Stop,
    When,
)
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.tree import DERIVED, Tree
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.versions import is_newer
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import VERSION_FILE

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._releases import Release
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.model import Jail, Wish

SNAPSHOT = "jailisp-upgrade"
# The states in which a root holds anything else than what it held before.
DIRTY = frozenset({KEPT, WRITTEN, LEAVING, UNDOING})


@dataclass(frozen=True)
class Found:
    """What is there of a jail: its release, what runs, whether it has its file, and how far an upgrade has come.

    ``units`` are those parts of its root that are there and that a release has. ``unseen``: it is in an image that is
    not mounted.
    """

    version: str | None
    running: bool
    configured: bool
    journal: Journal | None
    units: tuple[str, ...] = ()
    unseen: bool = False


@dataclass(frozen=True)
class Actual:
    """What is: the jails, the kernel's release, and what upgrades need of the host.

    ``trees`` and ``digests`` are those of the releases that are read, ``origins`` what those are made from that the
    host makes or installworld writes. ``there`` are the paths of the host's own that are there, ``datasets`` the
    datasets and snapshots. ``run`` tells this run from others.
    """

    jails: dict[str, Found]
    kernel: str
    run: str
    trees: dict[str, Tree] = field(default_factory=dict)
    digests: dict[str, str | None] = field(default_factory=dict)
    origins: dict[str, making.Origin] = field(default_factory=dict)
    there: frozenset[str] = frozenset()
    datasets: dict[str, Space] = field(default_factory=dict)


def kept_archive(wish: Wish, name: str) -> str:
    """Return the archive of what an upgrade changes in a jail's root."""
    return f"{wish.folder}/{name}.kept.tar.zst"


def etc_archive(wish: Wish, release: Release) -> str:
    """Return the archive of a release's /etc as etcupdate(8) takes it; another archive makes another one."""
    return f"{wish.folder}/releases/{release.name}-{release.sha256[:16]}.etc.tar"


def changes(found: Found, jail: Jail, *, back: bool) -> bool:
    """Whether a jail's world is going to change."""
    journal = found.journal
    if journal is not None and journal.between:
        return True
    if back:
        return journal is not None and journal.state == DONE and journal.target == found.version == jail.release
    return found.version is not None and found.version != jail.release


def needed(wish: Wish, jails: t.Mapping[str, Found]) -> list[str]:
    """Return the releases that upgrades read: those that jails get, and those that they have."""
    going = [(jail, jails[name]) for name, jail in wish.jails.items() if changes(jails[name], jail, back=wish.back)]
    if wish.back:
        return sorted({end for _jail, found in going for end in _ends(found, back=True)} & wish.releases.keys())
    return sorted({release for jail, found in going for release in (jail.release, _ends(found, back=wish.back)[0])})


def _ends(found: Found, *, back: bool) -> tuple[str, str]:
    """Return the release that a jail's root holds if it goes back, and the one that its upgrade is or was to."""
    journal = found.journal
    if journal is not None and (journal.between or back):
        return journal.source, journal.target
    return found.version or "", found.version or ""


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps: what the host needs, then all jails side by side; raise what refuses the whole run.

    Archives that are missing are fetched or made by themselves at first: what is in them says what is done to a jail.
    """
    going = [name for name, jail in wish.jails.items() if changes(actual.jails[name], jail, back=wish.back)]
    if not wish.back:
        _in_order(wish, actual, going)
    bad = _bad(wish, actual, going)
    chosen = [name for name in going if name not in bad]
    missing = _to_obtain(wish, actual, chosen)
    waits = bool(missing) and attempt == 1
    ready = [name for name in chosen if not waits and not missing.keys() & _reads(wish, actual, name)]
    obtained = making.obtained(missing.values(), actual.origins, wish.dataset)
    ways = [_back(wish, actual, name) if wish.back else _forward(wish, actual, name) for name in ready]
    branches = (Branches(tuple(ways), tuple(_undo(wish, actual, name) for name in ready), wish.at_once),)
    return Plan(
        steps=(*obtained, *_prepared(wish, actual, ready), *branches) if ready else tuple(obtained),
        changes=tuple(_change(wish, actual, name) for name in chosen),
        refused=(*bad.items(), *_unread(wish, actual, going)),
        notes={"report": rows(wish, actual, going)},
    )


def _change(wish: Wish, actual: Actual, name: str) -> Change:
    found, jail = actual.jails[name], wish.jails[name]
    source, _target = _ends(found, back=wish.back)
    after = source if wish.back else jail.release
    return Change(f"world {jail.path}", f"{found.version or 'part of one'}\n", f"{after}\n")


def _in_order(wish: Wish, actual: Actual, going: list[str]) -> None:
    """Refuse all if a world would be newer than the kernel that it needs."""
    for name in going:
        release = wish.jails[name].release
        if is_newer(release, actual.kernel):
            raise InvalidDesired(
                f"jails: {name}: release: {release} is newer than the running kernel, {actual.kernel}; "
                "upgrade the host and boot it first"
            )


def _bad(wish: Wish, actual: Actual, going: list[str]) -> dict[str, str]:
    """Tell which jails cannot be begun with, and why."""
    bad = {}
    for name in going:
        found, (source, _target) = actual.jails[name], _ends(actual.jails[name], back=wish.back)
        kept = kept_archive(wish, name) if wish.dataset is None else _snapshot(wish, name)
        releases = [] if wish.back else [wish.jails[name].release, source]
        missing = [release for release in releases if release not in wish.releases]
        packaged = [each for each in releases if each in wish.releases and wish.releases[each].packages]
        known = [release for release in releases if release not in missing]
        wrong = [text for release in known for text in _wrong(wish, actual, release)]
        if not wish.back and is_newer(source, wish.jails[name].release):
            bad[name] = (
                f"its root holds {source}, which is newer than {wish.jails[name].release}; an upgrade never goes back, "
                "rollback.yml does"
            )
        elif missing:
            bad[name] = f"its root holds {source}, and /etc is merged by what changed since; add it to the releases"
        elif packaged:
            bad[name] = (
                f"its root holds {packaged[0]} as packages, which pkg(8) alone upgrades: `pkg -j {name} upgrade -r "
                f"{making.REPOSITORY}`, or move its customer to a new jail"
            )
        elif wrong:
            bad[name] = wrong[0]
        elif found.running and not found.configured and not (found.journal and found.journal.between):
            bad[name] = f"it runs, but has no {jail_file(name)} to start it from; run site.yml first"
        elif _known(wish, actual, name).state in DIRTY and kept not in actual.there | actual.datasets.keys():
            bad[name] = f"{kept}, from which its root would be what it was before, is gone; restore the jail's backup"
    return bad | _without_room(wish, actual, [name for name in going if name not in bad])


def _without_room(wish: Wish, actual: Actual, names: list[str]) -> dict[str, str]:
    """Tell which datasets have no room for another world; those that are upgraded share what their parent has left."""
    found: dict[str, str] = {}
    above = actual.datasets.get(wish.dataset or "")
    left = above.available if above else 0
    for name in names:
        there = actual.datasets.get(f"{wish.dataset}/{name}")
        journal = actual.jails[name].journal
        if there is None or (journal is not None and journal.state in DIRTY):
            continue
        needed, more = _growth(wish, actual, name)
        lacking = shortage(there, left, needed, more)
        if lacking:
            found[name] = lacking
        else:
            left -= max(0, needed)
    return found


def _growth(wish: Wish, actual: Actual, name: str) -> tuple[int, int]:
    """Return the bytes that a jail needs beside what is kept, and those that its world grows by.

    An upgrade that fails writes the world anew as it was. What was kept before goes first. A rollback begins by
    removing the new world, which frees its room unless another snapshot keeps it.
    """
    source, target = _ends(actual.jails[name], back=wish.back)
    old, new = (actual.trees.get(end) for end in (source, target if wish.back else wish.jails[name].release))
    if old is None or new is None:
        return 0, 0
    kept = _snapshot(wish, name)
    if not wish.back:
        before = actual.datasets[kept].used if kept in actual.datasets else 0
        return max(old.size, new.size) - before, new.size - old.size
    others = {each for each in actual.datasets if each.startswith(f"{wish.dataset}/{name}@")} - {kept}
    return old.size - (0 if others else new.size), old.size - new.size


def _unread(wish: Wish, actual: Actual, going: list[str]) -> t.Iterator[tuple[str, str]]:
    """Refuse a root of which nothing can be said; what a customer did to it keeps it from being upgraded."""
    for name, jail in wish.jails.items():
        found = actual.jails[name]
        concerned = not wish.back or (found.journal is not None and found.journal.state == DONE)
        if found.version is None and not found.unseen and concerned and name not in going:
            yield name, f"{jail.path}/{VERSION_FILE} names no release; have its customer put that right"


def _wrong(wish: Wish, actual: Actual, name: str) -> t.Iterator[str]:
    release, digest = wish.releases[name], actual.digests.get(name)
    wrong = complaint(release, digest)
    if not wrong and name in actual.origins:
        wrong = making.complaint(release, actual.origins[name])
    if wrong:
        yield f"{name}: {wrong}"


def _reads(wish: Wish, actual: Actual, name: str) -> set[str]:
    """Return the releases whose archives the upgrade of a jail reads."""
    return {wish.jails[name].release, _ends(actual.jails[name], back=wish.back)[0]}


def _to_obtain(wish: Wish, actual: Actual, chosen: list[str]) -> dict[str, Release]:
    """Return, by name, the releases of upgrades whose archives are to be fetched or made; going back needs none."""
    names = sorted({release for name in chosen for release in _reads(wish, actual, name)}) if not wish.back else []
    return {name: wish.releases[name] for name in names if is_obtained(wish.releases[name], actual.digests.get(name))}


# What the host needs --------------------------------------------------------------------------------------------------


def _prepared(wish: Wish, actual: Actual, ready: list[str]) -> list[Step]:
    """Make the folder of what is kept, and of each release the archive of its /etc."""
    folders = [(wish.folder, 0o700), (f"{wish.folder}/releases", 0o755), (f"{wish.folder}/merging", 0o755)]
    steps: list[Step] = [MakeFolder(path, mode) for path, mode in folders if path not in actual.there]
    if wish.back:
        return steps
    names = {release for name in ready for release in _reads(wish, actual, name)}
    for release in (wish.releases[name] for name in sorted(names)):
        archive = etc_archive(wish, release)
        if archive not in actual.there:
            steps += _etc_of_release(release, archive)
    return steps


def _etc_of_release(release: Release, archive: str) -> list[Step]:
    """Have a release's /etc alone, without the files that are made from others of it."""
    place, part = f"{archive}.d", f"{archive}.part"
    return [
        Run(Command(("rm", "-rf", place))),
        MakeFolder(place),
        Run(Command(("tar", "-xpf", release.archive, "--no-fflags", "-C", place, f"./{ETC}"))),
        *[Remove(f"{place}/{path}") for path in DERIVED],
        Run(Command(("tar", "-cf", part, "-C", place, "."))),
        Move(part, archive),
        Run(Command(("rm", "-rf", place))),
    ]


# One jail -------------------------------------------------------------------------------------------------------------


def _known(wish: Wish, actual: Actual, name: str) -> Journal:
    """Return the journal that is gone on with, or the one that an upgrade of the jail begins with."""
    found, release = actual.jails[name], wish.jails[name].release
    journal = found.journal
    if journal is not None and journal.between:
        return journal
    if journal is not None and wish.back:
        return replace(journal, state=LEAVING)
    fresh = tuple(sorted({*actual.trees[release].units} - {*found.units})) if release in actual.trees else ()
    source = found.version or ""
    kept = "" if wish.dataset else kept_archive(wish, name)
    return Journal(BEGUN, source, release, found.running, actual.run, 0, units=found.units, fresh=fresh, kept=kept)


def _forward(wish: Wish, actual: Actual, name: str) -> tuple[Step, ...]:
    """Upgrade a jail; one that was cut off is first what it was before."""
    jail, known = wish.jails[name], _known(wish, actual, name)
    again = Note(name, BEGUN, run=actual.run, target=jail.release)
    begin: list[Step]
    if known != actual.jails[name].journal:
        place = f"{list(wish.jails).index(name) + 1} of {len(wish.jails)}"
        begin = [Begin(name, known, jail.address, jail.ports, tuple(wish.jails), wish.most_failures, place)]
    elif known.state in DIRTY:
        begin = [*_halt(jail), *_restore(wish, actual, jail, known), again]
    else:
        begin = [again]
    if known.source == jail.release:
        return (*begin, *_resume(jail, FAILED), _prove(wish, jail, known.source))
    tree = actual.trees[jail.release]
    return (
        *begin,
        *_halt(jail),
        CheckRoot(name, jail.path, tree, jail.release in wish.installed, jail.image),
        *([CheckRoom(name, f"{wish.dataset}/{name}", *_growth(wish, actual, name))] if wish.dataset else []),
        *_keep(wish, actual, jail, known),
        Note(name, KEPT, jail.path, tree),
        *_write(wish, jail, tree, known.units),
        *_merge(wish, jail, known.source),
        Note(name, WRITTEN, jail.path),
        *_resume(jail, DONE, _prove(wish, jail, jail.release)),
    )


def _back(wish: Wish, actual: Actual, name: str) -> tuple[Step, ...]:
    """Have a jail hold again what it held before its last upgrade, done or cut off."""
    jail, found, known = wish.jails[name], actual.jails[name], _known(wish, actual, name)
    is_new = known != found.journal
    return (
        *([Ask(name, jail.address, jail.ports, found.running, actual.run)] if is_new else []),
        *_halt(jail),
        *(_restore(wish, actual, jail, known) if known.state in DIRTY else []),
        Note(name, BEGUN, run=actual.run),
        *_resume(jail, BACK, *_forget_known(wish, actual, name)),
        _prove(wish, jail, known.source),
    )


def _undo(wish: Wish, actual: Actual, name: str) -> tuple[Step, ...]:
    """Return what is done when an upgrade fails: by its journal, from how far it came."""
    jail, known = wish.jails[name], _known(wish, actual, name)
    if wish.back:
        return ()
    # Each way ends with another state than those that the others begin with. Whether there is a snapshot where none is
    # noted nobody knows: it may be what failed.
    ways = [When(name, BEGUN, tuple(_resume(jail, FAILED, *_forget(wish, name, judged=False))))]
    given_back = _resume(jail, FAILED, *_forget(wish, name))
    for state in (KEPT, WRITTEN):
        restored = _restore(wish, actual, jail, replace(known, state=state))
        ways.append(When(name, state, (*_halt(jail), *restored, Note(name, BEGUN), *given_back)))
    return tuple(ways)


def _halt(jail: Jail) -> list[Step]:
    """Stop a jail so that nobody starts it; an image is mounted all the same."""
    mount = [Run(script("mount", jail.image, jail.path), jail.name)] if jail.image else []
    return [Stop(jail.name, jail.path, jail.image), Hold(jail.name), *mount]


def _resume(jail: Jail, state: str, *more: Step) -> list[Step]:
    """Let a jail start again, start it if it ran, do what else is to do, and note what has become of it."""
    name = jail.name
    unmount = [Run(script("unmount", jail.image, jail.path), name)] if jail.image else []
    return [*unmount, Hold(name, back=True), Start(name), *more, Note(name, state)]


def _prove(wish: Wish, jail: Jail, release: str) -> Prove:
    return Prove(jail.name, jail.path, jail.address, release, wish.seconds)


def _snapshot(wish: Wish, name: str) -> str:
    return f"{wish.dataset}/{name}@{SNAPSHOT}"


def _keep(wish: Wish, actual: Actual, jail: Jail, known: Journal) -> list[Step]:
    """Keep what an upgrade changes; what was kept before is of no more use."""
    name, archive = jail.name, kept_archive(wish, jail.name)
    if wish.dataset is not None:
        return [*_forget_known(wish, actual, name), Run(Command(("zfs", "snapshot", _snapshot(wish, name))), name)]
    return [
        _pack(name, jail.path, f"{archive}.part", _members([*known.units, ETC])),
        Move(f"{archive}.part", archive, name),
    ]


def _pack(name: str, root: str, archive: str, members: list[str]) -> Run:
    options = ("--zstd", "--format", "pax", "--one-file-system", "--numeric-owner")
    return Run(Command(("tar", "-c", *options, "-f", archive, "-C", root, *members), seconds=LONG_SECONDS), name)


def _members(paths: t.Iterable[str]) -> list[str]:
    return [f"./{path}" for path in paths]


def _forget(wish: Wish, name: str, *, judged: bool = True) -> list[Step]:
    """Give up what was kept."""
    if wish.dataset is None:
        return [Remove(kept_archive(wish, name), name)]
    return [Run(Command(("zfs", "destroy", _snapshot(wish, name))), name, judged=judged)]


def _forget_known(wish: Wish, actual: Actual, name: str) -> list[Step]:
    """Give up what was found to be kept, if anything is."""
    is_kept = wish.dataset is None or _snapshot(wish, name) in actual.datasets
    return _forget(wish, name) if is_kept else []


def _restore(wish: Wish, actual: Actual, jail: Jail, known: Journal) -> list[Step]:
    """Put back what was kept; of /etc, once the customer may have been at work in it, only what the upgrade changed."""
    name, archive = jail.name, kept_archive(wish, jail.name)
    back = [*known.units, *([ETC] if known.state == KEPT else [])]
    gone = [f"{jail.path}/{path}" for path in (*back, *known.fresh)]
    lived: list[Step] = (
        [KeepChanged(name, jail.path, wish.folder), Note(name, UNDOING, jail.path)]
        if known.state in (WRITTEN, LEAVING)
        else []
    )
    unpack = ("tar", "-xpf", archive, "--numeric-owner", "-C", jail.path, *_members(back))
    return [
        # The jail may have run since it was checked.
        CheckRoot(name, jail.path, _guarded(actual, known), whole=False, image=jail.image),
        *lived,
        *_unpacked(wish, actual, jail, [*known.units, ETC]),
        Run(Command(("chflags", "-R", "-x", "0", *gone), seconds=LONG_SECONDS), name, judged=False),
        Run(Command(("rm", "-rfx", *gone), seconds=LONG_SECONDS), name),
        Run(Command(unpack, seconds=LONG_SECONDS), name),
        *([] if known.state == KEPT else [RestoreEtc(name, jail.path, archive)]),
        *([Remove(archive, name)] if wish.dataset else []),
    ]


def _guarded(actual: Actual, known: Journal) -> Tree:
    """Return the folders through which a root is restored; what stands in place of the release's parts just goes."""
    paths = [*known.units, *known.fresh, *known.etc]
    above = {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}
    trees = [actual.trees[release] for release in (known.source, known.target) if release in actual.trees]
    merged = {path for tree in trees for path in tree.folders if path.startswith(f"{ETC}/")}
    return Tree(frozenset({ETC, *above, *merged}), frozenset(), frozenset())


def _unpacked(wish: Wish, actual: Actual, jail: Jail, units: list[str]) -> list[Step]:
    """Have what a snapshot keeps as the archive that other roots have anyway."""
    if wish.dataset is None:
        return []
    name, clone = jail.name, f"{wish.dataset}/{jail.name}.kept"
    place = f"{posixpath.dirname(jail.path)}/{name}.kept"
    options = ("-o", "readonly=on", "-o", f"mountpoint={place}")
    return [
        # What a cut left; not judged, since it is gone by the time that an upgrade that goes on fails.
        *([Run(Command(("zfs", "destroy", clone)), name, judged=False)] if clone in actual.datasets else []),
        Run(Command(("zfs", "clone", *options, _snapshot(wish, name), clone)), name),
        _pack(name, place, kept_archive(wish, name), _members(units)),
        Run(Command(("zfs", "destroy", clone)), name),
    ]


def _write(wish: Wish, jail: Jail, tree: Tree, units: tuple[str, ...]) -> list[Step]:
    """Write a release over a root. Flags go first: what is immutable cannot be replaced."""
    release, name = wish.releases[jail.release], jail.name
    commands = [("chflags", "-R", "-x", "0", *[f"{jail.path}/{unit}" for unit in units])]
    if jail.release in wish.installed:
        make = ("make", "-C", release.source or "", "DB_FROM_SRC=yes", f"DESTDIR={jail.path}")
        commands.append((*make, "installworld"))
        commands += [(*make, "-DBATCH_DELETE_OLD_FILES", "delete-old")] if wish.delete_old else []
    else:
        commands.append(("tar", "-xpf", release.archive, "-C", jail.path, *_members(tree.units)))
    return [Run(Command(argv, seconds=LONG_SECONDS), name) for argv in commands]


def _merge(wish: Wish, jail: Jail, source: str) -> list[Step]:
    """Merge /etc: from the trees of both releases, which the host made itself."""
    work = f"{wish.folder}/merging/{jail.name}"
    old, new = (etc_archive(wish, wish.releases[release]) for release in (source, jail.release))
    return [
        Run(Command(("rm", "-rf", work)), jail.name),
        Run(Command(("etcupdate", "extract", "-d", work, "-t", old)), jail.name),
        Merge(jail.name, jail.path, work, new, wish.keep_conflicts),
        Run(Command(("rm", "-rf", work)), jail.name),
    ]
