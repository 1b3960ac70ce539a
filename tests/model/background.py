# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background jobs of the tiny shell.

A sleep, or a loop that only computes, needs nothing but its entry in the kernel's table. Anything else becomes a
process of this machine, which ends when its entry does.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from model import prison, task
from model.shell import Shell, is_endless, is_real

if t.TYPE_CHECKING:
    from model.command import Context
    from model.shell_parse import Node

CODE = Path(__file__).resolve().parent.parent
RUNNER = "import sys; sys.path.insert(0, sys.argv[1]); from model.background import main; main(sys.argv[2])"


def start(shell: Shell, node: Node, ctx: Context) -> int:
    """Start a job and return its process number; raises task.Refused."""
    command = node.command
    arguments = [shell.name, "-c", *shell.ctx.arguments[1:2]] if shell.ctx.arguments[:1] == ["-c"] else shell.ctx.argv
    fields: dict[str, t.Any] = {"comm": "sh"}
    plain = shell.fields(command.words, ctx) if command.kind == "simple" and not command.assignments else []
    if plain[:1] == ["sleep"] and len(plain) == 2 and plain[1].replace(".", "", 1).isdigit():
        arguments, fields = plain, {"comm": "sleep", "until": time.time() + float(plain[1])}
    elif is_endless(command):
        fields["spin"] = time.time()
    else:
        return _spawn(shell, node, ctx, arguments)
    with ctx.host.kernel() as kernel:
        return task.add(kernel, arguments, jid=prison.jid_of(kernel, ctx.jail), **fields)


def _spawn(shell: Shell, node: Node, ctx: Context, arguments: list[str]) -> int:
    with ctx.host.kernel() as kernel:
        pid = task.add(kernel, arguments, jid=prison.jid_of(kernel, ctx.jail), comm="sh")
    job = {
        "directory": os.fspath(ctx.host.directory),
        "root": os.fspath(ctx.host.root),
        "jail": ctx.jail,
        "inside": ctx.inside,
        "cwd": ctx.cwd,
        "env": shell.environment(),
        "variables": shell.variables,
        "positional": shell.positional,
        "name": shell.name,
        "text": node.text,
        "pid": pid,
    }
    stream = None if is_real(ctx.out) else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable or "/usr/local/bin/python3", "-IS", "-c", RUNNER, os.fspath(CODE), json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        start_new_session=True,
    )
    # Its parent does not wait for it: that it ended shows in the table.
    process.returncode = 0
    with ctx.host.kernel() as kernel:
        entry = task.processes(kernel).get(str(pid))
        if entry is not None:
            entry["real"] = process.pid
    return pid


def main(text: str) -> None:
    """Run a job: what the process that :func:`start` makes does."""
    from model.command import Context  # noqa: PLC0415
    from model.host import Host  # noqa: PLC0415

    job = json.loads(text)
    ctx = Context(
        host=Host(Path(job["directory"]), Path(job["root"])),
        argv=[job["name"]],
        stdin=io.BytesIO(),
        out=io.TextIOWrapper(sys.stdout.buffer, errors="surrogateescape", write_through=True),
        err=io.TextIOWrapper(sys.stderr.buffer, errors="surrogateescape", write_through=True),
        **{name: job[name] for name in ("jail", "inside", "cwd", "env", "pid")},
    )
    threading.Thread(target=_end_when_killed, args=(ctx,), daemon=True).start()
    shell = Shell(ctx.replace())
    shell.variables, shell.positional = job["variables"], job["positional"]
    status = 1
    try:
        status = shell.run(job["text"])
    except task.Killed:
        status = 137
    finally:
        with ctx.host.kernel() as kernel:
            task.end(kernel, ctx.pid)
        os._exit(status)


def _end_when_killed(ctx: Context) -> None:
    try:
        task.rest(ctx.host, ctx.pid, None)
    except task.Killed:
        os._exit(137)
