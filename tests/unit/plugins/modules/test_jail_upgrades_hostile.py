# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a customer makes of his root, no upgrade and no rollback of it does anything outside, and others go on."""

from __future__ import annotations

import os
import typing as t

import pytest

from model.host import Host
from support import hostile, watch
from support.lab import Lab, Result, copy
from support.upgrades import NEW, OLD, ROOTS, Yard

# Every so many kinds are tried; HOSTILE_EVERY=1 tries them all, which takes long.
EVERY = int(os.environ.get("HOSTILE_EVERY", "24"))
ALLOWED = ("/var/jail-upgrades", "/var/db/jailisp", "/etc/jail.conf.d", f"{ROOTS}/bob")
# What is written in a root whatever the kind: without them nothing would be shown.
ALWAYS = ("lib -> /", "usr -> ../../..", "etc -> /etc", "bin/sh is a script", "etc/rc never ends", "the version runs")
WAYS = (("upgraded", "archive"), ("upgraded", "installworld"), ("rolled_back", "archive"))
KINDS = [kind for kind in hostile.KINDS if kind not in ALWAYS][::EVERY]
CASES = [
    *[(kind, *way) for kind in ALWAYS for way in WAYS],
    *[(kind, *WAYS[number % len(WAYS)]) for number, kind in enumerate(KINDS)],
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """Return where hosts are kept whose jails run, before and after their upgrade, once they were made."""
    return {"folder": tmp_path_factory.mktemp("yards")}


def ready(lab: Lab, places: dict[str, t.Any], state: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """Return a host of the test's own, a copy of one that is made once; sources install nothing less than all."""
    key = f"{state}-{mode}"
    if key not in places:
        yard = Yard(lab, "directory", "alice", "bob", small=mode == "archive")
        watch.place_victims(lab.host)
        if state == "rolled_back":
            assert not yard.upgrade().get("failed")
        places[key] = yard, places["folder"] / key
        copy(lab.host.directory, places[key][1])
    yard, kept = places[key]
    directory = lab.host.directory.with_name("own")
    copy(kept, directory)
    return t.cast(Yard, yard.on(Lab(Host(directory), monkeypatch)))


def upgrade(yard: Yard, state: str, mode: str) -> Result:
    more = yard.with_sources() if mode == "installworld" else {}
    return yard.upgrade(state=state, most_failures=9, seconds=0, **more)


@pytest.mark.parametrize(("kind", "state", "mode"), CASES)
def test_nothing_outside_of_a_hostile_root_is_touched(
    lab: Lab, places: dict[str, t.Any], kind: str, state: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = ready(lab, places, state, mode, monkeypatch)
    if mode == "installworld":
        yard.with_sources()
    hostile.plant(yard.lab.host, yard.path("alice"), kind)
    with watch.watch(yard.lab.host, yard.path("alice"), ALLOWED):
        result = upgrade(yard, state, mode)
    assert yard.version("bob") == (OLD if state == "rolled_back" else NEW), result
    assert "bob" in yard.running()
    assert [error["name"] for error in result["errors"]] in ([], ["alice"])
    if not result["errors"] and "version" not in kind:
        assert yard.version("alice") == yard.version("bob")
