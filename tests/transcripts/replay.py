#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replay recordings of a real FreeBSD host on the model, and say how far the two agree.

    replay.py [FOLDER] [--file NAME] [--show] [--record]

Every step of every transcript in FOLDER (this one by default) runs on one model host, in order, by the host's /bin/sh.
A step agrees when exit status, output and errors are the same after masking what varies by machine and moment (see
MASKS; nothing else is masked). Prints a line ``figure: agreement_FILE N %`` for each file and ``agreement_all``, and
fails when a share is lower than agreement.json in FOLDER, if there is one, says.
``--show`` prints the steps that differ. ``--record`` writes agreement.json.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from model import archive, machine
from model.rack import Rack

HERE = Path(__file__).resolve().parent
STEP_SECONDS = 60
# The one reboot of the recorded host came before this file.
REBOOT_BEFORE = "13-tools"


@dataclass
class Step:
    """One recorded command: where it stands, what it was given, and what came of it."""

    where: str
    command: str
    stdin: str = ""
    out: str = ""
    err: str = ""
    rc: int = 0


@dataclass
class Outcome:
    """A replayed step: the recorded and the model's (exit status, output, errors), masked."""

    step: Step
    recorded: tuple[int, str, str]
    model: tuple[int, str, str]

    @property
    def agrees(self) -> bool:
        """Whether the model did what the real host did."""
        return self.recorded == self.model


def parse(path: Path) -> list[Step]:
    """Read a transcript; its README says what the marks at the start of a line mean."""
    steps: list[Step] = []
    parts: dict[str, str] = {"<": "stdin", "|": "out", "!": "err"}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        mark, text = line[:1], line[2:]
        if mark == "$":
            steps.append(Step(where=f"{path.name}:{number}", command=text))
        elif mark == "=":
            steps[-1].rc = int(text)
        elif mark in parts:
            name = parts[mark]
            setattr(steps[-1], name, getattr(steps[-1], name) + text + "\n")
        elif mark != "#":
            raise SystemExit(f"{path.name}:{number}: not a transcript line: {line!r}")
    return steps


@dataclass(frozen=True)
class Mask:
    """In the outputs of commands that match ``command``, what matches ``varying`` counts as equal."""

    command: re.Pattern[str]
    varying: re.Pattern[str]
    by: str = "N"

    def apply(self, command: str, text: str) -> str:
        """Return the text with what varies replaced."""
        return self.varying.sub(self.by, text) if self.command.search(command) else text


def _mask(command: str, varying: str, by: str = "N") -> Mask:
    return Mask(re.compile(command), re.compile(varying, re.MULTILINE), by)


DATE = r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d+ +(\d\d:\d\d|\d{4})\b"

MASKS: tuple[Mask, ...] = (
    # Dates and times of day.
    _mask(r"", DATE, "DATE"),
    # Sizes and link counts in a long listing (with its flags column, if asked for).
    _mask(r"\bls -l", r"^(\S{10}) +\d+ (\S+ +\S+) +(schg |- +)?\d+ DATE", r"\1 N \2 \3N DATE"),
    _mask(r"\bls -l", r"^total \d+$", "total N"),
    # pf: counters, rates and how long it has been enabled.
    _mask(r"\bpfctl|service pf ", r"for \d+ days \d\d:\d\d:\d\d +", "for N "),
    _mask(r"\bpfctl|service pf ", r"(?<=[a-z]) {2,}\d+ +(\d+\.\d/s)? *$", " N"),
    _mask(r"\bpfctl .*-v", r"(Evaluations|Packets|Bytes|States|Creations): \d+ *", r"\1: N "),
    # Process and jail numbers.
    _mask(r"\bservice|\bcron|\bsshd|\bmountd", r"\b(pid=?|pids?:?|PIDS:) ?\d+( \d+)*", r"\1 N"),
    _mask(r"\bjls\b", r"(\bjid\b\"?[=:] ?\"?|cpuset\.id\"?[=:] ?\"?|\"cpusetid\":)\d+", r"\1N"),
    _mask(r"\bjls( -[dhNqv])*$", r"^( +)\d+(?= )", r"\1N"),
    _mask(r"\bjls -v", r"^( +)\d+$", r"\1N"),
    _mask(r"\bjls -j \w+ jid name", r"^\d+ ", "N "),
    _mask(r"\bjls -h$", r" (\d+) \"\" ", ' N "" '),
    _mask(r"\bjail -i", r"^\d+$"),
    # Free and used blocks, block counts of file systems and files.
    _mask(r"\bdf\b|\bdu\b", r"(?<=\s)\d+(%|(?=\s))|^\d+(?=\s)"),
    _mask(r"\bdf\b", r" +", " "),
    _mask(r"\bzfs list|zpool list|zfs get", r"(?<![\w@.])\d+(\.\d+)?[BKMGT]?(?![\w.])"),
    _mask(r"\bzfs list|zpool list", r" +", " "),
    _mask(r"\bzfs list .*guid", r"\t\d+", "\tN"),
    _mask(r"\bzpool import", r"id: \d+", "id: N"),
    _mask(r"\bdd\b", r"in \d+\.\d+ secs \(\d+ bytes/sec\)", "in N"),
    _mask(r"\bwc -l", r"^ +\d+$"),
    # What processes use.
    _mask(r"\bps\b|\btop\b", r"\b\d+:\d\d\.\d\d\b|\b\d+\.\d\b|\b\d+\b"),
    _mask(r"\bps\b|\btop\b|\bsockstat|\brenice|\bpgrep", r" +", " "),
    _mask(r"\brenice|\bpgrep|\bsockstat", r"(?<![\w.:])\d{3,}(?![\w.])"),
    _mask(r"\brctl -h?u", r"=\d+"),
    _mask(r"\bcpuset -g", r"jail \d+", "jail N"),
    _mask(r"\bnetstat -i", r":\d+"),
    # Hardware addresses.
    _mask(r"\bifconfig", r"ether ([0-9a-f]{2}:){5}[0-9a-f]{2}", "ether MAC"),
    _mask(r"\bifconfig", r"port \d+ priority", "port N priority"),
    _mask(r"\bifconfig", r"scopeid 0x[0-9a-f]+", "scopeid N"),
    _mask(r"\bping", r"\d+\.\d{3}"),
    _mask(r"\bnetstat -rn", r"link#\d+", "link#N"),
    _mask(r"net.inet.ip.dummynet$", r"(tick_\w+|schk_count|fsk_count|si_count): -?\d+", r"\1: N"),
    _mask(r"\bmktemp", r"^x\.\w{4}$", "x.XXXX"),
    _mask(r"\blogger|\bat now", r"\[\d+\]|Job \d+", "N"),
)


