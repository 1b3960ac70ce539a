# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sysctl(8)."""

from __future__ import annotations

import secrets
import typing as t

from model import kernel as kernels
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

USAGE = (
    "usage: sysctl [-bdeFhiJlNnoqTtVWx] [ -B <bufsize> ] [-f filename] [-j jail] name[=value[,value]] ...\n"
    "       sysctl [-bdeFhJlNnoqTtVWx] [ -B <bufsize> ] [-j jail] -a\n"
)
PID_MAX = 99999
# What a jail's kernel variables say that differ from the host's.
IN_JAIL = {"security.jail.jailed": "1", "security.jail.children.max": "0"}


class _Failure(Exception):
    """One argument that cannot be done; the text is without the program's name."""


class _Tree:
    """The variables as one process sees and changes them."""

    def __init__(self, ctx: Context, flags: t.Container[str], kernel: State, hostname: str) -> None:
        self.ctx, self.flags, self.kernel, self.hostname = ctx, flags, kernel, hostname
        self.all = [each for each in kernels.variables() if kernels.exists(kernel, each.name)]

    def below(self, name: str) -> list[kernels.Variable]:
        """Return the variable of that name, or all of that node; raise KeyError if there is neither."""
        exact = [each for each in self.all if each.name == name]
        found = exact or [each for each in self.all if each.name.startswith(name.rstrip(".") + ".")]
        if not found:
            raise KeyError(name)
        return found

    def value(self, variable: kernels.Variable) -> str:
        """Return its value in the process's jail."""
        if self.ctx.jail is not None:
            if variable.name in IN_JAIL:
                return IN_JAIL[variable.name]
            if variable.name == "kern.hostname":
                return self.hostname
        return kernels.current(self.kernel, variable)

    def line(self, variable: kernels.Variable) -> str:
        """Return what is printed of it."""
        if "N" in self.flags:
            return variable.name
        if "n" in self.flags:
            return self.value(variable)
        return variable.name + ("=" if "e" in self.flags else ": ") + self.value(variable)

    def listed(self, variable: kernels.Variable) -> bool:
        """Say whether -T and -W leave it in a listing of many."""
        return not ("W" in self.flags and variable.kind) and not ("T" in self.flags and variable.kind == "-")

    def show(self, name: str) -> None:
        """Print a variable or a node."""
        found = self.below(name)
        for variable in found if len(found) == 1 else filter(self.listed, found):
            self.ctx.print(self.line(variable))

    def set(self, name: str, text: str, line: str) -> None:
        """Change a variable and print the old and the new value."""
        variable = self.below(name)[0]
        if variable.name != name:
            raise _Failure(f"oid '{name}' isn't a leaf node{line}")
        self._may_change(variable, line)
        before = self.line(variable)
        new = self._number(variable, text, line)
        refused = self._refused(name, new)
        if refused:
            self.ctx.print(before)
            raise _Failure(f"{name}{line}: {refused}")
        if name == "kern.randompid":
            new = _modulus(int(new))
        if name == "kern.hostname":
            self.kernel["hostname"] = new
        elif name == "net.inet.carp.demotion":
            new = str(int(self.value(variable)) + int(new))
        self.kernel.setdefault("sysctl", {})[name] = new
        if "q" not in self.flags:
            self.ctx.print(before if "N" in self.flags else f"{before} -> {new}")

    def _may_change(self, variable: kernels.Variable, line: str) -> None:
        if variable.kind == "*":
            self.ctx.warn(f"oid '{variable.name}' is a read only tunable{line}")
            raise _Failure(f"Tunable values are set in /boot/loader.conf{line}")
        if variable.kind == "-":
            raise _Failure(f"oid '{variable.name}' is read only{line}")

    def _number(self, variable: kernels.Variable, text: str, line: str) -> str:
        """Return the new value as the kernel keeps it: numbers in decimal."""
        if not variable.value.lstrip("-").isdigit():
            return text
        if not text:
            raise _Failure(f"{variable.name}: empty numeric value")
        try:
            return str(int(text, 8 if text.lstrip("-")[:1] == "0" and text.lstrip("-0").isdigit() else 0))
        except ValueError:
            raise _Failure(f"invalid integer '{text}'{line}") from None

    def _refused(self, name: str, new: str) -> str:
        """Return the kernel's error if it does not take the value."""
        raises = name == "kern.securelevel" and int(new) < int(kernels.value(self.kernel, name) or 0)
        return "Operation not permitted" if raises or self.ctx.jail is not None else ""


def _modulus(number: int) -> str:
    """Return what the kernel makes of kern.randompid: 1 draws a number, others are brought into their range."""
    if number in (0, 1):
        return str(number and 100 + secrets.randbelow(1024))
    return str(min(max(number, 100), PID_MAX - 100) if number > 0 else PID_MAX - 100)


def sysctl(ctx: Context) -> int:
    """sysctl(8): show and set kernel variables."""
    flags, operands = options(ctx, "Aabdef:hiNnoqTtWwx", USAGE)
    unknown = set(flags) & set("bdt")
    if unknown or ("N" in flags and "n" in flags):
        ctx.err.write(USAGE)
        raise Exit(1)
    everything = {"a", "A"} & flags.keys() and not operands
    if not operands and not everything and "f" not in flags:
        ctx.err.write(USAGE)
        raise Exit(1)
    hostname = ctx.run(["hostname"]).out.strip() if ctx.jail is not None else ""
    with ctx.host.kernel() as kernel:
        tree = _Tree(ctx, flags, kernel, hostname)
        if everything:
            for variable in filter(tree.listed, tree.all):
                ctx.print(tree.line(variable))
            return 0
        failures = sum(_file(tree, name) for name in flags.get("f", []))
        return failures + sum(_one(tree, operand) for operand in operands)


def _file(tree: _Tree, name: str) -> int:
    """Do what the lines of a file say."""
    try:
        lines = tree.ctx.path(name).read_text(errors="surrogateescape").splitlines()
    except OSError as error:
        raise Exit(1, f"{name}: {error.strerror}") from None
    failures = 0
    for number, raw in enumerate(lines, 1):
        text = raw.partition("#")[0].strip()
        if text:
            failures += _one(tree, text, f" at line {number}")
    return failures


def _one(tree: _Tree, argument: str, line: str = "") -> int:
    """Do one argument; return how many failures it is."""
    name, equals, text = argument.partition("=")
    try:
        if equals:
            tree.set(name.strip(), text.strip().strip('"') if line else text.lstrip(), line)
        else:
            tree.show(name)
    except KeyError:
        if "i" in tree.flags:
            return 0
        if "q" not in tree.flags:
            tree.ctx.warn(f"unknown oid '{name.strip()}'{line}")
        return 1
    except _Failure as failure:
        tree.ctx.warn(str(failure))
        return 1
    return 0
