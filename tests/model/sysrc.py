# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sysrc(8)."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from model import prison, rcconf
from model.command import Exit, options

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from model.command import Context

USAGE = """\
Usage: sysrc [OPTIONS] {name[[+|-]=value] ... | -a | -A | -l | -L [name ...]}
Try `sysrc --help' for more information.
"""
VERSION = "7.2 Jun-16,2023"
NAME = re.compile(r"\w+", re.ASCII)
# What may stand before the delimiter of a list: a value that starts with one of these is delimited by blanks.
PLAIN_START = re.compile(r"[\sA-Za-z0-9./]")


@dataclass
class _Sysrc:
    """One call: its process, options, and the files it works on."""

    ctx: Context
    flags: dict[str, list[str]]
    defaults: dict[str, str]
    files: list[str]

    def value(self, name: str) -> str | None:
        """Return the value that counts, None if the variable is not set."""
        known = self.defaults if not self._only_files else {}
        return rcconf.source(self.ctx, [] if "D" in self.flags else self.files, known).get(name)

    @property
    def _only_files(self) -> bool:
        return "f" in self.flags

    def show(self, name: str) -> int:
        """Print a variable."""
        value = self.value(name)
        if value is None:
            if "i" not in self.flags and "q" not in self.flags:
                self.ctx.warn(f"unknown variable '{name}'")
            return 1
        if "F" in self.flags:
            value = self._file_of(name) or (rcconf.DEFAULTS if name in self.defaults else "")
        if "c" not in self.flags:
            self._print(name, value)
        return 0

    def _print(self, name: str, text: str) -> None:
        if "n" in self.flags:
            self.ctx.print(text)
        elif "N" in self.flags:
            self.ctx.print(name)
        elif "e" in self.flags and "F" not in self.flags:
            self.ctx.print(f'{name}="{text}"')
        else:
            prefix = f"{self._file_of(name) or rcconf.DEFAULTS}: " if "v" in self.flags else ""
            self.ctx.print(f"{prefix}{name}: {text}")

    def assign(self, name: str, sign: str, text: str) -> int:
        """Do ``NAME=VALUE``, ``NAME+=VALUE`` or ``NAME-=VALUE``."""
        before = self.value(name)
        after = _combined(before or "", sign, text)
        if "c" in self.flags:
            return int(before != after)
        if "x" in self.flags:
            return self.delete(name)
        self.write(name, after)
        if "q" in self.flags:
            return 0
        if "n" in self.flags:
            self.ctx.print(after)
        elif "e" in self.flags:
            self.ctx.print(f'{name}="{after}"')
        else:
            self.ctx.print(f"{name}: {before or ''} -> {after}")
        return 0

    def write(self, name: str, text: str) -> None:
        """Set the variable where it is set last, or else in the first file."""
        where = self._file_of(name)
        if where is None:
            path = self.ctx.path(self.files[0])
            if not path.parent.is_dir():
                raise Exit(1, f"cannot create {self.files[0]}: No such file or directory")
            old = path.read_text(errors="surrogateescape") if path.exists() else ""
            path.write_text(f'{old}{name}="{text}"\n', errors="surrogateescape")
            return
        path = self.ctx.path(where)
        lines = path.read_text(errors="surrogateescape").split("\n")
        number = max(index for index, line in enumerate(lines) if _assigns(line, name))
        lines[number] = _replaced(lines[number], text)
        path.write_text("\n".join(lines), errors="surrogateescape")

    def delete(self, name: str) -> int:
        """Remove every assignment of a variable from the files."""
        for file in self.files:
            path = self.ctx.path(file)
            if path.is_file() and (lines := path.read_text(errors="surrogateescape").split("\n")):
                left = [line for line in lines if not _assigns(line, name)]
                if left != lines:
                    path.write_text("\n".join(left), errors="surrogateescape")
        return 0

    def _file_of(self, name: str) -> str | None:
        """Return the last file that assigns the variable."""
        for file in reversed(self.files):
            path = self.ctx.path(file)
            if path.is_file() and any(
                _assigns(line, name) for line in path.read_text(errors="surrogateescape").split("\n")
            ):
                return file
        return None

    def show_all(self) -> int:
        """``-a`` and ``-A``: what is set in the files, or that and the defaults."""
        known = dict(self.defaults) if "A" in self.flags else {}
        found = known if "D" in self.flags else rcconf.source(self.ctx, self.files, known)
        for name in sorted(found):
            self._print(name, found[name])
        return 0


def write_setting(ctx: Context, files: list[str], name: str, text: str | None) -> None:
    """Set a variable in the first of those files (or where it is set already), or remove it from them (None)."""
    call = _Sysrc(ctx, {}, {}, files)
    if text is None:
        call.delete(name)
    else:
        call.write(name, text)


