# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's action host_hold: it waits on the controller for other runs. The module documents it."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.jailisp.vps.plugins.modules.host_hold import ARGUMENT_SPEC
from ansible_collections.jailisp.vps.plugins.plugin_utils._runs import is_over

PAUSE = 3


class ActionModule(ActionBase):
    """Asks the module again until the host is free."""

    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Hold the host or let go of it; what fails is who holds it for too long."""
        super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENT_SPEC)
        end, told = time.monotonic() + arguments["seconds"], ""
        while True:
            result: dict[str, t.Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
            holder = result.get("holder") or {}
            if holder and is_over(holder["run"]) and arguments["instead_of"] != holder["run"]:
                arguments["instead_of"] = holder["run"]
                continue
            if not holder or time.monotonic() >= end:
                return result
            if told != holder["run"]:
                told = holder["run"]
                Display().display(f"{(task_vars or {}).get('inventory_hostname', '')}: {result['msg']}")
            time.sleep(PAUSE)
