# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks by Ansible on two model hosts, one of folders, one of datasets, with two jails each."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from model import archive, example
from model.host import Host

PROJECT = Path(__file__).resolve().parents[2]
OLD, NEW, NEWER = "15.0-RELEASE-p3", "15.1-RELEASE-p1", "15.2-RELEASE"
ARCHIVES = {OLD: "/var/base-15.0.txz", NEW: example.BASE, NEWER: "/var/base-15.2.txz"}
ROOTS = "/usr/local/jails"
# The canary is the last one by name, and on the second host: what goes before it would be upgraded before it.
JAILS = {"alice": "h1", "bob": "h1", "carol": "h2", "dave": "h2"}
CANARY = "dave"
HARDWARE: dict[str, dict[str, t.Any]] = {
    "h1": {"address": "198.51.100.11", "addresses": ["203.0.113.10"]},
    "h2": {"address": "198.51.100.12", "addresses": ["203.0.113.20"], "disks": {example.POOL_DISK: "6G"}},
}
STORAGE: dict[str, dict[str, str]] = {
    "h1": {"vps_storage": "directory"},
    "h2": {"vps_storage": "dataset", "vps_pool": "tank"},
}
PLAN = {"disk": "1G", "memory": "512M", "processes": 100, "cpu": "50%"}
GROUP: dict[str, t.Any] = {
    "ansible_python_interpreter": "/usr/local/bin/python3",
    "vps_interface": "vtnet0",
    "vps_memory": "8G",
    "vps_disk": "5G",
    "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
}


class Ended(t.NamedTuple):
    """How a playbook ended: its exit status, all that it printed, and how many tasks changed something on each host."""

    status: int
    said: str
    changed: dict[str, int]


class Fleet:
    """The hosts, their records, and the playbooks that run on them."""

    def __init__(self, folder: Path) -> None:
        self.inventory = folder / "inventory"
        # What upgrade.yml and rollback.yml write when they are asked to.
        self.report = folder / "report.json"
        source = folder / "records"
        write_records(source)
        rack = example.make_rack(folder / "rack", source, self.inventory, HARDWARE)
        self.hosts = {name: Host(rack.folder / "hosts" / name) for name in HARDWARE}
        for host in self.hosts.values():
            for release in (OLD, NEWER):
                archive.write_base(host.path(ARCHIVES[release]), release)

    def wish(self, release: str) -> None:
        """Have the records say that release of all jails."""
        host = self.hosts["h1"]
        digests = {name: hashlib.sha256(host.path(path).read_bytes()).hexdigest() for name, path in ARCHIVES.items()}
        releases = {name: {"archive": path, "sha256": digests[name]} for name, path in ARCHIVES.items()}
        keys = GROUP | {"vps_release": release, "vps_releases": releases}
        put(self.inventory / "group_vars/jail_hosts.yml", keys)

    def run(self, playbook: str, **words: t.Any) -> Ended:
        """Run a playbook."""
        sources = [f"-i{self.inventory / name}" for name in ("hosts.yml", "fleet.yml")]
        given = ["-e", json.dumps(words)]
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", *sources, *given, PROJECT / playbook],
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build/tree")},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+) ", done.stdout, re.MULTILINE)
        return Ended(done.returncode, done.stdout + done.stderr, {host: int(number) for host, number in recap})

    def holder(self, host: str) -> str:
        """Return the module of the run that holds a host."""
        path = self.hosts[host].path("/var/run/jailisp.run")
        text = path.read_text() if path.exists() else ""
        return str(json.loads(text)["module"]) if text else ""

    def root(self, jail: str) -> Path:
        """Return where a jail's root lies on this machine."""
        host = JAILS[jail]
        return self.hosts[host].path(f"{ROOTS}/{host}/{jail}")

    def versions(self) -> dict[str, str]:
        """Return the release that each root holds."""
        found = {jail: (self.root(jail) / "bin/freebsd-version").read_text() for jail in JAILS}
        return {jail: text.partition('USERLAND_VERSION="')[2].partition('"')[0] for jail, text in found.items()}

    def running(self) -> list[str]:
        """Return the jails that run."""
        return sorted(name for host in self.hosts.values() for name in host.run(["jls", "name"]).out.split())

    def results(self) -> dict[str, str]:
        """Return what the last report says came of each jail."""
        rows = json.loads(self.report.read_text())
        return {row["name"]: row["result"] for host in rows.values() for row in host}


