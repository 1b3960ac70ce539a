# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._pf.guard import Guard
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Rule, Wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import Note
from ansible_collections.jailisp.vps.plugins.module_utils._pf.plan import Actual, plan
from ansible_collections.jailisp.vps.plugins.module_utils._pf.render import points, render_conf, render_file

WISH = Wish(
    "jailisp",
    (Rule("nat on em0 from any to any -> 192.0.2.1", "alice"), Rule('pass all label "jail:alice"', "alice")),
    {},
    (),
    "/etc/pf.conf",
    "/etc/pf.anchors/jailisp.conf",
    "/var/db/jailisp/pf_jailisp.json",
)
FILE, CONF = render_file(WISH), render_conf(WISH, None)
SHOWN = "nat on em0 all -> 192.0.2.1\npass all\n"
TRANSLATION, (ANCHOR, _LOAD) = points(WISH)
# All as wished, loaded and noted.
THERE = Actual(
    present=True,
    enabled=True,
    shown=SHOWN,
    main=frozenset(f"{line} all" for line in (*TRANSLATION, ANCHOR)),
    file=FILE,
    conf=CONF,
    note=Note(FILE, SHOWN),
)
NOTHING = Actual(present=False, enabled=False, shown="", main=frozenset(), file=None, conf=None, note=None)
LOAD, LOAD_MAIN = "pfctl -a jailisp -f /etc/pf.anchors/jailisp.conf", "pfctl -f /etc/pf.conf"
WRITE, WRITE_CONF = "write /etc/pf.anchors/jailisp.conf", "write /etc/pf.conf"
KILL = "pfctl -k label -k jail:alice"
OLD = FILE.replace("192.0.2.1", "192.0.2.9")


@pytest.mark.parametrize(
    ("actual", "commands"),
    [
        pytest.param(THERE, [], id="nothing differs"),
        pytest.param(NOTHING, [WRITE, WRITE_CONF, LOAD_MAIN, "pfctl -e"], id="a fresh host"),
        pytest.param(replace(THERE, file=OLD, note=Note(OLD, SHOWN)), [WRITE, LOAD, KILL], id="rules changed"),
        pytest.param(replace(THERE, file=None), [WRITE, LOAD], id="file removed"),
        pytest.param(replace(THERE, shown=""), [LOAD], id="rules flushed"),
        pytest.param(replace(THERE, note=None), [LOAD], id="load cut off before it was noted"),
        pytest.param(replace(THERE, note=Note(OLD, SHOWN)), [LOAD, KILL], id="load cut off before its kills"),
        pytest.param(replace(THERE, file=OLD), [WRITE, LOAD], id="file edited by hand"),
        pytest.param(replace(THERE, file=OLD, note=None), [WRITE, LOAD, KILL], id="rules changed and the note lost"),
        pytest.param(replace(THERE, main=frozenset()), [LOAD_MAIN], id="main rules flushed"),
        pytest.param(
            replace(THERE, main=THERE.main - {f"{ANCHOR} all"}), [LOAD_MAIN], id="filter anchor no longer called"
        ),
        pytest.param(replace(THERE, conf=None), [WRITE_CONF, LOAD_MAIN], id="pf.conf removed"),
        pytest.param(replace(THERE, conf="block in all\n"), [WRITE_CONF, LOAD_MAIN], id="pf.conf rewritten"),
        pytest.param(replace(THERE, enabled=False), ["pfctl -e"], id="pf disabled"),
    ],
)
def test_first_plans(actual: Actual, commands: list[str]) -> None:
    made = plan(WISH, actual, 1)
    assert made.commands == commands
    assert bool(made.checks) == (bool(commands) and actual.present)


def test_after_a_load_what_pf_shows_is_noted() -> None:
    made = plan(WISH, replace(THERE, note=None), 2)
    assert made.steps == ()
    assert [str(step) for step in made.quiet] == [f"write {WISH.note}"]


