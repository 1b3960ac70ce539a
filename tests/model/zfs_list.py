# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing ZFS file systems, snapshots and their properties: zfs list, zfs get."""

from __future__ import annotations

import json
import time
import typing as t

from model.zfs import misuse, parse
from model.zfs_state import COMPUTED, SETTABLE, SHORT, SIZES, Pools, nice, order, pools

if t.TYPE_CHECKING:
    from model.command import Context

COLUMNS = ("name", "used", "available", "referenced", "mountpoint")
HEADS = {
    "available": "AVAIL",
    "referenced": "REFER",
    "compressratio": "RATIO",
    "compression": "COMPRESS",
    "readonly": "RDONLY",
    "recordsize": "RECSIZE",
    "reservation": "RESERV",
    "refreservation": "REFRESERV",
    "usedbysnapshots": "USEDSNAP",
    "usedbydataset": "USEDDS",
    "usedbychildren": "USEDCHILD",
    "usedbyrefreservation": "USEDREFRESERV",
    "logicalused": "LUSED",
    "logicalreferenced": "LREFER",
}
SPACE = ("name", "available", "used", "usedbysnapshots", "usedbydataset", "usedbyrefreservation", "usedbychildren")
RIGHT = frozenset(SIZES | {"compressratio", "creation"})
KINDS = {
    "filesystem": {"fs"},
    "fs": {"fs"},
    "snapshot": {"snap"},
    "snap": {"snap"},
    "all": {"fs", "snap"},
    "volume": set(),
    "vol": set(),
    "bookmark": set(),
}
Found = dict[str, list[str]]


def run(ctx: Context, command: str, words: list[str]) -> int:
    """Zfs list or zfs get."""
    letters = "HS:d:o:prs:t:j" if command == "list" else "d:o:s:jrt:Hp"
    flags, operands = parse(command, letters, words, ["json", "json-int"])
    with pools(ctx.host) as found:
        return _list(ctx, found, flags, operands) if command == "list" else _get(ctx, found, flags, operands)


def _chosen(ctx: Context, found: Pools, flags: Found, names: list[str], kinds: set[str]) -> tuple[list[str], int]:
    """Return the datasets and snapshots that the call is about, in order, and the exit status."""
    if not names:
        depth = 1 << 30 if "d" not in flags else int(flags["d"][-1])
        names = [name for name in found.sets if "/" not in name and "@" not in name]
    else:
        depth = int(flags["d"][-1]) if "d" in flags else 1 << 30 if "r" in flags else 0
    shown: dict[str, None] = {}
    status = 0
    for name in [_by_path(found, name) for name in names]:
        if name not in found.sets:
            ctx.err.write(f"cannot open '{name}': dataset does not exist\n")
            status = 1
            continue
        top = name.count("/")
        for each in sorted(found.sets, key=order(found.sets)):
            mine = each == name or each.startswith((f"{name}/", f"{name}@"))
            level = each.count("/") + each.count("@") - top - ("@" in name)
            # A snapshot named on the command line, and snapshots asked for by type of a named file system.
            deep = depth if kinds != {"snap"} or "r" in flags or "d" in flags else max(depth, 1)
            if mine and level <= deep and (("snap" if "@" in each else "fs") in kinds or each == name):
                if each == name and "@" not in each and "fs" not in kinds:
                    continue
                shown[each] = None
    return list(shown), status


def _by_path(found: Pools, name: str) -> str:
    if not name.startswith("/"):
        return name
    return next((each for each, entry in found.mounts.items() if entry["target"] == name.rstrip("/")), name)


def _kinds(flags: Found, command: str, default: set[str]) -> set[str]:
    kinds: set[str] = set()
    for text in flags.get("t", []):
        for word in text.split(","):
            if word not in KINDS:
                raise misuse(command, f"invalid type '{word}'")
            kinds |= KINDS[word]
    return kinds or default


def _check(prop: str, command: str) -> str:
    prop = SHORT.get(prop, prop)
    if prop == "name" or prop in SETTABLE or prop in COMPUTED or prop == "mounted" or ":" in prop:
        return prop
    raise misuse(command, f"bad property list: invalid property '{prop}'")


def shown_value(prop: str, value: str, *, exact: bool) -> str:
    """Return a property's value as zfs prints it (``exact``: with -p)."""
    if value == "" or exact:
        return value or "-"
    if prop in SIZES:
        unset = value == "0" and prop in ("quota", "refquota", "reservation", "refreservation")
        return "none" if unset else nice(int(value))
    if prop == "creation":
        return time.strftime("%a %b %e %H:%M %Y", time.gmtime(int(value)))
    return f"{value}x" if prop in ("compressratio", "refcompressratio") else value


