# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compiler says of a mutant, and whether that is what it must say."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.vars import host_group_vars

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checked
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import resolve_fleet
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import Project, open_project
from mutations.mutant import Content, Folder, Link, Mutant, Source

# The file ends where a line's number or a key begins; a host is named behind the file that lists it.
_ERROR = re.compile(r"(?P<file>hosts\.yml: (?!not YAML)[^:]+|[^:]+)(:(?P<line>\d+))?: (?P<rest>.*)\Z", re.DOTALL)
_KEY = re.compile(r"(?P<key>\S+?): (?P<text>.*)\Z", re.DOTALL)
_LENGTH_MAX = 400
# So many errors may come of one mistake, where no more places are named; so many places are shown.
FEW = 5
SHOWN = 4
RECORDS = ("jails", "plans", "customers")

Fleet = tuple[Checked, dict[str, list[dict[str, t.Any]]]]


@dataclass
class Verdict:
    """What came of a mutant: the errors, or the fleet that was compiled; and what is wrong with that."""

    mutant: Mutant
    errors: list[str] = field(default_factory=list)
    fleet: Fleet | None = None
    wrong: list[str] = field(default_factory=list)


class Compiler:
    """The compiler of an inventory's folder; its hosts are read again only where they, or fleet.yml, changed."""

    def __init__(self, source: Source) -> None:
        """Read the hosts of the unbroken inventory."""
        self.source = source
        self.unbroken = self._open()

    def _open(self) -> Project:
        # Ansible remembers for the life of a process which files of variables there are.
        host_group_vars.FOUND.clear()
        host_group_vars.NAK.clear()
        with contextlib.redirect_stderr(io.StringIO()):
            return open_project(self.source.folder / "fleet.yml", DataLoader())

    def compile(self, changed: t.Iterable[str] = ()) -> Fleet:
        """Return the checked and the resolved records; `changed` are the files that are not as they were."""
        same = all(file.partition("/")[0] in RECORDS for file in changed)
        checked = (self.unbroken if same else self._open()).check()
        return checked, resolve_fleet(checked)


def judge(compiler: Compiler, mutant: Mutant) -> Verdict:
    """Break an inventory, have it compiled, mend it, and judge what was said."""
    source, verdict = compiler.source, Verdict(mutant)
    break_files(source.folder, mutant)
    try:
        verdict.fleet = compiler.compile(mutant.files)
    except FleetError as error:
        verdict.errors = str(error).split("\n")
        if len(verdict.errors) != len(error.problems):
            verdict.wrong.append(f"{len(error.problems)} errors in {len(verdict.errors)} lines")
    except AnsibleError as error:
        verdict.wrong.append(f"an error of Ansible's own: {type(error).__name__}: {error}")
    except Exception as error:
        verdict.wrong.append(f"a traceback: {type(error).__name__}: {str(error)[:200]}")
    finally:
        mend_files(source, mutant)
    if verdict.errors:
        _judge_errors(verdict)
    elif verdict.fleet and not mutant.harmless:
        verdict.wrong.append(f"accepted; it must be refused at {' or '.join(map(str, mutant.places))}")
    return verdict


def _judge_errors(verdict: Verdict) -> None:
    """Note what is wrong with the errors of a refused mutant."""
    mutant = verdict.mutant
    for error in verdict.errors:
        verdict.wrong += [f"{complaint}: {error!r}" for complaint in _complaints(mutant, error)]
    if mutant.every:
        places = [parse(error) for error in verdict.errors]
        silent = [place for place in mutant.places if not any(place.holds(*each) for each in places)]
        verdict.wrong += [f"nothing said at {place}: {verdict.errors}" for place in silent]
    if not any(mutant.mentions in error for error in verdict.errors):
        verdict.wrong.append(f"does not mention {mutant.mentions!r}: {verdict.errors}")
    if len(verdict.errors) > max(FEW, sum(len(place.keys) for place in mutant.places)):
        verdict.wrong.append(f"{len(verdict.errors)} errors of one mistake, such as {verdict.errors[-1]!r}")


def _complaints(mutant: Mutant, error: str) -> t.Iterator[str]:
    """Yield what is wrong with one error."""
    if not any(place.holds(*parse(error)) for place in mutant.places):
        yield f"refused elsewhere than at {' or '.join(map(str, mutant.places[:SHOWN])) or '(nowhere)'}"
    if not error.isprintable() or len(error) > _LENGTH_MAX:
        yield "not one short line"
    if not re.search(r"; \S", error):
        yield "does not say what to do"
    if mutant.secret and mutant.secret in error:
        yield "shows a secret"


def parse(error: str) -> tuple[str, int, str]:
    """Return the file, the line (0: none) and the key ('': none) that an error names."""
    match = _ERROR.match(error)
    if not match:
        return "", 0, ""
    key = _KEY.match(match["rest"])
    return match["file"], int(match["line"] or 0), key["key"] if key else ""


def break_files(folder: Path, mutant: Mutant) -> None:
    # What is taken away first makes room for what comes in its place.
    for file, content in sorted(mutant.files.items(), key=lambda item: item[1] is not None):
        path = folder / file
        if path.is_dir() and content is not None:
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        _put(path, content)


def _put(path: Path, content: Content) -> None:
    if isinstance(content, Folder):
        path.mkdir()
    elif isinstance(content, Link):
        path.symlink_to(content.target)
    elif content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def mend_files(source: Source, mutant: Mutant) -> None:
    """Put back what the mutant changed."""
    for file in sorted(mutant.files, reverse=True):
        path = source.folder / file
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        if file.count("/") > 1 and path.parent.is_dir():
            path.parent.rmdir()
    for file in mutant.files:
        if file in source.texts:
            path = source.folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(source.texts[file], encoding="utf-8")
