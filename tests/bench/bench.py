#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a converged run costs and how that grows, the big fleet, the compiler; print figures.

bench.py [growth|fleet|order|upgrades-directory|upgrades-dataset|compiler]...

Whatever is a ratio compares two things in this one run, in turn, so that it holds on a machine of any speed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import fleet
import yaml

from model import archive, example, source_tree
from model.host import Host

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
BIN = Path(sys.executable).parent
# What the rack's ssh notes for each command that a controller has a host run; with pipelining that is a module call.
CALL = "sshd-session"

BIG_HOSTS, BIG_JAILS = 10, 47
COMPILE_HOSTS, COMPILE_CUSTOMERS = 200, 3000
REPEATS = 3
OLD, OLD_BASE = "15.0-RELEASE-p3", "/var/base-15.0.txz"
UPGRADED, UPGRADED_AT_ONCE = int(os.environ.get("BENCH_UPGRADED", "8")), 8
# What a jail waits for when it starts and when it stops: a customer's service that takes its time, as they do.
WAIT = "sleep 2\n"
ROOTS = "/usr/local/jails/h1"
# The first jail, as the fleet names it.
FIRST = "j1-1"
# What the figures of upgrades leave out of their names.
PLAIN = ("archive", "directory")
WAITING = ("etc/rc.local", "etc/rc.shutdown.local")


@dataclass(frozen=True)
class Cost:
    """What a run cost: wall time (s), module calls, processes that the modules started, and tasks run, on all hosts."""

    seconds: float
    calls: int
    processes: int
    tasks: int


