# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a host's images are like and shall be like: what the module jail_images never does, and always comes to."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT, TEXT
from model.host import Host
from support.lab import Lab, copy

ROOTS, FOLDER = "/usr/local/jails/h1", "/var/jail-images"
UNITS = {"alice": 17, "bob": 18, "carol": 19}
MINE = "of a customer"
SIZES = ("8M", "12M")

# What may have become of an image: a note or none, and how far its making, or its use, has come.
NOTES = (None, EMPTY, FILLED)
STAGES = ("nothing", "file", "attached", "attached elsewhere", "made", "mounted", "directory")
# What is not made yet has a note that says so.
HALF_MADE = ("file", "attached")
Past: t.TypeAlias = "tuple[str | None, str]"
pasts = st.sampled_from(
    [(told, stage) for told in NOTES for stage in STAGES if told == EMPTY or stage not in HALF_MADE]
)


def file(name: str) -> str:
    return f"{FOLDER}/{name}.img"


def bring_about(lab: Lab, name: str, past: Past) -> None:
    """Have a host's image come to a stage, by hand."""
    told, stage = past
    unit, path = str(UNITS[name]), f"{ROOTS}/{name}"
    if told is not None:
        lab.files.write(note(name), told, 0o600)
    if stage == "directory":
        lab.run("mkdir", "-p", f"{path}/etc")
    if stage in ("nothing", "directory"):
        return
    lab.run("truncate", "-s", "8m", file(name))
    lab.run("mkdir", path)
    used = "5" + unit if stage == "attached elsewhere" else unit
    if stage != "file":
        lab.run("mdconfig", "-a", "-t", "vnode", "-u", used, "-f", file(name))
    if stage in ("made", "mounted"):
        lab.run("newfs", "-U", "-n", f"/dev/md{unit}")
        lab.run("mount", f"/dev/md{unit}", path)
        lab.files.write(f"{path}/mine", MINE)
    if stage == "made":
        lab.run("/bin/sh", SCRIPT, "unmount", unit, file(name), path)


def is_customers(past: Past) -> bool:
    return past[0] is None and past[1] not in ("nothing", "directory")


def disks(lab: Lab) -> list[str]:
    return [line.split("\t")[3] for line in lab.run("mdconfig", "-lv").splitlines()]


@given(past=st.fixed_dictionaries(dict.fromkeys(UNITS, pasts)), sizes=st.tuples(*[st.sampled_from(SIZES)] * 2))
@settings(max_examples=15)
def test_images_come_to_rest_and_no_customers_is_made_anew(
    installed: Path, past: dict[str, Past], sizes: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        copy(installed, Path(folder) / "h1")
        lab = Lab(Host(Path(folder) / "h1"), patch)
        lab.run("mkdir", "-p", ROOTS)
        lab.run("mkdir", "-m", "700", FOLDER)
        lab.files.write(SCRIPT, TEXT, 0o755)
        for name, each in past.items():
            bring_about(lab, name, each)
        # Of carol nothing is said: whatever there is of her stays.
        hers, attached = lab.files.sha256(file("carol")), disks(lab).count(file("carol"))
        wished: list[dict[str, t.Any]] = [
            {"name": name, "file": file(name), "unit": UNITS[name], "size": size, "path": f"{ROOTS}/{name}"}
            for name, size in zip(("alice", "bob"), sizes, strict=True)
        ]
        foretold = lab.check("jail_images", images=wished)
        result = lab.module("jail_images", images=wished)
        assert foretold["commands"] == result["commands"]
        refused = {error["name"] for error in result["errors"]}
        for name in ("alice", "bob"):
            told, stage = past[name]
            assert (name in refused) == (stage in ("directory", "attached elsewhere")), result["errors"]
            if is_customers(past[name]):
                assert f"newfs -U -n /dev/md{UNITS[name]}" not in result["commands"]
                assert disks(lab).count(file(name)) <= 1
            if told == FILLED and stage == "made":
                assert lab.files.read(f"{ROOTS}/{name}/mine") == MINE
            if is_customers(past[name]) and stage == "mounted":
                assert lab.files.read(f"{ROOTS}/{name}/mine") == MINE
        assert (lab.files.sha256(file("carol")), disks(lab).count(file("carol"))) == (hers, attached)
        again = lab.module("jail_images", images=wished)
        assert (again["commands"], {error["name"] for error in again["errors"]}) == ([], refused)
