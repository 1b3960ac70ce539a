# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""How far the upgrade of a jail has come: a file of the host's own, which outlives every cut.

A jail is between two worlds from KEPT on, until it is DONE or given back. Nobody but an upgrade or a rollback may start
it then.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, fields

from ansible_collections.jailisp.vps.plugins.module_utils._json import read_json
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files

FOLDER = "/var/db/jailisp/upgrades"
# BEGUN: the jail may be stopped, its root is as it was. KEPT: what will change is kept, and the root may be anything.
# WRITTEN: the root holds the new world, which may run. DONE: it was proven. LEAVING: it shall go back, and the jail may
# be stopped. UNDOING: it goes back, and the root may be anything.
# FAILED: the root is as it was, and runs again. BACK: the same, because somebody wished it.
BEGUN, KEPT, WRITTEN, DONE, LEAVING, UNDOING, FAILED, BACK = (
    "begun",
    "kept",
    "written",
    "done",
    "leaving",
    "undoing",
    "failed",
    "back",
)
BETWEEN = frozenset({BEGUN, KEPT, WRITTEN, LEAVING, UNDOING})

# What a file of /etc was before and after an upgrade, None: it was not there. See Files.fingerprints.
Pair: t.TypeAlias = "tuple[str | None, str | None]"


@dataclass(frozen=True)
class Journal:
    """What is known of a jail's last upgrade.

    ``source`` and ``target`` are the releases before and after it. ``running``: the jail ran before. ``ports`` are
    those that answered then. ``units`` are the parts of the root that were there and kept, ``fresh`` those that the
    release brings, ``before`` the fingerprints of /etc while it is not merged yet, ``etc`` those that differ once it
    is. ``conflicts`` are files of /etc that could not be merged, ``links`` those that are the customer's own links.
    ``kept`` is the archive of what was kept, '' for a snapshot, ``changed`` that of what a rollback found changed
    since. ``run`` tells runs apart, ``failed``: in that run the upgrade failed; ``begun``, ``written`` and ``ended``
    are seconds of the epoch.
    """

    state: str
    source: str
    target: str
    running: bool
    run: str
    begun: int
    ended: int = 0
    failed: bool = False
    written: float = 0.0
    ports: tuple[int, ...] = ()
    units: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    before: t.Mapping[str, str] = field(default_factory=dict)
    etc: t.Mapping[str, Pair] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    kept: str = ""
    changed: str = ""

    @property
    def between(self) -> bool:
        """Whether the jail is between two worlds."""
        return self.state in BETWEEN


def journal_file(name: str) -> str:
    """Return the path of a jail's journal."""
    return f"{FOLDER}/{name}.json"


def jail_file(name: str) -> str:
    """Return a jail's file of jail.conf(5)."""
    return f"/etc/jail.conf.d/{name}.conf"


def held_file(name: str) -> str:
    """Return where that file is while nobody may start the jail.

    In the same folder, so that one rename does it; neither rc.d/jail nor a pattern of jail.conf(5) finds it there.
    """
    return f"/etc/jail.conf.d/.{name}.held"


def render(journal: Journal) -> str:
    """Return the file's text."""
    return json.dumps(asdict(journal), indent=1, sort_keys=True) + "\n"


def parse(text: str, file: str) -> Journal:
    """Return what the file says; raise :class:`ParseError` if we did not write it.

    What an older version of this collection did not write has its default.
    """
    try:
        said = read_json(text)
        known = {key.name: said[key.name] for key in fields(Journal) if key.name in said}
        for key in ("ports", "units", "fresh", "conflicts", "links"):
            known[key] = tuple(said.get(key, ()))
        known["etc"] = {path: (before, after) for path, (before, after) in said.get("etc", {}).items()}
        return _checked(Journal(**known))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(f"{file} is no journal of an upgrade that we wrote: {text[:80]!r}") from error


def _checked(journal: Journal) -> Journal:
    """Return a journal; raise ValueError if something in it is of another kind than what we write."""
    texts: list[t.Any] = [journal.source, journal.target, journal.run, journal.kept, journal.changed]
    texts += [*journal.units, *journal.fresh, *journal.conflicts, *journal.links, *journal.before.values()]
    texts += [text for pair in journal.etc.values() for text in pair if text is not None]
    numbers: list[t.Any] = [journal.begun, journal.ended, journal.written, *journal.ports]
    states: t.Any = (*BETWEEN, DONE, FAILED, BACK)
    plain = all(isinstance(text, str) and "\0" not in text for text in texts)
    if journal.state not in states or not plain or not all(isinstance(each, (int, float)) for each in numbers):
        raise ValueError("no journal of ours")
    return journal


def read(files: Files, name: str) -> Journal | None:
    """Return a jail's journal, None if it was never upgraded."""
    text = files.read(journal_file(name))
    return None if text is None else parse(text, journal_file(name))


def write(files: Files, name: str, journal: Journal) -> None:
    """Write a jail's journal."""
    files.write(journal_file(name), render(journal), 0o600)


def jails_between(files: Files, names: t.Iterable[str]) -> list[str]:
    """Return those of the jails that are between two worlds."""
    there = set(files.names(FOLDER))
    journals = {name: read(files, name) for name in names if f"{name}.json" in there}
    return [name for name, journal in journals.items() if journal and journal.between]
