# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jexec(8)."""

from __future__ import annotations

import typing as t

from model import execute, prison, task
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context

USAGE = "usage: jexec [-l] [-d working-directory] [-u username | -U username] jail [command ...]\n"
CLASS_PATH = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:{home}/bin"


def jexec(ctx: Context) -> int:
    """jexec(8): a program inside a jail."""
    flags, operands = options(ctx, "d:lnu:U:", USAGE)
    if not operands or ("u" in flags and "U" in flags):
        ctx.err.write(USAGE)
        return 1
    with ctx.host.kernel() as kernel:
        found = prison.find(kernel, operands[0])
        if found is None:
            raise Exit(1, f'jail "{operands[0]}" not found')
        inside = prison.value(kernel, found, "path")
    name = (flags.get("u") or flags.get("U") or ["root"])[-1]
    account = user(ctx.replace(inside=inside) if "U" in flags or "l" in flags else ctx, name)
    if account is None:
        raise Exit(1, f"{name}: no such user")
    environment = login_environment(account, ctx.env.get("TERM", "su")) if "l" in flags else ctx.env
    folder = account[5] if "l" in flags else "/"
    process = ctx.replace(jail=found["name"], inside=inside, cwd=flags.get("d", [folder])[-1], env=dict(environment))
    arguments = operands[1:] or [account[6] or "/bin/sh", "-i"]
    try:
        return execute.as_process(process, arguments)
    except execute.CannotExecute as error:
        raise Exit(1, f"execvp: {arguments[0]}: {error}") from None
    except task.Refused:
        raise Exit(1, "jail_attach: Resource temporarily unavailable") from None
    except task.Killed:
        return 137


def user(ctx: Context, name: str) -> list[str] | None:
    """Return the fields of a passwd line, None if there is no such user."""
    file = ctx.path("/etc/passwd")
    lines = file.read_text(errors="surrogateescape").splitlines() if file.exists() else []
    found = next((line.split(":") for line in lines if line.startswith(f"{name}:")), None)
    if found is None and name == "root" and not file.exists():
        return ["root", "*", "0", "0", "", "/root", "/bin/sh"]
    return found if found is None or len(found) == 7 else None


def login_environment(account: t.Sequence[str], terminal: str) -> dict[str, str]:
    """Return the environment that the stock login.conf gives, in its order."""
    home = account[5]
    return {
        "SHELL": account[6] or "/bin/sh",
        "HOME": home,
        "USER": account[0],
        "BLOCKSIZE": "K",
        "MAIL": f"/var/mail/{account[0]}",
        "MM_CHARSET": "UTF-8",
        "LANG": "C.UTF-8",
        "PATH": CLASS_PATH.format(home=home),
        "TERM": terminal,
    }
