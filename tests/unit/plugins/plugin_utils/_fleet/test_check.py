# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import check, model, values

from .conftest import ALICE

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu"

JAIL_ERRORS = [
    ("pubish: []", "pubish: unknown key; did you mean publish?"),
    (
        "colour: red",
        "colour: unknown key; remove it (known are host, neighbourhood, customer, plan, id, address, address6, "
        "hostname, network, state, retired, publish, public, publish_all, nat, allow_from, outgoing, connections, "
        "limits, bandwidth, release, storage, restart, canary)",
    ),
    ("hostname: a_b", "hostname: a_b is not a host name; write one such as www.example.net"),
    (f"hostname: {64 * 'a'}", f"hostname: {60 * 'a'} is not a host name; write one such as www.example.net"),
    (f"hostname: {126 * 'a.'}aa", f"hostname: {30 * 'a.'} is not a host name; write one such as www.example.net"),
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
    (
        "release: 15.1-RELEASE-p10000",
        "release: 15.1-RELEASE-p10000 is not a release; write one such as 15.1-RELEASE-p1",
    ),
    ("retired: 2026-11-24T093000Z", "retired: only goes with state: absent; remove this key, or set the state"),
    (
        "retired: 2026-13-24T093000Z",
        "retired: 2026-13-24T093000Z is not a moment; write one such as 2026-11-24T093000Z",
    ),
    ("storage: dataset", "storage: dataset is none of directory, image; choose one"),
    ("address6: 2001:db8:1::17", "address6: h1 has no vps_netblock6; give it one or remove this key"),
    ("address6: ::ffff:192.0.2.1", "address6: ::ffff:192.0.2.1 is an IPv4-mapped address; choose another"),
    ("address6: ff02::1", "address6: ff02::1 is a multicast address; choose another"),
    ("address6: fe80::1", "address6: fe80::1 is a link-local address; choose another"),
    ("address6: ::1", "address6: ::1 is a loopback address; choose another"),
    ("address6: '::'", "address6: :: is an unspecified address; choose another"),
    ("address6: ::192.0.2.1", "address6: ::192.0.2.1 is an IPv4-compatible address; choose another"),
    ("address6: 192.0.2.1", "address6: 192.0.2.1 is not an IPv6 address; write one such as 2001:db8:1::17"),
    ("address6: fe80::1%lo1", "address6: fe80::1%lo1 is not an IPv6 address; write one such as 2001:db8:1::17"),
    (
        "publish: [{port: 22, to: 22}]",
        "publish[0].port: tcp port 22 of 203.0.113.10 is where Ansible reaches h1; choose another",
    ),
    (
        "publish: [{port: 22, to: 22, address: 203.0.113.11}]",
        "publish[0].port: tcp port 22 of 203.0.113.11 is where Ansible reaches h1; choose another",
    ),
    ("limits: 512M", "limits: 512M is not a mapping; write keys and values"),
    ("limits: {memory: 512}", "limits.memory: 512 has no unit; write a size such as 512M or 4G"),
    ("limits: {memory: 512MB}", "limits.memory: 512MB is not a size such as 512M or 4G; write it so"),
    ("limits: {memory: 0G}", "limits.memory: 0G is too small; take at least 16M"),
    ("limits: {memory: 15M}", "limits.memory: 15M is too small; take at least 16M"),
    ("limits: {disk: 63M}", "limits.disk: 63M is too small; take at least 64M"),
    (
        "limits: {disk: 8388608T}",
        "limits.disk: 8388608T is too large; take at most 9223372036854775807",
    ),
    ("limits: {memory: ٣G}", "limits.memory: ٣G is not a size such as 512M or 4G; write it so"),
    ("limits: {memry: 1G}", "limits.memry: unknown key; did you mean memory?"),
    ("limits: {processes: 0}", "limits.processes: 0 is not a whole number from 1 to 99999; choose one"),
    ("limits: {processes: true}", "limits.processes: true is not a whole number from 1 to 99999; choose one"),
    ("limits: {cpu: 50}", "limits.cpu: 50 has no unit; write a share such as 50%"),
    ("limits: {rctl: 5}", "limits.rctl: 5 is not a mapping; write keys and values"),
    (
        "limits: {rctl: {maxproc:deny: 5}}",
        "limits.rctl.maxproc:deny: is what the key processes says; give that instead",
    ),
    (
        "limits: {rctl: {cputime:deny: 5}}",
        "limits.rctl.cputime:deny: cputime cannot be denied; log it, or limit pcpu",
    ),
    (
        "limits: {rctl: {nthr:throttle: 5}}",
        "limits.rctl.nthr:throttle: nthr cannot be throttled, only readbps, readiops, writebps, writeiops can; deny it",
    ),
    (
        "limits: {rctl: {nthr:denny: 5}}",
        "limits.rctl.nthr:denny: denny is no action; take one of deny, throttle, log, devctl; did you mean nthr:deny?",
    ),
    (
        "limits: {rctl: {readbps:throttle: 0}}",
        "limits.rctl.readbps:throttle: 0 cannot be throttled to; write at least 1",
    ),
    (
        "limits: {rctl: {nthr:deny: 4K}}",
        "limits.rctl.nthr:deny: 4K is no amount of nthr, which is not counted in bytes; write a whole number",
    ),
    ("limits: {rctl: {nthr:deny: true}}", "limits.rctl.nthr:deny: is no amount; write a whole number or none"),
    (
        "limits: {rctl: {pcpu:log: 9223372036855}}",
        "limits.rctl.pcpu:log: 9223372036855 is more than the kernel can count; take at most 9223372036854",
    ),
    (
        "bandwidth: {up: 10M, down: 10Mbit/s}",
        "bandwidth.up: 10M is not a rate such as 512Kbit/s or 10Mbit/s; write it so",
    ),
    (
        "bandwidth: {up: 5Gbit/s, down: 10Mbit/s}",
        "bandwidth.up: 5Gbit/s is too large; take at most 4294967295bit/s",
    ),
    ("bandwidth: {up: 10Mbit/s}", "bandwidth.down: missing; give both up and down, or neither"),
    ("bandwidth: {weight: 101}", "bandwidth.weight: 101 is not a whole number from 1 to 100; choose one"),
    ("publish: 80", "publish: 80 is not a list; write one"),
    ("publish: [80]", "publish[0]: 80 is not a mapping; write keys and values"),
    ("publish: [{port: 80}]", "publish[0].to: missing; add it (Port in the jail; of a range the first)"),
    (
        "publish: [{port: 65536, to: 80}]",
        "publish[0].port: 65536 is neither a port nor a range of ports; write one such as 8000 or 8000-8009",
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
    *(
        (
            "address: 192.168.1.17",
            f"address: {address}",
            "6",
            f"address: {address} is {kind} address; choose another",
        )
        for address, kind in (
            ("224.0.0.1", "a multicast"),
            ("127.0.0.1", "a loopback"),
            ("0.0.0.0", "an unspecified"),
            ("0.0.0.1", "an unspecified"),
            ("169.254.1.1", "a link-local"),
            ("255.255.255.255", "a reserved"),
        )
    ),
    ("address: 192.168.1.17", "address: 17", "6", "address: 17 is not an IPv4 address; write one such as 192.168.1.17"),
    ("id: 17\n", "", "2", "id: missing; add it (Number, unique in the fleet; numbers of pipes derive from it)"),
]

PLAN_ERRORS = [
    (
        "jail: {securlevel: 1}",
        "jail.securlevel: unknown key; did you mean securelevel?",
    ),
    (
        "jail: {securelevel: 4}",
        "jail.securelevel: 4 is not a whole number from -1 to 3; choose one",
    ),
    (
        "jail: {allow: [suser, raw_socket]}",
        f"jail.allow[1]: raw_socket is none of {', '.join(model.ALLOW)}; did you mean raw_sockets?",
    ),
    ("jail: {allow: suser}", "jail.allow: suser is not a list; write one"),
    ("jail: {allow: [sysvipc]}", f"jail.allow[0]: sysvipc is none of {', '.join(model.ALLOW)}; choose one"),
    ("bandwidth: {up: 1Mbit/s}", "bandwidth.down: missing; give both up and down, or neither"),
    ("disc: 4G", "disc: unknown key; did you mean disk?"),
]

CUSTOMER_ERRORS = [
    ("contact: alice", "contact: alice is not a mail address; write one such as alice@example.net"),
    ("contact: -f@example.net", "contact: -f@example.net is not a mail address; write one such as alice@example.net"),
    (
        'contact: "a\\e[31m@example.net"',
        r"contact: a\x1b[31m@example.net is not a mail address; write one such as alice@example.net",
    ),
    (
        "contact: alice@example.net\nkeys: [17]",
        "keys[0]: is not a public ssh key; write TYPE KEY COMMENT on one line, as the file id_ed25519.pub has it",
    ),
    (
        f"contact: alice@example.net\nkeys: [{KEY} a, {KEY} b]",
        "keys[1]: is the same key as keys[0]; remove one of them",
    ),
    (
        "contact: alice@example.net\npassword: hunter2",
        "password: is not the hash of a password; make one with `openssl passwd -6`, and change a password that others "
        "may have seen here",
    ),
    ("contact: alice@example.net\nkeys: ssh-ed25519", "keys: ssh-ed25519 is not a list; write one"),
]

HOST_ERRORS: list[tuple[dict[str, t.Any], str]] = [
    (
        {"vps_own_addresses": ["192.168.1.1"]},
        "vps_own_addresses: 192.168.1.1 is in 192.168.1.0/24, the jails' vps_netblock; choose another",
    ),
    (
        {"vps_netblock6": "2001:db8:1::/64", "vps_own_addresses": ["2001:db8:1::1"]},
        "vps_own_addresses: 2001:db8:1::1 is in 2001:db8:1::/64, the jails' vps_netblock6; choose another",
    ),
    ({"vps_own_addresses": []}, "vps_own_addresses: is empty; give at least one, or remove it"),
    (
        {"vps_own_addresses": ["h1.example.net"]},
        "vps_own_addresses[0]: h1.example.net is not an IPv4 or IPv6 address; write one such as 192.168.1.17",
    ),
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
    ({"vps_addresses": ["127.0.0.1"]}, "vps_addresses[0]: 127.0.0.1 is a loopback address; choose another"),
    (
        {"vps_addresses": ["203.0.113.10", "192.168.1.1"]},
        "vps_addresses: 192.168.1.1 is in 192.168.1.0/24, the jails' vps_netblock; choose another",
    ),
    ({"vps_netblock6": "2001:db8::1/64"}, "vps_netblock6: 2001:db8::1/64 has bits of a host; write 2001:db8::/64"),
    (
        {"vps_netblock6": "2001:db8::1"},
        "vps_netblock6: 2001:db8::1 is not an IPv6 network; write one such as 2001:db8:1::/64",
    ),
    (
        {"vps_netblock6": "2001:db8::/127"},
        "vps_netblock6: 2001:db8::/127 has no room for a jail; take a larger network",
    ),
    ({"vps_netblock6": "fe80::/64"}, "vps_netblock6: fe80::/64 is a link-local address; choose another"),
    ({"vps_netblock6": "::/0"}, "vps_netblock6: ::/0 is an unspecified address; choose another"),
    *(
        (
            {"vps_storage": "dataset", "vps_pool": pool},
            f"vps_pool: {pool[:60]} is not the name of a pool that zpool(8) accepts, such as tank; correct it",
        )
        for pool in ("mirror", "mirrors", "raidz2", "draid1", "spare0", "log", "c0t0", "1tank", "tank/jails", 129 * "a")
    ),
    ({"vps_root": 257 * "/a"}, "vps_root: " + 30 * "/a" + " is longer than 512 characters; take a shorter path"),
    (
        {"vps_archives": "/" + 256 * "a"},
        f"vps_archives: /{59 * 'a'} has a name of more than 255 characters in it; take a shorter one",
    ),
    (
        {"vps_interface": "vtnet01234567890"},
        "vps_interface: vtnet01234567890 is not the name of an interface, such as vtnet0; correct it",
    ),
    ({"vps_storage": "dataset"}, "vps_pool: missing; name the pool, or set vps_storage to directory"),
    (
        {"vps_pool": "tank"},
        "vps_pool: has no meaning with directories; remove it, or set vps_storage to dataset",
    ),
    (
        {"vps_storage": "image", "vps_pool": "tank"},
        "vps_pool: has no meaning with images; remove it, or set vps_storage to dataset",
    ),
    (
        {"vps_root": "/jails/../etc"},
        "vps_root: /jails/../etc is not an absolute path of plain names; write one such as /usr/local/jails",
    ),
    ({"vps_link": {"up": "1Gbit/s"}}, "vps_link.down: missing; add it (What the line receives)"),
    (
        {"vps_link": {"up": "1Gbit/s", "down": "1001Gbit/s"}},
        "vps_link.down: 1001Gbit/s is too large; take at most 1000Gbit/s",
    ),
    ({"vps_memroy": "4G"}, "vps_memroy: unknown key; did you mean vps_memory?"),
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


def test_check_host_takes_what_is_just_short_enough(fleet: t.Any) -> None:
    root = 256 * "/a"
    fleet.hosts["h1"].update(vps_storage="dataset", vps_pool="logs-" + 123 * "a", vps_root=root)
    assert fleet.compile()["h1"][0]["path"] == f"{root}/alice"


def test_check_jail_takes_an_address6_in_the_netblock6(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    fleet.append("address6: 2001:DB8:1:0::17\n")
    assert fleet.compile()["h1"][0]["address6"] == "2001:db8:1::17"


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("2001:db8:2::17", "is outside 2001:db8:1::/64, the vps_netblock6 of h1; choose one inside"),
        ("2001:db8:1::", "is the first of 2001:db8:1::/64, which all of its routers answer to; choose another"),
    ],
)
def test_check_jail_names_an_address6_that_no_jail_can_have(fleet: t.Any, address: str, error: str) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    fleet.append(f"address6: '{address}'\n")
    assert fleet.errors() == [f"jails/alice.yml:6: address6: {address} {error}"]


def test_check_jail_does_not_ask_for_a_netblock6_that_is_wrong(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::"
    fleet.append("address6: 2001:db8:1::17\n")
    (error,) = fleet.errors()
    assert error.startswith("hosts.yml: h1: vps_netblock6: ")


def test_check_jail_says_that_its_name_does_not_do_for_a_host_name(fleet: t.Any) -> None:
    fleet.write("jails/a_b.yml", "---\nhost: h1\ncustomer: alice\nplan: base\nid: 18\naddress: 192.168.1.18\n")
    assert fleet.errors() == [
        "jails/a_b.yml:2: hostname: missing, and its default does not do: a_b is not a host name; "
        "write one such as www.example.net"
    ]


def test_check_host_says_that_its_name_does_not_do_for_a_path(fleet: t.Any) -> None:
    fleet.hosts = {"h 1": fleet.hosts["h1"]}
    fleet.write("jails/alice.yml", (fleet.path / "jails/alice.yml").read_text().replace("h1", '"h 1"'))
    assert fleet.errors() == [
        "hosts.yml: h 1: vps_root: missing, and its default does not do: /usr/local/jails/h 1 is not an absolute path "
        "of plain names; write one such as /usr/local/jails"
    ]


def test_check_customer_counts_keys_as_they_are_written(fleet: t.Any) -> None:
    fleet.write("customers/alice.yml", f"name: A\ncontact: a@example.net\nkeys: [17, {KEY}, {KEY}]\n")
    assert [error.split(": ")[1] for error in fleet.errors()] == ["keys[0]", "keys[2]"]


def test_check_record_writes_out_what_a_terminal_would_obey(fleet: t.Any) -> None:
    fleet.write("jails/alice.yml", '"\\e[2J": 1\nhost: "\\x9b31m\\u202e"\n')
    text = "\n".join(fleet.errors())
    assert r"\x1b[2J: unknown key" in text
    assert r"host: \x9b31m\u202e has characters that cannot be printed; remove them" in text
    assert text.replace("\n", "").isprintable()


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

    kinds = {*values.READERS, *values.ELEMENTS, *values.ENTRIES, "mapping", "mappings", "rules"}
    for key in every((*model.JAIL_KEYS, *model.PLAN_KEYS, *model.CUSTOMER_KEYS, *model.HOST_KEYS)):
        assert key.kind in kinds
        assert key.description.endswith(".")
        assert bool(key.pattern) == bool(key.form)


RESERVED = "disk: 4G\nreservation: 2G\nmemory: 512M\nprocesses: 100\ncpu: 50%\n"


def on_datasets(fleet: t.Any) -> None:
    fleet.hosts["h1"].update(vps_storage="dataset", vps_pool="tank")


def test_only_datasets_hold_a_reservation(fleet: t.Any) -> None:
    fleet.append("limits:\n  reservation: 2G\n")
    assert fleet.errors() == [
        "jails/alice.yml:7: limits.reservation: cannot be held on h1, whose vps_storage is directory (only datasets "
        "can); remove this key"
    ]
    on_datasets(fleet)
    fleet.compile()


@pytest.mark.parametrize("storage", ["directory", "image"])
def test_a_plan_with_a_reservation_is_sold_on_datasets_only(fleet: t.Any, storage: str) -> None:
    fleet.hosts["h1"]["vps_storage"] = storage
    fleet.write("plans/base.yml", RESERVED)
    assert fleet.errors() == [
        "jails/alice.yml:3: plan: base has a reservation, which cannot be held on h1, whose vps_storage is "
        f"{storage}; choose another plan or host"
    ]


@pytest.mark.parametrize(
    ("plan", "jail", "error"),
    [
        (
            RESERVED.replace("2G", "5G"),
            "",
            "plans/base.yml:2: reservation: 5G: the reservation must be at most as large as disk; lower the one or "
            "raise the other",
        ),
        (
            RESERVED,
            "limits: {disk: 1G}\n",
            "jails/alice.yml:6: limits.disk: 1G: the reservation must be at most as large as disk; lower the one or "
            "raise the other",
        ),
        (
            RESERVED,
            "limits:\n  reservation: 5G\n",
            "jails/alice.yml:7: limits.reservation: 5G: the reservation must be at most as large as disk; lower the "
            "one or raise the other",
        ),
    ],
)
def test_no_more_is_set_aside_than_is_sold(fleet: t.Any, plan: str, jail: str, error: str) -> None:
    on_datasets(fleet)
    fleet.write("plans/base.yml", plan)
    fleet.append(jail)
    assert fleet.errors() == [error]


def test_a_jail_has_no_storage_of_its_own_on_a_host_of_datasets(fleet: t.Any) -> None:
    fleet.hosts["h1"].update(vps_storage="dataset", vps_pool="tank")
    fleet.append("storage: image\n")
    assert fleet.errors() == [
        "jails/alice.yml:6: storage: has no meaning on h1, whose vps_storage is dataset (a dataset has its limit of "
        "disk by refquota); remove this key"
    ]


BRIDGED = "is the gateway of the jails with network: vnet on h1; choose another"


def test_check_jail_leaves_the_gateway_of_the_bridge_alone(fleet: t.Any) -> None:
    fleet.write("jails/alice.yml", ALICE.replace("192.168.1.17", "192.168.1.1") + "network: vnet\n")
    assert fleet.errors() == [f"jails/alice.yml:5: address: 192.168.1.1 {BRIDGED}"]


def test_check_jail_that_shares_leaves_the_gateway_alone_where_there_is_one(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    one = ALICE.replace("192.168.1.17", "192.168.1.1") + "address6: 2001:db8:1::1\n"
    fleet.write("jails/alice.yml", one)
    fleet.compile()
    other = ALICE.replace("17", "18")
    fleet.write("jails/bob.yml", other + "network: vnet\n")
    assert fleet.errors() == [
        f"jails/alice.yml:5: address: 192.168.1.1 {BRIDGED}",
        f"jails/alice.yml:6: address6: 2001:db8:1::1 {BRIDGED}",
    ]
    fleet.write("jails/bob.yml", other + "network: vnet\nstate: absent\n")
    fleet.compile()
