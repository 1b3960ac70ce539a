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

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import USER_PATTERN, user_problem
from ansible_collections.jailisp.vps.plugins.module_utils._units import (
    PERCENT_PATTERN,
    RATE_PATTERN,
    SIZE_PATTERN,
    format_rate,
    format_size,
    parse_moment,
    parse_percent,
    parse_rate,
    parse_size,
)

from .credentials import CRYPT_PATTERN, SSH_KEY_PATTERN, read_crypt, read_ssh_key
from .model import NAME_PATTERN, RELEASE_PATTERN, Block, Key, Vaulted, printable

# So much of a value is shown in an error; the line says where the rest is.
_SHOWN = 60
# Longer texts are for no record, and would take time to match.
_LONGEST = 1023
_LONGEST_TEXT = 255
_LONGEST_FILE_NAME = 255
# A network of two addresses or one holds no host.
_PREFIX_MAX = 30
_PREFIX6_MAX = 126
# How a vaulted value looks in an error.
VAULTED = "(vaulted)"
# Kinds whose values are never shown: what is pasted there by mistake may be a private key or a password.
_UNSHOWN = frozenset({"sshkey", "crypt"})

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

# What a text of each kind looks like from end to end. The schemas for editors (schema.py) take them from here, so they
# are written in what Python's and JavaScript's regular expressions have in common: no \d, no \Z.
PATTERNS = {
    "text": r"[^\n]*[^\s][^\n]*",
    # A bare number could mean any unit.
    "size": r"(?![0-9]+$)" + SIZE_PATTERN,
    "rate": RATE_PATTERN,
    "percent": PERCENT_PATTERN,
    "hostname": rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
    "login": USER_PATTERN,
    "mail": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "path": r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+",
    "relative": r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
    "moment": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z",
    "ports": r"([0-9]{1,5})-([0-9]{1,5})",
    "portrange": r"([0-9]{1,5})-([0-9]{1,5})",
    "network": r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?",
    "release": RELEASE_PATTERN,
    "netblock": r"[0-9.]+/[0-9]{1,2}",
    "netblock6": r"[0-9A-Fa-f:.]+/[0-9]{1,3}",
    "sshkey": SSH_KEY_PATTERN,
    "crypt": CRYPT_PATTERN,
}
_COMPILED = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}

_PORT_MAX = 65535
# Each port of a range is looked at by itself; who needs more than these needs an address of his own.
_RANGE_MAX = 1000


def _many(value: t.Any) -> bool:
    """Return whether a value is a list or a mapping."""
    return isinstance(value, (Block, list))


def shown(value: t.Any) -> str:
    """Return a value as it looks in an error: short, on one line, in YAML's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if _many(value):
        return "a list" if isinstance(value, list) else "a mapping"
    if isinstance(value, Vaulted):
        return VAULTED
    return printable(" ".join(str(value).split())[:_SHOWN])


def said_of(block: Block, key: str, value: t.Any) -> str:
    """Return a converted value of a mapping's key as an error may say it: not at all, if it was vaulted."""
    return VAULTED if isinstance(block.values.get(key), Vaulted) else str(value)


def _match(value: t.Any, kind: str) -> re.Match[str] | None:
    """Return the match of a value with the pattern of its kind; None if it is no text, or another."""
    return _COMPILED[kind].fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None


def read_value(raw: t.Any, key: Key) -> t.Any:
    """Return a single value converted as its key's kind wants it; raise ValueError that shows it and what to do."""
    try:
        return READERS[key.kind](raw.value if isinstance(raw, Vaulted) else raw, key)
    except ValueError as error:
        raise ValueError(_complaint(raw, key, str(error))) from None


def _complaint(raw: t.Any, key: Key, text: str) -> str:
    """Return what is wrong with a value, the value in front; of one that must not be seen, nothing shows."""
    if key.kind in _UNSHOWN:
        return text
    if isinstance(raw, Vaulted):
        # The advice may hold what the value is almost.
        text = text.partition(";")[0] + "; correct it"
    return f"{shown(raw)} {text}".strip()


def _matching(value: t.Any, kind: str, complaint: str) -> str:
    """Return a text that matches the pattern of its kind; raise ValueError with the complaint if it does not."""
    if not isinstance(value, str) or not _match(value, kind):
        raise ValueError(complaint)
    return value


# The readers: each returns the converted value, or raises ValueError that says, after the value, what to do. Before the
# semicolon nothing of the value itself may stand.


def _read_text(value: t.Any, key: Key) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text; " + ("write a line of it" if _many(value) else "put it in quotes"))
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"is longer than {_LONGEST_TEXT} characters; shorten it")
    if not _match(value, "text"):
        raise ValueError("is not one line of text; write one")
    if not value.isprintable():
        raise ValueError("has characters that cannot be printed; remove them")
    if key.pattern and not re.fullmatch(key.pattern, value):
        raise ValueError(f"is not {key.form}; correct it")
    return value


def _read_integer(value: t.Any, key: Key) -> int:
    least, most = key.minimum, key.maximum
    if isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most):
        return value
    span = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"is not a whole number {span}; choose one")


