# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jail
short_description: Into a jail through its host
author:
  - the jailisp.vps authors (@jailisp)
description:
  - Connects to the jail's host by Ansible's own ssh connection, and runs everything inside the jail by C(jexec).
  - Files go in and out by the standard input and output of a program in the jail. Nothing is ever written to, or read
    from, the jail's root as the host sees it, since a customer may have put symbolic links there that lead out of it.
  - The inventory plugin P(jailisp.vps.fleet#inventory) gives every jail all variables that this needs.
  - A jail that does not run is unreachable.
extends_documentation_fragment:
  - jailisp.vps.ssh
  - connection_pipelining
options:
  host:
    description:
      - The jail's host, as ssh finds it. Always needed.
      - Not C(ansible_host), since whatever reads that without this connection would work on the host instead of the
        jail.
    type: str
    vars:
      - name: ansible_jail_host
  jail:
    description:
      - The jail's name. Always needed.
      - Not C(inventory_hostname), which in a delegated task is that of the host which delegates.
    type: str
    vars:
      - name: ansible_jail_name
  jail_user:
    description:
      - The user inside the jail that runs the commands, one in the jail's own C(/etc/passwd).
      - C(become) works inside the jail as well, if the jail has a program for it.
    type: str
    default: root
    vars:
      - name: ansible_jail_user
  jexec:
    description:
      - The program C(jexec) on the host, and what stands before it where the login on the host is not root's, such as
        C([doas, jexec]). It must not ask for a password.
    type: list
    elements: str
    default: [jexec]
    vars:
      - name: ansible_jail_jexec
"""

import re
import shlex
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ssh

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import NAME_PATTERN, printable

# What pw(8) takes for a user's name, and no more.
USER_PATTERN = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"

Done = tuple[int, bytes, bytes]


def enter(jexec: t.Sequence[str], jail: str, user: str, command: str) -> str:
    """Return the command line for the host's shell that has a shell in the jail run a command line.

    Raises AnsibleError for what can be no name of a jail or a user, or no command.
    """
    if not re.fullmatch(NAME_PATTERN, jail):
        raise AnsibleError(f"ansible_jail_name: {jail!r} cannot be the name of a jail; correct it")
    if not re.fullmatch(USER_PATTERN, user):
        raise AnsibleError(f"ansible_jail_user: {user!r} cannot be the name of a user; correct it")
    if not all(jexec):
        raise AnsibleError(f"{jail}: ansible_jail_jexec: an empty word; correct it, such as [doas, jexec]")
    return shlex.join([*jexec, "-l", "-U", user, jail, "/bin/sh", "-c", command])


def is_absent(jail: str, done: Done) -> bool:
    """Say whether jexec(8) did not find the jail; with a terminal its message is on the standard output."""
    code, out, err = done
    message = f'jexec: jail "{jail}" not found'.encode()
    lines = {line.strip() for line in (out + b"\n" + err).splitlines()}
    return code == 1 and message in lines and out.strip() in (b"", message)


class Connection(ssh.Connection):
    """Ansible's ssh connection, whose every command runs inside a jail."""

    transport = "jailisp.vps.jail"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Done:
        """Run a command line in the jail; raise AnsibleConnectionFailure if the jail does not run."""
        jail = self._needed("jail", "ansible_jail_name")
        host = self._needed("host", "ansible_jail_host")
        line = enter(self.get_option("jexec"), jail, self.get_option("jail_user"), cmd)
        done = super().exec_command(line, in_data=in_data, sudoable=sudoable)
        if is_absent(jail, done):
            raise AnsibleConnectionFailure(f"{jail} does not run on {host}")
        return done

    def put_file(self, in_path: str, out_path: str) -> t.Any:
        """Copy a file into the jail."""
        source = Path(in_path)
        if not source.exists():
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}")
        data = source.read_bytes()
        # Without data nothing closes the standard input, and cat(1) would wait for ever.
        return self._transfer(f"{'cat' if data else ':'} > {shlex.quote(out_path)}", out_path, data)

    def fetch_file(self, in_path: str, out_path: str) -> t.Any:
        """Copy a file out of the jail."""
        done = self._transfer(f"cat < {shlex.quote(in_path)}", in_path)
        Path(out_path).write_bytes(done[1])
        return done

    def _transfer(self, command: str, path: str, data: bytes | None = None) -> Done:
        """Run what moves the file `path` of the jail; without a terminal, which would change bytes."""
        done = self.exec_command(command, in_data=data, sudoable=False)
        if done[0] != 0:
            reason = printable(done[2].decode(errors="replace").strip())
            raise AnsibleError(f"{self.get_option('jail')}: {path} was not transferred: {reason}")
        return done

    def _needed(self, option: str, variable: str) -> str:
        """Return an option that has to be set."""
        value = self.get_option(option)
        if not value:
            raise AnsibleError(f"{self._play_context.remote_addr}: {variable} is missing; set it")
        return t.cast(str, value)
