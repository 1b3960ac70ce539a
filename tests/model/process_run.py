# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running other programs: this machine's for text filters, and any program of the host for env, timeout, lockf, ...

Inside the isolated file system a process of the model may become another program; in-process use runs a child and
passes the streams on.
"""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from model.index import find

if t.TYPE_CHECKING:
    from model.command import Context

# Where this machine's own programs show inside the isolated file system.
LINUX = "/.linux/bin"
OPTION_PATH = {"LC_ALL": "C"}


def isolated(ctx: Context) -> bool:
    """Say whether this process is one of the isolated file system, with the host's ``/`` as its own."""
    return ctx.host.root == Path("/")


def owns_streams(ctx: Context) -> bool:
    """Say whether the command's streams are those of this process, so that another program may take its place."""
    return (
        isolated(ctx)
        and ctx.inside == "/"
        and ctx.stdin is sys.stdin.buffer
        and getattr(ctx.out, "buffer", None) is sys.stdout.buffer
    )


def run_here(ctx: Context, argv: t.Sequence[str], *, captured: bool = False) -> int:
    """Run this machine's program ``argv[0]`` on the command's streams; return its exit status.

    ``captured``: come back even where the program could take the process's place.
    """
    environment = {**ctx.env, **OPTION_PATH}
    folder = LINUX if isolated(ctx) else "/usr/bin"
    program = "/bin/sh" if argv[0] == "sh" else f"{folder}/{argv[0]}"
    if owns_streams(ctx) and not captured:
        ctx.out.flush()
        ctx.err.flush()
        sys.stdout.buffer.flush()
        if argv[0] == "sh":
            environment["PATH"] = LINUX
        os.execve(program, list(argv), environment)
    return _run_child(ctx, program, argv, environment)


def _run_child(ctx: Context, program: str, argv: t.Sequence[str], environment: dict[str, str]) -> int:
    import subprocess  # noqa: PLC0415

    base = os.fspath(ctx.host.path(ctx.inside)).rstrip("/")
    words = [argv[0], *(_translate(ctx, word) for word in argv[1:])] if base else list(argv)
    done = subprocess.run(
        words,
        executable=program,
        input=_input(ctx),
        capture_output=True,
        cwd=ctx.path("."),
        env={"PATH": LINUX if isolated(ctx) else "/usr/bin:/bin", **environment},
        check=False,
    )
    ctx.out.flush()
    ctx.out.buffer.write(_back(done.stdout, base))
    ctx.err.write(_back(done.stderr, base).decode(errors="surrogateescape"))
    return done.returncode


def _input(ctx: Context) -> bytes:
    if isolated(ctx) and ctx.stdin is sys.stdin.buffer and os.isatty(0):
        return b""
    return ctx.stdin.read()


def _translate(ctx: Context, word: str) -> str:
    """Turn an absolute path of the host (or jail) that is there into where it lies."""
    if not word.startswith("/") or word == "/":
        return os.fspath(ctx.host.path(ctx.inside)) if word == "/" else word
    path = ctx.path(word)
    return os.fspath(path) if path.exists() or (path.parent.is_dir() and not word.endswith("/")) else word


def _back(text: bytes, base: str) -> bytes:
    return text.replace(os.fsencode(base) + b"/", b"/") if base else text


# Programs of the host -------------------------------------------------------------------------------------------------


def which(ctx: Context, name: str) -> Path | None:
    """Return where the program lies that the name or path means on the command's PATH."""
    if "/" in name:
        path = ctx.path(name)
        return path if path.is_file() and os.access(path, os.X_OK) else None
    for folder in ctx.env.get("PATH", "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin").split(":"):
        path = ctx.path(f"{folder}/{name}")
        if folder and path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def run_program(ctx: Context, argv: t.Sequence[str]) -> int:
    """Run a program of the host on the command's streams; return its exit status (127 if there is none)."""
    if isolated(ctx) and ctx.inside == "/":
        pid = start_program(ctx, argv)
        return wait_for(pid) if pid else 127
    if find(argv[0]) is None:
        ctx.warn(f"{argv[0]}: No such file or directory")
        return 127
    return ctx.child(argv)


def start_program(ctx: Context, argv: t.Sequence[str], **settings: t.Any) -> int:
    """Start a program of the host as a process of its own; return its id, 0 (and a message) if there is none."""
    path = which(ctx, argv[0])
    if path is None:
        ctx.warn(f"{argv[0]}: No such file or directory")
        return 0
    ctx.out.flush()
    sys.stdout.buffer.flush()
    try:
        return os.posix_spawn(path, list(argv), ctx.env, **settings)
    except OSError:
        # A script without #! is run by sh, as execvp(3) does.
        return os.posix_spawn("/bin/sh", ["sh", os.fspath(path), *argv[1:]], ctx.env, **settings)


def wait_for(pid: int) -> int:
    """Wait for a process; return its exit status as a shell counts it."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status
