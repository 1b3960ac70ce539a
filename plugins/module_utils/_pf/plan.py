# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that pf holds exactly the wished rules, now and after every reload and reboot."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._pf.foreign import skipped, taken
from ansible_collections.jailisp.vps.plugins.module_utils._pf.guard import guard, take_back
from ansible_collections.jailisp.vps.plugins.module_utils._pf.load import Load
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import kind
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import Note, parse_file
from ansible_collections.jailisp.vps.plugins.module_utils._pf.render import (
    loaded,
    points,
    render_conf,
    render_file,
    render_note,
    rules_by_line,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, Plan, Run, Step, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Rule, Wish

# A line of pfctl's complaint about rules that it was given on standard input.
COMPLAINT = re.compile(r"stdin:([0-9]{1,10}): ")


@dataclass(frozen=True)
class Actual:
    """What is: whether pf can be asked at all and is enabled, what it shows, and the files.

    ``shown`` is the anchor's rules and tables as pf prints them, ``main`` the lines of the main ruleset;
    ``anchor_rules`` and ``main_rules`` are the rules of both as text. ``kept`` are the tables of the administrators
    (None: not there), ``saved`` the files with what was in them. ``mark``: nobody confirmed the last load; ``back``: it
    is being taken back, or that was cut off. ``moment`` is like no other.
    """

    present: bool
    enabled: bool
    shown: str
    main: frozenset[str]
    file: str | None
    conf: str | None
    note: Note | None
    kept: t.Mapping[str, str | None] = field(default_factory=dict)
    saved: t.Mapping[str, str | None] = field(default_factory=dict)
    main_rules: str = ""
    anchor_rules: str = ""
    mark: bool = False
    back: bool = False
    moment: str = ""


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps. The second attempt notes what pf shows after the load of the first."""
    file = render_file(wish)
    conf = render_conf(wish, actual.conf)
    fresh = loaded(actual.note, file, actual.shown)
    called = calls_anchor(wish, actual.main)
    written = actual.file == file and actual.conf == conf
    saved = _saved(wish, actual)
    notes = {"unconfirmed": wish.mark if actual.mark else ""}
    if actual.back and actual.present:
        # What is now is neither what was nor what was wished. What to do then shows when it is one of them again.
        cut_off = Change(f"anchor {wish.anchor}", "half taken back by the guard\n", "taken back\n")
        return Plan((take_back(wish),), (cut_off,), notes=notes)
    if unsafe := skipped(wish, actual.conf):
        return Plan(refused=unsafe, notes=notes)
    refused = taken(wish, actual.main)
    if attempt > 1 and written and called and actual.enabled and _plausible(wish, actual):
        note = Write(wish.note, render_note(file, actual.shown), 0o600)
        return Plan(quiet=(*saved, *(() if fresh else (note,))), refused=refused, notes=notes)
    load = _load(wish, main=not called or actual.conf != conf, reload=not (fresh and called and written))
    enable = [] if actual.enabled else [Run(Command(("pfctl", "-e")))]
    again = _filled_again(wish, actual)
    steps: list[Step] = [*_writes(wish, actual, file, conf), *load, *again, *enable, *_kills(wish, actual, load)]
    begin, end = guard(wish, actual) if steps else ((), ())
    return Plan(
        steps=(*begin, *steps, *end),
        checks=_checks(wish, actual, file, conf) if steps else (),
        changes=_changes(wish, actual, file, conf, called=called),
        refused=refused,
        quiet=saved,
        notes=notes,
    )


def _saved(wish: Wish, actual: Actual) -> tuple[Write, ...]:
    """Return what writes down what administrators put into their tables since."""
    return tuple(
        Write(wish.saved(name), entries, 0o600)
        for name, entries in actual.kept.items()
        if entries is not None and entries != (actual.saved[name] or "")
    )


def _filled_again(wish: Wish, actual: Actual) -> list[Run]:
    """Return what fills the tables that are gone, such as those of an anchor that somebody flushed."""
    return [
        Run(Command(("pfctl", "-a", wish.anchor, "-t", name, "-T", "add", "-f", wish.saved(name))))
        for name, entries in actual.kept.items()
        if entries is None and actual.saved[name]
    ]


def calls_anchor(wish: Wish, main: frozenset[str]) -> bool:
    """Whether the main ruleset in force calls the anchor for every kind of rule."""
    translation, (anchor, _load_line) = points(wish)
    return all(f"{line} all" in main for line in (*translation, anchor))


def _plausible(wish: Wish, actual: Actual) -> bool:
    """Whether pf shows anything at all, if it should."""
    return bool(actual.shown.strip()) == bool(wish.rules or wish.tables)


def _writes(wish: Wish, actual: Actual, file: str, conf: str) -> list[Write]:
    """Write the anchor's file before the line that loads it."""
    anchor = [Write(wish.file, file, 0o600)] if actual.file != file else []
    return [*anchor, *([Write(wish.conf, conf, None)] if actual.conf != conf else [])]


def _load(wish: Wish, *, main: bool, reload: bool) -> list[Load]:
    """Load once and whole: the main rules only if they must change, since they may hold more than we know."""
    if not reload:
        return []
    argv = ("pfctl", "-f", wish.conf) if main else ("pfctl", "-a", wish.anchor, "-f", wish.file)
    return [Load(Command(argv), wish.anchor, wish.traffic)]


def _kills(wish: Wish, actual: Actual, load: list[Load]) -> list[Run]:
    """Kill the states of jails whose rules change: a state keeps the decision that was made when it began.

    A rule that is new, and lets pass, decides nothing about states that are there. What changes is told from the last
    load that was finished with its kills, wherever a later one was cut off.
    """
    before = actual.note.file if actual.note else actual.file
    if not load or before is None:
        return []
    old, new = _of_each(parse_file(before)), _of_each(wish.rules)
    labels = [
        label
        for jail, rules in sorted(old.items())
        if _decides_otherwise(rules, new.get(jail, []))
        for label in sorted({label for rule in rules if kind(rule.text) == "pass" for label in rule.labels})
    ]
    return [Run(Command(("pfctl", "-k", "label", "-k", label)), judged=False) for label in labels]


def _decides_otherwise(old: list[Rule], new: list[Rule]) -> bool:
    """Whether a rule is gone, or one came that blocks."""
    return not {*old} <= {*new} or any(kind(rule.text) == "block" for rule in {*new} - {*old})


def _of_each(rules: t.Iterable[Rule]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.jail, []).append(rule)
    return found


def _checks(wish: Wish, actual: Actual, file: str, conf: str) -> tuple[Run, ...]:
    """Let pfctl parse what we are about to load, and the administrator's own pf.conf before we touch it.

    The new pf.conf is parsed without the line that loads the anchor, whose file is not there yet.
    """
    if not actual.present:
        return ()
    anchor = Run(Command(("pfctl", "-a", wish.anchor, "-nf", "-"), file), explain=_explain(wish, file))
    if actual.conf == conf:
        return (anchor,)
    load_line = points(wish)[1][1]
    new = Run(Command(("pfctl", "-nf", "-"), conf.replace(f"{load_line}\n", "")))
    own = [Run(Command(("pfctl", "-nf", wish.conf)))] if actual.conf is not None else []
    return (*own, new, anchor)


def _explain(wish: Wish, file: str) -> t.Callable[[str], str]:
    """Return what adds to each line of pfctl's complaint the rule and the record that it comes from."""
    rules = rules_by_line(file, wish)

    def name(match: re.Match[str]) -> str:
        rule = rules.get(int(match[1]))
        return f"{match[0]}(jail {rule.jail}: {rule.text}) " if rule and rule.jail else match[0]

    return lambda complaint: COMPLAINT.sub(name, complaint)


def _changes(wish: Wish, actual: Actual, file: str, conf: str, *, called: bool) -> tuple[Change, ...]:
    changes = [
        Change(path, before, after)
        for path, before, after in ((wish.file, actual.file, file), (wish.conf, actual.conf, conf))
        if before != after
    ]
    note = actual.note
    if note and note.file == file and note.shown != actual.shown:
        changes.append(Change(f"rules in force in anchor {wish.anchor}", actual.shown, note.shown))
    if not called and actual.conf == conf:
        lines = "".join(f"{line}\n" for part in points(wish) for line in part if not line.startswith("load"))
        changes.append(Change("main rules in force", "", lines))
    if not actual.enabled:
        changes.append(Change("pf", "disabled\n", "enabled\n"))
    return tuple(changes)
