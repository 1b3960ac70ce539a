# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZFS: what the pools hold, their properties and their space.

The pools' own records stand in the host's disk store. The content of a dataset or snapshot is a folder of the model,
named by a number that stays the same whatever the dataset is called; mounting renames it onto the mount point.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t
from pathlib import Path

from model import mount
from model.files import Files, used_bytes

if t.TYPE_CHECKING:
    from model.host import Host, State

# What an empty file system refers to, and what a pool keeps for itself.
EMPTY = 24576
OVERHEAD = 150528
METASLAB = 1 << 29
LABELS = 4718592
SLOP_SHIFT = 5

ON_OFF = ("on", "off")
NUMBER, TEXT = ("",), ()
# Property -> (default, values it may take; NUMBER, TEXT), those that children inherit.
INHERITED: dict[str, tuple[str, tuple[str, ...]]] = {
    "recordsize": ("131072", NUMBER),
    "mountpoint": ("", TEXT),
    "sharenfs": ("off", TEXT),
    "checksum": ("on", ("on", "off", "fletcher2", "fletcher4", "sha256", "sha512", "skein", "blake3")),
    "compression": (
        "on",
        (
            "on",
            "off",
            "lz4",
            "lzjb",
            "zle",
            "gzip",
            "zstd",
            "zstd-fast",
            *(f"zstd-{n}" for n in range(20)),
            *(f"gzip-{n}" for n in range(1, 10)),
        ),
    ),
    "atime": ("on", ON_OFF),
    "devices": ("on", ON_OFF),
    "exec": ("on", ON_OFF),
    "setuid": ("on", ON_OFF),
    "readonly": ("off", ON_OFF),
    "jailed": ("off", ON_OFF),
    "snapdir": ("hidden", ("hidden", "visible", "disabled")),
    "aclmode": ("discard", ("discard", "groupmask", "passthrough", "restricted")),
    "aclinherit": ("restricted", ("discard", "noallow", "restricted", "passthrough", "passthrough-x")),
    "xattr": ("on", ("on", "off", "dir", "sa")),
    "copies": ("1", ("1", "2", "3")),
    "primarycache": ("all", ("all", "none", "metadata")),
    "secondarycache": ("all", ("all", "none", "metadata")),
    "logbias": ("latency", ("latency", "throughput")),
    "dedup": ("off", ("on", "off", "verify", "sha256")),
    "sync": ("standard", ("standard", "always", "disabled")),
    "dnodesize": ("legacy", ("legacy", "auto", "1k", "2k", "4k", "8k", "16k")),
    "redundant_metadata": ("all", ("all", "most", "some", "none")),
    "overlay": ("on", ON_OFF),
    "relatime": ("on", ON_OFF),
    "acltype": ("nfsv4", ("off", "nfsv4", "posix")),
}
OWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "quota": ("0", NUMBER),
    "refquota": ("0", NUMBER),
    "reservation": ("0", NUMBER),
    "refreservation": ("0", NUMBER),
    "canmount": ("on", ("on", "off", "noauto")),
    "snapshot_limit": ("none", NUMBER),
    "filesystem_limit": ("none", NUMBER),
}
SETTABLE = INHERITED | OWN
COMPUTED = (
    "type",
    "creation",
    "used",
    "available",
    "referenced",
    "compressratio",
    "mounted",
    "origin",
    "createtxg",
    "guid",
    "usedbysnapshots",
    "usedbydataset",
    "usedbychildren",
    "usedbyrefreservation",
    "written",
    "logicalused",
    "logicalreferenced",
    "refcompressratio",
    "userrefs",
    "clones",
    "defer_destroy",
    "receive_resume_token",
    "objsetid",
    "version",
    "utf8only",
    "normalization",
    "casesensitivity",
    "encryption",
    "keystatus",
)
SIZES = frozenset(
    {
        "used",
        "available",
        "referenced",
        "usedbysnapshots",
        "usedbydataset",
        "usedbychildren",
        "written",
        "usedbyrefreservation",
        "logicalused",
        "logicalreferenced",
        "quota",
        "refquota",
        "reservation",
        "refreservation",
        "recordsize",
    }
)
SHORT = {
    "avail": "available",
    "refer": "referenced",
    "rdonly": "readonly",
    "compress": "compression",
    "recsize": "recordsize",
    "refreserv": "refreservation",
    "reserv": "reservation",
    "ratio": "compressratio",
    "lused": "logicalused",
    "lrefer": "logicalreferenced",
    "usedsnap": "usedbysnapshots",
    "usedds": "usedbydataset",
    "usedchild": "usedbychildren",
    "zoned": "jailed",
}
FIXED = {
    "compressratio": "1.00",
    "refcompressratio": "1.00",
    "usedbyrefreservation": "0",
    "defer_destroy": "off",
    "version": "5",
    "utf8only": "off",
    "normalization": "none",
    "casesensitivity": "sensitive",
    "encryption": "off",
    "keystatus": "-",
    "receive_resume_token": "-",
}


