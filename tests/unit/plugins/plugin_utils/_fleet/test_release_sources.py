# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

RELEASE, OLD = "15.1-RELEASE-p1", "14.3-RELEASE"
ARCHIVE = {"archive": "/var/base.txz", "sha256": "0" * 64}
POOL = {"vps_storage": "dataset", "vps_pool": "tank"}
PKGBASE = {"repository": "pkg+https://pkg.FreeBSD.org/${ABI}/base_release_1"}
CLONED = "which is cloned: that works only"


def with_release(fleet: t.Any, release: dict[str, t.Any], **variables: t.Any) -> t.Any:
    fleet.hosts["h1"].update(vps_releases={RELEASE: release}, **variables)
    return fleet


@pytest.mark.parametrize(
    ("release", "variables"),
    [
        ({"src": "/usr/src"}, {}),
        ({**ARCHIVE, "src": "/usr/src"}, {}),
        ({"dataset": "zroot/golden"}, {}),
        ({"dataset": "zroot/golden"}, POOL),
        ({"dataset": "tank/golden/15.1@p1"}, POOL),
        ({"dataset": "tank@p1"}, POOL),
        ({"pkgbase": PKGBASE}, {}),
        ({"pkgbase": {"repository": "/var/repo", "packages": []}}, {}),
    ],
)
def test_each_way_is_taken_as_it_is(fleet: t.Any, release: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
    assert len(with_release(fleet, release, **variables).compile()["h1"]) == 1


def test_packages_have_a_default(fleet: t.Any) -> None:
    project = with_release(fleet, {"pkgbase": PKGBASE}).project()
    (found,) = project.check().hosts.values()
    assert found["vps_releases"][RELEASE]["pkgbase"]["packages"] == ["FreeBSD-set-base-jail"]


@pytest.mark.parametrize(
    ("release", "variables", "key", "error"),
    [
        ({}, {}, "", "does not say where it is from; give archive and sha256, or one of src, dataset and pkgbase"),
        ({"archive": "/a"}, {}, ".sha256", "missing; add it (Checksum of the archive)"),
        (
            {"sha256": "0" * 64},
            {},
            ".archive",
            "missing; add it (Path of its base archive on the host; with `sha256`)",
        ),
        ({**ARCHIVE, "dataset": "zroot/a"}, {}, ".dataset", "has no meaning beside archive; remove one of the two"),
        ({**ARCHIVE, "pkgbase": PKGBASE}, {}, ".pkgbase", "has no meaning beside archive; remove one of the two"),
        ({"dataset": "zroot/a", "src": "/s"}, {}, ".src", "has no meaning beside dataset; remove one of the two"),
        ({"pkgbase": PKGBASE, "src": "/s"}, {}, ".src", "has no meaning beside pkgbase; remove one of the two"),
        (
            {"dataset": "tank/a@p1"},
            {},
            ".dataset",
            f"tank/a@p1 is a snapshot, {CLONED} with vps_storage: dataset; name its file system",
        ),
        (
            {"dataset": "zroot/a@p1"},
            POOL,
            ".dataset",
            f"zroot/a@p1 is a snapshot, {CLONED} in vps_pool, tank; name its file system",
        ),
        *[
            (
                {"dataset": name},
                POOL,
                ".dataset",
                f"{name} is in {own}, whose datasets come and go; name one elsewhere",
            )
            for name, own in (
                ("tank/releases/15.1@p1", "tank/releases"),
                ("tank/jails/alice", "tank/jails"),
                ("tank/jails@p1", "tank/jails"),
            )
        ],
        (
            {"dataset": "/tank"},
            {},
            ".dataset",
            "/tank is not the name of a snapshot or a file system, such as zroot/releases/15.1@p1; correct it",
        ),
        ({"pkgbase": {}}, {}, ".pkgbase.repository", "missing; add it (Address of their repository, or its path on"),
        (
            {"pkgbase": {"repository": "https://me:secret@a/x"}},
            {},
            ".pkgbase.repository",
            "https://me:secret@a/x is not an address such as pkg+https://pkg.FreeBSD.org/${ABI}/base_release_1",
        ),
        (
            {"pkgbase": {**PKGBASE, "packages": ["-y"]}},
            {},
            ".pkgbase.packages[0]",
            "-y is not the name of a package; correct it",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_key(
    fleet: t.Any, release: dict[str, t.Any], variables: dict[str, t.Any], key: str, error: str
) -> None:
    (said,) = with_release(fleet, release, **variables).errors()
    assert said.startswith(f"hosts.yml: h1: vps_releases.{RELEASE}{key}: {error}")


def test_packages_are_for_releases_that_have_them(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_releases"] = {RELEASE: ARCHIVE, OLD: {"pkgbase": PKGBASE}}
    assert fleet.errors() == [
        f"hosts.yml: h1: vps_releases.{OLD}.pkgbase: FreeBSD's base system comes as packages since 15.0; give archive "
        "and sha256"
    ]
