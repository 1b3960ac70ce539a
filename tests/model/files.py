# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all file programs share: FreeBSD's error texts, file flags, read-only mounts, owners, names of accounts."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host, State

# Folders of a host's root that belong to the model.
HIDDEN = frozenset({".model", ".rack", ".linux"})

TEXTS = {
    errno.EBUSY: "Device busy",
    errno.EXDEV: "Cross-device link",
    errno.EDQUOT: "Disc quota exceeded",
    errno.EOPNOTSUPP: "Operation not supported",
    errno.ENOTBLK: "Block device required",
    errno.ENXIO: "Device not configured",
    errno.ENODEV: "Operation not supported by device",
    errno.EAGAIN: "Resource temporarily unavailable",
    # FreeBSD's ELOOP, which Host.path raises.
    62: "Too many levels of symbolic links",
}

# As ls -o and chflags name them, in the order of printing.
FLAGS = ("arch", "nodump", "opaque", "sappnd", "schg", "sunlnk", "uappnd", "uarch", "uchg", "uunlnk", "hidden")
FLAG_NAMES = {
    **{name: name for name in FLAGS},
    "archived": "arch",
    "sappend": "sappnd",
    "schange": "schg",
    "simmutable": "schg",
    "sunlink": "sunlnk",
    "uappend": "uappnd",
    "uarchive": "uarch",
    "uchange": "uchg",
    "uimmutable": "uchg",
    "uunlink": "uunlnk",
    "uhidden": "hidden",
    "dump": "nodump",
}
IMMUTABLE = frozenset({"schg", "uchg", "sappnd", "uappnd"})
# Files up to this size are copied by one read and one write.
SMALL = 1 << 16
NO_UNLINK = IMMUTABLE | {"sunlnk", "uunlnk"}


def reason(error: OSError) -> str:
    """Return FreeBSD's text for the error."""
    number = error.errno or errno.EINVAL
    return TEXTS.get(number) or os.strerror(number)


def fail(number: int, path: object = "") -> OSError:
    """Make the error to raise."""
    return OSError(number, os.strerror(number), str(path))


def _key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


