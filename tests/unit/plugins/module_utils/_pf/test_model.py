# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Rule, wish
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

NAT = "nat on vtnet0 inet from 192.168.1.17 to any -> 203.0.113.10"
PASS = "pass in quick on vtnet0 inet tagged jail_alice keep state"
SHAPED = "pass out on vtnet0 from any to any dnpipe"


def parameters(*rules: str, jail: str | None = "alice", **changes: t.Any) -> dict[str, t.Any]:
    listed = [{"rule": rule, "jail": jail} for rule in rules]
    return {
        "rules": listed,
        "tables": {},
        "kept_tables": [],
        "guard": 0,
        "unskipped": [],
        "anchor": "jailisp",
        "conf": "/etc/pf.conf",
        **changes,
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (parameters(NAT, jail="a\nblock all"), "rules[0]: jail: 'a\\nblock all' is no name"),
        (parameters(NAT, jail="a b"), "rules[0]: jail: 'a b' is no name"),
        (parameters(anchor="a/b"), "anchor: 'a/b' is no name for an anchor"),
        (parameters(anchor=""), "anchor: '' is no name for an anchor"),
        (parameters(NAT, "allow all"), "rules[1] (alice): 'allow all' does not begin with one of nat, rdr, binat"),
        (parameters("", jail=None), "rules[0]: '' does not begin with one of"),
        (parameters("set skip on lo0"), "rules[0] (alice): 'set skip on lo0' does not begin with one of"),
        (parameters("pass in\npass out"), "a rule is one line without comment"),
        (parameters("pass in # all"), "a rule is one line without comment"),
        (parameters("pass in \\"), "a rule is one line without comment"),
        (parameters("pass in\x00"), "a rule is one line without comment"),
        (parameters(f"{SHAPED} 65536"), "65536 is no pipe's number; they go from 1 to 65535"),
        (parameters(f"{SHAPED} 0"), "0 is no pipe's number"),
        (parameters(f"{SHAPED} (1, 70000)"), "70000 is no pipe's number"),
        (parameters("pass out all dnqueue(70000,1)"), "70000 is no pipe's number"),
        (parameters(f"pass all tag {'x' * 64}"), "is longer than pf's 63 characters"),
        (parameters(f'pass all label "{"x" * 64}"'), "is longer than pf's 63 characters"),
        (parameters(PASS, NAT), f"rules: {NAT!r} comes after {PASS!r}; put translation before filtering"),
        (parameters(PASS, "no nat on vtnet0 from any to any"), "put translation before filtering"),
        (parameters(tables={"a b": []}), "tables: 'a b' is no name for a table"),
        (parameters(tables={"x" * 32: []}), "is no name for a table"),
        (parameters(tables={"jails": ["192.168.1.300"]}), "tables: jails: '192.168.1.300' does not appear to be"),
        (parameters(tables={"jails": ["192.168.1.1/24"]}), "tables: jails: 192.168.1.1/24 has host bits set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_pf_could_not_carry_is_refused(wrong: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wish(wrong)
    assert message in str(caught.value)


def test_rules_keep_their_order_and_their_records() -> None:
    listed = parameters(NAT, PASS)
    listed["rules"].append({"rule": f"  {PASS} ", "jail": None})
    assert wish(listed).rules == (Rule(NAT, "alice"), Rule(PASS, "alice"), Rule(PASS, ""))


def test_names_may_have_the_length_that_pf_has_room_for() -> None:
    rule = f'pass all tag {"x" * 63} label "{"y" * 63}"'
    assert wish(parameters(rule)).rules[0].labels == ["y" * 63]


def test_tables_are_normalised() -> None:
    addresses = ["192.168.1.18", "192.168.1.9/32", "10.0.0.0/8", "192.168.1.18", "2001:DB8::1"]
    wished = wish(parameters(tables={"b": [], "a": addresses}))
    assert list(wished.tables.items()) == [
        ("a", ("10.0.0.0/8", "192.168.1.9", "192.168.1.18", "2001:db8::1")),
        ("b", ()),
    ]


def test_files_are_named_by_the_anchor() -> None:
    wished = wish(parameters(anchor="vps"))
    assert (wished.file, wished.note) == ("/etc/pf.anchors/vps.conf", "/var/db/jailisp/pf_vps.json")
