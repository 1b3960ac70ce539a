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


BRIDGE: dict[str, t.Any] = {
    "interfaces": ["bridge0"],
    "interface_addresses": {"bridge0": ["192.168.1.1/24"]},
    "files": [{"path": RC_NETIF, "content": 'cloned_interfaces="bridge0"'}],
}


def refusal(lab: Lab, **parameters: t.Any) -> str:
    """Return why the module refuses; nothing was changed."""
    before = lab.run("ifconfig"), lab.path(RC_NETIF).exists()
    result = lab.check("host_settings", **parameters)
    assert result["failed"]
    assert lab.module("host_settings", **parameters)["msg"] == result["msg"]
    assert (lab.run("ifconfig"), lab.path(RC_NETIF).exists()) == before
    return str(result["msg"])


def test_a_bridge_by_which_the_host_itself_is_reached_is_refused(lab: Lab) -> None:
    lab.run("ifconfig", "bridge0", "create")
    lab.run("ifconfig", "bridge0", "inet", "198.51.100.12/24", "alias")
    assert "bridge0 is not ours, it has 198.51.100.12" in refusal(lab, **BRIDGE)


def test_a_bridge_of_rc_conf_is_refused(lab: Lab) -> None:
    with lab.path("/etc/rc.conf").open("a") as file:
        file.write('# bridge1 is gone\ncloned_interfaces="bridge0"\nifconfig_bridge0="addm vtnet0"\n')
    assert "bridge0 is not ours, it is in rc.conf" in refusal(lab, **BRIDGE)
    other = {**BRIDGE, "interfaces": ["bridge1"], "interface_addresses": {"bridge1": ["192.168.1.1/24"]}}
    lab.converge("host_settings", **other)


def test_a_bridge_of_ours_whose_lines_are_lost_is_ours_still(lab: Lab) -> None:
    lab.converge("host_settings", **BRIDGE)
    lab.path(RC_NETIF).unlink()
    assert lab.converge("host_settings", **BRIDGE)["commands"] == [f"write {RC_NETIF}"]


def test_the_address_of_this_login_is_not_taken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.converge("host_settings", **BRIDGE)
    lab.run("ifconfig", "bridge0", "inet", "192.168.1.2/32", "alias")
    monkeypatch.setenv("SSH_CONNECTION", "192.168.1.77 50000 192.168.1.2 22")
    assert "you reached this host at 192.168.1.2" in refusal(lab, **BRIDGE)
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 198.51.100.11 22")
    assert lab.converge("host_settings", **BRIDGE)["commands"] == ["ifconfig bridge0 inet 192.168.1.2 -alias"]


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
