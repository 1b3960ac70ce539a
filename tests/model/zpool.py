# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zpool(8)."""

from __future__ import annotations

import os
import re
import typing as t

from model.zfs import checked, make_set, mount_all_of, mount_if_wanted, parse
from model.zfs_list import print_table
from model.zfs_state import LABELS, METASLAB, Pools, ZfsError, new_guid, nice, pools, unmount_set

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host, State

USAGES = {
    "create": "\tcreate [-fnd] [-o property=value] ... \n\t    [-O file-system-property=value] ... \n"
    "\t    [-m mountpoint] [-R root] <pool> <vdev> ...\n",
    "destroy": "\tdestroy [-f] <pool>\n",
    "export": "\texport [-af] <pool> ...\n",
    "import": "\timport [-d dir] [-D]\n",
    "list": "\tlist [-gHLpPv] [-o property[,...]]"
    " [-j [--json-int, --json-pool-key-guid]] ...\n"
    "\t    [-T d|u] [pool] [interval [count]]\n",
    "status": "\tstatus [-DdegiLPpstvx] ... \n"
    "\t    [-j|--json [--json-flat-vdevs] [--json-int] [--json-pool-key-guid]] ...\n"
    "\t    [-T d|u] [--power] [pool] [interval [count]]\n",
    "get": "\tget [-Hp] [-j [--json-int, --json-pool-key-guid]]"
    ' [-o "all" | field[,...]] <"all" | property[,...]> <pool> ...\n',
}
COLUMNS = (
    "name",
    "size",
    "allocated",
    "free",
    "checkpoint",
    "expandsize",
    "fragmentation",
    "capacity",
    "dedupratio",
    "health",
    "altroot",
)
HEADS = {
    "allocated": "ALLOC",
    "checkpoint": "CKPOINT",
    "expandsize": "EXPANDSZ",
    "fragmentation": "FRAG",
    "capacity": "CAP",
    "dedupratio": "DEDUP",
}
SHORT = {
    "alloc": "allocated",
    "cap": "capacity",
    "frag": "fragmentation",
    "dedup": "dedupratio",
    "ckpoint": "checkpoint",
    "expandsz": "expandsize",
}
SIZES = frozenset({"size", "allocated", "free"})
LEFT = frozenset({"name", "health", "altroot"})
RAIDS = re.compile(r"mirror|raidz[123]?|spare|log|cache|special|dedup")
MIN_DEVICE = 64 << 20

Found = dict[str, list[str]]


def _misuse(command: str, text: str) -> ZfsError:
    return ZfsError(f"{text}\nusage:\n{USAGES.get(command, '')}".rstrip("\n"), 2)


def zpool(ctx: Context) -> int:
    """zpool(8)."""
    try:
        words = ctx.arguments
        if not words or words[0] not in COMMANDS:
            what = f"unrecognized command '{words[0]}'" if words else "missing command"
            raise ZfsError(f"{what}\nusage: zpool command args ...", 2)
        if ctx.jail is not None:
            raise ZfsError("internal error: failed to initialize ZFS library")
        letters, action, change = COMMANDS[words[0]]
        try:
            flags, operands = parse(words[0], letters, words[1:])
        except ZfsError as error:
            raise _misuse(words[0], error.text.partition("\n")[0]) from None
        with pools(ctx.host, change=change) as found:
            return action(ctx, found, flags, operands)
    except ZfsError as error:
        ctx.err.write(error.text + "\n")
        return error.status


def device_size(host: Host, device: str) -> int | None:
    """Return the size of a disk (of the machine, or a memory disk); None if there is none of that name."""
    from model import md  # noqa: PLC0415

    return md.device_size(host, device)


def _active(found: Pools, name: str) -> State:
    pool: State | None = found.pools.get(name)
    if pool is None or pool["exported"]:
        raise ZfsError(f"cannot open '{name}': no such pool")
    return pool


