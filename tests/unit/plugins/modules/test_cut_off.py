# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed before any of its steps, a module comes to the same end when it runs again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils import _shell
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import FILLED, note
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SCRIPT
from model import packages, source_tree
from model.host import Host
from support.ends import end
from support.lab import Lab, copy

ROOTS = "/usr/local/jails/h1"
RELEASE = "15.1-RELEASE-p1"
POOL = {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": "/usr/local/jails/releases"}
KILL_STATES = ("pfctl", "-k", "label", "-k", "jail:a")


class Killed(BaseException):
    """Stands for the end of the module's process."""


def jails(**alice: t.Any) -> dict[str, t.Any]:
    both = [
        {"name": name, "path": f"{ROOTS}/{name}", "ip4": [f"192.168.1.{number}"]}
        for name, number in (("alice", 17), ("bob", 18))
    ]
    return {"jails": [both[0] | alice, both[1]], "exec_timeout": 30, "stop_timeout": 1}


def rules(port: int) -> dict[str, t.Any]:
    texts = [
        f"rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port {port} tag jail_a -> 192.168.1.17 port 22",
        'pass in quick on vtnet0 inet tagged jail_a keep state label "jail:a"',
    ]
    return {"rules": [{"rule": text, "jail": "a"} for text in texts], "tables": {"jails": ["192.168.1.17"]}}


def pipes(*numbers: int) -> dict[str, t.Any]:
    return {"pipes": [{"number": number, "bandwidth": "2Mbit/s", "jail": "a"} for number in numbers]}


def worlds(**more: t.Any) -> dict[str, t.Any]:
    return {
        "worlds": [{"name": name, "path": f"{ROOTS}/{name}", "release": RELEASE} for name in ("alice", "bob")],
        "files": [{"path": "etc/rc.conf", "content": "x\n"}],
        "at_once": 1,
        **more,
    }


def with_roots(lab: Lab, world: Path) -> None:
    lab.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])
    for name in ("alice", "bob", "elsewhere"):
        copy(world, lab.path(f"{ROOTS}/{name}"))


def with_jails(lab: Lab, world: Path) -> None:
    with_roots(lab, world)
    lab.module("jails", **jails())


def with_pf(lab: Lab, world: Path) -> None:
    lab.run("kldload", "pf")


def with_rules(lab: Lab, world: Path) -> None:
    with_pf(lab, world)
    lab.module("pf_anchor", **rules(8017))


def with_pipes(lab: Lab, world: Path) -> None:
    lab.run("kldload", "dummynet")
    lab.module("dummynet_pipes", **pipes(10001, 10002))


LIMITED: dict[str, t.Any] = {
    "jails": [{"name": "alice", "rules": ["maxproc:deny=9"]}, {"name": "bob", "rules": ["nthr:deny=9"]}]
}


def with_limits(lab: Lab, world: Path) -> None:
    lab.module("rctl_rules", **LIMITED)


def with_folder(lab: Lab, world: Path) -> None:
    lab.run("mkdir", "-p", ROOTS)


RETIRED = "2026-11-24T093000Z"
ARCHIVED = [{"name": name, "path": f"{ROOTS}/{name}", "retired": RETIRED} for name in ("alice", "bob")]


def with_retired(lab: Lab, world: Path) -> None:
    for name in ("alice", "bob"):
        copy(world / "etc", lab.path(f"{ROOTS}/{name}/etc"))
        lab.run("chflags", "schg", f"{ROOTS}/{name}/etc/rc", f"{ROOTS}/{name}")
    old = lab.path("/var/jail-archives/carol-2020-01-01T000000Z.tar.zst")
    old.parent.mkdir(mode=0o700)
    for file in (old, old.with_name(f"{old.name}.sha256")):
        file.write_text("old")


def doomed(*names: str, **more: t.Any) -> dict[str, t.Any]:
    named = [{"name": name, "without_archive": True} for name in names]
    return {"worlds": [], "releases": {}, "destroy": named, "root": ROOTS, **more}


def with_doomed_dataset(lab: Lab, world: Path) -> None:
    with_pool(lab, world)
    for name in ("alice", "bob"):
        lab.run("zfs", "create", f"tank/jails/{name}")
        lab.run("zfs", "snapshot", f"tank/jails/{name}@monday")


def with_pool(lab: Lab, world: Path) -> None:
    lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
    lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
    lab.run("zfs", "create", "-o", f"mountpoint={POOL['release_root']}", "tank/releases")


LIMITED_ROOT = {"properties": {"refquota": "1G", "quota": "2G", "reservation": "16M"}}
LIMITED_DATASETS = [
    {"name": "tank/jails", "properties": {"mountpoint": ROOTS, "compression": "lz4"}},
    *[
        {
            "name": f"tank/jails/{name}",
            "jail": name,
            "create": False,
            "properties": {"refquota": "4M", "quota": "6M", "reservation": "2M"},
        }
        for name in ("alice", "bob", "carol")
    ],
]


