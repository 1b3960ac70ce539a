# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import (
    parse_ages,
    parse_allow,
    parse_interfaces,
    parse_jails,
    parse_mounts,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from support.recordings import all_printed, printed

FILE = "02-jail"


def test_a_running_jail_with_all_its_parameters() -> None:
    (name, found), *others = parse_jails(printed(FILE, "jls --libxo json -n")).items()
    assert (name, others) == ("alice", [])
    expected = {
        "jid": "1",
        "path": "/usr/local/jails/h1/alice",
        "host.hostname": "alice.example.net",
        "securelevel": "2",
        "ip4.addr": ["192.168.0.10"],
        "ip6.addr": [],
        "allow.suser": True,
        "allow.raw_sockets": False,
        "children.max": "0",
    }
    assert {key: found[key] for key in expected} == expected


def test_no_jail_runs() -> None:
    assert parse_jails(printed(FILE, "jls --libxo json")) == {}


@pytest.mark.parametrize("text", ["", "jls: unknown parameter", "[]", "{}", '{"jail-information": []}'])
def test_what_jls_is_not_known_to_print_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="jls --libxo json -n"):
        parse_jails(text)


def test_only_allow_parameters_that_can_be_set_are_allow_parameters() -> None:
    text = (
        "security.jail.param.sysvshm.\nsecurity.jail.param.allow.mount.tmpfs\nsecurity.jail.param.allow.mount.\n"
        "security.jail.param.allow.suser\nsecurity.jail.param.host.hostname\nsecurity.jail.param.allow.\n"
    )
    assert parse_allow(text) == ["mount", "mount.tmpfs", "suser"]


def test_addresses_by_interface() -> None:
    assert parse_interfaces(printed(FILE, "ifconfig lo1", 3)) == {"lo1": {"192.168.0.10", "fe80::1"}}
    assert parse_interfaces(printed("03-vnet", "ifconfig lo1")) == {"lo1": set()}


def test_an_interface_without_addresses_is_there() -> None:
    text = (
        "lo1: flags=8008<LOOPBACK> metric 0 mtu 16384\n\tgroups: lo\nlo2: flags=8008<X>\n\tinet 10.0.0.1 netmask 0x\n"
    )
    assert parse_interfaces(text) == {"lo1": set(), "lo2": {"10.0.0.1"}}


def test_mounts_in_their_order() -> None:
    devices = ("devfs", "/usr/local/jails/h1/alice/dev")
    assert parse_mounts(printed(FILE, "mount -p")) == [("ufs", "/"), ("devfs", "/dev"), devices, devices]


def test_a_blank_in_a_mount_point_is_one() -> None:
    assert parse_mounts("tank/a\\040b /a\\040b zfs rw 0 0\n") == [("zfs", "/a b")]


def test_every_recorded_list_of_mounts_is_understood() -> None:
    for file in ("01-identity", FILE, "08-storage", "11-redundancy"):
        for text in all_printed(file, "mount -p"):
            assert len(parse_mounts(text)) == len(text.splitlines())


def test_the_oldest_process_of_each_jail_counts() -> None:
    assert parse_ages("  0  9000\n 17     5\n 17   412\n 17     -\n 18     -\n") == {0: 9000, 17: 412}
    with pytest.raises(ParseError, match="ps"):
        parse_ages("JID ELAPSED\n")
