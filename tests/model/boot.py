# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc(8) and rc.shutdown(8): what runs when the machine starts and stops, and the commands that make it do so."""

from __future__ import annotations

import io
import time
import typing as t

from model import rc, rc_jail, rc_local, rc_table, rcconf
from model.command import Context, Exit, options

if t.TYPE_CHECKING:
    from model.host import Host

SHUTDOWN_USAGE = (
    "usage: shutdown [-] [-c | -f | -h | -p | -r | -k] [-o [-n]] [-q] time [warning-message ...]\n       poweroff\n"
)
HALT_USAGE = "usage: %s [-DdlNnpq] [-k kernel]\n"


def context(host: Host) -> tuple[Context, io.StringIO]:
    """Return a process of init(8), and what it writes to the console."""
    console = io.StringIO()
    return Context(host=host, argv=["rc"], stdin=io.BytesIO(), out=console, err=console), console


def start(host: Host) -> None:
    """Run all rc scripts in their order; the console goes to the log."""
    ctx, console = context(host)
    common = rcconf.read(ctx)
    # rc(8) looks for local scripts only when the file systems are there.
    for name in rc_local.merged(ctx, [script.name for script in rc_table.scripts()], rc_local.paths(ctx, common)):
        script = rc_table.find(name)
        if script is None:
            _run_local(ctx, name, ["faststart"])
            continue
        each = rc.load(ctx, name, common)
        if each is not None and (not script.variable or rcconf.is_yes(each.settings.get(script.variable))):
            rc.run(each, ["faststart"])
    _log(host, console.getvalue())


def _run_local(ctx: Context, path: str, words: list[str]) -> None:
    """Run a local script; one that rc.subr does not switch on and off always runs."""
    if rc_local.is_enabled(ctx, path):
        rc_local.run(ctx, path, words)


def stop(host: Host) -> None:
    """Run rc.shutdown: the jails are stopped, then local scripts that ask for it; the rest needs no help to end."""
    ctx, console = context(host)
    jails = rc.load(ctx, "jail")
    if jails is not None:
        console.write(rc_jail.at_shutdown(jails))
    for path in reversed(rc_local.paths(ctx, rcconf.read(ctx))):
        if "shutdown" in rc_local.words(ctx, path, "KEYWORD"):
            _run_local(ctx, path, ["faststop"])
    _log(host, console.getvalue())


def _log(host: Host, text: str) -> None:
    with host.kernel() as kernel:
        name = str(kernel.get("hostname", "")).partition(".")[0]
        text += "".join(f"{line}\n" for line in kernel.pop("console", []))
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
    with host.path("/var/log/messages").open("a", errors="surrogateescape") as file:
        file.writelines(f"{stamp} {name} kernel: {line}\n" for line in text.splitlines() if line.strip())


# Commands -------------------------------------------------------------------------------------------------------------


def shutdown(ctx: Context) -> int:
    """shutdown(8); whatever time it is given comes at once."""
    from model import machine  # noqa: PLC0415

    flags, words = options(ctx, "cfhknopqr", SHUTDOWN_USAGE)
    if not words or len(flags.keys() & set("chpr")) > 1:
        ctx.err.write(SHUTDOWN_USAGE)
        return 1
    _check_time(words[0])
    _refuse_in_jail(ctx)
    if "k" in flags:
        return 0
    ctx.print("Shutdown NOW!")
    if "r" in flags:
        machine.reboot(ctx.host)
    elif {"h", "p", "c"} & flags.keys():
        machine.halt(ctx.host)
    else:
        raise Exit(1, "the model has no single-user mode")
    return 0


def _check_time(word: str) -> None:
    number = word.removeprefix("+").rstrip("smh") if word.startswith("+") else word.replace(":", "")
    if word.lower() != "now" and not number.isdigit():
        raise Exit(1, f"bad time format: {word}")


def _refuse_in_jail(ctx: Context) -> None:
    if ctx.jail is not None:
        raise Exit(1, "Operation not permitted")


def reboot(ctx: Context) -> int:
    """reboot(8) and fastboot(8)."""
    from model import machine  # noqa: PLC0415

    options(ctx, "Ddk:lNnpqr", HALT_USAGE % ctx.argv[0])
    _refuse_in_jail(ctx)
    machine.reboot(ctx.host)
    return 0


def halt(ctx: Context) -> int:
    """halt(8), poweroff(8)."""
    from model import machine  # noqa: PLC0415

    options(ctx, "Ddk:lNnpq", HALT_USAGE % ctx.argv[0])
    _refuse_in_jail(ctx)
    machine.halt(ctx.host)
    return 0
