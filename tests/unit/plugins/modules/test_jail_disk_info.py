# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import HANGING, Command, Done
from support.lab import Lab

ROOT = "/usr/local/jails/h1"
K, M = 1 << 10, 1 << 20

Values = dict[str, t.Any]


def directory(name: str) -> Values:
    return {"name": name, "path": f"{ROOT}/{name}"}


def image(name: str, unit: int) -> Values:
    return {**directory(name), "image": {"file": f"/images/{name}.img", "unit": unit}}


def dataset(name: str) -> Values:
    return {**directory(name), "dataset": f"tank/jails/{name}"}


@pytest.fixture
def roots(lab: Lab) -> Lab:
    """Return a host with the roots of alice and bob, who have files of 4 and 2 MB."""
    for name, size in (("alice", 4 * M), ("bob", 2 * M)):
        lab.path(f"{ROOT}/{name}/var").mkdir(parents=True)
        lab.path(f"{ROOT}/{name}/var/data").write_bytes(b"x" * size)
    return lab


def measured(lab: Lab, *jails: Values, **parameters: t.Any) -> dict[str, Values]:
    """Measure jails, which must not fail, and return what is told of them."""
    result = lab.check("jail_disk_info", jails=jails, **parameters)
    assert not result.get("failed"), result
    return t.cast(dict[str, Values], result["jails"])


def test_directories_are_measured_by_one_process_at_the_lowest_priority(roots: Lab) -> None:
    found = measured(roots, directory("alice"), directory("bob"))
    (ran,) = (command.argv for command in roots.runner.ran if "du" in command.argv)
    assert ran == ("nice", "-n", "19", "stdbuf", "-o", "L", "du", "-skx", f"{ROOT}/alice", f"{ROOT}/bob")
    assert {(each["kind"], each["trouble"]) for each in found.values()} == {("directory", "")}
    assert found["alice"]["used"] - found["bob"]["used"] == 2 * M
    assert 2 * M <= found["bob"]["used"] < 2 * M + 100 * K


def test_what_is_mounted_in_a_root_is_not_the_jails(roots: Lab) -> None:
    before = measured(roots, directory("bob"))["bob"]["used"]
    roots.run("mkdir", f"{ROOT}/bob/mnt")
    roots.run("mount", "-t", "nullfs", f"{ROOT}/alice", f"{ROOT}/bob/mnt")
    assert measured(roots, directory("bob"))["bob"]["used"] - before < 100 * K


@pytest.mark.parametrize(
    ("make", "trouble"),
    [("true", "there is no root"), (f"ln -s /etc {ROOT}/carol", "its root is no folder")],
)
def test_a_root_that_is_none_is_told_and_the_others_are_measured(roots: Lab, make: str, trouble: str) -> None:
    roots.run("sh", "-c", make)
    found = measured(roots, directory("carol"), directory("bob"))
    assert found["carol"] == {"kind": "directory", "used": None, "trouble": trouble}
    assert found["bob"]["used"] >= 2 * M


class SlowDu:
    """Runs commands on the host; du is stopped after each ``batch`` of roots, and never ends with ``slow`` ones."""

    def __init__(self, lab: Lab, batch: int, slow: t.Collection[str] = ()) -> None:
        self.run_on_host, self.batch, self.slow, self.runs = lab.runner.run, batch, slow, 0

    def __call__(self, command: Command) -> Done:
        if "du" not in command.argv:
            return self.run_on_host(command)
        self.runs += 1
        head, paths = command.argv[:8], command.argv[8:]
        slow = [path for path in paths if path.rpartition("/")[2] in self.slow]
        reached = paths[: paths.index(slow[0])] if slow else paths
        done = self.run_on_host(Command((*head, *reached[: self.batch]))) if reached else Done(command, 0, "", "")
        whole = not slow and len(paths) <= self.batch
        return Done(command, done.rc if whole else HANGING, done.out, done.err)


