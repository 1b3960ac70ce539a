# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut off at whatever place, the host has its former rules or confirmed ones, whole, and lets its own in."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import typing as t
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from model import connect, machine
from model.command import Context
from model.host import Host
from support.guards import SCRIPT, Guards
from support.lab import Lab, Result, copy
from support.ready import ready

OWN, ADMINISTRATOR = "198.51.100.11", "192.0.2.1"
CONF, FILE = "/etc/pf.conf", "/etc/pf.anchors/jailisp.conf"
STATE = "/var/db/jailisp/pf_jailisp_"
MARK, BACK, TOLD = f"{STATE}unconfirmed", f"{STATE}taking_back", f"{STATE}taken_back"
CHANGES = ("write", "append", "move", "remove", "make_folder")
HARMFUL = "block in all\n"
CUTS_OFF = {"rule": f"block drop in quick on vtnet0 from any to {OWN}"}

Look = dict[str, t.Any]
Operation = t.Callable[..., t.Any]


def wish(*rules: dict[str, t.Any], port: int = 8017) -> Look:
    """Return the parameters of a load; with CUTS_OFF among the rules nobody gets in any more."""
    redirect = f"rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port {port} tag jail_a -> 192.168.1.17 port 22"
    passes = 'pass in quick on vtnet0 inet tagged jail_a keep state label "jail:alice"'
    ours = [{"jail": "alice", "rule": redirect}, *rules, {"jail": "alice", "rule": passes}]
    return {"rules": ours, "tables": {"jails": ["192.168.1.17"]}, "guard": 60}


class Killed(BaseException):
    """Stands for the end of a process."""


class Cut:
    """Kills before the operation of that number. Dead is dead: what would be done on the way out is not done either."""

    def __init__(self, place: int) -> None:
        self.left = place

    def counted(self, operation: Operation, counts: t.Callable[..., bool] = lambda *arguments: True) -> Operation:
        """Return the operation as one of those before which it kills, if it counts."""

        def run(*arguments: t.Any, **more: t.Any) -> t.Any:
            if self.left <= 0 or counts(*arguments):
                self.left -= 1
                if self.left <= 0:
                    raise Killed
            return operation(*arguments, **more)

        return run


def changes_something(command: Command) -> bool:
    """Whether a command of the module does more than look."""
    return not {"-s", "-sn", "-sr", "-nf", "show"} & set(command.argv)


