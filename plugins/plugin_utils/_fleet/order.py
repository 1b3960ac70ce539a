# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""An order: one jail more, as a record that a person would write, on the host that has most room."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate, format_size

from . import records
from .check import Checked, Checker, Values, as_block
from .compile import resolve_jail
from .model import CUSTOMER_KEYS, JAIL_KEYS, NAME_PATTERN, PUBLISH_KEYS, FleetError, Key, Problem, Record
from .placement import SSH, Market, Offer, Wanted, free_id
from .project import Project, open_project
from .values import meant

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

_JAIL = {key.name: key for key in JAIL_KEYS}
_NAME_FORM = "a name: a letter, then at most 30 of small letters, digits, - and _"
_CUSTOMER = "customer_"

# What an order may say. A name becomes the name of a file, so it is checked before anything is looked for by it.
ORDER_KEYS = (
    Key("jail", "text", "Name of the jail.", required=True, pattern=NAME_PATTERN, form=_NAME_FORM),
    replace(_JAIL["customer"], pattern=NAME_PATTERN, form=_NAME_FORM),
    _JAIL["plan"],
    replace(_JAIL["host"], required=False),
    replace(_JAIL["hostname"], default=None),
    _JAIL["publish"],
    *(
        replace(key, name=_CUSTOMER + key.name, required=False, default=None)
        for key in CUSTOMER_KEYS
        if key.name in ("name", "contact", "keys")
    ),
)


@dataclass(frozen=True)
class Ordered:
    """What came of an order: the jail resolved, what was written (texts by file), and the commit ('': none)."""

    jail: Values
    plan: Values
    texts: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    changed: bool = False

    def result(self) -> dict[str, t.Any]:
        """Return it as the action's result."""
        (ssh, *_others) = (entry for entry in self.jail["publish"] if _leads_to_ssh(entry))
        return {
            "changed": self.changed,
            "jail": self.jail,
            "ssh": {"address": ssh["address"], "port": ssh["port"]},
            "gives": _gives(self.jail),
            "files": sorted(self.texts),
            "commit": self.commit,
            "diff": [change.diff() for change in _changes(self.texts)],
        }


def order(file: Path, wish: t.Mapping[str, t.Any], loader: DataLoader, *, commit: bool, check_mode: bool) -> Ordered:
    """Write the record of the jail that a `wish` (by ORDER_KEYS) names into the fleet of a file fleet.yml.

    A record that says the same already is left as it is. Raises FleetError or RecordError, and then has written
    nothing, nor in check mode.
    """
    with records.lock(file.parent):
        if commit:
            records.check_repository(file.parent)
        project = open_project(file, loader)
        checked = project.check()
        values = _read_wish(wish, checked)
        new = {} if values["jail"] in checked.jails else _new_records(project, checked, values)
        if not new:
            _refuse_another(project, checked.jails[values["jail"]], values)
        return _write(project, values, new, commit=commit, check_mode=check_mode)


# The wish -------------------------------------------------------------------------------------------------------------


def _read_wish(wish: t.Mapping[str, t.Any], checked: Checked) -> Values:
    """Return the values of an order; raise FleetError with everything that is wrong with it."""
    problems: list[Problem] = []
    values = Checker("order", "", problems).block(as_block(_given(wish)), ORDER_KEYS)
    _check_known(values, "plan", checked.plans, problems)
    _check_known(values, "host", checked.hosts, problems)
    _check_customer(values, checked, problems)
    if problems:
        raise FleetError(problems)
    return values


def _given(value: t.Any) -> t.Any:
    """Return arguments without those that Ansible fills in for what is not given."""
    if isinstance(value, t.Mapping):
        return {name: _given(each) for name, each in value.items() if each not in (None, "", [])}
    return [_given(each) for each in value] if isinstance(value, list) else value


def _problem(key: str, text: str) -> Problem:
    return Problem("order", 0, key, text)


