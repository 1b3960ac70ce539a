# SPDX-License-Identifier: GPL-3.0-or-later
import re

from records import BITS, Site
from testinfra.host import Host

FIRST = 10000


def test_lo1_carries_the_addresses_of_running_jails_and_no_others(host: Host, site: Site) -> None:
    shown = host.check_output("ifconfig lo1 inet")
    network = site.variables["vps_netblock"].removesuffix("0/24")
    addresses = [address for address in re.findall(r"inet (\S+) netmask 0xffffffff", shown) if network in address]
    assert sorted(addresses) == sorted(jail.address for jail in site.running)


def test_pf_is_enabled_and_calls_our_anchor(host: Host) -> None:
    assert "Status: Enabled" in host.check_output("pfctl -s info")
    main = host.check_output("pfctl -sn; pfctl -sr").splitlines()
    for kind in ("nat-anchor", "rdr-anchor", "anchor"):
        assert f'{kind} "jailisp" all' in main


def test_every_jail_is_translated_to_the_public_address(host: Host, site: Site) -> None:
    shown = host.check_output("pfctl -a jailisp -sn").splitlines()
    rules = [line for line in shown if line.startswith("nat ")]
    assert len(rules) == len(site.jails), shown
    for jail in site.jails:
        begin, end = f"nat on {site.interface} inet from {jail.address} to any ", f" -> {site.address}"
        assert [rule for rule in rules if rule.startswith(begin) and rule.endswith(end)], shown


def test_every_published_port_is_redirected_and_no_other(host: Host, site: Site) -> None:
    shown = host.check_output("pfctl -P -a jailisp -sn").splitlines()
    rules = [line for line in shown if line.startswith("rdr ")]
    published = [(jail, entry) for jail in site.jails for entry in jail.record["publish"]]
    # Once for those who come from outside, once for the jails of the host.
    assert len(rules) == 2 * len(published), shown
    for jail, entry in published:
        target = f"to {site.address} port = {entry['port']} "
        for interface, source in ((site.interface, "any"), ("lo0", "<jails>")):
            begin = f"rdr on {interface} inet proto {entry.get('protocol', 'tcp')} from {source} {target}"
            end = f" -> {jail.address} port {entry['to']}"
            assert [rule for rule in rules if rule.startswith(begin) and rule.endswith(end)], shown


def test_capped_jails_have_pipes_and_others_share_the_line(host: Host, site: Site) -> None:
    shown = host.check_output("dnctl pipe show")
    pipes = {int(number): rate for number, rate in re.findall(r"^(\d{5}): +(\S+ \S+)", shown, re.MULTILINE)}
    rates = {
        number: float(rate.split()[0]) * BITS[rate.split()[1]] for number, rate in pipes.items() if number > FIRST + 1
    }
    assert {FIRST, FIRST + 1} <= pipes.keys(), shown
    queues = host.check_output("dnctl queue show")
    sharing = re.findall(r"^q(\d{5}) .* sched (\d+) weight", queues, re.MULTILINE)
    assert sorted((int(number), int(pipe)) for number, pipe in sharing if int(number) > FIRST) == sorted(
        (FIRST + 2 * jail.record["id"] + place, FIRST + place)
        for jail in site.jails
        if not jail.pipes
        for place in (0, 1)
    ), queues
    wanted = {number: rate for jail in site.jails for number, rate in jail.pipes.items()}
    assert rates == {number: int(rate[:-6]) * BITS[rate[-6:]] for number, rate in wanted.items()}, shown
    boot = host.check_output("cat /etc/dnctl.conf")
    for number, rate in wanted.items():
        assert f"pipe {number} config bw {rate} " in boot


def test_traffic_of_capped_jails_passes_their_pipes(host: Host, site: Site) -> None:
    shown = host.check_output("pfctl -a jailisp -sr").splitlines()
    for jail in site.jails:
        rules = [line for line in shown if f'label "jail:{jail.name}"' in line]
        pipes = {
            (line.split()[1], *map(int, re.findall(r"dnpipe ?\( ?(\d+), (\d+) ?\)", line)[0]))
            for line in rules
            if "dnpipe" in line
        }
        up_down = tuple(jail.pipes)
        assert pipes == ({("out", *up_down), ("in", *up_down[::-1])} if up_down else set()), shown
        assert len(rules) == len({"in", "out"}), shown


def test_jails_reach_themselves_but_not_each_other(host: Host, site: Site) -> None:
    one, other = site.running[:2]
    assert host.run(f"jexec {one.name} nc -z -w 2 {one.address} 22").rc == 0
    assert host.run(f"jexec {one.name} nc -z -w 2 {other.address} 22").rc != 0
