# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Archives of releases that a host makes itself: from a built source tree, from packages, or from a dataset's files.

Each is made once, in a root that nobody has had before, and serves all that an archive of FreeBSD's own would: fresh
roots, and upgrades to and from it. It has its name only when it is whole, and when what is in it names the release.
"""

from __future__ import annotations

import errno
import posixpath
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import tar
from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command, output
from ansible_collections.jailisp.vps.plugins.module_utils._plan import MakeFolder, Run, Step, Write
from ansible_collections.jailisp.vps.plugins.module_utils._releases import Fetch, numbers_of
from ansible_collections.jailisp.vps.plugins.module_utils._source_tree import built_at, release_of
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import clear, staging
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import (
    VERSION_FILE,
    VERSION_FILE_BYTES,
    Dataset,
    parse_datasets,
    parse_version,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host
    from ansible_collections.jailisp.vps.plugins.module_utils._releases import Packages, Release

DATASETS = ("zfs", "list", "-Hp", "-t", "filesystem,snapshot", "-o", "name,mountpoint,mounted")
# As FreeBSD names its repository: what is installed from it can be brought up to date from there.
REPOSITORY = "FreeBSD-base"
# Where pkg(8), which looks for them below the root, finds the fingerprints while the root is made.
FINGERPRINTS = ".fingerprints"
CACHE = "var/cache/pkg"
_CONFIGURATION = """{name}: {{
  url: "{url}",
  mirror_type: "{mirror}",
  signature_type: "fingerprints",
  fingerprints: "/{fingerprints}",
  enabled: yes
}}
"""


@dataclass(frozen=True)
class Origin:
    """What a host has to make a release from.

    ``version`` is the release that it says it is, None while that cannot be told. ``rebuilt``: the source tree was
    built again after the archive was made of it. ``dataset`` is the one that is given, None if it is not there.
    ``lacks`` is what pkg(8) lacks, ``architecture`` what it installs for. ``begun``: there is
    something half made, ``cloned``: a clone too. ``folder``: the folder of made archives is there.
    """

    version: str | None = None
    rebuilt: bool = False
    dataset: Dataset | None = None
    lacks: str = ""
    architecture: str = ""
    begun: bool = False
    cloned: bool = False
    folder: bool = True


def clone_of(release: Release, parent: str | None) -> str:
    """Return the clone by which a snapshot's files are read, a child of the jails' parent; no jail's name has a dot."""
    return f"{parent}/{release.name}.packed"


def origin_of(host: Host, release: Release, parent: str | None) -> Origin:
    """Look at what a release is made from; ``parent`` is that of the jails' datasets, None if they have none."""
    files, archive = host.files, release.archive
    found = Origin(
        begun=files.kind(staging(archive)) != "missing",
        folder=files.kind(posixpath.dirname(archive)) != "missing",
    )
    if release.source is not None:
        made = files.moment(archive)
        rebuilt = made is not None and built_at(files, release.source) > made
        return replace(found, version=release_of(files, release.source), rebuilt=rebuilt)
    if release.packages is not None:
        architecture = output(host.runner, "sysctl", "-n", "hw.machine_arch").strip()
        return replace(found, lacks=_lacks(host, release.packages), architecture=architecture)
    return _of_dataset(host, release, parent, found)


def _lacks(host: Host, packages: Packages) -> str:
    """Tell what pkg(8) lacks on this host, '' if nothing."""
    if host.runner.run(Command(("pkg", "-N"))).rc != 0:
        return "pkg is not installed on this host; run `pkg bootstrap -y` there"
    trusted, repository = f"{packages.fingerprints}/trusted", packages.repository
    if not host.files.names(trusted):
        return f"there are no fingerprints in {trusted} on this host; put those of whoever signs {repository} there"
    scheme, _colon, path = repository.partition("://")
    if scheme == "file" and host.files.kind(path) != "folder":
        return f"there is no repository {path} on this host; put it there, or give another"
    return ""


def _of_dataset(host: Host, release: Release, parent: str | None, found: Origin) -> Origin:
    # Not judged: what is not there is no trouble yet, and a host may have no ZFS at all.
    clone, dataset = clone_of(release, parent), release.dataset or ""
    rows = parse_datasets(host.runner.run(Command((*DATASETS, dataset, *([clone] if parent else [])))).out)
    there = rows.get(dataset)
    is_mounted = there is not None and there.mounted and there.mountpoint.startswith("/")
    text = host.files.read_beneath(there.mountpoint, VERSION_FILE, VERSION_FILE_BYTES) if there and is_mounted else None
    return replace(found, dataset=there, version=parse_version(text), cloned=clone in rows)


def complaint(release: Release, origin: Origin) -> str | None:
    """Tell why a release cannot be made from what there is, None if it can; both releases are named."""
    if release.packages is not None:
        return origin.lacks or None
    given = release.dataset or release.source
    if release.dataset is not None:
        if origin.dataset is None:
            return f"there is no {given} on this host; make it, or name another dataset"
        if release.is_snapshot:
            # What is in it is seen in a clone.
            return None
        if not origin.dataset.mounted or origin.dataset.mountpoint in ("/", "legacy"):
            return f"{given} is not mounted by zfs(8) at a folder of its own; mount it, or name one that is"
    if origin.version != release.name:
        hint = "build that one there" if release.source else "name one that does"
        return f"{given} holds {origin.version or 'no release'}, not {release.name}; {hint}, or name the release so"
    again = f"{given} was built again after {release.archive} was made of it; remove that file: it is made anew"
    return again if origin.rebuilt else None


