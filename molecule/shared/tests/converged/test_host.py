# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from records import Site
from testinfra.host import Host


@pytest.mark.parametrize("module", ["pf", "dummynet"])
def test_kernel_modules_are_loaded(host: Host, module: str) -> None:
    assert host.run(f"kldstat -m {module}").rc == 0


@pytest.mark.parametrize("service", ["pf", "dnctl", "jail"])
def test_services_start_at_boot(host: Host, service: str) -> None:
    assert host.run(f"service {service} enabled").rc == 0


def test_users_see_only_what_is_their_own(host: Host) -> None:
    names = ["see_jail_proc", "see_other_gids", "see_other_uids", "unprivileged_proc_debug", "unprivileged_read_msgbuf"]
    shown = host.check_output("sysctl " + " ".join(f"security.bsd.{name}" for name in names))
    assert shown.splitlines() == [f"security.bsd.{name}: 0" for name in names]


def test_resource_accounting_is_set_for_the_next_boot(host: Host) -> None:
    assert 'kern.racct.enable="1"' in host.check_output("cat /boot/loader.conf.d/jailisp.conf").splitlines()


def test_daemons_of_the_host_answer_at_none_of_the_jails_addresses(host: Host, site: Site) -> None:
    rows = [line.split() for line in host.check_output("sockstat -46lq -j 0").splitlines()]
    assert {row[5] for row in rows if row[1] == "sshd"} == {f"{site.address}:22"}
    assert [row for row in rows if row[1] == "syslogd"] == []


def test_devices_of_jails_are_restricted(host: Host) -> None:
    assert host.check_output("devfs rule -s 4 show")
