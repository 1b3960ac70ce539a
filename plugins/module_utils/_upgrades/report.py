# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What came of the upgrades, for whoever runs them and for the customers."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import BACK, DONE, FAILED
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.versions import same_abi

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import Journal
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.model import Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.plan import Actual

RESULTS = {DONE: "upgraded", FAILED: "as before", BACK: "rolled back"}


def rows(wish: Wish, actual: Actual, going: t.Collection[str]) -> list[dict[str, t.Any]]:
    """Return a row for each jail that this run worked on, would work on, or cannot see."""
    found = []
    for name in wish.jails:
        journal = actual.jails[name].journal
        if journal is not None and journal.run == actual.run and journal.state in RESULTS:
            found.append(row(name, journal))
        elif name in going:
            found.append({"name": name, "result": "cut off" if journal and journal.between else "to do"})
        elif actual.jails[name].unseen:
            found.append({"name": name, "result": "not seen"})
    return found


def row(name: str, journal: Journal) -> dict[str, t.Any]:
    """Return what came of one jail."""
    return {
        "name": name,
        "result": RESULTS[journal.state],
        "from": journal.source,
        "to": journal.target,
        "seconds": journal.ended - journal.begun,
        "todo": todo(journal),
    }


def todo(journal: Journal) -> list[str]:
    """Tell what a jail's customer has to do."""
    found = []
    if journal.state == DONE and not same_abi(journal.source, journal.target):
        found.append("install packages for the new release: pkg upgrade -f")
    if journal.state == DONE:
        found += [f"/{path}: see what the release changed; it stays as you made it" for path in journal.conflicts]
        found += [f"/{path} is not a file of its own; it was not merged" for path in journal.links]
    if journal.state == BACK:
        found += [f"/{path} stays as you made it since the upgrade" for path in journal.conflicts]
    if journal.changed:
        found.append(f"what you changed in the release's own folders is in {journal.changed}")
    return found
