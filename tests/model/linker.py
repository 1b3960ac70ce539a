# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a jail's programs can run: the run-time linker and the C library of its world, and the host's kernel.

The second line of what a release installs names that release (see model.archive). As on FreeBSD a program runs with a
newer C library and not with an older one, and an older world on a newer kernel and not the reverse.
"""

from __future__ import annotations

import typing as t

from model import kernel as kernels
from model import releases

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

LINKER, LIBRARY = "/libexec/ld-elf.so.1", "/lib/libc.so.7"
# What a shell gives as the status of a program that died by SIGABRT, by SIGSYS.
ABORTED, BAD_CALL = 134, 140


class Unable(Exception):
    """The program does not run."""

    def __init__(self, status: int, text: str) -> None:
        """Keep what it leaves behind."""
        super().__init__(text)
        self.status = status


def stamp(path: Path) -> str:
    """Return the release that a file is from, '' if it is missing, or not a release's."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        first, second = (file.readline(200) for _unused in range(2))
    word = second.strip().decode(errors="replace")
    return word if first.startswith(b"\x7fELF") and releases.RELEASE.fullmatch(word) else ""


def check(ctx: Context, name: str, release: str) -> None:
    """Raise Unable if a program of that release cannot run in the root of this process."""
    if not ctx.path(LINKER).is_file():
        raise Unable(ABORTED, f"ELF interpreter {LINKER} not found, error 2")
    if not ctx.path(LIBRARY).is_file():
        raise Unable(1, f'ld-elf.so.1: Shared object "libc.so.7" not found, required by "{name}"')
    library = stamp(ctx.path(LIBRARY))
    if not library:
        raise Unable(1, f"ld-elf.so.1: {LIBRARY}: invalid file format")
    if releases.order(release) > releases.order(library):
        raise Unable(1, f"ld-elf.so.1: {LIBRARY}: version FBSD_{library} required by {name} not found")
    with ctx.host.kernel() as kernel:
        running = kernels.osreldate(kernel)
    if running and releases.osreldate(library) > running:
        raise Unable(BAD_CALL, "Bad system call (core dumped)")
