# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, HostRunner
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import records
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document

RecordError = records.RecordError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory below the top of a repository, as somebody who has no settings of git but a name."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Olga\n\temail = olga@example.net\n")
    base = tmp_path / "isp" / "inventory"
    (base / "jails").mkdir(parents=True)
    git(base, "init", "--quiet", str(base.parent))
    (base / "jails" / "bob.yml").write_text("host: h1\n")
    git(base, "add", ".")
    git(base, "commit", "--quiet", "--message=All")
    return base


def git(base: Path, *argv: str) -> str:
    done = HostRunner(os.environ).run(Command(("git", "-C", str(base), *argv)))
    assert done.rc == 0, done.failure
    return done.out


def status(base: Path) -> list[str]:
    return git(base, "status", "--porcelain", "--untracked-files=all").splitlines()


# One writer at a time -------------------------------------------------------------------------------------------------


def test_a_folder_is_locked_for_others_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    with records.lock(tmp_path):
        locked = r"is locked by another run .* \(`fuser .*` shows its process"
        with pytest.raises(RecordError, match=locked), records.lock(tmp_path, seconds=0):
            pytest.fail("two have the lock")
        assert list(tmp_path.iterdir()) == []
    with records.lock(tmp_path, seconds=0):
        pass


def test_a_lock_ends_with_an_error_inside_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), records.lock(tmp_path):
        raise KeyError
    with records.lock(tmp_path, seconds=0):
        pass


# Whole files ----------------------------------------------------------------------------------------------------------


def test_create_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "alice.yml"
    records.create(path, "host: h1\r\n")
    assert path.read_bytes() == b"host: h1\r\n"
    assert records.read(path) == "host: h1\r\n"
    with pytest.raises(RecordError, match=r"alice.yml exists already"):
        records.create(path, "host: h2\n")
    assert path.read_bytes() == b"host: h1\r\n"
    assert [each.name for each in tmp_path.iterdir()] == ["alice.yml"]


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".alice.yml.tmp").write_text("half of a rec")
    records.create(tmp_path / "alice.yml", "host: h1\n")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"alice.yml": "host: h1\n"}


def test_replace_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "alice.yml"
    path.write_text("host: h1\n")
    path.chmod(0o660)
    records.replace(path, "host: h2\n")
    assert path.read_text() == "host: h2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert [each.name for each in tmp_path.iterdir()] == ["alice.yml"]


def test_replace_makes_no_new_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"alice.yml cannot be written \(No such file or directory\)"):
        records.replace(tmp_path / "alice.yml", "host: h1\n")
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"nowhere cannot be locked \(No such"), records.lock(tmp_path / "nowhere"):
        pytest.fail("what is not there is locked")
    with pytest.raises(RecordError, match=r"alice.yml cannot be written \(Not a directory\)"):
        records.create(tmp_path / "file" / "alice.yml", "host: h1\n")
    with pytest.raises(RecordError, match=r"jails cannot be removed \(Is a directory\)"):
        (tmp_path / "jails").mkdir()
        records.remove(tmp_path / "jails")


def test_remove_takes_a_record_away_and_is_content_without_one(tmp_path: Path) -> None:
    records.create(tmp_path / "alice.yml", "host: h1\n")
    for _again in range(2):
        records.remove(tmp_path / "alice.yml")
        assert list(tmp_path.iterdir()) == []


# Text -----------------------------------------------------------------------------------------------------------------


def test_a_record_from_text_has_its_lines() -> None:
    record = records.record_from_text("jails/alice.yml", "alice", "---\nhost: h1\nid: 17\n")
    assert (record.file, record.name, record.block.values) == ("jails/alice.yml", "alice", {"host": "h1", "id": 17})
    assert record.block.line_of("id") == 3


def test_a_text_that_is_no_record_is_refused() -> None:
    with pytest.raises(FleetError, match=r"jails/alice.yml:1: must be a mapping"):
        records.record_from_text("jails/alice.yml", "alice", "- host\n")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("h1", "h1"),
        ("no", '"no"'),
        ("on", '"on"'),
        ("null", '"null"'),
        ("1e3", "1e3"),
        ("1:30", '"1:30"'),
        ("2026-11-24", '"2026-11-24"'),
        ("2026-11-24T093000Z", "2026-11-24T093000Z"),
        ("Carol's Cakes: the best #1", '"Carol\'s Cakes: the best #1"'),
        ("Ærøskøbing", "Ærøskøbing"),
        (17, "17"),
        (True, "true"),
    ],
)
def test_scalars_are_quoted_where_yaml_would_read_something_else(value: t.Any, written: str) -> None:
    assert records.scalar(value) == written


@given(st.text())
def test_every_text_comes_back_as_it_was(value: str) -> None:
    block = read_document(f"key: {records.scalar(value)}\n", "", [])
    assert block is not None
    assert block.values["key"] == value


