# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory disks and UFS: mdconfig, newfs, growfs, fsck_ffs, fstyp, swapinfo.

A UFS file system is what stands in its device: the image file begins with a line that says so, its geometry, and the
packed content. Mounting unpacks it, unmounting packs it again, so a copied image carries its content along.
"""

from __future__ import annotations

import errno
import json
import os
import typing as t

from model import mount, pack
from model.command import Exit, options
from model.files import Files, fail, reason
from model.userland import size as read_size
from model.userland import usage

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context
    from model.host import Host, State

MDCONFIG = """usage: mdconfig -a -t type [-n] [-o [no]option] ... [-f file]
                [-s size] [-S sectorsize] [-u unit] [-L label]
                [-x sectors/track] [-y heads/cylinder]
       mdconfig -d -u unit [-o [no]force]
       mdconfig -r -u unit -s size [-o [no]force]
       mdconfig -l [-v] [-n] [-f file] [-u unit]
       mdconfig file
\t\ttype = {malloc, vnode, swap}
\t\toption = {async, cache, cluster, compress, force,
\t\t          mustdealloc, readonly, reserve, ro, verify}
\t\tsize = %d (512 byte blocks), %db (B),
\t\t       %dk (kB), %dm (MB), %dg (GB), \x20
\t\t       %dt (TB), or %dp (PB)
"""
NEWFS = "usage: newfs [ -fsoptions ] special-device [device-type]\n"
GROWFS = "usage: growfs [-Ny] [-s size] special | filesystem\n"
FSCK = "usage: fsck_ffs [-BCdEFfnpRrSyZ] [-b block] [-c level] [-m mode] filesystem ...\n"
FSTYP = "usage: fstyp [-l] [-s] [-u] special\n"
MAGIC = b"UFS model\n"
SECTOR = 512
BLOCK_SECTORS = 64
MAX_GROUP = 20035
INODES_PER_BLOCK = 128
FSCK_FAILED = 8


def units(kernel: State) -> State:
    """Return the memory disks: unit (as text) -> type, file, size."""
    found: State = kernel.setdefault("md", {})
    return found


def device_size(host: Host, device: str) -> int | None:
    """Return the size of a disk of the machine or of a memory disk; None if there is none of that name."""
    name = device.removeprefix("/dev/")
    with host.disk() as disk:
        text = disk.get("machine", {}).get("disks", {}).get(name)
    if text is not None:
        return read_size(str(text))
    with host.kernel() as kernel:
        unit = units(kernel).get(name.removeprefix("md")) if name.startswith("md") else None
        return int(unit["size"]) if unit else None


# mdconfig -------------------------------------------------------------------------------------------------------------


def mdconfig(ctx: Context) -> int:
    """mdconfig(8)."""
    flags, words = options(ctx, "ab:dFf:hlno:rs:S:t:u:vx:y:L:", MDCONFIG)
    actions = [letter for letter in "adlr" if letter in flags]
    if len(actions) > 1 or (words and (actions or len(words) > 1)):
        usage(ctx, MDCONFIG)
    if not actions and (words or "f" in flags or "s" in flags or "t" in flags):
        actions = ["a"]
    if not actions:
        usage(ctx, MDCONFIG)
    unit = flags["u"][-1].removeprefix("/dev/").removeprefix("md") if "u" in flags else ""
    if unit and not unit.isdigit():
        raise Exit(1, f"bad unit: {flags['u'][-1]}")
    action = {"a": _attach, "d": _detach, "l": _list, "r": _resize}[actions[0]]
    if words:
        flags["f"] = words
    return action(ctx, flags, unit)


def _backing(ctx: Context, name: str) -> str:
    """Return the backing file as realpath(3) does."""
    path = ctx.path(name)
    if not path.exists():
        raise Exit(1, "realpath: No such file or directory")
    return Files(ctx.host).host_path(path)


def _attach(ctx: Context, flags: t.Mapping[str, list[str]], unit: str) -> int:
    kind = flags.get("t", ["vnode" if "f" in flags else "swap"])[-1]
    if kind not in ("malloc", "vnode", "swap", "null"):
        raise Exit(1, f"unknown type: {kind}")
    size = _size(flags)
    file = ""
    if kind == "vnode":
        if "f" not in flags:
            raise Exit(1, "no -f file specified")
        file = _backing(ctx, flags["f"][-1])
        size = size or ctx.host.path(file).stat().st_size
        if size < SECTOR:
            raise Exit(1, "ioctl(/dev/mdctl): Invalid argument")
    elif not size:
        raise Exit(1, f"must specify -s for -t {kind}")
    with ctx.host.kernel() as kernel:
        known = units(kernel)
        number = unit or str(next(n for n in range(1 << 20) if str(n) not in known))
        if number in known:
            raise Exit(1, "ioctl(/dev/mdctl): Device busy")
        known[number] = {"type": kind, "file": file, "size": size}
    if kind != "vnode":
        memory = _memory(ctx.host, number)
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_bytes(b"")
        os.truncate(memory, size)
    node = ctx.host.path(f"/dev/md{number}")
    node.parent.mkdir(exist_ok=True)
    node.touch()
    if not unit:
        ctx.print(number if "n" in flags else f"md{number}")
    return 0


def _size(flags: t.Mapping[str, list[str]]) -> int:
    text = flags.get("s", ["0"])[-1]
    if text.isdigit():
        return int(text) * SECTOR
    size = int(text[:-1]) if text[-1:] == "b" and text[:-1].isdigit() else read_size(text)
    if size is None:
        raise Exit(1, "unknown suffix on -s argument")
    return size


def _memory(host: Host, unit: str) -> Path:
    return mount.hidden(host, "md") / unit


def _unit(kernel: State, unit: str) -> State:
    found: State | None = units(kernel).get(unit)
    if found is None:
        raise Exit(1, "ioctl(/dev/mdctl): No such file or directory")
    return found


def _busy(kernel: State, unit: str) -> bool:
    return any(each["source"] == f"/dev/md{unit}" or each.get("md") == unit for each in mount.table(kernel))


def _detach(ctx: Context, flags: t.Mapping[str, list[str]], unit: str) -> int:
    if not unit and "f" in flags:
        file = _backing(ctx, flags["f"][-1])
        with ctx.host.kernel() as kernel:
            unit = next((number for number, each in units(kernel).items() if each["file"] == file), "")
    if not unit:
        usage(ctx, MDCONFIG)
    with ctx.host.disk() as disk:
        pools = disk.get("zfs", {})
    with ctx.host.kernel() as kernel:
        _unit(kernel, unit)
        in_pool = any(f"md{unit}" in pool["devices"] and not pool["exported"] for pool in pools.values())
        if (_busy(kernel, unit) or in_pool) and "force" not in flags.get("o", []):
            raise Exit(1, "ioctl(/dev/mdctl): Device busy")
        del units(kernel)[unit]
    ctx.host.path(f"/dev/md{unit}").unlink(missing_ok=True)
    _memory(ctx.host, unit).unlink(missing_ok=True)
    return 0


def _resize(ctx: Context, flags: t.Mapping[str, list[str]], unit: str) -> int:
    if not unit or "s" not in flags:
        usage(ctx, MDCONFIG)
    size = _size(flags)
    with ctx.host.kernel() as kernel:
        found = _unit(kernel, unit)
        if size < found["size"] and "force" not in flags.get("o", []):
            raise Exit(1, "ioctl(/dev/mdctl): Device busy")
        found["size"] = size
    return 0


def _list(ctx: Context, flags: t.Mapping[str, list[str]], unit: str) -> int:
    file = _backing(ctx, flags["f"][-1]) if "f" in flags else ""
    with ctx.host.kernel() as kernel:
        found = {number: dict(each) for number, each in sorted(units(kernel).items(), key=lambda item: int(item[0]))}
    chosen = {number: each for number, each in found.items() if unit in ("", number) and file in ("", each["file"])}
    if not chosen:
        return 255 if unit or file else 0
    for number, each in chosen.items():
        name = number if "n" in flags else f"md{number}"
        if "v" in flags:
            shown = f"{name}\t{each['type']}\t{_human(each['size']):>6}\t{each['file'] or '-'}\t-\t"
            ctx.print(shown)
        else:
            ctx.out.write(f"{name} ")
    if "v" not in flags:
        ctx.print()
    return 0


def _human(size: int) -> str:
    for shift, letter in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if (size >> shift and size % (1 << shift) == 0) or size >> shift > 9:
            return f"{size >> shift}{letter}"
    return f"{size}B"


# Devices with UFS -----------------------------------------------------------------------------------------------------


def _store(host: Host, device: str) -> tuple[Path, int]:
    """Return the file that holds a device's blocks, and the device's size; raises OSError."""
    name = device.removeprefix("/dev/")
    if name.startswith("ufs/"):
        return _by_label(host, name[4:])
    with host.kernel() as kernel:
        unit = units(kernel).get(name.removeprefix("md")) if name.startswith("md") else None
    if unit is not None:
        file = host.path(unit["file"]) if unit["file"] else _memory(host, name.removeprefix("md"))
        return file, int(unit["size"])
    size = device_size(host, name)
    if size is None:
        path = host.path(device)
        if path.is_file() and not device.startswith("/dev/"):
            return path, path.stat().st_size
        raise fail(errno.ENOENT, device)
    path = mount.hidden(host, "disks") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch()
        os.truncate(path, size)
    return path, size


def _by_label(host: Host, label: str) -> tuple[Path, int]:
    with host.kernel() as kernel:
        names = [f"/dev/md{number}" for number in units(kernel)]
    for name in names:
        file, size = _store(host, name)
        head = _head(file)
        if head and head["label"] == label:
            return file, size
    raise fail(errno.ENOENT, label)


def _head(file: Path) -> State | None:
    """Return a file system's geometry; None if there is none in the device."""
    with file.open("rb") as image:
        if image.readline(64) != MAGIC:
            return None
        found: State = json.loads(image.readline())
        return found


