# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What a root's account files say, read as data, and the notes of what was delivered."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import Delivered
from ansible_collections.jailisp.vps.plugins.module_utils._json import read_json

PASSWD = "etc/master.passwd"
PASSWD_BYTES = 1 << 20
KEYS_BYTES = 64 << 10
# Where a user's home may be for us to put keys there.
_HOME = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_ROW = re.compile(
    r"(?P<name>[^:#\s]+):(?P<password>[^:]*):(?P<uid>[0-9]{1,10}):(?P<gid>[0-9]{1,10}):(?:[^:]*:){4}(?P<home>[^:]*):[^:]*"
)


class User(t.NamedTuple):
    """A line of master.passwd(5): the hash in it, numbers, and the home, '' if it is no plain path."""

    password: str
    uid: int
    gid: int
    home: str


def parse_passwd(text: str | None) -> dict[str, User]:
    """Return the users in a root's master.passwd(5); what is no line of such a file is passed over.

    Of two lines with a name the first counts, as it does for the system.
    """
    users: dict[str, User] = {}
    for match in filter(None, map(_ROW.fullmatch, (text or "").splitlines())):
        home = match["home"] if _HOME.fullmatch(match["home"]) else ""
        users.setdefault(match["name"], User(match["password"], int(match["uid"]), int(match["gid"]), home))
    return users


def parse_keys(text: str | None) -> list[str]:
    """Return the lines of an authorized_keys file; none if there is no such file."""
    return (text or "").splitlines()


def parse_delivered(text: str | None) -> Delivered | None:
    """Return what the host notes that a customer was given, None if there is no note, or a damaged one."""
    try:
        found = read_json(text or "")
        return Delivered(found["user"], found["password"], tuple(found["keys"]))
    except (ValueError, KeyError, TypeError):
        return None
