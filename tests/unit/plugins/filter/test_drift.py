# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.filter.drift import FilterModule
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import (
    accounts,
    datasets,
    jails_parameters,
    limits,
    worlds,
)
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes
from model.host import Host
from support.lab import Lab, copy

drift = FilterModule().filters()["drift"]

ROOT, IMAGES, NEIGHBOURHOOD = "/usr/local/jails/h1", "/var/jail-images", "/jails/n1"
RELEASE = "15.1-RELEASE-p1"
LINK = {"up": 10**9, "down": 10**9}
VPS_HOST = {
    "interface": "vtnet0",
    "interfaces": [],
    "addresses": ["203.0.113.10"],
    "own_addresses": ["203.0.113.10"],
    "netblocks": ["192.168.1.0/24"],
    "services": [],
    "blocked": [],
    "jail_interface": "lo1",
    "link": LINK,
    "bridge": "bridge0",
    "gateways": ["192.168.1.1"],
}
VARIABLES = {
    "vps_host": VPS_HOST,
    "vps_interface": "vtnet0",
    "vps_addresses": ["203.0.113.10"],
    "vps_storage": "directory",
}
SETTINGS = {
    "interfaces": ["lo1"],
    "kernel_modules": ["pf", "dummynet"],
    "sysctl": {"security.bsd.see_other_uids": "0"},
    "files": [{"path": "/etc/rc.conf.d/pf", "content": 'pf_enable="YES"'}],
}

CUSTOMERS = {name: {"user": name, "password": None, "keys": [f"ssh-ed25519 AAAA {name}"]} for name in ("alice", "bob")}

Values = dict[str, t.Any]
# Kind, name, where.
Row = tuple[str, str, str]


class Compared(Lab):
    """A host that holds what its records say, and its comparison with them."""

    jails: list[Values]

    def modules(self) -> dict[str, tuple[str, Values]]:
        """Return the modules that the roles call, by the variable of their result, with their parameters."""
        jails, releases = self.jails, {RELEASE: {"archive": "/var/base.txz", "sha256": "0" * 64}}
        return {
            "__host_settings": ("host_settings", SETTINGS),
            "__host_daemons": ("host_daemons", {"addresses": ["203.0.113.10"]}),
            "__storage_folder": ("jail_folders", {"root": ROOT}),
            "__world_result": ("jail_worlds", {"worlds": worlds(jails), "releases": releases}),
            "__world_accounts": ("jail_accounts", {"roots": "fresh", "accounts": accounts(jails, CUSTOMERS)}),
            "__shaping_result": ("dummynet_pipes", {**pipes(jails, LINK), "remove": False}),
            "__network_result": ("pf_anchor", pf_rules(jails, VPS_HOST)),
            "__limits_result": ("rctl_rules", {"jails": limits(jails)}),
            "__jails_result": ("jails", {"jails": jails_parameters(jails, "lo1")}),
            "__jails_accounts": ("jail_accounts", {"roots": "running", "accounts": accounts(jails, CUSTOMERS)}),
        }

    def converge_all(self) -> None:
        """Converge the host."""
        for name, parameters in self.modules().values():
            result = self.module(name, **parameters)
            assert not result.get("failed"), result["msg"]

    def answers(self) -> Values:
        """Return the host's variables after drift.yml asked it."""
        told = {key: self.module(name, check=True, **parameters) for key, (name, parameters) in self.modules().items()}
        return {
            **VARIABLES,
            "jails": self.jails,
            "__drift_found": self.module("jail_host_info", folders=[ROOT, NEIGHBOURHOOD], images=IMAGES),
            "__storage_result": {"skipped": True, "changed": False},
            "__storage_images": {"skipped": True, "changed": False},
            **told,
        }

    def report(self) -> dict[str, list[Values]]:
        """Return the whole comparison."""
        return t.cast(dict[str, list[Values]], drift(["h1"], {"h1": self.answers()}))

    def found(self) -> list[Row]:
        """Return the differences, with nothing that could not be asked."""
        report = self.report()
        assert report["unasked"] == []
        return [(row["kind"], row["name"], row["where"]) for row in report["differences"]]


