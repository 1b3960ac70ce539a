# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed before any command and any change of a file, a jail runs one release whole, or nobody can start it."""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from model.host import Host
from support.lab import Lab, ModelRunner, copy
from support.upgrades import NEW, OLD, STORAGES, Yard, contents

CHANGES = ("write", "append", "move", "remove", "make_folder")
CONFIG = "/etc/jail.conf.d/alice.conf"
# Every so many places are tried, in each test others; CUT_EVERY=1 tries them all, which takes long.
EVERY = int(os.environ.get("CUT_EVERY", "61"))
STATES = ("upgraded", "rolled_back", "failing")
MINE = ("root/mine", "usr/local/mine", "etc/mine")

Look = dict[str, t.Any]


class Killed(BaseException):
    """Stands for the end of the module's process."""


class Cut:
    """Kills before the operation of that number."""

    def __init__(self, patch: pytest.MonkeyPatch, place: int) -> None:
        self.left = place
        patch.setattr(ModelRunner, "run", self._counted(ModelRunner.run))
        for name in CHANGES:
            patch.setattr(Files, name, self._counted(getattr(Files, name)))

    def _counted(self, operation: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def run(*arguments: t.Any, **more: t.Any) -> t.Any:
            self.left -= 1
            # Dead is dead: what would be done on the way out is not done either.
            if self.left <= 0:
                raise Killed
            return operation(*arguments, **more)

        return run


def prepared(lab: Lab, storage: str, state: str) -> Yard:
    yard = Yard(lab, storage, "alice", small=True)
    for name in MINE:
        lab.path(f"{yard.path('alice')}/{name}").write_text("mine")
    if state == "rolled_back":
        assert not yard.upgrade().get("failed")
    elif state == "failing":
        # It answers only until it is started again.
        (lab.path(yard.path("alice")) / "etc/rc.conf").write_text('sshd_enable="NO"\n')
    return yard


def world(yard: Yard) -> Look:
    """Return all of a root but what a running jail changes in it."""
    found = contents(yard.lab, yard.path("alice"))
    return {path: value for path, value in found.items() if not path.startswith(("dev", "var", "tmp"))}


def see_nothing_between(yard: Yard, worlds: list[Look], place: int) -> None:
    """See that what runs, or would be started by a boot, is one release whole."""
    lab = yard.lab
    running = "alice" in yard.running()
    if running or lab.path(CONFIG).exists():
        if yard.storage == "image" and not running:
            return  # What is in it cannot be seen; the cuts before and after this one show it.
        found = world(yard)
        differs = [[path for path in found | whole if found.get(path) != whole.get(path)] for whole in worlds]
        # A file of /etc is put back before it is proven that the jail runs.
        assert any(all(path.startswith("etc/") for path in paths) for paths in differs), (place, differs)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("storage", STORAGES)
def test_cut_off_anywhere(
    lab: Lab, storage: str, state: str, monkeypatch: pytest.MonkeyPatch, record_property: t.Callable[[str, int], None]
) -> None:
    yard = prepared(lab, storage, state)
    wish = {"state": "rolled_back" if state == "rolled_back" else "upgraded"}

    def fresh(place: t.Any) -> Yard:
        directory = lab.host.directory.with_name(str(place))
        copy(lab.host.directory, directory)
        return yard.on(Lab(Host(directory), monkeypatch))

    # Copied too: the model's flags belong to the files that they were given to.
    before = world(fresh("before"))
    whole = fresh(0)
    assert bool(whole.upgrade(**wish).get("failed")) == (state == "failing")
    after = world(whole)
    silent = fresh("silent")
    silent.upgrade(jails=[{**jail, "ports": []} for jail in yard.parameters()["jails"]])
    worlds = [before, after, world(silent)]
    assert whole.version("alice") == (NEW if state == "upgraded" else OLD)
    place = 1 + (len(STATES) * STORAGES.index(storage) + STATES.index(state)) % EVERY
    while True:
        here = fresh(place)
        with monkeypatch.context() as patch:
            cut = Cut(patch, place)
            with contextlib.suppress(Killed):
                here.upgrade(**wish)
        if cut.left > 0:
            break
        record_property("kill_points", 1)
        see_nothing_between(here, worlds, place)
        result = here.upgrade(**wish)
        if state != "failing":
            assert not result.get("failed"), (place, result["msg"])
            assert world(here) == after, place
        else:
            assert here.version("alice") in (OLD, NEW), place
        assert here.running() == ["alice"], (place, result["errors"])
        assert here.lab.path(CONFIG).exists(), place
        assert all((here.lab.path(here.path("alice")) / name).read_text() == "mine" for name in MINE), place
        record_property("reconverged", 1)
        shutil.rmtree(here.lab.host.directory)
        place += EVERY
    assert place > EVERY