def _assigns(line: str, name: str) -> bool:
    return line.lstrip().startswith(f"{name}=")


def _replaced(line: str, text: str) -> str:
    """Put a new value into a line, keeping its quotes and what follows the value."""
    head, _unused, rest = line.partition("=")
    quote = rest[:1] if rest[:1] in ('"', "'") else ""
    if quote:
        tail = rest[1:].partition(quote)[2]
        return f"{head}={quote}{text}{quote}{tail}"
    tail = rest[len(rest.split(None, 1)[0]) if rest.strip() and not rest[:1].isspace() else 0 :]
    return f'{head}="{text}"{tail}'


def _combined(before: str, sign: str, text: str) -> str:
    """Return the list with words added or taken away; without a sign the text itself."""
    if not sign:
        return text
    delimiter = " " if not text or PLAIN_START.match(text) else text[0]
    words = before.split(delimiter) if delimiter != " " else before.split()
    for word in text.split(delimiter) if delimiter != " " else text.split():
        if sign == "+" and word and word not in words:
            words.append(word)
        elif sign == "-":
            words = [each for each in words if each != word]
    return delimiter.join(words)


def sysrc(ctx: Context) -> int:
    """sysrc(8): read and edit rc.conf(5) files."""
    if "--version" in ctx.arguments:
        ctx.print(VERSION)
        return 1
    flags, operands = options(ctx, "aAcdDeEf:Fhij:lLnNqR:s:vxX", USAGE)
    if {"d", "h", "L", "X"} & flags.keys() or not (operands or {"a", "A", "l"} & flags.keys()):
        ctx.err.write(USAGE)
        return 1
    _check_names(operands)
    if {"j", "R"} & flags.keys():
        return _elsewhere(ctx, flags, operands)
    call = _call(ctx, flags)
    if "l" in flags:
        ctx.print(*call.files)
        return 0
    _check_syntax(ctx, call.files)
    if {"a", "A"} & flags.keys():
        return call.show_all()
    return max([_one(call, operand) for operand in operands])


def _check_names(operands: Iterable[str]) -> None:
    for operand in operands:
        name = re.split(r":?[%#+=-]", operand, maxsplit=1)[0]
        if not NAME.fullmatch(name):
            raise Exit(1, f"{name}: name contains characters not allowed in shell")


def _call(ctx: Context, flags: dict[str, list[str]]) -> _Sysrc:
    defaults = rcconf.source(ctx, [rcconf.DEFAULTS], {})
    files = [name for value in flags.get("f", []) for name in value.split()]
    if not files:
        files = rcconf.files(defaults)
        for service in flags.get("s", []):
            files += rcconf.service_files(ctx, service, defaults) or [f"/etc/rc.conf.d/{service}"]
    if "E" in flags:
        files = [name for name in files if ctx.path(name).is_file()]
    return _Sysrc(ctx, flags, defaults, files)


def _check_syntax(ctx: Context, files: Iterable[str]) -> None:
    for name in files:
        path = ctx.path(name)
        error = rcconf.syntax_error(path) if path.is_file() else ""
        if error:
            ctx.err.write(error)
            raise Exit(1, "Exiting due to previous syntax errors")


def _one(call: _Sysrc, operand: str) -> int:
    found = re.fullmatch(r"(\w+)([+-]?)=(.*)", operand, re.ASCII | re.DOTALL)
    if found:
        return call.assign(found[1], found[2], found[3])
    if "x" in call.flags:
        return call.delete(operand)
    return call.show(operand)


def _elsewhere(ctx: Context, flags: dict[str, list[str]], operands: list[str]) -> int:
    """``-j JAIL`` and ``-R FOLDER``: the same in a jail, or in a folder as /; a jail that runs there is entered."""
    with ctx.host.kernel() as kernel:
        if "j" in flags:
            jail = prison.find(kernel, flags["j"][-1])
            if jail is None:
                raise Exit(1, f'jexec: jail "{flags["j"][-1]}" not found')
        else:
            folder = flags["R"][-1].rstrip("/")
            jail = next((each for each in prison.prisons(kernel) if prison.value(kernel, each, "path") == folder), None)
        name, inside = (jail["name"], prison.value(kernel, jail, "path")) if jail else (None, flags["R"][-1])
    if not ctx.path(inside).is_dir():
        ctx.err.write(f"chroot: {inside}: No such file or directory\n")
        return 1
    kept = [f"-{letter}" for letter in flags if letter not in "jRfs"]
    kept += [word for letter in "fs" for value in flags.get(letter, []) for word in (f"-{letter}", value)]
    return ctx.child(["/usr/sbin/sysrc", *kept, *operands], jail=name, inside=inside, cwd="/")
