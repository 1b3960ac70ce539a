# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Every check of the fleet: each record by the tables of its keys, then the records against each other.

Nothing here stops at the first error: what is wrong is noted, and what remains is checked as far as it goes.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size

from .capacity import check_capacity, neighbourhood_usage
from .claims import check_unique
from .credentials import key_material
from .limits import RULES, read_rule
from .model import (
    BROKEN,
    CUSTOMER_KEYS,
    HOST_KEYS,
    HOST_PREFIX,
    JAIL_KEYS,
    PLAN_KEYS,
    Block,
    Fleet,
    Key,
    Problem,
    Record,
    Sources,
    Surroundings,
    Vaulted,
)
from .names import check_names
from .neighbourhoods import check_neighbourhood, check_places
from .reach import check_reach
from .release_sources import check_releases
from .values import ELEMENTS, ENTRIES, READERS, VAULTED, meant, read_value, said_of, shown
from .vnet import bridged_hosts, gateway_of
from .ways import check_ways

Values = dict[str, t.Any]
_Hosts = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Checked:
    """The records' values, converted and with their defaults, by name: sizes in bytes, rates in bit/s, cpu in percent.

    A value that has an error is missing, so whoever reads this before all errors are out must ask with get().
    """

    hosts: dict[str, Values]
    plans: dict[str, Values]
    customers: dict[str, Values]
    jails: dict[str, Values]


class Checker:
    """Checks the values of one record (or of one host: `file` then says which) by a table of keys."""

    def __init__(self, file: str, name: str, problems: list[Problem]) -> None:
        self.file = file
        self.name = name
        self.problems = problems

    def problem(self, line: int, key: str, text: str) -> None:
        """Note an error."""
        self.problems.append(Problem(self.file, line, key, text))

    def block(self, block: Block, keys: tuple[Key, ...], prefix: str = "") -> Values:
        """Return the converted values of a mapping, defaults included; what is wrong is noted and left out."""
        values: Values = {}
        for key in keys:
            path = prefix + key.name
            if key.name in block.values:
                self.value(values, key.name, (block.values[key.name], block.line_of(key.name), path), key)
            elif key.required:
                self.problem(block.line, path, f"missing; add it ({key.description.rstrip('.')})")
            elif key.default is not None:
                self.default(values, block, key, path)
            elif key.keys and all(part.default is not None for part in key.keys) and key.kind == "mapping":
                values[key.name] = self.block(Block({}), key.keys)
        self.unknown(block, keys, prefix)
        return values

    def default(self, values: Values, block: Block, key: Key, path: str) -> None:
        """Put the default of a key for this record into `values`; or note that it does not do for this one."""
        if not isinstance(key.default, str):
            values[key.name] = list(key.default) if isinstance(key.default, tuple) else key.default
            return
        default = key.default.replace("{name}", self.name)
        try:
            values[key.name] = read_value(default, key)
        except ValueError as error:
            self.problem(block.line, path, f"missing, and its default does not do: {error}")

    def unknown(self, block: Block, keys: tuple[Key, ...], prefix: str) -> None:
        """Note the keys that the table does not have."""
        known = [key.name for key in keys]
        for name in block.values.keys() - set(known):
            text = meant(name, known) or f"remove it (known are {', '.join(known)})"
            self.problem(block.line_of(name), prefix + shown(name), f"unknown key; {text}")

    def value(self, values: Values, name: str, found: tuple[t.Any, int, str], key: Key) -> None:
        """Convert one value, `found` with its line and path, into `values`; or note what is wrong with it."""
        raw, line, path = found
        if raw is BROKEN:
            return
        try:
            if raw is None:
                raise ValueError("has no value; give it one or remove the key")
            if key.kind in READERS:
                values[name] = read_value(raw, key)
            else:
                values[name] = self.collection(raw, line, path, key)
        except ValueError as error:
            self.problem(line, path, str(error))

    def collection(self, raw: t.Any, line: int, path: str, key: Key) -> t.Any:
        """Return a converted list or mapping; raises ValueError if it is neither, or not the one that is wanted."""
        if key.kind in ("mapping", "rules", *ENTRIES):
            if not isinstance(raw, Block):
                raise ValueError(f"{shown(raw)} is not a mapping; write keys and values")
            if key.kind == "mapping":
                return self.block(raw, key.keys, f"{path}.")
            return self.entries(raw, path, key) if key.kind in ENTRIES else self.rules(raw, path)
        if not isinstance(raw, list):
            raise ValueError(f"{shown(raw)} is not a list; write one")
        if key.required and not raw:
            raise ValueError("is empty; give at least one")
        kind = ELEMENTS.get(key.kind, "mapping")
        element = replace(key, kind=kind, required=False, default=None)
        converted: Values = {}
        for index, item in enumerate(raw):
            place = item.line or line if isinstance(item, Block) else line
            self.value(converted, str(index), (item, place, f"{path}[{index}]"), element)
        # The places of mappings stay, so that what is said of the third entry later is said of the third.
        indexes = range(len(raw)) if element.kind == "mapping" else map(int, converted)
        return [converted.get(str(index), {}) for index in indexes]

    def rules(self, raw: Block, path: str) -> Values:
        """Return a mapping of rules of rctl(8) to amounts."""
        converted: Values = {}
        for rule, item in raw.values.items():
            try:
                converted[rule] = read_rule(rule, item.value if isinstance(item, Vaulted) else item)
            except ValueError as error:
                question = "" if rule in RULES else meant(rule, RULES)
                self.problem(raw.line_of(rule), f"{path}.{shown(rule)}", f"{error}{question and f'; {question}'}")
        return converted

    def entries(self, raw: Block, path: str, key: Key) -> Values:
        """Return a mapping of releases, or of names, to mappings."""
        converted: Values = {}
        element = Key(key.name, "mapping", key.description, keys=key.keys)
        pattern, complaint = ENTRIES[key.kind]
        for name, item in raw.values.items():
            if re.fullmatch(pattern, name):
                self.value(converted, name, (item, raw.line_of(name), f"{path}.{name}"), element)
            else:
                self.problem(raw.line_of(name), f"{path}.{shown(name)}", complaint)
        return converted


