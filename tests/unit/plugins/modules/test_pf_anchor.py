# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, Done
from support.guards import Guards
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
def test_nothing_to_do_takes_six_processes_and_one_for_each_further_table(wall: Wall, count: int) -> None:
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


# Loading --------------------------------------------------------------------------------------------------------------

TRAFFIC, MARK = "/var/db/jailisp/pf_jailisp_traffic.json", "/var/db/jailisp/pf_jailisp_unconfirmed"
SCRIPT = "/var/db/jailisp/pf_jailisp_guard.sh"


class Interposed:
    """A runner that answers some commands itself, as pf does when it is busy, or daemon(8) when it starts something."""

    def __init__(self, wall: Wall, words: tuple[str, ...], answer: tuple[int, str], times: int = 1000) -> None:
        self.wall, self.words, self.answer, self.times = wall, words, answer, times
        self.run_really = wall.lab.runner.run
        self.met: list[Command] = []

    def __call__(self, command: Command) -> Done:
        if command.argv[: len(self.words)] == self.words and len(self.met) < self.times:
            self.met.append(command)
            return Done(command, self.answer[0], "", self.answer[1])
        return self.run_really(command)


def interpose(
    wall: Wall, monkeypatch: pytest.MonkeyPatch, *words: str, answer: tuple[int, str], times: int = 1000
) -> Interposed:
    found = Interposed(wall, words, answer, times)
    monkeypatch.setattr(wall.lab.runner, "run", found)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return found


BUSY = (1, "pfctl: DIOCXCOMMIT: Device busy")


