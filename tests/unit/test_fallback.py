# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes after a boot: with the rules of pf.conf, and when they do not load."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import pytest

from model import connect, machine, rc_table
from model.host import Host

TEMPLATES = Path(__file__).resolve().parents[2] / "roles/host/templates"
OWN, OWN6, PUBLIC, CLIENT = "198.51.100.11", "2001:db8:9::11", "203.0.113.10", "192.0.2.1"


def render(name: str, **variables: t.Any) -> str:
    """Return what the role host makes of a template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(name).render(variables) + "\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host as the role leaves it, that was not booted since."""
    found = Host(tmp_path)
    machine.install(found, name="h1", address=OWN, addresses=[PUBLIC])
    folder = found.path("/etc/rc.conf.d")
    folder.mkdir(exist_ok=True)
    (folder / "pf").write_text(render("rc.conf.d/pf.j2"))
    with (found.path("/etc/rc.conf")).open("a") as file:
        file.write(f'ifconfig_vtnet0_ipv6="inet6 {OWN6} prefixlen 64"\nsshd_enable="YES"\n')
    text = render("pf-fallback.conf.j2", host_own_addresses=[OWN, OWN6], host_ssh_ports=[22, 2222])
    found.path("/etc/pf-fallback.conf").write_text(text)
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
    assert result(host, OWN6, 22, "2001:db8:ffff::1") != "timeout"
    for address, port in ((OWN, 80), (PUBLIC, 22), (PUBLIC, 8017)):
        assert result(host, address, port) == "timeout"
    assert result(host, CLIENT, 443, OWN) == "denied"


def test_rules_that_load_are_in_force_after_a_boot(host: Host) -> None:
    host.path("/etc/pf.conf").write_text("block in on vtnet0 proto tcp to port 8017\n")
    machine.boot(host)
    assert result(host, PUBLIC, 8017) == "timeout"
    assert result(host, PUBLIC, 22) != "timeout"


def test_pipes_come_before_rules_and_rules_before_jails() -> None:
    order = [script.name for script in rc_table.scripts()]
    assert order.index("dnctl") < order.index("pf") < order.index("jail")


def test_the_fallback_of_a_host_without_ipv6_says_nothing_of_it(host: Host) -> None:
    text = render("pf-fallback.conf.j2", host_own_addresses=[OWN], host_ssh_ports=[22])
    assert "inet6" not in text
    host.path("/etc/pf-fallback.conf").write_text(text)
    host.path("/etc/pf.conf").write_text("pass\n")
    machine.boot(host)
    assert host.run(["pfctl", "-nf", "/etc/pf-fallback.conf"]).rc == 0
