# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Where each release of a host is from: one way of four, and one that works on that host."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._releases import FIRST_PACKAGED, numbers_of

from .model import HOST_KEYS, Block

if t.TYPE_CHECKING:
    from .check import Values

# What stands for a way, and the keys that may stand beside it; the first that is there is the one that is meant.
_WAYS = {"archive": ("sha256", "url", "src"), "dataset": (), "pkgbase": (), "src": ()}
_KEYS = {key.name: key for each in HOST_KEYS if each.name == "vps_releases" for key in each.keys}


def check_releases(host: Values, written: t.Any) -> t.Iterator[tuple[str, str]]:
    """Yield what is wrong with the releases of a host: the key, and the text; ``written`` is how they were given."""
    for name, release in host.get("vps_releases", {}).items():
        block = written.values.get(name) if isinstance(written, Block) else None
        given = block.values if isinstance(block, Block) else {}
        for key, text in (*_ways(given), *_on_host(name, release, host)):
            yield f"vps_releases.{name}{key and f'.{key}'}", text


def _ways(given: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """Yield what is wrong with the keys that are there; what is wrong with their values is told elsewhere."""
    needed = given.keys() & {"sha256", "url"}
    way = "archive" if needed else next((key for key in _WAYS if key in given), None)
    if way is None:
        yield "", "does not say where it is from; give archive and sha256, or one of src, dataset and pkgbase"
        return
    for key in ("archive", "sha256") if way == "archive" else ():
        if key not in given:
            yield key, f"missing; add it ({_KEYS[key].description.rstrip('.')})"
    for key in given:
        if key in _KEYS and key not in (way, *_WAYS[way]):
            yield key, f"has no meaning beside {way}; remove one of the two"


def _on_host(name: str, release: Values, host: Values) -> t.Iterator[tuple[str, str]]:
    """Yield what does not work on this host."""
    major, _minor = numbers_of(name)
    if "pkgbase" in release and major < FIRST_PACKAGED:
        yield "pkgbase", f"FreeBSD's base system comes as packages since {FIRST_PACKAGED}.0; give archive and sha256"
    pool, dataset = host.get("vps_pool"), release.get("dataset", "")
    files, is_snapshot, _snapshot = dataset.partition("@")
    if is_snapshot and files.partition("/")[0] != pool:
        where = f"in vps_pool, {pool}" if pool else "with vps_storage: dataset"
        yield "dataset", f"{dataset} is a snapshot, which is cloned: that works only {where}; name its file system"
    for own in (f"{pool}/jails", f"{pool}/releases"):
        if f"{files}/".startswith(f"{own}/"):
            yield "dataset", f"{dataset} is in {own}, whose datasets come and go; name one elsewhere"
