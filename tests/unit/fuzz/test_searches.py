# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A little of what `make fuzz` does, always the same; and that it finds what there is to find."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, ParseError
from fuzz import inventory, linear, modules, parsers, regexes
from fuzz.cases import Tally, fresh, shrink, watched
from fuzz.mutate import Mutator
from fuzz.targets import Target, targets

SEED = 1


def planted(text: str) -> int:
    """Count lines; a line of three words has none of them counted."""
    for line in text.splitlines():
        first, _second = line.split(" ")
        if not first.isdigit():
            raise ParseError(line)
    return len(text)


def test_a_sample_of_the_search_among_parsers_finds_nothing() -> None:
    tally = Tally()
    parsers.search(targets(), 20, SEED, tally)
    assert not tally.violations
    assert tally.cases[parsers.KIND] > 20 * len(targets())


def test_a_planted_mistake_is_found_and_made_small() -> None:
    tally = Tally()
    parsers.search([Target("planted", planted, ("1 a\n2 b\n3 c\n",), (ParseError,))], 300, SEED, tally)
    (found, *_others) = tally.violations
    assert found.target == "planted"
    assert found.trouble.startswith("ValueError")
    assert len(found.case) < 12


def test_an_endless_search_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, "fresh", lambda: fresh(0.05))

    def endless(_text: str) -> None:
        while True:
            pass

    with watched():
        assert str(parsers.trouble(Target("endless", endless, ("",)), "")).startswith("TooLong")


def test_the_same_seed_does_the_same_damage() -> None:
    texts = [
        [Mutator(random.Random(SEED), ["a 1\nb 2\n"]).text("a 1\nb 2\n") for _unused in range(50)] for _each in "ab"
    ]
    assert texts[0] == texts[1]


def test_what_is_not_needed_is_left_out() -> None:
    assert shrink("some words, x, and others", lambda text: "x" in text) == "x"


def test_a_sample_of_the_search_among_modules_finds_nothing(tmp_path: Path) -> None:
    tally = Tally()
    modules.search(tmp_path / "host", 6, SEED, tally)
    assert not tally.violations
    assert tally.cases[modules.KIND] == 6 * len(modules.names())


def test_a_module_with_a_planted_mistake_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wish(_parameters: object) -> None:
        raise KeyError

    monkeypatch.setattr("ansible_collections.jailisp.vps.plugins.module_utils._rctl.observe.wish", wish)
    tally = Tally()
    modules.search(tmp_path / "host", 12, SEED, tally, ["rctl_rules"])
    assert [found.trouble.partition(" ")[0] for found in tally.violations] == ["KeyError"]


def test_a_module_that_names_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wish(_parameters: object) -> None:
        raise InvalidDesired("wrong")

    monkeypatch.setattr("ansible_collections.jailisp.vps.plugins.module_utils._rctl.observe.wish", wish)
    tally = Tally()
    modules.search(tmp_path / "host", 12, SEED, tally, ["rctl_rules"])
    assert [found.trouble.partition(":")[0] for found in tally.violations] == ["its message names nothing"]


def test_a_sample_of_the_search_among_inventories_finds_nothing(tmp_path: Path) -> None:
    tally = Tally()
    inventory.search(tmp_path, 60, SEED, tally)
    assert not tally.violations


@pytest.mark.parametrize("error", ["jails/alice.yml:3: host: is wrong", "somewhere: is wrong; correct it"])
def test_an_error_that_does_not_help_is_found(error: str) -> None:
    assert inventory.complaint(error, {"jails/alice.yml"})
    assert not inventory.complaint("jails/alice.yml:3: host: is wrong; correct it", {"jails/alice.yml"})


def test_no_regular_expression_takes_more_than_linear_time() -> None:
    tally = Tally()
    regexes.search(tally)
    assert not tally.violations


@pytest.mark.parametrize(
    ("pattern", "anywhere", "ambiguous"),
    [
        ("(a+)+b", False, True),
        ("(a|aa)+b", False, True),
        ("a*a*b", False, True),
        (r"\s*\(?\s*1", False, True),
        (r"\S.*?\s+1", False, True),
        (r"\s+$", True, True),
        (r"\s+", True, False),
        (r"^ *C (/\S.*)$", True, False),
        ("[^:]+:[0-9]+", False, False),
        ("(/[a-z]+)+", False, False),
        ("[a-z]([a-z-]{0,61}[a-z])?(-1)*", False, False),
    ],
)
def test_what_can_be_read_in_two_ways_is_told(pattern: str, anywhere: bool, ambiguous: bool) -> None:
    assert bool(regexes.ambiguity(pattern, 0, anywhere=anywhere)) == ambiguous


def test_what_copies_all_that_it_has_for_each_line_is_found() -> None:
    def copying(text: str) -> list[str]:
        found: list[str] = []
        for line in text.splitlines():
            found = [each.strip() for each in [*found, line]]
        return found

    with watched():
        assert "calls" in str(linear.trouble(Target("copying", copying, ()), lambda size: "a\n" * size))
        assert linear.trouble(Target("linear", str.splitlines, ()), lambda size: "a\n" * size) is None
