# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who opens a file or a folder of the victims of :mod:`support.watch`, by whatever way he came there."""

from __future__ import annotations

import functools
import os
import sys
import typing as t

from support.watch import VICTIMS

if t.TYPE_CHECKING:
    from model.host import Host

# Events of the interpreter by which something is read.
EVENTS = frozenset({"open", "os.listdir", "os.scandir"})


class _Audit:
    """Notes what is opened below a folder."""

    def __init__(self) -> None:
        self.folder = ""
        self.opened: list[str] = []

    def __call__(self, event: str, arguments: tuple[t.Any, ...]) -> None:
        # Threads of customers are at work while it is set, and when it is taken away.
        folder = self.folder
        if folder and event in EVENTS and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = os.fsdecode(arguments[0])
            if os.path.realpath(path).startswith(folder):
                self.opened.append(path)


AUDIT = _Audit()


@functools.cache
def _listen() -> None:
    sys.addaudithook(AUDIT)


class Secrets:
    """Notes in ``opened`` the victims that were opened while it is entered."""

    def __init__(self, host: Host) -> None:
        """Keep where the victims are."""
        self.folder = os.fspath(host.path(VICTIMS))
        self.opened: list[str] = []

    def __enter__(self) -> Secrets:
        """Begin."""
        _listen()
        AUDIT.folder, AUDIT.opened = self.folder, self.opened
        return self

    def __exit__(self, *_unused: object) -> None:
        """End."""
        AUDIT.folder = ""
