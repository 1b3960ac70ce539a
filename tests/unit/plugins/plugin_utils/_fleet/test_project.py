# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import read_sources


@pytest.mark.parametrize(
    ("variables", "way"),
    [
        ({}, {}),
        (
            {"ansible_host": "203.0.113.10", "ansible_port": 2222},
            {"ansible_host": "203.0.113.10", "ansible_port": 2222},
        ),
        ({"ansible_ssh_port": 2222, "ansible_port": 22}, {"ansible_port": 2222}),
        ({"ansible_host": "{{ inventory_hostname }}.example.net"}, {"ansible_host": "h1.example.net"}),
        # What takes a play to know is not known yet.
        ({"ansible_host": "{{ hostvars.h2.ansible_host }}"}, {}),
    ],
)
def test_open_project_finds_the_way_to_a_host(fleet: t.Any, variables: dict[str, t.Any], way: dict[str, t.Any]) -> None:
    fleet.hosts["h1"].update(variables)
    assert fleet.project().surroundings.ways == {"h1": way}


def test_project_checks_against_all_that_the_hosts_have(fleet: t.Any) -> None:
    fleet.hosts["h1"]["ansible_host"] = "192.168.1.17"
    fleet.hosts["h1"]["ansible_port"] = 2222
    fleet.append("publish: [{port: 2222, to: 22}]\n")
    for name, number in (("jail_hosts", 18), ("host_h1", 19)):
        text = f"{{host: h1, customer: alice, plan: base, id: {number}, address: 192.168.1.{number}, hostname: x}}"
        fleet.write(f"jails/{name}.yml", text)
    with pytest.raises(FleetError) as caught:
        fleet.project().check()
    assert str(caught.value).splitlines() == [
        "jails/alice.yml:5: address: 192.168.1.17 is taken by h1 (hosts.yml: h1); choose a free one",
        "jails/alice.yml:6: publish[0].port: tcp port 2222 of 203.0.113.10 is where Ansible reaches h1; choose another",
        "jails/host_h1.yml: host_h1 is the name of the group of the jails of host h1 already; choose another",
        "jails/jail_hosts.yml: jail_hosts is the name of a group in hosts.yml already; choose another",
    ]


def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(tmp_path: Path) -> None:
    for make in (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")):
        file = tmp_path / "fleet.yml"
        make(file)
        with pytest.raises(FleetError, match=r"fleet\.yml: is no file; write one"):
            read_sources(file)
        file.rmdir() if file.is_dir() else file.unlink()


def test_a_variable_whose_name_is_a_number_is_none_of_ours(fleet: t.Any) -> None:
    (fleet.path / "host_vars").mkdir()
    fleet.write("host_vars/h1.yml", "1: 2\n")
    assert 1 not in fleet.project().variables["h1"]
