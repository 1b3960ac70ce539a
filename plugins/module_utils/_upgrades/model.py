# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Which jails shall be upgraded or rolled back, to what, and how careful."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, backing
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name
from ansible_collections.jailisp.vps.plugins.module_utils._releases import Release, check_pool, plain, release
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import DATASET

MOST_PORTS = 100


@dataclass(frozen=True)
class Jail:
    """A jail, the release that its root shall hold, and the TCP ports at its address that customers' clients use."""

    name: str
    path: str
    release: str
    address: str
    ports: tuple[int, ...]
    image: Backing | None = None


@dataclass(frozen=True)
class Wish:
    """All jails by name, in the order in which they are begun.

    ``back``: they shall go back to what ran before their last upgrade. ``dataset`` is the parent of the jails'
    datasets, None where roots are folders or images. ``folder`` keeps what an upgrade changes, for a rollback.
    ``installed`` are the releases that installworld itself writes into roots: none, or all that jails shall hold.
    ``delete_old``: and what such a release no longer has is deleted. ``keep_conflicts``: a file of /etc that cannot
    be merged stays the customer's; else he is rolled back. ``most_failures``: after more of them, no further jail is
    begun. ``seconds``: how long a jail may take to answer.
    """

    jails: dict[str, Jail]
    back: bool
    releases: dict[str, Release]
    folder: str
    dataset: str | None
    installed: frozenset[str]
    delete_old: bool
    keep_conflicts: bool
    most_failures: int
    at_once: int
    seconds: int


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    dataset, back = parameters["dataset"], parameters["state"] == "rolled_back"
    if dataset is not None and not DATASET.fullmatch(dataset):
        raise InvalidDesired(f"dataset: {dataset!r} is no name of a dataset")
    made = parameters["made_releases"]
    releases = {name: release(name, record, made) for name, record in parameters["releases"].items()}
    check_pool(releases, dataset)
    jails = {name: _jail(record) for name, record in by_name(parameters["jails"], "jails").items()}
    installworld = parameters["mode"] == "installworld"
    for name, jail in jails.items():
        if dataset and jail.image:
            raise InvalidDesired(f"jails: {name}: image: has no meaning with dataset; leave one of them out")
        if not back:
            _known(name, jail.release, releases, installworld=installworld)
    if parameters["delete_old"] and not installworld:
        raise InvalidDesired("delete_old: only make(1) knows what is old; say mode: installworld too")
    # A root is safe from installworld once it was checked by what that writes, which a given archive does not tell.
    installed = frozenset(jail.release for jail in jails.values() if installworld and not back)
    releases |= {name: release(name, {"src": releases[name].source}, made) for name in installed}
    return Wish(
        jails=jails,
        back=back,
        releases=releases,
        folder=plain("folder", parameters["folder"]),
        dataset=dataset,
        installed=installed,
        delete_old=parameters["delete_old"],
        keep_conflicts=parameters["conflicts"] == "keep",
        most_failures=parameters["most_failures"],
        at_once=parameters["at_once"],
        seconds=parameters["seconds"],
    )


def _known(name: str, wanted: str, releases: t.Mapping[str, Release], *, installworld: bool) -> None:
    if wanted not in releases:
        known = ", ".join(sorted(releases)) or "none is given"
        raise InvalidDesired(f"jails: {name}: release: {wanted} is not among releases ({known}); add it there")
    if releases[wanted].packages is not None:
        raise InvalidDesired(
            f"releases: {wanted}: pkgbase: packages make new roots and upgrade none; for upgrades give {wanted} as "
            "archive and sha256, or as src"
        )
    if installworld and releases[wanted].source is None:
        hint = "give src instead of dataset, or leave the mode out" if releases[wanted].dataset else "name it"
        raise InvalidDesired(f"releases: {wanted}: src: mode installworld needs the built source tree; {hint}")


def _jail(record: t.Mapping[str, t.Any]) -> Jail:
    name = record["name"]
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"jails: {name!r}: name: no jail can have it; see the module jails for what it takes")
    path = plain(f"jails: {name}: path", record["path"])
    try:
        ipaddress.ip_address(record["address"])
    except ValueError as error:
        raise InvalidDesired(f"jails: {name}: address: {record['address']!r} is no address") from error
    wrong = [port for port in record["ports"] if not 0 < port < 1 << 16]
    if wrong or len(record["ports"]) > MOST_PORTS:
        raise InvalidDesired(f"jails: {name}: ports: give at most {MOST_PORTS} of 1 to 65535, not {wrong or 'more'}")
    image = backing(f"jails: {name}", record, path)
    return Jail(name, path, record["release"], record["address"], tuple(sorted(set(record["ports"]))), image)