class _Unit(t.NamedTuple):
    """How a quantity is written: an example, and the functions from and to text."""

    form: str
    parse: t.Callable[[str], int]
    show: t.Callable[[int], str]


_SIZE = _Unit("a size such as 512M or 4G", parse_size, format_size)
_RATE = _Unit("a rate such as 512Kbit/s or 10Mbit/s", parse_rate, format_rate)
_PERCENT = _Unit("a share such as 50%", parse_percent, "{}%".format)


def _quantity(value: t.Any, key: Key, unit: _Unit) -> int:
    """Return a quantity in its least unit; the unit must be there, a bare number could mean anything."""
    if not isinstance(value, str) or re.fullmatch("[0-9]+", value):
        raise ValueError(f"has no unit; write {unit.form}")
    try:
        amount = unit.parse(value)
    except ValueError:
        raise ValueError(f"is not {unit.form}; write it so") from None
    if amount < key.minimum:
        raise ValueError(f"is too small; take at least {unit.show(key.minimum)}")
    if key.maximum is not None and amount > key.maximum:
        raise ValueError(f"is too large; take at most {unit.show(key.maximum)}")
    return amount


def _read_boolean(value: t.Any, key: Key) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false; choose one")
    return value


def _read_choice(value: t.Any, key: Key) -> str:
    if value not in key.choices:
        raise ValueError(f"is none of {', '.join(key.choices)}; {meant(value, key.choices) or 'choose one'}")
    return t.cast(str, value)


def _read_hostname(value: t.Any, key: Key) -> str:
    return _matching(value, "hostname", "is not a host name; write one such as www.example.net")


def _read_mail(value: t.Any, key: Key) -> str:
    complaint = "is not a mail address; write one such as alice@example.net"
    address = _matching(value, "mail", complaint)
    # A program that is given one as an argument must not take it for an option.
    if not address.isprintable() or len(address) > _LONGEST_TEXT or address.startswith("-"):
        raise ValueError(complaint)
    return address


def _read_path(value: t.Any, key: Key) -> str:
    if not isinstance(value, str) or (len(value) <= _LONGEST and not _match(value, "path")):
        raise ValueError("is not an absolute path of plain names; write one such as /usr/local/jails")
    if key.maximum is not None and len(value) > key.maximum:
        raise ValueError(f"is longer than {key.maximum} characters; take a shorter path")
    if any(len(name) > _LONGEST_FILE_NAME for name in value.split("/")):
        raise ValueError(f"has a name of more than {_LONGEST_FILE_NAME} characters in it; take a shorter one")
    return value


def _read_relative(value: t.Any, key: Key) -> str:
    return _matching(value, "relative", f"is not a relative path of plain names; write one such as {key.default}")


def _read_moment(value: t.Any, key: Key) -> str:
    complaint = "is not a moment; write one such as 2026-11-24T093000Z"
    moment = _matching(value, "moment", complaint)
    try:
        parse_moment(moment)
    except ValueError:
        raise ValueError(complaint) from None
    return moment


def _read_ports(value: t.Any, key: Key) -> tuple[int, int]:
    match = _match(value, "ports")
    if not match or not 0 < int(match[1]) <= int(match[2]) <= _PORT_MAX:
        raise ValueError("is not a range of ports; write one such as 8000-8999")
    return int(match[1]), int(match[2])


def port_range(port: int | t.Sequence[int]) -> range:
    """Return the ports that a value of kind `portrange` means: one, or from the first to the last."""
    first, last = (port, port) if isinstance(port, int) else port
    return range(first, last + 1)


def _read_port_range(value: t.Any, key: Key) -> int | tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _PORT_MAX:
        return value
    match = _match(value, "portrange")
    if not match or not 0 < int(match[1]) < int(match[2]) <= _PORT_MAX:
        raise ValueError("is neither a port nor a range of ports; write one such as 8000 or 8000-8009")
    if int(match[2]) - int(match[1]) >= _RANGE_MAX:
        raise ValueError(f"is more than {_RANGE_MAX} ports; give the jail a public address of its own")
    return int(match[1]), int(match[2])


def _read_release(value: t.Any, key: Key) -> str:
    return _matching(value, "release", "is not a release; write one such as 15.1-RELEASE-p1")


def _read_login(value: t.Any, key: Key) -> str:
    if problem := user_problem(value if isinstance(value, str) else ""):
        raise ValueError(problem)
    return str(value)


# Addresses ------------------------------------------------------------------------------------------------------------

