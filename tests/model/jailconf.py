# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jail.conf(5): reading it, with FreeBSD's words when it is wrong."""

from __future__ import annotations

import fnmatch
import posixpath
import re
import typing as t

if t.TYPE_CHECKING:
    from model.command import Context

MAX_DEPTH = 32

# A piece of a string: whether it is a variable, and its name or the text.
Piece = tuple[bool, str]

_BARE = re.compile(r"[A-Za-z0-9_!%&()\-.:<>?@\[\]^`|~]+|[$*+/]")
_ESCAPED = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{0,2}|.)", re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z_0-9]*)|\{([^\n{}]*)\})")
_BLANK = re.compile(r"[ \t\r\n]+|#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": ""}


class Broken(Exception):
    """The file cannot be used; the text is what jail(8) prints (without its name)."""


class Parameter:
    """``name = value, value``: each value is made of pieces, of which none is a variable any more once resolved."""

    def __init__(self, name: str, values: list[list[Piece]], *, append: bool = False, variable: bool = False) -> None:
        """Keep what the file says; ``variable`` if the name stood behind a dollar sign."""
        self.name = name
        self.pieces = values
        self.append = append
        self.variable = variable

    def copy(self) -> Parameter:
        """Return one that can be changed without changing this one."""
        return Parameter(self.name, [list(value) for value in self.pieces], append=self.append, variable=self.variable)

    @property
    def values(self) -> list[str]:
        """The values as text, variables counting as nothing."""
        return ["".join(text for is_variable, text in value if not is_variable) for value in self.pieces]


class Jail:
    """A jail (or a wildcard) as the configuration has it, or one that only the command line knows (no name)."""

    def __init__(self, name: str | None, sequence: int = 0) -> None:
        """Begin with no parameters."""
        self.name = name
        self.sequence = sequence
        self.parameters: list[Parameter] = []
        self.problems: list[str] = []

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name or of its negation."""
        return next((each for each in self.parameters if same_option(each.name, name)), None)

    def values(self, name: str) -> list[str]:
        """Return the values of a parameter, none if it is not set."""
        found = self.find(name)
        return [] if found is None else found.values

    def value(self, name: str) -> str | None:
        """Return the last value of a parameter."""
        values = self.values(name)
        return values[-1] if values else None

    def is_true(self, name: str) -> bool:
        """Say whether a boolean parameter is there and true."""
        found = self.find(name)
        if found is None:
            return False
        text = found.values[-1].lower() if found.pieces else "true"
        positive = not found.name.rpartition(".")[2].startswith("no")
        return positive is (text == "true" or (text.lstrip("-").isdigit() and int(text) != 0))

    def add(self, new: Parameter) -> None:
        """Set, replace or append to a parameter."""
        old = self.find(new.name)
        if old is None:
            self.parameters.append(new.copy())
        elif old.variable != new.variable:
            self.problems.append(f'variable "${new.name}" cannot have the same name as a parameter.')
        elif old.name in ("name", "jid"):
            self.problems.append(f'cannot redefine parameter "{old.name}".')
        else:
            old.name = new.name
            old.pieces = (old.pieces if new.append and new.pieces else []) + [list(value) for value in new.pieces]


def same_option(one: str, other: str) -> bool:
    """Say whether two names mean one option, with or without ``no`` before the last part."""
    return one == other or _positive(one) == other or one == _positive(other)


def _positive(name: str) -> str:
    head, dot, last = name.rpartition(".")
    return head + dot + (last[2:] if last.startswith("no") else last)


# Words ----------------------------------------------------------------------------------------------------------------


class Token(t.NamedTuple):
    """A word (made of pieces, written in so many parts) or a mark; ``text`` is how the file has it."""

    kind: str
    pieces: list[Piece]
    text: str
    line: int
    parts: int = 1


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8) & 255)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _LETTERS.get(code, code)


def _double(text: str) -> list[Piece]:
    """Split the inside of a double-quoted string at its variables."""
    pieces: list[Piece] = []
    plain, at = "", 0
    while at < len(text):
        variable = _VARIABLE.match(text, at)
        escaped = _ESCAPED.match(text, at)
        if variable:
            pieces += [(False, _unescape(plain)), (True, variable[1] or variable[2] or "")]
            plain, at = "", variable.end()
        elif escaped:
            plain, at = plain + escaped[0], escaped.end()
        else:
            plain, at = plain + text[at], at + 1
    return [*pieces, (False, _unescape(plain))]


def _piece(text: str, at: int) -> tuple[list[Piece], int] | None:
    """Return the pieces of the string that begins here and where it ends; None if none does."""
    for pattern in (_SINGLE, _DOUBLE, _VARIABLE, _ESCAPED, _BARE):
        match = pattern.match(text, at)
        if match is None:
            continue
        if pattern is _DOUBLE:
            return _double(match[1]), match.end()
        if pattern is _VARIABLE:
            return [(True, match[1] or match[2] or "")], match.end()
        plain = match[1] if pattern is _SINGLE else match[0]
        return [(False, plain if pattern is _BARE else _unescape(plain))], match.end()
    return None


def tokens(text: str, name: str) -> t.Iterator[Token]:
    """Yield the words and marks of a file; the last is one of kind ``end``."""
    at = 0
    while at < len(text):
        blank = _BLANK.match(text, at)
        line = text.count("\n", 0, at) + 1
        if blank:
            at = blank.end()
        elif text.startswith("+=", at):
            yield Token("+=", [], "+=", line)
            at += 2
        elif text[at] in ",;={}":
            yield Token(text[at], [], text[at], line)
            at += 1
        else:
            word = _word(text, at)
            if word is None:
                raise Broken(_unfinished(text, at, name, line))
            yield Token("word", word[0], text[at : word[1]], line, word[2])
            at = word[1]
    yield Token("end", [], "", text.count("\n") + 1)


def _word(text: str, at: int) -> tuple[list[Piece], int, int] | None:
    """Return what stands together from here: its pieces, its end, and of how many parts it is made."""
    pieces: list[Piece] = []
    parts = 0
    while not (_BLANK.match(text, at) or text.startswith("+=", at) or _is_unfinished_comment(text, at)):
        found = _piece(text, at) if at < len(text) else None
        if found is None:
            break
        pieces += found[0]
        at = found[1]
        parts += 1
    return (pieces, at, parts) if parts else None


def _is_unfinished_comment(text: str, at: int) -> bool:
    return text.startswith("/*", at) and "*/" not in text[at + 2 :]


def _unfinished(text: str, at: int, name: str, line: int) -> str:
    what = {"'": "string", '"': "string", "$": "variable", "/": "comment"}.get(text[at])
    return f"{name} line {line}: unterminated {what}" if what else f"{name} line {line}: {text[at]}: syntax error"


# Files ----------------------------------------------------------------------------------------------------------------


class Place(t.NamedTuple):
    """Where the reader is: the file's name, and how many files include it."""

    name: str
    depth: int

    def wrong(self, token: Token) -> Broken:
        """Return the error that this token should not stand here."""
        if token.kind == "end":
            return Broken(f"{self.name}: unexpected EOF")
        return Broken(f"{self.name} line {token.line}: {token.text}: syntax error")


