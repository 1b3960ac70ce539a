# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The thin shell around every module: observe, plan, and, unless in check mode, apply; here and nowhere else."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._command import CommandFailed, HostRunner, at_once
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._hold import VARIABLE, Held, call
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Change,
    Host,
    InvalidDesired,
    ParseError,
    Plan,
    Step,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Actual = t.TypeVar("Actual")


class Subsystem(t.Protocol[Actual]):
    """What a module knows of its subsystem; ``plan`` is pure.

    ``attempts``: how often to plan and apply before giving up. A later attempt may use means that the first must not
    (a jail that vetoed its own stop is removed).
    """

    attempts: int

    def observe(self, host: Host) -> Actual:
        """Read what is, by a number of processes that does not depend on the number of records."""

    def plan(self, actual: Actual, attempt: int) -> Plan:
        """Say what to do about it; ``attempt`` counts from 1."""


@dataclass
class Outcome:
    """What came of it, in the form of the module's result. ``errors``: record ('' for the host) and what went wrong."""

    changed: bool = False
    commands: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, t.Any] = field(default_factory=dict)

    def result(self) -> dict[str, t.Any]:
        """Return it as exit_json and fail_json take it; only what differs is in it."""
        return {
            "changed": self.changed,
            "commands": self.commands,
            "before": {change.name: change.before for change in self.changes},
            "after": {change.name: change.after for change in self.changes},
            "diff": [_diff(change) for change in self.changes],
            "errors": [{"name": name, "error": error} for name, error in self.errors],
            **self.notes,
        }


def _diff(change: Change) -> dict[str, t.Any]:
    before, after = ("" if value is None else value for value in (change.before, change.after))
    return {"before_header": change.name, "after_header": change.name, "before": before, "after": after}


def converge(subsystem: Subsystem[t.Any], host: Host, *, check_mode: bool) -> Outcome:
    """Bring the host to what the subsystem wishes (in check mode: say how), and look again whether it is there."""
    outcome = Outcome()
    plan = subsystem.plan(subsystem.observe(host), 1)
    _foretell(plan, outcome)
    if not _accepted(plan, host, outcome):
        return outcome
    if check_mode:
        outcome.changed = bool(plan.steps)
        return outcome
    trouble = Trouble()
    for attempt in range(1, subsystem.attempts + 1):
        # What an earlier attempt brought to light.
        outcome.errors += [refusal for refusal in plan.refused if refusal not in outcome.errors]
        if plan.empty:
            break
        if attempt > 1 and not plan.quiet and set(plan.commands) <= set(outcome.commands):
            break  # What was tried already would not help now.
        outcome.commands += plan.commands if attempt > 1 else []
        trouble = _apply(plan, host, outcome)
        plan = subsystem.plan(subsystem.observe(host), attempt + 1)
        if trouble.of_host:
            break
    outcome.notes.update(plan.notes)
    _judge(plan, trouble, outcome)
    return outcome


def _foretell(plan: Plan, outcome: Outcome) -> None:
    outcome.commands = plan.commands
    outcome.changes = list(plan.changes)
    outcome.errors = list(plan.refused)
    outcome.notes = dict(plan.notes)


def _accepted(plan: Plan, host: Host, outcome: Outcome) -> bool:
    """Run the checks; if one refuses, nothing of the plan is going to happen."""
    trouble = Trouble()
    for check in plan.checks:
        _attempt(check, host, trouble)
    if trouble.errors:
        outcome.errors += trouble.errors
        outcome.commands, outcome.changes = [], []
    return not trouble.errors


@dataclass
class Trouble:
    """What went wrong while a plan was applied: failed steps by record, and what commands complained of."""

    errors: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def of_host(self) -> bool:
        """Whether a step failed that serves no record but the host."""
        return any(not subject for subject, reason in self.errors)

    def about(self, subject: str) -> str:
        """Return the complaints that name a record, in one line."""
        lines = [line for text in self.complaints for line in text.splitlines()]
        return "; ".join(line for line in lines if re.search(rf"\b{re.escape(subject)}\b", line))


