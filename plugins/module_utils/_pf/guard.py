# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The guard: a process on the host that takes back what was loaded, unless somebody still gets in and confirms it.

It is started before the load. Whoever loaded comes back over a new connection, which the new rules judge, and removes
the mark. While the mark is there, what is in force is not confirmed, and the rules to go back to are the ones before.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Remove, Run, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.plan import Actual
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Step

SCRIPT = """\
#!/bin/sh
# jailisp.vps: takes back what was loaded into pf, unless it was confirmed over a new connection.
token=$(cat {mark}) || exit 0
sleep {seconds}
# Another load has its own guard.
[ "$(cat {mark})" = "$token" ] || exit 0
{restore}rm -f {mark} {note}
logger -t jailisp "pf: nobody confirmed the new rules; the former ones are back"
"""


@dataclass(frozen=True)
class Guard:
    """Start the guard, once all that it needs is written."""

    needs: tuple[Step, ...]
    start: Run
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Write what it needs and start it."""
        for step in (*self.needs, self.start):
            step.apply(host)
        return ""

    def __str__(self) -> str:
        """Show what starts it."""
        return str(self.start)


def guard(wish: Wish, actual: Actual) -> tuple[Guard, ...]:
    """Return the step that starts the guard of a load."""
    if not wish.guard:
        return ()
    mark = Write(wish.mark, f"{actual.moment}\n", 0o600)
    # What is there was never confirmed: its guard's script goes back further, and is kept.
    known = (
        ()
        if actual.mark
        else (
            *_saved(wish.former_conf, actual.conf),
            *_saved(wish.former_file, actual.file),
            Write(wish.script, render_script(wish, actual), 0o700),
        )
    )
    return (Guard((*known, mark), Run(Command(("daemon", "-f", "/bin/sh", wish.script)))),)


def _saved(path: str, content: str | None) -> tuple[Step, ...]:
    return (Remove(path) if content is None else Write(path, content, 0o600),)


def render_script(wish: Wish, actual: Actual) -> str:
    """Return the guard's script, which makes files and pf what they are now."""
    restore = [
        *_back(wish.former_conf, wish.conf, there=actual.conf is not None),
        *_back(wish.former_file, wish.file, there=actual.file is not None),
        *([] if actual.file is not None else [f"pfctl -a {wish.anchor} -F {what}" for what in ("nat", "rules")]),
        *([f"pfctl -f {shlex.quote(wish.conf)}"] if actual.conf is not None else ["pfctl -F nat", "pfctl -F rules"]),
        *([] if actual.enabled else ["pfctl -d"]),
    ]
    lines = "".join(f"{line}\n" for line in restore)
    return SCRIPT.format(mark=shlex.quote(wish.mark), note=shlex.quote(wish.note), seconds=wish.guard, restore=lines)


def _back(former: str, path: str, *, there: bool) -> list[str]:
    """Return what gives a file its former content, whole at any moment and with its mode."""
    if not there:
        return [f"rm -f {shlex.quote(path)}"]
    old, new, now = shlex.quote(former), shlex.quote(f"{path}.jailisp-new"), shlex.quote(path)
    return [f"cp -p {now} {new}", f"cat {old} > {new}", f"mv -f {new} {now}"]
