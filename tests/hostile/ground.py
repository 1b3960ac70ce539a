# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with the jail of a hostile customer and one of another, and everything that the collection does with jails.

What an operation may change on the host outside of the hostile root is what it changes there when the customer is
honest. All else is an escape: what is written, what is run, and what is read of the host's secrets.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import stat
import tempfile
import threading
import traceback
import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader

from ansible_collections.jailisp.vps.plugins.module_utils._command import HANGING, Command, Done
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.disk import disks
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import archives, upgrades
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Resolved, open_project
from faults.convergences import install
from faults.scenes import ARCHIVES, BASE, CUSTOMERS, NEW, OLD, OTHER_HASH, PLANS, Fleet, jail
from hostile.spy import Secrets
from model import source_tree, task
from model.host import Host
from support import hostile, watch
from support.lab import Lab, ModelRunner, Result, copy
from support.site import Site

if t.TYPE_CHECKING:
    import pytest

HOST, MINE, OTHER = "h1", "alice", "bob"
ROOTS = f"/usr/local/jails/{HOST}"
# Of the jail, and kept by the host.
OWN = (
    f"{ROOTS}/{MINE}",
    f"{ROOTS}/.{MINE}",
    f"{ROOTS}/moved",
    f"{ROOTS}/.moved",
    "/var/jail-upgrades",
    "/var/jail-archives",
    "/var/db/jailisp/upgrades",
    f"/var/db/jailisp/accounts/{MINE}",
    f"/etc/jail.conf.d/{MINE}.conf",
    f"/etc/jail.conf.d/.{MINE}.held",
    f"{ROOTS}/{OTHER}",
)
UNPACKED = "/var/unpacked"
LARGE = 1 << 26
# What may take so long that it hangs, in seconds, where the collection waits for a minute or two.
PATIENCE = 3
VARIABLES = {"jails_exec_timeout": PATIENCE, "world_at_once": 1, "jails_at_once": 1}

Values = dict[str, t.Any]
# What an operation did: the results of all modules that it called.
Results = list[Result]


def _fleet(release: str, **alice: t.Any) -> Fleet:
    return Fleet(
        jails={
            MINE: jail(HOST, 17, "anna", release=release, **alice),
            OTHER: jail(HOST, 18, "bert", release=release),
        },
        customers=CUSTOMERS,
        plans=PLANS,
        hosts=BASE.hosts,
    )


FLEETS = {
    "old": _fleet(OLD),
    "changed": _fleet(OLD, address="192.168.1.99", plan="large", hostname="www.alice.example.net").changed(
        lambda fleet: fleet.customers["anna"].update(keys=CUSTOMERS["bert"]["keys"], password=OTHER_HASH)
    ),
    "stopped": _fleet(OLD, state="stopped"),
    "absent": _fleet(OLD, state="absent", retired="2026-11-24T093000Z"),
    "new": _fleet(NEW),
}


class _HastyRunner(ModelRunner):
    """Runs commands as a host does, where what takes longer than it may is killed; but nothing may take long."""

    def run(self, command: Command) -> Done:
        """Run one command to its end, or to the end of its time."""
        before, done = self._processes(), list[Done]()
        work = threading.Thread(target=lambda: done.append(super(_HastyRunner, self).run(command)), daemon=True)
        work.start()
        work.join(min(command.seconds, 10 * PATIENCE) if command.seconds > 100 else PATIENCE)
        if done:
            return done[0]
        self._kill(self._processes() - before)
        work.join(10 * PATIENCE)
        if work.is_alive():
            raise RuntimeError(f"{command} cannot be killed")
        return Done(command, HANGING, "", f"{command.argv[0]}: no end after {command.seconds} s")

    def _processes(self) -> set[str]:
        """Return the processes in jails."""
        with self.host.kernel() as kernel:
            return {pid for pid, process in task.processes(kernel).items() if process.get("jid")}

    def _kill(self, processes: set[str]) -> None:
        """Kill what a command began in jails: jexec(8) becomes the program that it runs."""
        with self.host.kernel() as kernel:
            for pid in processes & task.processes(kernel).keys():
                task.kill(kernel, int(pid), 9)


