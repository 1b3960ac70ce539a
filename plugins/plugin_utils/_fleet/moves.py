# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Records whose `host` or `neighbourhood` was changed while the root stayed, and the way that the root then goes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .filters import image_of

Jail = t.Mapping[str, t.Any]
# What the module jail_host_info returned for the subset `roots`; without `roots` if the host could not be asked.
Answer = t.Mapping[str, t.Any]


# By name the paths of the roots on a host.
Roots = dict[str, list[str]]


def root_name(path: str) -> str:
    """Return the name of the jail that a root is of."""
    return path.rpartition("/")[2]


def found_roots(answer: Answer) -> Roots:
    """Return the roots on a host: folders with something in them, and datasets and images, in use or not."""
    mounted = (f"{answer['folders'][0]}/{name}" for name in (*answer["datasets"], *answer["images"]))
    folders = (path for path, kind in answer["roots"].items() if kind == "folder")
    found: Roots = {}
    for path in dict.fromkeys((*folders, *mounted)):
        found.setdefault(root_name(path), []).append(path)
    return found


@dataclass(frozen=True)
class Search:
    """Who should have each jail (`home`: host and path of its root, by name), what is on the hosts that answered.

    `hosts` are all of them, `new` the jails that need not be looked for.
    """

    home: dict[str, tuple[str, str]]
    roots: dict[str, Roots]
    hosts: tuple[str, ...]
    new: frozenset[str]

    def is_home(self, name: str) -> bool:
        """Whether the root of a jail is where its record says; its host has answered."""
        host, path = self.home[name]
        return path in self.roots[host].get(name, ())

    def holder(self, name: str) -> str | None:
        """Return a host that holds a root of that name, None if no host that answered does."""
        return next((host for host, roots in self.roots.items() if name in roots), None)

    def unasked(self, name: str) -> list[str]:
        """Return the hosts that must still be asked whether they hold the root of a jail; none if it is new."""
        return [] if name in self.new else [host for host in self.hosts if host not in self.roots]


def moved(fleet: t.Mapping[str, t.Iterable[Jail]], answers: t.Mapping[str, t.Any], new: str = "") -> dict[str, t.Any]:
    """Return the hosts that are still to `ask`, and for each host why it is `refused`: lines, one a jail.

    `fleet` are the resolved jails of each host, `answers` what each host said that was asked. `new` names, with commas
    between them, jails that need not be looked for. Raises ValueError if one of them has no record.
    """
    home = {
        jail["name"]: (host, jail["path"])
        for host, jails in fleet.items()
        for jail in jails
        if jail["state"] != "absent"
    }
    roots = {host: found_roots(answer) for host, answer in answers.items() if answer and "roots" in answer}
    search = Search(home, roots, tuple(fleet), frozenset(filter(None, new.replace(" ", "").split(","))))
    if unknown := sorted(search.new - home.keys()):
        raise ValueError(f"new: no jail of this fleet is named {', '.join(unknown)}; give the names of jails")
    ask: set[str] = set()
    refused: dict[str, list[str]] = {}
    for host in search.roots:
        for name, asking, line in (*_without_root(search, host), *_not_at_home(search, host)):
            ask.update(asking)
            refused.setdefault(host, []).append(f"jail {name}: {line}")
    return {"ask": sorted(ask), "refused": {host: sorted(lines) for host, lines in refused.items()}}


# A jail, the hosts that are still to be asked about it, and what to say of it.
Suspects = t.Iterator[tuple[str, list[str], str]]


def _without_root(search: Search, host: str) -> Suspects:
    """Yield the host's jails that have no root in their place on it, and are elsewhere or may be."""
    for name, (home, _path) in search.home.items():
        if home == host and not search.is_home(name):
            # What is on the host itself counts most: that is where the root stayed.
            holder = host if name in search.roots[host] else search.holder(name)
            unasked = search.unasked(name)
            if holder:
                yield name, [], _moved(search, name, holder)
            elif unasked:
                yield (
                    name,
                    unasked,
                    (
                        f"host: it has no root on {host}, and {', '.join(unasked)} could not be asked whether it is "
                        f"there. Make them answer; if {name} is new, say so with -e new={name}"
                    ),
                )


def _not_at_home(search: Search, host: str) -> Suspects:
    """Yield the jails whose root is on this host, while the host of their record has none or may have none."""
    for name, (path, *_others) in sorted(search.roots[host].items()):
        home, _path = search.home.get(name, (host, path))
        if home == host:
            continue
        if home not in search.roots and name not in search.new:
            yield (
                name,
                [home],
                (
                    f"host: its record says {home}, its root is on {host} ({path}), and {home} could not be "
                    f"asked whether it has one too. Make it answer, or set host back to {host}; if {name} is new on "
                    f"{home}, say so with -e new={name}"
                ),
            )
        elif home in search.roots and name not in search.roots[home]:
            yield name, [], _moved(search, name, host)


def _moved(search: Search, name: str, holder: str) -> str:
    home, wanted = search.home[name]
    path = search.roots[holder][name][0]
    if home == holder:
        return f"neighbourhood: {_elsewhere(wanted, path)}"
    return (
        f"host: its record says {home}, but its root is on {holder} ({path}) and not on "
        f"{home}. Set host back to {holder}, or move the root after it: "
        f"`ansible-playbook move.yml -e jail={name}`, see `Move a jail` in docs/operators.md"
    )


def _elsewhere(wanted: str, path: str) -> str:
    return (
        f"by its record its root is {wanted}, but it is {path}. Set neighbourhood (or storage) back, or bring the root "
        "over by hand: see `Move a jail within its host` in docs/operators.md"
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
    roots = {host: found_roots(answer) for host, answer in answers.items()}
    old, old_path = _old_root(roots, new, record)
    newest = {host: max(archives.get(host, ()), key=_file, default="") for host in (old, new)}
    arrived = record["path"] in roots[new].get(name, ())
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
        "old_path": old_path,
        "new_path": record["path"],
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


def _old_root(roots: t.Mapping[str, Roots], new: str, record: Jail) -> tuple[str, str]:
    """Return the host that the root of a record is to be moved from to the host `new`, and its path there."""
    name, here = record["name"], roots[new].get(record["name"], [])
    others = [(host, path) for host, found in roots.items() if host != new for path in found.get(name, ())]
    if len(others) > 1:
        listed = ", ".join(f"{path} on {host}" for host, path in others)
        raise CannotMove(f"host: there are several roots of it: {listed}; leave one, and give the others another name")
    if others:
        return others[0]
    if here and record["path"] not in here:
        raise CannotMove(f"neighbourhood: {_elsewhere(record['path'], here[0])}")
    there = f"its root is on {new} already" if here else "no host has a root of it"
    raise CannotMove(f"host: nothing to move to {new}: {there}")


def _file(path: str) -> str:
    """Return the name of an archive, which ends in the moment when it was made."""
    return path.rpartition("/")[2]
