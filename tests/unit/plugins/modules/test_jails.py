# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from support.lab import Lab, Result, copy

ROOTS = "/usr/local/jails/h1"
FOLDER = "/etc/jail.conf.d"
NAMES = ("alice", "bob", "carol", "dave", "erin")
# Short, for the model's processes end at once when asked to.
PATIENCE = {"exec_timeout": 30, "stop_timeout": 1}
# Says no to being stopped.
VETO = "#!/bin/sh\nexit 1\n"


def jail(name: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"name": name, "path": f"{ROOTS}/{name}", "ip4": [f"192.168.1.{17 + NAMES.index(name)}"]} | changes


class Prison:
    """A host with the roots of some jails, and the module jails at work on it."""

    def __init__(self, lab: Lab, world: Path) -> None:
        self.lab = lab
        self.world = world
        lab.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])

    def root(self, name: str) -> Path:
        """Return a jail's root, filled."""
        path = self.lab.path(f"{ROOTS}/{name}")
        if not path.exists():
            copy(self.world, path)
        return path

    def replace(self, name: str, file: str, text: str) -> None:
        """Let a customer replace a file of his."""
        path = self.root(name) / file
        path.unlink()
        path.write_text(text)
        path.chmod(0o755)

    def converge(self, *jails: dict[str, t.Any], **more: t.Any) -> Result:
        """Converge jails that must come to be as wished."""
        for each in jails:
            if each.get("state", "running") == "running":
                self.root(each["name"])
        return self.lab.converge("jails", jails=list(jails), **{**PATIENCE, **more})

    def module(self, *jails: dict[str, t.Any], **more: t.Any) -> Result:
        """Run the module once."""
        return self.lab.module("jails", jails=list(jails), **{**PATIENCE, **more})

    def running(self) -> dict[str, dict[str, t.Any]]:
        """Return what runs, but not for how long."""
        jails = t.cast(dict[str, dict[str, t.Any]], self.lab.module("jail_info")["jails"])
        return {name: {key: value for key, value in jail.items() if key != "age"} for name, jail in jails.items()}

    def addresses(self) -> str:
        return self.lab.run("ifconfig", "lo1")

    def mounts(self, name: str) -> int:
        return self.lab.run("mount", "-p").count(f"{ROOTS}/{name}/dev")


@pytest.fixture
def prison(lab: Lab, world: Path) -> Prison:
    return Prison(lab, world)


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


def test_jails_start_and_stay_as_they_are(prison: Prison) -> None:
    result = prison.converge(jail("alice", hostname="www.alice.example.net"), jail("bob", state="stopped"))
    assert result["commands"] == [f"write {FOLDER}/alice.conf", "jail -p 8 -f - -c"]
    (name, found), *others = prison.running().items()
    assert (name, others) == ("alice", [])
    assert (found["hostname"], found["ip4"], found["path"]) == (
        "www.alice.example.net",
        ["192.168.1.17"],
        f"{ROOTS}/alice",
    )
    assert (found["parameters"]["securelevel"], found["parameters"]["allow.set_hostname"]) == ("2", False)
    assert "inet 192.168.1.17 netmask 0xffffffff" in prison.addresses()
    assert prison.lab.path(f"{FOLDER}/alice.conf").stat().st_mode & 0o777 == 0o600
    assert prison.lab.path("/var/log/jail_alice_console.log").exists()


def test_a_jail_survives_a_reboot(prison: Prison) -> None:
    prison.converge(jail("alice"))
    before = prison.lab.path(f"{FOLDER}/alice.conf").read_text()
    prison.lab.run("jail", "-f", f"{FOLDER}/alice.conf", "-r", "alice")
    prison.lab.run("jail", "-f", f"{FOLDER}/alice.conf", "-c", "alice")
    assert not prison.module(jail("alice"))["changed"]
    assert prison.lab.path(f"{FOLDER}/alice.conf").read_text() == before


