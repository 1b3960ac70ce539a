# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""From the inventory's folder to the resolved jails of each host, or to all errors at once."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SUFFIX

from .check import Checked, Values, check_fleet
from .model import DEFAULT_WEIGHT, HOST_PREFIX, LIMITS, Fleet, FleetError, Problem, Sources, Surroundings
from .read import read_fleet
from .vnet import gateway_of


def resolve_publish(jail: Values, host: Values) -> list[Values]:
    """Return the published ports of a jail, each with its address and who reaches it, in the record's order."""
    return [
        {
            "protocol": entry["protocol"],
            "address": entry.get("address") or jail.get("public") or host["vps_addresses"][0],
            "port": entry["port"],
            "to": entry["to"],
            "from": entry.get("from", []),
        }
        for entry in jail["publish"]
    ]


def _nat(jail: Values, plan: Values, host: Values) -> t.Any:
    """Return the public address that the connections of a jail come from."""
    found = jail.get("nat") or jail.get("public") or plan.get("nat") or host.get("vps_nat")
    return found or host["vps_addresses"][0]


def says(value: t.Any, word: str) -> bool:
    """Return whether a value is a word, also one that carries its origin."""
    return bool(getattr(value, "value", value) == word)


def folder_of(jail: Values, host: Values) -> t.Any:
    """Return the folder that holds a jail's root: its neighbourhood's, or that of the host's roots."""
    places = host.get("vps_neighbourhoods", {})
    chosen = (place["path"] for name, place in places.items() if says(jail.get("neighbourhood"), name))
    return next(chosen, host["vps_root"])


def resolve_jail(name: t.Any, jail: Values, plan: Values, host: Values) -> Values:
    """Return a jail as the roles take it: the record over its plan over its host, nothing left to look up.

    `image` is the file of its image on the host, `dataset` the name of its dataset, None if its `storage` is another.
    Sizes are bytes, cpu and `snapshot_room` percent, bandwidth is bit/s or None, weight a number from 1 to 100,
    `parameters` are options of the module jails. Values, the name among them, are taken and never looked into except
    by says(): explain.py has them carry their origin.
    """
    limits = {**plan, **jail.get("limits", {})}
    storage = jail.get("storage") or host["vps_storage"]
    unlimited = {"states": None, "rate": None}
    uncapped = {"up": None, "down": None, "weight": DEFAULT_WEIGHT}
    return {
        "name": name,
        "id": jail["id"],
        "host": jail["host"],
        "customer": jail["customer"],
        "plan": jail["plan"],
        "address": jail["address"],
        "address6": jail.get("address6"),
        "hostname": jail["hostname"],
        "network": jail["network"],
        "state": jail["state"],
        "retired": jail.get("retired"),
        "neighbourhood": jail.get("neighbourhood"),
        "path": folder_of(jail, host) + "/" + name,
        "storage": storage,
        "image": host["vps_images"] + "/" + name + SUFFIX if says(storage, "image") else None,
        "dataset": host["vps_pool"] + "/jails/" + name if says(storage, "dataset") else None,
        "snapshot_room": host["vps_snapshot_room"],
        "release": jail.get("release") or plan.get("release") or host["vps_release"],
        "restart": jail["restart"],
        "canary": jail.get("canary", plan["canary"]),
        "publish": resolve_publish(jail, host),
        "public": jail.get("public"),
        "publish_all": jail["publish_all"],
        "nat": _nat(jail, plan, host),
        "allow_from": jail["allow_from"],
        "outgoing": {**plan["outgoing"], **jail.get("outgoing", {})},
        "connections": {**unlimited, **plan.get("connections", {}), **jail.get("connections", {})},
        "limits": {limit: limits[limit] for limit in LIMITS},
        "reservation": limits.get("reservation"),
        "rctl": {**plan.get("rctl", {}), **jail.get("limits", {}).get("rctl", {})},
        "bandwidth": {**uncapped, **plan.get("bandwidth", {}), **jail.get("bandwidth", {})},
        "parameters": dict(plan["jail"]),
    }