class Reader:
    """Reads one file and what it includes into a list of jails in the file's order."""

    def __init__(self, ctx: Context) -> None:
        """Read on the host of ``ctx``."""
        self.ctx = ctx
        self.jails: list[Jail] = []

    def read(self, name: str, depth: int = 0) -> None:
        """Read a file, or standard input if its name is a dash."""
        if name == "-":
            self._parse(self.ctx.stdin.read().decode(errors="surrogateescape"), Place("STDIN", depth))
            return
        try:
            text = self.ctx.path(name).read_text(errors="surrogateescape")
        except OSError as error:
            raise Broken(f"{name}: {error.strerror}") from None
        self._parse(text, Place(name, depth))

    def _parse(self, text: str, place: Place) -> None:
        stream = tokens(text, place.name)
        token = next(stream)
        while token.kind != "end":
            if token.kind != ";":
                self._statement(token, stream, place)
            token = next(stream)

    def _statement(self, first: Token, stream: t.Iterator[Token], place: Place) -> None:
        """A jail with its parameters, or a parameter that stands outside of jails."""
        _check_name(first, place)
        second = next(stream)
        if second.kind == "{" and not first.pieces[0][0]:
            self._jail(self._new(first.pieces[0][1]), stream, place)
            return
        parameter = _parameter(first, second, stream, place)
        if not self._is_directive(parameter, place, first.line):
            last = self.jails[-1] if self.jails else None
            (last if last is not None and last.name == "*" else self._new("*")).parameters.append(parameter)

    def _jail(self, jail: Jail, stream: t.Iterator[Token], place: Place) -> None:
        """The parameters of a jail up to its closing brace."""
        for token in stream:
            if token.kind == "}":
                return
            if token.kind != ";":
                _check_name(token, place)
                parameter = _parameter(token, next(stream), stream, place)
                if not self._is_directive(parameter, place, token.line):
                    jail.parameters.append(parameter)

    def _new(self, name: str) -> Jail:
        self.jails.append(Jail(name, len(self.jails) + 1))
        return self.jails[-1]

    def _is_directive(self, parameter: Parameter, place: Place, line: int) -> bool:
        if parameter.variable or not parameter.name.startswith("."):
            return False
        if parameter.name != ".include":
            raise Broken(f"{place.name} line {line}: unknown directive '{parameter.name}'")
        for value in parameter.pieces:
            if any(is_variable for is_variable, _unused in value):
                raise Broken(f"{place.name} line {line}: variables not permitted in '.include' filename")
            self._include("".join(text for _unused, text in value), place, line)
        return True

    def _include(self, pattern: str, place: Place, line: int) -> None:
        if place.depth >= MAX_DEPTH:
            raise Broken(f"{place.name} line {line}: maximum include depth exceeded")
        path = posixpath.join(posixpath.dirname(place.name), pattern)
        for each in expand(self.ctx, path) if re.search(r"[*?\[]", pattern) else [path]:
            self.read(each, place.depth + 1)


