# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.etc import (
    PASSWD,
    changes,
    parse_conflicts,
    undoing,
)

Etc = dict[str, str]

PATHS = st.sampled_from(["etc/rc.conf", "etc/motd", "etc/ssh/sshd_config", *sorted(PASSWD)])
ETCS = st.dictionaries(PATHS, st.sampled_from(["a", "b", "c"]))


def rolled_back(before: Etc, now: Etc, etc: t.Mapping[str, t.Any]) -> Etc:
    """Return /etc after a rollback."""
    back, gone, _stay = undoing(etc, now)
    return {path: text for path, text in now.items() if path not in gone} | {path: before[path] for path in back}


@given(ETCS, ETCS)
def test_what_nobody_changed_since_is_as_before(before: Etc, after: Etc) -> None:
    assert rolled_back(before, after, changes(before, after)) == before
    assert undoing(changes(before, after), after)[2] == []


@given(ETCS, ETCS, ETCS)
def test_what_was_changed_since_stays(before: Etc, after: Etc, now: Etc) -> None:
    found = rolled_back(before, now, changes(before, after))
    for path in {*before, *after, *now}:
        if now.get(path) != after.get(path):
            assert found.get(path) == now.get(path)


@given(ETCS, ETCS, ETCS)
def test_what_stays_though_the_upgrade_changed_it_is_told(before: Etc, after: Etc, now: Etc) -> None:
    etc = changes(before, after)
    found, stay = rolled_back(before, now, etc), undoing(etc, now)[2]
    assert {path for path in etc if found.get(path) != before.get(path)} <= set(stay) <= set(etc)


@given(ETCS, ETCS, ETCS, st.data())
def test_a_rollback_that_was_cut_off_goes_on(before: Etc, after: Etc, now: Etc, data: st.DataObject) -> None:
    etc = changes(before, after)
    whole = rolled_back(before, now, etc)
    paths = sorted({path for path in {*now, *whole} if now.get(path) != whole.get(path)})
    done = data.draw(st.sets(st.sampled_from(paths))) if paths else set()
    middle = {path: (whole if path in done else now).get(path) for path in {*now, *whole}}
    assert rolled_back(before, {path: text for path, text in middle.items() if text is not None}, etc) == whole


def test_accounts_go_back_together_or_not_at_all() -> None:
    etc = {path: ("a", "b") for path in sorted(PASSWD)}
    now = dict.fromkeys(PASSWD, "b") | {"etc/master.passwd": "mine"}
    assert undoing(etc, now) == ([], [], sorted(PASSWD))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("  C /etc/motd.template\n  M /etc/group\n  C /etc/hosts\n", ("etc/hosts", "etc/motd.template")),
        ("Warnings:\n  Modified link changed: /etc/rmt\n", ()),
    ],
)
def test_conflicts_are_what_etcupdate_names(text: str, found: tuple[str, ...]) -> None:
    assert parse_conflicts(text) == found
