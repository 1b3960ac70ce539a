# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tar(1) as bsdtar is: options, extracting and listing; making archives is in model.tar_create."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import io
import os
import stat
import time
import typing as t

from model import zstd
from model.command import Exit
from model.files import FLAG_NAMES, Files, account_names, fail, mode_string, reason
from model.fuse import Fuse

if t.TYPE_CHECKING:
    import tarfile
    from pathlib import Path

    from model.command import Context

VERSION = (
    "bsdtar 3.8.7 - libarchive 3.8.7 zlib/1.3.2 liblzma/5.8.3 bz2lib/1.0.8 libzstd/1.5.7 openssl/3.5.6 libb2/bundled "
)
USAGE = """Usage:
  List:    tar -tf <archive-filename>
  Extract: tar -xf <archive-filename>
  Create:  tar -cf <archive-filename> [filenames...]
  Help:    tar --help
"""
LETTERS = "aBb:C:cf:HhI:JjkLlmnOoPpqrSs:T:tUuvW:wX:xyZz"
# Long option -> the letter that it stands for, or '' (found by its own name); ':' if it takes an argument.
LONG = {
    "absolute-paths": "P",
    "acls": "",
    "auto-compress": "a",
    "bzip2": "j",
    "cd": "C:",
    "chroot": "",
    "clear-nochange-fflags": "",
    "confirmation": "w",
    "create": "c",
    "dereference": "L",
    "directory": "C:",
    "exclude": ":",
    "exclude-from": "X:",
    "extract": "x",
    "fast-read": "q",
    "fflags": "",
    "file": "f:",
    "files-from": "T:",
    "format": ":",
    "gid": ":",
    "gname": ":",
    "group": ":",
    "gunzip": "z",
    "gzip": "z",
    "help": "",
    "include": ":",
    "insecure": "P",
    "keep-newer-files": "",
    "keep-old-files": "k",
    "list": "t",
    "modification-time": "m",
    "no-acls": "",
    "no-fflags": "",
    "no-recursion": "n",
    "no-safe-writes": "",
    "no-same-owner": "",
    "no-same-permissions": "",
    "no-xattrs": "",
    "norecurse": "n",
    "null": "",
    "numeric-owner": "",
    "one-file-system": "",
    "options": ":",
    "owner": ":",
    "preserve-permissions": "p",
    "read-full-blocks": "B",
    "safe-writes": "",
    "same-owner": "",
    "same-permissions": "p",
    "strip-components": ":",
    "to-stdout": "O",
    "totals": "",
    "uid": ":",
    "uname": ":",
    "unlink": "U",
    "unlink-first": "U",
    "verbose": "v",
    "version": "",
    "xattrs": "",
    "xz": "J",
    "zstd": "",
}
# Those of --format that make what the model makes.
FORMATS = frozenset({"pax", "paxr", "posix", "restricted"})
DELAYED = "Error exit delayed from previous errors"

Flags = dict[str, list[str]]


def tar(ctx: Context) -> int:
    """tar(1)."""
    flags, operands = Parser(ctx).parse()
    if "version" in flags:
        ctx.print(VERSION)
        return 0
    modes = [letter for letter in "cxtru" if letter in flags]
    if not modes:
        ctx.warn("Must specify one of -c, -r, -t, -u, -x")
        ctx.err.write(USAGE)
        return 1
    if len(modes) > 1:
        raise Exit(1, f"Can't specify both -{modes[1]} and -{modes[0]}")
    if modes[0] in "ru":
        raise Exit(1, f"the model does not know -{modes[0]}")
    if modes[0] == "c":
        from model import tar_create  # noqa: PLC0415

        return tar_create.create(ctx, flags, operands)
    return Reader(ctx, flags, [word for word, _unused in operands]).run()


