# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Records whose `host` was changed while the jail's root stayed where it was, and the way that the root then goes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .filters import image_of

Jail = t.Mapping[str, t.Any]
# What the module jail_host_info returned for the subset `roots`; without `roots` if the host could not be asked.
Answer = t.Mapping[str, t.Any]


def holds(answer: Answer, name: str) -> bool:
    """Whether a host holds a root of that name: a folder with something in it, or a dataset or image, in use or not."""
    return answer["roots"].get(name) == "folder" or name in answer["datasets"] or name in answer["images"]


@dataclass(frozen=True)
class Search:
    """Who should have each jail (`home`, by name), what each host answered, and which jails are new."""

    home: dict[str, str]
    answers: dict[str, Answer]
    hosts: tuple[str, ...]
    new: frozenset[str]

    def holder(self, name: str) -> str | None:
        """Return a host that holds a root of that name, None if no host that answered does."""
        return next((host for host, answer in self.answers.items() if holds(answer, name)), None)

    def unasked(self, name: str) -> list[str]:
        """Return the hosts that must still be asked whether they hold the root of a jail; none if it is new."""
        return [] if name in self.new else [host for host in self.hosts if host not in self.answers]


def moved(fleet: t.Mapping[str, t.Iterable[Jail]], answers: t.Mapping[str, t.Any], new: str = "") -> dict[str, t.Any]:
    """Return the hosts that are still to `ask`, and for each host why it is `refused`: lines, one a jail.

    `fleet` are the resolved jails of each host, `answers` what each host said that was asked. `new` names, with commas
    between them, jails that need not be looked for. Raises ValueError if one of them has no record.
    """
    home = {jail["name"]: host for host, jails in fleet.items() for jail in jails if jail["state"] != "absent"}
    given = {host: answer for host, answer in answers.items() if answer and "roots" in answer}
    search = Search(home, given, tuple(fleet), frozenset(filter(None, new.replace(" ", "").split(","))))
    if unknown := sorted(search.new - home.keys()):
        raise ValueError(f"new: no jail of this fleet is named {', '.join(unknown)}; give the names of jails")
    ask: set[str] = set()
    refused: dict[str, list[str]] = {}
    for host in search.answers:
        for name, asking, line in (*_without_root(search, host), *_not_at_home(search, host)):
            ask.update(asking)
            refused.setdefault(host, []).append(f"jail {name}: host: {line}")
    return {"ask": sorted(ask), "refused": {host: sorted(lines) for host, lines in refused.items()}}


# A jail, the hosts that are still to be asked about it, and what to say of it.
Suspects = t.Iterator[tuple[str, list[str], str]]


def _without_root(search: Search, host: str) -> Suspects:
    """Yield the host's jails that have no root on it, and are on another host or may be."""
    for name, home in search.home.items():
        if home == host and not holds(search.answers[host], name):
            holder, unasked = search.holder(name), search.unasked(name)
            if holder:
                yield name, [], _moved(search, name, holder)
            elif unasked:
                yield (
                    name,
                    unasked,
                    (
                        f"it has no root on {host}, and {', '.join(unasked)} could not be asked whether it is there. "
                        f"Make them answer; if {name} is new, say so with -e new={name}"
                    ),
                )


def _not_at_home(search: Search, host: str) -> Suspects:
    """Yield the jails whose root is on this host, while the host of their record has none or may have none."""
    answer = search.answers[host]
    for name in sorted({*answer["roots"], *answer["datasets"], *answer["images"]}):
        home = search.home.get(name, host)
        if home == host or not holds(answer, name):
            continue
        if home not in search.answers and name not in search.new:
            yield (
                name,
                [home],
                (
                    f"its record says {home}, its root is on {host} ({answer['root']}/{name}), and {home} could not be "
                    f"asked whether it has one too. Make it answer, or set host back to {host}; if {name} is new on "
                    f"{home}, say so with -e new={name}"
                ),
            )
        elif home in search.answers and not holds(search.answers[home], name):
            yield name, [], _moved(search, name, host)


