# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of NFS: mount_nfs(8) of what another host of the rack (or this one) exports.

The content shows as it was when it was mounted: what either side makes later the other does not see.
"""

from __future__ import annotations

import json
import time
import typing as t
from functools import partial
from pathlib import Path

from model import mount
from model.command import Exit
from model.host import Host

if t.TYPE_CHECKING:
    from model.command import Context

RACK = Path("/.rack")
# mount_nfs tries for ever, whatever retrycnt says; the model ends after some tries as if somebody had killed it.
TRIES, TRY_SECONDS = 3, 5.0
PORT_MAPPER = "RPCPROG_NFS: RPC: Port mapper failure - RPC: Unable to send"


def server(ctx: Context, name: str) -> Host | None:
    """Return the host that a name or address means; None if there is none."""
    with ctx.host.disk() as disk:
        machine = disk.get("machine", {})
    if name in ("localhost", "127.0.0.1", "::1", *_names(machine)):
        return ctx.host
    inside = RACK.is_dir() and ctx.host.root == Path("/")
    hosts = RACK / "hosts" if inside else ctx.host.directory.parent
    for directory in sorted(hosts.iterdir()):
        file = directory / "disk.json"
        if file.exists() and name in (directory.name, *_names(json.loads(file.read_text()).get("machine", {}))):
            return Host(directory)
    return None


def _names(machine: dict[str, t.Any]) -> tuple[str, ...]:
    full = str(machine.get("hostname", ""))
    return full, full.partition(".")[0], str(machine.get("address", "")), *machine.get("addresses", [])


def mount_nfs(ctx: Context, source: str, point: str, words: list[str]) -> None:
    """Mount ``HOST:PATH``; raises Exit as mount_nfs ends."""
    name, colon, path = source.rpartition(":")
    if not colon or not name:
        raise Exit(1, f"{source}: nfs source must be host:path")
    host = server(ctx, name.strip("[]"))
    if host is None:
        raise Exit(1, f"{name}: Name does not resolve")
    for last in (number == TRIES for number in range(1, TRIES + 1)):
        if _exports(host, path):
            show = mount.link_tree if host is ctx.host else mount.copy_tree
            mount.add(ctx.host, source, point, "nfs", words, fill=partial(show, host.path(path)))
            return
        ctx.err.write(f"[tcp] {source}: No such file or directory\n[tcp6] {source}: {PORT_MAPPER}\n")
        time.sleep(0 if last else TRY_SECONDS)
    ctx.argv[0] = "mount"
    raise Exit(1, f"{point}: Terminated")


def _exports(host: Host, path: str) -> bool:
    """Say whether the server exports the folder itself."""
    from model import nfs, task  # noqa: PLC0415

    with host.kernel() as kernel:
        running = any(entry["comm"] == "nfsd" for _unused, entry in task.of_jail(kernel, 0))
        known = [each[0] for each in nfs.exports(kernel)]
    return running and path.rstrip("/") in known and host.path(path).is_dir()
