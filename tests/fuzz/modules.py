# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search among whole modules: wrong parameters, and hosts whose programs and files say anything.

Whatever comes of it, a module ends with a result; one that failed says which command, record or option it is about.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import random
import re
import shutil
import sys
import threading
import time
import types
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.jailisp.vps.plugins.module_utils._command import HANGING, NO_PROGRAM, Command, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from fuzz import targets as known
from fuzz.cases import Tally, fresh, trouble_of, watched
from fuzz.mutate import Mutator
from support.lab import MODULES, SHELL, Result, run_main

KIND = "fuzz_modules"
FOLDER = Path(__file__).resolve().parents[2] / "plugins" / "modules"
# So many commands does no module need for the few records here; one that starts more never ends.
MOST_COMMANDS = 3000

# What programs print, by the beginning of their command lines; of others nothing. The longest beginning counts.
PROGRAMS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("jls",): known.printed("jls --libxo json -n"),
    ("sysctl",): ("kern.racct.enable: 1\nsecurity.bsd.see_jail_proc: 1\n",),
    ("sysctl", "-N"): ("security.jail.param.allow.reserved_ports\nsecurity.jail.param.allow.suser\n",),
    ("sysctl", "-n"): ("15.1-RELEASE-p1\n",),
    ("ifconfig",): known.printed("ifconfig lo1"),
    ("mount",): known.printed("mount -p"),
    ("ps",): ("    0    8\n    1  120\n",),
    ("mdconfig",): known.printed("mdconfig -lv"),
    ("sockstat",): (known.SOCKSTAT,),
    ("pfctl",): ("",),
    ("pfctl", "-s", "info"): known.printed("pfctl -s info"),
    ("pfctl", "-P"): (known.PF_RULES,),
    ("pfctl", "-sr"): (known.PF_RULES,),
    ("pfctl", "-a", "jailisp", "-s", "labels"): (known.LABELS,),
    ("pfctl", "-a", "jailisp", "-s", "Tables"): ("jails\n",),
    ("pfctl", "-a", "jailisp", "-P"): (known.PF_RULES,),
    ("pfctl", "-a", "jailisp", "-sn"): (known.PF_RULES,),
    ("pfctl", "-a", "jailisp", "-sr"): (known.PF_RULES,),
    ("dnctl", "pipe", "show"): known.printed("dnctl pipe show"),
    ("dnctl", "queue", "show"): known.printed("dnctl queue show"),
    ("rctl",): known.printed("rctl"),
    ("zfs", "list"): (known.DATASETS,),
    ("zfs", "list", "-Hp", "-o", "name,used"): (known.SPACES,),
    ("zfs", "get"): (known.PROPERTIES, known.PINS),
    ("df",): (known.DF,),
    ("nice",): ("87857\t/jails/n1/alice\n",),
    ("tar", "-tvf"): (known.TAR,),
    ("tar", "-xOqf"): (known.VERSION,),
    ("etcupdate",): (known.ETCUPDATE,),
    ("devfs",): ("100 path null unhide\n",),
}
# What stands on the host; roots among it, which are their customers'.
ALICE = "usr/local/jails/h1/alice"
FILES = {
    "var/run/jailisp.run": known.HOLDER,
    "etc/pf.conf": 'set skip on { lo0 }\nnat-anchor "jailisp"\nrdr-anchor "jailisp"\nanchor "jailisp"\n',
    "etc/pf.anchors/jailisp.conf": known.ANCHOR_FILE,
    "var/db/jailisp/pf_jailisp.json": known.NOTE,
    "var/db/jailisp/pf_jailisp_traffic.json": known.TRAFFIC,
    "etc/dnctl.conf": known.BLOCK + "\n".join(known.BOOT_PIPES),
    "etc/rctl.conf": known.RCTL_CONF + known.BLOCK,
    "etc/ssh/sshd_config": known.SSHD_CONFIG,
    "etc/rc.conf.d/syslogd": 'syslogd_flags="-ss"\n',
    "etc/jail.conf.d/alice.conf": known.JAIL_CONF,
    "var/db/jailisp/upgrades/alice.json": known.JOURNAL,
    "var/db/jailisp/fresh/bob": "filled\n",
    "var/db/jailisp/accounts/alice": known.DELIVERED,
    f"{ALICE}/bin/freebsd-version": known.VERSION,
    f"{ALICE}/etc/master.passwd": known.MASTER_PASSWD,
    f"{ALICE}/root/.ssh/authorized_keys": "ssh-ed25519 AAAA a\n",
    "usr/local/jails/h1/bob/bin/freebsd-version": known.VERSION,
    "usr/local/jails/h1/bob/etc/master.passwd": known.MASTER_PASSWD,
    "jails/n1/alice/etc/hosts": "",
    f"var/jail-archives/{known.ARCHIVE}": "test",
    f"var/jail-archives/{known.ARCHIVE}.sha256": f"{known.DIGEST}  {known.ARCHIVE}\n",
    "var/jail-images/dave.img": "",
    # What the examples call its SHA-256 is right.
    "var/base.txz": "test",
}


