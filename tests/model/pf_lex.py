# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pf.conf(5) cut into words: macros, quoted strings, continuation lines, included files, and where each word stands."""

from __future__ import annotations

import re
import typing as t

from model.pf_names import KEYWORDS

# A word: any letter, digit, ':' or '_' first; then punctuation except ( ) { } < > ! = / # ,
WORD = re.compile(r"[A-Za-z0-9:_][A-Za-z0-9:_.\-$%&*+;?@\[\]^`|~\"']*")
NUMBER = re.compile(r"-?\d+(?=[\s),/}=]|$)")
BLANK = re.compile(r"(?:[ \t]|\\\n)*(?:#(?:\\\n|[^\n])*)?")
MACRO = re.compile(r"\$(\w*)")

STRING, NUM, SIGN, KEY, END, BAD = "string", "number", "sign", "keyword", "end", "bad"


class Token(t.NamedTuple):
    """A word of the file: what kind it is, its text, and the line it stands on."""

    kind: str
    text: str
    line: int

    def is_sign(self, text: str) -> bool:
        """Say whether it is that sign (``\\n`` included)."""
        return self.kind == SIGN and self.text == text


class _Source:
    """One file that is being read."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.at, self.line = name, text, 0, 1


class Lexer:
    """Words of a file and of those it includes; ``error`` is told the file's name, line and what is wrong."""

    def __init__(self, name: str, text: str, error: t.Callable[[str, int, str], None]) -> None:
        """Start at the beginning of the file."""
        self.sources = [_Source(name, text)]
        self.macros: dict[str, str] = {}
        self._error = error
        self._waiting: list[Token] = []
        self.token = self._read()

    @property
    def name(self) -> str:
        """The name of the file that is being read, as messages call it."""
        return self.sources[-1].name

    def take(self) -> Token:
        """Return this word and go to the next."""
        taken = self.token
        self.token = self._read()
        return taken

    def include(self, name: str, text: str) -> None:
        """Go on with another file, then with the rest of this one, beginning with the end of this line."""
        self._waiting.clear()
        if self.token.is_sign("\n"):
            self.sources[-1].at -= 1
            self.sources[-1].line -= 1
        self.sources.append(_Source(name, text))

    def skip_line(self) -> None:
        """Go behind the next end of a line, or to the end of all."""
        while self.token.kind != END and not self.token.is_sign("\n"):
            self.take()
        if self.token.kind != END:
            self.take()

    def _read(self) -> Token:
        if self._waiting:
            return self._waiting.pop(0)
        source = self.sources[-1]
        while True:
            match = BLANK.match(source.text, source.at)
            blank = match.group() if match else ""
            source.at += len(blank)
            source.line += blank.count("\n")
            if source.at < len(source.text):
                return self._word(source)
            if len(self.sources) == 1:
                return Token(END, "", source.line)
            self.sources.pop()
            source = self.sources[-1]

    def _word(self, source: _Source) -> Token:
        char = source.text[source.at]
        if char == "\n":
            source.at += 1
            source.line += 1
            return Token(SIGN, "\n", source.line - 1)
        if char == "$":
            return self._macro(source)
        if char in "'\"":
            return self._quoted(source, char)
        token, length = plain_word(source.text, source.at, source.line)
        source.at += length
        return token

    def _macro(self, source: _Source) -> Token:
        match = MACRO.match(source.text, source.at)
        name = match.group(1) if match else ""
        source.at += len(name) + 1
        if name not in self.macros:
            self._error(self.name, source.line, f"macro '{name}' not defined")
            end = source.text.find("\n", source.at)
            source.at = len(source.text) if end < 0 else end + 1
            source.line += 1
            return Token(BAD, name, source.line - 1)
        self._waiting.extend(_words(self.macros[name], source.line))
        return self._read()

    def _quoted(self, source: _Source, quote: str) -> Token:
        line = source.line
        text: list[str] = []
        at = source.at + 1
        while at < len(source.text) and source.text[at] != quote:
            char = source.text[at]
            if char == "\n":
                source.line += 1
            elif char == "\\" and source.text[at + 1 : at + 2] in (quote, "\n"):
                at += 1
                if source.text[at] == quote:
                    text.append(quote)
                else:
                    source.line += 1
            else:
                text.append(char)
            at += 1
        if at >= len(source.text):
            self._error(self.name, source.line, "reached end of file while parsing quoted string")
        source.at = at + 1
        return Token(STRING, "".join(text), line)


def _words(text: str, line: int) -> t.Iterator[Token]:
    """Cut the value of a macro; in it, ``$`` is nothing special."""
    at = 0
    while at < len(text):
        if text[at] in " \t\n":
            at += 1
        elif text[at] in "'\"" and text.find(text[at], at + 1) > 0:
            end = text.find(text[at], at + 1)
            yield Token(STRING, text[at + 1 : end], line)
            at = end + 1
        else:
            token, length = plain_word(text, at, line)
            yield token
            at += length


def plain_word(text: str, at: int, line: int) -> tuple[Token, int]:
    """Return the number, word or sign at that place, and its length."""
    if text[at : at + 2] in ("<>", "><", "->"):
        return Token(SIGN, text[at : at + 2], line), 2
    match = NUMBER.match(text, at)
    if match:
        return Token(NUM, match.group(), line), len(match.group())
    match = WORD.match(text, at)
    if match:
        word = match.group()
        return Token(KEY if word in KEYWORDS else STRING, word, line), len(word)
    return Token(SIGN, text[at], line), 1
