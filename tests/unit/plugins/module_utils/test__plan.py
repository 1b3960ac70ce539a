# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import NO_PROGRAM, Command, CommandFailed, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Branches,
    Host,
    InvalidDesired,
    MakeFolder,
    Move,
    Plan,
    Remove,
    Run,
    Step,
    Write,
    by_name,
)


class Answering:
    """A runner whose every command ends in the same way."""

    def __init__(self, rc: int, err: str = "") -> None:
        self.rc, self.err = rc, err

    def run(self, command: Command) -> Done:
        return Done(command, self.rc, "", self.err)


def host(rc: int = 0, err: str = "", root: Path = Path("/nonexistent")) -> Host:
    return Host(Answering(rc, err), Files(str(root)))


LIST = Run(Command(("pfctl", "-f", "a b")))


def test_duplicates_are_refused_with_both_their_places() -> None:
    records = [{"name": "a"}, {"name": "b"}, {"name": "a"}]
    with pytest.raises(InvalidDesired, match=r"^jails\[2\]\.name: a stands already at jails\[0\]; remove one$"):
        by_name(records, "jails")


def test_records_are_indexed_by_the_given_key() -> None:
    assert by_name([{"number": 2}, {"number": 1}], "pipes", "number") == {2: {"number": 2}, 1: {"number": 1}}


def test_a_judged_command_that_fails_is_a_failure() -> None:
    with pytest.raises(CommandFailed, match=r"`pfctl -f 'a b'` ended with status 1: wrong$"):
        LIST.apply(host(1, "wrong\n"))


def test_a_command_that_is_not_judged_only_complains() -> None:
    step = Run(LIST.command, judged=False)
    assert (step.apply(host(1, "wrong\n")), step.apply(host(0, "chatter"))) == ("wrong\n", "")


def test_a_program_that_is_not_there_is_a_failure_in_any_case() -> None:
    with pytest.raises(CommandFailed, match="no such program"):
        Run(LIST.command, judged=False).apply(host(NO_PROGRAM, "no such program"))


def test_a_complaint_is_explained() -> None:
    with pytest.raises(CommandFailed, match=r"status 1: WRONG$"):
        Run(LIST.command, explain=str.upper).apply(host(1, "wrong"))


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (LIST, "pfctl -f 'a b'"),
        (Write("/a", "secret"), "write /a"),
        (Remove("/a"), "remove /a"),
        (MakeFolder("/a"), "make folder /a"),
        (Move("/a", "/b"), "rename /a to /b"),
    ],
    ids=["run", "write", "remove", "make folder", "move"],
)
def test_steps_say_what_they_do_in_one_line_without_contents(step: Step, text: str) -> None:
    assert str(step) == text


def test_steps_on_files_do_what_they_say(tmp_path: Path) -> None:
    here = host(root=tmp_path)
    for step in (
        MakeFolder("/new", 0o750),
        Write("/new/a", "x", 0o600),
        Write("/b", ""),
        Move("/new", "/d"),
        Remove("/b"),
    ):
        assert step.apply(here) == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "d"]
    assert ((tmp_path / "d").stat().st_mode & 0o777, (tmp_path / "d/a").stat().st_mode & 0o777) == (0o750, 0o600)


def test_a_plan_lists_the_steps_of_its_branches_one_branch_after_another() -> None:
    a, b, c = Remove("/a", "x"), Remove("/b", "y"), Remove("/c", "x")
    plan = Plan((Branches(((a, c), (b,)), ((), ()), 2), LIST))
    assert plan.commands == ["remove /a", "remove /c", "remove /b", "pfctl -f 'a b'"]
    assert plan.left_for() == {"x": ["remove /a", "remove /c"], "y": ["remove /b"], "": ["pfctl -f 'a b'"]}


def test_a_command_for_several_records_is_left_for_each_of_them() -> None:
    assert Plan((Run(Command(("true",)), serves=("x", "y")),)).left_for() == {"x": ["true"], "y": ["true"]}


def test_bookkeeping_makes_a_plan_that_is_not_empty_and_lists_nothing() -> None:
    plan = Plan(quiet=(Remove("/a"),))
    assert (plan.empty, plan.commands, Plan().empty) == (False, [], True)
