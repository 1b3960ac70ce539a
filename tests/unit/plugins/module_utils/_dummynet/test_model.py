# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import (
    MOST_BANDWIDTH,
    MOST_DELAY,
    MOST_SLOTS,
    Pipe,
    Queue,
    wish,
)
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import parse_pipes
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.render import shown
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

DEFAULTS = {
    "pipes": [],
    "queues": [],
    "first": 10000,
    "last": 59999,
    "file": "/etc/dnctl.conf",
    "remove": True,
    "assumed": False,
}


def pipe(number: int = 10034, bandwidth: str = "10Mbit/s", **more: t.Any) -> dict[str, t.Any]:
    return {"number": number, "bandwidth": bandwidth, "delay": 0, "slots": 50, "jail": "alice", **more}


def queue(number: int = 10035, pipe: int = 10034, **more: t.Any) -> dict[str, t.Any]:
    return {"number": number, "pipe": pipe, "weight": 10, "slots": 50, "jail": None, **more}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pipes": [pipe(), pipe()]}, "pipes[1].number: 10034 stands already at pipes[0]; remove one"),
        (
            {"pipes": [pipe()], "queues": [queue(), queue()]},
            "queues[1].number: 10035 stands already at queues[0]; remove one",
        ),
        ({"first": 0}, "first, last: 0 to 59999 is no range of numbers within 1 to 65535"),
        ({"last": 65536}, "first, last: 10000 to 65536 is no range of numbers within 1 to 65535"),
        ({"first": 9, "last": 8}, "first, last: 9 to 8 is no range of numbers within 1 to 65535"),
        ({"pipes": [pipe(9999)]}, "pipes: alice: number: 9999 is not within 10000 to 59999"),
        ({"pipes": [pipe(60000, jail=None)]}, "pipes: number: 60000 is not within 10000 to 59999"),
        ({"pipes": [pipe()], "queues": [queue(9)]}, "queues: number: 9 is not within 10000 to 59999"),
        ({"queues": [queue()]}, "queues: 10035: pipe 10034 is not among pipes; add it there"),
        (
            {"pipes": [pipe(bandwidth="10Mb")]},
            "pipes: alice: 10034: bandwidth: '10Mb' is not a rate such as 512Kbit/s, 10Mbit/s or 1Gbit/s",
        ),
        (
            {"pipes": [pipe(bandwidth="5Gbit/s")]},
            "pipes: alice: 10034: bandwidth: 5000000000 is not within 0 to 4294967295",
        ),
        ({"pipes": [pipe(delay=10000)]}, "pipes: alice: 10034: delay: 10000 is not within 0 to 9999"),
        ({"pipes": [pipe(delay=-1)]}, "pipes: alice: 10034: delay: -1 is not within 0 to 9999"),
        ({"pipes": [pipe(slots=0)]}, "pipes: alice: 10034: slots: 0 is not within 1 to 100"),
        ({"pipes": [pipe(slots=101)]}, "pipes: alice: 10034: slots: 101 is not within 1 to 100"),
        ({"pipes": [pipe()], "queues": [queue(weight=0)]}, "queues: 10035: weight: 0 is not within 1 to 100"),
        ({"pipes": [pipe()], "queues": [queue(weight=101)]}, "queues: 10035: weight: 101 is not within 1 to 100"),
        ({"pipes": [pipe()], "queues": [queue(slots=101)]}, "queues: 10035: slots: 101 is not within 1 to 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_dummynet_could_not_carry_is_refused(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wish({**DEFAULTS, **changes})
    assert str(caught.value) == message


def test_lines_for_dnctl_are_complete() -> None:
    wished = wish({**DEFAULTS, "pipes": [pipe(delay=5)], "queues": [queue(slots=20)]})
    assert wished.pipes[10034].line == "pipe 10034 config bw 10Mbit/s delay 5 queue 50"
    assert wished.queues[10035].line == "queue 10035 config pipe 10034 weight 10 queue 20"


def printed(pipe: Pipe) -> str:
    """Print a pipe as ipfw's source does."""
    units = [(10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "Kbit/s"), (1, "bit/s")]
    factor, unit = next(((factor, unit) for factor, unit in units if pipe.bandwidth >= factor), (0, ""))
    rate = f"{pipe.bandwidth / factor:7.3f} {unit}" if factor else f"{'unlimited':14}"
    own = pipe.number + 131072
    return (
        f"{pipe.number:05}: {rate} {pipe.delay:4} ms burst 0 \n"
        f"q{own:05} {pipe.slots:3} sl. 0 flows (1 buckets) sched {own - 65536} weight 0 lmax 0 pri 0 droptail\n"
        f" sched {own - 65536} type FIFO flags 0x0 0 buckets 0 active\n"
    )


@given(
    st.builds(
        Pipe,
        number=st.integers(1, 65535),
        bandwidth=st.integers(0, MOST_BANDWIDTH) | st.sampled_from([999, 1000, 999999999, 10**9]),
        delay=st.integers(0, MOST_DELAY),
        slots=st.integers(1, MOST_SLOTS),
    )
)
def test_a_pipe_in_force_reads_as_it_was_wished(pipe: Pipe) -> None:
    assert parse_pipes(printed(pipe)) == {pipe.number: shown(pipe)}


def test_a_queue_in_force_differs_by_pipe_weight_and_length() -> None:
    queues = [Queue(1, 2, 3, 4), Queue(1, 9, 3, 4), Queue(1, 2, 9, 4), Queue(1, 2, 3, 9)]
    assert len({shown(queue) for queue in queues}) == len(queues)