class Files:
    """The files of a host with what its disk and kernel know of them beyond what this machine's kernel does.

    Read once when made; what the process changes is kept by :meth:`save`. Flags and foreign owners are kept by inode,
    so they survive a rename of any folder above.
    """

    def __init__(self, host: Host) -> None:
        """Read flags, owners and mounts."""
        self.host = host
        self.root = os.fspath(host.root)
        with host.disk() as disk:
            self.flags: dict[str, t.Any] = disk.get("flags", {})
            self.owners: dict[str, list[int]] = disk.get("owners", {})
        with host.kernel() as kernel:
            self.mounts: list[State] = kernel.get("mount", [])
        self._targets = {self._real(mount["target"]): mount for mount in self.mounts}
        self._changed_flags: dict[str, t.Any] = {}
        self._changed_owners: dict[str, t.Any] = {}
        self._me = os.geteuid()
        self._ranks: dict[str, int] | None = None

    def _real(self, target: str) -> str:
        return os.path.normpath(self.root + "/" + target)

    # Names --------------------------------------------------------------------------------------------------------

    def host_path(self, path: Path) -> str:
        """Return the path as the host names it."""
        text = os.path.normpath(path)
        root = self.root.rstrip("/")
        return text[len(root) :] or "/" if text == root or text.startswith(root + "/") else text

    def names(self, folder: Path) -> list[str]:
        """List a folder's entries, without what belongs to the model.

        UFS keeps the order in which they were made. The model knows that order only for files with flags (which are
        those that a removal complains about); the others come by name, so that each run sees the same order.
        """
        with os.scandir(folder) as entries:
            found = {entry.name: entry.inode() for entry in entries}
        if os.path.normpath(folder) == os.path.normpath(self.root):
            found = {name: inode for name, inode in found.items() if name not in HIDDEN}
        names = sorted(found)
        if not self.flags:
            return names
        if self._ranks is None:
            self._ranks = {key: rank for rank, key in enumerate(self.flags)}
        ranks, device = self._ranks, folder.stat().st_dev
        return sorted(names, key=lambda name: ranks.get(f"{device}:{found[name]}", -1))

    # Mounts -------------------------------------------------------------------------------------------------------

    def mount_of(self, path: Path) -> State | None:
        """Return the mount that holds the file; None for the root file system."""
        text = os.path.normpath(path)
        while text not in ("/", self.root):
            if text in self._targets:
                found: State = self._targets[text]
                return found
            text = os.path.dirname(text)
        return None

    def is_mount(self, path: Path) -> bool:
        """Say whether the folder is the root of a mounted file system (or of the host)."""
        text = os.path.normpath(path)
        return text in self._targets or text == os.path.normpath(self.root)

    # Flags --------------------------------------------------------------------------------------------------------

    def flags_of(self, path: Path, status: os.stat_result | None = None) -> set[str]:
        """Return the file's flags (of the link itself, if it is one)."""
        if not self.flags:
            return set()
        status = status or os.lstat(path)
        kept = self.flags.get(_key(status))
        if kept is None:
            return set()
        flags = set(kept["flags"])
        # An immutable file cannot change, so one that did is another file in the same inode.
        return set() if flags & {"schg", "uchg"} and kept["mtime"] != status.st_mtime_ns else flags

    def set_flags(self, path: Path, flags: t.Collection[str]) -> None:
        """Give the file these flags and no others."""
        status = os.lstat(path)
        key = _key(status)
        value = {"flags": sorted(flags), "mtime": status.st_mtime_ns} if flags else None
        self._changed_flags[key] = value
        if value:
            self.flags[key] = value
        else:
            self.flags.pop(key, None)

    def check_write(self, path: Path) -> None:
        """Raise what FreeBSD raises when the file's content or attributes are to change."""
        mount = self.mount_of(path)
        if mount and "ro" in mount["options"]:
            raise fail(errno.EROFS, path)
        if self.flags and os.path.lexists(path) and self.flags_of(path) & IMMUTABLE:
            raise fail(errno.EPERM, path)

    def check_create(self, path: Path) -> None:
        """Raise what FreeBSD raises when a new entry of this name is to appear in its folder."""
        self.check_write(path.parent)

    def check_remove(self, path: Path) -> None:
        """Raise what FreeBSD raises when the entry is to go (or to be renamed)."""
        if self.is_mount(path):
            raise fail(errno.EBUSY, path)
        mount = self.mount_of(path)
        if mount and "ro" in mount["options"]:
            raise fail(errno.EROFS, path)
        if self.flags and self.flags_of(path) & NO_UNLINK | self.flags_of(path.parent) & IMMUTABLE:
            raise fail(errno.EPERM, path)

    # Space --------------------------------------------------------------------------------------------------------

    def room(self, path: Path) -> int | None:
        """Return how many bytes the file system still takes there; None if the model sets no limit."""
        mount = self.mount_of(path)
        if mount and mount["type"] == "zfs":
            from model import zfs  # noqa: PLC0415

            return zfs.room(self.host, mount["source"])
        if mount and "size" in mount:
            return int(mount["size"]) - used_bytes(Path(self._real(mount["target"])))
        with self.host.disk() as disk:
            whole = disk.get("machine", {}).get("disk_free_kb")
        return None if mount or whole is None else int(whole) * 1024 - self._root_used()

    def _root_used(self) -> int:
        """Return the bytes that the host's own files take, without what is bound into the root (see model.enter)."""
        total = 0
        for folder in ("etc", "home", "mnt", "root", "tmp", "usr/local/jails", "usr/local/etc", "usr/src", "var"):
            path = self.host.root / folder
            total += used_bytes(path) if path.is_dir() and not path.is_symlink() else 0
        return total

    def full_error(self, path: Path) -> int:
        """Return the error number of a write without room."""
        mount = self.mount_of(path)
        return errno.EDQUOT if mount and mount["type"] == "zfs" else errno.ENOSPC

    # Owners -------------------------------------------------------------------------------------------------------

    def owner(self, status: os.stat_result) -> tuple[int, int]:
        """Return user and group id as the host has them: who runs the model stands for root."""
        kept = self.owners.get(_key(status)) if self.owners else None
        if kept:
            return kept[0], kept[1]
        if self._me == 0:
            return status.st_uid, status.st_gid
        return 0 if status.st_uid == self._me else status.st_uid, 0 if status.st_gid == os.getegid() else status.st_gid

    def chown(self, path: Path, uid: int, gid: int, *, follow: bool = True) -> None:
        """Change the owner (-1: leave); an ordinary user's model keeps beside what its kernel does not let it set."""
        try:
            os.chown(path, uid, gid, follow_symlinks=follow)
            refused = False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            refused = True
        if not refused and not self.owners:
            return
        status = os.stat(path, follow_symlinks=follow)
        old = self.owner(status)
        new = [old[0] if uid < 0 else uid, old[1] if gid < 0 else gid]
        if refused:
            self.owners[_key(status)] = new
            self._changed_owners[_key(status)] = new
        elif _key(status) in self.owners:
            del self.owners[_key(status)]
            self._changed_owners[_key(status)] = None

    def save(self) -> None:
        """Keep the flags and owners that changed."""
        if not self._changed_flags and not self._changed_owners:
            return
        with self.host.disk() as disk:
            for name, changes in (("flags", self._changed_flags), ("owners", self._changed_owners)):
                kept = disk.setdefault(name, {})
                for key, value in changes.items():
                    if value:
                        kept[key] = value
                    else:
                        kept.pop(key, None)
        self._changed_flags, self._changed_owners = {}, {}

    # Trees --------------------------------------------------------------------------------------------------------

    def forget(self, path: Path) -> None:
        """Forget what was kept of a file that goes away."""
        if not self.flags and not self.owners:
            return
        status = os.lstat(path)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            return
        self._forget(_key(status))

    def _forget(self, key: str) -> None:
        if self.flags.pop(key, None):
            self._changed_flags[key] = None
        if self.owners.pop(key, None):
            self._changed_owners[key] = None

    def discard(self, folder: Path) -> None:
        """Remove a file system's content: no file in it has a name elsewhere, so all of their inodes go."""
        if not folder.exists():
            return
        for path in self.walk(folder) if self.flags or self.owners else ():
            self._forget(_key(os.lstat(path)))
        shutil.rmtree(folder)

    def copy_tree(self, source: Path, target: Path, skip: t.Collection[str] = ()) -> None:
        """Copy a folder's content with all attributes into the (existing or new) folder ``target``.

        ``skip`` are paths of folders below ``source`` whose content is left out. Clones and snapshots are copies, so
        this is written for speed.
        """
        mask = os.umask(0)
        try:
            self._copy_folder(os.fspath(source), os.fspath(target), skip)
        finally:
            os.umask(mask)

    def _copy_folder(self, source: str, target: str, skip: t.Collection[str]) -> None:
        if not os.path.isdir(target):
            os.mkdir(target)
        with os.scandir(source) as entries:
            found = sorted(entries, key=lambda entry: entry.inode())
        for entry in found:
            new = f"{target}/{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                self._copy_regular(entry.path, new, status)
            elif not stat.S_ISDIR(status.st_mode):
                self.copy_file(Path(entry.path), Path(new))
            elif entry.path in skip:
                os.mkdir(new)
            else:
                self._copy_folder(entry.path, new, skip)
        self.copy_attributes(Path(source), Path(target))

    def _copy_regular(self, source: str, target: str, status: os.stat_result) -> None:
        if status.st_size > SMALL:
            self.copy_file(Path(source), Path(target))
            return
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        data = os.read(descriptor, SMALL + 1)
        os.close(descriptor)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, stat.S_IMODE(status.st_mode))
        os.write(descriptor, data)
        if status.st_mode & 0o7000:
            # Writing takes set-user-id bits away.
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.close(descriptor)
        uid, gid = self.owner(status)
        if uid or gid:
            self.chown(Path(target), uid, gid, follow=False)
        if self.flags and _key(status) in self.flags:
            flags = self.flags_of(Path(source), status)
            if flags:
                self.set_flags(Path(target), flags)

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy one file of any kind with all attributes."""
        status = os.lstat(source)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISREG(status.st_mode):
            copy_content(source, target)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(target)
        else:
            # Devices and sockets show as empty files: no ordinary user can make them.
            target.touch()
        self.copy_attributes(source, target, status)

    def copy_attributes(self, source: Path, target: Path, status: os.stat_result | None = None) -> None:
        """Give ``target`` the mode, times, owner and flags of ``source``."""
        status = status or os.lstat(source)
        uid, gid = self.owner(status)
        if (uid, gid) != (0, 0):
            self.chown(target, uid, gid, follow=False)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(target, stat.S_IMODE(status.st_mode))
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
        flags = self.flags_of(source, status)
        if flags:
            self.set_flags(target, flags)

    def walk(self, path: Path) -> t.Iterator[Path]:
        """Yield the file and all below it, folders before their content; links are not followed."""
        yield path
        if path.is_dir() and not path.is_symlink():
            for name in self.names(path):
                yield from self.walk(path / name)


def copy_content(source: Path, target: Path) -> None:
    """Copy a regular file's content; what is a hole stays one, as with copy_file_range(2)."""
    with source.open("rb") as old, target.open("wb") as new:
        size, place = os.fstat(old.fileno()).st_size, 0
        while place < size:
            try:
                place = os.lseek(old.fileno(), place, os.SEEK_DATA)
            except OSError:
                # Nothing but a hole up to the end.
                break
            end = os.lseek(old.fileno(), place, os.SEEK_HOLE)
            while place < end:
                place += os.copy_file_range(old.fileno(), new.fileno(), end - place, place, place)
        new.truncate(size)


