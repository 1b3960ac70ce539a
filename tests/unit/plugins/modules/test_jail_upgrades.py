# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import threading
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, Done
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import journal as journals
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.steps import PROGRESS, Hold, Prove
from support import possessions
from support.lab import Lab, ModelRunner, Result
from support.upgrades import ARCHIVES, NEW, OLD, ROOTS, STORAGES, Yard, contents

FIXED = ("usr/local/", "home/", "root/", "var/mail/", "etc/rc.conf")


@pytest.fixture
def yard(lab: Lab) -> Yard:
    return Yard(lab, "directory", "alice", "bob")


@pytest.fixture(params=STORAGES)
def anywhere(request: pytest.FixtureRequest, lab: Lab) -> Yard:
    return Yard(lab, request.param, "alice")


def live(yard: Yard, name: str) -> None:
    """Have a customer make a root his own."""
    for file, text in {
        "usr/local/bin/mine": "a program",
        "home/alice/grüße\n": "hello",
        "root/data": "mine",
        "etc/rc.conf": 'sshd_enable="YES"\nnginx_enable="YES"\n',
    }.items():
        path = yard.lab.path(f"{yard.path(name)}/{file}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for argv in (("ln", "root/data", "root/hard"), ("chflags", "schg", "usr/local/bin/mine")):
        program, *words = argv
        words = [word if word == "schg" else f"{yard.path(name)}/{word}" for word in words]
        yard.lab.run(program, *words)


def fixed(yard: Yard, name: str) -> dict[str, t.Any]:
    """Return what of a root no upgrade may touch."""
    found = contents(yard.lab, yard.path(name))
    return {path: value for path, value in found.items() if path.startswith(FIXED)}


def world(yard: Yard, name: str) -> dict[str, t.Any]:
    """Return what of a root is its release's."""
    found = contents(yard.lab, yard.path(name))
    return {path: value for path, value in found.items() if path.startswith(("bin/", "lib", "sbin/", "usr/bin/"))}


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


@pytest.mark.parametrize("mode", ["archive", "installworld"])
def test_a_jail_gets_its_release_and_runs_as_before(anywhere: Yard, mode: str) -> None:
    live(anywhere, "alice")
    before = fixed(anywhere, "alice")
    if mode == "installworld":
        result = anywhere.converge(**anywhere.with_sources())
    else:
        result = anywhere.lab.converge("jail_upgrades", **anywhere.parameters())
    assert anywhere.version("alice") == NEW
    assert anywhere.running() == ["alice"]
    assert anywhere.answers("alice")
    assert fixed(anywhere, "alice") == before
    assert result["after"] == {f"world {ROOTS}/alice": f"{NEW}\n"}
    (row,) = result["report"]
    assert {key: row[key] for key in ("name", "result", "from", "to", "todo")} == {
        "name": "alice",
        "result": "upgraded",
        "from": OLD,
        "to": NEW,
        "todo": [],
    }


def test_etc_is_merged(yard: Yard) -> None:
    root = yard.lab.path(yard.path("alice"))
    group = root / "etc/group"
    group.write_text(group.read_text() + "customers:*:1001:alice\n")
    assert not yard.upgrade().get("failed")
    assert {"customers:*:1001:alice", "hast:*:845:"} <= set(group.read_text().splitlines())
    assert "hast:" in (root / "etc/master.passwd").read_text()
    assert "rc.conf(5)" in (root / "etc/rc").read_text()


def test_an_upgrade_goes_on_in_the_sight_of_whoever_looks(yard: Yard) -> None:
    yard.upgrade()
    lines = (yard.lab.files.read(PROGRESS) or "").splitlines()
    assert [line.split(" ", 1)[1].partition(" after")[0] for line in lines] == [
        f"alice: 1 of 2, 0 failed so far: {OLD} to {NEW}",
        "alice: done",
        f"bob: 2 of 2, 0 failed so far: {OLD} to {NEW}",
        "bob: done",
    ]


@pytest.mark.parametrize("count", [1, 4])
def test_jails_as_they_shall_be_take_no_more_processes_for_being_many(lab: Lab, count: int) -> None:
    yard = Yard(lab, "directory", *[f"j{number}" for number in range(count)])
    yard.releases[NEW]["sha256"] = "0" * 64
    parameters = yard.parameters()
    for jail in parameters["jails"]:
        jail["release"] = OLD
    assert lab.processes("jail_upgrades", **parameters) == 2


def test_a_stopped_jail_is_upgraded_and_stays_stopped(yard: Yard) -> None:
    yard.lab.run("jail", "-f", "/etc/jail.conf.d/alice.conf", "-r", "alice")
    yard.lab.files.remove("/etc/jail.conf.d/alice.conf")
    assert not yard.upgrade().get("failed")
    assert (yard.version("alice"), yard.running()) == (NEW, ["bob"])


@pytest.mark.parametrize("mode", ["archive", "installworld"])
def test_what_the_customer_owns_stays_as_it_is(anywhere: Yard, mode: str) -> None:
    host, root = anywhere.lab.host, anywhere.path("alice")
    possessions.make(host, root)
    before = possessions.catalogue(host, root)
    more = anywhere.with_sources() if mode == "installworld" else {}
    for state, release in (("upgraded", NEW), ("rolled_back", OLD)):
        assert not anywhere.upgrade(state=state, **more).get("failed")
        assert anywhere.version("alice") == release
        assert possessions.catalogue(host, root) == before


def test_nothing_has_a_jail_wait_for_another(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each jail gets no further than here until all three are here."""
    yard = Yard(lab, "directory", "alice", "bob", "carol", small=True)
    places = {word: threading.Barrier(3, timeout=60) for word in ("-r", "-xpf", "-c")}
    run = ModelRunner.run

    def met(runner: ModelRunner, command: Command) -> Done:
        if command.argv[0] in ("jail", "tar") and any(name in str(command) for name in yard.names):
            for word in places.keys() & {*command.argv} - ({"-c"} if command.argv[0] == "tar" else set()):
                places[word].wait()
        return run(runner, command)

    monkeypatch.setattr(ModelRunner, "run", met)
    assert not yard.upgrade(at_once=3).get("failed")
    assert [place.broken for place in places.values()] == [False] * 3


@pytest.mark.parametrize("delete_old", [False, True])
def test_what_a_release_no_longer_has_goes_if_that_is_asked_for(anywhere: Yard, *, delete_old: bool) -> None:
    root = anywhere.lab.path(anywhere.path("alice"))
    before = {**world(anywhere, "alice"), **lint(anywhere)}
    more = anywhere.with_sources()
    assert not anywhere.upgrade(delete_old=delete_old, **more).get("failed")
    assert (root / "usr/libdata/lint").exists() != delete_old
    # Programs of the customer's may need it.
    assert (root / "lib/libufs.so.7").exists()
    assert (anywhere.version("alice"), anywhere.running()) == (NEW, ["alice"])
    assert not anywhere.upgrade(state="rolled_back", **more).get("failed")
    assert {**world(anywhere, "alice"), **lint(anywhere)} == before


def lint(yard: Yard) -> dict[str, t.Any]:
    """Return what of a root only older releases have."""
    found = contents(yard.lab, yard.path("alice"))
    return {path: value for path, value in found.items() if path.startswith(("usr/libdata/", "etc/gss"))}


# What is refused ------------------------------------------------------------------------------------------------------


def test_no_world_is_newer_than_its_hosts_kernel(yard: Yard) -> None:
    parameters = yard.parameters()
    parameters["releases"]["15.1-RELEASE-p2"] = parameters["releases"][NEW]
    parameters["jails"][1]["release"] = "15.1-RELEASE-p2"
    result = yard.lab.module("jail_upgrades", **parameters)
    assert result["failed"]
    assert f"bob: release: 15.1-RELEASE-p2 is newer than the running kernel, {NEW}" in result["msg"]
    assert yard.version("alice") == OLD


def test_an_upgrade_never_goes_back(yard: Yard) -> None:
    result = yard.upgrade()
    assert not result.get("failed"), result["msg"]
    parameters = yard.parameters()
    parameters["jails"][0]["release"] = OLD
    result = yard.lab.module("jail_upgrades", **parameters)
    assert f"alice: its root holds {NEW}, which is newer than {OLD}" in result["msg"]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ({NEW: {"archive": ARCHIVES[OLD]}}, "fetch it again"),
        ({NEW: {"archive": "/var/none.txz"}}, "there is no archive /var/none.txz"),
        ({OLD: {"archive": ARCHIVES[NEW]}}, "fetch it again"),
    ],
)
def test_an_archive_that_is_another_stops_what_needs_it(yard: Yard, broken: t.Any, text: str) -> None:
    releases = {name: {**release, **broken.get(name, {})} for name, release in yard.releases.items()}
    found = errors(yard.upgrade(releases=releases))
    assert sorted(found) == ["alice", "bob"]
    assert all(text in error for error in found.values())
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice", "bob"])


def test_without_the_old_release_nothing_could_be_merged(yard: Yard) -> None:
    found = errors(yard.upgrade(releases={NEW: yard.releases[NEW]}))
    assert f"its root holds {OLD}, and /etc is merged by what changed since" in found["alice"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"dataset": "-x"}, "dataset: '-x' is no name of a dataset"),
        ({"delete_old": True}, "say mode: installworld too"),
        ({"mode": "installworld"}, "src: mode installworld needs the built source tree"),
        ({"releases": {}}, f"{NEW} is not among releases (none is given)"),
        ({"releases": {NEW: {"archive": "/x"}}}, "give it the keys archive and sha256"),
        ({"releases": {NEW: {"archive": "x", "sha256": "0" * 64}}}, "'x' is not an absolute, plain path"),
        ({"releases": {NEW: {"archive": "/x", "sha256": "0"}}}, "'0' is not 64 hexadecimal digits"),
        ({"releases": {"../x": {"archive": "/x", "sha256": "0" * 64}}}, "is no name of a release"),
        ({"folder": "/"}, "folder: '/' is not an absolute, plain path"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_else(lab: Lab, more: t.Any, text: str) -> None:
    good = {"releases": {NEW: {"archive": "/x", "sha256": "0" * 64}}}
    jails = [{"name": "alice", "path": f"{ROOTS}/alice", "release": NEW, "address": "192.168.1.17"}]
    assert text in lab.module("jail_upgrades", jails=jails, **{**good, **more})["msg"]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("name", "Alice", "no jail can have it"),
        ("path", "x", "'x' is not an absolute, plain path"),
        ("address", "here", "'here' is no address"),
        ("ports", [0], "give at most 100 of 1 to 65535, not [0]"),
    ],
)
def test_a_wrong_jail_is_refused(lab: Lab, key: str, value: t.Any, text: str) -> None:
    jail = {"name": "alice", "path": f"{ROOTS}/alice", "release": NEW, "address": "192.168.1.17", key: value}
    releases = {NEW: {"archive": "/x", "sha256": "0" * 64}}
    assert text in lab.module("jail_upgrades", jails=[jail], releases=releases)["msg"]


# What fails -----------------------------------------------------------------------------------------------------------


def spoil(yard: Yard, name: str) -> None:
    """Have a jail answer only as long as it has its old world."""
    start = yard.lab.path(f"{yard.path(name)}/etc/rc.conf")
    start.write_text('sshd_enable="NO"\n')


def test_a_jail_that_does_not_answer_any_more_runs_as_before(anywhere: Yard) -> None:
    old = world(anywhere, "alice")
    spoil(anywhere, "alice")
    found = errors(anywhere.upgrade())
    assert "nothing answers at port 22 any more" in found["alice"]
    assert (anywhere.version("alice"), anywhere.running()) == (OLD, ["alice"])
    assert world(anywhere, "alice") == old


@pytest.mark.parametrize(
    ("most", "results"),
    [
        (0, ["as before", "to do", "to do"]),
        (1, ["as before", "as before", "to do"]),
        (2, ["as before", "as before", "upgraded"]),
    ],
)
def test_after_too_many_failures_no_other_jail_is_begun(lab: Lab, most: int, results: list[str]) -> None:
    yard = Yard(lab, "directory", "alice", "bob", "carol")
    for name in ("alice", "bob"):
        spoil(yard, name)
    result = yard.upgrade(most_failures=most)
    assert [row["result"] for row in result["report"]] == results
    assert [yard.version(name) for name in yard.names] == [NEW if each == "upgraded" else OLD for each in results]
    found = errors(result)
    for name, each in zip(yard.names, results, strict=True):
        if each == "to do":
            assert f"{most + 1} jails failed, and at most {most} may; look at them first" in found[name]


@pytest.mark.parametrize("policy", ["keep", "roll_back"])
def test_a_conflict_in_etc_is_a_result(yard: Yard, policy: str) -> None:
    file = yard.lab.path(f"{yard.path('alice')}/etc/ssh/sshd_config")
    mine = file.read_text().replace("#PermitRootLogin prohibit-password", "PermitRootLogin yes")
    file.write_text(mine)
    result = yard.upgrade(conflicts=policy)
    assert file.read_text() == mine
    assert yard.running() == ["alice", "bob"]
    if policy == "keep":
        assert result["report"][0]["todo"] == [
            "/etc/ssh/sshd_config: see what the release changed; it stays as you made it"
        ]
        assert yard.version("alice") == NEW
    else:
        assert "etc/ssh/sshd_config: what the customer changed there conflicts" in errors(result)["alice"]
        assert yard.version("alice") == OLD


def test_a_veto_to_the_stop_is_none(yard: Yard) -> None:
    yard.lab.path(f"{yard.path('alice')}/etc/rc.shutdown").write_text("#!/bin/sh\nexit 1\n")
    assert not yard.upgrade().get("failed")
    assert (yard.version("alice"), yard.running()) == (NEW, ["alice", "bob"])


def test_what_a_jail_plants_while_it_is_proven_leads_its_restoration_nowhere(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A jail that runs its new world may do anything before it is stopped again."""
    spoil(yard, "alice")
    outside = yard.lab.path("/var/outside")
    (outside / "bin").mkdir(parents=True)
    (outside / "bin/mine").write_text("the host's")
    prove = Prove.apply

    def planted(step: Prove, host: t.Any) -> str:
        usr = yard.lab.path(f"{step.path}/usr")
        usr.rename(usr.with_name("old"))
        usr.symlink_to(outside)
        return prove(step, host)

    monkeypatch.setattr(Prove, "apply", planted)
    result = yard.upgrade()
    assert [row["result"] for row in result["report"]] == ["cut off", "to do"]
    assert (outside / "bin/mine").read_text() == "the host's"
    assert [path.name for path in outside.iterdir()] == ["bin"]
    assert yard.running() == ["bob"]
    found = errors(yard.upgrade(state="rolled_back"))
    assert "usr is a link instead of a folder" in found["alice"]
    usr = yard.lab.path(f"{yard.path('alice')}/usr")
    usr.unlink()
    usr.with_name("old").rename(usr)
    assert not yard.upgrade(state="rolled_back").get("failed")
    assert (yard.version("alice"), yard.running()) == (OLD, ["alice", "bob"])


# The way back ---------------------------------------------------------------------------------------------------------


def test_a_rolled_back_jail_is_as_before_with_what_was_written_since(anywhere: Yard) -> None:
    live(anywhere, "alice")
    old = {path: value for path, value in contents(anywhere.lab, anywhere.path("alice")).items() if ours(path)}
    anywhere.upgrade()
    root = anywhere.lab.path(anywhere.path("alice"))
    (root / "root/since").write_text("new data")
    (root / "etc/rc.conf").write_text('sshd_enable="YES" # since')
    (root / "etc/motd.template").write_text("mine since")
    (root / "usr/bin/mine").write_text("a tool")
    result = anywhere.lab.converge("jail_upgrades", **anywhere.parameters(state="rolled_back"))
    now = contents(anywhere.lab, anywhere.path("alice"))
    assert {path: value for path, value in now.items() if ours(path)} == old
    assert (anywhere.version("alice"), anywhere.running()) == (OLD, ["alice"])
    assert anywhere.answers("alice")
    assert (root / "root/since").read_text() == "new data"
    assert (root / "etc/rc.conf").read_text().endswith("since")
    assert (root / "etc/motd.template").read_text() == "mine since"
    (row,) = result["report"]
    assert (row["result"], row["from"], row["to"]) == ("rolled back", OLD, NEW)
    (todo,) = row["todo"]
    archive = todo.rpartition(" ")[2]
    kept = anywhere.lab.run("tar", "-tf", archive).split()
    # The model's images lose the times at which their files were changed.
    assert "usr/bin/mine" in kept if anywhere.storage == "image" else kept == ["usr/bin/mine"]


def ours(path: str) -> bool:
    """Whether a path is the release's, in /etc too."""
    changing = ("etc/rc.conf", "etc/motd.template")
    return path.startswith(("bin/", "etc/", "lib", "sbin/", "usr/bin/")) and path not in changing


def test_what_the_upgrade_and_then_the_customer_changed_stays_his(yard: Yard) -> None:
    yard.upgrade()
    file = yard.lab.path(f"{yard.path('alice')}/etc/ssh/sshd_config")
    file.write_text(file.read_text() + "# mine\n")
    mine = file.read_text()
    result = yard.upgrade(state="rolled_back")
    assert file.read_text() == mine
    assert result["report"][0]["todo"] == ["/etc/ssh/sshd_config stays as you made it since the upgrade"]


def test_nothing_is_rolled_back_that_was_not_upgraded(yard: Yard) -> None:
    result = yard.lab.converge("jail_upgrades", **yard.parameters(state="rolled_back"))
    assert (result["changed"], result["report"]) == (False, [])


def test_a_rollback_is_not_done_before_its_snapshot_is_gone(pooled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not pooled.upgrade().get("failed")
    destroy, run = ("zfs", "destroy", "tank/jails/alice@jailisp-upgrade"), ModelRunner.run

    def busy(runner: ModelRunner, command: Command) -> Done:
        return Done(command, 1, "", "dataset is busy\n") if command.argv == destroy else run(runner, command)

    with monkeypatch.context() as patch:
        patch.setattr(ModelRunner, "run", busy)
        assert "dataset is busy" in errors(pooled.upgrade(state="rolled_back"))["alice"]
    assert (pooled.version("alice"), pooled.running()) == (OLD, ["alice"])
    assert not pooled.upgrade(state="rolled_back").get("failed")
    assert "jailisp-upgrade" not in pooled.lab.run("zfs", "list", "-H", "-o", "name", "-t", "snapshot")
    assert pooled.upgrade(state="rolled_back")["changed"] is False


def test_after_a_rollback_an_upgrade_is_possible_again(anywhere: Yard) -> None:
    for state, release in (("upgraded", NEW), ("rolled_back", OLD), ("upgraded", NEW), ("rolled_back", OLD)):
        assert not anywhere.upgrade(state=state).get("failed")
        assert (anywhere.version("alice"), anywhere.running()) == (release, ["alice"])


# Room -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pooled(lab: Lab) -> Yard:
    return Yard(lab, "dataset", "alice", small=True)


def ask(yard: Yard, key: str) -> int:
    return int(yard.lab.run("zfs", "get", "-Hp", "-o", "value", key, "tank/jails/alice"))


def limit(yard: Yard, key: str, room: int) -> None:
    """Leave a jail's dataset so much room below a limit."""
    used = ask(yard, {"quota": "used", "refquota": "referenced"}[key])
    yard.lab.run("zfs", "set", f"{key}={used + room}", "tank/jails/alice")


def world_size(yard: Yard, **more: t.Any) -> int:
    """Return what the new world takes, by the refusal of a dataset that has no room at all."""
    limit(yard, "quota", 0)
    error = errors(yard.upgrade(**more))["alice"]
    needed, _blank, rest = error.partition(" bytes are needed beside what its snapshot keeps, and there is room for ")
    assert rest.startswith("0; destroy other snapshots of it, or raise vps_snapshot_room")
    return int(needed)


@pytest.mark.parametrize("mode", ["archive", "installworld"])
def test_a_dataset_at_its_quota_is_refused_before_its_jail_is_stopped(pooled: Yard, mode: str) -> None:
    more = pooled.with_sources() if mode == "installworld" else {}
    size = world_size(pooled, **more)
    for room in (0, size // 2, size - 1):
        limit(pooled, "quota", room)
        before = pooled.lab.run("jls", "jid")
        result = pooled.upgrade(**more)
        assert f"{size} bytes are needed beside what its snapshot keeps, and there is room for {room};" in result["msg"]
        assert (result["changed"], pooled.version("alice"), pooled.lab.run("jls", "jid")) == (False, OLD, before)
    limit(pooled, "quota", size)
    result = pooled.upgrade(**more)
    assert not result.get("failed"), result["msg"]
    assert (pooled.version("alice"), pooled.running()) == (NEW, ["alice"])


def test_a_customer_without_room_for_what_the_other_release_has_more_is_refused(pooled: Yard) -> None:
    assert not pooled.upgrade().get("failed")
    limit(pooled, "refquota", 0)
    back = pooled.parameters(state="rolled_back")
    error = errors(pooled.lab.check("jail_upgrades", **back))["alice"]
    grows = re.match(r"its world grows by ([1-9][0-9]*) bytes, and there is room for 0; have its customer", error)
    assert grows
    limit(pooled, "refquota", int(grows[1]))
    assert "failed" not in pooled.lab.check("jail_upgrades", **back)


def test_who_fills_his_dataset_until_he_is_stopped_runs_as_before(
    pooled: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold.apply

    def filled(step: Hold, host: t.Any) -> str:
        if not step.back:
            limit(pooled, "quota", 0)
        return hold(step, host)

    monkeypatch.setattr(Hold, "apply", filled)
    result = pooled.upgrade()
    assert "and there is room for 0;" in errors(result)["alice"]
    assert [row["result"] for row in result["report"]] == ["as before"]
    assert (pooled.version("alice"), pooled.running()) == (OLD, ["alice"])


def test_an_upgrade_that_fails_at_the_last_of_its_room_leads_back(pooled: Yard) -> None:
    limit(pooled, "quota", world_size(pooled))
    spoil(pooled, "alice")
    assert "nothing answers" in errors(pooled.upgrade())["alice"]
    assert (pooled.version("alice"), pooled.running()) == (OLD, ["alice"])


def test_a_rollback_needs_what_the_old_world_has_more_or_all_if_a_snapshot_keeps_the_new_one(pooled: Yard) -> None:
    assert not pooled.upgrade().get("failed")
    pooled.lab.run("zfs", "snapshot", "tank/jails/alice@mine")
    limit(pooled, "quota", 0)
    needed = re.compile(r"([1-9][0-9]*) bytes are needed beside what its snapshot keeps, and there is room for 0;")
    kept = needed.match(errors(pooled.upgrade(state="rolled_back"))["alice"])
    assert (pooled.version("alice"), pooled.running()) == (NEW, ["alice"])
    pooled.lab.run("zfs", "destroy", "tank/jails/alice@mine")
    limit(pooled, "quota", 0)
    alone = needed.match(errors(pooled.upgrade(state="rolled_back"))["alice"])
    assert kept
    assert alone
    assert int(alone[1]) < int(kept[1])
    limit(pooled, "quota", int(alone[1]))
    result = pooled.upgrade(state="rolled_back")
    assert not result.get("failed"), result["msg"]
    assert (pooled.version("alice"), pooled.running()) == (OLD, ["alice"])


# Beside others --------------------------------------------------------------------------------------------------------


JOURNAL = journals.Journal(journals.KEPT, OLD, NEW, running=True, run="1", begun=7)


def test_nobody_starts_what_is_between_two_releases(yard: Yard) -> None:
    journals.write(yard.lab.files, "alice", JOURNAL)
    yard.lab.run("jail", "-f", "/etc/jail.conf.d/alice.conf", "-r", "alice")
    result = yard.start_again()
    assert errors(result) == {
        "alice": "the upgrade or rollback of its world was cut off; run upgrade.yml or rollback.yml again"
    }
    assert yard.running() == ["bob"]


def test_with_a_root_goes_what_its_upgrade_left(yard: Yard) -> None:
    yard.upgrade()
    lab = yard.lab
    kept = "/var/jail-upgrades/alice.kept.tar.zst"
    assert lab.path(kept).exists()
    lab.run("jail", "-f", "/etc/jail.conf.d/alice.conf", "-r", "alice")
    doomed = [{"name": "alice", "without_archive": True}]
    assert not lab.module("jail_worlds", worlds=[], releases={}, destroy=doomed, root=ROOTS).get("failed")
    assert not lab.path(kept).exists()
    assert journals.read(lab.files, "alice") is None
    assert journals.read(lab.files, "bob") is not None