def _read(file: Path) -> bytes:
    with file.open("rb") as image:
        image.readline(64)
        head = json.loads(image.readline())
        return image.read(head["length"])


def _write(file: Path, head: State, data: bytes, size: int) -> None:
    whole = max(size, file.stat().st_size)
    head["length"] = len(data)
    text = MAGIC + json.dumps(head).encode() + b"\n" + data
    with file.open("r+b") as image:
        image.truncate(0)
        image.write(text)
        image.truncate(max(whole, len(text)))


def mount_image(host: Host, device: str, point: str, words: list[str]) -> None:
    """Mount the UFS of a device; raises OSError."""
    file, _unused = _store(host, device)
    head = _head(file)
    if head is None:
        raise fail(errno.EINVAL, device)
    if "ro" not in words:
        if head["damaged"] or not (head["clean"] or head["soft"]):
            denied = f"R/W mount on {point} denied. Filesystem is not clean - run fsck.: Operation not permitted"
            raise OSError(errno.EPERM, denied, device)
        # With soft updates what a crash left can be mounted; blocks may be lost, nothing is mixed up.
        _write(file, {**head, "clean": False}, _read(file), file.stat().st_size)
    with host.kernel() as kernel:
        kernel["mount_count"] = count = kernel.get("mount_count", 0) + 1
    folder = mount.hidden(host, "mounts") / f"image-{count}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    files = Files(host)
    data = _read(file)
    if data:
        pack.unpack(files, data, folder)
        files.save()
    else:
        folder.mkdir(mode=0o755)
        if head["snap"]:
            folder.joinpath(".snap").mkdir(mode=0o770)
    usable = head["sectors"] * SECTOR * 96 // 100
    mount.add(
        host, device, point, "ufs", words, content=folder, image=os.fspath(file.relative_to(host.root)), size=usable
    )


