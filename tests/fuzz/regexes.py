# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search among regular expressions: which of them can take more than linear time to say no.

Each is made an automaton whose states are the places in it where a character is read. It backtracks without end if from
some state the same characters lead back to it by two ways, and in the square of the length (or worse) if the same
characters lead from one state to itself, from that one to another, and from the other to itself.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import typing as t
from pathlib import Path

from fuzz.cases import Tally

_parser: t.Any = importlib.import_module("re._parser")

KIND = "fuzz_regexes"
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.jailisp.vps"
FUNCTIONS = ("compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split")
# Those that try every place of a text as a beginning.
ANYWHERE = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
# More repetitions than these are as good as any number; fewer are written out.
WRITTEN_OUT = 3
# Characters that stand for all others, beside those that the expression names.
OTHERS = "aZ0_- \t\n\x00\u00e9\u0663\U0001d7d8"
# Those that may be ambiguous, because no text that they are asked about is longer than a line of an inventory's.
BOUNDED = {
    "text": "values.py asks of 255 characters at most",
    "mail": "values.py asks of 1023 characters at most",
    "sshkey": "only editors ask it, of a line that somebody writes",
}


class Automaton:
    """The automaton of one expression: sets of characters by state, and which state may follow which."""

    def __init__(self, pattern: str, flags: int) -> None:
        """Parse the expression."""
        self.closure: dict[int, set[int]] = {}
        self.sets: list[re.Pattern[str]] = []
        self.follow: set[tuple[int, int]] = set()
        # What may follow in two ways, as in (a+)+.
        self.twice: set[tuple[int, int]] = set()
        self.flags = flags
        self.named: set[str] = set()
        _first, self.last, _empty = self._walk(_parser.parse(pattern, flags))
        self.alphabet = sorted({*self.named, *OTHERS})

    def _state(self, source: str) -> tuple[set[int], set[int], bool]:
        self.sets.append(re.compile(source, self.flags & ~re.VERBOSE))
        place = len(self.sets) - 1
        return {place}, {place}, False

    def _link(self, ends: t.Iterable[int], begins: t.Iterable[int]) -> None:
        links = set(itertools.product(ends, begins))
        self.twice |= links & self.follow
        self.follow |= links

    def _walk(self, items: t.Iterable[t.Any]) -> tuple[set[int], set[int], bool]:
        """Return the first states of a sequence, its last ones, and whether it may be empty."""
        first: set[int] = set()
        last: set[int] = set()
        empty = True
        for op, argument in items:
            begins, ends, may_be_empty = self._item(str(op), argument)
            self._link(last, begins)
            first |= begins if empty else set()
            last = ends | last if may_be_empty else ends
            empty = empty and may_be_empty
        return first, last, empty

    def _item(self, op: str, argument: t.Any) -> tuple[set[int], set[int], bool]:
        match op:
            case "LITERAL" | "NOT_LITERAL":
                self.named.add(chr(argument))
                return self._state(f"[{'^' if op == 'NOT_LITERAL' else ''}{re.escape(chr(argument))}]")
            case "ANY":
                return self._state(".")
            case "IN":
                return self._state(self._set(argument))
            # What looks ahead has nothing in these expressions that could repeat without end beside a bound.
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return set(), set(), True
        return self._group(op, argument)

    def _group(self, op: str, argument: t.Any) -> tuple[set[int], set[int], bool]:
        match op:
            case "BRANCH":
                begins, ends, empty = zip(*map(self._walk, argument[1]), strict=True)
                return set().union(*begins), set().union(*ends), any(empty)
            case "SUBPATTERN":
                return self._walk(argument[3])
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(*argument)
        raise NotImplementedError(op)

    def _repeat(self, least: int, most: t.Any, items: t.Any) -> tuple[set[int], set[int], bool]:
        endless = most is _parser.MAXREPEAT
        copies = min(WRITTEN_OUT, max(1, int(least) if endless else int(most)))
        first: set[int] = set()
        last: set[int] = set()
        before: set[int] = set()
        empty = True
        for number in range(copies):
            begins, ends, may_be_empty = self._walk(items)
            self._link(before, begins)
            first |= begins if empty else set()
            # One that is left out is followed by none: a{0,2} is (a(a)?)?.
            before = ends | before if may_be_empty else ends
            last = last | ends if number >= least or may_be_empty else ends
            empty = empty and may_be_empty
            if endless and number == copies - 1:
                self._link(ends, begins)
        return first, last, empty or least == 0

    def _set(self, members: t.Iterable[t.Any]) -> str:
        text = ""
        for op, argument in members:
            match str(op):
                case "NEGATE":
                    text += "^"
                case "LITERAL":
                    self.named.add(chr(argument))
                    text += re.escape(chr(argument))
                case "RANGE":
                    self.named |= {chr(argument[0]), chr(argument[1])}
                    text += f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
                case "CATEGORY":
                    word = str(argument).removeprefix("CATEGORY_")
                    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[word.removeprefix("NOT_")]
                    text += "\\" + (letter.upper() if word.startswith("NOT_") else letter)
                case other:
                    raise NotImplementedError(other)
        return f"[{text}]"

    def steps(self) -> dict[tuple[int, str], set[int]]:
        """Return which states follow a state that read a character: those that read the next one."""
        reads = {
            (state, letter)
            for state, each in enumerate(self.sets)
            for letter in self.alphabet
            if each.fullmatch(letter)
        }
        found: dict[tuple[int, str], set[int]] = {}
        for state, after in self.follow:
            for letter in self.alphabet:
                if (after, letter) in reads:
                    found.setdefault((state, letter), set()).add(after)
        return found


