# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh-keyscan(1) on the controller of a rack: the host keys of whatever sshd a packet from outside reaches."""

from __future__ import annotations

import getopt
import sys
import time
import typing as t
from pathlib import Path

from model import connect, prison, task
from model.path import TIMEOUT

if t.TYPE_CHECKING:
    from model.host import Host

CONTROLLER = "192.0.2.1"
USAGE = (
    "usage: ssh-keyscan [-46cDHqv] [-f file] [-O option] [-p port] [-T timeout]\n"
    "                   [-t type] [host | addrlist namelist]\n"
)
SSH = 22
# A connection for each: ssh-keyscan asks for keys on tokens too, which sshd does not have.
KINDS = ("rsa", "ecdsa", "ed25519")
CONNECTIONS = 5


def ssh_keyscan(rack: str, argv: t.Sequence[str]) -> int:
    """ssh-keyscan(1) with one address: its options -p and -T."""
    try:
        options, operands = getopt.getopt(argv[1:], "46cDHqvf:O:p:T:t:")
    except getopt.GetoptError as error:
        sys.stderr.write(f"unknown option -- {error.opt}\n{USAGE}")
        return 1
    given = dict(options)
    unknown = given.keys() - {"-p", "-T"}
    if unknown or len(operands) != 1 or not connect.is_address(operands[0]):
        sys.stderr.write(f"the model scans one address, with -p and -T\n{USAGE}")
        return 1
    port, timeout = given.get("-p", str(SSH)), given.get("-T", "5")
    if not (port.isdigit() and 0 < int(port) < 1 << 16 and timeout.isdigit() and int(timeout) > 0):
        sys.stderr.write(f"Bad port '{port}'\n" if not port.isdigit() else f"Bad timeout '{timeout}'\n")
        return 1
    return _scan(Path(rack), operands[0], int(port), int(timeout))


def _scan(rack: Path, address: str, port: int, timeout: int) -> int:
    host = connect.host_with(rack, address)
    found = None if host is None else connect.connect(host, CONTROLLER, address, "tcp", port)
    keys = [] if host is None or found is None else _keys(host, found)
    if host is not None and found is not None:
        connect.close(host, found)
    if found is None or found.result == TIMEOUT:
        time.sleep(timeout)
    name = address if port == SSH else f"[{address}]:{port}"
    sys.stderr.write(f"# {address}:{port} SSH-2.0-OpenSSH_10.0 FreeBSD-20250801\n" * (CONNECTIONS if keys else 0))
    sys.stdout.writelines(f"{name} {key}\n" for key in keys)
    return 0 if keys else 1


def _keys(host: Host, found: connect.Connection) -> list[str]:
    """Return the public keys (type and key) of the sshd that a connection reached; none if it is no sshd."""
    if found.result != connect.OPEN or found.listener is None:
        return []
    name, process = found.listener
    with host.kernel() as kernel:
        if task.processes(kernel)[str(process)]["comm"] != "sshd":
            return []
        jail = None if name is None else prison.find(kernel, name)
        root = "/" if jail is None else str(prison.value(kernel, jail, "path"))
    files = [host.path(f"/etc/ssh/ssh_host_{kind}_key.pub", inside=root) for kind in KINDS]
    return [" ".join(file.read_text(errors="replace").split()[:2]) for file in files if file.is_file()]
