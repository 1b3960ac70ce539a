# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch over all of a model host but one jail's root: what happens there because of that root is an escape."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t
from pathlib import Path

from model.files import HIDDEN, Files

if t.TYPE_CHECKING:
    from model.host import Host

# What hostile roots lead to, see support.hostile. No machine that runs the tests has such a folder.
VICTIMS = "/var/victims"
SECRET = "the-secret-of-the-host"
FILE, FOLDER, FIFO, RAN = (f"{VICTIMS}/{name}" for name in ("file", "folder", "fifo", "ran"))
# Where the host itself writes while its commands work.
OWN = ("/var/log", "/var/run", "/dev")
# Folders of the machine that runs the tests: a link out of the model would lead there.
MACHINE = ("/", "/etc", "/lib", "/usr")


class Node(t.NamedTuple):
    """A file of any kind, as far as somebody could change it."""

    mode: int
    owner: tuple[int, int]
    flags: tuple[str, ...]
    content: str


class Watch:
    """What a host is like outside of a root, before and after."""

    def __init__(self, host: Host, root: str, allowed: t.Sequence[str] = ()) -> None:
        """Take the first look; below ``allowed`` (and where the host always writes) anything may happen."""
        self.host = host
        self.aside = {os.fspath(host.path(name, follow=False)) for name in (root, *allowed, *OWN)}
        self.before = self._look()
        self.machine = _machine()

    def changes(self) -> list[str]:
        """Return what is not as it was, one line for each: what happened, and the path as the host names it."""
        after = self._look()
        found = [f"created {path}" for path in after.keys() - self.before.keys()]
        found += [f"removed {path}" for path in self.before.keys() - after.keys()]
        for path in self.before.keys() & after.keys():
            found += _differences(path, self.before[path], after[path])
        now = _machine()
        found += [f"the machine's {path} changed" for path in MACHINE if self.machine[path] != now[path]]
        return sorted(found)

    def check(self) -> None:
        """Fail with all that happened outside of the root."""
        changes = self.changes()
        assert not changes, "outside of the root: " + "; ".join(changes)

    def _look(self) -> dict[str, Node]:
        files, top = Files(self.host), self.host.root
        found: dict[str, Node] = {}
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if f"{folder}/{name}" not in self.aside and name not in HIDDEN]
            for name in (*folders, *names):
                path = Path(folder, name)
                if os.fspath(path) not in self.aside:
                    found[f"/{path.relative_to(top)}"] = _node(files, path)
        return found


def _node(files: Files, path: Path) -> Node:
    status = path.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = os.fspath(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Node(status.st_mode, files.owner(status), tuple(sorted(files.flags_of(path, status))), content)


def _differences(path: str, old: Node, new: Node) -> t.Iterator[str]:
    if stat.S_IFMT(old.mode) != stat.S_IFMT(new.mode):
        yield f"replaced {path}"
    elif old.content != new.content:
        yield f"wrote {path}"
    if stat.S_IMODE(old.mode) != stat.S_IMODE(new.mode):
        yield f"changed the mode of {path} from {stat.S_IMODE(old.mode):o} to {stat.S_IMODE(new.mode):o}"
    if old.owner != new.owner:
        yield f"changed the owner of {path} from {old.owner} to {new.owner}"
    if old.flags != new.flags:
        yield f"changed the flags of {path} from {old.flags} to {new.flags}"


def _machine() -> dict[str, set[Path]]:
    return {path: set(Path(path).iterdir()) for path in MACHINE}


def place_victims(host: Host) -> None:
    """Put what hostile roots lead to on the host: a secret file, a folder with one, a fifo that nobody reads."""
    top = host.path(VICTIMS)
    (top / "folder").mkdir(parents=True)
    for path in (host.path(FILE), top / "folder" / "inside"):
        path.write_text(f"{SECRET}\n")
        path.chmod(0o600)
    os.mkfifo(host.path(FIFO), 0o600)


@contextlib.contextmanager
def watch(host: Host, root: str, allowed: t.Sequence[str] = ()) -> t.Iterator[Watch]:
    """Fail unless all of the host outside of the root is at the end what it was at the beginning.

    A program of the root that the host ran would have shown by what it wrote to the victims (:data:`RAN`).
    """
    watched = Watch(host, root, allowed)
    yield watched
    watched.check()
