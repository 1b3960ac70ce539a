# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the rules of each jail are exactly those that are wished; nothing for other subjects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run, Write
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.parse import parse_lines

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import Wish

# So many rules in one command stay well below the kernel's limit for arguments (ARG_MAX, 512 KiB).
BATCH = 2000
# The kernel has one rule only of this action for a jail and a resource: a new one takes the place of the old.
REPLACING = "deny"


@dataclass(frozen=True)
class Actual:
    """What is: the rules in force by jail, as text, None in a kernel that keeps no accounts; and the boot file."""

    rules: dict[str, set[str]] | None
    file: str


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps: the boot file, then what is missing, then what is too much: no moment passes without a limit.

    What a new rule takes the place of is not removed by itself, unless it is found to be there still.
    """
    lines, others = block.split(actual.file)
    refused = dict(_conflicts(wish, others))
    wanted = {name: {str(rule) for rule in rules} for name, rules in wish.jails.items() if name not in refused}
    at_boot = parse_lines(lines)
    file = block.join(_boot_lines(wanted, at_boot), others, first=False)
    missing, excess = _differences(wanted, actual.rules or {})
    if actual.rules is None:
        missing, excess = [], []
    elif attempt == 1:
        added = {_place(rule) for rule in missing}
        excess = [rule for rule in excess if _place(rule) not in added]
    return Plan(
        steps=(
            *([Write(wish.file, file)] if file != actual.file else []),
            *_runs("-a", missing),
            *_runs("-r", excess),
        ),
        changes=tuple(_changes(wanted, actual.rules, at_boot)),
        refused=tuple(refused.items()),
        notes={
            "in_force": actual.rules is not None,
            "unlisted": sorted(name for name in at_boot if name not in wish.jails),
        },
    )


def _conflicts(wish: Wish, others: str) -> t.Iterator[tuple[str, str]]:
    """Tell which jails have rules at boot that somebody else wrote, and that would come into force beside ours."""
    for name, rules in parse_lines(others.splitlines()).items():
        if name in wish.jails:
            yield name, f"{wish.file} has {', '.join(sorted(rules))} outside our lines; remove it there"


def _boot_lines(wanted: dict[str, set[str]], at_boot: dict[str, set[str]]) -> list[str]:
    """Return our lines of the boot file; those of jails that nobody speaks of any more stay as they are."""
    return [rule for name in sorted(at_boot | wanted) for rule in sorted((at_boot | wanted)[name])]


def _differences(wanted: dict[str, set[str]], rules: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """Return the rules that are missing, and those that are too much."""
    missing = [rule for name in wanted for rule in sorted(wanted[name] - rules.get(name, set()))]
    excess = [rule for name in wanted for rule in sorted(rules.get(name, set()) - wanted[name])]
    return missing, excess


def _place(rule: str) -> str:
    """Return what only one rule can be in force for; the rule itself if others may stand beside it."""
    what, _equals, amount = rule.partition("=")
    replaces = what.rpartition(":")[2] == REPLACING and "/" not in amount
    return what if replaces else rule


def _runs(option: str, rules: t.Sequence[str]) -> t.Iterator[Run]:
    """Yield one command for many rules. Its status counts those that failed, so whoever looks again judges."""
    for first in range(0, len(rules), BATCH):
        batch = rules[first : first + BATCH]
        names = tuple(dict.fromkeys(rule.split(":")[1] for rule in batch))
        yield Run(Command(("rctl", option, *batch)), judged=False, serves=names)


def _changes(
    wanted: dict[str, set[str]], rules: dict[str, set[str]] | None, at_boot: dict[str, set[str]]
) -> t.Iterator[Change]:
    """Tell what differs of each jail: of the rules in force or, where there is nothing to tell of them, at boot."""
    for name, wished in wanted.items():
        there, booted = (rules or {}).get(name, set()), at_boot.get(name, set())
        if rules is not None and there != wished:
            yield Change(f"limits {name}", _text(there - wished), _text(wished - there))
        elif booted != wished:
            yield Change(f"limits {name} at boot", _text(booted - wished), _text(wished - booted))


def _text(rules: set[str]) -> str | None:
    """Return rules without their subject, which the change's name says, one on a line."""
    lines = sorted(rule.split(":", 2)[2] for rule in rules)
    return "".join(f"{line}\n" for line in lines) or None
