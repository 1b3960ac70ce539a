# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT, TEXT
from support.lab import Lab, Result

ROOTS, FOLDER = "/usr/local/jails/h1", "/var/jail-images"
UNITS = {"alice": 17, "bob": 18}
MIB = 1 << 20


def image(name: str = "alice", **more: t.Any) -> dict[str, t.Any]:
    file, path = f"{FOLDER}/{name}.img", f"{ROOTS}/{name}"
    return {"name": name, "file": file, "unit": UNITS[name], "size": "8M", "path": path, **more}


def images(*names: str, **more: t.Any) -> dict[str, t.Any]:
    return {"images": [image(name, **more) for name in names or ("alice",)]}


def script(action: str, name: str = "alice") -> list[str]:
    return ["/bin/sh", SCRIPT, action, str(UNITS[name]), f"{FOLDER}/{name}.img", f"{ROOTS}/{name}"]


@pytest.fixture
def host_lab(lab: Lab) -> Lab:
    """Return a host with a place for roots."""
    lab.run("mkdir", "-p", ROOTS)
    return lab


@pytest.fixture
def made(host_lab: Lab) -> Lab:
    """Return a host with the image of alice, which is hers: it holds a file, is mounted, and has no note."""
    host_lab.module("jail_images", **images())
    (host_lab.path(ROOTS) / "alice/mine").write_text("hers")
    host_lab.files.remove(note("alice"))
    return host_lab


def mounted(lab: Lab, name: str = "alice") -> bool:
    return f"/dev/md{UNITS[name]}\t\t{ROOTS}/{name}" in lab.run("mount", "-p").replace(" ", "\t")


def size(lab: Lab, name: str = "alice") -> int:
    return lab.path(f"{FOLDER}/{name}.img").stat().st_size


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


def refused(lab: Lab, **parameters: t.Any) -> str:
    """Return why a module refuses alice, whose image stays as it is."""
    before = lab.path(f"{FOLDER}/alice.img").read_bytes() if lab.path(f"{FOLDER}/alice.img").exists() else None
    result = lab.module("jail_images", **parameters)
    assert not [each for each in result["commands"] if "alice" in each or "md17" in each]
    after = lab.path(f"{FOLDER}/alice.img").read_bytes() if lab.path(f"{FOLDER}/alice.img").exists() else None
    assert before == after
    return errors(result)["alice"]


# Making ---------------------------------------------------------------------------------------------------------------


def test_a_new_image_is_made_and_mounted(host_lab: Lab) -> None:
    result = host_lab.converge("jail_images", **images("alice", "bob"))
    assert mounted(host_lab)
    assert mounted(host_lab, "bob")
    assert size(host_lab) == 8 * MIB
    assert host_lab.files.read(note("alice")) == EMPTY
    assert host_lab.path(FOLDER).stat().st_mode & 0o777 == 0o700
    assert host_lab.path(f"{FOLDER}/alice.img").stat().st_mode & 0o777 == 0o600
    assert host_lab.files.names(f"{ROOTS}/alice") == []
    assert host_lab.files.read(SCRIPT) == TEXT
    assert result["after"][f"image {FOLDER}/alice.img"] == f"8M, mounted at {ROOTS}/alice\n"


def test_without_images_nothing_is_looked_at(lab: Lab) -> None:
    assert lab.processes("jail_images", images=[]) == 0
    assert not lab.path(FOLDER).exists()


@pytest.mark.parametrize("before", [(), ("truncate",), ("newfs",)])
def test_what_is_half_made_is_made_anew(host_lab: Lab, before: tuple[str, ...]) -> None:
    host_lab.files.write(note("alice"), EMPTY, 0o600)
    host_lab.run("mkdir", "-m", "700", FOLDER)
    if before:
        host_lab.run("truncate", "-s", "11m", f"{FOLDER}/alice.img")
        host_lab.run("mdconfig", "-a", "-t", "vnode", "-u", "17", "-f", f"{FOLDER}/alice.img")
    if before == ("newfs",):
        host_lab.run("newfs", "-U", "/dev/md17")
    host_lab.converge("jail_images", **images())
    assert (mounted(host_lab), size(host_lab)) == (True, 8 * MIB)


