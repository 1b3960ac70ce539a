# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What jls(8), sysctl(8), ifconfig(8) and mount(8) print about jails."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

ALLOW_OID = "security.jail.param.allow."
INTERFACE = re.compile(r"(?P<name>\S+): flags=")
ADDRESS = re.compile(r"\s+inet6? (?P<address>[0-9a-f.:]+)")
AGE = re.compile(r" *(?P<jid>[0-9]+) +(?P<seconds>[0-9]+|-) *")
CONFIGURED = re.compile(r"\|(?P<address>[0-9a-f.:]+)/")

Parameters = dict[str, t.Any]


def parse_jails(text: str) -> dict[str, Parameters]:
    """Return the kernel's parameters of each jail by name, from ``jls --libxo json -n``.

    Values are as libxo gives them: numbers are text, addresses lists of text.
    """
    try:
        jails = json.loads(text)["jail-information"].get("jail", [])
        return {jail["name"]: jail for jail in jails}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(f"`jls --libxo json -n` printed what is not known: {text[:200]!r}") from error


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
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return [(kind, point.replace("\\040", " ")) for _source, point, kind, *_options in rows]


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
