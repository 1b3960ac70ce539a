# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from support.lab import Lab, Result

FILE = "/etc/dnctl.conf"
ALICE = {"number": 10034, "bandwidth": "2Mbit/s", "jail": "alice"}
BOB = {"number": 10036, "bandwidth": "100Mbit/s", "jail": "bob"}
QUEUE = {"number": 10040, "pipe": 10036, "weight": 20, "jail": "bob"}
WISH: dict[str, t.Any] = {"pipes": [ALICE, BOB], "queues": [QUEUE]}


@pytest.fixture
def shaped(lab: Lab) -> Lab:
    """Return a host with dummynet loaded, a pipe of somebody else's, and his boot file."""
    lab.run("kldload", "-n", "dummynet")
    lab.run("dnctl", "pipe", "7", "config", "bw", "1Mbit/s")
    lab.path(FILE).write_text("pipe 7 config bw 1Mbit/s\n")
    return lab


def in_force(lab: Lab) -> tuple[str, str]:
    return lab.run("dnctl", "pipe", "show"), lab.run("dnctl", "queue", "show")


def test_pipes_come_into_force_and_stay_as_they_are(shaped: Lab) -> None:
    result = shaped.converge("dummynet_pipes", **WISH)
    assert result["commands"] == [
        f"write {FILE}",
        "dnctl pipe 10034 config bw 2Mbit/s delay 0 queue 50",
        "dnctl pipe 10036 config bw 100Mbit/s delay 0 queue 50",
        "dnctl queue 10040 config pipe 10036 weight 20 queue 50",
    ]
    pipes, queues = in_force(shaped)
    assert "10034:   2.000 Mbit/s    0 ms" in pipes
    assert "q10040  50 sl. 0 flows (1 buckets) sched 10036 weight 20 " in queues


def test_pipes_come_back_at_boot(shaped: Lab) -> None:
    shaped.converge("dummynet_pipes", **WISH)
    before = in_force(shaped)
    shaped.run("kldunload", "dummynet")
    shaped.run("kldload", "dummynet")
    shaped.run("dnctl", FILE)
    assert in_force(shaped) == before
    assert not shaped.module("dummynet_pipes", **WISH)["changed"]


def flush(lab: Lab) -> None:
    lab.run("kldunload", "dummynet")
    lab.run("kldload", "dummynet")
    lab.run("dnctl", "pipe", "7", "config", "bw", "1Mbit/s")


def delete_pipe(lab: Lab) -> None:
    lab.run("dnctl", "pipe", "delete", "10034")


def delete_queue(lab: Lab) -> None:
    lab.run("dnctl", "queue", "delete", "10040")


def change_rate(lab: Lab) -> None:
    lab.run("dnctl", "pipe", "10034", "config", "bw", "1Gbit/s")


def change_delay(lab: Lab) -> None:
    lab.run("dnctl", "pipe", "10034", "config", "bw", "2Mbit/s", "delay", "100")


def lose_packets(lab: Lab) -> None:
    lab.run("dnctl", "pipe", "10034", "config", "bw", "2Mbit/s", "plr", "0.5")


def change_weight(lab: Lab) -> None:
    lab.run("dnctl", "queue", "10040", "config", "pipe", "10036", "weight", "99")


def move_queue(lab: Lab) -> None:
    lab.run("dnctl", "queue", "10040", "config", "pipe", "10034", "weight", "20")


def edit_file(lab: Lab) -> None:
    path = lab.path(FILE)
    path.write_text(path.read_text().replace("2Mbit/s", "3Mbit/s"))


DRIFTS = [
    flush,
    delete_pipe,
    delete_queue,
    change_rate,
    change_delay,
    lose_packets,
    change_weight,
    move_queue,
    edit_file,
]


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found_and_mended(shaped: Lab, drift: t.Callable[[Lab], None]) -> None:
    shaped.converge("dummynet_pipes", **WISH)
    wished, file = in_force(shaped), shaped.path(FILE).read_text()
    drift(shaped)
    assert shaped.converge("dummynet_pipes", **WISH)["changed"]
    assert [sorted(text.splitlines()) for text in in_force(shaped)] == [sorted(text.splitlines()) for text in wished]
    assert shaped.path(FILE).read_text() == file


def test_a_deleted_boot_file_makes_pipes_somebody_elses(shaped: Lab) -> None:
    shaped.converge("dummynet_pipes", **WISH)
    shaped.path(FILE).unlink()
    result = shaped.module("dummynet_pipes", **WISH)
    assert {error["name"] for error in result["errors"]} == {"alice", "bob"}
    assert "choose another range of numbers" in result["msg"]