# What no interface of a jail or a host can have, or no neighbour would answer.
_UNUSABLE: dict[str, tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = {
    kind: tuple(ipaddress.ip_network(network) for network in networks)
    for kind, networks in {
        "an unspecified": ("0.0.0.0/8", "::/128"),
        "a loopback": ("127.0.0.0/8", "::1/128"),
        "a link-local": ("169.254.0.0/16", "fe80::/10"),
        "a multicast": ("224.0.0.0/4", "ff00::/8"),
        "a reserved": ("240.0.0.0/4",),
        "an IPv4-mapped": ("::ffff:0:0/96",),
        "an IPv4-compatible": ("::/96",),
    }.items()
}


def _check_usable(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """Raise ValueError if a network (or an address, as a network of one) is of a kind that no host can use."""
    for kind, unusable in _UNUSABLE.items():
        if any(network.overlaps(each) for each in unusable if each.version == network.version):
            raise ValueError(f"is {kind} address; choose another")


def _read_address(value: t.Any, key: Key) -> str:
    try:
        # A number or a boolean would be taken for an address too.
        address = ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not an IPv4 address; write one such as 192.168.1.17") from None
    if _first_octet(address) in _UNUSABLE_OCTETS:
        _check_usable(ipaddress.IPv4Network(address))
    return str(address)


def _first_octet(address: ipaddress.IPv4Address) -> int:
    return int(address) >> 24


# Of the many addresses of a fleet, those that need no closer look are told by their first octet.
_UNUSABLE_OCTETS = frozenset({0, 127, 169, *range(224, 256)})


def _read_address6(value: t.Any, key: Key) -> str:
    try:
        address = ipaddress.IPv6Address(value if isinstance(value, str) and "%" not in value else "")
    except ValueError:
        raise ValueError("is not an IPv6 address; write one such as 2001:db8:1::17") from None
    _check_usable(ipaddress.IPv6Network(address))
    return str(address)


def _read_address46(value: t.Any, key: Key) -> str:
    if isinstance(value, str) and ":" in value:
        return _read_address6(value, key)
    try:
        return _read_address(value, key)
    except ValueError as error:
        raise ValueError(str(error).replace("an IPv4 address;", "an IPv4 or IPv6 address;")) from None


def _read_netblock(value: t.Any, key: Key) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(value if _match(value, "netblock") else "", strict=False)
    except ValueError:
        raise ValueError("is not an IPv4 network; write one such as 192.168.1.0/24") from None
    if str(network) != value:
        raise ValueError(f"has bits of a host; write {network}")
    if network.prefixlen > _PREFIX_MAX:
        raise ValueError("has no room for a jail; take a larger network")
    _check_usable(network)
    return network


def _read_netblock6(value: t.Any, key: Key) -> ipaddress.IPv6Network:
    try:
        interface = ipaddress.IPv6Interface(value if _match(value, "netblock6") else "")
    except ValueError:
        raise ValueError("is not an IPv6 network; write one such as 2001:db8:1::/64") from None
    if interface.ip != interface.network.network_address:
        raise ValueError(f"has bits of a host; write {interface.network}")
    if interface.network.prefixlen > _PREFIX6_MAX:
        raise ValueError("has no room for a jail; take a larger network")
    _check_usable(interface.network)
    return interface.network


def _read_network(value: t.Any, key: Key) -> str:
    complaint = "is neither an address nor a network; write one such as 198.51.100.0/24"
    if not _match(value, "network"):
        raise ValueError(complaint)
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        raise ValueError(complaint) from None
    if interface.ip != interface.network.network_address:
        raise ValueError(f"has bits of a host; write {interface.network}")
    _check_usable(interface.network)
    return str(interface.network) if "/" in value else str(interface.ip)


READERS: dict[str, t.Callable[[t.Any, Key], t.Any]] = {
    "name": _read_text,
    "text": _read_text,
    "integer": _read_integer,
    "size": lambda value, key: _quantity(value, key, _SIZE),
    "rate": lambda value, key: _quantity(value, key, _RATE),
    "percent": lambda value, key: _quantity(value, key, _PERCENT),
    "boolean": _read_boolean,
    "choice": _read_choice,
    "hostname": _read_hostname,
    "mail": _read_mail,
    "path": _read_path,
    "release": _read_release,
    "login": _read_login,
    "address": _read_address,
    "address6": _read_address6,
    "address46": _read_address46,
    "netblock": _read_netblock,
    "netblock6": _read_netblock6,
    "relative": _read_relative,
    "moment": _read_moment,
    "ports": _read_ports,
    "portrange": _read_port_range,
    "network": _read_network,
    "sshkey": lambda value, key: read_ssh_key(value),
    "crypt": lambda value, key: read_crypt(value),
}

# Mappings whose keys are free: what a key looks like, and what is said of one that is none.
ENTRIES = {
    "releases": (RELEASE_PATTERN, "is not a release; write one such as 15.1-RELEASE-p1"),
    "named": (NAME_PATTERN, "is not a name; take a letter, then at most 30 of small letters, digits, - and _"),
}

# Lists of single values: the kind of their elements.
ELEMENTS = {
    "sshkeys": "sshkey",
    "addresses": "address",
    "addresses46": "address46",
    "choices": "choice",
    "networks": "network",
    "texts": "text",
}


def meant(word: t.Any, known: t.Collection[str]) -> str:
    """Return the question whether an unknown word is meant to be a known one; '' if it resembles none."""
    close = difflib.get_close_matches(str(word)[:_SHOWN], known, 1)
    return f"did you mean {close[0]}?" if close else ""
