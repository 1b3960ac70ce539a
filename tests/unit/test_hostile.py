# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make hostile` does, for some of its cases; and an escape of each kind is seen."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from support import hostile, watch
from support.loader import collections as ansible_collections_found

if t.TYPE_CHECKING:
    from hostile.ground import Ground
    from support.lab import Lab, Result

# Without them nothing would be shown.
ALWAYS = ("lib -> /", "etc -> /etc", "bin/sh is a script", "etc/rc never ends", "the version runs")
EVERY = 311


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Ground]:
    with ansible_collections_found(), pytest.MonkeyPatch.context() as patch:
        # The collection that Ansible's loader imports, not a second copy of it.
        from hostile.ground import Ground  # noqa: PLC0415

        yield Ground(tmp_path_factory.mktemp("ground"), patch)


OPERATIONS = ("look", "converge", "restart", "leave", "upgrade", "upgrade by installworld", "roll back")
CASES = [(kind, word) for kind in hostile.KINDS for word in OPERATIONS][::EVERY]
CASES += [(kind, "upgrade by installworld") for kind in hostile.CERTIFICATES]
CASES += [(kind, word) for kind in hostile.MOVING for word in OPERATIONS[:2]]


@pytest.mark.parametrize(("kind", "operation"), [*((kind, word) for kind in ALWAYS for word in OPERATIONS), *CASES])
def test_nothing_outside_of_a_hostile_root_is_touched(ground: Ground, kind: str, operation: str) -> None:
    assert ground.attack(kind, operation) == []


def test_there_is_no_other_operation(ground: Ground) -> None:
    from hostile.ground import OPERATIONS as KNOWN  # noqa: PLC0415

    assert tuple(KNOWN) == OPERATIONS


def _write(lab: Lab) -> None:
    lab.path(watch.FOLDER).joinpath("new").touch()


def _read(lab: Lab) -> None:
    # As one who follows the customer's link.
    lab.path("/usr/local/jails/h1/alice/etc/rc.conf").read_text()


def _keep(lab: Lab) -> None:
    folder = lab.path("/usr/local/jails/h1/moved")
    folder.mkdir()
    (folder / "copy").write_text(watch.SECRET)


def _stop(lab: Lab) -> None:
    lab.run("jail", "-R", "bob")


def _raise(_lab: Lab) -> None:
    raise RuntimeError("a mistake")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_write, f"created {watch.FOLDER}/new"),
        (_read, "the host's secret was opened: "),
        (_keep, "/usr/local/jails/h1/moved/copy holds the host's secret"),
        (_stop, "bob does not run"),
        (_raise, "RuntimeError: a mistake"),
    ],
)
def test_an_escape_is_seen(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, harm: t.Callable[[Lab], None], said: str
) -> None:
    from hostile import ground as grounds  # noqa: PLC0415

    def work(_ground: Ground, lab: Lab) -> list[Result]:
        harm(lab)
        return []

    def lead_out(root: hostile.Root) -> None:
        # What is opened here is opened by this process: the link has to lead to the model's host for it.
        root.link("etc/rc.conf", str(Path(root.host.path(watch.FILE))))

    monkeypatch.setitem(grounds.OPERATIONS, "look", ("old", work))
    monkeypatch.setitem(hostile.KINDS, "leads out", lead_out)
    assert [line for line in ground.attack("leads out", "look") if said in line]


def test_what_a_result_tells_of_the_host_is_seen() -> None:
    from hostile.ground import told  # noqa: PLC0415

    assert told([{"msg": f"it says {watch.SECRET}"}]) == ["a result tells the host's secret"]
    assert told([{"msg": "\x1b[2J"}]) != []
