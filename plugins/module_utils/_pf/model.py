# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Rules and tables of one pf anchor, as pf.conf(5) has them."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired
from ansible_collections.jailisp.vps.plugins.module_utils._releases import plain

# pf.conf(5) wants translation before filtering; `no nat` and `no rdr` are translation rules too.
TRANSLATION = ("nat", "rdr", "binat", "no")
FILTER = ("pass", "block", "match")

ANCHOR = re.compile(r"[a-z][a-z0-9_-]{0,62}")
TABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,30}")
# `dnpipe 1`, `dnpipe (1, 2)` and the same with dnqueue; pfctl -n accepts numbers that no pipe can have.
SHAPING = re.compile(r"\bdn(?:pipe|queue)\s*(?:\(\s*)?([0-9]+)(?:\s*,\s*([0-9]+))?")
LAST_PIPE = 65535
JAIL = re.compile(r"[A-Za-z0-9_.-]*")
LABEL = re.compile(r'\blabel\s+"([^"]*)"')
TAG = re.compile(r'\b(?:tag|tagged)\s+"?([^"\s]+)')
LONGEST_NAME = 63
# Nobody waits longer for being let in again.
MOST_SECONDS = 3600


@dataclass(frozen=True)
class Rule:
    """One rule on one line, and the record (a jail's name, or '') that it comes from."""

    text: str
    jail: str

    @property
    def labels(self) -> list[str]:
        """The labels, by which its states are found again."""
        return LABEL.findall(self.text)


@dataclass(frozen=True)
class Wish:
    """The whole content of one anchor, and where it and the main rules are kept.

    ``kept`` are tables that the host's administrators fill.
    """

    anchor: str
    rules: tuple[Rule, ...]
    tables: dict[str, tuple[str, ...]]
    kept: tuple[str, ...]
    conf: str
    file: str
    note: str
    guard: int = 0
    unskipped: frozenset[str] = frozenset()

    def _of_ours(self, name: str) -> str:
        return f"/var/db/jailisp/pf_{self.anchor}_{name}"

    @property
    def traffic(self) -> str:
        """Where the traffic is kept that was counted before the last load."""
        return self._of_ours("traffic.json")

    def saved(self, name: str) -> str:
        """Return where what administrators put into a table is kept for the next boot."""
        return self._of_ours(f"table_{name}")

    @property
    def mark(self) -> str:
        """What is there as long as nobody confirmed the last load."""
        return self._of_ours("unconfirmed")

    @property
    def script(self) -> str:
        """What the guard of a load runs."""
        return self._of_ours("guard.sh")

    @property
    def back(self) -> str:
        """What the mark becomes while the guard takes back, until the former state is whole."""
        return self._of_ours("taking_back")

    @property
    def told(self) -> str:
        """What is there after a boot that took back, until the log says so."""
        return self._of_ours("taken_back")

    @property
    def lock(self) -> str:
        """What whoever takes back holds meanwhile."""
        return self._of_ours("guard.lock")

    @property
    def former_conf(self) -> str:
        """The main rules' file to go back to; beside it, so that it comes back by one rename."""
        return f"{self.conf}.jailisp-former"

    @property
    def former_file(self) -> str:
        """The anchor's file to go back to."""
        return f"{self.file}.jailisp-former"

    @property
    def former_main(self) -> str:
        """The main rules that were in force, as pf showed them."""
        return self._of_ours("former_main.conf")

    @property
    def former_rules(self) -> str:
        """The anchor's rules that were in force, as pf showed them."""
        return self._of_ours("former_rules.conf")


def wish(parameters: t.Mapping[str, t.Any]) -> Wish:
    """Check the module's parameters and normalise them; raise :class:`InvalidDesired`."""
    anchor = parameters["anchor"]
    if not ANCHOR.fullmatch(anchor):
        raise InvalidDesired(f"anchor: {anchor!r} is no name for an anchor; use small letters, digits, - and _")
    rules = tuple(_rule(place, record) for place, record in enumerate(parameters["rules"]))
    _in_order(rules)
    tables, kept = parameters["tables"], parameters["kept_tables"]
    for name in kept:
        if not TABLE.fullmatch(name):
            raise InvalidDesired(f"kept_tables: {name!r} is no name for a table")
        if name in tables:
            raise InvalidDesired(f"kept_tables: {name} stands in tables too; remove it there or here")
    return Wish(
        anchor=anchor,
        rules=rules,
        tables={name: _table(name, addresses) for name, addresses in sorted(tables.items())},
        kept=tuple(sorted(kept)),
        conf=plain("conf", parameters["conf"]),
        file=f"/etc/pf.anchors/{anchor}.conf",
        note=f"/var/db/jailisp/pf_{anchor}.json",
        guard=_seconds(parameters["guard"]),
        unskipped=frozenset(parameters["unskipped"]),
    )


def _seconds(seconds: int) -> int:
    if not 0 <= seconds <= MOST_SECONDS:
        raise InvalidDesired(f"guard: {seconds} is not within 0 to {MOST_SECONDS}")
    return seconds


def kind(text: str) -> str:
    """Return the first word of a rule, which says what kind it is."""
    return text.split(maxsplit=1)[0] if text.split() else ""


def _rule(place: int, record: t.Mapping[str, t.Any]) -> Rule:
    text, jail = record["rule"].strip(), record["jail"] or ""
    if not JAIL.fullmatch(jail):
        raise InvalidDesired(f"rules[{place}]: jail: {jail!r} is no name; use letters, digits, ., - and _")
    where = f"rules[{place}]" + (f" ({jail})" if jail else "")
    if kind(text) not in TRANSLATION + FILTER:
        raise InvalidDesired(f"{where}: {text!r} does not begin with one of {', '.join(TRANSLATION + FILTER)}")
    if not text.isprintable() or "#" in text or text.endswith("\\"):
        raise InvalidDesired(f"{where}: {text!r}: a rule is one line without comment, continuation, control character")
    for found in SHAPING.finditer(text):
        for number in filter(None, found.groups()):
            if len(number) > len(str(LAST_PIPE)) or not 1 <= int(number) <= LAST_PIPE:
                raise InvalidDesired(f"{where}: {text!r}: {number} is no pipe's number; they go from 1 to {LAST_PIPE}")
    for name in TAG.findall(text) + LABEL.findall(text):
        if len(name) > LONGEST_NAME:
            raise InvalidDesired(f"{where}: {text!r}: {name} is longer than pf's {LONGEST_NAME} characters")
    return Rule(text, jail)


def _in_order(rules: tuple[Rule, ...]) -> None:
    filtering = ""
    for rule in rules:
        if kind(rule.text) in FILTER:
            filtering = rule.text
        elif filtering:
            raise InvalidDesired(f"rules: {rule.text!r} comes after {filtering!r}; put translation before filtering")


def _table(name: str, addresses: t.Any) -> tuple[str, ...]:
    if not TABLE.fullmatch(name):
        raise InvalidDesired(f"tables: {name!r} is no name for a table")
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise InvalidDesired(f"tables: {name}: not a list of addresses and networks; write one")
    try:
        networks = {ipaddress.ip_network(address) for address in addresses}
    except ValueError as error:
        raise InvalidDesired(f"tables: {name}: {error}") from error
    single = {network for network in networks if network.num_addresses == 1}
    ordered = sorted(networks, key=lambda network: (network.version, network))
    return tuple(str(network.network_address) if network in single else str(network) for network in ordered)
