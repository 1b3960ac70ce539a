# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's side of NFS: what mountd(8) exports after reading /etc/exports, and showmount(8).

State: ``kernel["nfs"]`` with ``exports``, a list of [path, clients]; it is there while mountd runs.
"""

from __future__ import annotations

import typing as t

from model import task
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

EXPORTS = "/etc/exports"
FLAGS = frozenset({"alldirs", "ro", "o", "quiet", "public", "webnfs", "tls", "tlscert", "tlscertuser"})
VALUED = frozenset({"maproot", "mapall", "r", "sec", "index", "fspath"})
NETWORKS = ("network", "mask")
MOUNTD_USAGE = (
    "usage: mountd [-2] [-d] [-e] [-l] [-N] [-n] [-p <port>] [-r] [-S] [-s] [-h <bindip>] [-A] [export_file ...]\n"
)
SHOWMOUNT_USAGE = "usage: showmount [-a | -d] [-e [-1] [-3]] [host]\n"


class _BadLine(Exception):
    """A line that mountd does not take."""


def exports(kernel: State) -> list[list[t.Any]]:
    """Return [path, clients] of all that is exported; clients are networks and hosts, none means everyone."""
    return t.cast("list[list[t.Any]]", kernel.get("nfs", {}).get("exports", []))


def read_exports(ctx: Context) -> None:
    """Read the exports anew, as mountd does when it starts and at each SIGHUP: a bad line only goes to the log."""
    from model.identity import write_log  # noqa: PLC0415

    path = ctx.path(EXPORTS)
    found: list[list[t.Any]] = []
    complaints = []
    for raw in path.read_text(errors="replace").replace("\\\n", " ").splitlines() if path.is_file() else []:
        line = raw.partition("#")[0].strip()
        if not line or line.startswith("V4:"):
            continue
        try:
            found += _line(ctx, line.split())
        except _BadLine as why:
            complaints += [str(why), f"bad exports list line '{line}'"]
    with ctx.host.kernel() as kernel:
        kernel["nfs"] = {"exports": found}
    for complaint in complaints:
        write_log(ctx, "mountd", complaint)


def _line(ctx: Context, words: list[str]) -> list[list[t.Any]]:
    paths = [word for word in words if word.startswith("/")]
    clients: list[str] = []
    rest = [word for word in words if not word.startswith("/")]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            clients.append(word)
            continue
        clients += _option(word[1:], rest)
    for path in paths:
        if not ctx.path(path).is_dir():
            raise _BadLine(f"bad mount point {path}")
    if not paths:
        raise _BadLine("no path")
    return [[path, clients] for path in paths]


def _option(option: str, rest: list[str]) -> list[str]:
    """Check an option (several may be joined by commas); return the network that it names, if any."""
    clients = []
    for part in option.split(","):
        name, equals, value = part.partition("=")
        if name in NETWORKS:
            value = value if equals else (rest.pop(0) if rest else "")
            clients += [value.partition("/")[0]] if name == "network" else []
        elif name not in (VALUED if equals else FLAGS):
            raise _BadLine(f"bad opt {part}")
    return clients


def mountd(ctx: Context) -> int:
    """mountd(8)."""
    options(ctx, "2Adeh:lNnp:rSs", MOUNTD_USAGE)
    with ctx.host.kernel() as kernel:
        found = [number for number, entry in task.of_jail(kernel, 0) if entry["comm"] == "mountd"]
        if found:
            raise Exit(1, f"mountd already running, pid: {found[0]}.")
        task.add(kernel, ["/usr/sbin/mountd", *ctx.arguments], comm="mountd")
    read_exports(ctx)
    return 0


def showmount(ctx: Context) -> int:
    """showmount(8) -e of this host."""
    flags, operands = options(ctx, "ade13", SHOWMOUNT_USAGE)
    if len(operands) > 1:
        ctx.err.write(SHOWMOUNT_USAGE)
        return 1
    host = operands[0] if operands else "localhost"
    with ctx.host.kernel() as kernel:
        running = any(entry["comm"] == "mountd" for _unused, entry in task.of_jail(kernel, 0))
        found = exports(kernel) if running else []
        names = {"localhost", "127.0.0.1", str(kernel.get("hostname", ""))}
    if host not in names:
        raise Exit(1, f"{host}: the model asks no other host")
    if not running:
        raise Exit(1, "can't do exports rpc: RPC: Port mapper failure - RPC: Unable to receive")
    if "e" not in flags:
        ctx.print(f"Hosts on {host}:")
        return 0
    ctx.print(f"Exports list on {host}:")
    for path, clients in sorted(found):
        ctx.print(f"{path:<34} {' '.join(clients) if clients else 'Everyone'} ")
    return 0
