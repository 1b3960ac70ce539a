# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model host in the process of the test, and the collection's modules at work on it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
import shutil
import stat
import subprocess
import types
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.jailisp.vps.plugins.module_utils._command import ENVIRONMENT, Command, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._hold import FILE as HELD
from model.host import Host

MODULES = "ansible_collections.jailisp.vps.plugins.modules"
SHELL = "ansible_collections.jailisp.vps.plugins.module_utils._shell"
# What the model itself needs, and what no reboot or command of a host shows.
UNSEEN = frozenset({"commands.log", "kernel.json", "disk.json", "kernel.json.lock", "disk.json.lock"})

Result = dict[str, t.Any]


class ModelRunner:
    """Runs commands on a model host and keeps what it ran (:class:`_command.Runner`)."""

    def __init__(self, host: Host) -> None:
        """Keep the host."""
        self.host = host
        self.ran: list[Command] = []

    def run(self, command: Command) -> Done:
        """Run one command to its end."""
        self.ran.append(command)
        stdin = command.stdin.encode(errors="surrogateescape")
        done = self.host.run(command.argv, stdin, env=ENVIRONMENT)
        if command.silent:
            return Done(command, done.rc, "", "")
        return Done(command, done.rc, done.out, done.err)


class Lab:
    """A model host, and the modules run on it as Ansible runs them: through their ``main``."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep the host."""
        self.host = host
        self.runner = ModelRunner(host)
        self.files = Files(os.fspath(host.root))
        self._monkeypatch = monkeypatch

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a command on the host by hand, one that must succeed; return what it printed."""
        done = self.host.run(argv, stdin, env=ENVIRONMENT)
        assert done.rc == 0, f"{argv}: {done.rc}: {done.err}{done.out}"
        return done.out

    def path(self, name: str) -> Path:
        """Return where the host's file lies."""
        return self.host.path(name, follow=False)

    def module(self, name: str, *, check: bool = False, **parameters: t.Any) -> Result:
        """Run a module and return its result."""
        module = importlib.import_module(f"{MODULES}.{name}")
        # The one that this module has, or it would work on the machine that runs the tests: whoever tries plugins too
        # may have imported the collection twice.
        shell = importlib.import_module(SHELL)
        with self._monkeypatch.context() as patch:
            patch.setattr(shell, "os", types.SimpleNamespace(geteuid=lambda: 0, environ={}))
            patch.setattr(shell, "HostRunner", lambda: self.runner)
            patch.setattr(shell, "Files", lambda: self.files)
            return run_main(module, check=check, **parameters)

    def converge(self, name: str, **parameters: t.Any) -> Result:
        """Run a module that must succeed: foretold by check mode, and at rest afterwards."""
        foretold = self.check(name, **parameters)
        result = self.module(name, **parameters)
        assert not result.get("failed"), result["msg"]
        assert {key: foretold[key] for key in FORETOLD} == {key: result[key] for key in FORETOLD}
        again = self.module(name, **parameters)
        assert (again["changed"], again["commands"], again.get("failed")) == (False, [], None), again
        return result

    def check(self, name: str, **parameters: t.Any) -> Result:
        """Run a module in check mode, and see that it changes nothing on the host."""
        for reader in READERS:
            self.host.run(reader)
        before = snapshot(self.host)
        result = self.module(name, check=True, **parameters)
        assert snapshot(self.host) == before
        return result

    def processes(self, name: str, **parameters: t.Any) -> int:
        """Return how many processes a module starts."""
        before = len(self.runner.ran)
        result = self.module(name, **parameters)
        assert not result.get("failed"), result["msg"]
        return len(self.runner.ran) - before


# Commands that change nothing on a real host, and in the model make the state of a subsystem that was never used.
READERS = (("jls",), ("mdconfig", "-l"), ("pfctl", "-s", "info"), ("dnctl", "pipe", "show"), ("rctl",))
FORETOLD = ("changed", "commands", "before", "after", "diff")


def run_main(module: types.ModuleType, *, check: bool = False, **parameters: t.Any) -> Result:
    """Run a module's ``main`` as Ansible does, and return the result that it prints."""
    printed = io.StringIO()
    # A test is nothing for the log of the machine.
    arguments = {**parameters, "_ansible_check_mode": check, "_ansible_no_log": True}
    with patch_module_args(arguments), contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        module.main()
    return t.cast(Result, json.loads(printed.getvalue()))


def copy(source: Path, target: Path) -> None:
    """Copy a folder with everything that a file can be in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([shutil.which("cp") or "cp", "-a", source, target], check=True)


def snapshot(host: Host) -> dict[str, t.Any]:
    """Return all of a host that a command could change: its files with their attributes, its kernel, its disks."""
    found: dict[str, t.Any] = {}
    for folder, folders, files in os.walk(host.directory):
        for name in [*folders, *files]:
            path = Path(folder, name)
            if path.parent != host.directory or name not in UNSEEN:
                found[str(path.relative_to(host.directory))] = _attributes(path)
    # Who holds the host is noted by every module that could change something, also where it changes nothing.
    found.pop(f"root{HELD}", None)
    with host.kernel() as kernel, host.disk() as disk:
        found["kernel"], found["disk"] = json.loads(json.dumps([kernel, disk]))
    # Each process that runs takes the next number.
    found["kernel"].get("process", {}).pop("last", None)
    return found


def _attributes(path: Path) -> tuple[t.Any, ...]:
    status = path.lstat()
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return status.st_mode, status.st_uid, status.st_gid, content
