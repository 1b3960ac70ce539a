# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on a model host in the process of the test: the roles' own tasks, with the parameters that they give.

Only what the roles consist of is understood: calls of the collection's modules, ``when``, ``vars`` and ``register``.
What only speaks (debug, assert, fail) is left out. So thousands of convergences take minutes, not days.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Resolved
    from support.lab import Lab, Result

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = "jailisp.vps."
# What stands beside the action in a task.
SILENT = frozenset({"ansible.builtin.debug", "ansible.builtin.assert", "ansible.builtin.fail"})
LEFT_OUT = frozenset({"ansible.builtin.import_tasks", "ansible.builtin.include_tasks", "jailisp.vps.host_hold"})

Values = dict[str, t.Any]


class Run(t.NamedTuple):
    """What a task of a role did: its module, and the module's result."""

    module: str
    result: Result


class _Stopped(Exception):
    """A task failed, and so the play ends on this host."""


class Site:
    """The tasks of site.yml. Needs Ansible's plugin loaders, see :mod:`support.loader`."""

    def __init__(self, **variables: t.Any) -> None:
        """Read the playbook; ``variables`` are as given by ``-e``."""
        self.loader = DataLoader()
        self.given = variables
        (play,) = self._read(PROJECT / "playbooks" / "site.yml")
        self.variables: Values = play["vars"]
        self.tasks: list[Values] = play["tasks"]
        # What templates gave for the fleet that was converged last. Most of it is the same each time.
        self._of: Resolved | None = None
        self._given: dict[str, Values | None] = {}
        self._registered: set[str] = set()

    def converge(self, lab: Lab, name: str, resolved: Resolved, *, check: bool = False) -> list[Run]:
        """Run the roles on a host of a fleet, in check mode if ``check``; return what each module said.

        A task that fails ends it, where ``failed_when`` does not say that this is no failure.
        """
        of_host = {
            "vps_host": resolved.hosts[name],
            "vps_accounts": resolved.accounts[name],
            "jails": resolved.jails[name],
            **self.given,
        }
        # In the process of a test nothing can be started that goes on by itself, such as a guard.
        known: Values = {**self.variables, "network_guard": 0, "inventory_hostname": name, **of_host}
        known |= {"ansible_play_hosts_all": [name], "hostvars": {name: known}, "ansible_check_mode": check}
        if self._of is not resolved:
            self._of, self._given = resolved, {}
        runs: list[Run] = []
        with contextlib.suppress(_Stopped):
            self._play(lab, known, runs, check=check)
        return runs

    def _play(self, lab: Lab, known: Values, runs: list[Run], *, check: bool) -> None:
        for task in self.tasks:
            if "ansible.builtin.import_role" in task:
                self._role(lab, task, known, runs, check=check)
            elif not (SILENT | LEFT_OUT) & task.keys():
                raise NotImplementedError(f"site.yml: {task['name']}")

    def _read(self, path: Path) -> t.Any:
        return self.loader.load_from_file(str(path), trusted_as_template=True) if path.exists() else None

    def _role(self, lab: Lab, task: Values, known: Values, runs: list[Run], *, check: bool) -> None:
        """Run the tasks of a role, with its variables as import_role gives them."""
        called = task["ansible.builtin.import_role"]
        role = PROJECT / "roles" / called["name"].removeprefix(COLLECTION)
        variables = {
            **(self._read(role / "defaults" / "main.yml") or {}),
            **known,
            **(self._read(role / "vars" / "main.yml") or {}),
            **task.get("vars", {}),
            "role_path": str(role),
            "ansible_search_path": [str(role)],
        }
        if not self._wanted(task, variables):
            return
        for each in self._read(role / "tasks" / f"{called.get('tasks_from', 'main')}.yml"):
            text = repr((task, self._read(role / "vars" / "main.yml"), each))
            self._task(lab, each, (known, variables, text), runs, check=check)

    def _task(self, lab: Lab, task: Values, scope: tuple[Values, Values, str], runs: list[Run], *, check: bool) -> None:
        """Run a task of a role; keep what it registers for those that follow."""
        if SILENT & task.keys():
            return
        known, variables, text = scope
        (module,) = [key for key in task if key.startswith((COLLECTION, "ansible.builtin."))]
        here = {**variables, **task.get("vars", {})}
        parameters = self._parameters(task, module, here, text)
        if parameters is None:
            result: Result = {"changed": False, "skipped": True}
        else:
            result = self._call(lab, module, parameters, check=check)
            runs.append(Run(module.removeprefix(COLLECTION), result))
        if "register" in task:
            self._registered.add(task["register"])
            known[task["register"]] = variables[task["register"]] = result
            here[task["register"]] = result
        if self._holds(task["failed_when"], here) if "failed_when" in task else result.get("failed"):
            raise _Stopped

    def _parameters(self, task: Values, module: str, here: Values, text: str) -> Values | None:
        """Return a task's parameters, None if it is not wanted; ``text`` holds the names of all they can depend on."""
        results = {name: here[name] for name in sorted(self._registered) if name in text and name in here}
        key = json.dumps([here["inventory_hostname"], here["ansible_check_mode"], text, results])
        if key not in self._given:
            wanted = self._wanted(task, here)
            if wanted and module in LEFT_OUT:
                raise NotImplementedError(task["name"])
            templar = Templar(loader=self.loader, variables=here)
            self._given[key] = _plain(templar.template(task[module])) if wanted else None
        return self._given[key]

    def _wanted(self, task: Values, variables: Values) -> bool:
        return self._holds(task.get("when", []), variables)

    def _holds(self, conditions: t.Any, variables: Values) -> bool:
        templar = Templar(loader=self.loader, variables=variables)
        return all(
            templar.evaluate_conditional(condition)
            for condition in (conditions if isinstance(conditions, list) else [conditions])
        )

    def _call(self, lab: Lab, module: str, parameters: Values, *, check: bool) -> Result:
        if module == "ansible.builtin.file":
            return _make_folder(lab, parameters, check=check)
        return lab.module(module.removeprefix(COLLECTION), check=check, **parameters)


def _make_folder(lab: Lab, parameters: Values, *, check: bool) -> Result:
    """Do what the one module of Ansible's own that a role calls does there: make a folder with its mode."""
    path, mode = lab.path(parameters["path"]), int(parameters["mode"], 8)
    differs = not path.is_dir() or path.stat().st_mode & 0o7777 != mode
    if differs and not check:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    return {"changed": differs, "commands": [], "path": parameters["path"]}


def _plain(value: t.Any) -> t.Any:
    """Return a templated value without what Ansible notes about its origin."""
    if isinstance(value, t.Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