def _list(ctx: Context, found: Pools, flags: Found, names: list[str]) -> int:
    columns: list[str] = []
    for text in flags.get("o", []):
        for word in text.split(","):
            columns += SPACE if word == "space" else [_check(word, "list")]
    columns = columns or list(COLUMNS)
    plain = {"fs"} if not any("@" in name for name in names) else {"fs", "snap"}
    shown, status = _chosen(ctx, found, flags, names, _kinds(flags, "list", plain))
    for letter in ("s", "S"):
        for prop in [_check(each, "list") for each in flags.get(letter, [])]:
            shown.sort(key=lambda name, prop=prop: _sort_key(found, name, prop), reverse=letter == "S")  # type: ignore[misc]
    exact = "p" in flags
    if flags.keys() & {"j", "json"}:
        _json(ctx, found, "zfs list", shown, [c for c in columns if c != "name"], exact)
        return status
    if not shown:
        if not status and not names and "H" not in flags:
            ctx.err.write("no datasets available\n")
        return status
    rows = [
        [name if c == "name" else shown_value(c, found.value(name, c)[0], exact=exact) for c in columns]
        for name in shown
    ]
    if "H" in flags:
        for row in rows:
            ctx.print("\t".join(row))
        return status
    heads = [HEADS.get(column, column.upper()) for column in columns]
    print_table(ctx, heads, rows, [column in RIGHT for column in columns])
    return status


def _sort_key(found: Pools, name: str, prop: str) -> tuple[int, str]:
    value = name if prop == "name" else found.value(name, prop)[0]
    return (int(value), "") if value.isdigit() else (0, value)


def print_table(ctx: Context, heads: list[str], rows: list[list[str]], right: list[bool]) -> None:
    """Print rows in columns as the zfs commands do."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, *rows]:
        cells = []
        for column, cell in enumerate(row):
            last = column == len(row) - 1
            cells.append(
                f"{cell:>{widths[column]}}" if right[column] else cell if last else f"{cell:<{widths[column]}}"
            )
        ctx.print("  ".join(cells))


def _json(ctx: Context, found: Pools, command: str, names: list[str], props: list[str], exact: bool) -> None:
    sets: dict[str, t.Any] = {}
    for name in names:
        values = {}
        for prop in props:
            value, source = found.value(name, prop)
            kind, _unused, place = source.partition(" from ")
            kind = {"-": "NONE"}.get(kind, kind.upper())
            values[prop] = {
                "value": shown_value(prop, value, exact=exact),
                "source": {"type": kind, "data": place or "-"},
            }
        sets[name] = {
            "name": name,
            "type": "SNAPSHOT" if "@" in name else "FILESYSTEM",
            "pool": name.partition("/")[0],
            "createtxg": str(found.sets[name]["txg"]),
            "properties": values,
        }
        if "@" in name:
            base, _unused, label = name.partition("@")
            sets[name] |= {"dataset": base, "snapshot_name": label}
            sets[name]["pool"] = base.partition("/")[0]
    head = {"command": command, "vers_major": 0, "vers_minor": 1}
    ctx.print(json.dumps({"output_version": head, "datasets": sets}, separators=(",", ":")))


def _get(ctx: Context, found: Pools, flags: Found, operands: list[str]) -> int:
    if not operands:
        raise misuse("get", "missing property argument")
    wanted, *names = operands
    every = wanted == "all"
    props = [_check(word, "get") for word in wanted.split(",")] if not every else []
    columns = flags.get("o", ["name,property,value,source"])[-1].split(",")
    columns = ["name", "property", "value", "received", "source"] if columns == ["all"] else columns
    _check_columns(columns)
    plain = {"fs"} if not any("@" in name for name in names) and "t" not in flags else {"fs", "snap"}
    if "r" in flags or not names:
        plain = {"fs", "snap"}
    shown, status = _chosen(ctx, found, flags, names, _kinds(flags, "get", plain))
    sources = flags.get("s", ["local,default,inherited,received,temporary,none"])[-1].split(",")
    if flags.keys() & {"j", "json"}:
        _json(ctx, found, "zfs get", shown, props or _all(found, shown), "p" in flags)
        return status
    rows = []
    for name in shown:
        for prop in props or _all(found, [name]):
            cells = _cells(found, name, prop, exact="p" in flags)
            kind = "none" if cells["source"] == "-" else cells["source"].partition(" ")[0]
            if kind in sources and not (every and cells["value"] == "-"):
                rows.append([cells[column] for column in columns])
    if "H" in flags or not rows:
        for row in rows:
            ctx.print("\t".join(row))
    else:
        print_table(ctx, [column.upper() for column in columns], rows, [False] * len(columns))
    return status


def _check_columns(columns: list[str]) -> None:
    for column in columns:
        if column not in ("name", "property", "value", "source", "received"):
            raise misuse("get", f"invalid column name '{column}'")


def _cells(found: Pools, name: str, prop: str, *, exact: bool) -> dict[str, str]:
    """Return what zfs get shows of one property."""
    value, source = found.value(name, prop) if prop != "name" else (name, "-")
    return {
        "name": name,
        "property": prop,
        "value": shown_value(prop, value, exact=exact),
        # A property that this kind of dataset has not, or a user's that is not set, comes from nowhere.
        "source": source if value else "-",
        "received": "-",
    }


def _all(found: Pools, names: list[str]) -> list[str]:
    props = ["type", "creation", "used", "available", "referenced", "compressratio", "mounted", "origin"]
    props += ["quota", "reservation", "recordsize", "mountpoint"]
    props += [prop for prop in (*SETTABLE, *COMPUTED) if prop not in props]
    users = sorted({prop for name in names for prop in found.sets[name]["props"] if ":" in prop})
    inherited = sorted(
        {
            prop
            for name in names
            for above in found.sets
            if name.startswith(above + "/")
            for prop in found.sets[above]["props"]
            if ":" in prop
        }
        - set(users)
    )
    return props + users + inherited