def test_what_is_no_longer_wanted_stays_until_pf_does_not_name_it(shaped: Lab) -> None:
    shaped.converge("dummynet_pipes", **WISH)
    result = shaped.converge("dummynet_pipes", pipes=[ALICE], remove=False)
    assert result["stale"] == ["pipe 10036", "queue 10040"]
    assert "10036: 100.000" in in_force(shaped)[0]
    result = shaped.converge("dummynet_pipes", pipes=[ALICE])
    assert result["commands"] == ["dnctl queue delete 10040", "dnctl pipe delete 10036"]
    assert "10036" not in shaped.path(FILE).read_text()
    pipes, queues = in_force(shaped)
    assert ("10036" in pipes, "10040" in queues, "10034:" in pipes) == (False, False, True)


def test_what_somebody_else_made_stays(shaped: Lab) -> None:
    shaped.converge("dummynet_pipes", **WISH)
    shaped.converge("dummynet_pipes")
    assert in_force(shaped)[0].startswith("00007:   1.000 Mbit/s")
    assert shaped.path(FILE).read_text() == "pipe 7 config bw 1Mbit/s\n"


def test_a_number_in_use_by_somebody_else_is_refused_and_left_alone(shaped: Lab) -> None:
    shaped.run("dnctl", "pipe", "10034", "config", "bw", "9Mbit/s")
    for check in (True, False):
        result = shaped.module("dummynet_pipes", check=check, **WISH)
        ((name, why),) = [(error["name"], error["error"]) for error in result["errors"]]
        assert name == "alice"
        assert why.startswith("pipe 10034 is in use by somebody else")
    pipes = in_force(shaped)[0]
    assert ("10034:   9.000 Mbit/s" in pipes, "10036: 100.000 Mbit/s" in pipes) == (True, True)


@pytest.mark.parametrize("count", [5, 50])
def test_nothing_to_do_takes_two_processes(shaped: Lab, count: int) -> None:
    pipes = [{"number": 10000 + number, "bandwidth": "2Mbit/s"} for number in range(count)]
    shaped.module("dummynet_pipes", pipes=pipes)
    assert shaped.processes("dummynet_pipes", pipes=pipes) == 2


def test_without_the_kernel_module_it_fails_and_says_what(lab: Lab) -> None:
    result = lab.module("dummynet_pipes", **WISH)
    assert result["failed"]
    assert "dnctl pipe 10034 config" in result["msg"]
    lab.run("kldload", "dummynet")
    lab.converge("dummynet_pipes", **WISH)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pipes": [{**ALICE, "bandwidth": "2 megabits"}], "queues": []},
            "pipes: alice: 10034: bandwidth: '2 megabits'",
        ),
        ({"pipes": [{**ALICE, "number": 7}], "queues": []}, "pipes: alice: number: 7 is not within 10000 to 59999"),
        ({"pipes": [ALICE]}, "queues: 10040: pipe 10036 is not among pipes"),
        ({"pipes": [ALICE, BOB, ALICE]}, "pipes[2].number: 10034 stands already at pipes[0]"),
    ],
    ids=["rate", "range", "pipe", "twice"],
)
def test_bad_input_fails_before_anything_changes(shaped: Lab, changes: dict[str, t.Any], message: str) -> None:
    started = len(shaped.runner.ran)
    result: Result = shaped.module("dummynet_pipes", **{**WISH, **changes})
    assert result["failed"]
    assert message in result["msg"]
    assert len(shaped.runner.ran) == started


def test_check_mode_foretells_two_calls_of_which_the_second_removes(lab: Lab) -> None:
    lab.run("kldload", "dummynet")
    before, after = ([{"number": number, "bandwidth": rate} for number, rate in flows] for flows in BEFORE_AFTER)
    lab.module("dummynet_pipes", pipes=before)
    foretold = [
        lab.check("dummynet_pipes", pipes=after, remove=False),
        lab.check("dummynet_pipes", pipes=after, assumed=True),
    ]
    real = [
        lab.module("dummynet_pipes", pipes=after, remove=False),
        lab.module("dummynet_pipes", pipes=after),
    ]
    for key in ("commands", "before", "after"):
        assert [each[key] for each in foretold] == [each[key] for each in real]
    assert real[1]["commands"] == ["dnctl pipe delete 10001"]


BEFORE_AFTER = (
    [(10001, "1Mbit/s"), (10002, "2Mbit/s")],
    [(10002, "3Mbit/s"), (10003, "4Mbit/s")],
)
