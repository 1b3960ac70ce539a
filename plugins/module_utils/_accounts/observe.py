# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading what customers have to get into their jails: no process for fresh roots, one for running jails."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._accounts.parse import (
    KEYS_BYTES,
    PASSWD,
    PASSWD_BYTES,
    parse_delivered,
    parse_passwd,
)
from ansible_collections.jailisp.vps.plugins.module_utils._accounts.plan import (
    ROOT,
    Actual,
    FreshRoot,
    Inside,
    home,
    plan_fresh,
    plan_running,
    runs,
)
from ansible_collections.jailisp.vps.plugins.module_utils._accounts.render import KEYS_FILE
from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, FILLED, accounts_note, fresh_roots
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import Account
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Plan


class Accounts:
    """The subsystem of the module jail_accounts."""

    attempts = 1

    def __init__(self, parameters: t.Mapping[str, t.Any]) -> None:
        """Check the wish."""
        self.wish = wish(parameters)

    def observe(self, host: Host) -> Actual:
        """Read the fresh roots; or the notes of what was delivered, and the running jails where that differs."""
        return self._fresh(host.files) if self.wish.fresh else self._running(host)

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do."""
        return plan_fresh(self.wish, actual, attempt) if self.wish.fresh else plan_running(self.wish, actual)

    def _fresh(self, files: Files) -> Actual:
        notes = fresh_roots(files)
        found = {
            name: _assumed_root(files, account, notes.get(name))
            if name in self.wish.assumed and notes.get(name) != FILLED
            else _fresh_root(files, account)
            for name, account in self.wish.accounts.items()
            if notes.get(name) == FILLED or name in self.wish.assumed
        }
        return Actual(fresh={name: root for name, root in found.items() if root})

    def _running(self, host: Host) -> Actual:
        files, accounts, notes = host.files, self.wish.accounts, fresh_roots(host.files)
        # What is fresh is no customer's yet.
        handed = {name: account for name, account in accounts.items() if name not in notes}
        found = {name: parse_delivered(files.read(accounts_note(name))) for name in handed}
        delivered = {name: known for name, known in found.items() if known}
        differing = [each for name, each in handed.items() if delivered.get(name) != each.delivered]
        jails = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n")) if differing else {}
        running = frozenset(each.name for each in differing if jails.get(each.name, {}).get("path") == each.path)
        return Actual(
            running=running,
            delivered=delivered,
            insides={each.name: _inside(files, each) for each in differing if runs(self.wish, running, each)},
        )


def _assumed_root(files: Files, account: Account, noted: str | None) -> FreshRoot | None:
    """Return a root that is not made yet; None if something is there that no note calls fresh: it is a customer's."""
    missing = files.kind(account.path) in ("missing", "empty")
    return FreshRoot(there=False) if missing or noted == EMPTY else None


def _fresh_root(files: Files, account: Account) -> FreshRoot | None:
    """Look at a root that nobody has had yet; what is written in must be a folder of the root's own.

    Of an image that is not mounted nothing can be seen. None if there is no root: a clone that failed left the note.
    """
    kind = files.kind(account.path)
    if kind in ("missing", "empty"):
        return FreshRoot(there=False) if account.image else None
    folders = [account.path, *[f"{account.path}/{name}" for name in ("etc", "etc/ssh", "home", f"home/{account.user}")]]
    strange = [folder for folder in folders if files.kind(folder) == "other"]
    users = parse_passwd(files.read_beneath(account.path, PASSWD, PASSWD_BYTES))
    return FreshRoot(True, users, strange[0] if strange else "")


def _inside(files: Files, account: Account) -> Inside:
    """Read, as data, what a customer's root says."""
    users = parse_passwd(files.read_beneath(account.path, PASSWD, PASSWD_BYTES))
    places = {user: f"{home(users, user).lstrip('/')}/{KEYS_FILE}" for user in (ROOT, account.user)}
    # One more than may be there tells that more is there.
    keys = {
        user: files.read_beneath(account.path, place, KEYS_BYTES + 1, "surrogateescape")
        for user, place in places.items()
    }
    return Inside(users, keys, seen=not account.image or files.kind(account.path) == "folder")
