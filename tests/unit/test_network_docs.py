# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/network.md explains the rules that the collection really makes of the example fleet."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.render import render_file
from ansible_collections.jailisp.vps.plugins.modules.pf_anchor import ARGUMENT_SPEC
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules

PROJECT = Path(__file__).resolve().parents[2]


def test_the_rules_in_the_page_are_those_of_the_example() -> None:
    fleet = open_project(PROJECT / "inventory" / "fleet.yml", DataLoader()).resolve()
    given = ArgumentSpecValidator(ARGUMENT_SPEC).validate(pf_rules(fleet.jails["h1"], fleet.hosts["h1"]))
    assert given.error_messages == []
    page = (PROJECT / "docs" / "network.md").read_text(encoding="utf-8")
    (part,) = re.findall(r"<!-- rules h1 -->\n(.*?)<!-- end -->", page, re.DOTALL)
    shown = re.findall(r"^    (.*)$", part, re.MULTILINE)
    made = render_file(wish(given.validated_parameters)).splitlines()
    assert shown == [line for line in made if not line.startswith("#")]
