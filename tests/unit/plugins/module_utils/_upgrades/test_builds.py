# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._releases import Release
from ansible_collections.jailisp.vps.plugins.module_utils._source_tree import parse_newvers
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.builds import Build, mismatch

RELEASE, OTHER = "15.1-RELEASE-p1", "15.1-RELEASE"


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ('#!/bin/sh\nTYPE="FreeBSD"\nREVISION="15.1"\nBRANCH="RELEASE-p1"\n', RELEASE),
        ("REVISION=15.1\nBRANCH=RELEASE\n", OTHER),
        ('REVISION="15.1"\n', None),
        ('REVISION="$(reboot)"\nBRANCH="RELEASE"\n', None),
        ("", None),
        (None, None),
    ],
)
def test_a_source_tree_names_its_release(text: str | None, release: str | None) -> None:
    assert parse_newvers(text) == release


@pytest.mark.parametrize(
    ("archived", "sources", "said"),
    [
        (RELEASE, RELEASE, None),
        (RELEASE, OTHER, f"/usr/src is of {OTHER}, and /var/base.txz of {RELEASE}"),
        (RELEASE, None, f"/usr/src is of no release, and /var/base.txz of {RELEASE}"),
        (None, OTHER, f"/usr/src is of {OTHER}, and /var/base.txz of no release"),
        (None, None, "/usr/src is of no release, and /var/base.txz of no release"),
    ],
)
def test_two_builds_are_told_apart(archived: str | None, sources: str | None, said: str | None) -> None:
    found = mismatch(Release(RELEASE, "/var/base.txz", "0" * 64, "/usr/src"), Build(archived, sources))
    assert (found is None) if said is None else (said in (found or ""))
