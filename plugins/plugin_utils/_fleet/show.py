# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One jail as a person tells of it who has its customer on the telephone: what is in force, and what was sold."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.text.formatters import bytes_to_human

from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import printable
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import SIZES
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.parse import parse_usage
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_rate

from .limits import rules
from .show_differences import differences
from .values import meant

Values = t.Mapping[str, t.Any]
Row = tuple[str, str]

# Of a longer list nobody reads more.
MOST_NAMES = 40
# What every jail is told of; of the other limits only those that are nearly used up, from NEAR percent on.
WORDS = {
    "memoryuse": "memory",
    "swapuse": "swap",
    "pcpu": "processor",
    "maxproc": "processes",
    "nthr": "threads",
    "openfiles": "open files",
}
NEAR, WHOLE = 90, 100
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def find_jail(fleet: t.Mapping[str, t.Iterable[Values]], name: str) -> dict[str, str]:
    """Return the `host` of a jail, or what is `wrong` with its name; `fleet` is the jails of each host."""
    homes = {jail["name"]: host for host, jails in fleet.items() for jail in jails}
    if name in homes:
        return {"host": homes[name], "wrong": ""}
    if not homes:
        return {"host": "", "wrong": "There are no jails; give the inventory plugin's fleet.yml as a source too"}
    more = f" and {len(homes) - MOST_NAMES} more" if len(homes) > MOST_NAMES else ""
    known = f"There are {', '.join(sorted(homes)[:MOST_NAMES])}{more}"
    question = f"; {meant(name, homes)}" if meant(name, homes) else "."
    wrong = f"No jail is named {printable(name)}{question}" if name else "Name the jail as -e jail=NAME."
    return {"host": "", "wrong": f"{wrong} {known}"}


def jail_report(jail: Values, answers: t.Mapping[str, Values]) -> dict[str, t.Any]:
    """Return the `title`, the `rows` (each a name and a text), what `differs` from the record, and any `trouble`.

    `jail` is its resolved record; `answers` are the results of jail_info (`jail`), net_info (`net`), jail_disk_info
    (`disk`), jail_host_info (`limits`) and rctl (`used`). One that failed takes nothing from the others.
    """
    name = jail["name"]
    info = answers["jail"].get("jails", {}).get(name)
    net = answers["net"].get("jails", {}).get(name)
    found = [
        *(_state(info) if "jails" in answers["jail"] else ()),
        *(_network(jail, net) if net else ()),
        *_limits(jail, answers["used"]),
        ("disk", _disk(jail, answers["disk"])),
        ("release", _release(jail, info)),
    ]
    return {
        "title": f"{name}: customer {jail['customer']}, plan {jail['plan']}, on {jail['host']}",
        "rows": [{"name": key, "text": printable(text)} for key, text in found],
        "differs": [printable(text) for text in differences(jail, answers)],
        "trouble": [
            printable(" ".join(str(answer.get("msg") or "no answer").split()))
            for key, answer in answers.items()
            if key != "used" and (answer.get("failed") or answer.get("unreachable"))
        ],
    }


def _state(info: Values | None) -> t.Iterator[Row]:
    if info is None:
        yield "state", "does not run"
    elif info["age"] is None:
        yield "state", "runs, without any process"
    else:
        yield "state", f"runs; its oldest process began {_duration(info['age'])} ago"