class Ground:
    """The host as each attack finds it, at each of its releases, and what operations change there without any."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Install and converge it."""
        self.folder, self.patch = folder, patch
        self.site = Site(**VARIABLES)
        host = install(folder / "installed", HOST)
        watch.place_victims(host)
        source_tree.write(host, NEW)
        self.resolved = {word: self._resolve(fleet, host) for word, fleet in FLEETS.items()}
        # It would answer in place of a jail's.
        assert host.run(["service", "sshd", "stop"]).rc == 0
        lab = Lab(host, patch)
        _succeed(self.converge(lab, "old"))
        copy(host.directory, folder / "old")
        _succeed([self.upgrade(lab)])
        copy(host.directory, folder / "new")
        self.usual = {word: self._changes(word) for word in OPERATIONS}

    def _resolve(self, fleet: Fleet, host: Host) -> Resolved:
        digests = {name: hashlib.sha256(host.path(path).read_bytes()).hexdigest() for name, path in ARCHIVES.items()}
        with tempfile.TemporaryDirectory() as folder:
            return open_project(fleet.write(Path(folder), digests), DataLoader()).resolve()

    # Operations -----------------------------------------------------------------------------------------------------

    def converge(self, lab: Lab, *words: str) -> Results:
        """Run all roles, by one fleet after another."""
        return [run.result for word in words for run in self.site.converge(lab, HOST, self.resolved[word])]

    def look(self, lab: Lab) -> Results:
        """Run whatever only looks, and foretell a convergence."""
        resolved = self.resolved["changed"]
        return [
            lab.module("jail_info"),
            lab.module("net_info"),
            lab.module("jail_host_info", folders=[ROOTS], dataset=None, images="/var/jail-images"),
            lab.module("jail_disk_info", jails=disks(resolved.jails[HOST])),
            *[run.result for run in self.site.converge(lab, HOST, resolved, check=True)],
            self.upgrade(lab, check=True),
        ]

    def restart(self, lab: Lab) -> Results:
        """Stop the jail and start it."""
        return self.converge(lab, "stopped", "old")

    def leave(self, lab: Lab) -> Results:
        """Let the jail leave: keep an archive, unpack that elsewhere as a move does, and destroy the root."""
        results = self.converge(lab, "absent")
        jails = self.resolved["absent"].jails[HOST]
        results.append(lab.module("jail_archives", archives=archives(jails), folder="/var/jail-archives"))
        for kept in sorted(lab.path("/var/jail-archives").glob("*.zst")):
            source = {
                "archive": f"/var/jail-archives/{kept.name}",
                "sha256": lab.files.sha256(f"/var/jail-archives/{kept.name}"),
            }
            world = {"name": "moved", "path": f"{ROOTS}/moved", "root_archive": source}
            results.append(lab.module("jail_worlds", worlds=[world], releases={}))
        doomed = {"name": MINE, "without_archive": True}
        results.append(lab.module("jail_worlds", worlds=[], releases={}, destroy=[doomed], root=ROOTS))
        return results

    def upgrade(self, lab: Lab, *, check: bool = False, **more: t.Any) -> Result:
        """Run the module that brings roots to another release and back."""
        resolved = self.resolved["new"]
        releases = {NEW: {"src": "/usr/src"}, OLD: {}}
        known = {name: {**each, **releases.get(name, {})} for name, each in resolved.hosts[HOST]["releases"].items()}
        return lab.module(
            "jail_upgrades",
            check=check,
            **{
                "jails": upgrades(resolved.jails[HOST]),
                "releases": known if more.get("mode") == "installworld" else resolved.hosts[HOST]["releases"],
                "seconds": 1,
                "at_once": 1,
                "most_failures": 9,
                **more,
            },
        )

    # Attacks --------------------------------------------------------------------------------------------------------

    def attack(self, kind: str, operation: str) -> list[str]:
        """Let an operation work on a root of that kind; return what is wrong, nothing if all is well."""
        try:
            return self._attack(kind, operation)
        except Exception:
            return traceback.format_exc().splitlines()[-9:]

    def _attack(self, kind: str, operation: str) -> list[str]:
        start, work = OPERATIONS[operation]
        with self._copy(start) as lab:
            watched = watch.Watch(lab.host, f"{ROOTS}/{MINE}", OWN)
            with hostile.planted(lab.host, f"{ROOTS}/{MINE}", kind), Secrets(lab.host) as secrets:
                results = work(self, lab)
            wrong = [change for change in watched.changes() if change.partition(" /")[2] not in self.usual[operation]]
            wrong += [f"the host's secret was opened: {path}" for path in secrets.opened]
            wrong += told(results) + kept(lab)
            return wrong + self._others(lab, operation, results)

    def _changes(self, operation: str) -> set[str]:
        """Return the paths that an operation changes outside of an honest customer's root."""
        start, work = OPERATIONS[operation]
        with self._copy(start) as lab:
            watched = watch.Watch(lab.host, f"{ROOTS}/{MINE}", OWN)
            results = work(self, lab)
            _succeed(results)
            assert self._others(lab, operation, results) == []
            return {change.partition(" /")[2] for change in watched.changes()}

    def _others(self, lab: Lab, operation: str, results: Results) -> list[str]:
        """Return what is wrong with the other customer's jail, and which errors are not about the hostile one."""
        release = NEW if operation.startswith("upgrade") else OLD
        text = lab.files.read(f"{ROOTS}/{OTHER}/bin/freebsd-version") or ""
        wrong = [] if f'"{release}"' in text else [f"{OTHER} does not hold {release}"]
        running = [line.split()[0] for line in lab.run("jls", "name").splitlines()]
        wrong += [] if OTHER in running else [f"{OTHER} does not run"]
        wrong += [
            f"an error about {error['name'] or 'the host'}: {error['error'][:300]}"
            for result in results
            for error in result.get("errors", [])
            if error["name"] not in (MINE, "moved")
        ]
        wrong += [
            f"failed: {result['msg'][:300]}" for result in results if result.get("failed") and not result.get("errors")
        ]
        return wrong

    @contextlib.contextmanager
    def _copy(self, start: str) -> t.Iterator[Lab]:
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "host"
        copy(self.folder / start, place)
        lab = Lab(Host(place), self.patch)
        lab.runner = _HastyRunner(lab.host)
        try:
            yield lab
        finally:
            shutil.rmtree(place.parent, ignore_errors=True)


