# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zfs(8), all but list and get (see model.zfs_list) and send and receive (see model.zfs_stream)."""

from __future__ import annotations

import getopt
import os
import re
import time
import typing as t

from model.zfs_state import (
    COMPUTED,
    INHERITED,
    NUMBER,
    SETTABLE,
    SHORT,
    Pools,
    ZfsError,
    mount_set,
    parent,
    pools,
    unmount_set,
    unmounted,
    wants_mount,
)

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host, State

USAGES = {
    "create": "\tcreate [-Pnpuv] [-o property=value] ... <filesystem>\n",
    "destroy": "\tdestroy [-fnpRrv] <filesystem|volume>\n"
    "\tdestroy [-dnpRrv] <filesystem|volume>@<snap>[%<snap>][,...]\n",
    "snapshot": "\tsnapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...\n",
    "rollback": "\trollback [-rRf] <snapshot>\n",
    "clone": "\tclone [-p] [-o property=value] ... <snapshot> <filesystem|volume>\n",
    "promote": "\tpromote <clone-filesystem>\n",
    "rename": "\trename [-f] <filesystem|volume|snapshot> <filesystem|volume|snapshot>\n"
    "\trename -p [-f] <filesystem|volume> <filesystem|volume>\n\trename -u [-f] <filesystem> <filesystem>\n"
    "\trename -r <snapshot> <snapshot>\n",
    "set": "\tset [-u] <property=value> ... <filesystem|volume|snapshot> ...\n",
    "inherit": "\tinherit [-rS] <property> <filesystem|volume|snapshot> ...\n",
    "mount": "\tmount\n\tmount [-flvO] [-o opts] <-a|-R filesystem|filesystem>\n",
    "unmount": "\tunmount [-fu] <-a | filesystem|mountpoint>\n",
    "hold": "\thold [-r] <tag> <snapshot> ...\n",
    "holds": "\tholds [-rHp] <snapshot> ...\n",
    "release": "\trelease [-r] <tag> <snapshot> ...\n",
    "jail": "\tjail <jailid|jailname> <filesystem>\n",
    "unjail": "\tunjail <jailid|jailname> <filesystem>\n",
    "send": "\tsend [-DLPbcehnpsVvw] [-i|-I snapshot]\n\t     [-R [-X dataset[,dataset]...]]     <snapshot>\n",
    "receive": "\treceive [-vMnsFhu] [-o <property>=<value>] ... [-x <property>] ...\n"
    "\t    <filesystem|volume|snapshot>\n",
    "list": "\tlist [-Hp] [-j [--json-int]] [-r|-d max] [-o property[,...]] [-s property]...\n"
    "\t    [-S property]... [-t type[,...]] [filesystem|volume|snapshot] ...\n",
    "get": '\tget [-rHp] [-j [--json-int]] [-d max] [-o "all" | field[,...]]\n'
    "\t    [-t type[,...]] [-s source[,...]]\n"
    '\t    <"all" | property[,...]> [filesystem|volume|snapshot|bookmark] ...\n',
}
TAIL = """
For the property list, run: zfs set|get

For the delegated permission list, run: zfs allow|unallow

For further help on a command or topic, run: zfs help [<topic>]
"""
ALIASES = {"snap": "snapshot", "umount": "unmount", "recv": "receive", "ls": "list"}
LETTERS = {
    "create": "no:pPuv",
    "destroy": "dfnprRv",
    "snapshot": "ro:",
    "rollback": "rRf",
    "clone": "o:p",
    "promote": "",
    "rename": "fpru",
    "set": "u",
    "inherit": "rS",
    "mount": "afo:vOlR",
    "unmount": "afu",
    "hold": "r",
    "holds": "rHp",
    "release": "r",
    "jail": "",
    "unjail": "",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.: -]*(/[A-Za-z0-9_.: -]+)*")
SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)(?:i?B?)", re.IGNORECASE)
MAX_NAME = 256

