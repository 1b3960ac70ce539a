# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""getopt_long(3) as FreeBSD's programs use it."""

from __future__ import annotations

import typing as t

from model.command import Exit

if t.TYPE_CHECKING:
    from model.command import Context

Found = dict[str, list[str]]


class _Parser:
    """One pass over the arguments of a process."""

    def __init__(self, ctx: Context, letters: str, names: t.Mapping[str, str], usage: str, status: int) -> None:
        self.ctx, self.names, self.usage, self.status = ctx, names, usage, status
        self.permute = not letters.startswith("+")
        self.letters = letters.lstrip("+")
        self.found: Found = {}
        self.operands: list[str] = []

    def fail(self, message: str) -> t.NoReturn:
        self.ctx.warn(message)
        self.ctx.err.write(self.usage)
        raise Exit(self.status)

    def parse(self) -> tuple[Found, list[str]]:
        words = self.ctx.arguments
        while words:
            word = words.pop(0)
            if word == "--":
                self.operands += words
                break
            if word.startswith("--"):
                self.long(word, words)
            elif word.startswith("-") and word != "-":
                self.short(word[1:], words)
            else:
                self.operands.append(word)
                if not self.permute:
                    self.operands += words
                    break
        return self.found, self.operands

    def short(self, cluster: str, words: list[str]) -> None:
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            place = self.letters.find(letter)
            if place < 0 or letter == ":":
                self.fail(f"invalid option -- {letter}")
            value = ""
            if self.letters[place + 1 : place + 3] == "::":
                value, cluster = cluster, ""
            elif self.letters[place + 1 : place + 2] == ":":
                if not cluster and not words:
                    self.fail(f"option requires an argument -- {letter}")
                value, cluster = cluster or words.pop(0), ""
            self.found.setdefault(letter, []).append(value)

    def long(self, word: str, words: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        matches = [each for each in self.names if each.startswith(name)]
        if name in self.names:
            matches = [name]
        if not matches:
            self.fail(f"unrecognized option `{word}'")
        if len(matches) > 1:
            self.fail(f"option `--{name}' is ambiguous")
        kind = self.names[matches[0]]
        if equals and not kind.endswith(":"):
            self.fail(f"option `--{matches[0]}' doesn't allow an argument")
        if not equals and kind.endswith(":") and not kind.endswith("::"):
            if not words:
                self.fail(f"option requires an argument `--{matches[0]}'")
            value = words.pop(0)
        self.found.setdefault(kind.rstrip(":") or matches[0], []).append(value)


def long_options(
    ctx: Context, letters: str, names: t.Mapping[str, str], usage: str, status: int = 1
) -> tuple[Found, list[str]]:
    """Parse short and long options; return option -> its arguments ('' for flags), and operands.

    ``names`` maps a long option to the letter that it stands for (or to '': then it is found by its own name), with
    ``:`` behind it if it takes an argument and ``::`` if it may. Options end at the first operand if ``letters`` begins
    with ``+``.
    """
    return _Parser(ctx, letters, names, usage, status).parse()
