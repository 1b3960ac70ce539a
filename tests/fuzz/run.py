#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feed anything to the parsers, the modules and the inventory, and see that nobody ever sees a traceback.

    run.py [TIMES]    so many times the usual number of cases, which take about five minutes

FUZZ_EXAMPLES is the number of cases of each parser, 3000 without; the others follow it. FUZZ_SEED repeats a run;
without it each run tries something else. Prints how many cases of each kind were tried, and each violation with the
smallest input that was found for it; fails if there is one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from fuzz import inventory, linear, modules, parsers, regexes
from fuzz.cases import Tally
from fuzz.targets import targets

EXAMPLES = 3000
# Of the number of cases of each parser: those of each module, and those of the inventory.
MODULES_SHARE, INVENTORY_SHARE = 0.1, 1.0


def search(examples: int, begin: int) -> Tally:
    """Try everything."""
    tally = Tally()
    found = targets()
    parsers.search(found, examples, begin, tally)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        modules.search(folder / "host", max(1, int(examples * MODULES_SHARE)), begin, tally)
        inventory.search(folder, max(1, int(examples * INVENTORY_SHARE)), begin, tally)
    regexes.search(tally)
    linear.search(found, tally)
    return tally


def report(tally: Tally) -> bool:
    """Print what was found; return whether that is nothing."""
    for kind, count in sorted(tally.cases.items()):
        found = sum(violation.kind == kind for violation in tally.violations)
        print(f"figure: {kind} {count}")
        print(f"figure: {kind}_violations {found}")
    for violation in tally.violations:
        print(violation)
    print(f"figure: fuzz_cases {tally.cases.total()}")
    print(f"figure: fuzz_violations {len(tally.violations)}")
    return not tally.violations


def main() -> int:
    """Search as long as was asked for."""
    times = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    examples = max(1, int(int(os.environ.get("FUZZ_EXAMPLES", EXAMPLES)) * times))
    begin = int(os.environ.get("FUZZ_SEED", time.time()))
    print(f"FUZZ_SEED={begin} FUZZ_EXAMPLES={examples}", flush=True)
    # Ansible warns of what it is about to refuse.
    warnings.simplefilter("ignore")
    return 0 if report(search(examples, begin)) else 1


if __name__ == "__main__":
    sys.exit(main())