def used_bytes(folder: Path) -> int:
    """Return what the files below a folder take, in bytes."""
    return _blocks(os.fspath(folder)) * 512


def _blocks(folder: str) -> int:
    total = 0
    # Meanwhile other programs of the host may remove what is there: it takes nothing then.
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _blocks(entry.path)
                continue
            with contextlib.suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_blocks
    return total


# Accounts -------------------------------------------------------------------------------------------------------------

GROUPS = {0: "wheel"}
USERS = {0: "root"}


def account_names(ctx: Context, file: str = "passwd") -> dict[int, str]:
    """Return id -> name of the users (or groups) that the process sees in /etc."""
    path = ctx.path(f"/etc/{file}")
    names: dict[int, str] = {}
    try:
        lines = path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split(":")
        if len(fields) > 3 and fields[2].isdigit():
            # The first one wins: root, not toor.
            names.setdefault(int(fields[2]), fields[0])
    return names or dict(USERS if file == "passwd" else GROUPS)


def account_id(ctx: Context, name: str, file: str = "passwd") -> int | None:
    """Return the id of the named user or group (a number stands for itself), None if there is none."""
    for number, each in account_names(ctx, file).items():
        if each == name:
            return number
    return int(name) if name.isdigit() else None


def mode_string(mode: int) -> str:
    """Return the mode as ls(1) shows it."""
    return stat.filemode(mode)


