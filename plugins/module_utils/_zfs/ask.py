# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Questions to zfs(8) about datasets that may not be there."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

# How zfs says that a dataset is not there; those that are there it tells of all the same.
_NO_DATASET = "dataset does not exist"


def ask(host: Host, *argv: str) -> str:
    """Return what a command prints of those of its datasets that are there; raise CommandFailed for other trouble."""
    done = host.runner.run(Command(argv))
    if done.rc != 0 and _NO_DATASET not in done.err:
        raise CommandFailed(done)
    return done.out
