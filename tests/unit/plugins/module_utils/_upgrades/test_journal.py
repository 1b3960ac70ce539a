# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import (
    BETWEEN,
    DONE,
    KEPT,
    Journal,
    jails_between,
    journal_file,
    parse,
    read,
    render,
    write,
)

FILE = journal_file("alice")
JOURNAL = Journal(
    state=KEPT,
    source="15.0-RELEASE",
    target="15.1-RELEASE-p1",
    running=True,
    run="1",
    begun=7,
    ports=(22, 80),
    units=("bin",),
    before={"etc/group": "a"},
    etc={"etc/group": ("a", None)},
    conflicts=("etc/hosts",),
    links=("etc/motd",),
)


def test_what_is_written_is_read() -> None:
    assert parse(render(JOURNAL), FILE) == JOURNAL


def test_what_an_older_version_did_not_write_has_its_default() -> None:
    text = '{"state": "done", "source": "a", "target": "b", "running": false, "run": "1", "begun": 7, "later": 1}'
    assert parse(text, FILE) == Journal(DONE, "a", "b", running=False, run="1", begun=7)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"state": 1}', render(JOURNAL).replace("source", "sauce")])
def test_what_we_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="no journal of an upgrade that we wrote"):
        parse(text, FILE)


def test_jails_between_two_worlds_are_known_by_their_journals(tmp_path: Path) -> None:
    files = Files(os.fspath(tmp_path))
    assert jails_between(files, ["alice"]) == []
    write(files, "alice", JOURNAL)
    write(files, "bob", Journal(DONE, "a", "b", running=True, run="1", begun=7))
    assert read(files, "alice") == JOURNAL
    assert jails_between(files, ["alice", "bob", "carol"]) == ["alice"]
    assert Path(files.path(journal_file("alice"))).stat().st_mode & 0o777 == 0o600
    assert DONE not in BETWEEN
