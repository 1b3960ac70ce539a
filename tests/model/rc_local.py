# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts of /usr/local/etc/rc.d: which there are, their place among those of the base system, and running them."""

from __future__ import annotations

import re
import typing as t

from model import rcconf

if t.TYPE_CHECKING:
    from model.command import Context

# Behind it rc(8) looks for local scripts (early_late_divider).
DIVIDER = "FILESYSTEMS"


def paths(ctx: Context, variables: t.Mapping[str, str]) -> list[str]:
    """Return the executable scripts of the local folders, in the order that rcorder(8) gives them among each other."""
    return merged(ctx, [], found(ctx, variables.get("local_startup", rcconf.LOCAL_STARTUP)))


def found(ctx: Context, local: str) -> list[str]:
    """Return the executable scripts of the local folders, by name."""
    return [
        f"{folder}/{path.name}"
        for folder in local.split()
        if ctx.path(folder).is_dir()
        for path in sorted(ctx.path(folder).iterdir())
        if path.is_file() and path.stat().st_mode & 0o111
    ]


def words(ctx: Context, path: str, key: str) -> list[str]:
    """Return what a script says to rcorder(8) behind PROVIDE, REQUIRE, BEFORE or KEYWORD."""
    text = ctx.path(path).read_text(errors="replace")
    lines = re.findall(rf"^# {key}S?:(.*)$", text, re.MULTILINE)
    return [word for line in lines for word in line.split()]


def merged(ctx: Context, base: t.Sequence[str], local: t.Sequence[str]) -> list[str]:
    """Return base scripts, in their order, with each local one where it has what it requires and nobody waits for it.

    What no script provides is no requirement, as for rcorder(8).
    """
    order = list(base)
    for path in local:
        order.insert(_place(ctx, path, order), path)
    return order


def _place(ctx: Context, path: str, order: t.Sequence[str]) -> int:
    """Return the place in front of the first that comes after the script, or at the end."""
    mine = _provided(ctx, path)
    required = {DIVIDER, *words(ctx, path, "REQUIRE")}
    first = 1 + max((place for place, other in enumerate(order) if required & _provided(ctx, other)), default=-1)
    before = set(words(ctx, path, "BEFORE"))
    for place in range(first, len(order)):
        other = order[place]
        waits = mine & set(words(ctx, other, "REQUIRE")) if "/" in other else set()
        if waits or before & _provided(ctx, other):
            return place
    return len(order)


def _provided(ctx: Context, script: str) -> set[str]:
    """Return what a script provides: one of the base system its name."""
    return set(words(ctx, script, "PROVIDE")) if "/" in script else {script}


def is_enabled(ctx: Context, path: str) -> bool:
    """Say whether rc runs a local script: its rcvar is switched on, or it has none."""
    text = ctx.path(path).read_text(errors="replace")
    name = re.search(r'^name="?(\w+)', text, re.MULTILINE)
    variable = re.search(r'^rcvar="?([^"\s]+)', text, re.MULTILINE)
    if variable is None or name is None:
        return True
    wanted = variable[1].replace("${name}", name[1]).replace("$name", name[1])
    return rcconf.is_yes(rcconf.read(ctx, name[1]).get(wanted))


def has_variable(ctx: Context, path: str) -> bool:
    """Say whether service(8) knows how to ask whether the script is enabled."""
    return re.search(r"^rcvar=", ctx.path(path).read_text(errors="replace"), re.MULTILINE) is not None


def run(ctx: Context, path: str, arguments: t.Sequence[str]) -> int:
    """Run a script that is not of the base system: a program like any other.

    In the isolated system the machine's own shell does, else the model's.
    """
    import subprocess  # noqa: PLC0415

    if str(ctx.host.root) != "/" or ctx.inside != "/":
        ran = ctx.run(["/bin/sh", path, *arguments])
        ctx.out.write(ran.out)
        ctx.err.write(ran.err)
        return ran.rc
    done = subprocess.run(["/bin/sh", path, *arguments], capture_output=True, check=False, cwd="/")
    ctx.out.write(done.stdout.decode(errors="surrogateescape"))
    ctx.err.write(done.stderr.decode(errors="surrogateescape"))
    return done.returncode
