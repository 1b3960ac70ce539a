# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import parse_names, parse_rules, printable
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError


def test_names_are_those_that_pfctl_indents() -> None:
    assert parse_names("  jailisp/sub\n  jailisp/more\n") == ["jailisp/more", "jailisp/sub"]
    assert parse_names("") == []


def test_rules_are_those_of_jails_by_name() -> None:
    text = (
        "jail:bob:pcpu:deny=50\nuser:root:maxproc:deny=9/user\njail:bob:maxproc:deny=9\njail:al:nthr:sigterm=9/jail\n"
    )
    assert parse_rules(text) == {
        "al": ["jail:al:nthr:sigterm=9/jail"],
        "bob": ["jail:bob:maxproc:deny=9", "jail:bob:pcpu:deny=50"],
    }


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(ParseError, match="maxproc"):
        parse_rules("jail:alice:maxproc\n")


def test_what_is_printable_stays_and_can_be_told_from_what_is_escaped() -> None:
    assert printable("alice-1 ü {{ x }}") == "alice-1 ü {{ x }}"
    assert printable("a\nb") == "a\\nb"
    assert printable("a\\nb") == "a\\\\nb"
