# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from model import machine, task
from support.lab import Lab

OWN, PUBLIC = "198.51.100.11", "203.0.113.10"
CONFIG, SYSLOGD = "/etc/ssh/sshd_config", "/etc/rc.conf.d/syslogd"


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """Log in at the host's own address, beside which it has a public one."""
    lab.run("ifconfig", "vtnet0", "inet", f"{OWN}/32", "alias")
    lab.run("ifconfig", "vtnet0", "inet", f"{PUBLIC}/32", "alias")
    monkeypatch.setenv("SSH_CONNECTION", f"192.0.2.1 50000 {OWN} 22")


def listening(lab: Lab) -> list[str]:
    """Return the sockets of sshd and syslogd."""
    rows = [line.split() for line in lab.run("sockstat", "-46lq", "-j", "0").splitlines()]
    return sorted(f"{row[1]} {row[5]}" for row in rows)


def refusal(lab: Lab, *addresses: str) -> str:
    """Return why the module refuses; nothing was changed."""
    before = lab.path(CONFIG).read_text(), listening(lab)
    result = lab.check("host_daemons", addresses=list(addresses))
    assert result["failed"]
    assert lab.module("host_daemons", addresses=list(addresses))["msg"] == result["msg"]
    assert (lab.path(CONFIG).read_text(), listening(lab)) == before
    return str(result["msg"])


def test_sshd_listens_at_the_hosts_own_addresses_now_and_after_a_reboot(lab: Lab) -> None:
    assert listening(lab) == ["sshd *:22", "sshd *:22"]
    result = lab.converge("host_daemons", addresses=[OWN, PUBLIC])
    assert result["commands"] == [f"write {CONFIG}", "service sshd reload"]
    assert listening(lab) == [f"sshd {OWN}:22", f"sshd {PUBLIC}:22"]
    text = lab.path(CONFIG).read_text()
    assert text.splitlines()[1:3] == [f"ListenAddress {OWN}", f"ListenAddress {PUBLIC}"]
    lab.run("sysrc", f"ifconfig_vtnet0_alias0=inet {OWN}/32", f"ifconfig_vtnet0_alias1=inet {PUBLIC}/32")
    machine.reboot(lab.host)
    assert listening(lab) == [f"sshd {OWN}:22", f"sshd {PUBLIC}:22"]


def test_addresses_change_with_the_wish(lab: Lab) -> None:
    lab.converge("host_daemons", addresses=[OWN, PUBLIC])
    lab.converge("host_daemons", addresses=[OWN])
    assert listening(lab) == [f"sshd {OWN}:22"]


def test_what_is_in_force_counts_not_what_the_file_says(lab: Lab) -> None:
    lab.converge("host_daemons", addresses=[OWN, PUBLIC])
    text = lab.path(CONFIG).read_text()
    lab.converge("host_daemons", addresses=[OWN])
    lab.path(CONFIG).write_text(text)
    assert lab.converge("host_daemons", addresses=[OWN, PUBLIC])["commands"] == ["service sshd reload"]


def test_the_address_of_this_very_login_stays_open(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(lab, PUBLIC) == (
        f"addresses: you reached this host at {OWN}, where its sshd would no longer listen; add it to vps_own_addresses"
    )
    monkeypatch.delenv("SSH_CONNECTION")
    lab.converge("host_daemons", addresses=[PUBLIC])


def test_an_address_that_the_host_does_not_have_is_refused(lab: Lab) -> None:
    assert "no interface of this host has 198.51.100.99, sshd could not listen there" in refusal(
        lab, OWN, "198.51.100.99"
    )


@pytest.mark.parametrize("said", [PUBLIC, OWN, "0.0.0.0"])
def test_a_listen_address_of_somebody_else_is_refused(lab: Lab, said: str) -> None:
    lab.converge("host_daemons", addresses=[OWN])
    text = lab.path(CONFIG).read_text() + f"listenaddress {said}\n"
    lab.path(CONFIG).write_text(text)
    line = len(text.splitlines())
    assert refusal(lab, OWN).startswith(f"{CONFIG}, line {line}: `ListenAddress {said}` is not ours")


def test_a_configuration_that_sshd_refuses_is_not_put_into_force(lab: Lab) -> None:
    path = lab.path(CONFIG)
    path.write_text(path.read_text() + "PermitRootLogn yes\n")
    assert "Bad configuration option: PermitRootLogn" in refusal(lab, OWN)


def test_a_match_block_stays_behind_our_lines(lab: Lab) -> None:
    path = lab.path(CONFIG)
    theirs = path.read_text() + "Match User git\nPasswordAuthentication no\n"
    path.write_text(theirs)
    lab.converge("host_daemons", addresses=[OWN])
    assert path.read_text().endswith(theirs)


def test_syslogd_gives_up_its_socket_and_nothing_else_that_rc_conf_says(lab: Lab) -> None:
    lab.run("sysrc", "syslogd_flags=-s -v")
    lab.run("service", "syslogd", "restart")
    assert "syslogd *:514" in listening(lab)
    result = lab.converge("host_daemons", addresses=[OWN])
    assert "service syslogd restart" in result["commands"]
    assert listening(lab) == [f"sshd {OWN}:22"]
    assert 'syslogd_flags="${syslogd_flags} -ss"' in lab.path(SYSLOGD).read_text()
    assert "-s -v -ss" in lab.run("pgrep", "-lf", "syslogd -s")


def test_a_syslogd_without_a_socket_is_left_alone(lab: Lab) -> None:
    lab.converge("host_daemons", addresses=[OWN])
    assert not lab.path(SYSLOGD).exists()


def test_other_daemons_that_listen_everywhere_are_named(lab: Lab) -> None:
    with lab.host.kernel() as kernel:
        task.add(kernel, ["/usr/sbin/ntpd"], comm="ntpd", listen=[["udp4", "*", 123, 5], ["udp6", "*", 123, 6]])
        task.add(kernel, ["/usr/sbin/inetd"], comm="inetd", listen=[["tcp4", OWN, 21, 5]])
    assert lab.converge("host_daemons", addresses=[OWN])["listening_everywhere"] == ["ntpd (udp port 123)"]


def test_it_takes_two_processes_when_nothing_is_to_be_done(lab: Lab) -> None:
    parameters: dict[str, t.Any] = {"addresses": [OWN]}
    lab.converge("host_daemons", **parameters)
    assert lab.processes("host_daemons", **parameters) == 2
