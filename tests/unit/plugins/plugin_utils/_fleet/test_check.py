# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import check, model, values

JAIL_ERRORS = [
    ("pubish: []", "pubish: unknown key; did you mean publish?"),
    (
        "colour: red",
        "colour: unknown key; remove it (known are host, customer, plan, id, address, address6, hostname, state, "
        "retired, publish, limits, bandwidth, release, restart)",
    ),
    ("hostname: a_b", "hostname: a_b is not a host name; write one such as www.example.net"),
    ("hostname: 17", "hostname: 17 is not a host name; write one such as www.example.net"),
    ("hostname:", "hostname: has no value; give it one or remove the key"),
    ("state: runing", "state: runing is none of running, stopped, suspended, absent; did you mean running?"),
    ("state: off", "state: false is none of running, stopped, suspended, absent; choose one"),
    ("restart: maybe", "restart: maybe is neither true nor false; choose one"),
    ("release: 15.1", "release: 15.1 is not a release; write one such as 15.1-RELEASE-p1"),
    (
        "release: 14.3-RELEASE",
        "release: 14.3-RELEASE is not in vps_releases of h1; add it there or choose another",
    ),
    ("limits: 512M", "limits: 512M is not a mapping; write keys and values"),
    ("limits: {memory: 512}", "limits.memory: 512 has no unit; write a size such as 512M or 4G"),
    ("limits: {memory: 512MB}", "limits.memory: 512MB is not a size such as 512M or 4G; write it so"),
    ("limits: {memory: 0G}", "limits.memory: 0G is too small; choose another"),
    ("limits: {memry: 1G}", "limits.memry: unknown key; did you mean memory?"),
    ("limits: {processes: 0}", "limits.processes: 0 is not a whole number from 1 to 99999; choose one"),
    ("limits: {processes: true}", "limits.processes: true is not a whole number from 1 to 99999; choose one"),
    ("limits: {cpu: 50}", "limits.cpu: 50 has no unit; write a share such as 50%"),
    (
        "bandwidth: {up: 10M, down: 10Mbit/s}",
        "bandwidth.up: 10M is not a rate such as 512Kbit/s or 10Mbit/s; write it so",
    ),
    ("bandwidth: {up: 5Gbit/s, down: 10Mbit/s}", "bandwidth.up: 5Gbit/s is too large; choose another"),
    ("bandwidth: {up: 10Mbit/s}", "bandwidth.down: missing; give both up and down, or neither"),
    ("bandwidth: {weight: 101}", "bandwidth.weight: 101 is not a whole number from 1 to 100; choose one"),
    ("publish: 80", "publish: 80 is not a list; write one"),
    ("publish: [80]", "publish[0]: 80 is not a mapping; write keys and values"),
    ("publish: [{port: 80}]", "publish[0].to: missing; add it (Port in the jail)"),
    (
        "publish: [{port: 65536, to: 80}]",
        "publish[0].port: 65536 is not a whole number from 1 to 65535; choose one",
    ),
    (
        "publish: [{port: 80, to: 80, protocol: sctp}]",
        "publish[0].protocol: sctp is none of tcp, udp; choose one",
    ),
    (
        "publish: [{port: 80, to: 80, address: 203.0.113.99}]",
        "publish[0].address: 203.0.113.99 is no address of h1; choose one of 203.0.113.10, 203.0.113.11",
    ),
    (
        "publish: [{port: 80, to: 80, address: any}]",
        "publish[0].address: any is not an IPv4 address; write one such as 192.168.1.17",
    ),
    (
        "publish: [{port: 80, to: 80}, {port: 80, to: 81, address: 203.0.113.10}]",
        "publish[1].port: tcp port 80 of 203.0.113.10 is taken by alice (jails/alice.yml:6); choose a free one",
    ),
]

REPLACED_ERRORS = [
    ("host: h1", "host: h11", "2", "host: h11 is unknown; did you mean h1?"),
    ("host: h1", "host: elsewhere", "2", "host: elsewhere is unknown; add it to jail_hosts in hosts.yml"),
    ("customer: alice", "customer: alise", "3", "customer: alise is unknown; did you mean alice?"),
    ("customer: alice", "customer: no", "3", "customer: false is not text; put it in quotes"),
    ("customer: alice", "customer: [a]", "3", "customer: a list is not text; write a line of it"),
    ("plan: base", "plan: gold", "4", "plan: gold is unknown; add it to plans"),
    ("plan: base", 'plan: ""', "4", "plan: is not one line of text; write one"),
    ("id: 17", "id: 0", "5", "id: 0 is not a whole number from 1 to 24999; choose one"),
    ("id: 17", "id: 25000", "5", "id: 25000 is not a whole number from 1 to 24999; choose one"),
    ("id: 17", "id: 17a", "5", "id: 17a is not a whole number from 1 to 24999; choose one"),
    (
        "address: 192.168.1.17",
        "address: 192.168.2.17",
        "6",
        "address: 192.168.2.17 is outside 192.168.1.0/24, the netblock of h1; choose one inside",
    ),
    (
        "address: 192.168.1.17",
        "address: 192.168.1.255",
        "6",
        "address: 192.168.1.255 is the first or last of 192.168.1.0/24, which no jail can have; choose another",
    ),
    (
        "address: 192.168.1.17",
        "address: 192.168.1.0",
        "6",
        "address: 192.168.1.0 is the first or last of 192.168.1.0/24, which no jail can have; choose another",
    ),
    ("address: 192.168.1.17", "address: 17", "6", "address: 17 is not an IPv4 address; write one such as 192.168.1.17"),
    ("id: 17\n", "", "2", "id: missing; add it (Number, unique in the fleet; numbers of pipes derive from it)"),
]

