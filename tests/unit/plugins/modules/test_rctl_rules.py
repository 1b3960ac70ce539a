# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from support.lab import Lab, Result

FILE = "/etc/rctl.conf"
ALICE = {"name": "alice", "rules": ["maxproc:deny=100", "memoryuse:deny=512M", "readbps:throttle=20M"]}
BOB = {"name": "bob", "rules": ["maxproc:deny=50", "memoryuse:log=100m"]}
FOREIGN = "user:www:maxproc:deny=77"


@pytest.fixture
def limited(lab: Lab) -> Lab:
    """Return a host on which somebody has rules of his own, in force and at boot."""
    lab.run("rctl", "-a", FOREIGN)
    lab.path(FILE).write_text(f"{FOREIGN}\n")
    return lab


def in_force(lab: Lab) -> list[str]:
    return sorted(lab.run("rctl").splitlines())


def test_rules_come_into_force_and_stay_as_they_are(limited: Lab) -> None:
    result = limited.converge("rctl_rules", jails=[ALICE, BOB])
    assert result["commands"] == [
        f"write {FILE}",
        "rctl -a jail:alice:maxproc:deny=100 jail:alice:memoryuse:deny=536870912 jail:alice:readbps:throttle=20971520 "
        "jail:bob:maxproc:deny=50 jail:bob:memoryuse:log=104857600",
    ]
    assert result["after"]["limits bob"] == "maxproc:deny=50\nmemoryuse:log=104857600\n"
    assert (result["in_force"], result["unlisted"]) == (True, [])
    assert FOREIGN in in_force(limited)


def test_rules_come_back_at_boot(limited: Lab) -> None:
    limited.converge("rctl_rules", jails=[ALICE, BOB])
    before = in_force(limited)
    limited.run("rctl", "-r", ":")
    limited.run("service", "rctl", "start")
    assert in_force(limited) == before
    assert not limited.module("rctl_rules", jails=[ALICE, BOB])["changed"]


def test_a_lower_limit_does_not_stay_beside_a_new_one(limited: Lab) -> None:
    limited.converge("rctl_rules", jails=[ALICE, BOB])
    more = {"name": "bob", "rules": ["maxproc:deny=500", "memoryuse:log=200m"]}
    result = limited.converge("rctl_rules", jails=[ALICE, more])
    assert (result["before"], result["after"]) == (
        {"limits bob": "maxproc:deny=50\nmemoryuse:log=104857600\n"},
        {"limits bob": "maxproc:deny=500\nmemoryuse:log=209715200\n"},
    )
    assert [rule for rule in in_force(limited) if ":bob:" in rule] == [
        "jail:bob:maxproc:deny=500",
        "jail:bob:memoryuse:log=209715200",
    ]


def test_what_was_made_by_hand_is_undone(limited: Lab) -> None:
    limited.converge("rctl_rules", jails=[ALICE])
    limited.run("rctl", "-a", "jail:alice:maxproc:deny=9999", "jail:alice:nthr:sigkill=5", "jail:other:nthr:deny=5")
    limited.converge("rctl_rules", jails=[ALICE])
    assert in_force(limited) == [
        "jail:alice:maxproc:deny=100",
        "jail:alice:memoryuse:deny=536870912",
        "jail:alice:readbps:throttle=20971520",
        "jail:other:nthr:deny=5",
        FOREIGN,
    ]


def test_rules_go_with_their_jail(limited: Lab) -> None:
    limited.converge("rctl_rules", jails=[ALICE, BOB])
    limited.converge("rctl_rules", jails=[ALICE, {"name": "bob", "rules": []}])
    assert not [rule for rule in in_force(limited) if ":bob:" in rule]
    assert "bob" not in limited.path(FILE).read_text()


@pytest.fixture
def uncounted(limited: Lab) -> Lab:
    """Return a host whose kernel keeps no accounts."""
    with limited.host.kernel() as kernel:
        kernel["sysctl"]["kern.racct.enable"] = "0"
    return limited


def test_without_accounts_nothing_is_claimed(uncounted: Lab) -> None:
    assert "RACCT/RCTL present, but disabled" in uncounted.host.run(["rctl"]).err
    result: Result = uncounted.converge("rctl_rules", jails=[ALICE])
    assert result["commands"] == [f"write {FILE}"]
    assert list(result["after"]) == ["limits alice at boot"]
    assert result["in_force"] is False


def test_a_rule_that_the_kernel_refuses_is_its_jails_trouble_alone(limited: Lab, monkeypatch: t.Any) -> None:
    run = limited.runner.run

    def refuse(command: t.Any) -> t.Any:
        if command.argv[:2] != ("rctl", "-a"):
            return run(command)
        kept = tuple(word for word in command.argv if "bob:maxproc" not in word)
        done = run(type(command)(kept))
        said = "rctl: failed to add rule 'jail:bob:maxproc:deny=50': Invalid argument\n"
        return type(done)(command, done.rc + 1, done.out, done.err + said)

    monkeypatch.setattr(limited.runner, "run", refuse)
    result = limited.module("rctl_rules", jails=[ALICE, BOB])
    assert result["failed"]
    assert [error["name"] for error in result["errors"]] == ["bob"]
    assert "Invalid argument" in result["msg"]


@pytest.mark.parametrize("count", [5, 50])
def test_processes_do_not_grow_with_the_jails(lab: Lab, count: int) -> None:
    jails = [{"name": f"j{number}", "rules": ["maxproc:deny=9"]} for number in range(count)]
    assert lab.processes("rctl_rules", jails=jails) == 3
    assert lab.processes("rctl_rules", jails=jails) == 1


def test_a_file_of_the_host_that_is_none_is_named(lab: Lab) -> None:
    lab.path("/etc/rctl.conf").unlink(missing_ok=True)
    lab.path("/etc/rctl.conf").mkdir()
    result = lab.module("rctl_rules", jails=[])
    assert result["failed"]
    assert result["msg"].endswith("/etc/rctl.conf: Is a directory")
