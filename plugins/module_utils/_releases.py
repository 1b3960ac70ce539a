# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The releases of a host: where each is from, and how the host gets an archive that it may fetch.

A release is an archive, which is given or fetched, or which the host makes itself (see _making.py); or it is a snapshot
that roots are cloned from.
"""

from __future__ import annotations

import errno
import hashlib
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

SHA256 = re.compile(r"[0-9a-f]{64}")
# A release names a dataset and a folder.
RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,62}")
NUMBERS = re.compile(r"([0-9]+)\.([0-9]+)-")
# What fetch(1) takes. Without a name and a password, since arguments are for all to see.
URL = re.compile(r"((https?|ftp)://[0-9A-Za-z.:\[\]-]+|file://)/[!-z|~]+")
# What pkg(8) takes besides, but for what its configuration would read as something else.
REPOSITORY = re.compile(r"((pkg\+)?https?://[0-9A-Za-z.:\[\]-]+|file://)?/[!#-\[\]-~]+")
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# What zfs(8) takes for a file system or a snapshot.
SNAPSHOT = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)*(@[A-Za-z0-9][A-Za-z0-9_.:-]*)?")
# Each way to give a release: the keys that it needs, and those that may stand beside them.
WAYS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"archive", "sha256"}), frozenset({"src", "url"})),
    (frozenset({"src"}), frozenset()),
    (frozenset({"dataset"}), frozenset()),
    (frozenset({"pkgbase"}), frozenset()),
)
# The set of all that a jail has a use for; FreeBSD-set-minimal-jail has no sshd.
PACKAGES = ("FreeBSD-set-base-jail",)
# Before it, packages are no way to install the base system.
FIRST_PACKAGED = 15
# fetch(1) gives up after so many seconds without a byte, and whoever started it after so many in all.
SILENT_SECONDS = 60
FETCH_SECONDS = 7200


@dataclass(frozen=True)
class Packages:
    """What pkg(8) makes a world from: a repository, the folder of the fingerprints that it trusts, and the packages."""

    repository: str
    fingerprints: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """A release: the base archive on the host that holds it, and the archive's SHA-256.

    ``source`` is its built source tree if it has one, ``url`` is where the host fetches the archive if it is missing.
    With ``is_made``, the host makes the archive itself: from ``source``, or from the files of ``dataset``, or from
    ``packages``; ``sha256`` is that of what says so, then. Or, with ``is_root``, the root of a jail as jail_archives
    packed it elsewhere; ``name`` is the jail's then.
    """

    name: str
    archive: str
    sha256: str
    source: str | None = None
    url: str | None = None
    is_root: bool = False
    is_made: bool = False
    dataset: str | None = None
    packages: Packages | None = None

    @property
    def is_snapshot(self) -> bool:
        """Whether roots that are datasets are cloned from it."""
        return "@" in (self.dataset or "")


def release(name: str, record: t.Any, made: str) -> Release:
    """Return a release of the wish, its archive in ``made`` if it is not given; raise :class:`InvalidDesired`."""
    if not RELEASE.fullmatch(name):
        raise InvalidDesired(f"releases: {name!r} is no name of a release such as 15.1-RELEASE-p1")
    if not isinstance(record, dict) or not any(needs <= set(record) <= needs | more for needs, more in WAYS):
        raise InvalidDesired(
            f"releases: {name}: give it the keys archive and sha256, src and url if you have them; or one of src, "
            "dataset and pkgbase; and no others"
        )
    source, url, dataset = (record.get(key) for key in ("src", "url", "dataset"))
    if source is not None:
        plain(f"releases: {name}: src", str(source))
    if url is not None and not URL.fullmatch(str(url)):
        raise InvalidDesired(
            f"releases: {name}: url: {url!r} is no address that fetch(1) takes; write https://HOST/PATH, http, ftp or "
            "file:///PATH, with neither a name nor a password in it"
        )
    if "archive" in record:
        return Release(name, *checked("releases", name, record), source, url)
    if dataset is not None and not SNAPSHOT.fullmatch(str(dataset)):
        raise InvalidDesired(f"releases: {name}: dataset: {dataset!r} is no name of a file system or a snapshot")
    packages = _packages(name, record["pkgbase"]) if "pkgbase" in record else None
    recipe = hashlib.sha256(repr((source, dataset, packages)).encode()).hexdigest()
    archive = f"{plain('made_releases', made)}/{name}-{recipe[:16]}.tar.zst"
    return Release(name, archive, recipe, source, is_made=True, dataset=dataset, packages=packages)


def _packages(name: str, record: t.Any) -> Packages:
    what = f"releases: {name}: pkgbase"
    if not isinstance(record, dict) or not {"repository"} <= set(record) <= {"repository", "fingerprints", "packages"}:
        raise InvalidDesired(f"{what}: give it the key repository, fingerprints and packages if need be, and no others")
    major, _minor = numbers_of(name)
    if major < FIRST_PACKAGED:
        raise InvalidDesired(
            f"{what}: FreeBSD's base system comes as packages since {FIRST_PACKAGED}.0; give archive and sha256"
        )
    repository, names = str(record["repository"]), record.get("packages") or PACKAGES
    if not REPOSITORY.fullmatch(repository):
        raise InvalidDesired(
            f"{what}: repository: {repository!r} is none; write pkg+https://HOST/PATH, https, http, or a path on the "
            "host, with neither a name nor a password in it"
        )
    if not isinstance(names, (list, tuple)) or not all(PACKAGE.fullmatch(str(each)) for each in names):
        raise InvalidDesired(f"{what}: packages: {names!r} is no list of packages such as [{PACKAGES[0]}]")
    fingerprints = record.get("fingerprints", f"/usr/share/keys/pkgbase-{major}")
    return Packages(
        f"file://{repository}" if repository.startswith("/") else repository,
        plain(f"{what}: fingerprints", str(fingerprints)),
        tuple(str(each) for each in names),
    )


def numbers_of(name: str) -> tuple[int, int]:
    """Return the numbers before and after the point in a release's name, zeros if it has none."""
    match = NUMBERS.match(name)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def check_pool(releases: t.Mapping[str, Release], parent: str | None) -> None:
    """Refuse snapshots that cannot be cloned beside the jails' datasets; raise :class:`InvalidDesired`."""
    pool = parent.partition("/")[0] if parent else None
    for name, each in releases.items():
        if each.is_snapshot and (each.dataset or "").partition("/")[0].partition("@")[0] != pool:
            where = f"in the pool {pool}" if pool else "where roots are datasets"
            raise InvalidDesired(
                f"releases: {name}: dataset: {each.dataset} is a snapshot, which is cloned, and that works {where} "
                "only; name its file system, whose files are copied"
            )


