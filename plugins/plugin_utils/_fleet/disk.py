# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What jails take of the disk, beside what they were sold of it, and the room that is left where they are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import printable

from .filters import image_of

Values = t.Mapping[str, t.Any]
Row = dict[str, t.Any]

# The variable of a host in which disk.yml keeps what was measured.
FOUND = "__disk_found"
OVER, NEAR, WITHIN, UNKNOWN = "over", "near", "within", "unknown"
WHOLE = 100


def disks(jails: t.Iterable[Values]) -> list[Row]:
    """Return the option `jails` of the module jail_disk_info: every jail, since one that is absent keeps its data."""
    return [
        {
            **{key: jail[key] for key in ("name", "path")},
            **image_of(jail),
            **({"dataset": jail["dataset"]} if jail["dataset"] else {}),
        }
        for jail in jails
    ]


def disk_report(hosts: t.Iterable[str], variables: t.Mapping[str, Values], soft: int = 90) -> dict[str, list[Row]]:
    """Return all `jails` and `rooms` of hosts, who is `over` what was sold, and the hosts that are `unasked`.

    `variables` are those of each host, with what jail_disk_info found (FOUND). From `soft` percent of what it was sold
    on a jail is near it.
    """
    names = sorted(hosts)
    asked = [name for name in names if "rooms" in variables[name].get(FOUND, {})]
    jails = [row for name in asked for row in _jails(name, variables[name], soft)]
    return {
        "jails": jails,
        "over": [{key: row[key] for key in ("host", "name")} for row in jails if row["state"] == OVER],
        "rooms": [row for name in asked for row in _rooms(name, variables[name])],
        "unasked": [
            {"host": name, "detail": _silence(variables[name].get(FOUND, {}))} for name in names if name not in asked
        ],
    }


def _silence(found: Values) -> str:
    return printable(" ".join(str(found.get("msg") or "it did not answer").split()))


def _jails(host: str, variables: Values, soft: int) -> t.Iterator[Row]:
    for jail in variables["jails"]:
        measured = variables[FOUND]["jails"][jail["name"]]
        used, sold = measured["used"], jail["limits"]["disk"]
        # Rounded up, so that whoever is over is over 100.
        percent = None if used is None else -(-used * WHOLE // sold)
        yield {
            "host": host,
            **{key: jail[key] for key in ("name", "customer", "neighbourhood")},
            "kind": measured["kind"],
            "sold": sold,
            "used": used,
            "percent": percent,
            "state": _state(percent, soft),
            "trouble": printable(measured["trouble"]),
        }


def _state(percent: int | None, soft: int) -> str:
    if percent is None:
        return UNKNOWN
    return OVER if percent > WHOLE else NEAR if percent >= soft else WITHIN


def _rooms(host: str, variables: Values) -> t.Iterator[Row]:
    """Yield the file system of each folder of a host, with what was sold of it where it is a neighbourhood."""
    known, rooms = variables["vps_host"], variables[FOUND]["rooms"]
    places = {place["path"]: name for name, place in known["neighbourhoods"].items()}
    sold: dict[str | None, int] = {}
    for jail in variables["jails"]:
        sold[jail["neighbourhood"]] = sold.get(jail["neighbourhood"], 0) + jail["limits"]["disk"]
    for path, room in rooms.items():
        name = places.get(path)
        yield {
            "host": host,
            "name": name,
            "path": path,
            "disk": known["neighbourhoods"][name]["disk"] if name else None,
            "sold": sold.get(name, 0) if name else None,
            **{key: room[key] for key in ("size", "used", "free", "point")},
            "mounted": not name or room["point"] == path,
        }