PLAN_ERRORS = [
    ("bandwidth: {up: 1Mbit/s}", "bandwidth.down: missing; give both up and down, or neither"),
    ("disc: 4G", "disc: unknown key; did you mean disk?"),
]

CUSTOMER_ERRORS = [
    ("contact: alice", "contact: alice is not a mail address; write one such as alice@example.net"),
    ("contact: alice@example.net\nkeys: [17]", "keys[0]: 17 is not text; put it in quotes"),
    ("contact: alice@example.net\nkeys: ssh-ed25519", "keys: ssh-ed25519 is not a list; write one"),
]

HOST_ERRORS: list[tuple[dict[str, t.Any], str]] = [
    ({"vps_interface": None}, "vps_interface: has no value; give it one or remove the key"),
    (
        {"vps_interface": "vtnet 0"},
        "vps_interface: vtnet 0 is not the name of an interface, such as vtnet0; correct it",
    ),
    ({"vps_addresses": []}, "vps_addresses: is empty; give at least one"),
    ({"vps_addresses": "203.0.113.10"}, "vps_addresses: 203.0.113.10 is not a list; write one"),
    (
        {"vps_addresses": ["2001:db8::1"]},
        "vps_addresses[0]: 2001:db8::1 is not an IPv4 address; write one such as 192.168.1.17",
    ),
    ({"vps_netblock": "192.168.1.17/24"}, "vps_netblock: 192.168.1.17/24 has bits of a host; write 192.168.1.0/24"),
    (
        {"vps_netblock": "192.168.1.0"},
        "vps_netblock: 192.168.1.0 is not an IPv4 network; write one such as 192.168.1.0/24",
    ),
    (
        {"vps_netblock": "192.168.1.16/31"},
        "vps_netblock: 192.168.1.16/31 has no room for a jail; take a larger network",
    ),
    ({"vps_storage": "dataset"}, "vps_pool: missing; name the pool, or set vps_storage to directory"),
    (
        {"vps_pool": "tank"},
        "vps_pool: has no meaning with directories; remove it, or set vps_storage to dataset",
    ),
    (
        {"vps_root": "/jails/../etc"},
        "vps_root: /jails/../etc is not an absolute path of plain names; write one such as /usr/local/jails",
    ),
    ({"vps_link": {"up": "1Gbit/s"}}, "vps_link.down: missing; add it (What the line receives)"),
    (
        {"vps_release": "14.3-RELEASE"},
        "vps_release: 14.3-RELEASE is not in vps_releases; add it there or choose another",
    ),
    (
        {"vps_releases": {"15.1-RELEASE-p1": {"archive": "/var/base.txz", "sha256": "0"}}},
        "vps_releases.15.1-RELEASE-p1.sha256: 0 is not 64 hexadecimal digits, in lower case; correct it",
    ),
]


@pytest.mark.parametrize(("line", "error"), JAIL_ERRORS)
def test_check_jail_names_the_mistake(fleet: t.Any, line: str, error: str) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%}")
    fleet.append(line + "\n")
    assert fleet.errors() == [f"jails/alice.yml:6: {error}"]


@pytest.mark.parametrize(("right", "wrong", "line", "error"), REPLACED_ERRORS)
def test_check_jail_names_the_wrong_value(fleet: t.Any, right: str, wrong: str, line: str, error: str) -> None:
    text = (fleet.path / "jails/alice.yml").read_text(encoding="utf-8")
    fleet.write("jails/alice.yml", "---\n" + text.replace(right, wrong))
    assert fleet.errors() == [f"jails/alice.yml:{line}: {error}"]


@pytest.mark.parametrize(("line", "error"), PLAN_ERRORS)
def test_check_plan_names_the_mistake(fleet: t.Any, line: str, error: str) -> None:
    fleet.write("plans/base.yml", f"disk: 4G\nmemory: 1G\nprocesses: 9\ncpu: 50%\n{line}\n")
    assert fleet.errors() == [f"plans/base.yml:5: {error}"]


