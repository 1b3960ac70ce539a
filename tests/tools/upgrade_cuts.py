#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut upgrades and rollbacks off at every place, for each kind of storage, and count where the next run converges.

upgrade_cuts.py [EVERY]: every so many places only
"""

from __future__ import annotations

import collections
import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TESTS = "tests/unit/plugins/modules/test_jail_upgrades_cut.py"
FIGURES = ("kill_points", "reconverged")


class Figures:
    """Adds up what the tests record, also where they run in other processes."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.sums: collections.Counter[str] = collections.Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a test recorded, passed or not."""
        if report.when == "call":
            for name, number in report.user_properties:
                self.sums[name] += int(str(number))


def main() -> int:
    """Run the tests; print figures."""
    os.chdir(PROJECT)
    os.environ["CUT_EVERY"] = sys.argv[1] if len(sys.argv) > 1 else "1"
    figures = Figures()
    status = pytest.main(["-q", "-n", "2", TESTS], plugins=[figures])
    for name in FIGURES:
        print(f"figure: {name} {figures.sums[name]}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