class EndlessRun(Exception):
    """A module started more commands than it can need."""


class Rubbish:
    """Answers commands with what programs print; with ``odds`` damaged, or as a failure (:class:`_command.Runner`)."""

    def __init__(self, mutator: Mutator, odds: float) -> None:
        """Keep what does the damage, and how likely each answer is damaged."""
        self.mutator = mutator
        self.odds = odds
        self.ran: list[Command] = []
        self._lock = threading.Lock()

    def run(self, command: Command) -> Done:
        """Answer."""
        with self._lock:
            return self._answer(command)

    def _answer(self, command: Command) -> Done:
        self.ran.append(command)
        if len(self.ran) > MOST_COMMANDS:
            raise EndlessRun
        if any("\0" in word for word in command.argv):
            # As subprocess does.
            raise ValueError("embedded null byte")
        chance = self.mutator.chance
        beginnings = [each for each in PROGRAMS if command.argv[: len(each)] == each]
        out = chance.choice(PROGRAMS[max(beginnings, key=len)] or ("",)) if beginnings else ""
        if chance.random() >= self.odds:
            return Done(command, 0, out, "")
        out = self.mutator.text(out)
        if chance.random() < 0.7:
            return Done(command, 0, out, "")
        err = self.mutator.text("pfctl: Anchor does not exist. stdin:2: syntax error\n")
        return Done(command, chance.choice((1, 1, 2, -9, NO_PROGRAM, HANGING)), out, err)


@functools.cache
def examples(name: str) -> list[dict[str, t.Any]]:
    """Return the parameters in a module's own examples."""
    module = importlib.import_module(f"{MODULES}.{name}")
    tasks = yaml.safe_load(module.EXAMPLES)
    return [task[f"jailisp.vps.{name}"] or {} for task in tasks if f"jailisp.vps.{name}" in task]


def names() -> list[str]:
    """Return the modules that run on a host, all that have no action in their place."""
    actions = {path.stem for path in (FOLDER.parent / "action").glob("*.py")}
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in actions)


class Host:
    """A host of nothing but files and rubbish, in a temporary folder, and the modules run on it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Make its files; nobody waits for anything on it."""
        self.folder = folder
        self.patch = patch
        # Whether the module took its parameters: what Ansible itself says of those that it refuses is not ours.
        self.entered = False
        self.untouched = False
        clock = itertools.count()
        patch.setattr(time, "sleep", lambda _seconds: None)
        patch.setattr(time, "monotonic", lambda: float(next(clock)))
        self.reset()

    def reset(self) -> None:
        """Make all files anew, unless they are."""
        if self.untouched:
            return
        self.untouched = True
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file of the host's, whatever is there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")

    def damage(self, mutator: Mutator) -> None:
        """Damage a file."""
        self.untouched = False
        name = mutator.chance.choice(list(FILES))
        text = mutator.text(FILES[name])
        self.write(name, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))

    def _entered(self, runner: Rubbish) -> Rubbish:
        self.entered = True
        return runner

    def run(self, name: str, runner: Rubbish, parameters: dict[str, t.Any], *, check: bool) -> Result:
        """Run a module's main."""
        self.entered = False
        module = importlib.import_module(f"{MODULES}.{name}")
        shell = importlib.import_module(SHELL)
        with self.patch.context() as patch:
            patch.setattr(shell, "os", types.SimpleNamespace(geteuid=lambda: 0, environ={}))
            patch.setattr(shell, "HostRunner", lambda: self._entered(runner))
            patch.setattr(shell, "Files", lambda: Files(str(self.folder)))
            return run_main(module, check=check, **parameters)


