# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says is what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import PLAN_KEYS

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])


def _record_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_docs", PROJECT / "tests" / "tools" / "record_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_keys_are_those_that_the_plugin_checks_by() -> None:
    text = (PROJECT / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert _record_docs().page(text) == text, "run .venv/bin/python tests/tools/record_docs.py"


def test_page_of_plans_has_every_key_that_a_plan_may_have() -> None:
    text = (PROJECT / "docs" / "plans.md").read_text(encoding="utf-8")
    keys = [
        f"{key.name}.{part.name}" if key.keys and key.name == "bandwidth" else key.name
        for key in PLAN_KEYS
        for part in key.keys or (key,)
    ]
    assert [key for key in keys if not re.search(rf"`{re.escape(key)}[`:]", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets
