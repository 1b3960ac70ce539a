# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module, role and playbook of the collection keeps to."""

from __future__ import annotations

import importlib
import re
import types
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.drift import RESULTS
from support.lab import MODULES, run_main

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "jailisp.vps"
NAMES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
# What works on the controller is an action; the module of its name is documentation.
ACTIONS = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))
ON_HOSTS = sorted(set(NAMES) - set(ACTIONS))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
# What an option of a module may say of itself in an argument spec, beside what it holds.
CHECKED = ("type", "elements", "required", "default", "choices")
LOOPS = re.compile(r"\s*(- )?(loop|with_\w+):")
REGISTERED = re.compile(r"\s*register: (\w+)")
WAITS = re.compile(r"\s*(- )?until:")

Spec = dict[str, t.Any]


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def module(name: str) -> types.ModuleType:
    return importlib.import_module(f"{MODULES}.{name}")


def spec_of(name: str) -> Spec:
    """Return the argument spec of a module, or of the action of its name."""
    code = importlib.import_module(f"{MODULES.rpartition('.')[0]}.action.{name}") if name in ACTIONS else module(name)
    return t.cast(Spec, code.ARGUMENT_SPEC)


def documented(options: Spec) -> Spec:
    """Return options as an argument spec has them."""
    return {name: _option(option, "suboptions") for name, option in options.items()}


def specified(options: Spec) -> Spec:
    """Return an argument spec with the defaults that Ansible gives it."""
    return {name: _option(option, "options") for name, option in options.items()}


def _option(option: Spec, inner: str) -> Spec:
    kept = {key: option[key] for key in CHECKED if key in option}
    kept = {"type": "str", "required": False, "default": None, **kept}
    if inner in option:
        kept["options"] = documented(option[inner]) if inner == "suboptions" else specified(option[inner])
    return kept


