# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from mutations.edit import Document, Edit

TEXT = """---
# A comment.
host: h1
publish:
  - {port: 80, to: 8080}
  # Another comment.
  - port: 22
    to: 22
limits: {memory: 1G}
"""


@pytest.fixture
def document() -> Document:
    return Document(TEXT)


def changed(edit: Edit) -> str:
    """Return the lines that an edit says it changed."""
    return "\n".join(edit.text.splitlines()[edit.first - 1 : edit.last])


def test_replace_changes_one_value_and_its_line_only(document: Document) -> None:
    edit = document.replace(("publish", 1, "port"), "23")
    assert edit.text == TEXT.replace("port: 22", "port: 23")
    assert changed(edit) == "  - port: 23"


def test_replace_takes_a_whole_list_with_it(document: Document) -> None:
    edit = document.replace(("publish",), "[]")
    assert Document(edit.text).data == {"host": "h1", "publish": [], "limits": {"memory": "1G"}}
    assert changed(edit) == "publish: []"


def test_insert_makes_the_mappings_around_a_key(document: Document) -> None:
    edit = document.insert(("bandwidth", "up"), "1Mbit/s")
    assert Document(edit.text).data == {**document.data, "bandwidth": {"up": "1Mbit/s"}}
    assert changed(edit) == "bandwidth: {up: 1Mbit/s}"


def test_insert_and_append_keep_the_style_around_them(document: Document) -> None:
    assert "{port: 80, to: 8080, protocol: udp}" in document.insert(("publish", 0, "protocol"), "udp").text
    assert changed(document.append(("publish",), "{port: 1, to: 2}")) == "  - {port: 1, to: 2}"


@pytest.mark.parametrize("path", [("host",), ("publish",), ("publish", 0, "to"), ("publish", 1, "port"), ("limits",)])
def test_remove_takes_one_key_away(document: Document, path: tuple[str | int, ...]) -> None:
    after = Document(document.remove(path).text)
    assert not after.has(path)
    assert [key for key in document.data if (key,) != path] == list(after.data)


def test_duplicate_and_rename_are_what_they_say(document: Document) -> None:
    twice = document.duplicate(("host",))
    assert twice.text.count("host: h1\n") == 2
    assert changed(twice) == "host: h1"
    assert Document(document.rename(("limits", "memory"), "memry").text).data["limits"] == {"memry": "1G"}
