# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.versions import is_newer, order, same_abi

RISING = (
    "somebody's own",
    "13.2-RELEASE-p11",
    "14.3-RELEASE",
    "15.0-CURRENT",
    "15.0-BETA2",
    "15.0-RC1",
    "15.0-RC2",
    "15.0-RELEASE",
    "15.0-RELEASE-p2",
    "15.0-RELEASE-p10",
    "15.0-STABLE",
    "15.1-RELEASE",
    "15.10-RELEASE",
)


def test_releases_are_newer_in_the_order_in_which_they_appear() -> None:
    assert sorted(reversed(RISING), key=order) == list(RISING)
    assert all(is_newer(new, old) for old, new in itertools.pairwise(RISING))


@given(st.sampled_from(RISING), st.sampled_from(RISING))
def test_of_two_releases_at_most_one_is_newer(one: str, other: str) -> None:
    assert is_newer(one, other) + is_newer(other, one) + (one == other) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("15.0-RELEASE", "15.1-RELEASE-p1", True), ("14.3-RELEASE", "15.0-RELEASE", False), ("x", "15.0-RELEASE", False)],
)
def test_packages_are_for_a_major_release(one: str, other: str, *, same: bool) -> None:
    assert same_abi(one, other) == same
