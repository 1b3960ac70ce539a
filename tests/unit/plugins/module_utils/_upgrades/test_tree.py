# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.tree import (
    CERTIFICATES,
    Tree,
    certificates_elsewhere,
    inner_target,
    obstacles,
    own_links,
    parse_listing,
    shown,
    unit_of,
    with_above,
    written,
)

LISTING = """\
drwxr-xr-x  0 root   wheel         0 Dec  1  2025 ./
drwxr-xr-x  0 root   wheel         0 Dec  1  2025 ./bin/
-r-xr-xr-x  0 root   wheel    161856 Nov 23 22:02 ./bin/sh
-r-xr-xr-x  0 root   wheel         0 Nov 23 22:02 ./bin/[ link to ./bin/test
lrwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./sys -> usr/src/sys
drwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./etc/
-rw-r--r--  0 root   wheel       100 Nov 23 22:02 ./etc/group
drwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./usr/
drwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./usr/bin/
drwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./usr/local/
drwxr-xr-x  0 root   wheel         0 Nov 23 22:02 ./var/
-rw-r--r--  0 root   wheel       100 Nov 23 22:02 ./.profile
"""
TREE = parse_listing(LISTING)
FINE = {
    **dict.fromkeys(["bin", "etc", "usr", "usr/bin", "usr/local", "var"], "folder"),
    **dict.fromkeys(["bin/sh", "bin/[", "etc/group", ".profile"], "file"),
}


def test_a_listing_is_read() -> None:
    folders, files = {"bin", "etc", "usr", "usr/bin", "usr/local", "var"}, {"bin/sh", "bin/[", "etc/group", ".profile"}
    # 40 blocks and one for each of the two small files; a second name takes nothing.
    size = (40 + 1 + 1) * 4096
    assert parse_listing(LISTING) == Tree(frozenset(folders), frozenset(files), frozenset({"sys"}), size)


@pytest.mark.parametrize("line", ["x bin/sh", "crw------- 0 root wheel 0,1 Nov 23 22:02 ./dev/null"])
def test_a_line_that_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(ParseError, match=re.escape(line)):
        parse_listing(line)


def test_units_are_what_is_the_releases_as_a_whole() -> None:
    assert TREE.units == ("bin", "sys", "usr/bin")


@pytest.mark.parametrize(
    "path", ["etc/rc", "home/a", "usr", "usr/local/bin/x", "usr/src/sys", ".cshrc", "var/db/x", "root"]
)
def test_what_the_customer_owns_is_in_no_unit(path: str) -> None:
    assert unit_of(path) is None


def test_an_upgrade_writes_to_units_and_etc_and_installworld_sees_to_all_folders() -> None:
    assert written(TREE, whole=False) == (["bin", "etc", "usr", "usr/bin"], ["bin/[", "bin/sh"])
    assert written(TREE, whole=True)[0] == ["bin", "etc", "usr", "usr/bin", "usr/local", "var"]


def test_a_root_as_it_shall_be_has_no_obstacles() -> None:
    for whole in (False, True):
        assert obstacles(TREE, FINE, whole=whole) == []
        assert obstacles(TREE, dict.fromkeys(FINE, "missing"), whole=whole) == []


@pytest.mark.parametrize(
    ("path", "kind", "whole", "text"),
    [
        ("bin", "link", False, "bin is a link instead of a folder"),
        ("usr", "file", False, "usr is a file instead of a folder"),
        ("etc", "fifo", False, "etc is a fifo instead of a folder"),
        ("bin/sh", "folder", False, "bin/sh is a folder instead of a file"),
        ("bin/sh", "link", True, "bin/sh is a link instead of a file"),
        ("var", "link", True, "var is a link instead of a folder"),
        ("etc/pwd.db", "link", False, "etc/pwd.db is a link instead of a file"),
        ("etc/login.conf.db.tmp", "device", False, "etc/login.conf.db.tmp is a device instead of a file"),
        ("etc/passwd", "other", False, "etc/passwd is something else instead of a file"),
    ],
)
def test_what_leads_a_writer_elsewhere_is_named(path: str, kind: str, whole: bool, text: str) -> None:
    assert obstacles(TREE, FINE | {path: kind}, whole=whole) == [text]


def test_what_an_archive_replaces_is_no_obstacle() -> None:
    assert obstacles(TREE, FINE | {"bin/sh": "link", "bin/[": "fifo", "var": "link"}, whole=False) == []


def test_files_of_etc_that_are_none_are_the_customers_own() -> None:
    assert own_links(TREE, FINE) == []
    assert own_links(TREE, FINE | {"etc/group": "link"}) == ["etc/group"]


FOLDERS = dict.fromkeys(with_above(CERTIFICATES), "folder")


@pytest.mark.parametrize(
    ("target", "kinds"),
    [
        ("../../../usr/share/certs/trusted/a.pem", {"usr/share/certs/trusted/a.pem": "file"}),
        ("../../../usr/share/certs/trusted/gone.pem", {"usr/share/certs/trusted/gone.pem": "missing"}),
        ("a.pem", {"etc/ssl/certs/a.pem": "file"}),
    ],
)
def test_a_certificate_may_be_a_link_to_one_in_the_root(target: str, kinds: dict[str, str]) -> None:
    found = FOLDERS | {"usr/share/certs/trusted": "folder"} | kinds
    assert certificates_elsewhere({"etc/ssl/certs/1.0": target}, found) == []
    assert inner_target("etc/ssl/certs/1.0", target) in kinds


@pytest.mark.parametrize(
    ("target", "kinds"),
    [
        ("/etc/ssl/cert.pem", {}),
        ("../../../../bob/cert.pem", {}),
        ("../../../..", {}),
        ("../..", {"etc": "folder"}),
        ("a.pem", {"etc/ssl/certs/a.pem": "link"}),
        ("a.pem", {"etc/ssl/certs/a.pem": "fifo"}),
        ("more/a.pem", {"etc/ssl/certs/more": "link", "etc/ssl/certs/more/a.pem": "missing"}),
    ],
)
def test_a_certificate_that_is_elsewhere_is_named(target: str, kinds: dict[str, str]) -> None:
    wrong = certificates_elsewhere({"etc/ssl/certs/1.0": target}, FOLDERS | kinds)
    assert wrong == ["etc/ssl/certs/1.0 is a link to no file of the root"]


def test_what_is_no_certificate_and_what_is_no_folder_of_them_is_named() -> None:
    assert certificates_elsewhere({}, FOLDERS | {"etc/ssl/untrusted": "missing"}) == []
    assert certificates_elsewhere({"usr/share/certs/x": None}, FOLDERS) == ["usr/share/certs/x is no certificate"]
    moved = certificates_elsewhere({}, FOLDERS | {"usr/local": "link", "usr/local/share": "missing"})
    assert moved == ["usr/local is a link instead of a folder"]


def test_a_long_list_is_cut() -> None:
    assert shown(["a", "b"]) == "a; b"
    assert shown(list("abcdefg")) == "a; b; c; d; e and 2 more"
