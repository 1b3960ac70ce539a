# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one program of the model as a process of its own: what each file in the host's /sbin, /bin, ... calls."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from model.command import Context
from model.host import Host

STUB = """#!/usr/local/bin/python3 -IS
import sys
sys.path.insert(0, "/.model/code")
from model.main import main
sys.exit(main(sys.argv))
"""


def main(argv: list[str]) -> int:
    """Run the program that ``argv[0]`` names with this process's streams; return its exit status."""
    context = Context(
        host=Host(Path("/.model/host"), root=Path("/")),
        argv=list(argv),
        stdin=sys.stdin.buffer,
        out=io.TextIOWrapper(sys.stdout.buffer, errors="surrogateescape", write_through=True),
        err=io.TextIOWrapper(sys.stderr.buffer, errors="surrogateescape", write_through=True),
        cwd=os.getcwd(),
        env=dict(os.environ),
    )
    try:
        return context.host.dispatch(context)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