def checked(what: str, name: str, record: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """Return the path and the SHA-256 of an archive; raise :class:`InvalidDesired`."""
    if not SHA256.fullmatch(str(record["sha256"])):
        raise InvalidDesired(f"{what}: {name}: sha256: {record['sha256']!r} is not 64 hexadecimal digits")
    return plain(f"{what}: {name}: archive", str(record["archive"])), record["sha256"]


def plain(what: str, path: str) -> str:
    """Return a path of a record that can be compared as text; raise :class:`InvalidDesired`."""
    if not is_plain(path):
        raise InvalidDesired(f"{what}: {path!r} is not an absolute, plain path below /")
    return path


def digest_of(files: Files, release: Release) -> str | None:
    """Return the SHA-256 of what there is of a release's archive, None if there is nothing.

    One that the host made is whole when it has its name, which says what it was made from.
    """
    if release.is_made:
        return release.sha256 if files.kind(release.archive) != "missing" else None
    return files.sha256(release.archive)


def is_obtained(release: Release, digest: str | None) -> bool:
    """Whether the host has to fetch or make a release's archive, of which ``digest`` tells what is there."""
    return digest is None and (release.url is not None or release.is_made)


def complaint(release: Release, digest: str | None) -> str | None:
    """Tell what is wrong with a release's archive, of which ``digest`` tells what is there; None: nothing."""
    if digest == release.sha256 or is_obtained(release, digest):
        return None
    if digest is None:
        return f"there is no archive {release.archive} on this host; put it there, or give its url"
    again = f"remove it, and it is fetched from {release.url}" if release.url else "fetch it again"
    return (
        f"{release.archive} has the SHA-256 {digest}, not {release.sha256} as given; it is damaged, incomplete or "
        f"another file: {again}"
    )


@dataclass(frozen=True)
class Fetch:
    """Fetch a release's archive; it has its name only when it is whole."""

    release: Release

    @property
    def subject(self) -> str:
        """The release: jails of others do not wait for it."""
        return self.release.name

    def apply(self, host: Host) -> str:
        """Fetch it under another name, and compare it."""
        archive, part = self.release.archive, f"{self.release.archive}.part"
        # fetch(1) writes a file that is there under a third name, which a cut would leave behind.
        host.files.remove(part)
        done = host.runner.run(self._command(part))
        if done.rc != 0:
            host.files.remove(part)
            hint = f"; have this host reach that address, or put the archive at {archive} by hand"
            raise CommandFailed(replace(done, err=(done.err or done.out).rstrip() + hint))
        digest = host.files.sha256(part)
        if digest != self.release.sha256:
            host.files.remove(part)
            raise OSError(
                errno.EBADMSG,
                f"it has the SHA-256 {digest}, not {self.release.sha256} as given; correct sha256, or url, so that "
                "they are of one archive",
            )
        host.files.sync(part)
        host.files.move(part, archive)
        return ""

    def _command(self, part: str) -> Command:
        argv = ("fetch", "-q", "-T", str(SILENT_SECONDS), "-o", part, self.release.url or "")
        return Command(argv, seconds=FETCH_SECONDS)

    def __str__(self) -> str:
        """Show from where to where."""
        return f"fetch -o {self.release.archive} {self.release.url}"