def _create(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    if len(operands) < 2:
        raise _misuse("create", "missing pool name argument" if not operands else "missing vdev specification")
    name, *vdevs = operands
    sizes = [_take(ctx, found, flags, vdev) for vdev in vdevs if not RAIDS.fullmatch(vdev)]
    if name in found.pools and not found.pools[name]["exported"]:
        raise ZfsError(f"cannot create '{name}': pool already exists")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.: -]*", name) or re.match(r"(mirror|raidz|draid|spare|log)", name):
        raise ZfsError(
            f"cannot create '{name}': name is reserved"
            if RAIDS.match(name)
            else f"cannot create '{name}': name must begin with a letter"
        )
    props = {}
    for word in flags.get("O", []):
        prop, _unused, value = word.partition("=")
        try:
            props[prop] = checked(prop, value)
        except ZfsError as error:
            raise ZfsError(f"cannot create '{name}': {error.text}") from None
    if "m" in flags:
        props["mountpoint"] = flags["m"][-1]
    if "n" in flags:
        return 0
    mirrored = any(vdev.startswith("mirror") for vdev in vdevs)
    found.pools[name] = {
        "guid": str(new_guid()),
        "size": min(sizes) if mirrored else sum(sizes),
        "devices": [os.path.basename(vdev) for vdev in vdevs if not RAIDS.fullmatch(vdev)],
        "vdevs": [vdev if RAIDS.fullmatch(vdev) else os.path.basename(vdev) for vdev in vdevs],
        "exported": False,
        "txg": 0,
        "sets": {},
    }
    # The root file system is made in the first transaction.
    entry = make_set(found, name, props)
    entry["txg"] = 1
    mount_if_wanted(found, name)
    return 0


def _take(ctx: Context, found: Pools, flags: Found, vdev: str) -> int:
    """Return what a device adds to a new pool; raises ZfsError if it cannot be one of its devices."""
    device = os.path.basename(vdev)
    size = device_size(ctx.host, device)
    if size is None:
        raise ZfsError(f"cannot open '{vdev}': no such GEOM provider\nmust be a full path or shorthand device name")
    _check_free(found, flags, device)
    if size < MIN_DEVICE:
        raise ZfsError(f"cannot use '/dev/{device}': device is too small")
    return (size - LABELS) // METASLAB * METASLAB or size - LABELS


def _check_free(found: Pools, flags: Found, device: str) -> None:
    for name, pool in found.pools.items():
        if device not in pool["devices"]:
            continue
        if not pool["exported"]:
            raise ZfsError(
                "invalid vdev specification\nuse '-f' to override the following errors:\n"
                f"/dev/{device} is part of active pool '{name}'"
            )
        if "f" not in flags:
            raise ZfsError(
                "invalid vdev specification\nuse '-f' to override the following errors:\n"
                f"/dev/{device} is part of exported pool '{name}'"
            )
    for name in [name for name, pool in found.pools.items() if device in pool["devices"]]:
        _forget(found, name)


def _forget(found: Pools, name: str) -> None:
    pool = found.pools.pop(name)
    for entry in pool["sets"].values():
        found.files.discard(found.stored(entry))
    for each in [each for each in found.sets if each.partition("/")[0].partition("@")[0] == name]:
        del found.sets[each]


def _unmount_pool(found: Pools, name: str, force: bool) -> None:
    points = []
    for each in reversed(found.tree(name)):
        if each in found.mounts:
            points.append(found.mounts[each]["target"])
            unmount_set(found, each, force=force)
    for point in points:
        try:
            found.host.path(point).rmdir()
        except OSError:
            continue