def ambiguity(pattern: str, flags: int, *, anywhere: bool) -> str | None:
    """Return how an expression can take more than linear time, None if it cannot."""
    # One that must begin at the beginning of a line is not tried at every place.
    ahead = anywhere and not pattern.startswith("^")
    automaton = Automaton(f"(?s:.*?)(?:{pattern})" if ahead else pattern, flags)
    steps = automaton.steps()
    loops = _loops(automaton)
    # Where a search has come to what may be its end it has found something.
    done = automaton.last if anywhere and not pattern.endswith(("$", "\\Z")) else set()
    for first, second in automaton.twice:
        if _reaches(automaton, second, first):
            return f"{automaton.sets[second].pattern} is repeated in two ways"
    for one, other in itertools.permutations(loops, 2):
        if other not in done and _reaches(automaton, one, other) and _pumps(automaton.alphabet, steps, one, other):
            sets = f"{automaton.sets[one].pattern} before {automaton.sets[other].pattern}"
            return f"the same characters repeat {sets}"
    for one in loops:
        if _splits(automaton.alphabet, steps, one):
            return f"the same characters repeat {automaton.sets[one].pattern} in two ways"
    return None


def _closure(automaton: Automaton) -> dict[int, set[int]]:
    after: dict[int, set[int]] = {}
    for one, other in automaton.follow:
        after.setdefault(one, set()).add(other)
    found = {}
    for begin in range(len(automaton.sets)):
        seen: set[int] = set()
        waiting = [begin]
        while waiting:
            new = after.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        found[begin] = seen
    return found


def _loops(automaton: Automaton) -> list[int]:
    """Return the states that can be come back to."""
    automaton.closure = _closure(automaton)
    return [state for state, reached in automaton.closure.items() if state in reached]


def _reaches(automaton: Automaton, one: int, other: int) -> bool:
    return other in automaton.closure[one]


Steps = dict[tuple[int, str], set[int]]


def _search(
    alphabet: t.Iterable[str], steps: Steps, begin: tuple[int, ...], goal: t.Callable[[tuple[int, ...]], bool]
) -> bool:
    """Say whether several runs that read the same characters come from one tuple of states to another."""
    seen = {begin}
    waiting = [begin]
    letters = tuple(alphabet)
    while waiting:
        states = waiting.pop()
        for letter in letters:
            choices = [steps.get((state, letter), set()) for state in states]
            for after in itertools.product(*choices):
                if goal(after):
                    return True
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
    return False


