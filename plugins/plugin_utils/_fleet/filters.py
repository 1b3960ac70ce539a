# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What each module of a host gets, derived from the resolved jails that the fleet's compiler made."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, format_size

from .limits import rules
from .model import SIZE_MAX

Jail = t.Mapping[str, t.Any]

# The table of pf that pf_rules gives.
TABLE = "jails"
# A jail that is suspended has no network, one that is absent nothing at all.
_CONNECTED = frozenset({"running", "stopped"})


def jails_parameters(jails: t.Iterable[Jail], interface: str) -> list[dict[str, t.Any]]:
    """Return the option `jails` of the module jails, in the order of `jails`: only what comes from the records."""
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


def _tag(jail: Jail) -> str:
    """Return the tag by which filter rules know a jail's packets: they see the translated address, not its own."""
    return f"jail_{jail['name']}"


def _nat(jail: Jail, interface: str, public: str) -> str:
    return f"nat on {interface} inet from {jail['address']} to any tag {_tag(jail)} -> {public}"


def _redirections(jail: Jail, interface: str) -> list[str]:
    return [
        f"rdr on {interface} inet proto {entry['protocol']} from any to {entry['address']} port {entry['port']}"
        f" tag {_tag(jail)} -> {jail['address']} port {entry['to']}"
        for entry in jail["publish"]
    ]


def _passes(jail: Jail, interface: str, base: int) -> list[str]:
    """Return the two rules that let a jail's packets pass, count them by label and lead them through its pipes.

    The first pipe takes what goes in the rule's own direction, the second what comes back. They are quick, because
    else a general pass further down in the host's pf.conf would win, and nothing be shaped.
    """
    numbers = pipe_numbers(jail, base)
    rules = []
    for direction, order in (("out", 1), ("in", -1)):
        rule = f'pass {direction} quick on {interface} inet tagged {_tag(jail)} keep state label "jail:{jail["name"]}"'
        rules.append(rule + (" dnpipe ({}, {})".format(*numbers[::order]) if numbers else ""))
    return rules


def _isolation(connected: t.Sequence[Jail], netblocks: t.Sequence[str], interface: str) -> list[dict[str, t.Any]]:
    """Return the rules by which jails meet themselves and no other; those of IPv6 if the host has a netblock of it.

    What is kept apart are the netblocks, not the jails: a jail that is being removed, or that somebody else made there,
    is in them too, and the rules stay the same whoever comes and goes.
    """
    rules: list[dict[str, t.Any]] = []
    for family, key in (("inet", "address"), ("inet6", "address6")):
        for jail in connected:
            if jail[key]:
                rule = f"pass quick on {interface} {family} from {jail[key]} to {jail[key]}"
                rules.append({"rule": rule, "jail": jail["name"]})
        if any((":" in netblock) == (family == "inet6") for netblock in netblocks):
            rules.append({"rule": f"block drop quick on {interface} {family} from <jails> to <jails>"})
    return rules


def pf_rules(
    jails: t.Iterable[Jail],
    interface: str,
    addresses: t.Sequence[str],
    netblocks: t.Sequence[str],
    jail_interface: str = "lo",
    base: int = 10000,
) -> dict[str, t.Any]:
    """Return the options `rules` and `tables` of the module pf_anchor, in the order that pf.conf(5) demands.

    `interface` is the host's outside interface, the first of `addresses` what NAT translates to, `netblocks` are the
    networks of the host's jails, `jail_interface` is the interface (or group: lo is lo0 and lo1) where jails meet each
    other. Raises ValueError without an address or a netblock.
    """
    connected = [jail for jail in jails if jail["state"] in _CONNECTED]
    if not addresses:
        raise ValueError("addresses is empty: there is nothing that NAT could translate to")
    if not netblocks:
        raise ValueError("netblocks is empty: there is nothing that could be kept apart")
    rules = [(jail, _nat(jail, interface, addresses[0])) for jail in connected]
    rules += [(jail, rule) for jail in connected for rule in _redirections(jail, interface)]
    result = [{"rule": rule, "jail": jail["name"]} for jail, rule in rules]
    result += _isolation(connected, netblocks, jail_interface)
    result += [{"rule": rule, "jail": jail["name"]} for jail in connected for rule in _passes(jail, interface, base)]
    return {"rules": result, "tables": {TABLE: list(netblocks)}}
