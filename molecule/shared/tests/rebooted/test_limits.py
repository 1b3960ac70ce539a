# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts are kept from the first boot with the loader's value on; then what was sold is in force."""

from records import Site, read
from testinfra.host import Host

SIZES = {"M": 1 << 20, "G": 1 << 30}


def in_bytes(size: str) -> int:
    return int(size[:-1]) * SIZES[size[-1]]


def test_what_plans_sell_is_in_force(host: Host, site: Site) -> None:
    for jail in site.jails:
        plan = read("plans", jail.record["plan"])
        rules = host.check_output(f"rctl jail:{jail.name}").splitlines()
        for rule in (
            f"memoryuse:deny={in_bytes(plan['memory'])}",
            f"maxproc:deny={plan['processes']}",
            f"pcpu:deny={plan['cpu'].removesuffix('%')}",
        ):
            assert f"jail:{jail.name}:{rule}" in rules


def test_what_a_plan_and_a_record_say_besides_is_in_force(host: Host, site: Site) -> None:
    for jail in site.jails:
        rules = host.check_output(f"rctl jail:{jail.name}").splitlines()
        told = f"jail:{jail.name}:memoryuse:devctl={in_bytes('500M')}"
        assert (told in rules) == (jail.record["plan"] == "base")
        files = [rule.partition("=")[2] for rule in rules if ":openfiles:deny=" in rule]
        assert files == ["2048" if "limits" in jail.record else "6400"]


def test_limits_of_others_are_in_force(host: Host) -> None:
    assert "user:daemon:maxproc:log=999" in host.check_output("rctl").splitlines()