class Post:
    """A host in a folder, its administrator, and the guards that wait on it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.lab = Lab(Host(folder), patch)
        self.guards = Guards(self.lab, patch)

    def copied(self, name: str) -> Post:
        """Return a copy of the host with the guards that wait on this one."""
        folder = self.lab.host.directory.with_name(name)
        copy(self.lab.host.directory, folder)
        found = Post(folder, self.patch)
        found.guards.tokens = list(self.guards.tokens)
        return found

    def end(self) -> None:
        """Remove the host."""
        shutil.rmtree(self.lab.host.directory)

    def load(self, **parameters: t.Any) -> Result:
        return self.lab.module("pf_anchor", **parameters)

    def load_cut(self, place: int, **parameters: t.Any) -> bool:
        """Load, killed before that change of anything; say whether there was so many."""
        cut = Cut(place)
        with self.patch.context() as patch:
            for name in CHANGES:
                patch.setattr(Files, name, cut.counted(getattr(Files, name)))
            patch.setattr(self.lab.runner, "run", cut.counted(self.lab.runner.run, changes_something))
            with contextlib.suppress(Killed):
                self.load(**parameters)
        return cut.left <= 0

    def confirm(self) -> bool:
        """Come in anew and confirm as the role does; say whether that was possible."""
        return self.lets_in() and self.lab.host.run(["rm", MARK]).rc == 0

    def converge(self, **parameters: t.Any) -> None:
        """Run the whole from the controller, load and confirm, and once more without anything to do."""
        # As the role host does before.
        self.lab.run("kldload", "-n", "pf")
        result = self.load(**parameters)
        assert not result.get("failed"), result["msg"]
        if result["unconfirmed"]:
            assert self.confirm()
        again = self.load(**parameters)
        assert (again["commands"], again["unconfirmed"]) == ([], "")

    def reboot(self) -> None:
        """Pull the plug and start again; who waited for something waits no more."""
        machine.power_off(self.lab.host)
        self.guards.tokens.clear()
        machine.boot(self.lab.host)

    def lets_in(self) -> bool:
        return connect.connect(self.lab.host, ADMINISTRATOR, OWN, "tcp", 22).result == "open"

    def enabled(self) -> bool:
        return "Status: Enabled" in self.lab.host.run(["pfctl", "-s", "info"]).out

    def look(self) -> Look:
        """Return all that decides about packets, now and after a boot."""
        found: Look = {"enabled": self.enabled()}
        for path in (CONF, FILE):
            file = self.lab.path(path)
            found[path] = (file.read_text(), file.stat().st_mode) if file.exists() else None
        for anchor in ([], ["-a", "jailisp"]):
            for what in ("-sn", "-sr"):
                found[" ".join([*anchor, what])] = self.lab.host.run(["pfctl", *anchor, what]).out
        return found

    def has_harmful_conf(self) -> bool:
        """Whether its pf.conf lets nobody in, so that no load of ours can be confirmed."""
        file = self.lab.path(CONF)
        return file.exists() and file.read_text().startswith(HARMFUL)

    def settled(self) -> bool:
        """Whether nothing waits to be confirmed or to be taken back."""
        return not self.lab.path(MARK).exists() and not self.lab.path(BACK).exists()

    def log(self) -> str:
        return self.lab.path("/var/log/messages").read_text()


# What a host was before: pf.conf, what was loaded by hand, what ours was confirmed, what is not confirmed yet ---------


def never_tried(post: Post) -> None:
    """Its pf.conf would let nobody in, but pf was never enabled."""
    post.lab.path(CONF).write_text(HARMFUL)
    post.lab.path(CONF).chmod(0o640)


def nothing(post: Post) -> None:
    """It has no pf.conf, and pf is disabled."""


def by_hand(post: Post) -> None:
    """Other rules are in force than those of pf.conf, which would let nobody in."""
    post.lab.path(CONF).write_text(HARMFUL)
    post.lab.run("pfctl", "-f", "-", stdin="block in on vtnet0 proto tcp to port 25\n")
    post.lab.run("pfctl", "-e")


def confirmed(post: Post) -> None:
    """Rules of ours are in force."""
    post.lab.path(CONF).write_text("block in on vtnet0 proto tcp to port 25\n")
    post.converge(**wish(port=8000))
    assert post.settled()
    post.guards.time_is_up()


def unconfirmed(post: Post) -> None:
    """The same, and others that nobody confirmed were loaded over them."""
    confirmed(post)
    post.load(**wish(port=8001))
    assert post.guards.tokens


BEFORE = (never_tried, nothing, by_hand, confirmed, unconfirmed)


def as_before(tmp_path: Path, patch: pytest.MonkeyPatch, before: t.Callable[[Post], None]) -> tuple[Post, Look]:
    """Return the host as it was, and the state that it goes back to."""
    (tmp_path / "host").mkdir()
    ready(Host(tmp_path / "host"), OWN)
    post = Post(tmp_path / "host", patch)
    machine.boot(post.lab.host)
    post.lab.run("kldload", "-n", "pf")
    before(post)
    was = post.copied("was")
    was.guards.time_is_up()
    old = was.look()
    assert was.lets_in()
    was.end()
    return post, old


def cuts(post: Post, **parameters: t.Any) -> t.Iterator[tuple[int, Post]]:
    """Yield the host once for each place at which a load can be cut off, and once when it was not."""
    place = 1
    while True:
        here = post.copied(f"cut{place}")
        was_cut = here.load_cut(place, **parameters)
        yield place, here
        here.end()
        if not was_cut:
            break
        place += 1
    # At least the files, the guard, the load and what follows it.
    assert place > 6


@pytest.fixture(params=BEFORE, ids=lambda before: before.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Post, Look]:
    return as_before(tmp_path, monkeypatch, request.param)


LOADS = pytest.mark.parametrize("rules", [(), (CUTS_OFF,)], ids=["lets in", "cuts off"])


@LOADS
def test_cut_off_anywhere_and_left_alone_it_is_what_it_was(world: tuple[Post, Look], rules: tuple[Look, ...]) -> None:
    post, old = world
    for place, here in cuts(post, **wish(*rules)):
        here.guards.time_is_up()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place
        if not rules and not here.has_harmful_conf():
            here.converge(**wish())


@LOADS
def test_cut_off_anywhere_and_rebooted_it_is_what_a_boot_makes_of_what_it_was(
    world: tuple[Post, Look], rules: tuple[Look, ...]
) -> None:
    post, _old = world
    was = post.copied("was")
    was.guards.time_is_up()
    was.reboot()
    old = was.look()
    for place, here in cuts(post, **wish(*rules)):
        here.reboot()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place
        if not rules and not here.has_harmful_conf():
            here.converge(**wish())


@pytest.mark.parametrize("before", [nothing, confirmed, unconfirmed])
def test_cut_off_anywhere_the_next_run_confirms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: t.Callable[[Post], None]
) -> None:
    post, _old = as_before(tmp_path, monkeypatch, before)
    whole = post.copied("whole")
    whole.converge(**wish())
    new = whole.look()
    for place, here in cuts(post, **wish()):
        here.converge(**wish())
        here.guards.time_is_up()
        assert here.look() == new, place
        assert here.lets_in(), place
        here.reboot()
        assert here.look() == new, place


# The guard itself cut off ---------------------------------------------------------------------------------------------


def loaded(post: Post, *rules: Look) -> None:
    """Load, and leave the load unconfirmed."""
    post.load(**wish(*rules))
    assert post.lab.path(MARK).exists()


def by_the_script(_host: Host, context: Context) -> bool:
    """Whether a program is one that the guard's script starts, and neither a shell nor a mere look."""
    program = context.argv[0].rpartition("/")[2]
    return program not in ("sh", "cat") and not {"-sn", "-sr"} & set(context.argv)


