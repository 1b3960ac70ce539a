# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Who holds the host: one call of a module at a time, and from call to call one run of playbooks.

A call keeps the file :data:`FILE` locked while it works, so that no other interferes, and writes into it the run that
it belongs to. Calls of other runs are refused until that run lets go, or does nothing for :data:`SECONDS`. A host that
boots is held by nobody, since rc(8) empties /var/run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._json import is_whole, read_json

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files

FILE = "/var/run/jailisp.run"
# Names the run to the modules, see the lookup `run`.
VARIABLE = "JAILISP_RUN"
# How long a run keeps the host that does nothing on it: other hosts of a fleet may be slower.
SECONDS = 120
# How long a call waits for another one at work; the calls of one run may overlap by the way of their connections.
PATIENCE = 5
PAUSE = 0.2
MOST = 4096
# No clock comes to this, and none could show more.
LATEST = 1 << 40


@dataclass(frozen=True)
class Holder:
    """A run that holds the host, and its module that was the last at work.

    ``run`` is '' for a module that was called outside of any run. ``process`` is that of the module, ``since`` when
    the run began to hold the host and ``until`` when it lets go by itself, in seconds of the epoch.
    """

    run: str
    module: str
    process: int
    since: int
    until: int


class Held(Exception):
    """Somebody else holds the host; the text says who."""

    def __init__(self, holder: Holder, *, working: bool) -> None:
        """Keep who it is; ``working``: one of its modules is at work now."""
        who = holder.run or "somebody"
        since, until = (time.strftime("%H:%M:%S", time.localtime(moment)) for moment in (holder.since, holder.until))
        if working:
            text = f"{who} is at work on this host since {since} (module {holder.module}, process {holder.process})"
            super().__init__(f"{text}; wait until it ends")
        else:
            text = f"{who} holds this host since {since}, its last module was {holder.module}"
            super().__init__(f"{text}; wait until it ends, or, if it was killed, until {until}")
        self.holder = holder


@contextlib.contextmanager
def call(files: Files, module: str, run: str = "", *, instead_of: str = "") -> t.Iterator[None]:
    """Hold the host for a call of a module, and afterwards for its run, if it belongs to one; or raise :class:`Held`.

    ``instead_of`` is a run that is known to have ended without letting go.
    """
    descriptor = _open(files)
    try:
        _lock(descriptor)
        there, now = _read(descriptor), int(time.time())
        if there and there.run not in ("", run, instead_of) and now < there.until:
            raise Held(there, working=False)
        since = there.since if there and there.run == run and now < there.until else now
        _write(descriptor, Holder(run, module, os.getpid(), since, now + SECONDS))
        try:
            yield
        finally:
            _write(descriptor, Holder(run, module, os.getpid(), since, int(time.time()) + SECONDS) if run else None)
    finally:
        os.close(descriptor)


def let_go(files: Files, run: str, *, instead_of: str = "", awaited: bool = False) -> None:
    """Let other runs have the host, if this one holds it; where it is awaited, raise :class:`Held` if another does."""
    descriptor = _open(files)
    try:
        _lock(descriptor)
        there = _read(descriptor)
        if there and there.run == run:
            _write(descriptor, None)
        elif awaited and there and there.run not in ("", instead_of) and time.time() < there.until:
            raise Held(there, working=False)
    finally:
        os.close(descriptor)


def _open(files: Files) -> int:
    # Nothing that a module starts inherits it: programs of jails would keep it for ever.
    return os.open(files.path(FILE), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int) -> None:
    """Lock the file, or raise :class:`Held` if another call has it for too long."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Held(_read(descriptor) or Holder("", "unknown", 0, 0, 0), working=True) from None
            time.sleep(PAUSE)
        else:
            return


def _read(descriptor: int) -> Holder | None:
    return parse_holder(os.pread(descriptor, MOST, 0).decode("utf-8", "replace"))


def parse_holder(text: str) -> Holder | None:
    """Return what the file says; None if it says nothing, or was cut off by a loss of power."""
    try:
        found = Holder(**read_json(text))
    except (ValueError, TypeError):
        return None
    texts, numbers = (found.run, found.module), (found.process, found.since, found.until)
    plain = all(isinstance(text, str) for text in texts) and all(is_whole(number) for number in numbers)
    return found if plain and all(0 <= number < LATEST for number in numbers) else None


def _write(descriptor: int, holder: Holder | None) -> None:
    os.ftruncate(descriptor, 0)
    if holder:
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
