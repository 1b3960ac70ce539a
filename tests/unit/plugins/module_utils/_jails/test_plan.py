# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import Jail, Wish
from ansible_collections.jailisp.vps.plugins.module_utils._jails.plan import Actual, plan
from ansible_collections.jailisp.vps.plugins.module_utils._jails.render import HEADER, kernel_parameters, render
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    InvalidDesired,
    Plan,
    Remove,
    Run,
    Step,
    Write,
    flat,
)

ALLOW = ["mount", "raw_sockets", "suser"]
NAMES = ["alice", "bob", "carol", "dave"]
STATES = ["running", "stopped", "suspended", "absent"]


def jail(name: str, **changes: t.Any) -> Jail:
    number = 17 + NAMES.index(name)
    made = Jail(
        name=name,
        path=f"/jails/{name}",
        hostname=name,
        state="running",
        interface="lo1",
        ip4=(f"192.168.1.{number}",),
        ip6=(),
        securelevel=2,
        enforce_statfs=2,
        devfs_ruleset=4,
        children_max=0,
        sysvipc="new",
        allow=frozenset({"suser"}),
        restart=False,
    )
    return replace(made, **changes)


def wish(*jails: Jail, **changes: t.Any) -> Wish:
    made = Wish({each.name: each for each in jails}, "/etc/jail.conf.d", 8, 120, 10, most_removals=len(NAMES))
    return replace(made, **changes)


def running(jail: Jail, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": jail.name,
        "jid": "1",
        "path": jail.path,
        "persist": False,
        **kernel_parameters(jail, ALLOW),
        **changes,
    }


def at_rest(wish: Wish) -> Actual:
    """Return a host that is as wished."""
    runs = [each for each in wish.jails.values() if each.runs]
    return Actual(
        running={each.name: running(each) for each in runs},
        files={each.name: render(each, ALLOW, wish) for each in runs},
        allow=ALLOW,
        interfaces={"lo1": {address for each in runs for address in (*each.ip4, *each.ip6)}},
        mounts=[("devfs", f"{each.path}/dev") for each in runs],
    )


ALICE = jail("alice")
WISH = wish(ALICE)
REST = at_rest(WISH)
START, STOP = "jail -p 8 -f - -c", "jail -p 8 -f - -r alice"
FILE = "/etc/jail.conf.d/alice.conf"


def on(**changes: t.Any) -> Actual:
    return replace(REST, **changes)