@pytest.mark.parametrize(("line", "error"), CUSTOMER_ERRORS)
def test_check_customer_names_the_mistake(fleet: t.Any, line: str, error: str) -> None:
    fleet.write("customers/alice.yml", f"name: Alice\n{line}\n")
    assert fleet.errors() == [f"customers/alice.yml:{len(line.splitlines()) + 1}: {error}"]


@pytest.mark.parametrize(("variables", "error"), HOST_ERRORS)
def test_check_host_names_the_mistake(fleet: t.Any, variables: dict[str, t.Any], error: str) -> None:
    fleet.hosts["h1"].update(variables)
    assert fleet.errors() == [f"hosts.yml: h1: {error}"]


def test_check_host_names_a_release_that_is_none() -> None:
    problems: list[model.Problem] = []
    check.check_host("h1", {"vps_releases": {"latest": {}}}, model.Sources(), problems)
    assert "hosts.yml: h1: vps_releases.latest: is not a release; write one such as 15.1-RELEASE-p1" in map(
        str, problems
    )


def test_check_fleet_says_everything_at_once(fleet: t.Any) -> None:
    fleet.hosts["h2"] = {**fleet.hosts["h1"], "vps_netblock": "192.168.2.0/24"}
    del fleet.hosts["h2"]["vps_interface"]
    fleet.write("customers/alice.yml", "name: Alice Archer\n")
    fleet.append("publish:\n  - {port: 80, to: 80}\n")
    fleet.write(
        "jails/bob.yml",
        """\
        address: 192.168.1.17
        id: 17
        host: h1
        plan: base
        customer: bob
        publish:
          - {port: 80, to: 8080, protocol: udp}
          - {to: 8080,
             port: 80}
        """,
    )
    fleet.write("jails/carol.yml", "host: [\n")
    assert fleet.errors() == [
        "customers/alice.yml:1: contact: missing; add it (Mail address for notices)",
        "hosts.yml: h2: vps_addresses: 203.0.113.10 is taken by h1 (hosts.yml: h1); choose a free one",
        "hosts.yml: h2: vps_addresses: 203.0.113.11 is taken by h1 (hosts.yml: h1); choose a free one",
        "hosts.yml: h2: vps_interface: missing; add it (Outside interface of the host)",
        "jails/bob.yml:1: address: 192.168.1.17 is taken by alice (jails/alice.yml:5); choose a free one",
        "jails/bob.yml:2: id: 17 is taken by alice (jails/alice.yml:4); choose a free one",
        "jails/bob.yml:5: customer: bob is unknown; add it to customers",
        "jails/bob.yml:9: publish[1].port: tcp port 80 of 203.0.113.10 is taken by alice (jails/alice.yml:7); "
        "choose a free one",
        "jails/carol.yml:2: not YAML: did not find expected node content; correct it",
    ]


@pytest.mark.parametrize("folder", ["plans", "customers"])
def test_check_fleet_does_not_blame_a_jail_for_a_broken_record(fleet: t.Any, folder: str) -> None:
    for path in (fleet.path / folder).iterdir():
        path.write_text("[", encoding="utf-8")
    fleet.append("bandwidth: {up: 1Mbit/s}\n")
    assert [error.split(":")[0] for error in fleet.errors()] == [
        f"{folder}/{'base' if folder == 'plans' else 'alice'}.yml"
    ]


def test_check_fleet_names_a_release_of_the_plan_that_the_host_lacks(fleet: t.Any) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%, release: 14.3-RELEASE}")
    assert fleet.errors() == [
        "jails/alice.yml:3: plan: 14.3-RELEASE is not in vps_releases of h1; add it there or choose another"
    ]


def test_check_fleet_keeps_the_places_of_published_ports(fleet: t.Any) -> None:
    fleet.append("publish:\n  - 80\n  - {port: 80, to: 80, address: 203.0.113.99}\n")
    assert fleet.errors() == [
        "jails/alice.yml:6: publish[0]: 80 is not a mapping; write keys and values",
        "jails/alice.yml:8: publish[1].address: 203.0.113.99 is no address of h1; "
        "choose one of 203.0.113.10, 203.0.113.11",
    ]


def test_every_key_has_a_reader_and_a_description() -> None:
    def every(keys: tuple[model.Key, ...]) -> t.Iterator[model.Key]:
        for key in keys:
            yield key
            yield from every(key.keys)

    kinds = {*values.READERS, *values.ELEMENTS, "mapping", "mappings", "releases"}
    for key in every((*model.JAIL_KEYS, *model.PLAN_KEYS, *model.CUSTOMER_KEYS, *model.HOST_KEYS)):
        assert key.kind in kinds
        assert key.description.endswith(".")
        assert bool(key.pattern) == bool(key.form)
