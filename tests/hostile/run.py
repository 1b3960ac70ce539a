#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a customer attack from inside, in every way that is known, everything that the collection does with his jail.

run.py [--every N] [--operation NAME]... [--kind NAME]...
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from support.loader import collections

if t.TYPE_CHECKING:
    from hostile.ground import Ground

# The one that the processes of the pool inherit.
GROUND: list[Ground] = []


def arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="every so many cases only")
    parser.add_argument("--operation", action="append")
    parser.add_argument("--kind", action="append")
    return parser.parse_args()


def attempt(case: tuple[str, str]) -> tuple[str, str, list[str]]:
    """Try an attack in a process of the pool."""
    return (*case, GROUND[0].attack(*case))


def main() -> int:
    """Try all that is asked for; print figures, and each violation in full."""
    asked, begin = arguments(), time.monotonic()
    with collections(), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from hostile.ground import Ground, cases  # noqa: PLC0415

        GROUND[:] = [Ground(Path(folder), patch)]
        wanted = [
            (kind, word)
            for kind, word in cases()
            if (not asked.kind or kind in asked.kind) and (not asked.operation or word in asked.operation)
        ][:: asked.every]
        violations = 0
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            for number, (kind, operation, wrong) in enumerate(pool.imap_unordered(attempt, wanted), 1):
                if wrong:
                    violations += 1
                    lines = "\n".join(f"    {line!r}" for line in wrong[:20])
                    print(f"VIOLATION {operation}: {kind!r}\n{lines}", flush=True)
                if number % 200 == 0:
                    print(f"{number} of {len(wanted)} cases, {time.monotonic() - begin:.0f} s", flush=True)
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"figure: hostile_cases {len(wanted)}")
    print(f"figure: violations {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
