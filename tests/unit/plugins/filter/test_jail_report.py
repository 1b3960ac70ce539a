# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What show.yml tells of a jail, from the answers of a host that was converged to the records."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.filter.jail_report import FilterModule
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import jails_parameters, limits
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.show_differences import differences
from model import connect
from model.host import Host
from support import network
from support.lab import Lab, copy

from .conftest import host as host_values
from .conftest import jail

jail_report = FilterModule().filters()["jail_report"]

PROJECT = Path(__file__).resolve().parents[4]
PUBLIC, OWN, CLIENT = "203.0.113.10", "203.0.113.20", "198.51.100.77"
PORTS = [
    {"protocol": "tcp", "address": PUBLIC, "port": 8017, "to": 22, "from": []},
    {"protocol": "udp", "address": PUBLIC, "port": [9000, 9009], "to": 9000, "from": ["192.0.2.0/24", "192.0.2.1"]},
]
CAPPED = {"up": 10_000_000, "down": 20_000_000, "weight": 10}

Values = dict[str, t.Any]


def alice(**changes: t.Any) -> Values:
    return jail("alice", 17, **{"rctl": {}, "publish": PORTS, "bandwidth": CAPPED, **changes})


@pytest.fixture
def host(lab: Lab, world: Path) -> Lab:
    """Return a host with the root of alice."""
    prepare(lab, world)
    return lab


def prepare(lab: Lab, world: Path) -> None:
    network.prepare(lab)
    copy(world, lab.path(alice()["path"]))


def converge(lab: Lab, record: Values) -> None:
    """Bring a host to the record."""
    network.converge(lab, host_values(), record)
    lab.module("rctl_rules", jails=limits([record]))
    lab.module("jails", jails=jails_parameters([record], "lo1"))


def answers(lab: Lab, name: str = "alice") -> dict[str, Values]:
    """Return what a host answers to show.yml."""
    return {
        "jail": lab.check("jail_info", names=[name]),
        "net": lab.check("net_info", names=[name]),
        "limits": lab.check("jail_host_info", folders=[], gather_subset=["limits"]),
        "disk": {"skipped": True},
        "used": {"stdout": lab.host.run(["rctl", "-u", f"jail:{name}"]).out},
    }


@pytest.fixture(scope="module")
def told(installed: Path, world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Values]:
    """Return what a host answers that was converged to the record of alice; not to be changed."""
    folder = tmp_path_factory.mktemp("converged") / "h1"
    copy(installed, folder)
    with pytest.MonkeyPatch.context() as patch:
        lab = Lab(Host(folder), patch)
        prepare(lab, world)
        converge(lab, alice())
        return answers(lab)


def changed(told: dict[str, Values], **changes: t.Any) -> dict[str, Values]:
    """Return the answers with others of jail_info."""
    return {**told, "jail": {"jails": {"alice": {**told["jail"]["jails"]["alice"], **changes}}}}


def rows(report: Values) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in report["rows"]:
        found.setdefault(row["name"], []).append(row["text"])
    return found