# Modes ----------------------------------------------------------------------------------------------------------------


def new_mode(text: str, old: int, *, folder: bool = False, mask: int = 0o022) -> int | None:
    """Return what chmod(1) makes of a file's permission bits; None if ``text`` is no mode."""
    if text and all(letter in "01234567" for letter in text):
        return int(text, 8) & 0o7777
    mode = old & 0o7777
    for clause in text.split(","):
        changed = _clause(clause, mode, folder=folder, mask=mask)
        if changed is None:
            return None
        mode = changed
    return mode


_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o0007, "a": 0o7777}
_SHIFT = {"u": 6, "g": 3, "o": 0}


def _clause(clause: str, mode: int, *, folder: bool, mask: int) -> int | None:
    position = next((index for index, letter in enumerate(clause) if letter in "+-="), None)
    if position is None or any(letter not in _WHO for letter in clause[:position]):
        return None
    who = 0
    for letter in clause[:position]:
        who |= _WHO[letter]
    who = who or 0o7777 & ~mask
    rest = clause[position:]
    while rest:
        operator, rest = rest[0], rest[1:]
        end = next((index for index, letter in enumerate(rest) if letter in "+-="), len(rest))
        bits = _bits(rest[:end], mode, folder=folder)
        if bits is None or operator not in "+-=":
            return None
        bits &= who
        rest = rest[end:]
        mode = mode | bits if operator == "+" else mode & ~bits if operator == "-" else mode & ~who | bits
    return mode


def _bits(letters: str, mode: int, *, folder: bool) -> int | None:
    known = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
    bits = 0
    for letter in letters:
        if letter in _SHIFT:
            bits |= (mode >> _SHIFT[letter] & 7) * 0o111
        elif letter == "X":
            bits |= 0o111 if folder or mode & 0o111 else 0
        elif letter in known:
            bits |= known[letter]
        else:
            return None
    return bits
