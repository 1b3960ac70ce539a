# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search among inventories: files of anything, and what is no file, in the places of the example's.

`make mutations` breaks one thing at a time and knows where it must be refused; here nothing is known of what is tried.
Whatever it is, the compiler refuses it in lines that name a file and say what to do, or takes it; and what it took,
written anew from what it read, is the same fleet.
"""

from __future__ import annotations

import os
import random
import typing as t
from pathlib import Path

import yaml
from ansible.errors import AnsibleError

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Block, FleetError, Vaulted
from fuzz.cases import Tally, fresh, trouble_of, watched
from fuzz.mutate import Mutator
from mutations import fleets
from mutations.judge import Compiler, break_files, mend_files, parse
from mutations.mutant import Content, Folder, Link, Mutant, Source

KIND = "fuzz_inventory"
EXAMPLE = Path(__file__).resolve().parents[2] / "inventory"
LONGEST = 1000
# So often a file that Ansible itself reads is damaged: it takes as long as many records.
HOSTS_SHARE = 0.05
# What YAML makes something else of than it looks like, or much of little.
SNIPPETS = (
    *(
        ".nan",
        ".inf",
        "-.inf",
        "2026-11-24",
        "2026-11-24T09:30:00Z",
        "9999-99-99",
        "0x7f",
        "0o17",
        "017",
        "1:30",
        "1_000",
    ),
    *(
        "9" * 5000,
        "-" + "9" * 400,
        "1e400",
        "~",
        "yes",
        "!!binary aGVsbG8=",
        "!!binary '\\xff'",
        "!!python/none",
        "!!set {a}",
    ),
    *("!!python/object/apply:os.getcwd []", "!!python/name:os.system", "!!omap [a: 1]", "!!timestamp x", "!!int x"),
    *(
        "!!float nan",
        "!!bool 2",
        "!unsafe x",
        "!vault x",
        "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  31",
        "! x",
        "&a [*a]",
    ),
    *(
        "{<<: {a: 1}}",
        "{<<: [1]}",
        "{? [a] : b}",
        "{1: 2}",
        "{null: 1}",
        "{a: 1, a: 2}",
        "[{a: &x [1]}, *x]",
        "*nothing",
    ),
    *("[" * 30 + "]" * 30, "{a: " * 25 + "}" * 25, "[" * 5000, "- " * 3000, "? " * 3000, "&a " * 50, "'", '"\\ud800"'),
    *('"\\udfff"', '"\\x00"', '"\\u0085"', "|\n  a\n b", ">-\n", "%YAML 1.1", "---\n---", "...\nx", "\t", "@x", "`x"),
    *("[&a [x, x], &b [*a, *a], &c [*b, *b]]", "{{ lookup('env', 'HOME') }}", "'{{ 1 / 0 }}'", "{{", "''", "# only"),
)
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-7")


class Fifo:
    """A fifo in the place of a file: whoever opens it waits."""


class Maker:
    """Makes contents of files at random, from those of an inventory."""

    def __init__(self, source: Source, chance: random.Random) -> None:
        """Keep both."""
        self.source = source
        self.chance = chance
        self.mutator = Mutator(chance, list(source.texts.values()))

    def file(self) -> str:
        """Return the file that is going to be another."""
        records = [file for file in self.source.texts if file.partition("/")[0] in ("jails", "plans", "customers")]
        others = [file for file in self.source.texts if file not in records]
        return self.chance.choice(others if self.chance.random() < HOSTS_SHARE else records)

    def content(self, file: str) -> Content | Fifo:
        """Return what comes in the place of a file."""
        text, chance = self.source.texts[file], self.chance
        # Files of variables are opened by Ansible alone, and what is no file there is waited for without end.
        match chance.randrange(11 if "_vars/" in file else 12):
            case 0 | 1 | 2:
                return self.mutator.text(text).encode("utf-8", "surrogatepass")
            case 3:
                return self._flipped(text.encode())
            case 4 | 5 | 6:
                return self._with_snippet(text).encode()
            case 7 | 8 | 9:
                return self._of_values(text).encode("utf-8", "replace")
            case 10:
                return text.encode(chance.choice(ENCODINGS), "replace")
        links = ("/dev/zero", "/dev/null", "/dev", ".", "nowhere", "/etc/hostname", "../fleet.yml")
        return chance.choice((Folder(), Fifo(), b"", b"\0" * 100, chance.randbytes(300), Link(chance.choice(links))))

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _unused in range(self.chance.randint(1, 4)):
            changed[self.chance.randrange(len(changed))] = self.chance.randrange(256)
        return bytes(changed)

    def _with_snippet(self, text: str) -> str:
        """Put a snippet in the place of a line's value, of a line, or at a line's end."""
        lines = text.split("\n")
        place = self.chance.randrange(len(lines))
        snippet = self.chance.choice(SNIPPETS)
        key, colon, _value = lines[place].partition(": ")
        lines[place] = self.chance.choice((f"{key}{colon or ': '}{snippet}", snippet, f"{lines[place]} {snippet}"))
        return "\n".join(lines)

    def _of_values(self, text: str) -> str:
        """Return the document with some of its values others, written by PyYAML in one of its ways."""
        value = yaml.safe_load(text)
        for _unused in range(self.chance.choice((1, 1, 2, 4))):
            value = self.mutator.value(value)
        options: dict[str, t.Any] = self.chance.choice(({}, {"default_flow_style": True}, {"default_style": '"'}))
        return str(yaml.safe_dump(value, allow_unicode=self.chance.random() < 0.5, **options))


def _put(folder: Path, file: str, content: Content | Fifo, mutant: Mutant) -> None:
    if isinstance(content, Fifo):
        (folder / file).unlink()
        os.mkfifo(folder / file)
    else:
        break_files(folder, mutant)


def _clear(source: Source, file: str, mutant: Mutant) -> None:
    path = source.folder / file
    if path.is_fifo():
        path.unlink()
    mend_files(source, mutant)


def complaint(error: str, names: t.Collection[str]) -> str | None:
    """Return what is wrong with a line that the compiler said, None if nothing is."""
    if not error.isprintable() or len(error) > LONGEST:
        return "not one short line"
    if "; " not in error:
        return "does not say what to do"
    file = parse(error)[0]
    # The folder that it should name may have any name.
    if error.endswith("in the fleet's file"):
        return None
    return None if any(file == name or file.startswith(f"{name}: ") for name in names) else "names no file"


def trouble(compiler: Compiler, file: str, content: Content | Fifo) -> str | None:
    """Return what is wrong with what the compiler makes of a file, None if nothing is."""
    source = compiler.source
    mutant = Mutant(file, {file: None if isinstance(content, Fifo) else content})
    names = {*source.texts, *(path.partition("/")[0] for path in source.texts)}
    _put(source.folder, file, content, mutant)
    fresh()
    try:
        fleet = compiler.compile((file,))
        return _differs(compiler, file, fleet)
    except FleetError as error:
        wrong = {each: complaint(each, names) for each in str(error).split("\n")}
        return next((f"{why}: {each[:200]!r}" for each, why in wrong.items() if why), None)
    except AnsibleError as error:
        return f"an error of Ansible's own: {type(error).__name__}"
    except Exception as error:
        return trouble_of(error)
    finally:
        _clear(source, file, mutant)


def _differs(compiler: Compiler, file: str, fleet: t.Any) -> str | None:
    """Return whether a record, written anew from what was read of it, is another; None if not, or if it is none."""
    found = compiler.unbroken.read()
    records = [record for kind in (found.plans, found.customers, found.jails) for record in kind or ()]
    record = next((record for record in records if record.file == file), None)
    path = compiler.source.folder / file
    if record is None or path.is_symlink():
        return None
    path.write_text(yaml.safe_dump(_plain(record.block), allow_unicode=True), encoding="utf-8")
    try:
        again = compiler.compile((file,))
    except FleetError as error:
        return f"accepted, and refused when written anew: {error}"
    return None if again == fleet else "accepted, and another fleet when written anew"


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, Block):
        return {name: _plain(each) for name, each in value.values.items()}
    if isinstance(value, Vaulted):
        return value.value
    return [_plain(each) for each in value] if isinstance(value, list) else value


def search(folder: Path, examples: int, begin: int, tally: Tally) -> None:
    """Try so many files."""
    source = fleets.copy_example(EXAMPLE, folder / "example", {"15.1-RELEASE-p1": "0" * 64})
    compiler = Compiler(source)
    with watched():
        for number in range(examples):
            seed = f"{begin} inventory {number}"
            maker = Maker(source, random.Random(seed))
            file = maker.file()
            content = maker.content(file)
            tally.cases[KIND] += 1
            wrong = trouble(compiler, file, content)
            if wrong:
                tally.add(KIND, file.partition("/")[0], wrong, f"seed {seed!r}: {file}: {content!r}")