def obtained(missing: t.Collection[Release], origins: t.Mapping[str, Origin], parent: str | None) -> list[Step]:
    """Return the steps that fetch or make the archives that are missing."""
    made = [release for release in missing if release.is_made]
    folders = {posixpath.dirname(each.archive) for each in made if not origins[each.name].folder}
    return [
        *[Fetch(release) for release in missing if not release.is_made],
        # In made roots passwords are empty, and programs may become anybody: the folder is for root alone.
        *[MakeFolder(path, 0o700) for path in sorted(folders)],
        *[step for each in made for step in steps(each, origins[each.name], parent)],
    ]


def steps(release: Release, origin: Origin, parent: str | None) -> list[Step]:
    """Return the steps that make a release's archive; what a cut left of an earlier attempt goes first."""
    name, archive = release.name, release.archive
    place, part = staging(archive), f"{archive}.part"
    if release.is_snapshot:
        filled, gone = _cloned(release, origin, place, clone_of(release, parent))
    elif origin.dataset is not None:
        filled, gone, place = [], [], origin.dataset.mountpoint
    else:
        filled, gone = _installed(release, origin, place), clear(place, name)
    return [*filled, Verify(name, place), Run(tar(place, part), name), *gone, Finish(name, part, archive)]


def _cloned(release: Release, origin: Origin, place: str, clone: str) -> tuple[list[Step], list[Step]]:
    """Show a snapshot's files where they can be packed; nothing of the snapshot itself changes."""
    name = release.name
    destroy = Run(Command(("zfs", "destroy", clone)), name)
    options = ("-o", "readonly=on", "-o", f"mountpoint={place}")
    begin = [destroy] if origin.cloned else []
    # Where it was mounted stays as an empty folder.
    empty = Run(Command(("rm", "-rfx", place)), name)
    return [*begin, Run(Command(("zfs", "clone", *options, release.dataset or "", clone)), name)], [destroy, empty]


def _installed(release: Release, origin: Origin, place: str) -> list[Step]:
    """Fill a root that nobody has had, as FreeBSD's own ways to install do."""
    name = release.name
    begin = [*(clear(place, name) if origin.begun else []), MakeFolder(place, 0o755, name)]
    if release.packages is not None:
        return [*begin, *_packaged(release, release.packages, origin, place)]
    # Accounts come from the sources: the host's own may be older.
    make = ("make", "-C", release.source or "", "DB_FROM_SRC=yes", f"DESTDIR={place}")
    return [
        *begin,
        # What installworld leaves out, the configuration, is distribution's.
        *[Run(Command((*make, target), seconds=LONG_SECONDS), name) for target in ("installworld", "distribution")],
    ]


def _packaged(release: Release, packages: Packages, origin: Origin, place: str) -> list[Step]:
    """Install packages; neither the host's repositories nor its database have a part in it."""
    name, (major, minor) = release.name, numbers_of(release.name)
    repositories = f"{place}.repositories"
    configuration = _CONFIGURATION.format(
        name=REPOSITORY,
        url=packages.repository,
        mirror="srv" if packages.repository.startswith("pkg+") else "none",
        fingerprints=FINGERPRINTS,
    )
    pkg = ("pkg", "--rootdir", place, "--repo-conf-dir", repositories)
    abi = ("-o", f"ABI=FreeBSD:{major}:{origin.architecture}", "-o", f"OSVERSION={major}{minor:02}000")
    install = ("install", "-y", "-r", REPOSITORY, *packages.names)
    passing = [f"{place}/{each}" for each in (FINGERPRINTS, CACHE)]
    return [
        Run(Command(("cp", "-R", packages.fingerprints, f"{place}/{FINGERPRINTS}")), name),
        Write(f"{repositories}/{REPOSITORY}.conf", configuration, subject=name),
        Run(Command((*pkg, *abi, *install), seconds=LONG_SECONDS), name),
        Run(Command(("rm", "-rf", repositories, *passing)), name),
    ]


@dataclass(frozen=True)
class Verify:
    """See that what a release was made into names it; nothing that names another one is ever used."""

    subject: str
    place: str

    def apply(self, host: Host) -> str:
        """Read it, and refuse."""
        found = parse_version(host.files.read_beneath(self.place, VERSION_FILE, VERSION_FILE_BYTES))
        if found != self.subject:
            said = f"it holds {found or 'no release'}; name the release so, or say where {self.subject} is from"
            raise OSError(errno.EINVAL, said)
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"check that {self.place} holds {self.subject}"


@dataclass(frozen=True)
class Finish:
    """Give a whole archive its name; not before the disk has it."""

    subject: str
    part: str
    archive: str

    def apply(self, host: Host) -> str:
        """Rename it."""
        host.files.sync(self.part)
        host.files.move(self.part, self.archive)
        return ""

    def __str__(self) -> str:
        """Show both names."""
        return f"rename {self.part} to {self.archive}"
