# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's action fleet_order: it works on the controller, where the records are; the module documents it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.order import order
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.records import RecordError

ARGUMENT_SPEC = {
    "fleet": {"type": "path", "required": True},
    "jail": {"type": "str", "required": True},
    "plan": {"type": "str", "required": True},
    "customer": {"type": "str", "required": True},
    "host": {"type": "str"},
    "hostname": {"type": "str"},
    "publish": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "to": {"type": "int", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
            "address": {"type": "str"},
        },
    },
    "customer_name": {"type": "str"},
    "customer_contact": {"type": "str"},
    "customer_keys": {"type": "list", "elements": "str", "default": []},
    "commit": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The shell around an order: arguments go in, the place of the new jail comes out."""

    _requires_connection = False
    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Write the record of a jail, or say that it is there; raise AnsibleActionFail with all errors."""
        super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENT_SPEC)
        file, commit = Path(arguments.pop("fleet")).absolute(), arguments.pop("commit")
        try:
            ordered = order(file, arguments, self._loader, commit=commit, check_mode=self._task.check_mode)
        except (FleetError, RecordError) as error:
            raise AnsibleActionFail(str(error)) from None
        return ordered.result()