def test_a_slow_jail_does_not_hide_the_others(roots: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    roots.path(f"{ROOT}/aaron").mkdir()
    monkeypatch.setattr(roots.runner, "run", SlowDu(roots, 10, ["aaron"]))
    found = measured(roots, directory("aaron"), directory("alice"), directory("bob"), seconds=7)
    assert (found["aaron"]["used"], found["aaron"]["trouble"]) == (None, "du needs more than 7 s for it")
    assert (found["alice"]["used"] >= 4 * M, found["bob"]["used"] >= 2 * M) == (True, True)


def test_many_jails_together_may_take_longer_than_the_limit(roots: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowDu(roots, 1)
    monkeypatch.setattr(roots.runner, "run", slow)
    found = measured(roots, directory("alice"), directory("bob"))
    assert [each["trouble"] for each in found.values()] == ["", ""]
    assert slow.runs == 2


def complaining(lab: Lab, rc: int, err: str) -> t.Callable[[Command], Done]:
    """Return what runs commands on the host, of which du complains."""
    run = lab.runner.run

    def complain(command: Command) -> Done:
        done = run(command)
        return Done(command, rc, done.out, err) if "du" in command.argv else done

    return complain


def test_what_vanished_meanwhile_is_told_of_its_jail_alone(roots: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    err = f"du: {ROOT}/alice/tmp/x\ny: No such file or directory\ndu: {ROOT}/alice/z: No such file or directory\n"
    monkeypatch.setattr(roots.runner, "run", complaining(roots, 1, err))
    found = measured(roots, directory("alice"), directory("bob"))
    assert found["alice"]["trouble"] == "it takes more: du could not look at 2 things"
    assert (found["alice"]["used"] >= 4 * M, found["bob"]["trouble"]) == (True, "")


def test_a_du_that_cannot_run_fails(roots: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots.runner, "run", complaining(roots, 64, "du: illegal option"))
    result = roots.module("jail_disk_info", jails=[directory("alice")])
    assert "illegal option" in result["msg"]


def make_images(lab: Lab, *jails: Values) -> None:
    """Make images of 16 MB, which are mounted then."""
    images = [{"name": jail["name"], "path": jail["path"], **jail["image"], "size": "16M"} for jail in jails]
    assert not lab.module("jail_images", images=images).get("failed")


def test_an_image_tells_what_is_used_in_it_while_it_is_mounted(lab: Lab) -> None:
    lab.run("mkdir", "-p", ROOT)
    make_images(lab, image("dave", 41), image("eve", 42))
    lab.path(f"{ROOT}/dave/data").write_bytes(b"x" * 4 * M)
    lab.run("/bin/sh", "/usr/local/libexec/jailisp-image", "unmount", "42", "/images/eve.img", f"{ROOT}/eve")
    found = measured(lab, image("dave", 41), image("eve", 42), image("gone", 43))
    assert (found["dave"]["size"], found["eve"]["size"]) == (16 * M, 16 * M)
    assert 4 * M <= found["dave"]["used"] < 5 * M
    assert found["eve"]["used"] == found["eve"]["allocated"]
    assert found["gone"] == {"kind": "image", "used": None, "trouble": "/images/gone.img is not there, or no file"}


def test_what_a_customer_mounts_over_his_root_is_not_his_image(lab: Lab) -> None:
    lab.run("mkdir", "-p", ROOT)
    dave = image("dave", 41)
    make_images(lab, dave)
    lab.run("mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", dave["path"])
    found = measured(lab, dave)["dave"]
    assert found["used"] == found["allocated"]


def test_a_dataset_tells_what_it_refers_to(lab: Lab) -> None:
    lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    lab.run("zfs", "create", "-p", "-o", f"mountpoint={ROOT}/bob", "tank/jails/bob")
    lab.path(f"{ROOT}/bob/data").write_bytes(b"x" * 3 * M)
    found = measured(lab, dataset("bob"), dataset("gone"))
    referenced = int(lab.run("zfs", "get", "-Hp", "-o", "value", "referenced", "tank/jails/bob"))
    assert found["bob"] == {"kind": "dataset", "used": referenced, "trouble": ""}
    assert referenced >= 3 * M
    assert found["gone"] == {"kind": "dataset", "used": None, "trouble": "there is no dataset tank/jails/gone"}


def test_the_room_of_folders_is_that_of_their_file_system(lab: Lab) -> None:
    lab.run("sh", "-c", "mkdir -p /jails/n1 /images && mount -t tmpfs -o size=64m tmpfs /jails/n1")
    rooms = lab.check("jail_disk_info", jails=[], folders=["/jails/n1", "/images", "/missing"])["rooms"]
    assert {folder: room["point"] for folder, room in rooms.items()} == {"/jails/n1": "/jails/n1", "/images": "/"}
    assert rooms["/jails/n1"]["size"] == 64 * M
    assert rooms["/jails/n1"]["free"] == rooms["/jails/n1"]["size"] - rooms["/jails/n1"]["used"]


@pytest.mark.parametrize("count", [1, 20])
def test_processes_do_not_grow_with_the_jails(lab: Lab, count: int) -> None:
    jails = [each(f"{kind}{n}") for n in range(count) for kind, each in (("d", directory), ("z", dataset))]
    for jail in jails:
        lab.path(jail["path"]).mkdir(parents=True)
    jails += [image(f"i{n}", n + 1) for n in range(count)]
    lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    assert lab.processes("jail_disk_info", jails=jails, folders=[ROOT]) == 4
