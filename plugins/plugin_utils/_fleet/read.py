# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""From files to Blocks: YAML as nodes, because only nodes know their lines and show a key that is there twice."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml

from .model import BROKEN, NAME_PATTERN, Block, Fleet, Problem, Record, Sources, Vaulted
from .vault import TAG, Vault, is_encrypted

# The C loader is several times as fast; it may be missing from a PyYAML built without libyaml.
_LOADER: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp")}
_COLLECTIONS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_TEXT = "tag:yaml.org,2002:str"
_INTEGER = "tag:yaml.org,2002:int"
_NUMBERS = (_INTEGER, "tag:yaml.org,2002:float")
# Most of what is no text in a record: needs no closer look.
_PLAIN_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z")
_RESOLVER = yaml.resolver.Resolver()
# A record has a few lines, a customer's with many keys some hundred.
_LARGEST_FILE = 1 << 18
# libyaml's loader calls itself for each level, and ends the whole process where the stack ends.
_DEEPEST = 20
_OPENING = (b"[", b"{", b"-", b"?")
_NAME = re.compile(NAME_PATTERN + r"\Z")


class _Reader:
    """Turns the nodes of one document into Blocks, lists and scalars, and notes what is wrong on the way."""

    def __init__(self, file: str, problems: list[Problem], vault: Vault, secret: bool) -> None:
        """`secret`: the whole file was encrypted."""
        self.file = file
        self.problems = problems
        self.vault = vault
        self.secret = secret
        self.seen: set[int] = set()
        self.repeated: set[int] = set()

    def problem(self, node: yaml.Node, key: str, text: str) -> None:
        """Note an error at the line of a node."""
        self.problems.append(Problem(self.file, node.start_mark.line + 1, key, text))

    def value(self, node: yaml.Node, key: str) -> t.Any:
        """Return what a node says; BROKEN, with an error noted, if it is something that no record needs."""
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, key)
        # An alias is the same node again: without this, nested aliases would grow without bound, or never end.
        if id(node) in self.seen:
            # One anchor is one mistake, however often it is repeated.
            if id(node) not in self.repeated:
                self.repeated.add(id(node))
                self.problem(node, key, "repeated by an alias (*); write it out")
            return BROKEN
        self.seen.add(id(node))
        if node.tag not in _COLLECTIONS:
            self.problem(node, key, f"has the tag {node.tag}; write a plain value")
            return BROKEN
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, key)
        return [self.value(child, f"{key}[{index}]") for index, child in enumerate(node.value)]

    def scalar(self, node: yaml.ScalarNode, key: str) -> t.Any:
        """Return a text, number, boolean, date or None; Vaulted, if it was encrypted."""
        try:
            if node.tag == TAG:
                return Vaulted(self.vault.decrypt(node.value))
            value = node.value if node.tag == _TEXT else _constructed(node)
        except ValueError as error:
            self.problem(node, key, str(error))
            return BROKEN
        return value if value is None or not self.secret else Vaulted(value)

    def mapping(self, node: yaml.MappingNode, key: str) -> Block:
        """Return a mapping with the lines of its keys; the first of two equal keys counts."""
        block = Block({}, {}, node.start_mark.line + 1)
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, key, "a key must be a plain word; write one")
                continue
            name = key_node.value
            path = f"{key}.{name}" if key else name
            if name in block.values:
                self.problem(key_node, path, f"is given twice (first on line {block.lines[name]}); keep one")
                continue
            block.lines[name] = key_node.start_mark.line + 1
            block.values[name] = self.value(value_node, path)
        return block


def _constructed(node: yaml.ScalarNode) -> t.Any:
    """Return the number, boolean, date or None that a node is.

    Raises ValueError, which shows nothing of what may be a password, if it is none of these, or another number to YAML
    than to whoever reads it: 010 is eight, 0x50 is eighty, 1:30 is ninety.
    """
    if node.tag == _INTEGER and not node.style and _PLAIN_INTEGER.match(node.value):
        return int(node.value)
    # A tag that is written out would reach constructors that expect what YAML itself takes for such a value.
    if node.tag not in _SCALARS or _RESOLVER.resolve(yaml.ScalarNode, node.value, (not node.style, False)) != node.tag:
        raise ValueError(f"has the tag {node.tag}; write a plain value")
    try:
        value = _CONSTRUCTOR.yaml_constructors[node.tag](_CONSTRUCTOR, node)
        plain = node.tag not in _NUMBERS or str(value) == node.value
    except (ValueError, OverflowError):
        raise ValueError("is not the number or date that it looks like; put text in quotes") from None
    if not plain:
        raise ValueError("is another number to YAML than it looks like; write it in plain digits, or text in quotes")
    return value