@pytest.mark.parametrize(
    ("wished", "actual", "commands"),
    [
        pytest.param(ALICE, REST, [], id="as wished"),
        pytest.param(ALICE, at_rest(wish()), [f"write {FILE}", START], id="new"),
        pytest.param(ALICE, on(running={}, mounts=[]), [START], id="stopped by hand"),
        pytest.param(ALICE, on(running={}), ["umount /jails/alice/dev", START], id="left its devices mounted"),
        pytest.param(
            ALICE,
            on(running={}, mounts=REST.mounts * 2),
            ["umount /jails/alice/dev", "umount /jails/alice/dev", START],
            id="left its devices mounted twice",
        ),
        pytest.param(ALICE, on(files={}), [f"write {FILE}"], id="file deleted"),
        pytest.param(ALICE, on(files={"alice": HEADER + "x"}), [f"write {FILE}"], id="file edited"),
        pytest.param(
            ALICE,
            on(running={"alice": running(ALICE, securelevel="1", **{"allow.mount": True})}),
            ["jail -m name=alice allow.mount=0 securelevel=2"],
            id="changed by hand",
        ),
        pytest.param(
            ALICE,
            on(interfaces={"lo1": set()}),
            ["ifconfig lo1 inet 192.168.1.17/32 alias"],
            id="alias removed",
        ),
        pytest.param(
            replace(ALICE, ip4=("192.168.1.99",)),
            REST,
            [
                "ifconfig lo1 inet 192.168.1.99/32 alias",
                "jail -m name=alice ip4.addr=192.168.1.99",
                "ifconfig lo1 inet 192.168.1.17 -alias",
                f"write {FILE}",
            ],
            id="other address",
        ),
        pytest.param(
            replace(ALICE, ip4=("192.168.1.99",)),
            on(
                running={"alice": running(ALICE, **{"ip4.addr": ["192.168.1.99"]})},
                interfaces={"lo1": {"192.168.1.17", "192.168.1.99"}},
            ),
            ["ifconfig lo1 inet 192.168.1.17 -alias", f"write {FILE}"],
            id="other address, cut off before the old one went",
        ),
        pytest.param(
            replace(ALICE, ip6=("2001:db8::1",)),
            REST,
            [
                "ifconfig lo1 inet6 2001:db8::1/128 alias",
                "jail -m name=alice ip6.addr=2001:db8::1",
                f"write {FILE}",
            ],
            id="one more address",
        ),
        pytest.param(replace(ALICE, state="stopped"), REST, [STOP, f"remove {FILE}"], id="stopped"),
        pytest.param(replace(ALICE, state="suspended"), REST, [STOP, f"remove {FILE}"], id="suspended"),
        pytest.param(replace(ALICE, state="absent"), REST, [STOP, f"remove {FILE}"], id="absent"),
        pytest.param(replace(ALICE, state="stopped"), at_rest(wish()), [], id="stopped already"),
        pytest.param(replace(ALICE, path="/other"), REST, [], id="needs a restart that is not allowed"),
        pytest.param(
            replace(ALICE, path="/other", restart=True),
            REST,
            [STOP, f"write {FILE}", START],
            id="needs a restart that is allowed",
        ),
    ],
)
def test_first_plans(wished: Jail, actual: Actual, commands: list[str]) -> None:
    made = plan(wish(wished), actual, 1)
    assert made.commands == commands
    assert bool(made.changes) == bool(commands) or commands == ["ifconfig lo1 inet 192.168.1.17/32 alias"]


def test_what_needs_a_restart_is_named_and_nothing_of_it_begun() -> None:
    made = plan(wish(replace(ALICE, path="/other", hostname="other")), REST, 1)
    assert (made.steps, made.changes, made.notes["pending_restart"]) == ((), (), {"alice": ["path"]})


def test_a_jail_is_stopped_by_the_configuration_that_it_was_started_with() -> None:
    old = HEADER + "alice { path = /old; }\n"
    (stop, *_rest) = flat(plan(wish(replace(ALICE, state="stopped")), on(files={"alice": old}), 1).steps)
    assert isinstance(stop, Run)
    assert stop.command.stdin == old


def test_what_would_not_stop_is_removed_and_its_traces_with_it() -> None:
    made = plan(wish(replace(ALICE, state="stopped")), REST, 2)
    assert made.commands == [
        "jail -R alice",
        "umount /jails/alice/dev",
        "ifconfig lo1 inet 192.168.1.17 -alias",
        f"remove {FILE}",
    ]


def test_starts_and_stops_are_one_process_each() -> None:
    wished = [jail("alice", state="stopped"), jail("bob", state="absent"), jail("carol"), jail("dave")]
    commands = plan(wish(*wished), at_rest(wish(*map(jail, NAMES[:2]))), 1).commands
    assert [command for command in commands if command.startswith("jail ")] == ["jail -p 8 -f - -r alice bob", START]


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        pytest.param(
            on(files={"alice": "alice { }\n"}),
            f"{FILE} is somebody else's (it does not begin with our first line)",
            id="file",
        ),
        pytest.param(
            on(files={}, running={"alice": running(ALICE, path="/theirs")}),
            "a jail of this name runs at /theirs and is somebody else's",
            id="jail",
        ),
    ],
)
@pytest.mark.parametrize("state", STATES)
def test_what_is_somebody_elses_is_refused_and_left_alone(actual: Actual, reason: str, state: str) -> None:
    made = plan(wish(replace(ALICE, state=state)), actual, 1)
    ((name, why),) = made.refused
    assert (name, made.steps, made.changes) == ("alice", (), ())
    assert why.startswith(reason)