def complaint(result: Result, words: t.Collection[str]) -> str | None:
    """Return what is wrong with a result, None if nothing is."""
    if not result.get("failed"):
        return None
    msg = result.get("msg")
    if not isinstance(msg, str) or not msg.strip() or "Traceback" in msg:
        return "failed without a message"
    return None if any(word in msg for word in words) else f"its message names nothing: {msg[:200]!r}"


def _words(parameters: t.Any) -> t.Iterator[str]:
    """Yield all keys and texts of parameters: what a message may name."""
    if isinstance(parameters, dict):
        for key, value in parameters.items():
            yield from (str(key), *_words(value))
    elif isinstance(parameters, list):
        for value in parameters:
            yield from _words(value)
    elif isinstance(parameters, str) and parameters:
        yield from (parameters, repr(parameters)[1:-1], parameters.strip())


def _wrong(parameters: dict[str, t.Any], mutator: Mutator, spec: t.Collection[str]) -> dict[str, t.Any]:
    """Return parameters of which one or some are something else."""
    for _unused in range(mutator.chance.choice((1, 1, 2, 3))):
        if mutator.chance.random() < 0.3:
            parameters = {**parameters, mutator.chance.choice(sorted(spec)): mutator.value(None)}
        else:
            changed = mutator.value(parameters)
            parameters = changed if isinstance(changed, dict) else parameters
    # What Ansible passes on is UTF-8; what begins with an underscore is Ansible's.
    text = json.dumps(parameters).replace("\\udc", "\\u00")
    return {key: value for key, value in json.loads(text).items() if not key.startswith("_")}


def trouble(host: Host, name: str, case: t.Any) -> tuple[str | None, str]:
    """Try one case, drawn from the seed ``case``; return what is wrong, and what was tried."""
    chance = random.Random(case)
    mutator = Mutator(chance, [text for texts in PROGRAMS.values() for text in texts])
    spec = importlib.import_module(f"{MODULES}.{name}").ARGUMENT_SPEC
    parameters = chance.choice(examples(name))
    odds, check = chance.choice((0.0, 0.05, 0.3)), chance.random() < 0.7
    if odds == 0 or chance.random() < 0.2:
        parameters = _wrong(parameters, mutator, spec)
    if chance.random() < 0.3:
        host.damage(mutator)
    runner = Rubbish(mutator, odds)
    tried = f"seed {case!r}, check {check}, parameters {json.dumps(parameters)}"
    fresh()
    host.untouched = host.untouched and check
    try:
        result = host.run(name, runner, parameters, check=check)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return (f"{trouble_of(error)}", f"{tried}, {error}") if host.entered else (None, tried)
    programs = {word for command in runner.ran for word in command.argv if word.isalpha() and len(word) > 1}
    words = {*spec, *_words(parameters), *programs}
    return complaint(result, words) if host.entered else None, tried


def search(folder: Path, examples_each: int, begin: int, tally: Tally, only: t.Collection[str] = ()) -> None:
    """Try so many cases on each module."""
    if not __debug__:
        sys.exit("fuzz: Python must not be optimised")
    with pytest.MonkeyPatch.context() as patch, watched():
        host = Host(folder, patch)
        for name in only or names():
            for number in range(examples_each):
                tally.cases[KIND] += 1
                wrong, tried = trouble(host, name, f"{begin} {name} {number}")
                if wrong:
                    tally.add(KIND, name, re.sub(r"'[^']*'$", "...", wrong), tried)
                host.reset()
