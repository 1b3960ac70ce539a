# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._plan import Branches, InvalidDesired, ParseError, Write, flat
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.destroy import staging
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.model import Wish, wish
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import Dataset, parse_datasets, parse_version
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.plan import Actual, Root, plan

RELEASE, OTHER = "15.1-RELEASE-p1", "14.3-RELEASE"
SHA256 = "ab" * 32
RELEASES = {
    RELEASE: {"archive": "/var/base.txz", "sha256": SHA256},
    OTHER: {"archive": "/var/old.txz", "sha256": SHA256},
}
PACKED = {"archive": "/var/alice.tar.zst", "sha256": SHA256}
POOL = {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": "/jails/releases"}


def world(name: str = "alice", release: str | None = RELEASE, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "path": f"/jails/h1/{name}",
        "release": release,
        "root_archive": None,
        "image": None,
        "properties": {},
        **changes,
    }


def wished(*worlds: dict[str, t.Any], **changes: t.Any) -> Wish:
    nothing = {
        "worlds": list(worlds),
        "releases": RELEASES,
        "files": [],
        "dataset": None,
        "release_dataset": None,
        "release_root": None,
        "destroy": [],
        "root": None,
        "images": None,
        "made_releases": "/var/jail-releases",
        "at_once": 4,
    }
    return wish({**nothing, **changes})


def seed(path: str = "etc/rc.conf", mode: str = "0644") -> dict[str, str]:
    return {"path": path, "content": "x\n", "mode": mode}


def root(kind: str = "missing", version: str | None = None, *, half_made: bool = False) -> Root:
    return Root(kind, version, half_made)


def actual(*datasets: str, mounted: bool = True, **roots: Root) -> Actual:
    found = {name: Dataset(f"/mounted/{name}", mounted) for name in datasets}
    return Actual(roots, found, {"/var/base.txz": SHA256, "/var/old.txz": SHA256}, {})


@pytest.mark.parametrize(
    ("worlds", "changes", "message"),
    [
        ([world(), world()], {}, "worlds[1].name: alice stands already at worlds[0]; remove one"),
        (
            [world(release="13.0")],
            {},
            f"worlds: alice: release: 13.0 is not among releases ({OTHER}, {RELEASE}); add it",
        ),
        ([world(release=None)], {}, "worlds: alice: give either its release, or root_archive"),
        ([world(root_archive=PACKED)], {}, "worlds: alice: give either its release, or root_archive"),
        (
            [world(release=None, root_archive={**PACKED, "sha256": "12"})],
            {},
            "worlds: alice: root_archive: sha256: '12' is not 64 hexadecimal digits",
        ),
        (
            [world(release=None, root_archive={**PACKED, "archive": "x"})],
            {},
            "worlds: alice: root_archive: archive: 'x' is not an absolute",
        ),
        ([world(name="../x")], {}, "worlds: '../x': name: no jail can have it"),
        ([world(name="a@b")], {}, "worlds: 'a@b': name: no jail can have it"),
        *[
            ([world(path=path)], {}, f"worlds: alice: path: {path!r} is not an absolute, plain path below /")
            for path in ("a", "/", "/a/../b", "//a", "/a\n")
        ],
        ([], {"releases": {"a/b": RELEASES[RELEASE]}}, "releases: 'a/b' is no name of a release"),
        *[
            ([], {"releases": {"a": record}}, "releases: a: give it the keys archive and sha256, src and url if you")
            for record in (
                {"archive": "/x"},
                "/x",
                {},
                {"archive": "/x", "sha256": SHA256, "address": "x"},
                {"archive": "/x", "sha256": SHA256, "dataset": "tank/a"},
                {"src": "/usr/src", "dataset": "tank/a"},
                {"pkgbase": {"repository": "/repo"}, "url": "https://a/x"},
            )
        ],
        ([], {"releases": {"a": {"src": "usr/src"}}}, "releases: a: src: 'usr/src' is not an absolute, plain path"),
        *[
            ([], {"releases": {"a": {"dataset": name}}}, f"releases: a: dataset: {name!r} is no name of a file system")
            for name in ("/tank", "tank/", "tank@", "-r", "tank@a@b", "tank/a b")
        ],
        (
            [],
            {"releases": {"a": {"dataset": "tank/a@b"}}},
            "releases: a: dataset: tank/a@b is a snapshot, which is cloned, and that works where roots are datasets "
            "only; name its file system, whose files are copied",
        ),
        (
            [],
            {"releases": {"a": {"dataset": "zroot/a@b"}}, **POOL},
            "releases: a: dataset: zroot/a@b is a snapshot, which is cloned, and that works in the pool tank only",
        ),
        *[
            ([], {"releases": {RELEASE: {"pkgbase": record}}}, f"releases: {RELEASE}: pkgbase: {said}")
            for record, said in (
                ("/repo", "give it the key repository, fingerprints and packages if need be, and no others"),
                ({}, "give it the key repository"),
                ({"repository": "/repo", "key": "x"}, "give it the key repository"),
                ({"repository": "repo"}, "repository: 'repo' is none; write pkg+https://HOST/PATH, https, http, or"),
                ({"repository": "https://me:secret@a/x"}, "repository: "),
                ({"repository": 'https://a/"x'}, "repository: "),
                ({"repository": "/repo", "fingerprints": "keys"}, "fingerprints: 'keys' is not an absolute, plain"),
                ({"repository": "/repo", "packages": ["-y"]}, "packages: ['-y'] is no list of packages such as ["),
                ({"repository": "/repo", "packages": "FreeBSD-rc"}, "packages: 'FreeBSD-rc' is no list of packages"),
            )
        ],
        (
            [],
            {"releases": {OTHER: {"pkgbase": {"repository": "/repo"}}}},
            f"releases: {OTHER}: pkgbase: FreeBSD's base system comes as packages since 15.0; give archive and sha256",
        ),
        (
            [],
            {"releases": {OTHER: {"src": "/usr/src"}}, "made_releases": "var"},
            "made_releases: 'var' is not an absolute, plain path below /",
        ),
        *[
            (
                [],
                {"releases": {"a": {"archive": "/x", "sha256": SHA256, "url": url}}},
                f"releases: a: url: {url!r} is no address that fetch(1) takes; write https://HOST/PATH, http, ftp or",
            )
            for url in ("/x", "https://a", "https://me:secret@a/x", "gopher://a/x", "file://x/y", "http://a/x y")
        ],
        (
            [],
            {"releases": {"a": {"archive": "/x", "sha256": "12"}}},
            "releases: a: sha256: '12' is not 64 hexadecimal digits",
        ),
        ([], {"releases": {"a": {"archive": "x", "sha256": SHA256}}}, "releases: a: archive: 'x' is not an absolute"),
        *[
            ([], {"files": [seed(path)]}, f"files: {path!r}: not a plain path relative to the root")
            for path in ("/etc/x", "../x", "etc/../x", "etc//x", "")
        ],
        ([], {"files": [seed(mode="rw")]}, "files: etc/rc.conf: mode: 'rw' is not octal"),
        ([], {"files": [seed(), seed()]}, "files[1].path: etc/rc.conf stands already at files[0]; remove one"),
        ([], {**POOL, "dataset": "a b"}, "dataset: 'a b' is no name of a dataset"),
        ([world(properties={"quota": 1})], {}, "worlds: alice: properties: only datasets have them; leave them out"),
        ([world(properties={"quota": "x"})], POOL, "worlds: alice: properties: quota: 'x' is not a size such as"),
        ([], {**POOL, "release_dataset": "a@b"}, "release_dataset: 'a@b' is no name of a dataset"),
        ([], {**POOL, "release_root": None}, "release_dataset, release_root: with dataset, say where"),
        ([], {**POOL, "release_dataset": None}, "release_dataset, release_root: with dataset, say where"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wish_that_cannot_come_true_is_refused(
    worlds: list[dict[str, t.Any]], changes: dict[str, t.Any], message: str
) -> None:
    with pytest.raises(InvalidDesired) as caught:
        wished(*worlds, **changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param('#!/bin/sh\n\nUSERLAND_VERSION="15.1-RELEASE-p1"\n', "15.1-RELEASE-p1", id="FreeBSD's"),
        pytest.param("USERLAND_VERSION=14.3-RELEASE\n", "14.3-RELEASE", id="without quotes"),
        pytest.param('USERLAND_VERSION="16.0-CURRENT"', "16.0-CURRENT", id="without an end"),
        pytest.param(None, None, id="no file"),
        pytest.param("", None, id="empty"),
        pytest.param('USERLAND_VERSION="15.1-RELEASE; rm -rf /"\n', None, id="a command"),
        pytest.param('USERLAND_VERSION="{{ lookup(1) }}"\n', None, id="a template"),
        pytest.param('USERLAND_VERSION="$(id)"\n', None, id="a substitution"),
        pytest.param(f'USERLAND_VERSION="15.1-{"A" * 50}"\n', None, id="too long"),
        pytest.param('# USERLAND_VERSION="15.1-RELEASE"\n', None, id="a comment"),
    ],
)
def test_of_what_a_root_says_only_a_release_is_believed(text: str | None, version: str | None) -> None:
    assert parse_version(text) == version


def test_datasets_and_snapshots() -> None:
    text = "tank/a\t/jails/a\tyes\ntank/b\tnone\tno\ntank/a@x\t-\t-\n"
    assert parse_datasets(text) == {
        "tank/a": Dataset("/jails/a", True),
        "tank/b": Dataset("none", False),
        "tank/a@x": Dataset("-", False),
    }
    with pytest.raises(ParseError, match="'tank /x'"):
        parse_datasets("tank /x\n")


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_fresh_root_is_filled_beside_its_place_and_renamed(kind: str) -> None:
    made = plan(wished(world(), files=[seed()]), actual(alice=root(kind)), 1)
    place = "/jails/h1/.alice.new"
    assert made.commands == [
        f"make folder {place}",
        f"tar -xpf /var/base.txz -C {place}",
        f"pw -R {place} usermod root -h -",
        f"write {place}/etc/rc.conf",
        "write /var/db/jailisp/fresh/alice",
        f"rename {place} to /jails/h1/alice",
    ]
    (branches,) = made.steps
    assert isinstance(branches, Branches)
    assert [str(step) for undo in branches.undo for step in undo] == [f"chflags -R -x 0 {place}", f"rm -rfx {place}"]
    assert branches.at_once == 4


def test_what_was_half_made_is_cleared_first() -> None:
    made = plan(wished(world()), actual(alice=root(half_made=True)), 1)
    assert made.commands[:3] == [
        "chflags -R -x 0 /jails/h1/.alice.new",
        "rm -rfx /jails/h1/.alice.new",
        "make folder /jails/h1/.alice.new",
    ]


@pytest.mark.parametrize(
    ("there", "differs"),
    [
        (root("folder", RELEASE), {}),
        (root("folder", OTHER), {"alice": {"is": OTHER, "wanted": RELEASE}}),
        (root("folder", OTHER, half_made=True), {"alice": {"is": OTHER, "wanted": RELEASE}}),
    ],
    ids=["the release", "another release", "rubbish beside it"],
)
def test_a_root_that_holds_a_world_is_never_touched(there: Root, differs: dict[str, t.Any]) -> None:
    for changes, datasets in (({}, []), (POOL, ["tank/jails/alice"])):
        made = plan(wished(world(), **changes), actual(*datasets, alice=there), 1)
        assert (made.steps, made.changes, made.refused, made.notes["differs"]) == ((), (), (), differs)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (root("other"), "/jails/h1/alice is not a folder; a jail's root must be one"),
        (root("folder"), "/jails/h1/alice holds something else than a world (bin/freebsd-version names none)"),
    ],
    ids=["a file or link", "a folder with something else"],
)
def test_a_root_that_is_something_else_is_refused(there: Root, reason: str) -> None:
    made = plan(wished(world(), world("bob")), actual(alice=there, bob=root()), 1)
    ((name, why),) = made.refused
    assert name == "alice"
    assert why.startswith(reason)
    assert {step.subject for step in flat(made.steps)} == {"bob"}


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_dataset_that_holds_no_world_is_refused(kind: str) -> None:
    made = plan(wished(world(), **POOL), actual("tank/jails/alice", alice=root(kind)), 1)
    assert [name for name, why in made.refused] == ["alice"]
    assert made.steps == ()


@pytest.mark.parametrize(
    ("digest", "reason"),
    [
        (None, "there is no archive /var/base.txz on this host; put it there, or give its url (needed by alice, bob)"),
        ("cd" * 32, f"/var/base.txz has the SHA-256 {'cd' * 32}, not {SHA256} as given; it is damaged"),
    ],
    ids=["missing", "wrong"],
)
@pytest.mark.parametrize("changes", [{}, POOL], ids=["folders", "datasets"])
def test_a_bad_archive_is_never_unpacked(digest: str | None, reason: str, changes: dict[str, t.Any]) -> None:
    found = replace(actual(alice=root(), bob=root()), digests={"/var/base.txz": digest})
    made = plan(wished(world(), world("bob"), **changes), found, 1)
    ((name, why),) = made.refused
    assert (made.steps, name, made.notes["unmade"]) == ((), RELEASE, ["alice", "bob"])
    assert why.startswith(reason)


def test_a_bad_archive_is_told_of_by_those_who_need_it() -> None:
    found = replace(actual(alice=root("folder", RELEASE), bob=root()), digests={"/var/base.txz": None})
    ((_name, why),) = plan(wished(world(), world("bob")), found, 1).refused
    assert why.endswith("(needed by bob)")


def test_a_bad_archive_stops_only_who_needs_it() -> None:
    found = replace(actual(alice=root(), bob=root()), digests={"/var/base.txz": None, "/var/old.txz": SHA256})
    made = plan(wished(world(), world("bob", OTHER)), found, 1)
    assert {step.subject for step in flat(made.steps)} == {"bob"}
    assert made.notes["unmade"] == ["alice"]


def test_what_is_still_not_made_afterwards_is_named() -> None:
    assert plan(wished(world()), actual(alice=root()), 1).notes["unmade"] == []
    assert plan(wished(world()), actual(alice=root()), 2).notes["unmade"] == ["alice"]


def test_a_release_is_made_once_and_cloned_for_each() -> None:
    wish = wished(world(), world("bob"), files=[seed()], **POOL)
    snapshot = wish.snapshot(wish.worlds["alice"].release)
    place = f"/jails/releases/{RELEASE}"
    assert plan(wish, actual(alice=root(), bob=root()), 1).commands == [
        f"zfs create tank/releases/{RELEASE}",
        f"tar -xpf /var/base.txz -C {place}",
        f"pw -R {place} usermod root -h -",
        f"write {place}/etc/rc.conf",
        f"zfs snapshot {snapshot}",
        "write /var/db/jailisp/fresh/alice",
        f"zfs clone {snapshot} tank/jails/alice",
        "write /var/db/jailisp/fresh/bob",
        f"zfs clone {snapshot} tank/jails/bob",
    ]
    assert plan(wish, actual(snapshot, alice=root(), bob=root()), 1).commands == [
        "write /var/db/jailisp/fresh/alice",
        f"zfs clone {snapshot} tank/jails/alice",
        "write /var/db/jailisp/fresh/bob",
        f"zfs clone {snapshot} tank/jails/bob",
    ]


def test_a_release_without_its_snapshot_is_begun_again() -> None:
    made = plan(wished(world(), **POOL), actual(f"tank/releases/{RELEASE}", alice=root()), 1)
    place = f"/mounted/tank/releases/{RELEASE}"
    assert made.commands[:3] == [
        f"chflags -R noschg {place}",
        f"find {place} -mindepth 1 -delete",
        f"tar -xpf /var/base.txz -C {place}",
    ]


def test_a_snapshot_is_of_one_archive_and_of_the_files_that_go_into_it() -> None:
    def name(sha256: str = SHA256, **changes: t.Any) -> str:
        wish = wished(world(), releases={RELEASE: {"archive": "/x", "sha256": sha256}}, **POOL, **changes)
        return wish.snapshot(wish.worlds["alice"].release)

    assert len({name(), name("cd" * 32), name(files=[seed()]), name(files=[seed(mode="0600")])}) == 4
    assert name() == name()


def test_a_dataset_that_is_not_mounted_is_mounted_and_not_made_again() -> None:
    made = plan(wished(world(), **POOL), actual("tank/jails/alice", mounted=False, alice=root("empty")), 1)
    assert (made.commands, made.refused) == (["zfs mount tank/jails/alice"], ())


def test_files_of_a_fresh_root_have_their_modes() -> None:
    made = plan(wished(world(), files=[seed(mode="0600")]), actual(alice=root()), 1)
    assert [step.mode for step in flat(made.steps) if isinstance(step, Write) and step.path.startswith("/jails")] == [
        0o600
    ]


def test_a_root_is_filled_beside_its_place() -> None:
    assert staging("/jails/h1/alice") == "/jails/h1/.alice.new"