@pytest.mark.parametrize("state", ["stopped", "suspended", "absent"])
def test_an_address_that_a_stop_which_was_cut_off_left_behind_is_given_up(prison: Prison, state: str) -> None:
    prison.converge(jail("alice"), jail("bob"))
    prison.converge(jail("alice", state=state), jail("bob"))
    prison.lab.run("ifconfig", "lo1", "inet", "192.168.1.17/32", "alias")
    result = prison.converge(jail("alice", state=state), jail("bob"))
    assert result["commands"] == ["ifconfig lo1 inet 192.168.1.17 -alias"]
    assert result["before"] == {"jail alice": {"addresses": ["192.168.1.17"]}}
    assert "192.168.1.17" not in prison.addresses()
    assert "192.168.1.18" in prison.addresses()


@pytest.mark.parametrize("state", ["stopped", "suspended", "absent"])
def test_devices_that_a_stop_which_was_cut_off_left_mounted_are_unmounted(prison: Prison, state: str) -> None:
    prison.converge(jail("alice"))
    # As jail(8) leaves it when it is killed once the jail is gone.
    prison.lab.run("jail", "-R", "alice")
    assert prison.mounts("alice") == 1
    result = prison.converge(jail("alice", state=state))
    assert f"umount {ROOTS}/alice/dev" in result["commands"]
    assert prison.mounts("alice") == 0


@pytest.mark.parametrize("state", ["stopped", "suspended", "absent"])
def test_a_jail_that_shall_not_run_is_stopped_and_leaves_no_trace_but_its_root(prison: Prison, state: str) -> None:
    prison.converge(jail("alice"), jail("bob"))
    prison.converge(jail("alice", state=state), jail("bob"))
    assert set(prison.running()) == {"bob"}
    assert prison.lab.files.names(FOLDER) == ["bob.conf"]
    assert ("192.168.1.17" in prison.addresses(), prison.mounts("alice")) == (False, 0)
    assert prison.root("alice").joinpath("bin/freebsd-version").exists()


CHANGES = [
    pytest.param({"hostname": "new.example.net"}, "host.hostname=new.example.net", id="host name"),
    pytest.param({"securelevel": 3}, "securelevel=3", id="securelevel"),
    pytest.param({"enforce_statfs": 1}, "enforce_statfs=1", id="enforce_statfs"),
    pytest.param({"devfs_ruleset": 5}, "devfs_ruleset=5", id="devfs_ruleset"),
    pytest.param({"children_max": 2}, "children.max=2", id="children_max"),
    pytest.param({"allow": ["suser", "raw_sockets"]}, "allow.raw_sockets=1", id="allow"),
    pytest.param({"ip4": ["192.168.1.99", "192.168.1.98"]}, "ip4.addr=192.168.1.99,192.168.1.98", id="addresses"),
    pytest.param({"ip6": ["2001:db8::1"]}, "ip6.addr=2001:db8::1", id="IPv6"),
    pytest.param({"ip4": []}, "ip4.addr=", id="no address"),
]


@pytest.mark.parametrize(("changes", "argument"), CHANGES)
def test_a_change_is_made_live(prison: Prison, changes: dict[str, t.Any], argument: str) -> None:
    prison.converge(jail("alice"))
    jid = prison.running()["alice"]["jid"]
    result = prison.converge(jail("alice", **changes))
    (modify,) = [command for command in result["commands"] if command.startswith("jail ")]
    assert argument in modify.split()
    assert prison.running()["alice"]["jid"] == jid
    shown = prison.addresses()
    assert all(address in shown for key in ("ip4", "ip6") for address in changes.get(key, []))
    assert ("192.168.1.17" in shown) == ("ip4" not in changes)
    prison.converge(jail("alice"))
    assert prison.running()["alice"]["jid"] == jid
    assert "192.168.1.99" not in prison.addresses()


def stop_by_hand(prison: Prison) -> None:
    prison.lab.run("jail", "-R", "alice")


