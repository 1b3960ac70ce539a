# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executing programs as execve(2) does: what a file's content is decides, in a jail only what lies in its root counts.

The userland of a jail (see model.archive) consists of files whose first line names a program of the model. Whoever owns
the jail may replace them: by a script, by a link, by rubbish.
"""

from __future__ import annotations

import os
import posixpath
import typing as t

from model import linker, prison, task
from model.index import PROGRAMS

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

MAGIC = b"\x7fELF model "
PATH = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/root/bin"
# How a program of the host itself begins, see model.main.
STUB_MARK = b"from model.main import main"
NOT_FOUND, NO_PERMISSION, BAD_FORMAT = "No such file or directory", "Permission denied", "Exec format error"
MAX_SCRIPTS = 4


class CannotExecute(Exception):
    """execve(2) fails; the text is errno's."""


def search(ctx: Context, name: str) -> str:
    """Return the file that a command's name means, as the process names it; raises CannotExecute."""
    if "/" in name:
        return posixpath.join(ctx.cwd, name)
    for folder in ctx.env.get("PATH", PATH).split(":"):
        path = posixpath.join(ctx.cwd, folder, name)
        if _is_program(ctx, path) or (os.access(ctx.path(path), os.X_OK) and ctx.path(path).is_file()):
            return path
    raise CannotExecute(NOT_FOUND)


def _is_program(ctx: Context, path: str) -> bool:
    """The host's own programs are there even where nothing was installed for them: what is bound, see model.enter."""
    return ctx.inside == "/" and path in PROGRAMS


def run(ctx: Context, arguments: t.Sequence[str], depth: int = 0) -> int:
    """Execute a program with the streams, jail and environment of ``ctx``; return its status or raise CannotExecute."""
    path = search(ctx, arguments[0])
    if _is_program(ctx, path) and (ctx.jail is None or not ctx.path(path).is_file() or _is_stock(ctx.path(path))):
        return ctx.host.dispatch(ctx.replace(argv=[path, *arguments[1:]]))
    content = _read(ctx.path(path))
    if content.startswith(MAGIC):
        program, release = (line.decode(errors="replace") for line in content[len(MAGIC) :].split(b"\n")[:2])
        if ctx.inside != "/" and release:
            try:
                linker.check(ctx, path, release)
            except linker.Unable as error:
                ctx.err.write(f"{error}\n")
                return error.status
        return ctx.host.dispatch(ctx.replace(argv=[program, *arguments[1:]]))
    if STUB_MARK in content[:200]:
        return ctx.host.dispatch(ctx.replace(argv=[posixpath.basename(path), *arguments[1:]]))
    if content.startswith(b"#!") and depth < MAX_SCRIPTS:
        words = content[2:].split(b"\n", 1)[0].decode(errors="replace").split(None, 1)
        if not words:
            raise CannotExecute(BAD_FORMAT)
        return run(ctx, [words[0], *(word.rstrip() for word in words[1:]), path, *arguments[1:]], depth + 1)
    raise CannotExecute(BAD_FORMAT)


def _is_stock(path: Path) -> bool:
    """Say whether the host's file is the model's own or something of this machine (as /bin/sh is, bound)."""
    with path.open("rb") as file:
        head = file.read(200)
    return STUB_MARK in head or (head.startswith(b"\x7fELF") and not head.startswith(MAGIC))


def _read(path: Path) -> bytes:
    if not path.exists():
        raise CannotExecute(NOT_FOUND)
    if not path.is_file() or not path.stat().st_mode & 0o111:
        raise CannotExecute(NO_PERMISSION)
    with path.open("rb") as file:
        return file.read(4096)


def run_or_script(ctx: Context, arguments: t.Sequence[str]) -> int:
    """Execute as execvp(3) does: a text file without ``#!`` is given to the shell."""
    try:
        return run(ctx, arguments)
    except CannotExecute as error:
        if str(error) != BAD_FORMAT:
            raise
    path = search(ctx, arguments[0])
    content = _read(ctx.path(path))
    if b"\0" in content or content.startswith((b"\x7f", b"#!")) or path == "/bin/sh":
        raise CannotExecute(BAD_FORMAT)
    return run(ctx, ["/bin/sh", path, *arguments[1:]])


def as_process(ctx: Context, arguments: t.Sequence[str]) -> int:
    """Execute a program as a process of the kernel's table for as long as it runs.

    Raises CannotExecute, task.Refused (the jail may have no more processes), and task.Killed.
    """
    with ctx.host.kernel() as kernel:
        pid = task.add(kernel, arguments, jid=prison.jid_of(kernel, ctx.jail), comm=posixpath.basename(arguments[0]))
    try:
        return run_or_script(ctx.replace(pid=pid), arguments)
    finally:
        with ctx.host.kernel() as kernel:
            task.end(kernel, pid)
