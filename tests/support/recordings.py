# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real FreeBSD 15.1 printed, from the transcripts."""

from __future__ import annotations

import functools
from pathlib import Path

from transcripts.replay import Step, parse

FOLDER = Path(__file__).resolve().parent.parent / "transcripts"


@functools.cache
def _steps(file: str) -> list[Step]:
    return parse(FOLDER / f"{file}.transcript")


def recorded(file: str, command: str, occurrence: int = 1) -> Step:
    """Return the recording of a command, of its nth occurrence in the file."""
    return [step for step in _steps(file) if step.command == command][occurrence - 1]


def printed(file: str, command: str, occurrence: int = 1) -> str:
    """Return the command's standard output."""
    return recorded(file, command, occurrence).out


def all_printed(file: str, command: str) -> list[str]:
    """Return the outputs of every occurrence of the command."""
    return [step.out for step in _steps(file) if step.command == command]