class ZfsError(Exception):
    """What libzfs reports: the text for standard error, and the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        """Keep both."""
        super().__init__(text)
        self.text = text
        self.status = status


def nice(number: int) -> str:
    """Return a number as zfs shows it: at most five characters."""
    index = 0
    while number >> 10 * (index + 1) and index < 6:
        index += 1
    unit = "BKMGTPE"[index]
    if number & ((1 << 10 * index) - 1) == 0:
        return f"{number >> 10 * index}{unit}"
    for digits in (2, 1, 0):
        text = f"{number / (1 << 10 * index):.{digits}f}{unit}"
        if len(text) <= 5:
            return text
    return text


def parent(name: str) -> str:
    """Return the name of the dataset above ('' above a pool), of a snapshot the dataset that it shows."""
    return name.partition("@")[0] if "@" in name else name.rpartition("/")[0]


def order(sets: State) -> t.Callable[[str], tuple[str, int, int]]:
    """Return the key by which zfs list sorts."""
    return lambda name: (name.partition("@")[0], "@" in name, sets[name]["txg"] if "@" in name else 0)


class Pools:
    """The imported pools of a host, to read and change; what changed is kept at the end of :func:`pools`."""

    def __init__(self, host: Host, state: State) -> None:
        """Take the state apart: name -> pool, and all datasets and snapshots by name."""
        self.host = host
        self.pools: State = state
        self.sets: State = {}
        for pool in state.values():
            if not pool["exported"]:
                self.sets.update(pool["sets"])
        self.files = Files(host)
        with host.kernel() as kernel:
            self.mounts = {each["source"]: each for each in kernel.get("mount", []) if each["type"] == "zfs"}
        self._references: dict[str, int] = {}
        self._kept_by: dict[tuple[str, str], int] = {}

    # Names --------------------------------------------------------------------------------------------------------

    def get(self, name: str) -> State:
        """Return the dataset or snapshot; raises ZfsError."""
        found: State | None = self.sets.get(name)
        if found is None:
            raise ZfsError(f"cannot open '{name}': dataset does not exist")
        return found

    def put(self, name: str, entry: State) -> None:
        """Enter a dataset or snapshot (also under a new name)."""
        self.sets[name] = entry
        self._pool(name)["sets"][name] = entry

    def drop(self, name: str) -> State:
        """Take out a dataset or snapshot; its content stays."""
        del self.sets[name]
        entry: State = self._pool(name)["sets"].pop(name)
        return entry

    def _pool(self, name: str) -> State:
        pool: State = self.pools[name.partition("/")[0].partition("@")[0]]
        return pool

    def new(self, name: str, **fields: t.Any) -> State:
        """Make the record of a new dataset or snapshot."""
        import time  # noqa: PLC0415

        pool = self._pool(name)
        pool["txg"] += 2
        entry = {
            "id": f"{pool['guid']}-{pool['txg']}",
            "txg": pool["txg"],
            "guid": new_guid(),
            "created": int(time.time()),
            "props": {},
            "origin": "",
            **fields,
        }
        self.put(name, entry)
        return entry

    def named(self, identity: str) -> str:
        """Return the name of what has the number, '' if it is gone."""
        return next((name for name, entry in self.sets.items() if entry["id"] == identity), "")

    def children(self, name: str) -> list[str]:
        """Return the file systems right below."""
        return [each for each in self.sets if "@" not in each and parent(each) == name]

    def tree(self, name: str) -> list[str]:
        """Return the file system and all below it (without snapshots), parents first."""
        return sorted(each for each in self.sets if "@" not in each and (each == name or each.startswith(name + "/")))

    def snapshots(self, name: str) -> list[str]:
        """Return a file system's snapshots, oldest first."""
        return sorted(
            (each for each in self.sets if each.startswith(name + "@")), key=lambda each: self.sets[each]["txg"]
        )

    def clones(self, snapshot: str) -> list[str]:
        """Return the file systems that were cloned from the snapshot."""
        identity = self.sets[snapshot]["id"]
        return sorted(name for name, entry in self.sets.items() if entry["origin"] == identity)

    # Content ------------------------------------------------------------------------------------------------------

    def stored(self, entry: State) -> Path:
        """Return the model's folder for the content."""
        return mount.hidden(self.host, "pool") / str(entry["id"])

    def content(self, name: str) -> Path:
        """Return where the content lies now."""
        there = self.mounts.get(name)
        return self.host.path(there["target"]) if there else self.stored(self.sets[name])

    def inner_mounts(self, folder: Path) -> set[str]:
        """Return the mount points below a folder: what lies there is not of this file system."""
        return {
            os.fspath(self.host.path(each["target"]))
            for each in self.files.mounts
            if os.fspath(self.host.path(each["target"])).startswith(f"{folder}/")
        }

    # Properties ---------------------------------------------------------------------------------------------------

    def value(self, name: str, prop: str) -> tuple[str, str]:
        """Return a property's value (numbers as digits) and source as zfs get shows them; value '' if it has none."""
        if prop in COMPUTED or prop == "mounted":
            return self._computed(name, prop), "-"
        entry = self.sets[name]
        if "@" in name and prop in SETTABLE:
            return "", "-"
        if prop in entry["props"]:
            return entry["props"][prop], "received" if prop in entry.get("received", []) else "local"
        if prop in OWN:
            return OWN[prop][0], "default"
        return self._from_above(name, prop)

    def _from_above(self, name: str, prop: str) -> tuple[str, str]:
        """Return an inherited value and its source, or the default."""
        above = parent(name)
        while above:
            props = self.sets[above]["props"]
            if prop in props:
                rest = name[len(above) :].partition("@")[0]
                value = props[prop]
                if prop == "mountpoint" and value.startswith("/"):
                    value = value.rstrip("/") + rest
                return value, f"inherited from {above}"
            above = parent(above)
        if prop == "mountpoint":
            return f"/{name}", "default"
        return (INHERITED[prop][0], "default") if prop in INHERITED else ("", "-")

    def _computed(self, name: str, prop: str) -> str:
        entry = self.sets[name]
        if prop in ("used", "available", "referenced", "written") or prop.startswith(("usedby", "logical")):
            return self._space(name, prop)
        simple = {
            "type": "snapshot" if "@" in name else "filesystem",
            "creation": str(entry["created"]),
            "createtxg": str(entry["txg"]),
            "guid": str(entry["guid"]),
            "objsetid": str(entry["txg"] + 50),
        }
        if prop in simple:
            return simple[prop]
        if prop == "origin":
            return self.named(entry["origin"]) if entry["origin"] else ""
        if prop == "mounted":
            return "" if "@" in name else "yes" if name in self.mounts else "no"
        if "@" in name and prop in ("userrefs", "clones"):
            return str(len(entry.get("holds", {}))) if prop == "userrefs" else ",".join(self.clones(name))
        return "" if prop in ("userrefs", "clones") or ("@" in name and prop not in ("compressratio",)) else FIXED[prop]

    # Space --------------------------------------------------------------------------------------------------------

    def referenced(self, name: str) -> int:
        """Return the bytes that a dataset or snapshot refers to."""
        entry = self.sets[name]
        if "size" in entry:
            return int(entry["size"])
        if name not in self._references:
            folder = self.content(name)
            inner = self.inner_mounts(folder)
            taken = used_bytes(folder) - sum(used_bytes(Path(each)) for each in inner) if folder.is_dir() else 0
            self._references[name] = EMPTY + max(0, taken)
        return self._references[name]

    def _snapshot_used(self, name: str) -> int:
        later = [each for each in self.snapshots(parent(name)) if self.sets[each]["txg"] > self.sets[name]["txg"]]
        after = later[0] if later else parent(name)
        return max(0, self.referenced(name) - self.referenced(after), self._kept(name, after))

    def _kept(self, name: str, after: str) -> int:
        """Return the bytes of a snapshot's files that are others by now, or gone: their blocks are its alone."""
        if (name, after) not in self._kept_by:
            top, now = self.stored(self.sets[name]), self.content(after)
            gone = (each for each in _files(top) if not _same(each, now / each.relative_to(top)))
            self._kept_by[name, after] = sum(each.lstat().st_blocks * 512 for each in gone)
        return self._kept_by[name, after]

    def _own(self, name: str) -> int:
        """Return the bytes that only the file system itself keeps."""
        entry = self.sets[name]
        origin = self.named(entry["origin"]) if entry["origin"] else ""
        shared = self.referenced(origin) if origin else 0
        extra = OVERHEAD if "/" not in name else 0
        return max(0, self.referenced(name) - shared) + extra

    def used(self, name: str) -> int:
        """Return the bytes that a dataset takes with its snapshots and children (or a snapshot alone)."""
        if "@" in name:
            return self._snapshot_used(name)
        return (
            self._own(name)
            + sum(self._snapshot_used(each) for each in self.snapshots(name))
            + self._used_by_children(name)
        )

    def _used_by_children(self, name: str) -> int:
        """Return the bytes that the file systems below take, or have set aside."""
        return sum(max(self.used(each), self.limit(each, "reservation")) for each in self.children(name))

    def limit(self, name: str, prop: str) -> int:
        """Return a file system's quota, reservation or the like; 0: it has none."""
        return int(self.sets[name]["props"].get(prop, 0))

    def pool_available(self, pool: str) -> int:
        """Return the bytes that the pool still takes."""
        size = int(self.pools[pool]["size"])
        return size - (size >> SLOP_SHIFT) - self.used(pool)

    def available(self, name: str) -> int:
        """Return the bytes that still fit, by the pool and all quotas; negative if a quota is passed."""
        room, refquota = self.room(name), self.limit(name, "refquota")
        return min(room, refquota - self.referenced(name)) if refquota else room

    def room(self, name: str) -> int:
        """Return the bytes that still fit below a name, whatever its refquota: what is above has, and what is its own.

        See dsl_dir_space_available() in OpenZFS.
        """
        used, quota = self.used(name), self.limit(name, "quota")
        above = self.room(parent(name)) if parent(name) else self.pool_available(name)
        room = above + max(0, self.limit(name, "reservation") - used)
        return min(room, quota - used) if quota else room

    def _space(self, name: str, prop: str) -> str:
        snapshot = "@" in name
        if prop == "available":
            return "" if snapshot else str(max(0, self.available(name)))
        if prop in ("referenced", "logicalreferenced"):
            return str(self.referenced(name))
        if prop in ("used", "logicalused"):
            return str(self.used(name))
        if prop == "written":
            base = parent(name) if snapshot else name
            before = [
                each for each in self.snapshots(base) if self.sets[each]["txg"] < self.sets[name]["txg"] or not snapshot
            ]
            return str(max(0, self.referenced(name) - (self.referenced(before[-1]) if before else 0)))
        if snapshot:
            return ""
        parts = {
            "usedbydataset": self._own(name),
            "usedbysnapshots": sum(self._snapshot_used(each) for each in self.snapshots(name)),
            "usedbychildren": self._used_by_children(name),
            "usedbyrefreservation": 0,
        }
        return str(parts[prop])


