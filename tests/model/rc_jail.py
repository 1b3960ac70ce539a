# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc.d/jail: which file describes a jail, and starting and stopping jails by jail(8)."""

from __future__ import annotations

import io
import re
import shlex
import typing as t
from dataclasses import replace

from model import rcconf

if t.TYPE_CHECKING:
    from model.rc import Handler, Rc

JAIL, JLS = "/usr/sbin/jail", "/usr/sbin/jls"
INCLUDES = re.compile(r"^\s*\.include\s+[\"']?/etc/jail\.conf\.d/", re.MULTILINE)


class NoConfiguration(Exception):
    """Nothing describes the jail."""


def configuration(rc: Rc, name: str) -> str:
    """Return the file that describes that jail: the first of its own ones, else jail_conf."""
    variable = re.sub(r"\W", "_", name)
    main = rc.get("jail_conf")
    if rc.get(f"jail_{variable}_rootdir") and rc.get(f"jail_{variable}_hostname"):
        raise NoConfiguration("jail_* variables are not modelled")
    own = rc.get(f"jail_{variable}_conf") or f"/etc/jail.{name}.conf"
    if rc.ctx.path(own).is_file():
        return own
    path = rc.ctx.path(main)
    included = path.is_file() and INCLUDES.search(path.read_text(errors="replace")) is not None
    if not included and rc.ctx.path(f"/etc/jail.conf.d/{name}.conf").is_file():
        return f"/etc/jail.conf.d/{name}.conf"
    if path.is_file():
        return main
    raise NoConfiguration(
        f"Invalid configuration for {name}  (no jail.conf, no hostname, or no path).   Jail {name} was ignored."
    )


def _wanted(rc: Rc) -> list[str]:
    """Return the jails that the command is about, by the names that the script gives them; none means all."""
    names = rc.arguments or rc.get("jail_list").split()
    return [re.sub(r"[/.]", "_", name) for name in names]


def _flags(rc: Rc, name: str) -> list[str]:
    return shlex.split(rc.get(f"jail_{re.sub(r'[^a-zA-Z0-9]', '_', name)}_flags") or rc.get("jail_flags"))


def _start(rc: Rc) -> int:
    rc.say("Starting jails:")
    names = _wanted(rc)
    if not names:
        _start_all(rc)
    elif rc.yes("jail_parallel_start"):
        _start_parallel(rc, names)
    else:
        for name in names:
            rc.say(_start_one(rc, name))
    rc.say(".\n")
    return 0


def _start_all(rc: Rc) -> None:
    words = [JAIL, *shlex.split(rc.get("jail_flags")), "-f", rc.get("jail_conf"), "-c"]
    if not rc.yes("jail_parallel_start"):
        words.append("-p1")
    result = rc.silent(*words)
    if result.rc:
        rc.say(result.out + result.err)
        return
    for line in rc.silent(JLS, "jid", "name").out.splitlines():
        jid, _unused, name = line.partition(" ")
        rc.say(f" {name}")
        rc.ctx.path(f"/var/run/jail_{name}.id").write_text(f"{jid}\n")


def _start_one(rc: Rc, name: str) -> str:
    """Start one jail and return what is printed of it."""
    try:
        file = configuration(rc, name)
    except NoConfiguration as why:
        rc.warn(str(why))
        return ""
    result = rc.silent(JAIL, *_flags(rc, name), "-i", "-f", file, "-c", name)
    if result.rc:
        return f' cannot start jail  "{name}": \n{result.out}{result.err}'
    jid = rc.silent(JLS, "-j", name, "jid").out
    rc.ctx.path(f"/var/run/jail_{name}.id").write_text(jid)
    return f" {name}"


def _start_parallel(rc: Rc, names: t.Sequence[str]) -> None:
    """Start all at once; each says what became of it when it is done."""
    import threading  # noqa: PLC0415

    threads = [threading.Thread(target=lambda name=name: rc.say(_start_one(rc, name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _stop(rc: Rc) -> int:
    rc.ctx.out.write("Stopping jails:")
    names = _wanted(rc)
    if names:
        _stop_listed(rc, names)
    else:
        _stop_all(rc)
    rc.ctx.print(".")
    return 0


def _stop_all(rc: Rc) -> None:
    names = rc.silent(JLS, "name").out.split()
    for name in reversed(names) if rc.yes("jail_reverse_stop") else names:
        rc.ctx.out.write(f" {name}")
        _stop_one(rc, name, [JAIL, *shlex.split(rc.get("jail_flags")), "-f", rc.get("jail_conf"), "-r", name])


def _stop_listed(rc: Rc, names: t.Sequence[str]) -> None:
    backwards = rc.yes("jail_reverse_stop") and not rc.arguments
    for name in reversed(names) if backwards else names:
        try:
            file = configuration(rc, name)
        except NoConfiguration as why:
            rc.warn(str(why))
            continue
        if rc.silent(JLS, "-j", name).rc == 0:
            rc.ctx.out.write(f" {name}")
            _stop_one(rc, name, [JAIL, "-q", "-f", file, "-r", name])


def _stop_one(rc: Rc, name: str, words: list[str]) -> None:
    result = rc.silent(*words)
    if rc.silent(JLS, "-j", name).rc == 0:
        rc.ctx.out.write(result.out + result.err)
    else:
        rc.ctx.path(f"/var/run/jail_{name}.id").unlink(missing_ok=True)


def _restart(rc: Rc) -> int:
    _stop(rc)
    return _start(rc)


def _status(rc: Rc) -> int:
    rc.run(JLS, "-N")
    return 0


def _config(rc: Rc) -> int:
    for name in rc.arguments:
        try:
            rc.ctx.print(f"{name}: parameters are in {configuration(rc, name)}.")
        except NoConfiguration as why:
            rc.warn(str(why))
    return 0


def at_shutdown(rc: Rc) -> str:
    """Stop as rc.shutdown does and return what was said."""
    out = io.StringIO()
    if rcconf.is_yes(rc.get(rc.variable)):
        _stop(replace(rc, ctx=rc.ctx.replace(out=out, err=out), arguments=[]))
    return out.getvalue()


HANDLERS: dict[str, Handler] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "status": _status,
    "config": _config,
}