@pytest.mark.parametrize(
    "actual",
    [
        pytest.param(replace(THERE, shown="", note=None), id="pf shows nothing"),
        pytest.param(replace(THERE, main=frozenset(), note=None), id="the anchor is not called"),
        pytest.param(replace(THERE, conf=None, note=None), id="pf.conf is not as written"),
    ],
)
def test_a_load_that_did_not_work_is_not_noted(actual: Actual) -> None:
    made = plan(WISH, actual, 2)
    assert made.steps != ()
    assert made.quiet == ()


def test_the_second_attempt_ends_when_all_is_noted() -> None:
    assert plan(WISH, THERE, 2).empty


def test_only_what_old_rules_decide_otherwise_loses_its_states() -> None:
    def rules(target: str) -> tuple[Rule, ...]:
        return (
            Rule(f"rdr on em0 from any to any -> {target}", "alice"),
            Rule('pass in label "jail:alice"', "alice"),
            Rule('pass in label "jail:bob"', "bob"),
            Rule('pass in label "jail:gone"', "gone"),
            Rule('pass in label "host"', ""),
        )

    before = replace(WISH, rules=rules("192.168.1.17"))
    after = replace(WISH, rules=tuple(rule for rule in rules("192.168.1.99") if rule.jail not in ("gone", "")))
    commands = plan(after, replace(THERE, file=render_file(before), note=Note(render_file(before), SHOWN)), 1).commands
    assert [command for command in commands if " -k " in command] == [
        "pfctl -k label -k host",
        "pfctl -k label -k jail:alice",
        "pfctl -k label -k jail:gone",
    ]