def screen(report: Values) -> list[str]:
    """Return the lines that show.yml prints."""
    loader = jinja2.FileSystemLoader(PROJECT / "playbooks" / "templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("show.j2").render(__show_report=report).splitlines()


def test_a_jail_as_its_record_says_is_told_on_one_screen(host: Lab) -> None:
    converge(host, alice())
    connect.connect(host.host, CLIENT, PUBLIC, "tcp", 8017)
    lines = screen(jail_report(alice(), answers(host)))
    assert lines[0] == "alice: customer alice, plan base, on h1"
    assert lines[3:9] == [
        "addresses    192.168.1.17",
        "reached at   tcp 203.0.113.10:8017 -> 22",
        "             udp 203.0.113.10:9000-9009 -> 9000-9009, only from 192.0.2.0/24, 192.0.2.1",
        "leaves as    203.0.113.10",
        "mail         may not send to port 25 of anybody",
        "line         up 10Mbit/s, down 20Mbit/s (pipes 10034 and 10035)",
    ]
    assert lines[10] == "connections  1 with the world, 0 on the host"
    assert lines[2].startswith("state        runs; its oldest process began ")
    assert lines[9].startswith("traffic      ")
    assert lines[-4:] == [
        "disk         4.00 GB sold; a directory is not measured here, disk.yml does",
        "release      15.1-RELEASE-p1 sold; its root says 15.1-RELEASE-p1",
        "",
        "Nothing differs from its record.",
    ]
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 24


def test_what_is_used_stands_beside_what_was_sold(told: dict[str, Values]) -> None:
    used = {"stdout": "memoryuse=268435456\nmaxproc=95\npcpu=12\nnshm=32\nnsem=3\nwallclock=7\n"}
    found = rows(jail_report(alice(), {**told, "used": used}))
    assert found["memory"] == ["256.00 MB of 512.00 MB"]
    assert found["processes"] == ["95 of 100, nearly used up"]
    assert found["processor"] == ["12% of 50%"]
    assert found["threads"] == ["1000"]
    assert found["nshm"] == ["32 of 32, nearly used up"]
    assert "nsem" not in found


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"state": "stopped"}, ["it runs, and by its record it is stopped"]),
        ({"address": "192.168.1.99"}, ["its addresses are 192.168.1.17, and by its record 192.168.1.99"]),
        (
            {"release": "15.2-RELEASE"},
            ["its root says that it holds 15.1-RELEASE-p1, and its record says 15.2-RELEASE"],
        ),
        ({"publish": PORTS[1:]}, ["tcp 203.0.113.10:8017 -> 22 is published, and not by its record"]),
        (
            {"publish": [*PORTS, {**PORTS[0], "port": 80, "to": 80}]},
            ["tcp 203.0.113.10:80 -> 80 is not published, and by its record it is"],
        ),
        (
            {"publish": [{**PORTS[0], "from": ["192.0.2.1/32"]}, PORTS[1]]},
            [
                "tcp 203.0.113.10:8017 -> 22 is published, and not by its record",
                "tcp 203.0.113.10:8017 -> 22 from 192.0.2.1 is not published, and by its record it is",
            ],
        ),
        ({"nat": OWN}, ["it leaves as 203.0.113.10, and by its record as 203.0.113.20"]),
        ({"bandwidth": {**CAPPED, "up": 5_000_000}}, ["it has 10Mbit/s up, and by its record 5Mbit/s"]),
        (
            {"bandwidth": {"up": None, "down": None, "weight": 10}},
            ["a pipe carries it up, and by its record a queue", "a pipe carries it down, and by its record a queue"],
        ),
        (
            {"rctl": {"nsem:deny": 65}},
            [
                "the limit jail:alice:nsem:deny=64 is in force, and not by its record",
                "the limit jail:alice:nsem:deny=65 is not in force, and by its record it is",
            ],
        ),
        ({"network": "vnet"}, ["it has no network stack of its own, and by its record the contrary"]),
    ],
)
def test_what_is_not_as_the_record_says_is_told(told: dict[str, Values], changes: Values, differs: list[str]) -> None:
    report = jail_report(alice(**changes), told)
    assert report["differs"] == differs
    assert [f"DIFFERS      {differs[0]}"] == [line for line in screen(report) if line.startswith("DIFFERS")]


@pytest.mark.parametrize(
    ("command", "differs"),
    [
        ("jail -r alice", "it does not run, and by its record it does"),
        ("pfctl -d", "pf is disabled: nothing is translated, published or kept apart"),
        ("kldunload -f pf", "pf is not loaded: nothing is translated, published or kept apart"),
        ("pfctl -F all", "the main rules of pf do not call the anchor: what it says has no effect"),
        ("dnctl pipe delete 10034", "the pipe 10034 is missing: pf drops what it is to carry (up)"),
        ("rctl -r jail:alice:nsem", "the limit jail:alice:nsem:deny=64 is not in force, and by its record it is"),
    ],
)
def test_what_somebody_undid_is_told(host: Lab, command: str, differs: str) -> None:
    converge(host, alice())
    host.run(*command.split())
    assert differs in jail_report(alice(), answers(host))["differs"]