def _check_known(values: Values, key: str, known: t.Collection[str], problems: list[Problem]) -> None:
    """Note a name that nobody has."""
    if key in values and values[key] not in known:
        advice = meant(values[key], known) or f"choose one of {', '.join(sorted(known)) or 'none'}"
        problems.append(_problem(key, f"{values[key]} is unknown; {advice}"))


def _check_customer(values: Values, checked: Checked, problems: list[Problem]) -> None:
    """Note a customer who is unknown and not introduced, or known as somebody else."""
    name = values.get("customer")
    given = {key.name: values[_CUSTOMER + key.name] for key in CUSTOMER_KEYS if _CUSTOMER + key.name in values}
    if name in checked.customers:
        for said, value in given.items():
            if checked.customers[name].get(said) != value:
                text = f"the record of customer {name} says otherwise; correct that record, or leave this out"
                problems.append(_problem(_CUSTOMER + said, text))
    elif given:
        for key in CUSTOMER_KEYS:
            if key.required and key.name not in given:
                problems.append(_problem(_CUSTOMER + key.name, f"missing; customer {name} is new: give it"))
    elif name:
        question = meant(name, checked.customers)
        text = (
            f"{name} is unknown; {question + ' For' if question else 'for'} a new customer give {_CUSTOMER}name and "
            f"{_CUSTOMER}contact"
        )
        problems.append(_problem("customer", text))


def _refuse_another(project: Project, jail: Values, values: Values) -> None:
    """Raise FleetError if the record that has the name of the ordered jail is not what was ordered."""
    file = f"{project.sources.jails}/{values['jail']}.yml"
    advice = "order under another name, or edit the record"
    problems = [
        Problem(file, 0, key, f"is {jail[key]} already, not {values[key]}; {advice}")
        for key in ("customer", "plan", "host", "hostname")
        if key in values and jail[key] != values[key]
    ]
    if jail["state"] != "running":
        problems.append(Problem(file, 0, "state", f"is {jail['state']} already; {advice}"))
    if not any(_leads_to_ssh(entry) for entry in jail["publish"]):
        problems.append(Problem(file, 0, "publish", f"no tcp port leads to {SSH}; {advice}"))
    for entry in values["publish"]:
        if entry not in jail["publish"]:
            problems.append(Problem(file, 0, "publish", f"has no {_flow(entry)}; {advice}"))
    if problems:
        raise FleetError(problems)


def _leads_to_ssh(entry: Values) -> bool:
    return (entry["protocol"], entry["to"]) == ("tcp", SSH)


# The records ----------------------------------------------------------------------------------------------------------


def _new_records(project: Project, checked: Checked, values: Values) -> dict[str, str]:
    """Return the texts of the records to write, by file: a new customer comes before his jail."""
    texts = {}
    if values["customer"] not in checked.customers:
        customer = {key.name: values[_CUSTOMER + key.name] for key in CUSTOMER_KEYS if _CUSTOMER + key.name in values}
        texts[f"{project.sources.customers}/{values['customer']}.yml"] = render(customer)
    texts[f"{project.sources.jails}/{values['jail']}.yml"] = render(_compose(project, checked, values))
    return texts


def _compose(project: Project, checked: Checked, values: Values) -> Values:
    """Return the values of the record of a jail that gets the best place there is."""
    plan = checked.plans[values["plan"]]
    offer = _place(Market(checked, project.surroundings.ways), Wanted(values["jail"], plan, values["publish"]), values)
    number = free_id(checked)
    if number is None:
        raise FleetError([_problem("jail", "no id is free; retire and destroy jails that nobody uses")])
    ports = range(offer.port, offer.port + plan["ports"])
    given = [{"port": port, "to": port if port > offer.port else SSH, "protocol": "tcp"} for port in ports]
    return {
        "host": offer.host,
        **({"neighbourhood": offer.neighbourhood} if offer.neighbourhood else {}),
        "customer": values["customer"],
        "plan": values["plan"],
        "id": number,
        "address": offer.address,
        **({"hostname": values["hostname"]} if values.get("hostname", values["jail"]) != values["jail"] else {}),
        "publish": [*given, *values["publish"]],
    }


