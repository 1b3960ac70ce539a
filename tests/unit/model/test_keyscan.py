# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh-keyscan on the controller: it goes the way of any packet from outside, to a jail whose sshd runs."""

from __future__ import annotations

import tarfile
import typing as t

import pytest

from model import archive, connect, keyscan, task
from model.rack import Rack

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.host import Host

PUBLIC = "203.0.113.10"
JAILS = {"alice": "192.168.0.10", "bob": "192.168.0.11"}
RULES = "".join(
    f"rdr on vtnet0 inet proto tcp from any to {PUBLIC} port {port} -> {address} port 22\n"
    for port, address in enumerate(JAILS.values(), 8000)
)


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Rack:
    """A host with two jails, whose sshd is published on ports 8000 and 8001."""
    folder = tmp_path_factory.mktemp("rack")
    rack = Rack(folder)
    host = rack.add("h1", "198.51.100.11", addresses=[PUBLIC])
    archive.write_base(folder / "base.txz", "15.1-RELEASE-p1")
    host.run(["kldload", "pf"])
    host.run(["ifconfig", "lo1", "create"])
    for name, address in JAILS.items():
        add_jail(host, folder / "base.txz", name, address)
    assert host.run(["pfctl", "-f", "-"], RULES).rc == 0
    host.run(["pfctl", "-e"])
    return rack


def add_jail(host: Host, base: Path, name: str, address: str) -> None:
    root = host.path(f"/jails/{name}")
    root.mkdir(parents=True)
    with tarfile.open(base) as file:
        members = [each for each in file.getmembers() if not each.name.startswith(("./usr/bin/", "./usr/lib"))]
        file.extraction_filter = lambda member, path: member
        file.extractall(root, members)
    (root / "etc/rc.conf").write_text('sshd_enable="YES"\n')
    start = ["exec.start=/bin/sh /etc/rc", f"ip4.addr=lo1|{address}", f"host.hostname={name}"]
    assert host.run(["jail", "-c", f"name={name}", f"path=/jails/{name}", *start]).rc == 0


def scan(rack: Rack, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[str]]:
    """Return the exit status and the lines of standard output."""
    status = keyscan.ssh_keyscan(str(rack.folder), ["ssh-keyscan", *argv])
    return status, capsys.readouterr().out.splitlines()


def test_each_jail_shows_the_keys_that_its_sshd_made_at_its_first_start(
    rack: Rack, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for port, name in enumerate(JAILS, 8000):
        status, lines = scan(rack, capsys, "-T", "1", "-p", str(port), PUBLIC)
        assert status == 0
        assert [line.split()[:2] for line in lines] == [
            [f"[{PUBLIC}]:{port}", kind] for kind in ("ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519")
        ]
        folder = rack.folder / "hosts" / "h1" / "root" / "jails" / name / "etc" / "ssh"
        assert lines[2].split()[2] == (folder / "ssh_host_ed25519_key.pub").read_text().split()[1]
        shown += lines
    assert len({line.split()[2] for line in shown}) == 6


def test_what_nobody_answers_ends_with_nothing(
    rack: Rack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr("time.sleep", waited.append)
    assert scan(rack, capsys, "-T", "3", "-p", "8002", PUBLIC) == (1, [])
    assert waited == []
    assert scan(rack, capsys, "-T", "3", "-p", "8000", "203.0.113.99") == (1, [])
    assert waited == [3]


def test_what_listens_there_and_is_no_sshd_shows_no_keys(rack: Rack, capsys: pytest.CaptureFixture[str]) -> None:
    host = rack.find("h1")
    assert host is not None
    with host.kernel() as kernel:
        task.add(kernel, ["server"], jid=0, listen=[["tcp4", "*", 8999, 3]])
    assert connect.connect(host, keyscan.CONTROLLER, PUBLIC, "tcp", 8999).result == connect.OPEN
    assert scan(rack, capsys, "-p", "8999", PUBLIC) == (1, [])


@pytest.mark.parametrize(
    "argv", [["-x", PUBLIC], ["-t", "rsa", PUBLIC], ["-p", "no", PUBLIC], ["-T", "0", PUBLIC], ["name"], []]
)
def test_what_the_model_does_not_know_is_refused(
    rack: Rack, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert scan(rack, capsys, *argv) == (1, [])
