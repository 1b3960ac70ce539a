# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnctl(8), and the part of ipfw(8) that is the same program."""

from __future__ import annotations

import getopt
import typing as t

from model import dummynet_config, dummynet_kernel, dummynet_show
from model import kernel as kernels
from model.command import Exit

if t.TYPE_CHECKING:
    from model.command import Context

EX_USAGE, EX_OSERR = 64, 71
OBJECTS = {"pipe": "pipe", "queue": "queue", "flowset": "queue", "sched": "sched"}
HELP = """dnctl syntax summary (but please do read the dnctl(8) manpage):

\tdnctl [-hnsv] <command>

where <command> is one of the following:

[pipe|queue|sched] N config PIPE-BODY
[pipe|queue|sched] {delete|list|show} [N{,N}]

"""
LETTERS = {"dnctl": "hns:v", "ipfw": "abcdDefhinNp:qs:STtv"}
IN_FILE = "cfNnp:qS"


def dnctl(ctx: Context) -> int:
    """dnctl(8)."""
    return _main(ctx, "dnctl")


def ipfw(ctx: Context) -> int:
    """ipfw(8), as far as it is dnctl and shows its default rule."""
    return _main(ctx, "ipfw")


def _main(ctx: Context, program: str) -> int:
    arguments = ctx.arguments
    if arguments and arguments[-1].startswith("/"):
        return _file(ctx, program, arguments)
    if not arguments:
        raise _usage(program)
    return _run(ctx, program, arguments, test=False)


def _usage(program: str) -> Exit:
    return Exit(EX_USAGE, f'usage: {program} [options]\ndo "{program} -h" or "man {program}" for details')


def _file(ctx: Context, program: str, arguments: list[str]) -> int:
    path = ctx.path(arguments[-1])
    if not path.is_file():
        raise Exit(EX_USAGE, f"pathname: {arguments[-1]}: No such file or directory")
    try:
        pairs, operands = getopt.getopt(arguments, IN_FILE)
    except getopt.GetoptError as error:
        ctx.warn(f"illegal option -- {error.opt[:1]}")
        raise Exit(EX_USAGE, f"bad arguments, for usage summary ``{program}''") from None
    if len(operands) != 1:
        raise Exit(EX_USAGE, f"extraneous filename arguments {arguments[-1]}")
    test = ("-n", "") in pairs
    # From here on, messages name the line instead of the program.
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        ctx.argv[0] = f"Line {number}"
        words = line.partition("#")[0].replace(", ", ",").split()
        if words:
            _run(ctx, program, words, test=test)
    return 0


def _run(ctx: Context, program: str, arguments: list[str], *, test: bool) -> int:
    try:
        pairs, words = getopt.getopt(arguments, LETTERS[program])
    except getopt.GetoptError as error:
        ctx.warn(f"illegal option -- {error.opt[:1]}")
        raise _usage(program) from None
    flags = {letter for letter, _unused in pairs}
    if "-h" in flags and program == "dnctl":
        ctx.err.write(HELP)
        return 0
    if not words:
        raise Exit(EX_USAGE, f"bad arguments, for usage summary ``{program}''")
    kind = OBJECTS.get(words[0], "")
    if not kind:
        return _other(ctx, program, words)
    return _object(ctx, kind, words[1:], test=test or "-n" in flags)


def _other(ctx: Context, program: str, words: list[str]) -> int:
    if program == "dnctl":
        ctx.err.write(HELP)
        return 0
    if words[0] not in ("list", "show", "print"):
        raise Exit(EX_USAGE, f"bad command `{words[0]}'")
    with ctx.host.kernel() as kernel:
        loaded = kernels.loaded(kernel, "ipfw") and ctx.jail is None
    if not loaded:
        raise Exit(EX_OSERR, "retrieving config failed: Protocol not available")
    ctx.print("65535 count ip from any to any not // orphaned dynamic states counter")
    ctx.print("65535 deny ip from any to any")
    return 0


def _object(ctx: Context, kind: str, words: list[str], *, test: bool) -> int:
    if not words:
        raise Exit(EX_USAGE, "missing command")
    if len(words) > 1 and words[0][:1].isdigit():
        words[:2] = [words[1], words[0]]
    command, *rest = words
    if command == "config":
        return _config(ctx, kind, rest, test=test)
    if command == "delete":
        return _delete(ctx, kind, rest)
    if command in ("show", "list", "print"):
        with ctx.host.kernel() as kernel:
            if ctx.jail is None and kernels.loaded(kernel, "dummynet"):
                ctx.out.write(dummynet_show.show(dummynet_kernel.state(kernel), kind, _ranges(rest)))
        return 0
    raise Exit(EX_USAGE, f"bad command `{command}'")


def _refusal(ctx: Context, error: str) -> str:
    """Return what the kernel says when it cannot even begin."""
    with ctx.host.kernel() as kernel:
        if ctx.jail is not None:
            return "Operation not permitted"
        return error if kernels.loaded(kernel, "dummynet") else "Protocol not available"


def _config(ctx: Context, kind: str, words: list[str], *, test: bool) -> int:
    request = dummynet_config.parse(ctx, kind, words)
    if test:
        return 0
    error = _refusal(ctx, "")
    if not error:
        with ctx.host.kernel() as kernel:
            try:
                dummynet_kernel.configure(dummynet_kernel.state(kernel), request)
            except dummynet_kernel.Refused as refused:
                error = str(refused)
    if error:
        raise Exit(1, f"setsockopt(IP_DUMMYNET3): {error}")
    return 0


def _delete(ctx: Context, kind: str, words: list[str]) -> int:
    """Delete by number; what cannot be deleted is reported, but is no failure to a program without a terminal."""
    for word in words:
        if not word[:1].isdigit():
            break
        number = dummynet_config.leading_number(word)
        error = _refusal(ctx, "")
        if not error:
            with ctx.host.kernel() as kernel:
                done = dummynet_kernel.delete(dummynet_kernel.state(kernel), kind, number)
            error = "" if done else "Invalid argument"
        if error:
            ctx.warn(f"rule 1: setsockopt(IP_DUMMYNET3): {error}")
    return 0


def _ranges(words: list[str]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for word in ",".join(words).split(","):
        first, dash, last = word.partition("-")
        if first.isdigit() and (last.isdigit() or not dash):
            found.append((int(first), int(last) if dash else int(first)))
    return found
