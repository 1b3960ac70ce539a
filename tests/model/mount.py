# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounted file systems: the kernel's table, mount(8) and umount(8).

Nothing is really mounted: the content of a file system lies in a folder of the model's own below the host's root and is
renamed onto the mount point; what the mount covers is kept aside and comes back. Memory file systems begin empty, and
the content of another folder (nullfs, nfs) shows by hard links, as it was when it was mounted.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import typing as t
from pathlib import Path

from model.command import Exit, options
from model.files import HIDDEN, Files, fail, reason, used_bytes

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host, State

MOUNT = """usage: mount [-adflpruvw] [-F fstab] [-o options] [-t ufs | external_type]
       mount [-dfpruvw] special | node
       mount [-dfpruvw] [-o options] [-t ufs | external_type] special node
"""
UMOUNT = """usage: umount [-fNnv] special ... | node ... | fsid ...
       umount -a | -A [-F fstab] [-fnv] [-h host] [-t type]
"""
ROOT_DEVICE = "/dev/vtbd0"
ROOT: t.Final = {"source": ROOT_DEVICE, "target": "/", "type": "ufs", "options": ["rw"]}
DEV: t.Final = {"source": "devfs", "target": "/dev", "type": "devfs", "options": ["rw"]}
KINDS = frozenset({"ufs", "nullfs", "tmpfs", "devfs", "nfs", "fdescfs", "procfs"})
LONG = {"read-only": "ro", "async": "async", "noatime": "noatime", "noexec": "noexec", "nosuid": "nosuid"}
SILENT = frozenset({"rw", "late", "noauto", "failok", "auto"})
SHOWN = frozenset({"ro", "noexec", "nosuid", "noatime", "async", "sync", "noclusterr", "noclusterw", "nosymfollow"})
ROOT_SIZE = 8 * 1024**3

Fill = t.Callable[[Path], None]


# The table ------------------------------------------------------------------------------------------------------------


def table(kernel: State) -> list[State]:
    """Return all mounts in the order in which they were made: source, target, type, options."""
    return [dict(ROOT), dict(DEV), *kernel.get("mount", [])]


def hidden(host: Host, name: str) -> Path:
    """Return a folder of the model below the host's root (on the same file system of this machine)."""
    return host.root / ".model" / name


def at(kernel: State, target: str) -> State | None:
    """Return the topmost mount on that mount point."""
    return next((each for each in reversed(table(kernel)) if each["target"] == target), None)


def below(kernel: State, target: str) -> list[State]:
    """Return the mounts on mount points below that one, the last made first."""
    return [each for each in reversed(kernel.get("mount", [])) if each["target"].startswith(target.rstrip("/") + "/")]


def _new_name(kernel: State) -> str:
    kernel["mount_count"] = kernel.get("mount_count", 0) + 1
    return f"{kernel.get('boottime', 0)}-{kernel['mount_count']}"


def add(
    host: Host,
    source: str,
    target: str,
    kind: str,
    mount_options: t.Sequence[str] = (),
    *,
    content: Path | None = None,
    fill: Fill | None = None,
    **more: t.Any,
) -> None:
    """Mount on the host's folder ``target`` (a path without links); raises OSError as mount(2) fails.

    ``content`` is a folder of the model that is moved there for as long as it is mounted; otherwise ``fill`` makes
    the folder that shows (by default what the kind of file system shows). ``more`` is kept in the table.
    """
    place = host.path(target)
    if not place.exists():
        raise fail(errno.ENOENT, target)
    if not place.is_dir() and kind != "nullfs":
        raise fail(errno.ENOTDIR, target)
    with host.kernel() as kernel:
        name = _new_name(kernel)
    new = content
    if new is None:
        new = hidden(host, "mounts") / name
        new.parent.mkdir(parents=True, exist_ok=True)
        if fill is not None:
            fill(new)
        else:
            _fill(host, source, kind, mount_options, new)
    covered = hidden(host, "covered") / name
    covered.parent.mkdir(parents=True, exist_ok=True)
    with host.kernel() as kernel:
        place.rename(covered)
        new.rename(place)
        entry = {"source": source, "target": target, "type": kind, "options": list(mount_options) or ["rw"], **more}
        entry |= {"covered": os.fspath(covered.relative_to(host.root))}
        if content is not None:
            entry["content"] = os.fspath(content.relative_to(host.root))
        kernel.setdefault("mount", []).append(entry)


def _fill(host: Host, source: str, kind: str, mount_options: t.Sequence[str], new: Path) -> None:
    if kind == "nullfs":
        link_tree(host.path(source), new)
    else:
        new.mkdir()
        for option in mount_options:
            if kind == "tmpfs" and option.startswith("mode="):
                new.chmod(int(option[5:], 8))
        if kind == "devfs":
            from model import devfs  # noqa: PLC0415

            devfs.fill(host, new, mount_options)