def as_block(value: t.Any) -> t.Any:
    """Return a value of Ansible's with its mappings as Blocks, which have no lines."""
    if isinstance(value, t.Mapping):
        return Block({str(key): as_block(item) for key, item in value.items()})
    return [as_block(item) for item in value] if isinstance(value, (list, tuple)) else value


def check_host(name: str, variables: t.Mapping[str, t.Any], sources: Sources, problems: list[Problem]) -> Values:
    """Return the converted variables vps_* of a jail host; `variables` are all of its variables, by name."""
    checker = Checker(f"{sources.hosts}: {name}", name, problems)
    known = {key: as_block(value) for key, value in variables.items() if key.startswith(HOST_PREFIX)}
    host = checker.block(Block(known), HOST_KEYS)
    _check_networks(checker, host)
    for key, text in check_places(host):
        checker.problem(0, key, text)
    for key, text in check_releases(host, known.get("vps_releases")):
        checker.problem(0, key, text)
    if known.get("vps_own_addresses") == []:
        checker.problem(0, "vps_own_addresses", "is empty; give at least one, or remove it")
    if host.get("vps_storage") == "dataset" and "vps_pool" not in known:
        checker.problem(0, "vps_pool", "missing; name the pool, or set vps_storage to directory")
    if host.get("vps_storage") in ("directory", "image") and "vps_pool" in known:
        kinds = {"directory": "directories", "image": "images"}[host["vps_storage"]]
        checker.problem(0, "vps_pool", f"has no meaning with {kinds}; remove it, or set vps_storage to dataset")
    if "vps_release" in host and "vps_releases" in host and host["vps_release"] not in host["vps_releases"]:
        checker.problem(
            0, "vps_release", f"{host['vps_release']} is not in vps_releases; add it there or choose another"
        )
    return host


