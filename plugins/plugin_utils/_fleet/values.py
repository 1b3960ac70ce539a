# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Single values of a record: what each kind accepts, and what an error says of the rest."""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_percent, parse_rate, parse_size

from .model import RELEASE_PATTERN, Block, Key

# So much of a value is shown in an error; the line says where the rest is.
_SHOWN = 60
# A network of two addresses or one holds no host.
_PREFIX_MAX = 30

RELEASE = re.compile(RELEASE_PATTERN + r"\Z")
_HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\Z"
)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\Z")
_RELATIVE = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z\Z")
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})\Z")
_PORT_MAX = 65535


def _many(value: t.Any) -> bool:
    """Return whether a value is a list or a mapping."""
    return isinstance(value, (Block, list))


def shown(value: t.Any) -> str:
    """Return a value as it looks in an error: short, on one line, in YAML's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if _many(value):
        return "a list" if isinstance(value, list) else "a mapping"
    return " ".join(str(value).split())[:_SHOWN]


# The readers: each returns the converted value, or raises ValueError that says what to do.


def _read_text(value: t.Any, key: Key) -> str:
    if not isinstance(value, str):
        raise ValueError(
            f"{shown(value)} is not text; " + ("write a line of it" if _many(value) else "put it in quotes")
        )
    if not value.strip() or "\n" in value:
        raise ValueError("is not one line of text; write one")
    if key.pattern and not re.fullmatch(key.pattern, value):
        raise ValueError(f"{shown(value)} is not {key.form}; correct it")
    return value


def _read_integer(value: t.Any, key: Key) -> int:
    least, most = key.minimum, key.maximum
    if isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most):
        return value
    span = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"{shown(value)} is not a whole number {span}; choose one")


def _quantity(value: t.Any, key: Key, parse: t.Callable[[str], int], form: str) -> int:
    """Return a quantity in its least unit; the unit must be there, a bare number could mean anything."""
    if not isinstance(value, str) or value.isdigit():
        raise ValueError(f"{shown(value)} has no unit; write {form}")
    try:
        amount = parse(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is not {form}; write it so") from None
    if amount < key.minimum or (key.maximum is not None and amount > key.maximum):
        raise ValueError(f"{value} is too {'small' if amount < key.minimum else 'large'}; choose another")
    return amount


def _read_size(value: t.Any, key: Key) -> int:
    return _quantity(value, key, parse_size, "a size such as 512M or 4G")


def _read_rate(value: t.Any, key: Key) -> int:
    return _quantity(value, key, parse_rate, "a rate such as 512Kbit/s or 10Mbit/s")


def _read_percent(value: t.Any, key: Key) -> int:
    return _quantity(value, key, parse_percent, "a share such as 50%")


def _read_boolean(value: t.Any, key: Key) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false; choose one")
    return value


def _read_choice(value: t.Any, key: Key) -> str:
    if value not in key.choices:
        raise ValueError(f"{shown(value)} is none of {', '.join(key.choices)}; {_suggest(value, key.choices)}")
    return t.cast(str, value)


def _read_hostname(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not _HOSTNAME.match(value):
        raise ValueError(f"{shown(value)} is not a host name; write one such as www.example.net")
    return value


def _read_mail(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not _MAIL.match(value):
        raise ValueError(f"{shown(value)} is not a mail address; write one such as alice@example.net")
    return value


def _read_path(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not _PATH.match(value):
        raise ValueError(f"{shown(value)} is not an absolute path of plain names; write one such as /usr/local/jails")
    return value


def _read_relative(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not _RELATIVE.match(value):
        raise ValueError(f"{shown(value)} is not a relative path of plain names; write one such as {key.default}")
    return value


def _read_moment(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not _MOMENT.match(value):
        raise ValueError(f"{shown(value)} is not a moment; write one such as 2026-11-24T093000Z")
    return value


def _read_ports(value: t.Any, key: Key) -> tuple[int, int]:
    match = _PORTS.match(value) if isinstance(value, str) else None
    if not match or not 0 < int(match[1]) <= int(match[2]) <= _PORT_MAX:
        raise ValueError(f"{shown(value)} is not a range of ports; write one such as 8000-8999")
    return int(match[1]), int(match[2])


def _read_release(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or not RELEASE.match(value):
        raise ValueError(f"{shown(value)} is not a release; write one such as 15.1-RELEASE-p1")
    return value


def _read_address(value: t.Any, key: Key) -> str:
    try:
        # A number or a boolean would be taken for an address too.
        return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv4 address; write one such as 192.168.1.17") from None


def _read_address6(value: t.Any, key: Key) -> str:
    try:
        return str(ipaddress.IPv6Address(value if isinstance(value, str) and "%" not in value else ""))
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv6 address; write one such as 2001:db8:1::17") from None


def _read_netblock6(value: t.Any, key: Key) -> ipaddress.IPv6Network:
    try:
        return ipaddress.IPv6Network(value if isinstance(value, str) and "/" in value else "")
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv6 network; write one such as 2001:db8:1::/64") from None


def _read_netblock(value: t.Any, key: Key) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) and "/" in value else "", strict=False)
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv4 network; write one such as 192.168.1.0/24") from None
    if str(network) != value:
        raise ValueError(f"{value} has bits of a host; write {network}")
    if network.prefixlen > _PREFIX_MAX:
        raise ValueError(f"{value} has no room for a jail; take a larger network")
    return network


READERS: dict[str, t.Callable[[t.Any, Key], t.Any]] = {
    "name": _read_text,
    "text": _read_text,
    "integer": _read_integer,
    "size": _read_size,
    "rate": _read_rate,
    "percent": _read_percent,
    "boolean": _read_boolean,
    "choice": _read_choice,
    "hostname": _read_hostname,
    "mail": _read_mail,
    "path": _read_path,
    "release": _read_release,
    "address": _read_address,
    "address6": _read_address6,
    "netblock": _read_netblock,
    "netblock6": _read_netblock6,
    "relative": _read_relative,
    "moment": _read_moment,
    "ports": _read_ports,
    "sshkey": _read_text,
    "crypt": _read_text,
}

# Lists of single values: the kind of their elements.
ELEMENTS = {"sshkeys": "sshkey", "addresses": "address"}


def _suggest(word: t.Any, known: t.Iterable[str]) -> str:
    """Return what to do about an unknown word: the known word that it is probably meant to be, or the request."""
    close = difflib.get_close_matches(str(word), list(known), 1)
    return f"did you mean {close[0]}?" if close else "choose one"