def kills(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> list[str]:
    old = render_file(replace(WISH, rules=before))
    made = plan(replace(WISH, rules=after), replace(THERE, file=old, note=Note(old, SHOWN)), 1)
    return [command for command in made.commands if " -k " in command]


def test_one_port_more_cuts_nobody_off() -> None:
    rdr, passes = Rule("rdr on em0 from any to any port 80 -> 10.0.0.1", "alice"), Rule('pass label "a"', "alice")
    assert kills((passes,), (rdr, passes)) == []
    assert kills((rdr, passes), (passes,)) == ["pfctl -k label -k a"]


def test_a_rule_that_comes_to_block_ends_what_passed() -> None:
    blocks, passes = Rule('block out quick label "smtp:a"', "alice"), Rule('pass label "a"', "alice")
    assert kills((passes,), (blocks, passes)) == ["pfctl -k label -k a"]
    # What a rule blocked has no states.
    assert kills((blocks, passes), (passes,)) == ["pfctl -k label -k a"]


GUARDED = replace(WISH, guard=60)
START = "daemon -f /bin/sh /var/db/jailisp/pf_jailisp_guard.sh guard"
OF_OURS = "/var/db/jailisp/pf_jailisp_"
MARK = f"{OF_OURS}unconfirmed"
STILL = f"see that {MARK} is still there"


def guarded(**changes: t.Any) -> tuple[Guard, list[str]]:
    """Return the guard of a load, and what follows it."""
    made = plan(GUARDED, replace(THERE, file=OLD, note=Note(OLD, SHOWN), moment="5", **changes), 1)
    first, *_others = made.steps
    assert isinstance(first, Guard)
    return first, made.commands


def test_the_guard_starts_before_anything_is_written() -> None:
    first, commands = guarded()
    assert commands == [START, WRITE, LOAD, KILL, STILL]
    assert [str(step) for step in first.needs] == [
        f"copy {WISH.conf} to {WISH.conf}.jailisp-former",
        f"copy {WISH.file} to {WISH.file}.jailisp-former",
        *[f"write {OF_OURS}{name}" for name in ("former_main.conf", "former_rules.conf", "guard.sh")],
    ]
    assert (first.mark, first.token) == (MARK, "5")


def test_what_was_never_confirmed_is_nothing_to_go_back_to() -> None:
    first, commands = guarded(mark=True)
    assert commands == [START, WRITE, LOAD, KILL, STILL]
    assert not first.needs


def test_what_a_guard_began_to_take_back_is_taken_back_before_anything_else() -> None:
    made = plan(GUARDED, replace(THERE, file=OLD, back=True, moment="5"), 1)
    assert made.commands == [f"/bin/sh {OF_OURS}guard.sh now"]


def test_where_nothing_is_loaded_nothing_needs_a_guard() -> None:
    made = plan(GUARDED, THERE, 1)
    assert (made.commands, made.notes) == ([], {"unconfirmed": ""})
    assert plan(GUARDED, replace(THERE, mark=True), 1).notes["unconfirmed"]


TAKEN = Rule("rdr on em0 inet proto tcp from any to 192.0.2.1 port 8000:8009 tag a -> 10.0.0.1 port 1:*", "alice")


@pytest.mark.parametrize(
    ("theirs", "met"),
    [
        ("rdr on em0 inet proto tcp from any to 192.0.2.1 port = 8003 -> 10.9.0.1 port 22", True),
        ("rdr log on em0 inet proto tcp from any to 192.0.2.1 port = 8003 -> 10.9.0.1", True),
        ("rdr pass inet proto tcp from any to any port 8009:9000 -> 10.9.0.1", True),
        ("rdr on em0 proto tcp from any to (em0) port = 8000 -> 10.9.0.1", True),
        ("rdr on em0 inet from any to 192.0.2.1 -> 10.9.0.1", True),
        ("rdr on em0 inet proto tcp from any to 192.0.2.1 port = 8010 -> 10.9.0.1", False),
        ("rdr on em0 inet proto udp from any to 192.0.2.1 port = 8003 -> 10.9.0.1", False),
        ("rdr on em1 inet proto tcp from any to 192.0.2.1 port = 8003 -> 10.9.0.1", False),
        ("rdr on em0 inet proto tcp from any to 192.0.2.2 port = 8003 -> 10.9.0.1", False),
        ("nat on em0 inet from any to any -> 192.0.2.1", False),
        ('rdr-anchor "rdr/*" all', False),
    ],
)
def test_a_port_that_is_somebody_elses_is_told_with_both_owners(theirs: str, *, met: bool) -> None:
    made = plan(replace(WISH, rules=(TAKEN,)), replace(THERE, main=THERE.main | {theirs}), 1)
    assert [name for name, text in made.refused if theirs in text and TAKEN.text in text] == ["alice"] * met


@pytest.mark.parametrize(
    ("conf", "names"),
    [
        ("set skip on lo\n", ["lo"]),
        ("set skip on { lo0, lo1 }\n", ["lo0"]),
        ("set skip on lo2\n# set skip on lo\n", []),
    ],
)
def test_where_pf_skips_what_must_be_kept_apart_nothing_is_loaded(conf: str, names: list[str]) -> None:
    made = plan(replace(WISH, unskipped=frozenset({"lo", "lo0"})), replace(THERE, conf=conf), 1)
    assert bool(made.steps) == (not names)
    assert made.refused == tuple(
        ("", f"/etc/pf.conf: `set skip on {name}` switches off there what keeps jails apart; remove it")
        for name in names
    )


def test_the_administrators_own_pf_conf_is_checked_before_ours() -> None:
    checks = plan(WISH, replace(THERE, conf="block in all\n"), 1).checks
    assert [str(check) for check in checks] == [
        "pfctl -nf /etc/pf.conf",
        "pfctl -nf -",
        "pfctl -a jailisp -nf -",
    ]
    # The anchor's file may not be there yet, so what loads it cannot be checked.
    assert "load anchor" not in checks[1].command.stdin
    assert checks[2].command.stdin == FILE


def test_a_complaint_about_a_rule_names_its_jail() -> None:
    (check,) = plan(WISH, replace(THERE, shown=""), 1).checks
    said = check.explain("stdin:3: syntax error\nstdin:1: what\npfctl: Syntax error in config file\n")
    assert said == (
        'stdin:3: (jail alice: pass all label "jail:alice") syntax error\n'
        "stdin:1: what\npfctl: Syntax error in config file\n"
    )


def test_changes_show_what_differs() -> None:
    names = {change.name: (change.before, change.after) for change in plan(WISH, replace(THERE, shown=""), 1).changes}
    assert names == {"rules in force in anchor jailisp": ("", SHOWN)}
    fresh = {change.name: change.before for change in plan(WISH, NOTHING, 1).changes}
    assert fresh == {WISH.file: None, WISH.conf: None, "pf": "disabled\n"}
