# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import Jail, Wish, wish
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_file
from ansible_collections.jailisp.vps.plugins.module_utils._jails.render import (
    EXEC_START,
    EXEC_STOP,
    HEADER,
    argument,
    kernel_parameters,
    render,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired
from model import jailconf
from model.command import Context
from model.host import Host

ALLOW = ["chflags", "mount", "mount.zfs", "raw_sockets", "set_hostname", "suser"]


def record(name: str = "alice", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "path": f"/usr/local/jails/h1/{name}",
        "hostname": None,
        "state": "running",
        "interface": "lo1",
        "ip4": ["192.168.1.17"],
        "ip6": [],
        "securelevel": 2,
        "enforce_statfs": 2,
        "devfs_ruleset": 4,
        "children_max": 0,
        "sysvipc": "new",
        "allow": ["suser"],
        "restart": False,
        "image": None,
        "vnet": None,
        **changes,
    }


def wished(*records: dict[str, t.Any]) -> Wish:
    return wish(
        {
            "jails": records,
            "folder": "/etc/jail.conf.d",
            "at_once": 8,
            "exec_timeout": 120,
            "stop_timeout": 10,
            "most_removals": 3,
            "loaded_rulesets": [],
        }
    )


def one(**changes: t.Any) -> Jail:
    return wished(record(**changes)).jails["alice"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *[
            ({"name": name}, f"jails: {name!r}: name: jail(8) cannot carry {name!r}")
            for name in ("", "17", "Alice", "a.b", "a/b", "a b", "a*", "-a", "_a", "a" * 32, "a\n", "ä", "a$", 'a"')
        ],
        *[
            ({"path": path}, f"jails: alice: path: {path!r} is not an absolute, plain path below /")
            for path in ("", "/", "a/b", "/a/../b", "/a//b", "/a/", "//a", "/a/.", "/a\nb", "/a\0b")
        ],
        ({"path": "/" + "x" * 1023}, "jails: alice: path: longer than jail(8)'s 1023 characters"),
        *[
            ({"hostname": name}, f"jails: 'alice': hostname: jail(8) cannot carry {name!r}")
            for name in ("a b", "-a", "a-", "a_b", "a\n", 'a"', "$x", "a" * 256)
        ],
        *[
            ({"interface": name}, f"jails: 'alice': interface: jail(8) cannot carry {name!r}")
            for name in ("", "lo 1", "lo1|", "1lo", "l" * 16)
        ],
        ({"allow": ["a b"]}, "jails: 'alice': allow: jail(8) cannot carry 'a b'"),
        ({"allow": ["allow=1"]}, "jails: 'alice': allow: jail(8) cannot carry 'allow=1'"),
        ({"ip4": ["192.168.1.300"]}, "jails: alice: ip4: "),
        ({"ip4": ["192.168.1.0/24"]}, "jails: alice: ip4: "),
        ({"ip4": ["2001:db8::1"]}, "jails: alice: ip4: "),
        ({"ip6": ["192.168.1.1"]}, "jails: alice: ip6: "),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_what_jail_8_could_not_carry_is_refused(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wished(record(**changes))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({}, "jails[1].name: alice stands already at jails[0]; remove one"),
        (
            {"name": "bob", "path": "/usr/local/jails/h1/alice", "ip4": []},
            "jails: bob: path: /usr/local/jails/h1/alice is taken by alice; give one another",
        ),
        ({"name": "bob"}, "jails: bob: address: 192.168.1.17 is taken by alice; give one another"),
    ],
    ids=["name", "path", "address"],
)
def test_what_two_jails_cannot_share_is_refused_with_both_names(other: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wished(record(), record(**other))
    assert str(caught.value) == message


def test_a_jail_that_is_absent_takes_nothing_from_another() -> None:
    assert set(wished(record(state="absent"), record("bob", path="/usr/local/jails/h1/alice")).jails) == {
        "alice",
        "bob",
    }


def test_addresses_are_normalised_and_the_host_name_is_the_name_by_default() -> None:
    jail = one(ip6=["2001:DB8:0::1"])
    assert (jail.ip6, jail.hostname) == (("2001:db8::1",), "alice")


@pytest.mark.parametrize(
    ("value", "text"), [(True, "x=1"), (False, "x=0"), ("a b", "x=a b"), (["1", "2"], "x=1,2"), ([], "x=")]
)
def test_parameters_as_jail_m_takes_them(value: str | bool | list[str], text: str) -> None:
    assert argument("x", value) == text


def test_every_allow_parameter_of_the_kernel_is_stated() -> None:
    parameters = kernel_parameters(one(allow=["raw_sockets", "suser"]), ALLOW)
    assert {name: value for name, value in parameters.items() if name.startswith("allow.")} == {
        f"allow.{name}": name in ("raw_sockets", "suser") for name in ALLOW
    }


def read(text: str) -> list[jailconf.Jail]:
    """Read a configuration as jail(8) does."""
    nowhere = t.cast(Host, None)
    stdin, out = io.BytesIO(text.encode(errors="surrogateescape")), io.StringIO()
    return jailconf.load(Context(host=nowhere, argv=["jail"], stdin=stdin, out=out, err=out), "-")


def test_a_jails_file_begins_with_our_mark_and_reads_as_it_was_wished() -> None:
    jail = one(hostname="www.alice.example.net", ip4=["192.168.1.17", "192.168.1.18"], ip6=["2001:db8::1"])
    text = render(jail, ALLOW, wished())
    assert text.startswith(HEADER)
    (found,) = read(text)
    assert (found.name, found.problems) == ("alice", [])
    assert {each.name: each.values for each in found.parameters} == {
        "name": ["alice"],
        "path": ["/usr/local/jails/h1/alice"],
        "host.hostname": ["www.alice.example.net"],
        "ip4.addr": ["lo1|192.168.1.17/32", "lo1|192.168.1.18/32"],
        "ip6.addr": ["lo1|2001:db8::1/128"],
        "securelevel": ["2"],
        "enforce_statfs": ["2"],
        "devfs_ruleset": ["4"],
        "children.max": ["0"],
        "sysvmsg": ["new"],
        "sysvsem": ["new"],
        "sysvshm": ["new"],
        **{f"allow.{name}": ["true" if name == "suser" else "false"] for name in ALLOW},
        "exec.start": [EXEC_START],
        "exec.stop": [EXEC_STOP],
        "exec.consolelog": ["/var/log/jail_alice_console.log"],
        "exec.timeout": ["120"],
        "stop.timeout": ["10"],
        "mount.devfs": [],
        "exec.clean": [],
    }


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from(" \"$\\{}#;'/*"), max_size=20)
)
def test_any_path_reads_as_it_was_wished(name: str) -> None:
    path = "/jails/" + name.replace("/", "|").replace(".", "-")
    if path.endswith("/") or not path.isprintable():
        path = "/jails/x"
    (found,) = read(render(one(path=path), ALLOW, wished()))
    assert (found.values("path"), found.problems) == ([path], [])


def test_the_addresses_in_a_file_are_read_again() -> None:
    jail = one(path="/jails/a|10.0.0.1/b", ip4=["192.168.1.17", "192.168.1.18"], ip6=["2001:db8::1"])
    assert parse_file(render(jail, ALLOW, wished())) == ["192.168.1.17", "192.168.1.18", "2001:db8::1"]


def test_a_jail_without_addresses_names_none() -> None:
    (found,) = read(render(one(ip4=[]), ALLOW, wished()))
    assert (found.find("ip4.addr"), found.find("ip6.addr")) == (None, None)
