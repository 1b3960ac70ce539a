# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes after a boot: with the rules of pf.conf, and when they do not load; and who stays blocked."""

from __future__ import annotations

from pathlib import Path

import pytest

from model import connect, machine
from model.host import Host
from support.ready import ready, render

OURS = "/etc/pf.anchors/jailisp.conf"
OWN, OWN6, PUBLIC, CLIENT = "198.51.100.11", "2001:db8:9::11", "203.0.113.10", "192.0.2.1"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host as the role leaves it, that was not booted since, with rules of ours."""
    found = ready(Host(tmp_path), OWN, own=[OWN, OWN6], addresses=[PUBLIC], ports=[22, 2222])
    with (found.path("/etc/rc.conf")).open("a") as file:
        file.write(f'ifconfig_vtnet0_ipv6="inet6 {OWN6} prefixlen 64"\nsshd_enable="YES"\n')
    found.path(OURS).parent.mkdir()
    found.path(OURS).write_text("")
    return found


def result(host: Host, address: str, port: int, source: str = CLIENT) -> str:
    return connect.connect(host, source, address, "tcp", port).result


def test_a_boot_without_rules_lets_in_whoever_administers_the_host_and_nobody_else(host: Host) -> None:
    host.path("/etc/pf.conf").write_text("nonsense\n")
    machine.boot(host)
    assert "Status: Enabled" in host.run(["pfctl", "-s", "info"]).out
    assert result(host, OWN, 22) == "open"
    # Nobody listens there: what matters is that pf let the packet pass.
    assert result(host, OWN, 2222) == "refused"
    assert result(host, OWN6, 22, "2001:db8:9::1") != "timeout"
    for address, port in ((OWN, 80), (PUBLIC, 22), (PUBLIC, 8017)):
        assert result(host, address, port) == "timeout"
    assert result(host, CLIENT, 443, OWN) == "denied"


def test_rules_that_load_are_in_force_after_a_boot(host: Host) -> None:
    host.path("/etc/pf.conf").write_text("block in on vtnet0 proto tcp to port 8017\n")
    machine.boot(host)
    assert result(host, PUBLIC, 8017) == "timeout"
    assert result(host, PUBLIC, 22) != "timeout"


def test_pipes_come_before_rules_and_rules_before_jails(host: Host) -> None:
    order = [path.rpartition("/")[2] for path in host.run(["service", "-r"]).out.split()]
    known = ["dnctl", "FILESYSTEMS", "jailisp_guard", "pf", "syslogd", "jailisp_guard_log", "jail"]
    assert [name for name in order if name in known] == known
    assert order.index("pf") < order.index("jailisp_blocked") < order.index("jail")


@pytest.mark.parametrize("called", [False, True])
def test_whether_pf_starts_is_the_administrators_to_say_until_rules_of_ours_are_there(host: Host, called: bool) -> None:
    host.path(OURS).unlink()
    host.path("/etc/pf.conf").write_text("block all\n" + called * 'anchor "jailisp"\n')
    machine.boot(host)
    assert ("Status: Enabled" in host.run(["pfctl", "-s", "info"]).out) is called
    with host.path("/etc/rc.conf").open("a") as file:
        file.write('pf_enable="YES"\n')
    machine.reboot(host)
    assert "Status: Enabled" in host.run(["pfctl", "-s", "info"]).out


def test_the_fallback_of_a_host_without_ipv6_says_nothing_of_it(host: Host) -> None:
    text = render("pf-fallback.conf.j2", host_own_addresses=[OWN], host_ssh_ports=[22])
    assert "inet6" not in text
    host.path("/etc/pf-fallback.conf").write_text(text)
    host.path("/etc/pf.conf").write_text("pass\n")
    machine.boot(host)
    assert host.run(["pfctl", "-nf", "/etc/pf-fallback.conf"]).rc == 0


SAVED = "/var/db/jailisp/pf_jailisp_table_blocked"
ANCHOR = "table <blocked> persist\nblock quick from <blocked> to any\n"


def blocked(host: Host, *words: str) -> tuple[int, list[str]]:
    done = host.run(["pfctl", "-a", "jailisp", "-t", "blocked", "-T", *words])
    return done.rc, done.out.split()


def test_whom_administrators_blocked_stays_blocked_over_a_reboot(host: Host) -> None:
    run = ["sh", "/usr/local/etc/rc.d/jailisp_blocked"]
    host.path(SAVED).parent.mkdir(parents=True)
    host.path("/etc/anchor").write_text(ANCHOR)
    host.path("/etc/pf.conf").write_text('anchor "jailisp"\nload anchor "jailisp" from "/etc/anchor"\n')
    machine.boot(host)
    # Nothing was ever blocked.
    assert blocked(host, "show") == (0, [])
    blocked(host, "add", "192.0.2.0/24", "203.0.113.99")
    machine.reboot(host)
    assert blocked(host, "show") == (0, ["192.0.2.0/24", "203.0.113.99"])
    # Without pf there is nothing to save, and what was saved is kept.
    host.run(["pfctl", "-a", "jailisp", "-F", "rules"])
    blocked(host, "kill")
    host.run([*run, "faststop"])
    assert host.path(SAVED).read_text().split() == ["192.0.2.0/24", "203.0.113.99"]
