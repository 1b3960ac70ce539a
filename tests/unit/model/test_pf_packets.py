# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pf does with connections of jails: translation, isolation, shaping, counting, as measured on a real host."""

from __future__ import annotations

import typing as t

import pytest

from model import connect, machine, task
from model.host import Host
from model.rack import Rack

if t.TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB, PUBLIC, CLIENT = "192.168.0.10", "192.168.0.11", "10.0.2.15", "198.51.100.7"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with two jails on lo1 that listen on ports 22 and 8000."""
    host = Host(tmp_path)
    machine.install(host, name="h1", address=PUBLIC)
    machine.boot(host)
    prepare(host)
    return host


def prepare(host: Host) -> None:
    host.run(["kldload", "pf"])
    host.run(["kldload", "dummynet"])
    host.run(["ifconfig", "lo1", "create"])
    for number, (name, address) in enumerate((("alice", ALICE), ("bob", BOB)), 1):
        assert host.run(["jail", "-c", f"name={name}", "path=/", "persist", f"ip4.addr=lo1|{address}"]).rc == 0
        with host.kernel() as kernel:
            listen = [["tcp4", "*", 22, 3], ["tcp4", "*", 8000, 4]]
            task.add(kernel, ["server"], jid=number, listen=listen)


def load(host: Host, text: str) -> None:
    result = host.run(["pfctl", "-f", "-"], text)
    assert (result.rc, result.err) == (0, "")
    host.run(["pfctl", "-e"])


def attempt(host: Host, source: str, destination: str, port: int = 8000, jail: str | None = None) -> str:
    return connect.connect(host, source, destination, "tcp", port, jail=jail).result


def test_without_pf_everything_that_listens_answers(host: Host) -> None:
    assert attempt(host, "", ALICE) == "open"
    assert attempt(host, "", ALICE, 8001) == "refused"
    assert attempt(host, "", BOB, jail="alice") == "open"
    assert attempt(host, "", "192.168.0.99") == "timeout"


def test_published_port_is_redirected_from_outside_only(host: Host) -> None:
    load(host, f"rdr on vtnet0 inet proto tcp from any to {PUBLIC} port 8022 -> {ALICE} port 22\npass\n")
    found = connect.connect(host, CLIENT, PUBLIC, "tcp", 8022)
    assert found.result == "open"
    assert found.listener is not None and found.listener[0] == "alice"
    # A jail of the same host does not pass the outside interface.
    assert attempt(host, "", PUBLIC, 8022, jail="bob") == "refused"


def test_hairpin_over_lo0(host: Host) -> None:
    load(host, f"rdr on lo0 proto tcp from {{ {ALICE} {BOB} }} to {PUBLIC} port 8080 -> {ALICE} port 8000\npass\n")
    assert attempt(host, "", PUBLIC, 8080, jail="bob") == "open"


def test_translation_is_first_match_and_filter_last_match(host: Host) -> None:
    load(
        host,
        f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 80 -> {ALICE} port 8000\n"
        f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 80 -> {BOB} port 8000\n"
        f"block in on vtnet0\npass in on vtnet0 proto tcp to {ALICE} port 8000\n",
    )
    found = connect.connect(host, CLIENT, PUBLIC, "tcp", 80)
    assert (found.result, found.listener and found.listener[0]) == ("open", "alice")
    assert attempt(host, CLIENT, PUBLIC, 22) == "timeout"


def test_rdr_pass_skips_the_filter(host: Host) -> None:
    load(host, f"rdr pass on vtnet0 proto tcp from any to {PUBLIC} port 80 -> {ALICE} port 8000\nblock all\n")
    assert attempt(host, CLIENT, PUBLIC, 80) == "open"


def test_isolation_needs_the_group_lo(host: Host) -> None:
    load(host, f"block drop quick on lo0 from {BOB} to {ALICE}\npass\n")
    assert attempt(host, "", ALICE, jail="bob") == "open"
    load(
        host,
        f"table <jails> {{ {ALICE} {BOB} }}\n"
        f"pass quick on lo from {ALICE} to {ALICE}\npass quick on lo from {BOB} to {BOB}\n"
        "block drop quick on lo from <jails> to <jails>\npass\n",
    )
    assert attempt(host, "", ALICE, jail="bob") == "denied"
    assert attempt(host, "", ALICE, jail="alice") == "open"
    assert attempt(host, "127.0.0.1", ALICE) == "open"


def test_set_skip_switches_isolation_off(host: Host) -> None:
    load(host, f"set skip on lo\nblock drop quick on lo from {BOB} to {ALICE}\npass\n")
    assert attempt(host, "", ALICE, jail="bob") == "open"


SHAPED = (
    f"nat on vtnet0 inet from {ALICE} to any tag alice -> {PUBLIC}\n"
    "pass out on vtnet0 tagged alice dnpipe (1, 2) label a\n"
)


def outgoing(host: Host) -> connect.Connection:
    return connect.connect(host, "", "10.0.2.2", "tcp", 80, jail="alice")


def test_tag_shapes_what_the_address_cannot(host: Host) -> None:
    for number in ("1", "2"):
        host.run(["dnctl", "pipe", number, "config", "bw", "2Mbit/s"])
    load(host, SHAPED)
    verdict = outgoing(host).verdicts[0]
    assert (verdict.packet.source, verdict.dummynet, verdict.pipe) == (PUBLIC, ("pipe", 1, 2), ("pipe", 1))
    # The filter sees the translated address: without the tag, nothing is shaped.
    load(
        host,
        f"nat on vtnet0 inet from {ALICE} to any -> {PUBLIC}\npass out on vtnet0 from {ALICE} to any dnpipe (1, 2)\n",
    )
    assert outgoing(host).verdicts[0].dummynet is None


def test_rules_in_wildcard_anchors_apply(host: Host) -> None:
    host.path("/etc/nat").write_text(f"nat on vtnet0 inet from {ALICE} to any tag alice -> {PUBLIC}\n")
    host.path("/etc/filter").write_text('pass out on vtnet0 tagged alice label "jail:alice"\n')
    load(
        host,
        'nat-anchor "vps/*"\nanchor "vps/*"\nload anchor "vps/nat" from "/etc/nat"\n'
        'load anchor "vps/filter" from "/etc/filter"\n',
    )
    found = outgoing(host)
    assert found.verdicts[0].labels == ("jail:alice",)
    connect.transfer(host, found, 1000, 5000)
    fields = host.run(["pfctl", "-a", "vps/filter", "-s", "labels"]).out.split()
    assert fields[0] == "jail:alice"
    assert int(fields[5]) >= 5000 and int(fields[7]) > 1000
    # Counters begin again at each load.
    host.run(["pfctl", "-a", "vps/filter", "-f", "/etc/filter"])
    assert host.run(["pfctl", "-a", "vps/filter", "-s", "labels"]).out == "jail:alice 0 0 0 0 0 0 0 0\n"


def test_states_keep_the_decision_until_they_are_killed(host: Host) -> None:
    load(host, f"nat on vtnet0 inet from {ALICE} to any -> {PUBLIC}\npass out on vtnet0 label alice\n")
    outgoing(host)
    line = host.run(["pfctl", "-ss"]).out
    assert line.startswith(f"all tcp {PUBLIC}:")
    assert f"({ALICE}:" in line
    assert line.endswith("-> 10.0.2.2:80       ESTABLISHED:ESTABLISHED\n")
    assert host.run(["pfctl", "-k", ALICE]).err == "killed 0 states from 1 sources and 0 destinations\n"
    assert host.run(["pfctl", "-k", "nat", "-k", ALICE]).err == "killed 1 states from 1 sources and 0 destinations\n"
    outgoing(host)
    assert host.run(["pfctl", "-k", "label", "-k", "alice"]).err == "killed 1 states\n"


def test_disabled_pf_translates_nothing(host: Host) -> None:
    load(host, f"rdr on vtnet0 proto tcp from any to {PUBLIC} port 8022 -> {ALICE} port 22\nblock all\n")
    host.run(["pfctl", "-d"])
    assert attempt(host, CLIENT, PUBLIC, 8022) == "refused"
    assert attempt(host, CLIENT, PUBLIC, 22) == "open"


def test_connection_without_a_state_is_not_matched_by_flags(host: Host) -> None:
    from model.pf_packets import TCP, Packet, evaluate  # noqa: PLC0415

    load(host, "block all\npass in proto tcp to port 22\n")
    packet = Packet("in", "vtnet0", TCP, CLIENT, 50000, PUBLIC, 22, flags="A")
    with host.kernel() as kernel:
        assert not evaluate(kernel, packet).passed
    load(host, "block all\npass in proto tcp to port 22 flags any\n")
    with host.kernel() as kernel:
        assert evaluate(kernel, packet).passed


def test_binat(host: Host) -> None:
    host.run(["ifconfig", "vtnet0", "inet", "10.0.2.17/32", "alias"])
    load(host, f"binat on vtnet0 inet from {ALICE} to any -> 10.0.2.17\npass\n")
    assert outgoing(host).verdicts[0].packet.source == "10.0.2.17"
    found = connect.connect(host, CLIENT, "10.0.2.17", "tcp", 8000)
    assert (found.result, found.listener and found.listener[0]) == ("open", "alice")


def test_nc_in_a_jail_and_on_the_host(host: Host) -> None:
    done = host.run(["nc", "-z", "-w", "1", ALICE, "8000"])
    assert (done.rc, done.err) == (0, f"Connection to {ALICE} 8000 port [tcp/*] succeeded!\n")
    load(host, f"block drop quick on lo from {BOB} to {ALICE}\npass\n")
    done = host.run(["nc", "-vz", "-w", "1", ALICE, "22"], jail="bob")
    assert (done.rc, done.err) == (1, f"nc: connect to {ALICE} port 22 (tcp) failed: Permission denied\n")


def test_hosts_of_a_rack_reach_published_ports(tmp_path: Path) -> None:
    rack = Rack(tmp_path)
    first, second = rack.add("h1", PUBLIC), rack.add("h2", "10.0.2.16")
    prepare(first)
    load(first, f"rdr on vtnet0 inet proto tcp from any to {PUBLIC} port 8022 -> {ALICE} port 22\npass\n")
    assert second.run(["nc", "-z", "-w", "1", PUBLIC, "8022"]).rc == 0
    assert second.run(["nc", "-z", "-w", "1", PUBLIC, "8023"]).rc == 1
    assert second.run(["nc", "-z", "-w", "1", "10.0.2.99", "22"]).rc == 1
    # A jail without translation gets no answer from elsewhere.
    assert attempt(first, "", "10.0.2.16", 22, jail="alice") == "timeout"
    host = f"nat on vtnet0 inet from {ALICE} to any -> (vtnet0)\npass\n"
    load(first, host)
    assert attempt(first, "", "10.0.2.16", 22, jail="alice") == "open"