# By name, at which release the host is, and what is done.
OPERATIONS: dict[str, tuple[str, t.Callable[[Ground, Lab], Results]]] = {
    "look": ("old", Ground.look),
    "converge": ("old", lambda ground, lab: ground.converge(lab, "changed", "changed")),
    "restart": ("old", Ground.restart),
    "leave": ("old", Ground.leave),
    "upgrade": ("old", lambda ground, lab: [ground.upgrade(lab)]),
    "upgrade by installworld": ("old", lambda ground, lab: [ground.upgrade(lab, mode="installworld")]),
    "roll back": ("new", lambda ground, lab: [ground.upgrade(lab, state="rolled_back")]),
}


# Those that find the jail running from beginning to end.
RUNNING = ("look", "converge")


def cases() -> list[tuple[str, str]]:
    """Return every kind of root with every operation that it can meet."""
    found = [(kind, word) for kind in hostile.KINDS for word in OPERATIONS]
    return found + [(kind, word) for kind in hostile.MOVING for word in RUNNING]


def _succeed(results: Results) -> None:
    for result in results:
        assert not result.get("failed"), result["msg"]


def told(results: Results) -> list[str]:
    """Return where a result tells the host's secret, or has what a terminal would obey."""
    wrong = []
    for result in results:
        text = repr(result)
        if watch.SECRET in text:
            wrong.append("a result tells the host's secret")
        if "\x1b" in str(result.get("msg", "")):
            wrong.append(f"a message has an escape: {result['msg']!r}"[:300])
    return wrong


def kept(lab: Lab) -> list[str]:
    """Return which archives of the root, and what was made of them, hold the host's secret."""
    wrong = []
    for place in ("/var/jail-archives", "/var/jail-upgrades", f"{ROOTS}/moved"):
        for path in sorted(lab.path(place).rglob("*")) if lab.path(place).is_dir() else ():
            if path.name.endswith((".tar.zst", ".tar")) and path.is_file() and not path.is_symlink():
                _unpack(lab, f"/{path.relative_to(lab.host.root)}")
    for place in (UNPACKED, f"{ROOTS}/moved", "/var/jail-upgrades"):
        for path in lab.path(place).rglob("*") if lab.path(place).is_dir() else ():
            if _is_text(path) and watch.SECRET.encode() in path.read_bytes():
                wrong.append(f"/{path.relative_to(lab.host.root)} holds the host's secret")
    return wrong


def _is_text(path: Path) -> bool:
    """Whether it is a plain file, and not one that takes no room and reads as a terabyte."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size < LARGE and not path.name.endswith((".zst", ".tar"))


def _unpack(lab: Lab, archive: str) -> None:
    """Unpack an archive where nothing else is."""
    place = f"{UNPACKED}/{archive.strip('/').replace('/', '.')}"
    lab.run("mkdir", "-p", place)
    lab.run("tar", "-xpf", archive, "--no-fflags", "-C", place)
