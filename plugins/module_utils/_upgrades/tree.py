# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What of a root is the release's, as its archive lists it, and what of that a customer's root makes impossible.

Where the release writes, nothing may lead elsewhere: as root of the host it would write there.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError

# What hier(7) gives to whoever owns the machine: an upgrade leaves it alone. /etc is merged.
CUSTOMERS = frozenset(
    {
        *("dev", "etc", "home", "media", "mnt", "net", "proc", "root", "tmp", "var"),
        *("usr/home", "usr/local", "usr/obj", "usr/ports", "usr/src"),
    }
)
# pwd_mkdb(8) and cap_mkdb(8) write these beside what they are made from.
GENERATED = (".db", ".tmp", ".new")
# Made from others of them, which are merged.
DERIVED = ("etc/login.conf.db", "etc/passwd", "etc/pwd.db", "etc/spwd.db")
# What installworld has certctl(8) read and clean, through whatever links are there.
CERTIFICATES = ("etc/ssl/blacklisted", "etc/ssl/certs", "etc/ssl/untrusted", "usr/local/share/certs", "usr/share/certs")
SHOWN = 5
# Of `tar -tv`: mode, links, owner, group, size, three of the date, name.
COLUMNS = 9
SIZE = re.compile(r"[0-9]{1,19}")
# What the smallest file takes on a disk.
BLOCK = 4096


Kinds = t.Mapping[str, str]


@dataclass(frozen=True)
class Tree:
    """A release's files by their path below the root: ``folders``, ``files``, ``links``; what they take, ``size``."""

    folders: frozenset[str]
    files: frozenset[str]
    links: frozenset[str]
    size: int = 0

    @property
    def units(self) -> tuple[str, ...]:
        """Return the parts of a root that are the release's as a whole: ``bin``, ``usr/bin`` and so on."""
        paths = self.folders | self.files | self.links
        return tuple(sorted({unit for path in paths if (unit := unit_of(path)) is not None}))

    def merged(self) -> frozenset[str]:
        """Return the files of /etc."""
        return frozenset(path for path in self.files | self.links if path.startswith("etc/"))


def unit_of(path: str) -> str | None:
    """Return the part of the root that a path belongs to, None if that is the customer's."""
    first, _slash, rest = path.partition("/")
    unit = f"usr/{rest.partition('/')[0]}" if first == "usr" and rest else first
    hidden = first.startswith(".")
    return None if unit in CUSTOMERS or hidden or unit in ("", "usr") else unit


def parse_listing(text: str) -> Tree:
    """Return a release's tree, from ``tar -tvf ARCHIVE``."""
    found: dict[str, set[str]] = {"d": set(), "-": set(), "l": set()}
    size = 0
    for line in text.splitlines():
        words = line.split(None, COLUMNS - 1)
        if len(words) != COLUMNS or words[0][0] not in "d-lh" or not SIZE.fullmatch(words[4]):
            raise ParseError(f"`tar -tvf` printed a line that is not known: {line!r}")
        path = words[8].partition(" -> ")[0].partition(" link to ")[0].removeprefix("./").rstrip("/")
        if path not in ("", "."):
            found["-" if words[0][0] == "h" else words[0][0]].add(path)
            size += -(-int(words[4]) // BLOCK) * BLOCK
    return Tree(frozenset(found["d"]), frozenset(found["-"]), frozenset(found["l"]), size)


def written(tree: Tree, *, whole: bool) -> tuple[list[str], list[str]]:
    """Return the folders and the files that an upgrade may write, parents first.

    ``whole``: installworld, which also puts right the owners and modes of folders that are the customer's.
    """
    units = set(tree.units)
    ours = {path for path in tree.folders if unit_of(path) in units or path == "usr" or f"{path}/".startswith("etc/")}
    roots = tree.folders if whole else frozenset()
    files = {path for path in tree.files if unit_of(path) in units}
    return sorted(ours | roots), sorted(files)


def obstacles(tree: Tree, kinds: t.Mapping[str, str], *, whole: bool) -> list[str]:
    """Return what of a root keeps it from being upgraded; ``kinds`` as :meth:`Files.kinds` tells them."""
    folders, files = written(tree, whole=whole)
    bad = [f"{path} is {_a(kinds[path])} instead of a folder" for path in folders if kinds[path] not in ALLOWED]
    for path in files:
        if kinds[path] == "folder":
            bad.append(f"{path} is a folder instead of a file")
        elif whole and kinds[path] == "link":
            bad.append(f"{path} is a link instead of a file")
    made = [path for path in kinds if path.startswith("etc/") and (path.endswith(GENERATED) or path in DERIVED)]
    bad += [f"{path} is {_a(kinds[path])} instead of a file" for path in made if kinds[path] not in ("file", "missing")]
    return bad


ALLOWED = ("folder", "missing")


def with_above(paths: t.Iterable[str]) -> list[str]:
    """Return paths below a root and all folders above them there."""
    return sorted({above for path in paths for above in (path, *_above(path))})


def _above(path: str) -> t.Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def inner_target(path: str, target: str | None) -> str | None:
    """Return where a link leads if that is below the root for whoever is outside of it too, None if it is not."""
    inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), target or "/"))
    return None if inner.startswith(("/", "..")) else inner


def certificates_elsewhere(links: t.Mapping[str, str | None], kinds: Kinds) -> list[str]:
    """Return what leads certctl(8) out of the root.

    ``links``: what lies in folders of :data:`CERTIFICATES` and is no file, and where it leads. ``kinds``: those of
    these folders and of each :func:`inner_target`, and of all above them.
    """
    bad = [
        f"{path} is {_a(kinds[path])} instead of a folder"
        for path in with_above(CERTIFICATES)
        if _is_no_folder(kinds, path)
    ]
    for path, target in links.items():
        inner = inner_target(path, target)
        # A certificate that is gone leaves its link behind.
        if (
            inner is None
            or kinds[inner] not in ("file", "missing")
            or any(_is_no_folder(kinds, each) for each in _above(inner))
        ):
            bad.append(f"{path} is {'a link to no file of the root' if target else 'no certificate'}")
    return bad


def _is_no_folder(kinds: Kinds, path: str) -> bool:
    return kinds[path] not in ALLOWED


def _a(kind: str) -> str:
    return f"a {kind}" if kind in ("link", "file", "fifo", "device") else "something else"


def own_links(tree: Tree, kinds: t.Mapping[str, str]) -> list[str]:
    """Return the files of /etc that the customer turned into something else; they stay as they are."""
    return sorted(path for path in tree.merged() - tree.links if kinds.get(path, "missing") not in ("file", "missing"))


def shown(items: t.Sequence[str]) -> str:
    """Return the first few of a list as text."""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more
