# SPDX-License-Identifier: GPL-3.0-or-later
"""What prepare put on the host is somebody else's, and stays."""

from testinfra.host import Host

PF_CONF = [
    "# theirs",
    "table <friends> persist { 192.0.2.1, 192.0.2.2 }",
    "nat on lo9 inet from 10.9.9.0/24 to any -> 127.0.0.1",
    "block drop in quick proto tcp from any to any port 6998",
    'anchor "theirs"',
    'load anchor "theirs" from "/etc/pf.theirs.conf"',
]


def test_all_lines_of_pf_conf_stay_in_their_order(host: Host) -> None:
    lines = host.check_output("cat /etc/pf.conf").splitlines()
    assert [line for line in lines if line in PF_CONF] == PF_CONF


def test_their_rules_are_in_force(host: Host) -> None:
    assert "port = 6998" in host.check_output("pfctl -P -sr")
    assert "nat on lo9 inet from 10.9.9.0/24 to any -> 127.0.0.1" in host.check_output("pfctl -sn").splitlines()


def test_their_anchor_holds_its_rule(host: Host) -> None:
    assert "port = 6999" in host.check_output("pfctl -P -a theirs -sr")


def test_their_table_holds_its_addresses(host: Host) -> None:
    assert host.check_output("pfctl -t friends -T show").split() == ["192.0.2.1", "192.0.2.2"]


def test_their_pipe_stays_now_and_at_boot(host: Host) -> None:
    assert "3.000 Mbit/s" in host.check_output("dnctl pipe 5 show")
    assert "pipe 5 config bw 3Mbit/s" in host.check_output("cat /etc/dnctl.conf").splitlines()


def test_their_limit_stays(host: Host) -> None:
    assert "user:daemon:maxproc:log=999" in host.check_output("cat /etc/rctl.conf").splitlines()


def test_their_jail_runs(host: Host) -> None:
    assert host.check_output("jls -j theirs path host.hostname") == "/ theirs.example.net"


def test_their_interface_is_there_beside_ours(host: Host) -> None:
    assert 'cloned_interfaces="lo9"' in host.check_output("cat /etc/rc.conf.d/netif").splitlines()
    assert {"lo1", "lo9"} <= set(host.check_output("ifconfig -l").split())