def resolve_host(host: Values) -> Values:
    """Return what is known of a host as playbooks take it: the variables vps_* without that prefix, none missing.

    Sizes are bytes, rates bit/s, shares percent, networks text. `dataset`, `release_dataset` and `release_root` say
    where the datasets of roots and releases are, None without a pool; `netblocks` are the networks of both families;
    `own_addresses` are where the host's own daemons answer. `folders` are those that hold roots: `root`, where datasets
    and images are mounted, comes first, then those of the neighbourhoods. `gateways` are the host's addresses on its
    bridge, and `bridge_addresses` the same with the lengths of their networks.
    """
    networks = [host[key] for key in ("vps_netblock", "vps_netblock6") if key in host]
    values = {name.removeprefix(HOST_PREFIX): value for name, value in host.items()}
    values |= {"pool": host.get("vps_pool"), "netblock": str(host["vps_netblock"]), "ports": list(host["vps_ports"])}
    values["nat"] = host.get("vps_nat", host["vps_addresses"][0])
    values["netblock6"] = str(host["vps_netblock6"]) if "vps_netblock6" in host else None
    neighbourhoods = host.get("vps_neighbourhoods", {})
    pool, folder = values["pool"], host["vps_root"].rpartition("/")[0]
    return {
        **values,
        "own_addresses": host.get("vps_own_addresses", host["vps_addresses"]),
        "neighbourhoods": neighbourhoods,
        "folders": [host["vps_root"], *(place["path"] for place in neighbourhoods.values())],
        "netblocks": [str(network) for network in networks],
        "gateways": [gateway_of(network) for network in networks],
        "bridge_addresses": [f"{gateway_of(network)}/{network.prefixlen}" for network in networks],
        "dataset": f"{pool}/jails" if pool else None,
        "release_dataset": f"{pool}/releases" if pool else None,
        "release_root": f"{folder}/releases" if pool else None,
    }


def resolve_fleet(checked: Checked) -> dict[str, list[Values]]:
    """Return the resolved jails of each host, sorted by name; a host without jails has an empty list."""
    resolved: dict[str, list[Values]] = {name: [] for name in checked.hosts}
    for name in sorted(checked.jails):
        jail = checked.jails[name]
        host = checked.hosts[jail["host"]]
        resolved[jail["host"]].append(resolve_jail(name, jail, checked.plans[jail["plan"]], host))
    return resolved


def resolve_accounts(checked: Checked) -> dict[str, dict[str, Values]]:
    """Return for each host what lets the customers of its jails in, by customer: `user`, `password`, `keys`.

    They are not in the jails themselves, which go to every role and into what people print.
    """
    accounts: dict[str, dict[str, Values]] = {name: {} for name in checked.hosts}
    for jail in checked.jails.values():
        customer = checked.customers[jail["customer"]]
        accounts[jail["host"]].setdefault(
            jail["customer"],
            {"user": customer["user"], "password": customer.get("password"), "keys": customer["keys"]},
        )
    return accounts


def compile_fleet(
    base: Path,
    sources: Sources,
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    surroundings: Surroundings | None = None,
) -> dict[str, list[Values]]:
    """Return the resolved jails of each jail host from the records below the folder `base`.

    `hosts` are the variables of each host in the group of jail hosts. Raises FleetError with all errors of the fleet.
    """
    problems: list[Problem] = []
    return resolve_fleet(check_all(read_fleet(base, sources, problems), hosts, sources, problems, surroundings))


def check_all(
    fleet: Fleet,
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    sources: Sources,
    problems: list[Problem],
    surroundings: Surroundings | None = None,
) -> Checked:
    """Return the checked values of all records; raise FleetError if they or the reading (`problems`) show errors."""
    checked = check_fleet(fleet, hosts, sources, problems, surroundings)
    if problems:
        raise FleetError(problems)
    return checked
