# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.jailisp.vps.plugins.action import host_hold

Values = dict[str, t.Any]
OTHER = {"run": "anna@elsewhere:7", "module": "jails"}


class Asked(host_hold.ActionModule):
    """The action, with answers of the module at hand."""

    def __init__(self, answers: list[Values], seconds: int = 600) -> None:
        self.answers, self.asked, self.seconds = answers, list[Values](), seconds
        self._task = t.cast(t.Any, types.SimpleNamespace(args={}))

    def validate_argument_spec(self, *_arguments: t.Any, **_more: t.Any) -> t.Any:
        return None, {"state": "held", "seconds": self.seconds, "instead_of": ""}

    def _execute_module(self, *_arguments: t.Any, **more: t.Any) -> Values:
        self.asked.append(dict(more["module_args"]))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def held(**holder: t.Any) -> Values:
    return {"failed": True, "msg": "somebody holds this host", "holder": {**OTHER, **holder}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass but that which is slept."""
    now = [0.0]
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_more: {})
    fake = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(host_hold, "time", fake)
    return now


def test_it_waits_until_the_host_is_free_and_says_once_for_whom(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    action = Asked([held(), held(), {"changed": False, "holder": {}}])
    assert action.run(task_vars={"inventory_hostname": "h1"}) == {"changed": False, "holder": {}}
    assert capsys.readouterr().out == "h1: somebody holds this host\n"
    assert clock == [2 * host_hold.PAUSE]


def test_who_waited_for_too_long_is_told_who_holds_the_host(clock: list[float]) -> None:
    assert Asked([held()]).run(task_vars={})["failed"]
    assert 600 <= clock[0] <= 600 + host_hold.PAUSE


def test_a_run_that_is_over_is_replaced_at_once(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_hold, "is_over", lambda run: run == "anna@here:9")
    action = Asked([held(run="anna@here:9"), {"changed": False, "holder": {}}])
    assert action.run(task_vars={}) == {"changed": False, "holder": {}}
    assert [asked["instead_of"] for asked in action.asked] == ["", "anna@here:9"]
    assert clock == [0.0]


def test_who_waits_for_nobody_replaces_a_run_that_is_over_too(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host_hold, "is_over", lambda run: run == "anna@here:9")
    over, free = held(run="anna@here:9"), {"changed": False, "holder": {}}
    assert Asked([over, free], seconds=0).run(task_vars={}) == free
    assert Asked([held()], seconds=0).run(task_vars={})["holder"] == OTHER
    assert clock == [0.0]
    assert capsys.readouterr().out == ""


def test_what_a_run_that_is_over_left_at_work_is_waited_for(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_hold, "is_over", lambda _run: True)
    assert Asked([held()]).run(task_vars={})["failed"]
    assert clock[0] >= 600


def test_another_failure_is_not_waited_for(clock: list[float]) -> None:
    assert Asked([{"failed": True, "msg": "no route to host"}]).run(task_vars={})["msg"] == "no route to host"
    assert clock == [0.0]
