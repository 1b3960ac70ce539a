# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import BROKEN, Block, Problem
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document


def read(text: str | bytes) -> tuple[Block | None, list[str]]:
    problems: list[Problem] = []
    block = read_document(text, "jails/alice.yml", problems)
    return block, [str(problem) for problem in problems]


def test_read_document_keeps_types_and_lines() -> None:
    block, errors = read("---\nid: 17\n# why\nrestart: true\npublish:\n  - port: 80\n    to: 8080\nkeys: [a, b]\nup:\n")
    assert errors == []
    assert block == Block(
        values={
            "id": 17,
            "restart": True,
            "publish": [Block({"port": 80, "to": 8080}, {"port": 6, "to": 7}, 6)],
            "keys": ["a", "b"],
            "up": None,
        },
        lines={"id": 2, "restart": 4, "publish": 5, "keys": 8, "up": 9},
        line=2,
    )


def test_read_document_of_an_empty_file_is_an_empty_mapping() -> None:
    assert read("# nothing yet\n") == (Block({}, {}, 1), [])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("id: 1\nid: 2\n", "jails/alice.yml:2: id: is given twice (first on line 1); keep one"),
        (
            "limits: {disk: 1G,\n  disk: 2G}\n",
            "jails/alice.yml:2: limits.disk: is given twice (first on line 1); keep one",
        ),
        ("id: !vault x\n", "jails/alice.yml:1: id: is not what ansible-vault wrote; encrypt it anew"),
        ("id: !secret x\n", "jails/alice.yml:1: id: has the tag !secret; write a plain value"),
        ("a: !!set {b, c}\n", "jails/alice.yml:1: a: has the tag tag:yaml.org,2002:set; write a plain value"),
        ("a: &a [*a]\n", "jails/alice.yml:1: a[0]: repeated by an alias (*); write it out"),
        ("a: &a {b: 1}\nc: [*a, *a]\n", "jails/alice.yml:1: c[0]: repeated by an alias (*); write it out"),
        ("a: &a {b: 1}\nc: *a\n", "jails/alice.yml:1: c: repeated by an alias (*); write it out"),
        (
            "a: 2026-13-99\n",
            "jails/alice.yml:1: a: is not the number or date that it looks like; put text in quotes",
        ),
        ("? [a]\n: 1\n", "jails/alice.yml:1: a key must be a plain word; write one"),
        ("- a\n", "jails/alice.yml:1: must be a mapping of keys to values; write one"),
        ("a: [\n", "jails/alice.yml:2: not YAML: did not find expected node content; correct it"),
        ("a: 1\n---\nb: 1\n", "jails/alice.yml:2: not YAML: but found another document; correct it"),
        (b"a: \xff\n", "jails/alice.yml: not YAML: invalid leading UTF-8 octet; correct it"),
    ],
)
def test_read_document_names_each_error(text: str | bytes, error: str) -> None:
    assert read(text)[1] == [error]


@pytest.mark.parametrize(
    "number",
    [
        "0x50",
        "010",
        "0b11",
        "1:30",
        "1_000",
        "+5",
        "-0",
        "1.50",
        "1:30.5",
        "1_0.5",
        ".inf",
        ".nan",
        "0_",
        "0x" + 5000 * "f",
    ],
)
def test_read_document_takes_no_number_for_another(number: str) -> None:
    block, errors = read(f"id: {number}\n")
    assert block is not None
    assert block.values == {"id": BROKEN}
    assert len(errors) == 1
    assert errors[0].startswith("jails/alice.yml:1: id: is ")
    assert number not in errors[0]


@pytest.mark.parametrize(
    ("text", "value"), [("80", 80), ("-1", -1), ("15.1", 15.1), ("'010'", "010"), ("!!str 010", "010"), ("08", "08")]
)
def test_read_document_takes_plain_numbers_and_text(text: str, value: t.Any) -> None:
    block, errors = read(f"id: {text}\n")
    assert (block and block.values, errors) == ({"id": value}, [])


@pytest.mark.parametrize("kind", ["int", "bool", "float", "timestamp", "null"])
@pytest.mark.parametrize("text", ["''", "maybe", "'17'"])
def test_read_document_takes_no_value_of_another_tag(kind: str, text: str) -> None:
    block, errors = read(f"id: !!{kind} {text}\n")
    assert block is not None
    assert block.values == {"id": BROKEN}
    assert errors == [f"jails/alice.yml:1: id: has the tag tag:yaml.org,2002:{kind}; write a plain value"]


@pytest.mark.parametrize("opening", ["[", "- ", "? ", "{a: "])
def test_read_document_stops_where_no_record_is_as_deep(opening: str) -> None:
    # As many would end the process, not raise an error.
    assert read("a:\n  " + 100_000 * opening) == (
        None,
        ["jails/alice.yml: is nested more than 20 levels deep; write a record"],
    )


def test_read_document_takes_many_entries_that_are_not_deep() -> None:
    block, errors = read("publish:\n" + 100 * "  - {port: 80, to: [80]}\n")
    assert errors == []
    assert block is not None
    assert len(block.values["publish"]) == 100


def test_read_folder_names_a_file_that_is_too_large(fleet: t.Any) -> None:
    fleet.write("jails/alice.yml", "#" * (256 * 1024 + 1))
    assert fleet.errors() == ["jails/alice.yml: is larger than 256K; write a record"]


def test_read_folder_does_not_wait_for_a_pipe(fleet: t.Any) -> None:
    os.mkfifo(fleet.path / "jails" / "bob.yml")
    assert fleet.errors() == ["jails/bob.yml: is no file; remove it"]


def test_read_folder_names_what_is_no_record(fleet: t.Any) -> None:
    fleet.write("jails/bob.yaml", "")
    fleet.write("jails/Bob.yml", "")
    fleet.write("jails/1.yml", "")
    fleet.write("jails/a" + 31 * "b" + ".yml", "")
    (fleet.path / "jails" / "more").mkdir()
    form = "names begin with a letter and have at most 31 characters, each a small letter, a digit, - or _"
    assert fleet.errors() == [
        f"jails/1.yml: 1 cannot be a name; {form}",
        f"jails/Bob.yml: Bob cannot be a name; {form}",
        f"jails/a{31 * 'b'}.yml: a{31 * 'b'} cannot be a name; {form}",
        "jails/bob.yaml: is not read; rename it to bob.yml",
        "jails/more: is a folder; records lie directly in the folder above it, move them there",
    ]


def test_read_folder_leaves_other_files_alone(fleet: t.Any) -> None:
    for name in (".alice.yml.swp", ".hidden.yml", "alice.yml~", "README.md"):
        fleet.write(f"jails/{name}", "[")
    assert [jail["name"] for jail in fleet.compile()["h1"]] == ["alice"]


def test_read_folder_that_is_missing(fleet: t.Any) -> None:
    (fleet.path / "jails" / "alice.yml").unlink()
    (fleet.path / "jails").rmdir()
    assert fleet.errors() == [
        "jails: cannot be read (No such file or directory); make the folder or correct jails in the fleet's file"
    ]


def test_read_record_that_cannot_be_opened(fleet: t.Any) -> None:
    (fleet.path / "jails" / "bob.yml").symlink_to(fleet.path / "nowhere")
    assert fleet.errors() == ["jails/bob.yml: cannot be read (No such file or directory); correct that"]