@pytest.fixture(scope="module")
def converged(installed: Path, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a host with everything of two jails on it, of which bob is stopped; to be copied."""
    directory = tmp_path_factory.mktemp("converged") / "h1"
    copy(installed, directory)
    for name in ("alice", "bob"):
        copy(world, directory / "root" / ROOT.lstrip("/") / name)
    with pytest.MonkeyPatch.context() as patch:
        lab = Compared(Host(directory), patch)
        lab.jails = [record("alice", 17), record("bob", 18, state="stopped")]
        lab.converge_all()
    return directory


def record(name: str, number: int, **changes: t.Any) -> Values:
    """Return a resolved jail."""
    return {
        "name": name,
        "id": number,
        "address": f"192.168.1.{number}",
        "address6": None,
        "hostname": f"{name}.example.net",
        "network": "shared",
        "state": "running",
        "path": f"{ROOT}/{name}",
        "release": RELEASE,
        "restart": False,
        "image": None,
        "dataset": None,
        "customer": name,
        "limits": {"disk": 2**30, "memory": 2**29, "processes": 100, "cpu": 50},
        "rctl": {},
        "publish": [{"protocol": "tcp", "address": "203.0.113.10", "port": 8000 + number, "to": 22, "from": []}],
        "public": None,
        "publish_all": False,
        "nat": "203.0.113.10",
        "allow_from": [],
        "outgoing": {"smtp": False},
        "connections": {"states": None, "rate": None},
        "bandwidth": {"up": 10_000_000, "down": 20_000_000, "weight": 10},
        "parameters": {"securelevel": 2, "devfs_ruleset": 4, "sysvipc": "new"},
        **changes,
    }


@pytest.fixture
def h1(converged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compared:
    """Return the host, to be changed by hand."""
    directory = tmp_path / "h1"
    copy(converged, directory)
    lab = Compared(Host(directory), monkeypatch)
    lab.jails = [record("alice", 17), record("bob", 18, state="stopped")]
    return lab


def test_nothing_differs_after_converging(h1: Compared) -> None:
    assert h1.report() == {"differences": [], "foreign": [], "unasked": []}


TAMPERING: dict[str, tuple[str, list[Row]]] = {
    "a jail was stopped": ("jail -f /etc/jail.conf.d/alice.conf -r alice", [("jail", "alice", "git only")]),
    "a stopped jail was started": (
        f"jail -c name=bob path={ROOT}/bob persist",
        [("jail", "bob", "differs")],
    ),
    "a running jail was changed": ("jail -m name=alice allow.raw_sockets=1", [("jail", "alice", "differs")]),
    "a jail's file was edited": (
        "echo '# x' >> /etc/jail.conf.d/alice.conf",
        [("file", "/etc/jail.conf.d/alice.conf", "differs")],
    ),
    "a jail's file was removed": (
        "rm /etc/jail.conf.d/alice.conf",
        [("file", "/etc/jail.conf.d/alice.conf", "git only")],
    ),
    "a file of ours has no record": (
        "cp /etc/jail.conf.d/alice.conf /etc/jail.conf.d/left.conf",
        [("jail", "left", "host only")],
    ),
    "a jail without a record runs among ours": (
        f"mkdir {ROOT}/wild && jail -c name=wild path={ROOT}/wild persist",
        [("jail", "wild", "host only"), ("world", "wild", "host only")],
    ),
    "a folder lies among the roots": (f"mkdir {ROOT}/nobody", [("world", "nobody", "host only")]),
    "the folder of the roots was opened": (f"chmod 755 {ROOT}", [("folder", ROOT, "differs")]),
    "a root is gone": (f"mv {ROOT}/bob /var/bob", [("world", "bob", "git only")]),
    "a root says another release": (
        f"sed -i '' s/15.1-RELEASE/14.0-RELEASE/ {ROOT}/bob/bin/freebsd-version",
        [("world", "bob", "differs")],
    ),
    "the rules were flushed": (
        "pfctl -a jailisp -F rules",
        [("pf", "jailisp", "git only")],
    ),
    "a rule was added to the anchor's file": (
        "echo 'pass all' >> /etc/pf.anchors/jailisp.conf",
        [("file", "/etc/pf.anchors/jailisp.conf", "differs")],
    ),
    "an address was added to our table": (
        "pfctl -a jailisp -t jails -T add 192.0.2.9",
        [("pf", "jailisp", "host only")],
    ),
    "a table was added to our anchor": ("pfctl -a jailisp -t extra -T add 192.0.2.9", [("pf", "<extra>", "host only")]),
    "an anchor was added below ours": (
        "echo 'block drop all' | pfctl -a jailisp/sub -f -",
        [("pf", "jailisp/sub", "host only")],
    ),
    "our anchor is no longer called": ("pfctl -F rules", [("pf", "main rules in force", "git only")]),
    "pf was disabled": ("pfctl -d", [("pf", "pf", "differs")]),
    "a pipe was changed": ("dnctl pipe 10034 config bw 1Kbit/s", [("pipe", "10034", "differs")]),
    "a pipe was deleted": ("dnctl pipe delete 10034", [("pipe", "10034", "git only")]),
    "a pipe was added to our range": ("dnctl pipe 20000 config bw 1Kbit/s", [("pipe", "20000", "host only")]),
    "a queue was added to our range": (
        "dnctl queue 20000 config pipe 10034 weight 2",
        [("queue", "20000", "host only")],
    ),
    "the boot file of the pipes was edited": (
        "sed -i '' /1003[45]/d /etc/dnctl.conf",
        [("pipe", "alice", "differs")],
    ),
    "a limit was set": ("rctl -a jail:alice:maxproc:deny=10", [("rctl", "alice", "differs")]),
    "a limit was added": ("rctl -a jail:alice:maxproc:log=10", [("rctl", "alice", "host only")]),
    "the limits were removed": ("rctl -r jail:alice", [("rctl", "alice", "git only")]),
    "the boot file of the limits was emptied": (
        ": > /etc/rctl.conf",
        [("rctl", "alice at boot", "git only"), ("file", "/etc/rctl.conf", "differs")],
    ),
    "the note of what a customer was given is gone": (
        "rm /var/db/jailisp/accounts/alice",
        [("account", "alice", "git only"), ("file", "/var/db/jailisp/accounts/alice", "differs")],
    ),
    "sshd answers everywhere": (
        "sed -i '' /ListenAddress/d /etc/ssh/sshd_config; service sshd reload",
        [("daemon", "sshd", "differs"), ("file", "/etc/ssh/sshd_config", "differs")],
    ),
    "a value was changed": (
        "sysctl security.bsd.see_other_uids=1",
        [("sysctl", "security.bsd.see_other_uids", "differs")],
    ),
    "a setting was removed": ("rm /etc/rc.conf.d/pf", [("file", "/etc/rc.conf.d/pf", "git only")]),
    "somebody else has his own things": (
        "dnctl pipe 5 config bw 1Kbit/s; rctl -a jail:theirs:maxproc:deny=10; pfctl -a theirs -t x -T add 192.0.2.9",
        [],
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_what_was_changed_by_hand_is_found(h1: Compared, what: str) -> None:
    command, rows = TAMPERING[what]
    h1.run("sh", "-c", command)
    found = h1.found()
    assert set(rows) <= set(found), found
    assert {row[0] for row in found} <= {row[0] for row in rows}, found


def test_every_rule_that_differs_is_told(h1: Compared) -> None:
    h1.run("pfctl", "-a", "jailisp", "-f", "-", stdin="table <jails> persist { 192.168.1.17 }\npass all\n")
    details = {(row["where"], row["detail"]) for row in h1.report()["differences"]}
    assert ("host only", "pass all flags S/SA keep state") in details
    assert ("git only", "<jails> 192.168.1.0/24") in details
    assert ("git only", "block drop quick on lo from <jails> to any") in details


def test_every_limit_that_differs_is_told(h1: Compared) -> None:
    h1.run("rctl", "-a", "jail:alice:maxproc:deny=10", "jail:alice:nthr:log=5")
    h1.run("rctl", "-r", "jail:bob:nshm")
    assert [row for row in h1.report()["differences"] if row["kind"] == "rctl"] == [
        {
            "host": "h1",
            "kind": "rctl",
            "name": "alice",
            "where": "differs",
            "detail": "host: maxproc:deny=10, nthr:log=5; git: maxproc:deny=100",
        },
        {"host": "h1", "kind": "rctl", "name": "bob", "where": "git only", "detail": "git: nshm:deny=32"},
    ]


def test_jails_of_others_are_told_of_and_no_difference(h1: Compared, world: Path) -> None:
    copy(world, h1.path("/theirs"))
    h1.run("jail", "-c", "name=theirs", "path=/theirs", "persist")
    report = h1.report()
    assert report["differences"] == []
    assert report["foreign"] == [{"host": "h1", "name": "theirs", "detail": "runs at /theirs"}]


def test_what_an_earlier_record_left_is_told_once(h1: Compared) -> None:
    del h1.jails[1]
    rows = h1.found()
    assert ("pipe", "10036", "host only") in rows
    assert ("world", "bob", "host only") in rows
    assert len(rows) == len(set(rows))


def test_a_root_whose_record_names_another_host_says_so(h1: Compared) -> None:
    answers = h1.answers()
    h2 = {**answers, "jails": [record("wild", 30)], "__drift_found": {"unreachable": True, "msg": "no route"}}
    h1.path(f"{ROOT}/wild").mkdir()
    report = drift(["h2", "h1"], {"h1": h1.answers(), "h2": h2})
    assert [(row["name"], row["detail"]) for row in report["differences"]] == [
        ("wild", f"{ROOT}/wild is empty, its record says h2")
    ]
    assert report["unasked"] == [{"host": "h2", "detail": "no route"}]


def test_a_root_in_another_neighbourhood_than_its_record_says_is_told(h1: Compared) -> None:
    h1.path(f"{NEIGHBOURHOOD}/alice/etc").mkdir(parents=True)
    h1.path(f"{NEIGHBOURHOOD}/nobody").mkdir()
    details = [row["detail"] for row in h1.report()["differences"]]
    assert details == [
        f"{NEIGHBOURHOOD}/alice is there, its record says {ROOT}/alice",
        f"{NEIGHBOURHOOD}/nobody is empty, no record",
    ]


@pytest.mark.parametrize("state", ["absent", "stopped"])
def test_a_jail_that_must_not_run_but_does_is_told(h1: Compared, state: str) -> None:
    h1.jails[0]["state"] = state
    (row,) = [row for row in h1.report()["differences"] if row["kind"] == "jail"]
    assert (row["where"], "runs" in row["detail"] or "running" in row["detail"]) == (
        "host only" if state == "absent" else "differs",
        True,
    )


def test_a_hostile_name_is_escaped_and_not_a_template(h1: Compared) -> None:
    h1.path(f"{ROOT}/\x1b[2J\n{{{{ 1 + 1 }}}}").mkdir()
    (row,) = h1.report()["differences"]
    assert row["name"] == "\\x1b[2J\\n{{ 1 + 1 }}"
    assert row["detail"].isprintable()


def test_a_host_name_that_a_jail_took_is_escaped(h1: Compared) -> None:
    answers = h1.answers()
    answers["__jails_result"] |= {
        "before": {"jail alice": {"host.hostname": "a\x1b[2J"}},
        "after": {"jail alice": {"host.hostname": "alice"}},
    }
    (row,) = drift(["h1"], {"h1": answers})["differences"]
    assert row["detail"] == "host.hostname is a\\x1b[2J, not alice"


def test_a_module_that_failed_is_not_taken_for_no_drift(h1: Compared) -> None:
    answers = h1.answers()
    answers["__network_result"] = {"failed": True, "msg": "pfctl ended with status 1", "errors": []}
    assert drift(["h1"], {"h1": answers})["unasked"] == [{"host": "h1", "detail": "pf: pfctl ended with status 1"}]


def test_a_host_that_stopped_answering_is_not_taken_for_no_drift(h1: Compared) -> None:
    answers = h1.answers()
    del answers["__jails_result"]
    assert drift(["h1"], {"h1": answers})["unasked"] == [{"host": "h1", "detail": "it stopped answering"}]


def test_a_record_that_a_module_refuses_is_a_difference(h1: Compared) -> None:
    h1.path("/etc/jail.conf.d/bob.conf").write_text("bob { }\n")
    assert ("jail", "bob", "differs") in h1.found()


def test_datasets_are_compared_both_ways(h1: Compared) -> None:
    answers = h1.answers() | {"vps_storage": "dataset", "vps_pool": "tank"}
    answers["__drift_found"] = answers["__drift_found"] | {"datasets": ["bob", "stray"]}
    rows = drift(["h1"], {"h1": answers})["differences"]
    assert [(row["kind"], row["name"], row["where"]) for row in rows] == [
        ("dataset", "tank/jails/alice", "git only"),
        ("dataset", "tank/jails/stray", "host only"),
    ]


def test_a_limit_of_a_dataset_that_was_changed_by_hand_is_found(h1: Compared) -> None:
    h1.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    h1.run("zfs", "create", "-o", "mountpoint=/jails", "tank/jails")
    for name in ("alice", "bob"):
        h1.run("zfs", "create", f"tank/jails/{name}")
    limited = {"snapshot_room": 200, "reservation": None}
    wished: Values = {
        "datasets": datasets([{**jail, **limited, "dataset": f"tank/jails/{jail['name']}"} for jail in h1.jails])
    }
    h1.module("zfs_datasets", **wished)
    answers = h1.answers()

    def found() -> list[Values]:
        answers["__storage_result"] = h1.module("zfs_datasets", check=True, **wished)
        return t.cast(list[Values], drift(["h1"], {"h1": answers})["differences"])

    assert found() == []
    h1.run("zfs", "set", "quota=3G", "refquota=none", "tank/jails/alice")
    h1.run("dd", "if=/dev/zero", "of=/jails/bob/data", "bs=1m", "count=3")
    wished["datasets"][1]["properties"]["refquota"] = "2M"
    refused, changed = found()
    row = {"host": "h1", "kind": "dataset", "where": "differs"}
    detail = f"quota is {3 * 2**30}, not {2 * 2**30}; refquota is 0, not {2**30}"
    assert changed == {**row, "name": "tank/jails/alice", "detail": detail}
    assert (refused["kind"], refused["name"], refused["where"]) == ("dataset", "bob", "differs")
    assert refused["detail"].startswith("refquota of tank/jails/bob stays 1G: 4M are referenced, 2M are wished")


def test_steps_that_change_nothing_that_has_a_name_are_told(h1: Compared) -> None:
    answers = h1.answers()
    empty: Values = {"changed": True, "before": {}, "after": {}, "errors": []}
    answers["__network_result"] = {**empty, "commands": ["pfctl -a jailisp -f /etc/pf.anchors/jailisp.conf"]}
    answers["__world_result"] = {**empty, "commands": ["zfs mount tank/jails/bob"]}
    rows = drift(["h1"], {"h1": answers})["differences"]
    assert [(row["kind"], row["name"], row["detail"]) for row in rows] == [
        ("dataset", "tank/jails/bob", "not mounted"),
        ("pf", "", "pfctl -a jailisp -f /etc/pf.anchors/jailisp.conf"),
    ]
