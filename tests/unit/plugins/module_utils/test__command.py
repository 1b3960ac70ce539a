# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import (
    ENVIRONMENT,
    HANGING,
    NO_PROGRAM,
    Command,
    CommandFailed,
    Done,
    HostRunner,
    at_once,
    output,
)


def run(*argv: str, stdin: str = "") -> Done:
    return HostRunner().run(Command(argv, stdin))


def test_a_process_gets_its_standard_input_and_its_outputs_are_kept_apart() -> None:
    done = run("sh", "-c", "cat; echo wrong >&2; exit 3", stdin="text")
    assert (done.rc, done.out, done.err) == (3, "text", "wrong\n")


def test_arguments_are_seen_by_no_shell() -> None:
    assert run("printf", "%s|", "$HOME", "a b", ";", "`id`").out == "$HOME|a b|;|`id`|"


def test_a_process_inherits_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_THE_LOGIN", "evil")
    variables = dict(line.split("=", 1) for line in run("env").out.splitlines())
    assert variables == ENVIRONMENT


def test_bytes_that_are_no_text_pass_unchanged() -> None:
    done = run("cat", stdin="\udcff\udc80")
    assert done.out == "\udcff\udc80"


def test_a_missing_program_is_told_apart_from_a_failing_one() -> None:
    done = run("no-such-program", "-x")
    assert (done.rc, done.err) == (NO_PROGRAM, "no-such-program: no such program on this host")


def test_what_a_hanging_process_said_is_kept() -> None:
    done = HostRunner().run(Command(("sh", "-c", "echo out; echo err >&2; exec sleep 60"), seconds=1))
    assert (done.rc, done.out, done.err) == (HANGING, "out\n", "err\nsh: no end after 1 s")


def test_a_hanging_process_is_stopped() -> None:
    begin = time.monotonic()
    done = HostRunner().run(Command(("sleep", "60"), seconds=0.05))
    assert (done.rc, done.out, done.err) == (HANGING, "", "sleep: no end after 0.05 s")
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("out", "err", "said"),
    [
        pytest.param("", "one\ntwo\n", "one / two", id="errors of two lines"),
        pytest.param("answer\n", "", "answer", id="only output"),
        pytest.param("answer\n", "wrong\n", "wrong", id="both"),
        pytest.param("", "", "it said nothing", id="neither"),
    ],
)
def test_a_failure_is_told_in_one_line(out: str, err: str, said: str) -> None:
    failure = Done(Command(("jail", "-r", "a b"), stdin="secret"), 1, out, err).failure
    assert failure == f"`jail -r 'a b'` ended with status 1: {said}"


def test_output_raises_what_went_wrong() -> None:
    with pytest.raises(CommandFailed, match="ended with status 1: it said nothing") as caught:
        output(HostRunner(), "false")
    assert caught.value.done.rc == 1
    assert output(HostRunner(), "cat", stdin="x") == "x"


@pytest.mark.parametrize("limit", [1, 3])
def test_work_is_done_at_most_so_many_at_once_and_kept_in_order(limit: int) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def work(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        return number * 2

    assert at_once(work, range(9), limit) == [number * 2 for number in range(9)]
    assert most[0] == limit


def test_a_secret_is_cut_out_of_what_a_program_says_of_it() -> None:
    command = Command(("pw", "usermod", "root", "-H", "0"), "$6$salt$hash\n", secret=True)
    assert Done(command, 64, "", "pw: $6$salt$hash: bad").failure.endswith("ended with status 64: pw: (a secret): bad")