def _duration(seconds: int) -> str:
    """Return how long that is, in its two greatest units: `3 days 4 hours`."""
    parts = []
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        parts.append(f"{count} {unit}{'' if count == 1 else 's'}" if count else "")
    first = next((place for place, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part) or "0 seconds"


# The network ----------------------------------------------------------------------------------------------------------


def _network(jail: Values, net: Values) -> t.Iterator[Row]:
    passed = ", ".join(net["passed"]) or "none"
    if net["running"]:
        stack = f"a network stack of its own, from which {passed} may pass"
        yield "addresses", stack if net["vnet"] else ", ".join(net["addresses"]) or "none"
    else:
        yield "addresses", f"{passed} may pass once it runs"
    yield from _rules(net) if net["rules"] else [("network", "no rule lets anything to it, or out of it")]
    received, sent = (_amount(net["traffic"][way]) for way in ("received", "sent"))
    yield "traffic", f"{received} received, {sent} sent since counting began"
    most = jail["connections"]["states"]
    states = f"{net['states'].get('jail', 0)} with the world{f' (at most {most} by a rule)' if most else ''}"
    yield "connections", f"{states}, {net['states'].get('local', 0)} on the host"


def _rules(net: Values) -> t.Iterator[Row]:
    for entry in net["published"]:
        yield "reached at", _opening(entry)
    if not net["published"]:
        yield "reached at", "nothing is published"
    yield "leaves as", ", ".join(sorted({entry["public"] for entry in net["translation"]})) or "nothing"
    yield "mail", "may send to port 25" if net["smtp"] else "may not send to port 25 of anybody"
    yield "line", _line(net["shaping"])


def _opening(entry: Values) -> str:
    """Return in words what leads to a jail: `tcp 203.0.113.10:8017 -> 22`."""
    there = f"[{entry['address']}]" if ":" in entry["address"] else entry["address"]
    port = f":{entry['port']}" if entry["port"] else ""
    goal = f" -> {entry['to']}" if entry["target"] != entry["address"] and entry["to"] else ""
    text = f"{entry['protocol'] or 'everything to'} {there}{port}{goal}"
    if "any" in entry["from"]:
        return text
    names = ("jails of its host" if source == "<jails>" else source for source in entry["from"])
    return f"{text}, only from {', '.join(names)}"


def _line(shaping: Values | None) -> str:
    if shaping is None:
        return "no rule says what carries it"
    ends = {end: shaping[end] for end in ("up", "down")}
    rates = ", ".join(f"{end} {_rate(found['rate'])}" for end, found in ends.items())
    numbers = " and ".join(str(found["number"]) for found in ends.values())
    if shaping["kind"] == "pipe":
        return f"{rates} (pipes {numbers})"
    weight = shaping["up"]["weight"]
    return f"its share by weight {weight if weight else '?'} of {rates} (queues {numbers})"


def _rate(rate: int | None) -> str:
    return "MISSING" if rate is None else format_rate(rate) if rate else "unlimited"


# Limits, disk, release ------------------------------------------------------------------------------------------------


def _limits(jail: Values, answer: Values) -> t.Iterator[Row]:
    """Yield the limits that were sold, with what is used of them as far as the kernel keeps accounts of the jail."""
    used = parse_usage(answer.get("stdout") or "")
    # Of several for one resource the one that denies, which is the first of them.
    sold = {rule.partition(":")[0]: most for rule, most in reversed(rules(jail).items())}
    near = {resource for resource in used.keys() & sold.keys() if used[resource] * WHOLE >= sold[resource] * NEAR}
    for resource in (*(word for word in WORDS if word in sold), *sorted(near - WORDS.keys())):
        text = f"{_of(resource, used[resource])} of " if resource in used else ""
        text += _of(resource, sold[resource])
        yield WORDS.get(resource, resource), f"{text}, nearly used up" if resource in near else text


def _of(resource: str, value: int) -> str:
    return _amount(value) if resource in SIZES else f"{value}%" if resource == "pcpu" else str(value)


def _disk(jail: Values, answer: Values) -> str:
    sold = _amount(jail["limits"]["disk"])
    if not (jail["image"] or jail["dataset"]):
        return f"{sold} sold; a directory is not measured here, disk.yml does"
    found = answer.get("jails", {}).get(jail["name"], {})
    if found.get("used") is None:
        return f"{sold} sold; {found.get('trouble') or 'not measured'}"
    return f"{_amount(found['used'])} of {sold}"


def _release(jail: Values, info: Values | None) -> str:
    if info is None:
        return f"{jail['release']} sold"
    return f"{jail['release']} sold; its root says {info['release'] or 'nothing'}"


def _amount(size: int) -> str:
    """Return bytes for people: `1.20 GB`."""
    return str(bytes_to_human(size))