@pytest.mark.parametrize(
    "changes",
    [
        {"bandwidth": {"up": None, "down": None, "weight": 30}},
        {"publish": [], "publish_all": True, "public": OWN},
        {"state": "stopped"},
        {"state": "suspended"},
        {"outgoing": {"smtp": True}, "allow_from": [{"network": "192.0.2.0/24", "port": 22}]},
        {"connections": {"states": 500, "rate": "20/5"}},
    ],
)
def test_a_host_that_was_converged_differs_in_nothing(host: Lab, changes: Values) -> None:
    converge(host, alice(**changes))
    assert jail_report(alice(**changes), answers(host))["differs"] == []


SOURCES = st.lists(st.sampled_from(["192.0.2.0/24", "198.51.100.7", "2001:db8:7::/48"]), max_size=2, unique=True)


@st.composite
def published(draw: st.DrawFn, number: int) -> list[Values]:
    """Return what a jail publishes: single ports and ranges, that no other jail has."""
    lengths = draw(st.lists(st.integers(1, 4), max_size=3))
    return [
        {
            "protocol": draw(st.sampled_from(["tcp", "udp"])),
            "address": draw(st.sampled_from([PUBLIC, "203.0.113.11"])),
            "port": first if length == 1 else [first, first + length - 1],
            "to": draw(st.integers(1, 60000)),
            "from": draw(SOURCES),
        }
        for first, length in zip(range(1000 * number, 1000 * number + 30, 10), lengths, strict=False)
    ]


@st.composite
def fleets(draw: st.DrawFn) -> list[Values]:
    """Return up to three jails of a host that publish, are shaped and are let out in any way."""
    free = {"up": None, "down": None, "weight": draw(st.integers(1, 100))}
    return [
        jail(
            f"j{number}",
            number,
            state=draw(st.sampled_from(["running", "stopped", "suspended"])),
            network=draw(st.sampled_from(["shared", "vnet"])),
            address6=draw(st.sampled_from([None, f"2001:db8:1::{number}"])),
            publish=draw(published(number)),
            bandwidth=draw(st.sampled_from([CAPPED, free])),
            outgoing={"smtp": draw(st.booleans())},
            **draw(st.sampled_from([{}, {"publish_all": True, "public": f"203.0.113.{number}"}])),
        )
        for number in range(21, 21 + draw(st.integers(1, 3)))
    ]


