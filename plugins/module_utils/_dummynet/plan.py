# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the pipes and queues are as wished."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import Shown, numbers
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.render import shown
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import Flow, Wish

Key = tuple[str, int]


@dataclass(frozen=True)
class Actual:
    """What is: pipes and queues in force, by kind and number, and the text of the boot file."""

    flows: dict[Key, Shown]
    file: str


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps: the boot file first, so that whatever we make is known as ours from before it exists.

    What is deleted stays in the file, as leaving, until it is seen to be gone: the second attempt notes that.
    """
    wanted = _wanted(wish)
    lines, others = block.split(actual.file)
    ours = numbers(lines)
    foreign = [key for key in wanted if key in actual.flows and key not in ours]
    stale = sorted(key for key in ours - wanted.keys() if wish.owns(key[1]))
    differing = [key for key, flow in wanted.items() if actual.flows.get(key) != shown(flow) and key not in foreign]
    differing = [] if wish.assumed else differing
    leaving = [key for key in stale if key in actual.flows]
    kept = [flow.line for key, flow in wanted.items() if key not in foreign]
    marked = block.join(kept + [f"# leaving: {kind} {number} " for kind, number in leaving], others)
    file = _file(wish, marked if wish.assumed else actual.file, marked)
    return Plan(
        steps=(
            *(file if attempt == 1 else ()),
            *[_configure(wanted[key], wish.owners[key]) for key in differing],
            *(_removal(leaving) if wish.remove else ()),
        ),
        quiet=() if attempt == 1 else tuple(file),
        changes=_changes(actual, wanted, differing, leaving if wish.remove else []),
        refused=tuple(_conflict(key, wish) for key in foreign),
        notes={"stale": [f"{kind} {number}" for kind, number in leaving] if not wish.remove else []},
    )


def _wanted(wish: Wish) -> dict[Key, Flow]:
    pipes: dict[Key, Flow] = {("pipe", pipe.number): pipe for pipe in sorted(wish.pipes.values())}
    queues: dict[Key, Flow] = {("queue", queue.number): queue for queue in sorted(wish.queues.values())}
    return pipes | queues


def _file(wish: Wish, before: str, after: str) -> list[Write]:
    return [Write(wish.file, after)] if before != after else []


def _configure(flow: Flow, owner: str) -> Run:
    return Run(Command(("dnctl", *flow.line.split())), owner)


def _removal(leaving: list[Key]) -> list[Run]:
    """Delete queues before the pipes that carry them; dnctl answers 0 whatever happens, so looking again judges."""
    return [
        Run(Command(("dnctl", kind, "delete", str(number))), judged=False)
        for kind, number in sorted(leaving, key=lambda key: (key[0] != "queue", key[1]))
    ]


def _changes(actual: Actual, wanted: dict[Key, Flow], differing: list[Key], leaving: list[Key]) -> tuple[Change, ...]:
    changed = [
        Change(f"{kind} {number}", _text(actual.flows.get((kind, number))), _text(shown(wanted[kind, number])))
        for kind, number in differing
    ]
    removed = [Change(f"{kind} {number}", _text(actual.flows[kind, number]), None) for kind, number in leaving]
    return (*changed, *removed)


def _text(flow: Shown | None) -> str | None:
    if flow is None:
        return None
    what = f"pipe {flow.sched} weight {flow.weight}" if flow.sched else f"bw {flow.rate} delay {flow.delay} ms"
    return f"{what} queue {flow.size}{'' if flow.plain else ' (with loss or queue management)'}\n"


def _conflict(key: Key, wish: Wish) -> tuple[str, str]:
    kind, number = key
    return wish.owners[key], (
        f"{kind} {number} is in use by somebody else (it is in force, but not in our part of {wish.file}); "
        f"delete it with `dnctl {kind} delete {number}`, or choose another range of numbers"
    )
