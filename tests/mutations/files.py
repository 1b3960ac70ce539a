# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants of whole files: damaged, in the place of something else, or with more of YAML than a record needs."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import CUSTOMER_KEYS, JAIL_KEYS, PLAN_KEYS
from mutations.mutant import REMOVED, Content, Folder, Link, Mutant, Place, Source

TABLES = {"jails": JAIL_KEYS, "plans": PLAN_KEYS, "customers": CUSTOMER_KEYS}
# More than Python's limit of recursion, and than any record needs.
DEEP = 3000
# The keys that the traps bring with them, as errors show them.
TRAP_KEYS = ("x", "<<", "5", "~", r"\x1b[31mx")


def file_mutants(source: Source) -> t.Iterator[Mutant]:
    """Yield the mutants of a file of each kind, and of the folders."""
    for folder, keys in TABLES.items():
        file = source.records(folder)[-1]
        text = source.texts[file]
        missing = tuple(key.name for key in keys if key.required)
        place = Place(file, ("", *_keys_of(text), *TRAP_KEYS))
        # A folder is no record: its name is unknown to those that refer to it.
        users = tuple(Place(jail, (folder.removesuffix("s"),)) for jail in source.records("jails"))
        for what, content in (*_damaged(text), *_traps(text)):
            places = (place, *users) if isinstance(content, Folder) else (place,)
            yield _mutant(source, file, what, content, places, text.count("\n") + 20)
        for what, content in _empty():
            yield _mutant(source, file, what, content, (Place(file, ("", *missing)),), 2)
        for what, content, why in _harmless(text):
            yield _mutant(source, file, what, content, (), 0, why)
        yield from _folders(source, folder)
    for file in ("hosts.yml", source.records("host_vars")[0], "group_vars/jail_hosts.yml"):
        yield from _of_hosts(source, file)
    text = source.texts["fleet.yml"]
    place = Place("fleet.yml", ("", *_keys_of(text), *TRAP_KEYS))
    for what, content in (*_damaged(text), *_traps(text)):
        yield _mutant(source, "fleet.yml", what, content, (place,), 0)
    for what, content in _empty():
        yield _mutant(source, "fleet.yml", what, content, (Place("fleet.yml", ("", "plugin")),), 0)


def _mutant(
    source: Source, file: str, what: str, content: Content, places: tuple[Place, ...], lines: int, harmless: str = ""
) -> Mutant:
    places = tuple(Place(place.file, place.keys, 0, lines) for place in places)
    return Mutant(f"{source.name}: {file}: {what}", {file: content}, places, harmless)


def _keys_of(text: str) -> tuple[str, ...]:
    return tuple(line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha())


def _damaged(text: str) -> t.Iterator[tuple[str, Content]]:
    data = text.encode()
    yield "cut off in a key", data[: data.rindex(b":")]
    yield "cut off in a quoted text", data + b'x: "half'
    yield "cut off in a list", data + b"x: [1, 2"
    yield "a tab before a key", data + b"\tx: 1\n"
    yield "tabs for blanks", data + b"x:\n\ta: 1\n"
    yield "a key further in", data + b"  x: 1\n"
    yield "two keys in one line", data + b"x: a: b\n"
    yield "a list", b"---\n- a\n- b\n"
    yield "a text", b"---\nhello\n"
    yield "a number", b"5\n"
    yield "binary", bytes(range(256))
    yield "an archive", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(100)
    yield "a NUL in it", data + b"x: a\0b\n"
    yield "Latin-1", data + "x: Zoë\n".encode("latin-1")
    yield "UTF-8 cut off", data + "x: Zoë".encode()[:-1] + b"\n"
    yield "a surrogate", data + b"x: \xed\xa0\x80\n"
    yield "a conflict of git's", data + b"<<<<<<< HEAD\nx: 1\n=======\nx: 2\n>>>>>>> theirs\n"
    yield "JSON cut off", b'{"host": "h1", '
    yield "an encrypted file", b"$ANSIBLE_VAULT;1.1;AES256\n3162\n"
    yield "a folder", Folder()
    yield "a link to nothing", Link("/nonexistent/file.yml")
    yield "a link to itself", Link("itself.yml")


def _empty() -> t.Iterator[tuple[str, Content]]:
    yield "empty", b""
    yield "a document's beginning alone", b"---\n"
    yield "comments alone", b"---\n# nothing yet\n"
    yield "an empty mapping", b"---\n{}\n"


