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

from model.host import Host
from model.rack import Rack

PROJECT = Path(__file__).resolve().parents[2]
ADDRESS = "198.51.100.11"
MARK = "/var/db/jailisp/pf_jailisp_unconfirmed"
SECONDS = 8
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
        variables = {"network_jails": [], "network_host": VPS_HOST, "network_guard": SECONDS}
        play = {
            "hosts": "h1",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.import_role": {"name": "jailisp.vps.network"}, "vars": variables}],
        }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"h1": known}}}))
        (folder / "play.json").write_text(json.dumps([play]))
        self.ssh = [str(rack.ssh), f"root@{ADDRESS}"]
        assert self.host.run(["kldload", "pf"]).rc == 0

    def play(self) -> str:
        """Run the playbook; return the line of its recap."""
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.json"]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".build/tree")}
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return ended.stdout.rpartition("h1 ")[2]

    def answers(self) -> bool:
        """Say whether somebody who connects anew gets in."""
        return subprocess.run([*self.ssh, "true"], capture_output=True, check=False, timeout=30).returncode == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def enabled(host: Host) -> bool:
    return "Status: Enabled" in host.run(["pfctl", "-s", "info"]).out


def test_rules_that_let_the_administrator_in_are_confirmed_by_the_run(site: Site) -> None:
    assert "unreachable=0    failed=0" in site.play()
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
