# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import note
from support.lab import Lab, copy

ROOT = "/usr/local/jails/h1"


@pytest.fixture
def full(lab: Lab, world: Path) -> Lab:
    """Return a host with a jail of ours and one of somebody else's."""
    copy(world, lab.path(f"{ROOT}/alice"))
    copy(world, lab.path("/theirs"))
    lab.module("host_settings", interfaces=["lo1"], kernel_modules=["pf", "dummynet"])
    lab.module("jails", jails=[{"name": "alice", "path": f"{ROOT}/alice", "ip4": ["192.168.1.17"]}])
    lab.run("jail", "-c", "name=theirs", "path=/theirs", "persist")
    return lab


def test_a_host_that_was_never_used_has_nothing(lab: Lab) -> None:
    found = lab.check("jail_host_info", folders=[ROOT])
    assert not found.get("failed"), found
    nothing = ("roots", "datasets", "images", "jails", "tables", "anchors", "pipes", "queues", "rules")
    assert {key: found[key] for key in nothing if found[key]} == {}


def test_every_entry_beside_the_roots_is_told_with_its_kind(full: Lab) -> None:
    full.path(f"{ROOT}/empty").mkdir()
    full.path(f"{ROOT}/.snap").mkdir()
    full.path(f"{ROOT}/link").symlink_to("/etc")
    found = full.check("jail_host_info", folders=[ROOT], gather_subset=["roots"])
    assert found["roots"] == {
        f"{ROOT}/alice": "folder",
        f"{ROOT}/empty": "empty",
        f"{ROOT}/link": "other",
    }
    assert "jails" not in found


def test_every_folder_is_looked_at_and_says_where_a_root_is(full: Lab) -> None:
    for path in ("/jails/n1/alice", "/jails/n1/bob/etc", "/jails/n1/.snap"):
        full.path(path).mkdir(parents=True)
    found = full.check("jail_host_info", folders=[ROOT, "/jails/n1", "/jails/n2"], gather_subset=["roots"])
    assert found["folders"] == [ROOT, "/jails/n1", "/jails/n2"]
    assert found["roots"] == {f"{ROOT}/alice": "folder", "/jails/n1/alice": "empty", "/jails/n1/bob": "folder"}


def test_datasets_are_those_directly_below_the_parent(lab: Lab) -> None:
    lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    lab.run("zfs", "create", "-p", "tank/jails/alice/inner")
    lab.run("zfs", "create", "tank/releases")
    lab.run("zfs", "snapshot", "tank/jails/alice@yesterday")
    assert lab.check("jail_host_info", folders=[ROOT], dataset="tank/jails")["datasets"] == ["alice"]
    assert lab.check("jail_host_info", folders=[ROOT], dataset="tank/other")["datasets"] == []


def test_images_are_told_as_soon_as_they_are_filled(lab: Lab) -> None:
    names = ("alice", "bob")
    records = [
        {"name": name, "file": f"/images/{name}.img", "unit": unit, "size": "8M", "path": f"{ROOT}/{name}"}
        for unit, name in enumerate(names, 1)
    ]
    lab.run("mkdir", "-p", ROOT)
    lab.module("jail_images", images=records)
    for name in names:
        lab.run("mkdir", f"{ROOT}/{name}/etc")
    lab.files.remove(note("alice"))
    found = lab.check("jail_host_info", folders=[ROOT], images="/images", gather_subset=["roots"])
    assert found["images"] == {"alice": "/images/alice.img"}
    assert found["roots"] == {f"{ROOT}/alice": "folder", f"{ROOT}/bob": "empty"}


@pytest.mark.parametrize("enabled", [True, False])
def test_without_accounts_there_are_no_rules_and_it_says_so(lab: Lab, enabled: bool) -> None:
    lab.run("rctl", "-a", "jail:alice:maxproc:deny=5")
    with lab.host.kernel() as kernel:
        kernel["sysctl"]["kern.racct.enable"] = str(int(enabled))
    found = lab.check("jail_host_info", folders=[ROOT], gather_subset=["limits"])
    assert found["accounts"] is enabled
    assert found["rules"] == ({"alice": ["jail:alice:maxproc:deny=5"]} if enabled else {})


def test_running_jails_are_told_with_who_made_them(full: Lab) -> None:
    found = full.check("jail_host_info", folders=[ROOT])
    assert found["jails"] == {
        "alice": {"path": f"{ROOT}/alice", "ours": True},
        "theirs": {"path": "/theirs", "ours": False},
    }


def test_what_is_below_our_anchor_is_told_and_nothing_beside_it(full: Lab) -> None:
    full.run("pfctl", "-a", "jailisp", "-t", "friends", "-T", "add", "192.0.2.1")
    full.run("pfctl", "-a", "jailisp/more", "-f", "-", stdin="block drop all\n")
    full.run("pfctl", "-a", "theirs", "-t", "enemies", "-T", "add", "192.0.2.1")
    found = full.check("jail_host_info", folders=[ROOT])
    assert (found["tables"], found["anchors"]) == (["friends"], ["jailisp/more"])


def test_pipes_and_queues_are_told_within_the_range(full: Lab) -> None:
    for number in ("9999", "10000", "60000"):
        full.run("dnctl", "pipe", number, "config", "bw", "1Mbit/s")
        full.run("dnctl", "queue", number, "config", "pipe", number, "weight", "1")
    found = full.check("jail_host_info", folders=[ROOT])
    assert (found["pipes"], found["queues"]) == ([10000], [10000])
    assert full.check("jail_host_info", folders=[ROOT], first=9000, last=9999)["pipes"] == [9999]


def test_limits_are_told_by_jail_and_those_of_others_are_not(full: Lab) -> None:
    full.run("rctl", "-a", "jail:alice:maxproc:deny=100", "user:root:maxproc:deny=1000")
    assert full.check("jail_host_info", folders=[ROOT])["rules"] == {"alice": ["jail:alice:maxproc:deny=100"]}


def test_a_kernel_without_accounts_has_no_limits(full: Lab) -> None:
    with full.host.kernel() as kernel:
        kernel["sysctl"]["kern.racct.enable"] = "0"
    assert full.check("jail_host_info", folders=[ROOT])["rules"] == {}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two\nlines", "two\\nlines"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("back\\slash", "back\\\\slash"),
        ("{{ lookup('pipe', 'id') }}", "{{ lookup('pipe', 'id') }}"),
        ("right\u202eleft", "right\\u202eleft"),
    ],
)
def test_names_are_escaped(lab: Lab, name: str, shown: str) -> None:
    lab.path(f"{ROOT}/{name}").mkdir(parents=True)
    assert lab.check("jail_host_info", folders=[ROOT])["roots"] == {f"{ROOT}/{shown}": "empty"}


def test_a_name_that_is_no_utf_8_is_escaped(lab: Lab) -> None:
    lab.path(ROOT).mkdir(parents=True)
    (lab.path(ROOT) / b"\xff".decode(errors="surrogateescape")).mkdir()
    assert lab.check("jail_host_info", folders=[ROOT])["roots"] == {f"{ROOT}/\\udcff": "empty"}


def test_processes_do_not_grow_with_the_jails(full: Lab, world: Path) -> None:
    before = full.processes("jail_host_info", folders=[ROOT])
    for number in range(5):
        copy(world, full.path(f"{ROOT}/more{number}"))
        full.run("jail", "-c", f"name=more{number}", f"path={ROOT}/more{number}", "persist")
    assert full.processes("jail_host_info", folders=[ROOT]) == before
    assert full.processes("jail_host_info", folders=[ROOT], gather_subset=["roots"]) == 0
