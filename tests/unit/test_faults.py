# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make faults` does, for one small change of a host: faults are met, and what they break is seen."""

from __future__ import annotations

import functools
import typing as t

import pytest

from support.loader import collections as ansible_collections_found

if t.TYPE_CHECKING:
    from faults.convergences import Stage
    from faults.meddle import Fault

EVERY = 23
SAMPLES = 3


@pytest.fixture(scope="module")
def make_stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[[str, str], Stage]]:
    with ansible_collections_found(), pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from faults.convergences import Stage, install  # noqa: PLC0415
        from faults.scenes import SCENES  # noqa: PLC0415

        @functools.cache
        def make(scene: str, name: str) -> Stage:
            folder = tmp_path_factory.mktemp("stage")
            return Stage(SCENES[scene], name, install(folder / "installed", name).directory, folder, patch)

        yield make


@pytest.fixture(scope="module")
def stage(make_stage: t.Callable[[str, str], Stage]) -> Stage:
    return make_stage("stop", "h2")


def test_after_a_fault_the_next_run_comes_to_the_same(stage: Stage) -> None:
    faults = list(stage.faults())
    assert len({fault.kind for fault in faults}) == 5
    kinds: dict[str, Fault] = {fault.kind: fault for fault in faults}
    for fault in [*kinds.values(), *faults[::EVERY]]:
        assert stage.try_fault(fault) == [], fault


def test_a_host_that_came_to_something_else_is_seen(stage: Stage) -> None:
    faults = [fault for fault in stage.faults() if fault.kind == "killed before"]
    kept = dict(stage.expected["files"])
    stage.expected["files"]["root/etc/jail.conf.d/dave.conf"] = "another"
    try:
        found = [fault for fault in faults[:2] if stage.try_fault(fault)]
    finally:
        stage.expected["files"] = kept
    assert found


def test_an_operation_that_never_comes_is_no_success(stage: Stage) -> None:
    from faults.meddle import KILLED, Fault  # noqa: PLC0415

    assert stage.try_fault(Fault(KILLED, len(stage.trace) + 1)) == ["there is no such operation"]


@pytest.mark.parametrize(("scene", "name"), [("unsuited", "h2"), ("installworld", "h1")])
def test_an_upgrade_that_met_a_fault_goes_on_or_goes_back(
    make_stage: t.Callable[[str, str], Stage], scene: str, name: str
) -> None:
    stage = make_stage(scene, name)
    faults = list(stage.faults())
    for fault in faults[5 :: len(faults) // SAMPLES]:
        assert stage.try_fault(fault) == [], fault


def test_a_jail_that_is_between_two_releases_is_seen(make_stage: t.Callable[[str, str], Stage]) -> None:
    stage = make_stage("unsuited", "h2")
    first, worlds = next(stage.faults()), stage.worlds
    assert stage.try_fault(first) == []
    stage.worlds = {name: [{**world, "lib/libc.so.7": ()} for world in each] for name, each in worlds.items()}
    try:
        assert stage.try_fault(first) == ["dave is between two releases: ['lib/libc.so.7']"]
    finally:
        stage.worlds = worlds
