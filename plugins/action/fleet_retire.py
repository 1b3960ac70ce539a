# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's action fleet_retire: it works on the controller, where the records are. The module documents it."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.records import RecordError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.retire import Request, forget, may_destroy, retire

STEPS = {"retire": retire, "destroy": may_destroy, "forget": forget}
ARGUMENT_SPEC = {
    "fleet": {"type": "path", "required": True},
    "jail": {"type": "str", "required": True},
    "step": {"type": "str", "choices": list(STEPS), "default": "retire"},
    "commit": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The shell around retiring: arguments go in, where the jail is and what is kept of it comes out."""

    _requires_connection = False
    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Do the step with a jail's record; raise AnsibleActionFail with all errors."""
        super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENT_SPEC)
        request = Request(
            file=Path(arguments["fleet"]).absolute(),
            jail=arguments["jail"],
            now=datetime.datetime.now(datetime.UTC),
            commit=arguments["commit"],
            check_mode=self._task.check_mode,
        )
        try:
            return STEPS[arguments["step"]](request, self._loader)
        except (FleetError, RecordError) as error:
            raise AnsibleActionFail(str(error)) from None
