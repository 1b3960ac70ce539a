# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading pf: a fixed number of processes, however many rules there are."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import parse_note
from ansible_collections.jailisp.vps.plugins.module_utils._pf.plan import Actual, plan

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class PfAnchor:
    """The subsystem of the module pf_anchor."""

    # End what a guard began, load, then note what pf shows after it.
    attempts = 3

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)
        self._before = 0

    def observe(self, host: Host) -> Actual:
        """Read what is in force and the files; a host without pf.ko holds no rules."""
        wished, files = self.wish, host.files
        mark = files.read(wished.mark)
        info = host.runner.run(Command(("pfctl", "-s", "info")))
        present = info.rc == 0
        main = _show(host, "-P", "-sn") + _show(host, "-P", "-sr") if present else ""
        rules = self._rules(host) if present else ""
        return Actual(
            present=present,
            enabled="Status: Enabled" in info.out,
            shown=rules + self._tables(host) if present else "",
            main=frozenset(main.splitlines()),
            main_rules=main,
            anchor_rules=rules,
            file=files.read(wished.file),
            conf=files.read(wished.conf),
            note=parse_note(files.read(wished.note)),
            kept={name: _entries(host, wished.anchor, name) for name in wished.kept} if present else {},
            saved={name: files.read(wished.saved(name)) for name in wished.kept},
            mark=mark is not None,
            back=files.read(wished.back) is not None,
            moment=str(time.time_ns()),
        )

    def _rules(self, host: Host) -> str:
        anchor = ("-a", self.wish.anchor)
        return _show(host, *anchor, "-sn") + _show(host, *anchor, "-sr")

    def _tables(self, host: Host) -> str:
        anchor = ("-a", self.wish.anchor)
        return "".join(f"<{name}>\n{_show(host, *anchor, '-t', name, '-T', 'show')}" for name in self.wish.tables)

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do. What a guard began is ended by an attempt before the first."""
        made = plan(self.wish, actual, attempt - self._before)
        if actual.back:
            self._before = attempt
        return made


def _show(host: Host, *arguments: str) -> str:
    """Return what pfctl shows. Of an anchor or table that does not exist that is nothing, whatever its exit status."""
    return host.runner.run(Command(("pfctl", *arguments))).out


def _entries(host: Host, anchor: str, table: str) -> str | None:
    """Return what is in a table, an address a line; None if there is no such table."""
    done = host.runner.run(Command(("pfctl", "-a", anchor, "-t", table, "-T", "show")))
    return "".join(f"{line.strip()}\n" for line in done.out.splitlines()) if done.rc == 0 else None