def cuts_of_script(post: Post, *words: str) -> t.Iterator[tuple[int, Post]]:
    """Yield the host once for each place at which the guard's script can be cut off, and once when it was not."""
    place = 1
    while True:
        here, cut = post.copied(f"cut{place}"), Cut(place)
        with post.patch.context() as patch:
            patch.setattr(Host, "dispatch", cut.counted(Host.dispatch, by_the_script))
            with contextlib.suppress(Killed):
                here.lab.host.run(["/bin/sh", *words])
        here.guards.tokens.clear()
        yield place, here
        here.end()
        if cut.left > 0:
            break
        place += 1
    # At least the files, the rules and the mark.
    assert place > 6


def test_a_guard_cut_off_anywhere_is_ended_by_a_boot(world: tuple[Post, Look]) -> None:
    post, _old = world
    was = post.copied("was")
    was.guards.time_is_up()
    was.reboot()
    old = was.look()
    loaded(post, CUTS_OFF)
    for place, here in cuts_of_script(post, SCRIPT, "over", post.guards.tokens[-1]):
        here.reboot()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place


def test_a_guard_cut_off_anywhere_is_ended_by_the_next_run(world: tuple[Post, Look]) -> None:
    post, old = world
    loaded(post)
    for place, here in cuts_of_script(post, SCRIPT, "over", post.guards.tokens[-1]):
        begun = here.lab.path(BACK).exists()
        result = here.load(**wish(CUTS_OFF))
        assert not result.get("failed"), (place, result["msg"])
        assert (f"/bin/sh {SCRIPT} now" in result["commands"]) == begun, place
        here.guards.time_is_up()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place


