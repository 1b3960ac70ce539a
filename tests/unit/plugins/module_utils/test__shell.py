# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed, Done, HostRunner
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Change,
    Host,
    InvalidDesired,
    ParseError,
    Plan,
    Run,
    Step,
)
from ansible_collections.jailisp.vps.plugins.module_utils._shell import Outcome, converge
from ansible_collections.jailisp.vps.plugins.modules import zfs_datasets
from support.lab import run_main


@dataclass(frozen=True, eq=False)
class Put:
    """A step that puts a thing on the shelf, unless the shelf has trouble with it."""

    shelf: Shelf
    thing: str
    subject: str = ""
    verb: str = "put"

    def apply(self, host: Host) -> str:
        del host
        self.shelf.tried.append(str(self))
        trouble = self.shelf.trouble.get(str(self))
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is None:
            self.shelf.there.add(self.thing)
        return trouble or ""

    def __str__(self) -> str:
        return f"{self.verb} {self.thing}"


@dataclass
class Shelf:
    """A subsystem whose wish is a sequence of things: thing -> record that it is for.

    ``trouble``: what a step complains of instead of doing its work, or raises.
    """

    wish: dict[str, str]
    trouble: dict[str, str | Exception] = field(default_factory=dict)
    attempts: int = 1
    plans: t.Callable[[Shelf, list[Step]], Plan] = lambda shelf, steps: Plan(tuple(steps))
    there: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)

    def observe(self, host: Host) -> frozenset[str]:
        del host
        return frozenset(self.there)

    def plan(self, actual: frozenset[str], attempt: int) -> Plan:
        verb = "put" if attempt == 1 else "force"
        steps: list[Step] = [Put(self, thing, who, verb) for thing, who in self.wish.items() if thing not in actual]
        return self.plans(self, steps)


class NoProcess:
    """A runner for plans that start no process."""

    def run(self, command: Command) -> Done:
        raise AssertionError(command)


HOST = Host(NoProcess(), Files("/nonexistent"))
FAILED = CommandFailed(Done(Command(("put",)), 1, "", "it is full"))
SAID = "`put` ended with status 1: it is full"


def run(shelf: Shelf, *, check_mode: bool = False) -> Outcome:
    return converge(shelf, HOST, check_mode=check_mode)


def test_what_is_missing_is_done_and_the_second_time_nothing() -> None:
    shelf = Shelf({"a": "", "b": ""})
    outcome = run(shelf)
    assert (outcome.changed, outcome.commands, outcome.errors) == (True, ["put a", "put b"], [])
    assert shelf.there == {"a", "b"}
    again = run(shelf)
    assert (again.changed, again.commands, again.errors) == (False, [], [])


def test_check_mode_foretells_and_does_nothing() -> None:
    shelf = Shelf({"a": "", "b": ""}, plans=lambda _shelf, steps: Plan(tuple(steps), (Change("a", None, "here\n"),)))
    foretold = run(shelf, check_mode=True)
    assert (shelf.tried, foretold.changed, foretold.commands) == ([], True, ["put a", "put b"])
    assert foretold.result() == run(shelf).result()


@pytest.mark.parametrize("check_mode", [True, False])
def test_checks_come_first_and_what_they_refuse_is_not_begun(check_mode: bool) -> None:
    class Refusing:
        def run(self, command: Command) -> Done:
            return Done(command, 1, "", "line 1: syntax error\n")

    check = Run(Command(("pfctl", "-nf", "-")))
    shelf = Shelf({"a": ""}, plans=lambda _shelf, steps: Plan(tuple(steps), (Change("a", 1, 2),), checks=(check,)))
    outcome = converge(shelf, Host(Refusing(), Files("/nonexistent")), check_mode=check_mode)
    assert shelf.tried == []
    assert (outcome.changed, outcome.commands, outcome.changes) == (False, [], [])
    assert outcome.errors == [("", "`pfctl -nf -` ended with status 1: line 1: syntax error")]


def test_a_failing_step_of_the_host_ends_it_and_what_was_done_counts() -> None:
    shelf = Shelf({"a": "", "b": "", "c": ""}, {"put b": FAILED})
    outcome = run(shelf)
    assert shelf.tried == ["put a", "put b"]
    assert (outcome.changed, outcome.errors) == (True, [("", SAID)])


def test_a_first_step_that_fails_is_no_change() -> None:
    assert not run(Shelf({"a": "", "b": ""}, {"put a": FAILED})).changed


def test_a_failing_step_of_a_record_ends_only_that_record() -> None:
    shelf = Shelf({"a1": "alice", "b1": "bob", "a2": "alice", "b2": "bob", "host": ""}, {"put a1": FAILED})
    outcome = run(shelf)
    assert shelf.tried == ["put a1", "put b1", "put b2", "put host"]
    assert (outcome.changed, outcome.errors) == (True, [("alice", SAID)])


def test_a_failing_system_call_is_told_with_its_step() -> None:
    outcome = run(Shelf({"a": "alice"}, {"put a": OSError(28, "No space left on device")}))
    assert outcome.errors == [("alice", "cannot put a: No space left on device")]


def test_what_claims_to_work_and_does_not_is_found_by_looking_again() -> None:
    outcome = run(Shelf({"a": "alice", "b": "bob", "c": ""}, {"put a": "", "put c": ""}))
    assert outcome.errors == [
        ("", "did not converge; still to do: force c"),
        ("alice", "did not converge; still to do: force a"),
    ]


def test_what_was_complained_of_is_told_of_the_record_that_it_names() -> None:
    complaint = "jail: alice: exec failed\njail: alicette: something else\n"
    outcome = run(Shelf({"a": "alice", "b": "bob"}, {"put a": complaint, "put b": "bob is tired"}))
    assert outcome.errors == [
        ("alice", "jail: alice: exec failed; still to do: force a"),
        ("bob", "bob is tired; still to do: force b"),
    ]


def test_a_second_attempt_may_use_other_means() -> None:
    shelf = Shelf({"a": "alice", "b": "bob"}, {"put a": "no"}, attempts=2)
    outcome = run(shelf)
    assert (outcome.errors, outcome.commands) == ([], ["put a", "put b", "force a"])
    assert shelf.there == {"a", "b"}


def test_a_second_attempt_mends_a_failure_of_the_first() -> None:
    outcome = run(Shelf({"a": "alice"}, {"put a": FAILED}, attempts=2))
    assert (outcome.changed, outcome.errors) == (True, [])


def test_what_was_tried_already_is_not_tried_again() -> None:
    def same(shelf: Shelf, steps: list[Step]) -> Plan:
        return Plan(tuple(Put(shelf, step.thing, step.subject) for step in steps if isinstance(step, Put)))

    shelf = Shelf({"a": "alice"}, {"put a": FAILED}, attempts=3, plans=same)
    assert run(shelf).errors == [("alice", SAID)]
    assert shelf.tried == ["put a"]


def test_trouble_of_the_host_allows_no_second_attempt() -> None:
    shelf = Shelf({"a": ""}, {"put a": FAILED}, attempts=2)
    assert run(shelf).errors == [("", SAID)]
    assert shelf.tried == ["put a"]


def test_refused_records_do_not_stop_the_others() -> None:
    shelf = Shelf({"a": ""}, plans=lambda _shelf, steps: Plan(tuple(steps), refused=(("bob", "somebody else's"),)))
    outcome = run(shelf)
    assert (outcome.changed, outcome.errors, shelf.there) == (True, [("bob", "somebody else's")], {"a"})


def test_a_record_that_is_refused_only_by_the_second_attempt_is_told_of() -> None:
    def late(shelf: Shelf, steps: list[Step]) -> Plan:
        return Plan(tuple(steps), refused=(("bob", "somebody else's"),) if shelf.there else ())

    outcome = run(Shelf({"a": ""}, attempts=2, plans=late))
    assert (outcome.changed, outcome.errors) == (True, [("bob", "somebody else's")])


def test_bookkeeping_is_done_and_is_no_change() -> None:
    shelf = Shelf({"a": ""}, plans=lambda _shelf, steps: Plan(quiet=tuple(steps)))
    outcome = run(shelf)
    assert (outcome.changed, outcome.commands, outcome.errors, shelf.there) == (False, [], [], {"a"})


@pytest.mark.parametrize("attempts", [1, 2])
def test_notes_are_those_of_the_end(attempts: int) -> None:
    shelf = Shelf({"a": ""}, attempts=attempts)
    shelf.plans = lambda _shelf, steps: Plan(tuple(steps), notes={"left": len(steps)})
    assert run(shelf, check_mode=True).result()["left"] == 1
    assert run(shelf).result()["left"] == 0


def test_a_branch_that_fails_is_undone_and_no_other() -> None:
    def side_by_side(shelf: Shelf, steps: list[Step]) -> Plan:
        names = sorted({step.subject for step in steps})
        branches = tuple(tuple(step for step in steps if step.subject == name) for name in names)
        undo = tuple((Put(shelf, f"-{name}", name, "clear"),) for name in names)
        return Plan((Branches(branches, undo, 2),) if steps else ())

    wish = {f"{name}{number}": name for name in ("alice", "bob", "carol") for number in (1, 2, 3)}
    shelf = Shelf(wish, {"put bob2": FAILED}, plans=side_by_side)
    outcome = run(shelf)
    assert outcome.errors == [("bob", SAID)]
    assert outcome.changed
    assert shelf.there == {thing for thing in wish if not thing.startswith("bob")} | {"bob1", "-bob"}
    assert sorted(shelf.tried) == sorted({f"put {thing}" for thing in wish} - {"put bob3"} | {"clear -bob"})


def test_branches_that_all_fail_at_once_are_no_change() -> None:
    def branch(_shelf: Shelf, steps: list[Step]) -> Plan:
        return Plan((Branches((tuple(steps),), ((),), 1),) if steps else ())

    outcome = run(Shelf({"a": "alice"}, {"put a": FAILED}, plans=branch))
    assert (outcome.changed, outcome.errors) == (False, [("alice", SAID)])


def test_the_result_holds_a_diff_of_what_differs() -> None:
    outcome = Outcome(changes=[Change("/a", None, "new\n"), Change("jail b", {"x": "1"}, None)])
    assert outcome.result()["diff"] == [
        {"before_header": "/a", "after_header": "/a", "before": "", "after": "new\n"},
        {"before_header": "jail b", "after_header": "jail b", "before": {"x": "1"}, "after": ""},
    ]


# The end of a module --------------------------------------------------------------------------------------------------


def ended(monkeypatch: pytest.MonkeyPatch, subsystem: t.Callable[[], t.Any], uid: int = 0) -> dict[str, t.Any]:
    """Return the result of a module with another subsystem."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(zfs_datasets, "Datasets", lambda parameters: subsystem())
    return run_main(zfs_datasets, datasets=[])


def test_a_module_without_roots_rights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended(monkeypatch, lambda: Shelf({}), uid=1001)
    assert result["failed"]
    assert result["msg"].startswith("this module needs root's rights on the jail host")


def test_a_failed_module_tells_every_error_and_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended(monkeypatch, lambda: Shelf({"a": "alice", "b": "bob", "c": "carol"}, {"put a": FAILED, "put b": ""}))
    assert result["failed"]
    assert result["changed"]
    assert result["msg"] == f"alice: {SAID}\nbob: did not converge; still to do: force b"
    assert [error["name"] for error in result["errors"]] == ["alice", "bob"]


@pytest.mark.parametrize("error", [InvalidDesired("jails: x"), ParseError("jails: x")])
def test_errors_in_the_wish_and_in_what_is_read_are_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse() -> t.NoReturn:
        raise error

    result = ended(monkeypatch, refuse)
    assert (result["failed"], result["msg"]) == (True, "jails: x")


def test_a_module_works_on_the_host_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Host] = []

    class Looking(Shelf):
        def observe(self, host: Host) -> frozenset[str]:
            seen.append(host)
            return frozenset()

    assert not ended(monkeypatch, lambda: Looking({}))["changed"]
    assert [(type(host.runner), host.files.root) for host in seen] == [(HostRunner, "/")]


def test_what_failed_is_told_although_it_is_refused_by_now() -> None:
    def plans(shelf: Shelf, steps: list[Step]) -> Plan:
        return Plan(refused=(("x", "no room"),)) if shelf.tried else Plan(tuple(steps))

    outcome = run(Shelf({"a": "x"}, trouble={"put a": FAILED}, plans=plans))
    assert outcome.errors == [("x", SAID)]
