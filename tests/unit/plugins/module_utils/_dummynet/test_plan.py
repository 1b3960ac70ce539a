# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import Pipe, Queue, Wish
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import Shown
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.plan import Actual, Key, plan
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.render import shown
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Plan, Run, Step, Write, flat
from ansible_collections.jailisp.vps.plugins.module_utils._units import parse_rate

FIRST, LAST = 10, 19
EVERY_KEY = [(kind, number) for kind in ("pipe", "queue") for number in range(FIRST - 2, LAST + 3)]

PIPES = st.dictionaries(st.integers(FIRST, LAST), st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=5)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    pipes = {number: Pipe(number, bandwidth * 10**6, slots=slots) for number, (bandwidth, slots) in draw(PIPES).items()}
    queues: dict[int, Queue] = {}
    if pipes:
        of = st.tuples(st.sampled_from(sorted(pipes)), st.integers(1, 3))
        for number, (pipe, weight) in draw(st.dictionaries(st.integers(FIRST, LAST), of, max_size=4)).items():
            queues[number] = Queue(number, pipe, weight)
    keys: list[Key] = [*(("pipe", number) for number in pipes), *(("queue", number) for number in queues)]
    owners = {key: draw(st.sampled_from(["", "alice", "bob"])) for key in keys}
    return Wish(pipes, queues, owners, FIRST, LAST, "/etc/dnctl.conf", remove=draw(st.booleans()))


@st.composite
def actuals(draw: st.DrawFn) -> Actual:
    """What may be: some pipes of ours, some of others, a boot file that names some of ours, in force or not."""
    flow = st.sampled_from(
        [
            Shown("1.000 Mbit/s", 0, "1 sl."),
            Shown("3.000 Mbit/s", 7, "2 sl.", plain=False),
            Shown(size="50 sl.", sched=FIRST, weight=1),
        ]
    )
    flows = draw(st.dictionaries(st.sampled_from(EVERY_KEY), flow, max_size=8))
    ours = draw(st.lists(st.sampled_from(EVERY_KEY), unique=True, max_size=6))
    lines = [
        f"# leaving: {kind} {number} " if draw(st.booleans()) else f"{kind} {number} config bw 1Mbit/s"
        for kind, number in ours
    ]
    return Actual(flows, block.join(lines, draw(st.sampled_from(["", "# mine\n", "pipe 1 config bw 1Mbit/s\n"]))))


def ours(actual: Actual) -> set[Key]:
    """Return what the boot file says is ours."""
    words = [line.removeprefix("# leaving: ").split() for line in block.split(actual.file)[0]]
    return {(kind, int(number)) for kind, number, *_rest in words}


def do(steps: t.Iterable[Step], actual: Actual) -> Actual:
    """Do steps as a host would."""
    flows, file = dict(actual.flows), actual.file
    for step in steps:
        if isinstance(step, Write):
            file = step.content
            continue
        assert isinstance(step, Run)
        kind, *words = step.command.argv[1:]
        if words[0] == "delete":
            flows.pop((kind, int(words[1])), None)
            continue
        number, config, *rest = words
        assert config == "config"
        values = dict(zip(rest[::2], rest[1::2], strict=True))
        if kind == "pipe":
            made = shown(Pipe(int(number), parse_rate(values["bw"]), int(values["delay"]), int(values["queue"])))
        else:
            made = shown(Queue(int(number), int(values["pipe"]), int(values["weight"]), int(values["queue"])))
        flows[kind, int(number)] = made
    return Actual(flows, file)


def steps_of(made: Plan) -> list[Step]:
    return list(flat(made.steps))


def whole(wish: Wish, actual: Actual) -> Actual:
    """Do what a run of the module does: the steps, and what is noted when they are seen to be done."""
    after = do(steps_of(plan(wish, actual, 1)), actual)
    return do(plan(wish, after, 2).quiet, after)


@given(wishes(), actuals())
def test_after_a_plan_nothing_is_left_to_do(wish: Wish, actual: Actual) -> None:
    first = plan(wish, actual, 1)
    after = whole(wish, actual)
    second = plan(wish, after, 1)
    assert second.steps == ()
    assert second.changes == ()
    assert second.refused == first.refused


@given(wishes(), actuals())
def test_what_is_in_force_afterwards_is_what_was_wished(wish: Wish, actual: Actual) -> None:
    foreign = actual.flows.keys() - ours(actual)
    after = whole(wish, actual)
    wanted = {("pipe", n): shown(pipe) for n, pipe in wish.pipes.items()}
    wanted |= {("queue", n): shown(queue) for n, queue in wish.queues.items()}
    for key in EVERY_KEY:
        if key in foreign or not wish.owns(key[1]):
            assert after.flows.get(key) == actual.flows.get(key)
        elif key in wanted:
            assert after.flows.get(key) == wanted[key]
        else:
            assert (key in after.flows) == (key in actual.flows and not wish.remove)


