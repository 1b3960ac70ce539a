# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The jails of a host as pipes and queues of dummynet."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate

Jail = t.Mapping[str, t.Any]


def pipe_numbers(jail: Jail, base: int) -> tuple[int, int] | None:
    """Return the numbers of a jail's pipes (up, down); None if its plan has no cap."""
    if jail["bandwidth"]["up"] is None or jail["bandwidth"]["down"] is None:
        return None
    return base + 2 * jail["id"], base + 2 * jail["id"] + 1


def pipes(jails: t.Iterable[Jail], base: int = 10000) -> dict[str, list[dict[str, t.Any]]]:
    """Return the options `pipes` and `queues` of the module dummynet_pipes.

    A stopped or suspended jail keeps its pipes: pf drops what a rule sends to a pipe that is not there.
    """
    result = []
    for jail in jails:
        numbers = pipe_numbers(jail, base)
        if numbers and jail["state"] != "absent":
            for number, direction in zip(numbers, ("up", "down"), strict=True):
                rate = format_rate(jail["bandwidth"][direction])
                result.append({"number": number, "bandwidth": rate, "jail": jail["name"]})
    return {"pipes": result, "queues": []}
