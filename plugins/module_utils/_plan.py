# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Plans as values: the steps that lead from what is to what shall be, and what differs before and after them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.jailisp.vps.plugins.module_utils._command import NO_PROGRAM, Command, CommandFailed

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._command import Runner
    from ansible_collections.jailisp.vps.plugins.module_utils._files import Files


class Host(t.NamedTuple):
    """What steps work on: a way to start processes and a way to files."""

    runner: Runner
    files: Files


class Step(t.Protocol):
    """One action. ``subject`` names the record that it serves, '' for the host as a whole."""

    @property
    def subject(self) -> str:
        """The record's name."""

    def apply(self, host: Host) -> str:
        """Do it, or raise :class:`CommandFailed` or OSError; return what it complained of all the same."""

    def __str__(self) -> str:
        """Show it in one line."""


@dataclass(frozen=True)
class Run:
    """Run a command. ``judged`` false: its exit status proves nothing, whoever looks again afterwards judges it.

    ``explain`` makes of what the command said when it failed what a person needs to read. ``serves`` are the records
    that a command for several of them is for.
    """

    command: Command
    subject: str = ""
    judged: bool = True
    explain: t.Callable[[str], str] = str
    serves: tuple[str, ...] = ()

    def apply(self, host: Host) -> str:
        """Run it."""
        done = host.runner.run(self.command)
        if done.rc == 0:
            return ""
        if self.judged or done.rc == NO_PROGRAM:
            raise CommandFailed(replace(done, err=self.explain(done.err or done.out)))
        return done.err

    def __str__(self) -> str:
        """Show it as typed."""
        return str(self.command)


@dataclass(frozen=True)
class Write:
    """Write a file whole, see :meth:`Files.write`."""

    path: str
    content: str
    mode: int | None = 0o644
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Write it."""
        host.files.write(self.path, self.content, self.mode)
        return ""

    def __str__(self) -> str:
        """Show the file's name."""
        return f"write {self.path}"


@dataclass(frozen=True)
class WriteBeneath:
    """Write a file below a root that was not handed to its customer yet, see :meth:`Files.write_beneath`."""

    root: str
    name: str
    content: str
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Write it."""
        host.files.write_beneath(self.root, self.name, self.content, self.mode, self.owner)
        return ""

    def __str__(self) -> str:
        """Show the file's name."""
        return f"write {self.root}/{self.name}"


@dataclass(frozen=True)
class Remove:
    """Remove a file."""

    path: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Remove it."""
        host.files.remove(self.path)
        return ""

    def __str__(self) -> str:
        """Show the file's name."""
        return f"remove {self.path}"


@dataclass(frozen=True)
class MakeFolder:
    """Make one folder."""

    path: str
    mode: int = 0o755
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Make it."""
        host.files.make_folder(self.path, self.mode)
        return ""

    def __str__(self) -> str:
        """Show the folder's name."""
        return f"make folder {self.path}"


@dataclass(frozen=True)
class Move:
    """Give a finished folder or file its name."""

    source: str
    target: str
    subject: str = ""

    def apply(self, host: Host) -> str:
        """Rename it."""
        host.files.move(self.source, self.target)
        return ""

    def __str__(self) -> str:
        """Show both names."""
        return f"rename {self.source} to {self.target}"


@dataclass(frozen=True)
class Branches:
    """Sequences of steps that go side by side, ``at_once`` of them; one that fails ends itself and no other.

    ``undo[i]`` is done when branch i fails, so that what it half made does not fill the disk.
    """

    branches: tuple[tuple[Step, ...], ...]
    undo: tuple[tuple[Step, ...], ...]
    at_once: int


@dataclass(frozen=True)
class Change:
    """What one thing (a file's path, a record's name) was and will be; text, mappings, or None for not there."""

    name: str
    before: t.Any
    after: t.Any


@dataclass(frozen=True)
class Plan:
    """Everything that would be done, in order, and what it would change.

    ``checks`` change nothing and are run in check mode too, before anything else: what they refuse is refused whole.
    ``refused`` are records (name, why) that the plan leaves out. ``quiet`` are steps of bookkeeping that are no change
    to the host (a note of what was loaded). ``notes`` goes into the module's result as it is.
    """

    steps: tuple[Step | Branches, ...] = ()
    changes: tuple[Change, ...] = ()
    checks: tuple[Run, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    quiet: tuple[Step, ...] = ()
    notes: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self.steps and not self.quiet

    @property
    def commands(self) -> list[str]:
        """Show every step in one line each, in order."""
        return [str(step) for step in flat(self.steps)]

    def left_for(self) -> dict[str, list[str]]:
        """Return the steps as text for each record that they serve ('' for the host)."""
        found: dict[str, list[str]] = {}
        for step in flat(self.steps):
            for subject in getattr(step, "serves", ()) or (step.subject,):
                found.setdefault(subject, []).append(str(step))
        return found


def flat(steps: t.Iterable[Step | Branches]) -> t.Iterator[Step]:
    """Yield the steps, those of branches one branch after another."""
    for step in steps:
        if isinstance(step, Branches):
            for branch in step.branches:
                yield from branch
        else:
            yield step


def by_name(records: t.Iterable[t.Mapping[str, t.Any]], what: str, key: str = "name") -> dict[t.Any, t.Any]:
    """Index records by their key; raise :class:`InvalidDesired` naming both places of a key that comes twice."""
    found: dict[t.Any, t.Any] = {}
    places: dict[t.Any, int] = {}
    for place, record in enumerate(records):
        if record[key] in found:
            raise InvalidDesired(
                f"{what}[{place}].{key}: {record[key]} stands already at {what}[{places[record[key]]}]; remove one"
            )
        found[record[key]], places[record[key]] = record, place
    return found


def file_mode(path: str, text: str) -> int:
    """Return the mode of a file that a wish gives in octal; raise :class:`InvalidDesired` if it is none."""
    try:
        return int(text, 8)
    except ValueError as error:
        raise InvalidDesired(f"files: {path}: mode: {text!r} is not octal; write it as '0644'") from error


class InvalidDesired(Exception):
    """The wish itself is wrong; the text names the record and the key and says what to do."""


class ParseError(Exception):
    """A program printed what it is not known to print; the text shows the line."""
