# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host: its folder, its file system, its two stores of state, and how a command is run on it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import posixpath
import stat
import typing as t
from pathlib import Path

from model.command import Context, Exit
from model.index import find

State = dict[str, t.Any]

MAX_LINKS = 32
# What is said of a file that is not there.
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)


class Result(t.NamedTuple):
    """What a command left behind: its exit status and its two outputs as text."""

    rc: int
    out: str
    err: str


class Host:
    """A model host in ``directory``; ``root`` is its file system as this process sees it.

    Inside the isolated file system ``root`` is ``/`` itself; for use in-process it is ``directory/root``.
    """

    def __init__(self, directory: Path, root: Path | None = None) -> None:
        """Open the host; nothing is read yet."""
        self.directory = directory
        self.root = root or directory / "root"

    # Stores -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def kernel(self) -> t.Iterator[State]:
        """Give what the kernel knows, to read and change; nobody else sees or changes it meanwhile."""
        with self._store("kernel.json") as state:
            yield state

    @contextlib.contextmanager
    def disk(self) -> t.Iterator[State]:
        """Give what the disks hold besides files (pools, flags, names of the machine); same rules as the kernel's."""
        with self._store("disk.json") as state:
            yield state

    @contextlib.contextmanager
    def _store(self, name: str) -> t.Iterator[State]:
        path = self.directory / name
        descriptor = os.open(self.directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            text = path.read_text() if path.exists() else "{}"
            state = json.loads(text)
            yield state
            changed = json.dumps(state)
            if changed != text:
                temporary = path.with_suffix(".new")
                temporary.write_text(changed)
                temporary.replace(path)
        finally:
            os.close(descriptor)

    # Files --------------------------------------------------------------------------------------------------------

    def path(self, name: str, *, inside: str = "/", follow: bool = True) -> Path:
        """Return where the host's file ``name`` lies for this process.

        ``inside`` is the folder that counts as ``/`` (a jail's root); symbolic links are followed as the host (or the
        jail) would follow them, so a planted absolute link never leads out of the model. ``follow`` false leaves the
        last component alone, like lstat(2).
        """
        # By text: what every process does many times over is to be quick.
        base = os.fspath(self.root if inside == "/" else self.path(inside)).rstrip("/")
        parts = _parts(name)
        walked = [base]
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                walked = walked[:-1] or walked
                continue
            here = f"{walked[-1]}/{part}"
            if _is_link(here) and (parts or follow):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(62, "Too many levels of symbolic links", name)
                target = os.readlink(here)
                walked = walked[:1] if target.startswith("/") else walked
                parts += _parts(target)
                continue
            walked.append(here)
        return Path(walked[-1] or "/")

    # Commands -----------------------------------------------------------------------------------------------------

    def run(
        self,
        argv: t.Sequence[str],
        stdin: str | bytes = b"",
        *,
        jail: str | None = None,
        inside: str = "/",
        env: t.Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> Result:
        """Run one command to its end in this process, as root, and return what it left behind."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = io.BytesIO(), io.BytesIO()
        context = Context(
            host=self,
            argv=list(argv),
            stdin=io.BytesIO(data),
            out=io.TextIOWrapper(out, errors="surrogateescape", write_through=True),
            err=io.TextIOWrapper(err, errors="surrogateescape", write_through=True),
            jail=jail,
            inside=inside,
            cwd=cwd,
            env=dict(env or {}),
        )
        rc = self.dispatch(context)
        return Result(rc, _text(out), _text(err))

    def dispatch(self, context: Context) -> int:
        """Find the program that ``context.argv[0]`` names, run it, and return its exit status."""
        name = context.argv[0]
        program = find(name)
        if program is None:
            what = "No such file or directory" if "/" in name else "not found"
            context.err.write(f"sh: {name}: {what}\n")
            return 127
        self.log(context.argv)
        context.argv[0] = posixpath.basename(name)
        try:
            return program(context)
        except Exit as end:
            if end.message:
                context.err.write(f"{context.argv[0]}: {end.message}\n")
            return end.status

    def log(self, argv: t.Sequence[str]) -> None:
        """Note that a process was started; what counts processes reads this."""
        with (self.directory / "commands.log").open("a", errors="surrogateescape") as file:
            file.write(json.dumps(list(argv)) + "\n")


def _text(stream: io.BytesIO) -> str:
    return stream.getvalue().decode(errors="surrogateescape")


def _parts(name: str) -> list[str]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(name.split("/")) if part not in ("", ".")]


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except ValueError:
        return False
    except OSError as error:
        if error.errno not in MISSING:
            raise
        return False