def write_records(folder: Path) -> None:
    """Write the records of two hosts with two jails each."""
    put(folder / "hosts.yml", {"jail_hosts": {"hosts": dict.fromkeys(HARDWARE)}})
    put(folder / "fleet.yml", {"plugin": "jailisp.vps.fleet"})
    put(folder / "group_vars/jail_hosts.yml", GROUP)
    put(folder / "plans/base.yml", PLAN)
    put(folder / "customers/eve.yml", {"name": "Eve", "contact": "eve@example.net", "keys": []})
    for number, (name, hardware) in enumerate(HARDWARE.items(), 1):
        network = {"vps_own_addresses": [hardware["address"]], "vps_netblock": f"10.0.{number}.0/24"}
        put(folder / f"host_vars/{name}.yml", {"vps_addresses": hardware["addresses"], **network, **STORAGE[name]})
    for name, host in JAILS.items():
        put(folder / f"jails/{name}.yml", record(name, host))


def record(name: str, host: str) -> dict[str, t.Any]:
    """Return what the records say of a jail on that host."""
    number = list(JAILS).index(name) + 1
    place = {"host": host, "customer": "eve", "plan": "base", "id": number, "address": f"10.0.{host[1]}.{number}"}
    return place | {"publish": [{"port": 10000 + number, "to": 22}], "canary": name == CANARY}


def put(path: Path, content: t.Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, explicit_start=True))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    made.wish(OLD)
    ended = made.run("site.yml")
    assert ended.status == 0, ended.said
    return made


def everywhere(release: str) -> dict[str, str]:
    return dict.fromkeys(JAILS, release)


def test_what_no_record_or_no_kernel_allows_is_refused_before_anything_is_touched(fleet: Fleet) -> None:
    unknown = fleet.run("upgrade.yml", release="14.9-RELEASE")
    assert unknown.status != 0
    assert "No record of these jails says release 14.9-RELEASE" in unknown.said
    fleet.wish(NEWER)
    newer = fleet.run("upgrade.yml", release=NEWER)
    assert newer.status != 0
    assert f"release: {NEWER} is newer than the running kernel, {NEW}" in " ".join(newer.said.split())
    assert (fleet.versions(), fleet.running()) == (everywhere(OLD), sorted(JAILS))
    assert {*unknown.changed.values(), *newer.changed.values()} == {0}
    fleet.wish(OLD)


def test_canaries_go_first_a_rerun_goes_on_and_a_rollback_leads_back(fleet: Fleet) -> None:
    fleet.wish(NEW)
    # It answers only until it is started again.
    settings = fleet.root(CANARY) / "etc/rc.conf"
    mine = settings.read_text()
    settings.write_text(mine.replace('sshd_enable="YES"', 'sshd_enable="NO"'))
    reported = {"release": NEW, "report": str(fleet.report)}
    failed = fleet.run("upgrade.yml", seconds=1, **reported)
    assert failed.status != 0
    assert f"{CANARY}: cannot" in failed.said
    assert "nothing answers at port 22 any more" in failed.said
    assert (fleet.versions(), fleet.running()) == (everywhere(OLD), sorted(JAILS))
    assert fleet.results() == {CANARY: "as before"}

    settings.write_text(mine)
    assert fleet.hosts["h2"].run(["jexec", CANARY, "service", "sshd", "start"]).rc == 0
    assert fleet.run("upgrade.yml", **reported).status == 0
    assert (fleet.versions(), fleet.running()) == (everywhere(NEW), sorted(JAILS))
    assert fleet.results() == dict.fromkeys(JAILS, "upgraded")
    for playbook, words in (("upgrade.yml", {"release": NEW}), ("site.yml", {})):
        again = fleet.run(playbook, **words)
        assert (again.status, again.changed) == (0, {"h1": 0, "h2": 0}), again.said

    assert fleet.run("rollback.yml", only="alice,dave", **reported).status == 0
    assert fleet.results() == {"alice": "rolled back", "dave": "rolled back"}
    assert fleet.versions() == {"alice": OLD, "bob": NEW, "carol": NEW, "dave": OLD}
    assert fleet.run("rollback.yml", release=NEW).status == 0
    assert (fleet.versions(), fleet.running()) == (everywhere(OLD), sorted(JAILS))
    fleet.wish(OLD)
    settled = fleet.run("site.yml")
    assert (settled.status, settled.changed) == (0, {"h1": 0, "h2": 0}), settled.said


