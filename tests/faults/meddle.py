# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules at work on a model host, and what goes wrong with the command, or the file, of a given number."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import HANGING, Command, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from model import md, mount
from support.lab import Lab, ModelRunner, Result

if t.TYPE_CHECKING:
    import pytest

    from model.host import Host

# The methods of Files that change something.
CHANGES = ("write", "append", "remove", "make_folder", "move", "write_beneath")
# Events of the interpreter (sys.addaudithook) by which a file system changes.
EVENTS = frozenset(
    {"os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# What the model writes whenever a command runs; and where it has what is mounted, which on a host moves at once.
UNSEEN = ("commands.log", ".lock")
MODELS_OWN = "/root/.model/"

# What a kernel does at once, and the model in many steps; and programs that are little more than one such call.
CALLS: tuple[tuple[t.Any, str], ...] = ((mount, "add"), (mount, "remove"), (md, "mount_image"))
WHOLE = ("zfs ", "zpool ", "mount ", "umount ", "mdconfig ", "kldload ", "pfctl ", "dnctl ", "rctl ")

KILLED, AMID, REFUSED, HUNG, UNANSWERED = "killed before", "killed amid", "refused", "hung before", "hung after"
COMPLAINTS = ((errno.EBUSY, "Device busy"), (errno.ENOSPC, "No space left on device"), (errno.EAGAIN, "try again"))


class Killed(BaseException):
    """Stands for the end of the module's process."""


@dataclass(frozen=True)
class Fault:
    """What happens at the operation (a command, or a change of a file) of that number, from 1.

    ``amid``: the change of the disk or the kernel, of those that the operation makes, that is not made any more.
    """

    kind: str = ""
    place: int = 0
    amid: int = 0

    def __str__(self) -> str:
        """Show it in a line of a report."""
        return f"{self.kind} operation {self.place}"


@dataclass(frozen=True)
class Operation:
    """One that was done: its text, whether the host is another by it, and by how many changes of its folder."""

    text: str
    is_command: bool
    changed: bool
    changes: int


class _Audit:
    """Counts changes below a host's folder, and kills at one of them."""

    def __init__(self) -> None:
        self.folder = ""
        # How many calls of the kernel are in progress: it does each of them whole.
        self.calls = 0
        self.count = self.of_files = self.kill_at = 0

    def begin(self, host: Host, kill_at: int = 0) -> None:
        self.folder, self.count, self.of_files, self.kill_at = os.fspath(host.directory), 0, 0, kill_at

    def end(self) -> None:
        self.folder = ""

    def __call__(self, event: str, arguments: tuple[t.Any, ...]) -> None:
        if self.folder and not self.calls and (path := _changed(event, arguments)) and self._is_here(path):
            self.count += 1
            self.of_files += path.startswith(f"{self.folder}/root/") or not path.startswith("/")
            # Dead is dead: what would be done on the way out is not done either.
            if 0 < self.kill_at <= self.count:
                raise Killed

    def _is_here(self, path: str) -> bool:
        # Names that are relative are those of files in a folder that was opened.
        is_below = path.startswith(self.folder) or not path.startswith("/")
        return is_below and not path.endswith(UNSEEN) and not path.startswith(f"{self.folder}{MODELS_OWN}")


def _changed(event: str, arguments: tuple[t.Any, ...]) -> str:
    """Return the path that is changed by what an event tells of, '' if none is."""
    if event == "open":
        if not isinstance(arguments[2], int) or not arguments[2] & WRITES:
            return ""
    elif event not in EVENTS:
        return ""
    return os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""


AUDIT = _Audit()


@functools.cache
def listen() -> None:
    """Begin to be told of changes of files; the interpreter knows no way back."""
    for module, name in CALLS:
        setattr(module, name, _whole(getattr(module, name)))
    sys.addaudithook(AUDIT)


def _whole(call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(call)
    def run(*arguments: t.Any, **more: t.Any) -> t.Any:
        AUDIT.calls += 1
        try:
            return call(*arguments, **more)
        finally:
            AUDIT.calls -= 1

    return run


@dataclass
class Meddler:
    """Counts the operations on a host, and does what the fault says in place of one of them."""

    host: Host
    fault: Fault = Fault()
    # Of operations that were done before.
    count: int = 0
    # All operations, where they are recorded.
    trace: list[Operation] | None = None
    met: bool = False
    dead: bool = False
    _kernel: str = ""

    def meet(self, text: str, operation: t.Callable[[], t.Any], failing: t.Callable[[], t.Any] | None) -> t.Any:
        """Do one operation, or what happens in its place; ``failing`` gives the answer of a command that fails."""
        if self.dead:
            raise Killed
        self.count += 1
        if self.trace is not None:
            return self._recorded(text, operation, is_command=failing is not None)
        if self.count != self.fault.place:
            return operation()
        self.met = True
        if self.fault.kind in (KILLED, AMID):
            self._kill(operation)
        if self.fault.kind == UNANSWERED:
            operation()
        if failing is None:
            raise OSError(*self.complaint)
        return failing()

    @property
    def complaint(self) -> tuple[int, str]:
        """Return what is said where something fails."""
        return COMPLAINTS[self.fault.place % len(COMPLAINTS)]

    def _kill(self, operation: t.Callable[[], t.Any]) -> t.NoReturn:
        """Be killed before the operation or, by a change that it makes, amid."""
        if self.fault.kind == AMID:
            AUDIT.begin(self.host, self.fault.amid)
            try:
                operation()
            finally:
                self.dead = True
                AUDIT.end()
        self.dead = True
        raise Killed

    def _recorded(self, text: str, operation: t.Callable[[], t.Any], *, is_command: bool) -> t.Any:
        AUDIT.begin(self.host)
        try:
            return operation()
        finally:
            changes, of_files = AUDIT.count, AUDIT.of_files
            AUDIT.end()
            before, self._kernel = self._kernel, _kernel(self.host)
            changed = bool(of_files) or before != self._kernel
            t.cast("list[Operation]", self.trace).append(Operation(text, is_command, changed, changes))


def _kernel(host: Host) -> str:
    """Return what the kernel and the disks hold, without what changes by any process that is started."""
    with host.kernel() as kernel, host.disk() as disk:
        known = dict(kernel)
        known["process"] = {key: value for key, value in kernel.get("process", {}).items() if key != "last"}
        return json.dumps([known, disk])


class _Runner(ModelRunner):
    def __init__(self, host: Host, meddler: Meddler) -> None:
        super().__init__(host)
        self.meddler = meddler

    def run(self, command: Command) -> Done:
        def failing() -> Done:
            hangs = self.meddler.fault.kind in (HUNG, UNANSWERED)
            reason = f"no end after {command.seconds} s" if hangs else self.meddler.complaint[1]
            said = "" if command.silent else f"{command.argv[0]}: {reason}\n"
            return Done(command, HANGING if hangs else 1, "", said)

        return t.cast(Done, self.meddler.meet(str(command), lambda: super(_Runner, self).run(command), failing))


class _Files(Files):
    def __init__(self, root: str, meddler: Meddler) -> None:
        super().__init__(root)
        for name in CHANGES:
            setattr(self, name, _met(name, getattr(self, name), meddler))


def _met(name: str, method: t.Callable[..., t.Any], meddler: Meddler) -> t.Callable[..., t.Any]:
    def change(*arguments: t.Any) -> t.Any:
        text = f"{name} {arguments[0]}{f'/{arguments[1]}' if name == 'write_beneath' else ''}"
        return meddler.meet(text, lambda: method(*arguments), None)

    return change


class MeddledLab(Lab):
    """A lab whose modules meet a fault. The first ``told`` calls were made already: their results are given again.

    ``began`` is called before each call that is made, with its number.
    """

    def __init__(
        self,
        host: Host,
        patch: pytest.MonkeyPatch,
        meddler: Meddler,
        told: t.Sequence[Result] = (),
        began: t.Callable[[int], None] | None = None,
    ) -> None:
        """Keep what will go wrong."""
        super().__init__(host, patch)
        self.runner = _Runner(host, meddler)
        self.files = _Files(os.fspath(host.root), meddler)
        self.results: list[Result] = list(told)
        self._told, self._calls, self._began = len(told), 0, began

    def module(self, name: str, *, check: bool = False, **parameters: t.Any) -> Result:
        """Run a module, unless it was run, and return its result."""
        self._calls += 1
        if self._calls <= self._told:
            return self.results[self._calls - 1]
        if self._began:
            self._began(self._calls - 1)
        result = super().module(name, check=check, **parameters)
        self.results.append(result)
        return result