class Parser:
    """bsdtar's own option parser; an operand comes with the -C that stands before it."""

    def __init__(self, ctx: Context) -> None:
        """Begin."""
        self.ctx = ctx
        self.flags: Flags = {}
        self.operands: list[tuple[str, str]] = []
        self.folder = ""

    def fail(self, text: str) -> t.NoReturn:
        """End with the usage text."""
        self.ctx.warn(text)
        self.ctx.err.write(USAGE)
        raise Exit(1)

    def parse(self) -> tuple[Flags, list[tuple[str, str]]]:
        """Return options and operands."""
        words = self.ctx.arguments
        if words and not words[0].startswith("-"):
            self._old_style(words)
        while words:
            word = words.pop(0)
            if word == "--":
                self.operands += [(each, self.folder) for each in words]
                break
            if word.startswith("--"):
                self._long(word, words)
            elif word.startswith("-") and word != "-":
                self._short(word[1:], words)
            else:
                self.operands.append((word, self.folder))
        return self.flags, self.operands

    def _old_style(self, words: list[str]) -> None:
        for letter in words.pop(0):
            self._add(letter, words)

    def _add(self, letter: str, words: list[str], rest: str = "") -> bool:
        """Note an option; say whether it took the rest of its word as argument."""
        place = LETTERS.find(letter)
        if place < 0 or letter == ":":
            self.fail(f"Option -{letter} is not supported")
        if LETTERS[place + 1 : place + 2] != ":":
            self.flags.setdefault(letter, []).append("")
            return False
        if not rest and not words:
            self.fail(f"Option -{letter} requires an argument")
        self._note(letter, rest or words.pop(0))
        return bool(rest)

    def _note(self, letter: str, value: str) -> None:
        self.flags.setdefault(letter, []).append(value)
        if letter == "C":
            self.folder = os.path.join(self.folder, value)

    def _short(self, cluster: str, words: list[str]) -> None:
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            if self._add(letter, words, cluster):
                return

    def _long(self, word: str, words: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        matches = [name] if name in LONG else [each for each in LONG if each.startswith(name)]
        if not matches:
            self.fail(f"Option {word} is not supported")
        if len(matches) > 1:
            self.fail(f"Ambiguous option --{name} (matches --{matches[0]} and --{matches[1]})")
        kind = LONG[matches[0]]
        if kind.endswith(":") and not equals:
            if not words:
                self.fail(f"Option --{matches[0]} requires an argument")
            value = words.pop(0)
        elif equals and not kind.endswith(":"):
            self.fail(f"Option --{matches[0]} does not allow an argument")
        self._note(kind.rstrip(":") or matches[0], value)


def excluded(name: str, patterns: t.Sequence[str]) -> bool:
    """Say whether a pattern matches the path, its end after any slash, or a folder above it."""
    name = name.rstrip("/")
    parts = name.split("/")
    for pattern in patterns:
        anchored = pattern.startswith("^")
        for start in range(len(parts) if not anchored else 1):
            for end in range(start + 1, len(parts) + 1):
                if fnmatch.fnmatchcase("/".join(parts[start:end]), pattern.rstrip("/").lstrip("^")):
                    return True
    return False


def matches(name: str, patterns: t.Sequence[str]) -> str | None:
    """Return the operand that names the member (or a folder above it); ``./`` in front of either does not count."""
    parts = _bare(name).split("/")
    for pattern in patterns:
        for end in range(1, len(parts) + 1):
            if fnmatch.fnmatchcase("/".join(parts[:end]), _bare(pattern)):
                return pattern
    return None


def _bare(name: str) -> str:
    return name.rstrip("/").removeprefix("./")


def patterns(ctx: Context, flags: Flags) -> list[str]:
    """Return what --exclude and -X say."""
    found = list(flags.get("exclude", []))
    for name in flags.get("X", []):
        found += [line for line in ctx.path(name).read_text().splitlines() if line]
    return found


def listed(ctx: Context, flags: Flags) -> list[str]:
    """Return the names that stand in the files of -T."""
    found: list[str] = []
    for name in flags.get("T", []):
        try:
            data = ctx.stdin.read() if name == "-" else ctx.path(name).read_bytes()
        except OSError as error:
            raise Exit(1, f"Couldn't open {name}: {reason(error)}") from None
        lines = data.decode(errors="surrogateescape").split("\0" if "null" in flags else "\n")
        if "-C" in lines and "null" not in flags:
            raise Exit(1, "the model does not know -C in a list of names")
        found += [line for line in lines if line]
    return found


class Stop(Exception):
    """Extraction cannot go on."""


class Reader:
    """Lists or extracts an archive."""

    def __init__(self, ctx: Context, flags: Flags, wanted: list[str]) -> None:
        """Read what the options say."""
        self.ctx, self.flags, self.status = ctx, flags, 0
        self.wanted = wanted + flags.get("include", [])
        self.wanted += listed(ctx, flags)
        self.unused = list(self.wanted)
        self.excluded = patterns(ctx, flags)
        self.strip = int(flags.get("strip-components", ["0"])[-1])
        self.files = Files(ctx.host)
        self.told_slash = False
        self.room: int | None = None
        self.later: list[tuple[tarfile.TarInfo, Path, str]] = []
        self.users: dict[str, int] = {}
        self.groups: dict[str, int] = {}
        self.base = ctx.path(".")
        self.fuse = Fuse(ctx)

    def run(self) -> int:
        """Do it; return the exit status."""
        for folder in self.flags.get("C", []):
            if not self.ctx.path(folder).is_dir():
                raise Exit(1, f"could not chdir to '{folder}'")
        archive = self._open()
        if archive is None:
            self.ctx.warn("Missing type keyword in mtree specification")
            self.ctx.warn(DELAYED)
            return 1
        if "x" in self.flags:
            self._prepare()
        try:
            self._members(archive)
        except Stop:
            self.status = 1
        finally:
            self.files.save()
        self._finish()
        for name in self.unused:
            self.ctx.warn(f"{name}: Not found in archive")
            self.status = 1
        if self.status:
            self.ctx.warn(DELAYED)
        return self.status

    def _open(self) -> tarfile.TarFile | None:
        import tarfile  # noqa: PLC0415

        name = self.flags.get("f", ["/dev/sa0"])[-1]
        if name == "-":
            data = self.ctx.stdin.read()
        else:
            try:
                path = self.ctx.path(name)
                if path.is_dir():
                    raise fail(errno.EISDIR, name)
                data = path.read_bytes()
            except IsADirectoryError:
                raise Exit(1, f"Error opening archive: Couldn't visit directory: {name}") from None
            except OSError:
                raise Exit(1, f"Error opening archive: Failed to open '{name}'") from None
        try:
            data = zstd.decompress(data) if data.startswith(zstd.MAGIC) else data
            return tarfile.open(fileobj=io.BytesIO(data), errorlevel=2)
        except (tarfile.TarError, zstd.Unreadable, EOFError):
            if data[:1] and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data[:512]):
                # libarchive takes text for a list of files in mtree(5)'s form.
                return None
            raise Exit(1, "Error opening archive: Unrecognized archive format") from None

    def _members(self, archive: tarfile.TarFile) -> None:
        import lzma  # noqa: PLC0415
        import tarfile  # noqa: PLC0415
        import zlib  # noqa: PLC0415

        name = ""
        try:
            for member in archive:
                name = shown_name(member)
                if not self._chosen(name):
                    continue
                if "t" in self.flags:
                    self._show(member, name)
                else:
                    self._one(archive, member, name)
        except (EOFError, tarfile.ReadError, lzma.LZMAError, zlib.error):
            self.ctx.warn("truncated input")
            raise Stop from None

    def _chosen(self, name: str) -> bool:
        if self.wanted:
            hit = matches(name, self.wanted)
            if hit is None:
                return False
            if hit in self.unused:
                self.unused.remove(hit)
        return not excluded(name, self.excluded)

    def _show(self, member: tarfile.TarInfo, name: str) -> None:
        if "v" not in self.flags:
            self.ctx.print(name)
            return
        kind = {b"5": stat.S_IFDIR, b"2": stat.S_IFLNK}.get(member.type, stat.S_IFREG)
        user, group = member.uname or member.uid, member.gname or member.gid
        recent = abs(time.time() - member.mtime) < 365 * 86400 // 2
        date = time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", time.gmtime(member.mtime))
        arrow = f" -> {member.linkname}" if member.issym() else f" link to {member.linkname}" if member.islnk() else ""
        mode = mode_string(kind | member.mode)
        self.ctx.print(f"{mode}  0 {user:<6} {group:<6} {member.size:8} {date} {name}{arrow}")

    # Extracting ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        folder = "."
        for each in self.flags.get("C", []):
            folder = os.path.join(folder, each)
        self.base = self.ctx.path(folder)
        self.inside = self.base
        self.room = self.files.room(self.base / "x")
        self.full = self.files.full_error(self.base)
        if "numeric-owner" not in self.flags:
            self.users = {name: uid for uid, name in account_names(self.ctx).items()}
            self.groups = {name: gid for gid, name in account_names(self.ctx, "group").items()}

    def _warn(self, name: str, text: str) -> None:
        self.ctx.err.write(f"{name}: {text}\n")
        self.status = 1

    def _one(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        self.fuse.step()
        path = self._place(name)
        if path is None:
            return
        if "v" in self.flags:
            self.ctx.err.write(f"x {name}\n")
        if "O" in self.flags:
            source = archive.extractfile(member)
            self.ctx.out.flush()
            self.ctx.out.buffer.write(source.read() if source else b"")
            return
        try:
            if self._make(archive, member, name, path):
                self._attributes(member, name, path)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = "Write failed" if full else f"Can't create '{name}'"
            self._warn(name, f"{what}: {reason(error)}")
            if full:
                raise Stop from None

    def _place(self, name: str) -> Path | None:
        """Return where the member goes; None if it goes nowhere."""
        insecure = "P" in self.flags
        text = name
        if text.startswith("/") and not insecure:
            if not self.told_slash:
                self.ctx.warn("Removing leading '/' from member names")
                self.told_slash = True
            text = text.lstrip("/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts and not insecure:
            self._warn(name, "Path contains '..'")
            return None
        if self.strip:
            parts = parts[self.strip :]
            if not parts:
                return None
        if insecure and text.startswith("/"):
            return self.ctx.path("/" + "/".join(parts), follow=False)
        return self._walk(name, parts, insecure=insecure)

    def _walk(self, name: str, parts: list[str], *, insecure: bool) -> Path | None:
        """Follow (or refuse) links on the way to the member, and make what folders are missing."""
        here = self.base
        for part in parts[:-1]:
            step = here / part
            if step.is_symlink():
                if insecure:
                    step = self.ctx.host.path(self.files.host_path(step), inside="/")
                elif "U" in self.flags:
                    step.unlink()
                else:
                    self._warn(name, f"Cannot extract through symlink {name.rstrip('/')}: No error: 0")
                    return None
            if not step.exists():
                try:
                    self.files.check_create(step)
                    step.mkdir()
                except OSError as error:
                    self._warn(name, f"Can't create directory '{part}': {reason(error)}")
                    return None
            here = step
        return here / parts[-1] if parts else here

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, path: Path) -> bool:
        """Make the member's file; say whether its attributes are to be set."""
        if member.isdir():
            return self._folder(name, path)
        if os.path.lexists(path) and not self._clear(name, path):
            return False
        self.files.check_create(path)
        if member.issym():
            path.symlink_to(member.linkname)
        elif member.islnk():
            return self._hard_link(name, member.linkname, path)
        elif member.isfifo():
            os.mkfifo(path)
        elif member.isreg():
            self._content(archive, member, path)
        else:
            # A device node: an ordinary user's model cannot make one.
            path.touch()
        return True

    def _folder(self, name: str, path: Path) -> bool:
        if path.is_symlink() and not ("P" in self.flags and path.is_dir()):
            path.unlink()
        if path.is_dir():
            if self.files.flags_of(path) & {"schg", "uchg"}:
                self._warn(name, "Can't restore time: Operation not permitted")
                return False
            return True
        if os.path.lexists(path) and not self._clear(name, path):
            return False
        self.files.check_create(path)
        path.mkdir()
        return True

    def _clear(self, name: str, path: Path) -> bool:
        """Remove what is in the way of a member; say whether its place is free."""
        if "k" in self.flags:
            return False
        try:
            if "clear-nochange-fflags" in self.flags and self.files.flags_of(path):
                self.files.set_flags(path, set())
            self.files.check_remove(path)
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                self.files.forget(path)
                path.unlink()
        except OSError as error:
            # The first try fails, and then bsdtar -U takes the file for a folder.
            text = (
                "Could not unlink: Not a directory"
                if "U" in self.flags and not path.is_dir()
                else (f"Can't unlink already-existing object: {reason(error)}")
            )
            self._warn(name, text)
            return False
        return True

    def _hard_link(self, name: str, target: str, path: Path) -> bool:
        parts = [part for part in target.split("/") if part not in ("", ".")]
        source = self._walk(name, parts, insecure="P" in self.flags)
        if source is None or not source.exists():
            self._warn(name, f"Hard-link target '{target}' does not exist.")
            return False
        os.link(source, path, follow_symlinks=False)
        return False

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        source = archive.extractfile(member)
        if source and member.sparse is not None:
            with path.open("wb") as file:
                for start, length in t.cast("list[tuple[int, int]]", member.sparse):
                    source.seek(start)
                    file.seek(start)
                    file.write(source.read(length))
                file.truncate(member.size)
            return
        data = source.read() if source else b""
        if self.room is not None:
            self.room -= len(data)
            if self.room < 0:
                path.touch()
                raise fail(self.full, path)
        path.write_bytes(data)
        if len(data) < member.size:
            raise EOFError

    def _attributes(self, member: tarfile.TarInfo, name: str, path: Path) -> None:
        uid = self.users.get(member.uname, member.uid)
        gid = self.groups.get(member.gname, member.gid)
        uid = int(self.flags["uid"][-1]) if "uid" in self.flags else uid
        gid = int(self.flags["gid"][-1]) if "gid" in self.flags else gid
        if not self.flags.keys() & {"o", "no-same-owner"}:
            self.files.chown(path, uid, gid, follow=False)
        if member.isdir():
            # What comes later still has to fit in, and changes the time.
            self.later.append((member, path, name))
        else:
            self._last(member, path)

    def _last(self, member: tarfile.TarInfo, path: Path) -> None:
        if not member.issym():
            path.chmod(member.mode & 0o7777)
        if "m" not in self.flags:
            os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
        text = member.pax_headers.get("SCHILY.fflags", "")
        if text and "no-fflags" not in self.flags:
            self.files.set_flags(path, {FLAG_NAMES[word] for word in text.split(",") if word in FLAG_NAMES})

    def _finish(self) -> None:
        for member, path, _unused in reversed(self.later):
            with contextlib.suppress(OSError):
                self._last(member, path)
        self.files.save()


def shown_name(member: tarfile.TarInfo) -> str:
    """Return a member's name as bsdtar shows it."""
    return member.name + "/" if member.isdir() and not member.name.endswith("/") else member.name
