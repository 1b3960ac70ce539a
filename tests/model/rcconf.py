# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc.conf(5): which files there are, and what the shell that sources them would know afterwards."""

from __future__ import annotations

import io
import re
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

DEFAULTS = "/etc/defaults/rc.conf"
FILES = "/etc/rc.conf /etc/rc.conf.local"
LOCAL_STARTUP = "/usr/local/etc/rc.d"

# One assignment of a word without anything that the shell would expand, and what may follow it.
ASSIGNMENT = re.compile(
    r"""\s*([A-Za-z_]\w*)=(?:"([^"$`\\]*)"|'([^']*)'|([\w./:,%@+-]*))[ \t]*(?:;[ \t]*)?(?:\#.*)?$""", re.ASCII
)
NOTHING = re.compile(r"\s*(#.*)?$")
# The shell's own, which no rc file set.
OWN = frozenset({"IFS", "OPTIND", "PATH", "PPID", "PS1", "PS2", "PS4", "PWD", "OLDPWD", "_", "SHLVL"})


class BrokenFile(Exception):
    """The shell finds a syntax error; the text is what it says."""


def files(variables: t.Mapping[str, str]) -> list[str]:
    """Return rc.conf and its companions, in the order in which they are sourced."""
    return variables.get("rc_conf_files", FILES).split()


def service_files(ctx: Context, service: str, variables: t.Mapping[str, str]) -> list[str]:
    """Return the rc.conf.d files (a file, or all files of a folder) of one service, in the order of sourcing."""
    found: list[str] = []
    for folder in ["/etc", *variables.get("local_startup", LOCAL_STARTUP).split()]:
        name = f"{folder.removesuffix('/rc.d')}/rc.conf.d/{service}"
        path = ctx.path(name)
        if path.is_file():
            found.append(name)
        elif path.is_dir():
            found += [f"{name}/{each.name}" for each in sorted(path.iterdir()) if each.is_file()]
    return found


def read(ctx: Context, service: str = "", *, defaults: bool = True) -> dict[str, str]:
    """Return what an rc script of that service finds set after load_rc_config."""
    variables = source(ctx, [DEFAULTS], {}) if defaults else {}
    variables = source(ctx, files(variables), variables)
    if service:
        variables = source(ctx, service_files(ctx, service, variables), variables)
    return variables


def source(ctx: Context, names: t.Sequence[str], variables: t.Mapping[str, str]) -> dict[str, str]:
    """Return the variables after sourcing those files, of which any may be missing."""
    known = dict(variables)
    for name in names:
        path = ctx.path(name)
        if path.is_file():
            known = _source(ctx, name, known)
    return known


def _source(ctx: Context, name: str, known: dict[str, str]) -> dict[str, str]:
    """Source one file: plain assignments are read as they are, all else is the shell's business."""
    text = ctx.path(name).read_text(errors="surrogateescape")
    simple: dict[str, str] = {}
    for line in text.split("\n"):
        found = ASSIGNMENT.match(line)
        if found:
            simple[found[1]] = next((value for value in found.groups()[1:] if value is not None), "")
        elif not NOTHING.match(line):
            return _ask_shell(ctx, name, known)
    return known | simple


def _ask_shell(ctx: Context, name: str, known: dict[str, str]) -> dict[str, str]:
    """Let a shell source the file, with what is known as its variables; what it says is not heard."""
    from model.shell import Shell  # noqa: PLC0415

    nowhere = io.TextIOWrapper(io.BytesIO(), errors="surrogateescape", write_through=True)
    shell = Shell(ctx.replace(out=nowhere, err=nowhere, env={}))
    shell.variables |= known
    shell.run(f". {name}")
    return {key: value for key, value in shell.variables.items() if key not in OWN}


def syntax_error(path: Path) -> str:
    """Return what ``sh -n FILE`` complains of, '' if nothing."""
    text = path.read_text(errors="surrogateescape")
    if all(ASSIGNMENT.match(line) or NOTHING.match(line) for line in text.split("\n")):
        return ""
    import subprocess  # noqa: PLC0415

    done = subprocess.run(["/bin/sh", "-n", str(path)], capture_output=True, env={"PATH": "/nonexistent"}, check=False)
    return done.stderr.decode(errors="replace") if done.returncode else ""


def is_yes(value: str | None) -> bool:
    """Read a boolean as checkyesno does."""
    return (value or "").lower() in ("yes", "true", "on", "1")
