# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.filter.limits import FilterModule
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import wish

limits = FilterModule().filters()["limits"]
Jail = dict[str, t.Any]


@pytest.fixture
def alice(jails: list[Jail]) -> Jail:
    return {**jails[0], "rctl": {}}


def of(jail: Jail) -> set[str]:
    (found,) = limits([jail])
    return set(found["rules"])


def test_what_was_sold_and_a_share_of_what_the_host_has_once(alice: Jail) -> None:
    assert limits([alice]) == [
        {
            "name": "alice",
            "rules": [
                "maxproc:deny=100",
                "memoryuse:deny=536870912",
                "msgqqueued:deny=8",
                "msgqsize:deny=4096",
                "nmsgq:deny=8",
                "nsem:deny=64",
                "nshm:deny=32",
                "nthr:deny=1000",
                "openfiles:deny=6400",
                "pcpu:deny=50",
                "pseudoterminals:deny=16",
                "shmsize:deny=536870912",
                "swapuse:deny=1073741824",
            ],
        }
    ]


def test_the_module_takes_them_all(alice: Jail) -> None:
    (rules,) = wish({"jails": limits([alice]), "file": "/etc/rctl.conf"}).jails.values()
    assert {str(rule) for rule in rules} == {f"jail:alice:{rule}" for rule in of(alice)}


def test_a_record_says_otherwise(alice: Jail) -> None:
    before = of(alice)
    after = of({**alice, "rctl": {"nthr:deny": "none", "nshm:deny": 99, "readbps:throttle": 5}})
    assert before - after == {"nthr:deny=1000", "nshm:deny=32"}
    assert after - before == {"nshm:deny=99", "readbps:throttle=5"}


def test_few_processes_may_open_enough_files_to_start(alice: Jail) -> None:
    assert "openfiles:deny=1024" in of({**alice, "limits": {**alice["limits"], "processes": 1}})


@pytest.mark.parametrize("state", ["running", "stopped", "suspended"])
def test_every_jail_that_is_kept_has_its_limits(alice: Jail, state: str) -> None:
    assert of({**alice, "state": state}) == of(alice)


def test_an_absent_jail_has_none(alice: Jail) -> None:
    assert limits([{**alice, "state": "absent"}]) == [{"name": "alice", "rules": []}]
