# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The guard: a process on the host that takes back what was loaded, unless somebody still gets in and confirms it.

It is started before the load, and marks it. Whoever loaded comes back over a new connection, which the new rules judge,
and removes the mark. While the mark is there, what is in force is not confirmed, and the rules to go back to are the
ones before.

Whoever takes back gives the mark another name, in one step: either the load was confirmed before, or it never will be.
Under that name it stays until the former state is whole, so that a boot, or the next run, ends what was cut off.
"""

from __future__ import annotations

import posixpath
import shlex
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed, Done
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Remove, Run, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.plan import Actual
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Step

# What the host role gives pf when its rules do not load at boot.
FALLBACK = "/etc/pf-fallback.conf"
# How often to look whether the guard has begun, so many seconds apart.
LOOKS, PAUSE = 100, 0.1

SCRIPT = """\
#!/bin/sh
# jailisp.vps: takes back what was loaded into pf, unless it was confirmed over a new connection.
# guard TOKEN: mark the load, and take back when the time is up; over TOKEN: the time is up; boot: at once, before pf
# starts; now: at once.
umask 077
case $1 in
guard)
    # Where the mark says TOKEN, this waits.
    echo "$2" > {mark}.new && fsync {mark}.new && mv -f {mark}.new {mark} && fsync {folder} || exit 1
    sleep {seconds}
    exec /bin/sh "$0" over "$2"
    ;;
over)
    # Another load has its own guard.
    [ "$(cat {mark})" = "$2" ] || exit 0
    # It was confirmed in this very moment.
    mv {mark} {back} || exit 0
    ;;
boot | now)
    # Made before the mark goes, so that one of them is there at any moment.
    touch {back}
    rm -f {mark}
    ;;
esac
# One at a time: what finds this cut off, or still at it, does it again.
[ "$1" = restore ] || exec lockf -k -t 60 {lock} /bin/sh "$0" restore "$1"

put_back() {{
    ln -f "$1" "$2.jailisp-back" && mv -f "$2.jailisp-back" "$2" && rm -f "$2.jailisp-back"
}}
load() {{
    for pause in 1 2 4 8 16; do
        said=$(pfctl "$@" 2>&1) && return
        case $said in
        *busy*) sleep $pause ;;
        *) return 1 ;;
        esac
    done
    return 1
}}
in_force() {{
    saved=$1
    shift
    [ "$(pfctl "$@" -sn; pfctl "$@" -sr)" = "$(cat "$saved")" ] || load "$@" -N -R -f "$saved"
}}

left=
{files}
if [ "$2" != boot ]; then
{rules}
fi
if [ -n "$left" ]; then
    logger -t jailisp "pf: nobody confirmed the new rules, and these files could not be put back:$left"
    exit 1
fi
rm -f {note}
fsync {folders}
if [ "$2" = boot ]; then
    mv {back} {told}
    echo "jailisp: nobody confirmed the new rules of pf before this boot; the former ones are back"
else
    rm -f {back}
    logger -t jailisp "pf: nobody confirmed the new rules; the former ones are back"
fi
"""


@dataclass(frozen=True)
class Keep:
    """Keep a file under a second name, with its mode, as what the guard puts back."""

    path: str
    kept: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Copy it, and have the copy on the disk."""
        new = f"{self.kept}.new"
        Run(Command(("cp", "-p", self.path, new))).apply(host)
        host.files.sync(new)
        host.files.move(new, self.kept)
        return ""

    def __str__(self) -> str:
        """Show both names."""
        return f"copy {self.path} to {self.kept}"


