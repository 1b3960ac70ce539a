# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writing records: one writer of a fleet at a time, each file whole or not at all, and what git is told of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from ansible_collections.jailisp.vps.plugins.module_utils._command import (
    Command,
    CommandFailed,
    HostRunner,
    output,
)

from .model import FleetError, Problem, Record
from .read import read_document

# An order among 10,000 jails takes some seconds, and several people may order at once.
LOCK_SECONDS = 300
_PAUSE = 0.1

# With these, a hook that runs a playbook would have git look at another repository than the inventory's.
_OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


class RecordError(Exception):
    """A record cannot be written as wished; the text says which, and what to do."""


# One writer at a time -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(base: Path, seconds: float = LOCK_SECONDS) -> t.Iterator[None]:
    """Keep all others from writing records of the fleet in the folder `base`; raise RecordError after so many seconds.

    The lock is on the folder itself, so none is left behind, whatever ends this process.
    """
    with _told(f"{base} cannot be locked"):
        descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _acquire(descriptor, base, time.monotonic() + seconds)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _told(what: str) -> t.Iterator[None]:
    """Raise RecordError, which begins with what cannot be done, for an error of the system inside."""
    try:
        yield
    except OSError as error:
        raise RecordError(f"{what} ({error.strerror}); correct that") from None


def _acquire(descriptor: int, base: Path, end: float) -> None:
    """Lock an open folder, waiting until the moment `end` for another process that has it locked."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise RecordError(
                    f"{base} is locked by another run of order.yml or retire.yml; wait for it to end, or end it "
                    f"(`fuser {base}` shows its process)"
                ) from None
        except OSError as error:
            raise RecordError(
                f"{base} cannot be locked ({error.strerror}); keep the inventory on a local file system"
            ) from None
        time.sleep(_PAUSE)


# Whole files ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> str:
    """Return the text of a record with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def create(path: Path, text: str) -> None:
    """Write a new record at once; raise RecordError if there is one already."""
    with _told(f"{path} cannot be written"), _temporary(path, text, 0o666) as temporary:
        try:
            # rename(2) would replace what is there.
            os.link(temporary, path)
        except FileExistsError:
            raise RecordError(f"{path} exists already; choose another name") from None
        _sync(path.parent)


def replace(path: Path, text: str) -> None:
    """Replace the text of a record at once; its mode stays."""
    with _told(f"{path} cannot be written"):
        mode = stat.S_IMODE(path.stat().st_mode)
        with _temporary(path, text, mode) as temporary:
            temporary.chmod(mode)
            temporary.replace(path)
        _sync(path.parent)


def remove(path: Path) -> None:
    """Remove a record; none there is fine."""
    with _told(f"{path} cannot be removed"):
        path.unlink(missing_ok=True)
        _sync(path.parent)


