# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rctl: adding, replacing and removing limits, and what is used."""

from __future__ import annotations

import typing as t

import pytest

from model import machine, rctl
from model.host import Host

if t.TYPE_CHECKING:
    from pathlib import Path


def boot(path: Path, **tunables: str) -> Host:
    host = Host(path)
    machine.install(host, name="h1", address="10.0.2.15", tunables=tunables)
    machine.boot(host)
    return host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return boot(tmp_path, **{"kern.racct.enable": "1"})


def rules(host: Host) -> list[str]:
    return host.run(["rctl"]).out.splitlines()


def test_disabled_without_the_tunable(tmp_path: Path) -> None:
    result = boot(tmp_path).run(["rctl", "-a", "jail:alice:maxproc:deny=1"])
    expected = "rctl: RACCT/RCTL present, but disabled; enable using kern.racct.enable=1 tunable\n"
    assert (result.rc, result.err) == (1, expected)


def test_deny_replaces_and_nothing_else_does(host: Host) -> None:
    for rule in ("maxproc:deny", "maxproc:log", "readbps:throttle"):
        for amount in (1, 2, 2):
            assert host.run(["rctl", "-a", f"jail:a:{rule}={amount}"]).rc == 0
    assert sorted(rules(host)) == [
        "jail:a:maxproc:deny=2",
        "jail:a:maxproc:log=1",
        "jail:a:maxproc:log=2",
        "jail:a:readbps:throttle=1",
        "jail:a:readbps:throttle=2",
    ]


def test_units_come_back_as_bytes(host: Host) -> None:
    host.run(["rctl", "-a", "jail:a:vmemoryuse:deny=1.5g"])
    assert rules(host) == []
    host.run(["rctl", "-a", "j:a:vmemoryuse:deny=2g/user"])
    assert rules(host) == ["jail:a:vmemoryuse:deny=2147483648/user"]


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("jail:a:cputime:deny=1", "Operation not supported"),
        ("jail:a:readbps:deny=1", "Operation not supported"),
        ("jail:a:maxproc:throttle=1", "Operation not supported"),
        ("zone:a:maxproc:deny=1", "Invalid argument"),
        ("jail::maxproc:deny=1", "Invalid argument"),
        ("jail:a:maxproc:deny=9223372036854775808", "Result too large"),
        ("jail:a:pcpu:deny=9223372036855", "Result too large"),
    ],
)
def test_refusals(host: Host, rule: str, error: str) -> None:
    result = host.run(["rctl", "-a", rule])
    assert (result.rc, result.err) == (1, f"rctl: failed to add rule '{rule}': {error}\n")


def test_an_amount_that_no_number_holds_is_no_amount(host: Host) -> None:
    result = host.run(["rctl", "-a", "jail:a:memoryuse:deny=16e"])
    expected = "rctl: malformed rule 'jail:a:memoryuse:deny=16e': invalid numeric value '16e'\n"
    assert (result.rc, result.err) == (1, expected)


def test_status_counts_the_rules_that_failed(host: Host) -> None:
    result = host.run(["rctl", "-a", "jail:a:maxproc:deny=1", "jail:a:nosuch:deny=1", "jail:a:maxproc:deny=x"])
    assert result.rc == 2
    assert rules(host) == ["jail:a:maxproc:deny=1"]


def test_an_empty_name_removes_the_limits_of_all_jails(host: Host) -> None:
    host.run(["rctl", "-a", "jail:a:maxproc:deny=1", "jail:b:maxproc:deny=1"])
    assert host.run(["rctl", "-r", "jail:"]).rc == 0
    assert rules(host) == []


def test_configuration_at_boot(host: Host) -> None:
    text = "# limits\njail:a:maxproc:deny=1 # first\njail:a:nosuch:deny=1\njail:b:nthr:deny=9\n"
    host.path("/etc/rctl.conf").write_text(text)
    assert rctl.load_configuration(host) == 1
    assert sorted(rules(host)) == ["jail:a:maxproc:deny=1", "jail:b:nthr:deny=9"]


def test_rules_survive_the_jail_but_not_a_reboot(host: Host) -> None:
    host.run(["rctl", "-a", "jail:a:maxproc:deny=1"])
    machine.reboot(host)
    assert rules(host) == []


def test_usage_of_who_does_not_exist_is_zero(host: Host) -> None:
    result = host.run(["rctl", "-u", "jail:nobody"])
    assert result.rc == 0
    assert {line.partition("=")[2] for line in result.out.splitlines()} == {"0"}
