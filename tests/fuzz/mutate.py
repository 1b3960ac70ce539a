# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rubbish made of what programs really print: random damage to a text, to the numbers in it, and to JSON."""

from __future__ import annotations

import json
import random
import re
import typing as t

# What splits lines, ends texts, moves cursors, looks like a digit and is none, or stands for a byte that is no UTF-8.
ODD = (
    *(
        "\0",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\x0b",
        "\x0c",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\udcff",
        "\udc80",
    ),
    *(
        "\u00b2",
        "\u0663",
        "\U0001d7d8",
        "\u00e9",
        "\u2460",
        " ",
        "  ",
        '"',
        "'",
        "`",
        "\\",
        "\\040",
        "{",
        "}",
        "[",
        "]",
    ),
    *("(", ")", "<", ">", ":", ";", ",", "#", "/", "..", "%", "=", "-", "*", "|", "$(id)", "{{ 1 }}", "%s", "jail:"),
)
# Python refuses to make a number of more digits than 4300.
NUMBERS = (
    *("0", "-1", "-0", "00017", "4294967296", "18446744073709551616", "9" * 30, "9" * 5000, "1e999", "-1e999", "1.5"),
    *("", "-", "+1", " 1", "1_000", "0x1f", "NaN", "Infinity", "\u00b2", "\u0663", "\u2460", "65536", "1" * 64),
)
VALUES: tuple[t.Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "x", "9" * 5000, "\0", "\udcff"),
    *([], [None], [[]], ["x", 1], {}, {"": None}, {"name": {}}, [{}], {"x": [1, 2, 3]}),
)
# Deeper than Python's limit of recursion.
DEEP = 20_000
_NUMBER = re.compile(r"[0-9]+")


class Mutator:
    """Damages texts at random; the same seed does the same damage."""

    def __init__(self, chance: random.Random, corpus: t.Sequence[str]) -> None:
        """Keep the source of chance, and the texts of which pieces go into others."""
        self.chance = chance
        self.corpus = corpus
        self._edits: tuple[t.Callable[[str], str], ...] = (
            self._put_odd,
            self._put_odd,
            self._drop_some,
            self._repeat_some,
            self._change_number,
            self._change_number,
            self._change_lines,
            self._change_lines,
            self._change_words,
            self._splice,
            self._cut,
            self._change_json,
            self._change_json,
        )

    def text(self, seed: str) -> str:
        """Return a text, damaged once or some times; seldom another one altogether."""
        if self.chance.random() < 0.01:
            return self._other()
        for _unused in range(self.chance.choice((1, 1, 1, 2, 2, 3, 6))):
            seed = self.chance.choice(self._edits)(seed)
        return seed

    def value(self, value: t.Any) -> t.Any:
        """Return a value of JSON in which something is something else."""
        chance = self.chance
        if isinstance(value, dict) and value and chance.random() < 0.85:
            return self._mapping(value)
        if isinstance(value, list) and value and chance.random() < 0.85:
            return self._list(value)
        if isinstance(value, str) and chance.random() < 0.4:
            return self._put_odd(value)
        return chance.choice(VALUES)

    def _mapping(self, value: dict[str, t.Any]) -> dict[str, t.Any]:
        key = self.chance.choice(list(value))
        rest = {name: each for name, each in value.items() if name != key}
        if self.chance.random() < 0.2:
            return rest
        if self.chance.random() < 0.1:
            return {**rest, self.chance.choice(ODD): value[key]}
        return {**value, key: self.value(value[key])}

    def _list(self, value: list[t.Any]) -> list[t.Any]:
        place = self.chance.randrange(len(value))
        if self.chance.random() < 0.2:
            return [*value, *value[place:]] if self.chance.random() < 0.5 else value[:place] + value[place + 1 :]
        return [*value[:place], self.value(value[place]), *value[place + 1 :]]

    def _other(self) -> str:
        chance = self.chance
        return chance.choice(
            (
                "",
                "\n" * chance.randint(1, 50),
                "[" * DEEP,
                '{"":' * DEEP,
                "x" * DEEP,
                json.dumps(chance.choice(VALUES)),
                "".join(map(chr, chance.choices(range(256), k=chance.randint(1, 200)))),
                "".join(chance.choices(ODD, k=chance.randint(1, 60))),
            )
        )

    def _span(self, text: str, longest: int = 40) -> tuple[int, int]:
        begin = self.chance.randint(0, len(text))
        return begin, min(len(text), begin + self.chance.randint(0, longest))

    def _put_odd(self, text: str) -> str:
        begin, end = self._span(text, 2)
        return text[:begin] + self.chance.choice(ODD) + text[end:]

    def _drop_some(self, text: str) -> str:
        begin, end = self._span(text)
        return text[:begin] + text[end:]

    def _repeat_some(self, text: str) -> str:
        begin, end = self._span(text)
        return text[:end] + text[begin:end] * self.chance.choice((1, 2, 50)) + text[end:]

    def _cut(self, text: str) -> str:
        return text[: self.chance.randint(0, len(text))]

    def _splice(self, text: str) -> str:
        begin, end = self._span(text)
        other = self.chance.choice(self.corpus)
        start, stop = self._span(other, 200)
        return text[:begin] + other[start:stop] + text[end:]

    def _change_number(self, text: str) -> str:
        found = list(_NUMBER.finditer(text))
        if not found:
            return self._put_odd(text)
        match = self.chance.choice(found)
        return text[: match.start()] + self.chance.choice(NUMBERS) + text[match.end() :]

    def _change_lines(self, text: str) -> str:
        lines = text.split("\n")
        place = self.chance.randrange(len(lines))
        match self.chance.randrange(4):
            case 0:
                del lines[place]
            case 1:
                lines.insert(self.chance.randrange(len(lines) + 1), lines[place])
            case 2:
                self.chance.shuffle(lines)
            case _:
                lines[place] = self.chance.choice(self.chance.choice(self.corpus).split("\n"))
        return "\n".join(lines)

    def _change_words(self, text: str) -> str:
        """Take a field out of a line, put one in, or change two."""
        lines = text.split("\n")
        place = self.chance.randrange(len(lines))
        separator = self.chance.choice(("\t", " ", ":", ","))
        words = lines[place].split(separator)
        first, second = (self.chance.randrange(len(words)) for _unused in range(2))
        match self.chance.randrange(3):
            case 0:
                del words[first]
            case 1:
                words.insert(first, words[second])
            case _:
                words[first], words[second] = words[second], words[first]
        lines[place] = separator.join(words)
        return "\n".join(lines)

    def _change_json(self, text: str) -> str:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self._put_odd(text)
        return json.dumps(self.value(value))
