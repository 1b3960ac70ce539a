# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that every customer gets into his jail.

A root that was made here and that nobody has had yet is given its accounts by the host's own tools, then it is the
customer's: the note that it is fresh goes last. From then on the host runs nothing on it and writes nothing in it.
What the record says anew goes into the running jail on the standard input of a program in there, and only what it
says anew: what the customer changed himself stays.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._accounts import render
from ansible_collections.jailisp.vps.plugins.module_utils._accounts.parse import KEYS_BYTES, PASSWD, parse_keys
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Branches, Change, Plan, Remove, Run, Step

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import Account, Delivered, Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._accounts.parse import User

UID = 1001
ROOT = "root"


@dataclass(frozen=True)
class FreshRoot:
    """A root that nobody has had yet: the users in it, and what of the folders that are written in is none.

    ``there`` is false where it cannot be seen: in check mode it was not made, or its image not mounted.
    """

    there: bool
    users: dict[str, User] = field(default_factory=dict)
    strange: str = ""


@dataclass(frozen=True)
class Inside:
    """What a running jail's root says of itself: its users, and the lines of those authorized_keys that we write.

    The lines are by user; both are the customer's word. Not ``seen``: it is in an image that is not mounted, and what
    is foretold has to go by what was delivered before.
    """

    users: dict[str, User]
    keys: dict[str, str | None]
    seen: bool = True


@dataclass(frozen=True)
class Actual:
    """What is: the ``fresh`` roots; the jails that are ``running`` at their path, what was ``delivered`` by jail.

    ``insides`` are of those running jails to which something else was delivered than is wished.
    """

    fresh: dict[str, FreshRoot] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    delivered: dict[str, Delivered] = field(default_factory=dict)
    insides: dict[str, Inside] = field(default_factory=dict)


# Fresh roots ----------------------------------------------------------------------------------------------------------


