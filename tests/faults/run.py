#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converge hosts, and let something go wrong at every command and every change of a file, one at a time.

run.py [--every N] [--scene NAME]... [--host NAME]... [--kind KIND]... [--place NUMBER]
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from faults.scenes import ADDRESSES, SCENES
from support.loader import collections as ansible_collections_found

if t.TYPE_CHECKING:
    from faults.convergences import Stage
    from faults.meddle import Fault

# The one that the processes of the pool inherit.
STAGE: list[Stage] = []
KILLS = ("killed before", "killed amid")


def arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="every so many faults only")
    parser.add_argument("--scene", action="append", choices=list(SCENES))
    parser.add_argument("--host", action="append", choices=list(ADDRESSES))
    parser.add_argument("--kind", action="append", help="killed before, killed amid, refused, hung before, hung after")
    parser.add_argument("--place", type=int, help="the one operation of that number")
    return parser.parse_args()


def attempt(fault: Fault) -> tuple[Fault, list[str]]:
    """Try a fault in a process of the pool."""
    return fault, STAGE[0].try_fault(fault)


class Report:
    """What was tried, and what is wrong."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tried: collections.Counter[str] = collections.Counter()
        self.well: collections.Counter[str] = collections.Counter()

    def add(self, where: str, fault: Fault, text: str, wrong: list[str]) -> None:
        """Count a fault, and show what it led to if that is wrong."""
        self.tried[fault.kind] += 1
        self.well[fault.kind] += not wrong
        if wrong:
            lines = "\n".join(f"    {line}" for line in wrong)
            print(f"VIOLATION {where}: {fault} ({text})\n{lines}", flush=True)

    def figures(self) -> int:
        """Print them; return how many faults led to something wrong."""
        for kind in sorted(self.tried):
            print(f"{kind}: {self.tried[kind]} tried, {self.well[kind]} well")
        print(f"figure: kill_points {sum(self.tried[kind] for kind in KILLS)}")
        print(f"figure: reconverged {sum(self.well[kind] for kind in KILLS)}")
        print(f"figure: faults {self.tried.total()}")
        print(f"figure: fault_violations {self.tried.total() - self.well.total()}")
        return self.tried.total() - self.well.total()


def main() -> int:
    """Try all that is asked for; print figures, and each violation in full."""
    asked, report, begin = arguments(), Report(), time.monotonic()
    with ansible_collections_found(), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from faults.convergences import Stage, install  # noqa: PLC0415

        hosts = asked.host or list(ADDRESSES)
        installed = {name: install(Path(folder) / "installed" / name, name).directory for name in hosts}
        offset = 0
        for name in hosts:
            for word in asked.scene or SCENES:
                where = Path(folder) / f"{name}-{word}"
                STAGE[:] = [Stage(SCENES[word], name, installed[name], where, patch)]
                faults = [
                    fault
                    for fault in STAGE[0].faults()
                    if (not asked.kind or fault.kind in asked.kind) and asked.place in (None, fault.place)
                ][offset % asked.every :: asked.every]
                offset += 1
                with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
                    for fault, wrong in pool.imap_unordered(attempt, faults):
                        report.add(f"{name} {word}", fault, STAGE[0].trace[fault.place - 1].text, wrong)
                shutil.rmtree(where)
                took = f"{time.monotonic() - begin:.0f} s"
                print(f"{name} {word}: {len(faults)} faults, {len(STAGE[0].trace)} operations, {took}", flush=True)
    return 1 if report.figures() else 0


if __name__ == "__main__":
    sys.exit(main())
