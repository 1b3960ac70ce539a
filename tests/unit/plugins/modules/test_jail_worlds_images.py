# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module jail_worlds at work on roots that are images."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT
from support.lab import Lab, Result

RELEASE = "15.1-RELEASE-p1"
ROOTS, FOLDER = "/usr/local/jails/h1", "/var/jail-images"
PATH, FILE = f"{ROOTS}/alice", f"{FOLDER}/alice.img"
IMAGE = {"file": FILE, "unit": 17}
VERSION = f"{PATH}/bin/freebsd-version"


@pytest.fixture
def made(lab: Lab) -> Lab:
    """Return a host with an empty image of alice, mounted."""
    lab.run("mkdir", "-p", ROOTS)
    lab.module("jail_images", images=[{"name": "alice", "size": "64M", "path": PATH, **IMAGE}])
    return lab


@pytest.fixture
def parameters(sha256: str) -> dict[str, t.Any]:
    return {
        "worlds": [{"name": "alice", "path": PATH, "release": RELEASE, "image": IMAGE}],
        "releases": {RELEASE: {"archive": "/var/base.txz", "sha256": sha256}},
        "files": [{"path": "etc/rc.conf", "content": "x\n"}],
        "images": FOLDER,
    }


def script(lab: Lab, action: str) -> None:
    lab.run("/bin/sh", SCRIPT, action, "17", FILE, PATH)


def error(result: Result) -> str:
    assert result["failed"], result
    return str({one["name"]: one["error"] for one in result["errors"]}["alice"])


def doomed(**more: t.Any) -> dict[str, t.Any]:
    one = {"name": "alice", "without_archive": True, "image": IMAGE, **more}
    return {"worlds": [], "releases": {}, "root": ROOTS, "destroy": [one]}


def test_an_empty_image_is_filled_where_it_is_mounted(made: Lab, parameters: dict[str, t.Any]) -> None:
    result = made.converge("jail_worlds", **parameters)
    assert made.path(VERSION).exists()
    assert made.files.read(note("alice")) == FILLED
    assert result["after"] == {f"world {PATH}": f"{RELEASE}\n"}
    script(made, "unmount")
    assert made.files.names(PATH) == []
    script(made, "mount")
    assert made.files.read(f"{PATH}/etc/rc.conf") == "x\n"


def test_check_mode_takes_an_image_that_would_be_made_for_made(lab: Lab, parameters: dict[str, t.Any]) -> None:
    lab.run("mkdir", "-p", ROOTS)
    foretold = lab.check("jail_worlds", **parameters)
    lab.module("jail_images", images=[{"name": "alice", "size": "64M", "path": PATH, **IMAGE}])
    assert lab.module("jail_worlds", **parameters)["commands"] == foretold["commands"] != []


def test_what_is_half_filled_is_filled_anew(made: Lab, parameters: dict[str, t.Any]) -> None:
    made.run("mkdir", f"{PATH}/half")
    made.run("touch", f"{PATH}/half/immutable")
    made.run("chflags", "schg", f"{PATH}/half/immutable")
    made.converge("jail_worlds", **parameters)
    assert made.path(VERSION).exists()
    assert not made.path(f"{PATH}/half").exists()


def test_a_stopped_jails_image_is_no_empty_root(made: Lab, parameters: dict[str, t.Any]) -> None:
    made.module("jail_worlds", **parameters)
    made.files.remove(note("alice"))
    script(made, "unmount")
    result = made.converge("jail_worlds", **parameters)
    assert (result["commands"], result["differs"], result["unmade"]) == ([], {}, [])
    assert made.files.names(PATH) == []