@dataclass(frozen=True)
class Guard:
    """Start the guard, once all that it needs is written, and wait until it marked the load as its own."""

    needs: tuple[Step, ...]
    script: str
    mark: str
    token: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Write what it needs, start it, wait for the mark; without it nothing may be loaded."""
        start = Command(("daemon", "-f", "/bin/sh", self.script, "guard", self.token))
        for step in (*self.needs, Run(start)):
            step.apply(host)
        for _look in range(LOOKS):
            if _is_marked(host, self.mark, self.token):
                return ""
            time.sleep(PAUSE)
        raise CommandFailed(Done(start, 1, "", "the guard did not start, so nothing is loaded"))

    def __str__(self) -> str:
        """Show what starts it, without what no two runs have in common."""
        return f"daemon -f /bin/sh {self.script} guard"


@dataclass(frozen=True)
class StillGuarded:
    """See, after the load, that the guard still waits: what it took back before the load ended is taken back again."""

    script: str
    mark: str
    token: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Look, and have the guard's script do it."""
        if _is_marked(host, self.mark, self.token):
            return ""
        now = Command(("/bin/sh", self.script, "now"))
        Run(now).apply(host)
        why = "the guard's time was up before the load was done; the former rules are in force, run it again"
        raise CommandFailed(Done(now, 1, "", why))

    def __str__(self) -> str:
        """Show what it reads."""
        return f"see that {self.mark} is still there"


def _is_marked(host: Host, mark: str, token: str) -> bool:
    return host.files.read(mark) == f"{token}\n"


def guard(wish: Wish, actual: Actual) -> tuple[tuple[Guard, ...], tuple[StillGuarded, ...]]:
    """Return the steps that start the guard of a load, and that see after it whether it is still guarded."""
    if not wish.guard:
        return (), ()
    # What is there was never confirmed: its guard's script goes back further, and is kept.
    known = () if actual.mark else _known(wish, actual)
    load = wish.script, wish.mark, actual.moment
    return (Guard(known, *load),), (StillGuarded(*load),)


def take_back(wish: Wish) -> Run:
    """Return the step that ends what a guard began and did not end, or waits until it has."""
    return Run(Command(("/bin/sh", wish.script, "now")))


def _known(wish: Wish, actual: Actual) -> tuple[Step, ...]:
    """Return the steps that keep what is now."""
    return (
        *_kept(wish.conf, wish.former_conf, there=actual.conf is not None),
        *_kept(wish.file, wish.former_file, there=actual.file is not None),
        Write(wish.former_main, actual.main_rules, 0o600),
        Write(wish.former_rules, actual.anchor_rules, 0o600),
        Write(wish.script, render_script(wish, actual), 0o700),
    )


def _kept(path: str, kept: str, *, there: bool) -> tuple[Step, ...]:
    return (Keep(path, kept) if there else Remove(kept),)


def render_script(wish: Wish, actual: Actual) -> str:
    """Return the guard's script, which makes files and pf what they are now."""
    files = [
        _back(wish.former_conf, wish.conf, there=actual.conf is not None),
        _back(wish.former_file, wish.file, there=actual.file is not None),
    ]
    anchor = shlex.quote(wish.anchor)
    rules = [
        # Before anything else: whoever is locked out waits for it.
        *([] if actual.enabled else ["pfctl -d"]),
        *([f"load -f {shlex.quote(wish.conf)}"] if actual.conf is not None else []),
        # Rules that were in force, and in no file, come back too; if even they do not load, nobody gets in but whoever
        # administers the host.
        f"in_force {shlex.quote(wish.former_main)} -P || load -f {FALLBACK}",
        f"in_force {shlex.quote(wish.former_rules)} -a {anchor}",
    ]
    paths = {"mark": wish.mark, "back": wish.back, "told": wish.told, "note": wish.note, "lock": wish.lock}
    folders = sorted({posixpath.dirname(path) for path in (wish.conf, wish.file, wish.back)})
    return SCRIPT.format(
        seconds=wish.guard,
        files="\n".join(files),
        rules="\n".join(f"\t{line}" for line in rules),
        folder=shlex.quote(posixpath.dirname(wish.mark)),
        folders=" ".join(map(shlex.quote, folders)),
        **{name: shlex.quote(path) for name, path in paths.items()},
    )


def _back(former: str, path: str, *, there: bool) -> str:
    """Return what gives a file its former content, whole at any moment, with its mode, and without room on the disk."""
    now = shlex.quote(path)
    return f'put_back {shlex.quote(former)} {now} || left="$left {now}"' if there else f"rm -f {now}"
