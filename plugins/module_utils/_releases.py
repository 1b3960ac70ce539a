# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The releases of a host: where each is from, and how the host gets an archive that it may fetch."""

from __future__ import annotations

import errno
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed
from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

SHA256 = re.compile(r"[0-9a-f]{64}")
# A release names a dataset and a folder.
RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,62}")
# What fetch(1) takes. Without a name and a password, since arguments are for all to see.
URL = re.compile(r"((https?|ftp)://[0-9A-Za-z.:\[\]-]+|file://)/[!-z|~]+")
KEYS = frozenset({"archive", "sha256"})
MORE_KEYS = frozenset({"src", "url"})
# fetch(1) gives up after so many seconds without a byte, and whoever started it after so many in all.
SILENT_SECONDS = 60
FETCH_SECONDS = 7200


@dataclass(frozen=True)
class Release:
    """A release: the base archive on the host that holds it, and the archive's SHA-256.

    ``source`` is its built source tree if it has one, ``url`` is where the host fetches the archive if it is missing.
    Or, with ``is_root``, the root of a jail as jail_archives packed it elsewhere; ``name`` is the jail's then.
    """

    name: str
    archive: str
    sha256: str
    source: str | None = None
    url: str | None = None
    is_root: bool = False


def release(name: str, record: t.Any) -> Release:
    """Return a release of the wish; raise :class:`InvalidDesired`."""
    if not RELEASE.fullmatch(name):
        raise InvalidDesired(f"releases: {name!r} is no name of a release such as 15.1-RELEASE-p1")
    if not isinstance(record, dict) or not KEYS <= set(record) <= KEYS | MORE_KEYS:
        raise InvalidDesired(
            f"releases: {name}: give it the keys archive and sha256, src and url if you have them, and no others"
        )
    archive, sha256 = checked("releases", name, record)
    source, url = record.get("src"), record.get("url")
    if source is not None:
        plain(f"releases: {name}: src", str(source))
    if url is not None and not URL.fullmatch(str(url)):
        raise InvalidDesired(
            f"releases: {name}: url: {url!r} is no address that fetch(1) takes; write https://HOST/PATH, http, ftp or "
            "file:///PATH, with neither a name nor a password in it"
        )
    return Release(name, archive, sha256, source, url)


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


def is_fetched(release: Release, digest: str | None) -> bool:
    """Whether the host has to fetch a release's archive, of which ``digest`` tells what is there."""
    return digest is None and release.url is not None


def complaint(release: Release, digest: str | None) -> str | None:
    """Tell what is wrong with a release's archive, of which ``digest`` tells what is there; None: nothing."""
    if digest == release.sha256 or is_fetched(release, digest):
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
