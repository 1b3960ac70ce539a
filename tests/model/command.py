# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model command is given, how it ends, and getopt(3) as FreeBSD's programs use it."""

from __future__ import annotations

import getopt
import posixpath
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.host import Host, Result


class Exit(Exception):
    """Ends a command: ``NAME: message`` on standard error (nothing if empty) and the exit status."""

    def __init__(self, status: int, message: str = "") -> None:
        """Keep both for the dispatcher."""
        super().__init__(message)
        self.status = status
        self.message = message


class Context:
    """One process: its host, arguments (``argv[0]`` is its name), streams, and the jail that it runs in, if any.

    ``inside`` is the folder of the host that the process has as ``/`` (the jail's path). Commands reach files only
    through :meth:`path`. ``pid`` is the process's entry in the kernel's table, 0 if it has none (see model.task).
    """

    # No dataclass: importing dataclasses costs a command, which is a process, a third of its time.
    def __init__(
        self,
        host: Host,
        argv: list[str],
        stdin: t.BinaryIO,
        out: t.TextIO,
        err: t.TextIO,
        jail: str | None = None,
        inside: str = "/",
        cwd: str = "/",
        env: dict[str, str] | None = None,
        pid: int = 0,
    ) -> None:
        """Keep everything."""
        self.host = host
        self.argv = argv
        self.stdin = stdin
        self.out = out
        self.err = err
        self.jail = jail
        self.inside = inside
        self.cwd = cwd
        self.env = env or {}
        self.pid = pid

    def replace(self, **changes: t.Any) -> Context:
        """Return a copy with some fields changed."""
        return Context(**{**vars(self), **changes})

    @property
    def arguments(self) -> list[str]:
        """The arguments without the program's name."""
        return self.argv[1:]

    def print(self, *words: object) -> None:
        """Write one line to standard output."""
        self.out.write(" ".join(map(str, words)) + "\n")

    def warn(self, message: str) -> None:
        """Write ``NAME: message`` to standard error, as warn(3) does."""
        self.err.write(f"{self.argv[0]}: {message}\n")

    def path(self, name: str, *, follow: bool = True) -> Path:
        """Return where this process's file ``name`` (absolute or relative to its folder) really lies."""
        return self.host.path(posixpath.join(self.cwd, name), inside=self.inside, follow=follow)

    def run(self, argv: t.Sequence[str], stdin: str | bytes = b"") -> Result:
        """Run another command of the host as a child of this one, on the host or in the same jail."""
        return self.host.run(argv, stdin, jail=self.jail, inside=self.inside, cwd=self.cwd, env=self.env)

    def child(self, argv: t.Sequence[str], **changes: t.Any) -> int:
        """Run another command with this one's own streams (``changes`` replaces fields) and return its status."""
        return self.host.dispatch(self.replace(argv=list(argv), **changes))


def options(ctx: Context, letters: str, usage: str = "", status: int = 1) -> tuple[dict[str, list[str]], list[str]]:
    """Parse short options as getopt(3) does; return option letter -> its arguments ('' for flags), and operands.

    An unknown letter prints ``illegal option -- x`` and the ``usage`` text and ends with ``status``. Options end at the
    first operand.
    """
    found: dict[str, list[str]] = {}
    try:
        pairs, operands = getopt.getopt(ctx.arguments, letters)
    except getopt.GetoptError as error:
        letter = (error.opt or "-")[:1] if not error.msg.startswith("option --") else "-"
        needs = "requires argument" in error.msg and letter != "-"
        ctx.warn(f"option requires an argument -- {letter}" if needs else f"illegal option -- {letter}")
        ctx.err.write(usage)
        raise Exit(status) from None
    for letter, value in pairs:
        found.setdefault(letter.lstrip("-"), []).append(value)
    return found, operands