def put_away(host: Host, entry: State, folder: Path, *, clean: bool) -> None:
    """Write an unmounted file system's content into its device; ``clean``: as umount does, not a crash."""
    file = host.root / entry["image"]
    files = Files(host)
    if file.exists():
        head = _head(file)
        if head is not None and "ro" not in entry["options"]:
            _write(file, {**head, "clean": clean}, pack.pack(files, folder), file.stat().st_size)
    files.discard(folder)
    files.save()


def _geometry(sectors: int) -> tuple[int, int]:
    """Return blocks and inodes of a cylinder group, as newfs chooses them."""
    total = sectors // BLOCK_SECTORS
    blocks = min(MAX_GROUP, -(-total // 4) + 1)
    return blocks, -(-blocks * 4 // INODES_PER_BLOCK) * INODES_PER_BLOCK


def _backups(head: State, sectors: int, after: int = -1) -> list[int]:
    step = head["blocks"] * BLOCK_SECTORS
    starts = range(0, sectors, step)
    return [192 + start for start in starts if start > after]


def _show_backups(ctx: Context, places: list[int]) -> None:
    ctx.print("super-block backups (for fsck_ffs -b #) at:")
    line = ""
    for place in places:
        word = f" {place}" + ("," if place != places[-1] else "")
        if len(line) + len(word) > 78:
            ctx.print(line)
            line = ""
        line += word
    ctx.print(line)


def newfs(ctx: Context) -> int:
    """newfs(8)."""
    flags, words = options(ctx, "EJL:NO:RS:T:Ua:b:c:d:e:f:g:h:i:jk:lm:no:p:r:s:t", NEWFS)
    if not words or len(words) > 2:
        usage(ctx, NEWFS)
    device = words[0] if words[0].startswith("/") else f"/dev/{words[0]}"
    try:
        file, size = _store(ctx.host, device)
    except OSError as error:
        raise Exit(
            1, f"{words[0]}: could not find special device" if error.errno == errno.ENOENT else reason(error)
        ) from None
    with ctx.host.kernel() as kernel:
        if any(each["source"] == device for each in mount.table(kernel)) and "N" not in flags:
            raise Exit(1, f"{device}: failed to open disk for writing")
    sectors = size // SECTOR
    blocks, inodes = _geometry(sectors)
    head = {"label": flags.get("L", [""])[-1], "sectors": sectors, "blocks": blocks, "inodes": inodes}
    head |= {"clean": True, "damaged": False, "soft": bool(flags.keys() & {"U", "j"}), "snap": "n" not in flags}
    places = _backups(head, sectors)
    ctx.print(f"{device}: {size / 2**20:.1f}MB ({sectors} sectors) block size 32768, fragment size 4096")
    ctx.print(f"\tusing {len(places)} cylinder groups of {blocks * 32 / 1024:.2f}MB, {blocks} blks, {inodes} inodes.")
    if flags.keys() & {"U", "j"}:
        ctx.print("\twith soft updates")
    _show_backups(ctx, places)
    if "N" not in flags:
        _write(file, head, b"", size)
    return 0


def growfs(ctx: Context) -> int:
    """growfs(8)."""
    flags, words = options(ctx, "Ns:vy", GROWFS)
    if len(words) != 1:
        usage(ctx, GROWFS)
    device = words[0]
    with ctx.host.kernel() as kernel:
        mounted = next((each for each in mount.table(kernel) if device in (each["source"], each["target"])), None)
    device = mounted["source"] if mounted else device if device.startswith("/") else f"/dev/{device}"
    try:
        file, size = _store(ctx.host, device)
    except OSError as error:
        raise Exit(1, f"{words[0]}: {reason(error)}") from None
    head = _head(file)
    if head is None:
        raise Exit(1, "superblock not recognized")
    size = read_size(flags["s"][-1]) or size if "s" in flags else size
    old, new = head["sectors"], size // SECTOR
    if new <= old:
        which = "equal to" if new == old else "smaller than"
        text = f"requested size {_mega(new)} is {which} the current filesystem size {_mega(old)}"
        raise Exit(0 if new == old else 1, text)
    if "y" not in flags and "N" not in flags:
        raise Exit(1, "the model answers no questions: use -y")
    last = _backups(head, old)[-1] - 192
    _show_backups(ctx, _backups(head, new, last))
    if "N" not in flags:
        _write(file, {**head, "sectors": new}, _read(file), size)
        _grow_mounted(ctx.host, device, new)
    return 0


def _mega(sectors: int) -> str:
    return _human(sectors * SECTOR) + "B"


def _grow_mounted(host: Host, device: str, sectors: int) -> None:
    with host.kernel() as kernel:
        for entry in kernel.get("mount", []):
            if entry["source"] == device:
                entry["size"] = sectors * SECTOR * 96 // 100


def fstyp(ctx: Context) -> int:
    """fstyp(8)."""
    _unused, words = options(ctx, "lsu", FSTYP)
    if len(words) != 1:
        usage(ctx, FSTYP)
    try:
        file, _kind = _store(ctx.host, words[0])
    except OSError as error:
        raise Exit(1, f"{words[0]}: {reason(error)}") from None
    with ctx.host.disk() as disk:
        pooled = any(os.path.basename(words[0]) in pool["devices"] for pool in disk.get("zfs", {}).values())
    if pooled or _head(file) is not None:
        ctx.print("zfs" if pooled else "ufs")
        return 0
    raise Exit(1, f"{words[0]}: filesystem not recognized")


def fsck(ctx: Context) -> int:
    """fsck_ffs(8): what a crash left is put right by -p, what is damaged by -y only."""
    flags, words = options(ctx, "b:Bc:CdEfFm:npRrSyZ", FSCK)
    if not words:
        usage(ctx, FSCK)
    for word in words:
        try:
            file, _unused = _store(ctx.host, word)
        except OSError as error:
            ctx.print(f"Can't stat {word}: {reason(error)}")
            return FSCK_FAILED
        head = _head(file)
        if head is None:
            ctx.print(f"** {word}" + (" (NO WRITE)" if "n" in flags else ""))
            ctx.print(
                f"Cannot find file system superblock\n{word}: UNEXPECTED INCONSISTENCY"
                if "p" in flags
                else "Cannot find file system superblock"
            )
            return FSCK_FAILED
        if head["damaged"] and not flags.keys() & {"y", "n"}:
            ctx.print(f"{word}: UNEXPECTED INCONSISTENCY; RUN fsck_ffs MANUALLY.")
            return FSCK_FAILED
        _report(ctx, flags, word, head, file)
        if "n" not in flags and (head["damaged"] or not head["clean"]):
            _write(file, {**head, "clean": True, "damaged": False}, _read(file), file.stat().st_size)
            if "p" not in flags:
                ctx.print("\n***** FILE SYSTEM WAS MODIFIED *****")
    return 0


def damage(host: Host, device: str) -> None:
    """Damage a file system as no crash does, so that fsck_ffs -p gives it up."""
    file, _size_of_it = _store(host, device)
    head = _head(file)
    if head is not None:
        _write(file, {**head, "clean": False, "damaged": True}, _read(file), file.stat().st_size)


def _report(ctx: Context, flags: t.Mapping[str, list[str]], word: str, head: State, file: Path) -> None:
    free = max(0, head["sectors"] // 8 - len(_read(file)) // 4096 - 300)
    if "p" in flags and not head["clean"]:
        ctx.print(f"{word}: 2 files, 2 used, {free} free ({free % 8} frags, {free // 8} blocks, 0.0% fragmentation)")
        return
    if "p" in flags:
        ctx.print(f"{word}: FILE SYSTEM CLEAN; SKIPPING CHECKS")
        ctx.print(f"{word}: clean, {free} free ({free % 8} frags, {free // 8} blocks, 0.0% fragmentation)")
        return
    ctx.print(f"** {word}" + (" (NO WRITE)" if "n" in flags else ""))
    ctx.print("** Last Mounted on ")
    for number, what in enumerate(
        ("Blocks and Sizes", "Pathnames", "Connectivity", "Reference Counts", "Cyl groups"), 1
    ):
        ctx.print(f"** Phase {number} - Check {what}")
    ctx.print(f"2 files, 2 used, {free} free ({free % 8} frags, {free // 8} blocks, 0.0% fragmentation)")


def swapinfo(ctx: Context) -> int:
    """swapinfo(8): the host has no swap."""
    options(ctx, "AghKkms", "usage: swapinfo [-AghKkms]\n")
    ctx.print("Device          1K-blocks     Used    Avail Capacity")
    return 0
