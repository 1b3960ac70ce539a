# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One YAML file of an inventory as text, and single changes of it that leave every other character where it was."""

from __future__ import annotations

import re
import typing as t

import yaml

# The C loader is several times as fast; it may be missing from a PyYAML built without libyaml.
LOADER: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]


def key_of(path: Path) -> str:
    """Return a path as errors name it: ``publish[0].port``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class Edit(t.NamedTuple):
    """A changed text, and the lines (first, last) where the change is."""

    text: str
    first: int
    last: int


class Document:
    """The text of a file that holds one mapping; a path leads through its keys and the indexes of its lists."""

    def __init__(self, text: str) -> None:
        """Parse the text, which is right YAML."""
        self.text = text
        node = yaml.compose(text, Loader=LOADER)
        self.top = node if isinstance(node, yaml.MappingNode) else yaml.MappingNode("", [])
        self.data: dict[str, t.Any] = yaml.load(text, Loader=LOADER) or {}

    def has(self, path: Path) -> bool:
        """Return whether there is something at a path."""
        return self.get(path, self) is not self

    def get(self, path: Path, default: t.Any = None) -> t.Any:
        """Return what is at a path."""
        value: t.Any = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return default
        return value

    def replace(self, path: Path, value: str) -> Edit:
        """Give a key (or an element of a list) another value, written as YAML."""
        if isinstance(path[-1], int):
            node = self._node(path)
            return self._splice(node.start_mark.index, self._end(node), value)
        key, node = self._pair(path)
        return self._splice(key.end_mark.index, max(self._end(node), key.end_mark.index + 1), f": {value}")

    def insert(self, path: Path, value: str) -> Edit:
        """Add a key, the last of its mapping, with its value as YAML; missing mappings and lists around it are made."""
        missing = len(path) - 1
        while not self.has(path[:missing]):
            missing -= 1
        for part in reversed(path[missing + 1 :]):
            value = f"[{value}]" if isinstance(part, int) else f"{{{part}: {value}}}"
        mapping = self._node(path[:missing])
        if not isinstance(mapping, yaml.MappingNode):
            raise TypeError(f"{key_of(path[:missing])} is no mapping")
        entry = f"{path[missing]}: {value}"
        if not mapping.value:
            end = self._end(mapping)
            return self._splice(mapping.start_mark.index, end, f"{{{entry}}}") if missing else self._append(entry)
        end = self._end(mapping.value[-1][1])
        column = mapping.value[-1][0].start_mark.column
        return self._splice(end, end, f", {entry}" if mapping.flow_style else f"\n{' ' * column}{entry}")

    def append(self, path: Path, value: str) -> Edit:
        """Add an element, written as YAML, to a list that is written as a block and has one already."""
        last = self._node(path).value[-1]
        end = self._end(last)
        return self._splice(end, end, f"\n{' ' * (last.start_mark.column - 2)}- {value}")

    def put(self, path: Path, value: str) -> Edit:
        """Give a key a value, whether it is there or not."""
        return self.replace(path, value) if self.has(path) else self.insert(path, value)

    def remove(self, path: Path) -> Edit:
        """Take a key away."""
        pairs = self._node(path[:-1]).value
        place = [key.value for key, _value in pairs].index(path[-1])
        line = pairs[place][0].start_mark.line + 1
        if place + 1 < len(pairs):
            begin, end = pairs[place][0].start_mark.index, pairs[place + 1][0].start_mark.index
        else:
            begin, end = self._end(pairs[place - 1][1]), self._end(pairs[place][1])
        if len(pairs) == 1:
            return self.replace(path[:-1], "{}") if path[:-1] else Edit("---\n{}\n", 2, 2)
        return Edit(self.text[:begin] + self.text[end:], line, line)

    def duplicate(self, path: Path) -> Edit:
        """Write a key twice, the second after the first; the lines are those of the second."""
        key, node = self._pair(path)
        copy = self.text[key.start_mark.index : self._end(node)]
        flow = self._node(path[:-1]).flow_style
        separator = ", " if flow else "\n" + " " * key.start_mark.column
        begin = self._end(node)
        return self._splice(begin, begin, separator + copy)

    def rename(self, path: Path, name: str) -> Edit:
        """Give a key another name."""
        key = self._pair(path)[0]
        return self._splice(key.start_mark.index, key.end_mark.index, name)

    def line(self, path: Path) -> int:
        """Return the line of a key, or of a mapping in a list."""
        node = self._node(path) if not path or isinstance(path[-1], int) else self._pair(path)[0]
        return int(node.start_mark.line) + 1

    def _append(self, entry: str) -> Edit:
        text = re.sub(r"\{\}\s*\Z", "", self.text)
        line = text.count("\n") + 1
        return Edit(f"{text}{entry}\n", line, line)

    def _splice(self, begin: int, end: int, new: str) -> Edit:
        """Put a text in the place of another."""
        last = self.text[:begin].count("\n") + 1 + new.count("\n")
        return Edit(self.text[:begin] + new + self.text[end:], last - new.lstrip("\n").count("\n"), last)

    def _end(self, node: yaml.Node) -> int:
        """Return where a node ends; of a block it ends before the blanks and comments that follow it."""
        block = isinstance(node, yaml.CollectionNode) and not node.flow_style
        if block and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        return len(self.text[: node.end_mark.index].rstrip("\n")) if block else int(node.end_mark.index)

    def _node(self, path: Path) -> t.Any:
        node: t.Any = self.top
        for position, part in enumerate(path):
            node = node.value[part] if isinstance(part, int) else self._pair(path[: position + 1])[1]
        return node

    def _pair(self, path: Path) -> tuple[yaml.ScalarNode, t.Any]:
        for key, value in self._node(path[:-1]).value:
            if key.value == path[-1]:
                return key, value
        raise KeyError(key_of(path))
