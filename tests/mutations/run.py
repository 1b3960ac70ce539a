#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the inventory, one thing at a time, and see that the compiler refuses each mutant, saying where and why.

    run.py [WORDS]    only the mutants whose titles have these words

What it accepts must be harmless, by a stated rule, and is shown to be so: the model hosts of which the mutant says
something else converge to it. Prints how many mutants there are, how many are refused, the accepted ones by reason, and
each violation in full; fails if there is one, or if the mutants are too few.
"""

from __future__ import annotations

import random
import sys
import tempfile
import typing as t
from collections import Counter, defaultdict
from pathlib import Path

from mutations import fleets
from mutations.files import file_mutants
from mutations.harmless import Rack, write_archives
from mutations.judge import Compiler, Verdict, judge
from mutations.keys import group_mutants, key_mutants, unknown_keys
from mutations.mutant import Mutant, Source
from mutations.rules import rule_mutants

EXAMPLE = Path(__file__).resolve().parents[2] / "inventory"
FEWEST = 200
# Every wrong value of every key is tried on the example, and so many on the generated fleet, which is slower.
SHARES = {"example": 1.0, "generated": 0.03}


def mutants(source: Source) -> t.Iterator[Mutant]:
    """Yield all mutants of an inventory, the same each time."""
    chance = random.Random(fleets.SEED)
    yield from key_mutants(source, chance, SHARES[source.name])
    yield from group_mutants(source)
    yield from unknown_keys(source, chance)
    yield from rule_mutants(source, chance)
    # A damaged file is damaged alike in both.
    if source.name == "example":
        yield from file_mutants(source)


class Tally:
    """What came of all mutants."""

    def __init__(self) -> None:
        """Begin with none."""
        self.tried: set[str] = set()
        self.refused = 0
        self.accepted: Counter[str] = Counter()
        self.most: tuple[int, str] = (0, "")
        self.violations: dict[str, list[str]] = defaultdict(list)
        self.converged = 0

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        what = verdict.mutant.what
        if what in self.tried:
            self.violations[what].append("another mutant has the same title")
        self.tried.add(what)
        self.refused += bool(verdict.errors)
        self.most = max(self.most, (len(verdict.errors), what))
        if verdict.fleet and verdict.mutant.harmless:
            self.accepted[verdict.mutant.harmless] += 1
        if verdict.wrong:
            self.violations[what] += verdict.wrong

    def report(self) -> bool:
        """Print all of it; return whether all is well."""
        print(f"figure: mutations {len(self.tried)}")
        print(f"figure: refused {self.refused}")
        print(f"The most errors of one mutant are {self.most[0]}: {self.most[1]}")
        print(f"Accepted, with {self.converged} convergences of hosts of which they say something else:")
        for reason, count in self.accepted.most_common():
            print(f"  {count:4} {reason}")
        for what, wrong in self.violations.items():
            print(f"VIOLATION {what}")
            for each in wrong:
                print(f"    {each}")
        print(f"figure: mutation_violations {len(self.violations)}")
        return not self.violations


def try_source(compiler: Compiler, rack: Rack, tally: Tally, words: str) -> None:
    """Try all mutants of an inventory."""
    for mutant in mutants(compiler.source):
        if words not in mutant.what:
            continue
        verdict = judge(compiler, mutant)
        if verdict.fleet and not verdict.wrong:
            trouble = rack.trouble(verdict.fleet)
            verdict.wrong += [f"accepted, but {trouble}"] if trouble else []
        tally.add(verdict)
    tally.converged += len(rack.known)
    # Every mutant was mended, or what followed was not what it seemed.
    Compiler(compiler.source).compile()


def main() -> int:
    """Try all mutants of both inventories."""
    words = " ".join(sys.argv[1:])
    tally = Tally()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checksums = write_archives(folder)
        sources = (
            fleets.copy_example(EXAMPLE, folder / "example", checksums),
            fleets.generate(folder / "generated", checksums),
        )
        for source in sources:
            compiler = Compiler(source)
            rack = Rack(folder / f"rack-{source.name}", folder, compiler.compile())
            try_source(compiler, rack, tally, words)
    well = tally.report()
    if not words and len(tally.tried) < FEWEST:
        print(f"VIOLATION only {len(tally.tried)} mutants; {FEWEST} are the fewest")
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