def _place(market: Market, wanted: Wanted, values: Values) -> Offer:
    """Return the offer to take: of the host that was named, or the best; raise FleetError if there is none."""
    if "host" in values:
        offer = market.offer(values["host"], wanted)
        best, offers = None if offer.lacks else offer, [offer]
    else:
        best, offers = market.place(wanted)
    if best is None:
        lines = [f"{offer.host} cannot take it: it lacks {', '.join(offer.lacks)}" for offer in offers]
        raise FleetError(_problem("host", line) for line in lines or ["vps_orders is false for every host; name one"])
    return best


def render(values: Values) -> str:
    """Return a record as a person would write it, keys in the order of `values`, mappings in a list in braces."""
    lines = ["---"]
    for key, value in values.items():
        if isinstance(value, list):
            shown = [_flow(each) if isinstance(each, dict) else records.scalar(each) for each in value]
            lines += [f"{key}:", *(f"  - {each}" for each in shown)]
        else:
            lines.append(f"{key}: {records.scalar(value)}")
    return "\n".join([*lines, ""])


def _flow(entry: Values) -> str:
    """Return an entry of publish in braces, defaults left out."""
    said = {key.name: entry[key.name] for key in PUBLISH_KEYS if entry.get(key.name, key.default) != key.default}
    return "{" + ", ".join(f"{name}: {records.scalar(value)}" for name, value in said.items()) + "}"


# Writing --------------------------------------------------------------------------------------------------------------


def _write(project: Project, values: Values, texts: dict[str, str], *, commit: bool, check_mode: bool) -> Ordered:
    """Write the texts if the whole fleet is right with them, and commit; leave nothing behind if that fails."""
    checked = _checked_with(project, values, texts)
    jail, plan = checked.jails[values["jail"]], checked.plans[values["plan"]]
    resolved = resolve_jail(values["jail"], jail, plan, checked.hosts[jail["host"]])
    paths = [project.base / file for file in _files(project, values)]
    if check_mode:
        pending = bool(texts) or (commit and bool(records.uncommitted(project.base, paths)))
        return Ordered(resolved, plan, texts, changed=pending)

    def finish() -> str:
        if texts:
            project.check()
        message = f"Order jail {resolved['name']} for {resolved['customer']}: {resolved['plan']} on {resolved['host']}"
        return records.commit(project.base, paths, message) if commit else ""

    made = records.write(project.base, _changes(texts), finish)
    return Ordered(resolved, plan, texts, made, changed=bool(texts or made))


def _changes(texts: t.Mapping[str, str]) -> list[records.Change]:
    return [records.Change(file, None, text) for file, text in texts.items()]


def _files(project: Project, values: Values) -> list[str]:
    """Return the files that an order writes, of a customer only if it introduces him."""
    files = [f"{project.sources.jails}/{values['jail']}.yml"]
    if _CUSTOMER + "name" in values:
        files.append(f"{project.sources.customers}/{values['customer']}.yml")
    return files


def _checked_with(project: Project, values: Values, texts: dict[str, str]) -> Checked:
    """Return the values of the whole fleet with the records that are to be written."""
    jails: list[Record] = []
    customers: list[Record] = []
    for file, text in texts.items():
        name = Path(file).stem
        record = records.record_from_text(file, name, text)
        (jails if Path(file).parent == Path(project.sources.jails) else customers).append(record)
    return project.check(*jails, customers=customers)


def _gives(jail: Values) -> dict[str, t.Any]:
    """Return what a jail has, in the words of a plan."""
    limits, bandwidth = jail["limits"], jail["bandwidth"]
    rates = {name: bandwidth[name] for name in ("up", "down") if bandwidth[name] is not None}
    return {
        "disk": format_size(limits["disk"]),
        "memory": format_size(limits["memory"]),
        "processes": limits["processes"],
        "cpu": f"{limits['cpu']}%",
        **{name: format_rate(rate) for name, rate in rates.items()},
    }