def _apply(plan: Plan, host: Host, outcome: Outcome) -> Trouble:
    """Do the steps. One of the host's own that fails ends it, one for a record only what is for that record.

    What was done before a failure still counts as changed.
    """
    trouble = Trouble()
    for step in (*plan.steps, *plan.quiet):
        if isinstance(step, Branches):
            pairs = list(zip(step.branches, step.undo, strict=True))
            begun = at_once(lambda pair: _branch(pair, host, trouble), pairs, step.at_once)
            outcome.changed = outcome.changed or any(begun)
        elif step.subject and step.subject in {subject for subject, reason in trouble.errors}:
            continue
        else:
            done = _attempt(step, host, trouble)
            outcome.changed = outcome.changed or (done and step in plan.steps)
            if trouble.of_host:
                break
    return trouble


def _attempt(step: Step, host: Host, trouble: Trouble) -> bool:
    """Do one step; return whether it was done."""
    try:
        complaint = step.apply(host)
    except CommandFailed as failure:
        trouble.errors.append((step.subject, str(failure)))
        return False
    except OSError as failure:
        trouble.errors.append((step.subject, f"cannot {step}: {failure.strerror}"))
        return False
    if complaint:
        trouble.complaints.append(complaint)
    return True


def _branch(pair: tuple[tuple[Step, ...], tuple[Step, ...]], host: Host, trouble: Trouble) -> bool:
    """Do the steps of a branch up to the first that fails; return whether any was done."""
    steps, undo = pair
    done = list(itertools.takewhile(lambda step: _attempt(step, host, trouble), steps))
    if len(done) < len(steps):
        for step in undo:
            _attempt(step, host, Trouble())
    return bool(done)


def _judge(plan: Plan, trouble: Trouble, outcome: Outcome) -> None:
    """Turn what is left to do after the last attempt into errors, with what the failed steps said."""
    if plan.empty:
        # What is planned no more because it is refused by now was not done either.
        refused = {name for name, _why in plan.refused}
        outcome.errors += [(subject, reason) for subject, reason in trouble.errors if subject in refused]
        return
    outcome.errors += trouble.errors
    explained = {subject for subject, reason in trouble.errors}
    if "" in explained:
        return
    for subject, commands in sorted(plan.left_for().items()):
        if subject not in explained:
            why = trouble.about(subject) if subject else "; ".join(trouble.complaints)
            outcome.errors.append((subject, f"{why or 'did not converge'}; still to do: {', '.join(commands)}"))


def run_module(module: AnsibleModule, subsystem: t.Callable[[], Subsystem[t.Any]], host: Host | None = None) -> None:
    """Converge the host that the module runs on and end the module; calling ``subsystem`` checks the wish."""
    if host is None:
        if os.geteuid() != 0:
            module.fail_json(
                msg="this module needs root's rights on the jail host: log in as root, or set become: true"
            )
        host = Host(HostRunner(), Files())
    try:
        # Who only looks disturbs nobody.
        run = os.environ.get(VARIABLE, "")
        name = module._name.rpartition(".")[2]
        with contextlib.nullcontext() if module.check_mode else call(host.files, name, run):
            outcome = converge(subsystem(), host, check_mode=module.check_mode)
    except (InvalidDesired, ParseError, CommandFailed, Held) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        # What must be read of the host and cannot: a folder in place of a file, a disk that fails.
        module.fail_json(msg=f"{error.filename or 'this host'}: {error.strerror}")
    if outcome.errors:
        lines = [f"{name}: {error}" if name else error for name, error in outcome.errors]
        module.fail_json(msg="\n".join(lines), **outcome.result())
    module.exit_json(**outcome.result())


def run_info(module: AnsibleModule, look: t.Callable[[Host, t.Any], dict[str, t.Any]]) -> None:
    """End a module that only looks with what ``look`` sees, given the host and the module's parameters."""
    try:
        module.exit_json(**look(Host(HostRunner(), Files()), module.params))
    except (InvalidDesired, ParseError, CommandFailed) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; log in as root, or set become: true")
