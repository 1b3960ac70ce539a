# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc.subr(8) and service(8): what every rc script can be asked, whatever it starts."""

from __future__ import annotations

import io
import typing as t
from dataclasses import dataclass, field

from model import rc_local, rc_table, rcconf
from model.command import options
from model.sysrc import write_setting

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Result

PREFIXES = ("fast", "force", "one", "quiet")
COMMON = ("start", "stop", "restart", "rcvar", "enable", "disable", "delete", "enabled", "describe", "extracommands")
USAGE = """
Usage:
service [-j <jail name or id>] -e
service [-j <jail name or id>] -R
service [-j <jail name or id>] [-v] -l | -r
service [-j <jail name or id>] [-v] [-E var=value] <rc.d script> start|stop|etc.
service -h

-j\tPerform actions within the named jail
-E\tSet environment variable before executing the rc.d script
-e\tShow services that are enabled
-R\tStop and start enabled /usr/local/etc/rc.d services
-l\tList all scripts in /etc/rc.d and /usr/local/etc/rc.d
-r\tShow the results of boot time rcorder
-v\tVerbose

"""


@dataclass
class Rc:
    """One run of a script: its process, its settings, and what it was asked with which arguments."""

    ctx: Context
    name: str
    variable: str
    settings: dict[str, str]
    command: str = ""
    arguments: list[str] = field(default_factory=list)
    forced: bool = False
    quiet: bool = False

    def get(self, name: str) -> str:
        """Return a setting, '' if it is not set."""
        return self.settings.get(name, "")

    def yes(self, name: str) -> bool:
        """Say whether a setting is switched on."""
        return rcconf.is_yes(self.settings.get(name))

    def say(self, text: str) -> None:
        """Print a start message (startmsg), without an end of line."""
        if self.get("rc_startmsgs") != "NO" and not self.quiet:
            self.ctx.out.write(text)

    def warn(self, text: str) -> None:
        """Print a warning as the script does."""
        self.ctx.err.write(f"/etc/rc.d/{self.name}: WARNING: {text}\n")

    def run(self, *words: str) -> int:
        """Run a command with the script's own output."""
        return self.ctx.child(list(words))

    def silent(self, *words: str) -> Result:
        """Run a command and keep what it says."""
        return self.ctx.run(list(words))

    def modules(self, *names: str) -> bool:
        """Load what the script requires; say whether that is all there."""
        for name in names:
            if self.silent("kldload", "-n", name).rc:
                self.warn(f"Unable to load kernel module {name}")
                return False
        return True

    def readable(self, file: str) -> bool:
        """Check a required file."""
        if not self.ctx.path(file).is_file():
            self.warn(f"{file} is not readable.")
            return False
        return True


Handler = t.Callable[[Rc], int]


def load(ctx: Context, name: str, common: t.Mapping[str, str] | None = None) -> Rc | None:
    """Return a run of that base script, None if it is not installed; ``common`` is what rc.conf sets if known."""
    script = rc_table.find(name)
    path = ctx.path(f"/etc/rc.d/{name}")
    if script is None or not path.is_file() or not path.stat().st_mode & 0o111:
        return None
    common = common or rcconf.read(ctx)
    settings = rcconf.source(ctx, rcconf.service_files(ctx, name, common), common)
    return Rc(ctx, name, script.variable, settings)


def run(rc: Rc, words: t.Sequence[str]) -> int:
    """Do what ``/etc/rc.d/NAME WORDS...`` does (run_rc_command)."""
    asked = words[0]
    rc.arguments = list(words[1:])
    for prefix in PREFIXES:
        if asked.startswith(prefix) and asked != prefix:
            asked = asked.removeprefix(prefix)
            rc.forced |= prefix in ("force", "one")
            rc.quiet |= prefix == "quiet"
            break
    rc.command = asked
    common = _COMMON.get(asked)
    if common is not None:
        return common(rc)
    return _act(rc, asked)


def _act(rc: Rc, asked: str) -> int:
    from model import rc_scripts  # noqa: PLC0415

    handlers = rc_scripts.handlers(rc.name)
    if asked == "restart" and "restart" not in handlers:
        handlers["restart"] = lambda each: restart(each, handlers)
    handler = handlers.get(asked)
    if handler is None:
        known = [*COMMON, *(name for name in handlers if name not in COMMON)]
        rc.ctx.err.write(f"/etc/rc.d/{rc.name}: unknown directive '{asked}'.\n")
        rc.ctx.err.write(f"Usage: /etc/rc.d/{rc.name} [fast|force|one|quiet]({'|'.join(known)})\n")
        return 1
    if not _switched_on(rc, asked):
        if not rc.quiet:
            rc.ctx.print(
                f"Cannot '{asked}' {rc.name}. Set {rc.variable} to YES in /etc/rc.conf or use 'one{asked}' "
                f"instead of '{asked}'."
            )
        return 0
    return handler(rc)


def _switched_on(rc: Rc, asked: str) -> bool:
    """Say whether rc.subr goes on; a stop goes on while the daemon runs, a status always."""
    from model import rc_scripts  # noqa: PLC0415

    if rc.forced or not rc.variable or asked == "status" or rc.yes(rc.variable):
        return True
    return asked == "stop" and rc_scripts.pid_of(rc) is not None


def restart(rc: Rc, handlers: t.Mapping[str, Handler]) -> int:
    """Stop, then start."""
    handlers["stop"](rc)
    return handlers["start"](rc)


# What every script understands ----------------------------------------------------------------------------------------


