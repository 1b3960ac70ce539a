# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine, its kernel and its rc: what a reboot keeps, and what the scripts' exit statuses do not tell."""

from __future__ import annotations

import typing as t

import pytest

from model import kernel as kernels
from model import machine, net
from model.host import Host

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine with an address of its own and a public one, running."""
    host = Host(tmp_path)
    racct = {"kern.racct.enable": "1"}
    machine.install(host, name="h1", address="10.0.2.15", addresses=["203.0.113.10"], tunables=racct)
    machine.boot(host)
    return host


def write(host: Host, name: str, text: str) -> None:
    path = host.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def out(host: Host, line: str) -> str:
    return host.run(line.split()).out.rstrip("\n")


def rc(host: Host, line: str) -> int:
    return host.run(line.split()).rc


def jail(host: Host, name: str, address: str) -> None:
    host.path(f"/jails/{name}").mkdir(parents=True, exist_ok=True)
    text = f'{name} {{ path = "/jails/{name}"; persist; ip4.addr = "lo1|{address}/32"; }}\n'
    write(host, f"/etc/jail.conf.d/{name}.conf", text)


# Reboot ---------------------------------------------------------------------------------------------------------------


def test_what_no_file_says_is_gone_after_a_reboot(host: Host) -> None:
    for line in (
        "kldload pf",
        "sysctl security.bsd.see_other_uids=0",
        "ifconfig lo1 create",
        "ifconfig lo1 10.9.0.1/32",
    ):
        assert rc(host, line) == 0, line
    before = out(host, "sysctl kern.boottime")

    assert rc(host, "shutdown -r now") == 0

    assert out(host, "sysctl kern.boottime") != before
    assert out(host, "sysctl -n security.bsd.see_other_uids") == "1"
    assert out(host, "ifconfig -l") == "vtnet0 lo0"
    assert rc(host, "kldstat -q -m pf") == 1
    assert not host.path("/dev/pf").exists()


def test_what_files_say_is_there_after_a_reboot(host: Host) -> None:
    write(host, "/boot/loader.conf.d/x.conf", 'pf_load="YES"  # early\nnet.pf.default_to_drop="1"\n')
    write(host, "/boot/loader.conf.local", "kern.racct.enable=0\n")
    write(host, "/etc/rc.conf.d/kld", 'kld_list="${kld_list} nullfs"\n')
    write(host, "/etc/rc.conf.d/netif", 'cloned_interfaces="lo1"\nifconfig_lo1="inet 10.9.0.1/32"\n')
    write(host, "/etc/sysctl.conf.local", "nosuch.oid=1\nnet.inet.ip.forwarding=1\n")

    machine.reboot(host)

    with host.kernel() as kernel:
        assert kernels.loaded(kernel, "pf") and kernels.loaded(kernel, "nullfs")
        assert ("lo1", "10.9.0.1", 32) in net.addresses(kernel)
        assert ("vtnet0", "203.0.113.10", 32) in net.addresses(kernel)
        assert net.groups(kernel, "lo1") == ["all", "lo"]
    assert out(host, "sysctl -n net.pf.default_to_drop kern.racct.enable net.inet.ip.forwarding") == "1\n0\n1"


def test_a_machine_that_is_switched_off_answers_nobody(host: Host) -> None:
    assert machine.is_up(host)
    rc(host, "shutdown -p now")
    assert not machine.is_up(host)


def test_jails_of_the_list_start_at_boot_and_stop_before_it(host: Host) -> None:
    jail(host, "alice", "10.9.0.10")
    jail(host, "bob", "10.9.0.11")
    write(
        host, "/etc/jail.conf", '.include "/etc/jail.conf.d/*.conf";\n* { exec.prestop = "logger stopping $name"; }\n'
    )
    write(host, "/etc/rc.conf.d/netif", 'cloned_interfaces="lo1"\n')
    write(
        host,
        "/etc/rc.conf.d/jail",
        'jail_enable="YES"\njail_parallel_start="YES"\n'
        'if [ -z "${jail_list}" ]; then jail_list="alice"; fi\njail_list="${jail_list} bob"\n',
    )
    machine.reboot(host)
    assert set(out(host, "jls name").split()) == {"alice", "bob"}
    assert host.path("/var/run/jail_bob.id").exists()

    machine.reboot(host)
    log = host.path("/var/log/messages").read_text()
    assert "stopping alice" in log and "stopping bob" in log


# Modules and variables ------------------------------------------------------------------------------------------------


def test_a_module_without_a_file_cannot_be_loaded(host: Host) -> None:
    host.path("/boot/kernel/dummynet.ko").unlink()
    result = host.run(["kldload", "-n", "dummynet"])
    assert (result.rc, result.err) == (1, "kldload: can't load dummynet: No such file or directory\n")
    assert rc(host, "sysctl net.inet.ip.dummynet.io_fast") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sysctl kern.ostype=Linux", "sysctl: oid 'kern.ostype' is read only"),
        ("sysctl security.jail=1", "sysctl: oid 'security.jail' isn't a leaf node"),
        ("sysctl net.inet.ip.forwarding=yes", "sysctl: invalid integer 'yes'"),
        ("sysctl -Z", "sysctl: illegal option -- Z"),
    ],
)
def test_sysctl_refuses(host: Host, line: str, message: str) -> None:
    result = host.run(line.split())
    assert result.rc == 1
    assert result.err.startswith(message)


def test_the_securelevel_only_rises(host: Host) -> None:
    assert rc(host, "sysctl kern.securelevel=2") == 0
    assert rc(host, "sysctl kern.securelevel=1") == 1
    assert rc(host, "kldload pf") == 1


# rc -------------------------------------------------------------------------------------------------------------------


def test_service_jail_start_says_success_whatever_happens(host: Host) -> None:
    assert rc(host, "service jail start nosuch") == 0
    result = host.run(["service", "jail", "onestart", "nosuch"])
    assert result.rc == 0
    assert "Jail nosuch was ignored." in result.err


def test_the_jails_own_file_wins_unless_jail_conf_includes_it(host: Host) -> None:
    jail(host, "alice", "10.9.0.10")
    assert "/etc/jail.conf.d/alice.conf." in out(host, "service jail oneconfig alice")
    write(host, "/etc/jail.conf", '.include "/etc/jail.conf.d/*.conf";\n')
    assert "/etc/jail.conf." in out(host, "service jail oneconfig alice")


def test_sysrc_edits_the_file_that_has_the_variable(host: Host) -> None:
    write(host, "/etc/rc.conf.local", "pf_enable=NO # for now\n")
    assert out(host, "sysrc pf_enable=YES") == "pf_enable: NO -> YES"
    assert host.path("/etc/rc.conf.local").read_text() == 'pf_enable="YES" # for now\n'
    assert rc(host, "sysrc -c pf_enable=YES") == 0
    assert out(host, "sysrc -x pf_enable") == "" and out(host, "sysrc -n pf_enable") == "NO"


def test_a_broken_rc_conf_stops_sysrc(host: Host) -> None:
    write(host, "/etc/rc.conf.local", 'jail_list="alice\n')
    assert rc(host, "sysrc -n hostname") == 1


def test_pf_falls_back_when_its_rules_are_broken(host: Host) -> None:
    write(host, "/etc/pf.conf", "nonsense\n")
    write(host, "/etc/rc.conf.d/pf", 'pf_enable="YES"\npf_fallback_rules_enable="YES"\n')
    assert rc(host, "service pf start") == 0
    assert out(host, "pfctl -s rules") == "block drop log all"
    assert rc(host, "service pf check") == 1


def test_pf_without_its_file_does_not_start(host: Host) -> None:
    result = host.run(["service", "pf", "onestart"])
    assert (result.rc, result.err) == (1, "/etc/rc.d/pf: WARNING: /etc/pf.conf is not readable.\n")


def test_daemons_know_whether_they_run(host: Host) -> None:
    assert rc(host, "service cron status") == 0
    assert rc(host, "service cron stop") == 0
    assert rc(host, "service cron status") == 1
    assert rc(host, "service cron start") == 0
    assert rc(host, "service ntpd status") == 1


def test_a_script_that_the_model_does_not_know_is_an_error(host: Host) -> None:
    assert rc(host, "service powerd_ start") == 1
    assert rc(host, "service ipfw onestart") == 1


# Interfaces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ifconfig foo0 create", "SIOCIFCREATE2 (foo0): Invalid argument"),
        ("ifconfig vtnet0 inet 10.1.2.3", "ERROR: setting interface address without mask is no longer supported."),
        ("ifconfig vtnet0 inet 10.1.2.3.4/8", "10.1.2.3.4/8: bad value"),
        ("ifconfig lo0 destroy", "SIOCIFDESTROY: Invalid argument"),
        ("ifconfig vtnet0 vhid 1 pass x alias 10.0.2.9/32", "SIOCSVH: Protocol not supported"),
    ],
)
def test_ifconfig_refuses(host: Host, line: str, message: str) -> None:
    result = host.run(line.split())
    assert (result.rc, result.err) == (1, f"ifconfig: {message}\n")


def test_an_address_without_alias_takes_the_place_of_the_first(host: Host) -> None:
    rc(host, "ifconfig lo1 create")
    for line in ("inet 10.9.0.1/32", "inet 10.9.0.2/32 alias", "inet 10.9.0.3/32"):
        assert rc(host, f"ifconfig lo1 {line}") == 0
    with host.kernel() as kernel:
        inside = [address for name, address, _unused in net.addresses(kernel) if name == "lo1" and "." in address]
    assert inside == ["10.9.0.2", "10.9.0.3"]


def test_an_interface_goes_into_a_jail_and_comes_back(host: Host) -> None:
    assert out(host, "ifconfig epair create") == "epair0a"
    assert rc(host, "jail -c name=v path=/ persist vnet vnet.interface=epair0b") == 0
    assert rc(host, "ifconfig epair0b") == 1
    assert rc(host, "ifconfig -j v epair0b inet 10.8.0.2/24") == 0
    assert rc(host, "jail -R v") == 0
    assert "inet " not in out(host, "ifconfig epair0b")
    assert rc(host, "ifconfig epair0a destroy") == 0
    assert out(host, "ifconfig -l") == "vtnet0 lo0"


# Daemons' own files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Port abc", "/tmp/c line 1: Badly formatted port number."),
        ("ListenAdress 10.0.2.15", "/tmp/c: line 1: Bad configuration option: ListenAdress"),
        ("PermitRootLogin maybe", '/tmp/c line 1: unsupported option "maybe".'),
    ],
)
def test_sshd_reads_its_configuration(host: Host, line: str, message: str) -> None:
    write(host, "/tmp/c", f"{line}\n")
    result = host.run(["sshd", "-t", "-f", "/tmp/c"])
    assert result.rc == 255
    assert result.err.splitlines()[0] == message


def test_a_broken_sshd_config_keeps_the_running_sshd(host: Host) -> None:
    write(host, "/etc/ssh/sshd_config", "ListenAddress 10.0.2.15\n")
    assert rc(host, "service sshd restart") == 0
    assert "10.0.2.15:22" in out(host, "sockstat -4l") and "*:22" not in out(host, "sockstat -4l")
    write(host, "/etc/ssh/sshd_config", "nonsense\n")
    assert rc(host, "service sshd restart") != 0
    assert rc(host, "service sshd status") == 0


def test_mountd_drops_a_bad_line_and_reports_success(host: Host) -> None:
    host.path("/srv").mkdir()
    write(host, "/etc/exports", "/srv -maproot=root -network 10.0.0.0 -mask 255.0.0.0\n")
    assert rc(host, "service nfsd onestart") == 0
    assert "/srv" in out(host, "showmount -e localhost")
    write(host, "/etc/exports", "/srv -nosuchoption\n")
    assert rc(host, "service mountd onereload") == 0
    assert out(host, "showmount -e localhost") == "Exports list on localhost:"