@pytest.fixture(scope="module")
def bare(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    """Return a host without jails, whose rules become now these, now those."""
    folder = tmp_path_factory.mktemp("bare") / "h1"
    copy(installed, folder)
    with pytest.MonkeyPatch.context() as patch:
        lab = Lab(Host(folder), patch)
        network.prepare(lab)
        yield lab


@settings(max_examples=30)
@given(fleets())
def test_rules_of_any_records_are_told_as_these_records_say(bare: Lab, jails: list[Values]) -> None:
    network.converge(bare, host_values(netblocks=["192.168.1.0/24", "2001:db8:1::/64"]), *jails)
    said = {"jail": {}, "net": bare.module("net_info", names=[each["name"] for each in jails]), "limits": {}}
    for each in jails:
        assert list(differences(each, said)) == []
        for entry in each["publish"]:
            less = {**each, "publish": [other for other in each["publish"] if other is not entry]}
            told = [text for text in differences(less, said) if "is published, and not by its record" in text]
            over_ipv4 = not entry["from"] or any(":" not in source for source in entry["from"])
            assert len(told) == int(over_ipv4 and each["state"] != "suspended")


def test_words_for_what_a_record_may_say(host: Lab) -> None:
    record = alice(
        publish_all=True, public=OWN, publish=[], outgoing={"smtp": True}, connections={"states": 500, "rate": None},
        bandwidth={"up": None, "down": None, "weight": 30}, allow_from=[{"network": "192.0.2.0/24", "port": 22}],
    )  # fmt: skip
    converge(host, record)
    found = rows(jail_report(record, answers(host)))
    assert found["reached at"] == [f"everything to {OWN}", "tcp 192.168.1.17:22, only from 192.0.2.0/24"]
    assert found["leaves as"] == [OWN]
    assert found["mail"] == ["may send to port 25"]
    assert found["line"] == ["its share by weight 30 of up 1Gbit/s, down 1Gbit/s (queues 10034 and 10035)"]
    assert found["connections"] == ["0 with the world (at most 500 by a rule), 0 on the host"]


def test_a_jail_that_does_not_run_is_told_with_what_was_sold(host: Lab) -> None:
    converge(host, alice(state="stopped"))
    found = rows(jail_report(alice(state="stopped"), {**answers(host), "used": {"skipped": True}}))
    assert found["state"] == ["does not run"]
    assert found["addresses"] == ["192.168.1.17 may pass once it runs"]
    assert (found["memory"], found["release"]) == (["512.00 MB"], ["15.1-RELEASE-p1 sold"])


def test_a_suspended_jail_is_told_without_a_network(host: Lab) -> None:
    converge(host, alice(state="suspended"))
    found = rows(jail_report(alice(state="suspended"), answers(host)))
    assert found["addresses"] == ["none may pass once it runs"]
    assert found["network"] == ["no rule lets anything to it, or out of it"]
    assert "mail" not in found


def test_of_several_limits_of_one_resource_the_one_that_denies_is_told(told: dict[str, Values]) -> None:
    record = alice(rctl={"memoryuse:log": 1 << 20, "memoryuse:devctl": 1 << 20})
    assert rows(jail_report(record, {**told, "used": {}}))["memory"] == ["512.00 MB"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"jails": {"alice": {"used": 1 << 30, "trouble": ""}}}, "1.00 GB of 4.00 GB"),
        ({"jails": {"alice": {"used": None, "trouble": "no dataset"}}}, "4.00 GB sold; no dataset"),
        ({"failed": True, "msg": "df"}, "4.00 GB sold; not measured"),
    ],
)
def test_a_dataset_is_measured(told: dict[str, Values], answer: Values, text: str) -> None:
    record = alice(dataset="tank/jails/alice")
    assert rows(jail_report(record, {**told, "disk": answer}))["disk"] == [text]


def test_what_the_host_could_not_answer_takes_nothing_from_the_rest(told: dict[str, Values]) -> None:
    silent = {**told, "net": {"failed": True, "msg": "`pfctl`\x1b[2J\nfailed"}}
    report = jail_report(alice(), silent)
    assert (report["trouble"], report["differs"]) == (["`pfctl`\\x1b[2J failed"], [])
    assert "reached at" not in rows(report)
    assert screen(report)[-1] == "NOT TOLD     `pfctl`\\x1b[2J failed"
    assert "release" in rows(report)


def test_nothing_that_a_customer_wrote_reaches_the_terminal_as_it_is(told: dict[str, Values]) -> None:
    text = "\n".join(screen(jail_report(alice(), changed(told, release="1\x1b[2J"))))
    assert "\x1b" not in text
    assert "1\\x1b[2J" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (61, "1 minute 1 second"),
        (7200, "2 hours"),
        (90061, "1 day 1 hour"),
        (86460, "1 day"),
    ],
)
def test_how_long_it_runs_is_told_in_two_units(told: dict[str, Values], seconds: int, text: str) -> None:
    assert rows(jail_report(alice(), changed(told, age=seconds)))["state"] == [
        f"runs; its oldest process began {text} ago"
    ]


def test_a_jail_of_nothing_but_its_parameters_runs_too(told: dict[str, Values]) -> None:
    report = jail_report(alice(), changed(told, age=None, ours=False))
    assert rows(report)["state"] == ["runs, without any process"]
    assert report["differs"] == ["it runs by somebody else's configuration"]
