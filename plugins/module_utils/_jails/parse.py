# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What jls(8), sysctl(8), ifconfig(8) and mount(8) print about jails."""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._json import read_json
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

ALLOW_OID = "security.jail.param.allow."
INTERFACE = re.compile(r"(?P<name>\S+): flags=")
ADDRESS = re.compile(r"\s+inet6? (?P<address>[0-9a-f.:]+)")
JID = re.compile(r"[0-9]{1,10}")
AGE = re.compile(rf" *(?P<jid>{JID.pattern}) +(?P<seconds>[0-9]{{1,19}}|-) *")
CONFIGURED = re.compile(r"\|(?P<address>[0-9a-f.:]+)/")

Parameters = dict[str, t.Any]


def parse_jails(text: str) -> dict[str, Parameters]:
    """Return the kernel's parameters of each jail by name, from ``jls --libxo json -n``.

    Values are as libxo gives them: numbers are text, addresses lists of text.
    """
    try:
        jails = read_json(text)["jail-information"].get("jail", [])
        return {jail["name"]: _checked(jail) for jail in jails}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(f"`jls --libxo json -n` printed what is not known: {text[:200]!r}") from error


def _checked(jail: Parameters) -> Parameters:
    """Return a jail; raise ValueError if what every jail has is missing or of another kind, or TypeError."""
    addresses = [jail.get(key, []) for key in ("ip4.addr", "ip6.addr")]
    texts = [*(jail[key] for key in ("name", "path")), *itertools.chain(*addresses)]
    plain = all(isinstance(text, str) and "\0" not in text for text in texts)
    if not plain or not all(isinstance(each, list) for each in addresses) or not JID.fullmatch(jail["jid"]):
        raise ValueError("no jail")
    return jail


def parse_allow(text: str) -> list[str]:
    """Return the allow parameters that this kernel has, without ``allow.``, from ``sysctl -N security.jail.param``."""
    names = {line.removeprefix(ALLOW_OID).rstrip(".") for line in text.splitlines() if line.startswith(ALLOW_OID)}
    return sorted(names - {""})


def parse_interfaces(text: str) -> dict[str, set[str]]:
    """Return the addresses of each interface, from ``ifconfig``."""
    interfaces: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in text.splitlines():
        if match := INTERFACE.match(line):
            current = interfaces.setdefault(match["name"], set())
        elif match := ADDRESS.match(line):
            current.add(match["address"])
    return interfaces


def parse_file(text: str) -> list[str]:
    """Return the addresses in a jail's file that we wrote."""
    lines = [line for line in text.splitlines() if line.startswith(("  ip4.addr = ", "  ip6.addr = "))]
    return [address for line in lines for address in CONFIGURED.findall(line)]


def parse_mounts(text: str) -> list[tuple[str, str]]:
    """Return (kind of file system, mount point) of all mounts in their order, from ``mount -p``."""
    return [(kind, point) for _source, point, kind in parse_table(text)]


def parse_table(text: str) -> list[tuple[str, str, str]]:
    """Return (what is mounted, mount point, kind of file system) of all mounts in their order, from ``mount -p``."""
    rows = []
    for line in filter(str.strip, text.splitlines()):
        try:
            source, point, kind, *_options = line.split()
        except ValueError:
            raise ParseError(f"`mount -p` printed a line that is not known: {line!r}") from None
        rows.append((source, point.replace("\\040", " "), kind))
    return rows


def parse_ages(text: str) -> dict[int, int]:
    """Return the seconds since the oldest process of each jail began, by jid, from ``ps -ax -o jid= -o etimes=``.

    Of a jail that consists of nothing but its parameters there is none, nor of a process that is just ending.
    """
    ages: dict[int, int] = {}
    for line in text.splitlines():
        match = AGE.fullmatch(line)
        if match is None:
            raise ParseError(f"`ps` printed a line that is not known: {line!r}")
        if match["seconds"] != "-":
            jid = int(match["jid"])
            ages[jid] = max(int(match["seconds"]), ages.get(jid, 0))
    return ages


def user_of(running: t.Mapping[str, Parameters], name: str, path: str) -> str | None:
    """Return the running jail that has the name, or that lives in the root or below it; None if there is none."""
    for jail, parameters in running.items():
        if jail == name or f"{parameters['path']}/".startswith(f"{path}/"):
            return jail
    return None