def _check_networks(checker: Checker, host: Values) -> None:
    """Note an address of a host in the network of its jails."""
    networks = {key: host[key] for key in ("vps_netblock", "vps_netblock6") if key in host}
    for variable in ("vps_addresses", "vps_own_addresses"):
        for address in host.get(variable, ()):
            for key, network in networks.items():
                if ipaddress.ip_address(address) in network:
                    checker.problem(0, variable, f"{address} is in {network}, the jails' {key}; choose another")


def _check_records(records: list[Record] | None, keys: tuple[Key, ...], problems: list[Problem]) -> dict[str, Values]:
    """Return the converted values of all records of a folder, by name; nothing is known of a broken one."""
    return {
        record.name: {} if record.broken else Checker(record.file, record.name, problems).block(record.block, keys)
        for record in records or ()
    }


class _Unknowns:
    """Answers for references to records that are not there.

    Looking for what was meant costs time in proportion to all names: one answer for a name, and only so many searches,
    else a fleet full of errors would take time in the square of its size.
    """

    SEARCHES = 50

    def __init__(self, known: t.Collection[str], what: str) -> None:
        self.known = known
        self.what = what
        self.answers: dict[str, str] = {}

    def answer(self, name: str, vaulted: bool = False) -> str:
        """Return the text of the error for a name that is unknown, and must not be shown if it was vaulted."""
        if vaulted:
            return f"{VAULTED} is unknown; {self.what}"
        if name not in self.answers:
            question = meant(name, self.known) if len(self.answers) < self.SEARCHES else ""
            self.answers[name] = question or self.what
        return f"{name} is unknown; {self.answers[name]}"


