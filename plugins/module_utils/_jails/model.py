# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""A jail as it shall be: what jail(8) carries, and nothing that it could not."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, backing
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name
from ansible_collections.jailisp.vps.plugins.module_utils._releases import plain
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import Vnet, vnet

# A name is also an rctl subject, a pf tag, a dataset and a file; all digits would mean a jail's number.
NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
INTERFACE = re.compile(r"[a-z][a-z0-9_.]{0,14}")
HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
ALLOW = re.compile(r"[a-z0-9_.]+")
LONGEST_PATH = 1023

# allow.* that a customer's server needs; set_hostname and unprivileged_proc_debug, which a FreeBSD jail has by default
# too, are not among them.
ALLOWED_BY_DEFAULT = ("reserved_ports", "suser")


@dataclass(frozen=True)
class Jail:
    """One jail. ``state``: running, stopped, suspended or absent; ``restart``: may it be restarted to change it.

    ``image`` is what is mounted at the path, where the root is an image. ``vnet`` is the link of a network stack of its
    own; without it the jail shares the host's, with its addresses on ``interface``.
    """

    name: str
    path: str
    hostname: str
    state: str
    interface: str
    ip4: tuple[str, ...]
    ip6: tuple[str, ...]
    securelevel: int
    enforce_statfs: int
    devfs_ruleset: int
    children_max: int
    sysvipc: str
    allow: frozenset[str]
    restart: bool
    image: Backing | None = None
    vnet: Vnet | None = None

    @property
    def aliases(self) -> tuple[str, ...]:
        """The addresses that it has on the host's interface."""
        return () if self.vnet else (*self.ip4, *self.ip6)

    @property
    def runs(self) -> bool:
        """Whether it shall run."""
        return self.state == "running"


@dataclass(frozen=True)
class Wish:
    """All jails of the host by name, and how to go about it; ``loaded_rulesets`` of devfs need not be looked at."""

    jails: dict[str, Jail]
    folder: str
    at_once: int
    exec_timeout: int
    stop_timeout: int
    most_removals: int
    loaded_rulesets: frozenset[int] = frozenset()

    def file(self, name: str) -> str:
        """Return the path of a jail's configuration."""
        return f"{self.folder}/{name}.conf"


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    records = by_name(parameters["jails"], "jails")
    jails = {name: _jail(record) for name, record in sorted(records.items())}
    _unique(jails, "path", lambda jail: (jail.path,))
    _unique(jails, "address", lambda jail: jail.ip4 + jail.ip6)
    _unique(jails, "vnet: id", lambda jail: (str(jail.vnet.id),) if jail.vnet else ())
    return Wish(
        jails=jails,
        folder=plain("folder", parameters["folder"]),
        at_once=parameters["at_once"],
        exec_timeout=parameters["exec_timeout"],
        stop_timeout=parameters["stop_timeout"],
        most_removals=parameters["most_removals"],
        loaded_rulesets=frozenset(parameters["loaded_rulesets"]),
    )


def _jail(record: t.Mapping[str, t.Any]) -> Jail:
    name = record["name"]
    _matches(NAME, name, name, "name", "a small letter, then small letters, digits, - and _, at most 31")
    hostname = record["hostname"] or name
    _matches(HOSTNAME, hostname, name, "hostname", "letters, digits, - and .")
    _matches(INTERFACE, record["interface"], name, "interface", "an interface such as lo1")
    for word in record["allow"]:
        _matches(ALLOW, word, name, "allow", "the name of an allow parameter without `allow.`")
    path = _path(name, record["path"])
    ip4 = _addresses(name, "ip4", record["ip4"], ipaddress.IPv4Address)
    ip6 = _addresses(name, "ip6", record["ip6"], ipaddress.IPv6Address)
    return Jail(
        name=name,
        path=path,
        hostname=hostname,
        state=record["state"],
        interface=record["interface"],
        ip4=ip4,
        ip6=ip6,
        securelevel=record["securelevel"],
        enforce_statfs=record["enforce_statfs"],
        devfs_ruleset=record["devfs_ruleset"],
        children_max=record["children_max"],
        sysvipc=record["sysvipc"],
        allow=frozenset(record["allow"]),
        restart=record["restart"],
        image=backing(f"jails: {name}", record, path),
        vnet=vnet(f"jails: {name}", record, ip4, ip6),
    )


def _matches(pattern: re.Pattern[str], value: str, name: str, key: str, form: str) -> None:
    if not pattern.fullmatch(value):
        raise InvalidDesired(f"jails: {name!r}: {key}: jail(8) cannot carry {value!r}; it takes {form}")


def _path(name: str, path: str) -> str:
    if len(path) > LONGEST_PATH:
        raise InvalidDesired(f"jails: {name}: path: longer than jail(8)'s {LONGEST_PATH} characters")
    if not is_plain(path):
        raise InvalidDesired(f"jails: {name}: path: {path!r} is not an absolute, plain path below /")
    return path


def _addresses(name: str, key: str, texts: t.Sequence[str], kind: t.Callable[[str], t.Any]) -> tuple[str, ...]:
    try:
        return tuple(str(kind(text)) for text in texts)
    except ValueError as error:
        raise InvalidDesired(f"jails: {name}: {key}: {error}") from error


def _unique(jails: dict[str, Jail], what: str, keys: t.Callable[[Jail], t.Iterable[str]]) -> None:
    taken: dict[str, str] = {}
    for jail in jails.values():
        for key in keys(jail) if jail.state != "absent" else ():
            if key in taken:
                raise InvalidDesired(f"jails: {jail.name}: {what}: {key} is taken by {taken[key]}; give one another")
            taken[key] = jail.name
