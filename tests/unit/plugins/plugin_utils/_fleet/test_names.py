# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.names import group_name

JAIL = "{host: h1, customer: alice, plan: base, id: 18, address: 192.168.1.18, hostname: bob}"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("h1", "a host in hosts.yml"),
        ("backup", "a host in hosts.yml"),
        ("jail_hosts", "a group in hosts.yml"),
        ("all", "a group that Ansible makes"),
        ("ungrouped", "a group that Ansible makes"),
        ("jails", "the group of all jails"),
        ("state_absent", "the group of all jails in state absent"),
        ("host_h1", "the group of the jails of host h1"),
        ("plan_base", "the group of the jails of plan base"),
        ("customer_alice", "the group of the jails of customer alice"),
    ],
)
def test_check_names_names_a_jail_that_is_something_else(fleet: t.Any, name: str, meaning: str) -> None:
    fleet.surroundings = replace(
        fleet.surroundings,
        hosts=frozenset({"h1", "backup"}),
        groups=frozenset({"all", "ungrouped", "jail_hosts"}),
    )
    fleet.write(f"jails/{name}.yml", JAIL)
    assert fleet.errors() == [f"jails/{name}.yml: {name} is the name of {meaning} already; choose another"]


def test_check_names_tells_records_apart_by_their_groups(fleet: t.Any) -> None:
    plan = (fleet.path / "plans/base.yml").read_text(encoding="utf-8")
    for name in ("a-b", "a_b"):
        fleet.write(f"plans/{name}.yml", plan)
        fleet.write(f"customers/{name}.yml", "{name: A, contact: a@example.net}")
        fleet.hosts[f"{name}.net"] = {
            **fleet.hosts["h1"],
            "vps_addresses": [f"203.0.113.{ord(name[1])}"],
            "vps_root": "/jails",
        }
    text = "the group of the jails of {0} a_b{1} would be named {2}, as is the group of the jails of {0} a-b{1}"
    assert fleet.errors() == [
        f"{file}: {text.format(*words)}; rename one of them"
        for file, *words in (
            ("customers/a_b.yml", "customer", "", "customer_a_b"),
            ("hosts.yml: a_b.net", "host", ".net", "host_a_b_net"),
            ("plans/a_b.yml", "plan", "", "plan_a_b"),
        )
    ]


@pytest.mark.parametrize(
    ("name", "file", "meaning"),
    [
        ("jails", "hosts.yml", "the group of all jails"),
        ("state_running", "hosts.yml", "the group of all jails in state running"),
        ("host_h1", "hosts.yml: h1", "the group of the jails of host h1"),
        ("plan_base", "plans/base.yml", "the group of the jails of plan base"),
    ],
)
@pytest.mark.parametrize(("option", "what"), [("groups", "a group"), ("hosts", "a host")])
def test_check_names_names_what_the_hosts_have_already(
    fleet: t.Any, name: str, file: str, meaning: str, option: str, what: str
) -> None:
    fleet.surroundings = replace(fleet.surroundings, **{option: frozenset({name})})
    assert fleet.errors() == [f"{file}: {meaning} would be named {name}, as is {what} in hosts.yml; rename one of them"]


def test_group_name_is_an_identifier() -> None:
    assert group_name("host", "h-1.example.net") == "host_h_1_example_net"