def _check_depth(data: bytes) -> None:
    """Raise ValueError if a document has more levels than any record, YAMLError if it is none.

    What opens a level counts first: it takes no time, and for most records decides.
    """
    if sum(data.count(opening) for opening in _OPENING) <= _DEEPEST:
        return
    too_deep = ValueError(f"is nested more than {_DEEPEST} levels deep; write a record")
    depth = 0
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise too_deep
    except yaml.YAMLError as error:
        # A libyaml that has a limit of its own may meet it while it looks ahead, before it tells of any level.
        if "nesting depth" in str(error):
            raise too_deep from None
        raise


def read_document(data: bytes | str, file: str, problems: list[Problem], vault: Vault | None = None) -> Block | None:
    """Return the mapping that a YAML document holds; None, with errors noted in `problems`, if it holds none."""
    vault = vault or Vault()
    secret = is_encrypted(data)
    try:
        plain = vault.decrypt(data) if secret else data
        plain = plain.encode() if isinstance(plain, str) else plain
        _check_depth(plain)
        node = yaml.compose(plain, Loader=_LOADER)
    except yaml.YAMLError as error:
        problems.append(_not_yaml(file, error, secret))
        return None
    except ValueError as error:
        problems.append(Problem(file, 0, "", str(error)))
        return None
    if node is None:
        return Block({}, {}, 1)
    if not isinstance(node, yaml.MappingNode):
        problems.append(Problem(file, node.start_mark.line + 1, "", "must be a mapping of keys to values; write one"))
        return None
    return _Reader(file, problems, vault, secret).mapping(node, "")


def _not_yaml(file: str, error: yaml.YAMLError, secret: bool) -> Problem:
    """Return what an error of YAML says; of a file that was encrypted, only where."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not text in UTF-8"
    return Problem(
        file, mark.line + 1 if mark else 0, "", "not YAML" + ("" if secret else f": {what}") + "; correct it"
    )


def _entry_problem(entry: Path) -> str | None:
    """Return what is wrong with an entry of a folder of records; '' for a record, None for what is none of ours."""
    plain = entry.is_file()
    if not plain and entry.is_dir():
        return "is a folder; records lie directly in the folder above it, move them there"
    if entry.suffix != ".yml" and entry.suffix.lower() in (".yaml", ".yml"):
        return f"is not read; rename it to {entry.stem}.yml"
    if entry.suffix != ".yml":
        return None
    if not plain and entry.exists():
        return "is no file; remove it"
    if not _NAME.match(entry.stem):
        return (
            f"{entry.stem} cannot be a name; names begin with a letter and have at most 31 characters, "
            "each a small letter, a digit, - or _"
        )
    return ""


def _read_record(entry: Path, file: str, problems: list[Problem], vault: Vault) -> Record:
    """Return the record that a file holds; broken, with the error noted, if it cannot be read."""
    block = None
    try:
        with entry.open("rb") as opened:
            data = opened.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            problems.append(Problem(file, 0, "", f"is larger than {_LARGEST_FILE >> 10}K; write a record"))
        else:
            block = read_document(data, file, problems, vault)
    except OSError as error:
        problems.append(Problem(file, 0, "", f"cannot be read ({error.strerror}); correct that"))
    return Record(file, entry.stem, block or Block({}), broken=block is None)


def read_folder(
    base: Path, folder: str, option: str, problems: list[Problem], vault: Vault | None = None
) -> list[Record] | None:
    """Return the records of a folder, sorted by name, or None if there is no folder; errors are noted in `problems`.

    Hidden files and what does not look like YAML are left alone, so that editors and git can keep theirs.
    """
    try:
        found = sorted(entry for entry in (base / folder).iterdir() if not entry.name.startswith("."))
    except OSError as error:
        text = f"cannot be read ({error.strerror}); make the folder or correct {option} in the fleet's file"
        problems.append(Problem(folder, 0, "", text))
        return None
    records = []
    vault = vault or Vault()
    for entry in found:
        file = f"{folder}/{entry.name}"
        wrong = _entry_problem(entry)
        if wrong:
            problems.append(Problem(file, 0, "", wrong))
        elif wrong is not None:
            records.append(_read_record(entry, file, problems, vault))
    return records


def read_fleet(base: Path, sources: Sources, problems: list[Problem], vault: Vault | None = None) -> Fleet:
    """Return all records below the inventory's folder `base`; errors are noted in `problems`."""
    return Fleet(
        plans=read_folder(base, sources.plans, "plans", problems, vault),
        customers=read_folder(base, sources.customers, "customers", problems, vault),
        jails=read_folder(base, sources.jails, "jails", problems, vault),
    )