def test_somebody_elses_jail_does_not_stop_ours() -> None:
    made = plan(wish(ALICE, jail("bob")), on(files={**REST.files, "bob": "bob { }\n"}, running={}, mounts=[]), 1)
    assert [name for name, why in made.refused] == ["bob"]
    assert made.commands == [START]


def test_more_removals_than_allowed_are_an_accident() -> None:
    rest = at_rest(wish(*map(jail, NAMES)))
    gone = [jail(name, state="absent") for name in NAMES]
    with pytest.raises(InvalidDesired, match=r"4 of them would become absent at once \(alice, bob, carol, dave\)"):
        plan(wish(*gone, most_removals=3), rest, 1)
    assert plan(wish(*gone, most_removals=4), rest, 1).steps
    # Those that are gone already do not count, nor does whoever is only stopped.
    assert plan(wish(*gone, most_removals=0), at_rest(wish()), 1).steps == ()
    assert plan(wish(*[jail(name, state="stopped") for name in NAMES], most_removals=0), rest, 1).steps


def test_an_empty_list_removes_nobody() -> None:
    made = plan(wish(), REST, 1)
    assert (made.steps, made.notes["unlisted"]) == ((), ["alice"])


def test_a_jail_that_has_its_address_from_another_does_not_lose_it() -> None:
    rest = at_rest(wish(*map(jail, NAMES[:2])))
    swapped = [jail("alice", ip4=jail("bob").ip4), jail("bob", ip4=jail("alice").ip4)]
    assert [command for command in plan(wish(*swapped), rest, 1).commands if "alias" in command] == []


def test_an_address_that_somebody_elses_jail_has_too_stays() -> None:
    theirs = {"name": "theirs", "jid": "9", "path": "/theirs", "ip4.addr": ["192.168.1.17"], "ip6.addr": []}
    made = plan(wish(replace(ALICE, ip4=())), on(running={**REST.running, "theirs": theirs}), 1)
    assert [command for command in made.commands if "alias" in command] == []


# Laws -----------------------------------------------------------------------------------------------------------------

JAILS = [
    st.builds(
        jail,
        st.just(name),
        state=st.sampled_from(STATES),
        path=st.sampled_from([f"/jails/{name}", f"/other/{name}"]),
        ip4=st.sampled_from([(f"192.168.1.{17 + number}",), (), (f"192.168.2.{number}", f"192.168.3.{number}")]),
        securelevel=st.integers(1, 2),
        allow=st.sampled_from([frozenset(), frozenset({"suser"}), frozenset({"mount", "raw_sockets"})]),
        restart=st.booleans(),
    )
    for number, name in enumerate(NAMES)
]
WISHES = st.tuples(*[st.none() | one for one in JAILS]).map(lambda jails: wish(*[one for one in jails if one]))


@st.composite
def actuals(draw: st.DrawFn) -> Actual:
    """Draw a host on which some other wish came true, and then some things happened."""
    rest = at_rest(draw(WISHES))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        rest.running.pop(name, None)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        rest.files.pop(name, None)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=1)):
        rest.files[name] = f"{name} {{ somebody: else's; }}\n"
    return rest


def do(steps: t.Iterable[Step], wish: Wish, actual: Actual) -> Actual:
    """Do steps as a host would."""
    now = replace(actual, running=dict(actual.running), files=dict(actual.files), mounts=list(actual.mounts))
    for step in steps:
        if isinstance(step, Write | Remove):
            name = step.path.split("/")[-1].removesuffix(".conf")
            now.files[name] = step.content if isinstance(step, Write) else ""
            if isinstance(step, Remove):
                del now.files[name]
            continue
        assert isinstance(step, Run)
        run(step, wish, now)
    return now


