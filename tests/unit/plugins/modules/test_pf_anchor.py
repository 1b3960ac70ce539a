# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from support.lab import Lab, Result

FILE = "/etc/pf.anchors/jailisp.conf"
CONF = "/etc/pf.conf"
OWN = (
    "set skip on lo2\nnat on vtnet0 inet from 10.9.0.0/16 to any -> (vtnet0)\nblock in on vtnet0 proto tcp to port 25\n"
)
NAMES = ("alice", "bob", "carol")


def wish(*names: str, port: int = 8000) -> dict[str, t.Any]:
    numbers = {name: 17 + number for number, name in enumerate(names)}
    nat = [
        {"jail": name, "rule": f"nat on vtnet0 inet from 192.168.1.{number} to any tag jail_{name} -> 203.0.113.10"}
        for name, number in numbers.items()
    ]
    rdr = [
        {
            "jail": name,
            "rule": f"rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port {port + number} tag jail_{name} "
            f"-> 192.168.1.{number} port 22",
        }
        for name, number in numbers.items()
    ]
    isolate = [{"rule": "block drop quick on lo inet from <jails> to <jails>"}]
    label = [
        {
            "jail": name,
            "rule": f'pass in quick on vtnet0 inet tagged jail_{name} keep state label "jail:{name}"',
        }
        for name in names
    ]
    return {
        "rules": [*nat, *rdr, *isolate, *label],
        "tables": {"jails": [f"192.168.1.{number}" for number in numbers.values()]},
    }