def with_limited_datasets(lab: Lab, world: Path) -> None:
    with_pool(lab, world)
    for name in ("alice", "bob"):
        lab.run("zfs", "create", "-o", "quota=20M", "-o", "reservation=10M", f"tank/jails/{name}")


PACKED = "/var/alice.tar.zst"


def packed(**more: t.Any) -> dict[str, t.Any]:
    # Zeros stand for the digest, which is known when the archive is made.
    source = {"archive": PACKED, "sha256": "0" * 64}
    limited = LIMITED_ROOT if "dataset" in more else {}
    return worlds(worlds=[{"name": "alice", "path": f"{ROOTS}/alice", "root_archive": source, **limited}], **more)


def with_packed(lab: Lab, world: Path) -> None:
    with_folder(lab, world)
    copy(world / "etc", lab.path("/tmp/old/etc"))
    lab.run("chflags", "schg", "/tmp/old/etc/rc")
    lab.run("tar", "-c", "--zstd", "--format", "pax", "-f", PACKED, "-C", "/tmp/old", ".")


def with_packed_and_pool(lab: Lab, world: Path) -> None:
    with_packed(lab, world)
    with_pool(lab, world)


MADE = "/var/jail-releases/"
ONE = worlds()["worlds"][:1]


def sold(release: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return worlds(worlds=ONE, releases={RELEASE: release}, **more)


def with_sources(lab: Lab, world: Path) -> None:
    with_folder(lab, world)
    source_tree.write(lab.host, RELEASE)


def with_packages(lab: Lab, world: Path) -> None:
    with_folder(lab, world)
    packages.install_pkg(lab.host)
    packages.write_repository(lab.host, "/var/repo", RELEASE)


def with_golden(lab: Lab, world: Path) -> None:
    with_pool(lab, world)
    lab.run("zfs", "create", "-o", "mountpoint=/golden", "tank/golden")
    for name in ("bin", "etc"):
        lab.run("mkdir", f"/golden/{name}")
    for name in ("bin/freebsd-version", "etc/master.passwd", "etc/group"):
        lab.path(f"/golden/{name}").write_bytes((world / name).read_bytes())
    lab.run("zfs", "snapshot", "tank/golden@p1")


def with_nothing(lab: Lab, world: Path) -> None:
    pass


IMAGES = [
    {"name": name, "file": f"/var/jail-images/{name}.img", "unit": unit, "size": "8M", "path": f"{ROOTS}/{name}"}
    for name, unit in (("alice", 17), ("bob", 18))
]
BACKING = {"file": IMAGES[0]["file"], "unit": IMAGES[0]["unit"]}


def with_images(lab: Lab, world: Path) -> None:
    with_folder(lab, world)
    lab.module("jail_images", images=IMAGES)


def with_filled_images(lab: Lab, world: Path) -> None:
    """Have the images of two customers, that of alice mounted."""
    with_images(lab, world)
    for image in IMAGES:
        lab.run("mkdir", f"{image['path']}/mine")
        lab.files.remove(note(str(image["name"])))
    script = ("/bin/sh", SCRIPT, "unmount", str(IMAGES[1]["unit"]), str(IMAGES[1]["file"]), str(IMAGES[1]["path"]))
    lab.run(*script)


def accounts(roots: str, **more: t.Any) -> dict[str, t.Any]:
    given = {"password": "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8", "keys": ["ssh-ed25519 AAAA one"]}
    both = [{"name": name, "path": f"{ROOTS}/{name}", "user": f"u{name}", **given, **more} for name in ("alice", "bob")]
    return {"roots": roots, "accounts": both, "rc_conf": 'sshd_enable="YES"\n', "at_once": 1}


def with_fresh_roots(lab: Lab, world: Path) -> None:
    for name in ("alice", "bob"):
        copy(world, lab.path(f"{ROOTS}/{name}"))
        lab.files.write(note(name), FILLED, 0o600)


def with_customers(lab: Lab, world: Path) -> None:
    """Have two jails that run and were handed to their customers."""
    lab.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])
    with_fresh_roots(lab, world)
    lab.module("jail_accounts", **accounts("fresh", password=None))
    lab.module("jails", **jails())


@dataclass(frozen=True)
class Case:
    """A host as it is made before, and the module's call that is cut off."""

    prepare: t.Callable[[Lab, Path], None]
    module: str
    parameters: dict[str, t.Any] = field(default_factory=dict)


