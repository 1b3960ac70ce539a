# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The only place that starts a process on a jail host."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

# A module inherits whatever the login gave it; what runs as root on a host of customers gets this and nothing else.
ENVIRONMENT = {
    "PATH": "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin",
    "HOME": "/root",
    "LC_ALL": "C",
}

# No command here waits for a person; what takes longer than this hangs.
SECONDS = 1800
# For commands whose time grows with what a customer has on his disk.
LONG_SECONDS = 86400


# Exit statuses as a shell has them.
NO_PROGRAM = 127
HANGING = 124


@dataclass(frozen=True)
class Command:
    """A process to start: its arguments as they are (no shell sees them), its standard input, its time in seconds.

    ``silent``: what it prints is never read. A program inside a jail may print anything, without end, also the secret
    that it was given. ``secret``: its standard input is one, and is cut out of whatever is told of what it printed.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    seconds: float = SECONDS
    silent: bool = False
    secret: bool = False

    def __str__(self) -> str:
        """Show it as one would type it."""
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Done:
    """A process that has ended: exit status (127: there is no such program; 124: it was stopped as hanging)."""

    command: Command
    rc: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """Say in one line what went wrong."""
        printed = self.err or self.out
        for line in self.command.stdin.split() if self.command.secret else ():
            printed = printed.replace(line, "(a secret)")
        said = " / ".join(printed.split("\n")).strip(" /")
        said = said or ("what it said is not shown" if self.command.silent else "it said nothing")
        return f"`{self.command}` ended with status {self.rc}: {said}"


class CommandFailed(Exception):
    """A command that must succeed did not; the text says which and what it printed."""

    def __init__(self, done: Done) -> None:
        """Keep the ended process."""
        super().__init__(done.failure)
        self.done = done


class Runner(t.Protocol):
    """What starts processes: on a host :class:`HostRunner`, in tests the model."""

    def run(self, command: Command) -> Done:
        """Run one command to its end, whatever its exit status."""


class HostRunner:
    """Starts real processes on this host."""

    def __init__(self, environment: t.Mapping[str, str] | None = None) -> None:
        """Keep the environment of the processes, ENVIRONMENT if none is given."""
        self.environment = ENVIRONMENT if environment is None else environment

    def run(self, command: Command) -> Done:
        """Run one command to its end, whatever its exit status."""
        try:
            ended = subprocess.run(
                command.argv,
                input=command.stdin,
                stdout=subprocess.DEVNULL if command.silent else subprocess.PIPE,
                stderr=subprocess.DEVNULL if command.silent else subprocess.PIPE,
                encoding="utf-8",
                errors="surrogateescape",
                env=self.environment,
                cwd="/",
                timeout=command.seconds,
                check=False,
            )
        except FileNotFoundError:
            return Done(command, NO_PROGRAM, "", f"{command.argv[0]}: no such program on this host")
        except subprocess.TimeoutExpired as end:
            # What was read before it was stopped: bytes, or nothing.
            out, err = ((part or b"").decode("utf-8", "surrogateescape") for part in (end.stdout, end.stderr))
            return Done(command, HANGING, out, f"{err}{command.argv[0]}: no end after {command.seconds} s")
        return Done(command, ended.returncode, ended.stdout or "", ended.stderr or "")


def output(runner: Runner, *argv: str, stdin: str = "") -> str:
    """Run a command that must succeed and return its standard output; else raise :class:`CommandFailed`."""
    done = runner.run(Command(argv, stdin))
    if done.rc != 0:
        raise CommandFailed(done)
    return done.out


Item = t.TypeVar("Item")
Outcome = t.TypeVar("Outcome")


def at_once(work: t.Callable[[Item], Outcome], items: t.Sequence[Item], limit: int) -> list[Outcome]:
    """Do ``work`` on all items, at most ``limit`` of them at the same time; outcomes in the order of the items."""
    with ThreadPoolExecutor(max_workers=max(1, limit)) as pool:
        return list(pool.map(work, items))