def _traps(text: str) -> t.Iterator[tuple[str, Content]]:
    data = text.encode()
    yield "two documents", data + b"---\n" + data.removeprefix(b"---\n")
    yield "a second document without a mark", data + b"...\nx: 1\n"
    yield "a merge key", data + b"<<: {x: 1}\n"
    yield "a merge key by an alias", data + b"x: &all {a: 1}\n<<: *all\n"
    yield "an unknown alias", data + b"x: *nothing\n"
    yield "an anchor in itself", data + b"x: &x [*x]\n"
    yield "an alias bomb", data + _bomb()
    yield "deeply nested lists", data + b"x: " + b"[" * DEEP + b"]" * DEEP + b"\n"
    yield "deeply nested mappings", data + b"x: " + b"{a: " * DEEP + b"}" * DEEP + b"\n"
    yield "a tag of Python", data + b'x: !!python/object/apply:os.system ["true"]\n'
    yield "a tag of a set", data + b"x: !!set {a, b}\n"
    yield "a tag of binary data", data + b"x: !!binary aGVsbG8=\n"
    yield "an unsafe text", data + b"x: !unsafe hello\n"
    yield "a vault", data + b"x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3162\n"
    yield "a key that is a list", data + b"? [a, b]\n: c\n"
    yield "a key that is a number", data + b"5: c\n"
    yield "a key that is null", data + b"~: c\n"
    yield "a key with an escape sequence", data + b'"\\e[31mx": c\n'
    yield "an unknown directive's version", b"%YAML 9.9\n" + data


def _bomb() -> bytes:
    lines = [b"x:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]".encode() for n in range(1, 8)]
    return b"\n".join(lines) + b"\n"


def _harmless(text: str) -> t.Iterator[tuple[str, Content, str]]:
    why = "YAML that says the same"
    yield "a comment more", text.encode() + b"# a comment\n", why
    yield "no line end at its end", text.rstrip("\n").encode(), why
    yield "no mark at its beginning", text.removeprefix("---\n").encode(), why
    yield "a mark at its end", text.encode() + b"...\n", why
    yield "with a mark of UTF-8", b"\xef\xbb\xbf" + text.encode(), why
    yield "lines as on Windows", text.replace("\n", "\r\n").encode(), why
    yield "UTF-16", text.encode("utf-16"), why
    yield "blank lines", text.replace("\n", "\n\n").encode(), why


def _folders(source: Source, folder: str) -> t.Iterator[Mutant]:
    files = dict.fromkeys(source.records(folder), REMOVED)
    place = Place(folder, ("",))
    title = f"{source.name}: {folder}"
    yield Mutant(f"{title}: is a file", {**files, folder: b"hello\n"}, (place,))
    yield Mutant(f"{title}: is a link to nothing", {**files, folder: Link("/nonexistent")}, (place,))
    inside = f"{folder}/more/zz.yml"
    yield Mutant(f"{title}: a folder in it", {inside: b"---\n"}, (Place(f"{folder}/more", ("",)),))
    for name in ("notes.txt", "README.md", ".gitkeep", "zz.yml~", ".zz.yml.swp"):
        why = "no record by its name: editors and git keep theirs"
        yield Mutant(f"{title}: {name} in it", {f"{folder}/{name}": b"hello\n"}, (), why)
    yield Mutant(f"{title}: zz.YML in it", {f"{folder}/zz.YML": b"---\n"}, (Place(f"{folder}/zz.YML", ("",)),))


def _of_hosts(source: Source, file: str) -> t.Iterator[Mutant]:
    """Yield damages of a file that Ansible reads: errors name the file, or the hosts that lack what it said."""
    text = source.texts[file].encode()
    # What is another form of inventory to Ansible has no such group.
    no_group = (Place("fleet.yml", ("host_group",)),) if file == "hosts.yml" else ()
    places = (Place(file, ("",)), *no_group)
    for what, content in _damaged(source.texts[file]):
        # Of a file that is not there nothing can be said but what is missing; a key may well stand further in.
        if not isinstance(content, (Folder, Link)) and what != "a key further in":
            yield Mutant(f"{source.name}: {file}: {what}", {file: content}, places)
    yield Mutant(f"{source.name}: {file}: an unknown alias", {file: text + b"x: *nothing\n"}, places)
    yield Mutant(f"{source.name}: {file}: two documents", {file: text + b"---\nx: 1\n"}, places)
    if file == "hosts.yml":
        for what, data in _empty():
            yield Mutant(f"{source.name}: {file}: {what}", {file: data}, places)
        yield Mutant(f"{source.name}: {file}: gone", {file: REMOVED}, (Place("fleet.yml", ("hosts",)),))
        yield Mutant(f"{source.name}: {file}: a folder", {file: Folder()}, (Place("fleet.yml", ("hosts",)),))
