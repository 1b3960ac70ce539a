# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Accounts as files, and as commands that get every secret on their standard input."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import accounts_note
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Run, Write, WriteBeneath

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import Account, Delivered, Wish

# So long a program of a customer's may take.
SECONDS_INSIDE = 60
HEADER = "# Written when this server was made; it is yours now.\n"
KEYS_FILE = ".ssh/authorized_keys"
# In a jail, as its root: $1 is a home, $2 whose it is. The new keys come whole, or not at all.
PUT_KEYS = (
    'umask 077 && mkdir -p "$1/.ssh" && cd "$1/.ssh" && cat > authorized_keys.new && '
    'chown "$2" . authorized_keys.new && mv -f authorized_keys.new authorized_keys'
)


def delivered_note(account: Account) -> Write:
    """Return the step that notes what a customer was given."""
    content = json.dumps(asdict(account.delivered), indent=1, sort_keys=True) + "\n"
    return Write(accounts_note(account.name), content, 0o600, account.name)


def set_password(account: Account, *words: str) -> Run:
    """Return the command that sets a user's password in a root that nobody has had yet."""
    return Run(_with_password(("pw", "-R", account.path, *words), account.password), account.name)


def set_password_inside(account: Account, user: str) -> Run:
    """Return the command that sets a user's password in a running jail."""
    command = _with_password(("jexec", account.name, "/usr/sbin/pw", "usermod", user), account.password)
    return Run(Command(command.argv, command.stdin, SECONDS_INSIDE, silent=True), account.name)


def _with_password(argv: tuple[str, ...], password: str | None) -> Command:
    """Give pw(8) a hash on its standard input; without one it locks the password."""
    if password is None:
        return Command((*argv, "-h", "-"))
    return Command((*argv, "-H", "0"), f"{password}\n", secret=True)


def put_keys_inside(account: Account, user: str, home: str, lines: t.Iterable[str]) -> Run:
    """Return the command that gives a user of a running jail his keys."""
    argv = ("jexec", account.name, "/bin/sh", "-c", PUT_KEYS, "sh", home, user)
    return Run(Command(argv, _text(lines), SECONDS_INSIDE, silent=True), account.name)


def put_keys(account: Account, home: str, owner: tuple[int, int]) -> WriteBeneath:
    """Return the step that gives a user his keys in a root that nobody has had yet."""
    return WriteBeneath(
        account.path, f"{home.lstrip('/')}/{KEYS_FILE}", _text(account.keys), 0o600, owner, account.name
    )


def files(wish: Wish, account: Account) -> list[WriteBeneath]:
    """Return the steps that tell a root that nobody has had yet what its jail is called and where it is."""
    contents = {"etc/rc.conf": rc_conf(wish, account), "etc/hosts": hosts(account)}
    if wish.resolvers:
        contents["etc/resolv.conf"] = _text(f"nameserver {address}" for address in wish.resolvers)
    return [WriteBeneath(account.path, name, text, subject=account.name) for name, text in contents.items()]


def rc_conf(wish: Wish, account: Account) -> str:
    """Return etc/rc.conf of the jail."""
    return f'{HEADER}hostname="{account.hostname}"\n{wish.rc_conf.rstrip()}\n'


def hosts(account: Account) -> str:
    """Return etc/hosts of the jail."""
    names = dict.fromkeys((account.hostname, account.hostname.partition(".")[0]))
    own = [f"{address}\t{' '.join(names)}" for address in account.addresses]
    return HEADER + _text(["::1\tlocalhost", "127.0.0.1\tlocalhost", *own])


def shown(delivered: Delivered | None, before: Delivered | None = None) -> dict[str, t.Any] | None:
    """Return what may be seen of what was delivered: of the password only whether there is one, and a new one."""
    if delivered is None:
        return None
    password = "none" if delivered.password is None else "set"
    if before and delivered.password and before.password not in (None, delivered.password):
        password = "changed"
    return {"user": delivered.user, "password": password, "keys": list(delivered.keys)}


def _text(lines: t.Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