def test_what_comes_while_a_run_holds_the_hosts_waits_and_then_does_its_work(fleet: Fleet) -> None:
    fleet.wish(NEW)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fleet.run, "upgrade.yml", release=NEW)
        end = time.monotonic() + 110
        while fleet.holder("h1") != "jail_upgrades":
            assert time.monotonic() < end
            time.sleep(0.1)
        others = [pool.submit(fleet.run, "site.yml") for _unused in range(2)]
        ended = [run.result() for run in (first, *others)]
    assert [run.status for run in ended] == [0, 0, 0], "".join(run.said for run in ended)
    assert all("h1: " in run.said and " this host since " in run.said for run in ended[1:])
    assert (fleet.versions(), fleet.running()) == (everywhere(NEW), sorted(JAILS))
    assert [run.changed for run in ended[1:]] == [{"h1": 0, "h2": 0}] * 2
    assert (fleet.holder("h1"), fleet.holder("h2")) == ("", "")


def test_a_run_that_was_killed_does_not_keep_the_next_one_waiting(fleet: Fleet) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    now = int(time.time())
    holder = {"run": f"root@{socket.gethostname()}:{gone}", "module": "jails", "process": 1, "since": now - 5}
    for host in fleet.hosts.values():
        host.path("/var/run/jailisp.run").write_text(json.dumps(holder | {"until": now + 3600}))
    assert fleet.run("site.yml").status == 0
    # Of one on another controller nothing is known but that it did nothing for a while.
    for host in fleet.hosts.values():
        text = json.dumps(holder | {"run": "root@elsewhere:1", "until": now + 3600})
        host.path("/var/run/jailisp.run").write_text(text)
    refused = fleet.run("site.yml", hold_seconds=1)
    assert refused.status != 0
    assert "root@elsewhere:1 holds this host since" in refused.said
    assert refused.changed == {"h1": 0, "h2": 0}
    for host in fleet.hosts.values():
        host.path("/var/run/jailisp.run").write_text("")


def test_a_jail_whose_record_names_another_host_is_moved_there(fleet: Fleet) -> None:
    was = fleet.root("alice")
    (was / "home/mine").write_text("of the customer\n")
    put(fleet.inventory / "jails/alice.yml", record("alice", "h2"))
    refused = fleet.run("site.yml")
    assert refused.status != 0
    assert "ansible-playbook move.yml -e jail=alice" in " ".join(refused.said.split())
    assert refused.changed == {"h1": 0, "h2": 0}

    early = fleet.run("move.yml", jail="alice", destroy="alice")
    assert early.status != 0
    assert "alice is still on h1; move it first" in " ".join(early.said.split())
    moved = fleet.run("move.yml", jail="alice")
    assert moved.status == 0, moved.said
    there = fleet.hosts["h2"].path(f"{ROOTS}/h2/alice")
    assert (there / "home/mine").read_text() == (was / "home/mine").read_text() == "of the customer\n"
    assert "alice" in fleet.hosts["h2"].run(["jls", "name"]).out.split()
    assert fleet.running() == sorted(JAILS)

    ended = fleet.run("move.yml", jail="alice", destroy="alice")
    assert ended.status == 0, ended.said
    assert (was.exists(), there.exists(), fleet.running()) == (False, True, sorted(JAILS))
    settled = fleet.run("site.yml")
    assert (settled.status, settled.changed) == (0, {"h1": 0, "h2": 0}), settled.said
    assert (fleet.holder("h1"), fleet.holder("h2")) == ("", "")