def new_guid() -> int:
    """Return a number that no other pool or dataset has."""
    import secrets  # noqa: PLC0415

    return secrets.randbits(64)


@contextlib.contextmanager
def pools(host: Host, *, change: bool = False) -> t.Iterator[Pools]:
    """Give the pools; with ``change`` no other zfs command runs meanwhile and the changes are kept."""
    path = host.directory / "zfs.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if change else fcntl.LOCK_SH)
        with host.disk() as disk:
            state = disk.get("zfs", {})
        found = Pools(host, state)
        try:
            yield found
        finally:
            if change:
                found.files.save()
                with host.disk() as disk:
                    disk["zfs"] = state
    finally:
        os.close(descriptor)


# Mounting -------------------------------------------------------------------------------------------------------------


def wants_mount(found: Pools, name: str) -> bool:
    """Say whether zfs mount -a would mount the file system."""
    point = found.value(name, "mountpoint")[0]
    return (
        point.startswith("/") and found.value(name, "canmount")[0] == "on" and found.value(name, "jailed")[0] == "off"
    )


def mount_set(found: Pools, name: str) -> None:
    """Mount a file system on its mount point."""
    point = found.value(name, "mountpoint")[0].rstrip("/") or "/"
    place = found.host.path(point)
    try:
        place.mkdir(parents=True, exist_ok=True)
        words = [
            option
            for option, prop, value in (
                ("ro", "readonly", "on"),
                ("noatime", "atime", "off"),
                ("noexec", "exec", "off"),
                ("nosuid", "setuid", "off"),
            )
            if found.value(name, prop)[0] == value
        ]
        target = found.files.host_path(place)
        mount.add(found.host, name, target, "zfs", words, content=found.stored(found.sets[name]))
    except OSError as error:
        raise ZfsError(f"cannot mount '{name}': {error.strerror}") from None
    _look_again(found)


