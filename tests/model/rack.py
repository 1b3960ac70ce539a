# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rack of model hosts: a folder that holds them, and the ssh that reaches them.

``RACK/hosts/NAME/`` is a host; ``RACK/bin/ssh`` stands in for ssh(1) on the controller: Ansible's own ssh connection
plugin uses it as ``ansible_ssh_executable``. On each host ``/usr/bin/ssh`` does the same, so hosts reach each other.
``RACK/bin/ssh-keyscan`` stands in for ssh-keyscan(1) on the controller. ``RACK/bin/console`` runs a command as if typed
at a host's console: no packet, so no state of pf.
"""

from __future__ import annotations

import getopt
import json
import os
import sys
import typing as t
from pathlib import Path

from model import connect, enter, machine, task
from model.host import Host

SSH = 22
# Where those come from who reach a host of the rack from elsewhere.
CLIENT = "192.0.2.1"
# The options of OpenSSH's ssh(1).
SSH_OPTIONS = "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:PQ:R:S:TVw:W:XYy"

WRAPPER = """#!{python} -IS
import sys
sys.path.insert(0, {code!r})
from model.{module} import {function}
sys.exit({function}({rack!r}, sys.argv))
"""
# What is in a rack's bin/: the module and the function that each program is.
PROGRAMS = {"ssh": ("rack", "ssh"), "console": ("rack", "console"), "ssh-keyscan": ("keyscan", "ssh_keyscan")}


class Rack:
    """The hosts below ``folder``."""

    def __init__(self, folder: Path) -> None:
        """Open the rack; the folder need not exist yet."""
        self.folder = folder.resolve()

    @property
    def console(self) -> Path:
        """The program that types at the consoles of this rack's hosts."""
        return self.folder / "bin" / "console"

    @property
    def ssh(self) -> Path:
        """The ssh program that reaches this rack's hosts."""
        return self.folder / "bin" / "ssh"

    def add(self, name: str, address: str, **hardware: t.Any) -> Host:
        """Install FreeBSD on a new host and boot it; ``hardware`` goes to :func:`model.machine.install`."""
        self._install_programs()
        directory = self.folder / "hosts" / name
        directory.mkdir(parents=True)
        host = Host(directory)
        machine.install(host, name=name, address=address, **hardware)
        machine.boot(host)
        return host

    def _install_programs(self) -> None:
        self.ssh.parent.mkdir(parents=True, exist_ok=True)
        for name, (module, function) in PROGRAMS.items():
            program = self.ssh.with_name(name)
            settings = {"python": sys.executable, "code": str(enter.CODE.parent), "rack": str(self.folder)}
            program.write_text(WRAPPER.format(module=module, function=function, **settings))
            program.chmod(0o755)

    def find(self, destination: str) -> Host | None:
        """Return the host of that name (short or full) or address, None if the rack has none such."""
        for directory in sorted(self.folder.joinpath("hosts").iterdir()):
            machine_file = json.loads((directory / "disk.json").read_text())["machine"]
            name = machine_file["hostname"]
            if destination in (name, name.partition(".")[0], directory.name, machine_file["address"]):
                return Host(directory)
        return None


def ssh(rack: str, argv: t.Sequence[str]) -> int:
    """Do what ssh(1) does: run a command (or a shell) on the named host of the rack, as root."""
    options, operands = getopt.getopt(argv[1:], SSH_OPTIONS)
    if ("-V", "") in options:
        sys.stderr.write("OpenSSH_10.0p2, OpenSSL 3.5.6\n")
        return 0
    if not operands:
        sys.stderr.write("usage: ssh [options] destination [command [argument ...]]\n")
        return 255
    if any(option == "-O" for option, _value in options):
        # There is no master of this connection.
        sys.stderr.write("Control socket connect: No such file or directory\n")
        return 255
    destination = operands[0].rpartition("@")[2]
    host = Rack(Path(rack)).find(destination)
    if host is None:
        sys.stderr.write(f"ssh: Could not resolve hostname {destination}: Name does not resolve\n")
        return 255
    address = _address(host, destination)
    if not machine.is_up(host) or not _answers(host, address):
        sys.stderr.write(f"ssh: connect to host {destination} port 22: Connection refused\n")
        return 255
    host.log(["sshd-session", *operands[1:]])
    command = ["/bin/sh", "-c", " ".join(operands[1:])] if len(operands) > 1 else ["/bin/sh", "-i"]
    try:
        enter.enter(host.directory, command, {"SSH_CONNECTION": f"{CLIENT} 50000 {address} 22"})
    except enter.CannotEnter as error:
        sys.stderr.write(f"ssh: {error}\n")
        return 255


def console(rack: str, argv: t.Sequence[str]) -> int:
    """Run a command at the console of the named host: no connection that pf could see or refuse."""
    _program, name, command = argv
    host = Rack(Path(rack)).find(name)
    if host is None or not machine.is_up(host):
        sys.stderr.write(f"console: {name} is not up\n")
        return 1
    try:
        enter.enter(host.directory, ["/bin/sh", "-c", command], {})
    except enter.CannotEnter as error:
        sys.stderr.write(f"console: {error}\n")
        return 1


def _address(host: Host, destination: str) -> str:
    """Return the address that a host is reached at: the one that was named, or that of its name."""
    if connect.is_address(destination):
        return destination
    with host.disk() as disk:
        return str(disk["machine"]["address"])


def _answers(host: Host, address: str) -> bool:
    """Say whether the host's own sshd listens at an address, and pf lets a new connection through to it."""
    found = connect.connect(host, CLIENT, address, "tcp", SSH)
    if found.listener is None or found.listener[0] is not None:
        return False
    with host.kernel() as kernel:
        return bool(task.processes(kernel)[str(found.listener[1])]["comm"] == "sshd")


def inside_ssh(argv: t.Sequence[str]) -> int:
    """ssh(1) as a program of a model host: reaches the other hosts of its rack."""
    return ssh(os.fspath(enter.INSIDE_RACK), argv)
