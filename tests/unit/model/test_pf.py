# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pfctl: what it accepts and refuses, how it prints rules, and what a load changes and keeps."""

from __future__ import annotations

import typing as t

import pytest

from model import machine
from model.host import Host

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    machine.install(host, name="h1", address="10.0.2.15")
    machine.boot(host)
    assert host.run(["kldload", "pf"]).rc == 0
    return host


def check(host: Host, text: str, *options: str) -> tuple[int, str, str]:
    result = host.run(["pfctl", *options, "-nvf", "-"], text)
    return result.rc, result.out, result.err


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("pass", "pass all flags S/SA keep state"),
        ("block", "block drop all"),
        ("block return in quick on ! lo0", "block return in quick on ! lo0 all"),
        ("pass in proto tcp to port 22 flags any keep state",
         "pass in proto tcp from any to any port = ssh flags any keep state"),
        ("pass out proto udp to any port 53", "pass out proto udp from any to any port = domain keep state"),
        ("pass no state", "pass all no state"),
        ("pass from 10.1.2.3/8 to ! <t>", "pass inet from 10.0.0.0/8 to ! <t> flags S/SA keep state"),
        ("pass inet6 from fd00::1 to any", "pass inet6 from fd00::1 to any flags S/SA keep state"),
        ('pass out tagged a label "jail:a" dnpipe (1, 2)',
         'pass out all flags S/SA keep state label "jail:a" dnpipe(1, 2) tagged a'),
        ("pass in dnqueue (11 21) tag x", "pass in all flags S/SA keep state dnqueue(11, 21) tag x"),
        ("pass proto icmp icmp-type echoreq", ""),
        ("pass inet proto icmp icmp-type echoreq", "pass inet proto icmp all icmp-type echoreq keep state"),
        ("pass proto tcp to port { 80 443 }",
         "pass proto tcp from any to any port = http flags S/SA keep state\n"
         "pass proto tcp from any to any port = https flags S/SA keep state"),
        ("pass proto tcp to port 1024 >< 2000",
         "pass proto tcp from any to any port 1024 >< 2000 flags S/SA keep state"),
        ("pass proto tcp to port >= 1024", "pass proto tcp from any to any port >= 1024 flags S/SA keep state"),
        ("pass keep state (max 100, source-track rule, tcp.closed 10)",
         "pass all flags S/SA keep state (max 100, source-track rule, tcp.closed 10, adaptive.start 60, "
         "adaptive.end 120)"),
        ("pass keep state (max-src-states 9)",
         "pass all flags S/SA keep state (source-track global, max-src-states 9)"),
        ("pass in proto tcp keep state (max-src-conn-rate 10/5, overload <bad> flush global)",
         "pass in proto tcp all flags S/SA keep state (source-track rule, max-src-conn-rate 10/5, "
         "overload <bad> flush global, src.track 5)"),
        ("pass out on vtnet0 to any received-on lo1 no state", "pass out on vtnet0 all received-on lo1 no state"),
        ("rdr on em0 proto tcp from <good> to 10.0.2.15 port 9000:9010 -> 10.0.0.1 port 9100:*",
         "rdr on em0 inet proto tcp from <good> to 10.0.2.15 port 9000:9010 -> 10.0.0.1 port 9100:9110"),
        ("scrub in on vtnet0 no-df", "scrub in on vtnet0 all no-df fragment reassemble"),
        ("nat on em0 from 10.0.0.0/8 to any -> (em0)", "nat on em0 inet from 10.0.0.0/8 to any -> (em0) round-robin"),
        ("nat on em0 inet from (lo1:network) to any tag j -> 10.0.2.15",
         "nat on em0 inet from (lo1:network) to any tag j -> 10.0.2.15"),
        ('nat-anchor "vps/*"', 'nat-anchor "vps/*" all'),
        ('anchor "vps/*" in on vtnet0 quick', ""),
        ('anchor "vps/*" in quick on vtnet0', 'anchor "vps/*" in quick on vtnet0 all'),
        ("antispoof quick for lo0", "block drop in quick on ! lo0 inet from 127.0.0.0/8 to any"),
    ],
)  # fmt: skip
def test_canonical_form(host: Host, given: str, printed: str) -> None:
    code, out, _unused = check(host, f"{given}\n")
    assert out.rstrip("\n").partition("\nblock drop in quick on ! lo0 inet6")[0] == printed
    assert code == (0 if printed else 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pass to $x\n", "stdin:1: macro 'x' not defined\nstdin:1: syntax error\n"),
        ("pass from any too any\n", "stdin:1: syntax error\n"),
        ("pass", "stdin:1: syntax error\n"),
        ("pass proto foo\n", "stdin:1: unknown protocol foo\n"),
        ("pass proto tcp to port nosuch\n", "stdin:1: unknown port nosuch\n"),
        ("pass to port 22\n",
         "stdin:1: port only applies to tcp/udp/sctp\nstdin:1: skipping rule due to errors\n"
         "stdin:1: rule expands to no valid combination\n"),
        ("pass from 10.0.0.1 to fd00::1\n", "stdin:1: rule expands to no valid combination\n"),
        (f"pass label {'x' * 64}\n", "stdin:1: rule label too long (max 63 chars)\n"),
        (f"table <{'x' * 32}>\n", "stdin:1: table name too long, max 31 chars\n"),
        ("pass\nset skip on lo0\n", ""),
        ("pass\nset block-policy return\n",
         "stdin:2: Rules must be in order: options, ethernet, normalization, queueing, translation, filtering\n"),
        ("no nat pass on em0\n", 'stdin:1: "pass" not valid with "no"\n'),
        ("block keep state\n",
         "stdin:1: keep state is great, but only for pass rules\nstdin:1: skipping rule due to errors\n"
         "stdin:1: rule expands to no valid combination\n"),
    ],
)  # fmt: skip
def test_mistakes(host: Host, given: str, message: str) -> None:
    code, _unused, err = check(host, given)
    assert err == message
    assert code == (1 if message else 0)


