# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What to say of an inventory that Ansible could not read: its errors often leave out the file, and always the line."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.vault import is_encrypted

from .model import Problem
from .read import read_document

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

_VARIABLES = ("group_vars", "host_vars")
_YAML = (".yml", ".yaml", ".json")


def words_of(error: AnsibleError) -> str:
    """Return what Ansible says, on one line, and what to do about it."""
    return f"{' '.join(str(error).split()).rstrip('.')}; correct it"


def hosts_problems(hosts: Path, loader: DataLoader, error: AnsibleError) -> list[Problem]:
    """Return what is wrong with the files of an inventory: those that cannot be loaded, else what Ansible says of it.

    `hosts` is the file of the hosts, with group_vars/ and host_vars/ beside it; `error` is what Ansible raised.
    """
    problems = [
        problem
        for file in _files(hosts)
        for problem in _file_problems(file, str(file.relative_to(hosts.parent)), loader)
    ]
    return problems or [Problem(hosts.name, 0, "", words_of(error))]


def _files(hosts: Path) -> t.Iterator[Path]:
    """Yield the files of an inventory that must be YAML."""
    # A name without an ending means another form for hosts, but not for variables.
    if hosts.suffix in _YAML:
        yield hosts
    for folder in _VARIABLES:
        found = sorted((hosts.parent / folder).rglob("*"))
        yield from (file for file in found if file.is_file() and file.suffix in ("", *_YAML))


def _file_problems(file: Path, name: str, loader: DataLoader) -> list[Problem]:
    """Return what is wrong with one file: with a line if it is no YAML, else as Ansible says it."""
    try:
        if isinstance(loader.load_from_file(str(file)), (t.Mapping, type(None))):
            return []
        words = "must be a mapping of keys to values; write one"
    except AnsibleError as error:
        words = words_of(error)
    return _syntax_problems(file, name) or [Problem(name, 0, "", words)]


def _syntax_problems(file: Path, name: str) -> list[Problem]:
    """Return what concerns a file as a whole, as YAML; nothing of one that is encrypted or cannot be opened."""
    try:
        data = file.read_bytes()
    except OSError:
        return []
    problems: list[Problem] = []
    if not is_encrypted(data):
        read_document(data, name, problems)
    # What is said of a single key is true of records only.
    return [problem for problem in problems if not problem.key]