def _check_name(token: Token, place: Place) -> None:
    if token.kind != "word" or token.parts != 1:
        raise place.wrong(token)


def _parameter(first: Token, second: Token, stream: t.Iterator[Token], place: Place) -> Parameter:
    """Read a parameter from its second token to its semicolon."""
    variable, word = first.pieces[0]
    if second.kind == ";":
        return Parameter(word, [], variable=variable)
    token = next(stream) if second.kind in ("=", "+=") else second
    values: list[list[Piece]] = []
    while token.kind == "word":
        values.append(token.pieces)
        token = next(stream)
        if token.kind == ";":
            return Parameter(word, values, append=second.kind == "+=", variable=variable)
        if token.kind != ",":
            break
        token = next(stream)
    raise place.wrong(token)


def expand(ctx: Context, pattern: str) -> list[str]:
    """Return the files that match a shell pattern, sorted, as glob(3) does."""
    found = ["/" if pattern.startswith("/") else ""]
    for part in [part for part in pattern.split("/") if part]:
        if not re.search(r"[*?\[]", part):
            found = [posixpath.join(folder, part) for folder in found]
            continue
        matching = []
        for folder in found:
            real = ctx.path(folder or ".")
            names = [each.name for each in real.iterdir()] if real.is_dir() else []
            names = [each for each in names if fnmatch.fnmatchcase(each, part) and (part[0] == "." or each[0] != ".")]
            matching += [posixpath.join(folder, each) for each in names]
        found = matching
    return sorted(each for each in found if ctx.path(each).exists())


# Resolving ------------------------------------------------------------------------------------------------------------


def is_wild(name: str) -> bool:
    """Say whether a jail's name is a pattern."""
    return "*" in name.split(".")


def matches(name: str, wild: str) -> bool:
    """Say whether a name matches a pattern: an inner ``*`` is one part, a last one any number of them."""
    parts, patterns = name.split("."), wild.split(".")
    while len(parts) > 1 and len(patterns) > 1:
        part, pattern = parts.pop(0), patterns.pop(0)
        if pattern not in ("*", part):
            return False
    return patterns in (["*"], parts)


def load(ctx: Context, name: str) -> list[Jail]:
    """Read a configuration and return its jails (not the wildcards) with all their parameters resolved."""
    reader = Reader(ctx)
    reader.read(name)
    wild = [jail for jail in reader.jails if is_wild(jail.name or "")]
    return [_resolved(jail, wild) for jail in reader.jails if jail not in wild]


def _resolved(jail: Jail, wild: list[Jail]) -> Jail:
    name = jail.name or ""
    found = Jail(name, jail.sequence)
    found.parameters.append(Parameter("jid" if name.isdigit() else "name", [[(False, name)]]))
    sources = [each for each in wild if matches(name, each.name or "")] + [jail]
    for source in sorted(sources, key=lambda each: each.sequence):
        for parameter in source.parameters:
            found.add(parameter)
    for parameter in found.parameters:
        _substitute(found, parameter, ())
    found.parameters = [each for each in found.parameters if not each.variable]
    return found


def _substitute(jail: Jail, parameter: Parameter, above: tuple[str, ...]) -> None:
    """Put the values of variables (own ones and other parameters) into a parameter's values."""
    values: list[list[Piece]] = []
    for value in parameter.pieces:
        whole = len([piece for piece in value if piece[0] or piece[1]]) == 1
        text = ""
        more: list[str] = []
        for is_variable, word in value:
            inserted = _look_up(jail, parameter, word, above) if is_variable else [word]
            if len(inserted) > 1 and not whole:
                jail.problems.append(f"{parameter.name}: array cannot be substituted inline")
            text += inserted[0] if inserted else ""
            more += inserted[1:]
        values += [[(False, each)] for each in (text, *more)]
    parameter.pieces = values


def _look_up(jail: Jail, parameter: Parameter, word: str, above: tuple[str, ...]) -> list[str]:
    found = next((each for each in jail.parameters if each.name == word), None)
    if found is None or not found.pieces:
        jail.problems.append(f'{parameter.name}: variable "{word}" not found')
        return []
    if word == parameter.name or word in above:
        jail.problems.append(f"{word}: variable loop")
        return []
    _substitute(jail, found, (*above, parameter.name))
    return found.values


def quoted(text: str) -> str:
    """Return a value as jail -e prints it, in quotes where it needs them."""
    mark = '"' if not text or "'" in text else "'" if '"' in text else '"' if " " in text or "\t" in text else ""
    return mark + "".join(f"\\{each}" if each in ("\\", mark) else each for each in text) + mark