def test_what_pfctl_does_not_notice(host: Host) -> None:
    """The numbers of pipes and the names of interfaces must be checked before."""
    assert check(host, "pass out on nosuch0 dnpipe 5 dnqueue 6\npass dnpipe (999, 2)\n")[0] == 0


def test_macros_lists_comments_and_continuation_lines(host: Host) -> None:
    text = (
        'jails = "{ 192.168.0.10, 192.168.0.11 }" # who\next = vtnet0\n'
        "pass out on $ext \\\n  from $jails \\\n  to any\n# done\n"
    )
    code, out, err = check(host, text)
    assert (code, err) == (0, "")
    assert out.splitlines()[2:] == [
        f"pass out on vtnet0 inet from 192.168.0.{number} to any flags S/SA keep state" for number in (10, 11)
    ]


def test_failure_leaves_everything_as_it_was(host: Host) -> None:
    host.path("/etc/bad").write_text("nonsense here\n")
    host.run(["pfctl", "-f", "-"], "table <t> persist { 10.0.0.1 }\nblock from <t>\npass\n")
    before = host.run(["pfctl", "-sr"]).out, host.run(["pfctl", "-t", "t", "-T", "show"]).out
    result = host.run(["pfctl", "-f", "-"], 'table <t> persist { 10.0.0.9 }\npass\nload anchor "a" from "/etc/bad"\n')
    assert result.rc == 1
    assert "/etc/bad:1: syntax error" in result.err
    assert (host.run(["pfctl", "-sr"]).out, host.run(["pfctl", "-t", "t", "-T", "show"]).out) == before
    assert host.run(["pfctl", "-nf", "-"], 'load anchor "a" from "/etc/bad"\n').rc == 1


