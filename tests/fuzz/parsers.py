# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search among parsers: damaged recordings, and texts that hypothesis makes of the same words."""

from __future__ import annotations

import random
import re
import typing as t

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.cases import Tally, TooLong, fresh, shrink, trouble_of, watched
from fuzz.mutate import NUMBERS, ODD, Mutator
from fuzz.targets import Target

KIND = "fuzz_parsers"
# Hypothesis takes longer for a text than damage does.
GENERATED_SHARE = 0.1
_WORD = re.compile(r"\w+|\W", re.DOTALL)


def trouble(target: Target, text: str) -> str | None:
    """Return what a text does to a target that it must not, None if it does nothing of the kind."""
    fresh()
    try:
        target.call(text)
    except target.raises:
        return None
    except Exception as error:
        return trouble_of(error)
    return None


def search(targets: t.Sequence[Target], examples: int, begin: int, tally: Tally) -> None:
    """Try so many texts on each target."""
    corpus = [text for target in targets for text in target.seeds]
    with watched():
        for target in targets:
            chance = random.Random(f"{begin} {target.name}")
            _damaged(target, Mutator(chance, corpus), examples, tally)
            _generated(target, max(1, int(examples * GENERATED_SHARE)), begin, tally)


def _damaged(target: Target, mutator: Mutator, examples: int, tally: Tally) -> None:
    for number in range(examples):
        # What is in order goes first: it must be taken.
        text = target.seeds[number] if number < len(target.seeds) else mutator.text(mutator.chance.choice(target.seeds))
        _try(target, text, tally)


def _try(target: Target, text: str, tally: Tally) -> None:
    tally.cases[KIND] += 1
    wrong = trouble(target, text)
    if wrong and all((each.target, each.trouble) != (target.name, wrong) for each in tally.violations):
        slow = wrong.startswith(TooLong.__name__)
        smaller = text if slow else shrink(text, lambda each: trouble(target, each) == wrong)
        tally.add(KIND, target.name, wrong, repr(smaller))


def _texts(target: Target) -> st.SearchStrategy[str]:
    """Return texts of the words of a target's seeds, of odd ones, and of anything."""
    words = sorted({word for text in target.seeds for word in _WORD.findall(text)})
    pieces = st.sampled_from(words) | st.sampled_from(ODD) | st.sampled_from(NUMBERS) | st.text(max_size=8)
    return st.lists(pieces, max_size=40).map("".join) | st.text()


def _generated(target: Target, examples: int, begin: int, tally: Tally) -> None:
    failing: list[tuple[str, str]] = []

    @seed(f"{begin} {target.name}")
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(_texts(target))
    def attempt(text: str) -> None:
        tally.cases[KIND] += 1
        wrong = trouble(target, text)
        if wrong:
            # The last of these is the smallest.
            failing.append((wrong, text))
            raise AssertionError(wrong)

    try:
        attempt()
    except AssertionError:
        tally.add(KIND, target.name, failing[-1][0], repr(failing[-1][1]))