Found = dict[str, list[str]]


def misuse(command: str, text: str) -> ZfsError:
    """Return the error of a call that zfs does not understand."""
    return ZfsError(f"{text}\nusage:\n{USAGES.get(command, '')}{TAIL.rstrip()}", 2)


def zfs(ctx: Context) -> int:
    """zfs(8)."""
    try:
        return _run(ctx)
    except ZfsError as error:
        ctx.err.write(error.text + "\n" * bool(error.text))
        return error.status


def _run(ctx: Context) -> int:
    words = ctx.arguments
    if not words:
        raise ZfsError("missing command\nusage: zfs command args ...", 2)
    if ctx.jail is not None:
        raise ZfsError("internal error: failed to initialize ZFS library")
    command = ALIASES.get(words[0], words[0])
    if command in ("list", "get"):
        from model import zfs_list  # noqa: PLC0415

        return zfs_list.run(ctx, command, words[1:])
    if command in ("send", "receive"):
        from model import zfs_stream  # noqa: PLC0415

        return zfs_stream.run(ctx, command, words[1:])
    if command in ("version", "-V", "--version"):
        ctx.print("zfs-2.4.0-FreeBSD\nzfs-kmod-2.4.0-FreeBSD")
        return 0
    if command not in COMMANDS:
        raise ZfsError(f"unrecognized command '{words[0]}'\nusage: zfs command args ...", 2)
    flags, operands = parse(command, LETTERS[command], words[1:])
    with pools(ctx.host, change=True) as found:
        return COMMANDS[command](ctx, found, flags, operands) or 0


def parse(command: str, letters: str, words: t.Sequence[str], long: t.Sequence[str] = ()) -> tuple[Found, list[str]]:
    """Parse a subcommand's options."""
    try:
        pairs, operands = getopt.getopt(list(words), letters, list(long))
    except getopt.GetoptError as error:
        if "requires argument" in error.msg:
            raise misuse(command, f"missing argument for '{error.opt}' option") from None
        raise misuse(command, f"invalid option '{error.opt[:1] or '-'}'") from None
    found: Found = {}
    for letter, value in pairs:
        found.setdefault(letter.lstrip("-"), []).append(value)
    return found, operands


def _need(command: str, operands: list[str], least: int, most: int, what: str) -> None:
    if len(operands) < least:
        raise misuse(command, f"missing {what} argument")
    if len(operands) > most:
        raise misuse(command, "too many arguments")


# Properties -----------------------------------------------------------------------------------------------------------


def number(text: str) -> int | None:
    """Read a size; None if it is none."""
    match = SIZE.fullmatch(text)
    if not match:
        return None
    return int(float(match[1]) * 1024 ** (" KMGTPE".index(match[2].upper()) if match[2] else 0))


def checked(prop: str, value: str) -> str:
    """Return a property's value as it is kept; raises ZfsError with the reason."""
    if ":" in prop:
        return value
    if prop in COMPUTED:
        raise ZfsError(f"'{prop}' is readonly")
    if prop not in SETTABLE:
        raise ZfsError(f"invalid property '{prop}'")
    known = SETTABLE[prop][1]
    if known == NUMBER:
        if value == "none":
            return "0" if prop not in ("snapshot_limit", "filesystem_limit") else "none"
        found = number(value)
        if found is None:
            raise ZfsError(f"bad numeric value '{value}'")
        return str(found)
    if known and value not in known:
        raise ZfsError(f"'{prop}' must be one of '{' | '.join(known)}'")
    if prop == "mountpoint" and not value.startswith("/") and value not in ("none", "legacy"):
        raise ZfsError(f"'{prop}' must be an absolute path, 'none', or 'legacy'")
    return value


def _given(flags: Found, command: str) -> dict[str, str]:
    props = {}
    for word in flags.get("o", []):
        prop, equals, value = word.partition("=")
        if not equals:
            raise misuse(command, "missing '=' for property=value argument")
        props[SHORT.get(prop, prop)] = value
    return props


