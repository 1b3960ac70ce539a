# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make faults` does, for one small change of a host: faults are met, and what they break is seen."""

from __future__ import annotations

import typing as t

import pytest

from support.loader import collections as ansible_collections_found

if t.TYPE_CHECKING:
    from faults.convergences import Stage
    from faults.meddle import Fault

EVERY = 23


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Stage]:
    with ansible_collections_found(), pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from faults.convergences import Stage, install  # noqa: PLC0415
        from faults.scenes import SCENES  # noqa: PLC0415

        folder = tmp_path_factory.mktemp("stage")
        host = install(folder / "installed", "h2")
        yield Stage(SCENES["stop"], "h2", host.directory, folder, patch)


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
