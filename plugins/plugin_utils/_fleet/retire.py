# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The end of a jail: its record says that it is absent and since when, and at the very end goes itself.

Until then it is a tombstone: its id, address and ports are given to nobody else.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import archive_name
from ansible_collections.jailisp.vps.plugins.module_utils._units import format_moment, parse_moment

from . import records
from .check import Checked, Values
from .compile import folder_of
from .model import NAME_PATTERN, FleetError, Problem
from .project import Project, open_project
from .values import meant

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

ABSENT = "absent"


@dataclass(frozen=True)
class Request:
    """What is asked: for which jail in the fleet of which file fleet.yml, and the present moment."""

    file: Path
    jail: str
    now: datetime.datetime
    commit: bool = False
    check_mode: bool = False


def retire(request: Request, loader: DataLoader) -> dict[str, t.Any]:
    """Have a jail's record say that it is absent; one that is so since some moment stays as it is.

    Returns the action's result. Raises FleetError or RecordError, and then has written nothing, nor in check mode.
    """
    with _opened(request, loader) as (project, checked):
        if request.jail not in checked.jails:
            advice = meant(request.jail, checked.jails) or "name a jail that has one"
            raise FleetError([_problem(f"{request.jail} has no record; {advice}")])
        file = _file(project, request.jail)
        text = records.read(project.base / file)
        after = _retired(text, file, checked.jails[request.jail], request.now)
        record = records.record_from_text(file, request.jail, after)
        told = _told(project.check(record), request.jail)
        return {**_write(project, request, records.Change(file, text, after), f"Retire jail {request.jail}"), **told}


def may_destroy(request: Request, loader: DataLoader) -> dict[str, t.Any]:
    """Refuse a jail that is not retired, by FleetError; one without a record is told as gone."""
    return _after_retiring(request, loader, forget=False)


def forget(request: Request, loader: DataLoader) -> dict[str, t.Any]:
    """Remove the record of a retired jail, which sets its id, address and ports free; none there is fine."""
    return _after_retiring(request, loader, forget=True)


def _after_retiring(request: Request, loader: DataLoader, *, forget: bool) -> dict[str, t.Any]:
    with _opened(request, loader) as (project, checked):
        file = _file(project, request.jail)
        if request.jail not in checked.jails:
            gone = _write(project, request, records.Change(file, None, None), _forgotten(request.jail))
            return {**gone, **_told_gone(request.jail, checked)}
        _refuse_unless_retired(file, checked.jails[request.jail])
        told = _told(checked, request.jail)
        text = records.read(project.base / file)
        if not forget:
            return {**_result(records.Change(file, text, text), "", changed=False), **told}
        return {**_write(project, request, records.Change(file, text, None), _forgotten(request.jail)), **told}


@contextlib.contextmanager
def _opened(request: Request, loader: DataLoader) -> t.Iterator[tuple[Project, Checked]]:
    """Give the fleet, which is right as it is, to the only one who writes into it."""
    if not re.fullmatch(NAME_PATTERN, request.jail):
        raise FleetError([_problem(f"{request.jail!r} cannot be the name of a jail; correct it")])
    with records.lock(request.file.parent):
        if request.commit:
            records.check_repository(request.file.parent)
        project = open_project(request.file, loader)
        yield project, project.check()


def _file(project: Project, jail: str) -> str:
    return f"{project.sources.jails}/{jail}.yml"


def _forgotten(jail: str) -> str:
    return f"Forget jail {jail}, which is destroyed"


def _problem(text: str) -> Problem:
    return Problem("retire", 0, "jail", text)


def _retired(text: str, file: str, jail: Values, now: datetime.datetime) -> str:
    """Return the text of a record as that of a jail that is retired, since now unless it is so already."""
    if "retired" in jail:
        return text
    try:
        return records.set_key(records.set_key(text, "state", ABSENT), "retired", format_moment(now))
    except records.RecordError as error:
        raise records.RecordError(f"{file}: {error}") from None


def _refuse_unless_retired(file: str, jail: Values) -> None:
    advice = "retire it first (the same command without destroy), which keeps an archive"
    if jail["state"] != ABSENT:
        raise FleetError([Problem(file, 0, "state", f"is {jail['state']}: it cannot be destroyed; {advice}")])
    if "retired" not in jail:
        raise FleetError([Problem(file, 0, "retired", f"missing: it was never retired; {advice}")])


def _told(checked: Checked, name: str) -> dict[str, t.Any]:
    """Return what the result says of a jail: where it is, and where its archive is, by name, until when."""
    jail = checked.jails[name]
    host = checked.hosts[jail["host"]]
    retired = parse_moment(jail["retired"])
    until = retired + datetime.timedelta(days=host["vps_archive_days"])
    return {
        "known": True,
        "host": jail["host"],
        "path": f"{folder_of(jail, host)}/{name}",
        "retired": jail["retired"],
        "archive": f"{host['vps_archives']}/{archive_name(name, retired)}",
        "until": f"{until:%Y-%m-%d}",
        "msg": f"record of {name}: {ABSENT}, retired {jail['retired']}",
    }


def _told_gone(name: str, checked: Checked) -> dict[str, t.Any]:
    question = meant(name, checked.jails)
    return {
        "known": False,
        "msg": f"{name} has no record{question and f' ({question})'}. If it was destroyed, nothing is left to do",
    }


def _write(project: Project, request: Request, change: records.Change, message: str) -> dict[str, t.Any]:
    """Write a record and commit it; return that part of the result, and leave all as it was if that fails."""
    base, path = project.base, project.base / change.file
    if request.check_mode:
        pending = change.differs or (request.commit and bool(records.uncommitted(base, [path])))
        return _result(change, "", changed=pending)
    made = records.write(base, [change], lambda: records.commit(base, [path], message) if request.commit else "")
    return _result(change, made, changed=bool(change.differs or made))


def _result(change: records.Change, made: str, *, changed: bool) -> dict[str, t.Any]:
    return {
        "changed": changed,
        "files": [change.file] if change.differs else [],
        "diff": [change.diff()] if change.differs else [],
        "commit": made,
    }