def _moved(search: Search, name: str, holder: str) -> str:
    home = search.home[name]
    return (
        f"its record says {home}, but its root is on {holder} ({search.answers[holder]['root']}/{name}) and not on "
        f"{home}. Set host back to {holder}, or move the root after it: "
        f"`ansible-playbook move.yml -e jail={name}`, see `Move a jail` in docs/operators.md"
    )


class CannotMove(Exception):
    """A jail cannot be moved; the text names it and says what to do."""


def move(
    fleet: t.Mapping[str, t.Iterable[Jail]],
    answers: t.Mapping[str, t.Any],
    name: str,
    archives: t.Mapping[str, t.Iterable[str]],
) -> dict[str, t.Any]:
    """Return the way of a jail's root to the host of its record, or what is `wrong`: one line, '' if nothing is.

    `fleet` are the resolved jails of each host, `answers` what each said for the subsets `roots` and `jails`,
    `archives` the paths of the archives of this jail on each. `old` and `new` are hosts, `old_path` and `new_path` the
    roots on them, `old_image` and `new_image` what is mounted there (file and unit), None where nothing is. `arrived`
    says whether the root is on the new host already, then `archive` is what it came from.
    """
    try:
        return {"wrong": "", **_way(fleet, answers, name, archives)}
    except CannotMove as error:
        return {"wrong": f"jail {name}: {error}"}


def _way(
    fleet: t.Mapping[str, t.Iterable[Jail]],
    answers: t.Mapping[str, t.Any],
    name: str,
    archives: t.Mapping[str, t.Iterable[str]],
) -> dict[str, t.Any]:
    new, record = _record(fleet, name)
    if silent := [host for host in fleet if "roots" not in (answers.get(host) or {})]:
        raise CannotMove(f"{', '.join(silent)} could not be asked what is there; make it answer, and give no --limit")
    old = _old_host(answers, name, new)
    newest = {host: max(archives.get(host, ()), key=_file, default="") for host in (old, new)}
    arrived = holds(answers[new], name)
    if arrived and (name in answers[old]["jails"] or _file(newest[old]) <= _file(newest[new])):
        raise CannotMove(
            f"it has a root on {old} and on {new}, and none of them is what a move left behind: see which is the right "
            "one, and give the other another name"
        )
    # The converging at the end would refuse both hosts when the jail does not run any more.
    refused = moved(fleet, answers)["refused"]
    others = {line for host in (old, new) for line in refused.get(host, ()) if not line.startswith(f"jail {name}: ")}
    if others:
        raise CannotMove(
            f"other records of {old} or {new} were changed too. Change them one after the other, after each move: "
            + "; ".join(sorted(others))
        )
    return {
        "old": old,
        "new": new,
        "old_path": f"{answers[old]['root']}/{name}",
        "new_path": f"{answers[new]['root']}/{name}",
        "old_image": {"file": file, "unit": record["id"]} if (file := answers[old]["images"].get(name)) else None,
        "new_image": image_of(record).get("image"),
        "runs": record["state"] == "running",
        "arrived": arrived,
        "archive": newest[old] if arrived else "",
    }


def _record(fleet: t.Mapping[str, t.Iterable[Jail]], name: str) -> tuple[str, Jail]:
    for host, jails in fleet.items():
        for jail in jails:
            if jail["name"] == name:
                if jail["state"] == "absent":
                    raise CannotMove(f"state: its record (host {host}) says absent; what is absent is not moved")
                return host, jail
    raise CannotMove("no record of this fleet has that name; give the name of a jail")


def _old_host(answers: t.Mapping[str, Answer], name: str, new: str) -> str:
    others = [host for host, answer in answers.items() if host != new and holds(answer, name)]
    if len(others) > 1:
        raise CannotMove(f"host: {', '.join(others)} have a root of it; leave one, and give the others another name")
    if not others:
        there = f"its root is on {new} already" if holds(answers[new], name) else "no host has a root of it"
        raise CannotMove(f"host: nothing to move to {new}: {there}")
    return others[0]


def _file(path: str) -> str:
    """Return the name of an archive, which ends in the moment when it was made."""
    return path.rpartition("/")[2]
