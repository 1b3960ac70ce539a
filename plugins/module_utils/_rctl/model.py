# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Rules of rctl(8) whose subject is a jail: what the kernel takes, and the wish."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._files import is_plain
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import NAME
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, by_name

# Amounts of these are bytes, or bytes a second; of all others numbers, seconds (cputime, wallclock) or percent (pcpu).
SIZES = frozenset(
    {
        "coredumpsize",
        "datasize",
        "memorylocked",
        "memoryuse",
        "msgqsize",
        "readbps",
        "shmsize",
        "stacksize",
        "swapuse",
        "vmemoryuse",
        "writebps",
    }
)
# What can be slowed down, and not be refused.
RATES = frozenset({"readbps", "writebps", "readiops", "writeiops"})
RESOURCES = (
    SIZES
    | RATES
    | {
        "cputime",
        "maxproc",
        "msgqqueued",
        "nmsgq",
        "nsem",
        "nsemop",
        "nshm",
        "nthr",
        "openfiles",
        "pcpu",
        "pseudoterminals",
        "wallclock",
    }
)
ACTIONS = ("deny", "throttle", "log", "devctl")
# Of these the kernel only counts what was used.
UNDENIABLE = RATES | {"cputime", "wallclock"}
# What the kernel keeps amounts in; of these in millionths.
AMOUNT_MAX = (1 << 63) - 1
MILLIONTHS = frozenset({"cputime", "wallclock", "pcpu"})

AMOUNT = re.compile(r"([0-9]{1,19})([kKmMgGtT]?)")
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
RULE = re.compile(r"(?P<resource>[a-z]+):(?P<action>[a-z]+)=(?P<amount>\w+)")


def check_limit(resource: str, action: str) -> None:
    """Raise ValueError that says what to do unless the kernel can do ``action`` about a resource."""
    if resource not in RESOURCES:
        raise ValueError(f"{resource} is no resource of rctl(8); take one of {', '.join(sorted(RESOURCES))}")
    if action not in ACTIONS:
        raise ValueError(f"{action} is no action; take one of {', '.join(ACTIONS)}")
    if action == "throttle" and resource not in RATES:
        raise ValueError(f"{resource} cannot be throttled, only {', '.join(sorted(RATES))} can; deny it")
    if action == "deny" and resource in UNDENIABLE:
        how = "throttle it" if resource in RATES else "log it, or limit pcpu"
        raise ValueError(f"{resource} cannot be denied; {how}")


def parse_amount(resource: str, text: str) -> int:
    """Return an amount such as ``400`` or ``512m``; raise ValueError that says what to do if the resource has no such.

    Letters stand for powers of 1024, as in rctl(8).
    """
    match = AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is no amount; write a whole number{_letters(resource)}")
    if match[2] and resource not in SIZES:
        raise ValueError(f"{text} is no amount of {resource}, which is not counted in bytes; write a whole number")
    amount = int(match[1]) * _FACTORS[match[2].lower()]
    most = AMOUNT_MAX // 10**6 if resource in MILLIONTHS else AMOUNT_MAX
    if amount > most:
        raise ValueError(f"{text} is more than the kernel can count; take at most {most}")
    return amount


def check_amount(action: str, amount: int) -> None:
    """Raise ValueError that says what to do about an amount that does harm."""
    # The kernel divides by the amount, and a host that divides by zero is down.
    if action == "throttle" and amount == 0:
        raise ValueError("0 cannot be throttled to; write at least 1")


def _letters(resource: str) -> str:
    return ", with K, M, G or T behind it for more bytes" if resource in SIZES else ""


@dataclass(frozen=True, order=True)
class Rule:
    """A limit of a jail, or what is told of it."""

    jail: str
    resource: str
    action: str
    amount: int

    def __str__(self) -> str:
        """Show it as rctl(8) does."""
        return f"jail:{self.jail}:{self.resource}:{self.action}={self.amount}"


@dataclass(frozen=True)
class Wish:
    """The rules of each jail that is spoken of, all of them; and the file from which they are loaded at boot."""

    jails: dict[str, tuple[Rule, ...]]
    file: str


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    if not is_plain(parameters["file"]):
        raise InvalidDesired(f"file: {parameters['file']!r} is not an absolute, plain path")
    records = by_name(parameters["jails"], "jails")
    return Wish({name: _rules(name, record["rules"]) for name, record in sorted(records.items())}, parameters["file"])


def _rules(name: str, texts: t.Sequence[str]) -> tuple[Rule, ...]:
    # An empty name would mean every jail of the host.
    if not NAME.fullmatch(name):
        raise InvalidDesired(f"jails: {name!r}: name: not the name of a jail")
    rules: dict[tuple[str, str], Rule] = {}
    for text in texts:
        match = RULE.fullmatch(text)
        if match is None:
            raise InvalidDesired(f"jails: {name}: rules: {text!r} is no rule; write RESOURCE:ACTION=AMOUNT")
        key = match["resource"], match["action"]
        try:
            check_limit(*key)
            rule = Rule(name, *key, parse_amount(match["resource"], match["amount"]))
            check_amount(rule.action, rule.amount)
        except ValueError as error:
            raise InvalidDesired(f"jails: {name}: rules: {text}: {error}") from error
        if key in rules:
            raise InvalidDesired(f"jails: {name}: rules: {text}: {rules[key]} says something of the same; keep one")
        rules[key] = rule
    return tuple(sorted(rules.values()))
