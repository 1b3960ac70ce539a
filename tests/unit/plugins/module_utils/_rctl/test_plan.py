# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired, Plan, Run, Write
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import Wish, check_limit, parse_amount, wish
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.parse import parse_rules
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.plan import BATCH, Actual, plan

FILE = "/etc/rctl.conf"
NAMES = ("alice", "bob", "carol", "al")
PLACES = ("maxproc:deny", "memoryuse:deny", "memoryuse:log", "readbps:throttle", "nthr:devctl")


def wanted(**jails: list[str]) -> Wish:
    return wish({"jails": [{"name": name, "rules": rules} for name, rules in jails.items()], "file": FILE})


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["maxproc"], "jails: alice: rules: 'maxproc' is no rule; write RESOURCE:ACTION=AMOUNT"),
        (["maxprocs:deny=1"], "maxprocs is no resource"),
        (["maxproc:kill=1"], "kill is no action; take one of deny, throttle, log, devctl"),
        (["cputime:deny=1"], "cputime cannot be denied; log it, or limit pcpu"),
        (["readiops:deny=1"], "readiops cannot be denied; throttle it"),
        (["maxproc:throttle=1"], "maxproc cannot be throttled"),
        (["maxproc:deny=1k"], "1k is no amount of maxproc, which is not counted in bytes"),
        (["memoryuse:deny=1q"], "1q is no amount; write a whole number, with K, M, G or T behind it"),
        (["memoryuse:deny=9999999999G"], "is more than the kernel can count"),
        (["pcpu:deny=9223372036855"], "is more than the kernel can count; take at most 9223372036854"),
        (["readbps:throttle=0"], "0 cannot be throttled to; write at least 1"),
        (["maxproc:deny=1", "maxproc:deny=2"], "says something of the same; keep one"),
        (["maxproc:deny=1/user"], "is no rule"),
    ],
)
def test_wish_refuses_what_the_kernel_would(rules: list[str], words: str) -> None:
    with pytest.raises(InvalidDesired, match=re.escape(words)):
        wanted(alice=rules)


@pytest.mark.parametrize("name", ["", "Alice", "a:b", "17", "-a", "a b"])
def test_wish_refuses_a_name_that_could_mean_another_subject(name: str) -> None:
    with pytest.raises(InvalidDesired, match="not the name of a jail"):
        wish({"jails": [{"name": name, "rules": []}], "file": FILE})


def test_wish_counts_in_bytes() -> None:
    assert [str(rule) for rule in wanted(alice=["memoryuse:deny=100M", "vmemoryuse:deny=1g"]).jails["alice"]] == [
        "jail:alice:memoryuse:deny=104857600",
        "jail:alice:vmemoryuse:deny=1073741824",
    ]
    assert parse_amount("readbps", "10m") == 10485760


def test_check_limit_takes_what_rctl_takes() -> None:
    for resource, action in (("cputime", "log"), ("wallclock", "devctl"), ("writeiops", "throttle"), ("pcpu", "deny")):
        check_limit(resource, action)


def test_parse_rules_looks_at_jails_only() -> None:
    text = "user:www:maxproc:deny=7\njail:alice:maxproc:deny=200\nloginclass:a:b:openfiles:deny=1\n"
    assert parse_rules(text) == {"alice": {"jail:alice:maxproc:deny=200"}}


def commands(found: Plan) -> list[str]:
    return [str(step) for step in found.steps if isinstance(step, Run)]


def test_plan_adds_before_it_removes_and_leaves_to_the_kernel_what_it_replaces() -> None:
    there = {
        "jail:alice:maxproc:deny=100",
        "jail:alice:memoryuse:log=5",
        "jail:alice:nthr:sigterm=9",
        "jail:alice:maxproc:deny=9/user",
        "jail:alice:readbps:throttle=5",
    }
    found = plan(
        wanted(alice=["maxproc:deny=200", "memoryuse:log=6", "readbps:throttle=7"]), Actual({"alice": there}, ""), 1
    )
    assert commands(found) == [
        "rctl -a jail:alice:maxproc:deny=200 jail:alice:memoryuse:log=6 jail:alice:readbps:throttle=7",
        "rctl -r jail:alice:maxproc:deny=9/user jail:alice:memoryuse:log=5 jail:alice:nthr:sigterm=9 "
        "jail:alice:readbps:throttle=5",
    ]


def test_plan_removes_at_last_what_a_kernel_kept_beside_the_new_rule() -> None:
    both = {"jail:alice:maxproc:deny=100", "jail:alice:maxproc:deny=200"}
    found = plan(wanted(alice=["maxproc:deny=200"]), Actual({"alice": both}, ""), 2)
    assert commands(found) == ["rctl -r jail:alice:maxproc:deny=100"]


def test_plan_claims_nothing_of_a_kernel_without_accounts() -> None:
    found = plan(wanted(alice=["maxproc:deny=200"]), Actual(None, ""), 1)
    assert [type(step) for step in found.steps] == [Write]
    assert not found.notes["in_force"]
    assert [change.name for change in found.changes] == ["limits alice at boot"]