def edit_file(prison: Prison) -> None:
    path = prison.lab.path(f"{FOLDER}/alice.conf")
    path.write_text(path.read_text() + "# mine\n")


def delete_file(prison: Prison) -> None:
    prison.lab.path(f"{FOLDER}/alice.conf").unlink()


def modify(prison: Prison) -> None:
    prison.lab.run("jail", "-m", "name=alice", "allow.raw_sockets=1", "securelevel=1", "children.max=9")


def remove_alias(prison: Prison) -> None:
    prison.lab.run("ifconfig", "lo1", "inet", "192.168.1.17", "-alias")


def rename_the_host(prison: Prison) -> None:
    prison.lab.run("jail", "-m", "name=alice", "host.hostname=evil")


@pytest.mark.parametrize("drift", [stop_by_hand, edit_file, delete_file, modify, remove_alias, rename_the_host])
def test_drift_is_found_and_mended(prison: Prison, drift: t.Callable[[Prison], None]) -> None:
    prison.converge(jail("alice"), jail("bob"))
    wished = prison.running()
    drift(prison)
    result = prison.converge(jail("alice"), jail("bob"))
    assert result["changed"]
    now = prison.running()
    assert {**now["alice"], "jid": 0, "parameters": 0} == {**wished["alice"], "jid": 0, "parameters": 0}
    assert now["bob"] == wished["bob"]
    assert "192.168.1.17" in prison.addresses()
    assert prison.mounts("alice") == 1


@pytest.mark.parametrize("restart", [False, True])
def test_what_cannot_change_live_waits_for_leave_to_restart(prison: Prison, restart: bool, world: Path) -> None:
    prison.converge(jail("alice"))
    copy(world, prison.lab.path("/other/alice"))
    result = prison.converge(jail("alice", path="/other/alice", restart=restart))
    assert prison.running()["alice"]["path"] == ("/other/alice" if restart else f"{ROOTS}/alice")
    assert result["pending_restart"] == ({} if restart else {"alice": ["path"]})
    assert result["changed"] == restart


@pytest.mark.parametrize("count", [5, 50])
def test_nothing_to_do_takes_four_processes(prison: Prison, count: int) -> None:
    jails = [
        {"name": f"j{number}", "path": f"{ROOTS}/j{number}", "ip4": [f"192.168.1.{number}"]}
        for number in range(1, count + 1)
    ]
    stopped = [{**each, "state": "stopped"} for each in jails[5:]]
    prison.converge(*jails[:5], *stopped)
    assert prison.lab.processes("jails", jails=[*jails[:5], *stopped], **PATIENCE) == 4


def test_many_jails_start_by_as_few_processes_as_one(prison: Prison) -> None:
    for name in NAMES:
        prison.root(name)
    before = len(prison.lab.runner.ran)
    prison.module(jail("alice"))
    one = len(prison.lab.runner.ran) - before
    assert prison.lab.processes("jails", jails=[jail(name) for name in NAMES], **PATIENCE) == one


# Trouble --------------------------------------------------------------------------------------------------------------


def test_a_root_that_is_not_there_stops_only_its_own_jail(prison: Prison) -> None:
    prison.root("bob")
    result = prison.module(jail("alice"), jail("bob"))
    found = errors(result)
    assert set(found) == {"alice"}
    assert f"{ROOTS}/alice" in found["alice"]
    assert result["changed"]
    assert set(prison.running()) == {"bob"}


def test_a_root_without_a_shell_stops_only_its_own_jail(prison: Prison) -> None:
    prison.root("alice").joinpath("bin/sh").unlink()
    prison.root("bob")
    result = prison.module(jail("alice"), jail("bob"))
    assert set(errors(result)) == {"alice"}
    assert set(prison.running()) == {"bob"}
    assert (prison.mounts("alice"), "192.168.1.17" in prison.addresses()) == (0, False)