def _pumps(alphabet: t.Iterable[str], steps: Steps, one: int, other: int) -> bool:
    return _search(alphabet, steps, (one, one, other), lambda found: found == (one, other, other))


def _splits(alphabet: t.Iterable[str], steps: Steps, one: int) -> bool:
    """Say whether the same characters lead from a state back to it by two ways."""
    # The third number says whether the two ways have parted.
    seen = {(one, one, False)}
    waiting = list(seen)
    while waiting:
        left, right, parted = waiting.pop()
        for letter in alphabet:
            for pair in itertools.product(steps.get((left, letter), ()), steps.get((right, letter), ())):
                state = (*pair, parted or pair[0] != pair[1])
                if state == (one, one, True):
                    return True
                if state not in seen:
                    seen.add(state)
                    waiting.append(state)
    return False


class Found(t.NamedTuple):
    """A regular expression of the collection, where it is, and how it is used."""

    place: str
    pattern: str
    flags: int
    anywhere: bool


def expressions() -> t.Iterator[Found]:
    """Yield all regular expressions of the plugins and scripts."""
    files = [*sorted((ROOT / "plugins").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    uses = {use for file, tree in trees.items() for use in _uses(_name(file), tree)}
    for file, tree in trees.items():
        name = _name(file)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _function(node)]
        if not calls:
            continue
        if file.parent.name == "scripts":
            raise NotImplementedError(f"{file.name}: scripts had no regular expressions so far")
        module = importlib.import_module(f"{PACKAGE}.{name}")
        yield from _compiled(module, name, uses)
        for call in calls:
            yield from _written(call, module, name)


def _function(call: ast.Call) -> str:
    """Return which function of re a call is of, '' if of none."""
    function = call.func
    of_re = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"
    return function.attr if isinstance(function, ast.Attribute) and of_re and function.attr in FUNCTIONS else ""


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def _uses(name: str, tree: ast.AST) -> t.Iterator[str]:
    """Yield the names that a module searches anywhere in a text, by where they are from, as ``NAME.search``."""
    homes = {
        (alias.asname or alias.name): f"{(node.module or '').removeprefix(f'{PACKAGE}.')}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ANYWHERE and isinstance(node.value, ast.Name):
            yield homes.get(node.value.id, f"{name}.{node.value.id}")


def _compiled(module: t.Any, name: str, uses: t.Container[str]) -> t.Iterator[Found]:
    for key, value in vars(module).items():
        if isinstance(value, re.Pattern):
            yield Found(f"{name}.{key}", value.pattern, value.flags, f"{name}.{key}" in uses)
        if isinstance(value, dict):
            for kind, each in value.items():
                if isinstance(each, re.Pattern):
                    yield Found(f"{name}.{key}[{kind}]", each.pattern, each.flags, False)


def _written(call: ast.Call, module: t.Any, name: str) -> t.Iterator[Found]:
    """Yield the expression of a call such as ``re.sub("...", ...)``, if it is a text or a name of the module's."""
    function = _function(call)
    pattern = call.args[0]
    if function == "compile":
        return
    text = pattern.value if isinstance(pattern, ast.Constant) else getattr(module, getattr(pattern, "id", ""), None)
    if isinstance(text, str):
        yield Found(f"{name}:{call.lineno}", text, 0, function in ANYWHERE)


def search(tally: Tally) -> None:
    """Check all of them."""
    for found in expressions():
        tally.cases[KIND] += 1
        wrong = ambiguity(found.pattern, found.flags & ~re.UNICODE, anywhere=found.anywhere)
        if wrong and not any(found.place.endswith(f"_COMPILED[{kind}]") for kind in BOUNDED):
            tally.add(KIND, found.place, wrong, found.pattern)