def plan_fresh(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps that hand each fresh root to its customer, root beside root."""
    refused = {name: why for name, why in ((name, _unfit(root)) for name, root in actual.fresh.items()) if why}
    accounts = [wish.accounts[name] for name in actual.fresh if name not in refused]
    return Plan(
        steps=_side_by_side([_hand_over(wish, each, actual.fresh[each.name]) for each in accounts], wish),
        changes=tuple(Change(f"account {each.name}", None, render.shown(each.delivered)) for each in accounts),
        refused=tuple(refused.items()),
        notes={"unready": sorted(actual.fresh if attempt > 1 else refused)},
    )


def _unfit(root: FreshRoot) -> str:
    if root.strange:
        return f"{root.strange} is no folder; see what the archive of its release holds"
    if root.there and ROOT not in root.users:
        return f"its {PASSWD} is no plain file that lists root; see what the archive of its release holds"
    return ""


def _side_by_side(branches: list[list[Step]], wish: Wish) -> tuple[Branches, ...]:
    if not branches:
        return ()
    return (Branches(tuple(map(tuple, branches)), ((),) * len(branches), wish.at_once),)


def _hand_over(wish: Wish, account: Account, root: FreshRoot) -> list[Step]:
    """Return the steps for one root: passwords, keys, a jail's own host keys, its name; the note goes last."""
    name = account.name
    mount, unmount = (
        [Run(script(action, account.image, account.path), name)] if account.image else []
        for action in ("mount", "unmount")
    )
    return [
        *mount,
        render.set_password(account, "usermod", ROOT),
        _user(account, root),
        *_keys(account, root),
        *_host_keys(account),
        *render.files(wish, account),
        *unmount,
        render.delivered_note(account),
        Remove(note(name), name),
    ]


def _user(account: Account, root: FreshRoot) -> Run:
    """Make the user; if a run that was cut off made him, have him as he shall be."""
    like = ("-m", "-G", "wheel", "-s", "/bin/sh")
    if account.user in root.users:
        return render.set_password(account, "usermod", account.user, *like)
    return render.set_password(account, "useradd", account.user, "-u", str(UID), *like)


def _keys(account: Account, root: FreshRoot) -> list[Step]:
    if not account.keys:
        return []
    user = root.users.get(account.user)
    owner = (user.uid, user.gid) if user else (UID, UID)
    return [
        render.put_keys(account, "/root", (0, 0)),
        render.put_keys(account, home(root.users, account.user), owner),
    ]


def home(users: t.Mapping[str, User], user: str) -> str:
    """Return a user's home; of one that the root does not tell, where it would be."""
    found = users[user].home if user in users else ""
    return found or ("/root" if user == ROOT else f"/home/{user}")


def _host_keys(account: Account) -> list[Step]:
    """Make the jail's host keys; those that came with the release are in every jail made from it."""
    path, name = account.path, account.name
    return [
        Run(Command(("find", f"{path}/etc/ssh", "-name", "ssh_host_*", "-delete")), name),
        Run(Command(("ssh-keygen", "-A", "-f", path)), name),
    ]


# Running jails --------------------------------------------------------------------------------------------------------


def runs(wish: Wish, actual_running: t.Collection[str], account: Account) -> bool:
    """Whether something can be delivered into a jail in this run."""
    return account.runs and (account.name in actual_running or account.name in wish.assumed)


def plan_running(wish: Wish, actual: Actual) -> Plan:
    """Return the steps that deliver what the records say anew, jail beside jail."""
    differing = [each for each in wish.accounts.values() if actual.delivered.get(each.name) != each.delivered]
    reached = [each for each in differing if runs(wish, actual.running, each)]
    agreeing = [each for each in reached if each.name not in actual.delivered and _agrees(each, actual)]
    late = [each for each in reached if each not in agreeing]
    refused = {each.name: why for each, why in ((each, _too_long(actual.insides[each.name])) for each in late) if why}
    late = [each for each in late if each.name not in refused]
    gone = {each.name: each.user for each in late if _is_gone(each, actual)}
    return Plan(
        steps=_side_by_side([_deliver(each, actual) for each in late], wish),
        changes=tuple(_change(each, actual.delivered.get(each.name)) for each in late),
        refused=tuple(refused.items()),
        quiet=tuple(render.delivered_note(each) for each in agreeing),
        notes={
            "waiting": sorted(each.name for each in differing if each not in reached),
            # Only seen before it is delivered: what is looked at afterwards says nothing of it.
            **({"gone": gone} if gone else {}),
        },
    )


def _change(account: Account, before: Delivered | None) -> Change:
    return Change(f"account {account.name}", render.shown(before), render.shown(account.delivered, before))


def _is_gone(account: Account, actual: Actual) -> bool:
    """Whether the customer has removed his user."""
    inside = actual.insides[account.name]
    return inside.seen and account.user not in inside.users


def _who(account: Account, actual: Actual) -> list[str]:
    return [ROOT] if _is_gone(account, actual) else [ROOT, account.user]


def _agrees(account: Account, actual: Actual) -> bool:
    """Whether a jail that nothing is noted of has what is wished already."""
    inside = actual.insides[account.name]
    if _is_gone(account, actual):
        return False
    return all(
        (account.password is None or (user in inside.users and inside.users[user].password == account.password))
        and set(account.keys) <= set(parse_keys(inside.keys[user]))
        for user in _who(account, actual)
    )


def _too_long(inside: Inside) -> str:
    for user, text in inside.keys.items():
        if len((text or "").encode(errors="surrogateescape")) > KEYS_BYTES:
            return f"the {render.KEYS_FILE} of {user} is longer than {KEYS_BYTES} bytes; its customer has to shorten it"
    return ""


def _deliver(account: Account, actual: Actual) -> list[Step]:
    """Return the steps for one jail: what differs from what was delivered, and then the note of it."""
    before, after = actual.delivered.get(account.name), account.delivered
    old = before.keys if before else ()
    found: list[Step] = []
    for user in _who(account, actual):
        anew = before is None or (user == account.user and before.user != user)
        if (before.password if before else None) != after.password or (anew and after.password):
            found.append(render.set_password_inside(account, user))
        if set(old) != set(after.keys) or (anew and after.keys):
            found.append(_deliver_keys(account, user, old, actual.insides[account.name]))
    return [*found, render.delivered_note(account)]


def _deliver_keys(account: Account, user: str, old: tuple[str, ...], inside: Inside) -> Run:
    """Give a user his keys; those that we did not deliver are his own."""
    own = [line for line in parse_keys(inside.keys[user]) if line not in (*old, *account.keys)]
    return render.put_keys_inside(account, user, home(inside.users, user), [*own, *account.keys])