@pytest.mark.parametrize("file", ["etc/rc.shutdown", "bin/sh"])
@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_no_customer_can_prevent_his_stop(prison: Prison, file: str, state: str) -> None:
    prison.converge(jail("alice"), jail("bob"))
    prison.replace("alice", file, VETO)
    result = prison.module(jail("alice", state=state), jail("bob"))
    assert not result.get("failed"), result["msg"]
    assert set(prison.running()) == {"bob"}
    assert (prison.mounts("alice"), prison.lab.files.names(FOLDER)) == (0, ["bob.conf"])
    assert ("192.168.1.17" in prison.addresses(), "192.168.1.18" in prison.addresses()) == (False, True)
    assert not prison.module(jail("alice", state=state), jail("bob"))["changed"]


def test_a_hanging_stop_is_cut_short(prison: Prison) -> None:
    prison.converge(jail("alice"), exec_timeout=1)
    prison.replace("alice", "etc/rc.shutdown", "#!/bin/sh\nsleep 1000\n")
    result = prison.module(jail("alice", state="stopped"), exec_timeout=1)
    assert not result.get("failed"), result["msg"]
    assert prison.running() == {}


def test_a_hanging_start_is_cut_short_and_stops_no_other(prison: Prison) -> None:
    prison.root("bob")
    prison.replace("alice", "etc/rc", "#!/bin/sh\nsleep 1000\n")
    result = prison.module(jail("alice"), jail("bob"), exec_timeout=1)
    assert set(errors(result)) == {"alice"}
    assert set(prison.running()) == {"bob"}


def test_an_interface_that_is_not_there_is_told(prison: Prison) -> None:
    prison.root("alice")
    prison.lab.run("ifconfig", "lo1", "destroy")
    assert set(errors(prison.module(jail("alice")))) == {"alice"}
    assert prison.running() == {}


def test_somebody_elses_jail_of_the_same_name_is_left_alone(prison: Prison, world: Path) -> None:
    copy(world, prison.lab.path("/theirs"))
    prison.lab.run("jail", "-c", "name=alice", "path=/theirs", "persist")
    prison.root("alice")
    prison.root("bob")
    before = prison.running()["alice"]
    for state in ("running", "stopped", "absent"):
        found = errors(prison.module(jail("alice", state=state), jail("bob")))
        assert found == {
            "alice": "a jail of this name runs at /theirs and is somebody else's; rename the jail, or remove that one"
        }
        assert prison.running()["alice"] == before
    assert set(prison.running()) == {"alice", "bob"}


def test_somebody_elses_file_of_the_same_name_is_left_alone(prison: Prison) -> None:
    text = "alice { path = /theirs; }\n"
    prison.root("alice")
    prison.lab.path(f"{FOLDER}/alice.conf").write_text(text)
    for state in ("running", "absent"):
        assert "is somebody else's" in errors(prison.module(jail("alice", state=state)))["alice"]
    assert prison.lab.path(f"{FOLDER}/alice.conf").read_text() == text
    assert prison.running() == {}


def test_jails_that_are_not_given_stay_as_they_are(prison: Prison) -> None:
    prison.converge(jail("alice"), jail("bob"))
    before = prison.running()
    assert prison.converge(jail("bob"))["unlisted"] == ["alice"]
    assert prison.converge()["unlisted"] == ["alice", "bob"]
    assert prison.running() == before