def _check_all(props: t.Mapping[str, str], text: str) -> dict[str, str]:
    try:
        return {prop: checked(prop, value) for prop, value in props.items()}
    except ZfsError as error:
        raise ZfsError(f"{text}: {error.text}") from None


def set_properties(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs set."""
    settings = [word for word in operands if "=" in word]
    names = [word for word in operands if "=" not in word]
    if not settings or not names:
        raise misuse("set", "missing property=value argument(s)" if not settings else "missing dataset name(s)")
    del ctx
    wished = {SHORT.get(prop, prop): value for prop, _equals, value in (word.partition("=") for word in settings)}
    for name in names:
        found.get(name)
        text = f"cannot set property for '{name}'"
        try:
            props = _check_all(wished, text)
        except ZfsError as error:
            raise ZfsError(error.text, 255) from None
        if "@" in name and any(":" not in prop for prop in props):
            raise ZfsError(f"{text}: this property can not be modified for snapshots", 255)
        left = _set_those_that_fit(found, name, props, mounting="u" not in flags)
        if left:
            raise ZfsError("\n".join(f"{text}: {why}" for why in left.values()), 255)
    return 0


def _set_those_that_fit(
    found: Pools, name: str, props: t.Mapping[str, str], *, mounting: bool = False
) -> dict[str, str]:
    """Set properties, those that do not fit once more after all others; return why those did not that are left.

    As zfs_set_prop_nvlist() in the kernel: what could be set stays set.
    """
    for _turn in range(2):
        left = {}
        for prop, value in props.items():
            why = _too_much(found, name, prop, value)
            if why:
                left[prop] = why
            else:
                _set_one(found, name, prop, value, mounting=mounting)
        props = {prop: props[prop] for prop in left}
    return left


def _too_much(found: Pools, name: str, prop: str, value: str) -> str:
    """Say why a limit or reservation does not fit, '' for one that does and for all other properties."""
    if prop in ("quota", "refquota"):
        taken = found.used(name) if prop == "quota" else found.referenced(name)
        aside = found.limit(name, "reservation" if prop == "quota" else "refreservation")
        return "size is less than current used or reserved space" if 0 < int(value) < max(taken, aside) else ""
    if prop in ("reservation", "refreservation"):
        limit = found.limit(name, "quota" if prop == "reservation" else "refquota")
        used, above = found.used(name), parent(name)
        more = max(used, int(value)) - max(used, found.limit(name, "reservation"))
        room = found.room(above) if above else found.pool_available(name)
        return "size is greater than available space" if more > max(0, room) or 0 < limit < int(value) else ""
    return ""


def _set_one(found: Pools, name: str, prop: str, value: str, *, mounting: bool) -> None:
    entry = found.get(name)
    if prop in ("mountpoint", "canmount", "jailed") and mounting and "@" not in name:
        with unmounted(found, name):
            entry["props"][prop] = value
            if prop == "mountpoint" and wants_mount(found, name) and name not in found.mounts:
                mount_set(found, name)
        return
    entry["props"][prop] = value
    if prop in ("readonly", "atime", "exec", "setuid"):
        _remark(found, name)


def _remark(found: Pools, name: str) -> None:
    """Let the mount table show a changed property of the file system and of those that inherit it."""
    with found.host.kernel() as kernel:
        for entry in kernel.get("mount", []):
            if entry["type"] == "zfs" and (entry["source"] == name or entry["source"].startswith(name + "/")):
                words = [option for option in entry["options"] if option not in ("ro", "rw", "noatime")]
                words += ["ro"] if found.value(entry["source"], "readonly")[0] == "on" else []
                words += ["noatime"] if found.value(entry["source"], "atime")[0] == "off" else []
                entry["options"] = words or ["rw"]


def inherit(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs inherit."""
    del ctx
    _need("inherit", operands, 2, 1 << 20, "property" if not operands else "dataset")
    prop = SHORT.get(operands[0], operands[0])
    if prop not in INHERITED and ":" not in prop:
        if prop in SETTABLE:
            raise ZfsError(f"'{prop}' property cannot be inherited\nuse 'zfs set {prop}=none' to clear")
        raise misuse("inherit", f"invalid property '{prop}'")
    for name in operands[1:]:
        found.get(name)
        for each in found.tree(name) if "r" in flags else [name]:
            if prop == "mountpoint":
                with unmounted(found, each):
                    found.sets[each]["props"].pop(prop, None)
            else:
                found.sets[each]["props"].pop(prop, None)
    return 0


# Making ---------------------------------------------------------------------------------------------------------------


def check_new(found: Pools, name: str, verb: str) -> None:
    """Raise what zfs says to a name that cannot be a new file system's."""
    if not NAME.fullmatch(name) or len(name) >= MAX_NAME:
        bad = re.search(r"[^A-Za-z0-9_.:/ -]", name)
        why = (
            f"invalid character '{bad[0]}' in name"
            if bad
            else "name is too long"
            if len(name) >= MAX_NAME
            else ("empty component or misplaced '@' or '#' delimiter in name")
        )
        raise ZfsError(f"{verb} '{name}': {why}")
    if name in found.sets:
        raise ZfsError(f"{verb} '{name}': dataset already exists")
    pool = name.partition("/")[0]
    if pool not in found.sets:
        raise ZfsError(f"{verb} '{name}': no such pool '{pool}'")


def make_set(found: Pools, name: str, props: t.Mapping[str, str]) -> State:
    """Make an empty file system."""
    entry = found.new(name, props=dict(props))
    folder = found.stored(entry)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    return entry


def _parents(found: Pools, name: str) -> None:
    parts = parent(name).split("/")
    for end in range(1, len(parts) + 1):
        above = "/".join(parts[:end])
        if above not in found.sets:
            check_new(found, above, "cannot create")
            make_set(found, above, {})
            mount_if_wanted(found, above)


def mount_if_wanted(found: Pools, name: str) -> None:
    """Mount a new file system unless its properties say no."""
    if wants_mount(found, name):
        mount_set(found, name)


def create(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs create."""
    del ctx
    _need("create", operands, 1, 1, "filesystem")
    name = operands[0].rstrip("/") if operands[0] != "/" else operands[0]
    props = _check_all(_given(flags, "create"), f"cannot create '{name}'")
    if "p" in flags and name in found.sets:
        return 0
    check_new(found, name, "cannot create")
    if "p" in flags:
        _parents(found, name)
    if parent(name) not in found.sets:
        raise ZfsError(f"cannot create '{name}': parent does not exist")
    if found.available(parent(name)) < 1:
        raise ZfsError(f"cannot create '{name}': out of space")
    if "n" in flags:
        return 0
    make_set(found, name, {})
    _limit_new(found, name, props)
    if "u" not in flags:
        mount_if_wanted(found, name)
    return 0


def _limit_new(found: Pools, name: str, props: t.Mapping[str, str]) -> None:
    """Give a new file system its properties; one that its limits do not fit is gone again."""
    if _set_those_that_fit(found, name, props):
        remove_set(found, name)
        raise ZfsError(f"cannot create '{name}': out of space")


def snapshot(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs snapshot."""
    del ctx
    _need("snapshot", operands, 1, 1 << 20, "snapshot")
    props = _check_all(_given(flags, "snapshot"), "cannot create snapshots")
    wanted = []
    for word in operands:
        name, at, label = word.partition("@")
        if not at or not label or not re.fullmatch(r"[A-Za-z0-9_.: -]+", label):
            raise ZfsError(
                f"cannot create snapshot '{word}': "
                + ("invalid character in name" if label else "missing '@' delimiter in snapshot name"),
                1,
            )
        if name not in found.sets:
            raise ZfsError(f"cannot open '{name}': dataset does not exist")
        wanted += [f"{each}@{label}" for each in (found.tree(name) if "r" in flags else [name])]
    for each in wanted:
        if each in found.sets:
            raise ZfsError(f"cannot create snapshot '{each}': dataset already exists")
    for each in wanted:
        make_snapshot(found, each, props)
    return 0


def make_snapshot(found: Pools, name: str, props: t.Mapping[str, str] | None = None) -> State:
    """Keep a file system's content as it is now."""
    source = found.content(parent(name))
    size = found.referenced(parent(name))
    entry = found.new(name, props=dict(props or {}), size=size)
    found.files.copy_tree(source, found.stored(entry), found.inner_mounts(source))
    return entry


def clone(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs clone."""
    del ctx
    _need("clone", operands, 2, 2, "source dataset" if not operands else "target dataset")
    source, name = operands
    props = _check_all(_given(flags, "clone"), f"cannot create '{name}'")
    origin = found.get(source)
    if "@" not in source:
        raise ZfsError(f"cannot open '{source}': operation not applicable to datasets of this type")
    if "p" in flags and name in found.sets:
        return 0
    check_new(found, name, "cannot create")
    if "p" in flags:
        _parents(found, name)
    if parent(name) not in found.sets:
        raise ZfsError(f"cannot create '{name}': parent does not exist")
    if name.partition("/")[0] != source.partition("/")[0]:
        raise ZfsError(f"cannot create '{name}': source and target pools differ")
    entry = found.new(name, origin=origin["id"])
    found.files.copy_tree(found.stored(origin), found.stored(entry))
    _limit_new(found, name, props)
    found.files.save()
    mount_if_wanted(found, name)
    return 0


# Removing and changing ------------------------------------------------------------------------------------------------


def destroy(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs destroy."""
    _need("destroy", operands, 1, 1, "dataset")
    name = operands[0]
    if "@" in name:
        return _destroy_snapshots(ctx, found, flags, name)
    found.get(name)
    below = [each for each in found.tree(name) if each != name]
    inside = [*found.snapshots(name), *below, *[s for each in below for s in found.snapshots(each)]]
    if inside and not flags.keys() & {"r", "R"}:
        listed = "\n".join(sorted(inside, key=lambda each: (each.partition("@")[0], "@" in each)))
        raise ZfsError(
            f"cannot destroy '{name}': filesystem has children\nuse '-r' to destroy the following datasets:\n{listed}"
        )
    gone = [name, *below]
    _destroy_clones(found, flags, gone, f"cannot destroy '{name}': filesystem has dependent clones")
    for each in [s for one in gone for s in found.snapshots(one)]:
        _check_hold(found, each)
    if name == name.partition("/")[0]:
        raise ZfsError(
            f"cannot destroy '{name}': operation does not apply to pools\n"
            f"use 'zfs destroy -r {name}' to destroy all datasets in the pool\n"
            f"use 'zpool destroy {name}' to destroy the pool itself"
        )
    if "n" in flags:
        return 0
    for each in reversed(gone):
        if each in found.sets:
            remove_set(found, each, force="f" in flags)
    return 0


def _destroy_clones(found: Pools, flags: Found, gone: list[str], text: str) -> None:
    clones = [c for each in gone for s in found.snapshots(each) for c in found.clones(s) if c not in gone]
    if clones and "R" not in flags:
        raise ZfsError(f"{text}\nuse '-R' to destroy the following datasets:\n" + "\n".join(clones))
    for each in clones:
        for inner in reversed(found.tree(each)):
            remove_set(found, inner, force="f" in flags)


def remove_set(found: Pools, name: str, *, force: bool = False) -> None:
    """Remove a file system with its snapshots."""
    point = found.mounts.get(name, {}).get("target", "")
    unmount_set(found, name, force=force)
    for each in found.snapshots(name):
        remove_snapshot(found, each)
    found.files.discard(found.stored(found.drop(name)))
    if point:
        try:
            found.host.path(point).rmdir()
        except OSError:
            return


def remove_snapshot(found: Pools, name: str) -> None:
    """Remove a snapshot."""
    found.files.discard(found.stored(found.drop(name)))


def _check_hold(found: Pools, name: str) -> None:
    if found.sets[name].get("holds"):
        raise ZfsError(f"cannot destroy snapshot {name}: it's being held. Run 'zfs holds -r {name}' to see holders.")


def _destroy_snapshots(ctx: Context, found: Pools, flags: Found, word: str) -> int:
    base, _unused, labels = word.partition("@")
    names = []
    for label in labels.split(","):
        for each in found.tree(base) if "r" in flags else [base]:
            if f"{each}@{label}" in found.sets:
                names.append(f"{each}@{label}")
    if not names:
        found.get(base)
        ctx.err.write("could not find any snapshots to destroy; check snapshot names.\n")
        return 1
    for name in names:
        clones = found.clones(name)
        if clones and "R" not in flags:
            raise ZfsError(
                f"cannot destroy '{name}': snapshot has dependent clones\n"
                "use '-R' to destroy the following datasets:\n" + "\n".join(clones)
            )
        _check_hold(found, name)
    for name in names if "n" not in flags else ():
        for each in [inner for one in found.clones(name) for inner in reversed(found.tree(one))]:
            remove_set(found, each)
        remove_snapshot(found, name)
    return 0


def rollback(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs rollback."""
    del ctx
    _need("rollback", operands, 1, 1, "dataset")
    name = operands[0]
    entry = found.get(name)
    base = parent(name)
    later = [each for each in found.snapshots(base) if found.sets[each]["txg"] > entry["txg"]]
    if later and not flags.keys() & {"r", "R"}:
        raise ZfsError(
            f"cannot rollback to '{name}': more recent snapshots or bookmarks exist\n"
            "use '-r' to force deletion of the following snapshots and bookmarks:\n" + "\n".join(later)
        )
    clones = [clone for each in later for clone in found.clones(each)]
    if clones and "R" not in flags:
        raise ZfsError(
            f"cannot rollback to '{name}': clones of previous snapshots exist\n"
            "use '-R' to force deletion of the following clones and dependents:\n" + "\n".join(clones)
        )
    for each in later:
        _check_hold(found, each)
    for each in [inner for clone in clones for inner in reversed(found.tree(clone))]:
        remove_set(found, each, force="f" in flags)
    for each in later:
        remove_snapshot(found, each)
    restore(found, base, found.stored(entry))
    return 0


def restore(found: Pools, name: str, source: os.PathLike[str]) -> None:
    """Give a file system the content of the folder; what is mounted inside stays."""
    from pathlib import Path  # noqa: PLC0415

    was_mounted = [each for each in reversed(found.tree(name)) if each in found.mounts]
    for each in was_mounted:
        unmount_set(found, each)
    folder = found.stored(found.sets[name])
    found.files.discard(folder)
    found.files.copy_tree(Path(source), folder)
    found.files.save()
    for each in reversed(was_mounted):
        mount_set(found, each)


def promote(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs promote."""
    del ctx, flags
    _need("promote", operands, 1, 1, "clone filesystem")
    name = operands[0]
    entry = found.get(name)
    snap = found.named(entry["origin"]) if entry["origin"] else ""
    if not snap:
        raise ZfsError(f"cannot promote '{name}': not a cloned filesystem")
    old = found.get(parent(snap))
    moving = [each for each in found.snapshots(parent(snap)) if found.sets[each]["txg"] <= found.sets[snap]["txg"]]
    for each in moving:
        if f"{name}@{each.partition('@')[2]}" in found.sets:
            raise ZfsError(
                f"cannot promote '{name}': snapshot name '{each}' from origin\n\tconflicts with '{each}' from target"
            )
    for each in moving:
        found.put(f"{name}@{each.partition('@')[2]}", found.drop(each))
    old["origin"], entry["origin"] = entry["origin"], old["origin"]
    return 0


def rename(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs rename."""
    del ctx
    _need("rename", operands, 2, 2, "source dataset" if not operands else "target dataset")
    old, new = operands
    found.get(old)
    if "@" in old:
        new = new if "@" in new else f"{parent(old)}@{new.lstrip('@')}"
        bases = found.tree(parent(old)) if "r" in flags else [parent(old)]
        for base in bases:
            one, two = f"{base}@{old.partition('@')[2]}", f"{base}@{new.partition('@')[2]}"
            if two in found.sets:
                raise ZfsError(f"cannot rename to '{two}': dataset already exists")
            if one in found.sets:
                found.put(two, found.drop(one))
        return 0
    check_new(found, new, "cannot rename to")
    if "p" in flags:
        _parents(found, new)
    if parent(new) not in found.sets:
        raise ZfsError(f"cannot create '{new}': parent does not exist")
    if new.startswith(old + "/"):
        raise ZfsError(f"cannot rename to '{new}': New dataset name cannot be a descendant of current dataset name")
    with unmounted(found, old):
        for each in [name for name in found.sets if name == old or name.startswith((old + "/", old + "@"))]:
            found.put(new + each[len(old) :], found.drop(each))
    return 0


# Mounting -------------------------------------------------------------------------------------------------------------


def mount(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs mount."""
    if "a" in flags:
        mount_all_of(found)
        return 0
    if not operands:
        for name, entry in found.mounts.items():
            ctx.print(f"{name:<30}  {entry['target']}")
        return 0
    _need("mount", operands, 1, 1, "dataset")
    name = operands[0]
    found.get(name)
    point = found.value(name, "mountpoint")[0]
    if point in ("legacy", "none"):
        why = "legacy mountpoint" if point == "legacy" else "no mountpoint set"
        raise ZfsError(f"cannot mount '{name}': {why}")
    if found.value(name, "canmount")[0] == "off":
        raise ZfsError(f"cannot mount '{name}': 'canmount' property is set to 'off'")
    if name in found.mounts:
        raise ZfsError(f"cannot mount '{name}': filesystem already mounted")
    mount_set(found, name)
    return 0


def mount_all_of(found: Pools) -> None:
    """Mount every file system that wants it, by mount point."""
    wanted = [name for name in found.sets if "@" not in name and name not in found.mounts and wants_mount(found, name)]
    for name in sorted(wanted, key=lambda each: found.value(each, "mountpoint")[0]):
        mount_set(found, name)


def mount_all(host: Host) -> None:
    """Mount every file system of the imported pools, as rc.d/zfs does at boot."""
    with pools(host, change=True) as found:
        mount_all_of(found)


def unmount(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs unmount."""
    if "a" in flags:
        for name in reversed(list(found.mounts)):
            unmount_set(found, name, force="f" in flags)
        return 0
    _need("unmount", operands, 1, 1, "filesystem")
    word = operands[0]
    name = next((each for each, entry in found.mounts.items() if entry["target"] == word), word)
    found.get(name)
    del ctx
    if name not in found.mounts:
        raise ZfsError(f"cannot unmount '{name}': not currently mounted")
    for each in reversed(found.tree(name)):
        unmount_set(found, each, force="f" in flags)
    return 0


# Holds, jails ---------------------------------------------------------------------------------------------------------


def _each_snapshot(found: Pools, flags: Found, words: list[str], command: str) -> list[str]:
    names = []
    for word in words:
        if "@" not in word:
            raise misuse(command, f"'{word}' is not a snapshot")
        base, _unused, label = word.partition("@")
        chosen = [f"{each}@{label}" for each in found.tree(base)] if "r" in flags else [word]
        chosen = [each for each in chosen if each in found.sets]
        if not chosen:
            raise ZfsError(f"cannot open '{word}': dataset does not exist")
        names += chosen
    return names


def hold(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs hold."""
    del ctx
    _need("hold", operands, 2, 1 << 20, "arguments" if not operands else "snapshot")
    tag = operands[0]
    for name in _each_snapshot(found, flags, operands[1:], "hold"):
        holds = found.sets[name].setdefault("holds", {})
        if tag in holds:
            raise ZfsError(f"cannot hold snapshot '{name}': tag already exists on this dataset")
        holds[tag] = int(time.time())
    return 0


def release(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs release."""
    del ctx
    _need("release", operands, 2, 1 << 20, "arguments" if not operands else "snapshot")
    tag = operands[0]
    for name in _each_snapshot(found, flags, operands[1:], "release"):
        if found.sets[name].get("holds", {}).pop(tag, None) is None:
            raise ZfsError(f"cannot release hold from snapshot '{name}': no such tag on this dataset")
    return 0


def holds(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs holds."""
    _need("holds", operands, 1, 1 << 20, "snapshot")
    rows = [
        (name, tag, when)
        for name in _each_snapshot(found, flags, operands, "holds")
        for tag, when in found.sets[name].get("holds", {}).items()
    ]
    if not rows:
        return 0
    wide = max(len(name) for name, _unused, _unused in rows)
    tags = max(4, *(len(tag) for _unused, tag, _unused in rows))
    if "H" not in flags:
        ctx.print(f"{'NAME':<{wide}}  {'TAG':<{tags}}  TIMESTAMP")
    for name, tag, when in rows:
        moment = str(when) if "p" in flags else time.strftime("%a %b %e %H:%M %Y", time.gmtime(when))
        ctx.print(f"{name}\t{tag}\t{moment}" if "H" in flags else f"{name:<{wide}}  {tag:<{tags}}  {moment}")
    return 0


def jail(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    """Zfs jail and zfs unjail."""
    del flags
    command = "unjail" if ctx.arguments[0] == "unjail" else "jail"
    if len(operands) != 2:
        raise misuse(command, "missing argument(s)" if len(operands) < 2 else "too many arguments")
    from model import prison  # noqa: PLC0415

    with ctx.host.kernel() as kernel:
        known = prison.find(kernel, operands[0])
    if known is None:
        raise misuse(command, "invalid jail id or name")
    found.get(operands[1])
    if command == "jail" and found.value(operands[1], "jailed")[0] != "on":
        raise ZfsError(f"cannot {command} '{operands[1]}': operation not applicable to datasets of this type")
    with ctx.host.kernel() as kernel:
        attached = kernel.setdefault("zfs_jails", {})
        attached[operands[1]] = known["name"] if command == "jail" else ""
    return 0


COMMANDS: dict[str, t.Callable[[Context, Pools, Found, list[str]], int]] = {
    "create": create,
    "destroy": destroy,
    "snapshot": snapshot,
    "rollback": rollback,
    "clone": clone,
    "promote": promote,
    "rename": rename,
    "set": set_properties,
    "inherit": inherit,
    "mount": mount,
    "unmount": unmount,
    "hold": hold,
    "holds": holds,
    "release": release,
    "jail": jail,
    "unjail": jail,
}


# What other subsystems ask --------------------------------------------------------------------------------------------


def room(host: Host, name: str) -> int:
    """Return how many bytes still fit into the file system."""
    with pools(host) as found:
        return found.available(name) if name in found.sets else 0


def space(host: Host, name: str) -> tuple[int, int]:
    """Return size and used bytes as df(1) shows them."""
    with pools(host) as found:
        if name not in found.sets:
            return 0, 0
        used = found.referenced(name)
        return used + max(0, found.available(name)), used
