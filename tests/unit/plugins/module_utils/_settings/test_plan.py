# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired
from ansible_collections.jailisp.vps.plugins.module_utils._settings.model import Wish, wish
from ansible_collections.jailisp.vps.plugins.module_utils._settings.parse import parse_sysctl
from ansible_collections.jailisp.vps.plugins.module_utils._settings.plan import Actual, plan
from support.recordings import printed

FILE = "/etc/rc.conf.d/pf"


def wished(**changes: t.Any) -> Wish:
    nothing: dict[str, t.Any] = {
        "files": [],
        "kernel_modules": [],
        "sysctl": {},
        "tunables": {},
        "interfaces": [],
        "interface_addresses": {},
        "devfs_rulesets": [],
    }
    return wish({**nothing, **changes})


def actual(**changes: t.Any) -> Actual:
    nothing: dict[str, t.Any] = {
        "files": {},
        "modules": frozenset(),
        "values": {},
        "interfaces": {},
        "rulesets": frozenset(),
    }
    return Actual(**{**nothing, **changes})


def part(path: str = FILE, content: str = 'pf_enable="YES"\n', mode: str = "0644") -> dict[str, str]:
    return {"path": path, "content": content, "mode": mode}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": [part(), part()]}, f"files[1].path: {FILE} stands already at files[0]; remove one"),
        ({"files": [part("etc/rc.conf")]}, "files: 'etc/rc.conf': path: not an absolute, plain path"),
        ({"files": [part("/etc/../x")]}, "files: '/etc/../x': path: not an absolute, plain path"),
        ({"files": [part("//etc/x")]}, "files: '//etc/x': path: not an absolute, plain path"),
        ({"files": [part(mode="rw")]}, f"files: {FILE}: mode: 'rw' is not octal; write it as '0644'"),
        ({"files": [part(mode="0849")]}, f"files: {FILE}: mode: '0849' is not octal; write it as '0644'"),
        ({"kernel_modules": ["../pf"]}, "kernel_modules: '../pf' is no name of one"),
        ({"kernel_modules": ["-a"]}, "kernel_modules: '-a' is no name of one"),
        ({"interfaces": ["lo"]}, "interfaces: 'lo' is no name of one"),
        ({"interfaces": ["lo1 up"]}, "interfaces: 'lo1 up' is no name of one"),
        ({"sysctl": {"a=b": 1}}, "sysctl: 'a=b' is no name of a sysctl value"),
        ({"sysctl": {"-a": 1}}, "sysctl: '-a' is no name of a sysctl value"),
        ({"tunables": {"a b": 1}}, "tunables: 'a b' is no name of a sysctl value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_host_could_not_carry_is_refused(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wished(**changes)
    assert str(caught.value) == message


def test_values_of_a_real_host() -> None:
    values = parse_sysctl(printed("01-identity", "sysctl security.bsd"))
    assert values["security.bsd.see_other_uids"] == "1"
    assert parse_sysctl(printed("01-identity", "sysctl no.such.oid")) == {}


def test_everything_that_is_missing_is_done_in_an_order_that_works() -> None:
    wish = wished(
        files=[part()],
        kernel_modules=["pf", "dummynet"],
        sysctl={"net.pf.x": 1},
        interfaces=["lo1"],
        interface_addresses={"lo1": ["10.9.0.1/24", "fd00::1/64"]},
        devfs_rulesets=[4, 5],
    )
    made = plan(wish, actual(files={FILE: ""}))
    assert made.commands == [
        f"write {FILE}",
        "kldload -n pf",
        "kldload -n dummynet",
        "ifconfig lo1 create",
        "ifconfig lo1 inet 10.9.0.1/24 alias up",
        "ifconfig lo1 inet6 fd00::1/64 -ifdisabled alias up",
        "sysctl net.pf.x=1",
        "service devfs restart",
    ]
    assert len(made.changes) == 8


def test_what_is_there_is_left() -> None:
    wish = wished(
        files=[part()],
        kernel_modules=["pf"],
        sysctl={"a.b": 1},
        interfaces=["lo1"],
        devfs_rulesets=[4],
        tunables={"c.d": 0},
    )
    there = actual(
        files={FILE: block.join(['pf_enable="YES"'], "# mine\n", first=False)},
        modules=frozenset({"pf"}),
        values={"a.b": "1", "c.d": "0"},
        interfaces={"lo0": set(), "lo1": set()},
        rulesets=frozenset({4}),
    )
    made = plan(wish, there)
    assert (made.steps, made.changes, made.notes) == ((), (), {"reboot_needed": []})


def test_an_interface_has_its_addresses_and_no_others() -> None:
    names = 'cloned_interfaces="bridge0"'
    wish = wished(interface_addresses={"bridge0": ["10.8.0.1/24"]}, files=[part(content=names)])
    there = {"bridge0": {"10.8.0.9", "fd00::9", "fe80::1"}, "lo1": {"10.9.0.1"}}
    made = plan(wish, actual(interfaces=there, files={FILE: block.join([names], "", first=False)}))
    assert made.commands == [
        "ifconfig bridge0 inet 10.8.0.1/24 alias up",
        "ifconfig bridge0 inet 10.8.0.9 -alias",
        "ifconfig bridge0 inet6 fd00::9 -alias",
    ]
    (change,) = made.changes
    assert (change.before, change.after) == (["10.8.0.9", "fd00::9"], ["10.8.0.1"])
    there["bridge0"] = {"10.8.0.1"}
    assert plan(wish, actual(interfaces=there, files={FILE: block.join([names], "", first=False)})).steps == ()


@pytest.mark.parametrize(("name", "text"), [("em", "10.8.0.1/24"), ("bridge0", "10.8.0.1/33"), ("bridge0", "up")])
def test_addresses_that_no_interface_could_have_are_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidDesired, match=f"interface_addresses: .*{name}"):
        wished(interface_addresses={name: [text]})


@pytest.mark.parametrize("values", [{}, {"kern.racct.enable": "0"}], ids=["unknown", "another value"])
def test_a_tunable_that_is_not_in_force_needs_a_reboot_and_is_no_change(values: dict[str, str]) -> None:
    made = plan(wished(tunables={"kern.racct.enable": 1}), actual(values=values))
    assert (made.steps, made.notes) == ((), {"reboot_needed": ["kern.racct.enable"]})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "{}", id="no file"),
        pytest.param("a=1\n", "a=1\n{}", id="somebody's lines"),
        pytest.param("a=1", "a=1\n{}", id="somebody's lines without an end"),
        pytest.param("{}b=2\n", "b=2\n{}", id="somebody wrote behind ours"),
        pytest.param(f"a=1\n{block.BEGIN}\nold\n{block.END}\n", "a=1\n{}", id="our old lines"),
    ],
)
def test_our_lines_come_last_and_all_others_stay(before: str, after: str) -> None:
    ours = block.join(['pf_enable="YES"'], "")
    before, after = before.replace("{}", ours), after.replace("{}", ours)
    (change,) = plan(wished(files=[part()]), actual(files={FILE: before})).changes
    assert (change.before or "", change.after) == (before, after)


def test_a_module_that_is_not_there_comes_with_advice() -> None:
    (step,) = plan(wished(kernel_modules=["pf"]), actual()).steps
    said = step.explain("kldload: can't load pf: No such file or directory\n")  # type: ignore[union-attr]
    assert said == (
        "kldload: can't load pf: No such file or directory; is this kernel's module installed in /boot/kernel?"
    )
