# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zfs send and zfs receive.

A stream is a first line that says what follows (one entry for each snapshot: its guid, the one that it builds on, the
properties that are sent along) and the packed contents. An incremental stream carries the whole content; what makes it
incremental is what the receiver insists on.
"""

from __future__ import annotations

import json
import os
import typing as t

from model import pack
from model.userland import write_bytes
from model.zfs import checked, make_set, misuse, mount_if_wanted, parse, remove_set, remove_snapshot, restore
from model.zfs_state import Pools, ZfsError, parent, pools, unmount_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context
    from model.host import State

MAGIC = b"ZFS model stream "
Found = dict[str, list[str]]


def run(ctx: Context, command: str, words: list[str]) -> int:
    """Zfs send or zfs receive."""
    if command == "send":
        flags, operands = parse(command, "DLPbcehi:I:nRpSsVvwX:", words)
        return _send(ctx, flags, operands)
    flags, operands = parse(command, "vMno:suFdehx:A", words)
    return _receive(ctx, flags, operands)


# send -----------------------------------------------------------------------------------------------------------------


def _send(ctx: Context, flags: Found, operands: list[str]) -> int:
    if len(operands) != 1:
        raise misuse("send", "missing snapshot argument" if not operands else "too many arguments")
    name = operands[0]
    with pools(ctx.host) as found:
        found.get(name)
        if "@" not in name:
            raise ZfsError(
                "Error: Unsupported flag with filesystem or bookmark."
                if flags
                else f"cannot send '{name}': the model sends snapshots only"
            )
        entries, parts = _collect(found, flags, name)
    if "n" in flags or "v" in flags:
        size = sum(len(part) for part in parts)
        ctx.err.write(f"full send of {name} estimated size is {size}\ntotal estimated size is {size}\n")
        if "n" in flags:
            return 0
    head = json.dumps({"sets": entries, "replicate": "R" in flags}).encode()
    try:
        write_bytes(ctx, MAGIC + head + b"\n" + b"".join(parts))
        ctx.out.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise ZfsError(f"warning: cannot send '{name}': signal received") from None
    return 0


def _collect(found: Pools, flags: Found, name: str) -> tuple[list[State], list[bytes]]:
    base, _unused, label = name.partition("@")
    since = (flags.get("I") or flags.get("i") or [""])[-1]
    entries: list[State] = []
    parts: list[bytes] = []
    for each in found.tree(base) if "R" in flags else [base]:
        last = f"{each}@{label}"
        if last not in found.sets:
            if each == base:
                raise ZfsError(f"cannot open '{last}': dataset does not exist")
            continue
        before = _base_snapshot(found, since, each, base) if since else ""
        for one, previous in _steps(found, flags, each, last, before):
            data = pack.pack(found.files, found.stored(found.sets[one]))
            entries.append(_entry(found, flags, one, previous, base, len(data)))
            parts.append(data)
    return entries, parts


def _base_snapshot(found: Pools, since: str, name: str, base: str) -> str:
    label = since.partition("@")[2] if "@" in since else since
    full = since if "@" in since and not since.startswith("@") and name == base else f"{name}@{label}"
    if full not in found.sets:
        if name != base:
            return ""
        raise ZfsError(f"cannot open '{full}': dataset does not exist")
    return full


def _steps(found: Pools, flags: Found, name: str, last: str, before: str) -> list[tuple[str, str]]:
    """Return the snapshots to send, each with the one that it builds on."""
    if not flags.keys() & {"I", "R"}:
        return [(last, before)]
    low = found.sets[before]["txg"] if before else 0
    high = found.sets[last]["txg"]
    chain = [each for each in found.snapshots(name) if low < found.sets[each]["txg"] <= high]
    if "I" not in flags and before:
        return [(last, before)]
    return [(each, chain[place - 1] if place else before) for place, each in enumerate(chain)]


def _entry(found: Pools, flags: Found, one: str, previous: str, base: str, length: int) -> State:
    entry = found.sets[one]
    props = found.sets[parent(one)]["props"] if flags.keys() & {"R", "p"} else {}
    return {
        "name": parent(one)[len(base) :],
        "label": one.partition("@")[2],
        "guid": entry["guid"],
        "created": entry["created"],
        "base": base,
        "from": found.sets[previous]["guid"] if previous else 0,
        "props": props,
        "length": length,
        "size": entry["size"],
    }


# receive --------------------------------------------------------------------------------------------------------------


def _receive(ctx: Context, flags: Found, operands: list[str]) -> int:
    if len(operands) != 1:
        raise misuse("receive", "missing snapshot argument" if not operands else "too many arguments")
    line = ctx.stdin.readline()
    if not line.startswith(MAGIC):
        what = "invalid stream (bad magic number)" if line else "failed to read from stream"
        raise ZfsError(f"cannot receive: {what}")
    head = json.loads(line[len(MAGIC) :])
    target = operands[0].partition("@")[0]
    if "d" in flags or "e" in flags:
        base = head["sets"][0]["base"]
        target += "/" + (base.partition("/")[2] if "d" in flags else base.rpartition("/")[2])
    with pools(ctx.host) as found:
        _check(found, flags, head, target)
    parts = [ctx.stdin.read(entry["length"]) for entry in head["sets"]]
    if any(len(part) != entry["length"] for part, entry in zip(parts, head["sets"], strict=True)):
        raise ZfsError("cannot receive: failed to read from stream")
    if "n" in flags:
        return 0
    with pools(ctx.host, change=True) as found:
        _check(found, flags, head, target)
        for entry, data in zip(head["sets"], parts, strict=True):
            _apply(found, flags, entry, target + entry["name"], data, replicate=head["replicate"])
        if head["replicate"] and "F" in flags:
            _drop_others(found, head, target)
    return 0


def _check(found: Pools, flags: Found, head: State, target: str) -> None:
    """Raise what zfs receive says to a stream that does not fit."""
    first = head["sets"][0]
    exists = target in found.sets
    if first["from"]:
        if not exists:
            raise ZfsError(f"cannot receive incremental stream: destination '{target}' does not exist")
        _check_incremental(found, flags, first, target)
        return
    if exists and "F" not in flags:
        raise ZfsError(
            f"cannot receive new filesystem stream: destination '{target}' exists\nmust specify -F to overwrite it"
        )
    if exists and found.snapshots(target) and not head["replicate"]:
        raise ZfsError(
            f"cannot receive new filesystem stream: destination has snapshots (eg. {found.snapshots(target)[0]})\n"
            "must destroy them to overwrite it"
        )
    if not exists and parent(target) not in found.sets:
        where = parent(target)
        raise ZfsError(
            f"cannot open '{where}': dataset does not exist\n"
            f"cannot receive new filesystem stream: unable to restore to destination"
            if where
            else f"cannot receive: invalid name '{target}'"
        )


def _check_incremental(found: Pools, flags: Found, first: State, target: str) -> None:
    snaps = found.snapshots(target)
    guids = [found.sets[each]["guid"] for each in snaps]
    if first["from"] not in guids or (first["from"] != guids[-1] and "F" not in flags):
        raise ZfsError(
            f"cannot receive incremental stream: most recent snapshot of {target} does not\nmatch incremental source"
        )
    if first["from"] == guids[-1] and "F" not in flags:
        kept, now = found.stored(found.sets[snaps[-1]]), found.content(target)
        if _fingerprint(kept) != _fingerprint(now):
            raise ZfsError(
                f"cannot receive incremental stream: destination {target} has been modified\nsince most recent snapshot"
            )


def _fingerprint(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        kind = status.st_mode & 0o170000
        found.append((os.fspath(path.relative_to(folder)), kind, 0 if path.is_dir() else status.st_mtime_ns))
    return found


def _apply(found: Pools, flags: Found, entry: State, name: str, data: bytes, *, replicate: bool) -> None:
    label = f"{name}@{entry['label']}"
    guids = {found.sets[each]["guid"]: each for each in found.snapshots(name)} if name in found.sets else {}
    if entry["guid"] in guids:
        return
    if name in found.sets and not entry["from"] and replicate:
        remove_set(found, name)
    if entry["from"] in guids:
        later = [
            each for each in found.snapshots(name) if found.sets[each]["txg"] > found.sets[guids[entry["from"]]]["txg"]
        ]
        for each in later:
            remove_snapshot(found, each)
    new = name not in found.sets
    if new:
        made = make_set(found, name, _properties(flags, entry))
        made["received"] = list(entry["props"])
    elif name in found.mounts and not entry["from"]:
        unmount_set(found, name)
    record = found.new(label, guid=entry["guid"], created=entry["created"], size=entry["size"])
    pack.unpack(found.files, data, found.stored(record))
    found.files.save()
    if new:
        folder = found.stored(found.sets[name])
        found.files.discard(folder)
        found.files.copy_tree(found.stored(record), folder)
        found.files.save()
        if "u" not in flags:
            mount_if_wanted(found, name)
    else:
        restore(found, name, found.stored(record))


def _properties(flags: Found, entry: State) -> dict[str, str]:
    props = {prop: value for prop, value in entry["props"].items() if prop not in flags.get("x", [])}
    for word in flags.get("o", []):
        prop, equals, value = word.partition("=")
        if not equals:
            raise misuse("receive", "missing '=' for property=value argument")
        try:
            props[prop] = checked(prop, value)
        except ZfsError as error:
            raise ZfsError(f"cannot receive: {error.text}") from None
    return props


def _drop_others(found: Pools, head: State, target: str) -> None:
    """Receive -F of a replication stream removes what the sender no longer has."""
    sent = {target + entry["name"] for entry in head["sets"]}
    for name in reversed(found.tree(target)):
        if name not in sent:
            remove_set(found, name)
