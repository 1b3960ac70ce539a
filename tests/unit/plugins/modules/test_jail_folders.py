# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._folders.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._folders.plan import Actual, Folder, plan
from support.lab import Lab

ROOT = "/usr/local/jails/h1"
PLACES = {"n1": {"path": "/jails/n1", "disk": 8 << 30}, "n2": {"path": "/jails/n2"}}


@pytest.fixture
def parted(lab: Lab) -> Lab:
    """Return a host with two partitions that are mounted, and open to all, as newfs(8) leaves them."""
    for name in PLACES:
        lab.run("mkdir", "-p", f"/jails/{name}")
        lab.run("truncate", "-s", "8m", f"/var/{name}.img")
        disk = lab.run("mdconfig", "-a", "-t", "vnode", "-f", f"/var/{name}.img").strip()
        lab.run("newfs", "-U", f"/dev/{disk}")
        lab.run("mount", f"/dev/{disk}", f"/jails/{name}")
    return lab


def mode(lab: Lab, path: str) -> int:
    return stat.S_IMODE(lab.path(path).stat().st_mode)


def test_the_folder_of_the_roots_is_made_and_is_roots_alone(lab: Lab) -> None:
    lab.path("/usr/local/jails").mkdir(exist_ok=True)
    lab.path("/usr/local/jails").rmdir()
    result = lab.converge("jail_folders", root=ROOT)
    assert result["commands"] == [f"install -d -o root -g wheel -m 700 {ROOT}"]
    assert (mode(lab, "/usr/local/jails"), mode(lab, ROOT)) == (0o755, 0o700)


def test_what_is_open_to_others_is_closed(parted: Lab) -> None:
    parted.run("mkdir", "-p", ROOT)
    result = parted.converge("jail_folders", root=ROOT, neighbourhoods=PLACES)
    assert result["before"] == dict.fromkeys(
        (f"folder {ROOT}", "folder /jails/n1", "folder /jails/n2"), "not root's alone\n"
    )
    assert {mode(parted, path) for path in (ROOT, "/jails/n1", "/jails/n2")} == {0o700}
    assert parted.run("stat", "-f", "%Su:%Sg", "/jails/n1") == "root:wheel\n"


def test_a_neighbourhood_that_is_not_mounted_is_refused_and_nothing_is_done(parted: Lab) -> None:
    parted.run("umount", "/jails/n2")
    result = parted.check("jail_folders", root=ROOT, neighbourhoods=PLACES)
    assert result["msg"].startswith("neighbourhoods: n2: nothing is mounted at /jails/n2, so its roots would fill")
    assert (result["commands"], result["changed"]) == ([], False)
    assert parted.module("jail_folders", root=ROOT, neighbourhoods=PLACES)["msg"] == result["msg"]
    assert not parted.path(ROOT).exists()
    assert mode(parted, "/jails/n1") != 0o700


def test_a_folder_below_a_mount_point_is_none(parted: Lab) -> None:
    parted.run("mkdir", "/jails/n1/deep")
    result = parted.check("jail_folders", root=ROOT, neighbourhoods={"n1": {"path": "/jails/n1/deep"}})
    assert "nothing is mounted at /jails/n1/deep" in result["msg"]


@pytest.mark.parametrize("place", ["/jails/link", "/jails/link/n1", "/etc/rc.conf"])
def test_what_is_no_folder_or_behind_a_link_is_refused(parted: Lab, place: str) -> None:
    parted.path("/jails/link").symlink_to("/jails/n1")
    for parameters in ({"root": place}, {"root": ROOT, "neighbourhoods": {"n3": {"path": place}}}):
        result = parted.check("jail_folders", **parameters)
        assert f"{place} is not a folder, or a link leads there; name the folder itself" in result["msg"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"root": "jails"}, "root: 'jails' is not an absolute, plain path below /"),
        ({"root": "/"}, "root: '/' is not an absolute, plain path below /"),
        ({"neighbourhoods": {"n1": "/jails/n1"}}, "neighbourhoods: n1: give it the key path"),
        ({"neighbourhoods": {"n1": {"path": "/a/../b"}}}, "neighbourhoods: n1: path: '/a/../b' is not an absolute"),
        ({"neighbourhoods": {"n1": {"path": ROOT}}}, f"neighbourhoods: n1: path: {ROOT} is given twice"),
        (
            {"neighbourhoods": {"n1": {"path": "/n"}, "n2": {"path": "/n"}}},
            "neighbourhoods: n2: path: /n is given twice; each has a folder of its own",
        ),
    ],
)
def test_a_wrong_wish_names_the_key(lab: Lab, parameters: dict[str, t.Any], message: str) -> None:
    assert lab.check("jail_folders", **{"root": ROOT, **parameters})["msg"].startswith(message)


def test_only_neighbourhoods_take_a_process(parted: Lab) -> None:
    parted.module("jail_folders", root=ROOT, neighbourhoods=PLACES)
    assert parted.processes("jail_folders", root=ROOT) == 0
    assert parted.processes("jail_folders", root=ROOT, neighbourhoods=PLACES) == 1


FOUND = st.builds(Folder, st.sampled_from(("missing", "folder", "empty", "other")), st.booleans())


@given(st.tuples(FOUND, FOUND, FOUND), st.sets(st.sampled_from(("/jails/n1", "/jails/n2", "/"))))
def test_either_nothing_is_done_or_every_folder_that_is_open(found: tuple[Folder, ...], points: set[str]) -> None:
    wished = wish({"root": ROOT, "neighbourhoods": PLACES})
    planned = plan(wished, Actual(dict(zip(wished.folders, found, strict=True)), frozenset(points)))
    good = all(each.kind != "other" for each in found) and {"/jails/n1", "/jails/n2"} <= points
    assert bool(planned.refused) != good
    still_open = [f"folder {path}" for path, each in zip(wished.folders, found, strict=True) if not each.private]
    assert [change.name for change in planned.changes] == (still_open if good else [])
    assert bool(planned.steps) == bool(planned.changes)