def test_plan_refuses_a_jail_that_has_rules_of_somebody_else_at_boot() -> None:
    mine = "# mine\njail:alice:maxproc:deny=5\nj:bob:nthr:deny=5 # soon\nuser:www:nthr:deny=9\n"
    found = plan(wanted(alice=["maxproc:deny=200"], carol=["maxproc:deny=3"]), Actual({}, mine), 1)
    assert found.refused == (("alice", f"{FILE} has jail:alice:maxproc:deny=5 outside our lines; remove it there"),)
    assert commands(found) == ["rctl -a jail:carol:maxproc:deny=3"]


def test_plan_keeps_the_lines_of_jails_that_nobody_speaks_of() -> None:
    file = block.join(["jail:old:maxproc:deny=1"], "# mine\n", first=False)
    found = plan(wanted(alice=[]), Actual({"old": {"jail:old:maxproc:deny=1"}}, file), 1)
    assert found.empty
    assert found.notes["unlisted"] == ["old"]


def test_plan_stays_below_the_longest_command() -> None:
    many = {f"j{number}": ["maxproc:deny=5", "nthr:deny=7"] for number in range(BATCH)}
    found = commands(plan(wanted(**many), Actual({}, ""), 1))
    assert [line.count("jail:") for line in found] == [BATCH, BATCH]


RULES = st.dictionaries(st.sampled_from(PLACES), st.integers(1, 4), max_size=len(PLACES))
WISHES = st.dictionaries(st.sampled_from(NAMES[:3]), RULES, max_size=3)
# What may be in force: several of one place as older kernels keep them, signals and rules per user made by hand.
FORCED = st.sets(
    st.builds(
        "jail:{}:{}={}{}".format,
        st.sampled_from(NAMES),
        st.sampled_from((*PLACES, "maxproc:sigterm")),
        st.integers(1, 4),
        st.sampled_from(("", "", "/user")),
    ),
    max_size=12,
)
OTHERS = st.sampled_from(["", "# mine\n", "user:www:maxproc:deny=3\n", "user:www:maxproc:deny=3"])


class Kernel:
    """What rctl(8) does, in a kernel that replaces rules or in one that keeps them."""

    def __init__(self, rules: set[str], file: str, replaces: bool) -> None:
        self.rules = set(rules)
        self.file = file
        self.replaces = replaces

    def actual(self) -> Actual:
        return Actual(parse_rules("\n".join(sorted(self.rules))), self.file)

    def apply(self, found: Plan) -> None:
        for step in found.steps:
            if isinstance(step, Write):
                self.file = step.content
            elif isinstance(step, Run):
                program, option, *rules = step.command.argv
                assert program == "rctl"
                for rule in rules:
                    self._one(option, rule)

    def _one(self, option: str, rule: str) -> None:
        if option == "-r":
            # A filter that is a whole rule removes that rule and no other.
            assert rule in self.rules
            self.rules.remove(rule)
            return
        what, _equals, _amount = rule.partition("=")
        if self.replaces and what.endswith(":deny"):
            self.rules = {each for each in self.rules if not re.fullmatch(rf"{what}=\d+", each)}
        self.rules.add(rule)


@given(desired=WISHES, forced=FORCED, before=WISHES, others=OTHERS, replaces=st.booleans())
def test_plan_converges_from_anywhere_and_names_no_other_subject(
    desired: t.Any, forced: set[str], before: t.Any, others: str, replaces: bool
) -> None:
    wishes = wanted(**{name: [f"{rule}={amount}" for rule, amount in rules.items()] for name, rules in desired.items()})
    lines = [f"jail:{name}:{rule}={amount}" for name, rules in before.items() for rule, amount in rules.items()]
    kernel = Kernel(forced, block.join(lines, others, first=False), replaces)
    for attempt in (1, 2):
        found = plan(wishes, kernel.actual(), attempt)
        for line in commands(found):
            assert all(word.split(":")[1] in desired for word in line.split()[2:])
        kernel.apply(found)
    assert plan(wishes, kernel.actual(), 1).empty
    ours = {f"jail:{name}:" for name in desired}
    assert {rule for rule in kernel.rules if rule.startswith(tuple(ours))} == {
        str(rule) for rules in wishes.jails.values() for rule in rules
    }
    # Whatever is of others is as it was, the file's last line ended.
    assert {rule for rule in forced if not rule.startswith(tuple(ours))} <= kernel.rules
    assert block.split(kernel.file)[1].rstrip("\n") == others.rstrip("\n")


@given(desired=WISHES, forced=FORCED)
def test_plan_never_leaves_a_jail_without_the_limit_that_it_had(desired: t.Any, forced: set[str]) -> None:
    wishes = wanted(**{name: [f"{rule}={amount}" for rule, amount in rules.items()] for name, rules in desired.items()})
    kernel = Kernel(forced, "", replaces=True)
    limited = {str(rule).partition("=")[0] for rules in wishes.jails.values() for rule in rules}
    limited &= {rule.partition("=")[0] for rule in forced if "/" not in rule}
    for step in plan(wishes, kernel.actual(), 1).steps:
        kernel.apply(Plan((step,)))
        assert limited <= {rule.partition("=")[0] for rule in kernel.rules}
