# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The customers' ways into their jails as they shall be: a user, a password, keys."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, backing
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import HOSTNAME, NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name

# pw(8) takes more; these need no quotes anywhere.
USER_PATTERN = r"[a-z_][a-z0-9_-]{0,31}"
USER = re.compile(USER_PATTERN)
_LETTER = "[./0-9A-Za-z]"
_ROUNDS = r"(?:rounds=[1-9][0-9]{3,8}\$)?"
# The hashes that FreeBSD's crypt(3) checks passwords by, by how they begin.
HASHES = {
    "$2": re.compile(rf"\$2[ab]\$(?:0[4-9]|[12][0-9]|3[01])\$(?:{_LETTER}{{53}})"),
    "$5$": re.compile(rf"\$5\${_ROUNDS}{_LETTER}{{1,16}}\${_LETTER}{{43}}"),
    "$6$": re.compile(rf"\$6\${_ROUNDS}{_LETTER}{{1,16}}\${_LETTER}{{86}}"),
}
# The names in etc/master.passwd and etc/group of a release. A user of such a name would be another than meant, or have
# another's rights.
_USERS = (
    "root toor daemon operator bin tty kmem games news man sshd smmsp mailnull bind unbound proxy _pflogd _dhcp uucp "
    "pop auditdistd www ntpd _ypldap hast tests nobody"
)
_GROUPS = (
    "wheel daemon kmem sys tty operator mail bin news man games ftp staff sshd smmsp mailnull guest video realtime "
    "idletime bind unbound proxy authpf _pflogd _dhcp uucp dialer network audit www u2f ntpd _ypldap hast tests "
    "nogroup nobody"
)
BASE_NAMES = frozenset(f"{_USERS} {_GROUPS}".split())


@dataclass(frozen=True)
class Account:
    """How one customer gets into one jail, whose root is at ``path``: by ``keys`` as root and as his ``user``.

    ``password`` is a hash, None if nobody gets in by password. ``runs``: the jail shall run. ``hostname`` and
    ``addresses`` are the jail's own, for its files. ``image`` is what is mounted at the path, where the root is an
    image.
    """

    name: str
    path: str
    user: str
    password: str | None
    keys: tuple[str, ...]
    runs: bool
    hostname: str
    addresses: tuple[str, ...]
    image: Backing | None = None

    @property
    def delivered(self) -> Delivered:
        """Return what is noted of it once the customer has it."""
        return Delivered(self.user, digest(self.password), self.keys)


@dataclass(frozen=True)
class Delivered:
    """What a customer was given: his user, the SHA-256 of the hash of his password (None: no password), his keys."""

    user: str
    password: str | None
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """All accounts by jail.

    ``fresh``: those of roots that were made on this host and that nobody has had yet; else those of running jails.
    ``assumed`` are the jails whose root is there whole, or that run, though the host does not show it: in check mode
    nothing of what came before was done. ``rc_conf`` are the lines that each fresh root's etc/rc.conf has besides its
    name, ``resolvers`` the addresses in its etc/resolv.conf.
    """

    accounts: dict[str, Account]
    fresh: bool
    assumed: frozenset[str]
    rc_conf: str
    resolvers: tuple[str, ...]
    at_once: int


def digest(password: str | None) -> str | None:
    """Return by what a password's hash is known without being kept."""
    return None if password is None else hashlib.sha256(password.encode()).hexdigest()


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`, which shows no secret."""
    records = by_name(parameters["accounts"], "accounts")
    try:
        resolvers = tuple(str(ipaddress.ip_address(address)) for address in parameters["resolvers"])
    except ValueError as error:
        raise InvalidDesired(f"resolvers: {error}") from error
    return Wish(
        accounts={name: _account(record) for name, record in sorted(records.items())},
        fresh=parameters["roots"] == "fresh",
        assumed=frozenset(parameters["assumed"]),
        rc_conf=parameters["rc_conf"],
        resolvers=resolvers,
        at_once=parameters["at_once"],
    )


def _account(record: t.Mapping[str, t.Any]) -> Account:
    name, path, user = record["name"], record["path"], record["user"]
    hostname = record["hostname"] or name
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"accounts: {name!r}: name: no jail can have it; see the module jails for what it takes")
    if not is_plain(path):
        raise InvalidDesired(f"accounts: {name}: path: {path!r} is not an absolute, plain path below /")
    if problem := user_problem(user):
        raise InvalidDesired(f"accounts: {name}: user: {user!r} {problem}")
    if not HOSTNAME.fullmatch(hostname):
        raise InvalidDesired(f"accounts: {name}: hostname: {hostname!r} is none; it takes letters, digits, - and .")
    if record["password"] is not None and not is_hash(record["password"]):
        raise InvalidDesired(
            f"accounts: {name}: password: is no hash that FreeBSD knows; make one with `openssl passwd -6`"
        )
    try:
        addresses = tuple(str(ipaddress.ip_address(address)) for address in record["addresses"])
    except ValueError as error:
        raise InvalidDesired(f"accounts: {name}: addresses: {error}") from error
    return Account(
        name=name,
        path=path,
        user=user,
        password=record["password"],
        keys=tuple(dict.fromkeys(_key(name, place, key) for place, key in enumerate(record["keys"]))),
        runs=record["runs"],
        hostname=hostname,
        addresses=addresses,
        image=backing(f"accounts: {name}", record, path),
    )


def _key(name: str, place: int, key: str) -> str:
    line = key.strip()
    if not line or not line.isprintable() or line.startswith("#"):
        raise InvalidDesired(
            f"accounts: {name}: keys[{place}]: is not one line with a public key; write TYPE KEY COMMENT"
        )
    return line


def is_hash(text: str) -> bool:
    """Whether FreeBSD's crypt(3) checks passwords by a text; such a text fits into a field of master.passwd(5)."""
    return any(form.fullmatch(text) for form in HASHES.values())


def user_problem(user: str) -> str:
    """Say what is wrong with the name of a customer's user, '' if nothing is."""
    if not USER.fullmatch(user):
        return "is not a login name; write a small letter or _, then small letters, digits, - and _, at most 32"
    if user in BASE_NAMES:
        return "is a user or a group that FreeBSD has itself; choose another"
    return ""
