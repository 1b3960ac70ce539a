# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from model import machine
from support.lab import Lab

RC_PF, RC_NETIF = "/etc/rc.conf.d/pf", "/etc/rc.conf.d/netif"
WISH: dict[str, t.Any] = {
    "kernel_modules": ["pf", "dummynet"],
    "interfaces": ["lo1"],
    "devfs_rulesets": [4],
    "sysctl": {"security.bsd.see_jail_proc": 0, "security.bsd.see_other_uids": "0"},
    "tunables": {"kern.racct.enable": 1},
    "files": [
        {"path": RC_PF, "content": 'pf_enable="YES"'},
        {"path": RC_NETIF, "content": 'cloned_interfaces="${cloned_interfaces} lo1"'},
        {"path": "/etc/sysctl.conf.local", "content": "security.bsd.see_jail_proc=0\nsecurity.bsd.see_other_uids=0"},
    ],
}


def state(lab: Lab) -> tuple[str, ...]:
    """Return all that the wish is about."""
    return (
        lab.run("sysctl", "security.bsd.see_jail_proc", "security.bsd.see_other_uids"),
        lab.run("ifconfig", "-l"),
        lab.run("devfs", "rule", "-s", "4", "show"),
        *[str(lab.host.run(["kldstat", "-q", "-m", name]).rc) for name in WISH["kernel_modules"]],
        *[lab.path(file["path"]).read_text() for file in WISH["files"]],
    )


def test_settings_come_into_force_and_stay_as_they_are(lab: Lab) -> None:
    result = lab.converge("host_settings", **WISH)
    assert len(result["commands"]) == 8
    values, interfaces, rules, *_rest = state(lab)
    assert values == "security.bsd.see_jail_proc: 0\nsecurity.bsd.see_other_uids: 0\n"
    assert "lo1" in interfaces.split()
    assert rules
    assert result["reboot_needed"] == []


def test_settings_outlive_a_reboot(lab: Lab) -> None:
    lab.converge("host_settings", **{**WISH, "kernel_modules": []})
    machine.reboot(lab.host)
    assert lab.module("host_settings", **{**WISH, "kernel_modules": []})["commands"] == []


def edit_file(lab: Lab) -> None:
    path = lab.path(RC_PF)
    path.write_text(path.read_text().replace("YES", "NO"))


def delete_file(lab: Lab) -> None:
    lab.path(RC_PF).unlink()


def write_behind(lab: Lab) -> None:
    path = lab.path(RC_PF)
    path.write_text(path.read_text() + 'pf_enable="NO"\n')


def unload(lab: Lab) -> None:
    lab.run("kldunload", "dummynet")


def change_sysctl(lab: Lab) -> None:
    lab.run("sysctl", "security.bsd.see_jail_proc=1")


def destroy_interface(lab: Lab) -> None:
    lab.run("ifconfig", "lo1", "destroy")


def empty_ruleset(lab: Lab) -> None:
    lab.run("devfs", "rule", "-s", "4", "delset")


@pytest.mark.parametrize(
    "drift", [edit_file, delete_file, write_behind, unload, change_sysctl, destroy_interface, empty_ruleset]
)
def test_drift_is_found_and_mended(lab: Lab, drift: t.Callable[[Lab], None]) -> None:
    lab.converge("host_settings", **WISH)
    wished = state(lab)
    drift(lab)
    result = lab.converge("host_settings", **WISH)
    assert len(result["commands"]) == 1
    if drift is write_behind:
        assert lab.path(RC_PF).read_text() == 'pf_enable="NO"\n' + wished[-3]
    else:
        assert state(lab) == wished


def test_lines_of_others_stay(lab: Lab) -> None:
    lab.path(RC_PF).write_text('pf_flags="-q"\n')
    lab.converge("host_settings", **WISH)
    assert lab.path(RC_PF).read_text().startswith('pf_flags="-q"\n# BEGIN jailisp.vps')


def test_a_tunable_that_is_not_in_force_needs_a_reboot(lab: Lab) -> None:
    result = lab.converge("host_settings", tunables={"kern.racct.enable": 0, "no.such.oid": 1})
    assert (result["reboot_needed"], result["changed"]) == (["kern.racct.enable", "no.such.oid"], False)


def test_a_kernel_module_that_is_not_there_is_told_with_advice(lab: Lab) -> None:
    lab.path("/boot/kernel/dummynet.ko").unlink()
    result = lab.module("host_settings", **WISH)
    assert result["failed"]
    assert result["changed"]
    assert "kldload -n dummynet" in result["msg"]
    assert "is this kernel's module installed in /boot/kernel?" in result["msg"]
    # What comes behind a failure of the host is not begun.
    assert "lo1" not in lab.run("ifconfig", "-l").split()


def test_a_value_that_the_kernel_does_not_know_is_told(lab: Lab) -> None:
    result = lab.module("host_settings", sysctl={"no.such.oid": 1})
    assert result["failed"]
    assert "unknown oid 'no.such.oid'" in result["msg"]


def test_processes_do_not_depend_on_files_and_values(lab: Lab) -> None:
    one = {**WISH, "files": WISH["files"][:1], "sysctl": {"security.bsd.see_jail_proc": 0}}
    lab.converge("host_settings", **WISH)
    assert lab.processes("host_settings", **WISH) == lab.processes("host_settings", **one) == 5


def test_nothing_wished_takes_no_process(lab: Lab) -> None:
    assert lab.processes("host_settings") == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"files": [{"path": "etc/rc.conf", "content": "x"}]}, "files: 'etc/rc.conf': path: not an absolute"),
        ({"files": [{"path": "/etc/x", "content": "x", "mode": "9"}]}, "files: /etc/x: mode: '9' is not octal"),
        ({"kernel_modules": ["pf;reboot"]}, "kernel_modules: 'pf;reboot' is no name of one"),
        ({"interfaces": ["lo1", "-a"]}, "interfaces: '-a' is no name of one"),
        ({"sysctl": {"-a": 1}}, "sysctl: '-a' is no name of a sysctl value"),
        ({"devfs_rulesets": ["four"]}, "devfs_rulesets"),
    ],
    ids=["path", "mode", "module", "interface", "sysctl", "ruleset"],
)
def test_bad_input_fails_before_anything_changes(lab: Lab, wrong: dict[str, t.Any], message: str) -> None:
    result = lab.module("host_settings", **{**WISH, **wrong})
    assert result["failed"]
    assert message in result["msg"]
    assert lab.runner.ran == []