@pytest.mark.parametrize("name", NAMES)
def test_options_are_documented_as_they_are(name: str) -> None:
    loaded = module(name)
    documentation = yaml.safe_load(loaded.DOCUMENTATION)
    assert documentation["module"] == name
    assert documented(documentation.get("options", {})) == specified(spec_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_result_is_described(name: str) -> None:
    loaded = module(name)

    def described(options: Spec, inner: str) -> t.Iterator[tuple[str, bool]]:
        for key, option in options.items():
            yield key, bool(option.get("description"))
            yield from described(option.get(inner, {}), inner)

    found = [
        *described(yaml.safe_load(loaded.DOCUMENTATION).get("options", {}), "suboptions"),
        *described(yaml.safe_load(loaded.RETURN), "contains"),
    ]
    assert [key for key, is_described in found if not is_described] == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid_calls(name: str) -> None:
    loaded = module(name)
    calls = [task for task in yaml.safe_load(loaded.EXAMPLES) if f"{COLLECTION}.{name}" in task]
    assert calls
    for task in calls:
        assert task.get("name")
        result = ArgumentSpecValidator(spec_of(name)).validate(task[f"{COLLECTION}.{name}"] or {})
        assert result.error_messages == []


@pytest.mark.parametrize("name", ON_HOSTS)
def test_examples_pass_what_the_module_itself_checks(name: str) -> None:
    loaded = module(name)
    subsystem = next((value for value in vars(loaded).values() if hasattr(value, "observe")), None)
    if subsystem is None:
        assert name.endswith("_info")
        return
    for task in yaml.safe_load(loaded.EXAMPLES):
        result = ArgumentSpecValidator(loaded.ARGUMENT_SPEC).validate(task[f"{COLLECTION}.{name}"])
        assert subsystem(result.validated_parameters).wish is not None


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused(name: str) -> None:
    found = ArgumentSpecValidator(spec_of(name)).validate({"colour": "red"}).error_messages
    assert any("colour" in message for message in found)


@pytest.mark.parametrize("name", ON_HOSTS)
def test_main_takes_the_argument_spec(name: str) -> None:
    result = run_main(module(name), colour="red")
    assert result["failed"]
    assert "required arguments" in result["msg"] or "colour" in result["msg"]


@pytest.mark.parametrize("name", NAMES)
def test_every_module_has_unit_tests_and_is_in_the_action_group(name: str) -> None:
    folder = "action" if name in ACTIONS else "modules"
    assert (ROOT / "tests/unit/plugins" / folder / f"test_{name}.py").is_file()
    assert name in load(ROOT / "meta/runtime.yml")["action_groups"]["vps"]


def test_the_action_group_names_only_modules() -> None:
    assert sorted(load(ROOT / "meta/runtime.yml")["action_groups"]["vps"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_module_supports_check_mode(name: str) -> None:
    folder, words = (
        ("action", "_supports_check_mode = True") if name in ACTIONS else ("modules", "supports_check_mode=True")
    )
    assert words in (ROOT / "plugins" / folder / f"{name}.py").read_text(encoding="utf-8")


def test_every_action_is_documented_as_a_module() -> None:
    assert set(ACTIONS) <= set(NAMES)


# Roles and playbooks --------------------------------------------------------------------------------------------------


def options_of(role: str) -> Spec:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return t.cast(Spec, specs["main"]["options"])


def defaults_of(role: str) -> Spec:
    path = ROOT / "roles" / role / "defaults/main.yml"
    return t.cast(Spec, load(path) or {}) if path.exists() else {}


def tasks_of(role: str) -> list[Path]:
    return sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_those_of_its_argument_specs(role: str) -> None:
    assert defaults_of(role) == {
        name: option["default"] for name, option in options_of(role).items() if "default" in option
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_variables_begin_with_its_name(role: str) -> None:
    variables = ROOT / "roles" / role / "vars/main.yml"
    assert [name for name in options_of(role) if not name.startswith(f"{role}_")] == []
    inner = load(variables) if variables.exists() else {}
    assert [name for name in inner if not name.startswith(f"__{role}")] == []


@pytest.mark.parametrize("role", ROLES)
def test_an_option_of_a_role_is_required_or_has_a_default_or_may_be_left_out(role: str) -> None:
    for name, option in options_of(role).items():
        assert not (option.get("required") and "default" in option), name
        assert option.get("description"), name


@pytest.mark.parametrize("role", ROLES)
def test_no_task_loops(role: str) -> None:
    assert tasks_of(role)
    for path in tasks_of(role):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if LOOPS.match(line) or WAITS.match(line)] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_of_a_role_is_specified(role: str) -> None:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    assert sorted(specs) == sorted(path.stem for path in tasks_of(role))


def roles_in(play: t.Any) -> t.Iterator[tuple[str, str]]:
    """Yield the roles (and their entry points) that a playbook names, wherever it does."""
    if isinstance(play, list):
        for each in play:
            yield from roles_in(each)
    elif isinstance(play, dict):
        for key, value in play.items():
            if key.rpartition(".")[2] in ("import_role", "include_role"):
                yield value["name"], value.get("tasks_from", "main")
            elif key == "roles":
                yield from ((each if isinstance(each, str) else each["role"], "main") for each in value)
            else:
                yield from roles_in(value)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_role_of_a_playbook_exists(playbook: str) -> None:
    for role, entry in roles_in(load(ROOT / "playbooks" / playbook)):
        assert role.startswith(f"{COLLECTION}.")
        assert (ROOT / "roles" / role.removeprefix(f"{COLLECTION}.") / "tasks" / f"{entry}.yml").is_file(), role


def test_every_role_has_its_place_in_the_site() -> None:
    used = {role.removeprefix(f"{COLLECTION}.") for role, _entry in roles_in(load(ROOT / "playbooks/site.yml"))}
    assert used == set(ROLES)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_no_playbook_loops(playbook: str) -> None:
    text = (ROOT / "playbooks" / playbook).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if LOOPS.match(line)] == []


@pytest.mark.parametrize("playbook", sorted(path.name for path in ROOT.glob("*.yml") if path.name in PLAYBOOKS))
def test_a_playbook_of_the_checkout_is_the_collections(playbook: str) -> None:
    (play,) = load(ROOT / playbook)
    assert play["ansible.builtin.import_playbook"] == f"playbooks/{playbook}"


def test_the_checkout_has_the_playbooks_that_people_start() -> None:
    assert {path.name for path in ROOT.glob("*.yml")} & set(PLAYBOOKS) >= {"order.yml", "site.yml"}


def variables_of_roles(playbook: str) -> dict[str, Spec]:
    """Return the variables that a playbook gives to the first call of each role."""
    found: dict[str, Spec] = {}

    def look(tasks: t.Any) -> None:
        for task in tasks:
            look(task.get("block", []))
            if "ansible.builtin.import_role" in task:
                found.setdefault(task["ansible.builtin.import_role"]["name"], task.get("vars", {}))

    look(load(ROOT / "playbooks" / playbook)[0]["tasks"])
    return found


def test_drift_is_what_the_sites_roles_foretell() -> None:
    site, drift = variables_of_roles("site.yml"), variables_of_roles("drift.yml")
    # The site leaves out jails that were not asked for, or that got no root; both are drift.
    wanted = {"storage": "storage_jails", "world": "world_jails", "jails": "jails_list"}
    for role, name in ((f"{COLLECTION}.{role}", name) for role, name in wanted.items()):
        site[role] = {**site[role], name: "{{ jails }}"}
    assert drift == site


def test_roles_leave_the_results_that_drift_looks_at() -> None:
    kept = {name for role in ROLES for path in tasks_of(role) for name in REGISTERED.findall(path.read_text())}
    assert set(RESULTS) <= kept


# Modules that change nothing on a host, or nothing that another run could disturb.
HOLDERS = frozenset({"host_hold", "fleet_order", "fleet_retire"})


def modules_in(tasks: t.Any, folder: Path = ROOT / "playbooks") -> t.Iterator[str]:
    """Yield the modules of the collection that tasks call, those of blocks, roles and files that they include too."""
    for task in tasks or ():
        for block in ("block", "rescue", "always"):
            yield from modules_in(task.get(block), folder)
        for key, value in task.items():
            if key.rpartition(".")[2] in ("import_tasks", "include_tasks"):
                yield from modules_in(load(folder / value), (folder / value).parent)
            elif key.rpartition(".")[2] in ("import_role", "include_role"):
                role = ROOT / "roles" / value["name"].removeprefix(f"{COLLECTION}.")
                tasks_of_role = role / "tasks"
                found = load(tasks_of_role / f"{value.get('tasks_from', 'main')}.yml")
                yield from modules_in(found, tasks_of_role)
            elif key.startswith(f"{COLLECTION}.") and not task.get("check_mode"):
                yield key.removeprefix(f"{COLLECTION}.")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_play_that_changes_hosts_says_which_run_it_belongs_to(playbook: str) -> None:
    said = "{{ lookup('jailisp.vps.run') }}"
    for play in load(ROOT / "playbooks" / playbook):
        changing = {each for each in modules_in(play.get("tasks")) if not each.endswith("_info")} - HOLDERS
        if changing and not playbook.startswith("drift"):
            assert play["environment"] == {"JAILISP_RUN": said}, (play["name"], changing)


def test_who_holds_a_host_lets_go_of_it() -> None:
    for playbook in PLAYBOOKS:
        text = (ROOT / "playbooks" / playbook).read_text(encoding="utf-8")
        if "jailisp.vps.host_hold" in text and playbook not in ("upgrade.yml", "rollback.yml"):
            assert "state: released" in text, playbook
        elif playbook in ("upgrade.yml", "rollback.yml"):
            assert "upgrade_report.yml" in text
