# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine says of itself: uname(1), freebsd-version(1), hostname(1), pkg(7), logger(1)."""

from __future__ import annotations

import re
import time
import typing as t

from model import kernel as kernels
from model import prison, releases, task
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

USERLAND = re.compile(r'^USERLAND_VERSION="([^"]*)"', re.MULTILINE)
ARCHITECTURE = "amd64"
UNAME_USAGE = "usage: uname [-abiKmnoprsUv]\n"
VERSION_USAGE = "usage: freebsd-version [-kru] [-j jail]\n"
HOSTNAME_USAGE = "usage: hostname [-f] [-s | -d] [name-of-host]\n"


def uname(ctx: Context) -> int:
    """uname(1)."""
    flags, operands = options(ctx, "abiKmnoprsUv", UNAME_USAGE)
    if operands:
        ctx.err.write(UNAME_USAGE)
        return 1
    hostname = ctx.run(["hostname"]).out.strip()
    with ctx.host.kernel() as kernel:
        release = ctx.env.get("UNAME_r") or _jail_parameter(kernel, ctx.jail, "osrelease") or kernels.release(kernel)
        osreldate = _jail_parameter(kernel, ctx.jail, "osreldate") or kernels.value(kernel, "kern.osreldate") or ""
    words = {
        "s": "FreeBSD",
        "n": hostname,
        "r": release,
        "v": f"FreeBSD {release} {kernels.IDENT}",
        "m": ARCHITECTURE,
        "p": ARCHITECTURE,
        "i": kernels.IDENT,
        "o": "FreeBSD",
        "b": "0",
        "K": osreldate,
        "U": str(_userland(ctx)),
    }
    wanted = set(flags) or {"s"}
    if "a" in wanted:
        wanted |= set("snrvm")
    ctx.print(*(text for letter, text in words.items() if letter in wanted))
    return 0


def _jail_parameter(kernel: State, jail: str | None, name: str) -> str:
    """Return what that jail has as a parameter, '' on the host."""
    found = None if jail is None else prison.find(kernel, jail)
    return "" if found is None else str(prison.value(kernel, found, name))


def _userland(ctx: Context) -> int:
    """Return the release of the world that uname is from, as a number."""
    path = ctx.path("/bin/freebsd-version")
    found = USERLAND.search(path.read_text(errors="replace")) if path.is_file() else None
    return releases.osreldate(found[1]) if found else 0


def freebsd_version(ctx: Context) -> int:
    """freebsd-version(1)."""
    flags, operands = options(ctx, "j:kru", VERSION_USAGE)
    if operands:
        ctx.err.write(VERSION_USAGE)
        return 1
    lines = []
    if "k" in flags:
        lines.append(kernels.installed_release(ctx.host))
    if "r" in flags:
        lines.append(ctx.run(["uname", "-r"]).out.strip())
    if "u" in flags or not flags:
        found = USERLAND.search(ctx.path("/bin/freebsd-version").read_text(errors="replace"))
        lines.append(found[1] if found else "")
    for jail in flags.get("j", []):
        result = ctx.run(["jexec", "--", jail, "freebsd-version"])
        if result.rc:
            ctx.err.write(result.err)
            return result.rc
        lines.append(result.out.strip())
    ctx.out.writelines(f"{line}\n" for line in lines)
    return 0


def hostname(ctx: Context) -> int:
    """hostname(1)."""
    flags, operands = options(ctx, "dfs", HOSTNAME_USAGE)
    if len(operands) > 1 or ("d" in flags and "s" in flags):
        ctx.err.write(HOSTNAME_USAGE)
        return 1
    if ctx.jail is not None:
        return _jail_hostname(ctx, flags, operands)
    with ctx.host.kernel() as kernel:
        if operands:
            kernel["hostname"] = operands[0]
            return 0
        return _print_hostname(ctx, flags, str(kernel.get("hostname", "")))


def _print_hostname(ctx: Context, flags: t.Container[str], name: str) -> int:
    host, _unused, domain = name.partition(".")
    ctx.print(host if "s" in flags else domain if "d" in flags else name)
    return 0


def _jail_hostname(ctx: Context, flags: t.Container[str], operands: list[str]) -> int:
    with ctx.host.kernel() as kernel:
        found = prison.find(kernel, ctx.jail or "")
        if found is None or not operands:
            return _print_hostname(ctx, flags, _jail_parameter(kernel, ctx.jail, "host.hostname"))
        if not prison.value(kernel, found, "allow.set_hostname"):
            raise Exit(1, "sethostname: Operation not permitted")
        prison.update(kernel, found, {"host.hostname": operands[0]})
        return 0


def pkg(ctx: Context) -> int:
    """pkg(7): runs the package manager, or stands in for one that is not installed."""
    from model import packages  # noqa: PLC0415

    if ctx.path(packages.PROGRAM).is_file():
        return packages.pkg(ctx)
    if ctx.arguments[:1] == ["-N"]:
        raise Exit(1, "pkg is not installed")
    agreed = ctx.env.get("ASSUME_ALWAYS_YES") or ctx.arguments == ["bootstrap", "-y"]
    if not agreed:
        ctx.err.write(
            "The package management tool is not yet installed on your system.\n"
            "Please set ASSUME_ALWAYS_YES=yes environment variable to be able to bootstrap in non-interactive "
            "(stdin not being a tty)\n"
        )
        return 1
    raise Exit(1, "Error fetching https://pkg.FreeBSD.org: No address record")


def logger(ctx: Context) -> int:
    """logger(1): a line in /var/log/messages, if there is a syslogd that writes it."""
    flags, words = options(ctx, "46Aa:cdf:H:h:iP:p:S:st:", "usage: logger [-46Ais] [-f file] [-h host] [-P port]\n")
    lines = [" ".join(words)] if words else ctx.stdin.read().decode(errors="replace").splitlines()
    tag = flags.get("t", ["root"])[-1] + (f"[{_number(ctx)}]" if {"i", "t"} & flags.keys() else "")
    for line in lines:
        if _is_heard(ctx):
            write_log(ctx, tag, line)
        if "s" in flags:
            ctx.err.write(f"{tag}: {line}\n")
    return 0


def _is_heard(ctx: Context) -> bool:
    """Say whether syslogd(8) runs; on a machine that was never booted nobody asks."""
    with ctx.host.kernel() as kernel:
        if ctx.jail is not None or "boottime" not in kernel:
            return True
        return any(entry["comm"] == "syslogd" for _number, entry in task.of_jail(kernel, 0))


def _number(ctx: Context) -> int:
    """Return a process number for this process."""
    from os import getpid  # noqa: PLC0415

    del ctx
    return getpid()


def write_log(ctx: Context, tag: str, line: str) -> None:
    """Append a line to /var/log/messages as syslogd(8) does."""
    with ctx.host.kernel() as kernel:
        name = str(kernel.get("hostname", "")).partition(".")[0]
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
    with ctx.host.path("/var/log/messages").open("a", errors="surrogateescape") as file:
        file.write(f"{stamp} {name} {tag}: {line}\n")