def _destroy(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    del ctx
    if len(operands) != 1:
        raise _misuse("destroy", "missing pool argument" if not operands else "too many arguments")
    _active(found, operands[0])
    _unmount_pool(found, operands[0], "f" in flags)
    _forget(found, operands[0])
    return 0


def _export(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    del ctx
    names = [name for name, pool in found.pools.items() if not pool["exported"]] if "a" in flags else operands
    if not names and "a" not in flags:
        raise _misuse("export", "missing pool argument")
    for name in names:
        pool = _active(found, name)
        _unmount_pool(found, name, "f" in flags)
        pool["exported"] = True
    return 0


def _import(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    away = {name: pool for name, pool in found.pools.items() if pool["exported"]}
    if not operands and "a" not in flags:
        for name, pool in away.items():
            ctx.out.write(
                f"  pool: {name}\n    id: {pool['guid']}\n state: ONLINE\n"
                "action: The pool can be imported using its name or numeric identifier.\nconfig:\n\n"
            )
            for line in _config(name, pool, "ONLINE"):
                ctx.print(line)
        if not away:
            ctx.err.write("no pools available to import\n")
            return 1
        return 0
    for wanted in operands[:1] or list(away):
        name = next((each for each, pool in away.items() if wanted in (each, pool["guid"])), "")
        if not name:
            if wanted in found.pools:
                raise ZfsError(
                    f"cannot import '{wanted}': a pool with that name already exists\n"
                    "use the form 'zpool import <pool | id> <newpool>' to give it a new name"
                )
            raise ZfsError(f"cannot import '{wanted}': no such pool available")
        pool = found.pools[name]
        pool["exported"] = False
        found.sets.update(pool["sets"])
    if "N" not in flags:
        mount_all_of(found)
    return 0


def _config(name: str, pool: State, tail: str) -> t.Iterator[str]:
    rows = [(0, name)]
    inner = 1
    for vdev in pool["vdevs"]:
        if RAIDS.fullmatch(vdev):
            rows.append((1, f"{vdev}-0"))
            inner = 2
        else:
            rows.append((inner, vdev))
    wide = max(10, *(2 * depth + len(text) for depth, text in rows))
    for depth, text in rows:
        yield f"\t{'  ' * depth + text:<{wide}}  {tail}"


def _status(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    names = operands or [name for name, pool in found.pools.items() if not pool["exported"]]
    if not names:
        ctx.print("no pools available")
        return 0
    for name in names:
        _active(found, name)
    if "x" in flags:
        ctx.print("all pools are healthy" if not operands else f"pool '{operands[0]}' is healthy")
        return 0
    for place, name in enumerate(names):
        if place:
            ctx.print()
        ctx.out.write(f"  pool: {name}\n state: ONLINE\nconfig:\n\n")
        pool = found.pools[name]
        lines = list(_config(name, pool, "ONLINE       0     0     0"))
        wide = len(lines[0]) - len("  ONLINE       0     0     0") - 1
        ctx.print(f"\t{'NAME':<{wide}}  STATE     READ WRITE CKSUM")
        for line in lines:
            ctx.print(line)
        ctx.print("\nerrors: No known data errors")
    return 0


def _value(found: Pools, name: str, prop: str, *, exact: bool) -> str:
    pool = found.pools[name]
    size = int(pool["size"])
    taken = found.used(name) * 2 // 3 if found.used(name) < 1 << 20 else found.used(name)
    numbers = {"size": size, "allocated": taken, "free": size - taken}
    if prop in numbers:
        return str(numbers[prop]) if exact else nice(numbers[prop])
    share = taken * 100 // size
    texts = {
        "name": name,
        "checkpoint": "-",
        "expandsize": "-",
        "fragmentation": "0" if exact else "0%",
        "capacity": f"{share}" if exact else f"{share}%",
        "dedupratio": "1.00" if exact else "1.00x",
        "health": "ONLINE",
        "altroot": "-",
        "guid": pool["guid"],
        "autoexpand": "off",
        "autotrim": "off",
        "readonly": "off",
        "compatibility": "off",
        "ashift": "0",
        "bootfs": "-",
        "failmode": "wait",
        "cachefile": "-",
    }
    if prop not in texts:
        raise _misuse("get", f"bad property list: invalid property '{prop}'")
    return str(texts[prop])


def _list(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    names = operands or [name for name, pool in found.pools.items() if not pool["exported"]]
    for name in names:
        _active(found, name)
    if not names:
        ctx.print("no pools available")
        return 0
    columns = [SHORT.get(word, word) for word in flags["o"][-1].split(",")] if "o" in flags else list(COLUMNS)
    rows = [[_value(found, name, column, exact="p" in flags) for column in columns] for name in names]
    if "H" in flags:
        for row in rows:
            ctx.print("\t".join(row))
        return 0
    print_table(ctx, [HEADS.get(c, c.upper()) for c in columns], rows, [column not in LEFT for column in columns])
    return 0


def _get(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    if not operands:
        raise _misuse("get", "missing property argument")
    names = operands[1:] or [name for name, pool in found.pools.items() if not pool["exported"]]
    for name in names:
        _active(found, name)
    props = (
        [*list(COLUMNS[1:]), "guid", "autoexpand", "readonly", "ashift"]
        if operands[0] == "all"
        else operands[0].split(",")
    )
    columns = flags.get("o", ["name,property,value,source"])[-1].split(",")
    rows = []
    for name in names:
        for prop in props:
            value = _value(found, name, SHORT.get(prop, prop), exact="p" in flags)
            cells = {"name": name, "property": prop, "value": value, "source": "-"}
            rows.append([cells.get(column, "-") for column in columns])
    if "H" in flags:
        for row in rows:
            ctx.print("\t".join(row))
    else:
        print_table(ctx, [column.upper() for column in columns], rows, [False] * len(columns))
    return 0


Action = t.Callable[["Context", Pools, Found, list[str]], int]
COMMANDS: dict[str, tuple[str, Action, bool]] = {
    "create": ("fndo:O:m:R:t:", _create, True),
    "destroy": ("f", _destroy, True),
    "export": ("af", _export, True),
    "import": ("aCc:d:DEfFmnNo:R:tT:lVX", _import, True),
    "status": ("DdegiLPpstvxT:", _status, False),
    "list": ("gHLo:pPT:v", _list, False),
    "get": ("Ho:p", _get, False),
}


def boot(host: Host) -> None:
    """Mount the file systems of the imported pools, as rc.d/zpool and rc.d/zfs do at boot."""
    with pools(host, change=True) as found:
        mount_all_of(found)
