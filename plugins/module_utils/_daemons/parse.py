# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What sockstat(1) prints, and what sshd_config(5) says of ports and addresses."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

# USER COMMAND PID FD PROTO LOCAL FOREIGN; a command's name may have blanks in it.
NUMBER = re.compile(r"[0-9]+|\?")
FEWEST, FROM_PID = 7, 5
KEYWORD = re.compile(r"\s*(?P<keyword>Port|ListenAddress|Match)\b[\s=]*(?P<value>(?:[^\s#=][^\s#]*)?)", re.IGNORECASE)
DEFAULT_PORT = "22"
EVERYWHERE = "*"


class Socket(t.NamedTuple):
    """A socket of IP: who has it, tcp or udp, its own address ('*': all) and port, and whether it waits for anybody."""

    command: str
    protocol: str
    address: str
    port: str
    listens: bool


def parse_sockets(text: str) -> list[Socket]:
    """Return the TCP and UDP sockets, from ``sockstat -46 -q``."""
    sockets = []
    for line in text.splitlines():
        command, protocol, local, foreign = _row(line)
        address, _colon, port = local.rpartition(":")
        if protocol[:3] in ("tcp", "udp") and port != EVERYWHERE:
            sockets.append(Socket(command, protocol[:3], address.strip("[]"), port, foreign == "*:*"))
    return sockets


def _row(line: str) -> tuple[str, str, str, str]:
    """Return command, protocol, local and foreign address of a line; raise :class:`ParseError` if it is none."""
    words = line.split()
    for place in range(FEWEST - FROM_PID, len(words) - FROM_PID + 1):
        if NUMBER.fullmatch(words[place]) and NUMBER.fullmatch(words[place + 1]):
            return " ".join(words[1:place]), words[place + 2], words[place + 3], words[place + 4]
    raise ParseError(f"`sockstat` printed what is not known: {line!r}")


def parse_ports(config: str) -> frozenset[str]:
    """Return the ports that a text of sshd_config(5) names, or the one that sshd takes else."""
    named = frozenset(value for _line, keyword, value in _global(config) if keyword == "port")
    return named or frozenset({DEFAULT_PORT})


def parse_listen_addresses(config: str) -> list[tuple[int, str]]:
    """Return (number of the line, what it says) of each ListenAddress in a text of sshd_config(5)."""
    return [(line, value) for line, keyword, value in _global(config) if keyword == "listenaddress"]


def _global(config: str) -> t.Iterator[tuple[int, str, str]]:
    """Yield (line, keyword, value) of what matters here and stands before the first Match."""
    for number, line in enumerate(config.splitlines(), 1):
        if match := KEYWORD.match(line):
            if match["keyword"].lower() == "match":
                return
            yield number, match["keyword"].lower(), match["value"]