@contextlib.contextmanager
def _temporary(path: Path, text: str, mode: int) -> t.Iterator[Path]:
    """Give a hidden file beside `path` that holds the text on disk; it is gone afterwards.

    One that a killed process left is overwritten: whoever writes has the lock.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Change:
    """A record, relative to the inventory, as it is written and as it shall be; None: there is none."""

    file: str
    before: str | None
    after: str | None

    @property
    def differs(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    def diff(self) -> dict[str, str]:
        """Return it as Ansible shows it."""
        return {
            "before_header": self.file if self.before is not None else f"{self.file} (absent)",
            "after_header": self.file if self.after is not None else f"{self.file} (absent)",
            "before": self.before or "",
            "after": self.after or "",
        }


def write(base: Path, changes: t.Iterable[Change], then: t.Callable[[], str]) -> str:
    """Write what differs below the folder `base`, and return what `then` does; if that raises, all is as it was."""
    with contextlib.ExitStack() as undo:
        for change in changes:
            if change.differs:
                _put(base / change.file, change.before, change.after)
                undo.callback(_put, base / change.file, change.after, change.before)
        done = then()
        undo.pop_all()
    return done


def _put(path: Path, before: str | None, after: str | None) -> None:
    if after is None:
        remove(path)
    elif before is None:
        create(path, after)
    else:
        replace(path, after)


# Text -----------------------------------------------------------------------------------------------------------------


def record_from_text(file: str, name: str, text: str) -> Record:
    """Return the record that a text would be as `file` (relative to the inventory); raise FleetError if it is none."""
    problems: list[Problem] = []
    block = read_document(text, file, problems)
    if block is None or problems:
        raise FleetError(problems)
    return Record(file, name, block)


def scalar(value: str | int | bool) -> str:
    """Return a value as a record has it on one line: plain where YAML reads it as the same value, else in quotes."""
    # Ansible's own texts and numbers are of types that YAML does not know.
    native = str(value) if isinstance(value, str) else value if isinstance(value, bool) else int(value)
    plain = yaml.safe_dump(native, width=float("inf"), allow_unicode=True).removesuffix("...\n").rstrip("\n")
    if not plain.startswith(("'", '"')):
        return plain
    return yaml.safe_dump(native, width=float("inf"), allow_unicode=True, default_style='"').rstrip("\n")


def set_key(text: str, key: str, value: str | int | bool) -> str:
    """Return the text of a record in which one key of its own has one value, everything else as it is written.

    A key that is missing comes at the end. Raises RecordError if the text is not written in a form that this can do.
    """
    problems: list[Problem] = []
    block = read_document(text, "", problems)
    if block is None or problems:
        raise RecordError(f"cannot be changed: {problems[0]}")
    changed = _set_scalar(text, key, scalar(value))
    after = read_document(changed, "", [])
    # The one proof that no comment, quote or document's end was in the way.
    if after is None or after.values != {**block.values, key: value}:
        raise RecordError(f"{key} cannot be set to {scalar(value)} where it stands; write `{key}: {scalar(value)}`")
    return changed


def _set_scalar(text: str, key: str, written: str) -> str:
    """Put a written value in the place of a key's value, or the key at the end."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return _append(text, f"{key}: {written}")
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise RecordError("is written in braces; write one key a line")
    for key_node, node in root.value:
        if key_node.value == key:
            if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
                raise RecordError(f"{key} has more than one line; write it on one")
            begin, end = node.start_mark.index, node.end_mark.index
            return text[:begin] + (" " if begin == end else "") + written + text[end:]
    return _append(text, " " * root.start_mark.column + f"{key}: {written}")


def _append(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return text + ("" if not text or text.endswith("\n") else newline) + line + newline


# git ------------------------------------------------------------------------------------------------------------------


def check_repository(base: Path) -> None:
    """Raise RecordError unless the folder `base` is in a work tree of git, where records can be committed."""
    command = Command(("git", "-C", str(base.resolve()), "rev-parse", "--is-inside-work-tree"))
    done = _controller().run(command)
    if done.rc or done.out.strip() != "true":
        raise RecordError(f"{base}: nothing can be committed here, {done.failure}; leave commit out, or use git")


def uncommitted(base: Path, paths: t.Sequence[Path]) -> list[str]:
    """Return those of these records that differ from the last commit, as absolute paths."""
    try:
        return _Git(base).changed(paths)
    except CommandFailed as failure:
        raise RecordError(f"git does not tell what is committed: {failure}; correct that") from None


def commit(base: Path, paths: t.Sequence[Path], message: str) -> str:
    """Commit these records as they are now, written or removed; return the commit, '' if all of them are committed.

    What else is staged stays staged, and out of the commit. Raises RecordError, with nothing staged by this, if git
    refuses: no work tree, a hook, no identity.
    """
    check_repository(base)
    changed = uncommitted(base, paths)
    if not changed:
        return ""
    git = _Git(base)
    try:
        git.run("add", "--all", "--", *changed)
        try:
            git.run("commit", "--quiet", "--only", f"--message={message}", "--", *changed)
        except CommandFailed:
            git.run("reset", "--quiet", "--", *changed)
            raise
        return git.run("rev-parse", "HEAD").strip()
    except CommandFailed as failure:
        raise RecordError(f"git does not commit: {failure}; correct that and run the same again") from None


class _Git:
    """git(1) in the folder of an inventory; names of files are taken as they are, not as patterns."""

    def __init__(self, base: Path) -> None:
        self.runner = _controller()
        self.base = base.resolve()

    def run(self, *argv: str) -> str:
        """Return what a command of git prints; raise CommandFailed if it fails."""
        return output(self.runner, "git", "-C", str(self.base), "--literal-pathspecs", *argv)

    def changed(self, paths: t.Sequence[Path]) -> list[str]:
        """Return those paths that differ from the last commit."""
        # One by one: git names what has changed relative to the repository, wherever that begins.
        status = ("status", "--porcelain", "--ignored", "--untracked-files=all", "--")
        absolute = [str(path.parent.resolve() / path.name) for path in paths]
        return [path for path in absolute if self.run(*status, path)]


def _controller() -> HostRunner:
    """Return what starts processes as the operator himself would: git needs his name, his keys and his hooks' tools."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    return HostRunner({**environment, "LC_ALL": "C"})
