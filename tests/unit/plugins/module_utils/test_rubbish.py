# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that searches found parsers to have no answer for; `make fuzz` looks for more."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.parse import parse_delivered, parse_passwd
from ansible_collections.jailisp.vps.plugins.module_utils._disk.parse import parse_rooms, parse_sizes
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import numbers, parse_pipes, parse_queues
from ansible_collections.jailisp.vps.plugins.module_utils._hold import parse_holder
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_disks, parse_sources
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_ages, parse_jails, parse_mounts
from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import parse_note
from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import Traffic, parse_labels, parse_traffic
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.parse import parse_usage
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import journal
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.space import parse_spaces
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.tree import parse_listing
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.versions import order
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import number

# Python makes no number of so many digits.
HUGE = "9" * 5000
DEEP = "[" * 100 * sys.getrecursionlimit()
JAIL = {"name": "alice", "jid": "1", "path": "/jails/alice", "ip4.addr": ["192.168.1.17"]}
JOURNAL = json.loads(journal.render(journal.Journal(journal.KEPT, "15.0-RELEASE", "15.1-RELEASE", True, "1", 1)))
ROW = "q131073  50 sl. 0 flows (1 buckets) sched 65537 weight 0 lmax 0 pri 0 droptail"


def jls(**changes: t.Any) -> str:
    return json.dumps({"jail-information": {"jail": [JAIL | changes]}})


def read_journal(text: str) -> journal.Journal:
    return journal.parse(text, "alice.json")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_jails, DEEP),
        (parse_jails, jls(jid=HUGE)),
        (parse_jails, jls(jid=None)),
        (parse_jails, jls(name={})),
        (parse_jails, jls(name="a\0b")),
        (parse_jails, jls(path=1)),
        (parse_jails, jls(**{"ip4.addr": "192.168.1.17"})),
        (parse_jails, jls(**{"ip6.addr": [None]})),
        (parse_ages, f"{HUGE} 5\n"),
        (parse_mounts, "tank\n"),
        (parse_sources, "tank\n"),
        (parse_disks, f"md{HUGE}\tvnode\t4.0G\t/a.img\n"),
        (parse_pipes, f"00001: 10.000 Mbit/s {HUGE} ms burst 0\n"),
        # What is no whole number of bit/s could not be told of.
        (parse_pipes, "00001: 10.0.0 Mbit/s 0 ms burst 0\n"),
        (parse_pipes, "00001: 1.5 bit/s 0 ms burst 0\n"),
        (parse_pipes, ROW.replace("131073", HUGE)),
        (parse_queues, ROW.replace("65537", HUGE)),
        (lambda text: parse_sizes(text, ["/a"]), f"{HUGE}\t/a\n"),
        (lambda text: parse_rooms(text, ["/a"]), f"head\n/dev/x {HUGE} 1 1 1% /a\n"),
        (parse_spaces, "tank\t1\t1\n"),
        (parse_spaces, "\n"),
        (parse_listing, "-r--r--r-- 0 root wheel size Nov 23 22:02 ./bin/sh\n"),
        (parse_listing, f"-r--r--r-- 0 root wheel {HUGE} Nov 23 22:02 ./bin/sh\n"),
        (read_journal, DEEP),
        (read_journal, json.dumps(JOURNAL | {"kept": 1})),
        (read_journal, json.dumps(JOURNAL | {"state": ["done"]})),
        (read_journal, json.dumps(JOURNAL | {"begun": "1"})),
        (read_journal, json.dumps(JOURNAL | {"units": [["bin"]]})),
    ],
)
def test_what_is_not_known_is_an_error_of_its_own(parse: t.Callable[[str], t.Any], text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "found"),
    [
        (parse_delivered, DEEP, None),
        (parse_holder, DEEP, None),
        (parse_holder, '{"run": "a", "module": "b", "process": 1, "since": 1, "until": "2"}', None),
        (parse_holder, '{"run": "a", "module": "b", "process": 1, "since": 1, "until": 1e400}', None),
        (parse_holder, f'{{"run": "a", "module": "b", "process": 1, "since": 1, "until": {"9" * 30}}}', None),
        (parse_note, DEEP, None),
        (parse_passwd, "alice:*:\u0661:\u0661::0:0::/home/alice:/bin/sh\n", {}),
        (parse_traffic, DEEP, Traffic()),
        (parse_traffic, '{"sums": {"jail:alice": [1, 2]}}', Traffic()),
        (parse_traffic, '{"sums": {"jail:alice": [1e999, 0, 0, 0, 0]}}', Traffic()),
        (parse_labels, "\n", {}),
        (parse_labels, "jail:alice \u00b2 1 1 1 1 1 1 1\n", {}),
        (parse_labels, f"jail:alice {HUGE} 1 1 1 1 1 1 1\n", {}),
        (parse_usage, f"maxproc={HUGE}\n", {}),
        (lambda text: numbers([text]), f"pipe {HUGE} config", set()),
        (order, f"15.{HUGE}-RELEASE", ()),
        (number, HUGE, 0),
        (number, "\u0663", 0),
    ],
)
def test_what_may_be_damaged_or_hostile_says_nothing(parse: t.Callable[[str], t.Any], text: str, found: t.Any) -> None:
    assert parse(text) == found


def test_so_many_labels_take_so_many_sums() -> None:
    # Once the sums of all labels before it were copied for each.
    many = "".join(f"jail:a{label} 1 1 1 1 1 1 1 1\n" for label in range(300))
    calls = 0

    def count(*_arguments: t.Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        found = parse_labels(many)
    finally:
        sys.setprofile(None)
    assert len(found) == 300
    assert calls < 100 * 300
