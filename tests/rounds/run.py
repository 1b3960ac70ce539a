#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the records of 50 jails at random, 200 times, and see after each time that all holds that must.

run.py [ROUNDS [SEED]]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pytest

from support.loader import collections

JAILS, ROUNDS, SEED = 50, 200, 4


def main() -> int:
    """Run all rounds; print figures, and each violation in full."""
    rounds, seed = (int(word) for word in (*sys.argv[1:], *(str(each) for each in (ROUNDS, SEED)[len(sys.argv) - 1 :])))
    with collections(), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from rounds.convergences import Rounds  # noqa: PLC0415

        begin = time.monotonic()
        fleet = Rounds(Path(folder), JAILS, seed, patch)
        changes = 0
        for number in range(rounds + 1):
            said = fleet.round(change=number > 0)
            changes += len(said)
            if fleet.wrong:
                print(f"round {number} (seed {seed}): {'; '.join(said)}")
                print("\n".join(f"VIOLATION {text}" for text in fleet.wrong))
                break
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"figure: rounds {number}")
    print(f"figure: round_changes {changes}")
    print(f"figure: round_violations {len(fleet.wrong)}")
    return 1 if fleet.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