def test_a_file_without_a_note_gets_no_new_file_system(host_lab: Lab) -> None:
    host_lab.run("mkdir", "-m", "700", FOLDER)
    host_lab.run("truncate", "-s", "8m", f"{FOLDER}/alice.img")
    assert host_lab.converge("jail_images", **images())["commands"] == [f"write {SCRIPT}"]


def test_an_image_that_waits_for_accounts_is_mounted_again(made: Lab) -> None:
    made.files.write(note("alice"), FILLED, 0o600)
    made.run(*script("unmount"))
    result = made.converge("jail_images", **images())
    assert result["commands"] == [" ".join(script("mount"))]
    assert made.files.read(f"{ROOTS}/alice/mine") == "hers"


def test_an_image_of_a_stopped_jail_is_left_alone(made: Lab) -> None:
    made.run(*script("unmount"))
    assert made.converge("jail_images", **images())["commands"] == []
    assert made.run("mdconfig", "-l") == ""


def test_an_open_folder_is_closed(made: Lab) -> None:
    made.run("chmod", "755", FOLDER)
    assert "chmod 700 /var/jail-images" in made.converge("jail_images", **images())["commands"]


# Growing --------------------------------------------------------------------------------------------------------------


def test_a_mounted_image_grows_where_it_is(made: Lab) -> None:
    result = made.converge("jail_images", **images(size="12M"))
    assert not [each for each in result["commands"] if "mount" in each or "newfs" in each]
    assert size(made) == 12 * MIB
    assert int(made.run("df", "-k", f"{ROOTS}/alice").splitlines()[1].split()[1]) > 8 * 1024
    assert made.files.read(f"{ROOTS}/alice/mine") == "hers"
    assert made.files.names(FOLDER) == ["alice.img"]


def test_an_unmounted_image_grows_and_is_detached(made: Lab) -> None:
    made.run(*script("unmount"))
    made.converge("jail_images", **images(size="12M"))
    assert made.run("mdconfig", "-l") == ""
    made.run(*script("mount"))
    assert int(made.run("df", "-k", f"{ROOTS}/alice").splitlines()[1].split()[1]) > 8 * 1024
    assert made.files.read(f"{ROOTS}/alice/mine") == "hers"


def test_a_growth_that_was_cut_off_is_ended_also_if_the_record_was_changed_back(made: Lab) -> None:
    made.files.write(f"{FOLDER}/alice.img.grow", "12582912\n", 0o600)
    made.run("truncate", "-s", "12m", f"{FOLDER}/alice.img")
    result = made.module("jail_images", **images())
    assert "growfs -y /dev/md17" in result["commands"]
    assert "12M and shall have 8M" in errors(result)["alice"]
    assert made.files.names(FOLDER) == ["alice.img"]
    assert made.files.read(f"{ROOTS}/alice/mine") == "hers"


# Refusals -------------------------------------------------------------------------------------------------------------


def test_an_image_never_shrinks(made: Lab) -> None:
    assert "has 8M and shall have 4M: an image cannot shrink" in refused(made, **images(size="4M"))


def test_a_root_that_is_a_directory_is_no_place_for_an_image(host_lab: Lab) -> None:
    host_lab.run("mkdir", "-p", f"{ROOTS}/alice/etc")
    assert "is a directory that holds something" in refused(host_lab, **images("alice", "bob"))
    assert mounted(host_lab, "bob")


def test_a_link_in_the_place_of_the_root_is_refused(host_lab: Lab) -> None:
    host_lab.run("ln", "-s", "/etc", f"{ROOTS}/alice")
    assert "is not a folder" in refused(host_lab, **images())


def test_a_link_in_the_place_of_the_image_is_refused(host_lab: Lab) -> None:
    host_lab.run("mkdir", "-m", "700", FOLDER)
    host_lab.run("ln", "-s", "/var/base.txz", f"{FOLDER}/alice.img")
    assert "is not a plain file" in refused(host_lab, **images())


def test_a_link_on_the_way_to_the_images_is_refused(host_lab: Lab) -> None:
    host_lab.run("mkdir", "-m", "700", "/var/elsewhere")
    host_lab.run("ln", "-s", "/var/elsewhere", FOLDER)
    assert "a link leads there" in errors(host_lab.module("jail_images", **images()))[""]


