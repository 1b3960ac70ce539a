# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Neighbourhoods: several partitions of a host without ZFS, each with room for some of its jails.

Which one a jail is in is written down in its record. What the compiler would choose could change with other records,
and the jail's data would stay where they are.
"""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size

from .values import said_of

if t.TYPE_CHECKING:
    from .capacity import Share
    from .check import Values
    from .model import Block

# Folders of a host that hold something else than the roots of a neighbourhood.
_OTHERS = ("vps_root", "vps_images", "vps_archives", "vps_made_releases")


def check_places(host: Values) -> t.Iterator[tuple[str, str]]:
    """Yield what is wrong with the neighbourhoods of a host: the key, and the text."""
    places = host.get("vps_neighbourhoods", {})
    kind = host.get("vps_storage", "directory")
    if places and kind != "directory":
        yield "vps_neighbourhoods", f"only hold directories, and vps_storage is {kind}; remove one of the two"
    folders = {f"vps_neighbourhoods.{name}.path": place["path"] for name, place in places.items() if "path" in place}
    seen = {key: host[key] for key in _OTHERS if key in host}
    for key, folder in folders.items():
        for other, another in seen.items():
            if _overlap(folder, another):
                yield key, f"{folder} and {another} ({other}) are one in the other; choose another folder"
        seen[key] = folder


def _overlap(one: str, other: str) -> bool:
    """Whether two folders are the same, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def check_neighbourhood(jail: Values, host: Values, shares: t.Mapping[str, Share], block: Block) -> str:
    """Return what is wrong with the neighbourhood of a jail on its host, '' if nothing.

    `shares` are those of its host's neighbourhoods, `block` is its record as it was written.
    """
    places, name = host.get("vps_neighbourhoods", {}), jail.get("neighbourhood")
    if name is None:
        is_directory = (jail.get("storage") or host.get("vps_storage")) == "directory"
        return _missing(jail, shares) if places and is_directory else ""
    if not host:
        return ""
    said = said_of(block, "neighbourhood", name)
    if jail.get("storage") == "image":
        return "has no meaning for an image, whose file is in vps_images; remove this key"
    if not places:
        return f"has no meaning on {jail['host']}, which has no vps_neighbourhoods; remove this key"
    return "" if name in places else f"{said} is unknown on {jail['host']}; choose one of {', '.join(sorted(places))}"


def _missing(jail: Values, shares: t.Mapping[str, Share]) -> str:
    """Return what to say of a jail that is in no neighbourhood: which of them have how much room."""
    left = [f"{name} ({format_size(max(share.left, 0))} left)" for name, share in sorted(shares.items())]
    return f"missing; {jail['host']} has neighbourhoods: choose one of {', '.join(left) or 'vps_neighbourhoods'}"
