# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module jails at work on jails whose roots are images."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT
from model import machine, md
from model.host import Host
from support.lab import Lab, Result, copy

ROOTS, FOLDER = "/usr/local/jails/h1", "/var/jail-images"
UNITS = {"alice": 17, "bob": 18}
CONFIGURATION = "/etc/jail.conf.d/alice.conf"
VETO = "#!/bin/sh\nexit 1\n"


def image(name: str) -> dict[str, t.Any]:
    return {"file": f"{FOLDER}/{name}.img", "unit": UNITS[name]}


def jails(*names: str, **changes: t.Any) -> dict[str, t.Any]:
    each = [
        {
            "name": name,
            "path": f"{ROOTS}/{name}",
            "ip4": [f"192.168.1.{UNITS[name]}"],
            "image": image(name),
            **changes,
        }
        for name in names or ("alice",)
    ]
    return {"jails": each, "exec_timeout": 60, "stop_timeout": 1}


@pytest.fixture
def made(lab: Lab, world: Path) -> Lab:
    """Return a host with the images of two jails that are their customers', and nothing mounted."""
    lab.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])
    lab.run("mkdir", "-p", ROOTS)
    records = [{"name": name, "size": "64M", "path": f"{ROOTS}/{name}", **image(name)} for name in UNITS]
    lab.module("jail_images", images=records)
    for name in UNITS:
        for part in world.iterdir():
            copy(part, lab.path(f"{ROOTS}/{name}") / part.name)
        lab.files.remove(note(name))
        script(lab, "unmount", name)
    return lab


def script(lab: Lab, action: str, name: str = "alice") -> None:
    lab.run("/bin/sh", SCRIPT, action, str(UNITS[name]), f"{FOLDER}/{name}.img", f"{ROOTS}/{name}")


def cut_power(host: Host) -> None:
    machine.power_off(host)
    machine.boot(host)


def mounted(lab: Lab) -> list[str]:
    return [line.split()[1] for line in lab.run("mount", "-p").splitlines() if line.startswith("/dev/md")]


def running(lab: Lab) -> list[str]:
    return sorted(lab.module("jail_info")["jails"])


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


def test_a_jail_finds_its_image_mounted_and_leaves_it_unmounted(made: Lab) -> None:
    made.converge("jails", **jails())
    assert (running(made), mounted(made)) == (["alice"], [f"{ROOTS}/alice"])
    made.files.write(f"{ROOTS}/alice/mine", "hers")
    made.converge("jails", **jails(state="stopped"))
    assert (running(made), mounted(made), made.run("mdconfig", "-l")) == ([], [], "")
    assert made.files.names(f"{ROOTS}/alice") == []
    script(made, "mount")
    assert made.path(f"{ROOTS}/alice/mine").exists()


def test_by_hand_it_is_the_same(made: Lab) -> None:
    made.converge("jails", **jails())
    made.run("jail", "-f", CONFIGURATION, "-r", "alice")
    assert mounted(made) == []
    made.run("jail", "-f", CONFIGURATION, "-c", "alice")
    assert mounted(made) == [f"{ROOTS}/alice"]
    assert made.converge("jails", **jails())["commands"] == []


@pytest.mark.parametrize("crash", [False, True])
def test_after_a_reboot_the_jails_run_on_their_images(made: Lab, crash: bool) -> None:
    made.converge("jails", **jails("alice", "bob"))
    made.files.write("/etc/rc.conf.d/netif", 'cloned_interfaces="lo1"\n')
    made.files.write("/etc/rc.conf.d/jail", 'jail_enable="YES"\njail_list="alice bob"\n')
    made.files.write(f"{ROOTS}/alice/mine", "hers")
    (cut_power if crash else machine.reboot)(made.host)
    assert running(made) == ["alice", "bob"]
    assert mounted(made) == [f"{ROOTS}/alice", f"{ROOTS}/bob"]
    assert made.path(f"{ROOTS}/alice/mine").exists()
    assert made.converge("jails", **jails("alice", "bob"))["commands"] == []


def test_an_image_that_fsck_p_gives_up_is_repaired_at_the_start(made: Lab) -> None:
    md.damage(made.host, f"{FOLDER}/alice.img")
    made.converge("jails", **jails())
    assert mounted(made) == [f"{ROOTS}/alice"]
    assert "needs more than fsck_ffs -p" in (made.files.read("/var/log/messages") or "")


def test_a_jail_that_must_be_removed_by_force_leaves_its_image_unmounted(made: Lab) -> None:
    script(made, "mount")
    shutdown = made.path(f"{ROOTS}/alice/etc/rc.shutdown")
    shutdown.unlink()
    shutdown.write_text(VETO)
    made.converge("jails", **jails())
    result = made.module("jails", **jails(state="stopped"))
    assert not result.get("failed"), result
    assert (running(made), mounted(made), made.run("mdconfig", "-l")) == ([], [], "")


def test_an_image_that_a_crash_left_mounted_is_unmounted(made: Lab) -> None:
    script(made, "mount")
    result = made.converge("jails", **jails(state="stopped"))
    assert result["after"] == {"jail alice": {"image": "not mounted"}}
    assert mounted(made) == []


def test_a_fresh_image_stays_mounted(made: Lab) -> None:
    script(made, "mount")
    made.files.write(note("alice"), FILLED, 0o600)
    assert made.converge("jails", **jails(state="stopped"))["commands"] == []


def test_a_jail_without_its_image_does_not_start_and_does_not_stop_another(made: Lab) -> None:
    made.files.remove(f"{FOLDER}/alice.img")
    result = made.module("jails", **jails("alice", "bob"))
    assert "alice" in errors(result)
    assert running(made) == ["bob"]


@pytest.mark.parametrize("wrong", [{"unit": 25000}, {"file": "/var/a b.img"}])
def test_an_image_that_jail_could_not_carry_is_refused(lab: Lab, wrong: dict[str, t.Any]) -> None:
    assert "jails: alice" in lab.module("jails", **jails(image=image("alice") | wrong))["msg"]