def test_more_removals_than_allowed_are_refused_before_anything_changes(prison: Prison) -> None:
    prison.converge(*map(jail, NAMES))
    gone = [jail(name, state="absent") for name in NAMES[:4]]
    before = prison.running()
    result = prison.module(*gone)
    assert result["failed"]
    assert "4 of them would become absent at once (alice, bob, carol, dave)" in result["msg"]
    assert prison.running() == before
    assert not prison.module(*gone, most_removals=4).get("failed")
    assert set(prison.running()) == {"erin"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a.b"}, "jails: 'a.b': name: jail(8) cannot carry 'a.b'"),
        ({"path": "/a/../b"}, "jails: bob: path: '/a/../b' is not an absolute, plain path"),
        ({"path": f"{ROOTS}/alice"}, f"jails: bob: path: {ROOTS}/alice is taken by alice"),
        ({"ip4": ["192.168.1.17"]}, "jails: bob: address: 192.168.1.17 is taken by alice"),
        ({"state": "off"}, "state"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_fails_before_anything_changes(prison: Prison, changes: dict[str, t.Any], message: str) -> None:
    started = len(prison.lab.runner.ran)
    result = prison.module(jail("alice"), jail("bob") | changes)
    assert result["failed"]
    assert message in result["msg"]
    assert len(prison.lab.runner.ran) == started


def test_a_jail_has_its_own_system_v_objects_also_when_it_runs_already(prison: Prison) -> None:
    prison.converge(jail("alice", sysvipc="inherit"))
    result = prison.converge(jail("alice"))
    assert result["before"]["jail alice"] == dict.fromkeys(("sysvmsg", "sysvsem", "sysvshm"), "inherit")
    assert [line for line in result["commands"] if line.startswith("jail ")] == [
        "jail -m name=alice sysvmsg=new sysvsem=new sysvshm=new"
    ]
    assert prison.lab.run("jls", "-j", "alice", "sysvmsg", "sysvsem", "sysvshm").split() == ["new"] * 3


def test_a_jail_whose_devfs_ruleset_is_empty_does_not_start(prison: Prison) -> None:
    prison.root("alice")
    result = prison.module(jail("alice", devfs_ruleset=12), jail("bob", state="stopped"))
    ((name, error),) = [(each["name"], each["error"]) for each in result["errors"]]
    assert (name, error.partition(",")[0]) == ("alice", "devfs_ruleset: 12 holds no rules")
    assert "alice" not in prison.running()
    assert not prison.lab.path(f"{FOLDER}/alice.conf").exists()
    prison.lab.path("/etc/devfs.rules").write_text("[narrow=12]\nadd hide\n")
    prison.lab.run("service", "devfs", "restart")
    prison.converge(jail("alice", devfs_ruleset=12))
    assert [path.name for path in (prison.root("alice") / "dev").iterdir()] == []


def test_rulesets_that_will_be_loaded_are_not_asked_for(prison: Prison) -> None:
    prison.root("alice")
    told = prison.lab.check("jails", jails=[jail("alice", devfs_ruleset=12)], loaded_rulesets=[12], **PATIENCE)
    assert (told["errors"], told["changed"]) == ([], True)


def test_a_start_that_was_cut_off_is_done_again(prison: Prison) -> None:
    prison.converge(jail("alice"))
    file = prison.lab.path(f"{FOLDER}/alice.conf").read_text()
    prison.lab.run("jail", "-f", f"{FOLDER}/alice.conf", "-r", "alice")
    # As jail(8) leaves it when it is killed before it has run anything in the jail.
    prison.lab.run("jail", "-c", "persist", "name=alice", f"path={ROOTS}/alice", "ip4.addr=lo1|192.168.1.17/32")
    result = prison.module(jail("alice"))
    assert not result.get("failed"), result["msg"]
    assert any(command.startswith("jail -m name=alice ") and "persist=0" in command for command in result["commands"])
    assert prison.running()["alice"]["parameters"]["persist"] is False
    assert prison.mounts("alice") == 1
    assert prison.lab.path(f"{FOLDER}/alice.conf").read_text() == file
    assert not prison.module(jail("alice"))["changed"]


def test_a_jail_that_was_told_to_persist_goes_on_running_without(prison: Prison) -> None:
    prison.converge(jail("alice"))
    jid = prison.running()["alice"]["jid"]
    prison.lab.run("jail", "-m", "name=alice", "persist=1")
    assert prison.converge(jail("alice"))["commands"] == ["jail -m name=alice persist=0"]
    assert prison.running()["alice"]["jid"] == jid
