#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See what modules take for 200 jails on a host, and a controller for 100 hosts, and that nothing grows faster.

run.py [jails|hosts]

For jails, the modules alone are measured, on recorded answers of the host, when nothing is to be done and when
everything is: by their function calls, which are the same on every machine, and by their CPU time, which also sees what
a call takes. A module that takes more than GROWTH times the calls for twice the jails fails the run; so do all modules
together that take more than TIME_GROWTH times the CPU time, which is between what is linear and what is quadratic.
"""

from __future__ import annotations

import collections
import copy
import hashlib
import os
import sys
import tempfile
import time
import tracemalloc
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader

from model import archive, machine
from model.host import Host
from support.loader import collections as ansible_collections_found

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "bench"))

BASE = "/var/base.txz"
JAILS = (50, 100, 200)
HOSTS, FEWER_HOSTS, JAILS_OF_HOST = 100, 50, 2
# Twice as many jails, and what does not depend on them.
GROWTH, TIME_GROWTH = 2.2, 3
PLUGINS = f"{os.sep}plugins{os.sep}"


@dataclass
class Cost:
    """What foretelling takes: function calls, CPU time (s), and memory (MiB) at most, of each module."""

    calls: collections.Counter[str] = field(default_factory=collections.Counter)
    seconds: dict[str, float] = field(default_factory=lambda: collections.defaultdict(float))
    memory: dict[str, float] = field(default_factory=lambda: collections.defaultdict(float))


def figure(name: str, value: float, unit: str, remark: str = "") -> None:
    """Print one figure."""
    print(f"figure: {name} {round(value, 2)} {unit}" + (f"  ({remark})" if remark else ""), flush=True)


def count_calls(work: t.Callable[[], None]) -> int:
    """Return how many functions of the plugins a piece of work calls."""
    count = 0

    def seen(frame: t.Any, event: str, _argument: t.Any) -> None:
        nonlocal count
        count += event == "call" and PLUGINS in frame.f_code.co_filename

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def seconds_of(work: t.Callable[[], None]) -> float:
    """Return the CPU time (s) that a piece of work takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_of(work: t.Callable[[], None]) -> float:
    """Return the memory (MiB) that a piece of work takes at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


class Load:
    """A host with so many jails, and all modules of site.yml at work on it."""

    def __init__(self, folder: Path, jails: int, patch: pytest.MonkeyPatch) -> None:
        """Write the records; nothing is converged yet."""
        import fleet  # noqa: PLC0415

        from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project  # noqa: PLC0415
        from support.lab import Lab  # noqa: PLC0415
        from support.site import Site  # noqa: PLC0415
        from support.upgrades import shrink  # noqa: PLC0415

        fleet.write(folder / "records", 1, jails)
        host = _install(folder / "host", fleet.hardware(1), fleet.RELEASE)
        shrink(host.path(BASE))
        releases = {fleet.RELEASE: {"archive": BASE, "sha256": _digest(host.path(BASE))}}
        fleet.set_releases(folder / "records", fleet.RELEASE, releases)
        self.resolved = open_project(folder / "records" / "fleet.yml", DataLoader()).resolve()
        self.lab, self.site = Lab(host, patch), Site(jails_most_removals=jails)

    def converge(self) -> None:
        """Bring the host to its records."""
        for run in self.site.converge(self.lab, "h1", self.resolved):
            if run.result.get("failed"):
                raise SystemExit(f"{run.module}: {run.result['msg']}")

    def measure(self, what: str) -> Cost:
        """Return what it takes each module to foretell, by recorded answers of the host."""
        runner, module = self.lab.runner, self.lab.module
        answers: dict[t.Any, t.Any] = {}
        real = runner.run
        runner.run = lambda command: answers.setdefault(command, real(command))  # type: ignore[method-assign]
        self.site.converge(self.lab, "h1", self.resolved, check=True)
        runner.run = lambda command: answers[command]  # type: ignore[method-assign]
        cost = Cost()

        def measured(name: str, *, check: bool = False, **parameters: t.Any) -> t.Any:
            result: list[t.Any] = []

            def work() -> None:
                result[:] = [module(name, check=check, **copy.deepcopy(parameters))]

            cost.calls[name] += count_calls(work)
            cost.seconds[name] += seconds_of(work)
            cost.memory[name] = max(peak_of(work), cost.memory[name])
            return result[0]

        self.lab.module = measured  # type: ignore[method-assign]
        self.site.converge(self.lab, "h1", self.resolved, check=True)
        self.lab.module, runner.run = module, real  # type: ignore[method-assign]
        print(f"{what}: {dict(cost.calls)}", flush=True)
        return cost


def _install(folder: Path, hardware: dict[str, t.Any], release: str) -> Host:
    """Return a host with a base archive, booted."""
    folder.mkdir()
    host = Host(folder)
    machine.install(host, "h1", **hardware, tunables={"kern.racct.enable": "1"})
    machine.boot(host)
    archive.write_base(host.path(BASE), release)
    return host


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measure_jails(folder: Path, patch: pytest.MonkeyPatch) -> int:
    """Measure the modules; return how many grow too fast."""
    found: dict[tuple[str, int], Cost] = {}
    for jails in JAILS:
        load = Load(folder / str(jails), jails, patch)
        found["first", jails] = load.measure(f"{jails} new jails")
        begin = time.monotonic()
        load.converge()
        took = time.monotonic() - begin
        found["converged", jails] = load.measure(f"{jails} jails, nothing to do")
    figure("load_model_converge", took, "s", f"{JAILS[-1]} jails, the model's host and the modules in one process")
    wrong = 0
    for state in ("first", "converged"):
        fewer, more = (found[state, jails] for jails in JAILS[-2:])
        growth = more.calls.total() / fewer.calls.total()
        seconds, less = sum(more.seconds.values()), sum(fewer.seconds.values())
        figure(f"load_calls_{state}", more.calls.total(), "calls", f"all modules, {JAILS[-1]} jails")
        figure(f"load_growth_{state}", growth, "ratio", "for twice the jails")
        figure(f"load_cpu_{state}", seconds, "s", f"all modules, {JAILS[-1]} jails")
        figure(f"load_cpu_growth_{state}", seconds / less, "ratio", "for twice the jails")
        for name, count in more.calls.items():
            if count / fewer.calls[name] > GROWTH:
                wrong += 1
                print(
                    f"VIOLATION {state}: {name} takes {count} calls for {JAILS[-1]} jails, {fewer.calls[name]} for half"
                )
        if seconds / less > TIME_GROWTH:
            wrong += 1
            print(f"VIOLATION {state}: {dict(more.seconds)} s for {JAILS[-1]} jails, {dict(fewer.seconds)} s for half")
    name, most = max(more.memory.items(), key=lambda item: item[1])
    figure("load_memory_of_module", most, "MiB", f"{name}, {JAILS[-1]} jails")
    return wrong


def measure_hosts(folder: Path) -> int:
    """Measure a controller that foretells the convergence of many hosts; return how much grows too fast."""
    from bench import BIN, Fleet  # noqa: PLC0415

    many = Fleet(folder / "hosts", HOSTS, JAILS_OF_HOST)
    costs: dict[int, tuple[float, int]] = {}
    for hosts in (FEWER_HOSTS, HOSTS):
        sources = [f"-i{many.inventory / name}" for name in ("hosts.yml", "fleet.yml")]
        limit = ",".join(f"h{number}" for number in range(1, hosts + 1))
        argv = [str(BIN / "ansible-playbook"), *sources, "--forks", "10", "--check", "--limit", limit]
        costs[hosts] = _spend([*argv, str(PROJECT / "site.yml")], folder / f"{hosts}.out")
    (less, small), (more, large) = costs[FEWER_HOSTS], costs[HOSTS]
    figure("load_hosts", HOSTS, "hosts", f"{HOSTS * JAILS_OF_HOST} jails, check mode, 10 forks")
    figure("load_hosts_time", more, "s")
    figure("load_hosts_growth", more / less, "ratio", "for twice the hosts")
    figure("load_hosts_memory", large, "MiB", f"the controller's; {small} MiB for half the hosts")
    return int(more / less > GROWTH)


def _spend(argv: list[str], output: Path) -> tuple[float, int]:
    """Run a command; return its wall time (s) and the memory (MiB) that its own process took at most."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build" / "tree")}
    opened = (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT, 0o600)
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=[opened, (os.POSIX_SPAWN_DUP2, 1, 2)])
    _unused, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(argv)[:300]} failed:\n{output.read_text()[-3000:]}")
    return time.monotonic() - begin, usage.ru_maxrss // 1024


def main() -> int:
    """Measure what is asked for, or all."""
    asked = sys.argv[1:] or ["jails", "hosts"]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        if "jails" in asked:
            with ansible_collections_found(), pytest.MonkeyPatch.context() as patch:
                wrong += measure_jails(Path(folder), patch)
        if "hosts" in asked:
            wrong += measure_hosts(Path(folder))
    figure("load_violations", wrong, "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
