# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nc(1), as far as it looks whether something listens: ``nc -z``."""

from __future__ import annotations

import typing as t

from model import connect
from model.command import Exit, options
from model.path import TIMEOUT
from model.pf_hosts import read_address
from model.pf_names import SERVICES, port_name

if t.TYPE_CHECKING:
    from model.command import Context

USAGE = (
    "usage: nc [-46DdEFhklMNnrStUuvz] [-e policy] [-I length] [-i interval] [-O length]\n"
    "\t  [-P proxy_username] [-p source_port] [-s source] [-T ToS]\n"
    "\t  [-V rtable] [-w timeout] [-X proxy_protocol]\n"
    "\t  [-x proxy_address[:port]] [destination] [port]\n"
)
MAX_PORT = 65535


def nc(ctx: Context) -> int:
    """nc(1)."""
    flags, operands = options(ctx, "46DdEFhI:i:klMNnO:P:p:rSs:T:tUuV:vw:X:x:z", USAGE)
    if len(operands) != 2:
        ctx.err.write(USAGE)
        return 1
    if "z" not in flags:
        raise Exit(1, "the model sends no data: only -z")
    if "w" in flags and not flags["w"][-1].isdigit():
        raise Exit(1, f"timeout invalid: {flags['w'][-1]}")
    name, ports = operands
    address = _resolve(ctx, name)
    protocol = "udp" if "u" in flags else "tcp"
    source = flags["s"][-1] if "s" in flags else ""
    status = 1
    for port in _ports(ports):
        found = connect.connect(ctx.host, source, address, protocol, port, jail=ctx.jail)
        connect.close(ctx.host, found)
        if found.result == connect.OPEN or (protocol == "udp" and found.result == TIMEOUT):
            status = 0
            known = port_name(port, protocol)
            service = "*" if known == str(port) else known
            ctx.err.write(f"Connection to {name} {port} port [{protocol}/{service}] succeeded!\n")
        elif "v" in flags:
            ctx.warn(f"connect to {name} port {port} ({protocol}) failed: {connect.ERRORS[found.result]}")
    return status


def _resolve(ctx: Context, name: str) -> str:
    if read_address(name) is not None:
        return name
    path = ctx.path("/etc/hosts")
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    words = [line.partition("#")[0].split() for line in lines]
    found = [each[0] for each in words if name in each[1:] and ":" not in each[0]]
    if name == "localhost":
        found.append("127.0.0.1")
    if not found:
        raise Exit(1, "getaddrinfo: Name does not resolve")
    return found[0]


def _ports(text: str) -> t.Iterator[int]:
    first, dash, last = text.partition("-")
    if dash and first.isdigit() and last.isdigit():
        low, high = sorted((int(first), int(last)))
        yield from range(low, min(high, MAX_PORT) + 1)
        return
    if text in SERVICES:
        yield SERVICES[text]
        return
    if not text.isdigit() or not 0 < int(text) <= MAX_PORT:
        raise Exit(1, f"port number {'too large' if text.isdigit() else 'invalid'}: {text}")
    yield int(text)
