# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a second host: how the jails look from outside."""

import pytest
from records import Site, read_site
from testinfra.host import Host

SSH = 22


@pytest.fixture(scope="module")
def outside(site: Site) -> Site:
    """Return the other host of the rack."""
    return read_site({"h1": "h2", "h2": "h1"}[site.name])


def test_sshd_of_running_jails_answers_on_the_published_port(host: Host, outside: Site) -> None:
    for jail in outside.running:
        (port,) = [entry["port"] for entry in jail.record["publish"] if entry["to"] == SSH]
        assert host.run(f"nc -z -w 1 {outside.address} {port}").rc == 0, jail.name


def test_a_stopped_jail_does_not_answer(host: Host, outside: Site) -> None:
    (idle,) = [jail for jail in outside.jails if not jail.runs]
    assert host.run(f"nc -z -w 1 {outside.address} {idle.record['publish'][0]['port']}").rc != 0


def test_ports_that_are_not_published_do_not_answer(host: Host, outside: Site) -> None:
    assert host.run(f"nc -z -w 1 {outside.address} 8000").rc != 0


def test_jails_reach_the_outside(host: Host, site: Site, outside: Site) -> None:
    for jail in site.running:
        assert host.run(f"jexec {jail.name} nc -z -w 1 {outside.address} 8011").rc == 0, jail.name
