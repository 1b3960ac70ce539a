# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /etc/rc and /etc/rc.shutdown of a jail's stock userland do."""

from __future__ import annotations

import typing as t

from model import archive, etc_files, linker, task

if t.TYPE_CHECKING:
    from model.command import Context

# In rcorder's order; what else rc.conf switches on in a jail, the model does not start.
SCRIPTS = ("syslogd", "local", "sshd", "cron")
# What rc.d/local runs of the administrator's own, and says before it does: known from libexec/rc/rc.d/local.
LOCAL = {
    "start": ("/etc/rc.local", "Starting local daemons:"),
    "stop": ("/etc/rc.shutdown.local", "Shutting down local daemons:"),
}


def rc(ctx: Context) -> int:
    """What the stock scripts call."""
    from model import rc as rcs  # noqa: PLC0415

    asked = (ctx.arguments or [""])[0]
    if asked not in ("start", "stop"):
        ctx.err.write("usage: rc.model start | stop\n")
        return 1
    if asked == "start" and not _is_whole(ctx):
        return 1
    for name in SCRIPTS if asked == "start" else SCRIPTS[::-1]:
        if name == "local":
            _local(ctx, asked)
            continue
        script = rcs.load(ctx, name)
        if script is not None and script.yes(script.variable):
            rcs.run(script, [asked])
    if asked == "start":
        _settle(ctx)
    ctx.print("." if asked == "stop" else "")
    return 0


def _local(ctx: Context, asked: str) -> None:
    """Run the administrator's own file, if there is one; how it ends is nobody's concern."""
    file, heading = LOCAL[asked]
    if ctx.path(file).is_file():
        ctx.out.write(heading)
        ctx.child(["/bin/sh", file])
        ctx.print(".")


def _is_whole(ctx: Context) -> bool:
    """Say whether the programs that are a release's are all from the one that the C library is from.

    What FreeBSD may let pass by luck fails here, so that a world between two releases shows.
    """
    library = linker.stamp(ctx.path(linker.LIBRARY))
    for path in archive.programs(library) if library else []:
        release = linker.stamp(ctx.path(f"/{path}"))
        if release not in ("", library):
            ctx.err.write(f"/{path} is from {release}, {linker.LIBRARY} from {library}\n")
            return False
    return True


def _settle(ctx: Context) -> None:
    """The rest of what the scripts leave behind."""
    motd = ctx.path("/var/run/motd")
    if motd.parent.is_dir():
        motd.write_text("FreeBSD\n\nWelcome to FreeBSD!\n")
        motd.with_name("os-release").write_text(etc_files.os_release(ctx.run(["uname", "-r"]).out.strip()))


def split_syslogd(kernel: dict[str, t.Any], jid: int) -> None:
    """Make of one syslogd what it really is: three processes, which listen unless told not to (-ss)."""
    daemons = [(number, entry) for number, entry in task.of_jail(kernel, jid) if entry["comm"] == "syslogd"]
    if len(daemons) != 1:
        return
    number, entry = daemons[0]
    if "-ss" not in entry["args"]:
        entry["listen"] = [["udp6", "*", 514, 5], ["udp4", "*", 514, 6]]
    entry["stat"] = "SCs"
    task.add(kernel, ["syslogd: syslogd.casper (syslogd)"], jid=jid, comm="syslogd", helper=number, stat="S")
    task.add(kernel, ["syslogd: system.net (syslogd)"], jid=jid, comm="syslogd", helper=number, stat="Ss")
