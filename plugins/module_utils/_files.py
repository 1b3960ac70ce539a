# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The only place that writes a file on a jail host, and the only one that reads below a customer's root."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import stat

CHUNK = 1 << 20


def is_plain(path: str) -> bool:
    """Whether a path is absolute, below /, and written in the one form in which it can be compared as text."""
    absolute = path.startswith("/") and not path.startswith("//") and path != "/"
    return absolute and posixpath.normpath(path) == path and path.isprintable()


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

    def read_beneath(self, root: str, name: str, limit: int) -> str | None:
        """Return the beginning (``limit`` bytes) of a plain file below a customer's root, None if there is none.

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
            return os.read(file, limit).decode("utf-8", "replace")

    def _sync_folder(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open_beneath(opened: contextlib.ExitStack, name: str, flags: int, folder: int | None) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor
