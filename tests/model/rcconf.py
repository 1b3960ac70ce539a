# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc.conf(5): which files there are, and what the shell that sources them would know afterwards."""

from __future__ import annotations

import io
import os
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
            known = _source(ctx, path, known)
    return known


def _source(ctx: Context, path: Path, known: dict[str, str]) -> dict[str, str]:
    """Source one file: plain assignments are read as they are, all else is the shell's business."""
    text = path.read_text(errors="surrogateescape")
    simple: dict[str, str] = {}
    for line in text.split("\n"):
        found = ASSIGNMENT.match(line)
        if found:
            simple[found[1]] = next((value for value in found.groups()[1:] if value is not None), "")
        elif not NOTHING.match(line):
            return _ask_shell(path, known) if ctx.inside == "/" == str(ctx.host.root) else _ask_model(ctx, text, known)
    return known | simple


def _ask_shell(path: Path, known: dict[str, str]) -> dict[str, str]:
    """Let the shell source the file, with what is known as its variables and no program within its reach."""
    import shlex  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    before = "".join(f"{name}={shlex.quote(value)}\n" for name, value in known.items())
    script = f"{before}. {shlex.quote(str(path))} >/dev/null 2>&1\nset\n"
    done = subprocess.run(
        ["/bin/sh"], input=os.fsencode(script), capture_output=True, env={"PATH": "/nonexistent"}, check=False
    )
    return _listed(done.stdout.decode(errors="surrogateescape"))


def _ask_model(ctx: Context, text: str, known: dict[str, str]) -> dict[str, str]:
    """Let the model's own shell source a file of a host whose paths are not those of this machine."""
    from model.shell import Shell  # noqa: PLC0415

    nowhere = io.TextIOWrapper(io.BytesIO(), errors="surrogateescape", write_through=True)
    shell = Shell(ctx.replace(out=nowhere, err=nowhere))
    shell.variables |= known
    shell.run(text)
    return {name: value for name, value in shell.variables.items() if name in known or name not in ctx.env}


def _listed(text: str) -> dict[str, str]:
    """Read the output of the shell's ``set``: a word NAME=VALUE for each variable, quoted to be read again."""
    import shlex  # noqa: PLC0415

    pairs = (word.partition("=") for word in shlex.split(text))
    return {name: value for name, equals, value in pairs if equals and name not in OWN}


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
