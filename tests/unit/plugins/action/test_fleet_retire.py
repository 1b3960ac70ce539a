# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

from ansible_collections.jailisp.vps.plugins.action.fleet_retire import ActionModule
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, HostRunner
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project

EXAMPLE = Path(__file__).resolve().parents[4] / "inventory"
RECORD = """\
---
# Paid until May.
host: h1
customer: bob   # the elder
plan: base
id: 13
address: 192.168.1.13
state: 'stopped'  # on holiday
publish:
  - {port: 8013, to: 22}
"""
MOMENT = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z")


class Inventory:
    """A copy of the example fleet, where bob's record is written in a style of its own."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.record = base / "jails" / "bob.yml"
        self.record.write_text(RECORD)

    def run(self, *, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """Run the action as a task with these arguments."""
        task = Task()
        task.args = {"fleet": str(self.base / "fleet.yml"), "jail": "bob", **arguments}
        task.check_mode = check_mode
        loader, context = DataLoader(), PlayContext()
        connection = connection_loader.get("local", context)
        return ActionModule(task, connection, context, loader, Templar(loader), None).run(task_vars={})

    def refused(self, **arguments: t.Any) -> str:
        """Run the action, which must fail and change nothing; return why."""
        before = self.files()
        with pytest.raises(AnsibleActionFail) as caught:
            self.run(**arguments)
        assert self.files() == before
        return str(caught.value)

    def files(self) -> dict[str, bytes]:
        """Return all files of the inventory, hidden ones too, but not what git keeps."""
        found = (path for path in self.base.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.base)): path.read_bytes() for path in found}

    def git(self, *argv: str) -> str:
        """Run git in the inventory and return what it prints."""
        done = HostRunner(os.environ).run(Command(("git", "-C", str(self.base), *argv)))
        assert done.rc == 0, done.failure
        return done.out


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(Path(shutil.copytree(EXAMPLE, tmp_path / "inventory")))


@pytest.fixture
def committed(inventory: Inventory) -> Inventory:
    """Return the inventory as a repository in which all is committed."""
    inventory.git("init", "--quiet")
    for name, value in (("user.name", "Olga"), ("user.email", "olga@example.net"), ("commit.gpgsign", "false")):
        inventory.git("config", name, value)
    inventory.git("add", ".")
    inventory.git("commit", "--quiet", "--message=All")
    return inventory


def test_a_retired_jails_record_is_otherwise_as_it_was_written(inventory: Inventory) -> None:
    result = inventory.run()
    moment = result["retired"]
    assert MOMENT.fullmatch(moment)
    text = RECORD.replace("'stopped'", "absent") + f"retired: {moment}\n"
    assert inventory.record.read_text() == text
    assert result["diff"] == [
        {"before_header": "jails/bob.yml", "after_header": "jails/bob.yml", "before": RECORD, "after": text}
    ]
    assert {key: result[key] for key in ("changed", "known", "host", "path", "archive", "files", "commit")} == {
        "changed": True,
        "known": True,
        "host": "h1",
        "path": "/usr/local/jails/h1/bob",
        "archive": f"/var/jail-archives/bob-{moment}.tar.zst",
        "files": ["jails/bob.yml"],
        "commit": "",
    }


def test_a_root_in_a_neighbourhood_is_told_where_it_is(inventory: Inventory) -> None:
    inventory.record.write_text(f"{RECORD}neighbourhood: n1\n")
    with (inventory.base / "host_vars" / "h1.yml").open("a") as file:
        file.write("vps_neighbourhoods: {n1: {path: /jails/n1, disk: 80G}}\n")
    for record in (inventory.base / "jails").glob("*.yml"):
        if "host: h1\n" in record.read_text() and record != inventory.record:
            record.unlink()
    assert inventory.run()["path"] == "/jails/n1/bob"


def test_the_fleet_has_the_jail_as_absent_then_and_its_places_are_taken(inventory: Inventory) -> None:
    inventory.run()
    (bob,) = [
        jail for jail in open_project(inventory.base / "fleet.yml", DataLoader()).resolve()[1]["h1"] if jail["id"] == 13
    ]
    assert (bob["state"], bool(MOMENT.fullmatch(bob["retired"])), bob["address"]) == ("absent", True, "192.168.1.13")


def test_a_retired_jail_keeps_its_moment(inventory: Inventory) -> None:
    inventory.record.write_text(RECORD.replace("'stopped'", "absent") + "retired: 2026-01-01T000000Z\n")
    result = inventory.run()
    assert (result["changed"], result["files"], result["retired"]) == (False, [], "2026-01-01T000000Z")
    assert result["until"] == "2026-04-01"


def test_a_jail_that_was_made_absent_by_hand_is_retired_now(inventory: Inventory) -> None:
    inventory.record.write_text(RECORD.replace("'stopped'", "absent"))
    assert inventory.run()["retired"] > "2026"


def test_check_mode_foretells_and_writes_nothing(inventory: Inventory) -> None:
    foretold = inventory.run(check_mode=True)
    assert foretold["changed"]
    assert inventory.record.read_text() == RECORD
    result = inventory.run()
    same = [
        {**each, "diff": MOMENT.sub("", str(each["diff"])), **dict.fromkeys(MOMENTS)} for each in (foretold, result)
    ]
    assert same[0] == same[1]


MOMENTS = ("retired", "archive", "until", "msg")


@pytest.mark.parametrize(
    ("jail", "error"),
    [
        ("bbo", "retire: jail: bbo has no record; did you mean bob?"),
        ("zzzzzzzz", "retire: jail: zzzzzzzz has no record; name a jail that has one"),
        ("../plans/base", "retire: jail: '../plans/base' cannot be the name of a jail; correct it"),
        ("bob\n", "retire: jail: 'bob\\n' cannot be the name of a jail; correct it"),
    ],
)
def test_an_unknown_jail_is_refused(inventory: Inventory, jail: str, error: str) -> None:
    assert inventory.refused(jail=jail) == error


@pytest.mark.parametrize("step", ["retire", "destroy", "forget"])
def test_a_fleet_with_an_error_is_left_as_it_is(inventory: Inventory, step: str) -> None:
    (inventory.base / "jails" / "alice.yml").write_text(RECORD)
    assert "id: 13 is taken by alice" in inventory.refused(step=step)


def test_a_record_that_cannot_be_edited_is_told(inventory: Inventory) -> None:
    inventory.record.write_text("{host: h1, customer: bob, plan: base, id: 13, address: 192.168.1.13}\n")
    assert inventory.refused() == "jails/bob.yml: is written in braces; write one key a line"


# Afterwards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["destroy", "forget"])
@pytest.mark.parametrize(
    ("record", "error"),
    [
        (RECORD, "jails/bob.yml: state: is stopped: it cannot be destroyed; retire it first"),
        (RECORD.replace("'stopped'", "absent"), "jails/bob.yml: retired: missing: it was never retired; retire it"),
        (
            RECORD.replace("'stopped'", "absent") + "retired: 2026-02-30T000000Z\n",
            "jails/bob.yml:11: retired: 2026-02-30T000000Z is not a moment; write one such as 2026-11-24T093000Z",
        ),
    ],
)
def test_what_is_not_retired_is_not_destroyed(inventory: Inventory, step: str, record: str, error: str) -> None:
    inventory.record.write_text(record)
    assert inventory.refused(step=step).startswith(error)


def test_before_destroying_nothing_is_written(inventory: Inventory) -> None:
    retired = inventory.run()
    before = inventory.files()
    result = inventory.run(step="destroy")
    assert (result["changed"], result["diff"], inventory.files()) == (False, [], before)
    assert {key: result[key] for key in ("host", "path", "archive")} == {
        key: retired[key] for key in ("host", "path", "archive")
    }


def test_a_forgotten_jails_record_is_gone_and_nothing_else(inventory: Inventory) -> None:
    inventory.run()
    before = inventory.files()
    foretold = inventory.run(step="forget", check_mode=True)
    assert inventory.files() == before
    result = inventory.run(step="forget")
    assert result == foretold
    assert (result["changed"], result["host"]) == (True, "h1")
    assert before.keys() - inventory.files().keys() == {"jails/bob.yml"}


@pytest.mark.parametrize("step", ["destroy", "forget"])
def test_what_has_no_record_is_gone_already(inventory: Inventory, step: str) -> None:
    inventory.record.unlink()
    result = inventory.run(step=step)
    assert (result["changed"], result["known"], result["files"]) == (False, False, [])
    assert result["msg"].startswith("bob has no record")
    assert "If it was destroyed, nothing is left to do" in result["msg"]


# git ------------------------------------------------------------------------------------------------------------------


def test_each_step_is_a_commit_of_the_record_only(committed: Inventory) -> None:
    (committed.base / "plans" / "base.yml").write_text("# mine\n" + (committed.base / "plans" / "base.yml").read_text())
    committed.git("add", "plans/base.yml")
    steps: tuple[tuple[dict[str, t.Any], str], ...] = (
        ({}, "Retire jail bob"),
        ({"step": "forget"}, "Forget jail bob, which is destroyed"),
    )
    for arguments, message in steps:
        result = committed.run(**arguments, commit=True)
        assert committed.git("log", "-1", "--format=%H %s").strip() == f"{result['commit']} {message}"
        assert committed.git("show", "--format=", "--name-only").split() == ["jails/bob.yml"]
        assert committed.git("diff", "--cached", "--name-only").split() == ["plans/base.yml"]
        assert not committed.run(**arguments, commit=True)["changed"]


@pytest.mark.parametrize("arguments", [{}, {"step": "forget"}])
def test_what_was_written_and_not_committed_is_committed_by_the_next_run(
    committed: Inventory, arguments: dict[str, t.Any]
) -> None:
    committed.run()
    committed.run(**arguments)
    assert committed.run(**arguments, commit=True, check_mode=True)["changed"]
    assert committed.run(**arguments, commit=True)["changed"]
    assert committed.git("status", "--porcelain") == ""
    assert not committed.run(**arguments, commit=True)["changed"]


@pytest.mark.parametrize("step", ["retire", "forget"])
def test_a_commit_that_git_refuses_leaves_the_record_as_it_was(committed: Inventory, step: str) -> None:
    if step == "forget":
        committed.run()
    hook = committed.base / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n")
    hook.chmod(0o755)
    status = committed.git("status", "--porcelain")
    assert "not on a Friday" in committed.refused(step=step, commit=True)
    assert committed.git("status", "--porcelain") == status
