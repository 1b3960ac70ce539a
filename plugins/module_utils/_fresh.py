# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Which roots are fresh: made by us, and not handed to their customer yet.

A file of the host's own says so, from before a root comes into being until accounts are in it. Nothing in a root could:
what stands there is the customer's word. Only what is fresh may be filled, cleared or given accounts by the host.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files

FOLDER = "/var/db/jailisp/fresh"
# What each customer was given to get into his jail, see _accounts: a file for each jail, for root alone.
ACCOUNTS_FOLDER = "/var/db/jailisp/accounts"
# What the file says. EMPTY: there is a place for the root, whatever is in it so far is rubbish. FILLED: the world is
# whole, its accounts may not be.
EMPTY, FILLED = "empty\n", "filled\n"


def note(name: str) -> str:
    """Return the path of the file that says that a jail's root is fresh."""
    return f"{FOLDER}/{name}"


def accounts_note(name: str) -> str:
    """Return the path of the file that says what a jail's customer was given."""
    return f"{ACCOUNTS_FOLDER}/{name}"


def fresh_roots(files: Files) -> dict[str, str]:
    """Return what the notes say, EMPTY or FILLED, by jail; a jail without a note is its customer's."""
    return {name: files.read(note(name)) or "" for name in files.names(FOLDER)}
