# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Which of two releases is the newer one."""

from __future__ import annotations

import re

RELEASE = re.compile(
    r"(?P<major>[0-9]{1,9})\.(?P<minor>[0-9]{1,9})-(?P<branch>[A-Z]+)(?P<number>[0-9]{0,9})(-p(?P<patch>[0-9]{1,9}))?"
)
# What a release goes through, in this order; a branch that is not named here comes before its release.
BRANCHES = ("CURRENT", "ALPHA", "PRERELEASE", "BETA", "RC", "RELEASE", "STABLE")


def order(release: str) -> tuple[int, ...]:
    """Return what releases are compared by: 15.1-RELEASE-p1 comes after 15.1-RELEASE, and before 15.1-RELEASE-p2.

    What has no such form comes before everything, so that it may be upgraded and is never called newer.
    """
    match = RELEASE.fullmatch(release)
    if match is None:
        return ()
    branch = BRANCHES.index(match["branch"]) if match["branch"] in BRANCHES else 0
    numbers = (match["major"], match["minor"], branch, match["number"] or 0, match["patch"] or 0)
    return tuple(map(int, numbers))


def is_newer(release: str, other: str) -> bool:
    """Whether a release is newer than another."""
    return order(release) > order(other)


def same_abi(release: str, other: str) -> bool:
    """Whether packages that were built for one release run on the other."""
    return order(release)[:1] == order(other)[:1]