@given(wishes(), actuals(), st.integers(0, 20))
def test_cut_off_anywhere_the_next_run_comes_to_the_same_end(wish: Wish, actual: Actual, done: int) -> None:
    cut = do(steps_of(plan(wish, actual, 1))[:done], actual)
    assert whole(wish, cut) == whole(wish, actual)


@given(wishes(), actuals())
def test_what_is_not_ours_is_never_named_in_a_command(wish: Wish, actual: Actual) -> None:
    foreign = actual.flows.keys() - ours(actual)
    for command in plan(wish, actual, 1).commands:
        for kind, number in re.findall(r"dnctl (pipe|queue) (?:delete )?(\d+)", command):
            assert FIRST <= int(number) <= LAST
            assert (kind, int(number)) not in foreign


@given(wishes(), actuals())
def test_lines_of_others_stay_in_the_boot_file(wish: Wish, actual: Actual) -> None:
    assert block.split(whole(wish, actual).file)[1] == block.split(actual.file)[1]


@given(wishes(), actuals(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(wish: Wish, actual: Actual, random: t.Any) -> None:
    def shuffled(records: dict[int, t.Any]) -> dict[int, t.Any]:
        items = list(records.items())
        random.shuffle(items)
        return dict(items)

    other = replace(wish, pipes=shuffled(wish.pipes), queues=shuffled(wish.queues))
    assert plan(other, actual, 1) == plan(wish, actual, 1)


@given(wishes(), actuals())
def test_whatever_is_made_is_known_as_ours_from_before_it_exists(wish: Wish, actual: Actual) -> None:
    known = ours(actual)
    for step in steps_of(plan(wish, actual, 1)):
        if isinstance(step, Write):
            known = ours(Actual({}, step.content))
        else:
            assert isinstance(step, Run)
            kind, one, two, *_rest = step.command.argv[1:]
            assert (kind, int(two if one == "delete" else one)) in known


def wish_of(*pipes: Pipe, remove: bool = True) -> Wish:
    owners = {("pipe", pipe.number): "alice" for pipe in pipes}
    return Wish({pipe.number: pipe for pipe in pipes}, {}, owners, FIRST, LAST, "/etc/dnctl.conf", remove)


def test_what_is_in_use_by_somebody_else_is_refused_with_what_to_do() -> None:
    actual = Actual({("pipe", 11): Shown("1.000 Mbit/s", 0, "50 sl.")}, "")
    made = plan(wish_of(Pipe(11, 10**6), Pipe(12, 10**6)), actual, 1)
    assert made.refused == (
        (
            "alice",
            "pipe 11 is in use by somebody else (it is in force, but not in our part of /etc/dnctl.conf); "
            "delete it with `dnctl pipe delete 11`, or choose another range of numbers",
        ),
    )
    assert made.commands == ["write /etc/dnctl.conf", "dnctl pipe 12 config bw 1Mbit/s delay 0 queue 50"]


def test_what_is_no_longer_wanted_is_named_and_kept_until_it_may_go() -> None:
    before = do(steps_of(plan(wish_of(Pipe(11, 10**6), Pipe(12, 10**6)), Actual({}, ""), 1)), Actual({}, ""))
    kept = plan(wish_of(Pipe(11, 10**6), remove=False), before, 1)
    assert kept.notes == {"stale": ["pipe 12"]}
    after = do(steps_of(kept), before)
    assert ("pipe", 12) in after.flows
    gone = plan(wish_of(Pipe(11, 10**6)), after, 1)
    assert gone.commands == ["dnctl pipe delete 12"]
    assert gone.notes == {"stale": []}
    assert "12" not in whole(wish_of(Pipe(11, 10**6)), after).file


def test_what_could_not_be_deleted_is_known_as_ours_for_another_try() -> None:
    wish = wish_of(Pipe(11, 10**6))
    before = whole(wish_of(Pipe(11, 10**6), Pipe(12, 10**6)), Actual({}, ""))
    refused = do([step for step in steps_of(plan(wish, before, 1)) if isinstance(step, Write)], before)
    assert plan(wish, refused, 2).commands == ["dnctl pipe delete 12"]
    assert plan(wish, refused, 1).commands == ["dnctl pipe delete 12"]


def test_queues_go_before_the_pipes_that_carry_them() -> None:
    wish = replace(wish_of(Pipe(11, 10**6)), queues={12: Queue(12, 11, 5)})
    wish = replace(wish, owners={**wish.owners, ("queue", 12): "bob"})
    made = do(steps_of(plan(wish, Actual({}, ""), 1)), Actual({}, ""))
    commands = plan(wish_of(), made, 1).commands
    assert [command for command in commands if "delete" in command] == ["dnctl queue delete 12", "dnctl pipe delete 11"]
