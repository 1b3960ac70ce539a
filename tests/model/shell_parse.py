# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of the tiny sh(1): from text to a tree of commands.

A part of what sh(1) knows, without silent gaps: what it does not know is a syntax error.
"""

from __future__ import annotations

import re
import typing as t


class SyntaxProblem(Exception):
    """The text is not shell as this shell knows it; the text is the message behind ``Syntax error:``."""


# A piece of a word: what it is (text, var, command, arithmetic), its content, and whether it stands in double quotes.
Piece = tuple[str, str, bool]


class Word(t.NamedTuple):
    """A word of the command line; ``raw`` is how it was written."""

    pieces: list[Piece]
    raw: str


class Redirection(t.NamedTuple):
    """``descriptor operator target``; a here-document's text is a word, too."""

    descriptor: int
    operator: str
    target: Word


class Node:
    """A command: ``kind`` is one of simple, pipe, and, or, list, background, group, subshell, if, loop, for, case, not,
    function."""

    def __init__(self, kind: str, **fields: t.Any) -> None:
        """Keep what a command of that kind is made of."""
        self.kind = kind
        self.fields = fields
        self.redirections: list[Redirection] = []
        self.text = ""

    def __getattr__(self, name: str) -> t.Any:
        """Return a part of the command."""
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None