def test_an_image_that_is_attached_elsewhere_is_told_of(made: Lab) -> None:
    made.run(*script("unmount"))
    made.run("mdconfig", "-a", "-t", "vnode", "-u", "5", "-f", f"{FOLDER}/alice.img")
    assert "attached as md5, not as md17 alone" in refused(made, **images(size="12M"))


def test_an_image_that_is_attached_twice_is_told_of(made: Lab) -> None:
    made.run("mdconfig", "-a", "-t", "vnode", "-u", "5", "-f", f"{FOLDER}/alice.img")
    assert "attached as md5 and md17" in refused(made, **images())


def test_a_unit_that_another_disk_has_is_told_of(host_lab: Lab) -> None:
    host_lab.run("mdconfig", "-a", "-t", "swap", "-s", "8m", "-u", "17")
    assert "md17 holds no file" in refused(host_lab, **images())


def test_an_image_that_is_mounted_elsewhere_is_told_of(made: Lab) -> None:
    made.run("umount", f"{ROOTS}/alice")
    made.run("mount", "/dev/md17", "/mnt")
    assert "mounted at /mnt" in refused(made, **images())


def test_another_file_system_in_the_place_of_the_root_is_told_of(host_lab: Lab) -> None:
    host_lab.run("mkdir", f"{ROOTS}/alice")
    host_lab.run("mount", "-t", "tmpfs", "tmpfs", f"{ROOTS}/alice")
    assert "tmpfs is mounted at" in refused(host_lab, **images())


def test_images_beyond_what_the_disk_has_are_refused(host_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Files, "room", lambda self, name: 12 * MIB)
    result = host_lab.module("jail_images", **images("alice", "bob"))
    assert "has 12M left, and all images with this one may still come to take 16M" in errors(result)["bob"]
    assert mounted(host_lab)
    assert not host_lab.path(f"{FOLDER}/bob.img").exists()
    assert "with this one may still" in errors(host_lab.module("jail_images", **images(size="16M")))["alice"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"file": "/var/a b.img"}, "is not an absolute path of plain names"),
        ({"path": "/usr/jails/$x"}, "is not an absolute path of plain names"),
        ({"unit": 0}, "is not from 1 to 24999"),
        ({"size": "many"}, "images: alice: size"),
        ({"size": "1000"}, "no multiple of 512"),
        ({"name": "Alice"}, "no jail can have it"),
    ],
)
def test_a_wrong_wish_is_refused(lab: Lab, wrong: dict[str, t.Any], said: str) -> None:
    result = lab.module("jail_images", images=[image() | wrong])
    assert said in result["msg"]


@pytest.mark.parametrize("key", ["name", "file", "unit", "path"])
def test_two_images_share_nothing(lab: Lab, key: str) -> None:
    two = [image(), image("bob") | {key: image()[key]}]
    assert f"images[1].{key}" in lab.module("jail_images", images=two)["msg"]


def test_images_are_in_one_folder(lab: Lab) -> None:
    two = [image(), image("bob", file="/var/other/bob.img")]
    assert "several folders" in lab.module("jail_images", images=two)["msg"]


def test_one_image_in_trouble_does_not_stop_another(host_lab: Lab) -> None:
    host_lab.run("mdconfig", "-a", "-t", "swap", "-s", "8m", "-u", "17")
    result = host_lab.module("jail_images", **images("alice", "bob"))
    assert list(errors(result)) == ["alice"]
    assert mounted(host_lab, "bob")


def test_processes_do_not_grow_with_images(host_lab: Lab) -> None:
    def many(count: int) -> dict[str, t.Any]:
        return {"images": [image() | named(number) for number in range(1, count + 1)]}

    def named(number: int) -> dict[str, t.Any]:
        name = f"j{number}"
        return {"name": name, "unit": number, "file": f"{FOLDER}/{name}.img", "path": f"{ROOTS}/{name}"}

    for count in (5, 50):
        host_lab.module("jail_images", **many(count))
        assert host_lab.processes("jail_images", **many(count)) == 2
