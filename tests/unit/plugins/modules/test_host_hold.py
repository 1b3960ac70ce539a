# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._hold import FILE, VARIABLE
from ansible_collections.jailisp.vps.plugins.modules import host_hold
from support.lab import Lab, Result, run_main

ANNA, BERT = "anna@control:1", "bert@control:2"


@pytest.fixture
def hold(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Result]:
    """Return what runs the module for a run."""
    monkeypatch.setattr(host_hold, "Files", lambda: lab.files)

    def run(name: str, *, check: bool = False, **parameters: t.Any) -> Result:
        monkeypatch.setenv(VARIABLE, name)
        return run_main(host_hold, check=check, **parameters)

    return run


def test_who_comes_second_is_told_who_came_first(hold: t.Callable[..., Result]) -> None:
    assert hold(ANNA)["holder"] == {}
    refused = hold(BERT)
    assert refused["failed"]
    assert refused["holder"]["run"] == ANNA
    assert refused["msg"].startswith("anna@control:1 holds this host since ")
    assert not hold(ANNA, state="released").get("failed")
    assert hold(BERT)["holder"] == {}


def test_who_does_not_hold_it_cannot_let_go_of_it(hold: t.Callable[..., Result]) -> None:
    hold(ANNA)
    assert not hold(BERT, state="released").get("failed")
    assert hold(BERT)["holder"]["run"] == ANNA
    assert hold(BERT, instead_of=ANNA)["holder"] == {}


def test_who_awaits_a_host_lets_go_of_it_and_is_told_who_else_holds_it(lab: Lab, hold: t.Callable[..., Result]) -> None:
    hold(ANNA)
    assert hold(BERT, state="awaited")["holder"]["run"] == ANNA
    assert not hold(BERT, state="awaited", instead_of=ANNA).get("failed")
    assert hold(BERT)["holder"]["run"] == ANNA
    assert not hold(ANNA, state="awaited").get("failed")
    assert not lab.files.read(FILE)
    assert hold(BERT)["holder"] == {}


def test_in_check_mode_nothing_is_held_and_nobody_is_waited_for(lab: Lab, hold: t.Callable[..., Result]) -> None:
    assert not hold(ANNA, check=True).get("failed")
    assert not lab.path(FILE).exists()
    hold(ANNA)
    assert not hold(BERT, check=True).get("failed")


def test_a_play_without_a_name_for_its_run_is_told_to_give_one(hold: t.Callable[..., Result]) -> None:
    assert "set JAILISP_RUN in the environment of the play" in hold("")["msg"]


def test_modules_of_another_run_are_refused_but_may_look(
    lab: Lab, hold: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(ANNA)
    refused = lab.module("rctl_rules", jails=[])
    assert refused["failed"]
    assert refused["msg"].startswith("anna@control:1 holds this host since ")
    assert not lab.module("rctl_rules", check=True, jails=[]).get("failed")
    assert not lab.module("jail_info").get("failed")
    hold(ANNA, state="released")
    assert not lab.module("rctl_rules", jails=[]).get("failed")