def _rcvar(rc: Rc) -> int:
    description = rc_table.DESCRIPTIONS.get(rc.name)
    rc.ctx.print(f"# {rc.name}" + (f" : {description}" if description else ""))
    rc.ctx.print("#")
    if rc.variable:
        rc.ctx.print(f'{rc.variable}="{"YES" if rc.yes(rc.variable) else "NO"}"')
        rc.ctx.print('#   (default: "")')
    rc.ctx.print()
    return 0


def _enabled(rc: Rc) -> int:
    return 0 if not rc.variable or rc.yes(rc.variable) else 1


def _switch(rc: Rc) -> int:
    """``enable``, ``disable``, ``delete``: edit the script's own file if there is one, else rc.conf."""
    if not rc.variable:
        return 1
    file = f"/etc/rc.conf.d/{rc.name}"
    if not rc.ctx.path(file).is_file():
        file = "/etc/rc.conf"
    if rc.command == "delete":
        write_setting(rc.ctx, [file], rc.variable, None)
        rc.ctx.print(f"{rc.name} deleted in {file}")
        return 0
    write_setting(rc.ctx, [file], rc.variable, "YES" if rc.command == "enable" else "NO")
    rc.ctx.print(f"{rc.name} {rc.command}d in {file}")
    return 0


def _describe(rc: Rc) -> int:
    rc.ctx.print(rc_table.DESCRIPTIONS.get(rc.name, ""))
    return 0


def _extra(rc: Rc) -> int:
    from model import rc_scripts  # noqa: PLC0415

    rc.ctx.print(*(name for name in rc_scripts.handlers(rc.name) if name not in COMMON))
    return 0


_COMMON: dict[str, Handler] = {
    "rcvar": _rcvar,
    "enabled": _enabled,
    "enable": _switch,
    "disable": _switch,
    "delete": _switch,
    "describe": _describe,
    "extracommands": _extra,
}


# service --------------------------------------------------------------------------------------------------------------


def service(ctx: Context) -> int:
    """service(8)."""
    flags, words = options(ctx, "j:E:ehlrRv", USAGE)
    if "h" in flags:
        ctx.out.write(USAGE)
        return 0
    if "j" in flags:
        letters = [f"-{letter}" for letter in flags if letter not in "jE"]
        return ctx.child(["/usr/sbin/jexec", "-l", flags["j"][-1], "/usr/sbin/service", *letters, *words])
    local = rcconf.read(ctx).get("local_startup", rcconf.LOCAL_STARTUP)
    for letter, action in (("R", _restart_local), ("e", _list_enabled), ("l", _list), ("r", _list_order)):
        if letter in flags:
            return action(ctx, local)
    if len(words) < 2:
        ctx.out.write(USAGE)
        return 1
    return _script(ctx, local, words, dict(each.partition("=")[::2] for each in flags.get("E", [])))


def _script(ctx: Context, local: str, words: t.Sequence[str], environment: dict[str, str]) -> int:
    """Find the script that the first word names and run it with the rest."""
    rc = load(ctx, words[0])
    if rc is not None:
        rc.settings |= environment
        return run(rc, words[1:])
    for folder in local.split():
        path = f"{folder}/{words[0]}"
        if ctx.path(path).is_file() and ctx.path(path).stat().st_mode & 0o111:
            return rc_local.run(ctx, path, words[1:])
    ctx.print(f"{words[0]} does not exist in /etc/rc.d or the local startup")
    ctx.print(f"directories ({local}), or is not executable")
    return 1


def _restart_local(ctx: Context, local: str) -> int:
    enabled = [path for path in rc_local.found(ctx, local) if _is_enabled(ctx, path)]
    for path in reversed(enabled):
        rc_local.run(ctx, path, ["stop"])
    for path in enabled:
        rc_local.run(ctx, path, ["start"])
    return 0


def _list_enabled(ctx: Context, local: str) -> int:
    common = rcconf.read(ctx)
    for script in _installed(ctx):
        settings = rcconf.source(ctx, rcconf.service_files(ctx, script.name, common), common)
        if script.variable and rcconf.is_yes(settings.get(script.variable)):
            ctx.print(f"/etc/rc.d/{script.name}")
    for path in rc_local.found(ctx, local):
        if _is_enabled(ctx, path):
            ctx.print(path)
    return 0


def _is_enabled(ctx: Context, path: str) -> bool:
    """Say whether a local script is one that can be switched on, and is."""
    return rc_local.has_variable(ctx, path) and rc_local.is_enabled(ctx, path)


def _installed(ctx: Context) -> list[rc_table.Script]:
    return [script for script in rc_table.scripts() if ctx.path(f"/etc/rc.d/{script.name}").is_file()]


def _list(ctx: Context, local: str) -> int:
    for folder in ["/etc/rc.d", *local.split()]:
        path = ctx.path(folder)
        for each in sorted(path.iterdir()) if path.is_dir() else []:
            ctx.print(each.name)
    return 0


def _list_order(ctx: Context, local: str) -> int:
    base = [script.name for script in _installed(ctx)]
    for name in rc_local.merged(ctx, base, rc_local.found(ctx, local)):
        ctx.print(name if "/" in name else f"/etc/rc.d/{name}")
    return 0


def captured(ctx: Context, name: str, words: t.Sequence[str]) -> str:
    """Run a base script and return all that it said."""
    out = io.StringIO()
    rc = load(ctx.replace(out=out, err=out), name)
    if rc is not None:
        run(rc, words)
    return out.getvalue()