def unmount_set(found: Pools, name: str, *, force: bool = False) -> None:
    """Unmount a file system (nothing happens if it is not mounted)."""
    there = found.mounts.get(name)
    if there is None:
        return
    try:
        mount.remove(found.host, there["target"], force=force)
    except OSError:
        raise ZfsError(f"cannot unmount '{there['target']}': pool or dataset is busy") from None
    _look_again(found)


def _look_again(found: Pools) -> None:
    found.files.save()
    found.files = Files(found.host)
    found.mounts = {each["source"]: each for each in found.files.mounts if each["type"] == "zfs"}


@contextlib.contextmanager
def unmounted(found: Pools, name: str) -> t.Iterator[None]:
    """Unmount a file system and all below it, and mount again what was mounted; by then it may have another name."""
    was = [each for each in reversed(found.tree(name)) if each in found.mounts]
    entries = [found.sets[each]["id"] for each in was]
    points = {each: found.mounts[each]["target"] for each in was}
    for each in was:
        unmount_set(found, each)
    try:
        yield
    finally:
        for identity, old in zip(reversed(entries), reversed(was), strict=True):
            now = found.named(identity)
            if (now and now == old) or (now and wants_mount(found, now)):
                point = found.value(now, "mountpoint")[0]
                if point.startswith("/"):
                    mount_set(found, now)
        for point in points.values():
            _remove_empty(found, point)


def _remove_empty(found: Pools, point: str) -> None:
    """Remove a mount point that is left over, as libzfs does."""
    if any(each["target"] == point for each in found.files.mounts):
        return
    with contextlib.suppress(OSError):
        found.host.path(point).rmdir()


def _files(top: Path) -> list[Path]:
    return [Path(folder, name) for folder, _folders, names in os.walk(top) for name in names]


def _same(kept: Path, now: Path) -> bool:
    """Say whether a file is still what a snapshot keeps; written anew alike, it counts as the same."""
    if kept.is_symlink() or now.is_symlink() or not kept.is_file():
        return True
    if not now.is_file() or now.stat().st_size != kept.stat().st_size:
        return False
    return now.read_bytes() == kept.read_bytes()
