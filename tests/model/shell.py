# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny sh(1): the shell inside jails, and of the host where the model runs within one process.

What it does not know is a syntax error or a command that is not found, never skipped.
"""

from __future__ import annotations

import fnmatch
import io
import re
import sys
import time
import typing as t

from model import execute, jexec, task
from model.command import Exit
from model.jailconf import expand
from model.shell_parse import NAME, Node, Parser, Redirection, SyntaxProblem, Word

if t.TYPE_CHECKING:
    from model.command import Context

ENDLESS_CONDITIONS = frozenset({":", "true"})
_ARITHMETIC = re.compile(r"[0-9+\-*/%()<>=!&| ]*")
Builtin = t.Callable[["Shell", "Context", list[str]], int]


class _Leave(Exception):
    """Unwinds the shell: exit, return, break, continue; ``count`` is the status or the number of loops."""

    def __init__(self, kind: str, count: int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.count = count


def sh(ctx: Context) -> int:
    """sh(1) with -c, a script, or the commands on its standard input."""
    arguments = ctx.arguments
    letters = ""
    while arguments and re.fullmatch(r"-[a-z]+", arguments[0]):
        letters += arguments.pop(0)[1:]
    unknown = set(letters) - set("ceixlsu")
    if unknown:
        raise Exit(2, f"Illegal option -{min(unknown)}")
    shell = Shell(ctx, exit_on_error="e" in letters)
    try:
        if "c" in letters:
            if not arguments:
                raise Exit(2, "-c requires an argument")
            text, shell.name, shell.positional = arguments[0], (arguments[1:] or ["sh"])[0], arguments[2:]
        elif arguments:
            shell.name, shell.positional = arguments[0], arguments[1:]
            text = ctx.path(arguments[0]).read_text(errors="surrogateescape")
        else:
            text = ctx.stdin.read().decode(errors="surrogateescape")
    except FileNotFoundError:
        raise Exit(127, f"cannot open {arguments[0]}: No such file or directory") from None
    return shell.run(text)


class Shell:
    """One shell with its variables."""

    def __init__(self, ctx: Context, *, exit_on_error: bool = False) -> None:
        """Begin with the process's environment."""
        self.ctx = ctx
        self.name = "sh"
        self.positional: list[str] = []
        self.variables: dict[str, str] = dict(ctx.env)
        self.exported = set(ctx.env)
        self.functions: dict[str, Node] = {}
        self.status = 0
        self.background: list[int] = []
        self.exit_on_error = exit_on_error
        self.tested = 0
        self.at_exit = ""
        self._looked = 0.0

    def run(self, text: str) -> int:
        """Run a whole program and return its status."""
        try:
            self.status = self.evaluate(text, self.ctx)
        except _Leave as leave:
            self.status = leave.count if leave.kind in ("exit", "return") else self.status
        if self.at_exit:
            action, self.at_exit = self.at_exit, ""
            return self._last(action)
        return self.status

    def _last(self, action: str) -> int:
        status = self.status
        try:
            self.evaluate(action, self.ctx)
        except _Leave as leave:
            return leave.count
        return status

    def evaluate(self, text: str, ctx: Context) -> int:
        """Run commands in this shell."""
        try:
            program = Parser(text).parse()
        except SyntaxProblem as error:
            ctx.err.write(f"{self.name}: Syntax error: {error}\n")
            raise _Leave("exit", 2) from None
        return self.node(program, ctx)

    # Commands -----------------------------------------------------------------------------------------------------

    def node(self, node: Node, ctx: Context) -> int:
        """Run a command with its redirections; its status also becomes ``$?``."""
        files: list[t.IO[t.Any]] = []
        try:
            inner = self._redirected(node.redirections, ctx, files) if node.redirections else ctx
            self.status = getattr(self, f"_run_{node.kind}")(node, inner)
        except OSError as error:
            ctx.err.write(f"{self.name}: {error.filename}: {error.strerror}\n")
            self.status = 2
        finally:
            for file in files:
                file.close()
        if self.exit_on_error and not self.tested and self.status and node.kind in ("simple", "pipe", "subshell"):
            raise _Leave("exit", self.status)
        return self.status

    def _run_list(self, node: Node, ctx: Context) -> int:
        status = 0
        for item in node.items:
            status = self.node(item, ctx)
        return status

    def _run_group(self, node: Node, ctx: Context) -> int:
        return self.node(node.body, ctx)

    def _run_subshell(self, node: Node, ctx: Context) -> int:
        return self._copy(ctx).finish(lambda shell: shell.node(node.body, ctx))

    def _copy(self, ctx: Context) -> Shell:
        shell = Shell(ctx, exit_on_error=self.exit_on_error)
        shell.name, shell.positional, shell.status = self.name, list(self.positional), self.status
        shell.variables, shell.exported = dict(self.variables), set(self.exported)
        shell.functions = dict(self.functions)
        return shell

    def finish(self, work: t.Callable[[Shell], int]) -> int:
        """Do the work as a shell of its own would, ending at exit."""
        try:
            return work(self)
        except _Leave as leave:
            return leave.count

    def _run_and(self, node: Node, ctx: Context) -> int:
        status = self._test(node.left, ctx)
        return status if status else self.node(node.right, ctx)

    def _run_or(self, node: Node, ctx: Context) -> int:
        status = self._test(node.left, ctx)
        return self.node(node.right, ctx) if status else status

    def _run_not(self, node: Node, ctx: Context) -> int:
        return int(self._test(node.command, ctx) == 0)

    def _test(self, node: Node, ctx: Context) -> int:
        """Run a command whose failure is a mere answer."""
        self.tested += 1
        try:
            return self.node(node, ctx)
        finally:
            self.tested -= 1

    def _run_if(self, node: Node, ctx: Context) -> int:
        if self._test(node.condition, ctx) == 0:
            return self.node(node.then, ctx)
        if node.otherwise is None:
            return 0
        return self.node(node.otherwise, ctx) if node.otherwise.kind == "list" else self._run_if(node.otherwise, ctx)

    def _run_loop(self, node: Node, ctx: Context) -> int:
        if is_endless(node):
            self._spin()
        status = 0
        while (self._test(node.condition, ctx) == 0) is not node.until:
            self._check_alive()
            try:
                status = self.node(node.body, ctx)
            except _Leave as leave:
                if not self._leaves_one_loop(leave):
                    break
        return status

    def _run_for(self, node: Node, ctx: Context) -> int:
        words = self.positional if node.words is None else self.fields(node.words, ctx)
        status = 0
        for word in words:
            self._check_alive()
            self.variables[node.name] = word
            try:
                status = self.node(node.body, ctx)
            except _Leave as leave:
                if not self._leaves_one_loop(leave):
                    break
        return status

    @staticmethod
    def _leaves_one_loop(leave: _Leave) -> bool:
        """Say whether the loop goes on (continue); raises what is meant for somebody further out."""
        if leave.kind not in ("break", "continue"):
            raise leave
        if leave.count > 1:
            raise _Leave(leave.kind, leave.count - 1)
        return leave.kind == "continue"

    def _run_case(self, node: Node, ctx: Context) -> int:
        subject = self.text(node.subject, ctx)
        for patterns, body in node.branches:
            if any(fnmatch.fnmatchcase(subject, self.text(pattern, ctx, pattern=True)) for pattern in patterns):
                return self.node(body, ctx)
        return 0

    def _run_function(self, node: Node, ctx: Context) -> int:
        del ctx
        self.functions[node.name] = node.body
        return 0

    def _run_pipe(self, node: Node, ctx: Context) -> int:
        """One after the other: what one wrote is what the next one reads."""
        data: t.BinaryIO = ctx.stdin
        for item in node.items[:-1]:
            part, taken = self._capture(item, ctx.replace(stdin=data))
            del part
            data = io.BytesIO(taken)
        shell = self._copy(ctx.replace(stdin=data))
        return shell.finish(lambda each: each.node(node.items[-1], each.ctx))

    def _capture(self, node: Node, ctx: Context) -> tuple[int, bytes]:
        buffer = io.BytesIO()
        out = io.TextIOWrapper(buffer, errors="surrogateescape", write_through=True)
        shell = self._copy(ctx.replace(out=out))
        status = shell.finish(lambda each: each.node(node, each.ctx))
        return status, buffer.getvalue()

    # Background ---------------------------------------------------------------------------------------------------

    def _run_background(self, node: Node, ctx: Context) -> int:
        from model.background import start  # noqa: PLC0415

        try:
            self.background.append(start(self, node, ctx))
        except task.Refused:
            ctx.err.write(f"{self.name}: Cannot fork: Resource temporarily unavailable\n")
            raise _Leave("exit", 2) from None
        return 0

    def _spin(self) -> None:
        if self.ctx.pid:
            with self.ctx.host.kernel() as kernel:
                entry = task.processes(kernel).get(str(self.ctx.pid), {})
                entry["spin"] = time.time()
        task.rest(self.ctx.host, self.ctx.pid, None)

    def _check_alive(self) -> None:
        """End if the process was killed; looks only now and then."""
        if self.ctx.pid and time.monotonic() - self._looked > task.POLL_SECONDS:
            self._looked = time.monotonic()
            with self.ctx.host.kernel() as kernel:
                if str(self.ctx.pid) not in task.processes(kernel):
                    raise task.Killed

    # Simple commands ----------------------------------------------------------------------------------------------

    def _run_simple(self, node: Node, ctx: Context) -> int:
        before = self.status
        self.status = 0
        values = {}
        for word in node.assignments:
            name = t.cast("re.Match[str]", NAME.match(word.raw))[0]
            values[name] = self.text(_behind(word, len(name) + 1), ctx)
        substituted = self.status
        self.status = before
        words = self.fields(node.words, ctx)
        if not words:
            self.variables.update(values)
            return substituted
        if words[0] in self.functions:
            return self._call(self.functions[words[0]], words[1:], ctx)
        builtin = BUILTINS.get(words[0])
        if builtin is not None:
            self.variables.update(values)
            return builtin(self, ctx, words)
        return self._execute(words, ctx.replace(env={**self.environment(), **values}))

    def environment(self) -> dict[str, str]:
        """Return what programs get."""
        return {name: text for name, text in self.variables.items() if name in self.exported}

    def _call(self, body: Node, arguments: list[str], ctx: Context) -> int:
        before, self.positional = self.positional, arguments
        try:
            return self.node(body, ctx)
        except _Leave as leave:
            if leave.kind != "return":
                raise
            return leave.count
        finally:
            self.positional = before

    def _execute(self, words: list[str], ctx: Context) -> int:
        try:
            return execute.run_or_script(ctx, words)
        except execute.CannotExecute as error:
            missing = str(error) == execute.NOT_FOUND
            what = "not found" if missing else str(error)
            ctx.err.write(f"{self.name}: {words[0]}: {what}\n")
            return 127 if missing else 126

    # Redirections -------------------------------------------------------------------------------------------------

    def _redirected(self, redirections: list[Redirection], ctx: Context, files: list[t.IO[t.Any]]) -> Context:
        for each in redirections:
            if each.operator.startswith("<<"):
                ctx = ctx.replace(stdin=io.BytesIO(self.text(each.target, ctx).encode(errors="surrogateescape")))
                continue
            target = self.text(each.target, ctx)
            if each.operator in (">&", "<&"):
                ctx = self._duplicated(ctx, each.descriptor, target)
                continue
            file = self._open(ctx, each.operator, target)
            files.append(file)
            if each.descriptor == 0:
                ctx = ctx.replace(stdin=file)
            elif each.descriptor in (1, 2):
                text = io.TextIOWrapper(file, errors="surrogateescape", write_through=True)
                ctx = ctx.replace(out=text) if each.descriptor == 1 else ctx.replace(err=text)
        return ctx

    @staticmethod
    def _duplicated(ctx: Context, descriptor: int, target: str) -> Context:
        stream: t.TextIO = {"1": ctx.out, "2": ctx.err}.get(target) or _nowhere()
        if descriptor == 0:
            return ctx.replace(stdin=io.BytesIO())
        return ctx.replace(out=stream) if descriptor == 1 else ctx.replace(err=stream)

    def _open(self, ctx: Context, operator: str, target: str) -> t.BinaryIO:
        if target == "/dev/null":
            return t.cast("t.BinaryIO", io.BytesIO())
        path = ctx.path(target)
        try:
            if operator == "<":
                return path.open("rb")
            from model.files import Files  # noqa: PLC0415
            from model.userland import check_open  # noqa: PLC0415

            check_open(Files(ctx.host), path)
            return path.open("ab" if operator == ">>" else "wb")
        except OSError as error:
            what = "open" if operator == "<" else "create"
            raise OSError(error.errno, error.strerror, f"cannot {what} {target}") from None

    # Words --------------------------------------------------------------------------------------------------------

    def fields(self, words: t.Iterable[Word], ctx: Context) -> list[str]:
        """Expand words to fields: variables, commands, splitting, file names."""
        found: list[str] = []
        for word in words:
            for field in self._split(word, ctx):
                if any(mark in text for text, quoted in field for mark in "*?[" if not quoted):
                    pattern = "".join(re.sub(r"([*?\[])", r"[\1]", text) if quoted else text for text, quoted in field)
                    names = expand(ctx, pattern if pattern.startswith("/") else f"{ctx.cwd}/{pattern}")
                    strip = 0 if pattern.startswith("/") else len(ctx.cwd.rstrip("/")) + 1
                    found += [name[strip:] for name in names] or ["".join(text for text, _unused in field)]
                else:
                    found.append("".join(text for text, _unused in field))
        return found

    def _split(self, word: Word, ctx: Context) -> list[list[tuple[str, bool]]]:
        fields: list[list[tuple[str, bool]]] = []
        current: list[tuple[str, bool]] | None = None
        for kind, content, quoted in self._at_home(word, ctx):
            if kind == "var" and content == "@" and quoted:
                for place, each in enumerate(self.positional):
                    if place:
                        fields.append(current or [])
                        current = None
                    current = [*(current or []), (each, True)]
                continue
            text = self._piece(kind, content, ctx)
            if quoted or kind == "text":
                current = [*(current or []), (text, quoted)]
                continue
            parts = re.split(r"[ \t\n]+", text)
            for place, part in enumerate(parts):
                if place and current is not None:
                    fields.append(current)
                    current = None
                if part:
                    current = [*(current or []), (part, False)]
        return [*fields, current] if current is not None else fields

    def text(self, word: Word, ctx: Context, *, pattern: bool = False) -> str:
        """Expand a word to one text (for a ``pattern``: with quoted marks made plain)."""
        found = ""
        for kind, content, quoted in self._at_home(word, ctx):
            text = self._piece(kind, content, ctx)
            found += re.sub(r"([*?\[])", r"[\1]", text) if pattern and quoted else text
        return found

    def _at_home(self, word: Word, ctx: Context) -> list[tuple[str, str, bool]]:
        """Return the pieces of a word with the folder for which a tilde and a user's name at its begin stand."""
        kind, text, quoted = word.pieces[0] if word.pieces else ("text", "", True)
        match = re.fullmatch(r"~([^/]*)(/.*)?", text, re.DOTALL)
        if kind != "text" or quoted or match is None or (match[2] is None and len(word.pieces) > 1):
            return word.pieces
        home = _home(ctx, match[1]) if match[1] else self._value("HOME")
        if home is None:
            return word.pieces
        return [("text", home, True), ("text", match[2] or "", False), *word.pieces[1:]]

    def _piece(self, kind: str, content: str, ctx: Context) -> str:
        if kind == "var":
            return self._variable(content, ctx)
        if kind == "arithmetic":
            return str(self._calculate(content, ctx))
        if kind == "command":
            try:
                program = Parser(content).parse()
            except SyntaxProblem as error:
                ctx.err.write(f"{self.name}: Syntax error: {error}\n")
                raise _Leave("exit", 2) from None
            self.status, taken = self._capture(program, ctx)
            return taken.decode(errors="surrogateescape").rstrip("\n")
        return content

    def _variable(self, content: str, ctx: Context) -> str:
        special = {
            "?": str(self.status),
            "$": str(self.ctx.pid),
            "!": str(self.background[-1]) if self.background else "",
            "#": str(len(self.positional)),
            "*": " ".join(self.positional),
            "@": " ".join(self.positional),
            "0": self.name,
            "-": "",
        }
        if content in special:
            return special[content]
        if content.startswith("#"):
            return str(len(self._value(content[1:]) or ""))
        match = re.fullmatch(r"(\w+)(?:(:?[-=+?]|%%?|##?)(.*))?", content, re.DOTALL)
        if match is None:
            ctx.err.write(f"{self.name}: ${{{content}}}: Bad substitution\n")
            raise _Leave("exit", 2)
        name, operator, word = match[1], match[2], match[3]
        value = self._value(name)
        return (value or "") if operator is None else self._modified(name, value, operator, word, ctx)

    def _value(self, name: str) -> str | None:
        if name.isdigit():
            place = int(name) - 1
            return self.positional[place] if place < len(self.positional) else None
        return self.variables.get(name)

    def _modified(self, name: str, value: str | None, operator: str, word: str, ctx: Context) -> str:
        text = self.text(Word(_pieces(word), word), ctx)
        if operator[0] in "%#":
            return _trimmed(value or "", operator, text)
        is_set = value is not None and not (operator[0] == ":" and value == "")
        if operator[-1] == "+":
            return text if is_set else ""
        if is_set:
            return value or ""
        if operator[-1] == "?":
            ctx.err.write(f"{self.name}: {name}: {text or 'parameter not set'}\n")
            raise _Leave("exit", 2)
        if operator[-1] == "=":
            self.variables[name] = text
        return text

    def _calculate(self, content: str, ctx: Context) -> int:
        text = self.text(Word(_pieces(content), content), ctx)
        text = NAME.sub(lambda match: self.variables.get(match[0]) or "0", text)
        text = text.replace("&&", " and ").replace("||", " or ")
        plain = text.replace(" and ", " ").replace(" or ", " ")
        try:
            if not _ARITHMETIC.fullmatch(plain):
                raise SyntaxError
            return int(eval(text.replace("/", "//"), {"__builtins__": {}}))  # only digits and operators, see above
        except (SyntaxError, TypeError, ZeroDivisionError):
            ctx.err.write(f'{self.name}: arithmetic expression: syntax error: "{content}"\n')
            raise _Leave("exit", 2) from None


