# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What an archive and a source tree say of which release they are: installworld writes one, the other is checked."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._source_tree import release_of
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import VERSION_FILE, parse_version

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host
    from ansible_collections.jailisp.vps.plugins.module_utils._releases import Release


class Build(t.NamedTuple):
    """The releases that an archive and a source tree name; None: none."""

    archived: str | None
    sources: str | None


def build_of(host: Host, release: Release) -> Build:
    """Read what a release's archive and its source tree say of themselves, by one process; nothing of them is run."""
    said = host.runner.run(Command(("tar", "-xOqf", release.archive, f"./{VERSION_FILE}")))
    return Build(parse_version(said.out), release_of(host.files, release.source or ""))


def mismatch(release: Release, build: Build) -> str | None:
    """Tell how a release's archive and its source tree are of two builds; None if they are of one."""
    if build.sources is not None and build.sources == build.archived:
        return None
    return (
        f"src and archive must be of one build, but {release.source} is of {build.sources or 'no release'}, and "
        f"{release.archive} of {build.archived or 'no release'}; build the one, or give the archive of the other"
    )
