# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Rule, Wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import (
    Note,
    parse_file,
    parse_note,
    statements,
)
from ansible_collections.jailisp.vps.plugins.module_utils._pf.render import (
    points,
    render_conf,
    render_file,
    render_note,
    rules_by_line,
)

OWN = """\
# the administrator's
ext_if = "vtnet0"
set skip on { lo0, \\
  lo2 }   # not the jails'
table <bad> { 192.0.2.1,
  192.0.2.2 }
nat on $ext_if from 10.0.0.0/8 to any -> ($ext_if)
block in quick on $ext_if from <bad>   # "all" of them
pass in on $ext_if proto tcp to port { 22
  80 } keep state
anchor "ftp-proxy/*"
"""
WORDS = [
    'ext_if = "vtnet0"',
    "set skip on { lo0, lo2 }",
    "table <bad> { 192.0.2.1, 192.0.2.2 }",
    "nat on $ext_if from 10.0.0.0/8 to any -> ($ext_if)",
    "block in quick on $ext_if from <bad>",
    "pass in on $ext_if proto tcp to port { 22 80 } keep state",
    'anchor "ftp-proxy/*"',
]


def wish(*rules: Rule, anchor: str = "jailisp") -> Wish:
    return Wish(
        anchor,
        rules,
        {"jails": ("192.168.1.17",)},
        ("blocked",),
        "/etc/pf.conf",
        f"/etc/pf.anchors/{anchor}.conf",
        f"/var/db/jailisp/pf_{anchor}.json",
    )


OURS = [line for part in points(wish()) for line in part]

# What may stand in a pf.conf: whole and half statements, comments, nothing.
LINES = st.sampled_from(
    [
        "",
        "# comment { with a brace",
        'ext_if = "vt # net0"',
        "set skip on { lo0,",
        "  lo2 }",
        "pass in \\",
        "  on vtnet0",
        "nat on vtnet0 from any to any -> 192.0.2.1",
        "block all",
        'anchor "x" {',
        "}",
        'load anchor "x" from "/x"',
        *OURS,
    ]
)


def kept_in_order(old: list[str], new: list[str]) -> bool:
    rest = iter(new)
    return all(line in rest for line in old)


def test_statements_of_a_pf_conf() -> None:
    found = statements(OWN)
    assert [statement.words for statement in found] == WORDS
    assert [(statement.first, statement.last) for statement in found] == [
        (1, 1),
        (2, 3),
        (4, 5),
        (6, 6),
        (7, 7),
        (8, 9),
        (10, 10),
    ]


def test_a_mark_of_a_comment_in_quotes_is_text() -> None:
    assert [statement.words for statement in statements('a = "x # y" # z\n')] == ['a = "x # y"']


@given(st.lists(LINES, max_size=12))
def test_no_line_of_the_administrators_is_lost_or_moved(lines: list[str]) -> None:
    old = "".join(f"{line}\n" for line in lines)
    new = render_conf(wish(), old).splitlines()
    assert kept_in_order(lines, new)
    assert len(new) - len(lines) <= len(OURS)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("# a comment\x0cblock all\x85pass all\u2028\n")
@example("no end of the last line")
def test_no_line_of_any_file_is_lost_or_moved(text: str) -> None:
    assert kept_in_order(text.removesuffix("\n").split("\n"), [*render_conf(wish(), text).split("\n"), ""])


@given(st.lists(LINES, max_size=12))
def test_statements_follow_each_other_and_cover_all_words(lines: list[str]) -> None:
    found = statements("".join(f"{line}\n" for line in lines))
    ends = [-1, *(statement.last for statement in found)]
    assert all(before < statement.first <= statement.last for before, statement in zip(ends, found, strict=False))


def test_lines_stand_where_pf_allows_them() -> None:
    lines = render_conf(wish(), OWN).splitlines()
    old = OWN.splitlines()
    assert lines == [*old[:7], *OURS[:3], *old[7:], *OURS[3:]]


def test_lines_that_are_there_are_not_added_again() -> None:
    once = render_conf(wish(), OWN)
    assert render_conf(wish(), once) == once
    spaced = once.replace('nat-anchor "jailisp"', 'nat-anchor   "jailisp"  # ours')
    assert render_conf(wish(), spaced) == spaced


def test_without_a_pf_conf_one_is_made_that_holds_nothing_else() -> None:
    made = render_conf(wish(), None)
    assert [statement.words for statement in statements(made)] == OURS
    assert render_conf(wish(), made) == made


def test_our_lines_come_behind_options_in_a_file_without_rules() -> None:
    assert render_conf(wish(), "set skip on lo2").splitlines() == ["set skip on lo2", *OURS]


RULE = st.builds(
    Rule,
    st.sampled_from(["nat on em0 from any to any -> 192.0.2.1", "pass all", 'block in label "jail:a"', "match all"]),
    st.sampled_from(["", "alice", "b-1", "c_d"]),
)


@given(st.lists(RULE, max_size=6))
def test_an_anchors_file_reads_as_it_was_written(rules: list[Rule]) -> None:
    assert parse_file(render_file(wish(*rules))) == rules


@given(st.lists(RULE, max_size=6))
def test_each_line_of_an_anchors_file_is_known_by_its_rule(rules: list[Rule]) -> None:
    text = render_file(wish(*rules))
    lines = text.splitlines()
    found = rules_by_line(text, wish(*rules))
    assert list(found.values()) == rules
    for number, rule in found.items():
        assert lines[number - 1] == (f"{rule.text} # {rule.jail}" if rule.jail else rule.text)


def test_a_table_stands_whole_in_the_file() -> None:
    assert "table <jails> persist { 192.168.1.17 }\n" in render_file(wish())


def test_a_note_reads_as_it_was_written() -> None:
    assert parse_note(render_note("file", "pass all\n")) == Note("file", "pass all\n")


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "{}", '{"file": "x"}', "null", "3", '{"file": 1, "shown": ""}', '{"file": "", "shown": 1}'],
)
def test_a_note_that_is_not_whole_is_none(text: str | None) -> None:
    assert parse_note(text) is None