def test_a_boot_cut_off_while_it_takes_back_takes_back_once_more(world: tuple[Post, Look]) -> None:
    post, _old = world
    was = post.copied("was")
    was.guards.time_is_up()
    was.reboot()
    old = was.look()
    loaded(post, CUTS_OFF)
    machine.power_off(post.lab.host)
    for place, here in cuts_of_script(post, "/usr/local/etc/rc.d/jailisp_guard", "faststart"):
        here.reboot()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place
        assert here.log().count("pf: nobody confirmed the new rules before this boot") == 1, place
        assert not here.lab.path(TOLD).exists(), place


# At the same moment ---------------------------------------------------------------------------------------------------


class Meanwhile:
    """Something else that happens just before the operation of that number."""

    def __init__(self, place: int, what: t.Callable[[], t.Any]) -> None:
        self.left, self.what = place, what

    def counted(self, operation: Operation) -> Operation:
        """Return the operation as one of those that count."""

        def run(*arguments: t.Any, **more: t.Any) -> t.Any:
            self.left -= 1
            if self.left == 0:
                self.what()
            return operation(*arguments, **more)

        return run


def test_a_confirmation_counts_or_fails_whenever_the_guards_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, old = as_before(tmp_path, monkeypatch, confirmed)
    loaded(post)
    new, said = post.look(), []
    for place in itertools.count(1):
        here = post.copied(f"at{place}")
        answers: list[bool] = []
        confirmation = Meanwhile(place, partial(_answer, here, answers))
        with monkeypatch.context() as patch:
            patch.setattr(Host, "dispatch", confirmation.counted(Host.dispatch))
            here.guards.time_is_up()
        if not answers:
            break
        assert here.look() == (new if answers[0] else old), place
        assert here.settled(), place
        said += answers
        here.end()
    assert set(said) == {True, False}


def _answer(post: Post, answers: list[bool]) -> None:
    answers.append(post.confirm())


def test_a_guard_whose_time_is_up_in_the_middle_of_a_run_leaves_nothing_unguarded(
    world: tuple[Post, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, old = world
    endings = []
    for place in itertools.count(1):
        here = post.copied(f"at{place}")
        over = Meanwhile(place, here.guards.time_is_up)
        with monkeypatch.context() as patch:
            patch.setattr(here.lab.runner, "run", over.counted(here.lab.runner.run))
            result = here.load(**wish(CUTS_OFF))
        if over.left > 0:
            break
        endings.append(bool(result.get("failed")))
        here.guards.time_is_up()
        assert here.look() == old, place
        assert here.lets_in(), place
        assert here.settled(), place
        here.end()
    assert set(endings) == {True, False}


def test_what_was_taken_back_at_boot_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    post, _old = as_before(tmp_path, monkeypatch, confirmed)
    loaded(post)
    post.reboot()
    assert post.log().count("pf: nobody confirmed the new rules before this boot") == 1
    post.reboot()
    assert post.log().count("pf: nobody confirmed the new rules before this boot") == 1


@pytest.mark.parametrize("ending", [lambda post: post.guards.time_is_up(), Post.reboot], ids=["time is up", "reboot"])
def test_rules_that_could_not_be_loaded_do_not_wait_for_the_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: t.Callable[[Post], None]
) -> None:
    post, old = as_before(tmp_path, monkeypatch, nothing)
    post.lab.run("kldunload", "pf")
    assert "/dev/pf" in post.load(**wish(CUTS_OFF))["msg"]
    assert post.lab.path(FILE).exists()
    ending(post)
    assert post.look() == old
    assert post.settled()
    machine.reboot(post.lab.host)
    assert post.lets_in()
