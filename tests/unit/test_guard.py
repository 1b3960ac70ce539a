# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role network by Ansible on a model host, reached by a stand-in for ssh(1) whose connections pass its pf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from model import machine
from model.host import Host
from model.rack import CLIENT, Rack
from support.ready import equip

PROJECT = Path(__file__).resolve().parents[2]
ADDRESS = "198.51.100.11"
MARK = "/var/db/jailisp/pf_jailisp_unconfirmed"
# How long the guard waits: where it shall take back, and where the run shall be in time on the slowest machine.
SECONDS, PATIENT = 8, 100
VPS_HOST: dict[str, t.Any] = {
    "interface": "vtnet0",
    "interfaces": [],
    "addresses": ["203.0.113.10"],
    "own_addresses": [ADDRESS],
    "netblocks": ["192.168.1.0/24"],
    "services": [],
    "blocked": [],
    "jail_interface": "lo1",
    "bridge": "bridge0",
    "gateways": ["192.168.1.1"],
}


class Site:
    """A host of a rack, and a playbook of one role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rack = Rack(folder / "rack")
        self.host = rack.add("h1", ADDRESS)
        known = {
            "ansible_host": ADDRESS,
            "ansible_user": "root",
            "ansible_ssh_executable": str(rack.ssh),
            "ansible_ssh_transfer_method": "piped",
            "ansible_python_interpreter": "/usr/local/bin/python3",
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"h1": known}}}))
        self.ssh = [str(rack.ssh), f"root@{ADDRESS}"]
        equip(self.host, [ADDRESS])
        assert self.host.run(["kldload", "pf"]).rc == 0

    def play(self, tasks: str = "main", *, seconds: int = SECONDS, **more: t.Any) -> str:
        """Run a playbook of the role, with ``more`` that is known of the host; return what it printed."""
        variables = {"network_jails": [], "network_host": {**VPS_HOST, **more}, "network_guard": seconds}
        role = {"name": "jailisp.vps.network", "tasks_from": tasks}
        task = {"ansible.builtin.import_role": role, "vars": variables}
        play = {
            "hosts": "h1",
            "gather_facts": False,
            "vars": {"__network_result": {"unconfirmed": MARK}},
            "tasks": [task],
        }
        (self.folder / "play.json").write_text(json.dumps([play]))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.json"]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build/tree")}
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return ended.stdout

    def answers(self) -> bool:
        """Say whether somebody who connects anew gets in."""
        return subprocess.run([*self.ssh, "true"], capture_output=True, check=False, timeout=30).returncode == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def enabled(host: Host) -> bool:
    return "Status: Enabled" in host.run(["pfctl", "-s", "info"]).out


def test_rules_that_let_the_administrator_in_are_confirmed_by_the_run(site: Site) -> None:
    assert "unreachable=0    failed=0" in site.play(seconds=PATIENT)
    assert not site.host.path(MARK).exists()
    assert site.answers()
    assert enabled(site.host)


def test_an_administrator_who_locks_himself_out_is_let_in_again(site: Site) -> None:
    # As long as pf is disabled, this hurts nobody.
    site.host.path("/etc/pf.conf").write_text("block in all\n")
    assert "unreachable=1" in site.play()
    assert not site.answers()
    end = time.monotonic() + 4 * SECONDS
    while not site.answers():
        assert time.monotonic() < end
        time.sleep(0.5)
    assert not enabled(site.host)
    assert site.host.path("/etc/pf.conf").read_text() == "block in all\n"


def test_an_administrator_who_locks_himself_out_is_let_in_by_a_reboot(site: Site) -> None:
    site.host.path("/etc/pf.conf").write_text("block in all\n")
    assert "unreachable=1" in site.play()
    assert not site.answers()
    machine.reboot(site.host)
    assert site.answers()
    assert not enabled(site.host)
    assert site.host.path("/etc/pf.conf").read_text() == "block in all\n"


def test_a_reboot_brings_back_the_rules_that_were_confirmed(site: Site) -> None:
    assert "unreachable=0    failed=0" in site.play(seconds=PATIENT)
    confirmed = site.host.run(["pfctl", "-a", "jailisp", "-sr"]).out
    # The administrator's own address.
    assert "unreachable=1" in site.play(blocked=[CLIENT])
    assert not site.answers()
    machine.power_off(site.host)
    machine.boot(site.host)
    assert site.answers()
    assert enabled(site.host)
    assert site.host.run(["pfctl", "-a", "jailisp", "-sr"]).out == confirmed
    assert "pf: nobody confirmed the new rules before this boot" in site.host.path("/var/log/messages").read_text()


def test_a_confirmation_that_comes_too_late_fails_and_says_why(site: Site) -> None:
    said = site.play("confirm")
    assert "failed=1" in said
    assert f"longer than the {SECONDS} seconds of network_guard" in " ".join(said.split())
