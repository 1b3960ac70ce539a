# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Looking at roots that shall be destroyed, and at what is in the way: three processes, however many there are."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.jailisp.vps.plugins.module_utils._archives.parse import parse_checksum
from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import CHECKSUM
from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import accounts_note, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_sources
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails, user_of
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import journal as journals
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import Remains, staging, trash
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import (
    VERSION_FILE,
    VERSION_FILE_BYTES,
    Dataset,
    parse_pins,
    parse_version,
)
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import Parameters
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host
    from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import Doomed, Wish

PINS = ("zfs", "get", "-Hp", "-r", "-t", "snapshot", "-o", "name,property,value", "clones,userrefs")

Digests: t.TypeAlias = "dict[str, str | None]"


def remains_of(wish: Wish, host: Host, datasets: dict[str, Dataset], digests: Digests) -> dict[str, Remains]:
    """Return what is there of each doomed root.

    ``digests`` keeps the SHA-256 of archives: reading one takes long, and is done once.
    """
    if not wish.doomed:
        return {}
    running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
    mounts = parse_sources(output(host.runner, "mount", "-p"))
    pins = _pins(wish, host, datasets)
    found = {}
    for name, doomed in wish.doomed.items():
        there = _in_the_way(_on_disk(wish, host.files, doomed, datasets), doomed, running, mounts)
        there = replace(
            there, pins={each: pin for each, pin in pins.items() if each.startswith(f"{wish.dataset}/{name}@")}
        )
        found[name] = there if there.nothing else _with_archive(there, doomed, host.files, digests)
    return found


def _pins(wish: Wish, host: Host, datasets: dict[str, Dataset]) -> dict[str, dict[str, str]]:
    names = [f"{wish.dataset}/{name}" for name in wish.doomed if f"{wish.dataset}/{name}" in datasets]
    if not names:
        return {}
    return parse_pins(ask(host, *PINS, *names))


def _on_disk(wish: Wish, files: Files, doomed: Doomed, datasets: dict[str, Dataset]) -> Remains:
    kind, dataset = files.kind(doomed.path), f"{wish.dataset}/{doomed.name}"
    text = files.read_beneath(doomed.path, VERSION_FILE, VERSION_FILE_BYTES) if kind == "folder" else None
    image = doomed.image is not None and files.kind(doomed.image.file) != "missing"
    return Remains(
        # What is left of a dataset's mount point is no root.
        kind="missing" if kind == "empty" and wish.dataset else kind,
        version=parse_version(text),
        parts=tuple(part for part in (staging(doomed.path), trash(doomed.path)) if files.kind(part) != "missing"),
        dataset=datasets.get(dataset),
        children=tuple(name for name in datasets if name.startswith(f"{dataset}/") and "@" not in name),
        image=image,
        notes=tuple(file for file in _notes(files, doomed.name) if files.kind(file) != "missing"),
    )


def _notes(files: Files, name: str) -> list[str]:
    """Return the files in which the host may keep something about a root: another one may get its name."""
    upgrade = journals.read(files, name)
    kept = [upgrade.kept, upgrade.changed] if upgrade else []
    return [
        note(name),
        accounts_note(name),
        journals.journal_file(name),
        journals.held_file(name),
        *[file for file in kept if file],
    ]


def _in_the_way(
    there: Remains, doomed: Doomed, running: t.Mapping[str, Parameters], mounts: t.Iterable[tuple[str, str]]
) -> Remains:
    """Tell what runs in a root, and what is mounted there besides its own dataset or image."""
    places = (doomed.path, *there.parts)
    own = doomed.path if there.dataset else None
    device = doomed.image.device if doomed.image else None
    return replace(
        there,
        user=user_of(running, doomed.name, doomed.path),
        mounts=tuple(
            point
            for source, point in mounts
            if point != own
            and (source, point) != (device, doomed.path)
            and any(f"{point}/".startswith(f"{place}/") for place in places)
        ),
    )


def _with_archive(there: Remains, doomed: Doomed, files: Files, digests: Digests) -> Remains:
    archive = doomed.archive
    if archive is None:
        return there
    if archive not in digests:
        digests[archive] = files.sha256(archive)
    checksum = parse_checksum(files.read(archive + CHECKSUM), archive.rpartition("/")[2])
    return replace(there, archive=digests[archive], checksum=checksum)
