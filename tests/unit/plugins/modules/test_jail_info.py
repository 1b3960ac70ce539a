# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from pathlib import Path

import pytest

from model import task
from support.lab import Lab, copy

ROOTS = "/usr/local/jails/h1"


@pytest.fixture
def full(lab: Lab, world: Path) -> Lab:
    """Return a host with a jail of ours and one of somebody else's."""
    copy(world, lab.path(f"{ROOTS}/alice"))
    copy(world, lab.path("/theirs"))
    lab.module("host_settings", interfaces=["lo1"])
    lab.module("jails", jails=[{"name": "alice", "path": f"{ROOTS}/alice", "ip4": ["192.168.1.17"]}])
    lab.run("jail", "-c", "name=theirs", "path=/theirs", "persist")
    return lab


def test_nothing_runs(lab: Lab) -> None:
    assert lab.check("jail_info")["jails"] == {}


def test_all_that_runs_is_told(full: Lab) -> None:
    result = full.check("jail_info")
    assert not result.get("changed")
    jails = result["jails"]
    assert {name: (jail["ours"], jail["path"]) for name, jail in jails.items()} == {
        "alice": (True, f"{ROOTS}/alice"),
        "theirs": (False, "/theirs"),
    }
    alice = jails["alice"]
    assert (alice["ip4"], alice["ip6"], alice["hostname"]) == (["192.168.1.17"], [], "alice")
    assert (alice["release"], alice["parameters"]["securelevel"]) == ("15.1-RELEASE-p1", "2")


def test_only_those_that_are_asked_for_are_told(full: Lab) -> None:
    assert set(full.module("jail_info", names=["alice", "nobody"])["jails"]) == {"alice"}
    assert full.module("jail_info", names=[])["jails"] == {}


def test_what_a_customer_links_to_is_not_read(full: Lab) -> None:
    path = full.path(f"{ROOTS}/alice/bin/freebsd-version")
    path.rename(path.with_name("real"))
    path.symlink_to("real")
    assert full.module("jail_info")["jails"]["alice"]["release"] is None


def test_the_oldest_process_tells_how_long_a_jail_runs(full: Lab) -> None:
    now = time.time()
    jids = {name: int(full.run("jls", "-j", name, "jid")) for name in ("alice", "theirs")}
    with full.host.kernel() as kernel:
        for seconds in (100, 5000, 30):
            task.add(kernel, ["server"], jid=jids["alice"], start=now - seconds)
    jails = full.module("jail_info")["jails"]
    assert jails["alice"]["age"] in range(5000, 5060)
    assert jails["theirs"]["age"] is None


def test_two_processes_tell_of_all(full: Lab) -> None:
    assert full.processes("jail_info") == 2
