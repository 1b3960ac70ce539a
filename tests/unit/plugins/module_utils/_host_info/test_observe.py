# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed, Done
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._host_info.observe import observe
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

PARAMETERS = {
    "folders": ["/jails"],
    "dataset": "tank/jails",
    "images": None,
    "anchor": "jailisp",
    "first": 10000,
    "last": 59999,
}


class Failing:
    """Every program fails; kldstat says that all kernel modules are loaded."""

    def run(self, command: Command) -> Done:
        rc = 0 if command.argv[0] == "kldstat" else 1
        return Done(command, rc, "", f"{command.argv[0]}: out of order")


@pytest.mark.parametrize(
    ("subset", "program"),
    [("roots", "zfs"), ("jails", "jls"), ("pf", "pfctl"), ("pipes", "dnctl"), ("limits", "rctl")],
)
def test_a_failure_to_read_does_not_pass_for_nothing_there(tmp_path: Path, subset: str, program: str) -> None:
    with pytest.raises(CommandFailed, match=f"{program}: out of order"):
        observe(Host(Failing(), Files(str(tmp_path))), {**PARAMETERS, "gather_subset": [subset]})
