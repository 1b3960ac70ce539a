# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnctl: rates, complete lines, files, and deleting."""

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
    return host


@pytest.fixture
def shaping(host: Host) -> Host:
    host.run(["kldload", "dummynet"])
    return host


def dnctl(host: Host, line: str) -> tuple[int, str, str]:
    result = host.run(["dnctl", *line.split()])
    return result.rc, result.out, result.err


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("10Mbit/s", " 10.000 Mbit/s"),
        ("1500Kbit/s", "  1.500 Mbit/s"),
        ("800bit/s", "800.000 bit/s "),
        ("2000000", "  2.000 Mbit/s"),
        ("1MByte/s", "  8.000 Mbit/s"),
        ("4Gbit/s", "  4.000 Gbit/s"),
        ("0", "unlimited     "),
        # dnctl reads whole numbers only: what is behind them is no unit.
        ("1.5Mbit/s", "  1.000 bit/s "),
    ],
)
def test_bandwidth(shaping: Host, given: str, shown: str) -> None:
    assert dnctl(shaping, f"pipe 1 config bw {given}") == (0, "", "")
    assert dnctl(shaping, "pipe 1 show")[1].splitlines()[0] == f"00001: {shown}    0 ms burst 0 "


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("pipe 1 config bw 5Gbit/s", 65, "bandwidth too large"),
        ("pipe 1 config queue 101", 65, "2 <= queue size <= 100"),
        ("pipe 1 config bw", 64, "bw needs bandwidth or interface\n"),
        ("queue 1 config bw 1Mbit/s", 65, "bw is only for links"),
        ("pipe config", 64, "need a pipe/flowset/sched number"),
        ("pipe 1 nosuch", 64, "bad command `nosuch'"),
    ],
)
def test_refusals(shaping: Host, line: str, code: int, message: str) -> None:
    assert dnctl(shaping, line) == (code, "", f"dnctl: {message}\n")


def test_without_the_module(host: Host) -> None:
    assert dnctl(host, "pipe 1 config bw 1Mbit/s") == (
        1, "", "dnctl: setsockopt(IP_DUMMYNET3): Protocol not available\n",
    )  # fmt: skip
    assert dnctl(host, "pipe show") == (0, "", "")


def test_a_line_is_complete_in_itself(shaping: Host) -> None:
    dnctl(shaping, "pipe 1 config bw 10Mbit/s delay 20 queue 60")
    dnctl(shaping, "pipe 1 config delay 20")
    out = dnctl(shaping, "pipe 1 show")[1].splitlines()
    assert out[0].startswith("00001: unlimited        20 ms")
    assert out[1].startswith("q131073  50 sl.")


def test_file_stops_at_the_first_bad_line(shaping: Host) -> None:
    text = "# pipes\npipe 1 config bw 1Mbit/s\npipe 2 config nosuch 1\npipe 3 config\n"
    shaping.path("/etc/dnctl.conf").write_text(text)
    assert dnctl(shaping, "/etc/dnctl.conf") == (65, "", "Line 3: unrecognised option ``nosuch''\n")
    shown = dnctl(shaping, "pipe show")[1]
    assert [line[:5] for line in shown.splitlines() if line.startswith("0000")] == ["00001"]


def test_check_only(host: Host) -> None:
    host.path("/etc/dnctl.conf").write_text("pipe 1 config bw 1Mbit/s\n")
    assert dnctl(host, "-n /etc/dnctl.conf")[0] == 0
    host.path("/etc/dnctl.conf").write_text("pipe 1 config nosuch\n")
    assert dnctl(host, "-n /etc/dnctl.conf")[0] == 65


def test_deleting_never_fails(shaping: Host) -> None:
    dnctl(shaping, "pipe 1 config bw 1Mbit/s")
    dnctl(shaping, "queue 5 config pipe 1 weight 10")
    assert dnctl(shaping, "pipe 1 delete") == (0, "", "")
    assert dnctl(shaping, "pipe 1 delete")[0] == 0
    # A queue outlives its pipe, and belongs to it again when it comes back.
    assert "sched 1 weight 10" in dnctl(shaping, "queue show")[1]
    dnctl(shaping, "pipe 1 config bw 2Mbit/s")
    assert "Children flowsets: 5" in dnctl(shaping, "sched show")[1]
    assert dnctl(shaping, "queue delete 5") == (0, "", "")
    assert dnctl(shaping, "queue show") == (0, "", "")


def test_reboot_forgets(shaping: Host) -> None:
    dnctl(shaping, "pipe 1 config bw 1Mbit/s")
    machine.reboot(shaping)
    shaping.run(["kldload", "-n", "dummynet"])
    assert dnctl(shaping, "pipe show") == (0, "", "")