EDITS = [
    ("state: running\n", "state: absent\n"),
    ("---\n# Bob's\nstate: running  # since May\nid: 3\n", "---\n# Bob's\nstate: absent  # since May\nid: 3\n"),
    ("state: 'running'\n", "state: absent\n"),
    ('"state": "running"\n', '"state": absent\n'),
    ("state:\nid: 3\n", "state: absent\nid: 3\n"),
    ("state:   # paid\n", "state: absent   # paid\n"),
    ("state: running", "state: absent"),
    ("id: 3", "id: 3\nstate: absent\n"),
    ("id: 3\n", "id: 3\nstate: absent\n"),
    ("id: 3\r\nstate: running\r\nhost: h1\r\n", "id: 3\r\nstate: absent\r\nhost: h1\r\n"),
    ("id: 3\r\n", "id: 3\r\nstate: absent\r\n"),
    ("id: 3\r\nhost: h1", "id: 3\r\nhost: h1\r\nstate: absent\r\n"),
    ("  id: 3\n  host: h1\n", "  id: 3\n  host: h1\n  state: absent\n"),
    ("id: 3\n# the end\n", "id: 3\n# the end\nstate: absent\n"),
    ("publish:\n  - {port: 80, to: 80}\n", "publish:\n  - {port: 80, to: 80}\nstate: absent\n"),
    ("limits: {memory: 1G}\nhostname: é.net\nstate: on\n", "limits: {memory: 1G}\nhostname: é.net\nstate: absent\n"),
    ("limits:\n  state: x\nstate: running\n", "limits:\n  state: x\nstate: absent\n"),
    ("", "state: absent\n"),
]


@pytest.mark.parametrize(("before", "after"), EDITS)
def test_one_key_is_set_and_all_else_stays(before: str, after: str) -> None:
    assert records.set_key(before, "state", "absent") == after
    assert records.set_key(after, "state", "absent") == after


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{host: h1, state: running}\n", "is written in braces; write one key a line"),
        ("state: |\n  running\n", "state has more than one line; write it on one"),
        ("state: [a]\n", "state has more than one line; write it on one"),
        ("id: 3\n...\n", "state cannot be set to absent where it stands; write `state: absent`"),
        ("id: [\n", "cannot be changed: .*not YAML"),
        ("- id\n", "cannot be changed: .*must be a mapping"),
    ],
)
def test_what_cannot_be_set_is_refused(text: str, error: str) -> None:
    with pytest.raises(RecordError, match=error):
        records.set_key(text, "state", "absent")


# git ------------------------------------------------------------------------------------------------------------------


def test_a_commit_holds_the_records_and_nothing_else(repository: Path) -> None:
    jails = repository / "jails"
    (repository / "staged.yml").write_text("a: 1\n")
    git(repository, "add", "staged.yml")
    (repository / "loose.yml").write_text("a: 1\n")
    records.create(jails / "alice.yml", "host: h1\n")
    records.remove(jails / "bob.yml")
    made = records.commit(repository, [jails / "alice.yml", jails / "bob.yml"], "Order alice\n\nAnd retire bob.")
    assert made == git(repository, "rev-parse", "HEAD").strip()
    shown = git(repository, "show", "--no-renames", "--name-status", "--format=%an|%B", "HEAD").split("\n")
    assert [line for line in shown if line] == [
        "Olga|Order alice",
        "And retire bob.",
        "A\tinventory/jails/alice.yml",
        "D\tinventory/jails/bob.yml",
    ]
    assert status(repository) == ["A  inventory/staged.yml", "?? inventory/loose.yml"]


def test_what_is_committed_is_not_committed_again(repository: Path) -> None:
    bob = repository / "jails" / "bob.yml"
    head = git(repository, "rev-parse", "HEAD")
    assert records.commit(repository, [bob, repository / "jails" / "never.yml"], "Again") == ""
    assert git(repository, "rev-parse", "HEAD") == head


def test_a_name_is_no_pattern(repository: Path) -> None:
    (repository / "jails" / "*.yml").write_text("a: 1\n")
    (repository / "jails" / "bob.yml").write_text("host: h2\n")
    records.commit(repository, [repository / "jails" / "*.yml"], "One")
    assert status(repository) == [" M inventory/jails/bob.yml"]


def test_a_hook_that_refuses_is_told_of_and_nothing_stays_staged(repository: Path) -> None:
    hook = repository.parent / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho 'the books are closed' >&2\nexit 1\n")
    hook.chmod(0o755)
    records.create(repository / "jails" / "alice.yml", "host: h1\n")
    with pytest.raises(RecordError, match=r"git does not commit: .*the books are closed; correct that"):
        records.commit(repository, [repository / "jails" / "alice.yml"], "Order alice")
    assert status(repository) == ["?? inventory/jails/alice.yml"]


def test_somebody_without_a_name_is_told_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("EMAIL", "")
    git(repository, "config", "user.useConfigOnly", "true")
    records.create(repository / "jails" / "alice.yml", "host: h1\n")
    with pytest.raises(RecordError, match=r"git does not commit: .*user"):
        records.commit(repository, [repository / "jails" / "alice.yml"], "Order alice")
    assert status(repository) == ["?? inventory/jails/alice.yml"]


def test_an_ignored_record_is_told_of(repository: Path) -> None:
    (repository / "jails" / ".gitignore").write_text("alice.yml\n")
    records.create(repository / "jails" / "alice.yml", "host: h1\n")
    with pytest.raises(RecordError, match=r"git does not commit: .*ignored"):
        records.commit(repository, [repository / "jails" / "alice.yml"], "Order alice")


def test_another_repository_in_the_environment_is_not_used(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.create(repository / "jails" / "alice.yml", "host: h1\n")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert records.commit(repository, [repository / "jails" / "alice.yml"], "Order alice")


def test_a_folder_without_git_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RecordError, match=r"nothing can be committed here, .* leave commit out, or use git"):
        records.check_repository(tmp_path)
