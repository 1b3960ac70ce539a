# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The command line of scripts/fleet.py: what can be asked of a fleet without reaching any of its hosts."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.cli import CLI
from ansible.constants import config
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from .explain import Line, explain_host, explain_jail
from .model import FleetError, Problem
from .project import Project, open_project
from .schema import write_schemas
from .unreadable import words_of
from .values import meant

# Where a fleet is looked for in the working directory.
USUAL = (Path("inventory/fleet.yml"), Path("fleet.yml"))


@dataclass(frozen=True)
class Answer:
    """What a command says: `lines` for standard output, one for standard error, and the exit status."""

    lines: t.Sequence[str] = ()
    summary: str = ""
    status: int = 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 1 with errors. Wrong usage exits with 2."""
    options = _parser().parse_args(arguments)
    try:
        # Ansible's warnings are for those who run plays; here they would hide the errors.
        with contextlib.redirect_stderr(io.StringIO()):
            answer: Answer = options.run(options)
    except FleetError as error:
        answer = Answer([str(problem) for problem in error.problems], _count(len(error.problems), "error"), 1)
    for line in answer.lines:
        print(line)
    sys.stdout.flush()
    if answer.summary:
        print(answer.summary, file=sys.stderr)
    return answer.status


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; what it parses has `run`, the function of the command."""
    parser = argparse.ArgumentParser(prog="fleet.py", description="Questions to a fleet; none of its hosts is reached.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fleet = argparse.ArgumentParser(add_help=False)
    fleet.add_argument(
        "--fleet", type=Path, metavar="FILE", help="the fleet's file; default is inventory/fleet.yml, else fleet.yml"
    )
    fleet.add_argument(
        "--vault-password-file", action="append", metavar="FILE", help="as ansible-playbook takes it; may be repeated"
    )
    validate = commands.add_parser("validate", parents=[fleet], help="check the whole fleet and say all errors")
    validate.set_defaults(run=_validate)
    explain = commands.add_parser("explain", parents=[fleet], help="say where the values of a jail or host came from")
    explain.add_argument("name", metavar="NAME", help="a jail, or a jail host")
    explain.add_argument("keys", nargs="*", metavar="KEY", help="such as limits.memory, or limits for all of them")
    explain.set_defaults(run=_explain)
    schema = commands.add_parser("schema", help="write the JSON Schemas of the records, for editors")
    schema.add_argument("folder", type=Path, metavar="FOLDER", help="where to write them; made if it is not there")
    schema.set_defaults(run=_schema)
    return parser


def _validate(options: argparse.Namespace) -> Answer:
    """Check the whole fleet."""
    checked = _open(options).check()
    counts = f"{_count(len(checked.jails), 'jail')} on {_count(len(checked.hosts), 'host')}"
    return Answer(summary=f"{counts}: no error")


def _explain(options: argparse.Namespace) -> Answer:
    """Say where the values of a jail or host came from."""
    project = _open(options)
    checked = project.check()
    if options.name in checked.jails:
        found = explain_jail(options.name, project.read(), checked, project.variables)
    elif options.name in checked.hosts:
        found = explain_host(options.name, checked, project.variables)
    else:
        return _unknown("jail or host", options.name, [*checked.jails, *checked.hosts])
    for key in options.keys:
        if not _chosen(found, [key]):
            return _unknown(f"key of {options.name}", key, [name for name, value in found])
    return Answer(_columns(_chosen(found, options.keys)))


def _schema(options: argparse.Namespace) -> Answer:
    """Write the schemas."""
    try:
        return Answer([str(file) for file in write_schemas(options.folder)])
    except OSError as error:
        return Answer(
            summary=f"{error.filename}: cannot be written ({error.strerror}); choose another folder", status=1
        )


def _open(options: argparse.Namespace) -> Project:
    """Return the fleet that the options name."""
    file = options.fleet or next(filter(Path.is_file, USUAL), None)
    if file is None:
        text = "not found, nor is there a fleet.yml; go to the folder of the fleet, or name its file with --fleet"
        raise FleetError([Problem(str(USUAL[0]), 0, "", text)])
    loader = DataLoader()
    try:
        identities = list(config.get_config_value("DEFAULT_VAULT_IDENTITY_LIST"))
        secrets = CLI.setup_vault_secrets(loader, identities, options.vault_password_file, auto_prompt=False)
    except AnsibleError as error:
        raise FleetError([Problem("", 0, "vault password", words_of(error))]) from None
    loader.set_vault_secrets(secrets)
    return open_project(file, loader)


def _chosen(found: list[Line], keys: t.Sequence[str]) -> list[Line]:
    """Return the lines of the keys that are asked for, and of what lies below them; all if none is asked for."""
    begins = tuple(key + mark for key in keys for mark in (".", "["))
    return [line for line in found if not keys or line[0] in keys or line[0].startswith(begins)]


def _columns(found: list[Line]) -> list[str]:
    """Return lines of key, value and origin below each other."""
    keys = max(len(key) for key, value in found)
    values = max(len(value.text) for key, value in found)
    return [f"{key:<{keys}}  {value.text:<{values}}  {value.origin}" for key, value in found]


def _unknown(what: str, name: str, known: t.Sequence[str]) -> Answer:
    """Return what is said of a name that is not known."""
    hint = meant(name, known) or f"known are {', '.join(known)}"
    return Answer(summary=f"{name} is no {what}; {hint}", status=1)


def _count(number: int, noun: str) -> str:
    """Return a number of things, in words: 1 error, 2 errors."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