class Fleet:
    """A generated fleet on model hosts, and the playbooks that run on it."""

    def __init__(self, folder: Path, hosts: int, jails: int, storage: str = "directory") -> None:
        """Generate the records and start the hosts."""
        self.jails = jails
        names = fleet.write(folder / "records", hosts, jails, storage=storage)
        hardware = {name: fleet.hardware(number) for number, name in enumerate(names, 1)}
        self.inventory = folder / "inventory"
        with contextlib.redirect_stdout(io.StringIO()):
            self.rack = example.make_rack(folder / "rack", folder / "records", self.inventory, hardware)

    def run(self, playbook: Path, *options: str) -> Cost:
        """Run a playbook on the fleet; raise if it fails."""
        for log in self._logs():
            log.unlink(missing_ok=True)
        sources = [f"-i{self.inventory / name}" for name in ("hosts.yml", "fleet.yml")]
        begin = time.monotonic()
        done = subprocess.run(
            [BIN / "ansible-playbook", *sources, "--forks", "10", *options, playbook],
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build" / "tree")},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begin
        if done.returncode:
            raise SystemExit(f"{playbook.name} failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
        lines = [json.loads(line) for log in self._logs() if log.exists() for line in log.read_text().splitlines()]
        calls = sum(line[0] == CALL for line in lines)
        tasks = sum(int(number) for number in re.findall(r"^\S+ +: ok=(\d+) ", done.stdout, re.MULTILINE))
        return Cost(seconds, calls, len(lines) - calls, tasks)

    def converge(self) -> Cost:
        """Run site.yml."""
        return self.run(PROJECT / "site.yml")

    def add_jail(self) -> None:
        """Order one jail more on the first host."""
        fleet.add_jail(self.inventory, 1, self.jails + 1, self.jails + 1)

    def hosts(self) -> list[Host]:
        """Return the model hosts."""
        return [Host(folder) for folder in sorted((self.rack.folder / "hosts").iterdir())]

    def _logs(self) -> list[Path]:
        return [host / "commands.log" for host in sorted((self.rack.folder / "hosts").iterdir())]


def figure(name: str, value: float, unit: str, remark: str = "") -> None:
    """Print one figure."""
    print(f"figure: {name} {round(value, 2)} {unit}" + (f"  ({remark})" if remark else ""), flush=True)


def measure_growth(folder: Path) -> None:
    """Measure a converged run with 5 and 50 jails, against pings and against a loop over the jails."""
    costs: dict[int, list[Cost]] = {}
    fleets = {jails: Fleet(folder / f"one-{jails}", 1, jails) for jails in (5, 50)}
    for one in fleets.values():
        one.converge()
    pings: dict[str, list[Cost]] = {"tasks": [], "calls": []}
    for _repeat in range(REPEATS):
        for jails, one in fleets.items():
            costs.setdefault(jails, []).append(one.converge())
        for what, measured in pings.items():
            measured.append(fleets[50].run(write_pings(folder, getattr(costs[50][-1], what))))
    loop = fleets[50].run(HERE / "loop.yml")
    five, fifty = (_median(costs[jails]) for jails in (5, 50))
    figure("processes_5", costs[5][0].processes, "processes")
    figure("processes_50", costs[50][0].processes, "processes")
    figure("module_calls_5", costs[5][0].calls, "calls")
    figure("module_calls_50", costs[50][0].calls, "calls")
    for name, what in (("converged_vs_ping", "tasks"), ("converged_vs_ping_calls", "calls")):
        pairs = zip(costs[50], pings[what], strict=True)
        ratio = statistics.median(run.seconds / ping.seconds for run, ping in pairs)
        number = getattr(costs[50][-1], what)
        figure(name, ratio, "ratio", f"{fifty:.2f} s against {number} pings, as many as it has {what}")
    figure("loop_vs_converged", loop.seconds / fifty, "ratio", f"{loop.seconds:.1f} s, {loop.calls} module calls")
    figure("per_jail", (fifty - five) / 45 * 1000, "ms", "each further jail in a converged run")


def write_pings(folder: Path, number: int) -> Path:
    """Write a playbook of so many tasks that do nothing on the host but to be there; return its path."""
    pings = [{"name": f"Ping {count}", "ansible.builtin.ping": {}} for count in range(1, number + 1)]
    playbook = folder / f"ping-{number}.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "jail_hosts", "gather_facts": False, "tasks": pings}]))
    return playbook


def _median(costs: t.Sequence[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


def measure_big_fleet(folder: Path) -> None:
    """Measure ten hosts of 47 jails: the first run, one that has nothing to do, and one more jail."""
    big = Fleet(folder / "big", BIG_HOSTS, BIG_JAILS)
    for name in ("fleet_first", "fleet_second", "fleet_one_more"):
        if name == "fleet_one_more":
            big.add_jail()
        cost = big.converge()
        figure(name, cost.seconds, "s", f"{cost.calls} module calls, {cost.processes} processes")


def measure_order(folder: Path) -> None:
    """Measure an order from its command to the jail's answer, on a host that has 49 jails."""
    one = Fleet(folder / "order", 1, 49)
    one.converge()
    words = {"jail": "new", "plan": "base", "customer": "c1", "order_delay": "1"}
    cost = one.run(PROJECT / "order.yml", "-e", json.dumps(words))
    figure("order_first_answer", cost.seconds, "s", f"{cost.processes} processes")
    figure("order_module_calls", cost.calls, "calls")


def measure_upgrades(folder: Path, storage: str) -> None:
    """Measure the upgrade of a host's jails, one after another and side by side, by archive and by installworld."""
    one = _old_fleet(folder / f"upgrades-{storage}", storage)
    for mode in ("archive", "installworld"):
        # The archive that a host makes of a source tree, and what etcupdate compares, are made once for all jails.
        prepare = json.dumps({"release": fleet.RELEASE, "mode": mode, "only": FIRST})
        one.run(PROJECT / "upgrade.yml", "-e", prepare)
        one.run(PROJECT / "rollback.yml", "-e", prepare)
        name = "".join(f"_{word}" for word in (mode, storage) if word not in PLAIN)
        costs = {}
        for at_once in (1, UPGRADED_AT_ONCE):
            words = {"release": fleet.RELEASE, "at_once": at_once, "mode": mode}
            costs[at_once] = one.run(PROJECT / "upgrade.yml", "-e", json.dumps(words))
            one.run(PROJECT / "rollback.yml", "-e", json.dumps(words | {"at_once": UPGRADED_AT_ONCE}))
        serial, parallel = costs[1], costs[UPGRADED_AT_ONCE]
        remark = f"{UPGRADED} jails, {serial.seconds:.1f} s against {parallel.seconds:.1f} s"
        figure(f"serial_vs_parallel_upgrade{name}", serial.seconds / parallel.seconds, "ratio", remark)
        figure(f"processes_of_upgrade{name}", parallel.processes / UPGRADED, "processes", "each jail")


def _old_fleet(folder: Path, storage: str) -> Fleet:
    """Return a host whose jails hold the old release, run, and take their time; its records say the new one."""
    one = Fleet(folder, 1, UPGRADED, storage)
    (host,) = one.hosts()
    archive.write_base(host.path(OLD_BASE), OLD)
    source_tree.write(host, fleet.RELEASE)
    digests = {path: hashlib.sha256(host.path(path).read_bytes()).hexdigest() for path in (OLD_BASE, example.BASE)}
    releases: dict[str, dict[str, str]] = {
        OLD: {"archive": OLD_BASE, "sha256": digests[OLD_BASE]},
        fleet.RELEASE: {"archive": example.BASE, "sha256": digests[example.BASE], "src": "/usr/src"},
    }
    fleet.set_releases(one.inventory, OLD, releases)
    one.converge()
    for jail in (one.inventory / "jails").iterdir():
        for name in WAITING:
            host.path(f"{ROOTS}/{jail.stem}/{name}").write_text(WAIT)
    fleet.set_releases(one.inventory, fleet.RELEASE)
    return one


def measure_compiler(folder: Path) -> None:
    """Measure the inventory plugin alone, and Ansible's list of the inventory, with 1,000 and 10,000 records."""
    for jails in (1000, 10000):
        place = folder / f"compile-{jails}"
        names = fleet.write(place, COMPILE_HOSTS, jails // COMPILE_HOSTS, COMPILE_CUSTOMERS)
        seconds, memory = spend([sys.executable, str(HERE / "compile.py"), str(place)])
        figure(f"compile_{jails}", seconds, "s")
        if jails == 10000:
            figure("compile_10000_memory", memory, "MiB")
        listed = folder / "list.json"
        sources = [f"-i{place / name}" for name in ("hosts.yml", "fleet.yml")]
        seconds, memory = spend([str(BIN / "ansible-inventory"), *sources, "--list", "--output", str(listed)])
        if len(json.loads(listed.read_text())["_meta"]["hostvars"]) != len(names) + jails:
            raise SystemExit("not every host and jail was listed")
        figure(f"list_{jails}", seconds, "s", f"{listed.stat().st_size // 2**20} MiB of JSON")
        if jails == 10000:
            figure("list_10000_memory", memory, "MiB")


def spend(argv: t.Sequence[str]) -> tuple[float, int]:
    """Run a command; return the wall time (s) and the memory (MiB) that it took at most; raise if it fails."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build" / "tree")}
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], list(argv), environment)
    _unused, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - begin
    if status:
        raise SystemExit(f"{' '.join(argv)} failed")
    return seconds, usage.ru_maxrss // 1024


MEASURES: dict[str, t.Callable[[Path], None]] = {
    "growth": measure_growth,
    "fleet": measure_big_fleet,
    "order": measure_order,
    **{f"upgrades-{storage}": functools.partial(measure_upgrades, storage=storage) for storage in fleet.STORAGES},
    "compiler": measure_compiler,
}


def main() -> int:
    """Measure what is named, or everything."""
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or MEASURES:
            MEASURES[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