class _References:
    """Checks a jail's record against its host, plan and customer."""

    def __init__(
        self, fleet: Fleet, checked: Checked, hosts: _Hosts, sources: Sources, problems: list[Problem]
    ) -> None:
        self.hosts = hosts
        self.plans = {record.name: record for record in fleet.plans or ()}
        self.checked = checked
        self.problems = problems
        self.shares = neighbourhood_usage(checked)
        self.bridged = bridged_hosts(checked.jails.values())
        self.tables = {"host": _Unknowns(checked.hosts, f"add it to {sources.host_group} in {sources.hosts}")}
        # Of a folder that could not be read, nothing can be said to be missing.
        if fleet.customers is not None:
            self.tables["customer"] = _Unknowns(checked.customers, f"add it to {sources.customers}")
        if fleet.plans is not None:
            self.tables["plan"] = _Unknowns(checked.plans, f"add it to {sources.plans}")

    def problem(self, record: Record, key: str, text: str, line: int = 0) -> None:
        """Note an error at a key of a jail's record, on the line of that key unless another is given."""
        self.problems.append(Problem(record.file, line or record.block.line_of(key), key, text))

    def check(self, record: Record) -> None:
        """Note every error in what a jail's record says of other records."""
        jail = self.checked.jails[record.name]
        for key, unknowns in self.tables.items():
            if key in jail and jail[key] not in unknowns.known:
                self.problem(record, key, unknowns.answer(jail[key], isinstance(record.block.values[key], Vaulted)))
        host = self.checked.hosts.get(jail.get("host", ""), {})
        plan = self.checked.plans.get(jail.get("plan", ""), {})
        self.address(record, jail, host)
        self.address6(record, jail, host)
        self.gateway(record, jail, host)
        self.retired(record, jail)
        self.storage(record, jail, host)
        self.neighbourhood(record, jail, host)
        self.reservation(record, jail, plan, host)
        self.release(record, jail, plan, host)
        self.bandwidth(record, jail)

    def address(self, record: Record, jail: Values, host: Values) -> None:
        """Note a private address that its host's network does not hold."""
        network = host.get("vps_netblock")
        if network is None or "address" not in jail:
            return
        address = ipaddress.IPv4Address(jail["address"])
        said = said_of(record.block, "address", address)
        if address not in network:
            text = f"{said} is outside {network}, the netblock of {jail['host']}; choose one inside"
        elif address in (network.network_address, network.broadcast_address):
            text = f"{said} is the first or last of {network}, which no jail can have; choose another"
        else:
            return
        self.problem(record, "address", text)

    def address6(self, record: Record, jail: Values, host: Values) -> None:
        """Note an IPv6 address that its host's network does not hold."""
        if "address6" not in jail or not host:
            return
        address = ipaddress.IPv6Address(jail["address6"])
        said = said_of(record.block, "address6", address)
        network = host.get("vps_netblock6")
        if network is None:
            # One with an error is missing too, and that error is enough.
            if "vps_netblock6" not in self.hosts[jail["host"]]:
                self.problem(record, "address6", f"{jail['host']} has no vps_netblock6; give it one or remove this key")
        elif address not in network:
            text = f"{said} is outside {network}, the vps_netblock6 of {jail['host']}; choose one inside"
            self.problem(record, "address6", text)
        elif address == network.network_address:
            text = f"{said} is the first of {network}, which all of its routers answer to; choose another"
            self.problem(record, "address6", text)

    def gateway(self, record: Record, jail: Values, host: Values) -> None:
        """Note an address that the gateway of the host's bridge has."""
        for key, variable in (("address", "vps_netblock"), ("address6", "vps_netblock6")):
            if variable not in host or key not in jail or jail["host"] not in self.bridged:
                continue
            if jail[key] == gateway_of(host[variable]):
                said = said_of(record.block, key, jail[key])
                text = f"{said} is the gateway of the jails with network: vnet on {jail['host']}; choose another"
                self.problem(record, key, text)

    def retired(self, record: Record, jail: Values) -> None:
        """Note a jail that has been retired and is there."""
        if "retired" in jail and jail.get("state", "absent") != "absent":
            self.problem(record, "retired", "only goes with state: absent; remove this key, or set the state")

    def storage(self, record: Record, jail: Values, host: Values) -> None:
        """Note a jail that would be something else than a dataset on a host of datasets."""
        if "storage" in jail and host.get("vps_storage") == "dataset":
            text = (
                f"has no meaning on {jail['host']}, whose vps_storage is dataset (a dataset has its limit of disk by "
                "refquota); remove this key"
            )
            self.problem(record, "storage", text)

    def neighbourhood(self, record: Record, jail: Values, host: Values) -> None:
        """Note a jail in no neighbourhood of its host, and one that should be in none."""
        name = jail.get("host", "")
        written = ((record.block.values, jail, "neighbourhood"), (self.hosts.get(name, {}), host, "vps_neighbourhoods"))
        # What has an error is missing too, and that error is enough.
        if any(key in given and key not in found for given, found, key in written):
            return
        if text := check_neighbourhood(jail, host, self.shares.get(name, {}), record.block):
            self.problem(record, "neighbourhood", text)

    def reservation(self, record: Record, jail: Values, plan: Values, host: Values) -> None:
        """Note disk space that shall be set aside where nothing can hold it, or that the jail has less of."""
        own, block = jail.get("limits", {}), record.block.values.get("limits")
        if host.get("vps_storage") in ("directory", "image"):
            where = f"{jail['host']}, whose vps_storage is {host['vps_storage']}"
            if "reservation" in own and isinstance(block, Block):
                text = f"cannot be held on {where} (only datasets can); remove this key"
                self.problem(record, "limits.reservation", text, block.line_of("reservation"))
            elif "reservation" in plan:
                said = said_of(record.block, "plan", jail["plan"])
                text = f"{said} has a reservation, which cannot be held on {where}; choose another plan or host"
                self.problem(record, "plan", text)
        elif {"disk", "reservation"} & own.keys() and isinstance(block, Block):
            key = "reservation" if "reservation" in own else "disk"
            _check_reservation(record, block, {**plan, **own}, f"limits.{key}", self.problems)

    def release(self, record: Record, jail: Values, plan: Values, host: Values) -> None:
        """Note a release that the host does not have."""
        wanted = jail.get("release") or plan.get("release")
        known = host.get("vps_releases")
        if wanted is None or known is None or wanted in known:
            return
        key = "release" if "release" in jail else "plan"
        block = record.block if key == "release" else self.plans[jail["plan"]].block
        said = said_of(block, "release", wanted)
        text = f"{said} is not in vps_releases of {jail['host']}; add it there or choose another"
        self.problem(record, key, text)

    def bandwidth(self, record: Record, jail: Values) -> None:
        """Note a jail that is capped in one direction only, its plan being capped in none."""
        plan = self.plans.get(jail.get("plan", ""))
        if plan and not plan.broken and not _directions(plan):
            _check_directions(record, self.problems)