class Wall:
    """A host with pf loaded, and the module pf_anchor at work on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.run("kldload", "pf")

    def converge(self, **parameters: t.Any) -> Result:
        return self.lab.converge("pf_anchor", **parameters)

    def module(self, **parameters: t.Any) -> Result:
        return self.lab.module("pf_anchor", **parameters)

    def in_force(self) -> dict[str, str]:
        """Return all that pf holds."""
        shown = {kind: self.lab.run("pfctl", kind) for kind in ("-sn", "-sr")}
        shown |= {f"ours {kind}": self.lab.run("pfctl", "-a", "jailisp", kind) for kind in ("-sn", "-sr")}
        table = self.lab.host.run(["pfctl", "-a", "jailisp", "-t", "jails", "-T", "show"])
        return {**shown, "table": table.out, "status": self.lab.run("pfctl", "-s", "info").partition(" for")[0]}


@pytest.fixture
def wall(lab: Lab) -> Wall:
    return Wall(lab)


def test_rules_come_into_force_on_a_host_without_any(wall: Wall) -> None:
    result = wall.converge(**wish("alice", "bob"))
    assert result["commands"] == [f"write {FILE}", f"write {CONF}", f"pfctl -f {CONF}", "pfctl -e"]
    now = wall.in_force()
    assert now["status"] == "Status: Enabled"
    assert now["ours -sn"].count("\n") == 4
    assert now["ours -sr"].count("\n") == 3
    assert now["table"].split() == ["192.168.1.17", "192.168.1.18"]
    assert wall.lab.path(FILE).stat().st_mode & 0o777 == 0o600


def test_the_administrators_rules_stay_in_force(wall: Wall) -> None:
    wall.lab.path(CONF).write_text(OWN)
    wall.lab.path(CONF).chmod(0o640)
    wall.converge(**wish("alice"))
    text = wall.lab.path(CONF).read_text()
    assert [line for line in text.splitlines() if "jailisp" not in line] == OWN.splitlines()
    assert wall.lab.path(CONF).stat().st_mode & 0o777 == 0o640
    now = wall.in_force()
    assert "10.9.0.0/16" in now["-sn"]
    assert "port = smtp" in now["-sr"] or "port = 25" in now["-sr"]


def test_a_changed_rule_is_loaded_alone_and_kills_only_its_jails_states(wall: Wall) -> None:
    wall.converge(**wish(*NAMES))
    changed = wish(*NAMES)
    changed["rules"][4]["rule"] = changed["rules"][4]["rule"].replace("8018", "8218")
    result = wall.converge(**changed)
    assert result["commands"] == [f"write {FILE}", f"pfctl -a jailisp -f {FILE}", "pfctl -k label -k jail:bob"]
    assert "port = 8218" in wall.in_force()["ours -sn"]


def test_a_reload_of_pf_keeps_the_rules(wall: Wall) -> None:
    wall.converge(**wish("alice"))
    before = wall.in_force()
    wall.lab.run("pfctl", "-F", "all")
    wall.lab.run("pfctl", "-f", CONF)
    assert wall.in_force() == before
    assert not wall.module(**wish("alice"))["changed"]


def flush_anchor(lab: Lab) -> None:
    lab.run("pfctl", "-a", "jailisp", "-F", "rules")


def flush_translation(lab: Lab) -> None:
    lab.run("pfctl", "-a", "jailisp", "-F", "nat")


def flush_main(lab: Lab) -> None:
    lab.run("pfctl", "-F", "rules")


def flush_main_translation(lab: Lab) -> None:
    lab.run("pfctl", "-F", "nat")


def other_main_rules(lab: Lab) -> None:
    lab.run("pfctl", "-f", "-", stdin="block in on vtnet0\n")


def delete_from_table(lab: Lab) -> None:
    lab.run("pfctl", "-a", "jailisp", "-t", "jails", "-T", "delete", "192.168.1.17")


def add_to_table(lab: Lab) -> None:
    lab.run("pfctl", "-a", "jailisp", "-t", "jails", "-T", "add", "203.0.113.10")


def disable(lab: Lab) -> None:
    lab.run("pfctl", "-d")


def other_anchor_rules(lab: Lab) -> None:
    lab.run("pfctl", "-a", "jailisp", "-f", "-", stdin="pass quick all\n")


def delete_file(lab: Lab) -> None:
    lab.path(FILE).unlink()


def edit_file(lab: Lab) -> None:
    lab.path(FILE).write_text("pass quick all\n")


def delete_conf(lab: Lab) -> None:
    lab.path(CONF).unlink()


def rewrite_conf(lab: Lab) -> None:
    lab.path(CONF).write_text(OWN)


def lose_note(lab: Lab) -> None:
    lab.path("/var/db/jailisp/pf_jailisp.json").unlink()


DRIFTS = [
    flush_anchor,
    flush_translation,
    flush_main,
    flush_main_translation,
    other_main_rules,
    delete_from_table,
    add_to_table,
    disable,
    other_anchor_rules,
    delete_file,
    edit_file,
    delete_conf,
    rewrite_conf,
    lose_note,
]


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found_and_mended(wall: Wall, drift: t.Callable[[Lab], None]) -> None:
    wall.lab.path(CONF).write_text("set skip on lo2\n")
    wall.converge(**wish("alice", "bob"))
    wished, file = wall.in_force(), wall.lab.path(FILE).read_text()
    drift(wall.lab)
    assert wall.converge(**wish("alice", "bob"))["changed"]
    now = wall.in_force()
    if drift is rewrite_conf:
        assert {key: now[key] for key in now if key[0] != "-"} == {key: wished[key] for key in now if key[0] != "-"}
    else:
        assert now == wished
    assert wall.lab.path(FILE).read_text() == file


@pytest.mark.parametrize("count", [5, 50])
def test_nothing_to_do_takes_six_processes(wall: Wall, count: int) -> None:
    wished = wish(*[f"j{number}" for number in range(count)])
    wall.module(**wished)
    assert wall.lab.processes("pf_anchor", **wished) == 6


def test_rules_that_pf_refuses_leave_the_old_ones_in_force_and_name_the_jail(wall: Wall) -> None:
    wall.converge(**wish("alice", "bob"))
    before, file = wall.in_force(), wall.lab.path(FILE).read_text()
    wrong = wish("alice", "bob")
    wrong["rules"][-1]["rule"] += " nonsense"
    for check in (True, False):
        result = wall.lab.module("pf_anchor", check=check, **wrong)
        assert result["failed"]
        assert not result["changed"]
        assert f"(jail bob: {wrong['rules'][-1]['rule']})" in result["msg"]
        assert "syntax error" in result["msg"]
    assert (wall.in_force(), wall.lab.path(FILE).read_text()) == (before, file)


def test_a_pf_conf_that_does_not_parse_is_left_alone(wall: Wall) -> None:
    broken = OWN + "pass in on { vtnet0\n"
    wall.lab.path(CONF).write_text(broken)
    before = wall.in_force()
    result = wall.module(**wish("alice"))
    assert result["failed"]
    assert not result["changed"]
    assert f"pfctl -nf {CONF}" in result["msg"]
    assert (wall.lab.path(CONF).read_text(), wall.in_force()) == (broken, before)
    assert not wall.lab.path(FILE).exists()


def test_a_host_without_the_kernel_module_is_told_so(lab: Lab) -> None:
    result = lab.module("pf_anchor", **wish("alice"))
    assert result["failed"]
    assert "pfctl" in result["msg"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"anchor": "a/b"}, "anchor: 'a/b' is no name for an anchor"),
        ({"tables": {"jails": ["x"]}}, "tables: jails: 'x' does not appear to be an IPv4 or IPv6 network"),
        ({"rules": [{"rule": "pass all\nblock all"}]}, "a rule is one line"),
        ({"rules": [{"rule": "pass out all dnpipe 70000"}]}, "70000 is no pipe's number"),
    ],
    ids=["anchor", "table", "two lines", "pipe"],
)
def test_bad_input_fails_before_anything_changes(wall: Wall, changes: dict[str, t.Any], message: str) -> None:
    started = len(wall.lab.runner.ran)
    result = wall.module(**{**wish("alice"), **changes})
    assert result["failed"]
    assert message in result["msg"]
    assert len(wall.lab.runner.ran) == started
