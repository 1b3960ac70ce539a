# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils import _hold
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._hold import FILE, SECONDS, Held, call, let_go

ANNA, BERT = "anna@control:1", "bert@control:2"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hold, "PATIENCE", 0)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "var/run").mkdir(parents=True)
    return Files(os.fspath(tmp_path))


def note(files: Files) -> dict[str, t.Any]:
    text = files.read(FILE)
    return json.loads(text) if text else {}


def test_a_call_at_work_keeps_every_other_away_also_one_of_its_run(files: Files) -> None:
    with call(files, "jails", ANNA):
        for run in (ANNA, BERT, ""):
            with pytest.raises(Held, match=r"anna@control:1 is at work on this host since .*module jails") as caught:
                call(files, "pf_anchor", run).__enter__()
            assert caught.value.holder.process == os.getpid()
    with call(files, "pf_anchor", ANNA):
        pass


def test_between_its_calls_a_run_keeps_others_away_until_it_lets_go(files: Files) -> None:
    with call(files, "jails", ANNA):
        pass
    for run in (BERT, ""):
        with pytest.raises(Held, match=r"anna@control:1 holds this host since .* its last module was jails"):
            call(files, "pf_anchor", run).__enter__()
    let_go(files, BERT)
    with pytest.raises(Held):
        call(files, "pf_anchor", BERT).__enter__()
    let_go(files, ANNA)
    with call(files, "pf_anchor", BERT):
        assert note(files)["run"] == BERT


def test_a_call_outside_of_any_run_holds_nothing_afterwards(files: Files) -> None:
    with call(files, "jails"):
        assert note(files)["module"] == "jails"
    assert note(files) == {}
    with call(files, "jails", ANNA):
        pass


def test_a_run_that_does_nothing_for_long_or_is_known_to_be_over_loses_the_host(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    with call(files, "jails", ANNA):
        pass
    with call(files, "jails", BERT, instead_of=ANNA):
        pass
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + SECONDS - 10)
        with pytest.raises(Held):
            call(files, "jails", ANNA).__enter__()
    monkeypatch.setattr(time, "time", lambda: now + SECONDS + 10)
    with call(files, "jails", ANNA):
        assert note(files)["since"] == int(now + SECONDS + 10)


def test_each_call_prolongs_the_hold_and_the_beginning_stays(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    with call(files, "jails", ANNA):
        first = note(files)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    with call(files, "pf_anchor", ANNA):
        pass
    second = note(files)
    assert second["since"] == first["since"]
    assert second["until"] >= first["until"] + 59


def test_what_a_loss_of_power_left_of_the_file_holds_nobody_up(files: Files) -> None:
    for text in ("", "{", '{"run": "x"}', "[]", "null", "\0" * 40):
        Path(files.path(FILE)).write_text(text)
        with call(files, "jails", ANNA):
            assert note(files)["run"] == ANNA


def test_a_failing_call_lets_the_next_one_in(files: Files) -> None:
    with pytest.raises(KeyError), call(files, "jails", ANNA):
        raise KeyError
    with call(files, "jails", ANNA):
        pass


def test_what_a_module_starts_does_not_keep_the_host(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel may close what was open a moment after it has started the other program.
    monkeypatch.setattr(_hold, "PATIENCE", 5)
    with call(files, "jails", ANNA):
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    try:
        with call(files, "jails", ANNA):
            pass
    finally:
        started.kill()
        started.wait()


def test_the_file_is_for_root_alone_and_no_link_is_followed(files: Files, tmp_path: Path) -> None:
    with call(files, "jails", ANNA):
        assert Path(files.path(FILE)).stat().st_mode & 0o777 == 0o600
    Path(files.path(FILE)).unlink()
    (tmp_path / "elsewhere").write_text("mine")
    Path(files.path(FILE)).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        call(files, "jails", ANNA).__enter__()
    assert (tmp_path / "elsewhere").read_text() == "mine"