def copy_tree(source: Path, target: Path) -> None:
    """Show a folder that lies on another file system of this machine."""
    shutil.copytree(source, target, symlinks=True)


def link_tree(source: Path, target: Path) -> None:
    """Show a folder's content in a new one (or a file) by hard links."""
    if not source.is_dir():
        os.link(source, target)
        return
    target.mkdir()
    with os.scandir(source) as entries:
        found = list(entries)
    for entry in found:
        if entry.name in HIDDEN:
            continue
        if entry.is_dir(follow_symlinks=False):
            link_tree(Path(entry.path), target / entry.name)
        else:
            os.link(entry.path, target / entry.name, follow_symlinks=False)
    shutil.copystat(source, target)


def remove(host: Host, target: str, *, force: bool = False, clean: bool = True) -> None:
    """Unmount the topmost file system on ``target``; raises OSError as unmount(2) fails.

    ``clean`` false: nobody told the file system, it is as a crash leaves it.
    """
    with host.kernel() as kernel:
        entry = next((each for each in reversed(kernel.get("mount", [])) if each["target"] == target), None)
        if entry is None:
            raise fail(errno.EBUSY if target in ("/", "/dev") else errno.EINVAL, target)
        later = kernel["mount"][kernel["mount"].index(entry) + 1 :]
        if any(each["target"].startswith(target + "/") for each in later) or (not force and _in_use(kernel, target)):
            raise fail(errno.EBUSY, target)
        place = host.path(target)
        waste = hidden(host, "mounts") / (os.path.basename(entry["covered"]) + ".gone")
        waste.parent.mkdir(parents=True, exist_ok=True)
        there = host.root / entry["content"] if "content" in entry else waste
        if place.exists():
            place.rename(there)
        (host.root / entry["covered"]).rename(place)
        kernel["mount"].remove(entry)
    if "content" not in entry and waste.exists():
        shutil.rmtree(waste) if waste.is_dir() else waste.unlink()
    if "image" in entry:
        from model import md  # noqa: PLC0415

        md.put_away(host, entry, there, clean=clean)


def _in_use(kernel: State, target: str) -> bool:
    """Say whether a jail has its root there: its vnode keeps the file system busy."""
    from model import prison  # noqa: PLC0415

    paths = (str(prison.value(kernel, jail, "path")) for jail in prison.prisons(kernel))
    return any(path == target or path.startswith(target + "/") for path in paths)


def unmount_all(host: Host, *, clean: bool = True) -> None:
    """Unmount everything, the last made first, as a halting kernel does, or (``clean`` false) one that is cut off."""
    while True:
        with host.kernel() as kernel:
            targets = [each["target"] for each in kernel.get("mount", [])]
        if not targets:
            return
        remove(host, targets[-1], force=True, clean=clean)


def mount_fstab(host: Host, *, late: bool = False) -> None:
    """Mount what /etc/fstab lists, as mount(8) -a does at boot; ``late`` only what has the option late."""
    ctx_path = host.path("/etc/fstab")
    for source, target, kind, words in _fstab(ctx_path.read_text() if ctx_path.exists() else ""):
        with host.kernel() as kernel:
            there = at(kernel, target)
        if there or kind in ("swap",) or "noauto" in words or ("late" in words) != late:
            continue
        host.run(["mount", "-t", kind, "-o", ",".join(words), source, target])


