# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates: everything that must hold before a change may go in.

    .venv/bin/python tests/tools/gates.py            # all of them: make test
    .venv/bin/python tests/tools/gates.py lint       # those of one make target

This is the only list of gates. One gate alone writes straight to the terminal; of several, two run at a time, each
one's output is kept in .build/gates/NAME.log and shown only when it fails.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".build" / "gates"
# One more than there are cores: each waits now and then, for a connection or a service.
AT_ONCE = 3

PYTHON = sys.executable
# pytest and ansible-test follow the Python that runs this: 3.11 at least, and the one that .venv was made with.
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# Recordings of a real FreeBSD host: `make transcripts DIR=...` replays those of another folder.
RECORDINGS = os.environ.get("DIR", "tests/transcripts")

# A file system in memory, and how many bytes it must have free to be used.
MEMORY, ENOUGH = Path("/dev/shm"), 8 << 30


def scratch() -> dict[str, str]:
    """Return where temporary files go: model hosts are many small files, for which a disk takes three times as long."""
    fits = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH
    return {"TMPDIR": str(MEMORY)} if fits and "TMPDIR" not in os.environ else {}


ENVIRONMENT = {
    **os.environ,
    **scratch(),
    # The package model and the collection can be imported, from scripts too.
    "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT / '.build' / 'tree'}",
    "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "tree"),
    # What ansible-core is going to make an error fails here already.
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "NO_COLOR": "1",
    "MOLECULE_GLOB": "molecule/*/molecule.yml",
}


@dataclass(frozen=True)
class Gate:
    """One command that succeeds or fails, and the make target that runs it."""

    name: str
    target: str
    argv: tuple[str, ...]


# In the order of `make test`: what fails cheaply fails first, and the long ones start early enough to share the cores.
GATES = (
    Gate("ruff", "lint", ("ruff", "check", ".")),
    Gate("ruff-format", "lint", ("ruff", "format", "--check", ".")),
    Gate("yamllint", "lint", ("yamllint", "--strict", ".")),
    Gate("changelog", "docs", ("antsibull-changelog", "lint")),
    Gate("types", "types", ("mypy",)),
    Gate("units", "units", (PYTHON, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", "tests/unit")),
    Gate("ansible-lint", "lint", ("ansible-lint",)),
    Gate(
        "docs",
        "docs",
        ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."),
    ),
    Gate("build", "build", (PYTHON, "tests/tools/build.py")),
    Gate("transcripts", "transcripts", (PYTHON, "tests/transcripts/replay.py", RECORDINGS)),
    Gate("molecule", "molecule", ("molecule", "test", "-s", "default")),
    Gate("playbooks", "test-playbooks", (PYTHON, "-m", "pytest", "-q", "tests/playbooks")),
    Gate("secrets", "secrets", (PYTHON, "tests/secrets/run.py")),
    Gate("rounds", "test-rounds", (PYTHON, "tests/rounds/run.py", "5")),
    Gate("demo", "test-demo", (PYTHON, "tests/demo.py", "--folder", ".build/demo")),
    Gate("sanity", "sanity", (PYTHON, "tests/tools/run_ansible_test.py", "sanity", "--python", VERSION)),
)

# Not part of `make test`: one needs a FreeBSD host, one a machine that does nothing else meanwhile. The others take
# long: mutations, fuzzing, 200 rounds, something that goes wrong at every place of a convergence or of an upgrade,
# every attack on every operation, 200 jails and 100 hosts, and the tests of the gate units again, as Ansible runs them.
ON_DEMAND = (
    Gate(
        "ansible-test-units",
        "ansible-test-units",
        (PYTHON, "tests/tools/run_ansible_test.py", "units", "--python", VERSION),
    ),
    Gate("acceptance", "acceptance", ("molecule", "test", "-s", "freebsd")),
    Gate("bench", "bench", (PYTHON, "tests/bench/bench.py")),
    Gate("mutations", "mutations", (PYTHON, "tests/mutations/run.py")),
    Gate("faults", "faults", (PYTHON, "tests/faults/run.py")),
    Gate("hostile", "hostile", (PYTHON, "tests/hostile/run.py")),
    Gate("fuzz", "fuzz", (PYTHON, "tests/fuzz/run.py")),
    Gate("load", "load", (PYTHON, "tests/load/run.py")),
    Gate("all-rounds", "rounds", (PYTHON, "tests/rounds/run.py")),
)


@dataclass(frozen=True)
class Outcome:
    """How one gate ended."""

    gate: Gate
    passed: bool
    seconds: float

    def line(self) -> str:
        """Return the gate's line in the table at the end."""
        return f"{'passed' if self.passed else 'FAILED'}  {self.seconds:6.1f} s  {self.gate.name}"


def say(text: str) -> None:
    """Write a whole line at once: a pipe would hold it back, and two gates may speak at the same time."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def log_of(gate: Gate) -> Path:
    """Return the file that keeps a gate's output."""
    return LOGS / f"{gate.name}.log"


def run_here(gate: Gate) -> Outcome:
    """Run one gate on the terminal."""
    say(f"gate {gate.name}: {' '.join(gate.argv)}")
    start = time.monotonic()
    status = subprocess.run(gate.argv, cwd=ROOT, env=ENVIRONMENT, check=False).returncode
    return Outcome(gate, status == 0, time.monotonic() - start)


def run_logged(gate: Gate) -> Outcome:
    """Run one gate beside another, its output going to its log."""
    say(f"started  {gate.name}")
    start = time.monotonic()
    with log_of(gate).open("wb") as log:
        run = subprocess.run(
            gate.argv, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    return Outcome(gate, run.returncode == 0, time.monotonic() - start)


def report(outcome: Outcome) -> None:
    """Say how a gate ended: all of its output when it failed, else only the figures it measured."""
    say(outcome.line())
    output = log_of(outcome.gate).read_text(encoding="utf-8", errors="replace")
    if outcome.passed:
        kept = [line for line in output.splitlines() if line.startswith("figure: ")]
    else:
        kept = [f"----- {outcome.gate.name} -----", *output.splitlines(), f"----- end of {outcome.gate.name} -----"]
    for line in kept:
        say(line)


def run_all(gates: Sequence[Gate]) -> list[Outcome]:
    """Run gates side by side and return their outcomes in the order of the list."""
    LOGS.mkdir(parents=True, exist_ok=True)
    outcomes = {}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for done in as_completed([pool.submit(run_logged, gate) for gate in gates]):
            outcomes[done.result().gate] = done.result()
            report(done.result())
    return [outcomes[gate] for gate in gates]


def chosen(target: str | None) -> list[Gate]:
    """Return the gates of a make target; all that `make test` wants when none is named."""
    gates = [gate for gate in (*GATES, *ON_DEMAND) if gate.target == target] if target else list(GATES)
    if not gates:
        sys.exit(f"gates: no gate belongs to {target!r}")
    return gates


def main() -> None:
    """Run what was asked for, then say of each gate how it went, and count them on the last line."""
    gates = chosen(sys.argv[1] if len(sys.argv) > 1 else None)
    start = time.monotonic()
    outcomes = run_all(gates) if len(gates) > 1 else [run_here(gates[0])]
    say("")
    for outcome in outcomes:
        say(outcome.line())
    passed = sum(outcome.passed for outcome in outcomes)
    say(f"{time.monotonic() - start:.0f} s in all")
    say(f"{passed} passed, {len(outcomes) - passed} failed")
    sys.exit(0 if passed == len(outcomes) else 1)


if __name__ == "__main__":
    main()
