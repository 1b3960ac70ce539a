# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading all jails of a host, their journals, and the releases that an upgrade needs: a fixed number of processes."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails
from ansible_collections.jailisp.vps.plugins.module_utils._making import origin_of
from ansible_collections.jailisp.vps.plugins.module_utils._releases import digest_of, is_obtained
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import journal as journals
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.plan import (
    Actual,
    Found,
    etc_archive,
    kept_archive,
    needed,
    plan,
)
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.space import LIST, Space, parse_spaces
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.tree import Tree, parse_listing
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import (
    VERSION_FILE,
    VERSION_FILE_BYTES,
    parse_version,
)
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._making import Origin
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.model import Jail


class Upgrades:
    """The subsystem of the module jail_upgrades."""

    # What an upgrade does is planned by what is in its release's archive: one that is missing is fetched or made first.
    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)
        self._run = str(time.time_ns())
        # Reading an archive takes long; it is read once, also when the host is looked at again afterwards.
        self._digests: dict[str, str | None] = {}
        self._trees: dict[str, Tree] = {}
        self._origins: dict[str, Origin] = {}

    def observe(self, host: Host) -> Actual:
        """Read roots and journals, and those archives that an upgrade needs."""
        running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
        kernel = output(host.runner, "sysctl", "-n", "kern.osrelease").strip()
        found = {name: _found(host.files, jail, running, ()) for name, jail in self.wish.jails.items()}
        for name in needed(self.wish, found):
            if name in self.wish.releases and self.wish.releases[name].packages is None:
                self._read(host, name)
        units = sorted({unit for tree in self._trees.values() for unit in tree.units})
        return Actual(
            jails={name: _found(host.files, jail, running, units) for name, jail in self.wish.jails.items()},
            kernel=kernel,
            run=self._run,
            trees=dict(self._trees),
            digests=dict(self._digests),
            origins=dict(self._origins),
            there=self._there(host.files),
            datasets=self._datasets(host),
        )

    def _read(self, host: Host, name: str) -> None:
        """Read a release's archive: its digest, and what is in it if it is the right one."""
        release = self.wish.releases[name]
        if self._digests.get(name) is None:
            self._digests[name] = digest_of(host.files, release)
        missing = is_obtained(release, self._digests[name])
        if missing:
            self.attempts = 2
        if release.is_made and (missing or name in self.wish.installed):
            self._origins[name] = origin_of(host, release, self.wish.dataset)
        if name not in self._trees and self._digests[name] == release.sha256:
            self._trees[name] = parse_listing(output(host.runner, "tar", "-tvf", release.archive))

    def _there(self, files: Files) -> frozenset[str]:
        folder = self.wish.folder
        paths = [folder, f"{folder}/releases", f"{folder}/merging"]
        paths += [kept_archive(self.wish, name) for name in self.wish.jails]
        paths += [etc_archive(self.wish, release) for release in self.wish.releases.values()]
        return frozenset(path for path in paths if files.kind(path) != "missing")

    def _datasets(self, host: Host) -> dict[str, Space]:
        parent = self.wish.dataset
        return parse_spaces(ask(host, *LIST, "-t", "filesystem,snapshot", "-r", parent)) if parent else {}

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan(self.wish, actual, attempt)


def _found(files: Files, jail: Jail, running: t.Mapping[str, t.Any], units: t.Iterable[str]) -> Found:
    kinds = files.kinds(jail.path, units)
    return Found(
        version=parse_version(files.read_beneath(jail.path, VERSION_FILE, VERSION_FILE_BYTES)),
        running=jail.name in running,
        configured=files.kind(journals.jail_file(jail.name)) != "missing",
        journal=journals.read(files, jail.name),
        units=tuple(unit for unit, kind in kinds.items() if kind != "missing"),
        unseen=jail.image is not None and files.kind(jail.path) == "empty",
    )