OPERATORS = ("&&", "||", ";;", "<<-", ">>", "<<", ">&", "<&", ">|", "(", ")", ";", "&", "|", "<", ">", "\n")
REDIRECTIONS = frozenset({">", ">>", "<", ">&", "<&", ">|", "<<", "<<-"})
RESERVED = frozenset(
    ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "for", "in", "case", "esac", "{", "}", "!"]
)
NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|[0-9@*#?$!-]")


class Token(t.NamedTuple):
    """An operator, or a word."""

    operator: str
    word: Word
    start: int


class Lexer:
    """Splits a text into words and operators."""

    def __init__(self, text: str) -> None:
        """Split all of it."""
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self._documents: list[tuple[int, str, bool]] = []
        while self._skip():
            self._token()
        self.tokens.append(Token("end", Word([], ""), len(text)))

    def _skip(self) -> bool:
        """Skip blanks and comments; say whether something is left."""
        while self.at < len(self.text):
            if self.text[self.at] in " \t":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _token(self) -> None:
        start = self.at
        operator = next((each for each in OPERATORS if self.text.startswith(each, start)), None)
        if operator is not None:
            self.at += len(operator)
            self.tokens.append(Token(operator, Word([], ""), start))
            if operator == "\n" and self._documents:
                self._read_documents()
            return
        word = self.word()
        before = self.tokens[-1].operator if self.tokens else ""
        self.tokens.append(Token("", word, start))
        if before in ("<<", "<<-"):
            plain = "".join(text for _unused, text, _unused2 in word.pieces)
            self._documents.append((len(self.tokens) - 1, plain, before == "<<-"))

    def _read_documents(self) -> None:
        for place, mark, strip in self._documents:
            lines = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = min(end + 1, len(self.text))
                line = line.lstrip("\t") if strip else line
                if line == mark:
                    break
                lines.append(line + "\n")
            old = self.tokens[place]
            quoted = re.search(r"['\"\\]", old.word.raw)
            pieces = [("text", "".join(lines), True)] if quoted else Lexer._inside("".join(lines))
            self.tokens[place] = Token("", Word(pieces, old.word.raw), old.start)
        self._documents = []

    @staticmethod
    def _inside(text: str) -> list[Piece]:
        lexer = Lexer("")
        lexer.text, lexer.at = text + '"', 0
        return lexer._double(here=True)

    def word(self) -> Word:
        """Read one word."""
        start = self.at
        pieces: list[Piece] = []
        while self.at < len(self.text) and self.text[self.at] not in " \t\n;&|<>()":
            pieces += self._piece()
        raw = self.text[start : self.at]
        following = self.text[self.at : self.at + 1]
        if raw.isdigit() and following in ("<", ">"):
            return Word([("descriptor", raw, False)], raw)
        return Word(pieces, raw)

    def _piece(self) -> list[Piece]:
        letter = self.text[self.at]
        if letter == "'":
            return [("text", self._until("'"), True)]
        if letter == '"':
            self.at += 1
            return self._double()
        if letter in "$`":
            return [self._expansion(quoted=False)]
        if letter == "\\":
            self.at += 2
            following = self.text[self.at - 1 : self.at]
            return [] if following == "\n" else [("text", following, True)]
        end = self.at
        while end < len(self.text) and self.text[end] not in " \t\n;&|<>()'\"$`\\":
            end += 1
        plain, self.at = self.text[self.at : end], end
        return [("text", plain, False)]

    def _until(self, mark: str) -> str:
        end = self.text.find(mark, self.at + 1)
        if end < 0:
            raise SyntaxProblem("Unterminated quoted string")
        found, self.at = self.text[self.at + 1 : end], end + 1
        return found

    def _double(self, *, here: bool = False) -> list[Piece]:
        """Read the inside of double quotes (or of a here-document) and what ends it."""
        pieces: list[Piece] = [("text", "", True)]
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == '"' and (not here or self.at == len(self.text) - 1):
                self.at += 1
                return pieces
            if letter in "$`":
                pieces.append(self._expansion(quoted=True))
                continue
            if letter == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\", "\n"):
                letter = self.text[self.at + 1].replace("\n", "")
                self.at += 1
            pieces.append(("text", letter, True))
            self.at += 1
        raise SyntaxProblem("Unterminated quoted string")

    def _expansion(self, *, quoted: bool) -> Piece:
        if self.text[self.at] == "`":
            return ("command", self._until("`").replace("\\`", "`"), quoted)
        self.at += 1
        if self.text.startswith("((", self.at):
            return ("arithmetic", self._balanced("((", "))"), quoted)
        if self.text.startswith("(", self.at):
            return ("command", self._balanced("(", ")"), quoted)
        if self.text.startswith("{", self.at):
            return ("var", self._balanced("{", "}"), quoted)
        match = _VARIABLE.match(self.text, self.at)
        if match is None:
            return ("text", "$", quoted)
        self.at = match.end()
        return ("var", match[0], quoted)

    def _balanced(self, begin: str, end: str) -> str:
        """Return what stands between the marks, which may be nested and in which quotes hide them."""
        start = self.at + len(begin)
        depth, self.at = len(begin), start
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter in "'\"":
                closing = self.text.find(letter, self.at + 1)
                self.at = closing if closing > 0 else self.at
            elif letter == "\\":
                self.at += 1
            elif letter == begin[0]:
                depth += 1
            elif letter == end[0]:
                depth -= 1
                if depth == 0:
                    self.at += 1
                    return self.text[start : self.at - len(end)]
            self.at += 1
        raise SyntaxProblem("end of file unexpected" if end != "}" else "Missing '}'")


class Parser:
    """Builds the tree."""

    def __init__(self, text: str) -> None:
        """Take the text's words."""
        self.text = text
        self.tokens = Lexer(text).tokens
        self.at = 0

    def parse(self) -> Node:
        """Return the whole program."""
        node = self.commands(())
        if self.operator != "end":
            raise self.unexpected()
        return node

    # Tokens -------------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The next one."""
        return self.tokens[self.at]

    @property
    def operator(self) -> str:
        """The next token if it is an operator, '' if it is a word."""
        return self.tokens[self.at].operator

    @property
    def reserved(self) -> str:
        """The next token if it is a reserved word, else ''."""
        return self.token.word.raw if not self.operator and self.token.word.raw in RESERVED else ""

    def unexpected(self) -> SyntaxProblem:
        """Return the error about the next token."""
        if self.operator == "end":
            return SyntaxProblem("end of file unexpected")
        what = "newline" if self.operator == "\n" else f'"{self.operator}"' if self.operator else "word"
        return SyntaxProblem(f'"{self.reserved}" unexpected' if self.reserved else f"{what} unexpected")

    def take(self) -> Token:
        """Return the next token and go on."""
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, word: str) -> None:
        """Go over this reserved word or operator."""
        if word not in (self.reserved, self.operator) or not word:
            raise self.unexpected()
        self.at += 1

    def newlines(self) -> None:
        """Go over empty lines."""
        while self.operator == "\n":
            self.at += 1

    # Grammar ------------------------------------------------------------------------------------------------------

    def commands(self, ends: tuple[str, ...]) -> Node:
        """Commands up to one of the reserved words or operators ``ends``, or the end."""
        items: list[Node] = []
        self.newlines()
        while self.operator != "end" and not (self.reserved in ends or self.operator in ends):
            start = self.token.start
            node = self.and_or()
            if self.operator == "&":
                node = Node("background", command=node)
                node.text = self.text[start : self.token.start].strip()
            items.append(node)
            if self.operator in (";", "&", "\n"):
                self.at += 1
                self.newlines()
            elif self.operator != "end" and not (self.reserved in ends or self.operator in ends):
                raise self.unexpected()
        return Node("list", items=items)

    def and_or(self) -> Node:
        """Pipelines joined by && and ||."""
        node = self.pipeline()
        while self.operator in ("&&", "||"):
            kind = "and" if self.take().operator == "&&" else "or"
            self.newlines()
            node = Node(kind, left=node, right=self.pipeline())
        return node

    def pipeline(self) -> Node:
        """Commands joined by bars, or the negation of one."""
        if self.reserved == "!":
            self.at += 1
            return Node("not", command=self.pipeline())
        items = [self.command()]
        while self.operator == "|":
            self.at += 1
            self.newlines()
            items.append(self.command())
        return items[0] if len(items) == 1 else Node("pipe", items=items)

    def command(self) -> Node:
        """One command with its redirections."""
        builders: dict[str, t.Callable[[], Node]] = {
            "if": self._if,
            "while": self._loop,
            "until": self._loop,
            "for": self._for,
            "case": self._case,
            "{": self._group,
            "(": self._group,
        }
        start = self.token.start
        builder = builders.get(self.reserved or self.operator)
        if builder is None:
            node = self._simple()
        else:
            node = builder()
            while self._redirection(node):
                pass
        node.text = self.text[start : self.token.start].strip()
        return node

    def _redirection(self, node: Node) -> bool:
        """Read a redirection if one stands here."""
        at = self.at
        descriptor = -1
        if not self.operator and self.token.word.pieces and self.token.word.pieces[0][0] == "descriptor":
            descriptor = int(self.take().word.raw)
        if self.operator not in REDIRECTIONS:
            self.at = at
            return False
        operator = self.take().operator
        if self.operator:
            raise self.unexpected()
        if descriptor < 0:
            descriptor = 0 if operator.startswith("<") else 1
        node.redirections.append(Redirection(descriptor, operator, self.take().word))
        return True

    def _simple(self) -> Node:
        node = Node("simple", words=[], assignments=[])
        while True:
            if self._redirection(node):
                continue
            if self.operator or (not node.words and not node.assignments and self.reserved):
                break
            word = self.take().word
            if not node.words and re.match(NAME.pattern + "=", word.raw):
                node.assignments.append(word)
            else:
                node.words.append(word)
            if len(node.words) == 1 and self.token.operator == "(" and not node.assignments:
                return self._function(node.words[0].raw)
        if not (node.words or node.assignments or node.redirections):
            raise self.unexpected()
        return node

    def _function(self, name: str) -> Node:
        for mark in "()":
            self.expect(mark)
        self.newlines()
        return Node("function", name=name, body=self.command())

    def _group(self) -> Node:
        opening = self.take()
        end = ")" if opening.operator else "}"
        body = self.commands((end,))
        self.expect(end)
        return Node("subshell" if opening.operator else "group", body=body)

    def _if(self) -> Node:
        self.at += 1
        condition = self.commands(("then",))
        self.expect("then")
        then = self.commands(("elif", "else", "fi"))
        otherwise = None
        if self.reserved == "elif":
            return Node("if", condition=condition, then=then, otherwise=self._if())
        if self.reserved == "else":
            self.at += 1
            otherwise = self.commands(("fi",))
        self.expect("fi")
        return Node("if", condition=condition, then=then, otherwise=otherwise)

    def _loop(self) -> Node:
        until = self.take().word.raw == "until"
        condition = self.commands(("do",))
        return Node("loop", condition=condition, body=self._do(), until=until)

    def _do(self) -> Node:
        self.newlines()
        self.expect("do")
        body = self.commands(("done",))
        self.expect("done")
        return body

    def _for(self) -> Node:
        self.at += 1
        name = self.take().word.raw
        words = None
        self.newlines()
        if self.reserved == "in":
            self.at += 1
            words = []
            while not self.operator:
                words.append(self.take().word)
        if self.operator == ";":
            self.at += 1
        return Node("for", name=name, words=words, body=self._do())

    def _case(self) -> Node:
        self.at += 1
        subject = self.take().word
        self.newlines()
        self.expect("in")
        self.newlines()
        branches: list[tuple[list[Word], Node]] = []
        while self.reserved != "esac":
            if self.operator == "(":
                self.at += 1
            patterns = [self.take().word]
            while self.operator == "|":
                self.at += 1
                patterns.append(self.take().word)
            self.expect(")")
            branches.append((patterns, self.commands((";;", "esac"))))
            if self.operator == ";;":
                self.at += 1
            self.newlines()
        self.expect("esac")
        return Node("case", subject=subject, branches=branches)
