# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the jails of a host were sold, and what the host has to sell."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, format_size

from .model import Problem, Sources

if t.TYPE_CHECKING:
    from .check import Checked, Values

RESOURCES = ("memory", "disk", "up", "down")
# By resource: the key of vps_overcommit, the host's key, and how an amount is written.
_SHARES = {"memory": "memory", "disk": "disk", "up": "bandwidth", "down": "bandwidth"}
_KEYS = {"memory": "vps_memory", "disk": "vps_disk", "up": "vps_link.up", "down": "vps_link.down"}
_FORMATS = {"memory": format_size, "disk": format_size, "up": format_rate, "down": format_rate}


@dataclass(frozen=True)
class Room:
    """What is `sold` of a host and how much may be (its `limit`, overcommit included), by resource.

    memory and disk are bytes, up and down bit/s. Of a host with errors, a limit that is not known is missing.
    """

    sold: dict[str, int]
    limit: dict[str, int]


def amounts(jail: Values, plan: Values) -> dict[str, int]:
    """Return what a jail takes of its host, by resource: all of it, or of an absent one the disk that its data keep.

    A stopped or suspended jail may be started at any time, so it counts like one that runs. What has no cap takes
    nothing of the line.
    """
    limits = {**plan, **jail.get("limits", {})}
    bandwidth = {**plan.get("bandwidth", {}), **jail.get("bandwidth", {})}
    present = jail.get("state") != "absent"
    return {
        "memory": limits.get("memory", 0) if present else 0,
        "disk": limits.get("disk", 0),
        "up": bandwidth.get("up", 0) if present else 0,
        "down": bandwidth.get("down", 0) if present else 0,
    }


def _has(host: Values) -> dict[str, int | None]:
    """Return what a host has of each resource; None where an error hides it."""
    link = host.get("vps_link", {})
    return {
        "memory": host.get("vps_memory"),
        "disk": host.get("vps_disk"),
        "up": link.get("up"),
        "down": link.get("down"),
    }


def _share(host: Values, resource: str) -> int | None:
    """Return the percent of a resource that may be sold; None where an error hides it."""
    share: int | None = host.get("vps_overcommit", {}).get(_SHARES[resource])
    return share


def usage(checked: Checked) -> dict[str, Room]:
    """Return the room of each host: what all jails on it were sold, and how much may be."""
    sold = {name: dict.fromkeys(RESOURCES, 0) for name in checked.hosts}
    for jail in checked.jails.values():
        total = sold.get(jail.get("host", ""))
        if total is not None:
            for resource, amount in amounts(jail, checked.plans.get(jail.get("plan", ""), {})).items():
                total[resource] += amount
    return {name: Room(sold[name], _limits(host)) for name, host in checked.hosts.items()}


def _limits(host: Values) -> dict[str, int]:
    """Return how much of each resource may be sold."""
    limits = {}
    for resource, amount in _has(host).items():
        share = _share(host, resource)
        if amount is not None and share is not None:
            limits[resource] = amount * share // 100
    return limits


@dataclass(frozen=True)
class Share:
    """What is `sold` of the disk of a neighbourhood, and how much may be (its `limit`, overcommit included)."""

    sold: int
    limit: int

    @property
    def left(self) -> int:
        """Return what may still be sold; less than nothing where too much was."""
        return self.limit - self.sold


def neighbourhood_usage(checked: Checked) -> dict[str, dict[str, Share]]:
    """Return by host what its neighbourhoods' jails were sold of them; those whose size an error hides are missing."""
    sold: dict[tuple[t.Any, t.Any], int] = {}
    for jail in checked.jails.values():
        place = jail.get("host"), jail.get("neighbourhood")
        sold[place] = sold.get(place, 0) + amounts(jail, checked.plans.get(jail.get("plan", ""), {}))["disk"]
    return {
        host: {
            name: Share(sold.get((host, name), 0), place["disk"] * share // 100)
            for name, place in values.get("vps_neighbourhoods", {}).items()
            if "disk" in place and (share := _share(values, "disk")) is not None
        }
        for host, values in checked.hosts.items()
    }


def check_capacity(checked: Checked, sources: Sources, problems: list[Problem]) -> None:
    """Note each host of which more is sold than may be."""
    for name, room in usage(checked).items():
        for resource, limit in room.limit.items():
            if room.sold[resource] > limit:
                text = _sold_out(checked.hosts[name], resource, room.sold[resource])
                problems.append(Problem(f"{sources.hosts}: {name}", 0, _KEYS[resource], text))
    for host, shares in neighbourhood_usage(checked).items():
        for name, share in shares.items():
            if share.left < 0:
                size = checked.hosts[host]["vps_neighbourhoods"][name]["disk"]
                text = (
                    f"{format_size(share.sold)} sold is more than {_share(checked.hosts[host], 'disk')}% of "
                    f"{format_size(size)}; move a jail, or raise vps_overcommit.disk"
                )
                problems.append(Problem(f"{sources.hosts}: {host}", 0, f"vps_neighbourhoods.{name}.disk", text))


def _sold_out(host: Values, resource: str, sold: int) -> str:
    """Return what to say of a host of which more of a resource is sold than may be."""
    shown = _FORMATS[resource]
    return (
        f"{shown(sold)} sold is more than {_share(host, resource)}% of {shown(_has(host)[resource] or 0)}; "
        f"move a jail, or raise vps_overcommit.{_SHARES[resource]}"
    )
