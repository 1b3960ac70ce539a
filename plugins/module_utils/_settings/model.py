# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The settings of a host: parts of files, kernel modules, sysctl values, interfaces, devfs rulesets."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._daemons.model import login_address
from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name, file_mode

WORD = re.compile(r"[A-Za-z0-9_.]+")
CLONE = re.compile(r"[a-z]+[0-9]+")


@dataclass(frozen=True)
class Part:
    """Our lines in a file of the host."""

    path: str
    lines: tuple[str, ...]
    mode: int


@dataclass(frozen=True)
class Wish:
    """All settings; ``tunables`` are those that the loader sets at boot, and that only a reboot brings into force.

    ``addresses`` are what an interface shall have and no more, with their prefix lengths. ``login`` is the address at
    which this login came in, '' if that is not known.
    """

    parts: tuple[Part, ...]
    modules: tuple[str, ...]
    sysctl: dict[str, str]
    tunables: dict[str, str]
    interfaces: tuple[str, ...]
    addresses: dict[str, tuple[str, ...]]
    rulesets: tuple[int, ...]
    login: str = ""


def wish(parameters: t.Mapping[str, t.Any], connection: str = "") -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`.

    ``connection`` is what sshd says of the login in SSH_CONNECTION.
    """
    files = by_name(parameters["files"], "files", "path")
    for key, pattern in (("kernel_modules", WORD), ("interfaces", CLONE)):
        for word in parameters[key]:
            if not pattern.fullmatch(word):
                raise InvalidDesired(f"{key}: {word!r} is no name of one")
    return Wish(
        parts=tuple(_part(path, record) for path, record in sorted(files.items())),
        modules=tuple(parameters["kernel_modules"]),
        sysctl=_values("sysctl", parameters["sysctl"]),
        tunables=_values("tunables", parameters["tunables"]),
        interfaces=tuple(parameters["interfaces"]),
        addresses={name: _addresses(name, texts) for name, texts in parameters["interface_addresses"].items()},
        rulesets=tuple(parameters["devfs_rulesets"]),
        login=login_address(connection),
    )


def _addresses(name: str, texts: t.Any) -> tuple[str, ...]:
    if not CLONE.fullmatch(name):
        raise InvalidDesired(f"interface_addresses: {name!r} is no name of an interface")
    # A number would be taken for an address, too.
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidDesired(f"interface_addresses: {name}: not a list of addresses; write one")
    try:
        return tuple(str(ipaddress.ip_interface(text)) for text in texts)
    except ValueError as error:
        raise InvalidDesired(f"interface_addresses: {name}: {error}") from error


def _part(path: str, record: t.Mapping[str, t.Any]) -> Part:
    if not is_plain(path):
        raise InvalidDesired(f"files: {path!r}: path: not an absolute, plain path")
    return Part(path, tuple(record["content"].splitlines()), file_mode(path, record["mode"]))


def _values(key: str, values: t.Mapping[str, t.Any]) -> dict[str, str]:
    for name, value in values.items():
        if not WORD.fullmatch(name):
            raise InvalidDesired(f"{key}: {name!r} is no name of a sysctl value")
        if not str(value).isprintable():
            raise InvalidDesired(f"{key}: {name}: {value!r} has characters that cannot be printed; remove them")
    return {name: str(value) for name, value in sorted(values.items())}