def _home(ctx: Context, name: str) -> str | None:
    """Return the home of a user, None if there is no such user."""
    account = jexec.user(ctx, name)
    return account[5] if account else None


def _nowhere() -> t.TextIO:
    return io.TextIOWrapper(io.BytesIO())


def _pieces(text: str) -> list[tuple[str, str, bool]]:
    """Return the pieces of a text in which blanks and operators are nothing special."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"') if '"' not in text else text.replace('"', "")
    return Parser(f': "{escaped}"').parse().items[0].words[1].pieces if text else []


def _behind(word: Word, count: int) -> Word:
    """Return a word without its first letters, which are plain ones."""
    kind, text, quoted = word.pieces[0]
    return Word([(kind, text[count:], quoted), *word.pieces[1:]], word.raw[count:])


def _trimmed(value: str, operator: str, pattern: str) -> str:
    places = range(len(value) + 1)
    if operator[0] == "#":
        ends = [place for place in places if fnmatch.fnmatchcase(value[:place], pattern)]
        return value[(max if operator == "##" else min)(ends) :] if ends else value
    starts = [place for place in places if fnmatch.fnmatchcase(value[place:], pattern)]
    return value[: (min if operator == "%%" else max)(starts)] if starts else value


def is_endless(node: Node) -> bool:
    """Say whether a loop computes for ever without any effect."""
    if node.kind != "loop" or node.until:
        return False
    return all(
        item.kind == "simple" and [word.raw for word in item.words] in ([":"], ["true"])
        for part in (node.condition, node.body)
        for item in part.items
    )


# Built in -------------------------------------------------------------------------------------------------------------


def _number(words: list[str], default: int) -> int:
    return int(words[1]) if len(words) > 1 and words[1].lstrip("-").isdigit() else default


def _exit(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    raise _Leave("exit", _number(words, shell.status) & 255)


def _return(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    raise _Leave("return", _number(words, shell.status) & 255)


def _break(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell, ctx
    raise _Leave(words[0], _number(words, 1))


def _colon(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell, ctx
    return int(words[0] == "false")


def _echo(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell
    newline = words[1:2] != ["-n"]
    ctx.out.write(" ".join(words[1:] if newline else words[2:]) + ("\n" if newline else ""))
    return 0


def _cd(shell: Shell, ctx: Context, words: list[str]) -> int:
    import posixpath  # noqa: PLC0415

    target = posixpath.normpath(
        posixpath.join(ctx.cwd, words[1] if len(words) > 1 else shell.variables.get("HOME", "/"))
    )
    if not ctx.path(target).is_dir():
        ctx.err.write(f"cd: {target}: No such file or directory\n")
        return 2
    # The list that runs the next commands holds this very context.
    ctx.cwd = shell.ctx.cwd = target
    return 0


def _pwd(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell, words
    ctx.print(ctx.cwd)
    return 0


def _export(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    for word in words[1:]:
        name, equals, text = word.partition("=")
        shell.exported.add(name)
        if equals:
            shell.variables[name] = text
    return 0


def _local(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    shell.variables.update(word.split("=", 1) for word in words[1:] if "=" in word)  # type: ignore[misc]
    return 0


def _unset(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    for word in words[1:]:
        shell.variables.pop(word, None)
    return 0


def _set(shell: Shell, ctx: Context, words: list[str]) -> int:
    rest = words[1:]
    while rest and re.fullmatch(r"[-+][a-z]+", rest[0]) and rest[0] != "--":
        letters = rest.pop(0)
        if set(letters[1:]) - set("eux"):
            ctx.err.write(f"set: Illegal option {letters}\n")
            raise _Leave("exit", 2)
        if "e" in letters:
            shell.exit_on_error = letters[0] == "-"
    if rest:
        shell.positional = rest[1:] if rest[0] == "--" else rest
    return 0


def _shift(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    shell.positional = shell.positional[_number(words, 1) :]
    return 0


def _read(shell: Shell, ctx: Context, words: list[str]) -> int:
    names = [word for word in words[1:] if word != "-r"]
    line = ctx.stdin.readline().decode(errors="surrogateescape")
    parts = line.rstrip("\n").split(None, len(names) - 1) if names else []
    for place, name in enumerate(names):
        shell.variables[name] = parts[place].strip() if place < len(parts) else ""
    return int(not line)


def _trap(shell: Shell, ctx: Context, words: list[str]) -> int:
    del ctx
    action, signals = (words[1], words[2:]) if len(words) > 2 else ("-", words[1:])
    for name in signals:
        if name.removeprefix("SIG") in ("TERM", "15") and shell.ctx.pid:
            with shell.ctx.host.kernel() as kernel:
                task.processes(kernel).get(str(shell.ctx.pid), {})["deaf"] = action != "-"
        elif name in ("EXIT", "0"):
            shell.at_exit = "" if action == "-" else action
    return 0


def _eval(shell: Shell, ctx: Context, words: list[str]) -> int:
    return shell.evaluate(" ".join(words[1:]), ctx)


def _dot(shell: Shell, ctx: Context, words: list[str]) -> int:
    path = ctx.path(words[1])
    if not path.is_file():
        ctx.err.write(f".: {words[1]}: No such file or directory\n")
        raise _Leave("exit", 2)
    return shell.evaluate(path.read_text(errors="surrogateescape"), ctx)


def _exec(shell: Shell, ctx: Context, words: list[str]) -> int:
    status = shell._execute(words[1:], ctx.replace(env=shell.environment()))
    raise _Leave("exit", status)


def _command(shell: Shell, ctx: Context, words: list[str]) -> int:
    if words[1:2] == ["-v"]:
        try:
            ctx.print(words[2] if words[2] in BUILTINS else execute.search(ctx, words[2]))
        except execute.CannotExecute:
            return 127
        return 0
    return shell._execute(words[1:], ctx.replace(env=shell.environment()))


def _wait(shell: Shell, ctx: Context, words: list[str]) -> int:
    wanted = [int(word) for word in words[1:] if word.isdigit()] or shell.background
    while True:
        with ctx.host.kernel() as kernel:
            left = [pid for pid in wanted if str(pid) in task.processes(kernel)]
        if not left:
            return 0
        shell._looked = 0.0
        shell._check_alive()
        time.sleep(task.POLL_SECONDS)


def _umask(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell
    if len(words) == 1:
        ctx.print("0022")
    return 0


def _test(shell: Shell, ctx: Context, words: list[str]) -> int:
    del shell
    return test(ctx.replace(argv=words))


def _own(shell: Shell, ctx: Context, words: list[str]) -> int:
    """A program that sh(1) has built in: no file of the jail matters."""
    return ctx.host.dispatch(ctx.replace(argv=words, env=shell.environment()))


BUILTINS: dict[str, Builtin] = {
    ":": _colon,
    "true": _colon,
    "false": _colon,
    "echo": _echo,
    "exit": _exit,
    "return": _return,
    "break": _break,
    "continue": _break,
    "cd": _cd,
    "pwd": _pwd,
    "export": _export,
    "local": _local,
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "read": _read,
    "trap": _trap,
    "eval": _eval,
    ".": _dot,
    "exec": _exec,
    "command": _command,
    "wait": _wait,
    "umask": _umask,
    "kill": _own,
    "test": _test,
    "[": _test,
    "printf": _own,
}


def test(ctx: Context) -> int:
    """test(1), also as ``[``."""
    words = ctx.arguments
    if ctx.argv[0] == "[":
        if words[-1:] != ["]"]:
            ctx.err.write("[: missing ]\n")
            return 2
        words = words[:-1]
    try:
        return int(not _holds(ctx, words))
    except ValueError as error:
        ctx.err.write(f"{ctx.argv[0]}: {error}\n")
        return 2


def _holds(ctx: Context, words: list[str]) -> bool:
    for mark, join in (("-o", any), ("-a", all)):
        if mark in words[1:-1]:
            place = words.index(mark, 1)
            return join((_holds(ctx, words[:place]), _holds(ctx, words[place + 1 :])))
    if words[:1] == ["!"] and len(words) > 1:
        return not _holds(ctx, words[1:])
    if len(words) < 2:
        return bool(words and words[0])
    if len(words) == 2:
        return _unary(ctx, *words)
    if len(words) == 3:
        return _binary(*words)
    raise ValueError("too many arguments")


def _unary(ctx: Context, operator: str, word: str) -> bool:
    import os  # noqa: PLC0415

    path = ctx.path(word, follow=operator not in ("-L", "-h"))
    answers: dict[str, t.Callable[[], bool]] = {
        "-n": lambda: bool(word),
        "-z": lambda: not word,
        "-e": path.exists,
        "-f": path.is_file,
        "-d": path.is_dir,
        "-L": path.is_symlink,
        "-h": path.is_symlink,
        "-S": path.is_socket,
        "-b": path.is_block_device,
        "-c": path.is_char_device,
        "-s": lambda: path.exists() and path.stat().st_size > 0,
        "-r": lambda: os.access(path, os.R_OK),
        "-w": lambda: os.access(path, os.W_OK),
        "-x": lambda: os.access(path, os.X_OK),
        "-t": lambda: False,
    }
    if operator not in answers:
        raise ValueError(f"{operator}: unexpected operator")
    return answers[operator]()


def _binary(left: str, operator: str, right: str) -> bool:
    if operator in ("=", "==", "!="):
        return (left == right) is (operator != "!=")
    compared = {"-eq": (0,), "-ne": (-1, 1), "-lt": (-1,), "-gt": (1,), "-le": (-1, 0), "-ge": (0, 1)}.get(operator)
    if compared is None:
        raise ValueError(f"{operator}: unexpected operator")
    try:
        one, other = int(left), int(right)
    except ValueError:
        raise ValueError(f"{left if not left.lstrip('-').isdigit() else right}: bad number") from None
    return (one > other) - (one < other) in compared


def is_real(stream: t.IO[t.Any]) -> bool:
    """Say whether a stream is this process's own standard output."""
    return getattr(stream, "buffer", stream) is sys.stdout.buffer