def run(step: Run, wish: Wish, now: Actual) -> None:
    match step.command.argv:
        case ("jail", _p, _n, _f, _stdin, "-c"):
            for name in step.serves:
                each = wish.jails[name]
                now.running[name] = running(each)
                now.interfaces["lo1"].update(each.ip4)
                now.mounts.append(("devfs", f"{each.path}/dev"))
        case ("jail", _p, _n, _f, _stdin, "-r", *names):
            for name in names:
                old = now.running.pop(name)
                now.interfaces["lo1"].difference_update(old["ip4.addr"])
                now.mounts.remove(("devfs", f"{old['path']}/dev"))
        case ("jail", "-m", subject, *pairs):
            name = subject.removeprefix("name=")
            kernel = kernel_parameters(wish.jails[name], ALLOW) | {"persist": False}
            now.running[name] |= {pair.partition("=")[0]: kernel[pair.partition("=")[0]] for pair in pairs}
        case ("ifconfig", "lo1", _family, address, "alias"):
            now.interfaces["lo1"].add(address.partition("/")[0])
        case ("ifconfig", "lo1", _family, address, "-alias"):
            now.interfaces["lo1"].remove(address)
        case ("umount", point):
            now.mounts.remove(("devfs", point))
        case _:
            raise AssertionError(step)


def steps_of(made: Plan) -> list[Step]:
    return list(flat(made.steps))


@given(WISHES, actuals())
def test_after_a_plan_nothing_is_left_to_do(wish: Wish, actual: Actual) -> None:
    first = plan(wish, actual, 1)
    second = plan(wish, do(steps_of(first), wish, actual), 2)
    assert second.commands == []
    assert second.changes == ()
    assert second.refused == first.refused
    assert second.notes["pending_restart"] == first.notes["pending_restart"]


@given(WISHES, actuals())
def test_nothing_happens_to_jails_that_are_not_given_or_not_ours(wish: Wish, actual: Actual) -> None:
    untouched = (set(NAMES) - wish.jails.keys()) | {name for name, why in plan(wish, actual, 1).refused}
    for attempt in (1, 2):
        for step in steps_of(plan(wish, actual, attempt)):
            assert not untouched & {step.subject, *getattr(step, "serves", ())}


@given(WISHES, actuals(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter_to_the_end(wish: Wish, actual: Actual, random: t.Any) -> None:
    items = list(wish.jails.items())
    random.shuffle(items)
    other = replace(wish, jails=dict(items))
    assert sorted(plan(other, actual, 1).commands, key=_words) == sorted(plan(wish, actual, 1).commands, key=_words)


def _words(command: str) -> str:
    """The names behind one command for several jails come in the order of the records."""
    return " ".join(sorted(command.split()))


@pytest.mark.parametrize("now", [{}, {"devfs_ruleset": "4"}, {"path": "/elsewhere", "devfs_ruleset": "12"}])
def test_a_jail_does_not_get_a_ruleset_that_hides_nothing(now: dict[str, str]) -> None:
    alice, bob = jail("alice", devfs_ruleset=12), jail("bob")
    wished = wish(alice, bob)
    actual = at_rest(wished)
    actual.running.pop("bob")
    found = running(alice, **now)
    actual.running.pop("alice")
    actual = replace(actual, empty_rulesets=frozenset({12}), running={"alice": found} if now else {})
    planned = plan(wished, actual, 1)
    assert [name for name, reason in planned.refused] == ["alice"]
    assert "devfs_ruleset: 12 holds no rules" in planned.refused[0][1]
    assert "alice" not in "".join(
        f"{each} {getattr(each, 'command', Command(())).stdin}" for each in flat(planned.steps)
    )
    assert ("bob",) in {getattr(each, "serves", ()) for each in flat(planned.steps)}


@pytest.mark.parametrize("changes", [{}, {"state": "stopped"}])
def test_a_jail_that_takes_no_ruleset_is_not_judged_by_it(changes: dict[str, str]) -> None:
    wished = wish(jail("alice", devfs_ruleset=12, **changes))
    assert plan(wished, replace(at_rest(wished), empty_rulesets=frozenset({12})), 1).refused == ()


def test_an_allow_parameter_that_the_kernel_does_not_have_is_refused() -> None:
    wished = wish(jail("alice", allow=frozenset({"suser", "mount.zfs"})), jail("bob"))
    planned = plan(wished, Actual({}, {}, ALLOW, {}, []), 1)
    ((name, reason),) = planned.refused
    assert (name, reason.partition(";")[0]) == ("alice", "allow: this host's kernel has no allow.mount.zfs")
