# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

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

from ansible_collections.jailisp.vps.plugins.action.fleet_order import ActionModule

EXAMPLE = Path(__file__).resolve().parents[4] / "inventory"
ORDER: dict[str, t.Any] = {"jail": "alice-shop", "plan": "base", "customer": "alice"}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A copy of the example fleet."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "inventory"))


def run(inventory: Path, *, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    """Run the action as a task with these arguments."""
    task = Task()
    task.args = {"fleet": str(inventory / "fleet.yml"), **arguments}
    task.check_mode = check_mode
    loader, context = DataLoader(), PlayContext()
    connection = connection_loader.get("local", context)
    return ActionModule(task, connection, context, loader, Templar(loader), None).run(task_vars={})


def test_an_order_is_written_and_its_result_says_where_the_jail_is(inventory: Path) -> None:
    result = run(inventory, **ORDER, publish=[{"port": "81", "to": "80"}])
    assert result["changed"]
    assert (inventory / "jails" / "alice-shop.yml").read_text() == result["diff"][0]["after"]
    assert result["ssh"] == {key: result["jail"]["publish"][0][key] for key in ("address", "port")}
    assert result["jail"]["publish"][1]["port"] == 81
    assert not run(inventory, **ORDER)["changed"]


def test_check_mode_foretells_and_writes_nothing(inventory: Path) -> None:
    foretold = run(inventory, check_mode=True, **ORDER)
    assert foretold["changed"]
    assert not (inventory / "jails" / "alice-shop.yml").exists()
    assert run(inventory, **ORDER) == foretold


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"jail": "x"}, "missing required arguments: customer, plan"),
        ({**ORDER, "colour": "red"}, "colour"),
        ({**ORDER, "publish": [{"port": 80}]}, "missing required arguments: to found in publish"),
        ({**ORDER, "plan": "bas"}, "order: plan: bas is unknown; did you mean base\\?"),
        ({**ORDER, "jail": "bob", "customer": "carol"}, "jails/bob.yml: customer: is bob already, not carol"),
    ],
)
def test_what_is_wrong_fails_the_task(inventory: Path, arguments: dict[str, t.Any], error: str) -> None:
    with pytest.raises(AnsibleActionFail, match=error):
        run(inventory, **arguments)


def test_a_fleet_that_is_not_there_fails_the_task(inventory: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="nowhere"):
        run(inventory / "nowhere", **ORDER)


def test_a_commit_without_git_fails_the_task(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(inventory.parent))
    with pytest.raises(AnsibleActionFail, match="nothing can be committed here"):
        run(inventory, **ORDER, commit=True)