def test_another_release_in_a_mounted_image_is_told_of(made: Lab, parameters: dict[str, t.Any], sha256: str) -> None:
    made.module("jail_worlds", **parameters)
    made.files.remove(note("alice"))
    other = {"14.3-RELEASE": {"archive": "/var/base.txz", "sha256": sha256}}
    worlds = [{**parameters["worlds"][0], "release": "14.3-RELEASE"}]
    result = made.converge("jail_worlds", **{**parameters, "worlds": worlds, "releases": other})
    assert result["differs"] == {"alice": {"is": RELEASE, "wanted": "14.3-RELEASE"}}


def test_without_its_image_nothing_lands_in_the_folder_below(lab: Lab, parameters: dict[str, t.Any]) -> None:
    lab.run("mkdir", "-p", PATH)
    result = lab.module("jail_worlds", **parameters)
    assert "jailisp-image" in error(result)
    assert result["unmade"] == ["alice"]
    assert lab.files.names(PATH) == []


def test_a_root_that_is_a_directory_stays_when_its_record_says_image(lab: Lab, parameters: dict[str, t.Any]) -> None:
    lab.run("mkdir", "-p", PATH)
    lab.files.write(f"{PATH}/hers", "hers")
    result = lab.module("jail_worlds", **parameters)
    assert "jailisp-image" in error(result)
    assert (result["unmade"], lab.files.names(PATH)) == (["alice"], ["hers"])


def test_a_folder_is_not_filled_where_the_jail_has_an_image(made: Lab, parameters: dict[str, t.Any]) -> None:
    script(made, "unmount")
    worlds = [{"name": "alice", "path": PATH, "release": RELEASE}]
    result = made.module("jail_worlds", **{**parameters, "worlds": worlds})
    assert f"it has the image {FILE}" in error(result)
    assert (result["commands"], made.files.names(PATH)) == ([], [])
    # So that its jail stays as it is.
    assert result["unmade"] == ["alice"]


def test_an_image_on_a_host_of_datasets_is_refused(lab: Lab, parameters: dict[str, t.Any]) -> None:
    pool: dict[str, t.Any] = {
        "dataset": "tank/jails",
        "release_dataset": "tank/releases",
        "release_root": "/jails/releases",
    }
    assert "has no meaning with dataset" in lab.module("jail_worlds", **parameters, **pool)["msg"]


def test_a_root_from_elsewhere_is_its_customers_at_once(made: Lab, parameters: dict[str, t.Any]) -> None:
    made.run("mkdir", "-p", "/tmp/old/bin")
    made.files.write("/tmp/old/hers", "hers")
    made.run("tar", "-c", "--zstd", "-f", "/var/alice.tar.zst", "-C", "/tmp/old", ".")
    packed = {"archive": "/var/alice.tar.zst", "sha256": made.files.sha256("/var/alice.tar.zst")}
    worlds = [{"name": "alice", "path": PATH, "root_archive": packed, "image": IMAGE}]
    made.converge("jail_worlds", **{**parameters, "worlds": worlds})
    assert made.files.read(f"{PATH}/hers") == "hers"
    assert made.files.read(note("alice")) is None


@pytest.mark.parametrize("mounted", [True, False])
def test_a_doomed_image_is_unmounted_and_destroyed(made: Lab, parameters: dict[str, t.Any], mounted: bool) -> None:
    made.module("jail_worlds", **parameters)
    if not mounted:
        script(made, "unmount")
    made.converge("jail_worlds", **doomed())
    assert (made.files.names(ROOTS), made.files.names(FOLDER)) == ([], [])
    assert made.files.read(note("alice")) is None
    assert made.run("mdconfig", "-l") == ""


def test_an_image_that_is_mounted_elsewhere_is_not_destroyed(made: Lab, parameters: dict[str, t.Any]) -> None:
    script(made, "unmount")
    made.run("mdconfig", "-a", "-t", "vnode", "-u", "5", "-f", FILE)
    made.run("mount", "/dev/md5", PATH)
    made.files.write(f"{PATH}/hers", "hers")
    assert error(made.module("jail_worlds", **doomed()))
    assert made.files.read(f"{PATH}/hers") == "hers"
    assert made.path(FILE).exists()