CASES = {
    "settings": Case(
        with_nothing,
        "host_settings",
        {
            "kernel_modules": ["pf"],
            "interfaces": ["lo1"],
            "sysctl": {"security.bsd.see_jail_proc": 0},
            "files": [{"path": "/etc/rc.conf.d/pf", "content": 'pf_enable="YES"'}],
        },
    ),
    "folders": Case(with_folder, "jail_worlds", worlds()),
    "clones": Case(
        with_pool, "jail_worlds", worlds(worlds=[{**world, **LIMITED_ROOT} for world in worlds()["worlds"]], **POOL)
    ),
    "root of another host": Case(with_packed, "jail_worlds", packed()),
    "dataset of another host": Case(with_packed_and_pool, "jail_worlds", packed(**POOL)),
    "release of sources": Case(with_sources, "jail_worlds", sold({"src": "/usr/src"})),
    "release of packages": Case(with_packages, "jail_worlds", sold({"pkgbase": {"repository": "/var/repo"}})),
    "release of a file system": Case(with_golden, "jail_worlds", sold({"dataset": "tank/golden"}, **POOL)),
    "release of a snapshot": Case(with_golden, "jail_worlds", sold({"dataset": "tank/golden@p1"}, **POOL)),
    "archives": Case(with_retired, "jail_archives", {"archives": ARCHIVED, "at_once": 1}),
    "destroyed folder": Case(with_retired, "jail_worlds", doomed("alice")),
    "destroyed dataset": Case(with_doomed_dataset, "jail_worlds", doomed("alice", "bob", **POOL)),
    "datasets": Case(with_pool, "zfs_datasets", {"datasets": [{"name": "tank/a"}, {"name": "tank/b"}]}),
    "limited datasets": Case(with_limited_datasets, "zfs_datasets", {"datasets": LIMITED_DATASETS}),
    "images": Case(with_folder, "jail_images", {"images": IMAGES}),
    "grown images": Case(with_filled_images, "jail_images", {"images": [{**each, "size": "12M"} for each in IMAGES]}),
    "filled image": Case(
        with_images,
        "jail_worlds",
        worlds(worlds=[{"name": "alice", "path": f"{ROOTS}/alice", "release": RELEASE, "image": BACKING}]),
    ),
    "archived image": Case(with_filled_images, "jail_archives", {"archives": [{**ARCHIVED[0], "image": BACKING}]}),
    "destroyed image": Case(
        with_filled_images,
        "jail_worlds",
        {**doomed(), "destroy": [{"name": "alice", "without_archive": True, "image": BACKING}]},
    ),
    "accounts of fresh roots": Case(with_fresh_roots, "jail_accounts", accounts("fresh")),
    "accounts of running jails": Case(with_customers, "jail_accounts", accounts("running", keys=["ssh-rsa AAAA two"])),
    "pipes": Case(with_pipes, "dummynet_pipes", pipes(10002, 10003)),
    "first limits": Case(with_nothing, "rctl_rules", LIMITED),
    "changed limits": Case(
        with_limits,
        "rctl_rules",
        {"jails": [{"name": "alice", "rules": ["maxproc:deny=5", "nthr:log=3"]}, {"name": "bob", "rules": []}]},
    ),
    "first rules": Case(with_pf, "pf_anchor", rules(8017)),
    "changed rules": Case(with_rules, "pf_anchor", rules(8018)),
    "first jails": Case(with_roots, "jails", jails()),
    "changed jail": Case(with_jails, "jails", jails(ip4=["192.168.1.99"], securelevel=3)),
    "stopped jail": Case(with_jails, "jails", jails(state="absent")),
    "restarted jail": Case(with_jails, "jails", jails(path=f"{ROOTS}/elsewhere", restart=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_cut_off_anywhere(lab: Lab, name: str, world: Path, sha256: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    more = (
        {"releases": {RELEASE: {"archive": "/var/base.txz", "sha256": sha256}}} if case.module == "jail_worlds" else {}
    )
    case.prepare(lab, world)
    parameters = with_digests(lab, more | case.parameters)

    def fresh(place: int) -> Lab:
        directory = lab.host.directory.with_name(str(place))
        copy(lab.host.directory, directory)
        return Lab(Host(directory), monkeypatch)

    whole = fresh(0)
    assert not whole.module(case.module, **parameters).get("failed")
    expected = end(whole)
    kills_states = KILL_STATES in [command.argv for command in whole.runner.ran]
    place = 1
    while True:
        here = fresh(place)
        with monkeypatch.context() as patch:
            if not cut(here, patch, place, case.module, parameters):
                break
        result = here.module(case.module, **parameters)
        assert not result.get("failed"), (place, result["msg"])
        found = end(here)
        assert {key: found[key] for key in expected} == expected, place
        assert (KILL_STATES in [command.argv for command in here.runner.ran]) >= kills_states, place
        assert not here.module(case.module, **parameters)["changed"], place
        place += 1
    assert place > 2


def with_digests(lab: Lab, parameters: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the parameters with the SHA-256 of the archived roots that they name."""
    worlds = [
        each | {"root_archive": source | {"sha256": lab.files.sha256(source["archive"])}} if source else each
        for each in parameters.get("worlds", [])
        for source in (each.get("root_archive"),)
    ]
    return parameters | {"worlds": worlds} if worlds else parameters


def cut(lab: Lab, patch: pytest.MonkeyPatch, place: int, module: str, parameters: dict[str, t.Any]) -> bool:
    """Run the module and kill it before its step number ``place``; say whether it had so many."""
    attempt, begun = _shell._attempt, [0]

    def counted(*arguments: t.Any) -> bool:
        begun[0] += 1
        if begun[0] == place:
            raise Killed
        return attempt(*arguments)

    patch.setattr(_shell, "_attempt", counted)
    try:
        lab.module(module, **parameters)
    except Killed:
        return True
    return False
