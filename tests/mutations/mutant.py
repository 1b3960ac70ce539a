# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mutant: one thing in an inventory that was changed, and what must come of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from mutations.edit import Document

# What a mutant puts in the place of a file: bytes, or one of these.
REMOVED: t.Final = None


@dataclass(frozen=True)
class Folder:
    """A folder in the place of a file."""


@dataclass(frozen=True)
class Link:
    """A symbolic link in the place of a file."""

    target: str


Content = bytes | Folder | Link | None


@dataclass(frozen=True)
class Place:
    """Where an error must be: the file (``hosts.yml: h1`` for a host), one of the keys, and within which lines.

    Line 0: there are no lines; keys with "": the error is not about a key. A part of a key is the key too.
    """

    file: str
    keys: tuple[str, ...]
    first: int = 0
    last: int = 0

    def holds(self, file: str, line: int, key: str) -> bool:
        """Return whether an error is here."""
        inside = any(key == each or (each and key.startswith((f"{each}.", f"{each}["))) for each in self.keys)
        return file == self.file and inside and (not self.first or self.first <= line <= self.last)

    def __str__(self) -> str:
        lines = f":{self.first}" if self.first else ""
        lines += f"-{self.last}" if self.last > self.first else ""
        return f"{self.file}{lines}: {' or '.join(self.keys)}"


@dataclass(frozen=True)
class Mutant:
    """An inventory with one thing changed.

    `files`: what each changed file holds. Refused, it must have an error at one of the `places` (at each of them with
    `every`) and no error elsewhere; `mentions` must be in the errors, and `secret` must not. `harmless`: why it may be
    accepted instead; empty: it may not.
    """

    what: str
    files: t.Mapping[str, Content]
    places: tuple[Place, ...] = ()
    harmless: str = ""
    every: bool = False
    mentions: str = ""
    secret: str = ""


@dataclass
class Source:
    """An inventory to break: its folder, and the texts of its files by their paths relative to the folder."""

    name: str
    folder: Path
    texts: dict[str, str] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the files."""
        for path in sorted(self.folder.rglob("*.yml")):
            self.texts[path.relative_to(self.folder).as_posix()] = path.read_text(encoding="utf-8")

    def document(self, file: str) -> Document:
        """Return a file, parsed."""
        if file not in self.documents:
            self.documents[file] = Document(self.texts[file])
        return self.documents[file]

    def near(self) -> list[str]:
        """Return the records of the jails of the first two hosts, so that few model hosts serve many mutants."""
        first = list(self.document("hosts.yml").get(("jail_hosts", "hosts")))[:2]
        return [file for file in self.records("jails") if self.document(file).get(("host",)) in first]

    def records(self, folder: str) -> list[str]:
        """Return the files of a folder, sorted."""
        return [file for file in self.texts if file.startswith(f"{folder}/")]
