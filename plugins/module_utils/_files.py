# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The only place that writes a file on a jail host, and the only one that reads below a customer's root."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import stat
import typing as t

CHUNK = 1 << 20
# What st_blocks counts, whatever the file system's own blocks are.
BLOCK = 512
# What fingerprints are made of: more files, or more of a file's content, would take too long.
MOST_FINGERPRINTS = 20000
LARGE = 16 << 20
# What the kernel takes, the NUL at the end left out.
LONGEST_PATH, LONGEST_NAME = 1023, 255


def is_plain(path: str) -> bool:
    """Whether a path is absolute, below /, and written in the one form in which it can be compared as text.

    None of its names is longer than a file's name can be, nor the whole than a path can.
    """
    if len(path) > LONGEST_PATH or max(map(len, path.split("/"))) > LONGEST_NAME:
        return False
    absolute = path.startswith("/") and not path.startswith("//") and path != "/"
    return absolute and posixpath.normpath(path) == path and path.isprintable()


class Extent(t.NamedTuple):
    """The bytes of a file, and those of them that have a place on the disk: a sparse file has less."""

    size: int
    allocated: int


class Files:
    """The host's files. ``root`` stands before every path: ``/`` on a host, the model's folder in tests."""

    def __init__(self, root: str = "/") -> None:
        """Keep the root."""
        self.root = root

    def path(self, name: str) -> str:
        """Return the path that this process uses for the host's absolute path ``name``."""
        return os.path.join(self.root, name.lstrip("/"))

    def read(self, name: str) -> str | None:
        """Return the text of a file of the host's own, None if there is none."""
        try:
            with open(self.path(name), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; empty if there is no such folder."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except FileNotFoundError:
            return []

    def kind(self, name: str) -> str:
        """Say what stands there, without following it: missing, folder, empty (a folder with nothing in it), other."""
        try:
            mode = os.lstat(self.path(name)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        if not stat.S_ISDIR(mode):
            return "other"
        with os.scandir(self.path(name)) as entries:
            return "folder" if next(entries, None) else "empty"

    def is_private(self, name: str) -> bool:
        """Whether a folder belongs to whoever runs this, on a host root, and is open to nobody else."""
        status = os.lstat(self.path(name))
        return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return os.lstat(self.path(name)).st_size

    def moment(self, name: str) -> float | None:
        """Return when a file was last written, in seconds of the epoch; None if there is none."""
        try:
            return os.lstat(self.path(name)).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None

    def extent(self, name: str) -> Extent | None:
        """Return how large a plain file is; None if there is none of that name, or something else."""
        try:
            status = os.lstat(self.path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Extent(status.st_size, status.st_blocks * BLOCK) if stat.S_ISREG(status.st_mode) else None

    def room(self, name: str) -> int:
        """Return the bytes that are left in the file system of a folder, or of where it would be made."""
        path = self.path(name)
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def is_direct(self, name: str) -> bool:
        """Whether no component of a path is a symbolic link; what is not there is none."""
        parts = name.strip("/").split("/")
        return not any(os.path.islink(self.path("/".join(parts[: count + 1]))) for count in range(len(parts)))

    def sync(self, name: str) -> None:
        """Have a file's content on the disk, that a name given to it afterwards never shows less."""
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file as 64 hexadecimal digits, None if there is none."""
        digest = hashlib.sha256()
        try:
            with open(self.path(name), "rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def write(self, name: str, content: str, mode: int | None = 0o644) -> None:
        """Replace the file whole and at once: at any moment it holds the old content or the new, never a part.

        The new file belongs to root:wheel and has its mode before it has its name. ``mode`` None keeps what the file
        had (0644 for a new one). Missing parent folders are made.
        """
        path = self.path(name)
        if mode is None:
            mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o644
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        temporary = f"{path}.jailisp-new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            if os.geteuid() == 0:
                os.fchown(descriptor, 0, 0)
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        self._sync_folder(os.path.dirname(path))

    def remove(self, name: str) -> None:
        """Remove a file; none there is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))

    def make_folder(self, name: str, mode: int) -> None:
        """Make one folder, with its mode whatever the umask; its parent exists."""
        os.mkdir(self.path(name), 0o700)
        os.chmod(self.path(name), mode)

    def move(self, source: str, target: str) -> None:
        """Give a folder or a file its name at once; an empty folder, or a file, that has the name makes way."""
        os.rename(self.path(source), self.path(target))
        self._sync_folder(os.path.dirname(self.path(target)))

    def read_beneath(self, root: str, name: str, limit: int, errors: str = "replace") -> str | None:
        """Return the beginning (``limit`` bytes) of a plain file below a customer's root, None if there is none.

        What is not UTF-8 in it is treated as ``errors`` says, see codecs: ``surrogateescape`` keeps every byte.
        The customer may have turned any component into a link, a fifo or a device: none is followed, opened for more
        than a look, or waited for.
        """
        with contextlib.ExitStack() as opened:
            try:
                folder = _open_beneath(opened, self.path(root), os.O_DIRECTORY, None)
                *folders, last = name.split("/")
                for part in folders:
                    folder = _open_beneath(opened, part, os.O_DIRECTORY, folder)
                file = _open_beneath(opened, last, os.O_NONBLOCK, folder)
            except OSError:
                return None
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            return os.read(file, limit).decode("utf-8", errors)

    def kinds(self, root: str, names: t.Iterable[str]) -> dict[str, str]:
        """Say of paths below a customer's root what stands there: missing, folder, file, link, fifo, device or other.

        No link is followed: what would lie behind something that is no folder is missing. Nobody may be at work in the
        root meanwhile.
        """
        found = {"": "folder"}

        def look(name: str) -> str:
            if name not in found:
                is_there = look(posixpath.dirname(name)) == "folder"
                found[name] = _kind(os.path.join(self.path(root), name)) if is_there else "missing"
            return found[name]

        return {name: look(name) for name in names}

    def links_below(self, root: str, folders: t.Iterable[str]) -> dict[str, str | None]:
        """Return where what is neither folder nor file below folders of a root leads, by path below the root.

        None for what is no link. The folders are folders, as :meth:`kinds` says. Nobody may be at work in the root
        meanwhile.
        """
        found: dict[str, str | None] = {}
        for path in self._below(root, folders):
            place = os.path.join(self.path(root), path)
            kind = _kind(place)
            if kind not in ("file", "missing"):
                found[path] = os.readlink(place) if kind == "link" else None
            if len(found) > MOST_FINGERPRINTS:
                raise OSError(
                    errno.EFBIG, f"{root} holds more than {MOST_FINGERPRINTS} links and the like around {path}"
                )
        return found

    def fingerprints(self, root: str, folder: str) -> dict[str, str]:
        """Return what tells each file below a folder of a customer's root from what it was: by path below the root.

        Kind, mode, owner and content; of a huge file its size and time. Nobody may be at work in the root meanwhile.
        """
        found: dict[str, str] = {}
        for path in self._below(root, (folder,)):
            found[path] = _fingerprint(os.path.join(self.path(root), path))
            if len(found) > MOST_FINGERPRINTS:
                raise OSError(errno.EFBIG, f"{root}/{folder} holds more than {MOST_FINGERPRINTS} files")
        return found

    def changed_since(self, root: str, units: t.Iterable[str], moment: float) -> list[str]:
        """Return the files in parts of a customer's root that were made or changed after a moment, by path below it."""
        top = self.path(root)
        return sorted(path for path in self._below(root, units) if os.lstat(os.path.join(top, path)).st_ctime > moment)

    def _below(self, root: str, folders: t.Iterable[str]) -> t.Iterator[str]:
        """Yield what is no folder below folders of a root, by path below it."""
        top = self.path(root)
        paths = {folder: os.path.join(top, folder) for folder in folders}
        # os.walk follows the folder that it is given.
        yield from (folder for folder, path in paths.items() if os.path.islink(path))
        for place, inner, files in (
            step for path in paths.values() if not os.path.islink(path) for step in os.walk(path)
        ):
            links = [name for name in inner if os.path.islink(os.path.join(place, name))]
            yield from (os.path.relpath(os.path.join(place, name), top) for name in [*links, *files])

    def append(self, name: str, line: str) -> None:
        """Add a line to a file of the host's own that only grows; it is made if it is missing."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(line)

    def write_beneath(self, root: str, name: str, content: str, mode: int, owner: tuple[int, int]) -> None:
        """Replace a file below a root that was not handed to its customer yet; no link is followed.

        Folders that are missing are made, for the ``owner`` (uid, gid) alone.
        """
        with contextlib.ExitStack() as opened:
            folder = _open_beneath(opened, self.path(root), os.O_DIRECTORY, None)
            *folders, last = name.split("/")
            for part in folders:
                folder = _folder_beneath(opened, part, folder, owner)
            temporary = f"{last}.jailisp-new"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _give(descriptor, owner)
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def _sync_folder(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _kind(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "missing"
    device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    known = {"folder": stat.S_ISDIR(mode), "file": stat.S_ISREG(mode), "link": stat.S_ISLNK(mode), "device": device}
    known["fifo"] = stat.S_ISFIFO(mode)
    return next((kind for kind, is_it in known.items() if is_it), "other")


def _fingerprint(path: str) -> str:
    status = os.lstat(path)
    text = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{text} {os.readlink(path)!r}"
    if not stat.S_ISREG(status.st_mode):
        return text
    if status.st_size > LARGE:
        return f"{text} {status.st_size} {status.st_mtime_ns}"
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return f"{text} {hashlib.sha256(file.read(LARGE)).hexdigest()}"


def _open_beneath(opened: contextlib.ExitStack, name: str, flags: int, folder: int | None) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor


def _folder_beneath(opened: contextlib.ExitStack, name: str, folder: int, owner: tuple[int, int]) -> int:
    """Open a folder in an open one; make it if it is missing."""
    try:
        return _open_beneath(opened, name, os.O_DIRECTORY, folder)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=folder)
    made = _open_beneath(opened, name, os.O_DIRECTORY, folder)
    _give(made, owner)
    return made


def _give(descriptor: int, owner: tuple[int, int]) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, *owner)
