# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed, Done
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.observe import Dummynet
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

WISH = {
    "pipes": [],
    "queues": [],
    "first": 10000,
    "last": 59999,
    "remove": True,
    "assumed": False,
    "file": "/etc/dnctl.conf",
}


class FailingDnctl:
    """dnctl fails; kldstat says whether dummynet is loaded."""

    def __init__(self, *, loaded: bool) -> None:
        self.loaded = loaded

    def run(self, command: Command) -> Done:
        rc = 1 if command.argv[0] == "dnctl" else int(not self.loaded)
        return Done(command, rc, "", "dnctl: retrieving config failed")


def test_a_failure_to_read_does_not_pass_for_no_pipes(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="retrieving config failed"):
        Dummynet(WISH).observe(Host(FailingDnctl(loaded=True), Files(str(tmp_path))))


def test_a_host_without_dummynet_has_no_pipes(tmp_path: Path) -> None:
    assert Dummynet(WISH).observe(Host(FailingDnctl(loaded=False), Files(str(tmp_path)))).flows == {}