def masked(step: Step, rc: int, out: str, err: str) -> tuple[int, str, str]:
    """Return the outcome with everything that varies replaced."""
    for mask in MASKS:
        out, err = mask.apply(step.command, out), mask.apply(step.command, err)
    return rc, _trim(out), _trim(err)


def _trim(text: str) -> str:
    """Drop blanks at line ends: the recording does not keep an empty line apart from a blank one."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


@dataclass
class Replay:
    """A fresh model host like the recorded one, and the steps replayed on it."""

    rack: Rack
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Install and boot the host."""
        self.host = self.rack.add("h1", "10.0.2.15", disks={"vtbd1": "6G"}, tunables={"kern.racct.enable": "1"})
        archive.write_base(self.host.path("/var/base.txz"), "15.1-RELEASE-p1")

    def file(self, path: Path) -> None:
        """Replay all steps of one transcript."""
        if path.name.startswith(REBOOT_BEFORE):
            machine.reboot(self.host)
        self.outcomes[path.stem] = [self.step(step) for step in parse(path)]

    def step(self, step: Step) -> Outcome:
        """Run one step at the host's console: a connection would be a state of pf, and the recording has none."""
        try:
            done = subprocess.run(
                [self.rack.console, "h1", step.command],
                input=step.stdin.encode(),
                capture_output=True,
                timeout=STEP_SECONDS,
                check=False,
            )
            model = (done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            model = (-1, "", "no answer\n")
        return Outcome(step, masked(step, step.rc, step.out, step.err), masked(step, *model))


def report(outcomes: t.Mapping[str, list[Outcome]], *, show: bool) -> dict[str, float]:
    """Print the share of agreeing steps of each file and of all, as figures; return them (percent)."""
    shares: dict[str, float] = {}
    steps = [outcome for each in outcomes.values() for outcome in each]
    for name, each in [*outcomes.items(), ("all", steps)]:
        good = sum(outcome.agrees for outcome in each)
        shares[name] = round(100 * good / len(each), 1)
        print(f"figure: agreement_{name} {shares[name]} %  ({good} of {len(each)} steps)")
    for outcome in steps if show else []:
        if not outcome.agrees:
            _show(outcome)
    return shares


def _show(outcome: Outcome) -> None:
    print(f"\n{outcome.step.where}: $ {outcome.step.command}")
    for who, (rc, out, err) in (("recorded", outcome.recorded), ("model", outcome.model)):
        print(f"  {who}: exit {rc}")
        for mark, text in (("|", out), ("!", err)):
            for line in text.splitlines():
                print(f"    {mark} {line}")


def main() -> int:
    """Replay the folder's files and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--file", default="", help="only print the report for files whose name contains this")
    parser.add_argument("--show", action="store_true", help="print the steps that differ")
    parser.add_argument("--record", action="store_true", help="write agreement.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        replay = Replay(Rack(Path(folder)))
        for path in sorted(options.folder.glob("*.transcript")):
            replay.file(path)
            if options.file and options.file in path.name:
                break
    chosen = {name: each for name, each in replay.outcomes.items() if options.file in name}
    shares = report(chosen, show=options.show)
    recorded = options.folder / "agreement.json"
    if options.record:
        recorded.write_text(json.dumps(shares, indent=2, sort_keys=True) + "\n")
    fallen = _fallen(shares, json.loads(recorded.read_text()) if recorded.exists() else {})
    for name, before in fallen.items():
        print(f"{name} agreed by {before} % before: run with --show, and mend the model")
    return 1 if fallen else 0


def _fallen(shares: t.Mapping[str, float], before: t.Mapping[str, float]) -> dict[str, float]:
    """Return the files that agree less than recorded, with the recorded share."""
    return {name: before[name] for name, share in shares.items() if share < before.get(name, 0.0)}


if __name__ == "__main__":
    sys.exit(main())