def test_reload_of_the_main_ruleset_keeps_anchors(host: Host) -> None:
    main = 'nat-anchor "vps/*"\nanchor "vps/*"\npass\n'
    host.run(["pfctl", "-f", "-"], main)
    host.run(["pfctl", "-a", "vps/nat", "-f", "-"], "nat on vtnet0 inet from 192.168.0.10 to any -> 10.0.2.15\n")
    host.run(["pfctl", "-f", "-"], main)
    assert host.run(["pfctl", "-a", "vps/nat", "-sn"]).out.startswith("nat on vtnet0")
    shown = host.run(["pfctl", "-a", "*", "-sn"]).out
    assert shown.splitlines() == [
        'nat-anchor "vps/*" all {',
        '  nat-anchor "nat" all {',
        "    nat on vtnet0 inet from 192.168.0.10 to any -> 10.0.2.15",
        "  }",
        "}",
    ]


def test_inline_anchor(host: Host) -> None:
    text = 'anchor "own" in on vtnet0 {\n\tblock\n\tpass proto tcp to port 22\n}\npass\n'
    code, out, _unused = check(host, text)
    assert (code, out) == (
        0,
        'anchor "own" in on vtnet0 all {\n  block drop all\n'
        "  pass proto tcp from any to any port = ssh flags S/SA keep state\n}\npass all flags S/SA keep state\n",
    )
    host.run(["pfctl", "-f", "-"], text)
    assert host.run(["pfctl", "-a", "own", "-sr"]).out.startswith("block drop all\n")


def test_words_of_the_grammar_are_no_names_unless_quoted(host: Host) -> None:
    """A jail may be called like a keyword: only quotes make its name a tag, label, or table."""
    assert check(host, "pass tag user\n")[2] == "stdin:1: syntax error\n"
    assert check(host, "table <keep> persist\n")[2] == "stdin:1: syntax error\n"
    assert check(host, 'table <"keep"> persist\npass tag "user" label "log"\n')[0] == 0


def load(host: Host, text: str) -> None:
    assert host.run(["pfctl", "-f", "-"], text).rc == 0


def test_tables_at_reload(host: Host) -> None:
    load(host, "table <kept> persist\ntable <gone> { 10.0.0.1 }\npass from <gone>\n")
    host.run(["pfctl", "-t", "kept", "-T", "add", "10.0.0.5"])
    load(host, "table <kept> persist\npass\n")
    assert host.run(["pfctl", "-sT"]).out == "kept\n"
    assert host.run(["pfctl", "-t", "kept", "-T", "show"]).out == "   10.0.0.5\n"
    assert host.run(["pfctl", "-t", "kept", "-T", "test", "10.0.0.5"]).rc == 0
    assert host.run(["pfctl", "-t", "kept", "-T", "test", "10.0.0.6"]).rc == 2
    load(host, "table <kept> persist { }\npass\n")
    assert host.run(["pfctl", "-t", "kept", "-T", "show"]).out == ""
    assert host.run(["pfctl", "-t", "gone", "-T", "show"]).rc == 255


def test_labels_are_filled_in(host: Host) -> None:
    rule = "pass out on vtnet0 inet proto tcp from 10.0.0.1 to any port 80"
    code, out, _unused = check(host, f'{rule} label "$if:$srcaddr:$dstport:$nr"\n')
    assert code == 0
    assert 'label "vtnet0:10.0.0.1:80:0"' in out


def test_running_and_reboot(host: Host) -> None:
    assert host.run(["pfctl", "-s", "Running"]).rc == 1
    assert host.run(["pfctl", "-e"]).rc == 0
    assert host.run(["pfctl", "-s", "Running"]).rc == 0
    machine.reboot(host)
    assert host.run(["pfctl", "-s", "info"]).err == "pfctl: /dev/pf: No such file or directory\n"
    assert host.run(["pfctl", "-nf", "/etc/pf.conf"]).rc == 1


@pytest.mark.parametrize("arguments", ["-Z", "-s nosuch", "-F nosuch", "-T show", "-sr extra", ""])
def test_usage(host: Host, arguments: str) -> None:
    result = host.run(["pfctl", *arguments.split()])
    assert result.rc == 1
    assert "usage: pfctl [-AdeghMmNnOPqRSrvz]" in result.err
