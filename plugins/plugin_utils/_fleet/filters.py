# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What each module of a host gets, derived from the resolved jails that the fleet's compiler made."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size

from . import vnet
from .limits import rules
from .model import SIZE_MAX

Jail = t.Mapping[str, t.Any]


def jails_parameters(
    jails: t.Iterable[Jail], interface: str, bridge: str = "bridge0", gateways: t.Sequence[str] = ()
) -> list[dict[str, t.Any]]:
    """Return the option `jails` of the module jails, in the order of `jails`: only what comes from the records.

    `bridge` and `gateways` are the host's bridge and its addresses there, for jails with stacks of their own.
    """
    return [
        {
            "name": jail["name"],
            "path": jail["path"],
            "hostname": jail["hostname"],
            "state": jail["state"],
            "interface": interface,
            "ip4": [jail["address"]],
            "ip6": [jail["address6"]] if jail["address6"] else [],
            "restart": jail["restart"],
            **image_of(jail),
            **vnet.link_of(jail, bridge, gateways),
            **jail["parameters"],
        }
        for jail in jails
    ]


def image_of(jail: Jail) -> dict[str, t.Any]:
    """Return the key `image` of a jail in the options of modules: its file and its unit, the jail's id; or nothing."""
    return {"image": {"file": jail["image"], "unit": jail["id"]}} if jail["image"] else {}


def images(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `images` of the module jail_images: every jail with an image that is not absent."""
    return [
        {
            "name": jail["name"],
            **image_of(jail)["image"],
            "size": format_size(jail["limits"]["disk"]),
            "path": jail["path"],
        }
        for jail in jails
        if jail["image"] and jail["state"] != "absent"
    ]


def limits_of_dataset(jail: Jail) -> dict[str, int]:
    """Return the properties of a jail's dataset: its disk, as much of it again for snapshots, what is set aside."""
    disk = jail["limits"]["disk"]
    return {
        "refquota": disk,
        "quota": min(disk * jail["snapshot_room"] // 100, SIZE_MAX),
        "reservation": jail["reservation"] or 0,
    }


def datasets(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `datasets` of the module zfs_datasets: every jail with a dataset that is not absent.

    They are made with these properties by jail_worlds, see worlds().
    """
    return [
        {"name": jail["dataset"], "jail": jail["name"], "create": False, "properties": limits_of_dataset(jail)}
        for jail in jails
        if jail["dataset"] and jail["state"] != "absent"
    ]


def worlds(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `worlds` of the module jail_worlds: every jail that is not absent."""
    return [
        {
            **{key: jail[key] for key in ("name", "path", "release")},
            **image_of(jail),
            **({"properties": limits_of_dataset(jail)} if jail["dataset"] else {}),
        }
        for jail in jails
        if jail["state"] != "absent"
    ]


def accounts(jails: t.Iterable[Jail], customers: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the option `accounts` of the module jail_accounts: every jail that is not absent.

    `customers` is what lets each customer in, with `user`, `password` and `keys`.
    """
    return [
        {
            **{key: jail[key] for key in ("name", "path", "hostname")},
            **image_of(jail),
            **customers[jail["customer"]],
            "addresses": [jail[key] for key in ("address", "address6") if jail[key]],
            "runs": jail["state"] == "running",
        }
        for jail in jails
        if jail["state"] != "absent"
    ]


def upgrades(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `jails` of the module jail_upgrades: every jail that is not absent, with its own TCP ports."""
    return [
        {
            **{key: jail[key] for key in ("name", "path", "release", "address")},
            "ports": sorted({entry["to"] for entry in jail["publish"] if entry["protocol"] == "tcp"}),
            **image_of(jail),
        }
        for jail in jails
        if jail["state"] != "absent"
    ]


def limits(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `jails` of the module rctl_rules: every jail; those that are absent have no rules.

    One that is stopped or suspended keeps them, since it may be started at any time.
    """
    return [
        {"name": jail["name"], "rules": [f"{rule}={amount}" for rule, amount in rules(jail).items()]} for jail in jails
    ]


def archives(jails: t.Iterable[Jail]) -> list[dict[str, t.Any]]:
    """Return the option `archives` of the module jail_archives: every jail that is absent and was retired."""
    retired = [jail for jail in jails if jail["state"] == "absent" and jail["retired"]]
    return [{key: jail[key] for key in ("name", "path", "retired")} | image_of(jail) for jail in retired]