def test_a_load_is_tried_again_while_pf_is_busy(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = interpose(wall, monkeypatch, "pfctl", "-f", answer=BUSY, times=3)
    assert not wall.module(**wish("alice")).get("failed")
    assert len(busy.met) == 3
    assert wall.in_force()["ours -sr"].count("\n") == 2


def test_a_pf_that_stays_busy_is_told(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = interpose(wall, monkeypatch, "pfctl", "-f", answer=BUSY)
    result = wall.module(**wish("alice"))
    assert result["failed"]
    assert "Device busy" in result["msg"]
    assert len(busy.met) == 5


def test_another_error_is_not_tried_again(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = interpose(wall, monkeypatch, "pfctl", "-f", answer=(1, "pfctl: DIOCADDRULE: Invalid argument"))
    assert wall.module(**wish("alice"))["failed"]
    assert len(broken.met) == 1


def count(wall: Wall, octets: int) -> None:
    """Let traffic of alice be counted, as a connection to her published port would."""
    with wall.lab.host.kernel() as kernel:
        rules = kernel["pf"]["rules"]["jailisp"]["filter"]
        (rule,) = [rule for rule in rules if "jail:alice" in rule.get("labels", ())]
        for place in (0, 1, 2):
            rule["n"][place] += octets


def test_a_load_loses_no_traffic(wall: Wall) -> None:
    wall.converge(**wish("alice"))
    for port in (8100, 8200):
        count(wall, 1000)
        wall.converge(**wish("alice", port=port))
    count(wall, 50)
    assert json.loads(wall.lab.path(TRAFFIC).read_text()) == {
        "sums": {"jail:alice": [2000, 2000, 2000, 0, 0]},
        "pending": None,
    }
    assert wall.lab.path(TRAFFIC).stat().st_mode & 0o777 == 0o600


def test_a_load_that_fails_counts_nothing_twice(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    wall.converge(**wish("alice"))
    count(wall, 1000)
    with monkeypatch.context() as patch:
        interpose(wall, patch, "pfctl", "-a", "jailisp", "-f", answer=BUSY)
        assert wall.module(**wish("alice", port=8100))["failed"]
    wall.converge(**wish("alice", port=8100))
    assert json.loads(wall.lab.path(TRAFFIC).read_text())["sums"] == {"jail:alice": [1000, 1000, 1000, 0, 0]}


# The guard ------------------------------------------------------------------------------------------------------------


def time_is_up(wall: Wall, token: str = "") -> None:
    """Let the guard's time be up, by default that of the last load."""
    wall.lab.run("sh", SCRIPT, "over", token or wall.lab.path(MARK).read_text().strip())


def guarded(wall: Wall, monkeypatch: pytest.MonkeyPatch, **parameters: t.Any) -> Result:
    """Converge with a guard, which in the process of a test does not wait: when its time is up, the test says."""
    with monkeypatch.context() as patch:
        guards = Guards(wall.lab, patch)
        result = wall.module(**parameters, guard=1)
    assert not result.get("failed"), result["msg"]
    assert guards.tokens == [wall.lab.path(MARK).read_text().strip()]
    assert result["unconfirmed"] == MARK
    return result


def test_without_a_guard_that_starts_nothing_is_loaded(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    before = wall.in_force()
    interpose(wall, monkeypatch, "daemon", answer=(0, ""))
    result = wall.module(**wish("alice"), guard=1)
    assert "the guard did not start" in result["msg"]
    assert wall.in_force() == before
    assert not wall.lab.path(FILE).exists()


@pytest.mark.parametrize("conf", [None, OWN])
def test_rules_that_nobody_confirms_are_taken_back(
    wall: Wall, monkeypatch: pytest.MonkeyPatch, conf: str | None
) -> None:
    if conf is not None:
        wall.lab.path(CONF).write_text(conf)
        wall.lab.run("pfctl", "-f", CONF)
    before = wall.in_force()
    guarded(wall, monkeypatch, **wish("alice"))
    assert wall.in_force() != before
    time_is_up(wall)
    # The table stays, for no rule names it.
    assert {**wall.in_force(), "table": ""} == before
    assert not wall.lab.path(FILE).exists()
    assert (wall.lab.path(CONF).read_text() if conf else wall.lab.path(CONF).exists()) == (conf or False)
    assert not wall.lab.path(MARK).exists()


def test_what_is_taken_back_is_what_was_last_confirmed(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    wall.converge(**wish("alice"))
    before = wall.in_force()
    for port in (8100, 8200):
        guarded(wall, monkeypatch, **wish("alice", port=port))
    assert wall.in_force() != before
    time_is_up(wall)
    assert wall.in_force() == before
    assert wall.converge(**wish("alice", port=8200))["changed"]


def test_confirmed_rules_stay(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded(wall, monkeypatch, **wish("alice"))
    wished = wall.in_force()
    token = wall.lab.path(MARK).read_text().strip()
    wall.lab.path(MARK).unlink()
    time_is_up(wall, token)
    assert wall.in_force() == wished


def test_a_run_that_finds_unconfirmed_rules_has_them_confirmed(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded(wall, monkeypatch, **wish("alice"))
    again = wall.module(**wish("alice"), guard=1)
    assert (again["changed"], again["unconfirmed"]) == (False, MARK)


def test_an_older_guard_leaves_the_rules_of_a_later_load_alone(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded(wall, monkeypatch, **wish("alice"))
    older = wall.lab.path(MARK).read_text()
    guarded(wall, monkeypatch, **wish("alice", port=8100))
    wished, later = wall.in_force(), wall.lab.path(MARK).read_text()
    time_is_up(wall, older.strip())
    assert (wall.in_force(), wall.lab.path(MARK).read_text()) == (wished, later)


# Tables of the administrators -----------------------------------------------------------------------------------------

SAVED = "/var/db/jailisp/pf_jailisp_table_blocked"


def blocked(wall: Wall, *words: str) -> list[str]:
    return wall.lab.run("pfctl", "-a", "jailisp", "-t", "blocked", "-T", *words).split()


def with_blocked(port: int = 8000) -> dict[str, t.Any]:
    wished = wish("alice", port=port)
    rules = [*wished["rules"][:2], {"rule": "block quick from <blocked> to any"}, *wished["rules"][2:]]
    return {**wished, "rules": rules, "kept_tables": ["blocked"]}


def test_what_administrators_block_outlives_every_load(wall: Wall) -> None:
    wall.converge(**with_blocked())
    blocked(wall, "add", "192.0.2.1", "198.51.100.0/24")
    wall.lab.run("service", "pf", "onereload")
    assert blocked(wall, "show") == ["192.0.2.1", "198.51.100.0/24"]
    wall.converge(**with_blocked(8100))
    blocked(wall, "delete", "192.0.2.1")
    wall.converge(**with_blocked(8200))
    assert blocked(wall, "show") == ["198.51.100.0/24"]


def test_what_administrators_block_is_written_down_and_is_no_change(wall: Wall) -> None:
    wall.converge(**with_blocked())
    blocked(wall, "add", "192.0.2.1", "198.51.100.0/24")
    result = wall.module(**with_blocked())
    assert (result["changed"], result["commands"]) == (False, [])
    assert wall.lab.path(SAVED).read_text() == "192.0.2.1\n198.51.100.0/24\n"
    assert wall.lab.path(SAVED).stat().st_mode & 0o777 == 0o600


def test_a_table_that_is_gone_is_filled_again(wall: Wall) -> None:
    wall.converge(**with_blocked())
    blocked(wall, "add", "192.0.2.1")
    wall.module(**with_blocked())
    wall.lab.run("pfctl", "-a", "jailisp", "-F", "rules")
    blocked(wall, "kill")
    wall.converge(**with_blocked())
    assert blocked(wall, "show") == ["192.0.2.1"]