def space(host: Host, entry: State) -> tuple[int, int]:
    """Return the size and the used bytes of a mounted file system."""
    if entry["type"] == "zfs":
        from model import zfs  # noqa: PLC0415

        return zfs.space(host, entry["source"])
    if entry["type"] == "devfs":
        return 1024, 0
    if "size" in entry:
        return int(entry["size"]), used_bytes(host.path(entry["target"])) + 8192
    if entry["target"] == "/":
        with host.disk() as disk:
            size = int(disk.get("machine", {}).get("disk_kb", ROOT_SIZE // 1024)) * 1024
        return size, 180 * 1024**2
    found = os.statvfs(host.path(entry["target"]))
    return found.f_blocks * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize


def visible(ctx: Context) -> list[State]:
    """Return the mounts that the process may see: in a jail enforce_statfs says."""
    with ctx.host.kernel() as kernel:
        found = [dict(each) for each in table(kernel)]
        if ctx.jail is None:
            return found
        from model import prison  # noqa: PLC0415

        jail = prison.find(kernel, ctx.jail)
        enforce = int(prison.value(kernel, jail, "enforce_statfs")) if jail else 0
    files = Files(ctx.host)
    root = files.host_path(ctx.host.path(ctx.inside))
    if enforce == 0 or root == "/":
        return found
    own = files.mount_of(ctx.host.path(ctx.inside)) or dict(ROOT)
    inner = [{**each, "target": each["target"][len(root) :]} for each in found if each["target"].startswith(root + "/")]
    return [{**own, "target": "/"}, *(inner if enforce == 1 else [])]


# mount ----------------------------------------------------------------------------------------------------------------


def mount(ctx: Context) -> int:
    """mount(8)."""
    flags, words = options(ctx, "adF:fLlno:prt:uvw", MOUNT)
    chosen = [option for text in flags.get("o", []) for option in text.split(",") if option]
    chosen += ["ro"] if "r" in flags else []
    if "a" in flags:
        return _mount_all(ctx, flags)
    if not words:
        kind = flags["t"][-1] if "t" in flags else ""
        for entry in visible(ctx):
            if not kind or entry["type"] in kind.split(","):
                ctx.print(fstab_line(entry) if "p" in flags else _line(entry))
        return 0
    if len(words) > 2:
        ctx.err.write(MOUNT)
        raise Exit(1)
    if len(words) == 1:
        return _one_word(ctx, words[0], chosen, update="u" in flags)
    kind = flags.get("t", ["ufs"])[-1]
    if ctx.jail is not None:
        raise Exit(1, f"{words[0]}: Operation not permitted")
    if "u" in flags:
        return _update(ctx, words[1], chosen)
    return mount_one(ctx, words[0], words[1], kind, chosen)


def fstab_line(entry: State) -> str:
    """Return a mount as a line of fstab(5), as mount -p shows it."""
    text = ""
    for name in (str(entry[each]).replace(" ", "\\040") for each in ("source", "target")):
        text += name + ("\t" if len(name) < 8 else "") + ("\t" if len(name) < 16 else "")
        text += "\t" if len(name) < 24 else " "
    words = shown_options(entry)
    numbers = "0 0" if entry["type"] != "ufs" else "1 1" if entry["target"] == "/" else "2 2"
    return f"{text}{entry['type']}\t{words}" + ("\t" if len(words) < 8 else " ") + f"\t{numbers}"


def shown_options(entry: State) -> str:
    """Return the options as mount -p shows them: what the kernel has as flags."""
    extra = [option for option in entry["options"] if option in SHOWN and option != "ro"]
    return ",".join(["ro" if "ro" in entry["options"] else "rw", *extra])


def _line(entry: State) -> str:
    words = [entry["type"]]
    if entry["type"] not in ("devfs", "nfs"):
        words.append("local")
    names = {short: long for long, short in LONG.items()}
    words += [names.get(option, option) for option in entry["options"] if option in SHOWN]
    return f"{entry['source']} on {entry['target']} ({', '.join(words)})"


def _fstab(text: str) -> list[tuple[str, str, str, list[str]]]:
    rows = []
    for line in text.splitlines():
        fields = [field.replace("\\040", " ") for field in line.partition("#")[0].split()]
        if len(fields) >= 4:
            rows.append((fields[0], fields[1].rstrip("/") or "/", fields[2], fields[3].split(",")))
    return rows


def _read_fstab(ctx: Context, name: str) -> list[tuple[str, str, str, list[str]]]:
    try:
        return _fstab(ctx.path(name).read_text())
    except OSError as error:
        raise Exit(1, f"{name}: {reason(error)}") from None


def _mount_all(ctx: Context, flags: t.Mapping[str, list[str]]) -> int:
    status = 0
    for source, target, kind, words in _read_fstab(ctx, flags.get("F", ["/etc/fstab"])[-1]):
        if "noauto" in words or kind == "swap" or ("late" in words and "L" not in flags and "l" not in flags):
            continue
        with ctx.host.kernel() as kernel:
            there = at(kernel, target)
        if there is not None and there["source"] == source:
            continue
        try:
            mount_one(ctx, source, target, kind, words)
        except Exit as end:
            ctx.err.write(f"{ctx.argv[0]}: {end.message}\n" if end.message else "")
            status = end.status
    return status


def _one_word(ctx: Context, word: str, chosen: list[str], *, update: bool) -> int:
    if update:
        return _update(ctx, word, chosen)
    path = ctx.path("/etc/fstab")
    for source, target, kind, words in _fstab(path.read_text() if path.exists() else ""):
        if word.rstrip("/") in (source, target):
            return mount_one(ctx, source, target, kind, words + chosen)
    raise Exit(1, f"{word}: unknown special file or file system")


def _update(ctx: Context, target: str, chosen: list[str]) -> int:
    with ctx.host.kernel() as kernel:
        entry = next((each for each in reversed(kernel.get("mount", [])) if each["target"] == target.rstrip("/")), None)
        if entry is not None:
            entry["options"] = [each for each in chosen if each not in SILENT] or ["rw"]
            return 0
    if target == "/":
        return 0
    raise Exit(1, f"{target}: Invalid argument")


def mount_one(ctx: Context, source: str, target: str, kind: str, chosen: t.Sequence[str]) -> int:
    """Mount one file system as mount(8) does, and its helper for the kind; raises Exit."""
    place = ctx.path(target)
    if not place.is_dir() and not (kind == "nullfs" and place.exists()):
        raise Exit(1, f"{target}: {'Not a directory' if place.exists() else 'No such file or directory'}")
    point = Files(ctx.host).host_path(place)
    program = f"mount_{kind}" if kind in ("nullfs", "nfs") else "mount"
    saved, ctx.argv = ctx.argv, [program, *ctx.arguments]
    if kind not in KINDS:
        ctx.argv = saved
        raise Exit(1, f"{source}: Operation not supported by device")
    words = [option for option in chosen if option not in SILENT] or ["rw"]
    try:
        _MAKERS.get(kind, _plain)(ctx, source, point, words, kind)
    except OSError as error:
        ctx.err.write(f"{program}: {source}: {reason(error)}\n")
        return 1
    finally:
        ctx.argv = saved
    return 0


def _plain(ctx: Context, source: str, point: str, words: list[str], kind: str) -> None:
    limit = next((option[5:] for option in words if option.startswith("size=")), "")
    more: dict[str, t.Any] = {}
    if kind == "tmpfs" and limit:
        from model.userland import size  # noqa: PLC0415

        more["size"] = size(limit) or 0
    name = source if kind not in ("tmpfs", "devfs") else kind
    add(ctx.host, name, point, kind, words, **more)


def _nullfs(ctx: Context, source: str, point: str, words: list[str], kind: str) -> None:
    origin = ctx.path(source)
    os.lstat(origin)
    name = Files(ctx.host).host_path(origin)
    if name == point or (point.startswith(name.rstrip("/") + "/") and stat.S_ISDIR(origin.stat().st_mode)):
        raise Exit(
            64,
            f"{point} ({name}) and {source} are not distinct paths"
            if name == point
            else f"{point}: Resource deadlock avoided",
        )
    add(ctx.host, name, point, kind, words)


def _ufs(ctx: Context, source: str, point: str, words: list[str], kind: str) -> None:
    from model import md  # noqa: PLC0415

    del kind
    device = source if source.startswith("/dev/") else f"/dev/{source}"
    with ctx.host.kernel() as kernel:
        if any(each["source"] == device for each in table(kernel)):
            raise fail(errno.EBUSY, source)
    md.mount_image(ctx.host, device, point, words)


def _nfs(ctx: Context, source: str, point: str, words: list[str], kind: str) -> None:
    from model import nfs_client  # noqa: PLC0415

    del kind
    nfs_client.mount_nfs(ctx, source, point, words)


_MAKERS: dict[str, t.Callable[[Context, str, str, list[str], str], None]] = {
    "nullfs": _nullfs,
    "ufs": _ufs,
    "nfs": _nfs,
}


# umount ---------------------------------------------------------------------------------------------------------------


def umount(ctx: Context) -> int:
    """umount(8)."""
    flags, words = options(ctx, "AaF:fh:Nnt:v", UMOUNT)
    if not words and not flags.keys() & {"a", "A"}:
        ctx.err.write(UMOUNT)
        raise Exit(1)
    if "a" in flags or "A" in flags:
        with ctx.host.kernel() as kernel:
            words = [
                each["target"]
                for each in reversed(kernel.get("mount", []))
                if "t" not in flags or each["type"] in flags["t"][-1].split(",")
            ]
    status = 0
    for word in words:
        status |= _umount_one(ctx, word, force="f" in flags, verbose="v" in flags)
    return status


def _umount_one(ctx: Context, word: str, *, force: bool, verbose: bool) -> int:
    with ctx.host.kernel() as kernel:
        mounts = table(kernel)
    try:
        target = _mount_point(ctx, word, mounts)
        if target is None:
            os.lstat(ctx.path(word))
            ctx.warn(f"{word}: not a file system root directory")
            return 1
    except OSError as error:
        ctx.warn(f"{word}: statfs: {reason(error)}")
        ctx.warn(f"{word}: unknown file system")
        return 1
    try:
        remove(ctx.host, target, force=force)
    except OSError as error:
        ctx.warn(f"unmount of {target} failed: {reason(error)}")
        return 1
    if verbose:
        ctx.print(f"{word}: unmount from {target}")
    return 0


def _mount_point(ctx: Context, word: str, mounts: list[State]) -> str | None:
    for entry in reversed(mounts):
        if word == entry["source"] and entry["type"] not in ("devfs", "tmpfs", "nullfs"):
            return str(entry["target"])
    point = Files(ctx.host).host_path(ctx.path(word))
    return point if any(entry["target"] == point for entry in mounts) else None