def _directions(record: Record) -> set[str]:
    """Return the directions that a record caps, whether rightly or wrongly."""
    bandwidth = record.block.values.get("bandwidth")
    return {"up", "down"} & bandwidth.values.keys() if isinstance(bandwidth, Block) else set()


def _check_directions(record: Record, problems: list[Problem]) -> None:
    """Note a record that caps one direction only: a rule of pf names the pipes of both."""
    given = _directions(record)
    if len(given) == 1:
        missing = ({"up", "down"} - given).pop()
        text = "missing; give both up and down, or neither"
        problems.append(Problem(record.file, record.block.line_of("bandwidth"), f"bandwidth.{missing}", text))


def _check_reservation(record: Record, block: Block, limits: Values, path: str, problems: list[Problem]) -> None:
    """Note that limits, of which a record says at least one in a block, set more disk space aside than they give."""
    disk, reservation = limits.get("disk"), limits.get("reservation", 0)
    if disk is not None and reservation > disk:
        key = path.rpartition(".")[2]
        said = said_of(block, key, format_size(limits[key]))
        text = f"{said}: the reservation must be at most as large as disk; lower the one or raise the other"
        problems.append(Problem(record.file, block.line_of(key), path, text))


def _check_keys(record: Record, problems: list[Problem]) -> None:
    """Note each ssh key of a customer that is there twice."""
    keys = record.block.values.get("keys")
    seen: dict[str, int] = {}
    for index, raw in enumerate(keys if isinstance(keys, list) else ()):
        material = key_material(raw.value if isinstance(raw, Vaulted) else raw)
        if material is not None and seen.setdefault(material, index) != index:
            text = f"is the same key as keys[{seen[material]}]; remove one of them"
            problems.append(Problem(record.file, record.block.line_of("keys"), f"keys[{index}]", text))


def check_fleet(
    fleet: Fleet,
    hosts: _Hosts,
    sources: Sources,
    problems: list[Problem],
    surroundings: Surroundings | None = None,
) -> Checked:
    """Return the converted values of all records; all errors are noted in `problems`.

    `hosts` are the variables of each host in the group of jail hosts, templates resolved; `surroundings` what else is
    known of all hosts.
    """
    around = surroundings or Surroundings()
    checked = Checked(
        hosts={name: check_host(name, hosts[name], sources, problems) for name in sorted(hosts)},
        plans=_check_records(fleet.plans, PLAN_KEYS, problems),
        customers=_check_records(fleet.customers, CUSTOMER_KEYS, problems),
        jails=_check_records(fleet.jails, JAIL_KEYS, problems),
    )
    references = _References(fleet, checked, hosts, sources, problems)
    for record in fleet.plans or ():
        _check_directions(record, problems)
        _check_reservation(record, record.block, checked.plans[record.name], "reservation", problems)
    for record in fleet.customers or ():
        _check_keys(record, problems)
    for record in fleet.jails or ():
        references.check(record)
    check_names(fleet, checked.hosts, sources, around, problems)
    check_unique(fleet.jails or [], checked, sources, around, problems)
    check_reach(fleet.jails or [], checked, sources, problems)
    check_ways(fleet.jails or [], checked, sources, around, problems)
    check_capacity(checked, sources, problems)
    return checked
