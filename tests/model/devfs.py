# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""devfs(8): rulesets in the kernel, and what a mounted devfs shows by them."""

from __future__ import annotations

import fnmatch
import os
import shutil
import typing as t

from model.command import Exit, options

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context
    from model.host import Host

State = dict[str, t.Any]

USAGE = "usage: devfs [-m mount-point] [-s ruleset] rule | ruleset ...\n"
STEP = 100
# What the kernel of a small machine has; folders end in a slash.
_DEVICES_WORDS = (
    "acpi apm apmctl bpf bpf0 cd0 console consolectl ctty devctl devctl2 devstat fd/ fido full geom.ctl gpt/ io "
    "iso9660/ klog kmem mdctl mem midistat netmap nfslock null pass0 pci pfilctl random reroot sndstat stderr stdin "
    "stdout sysmouse ttyu0 ttyu0.init ttyu0.lock ttyv0 ttyv1 ttyv2 ttyv3 ttyv4 ttyv5 ttyv6 ttyv7 ttyv8 ttyv9 ttyva "
    "ttyvb ufssuspend urandom vtbd0 vtbd1 xpt0 zero"
)
DEVICES = _DEVICES_WORDS.split()
OF_MODULES = {"pf": ("pf",), "zfs": ("zfs",), "dummynet": ()}
CONDITIONS = frozenset({"path", "type"})
ACTIONS = frozenset({"hide", "unhide"})
VALUES = frozenset({"group", "mode", "user", "include"})


def rulesets(kernel: State) -> dict[str, list[State]]:
    """Return ruleset number (as text) -> its rules in order: number, words."""
    return t.cast("dict[str, list[State]]", kernel.setdefault("devfs", {}))


def devices(kernel: State) -> list[str]:
    """Return the names in the host's own /dev."""
    from model import kernel as kernels  # noqa: PLC0415

    more = [name for module, names in OF_MODULES.items() if kernels.loaded(kernel, module) for name in names]
    return sorted([*DEVICES, *more])


def visible(kernel: State, ruleset: str) -> list[str]:
    """Return the names that a devfs with that ruleset shows; 0 and a ruleset without rules hide nothing."""
    found = devices(kernel)
    shown = {name: True for name in found}
    _apply(kernel, ruleset, shown, 0)
    return [name for name in found if shown[name]]


def _apply(kernel: State, ruleset: str, shown: dict[str, bool], depth: int) -> None:
    for rule in rulesets(kernel).get(ruleset, []) if depth < len(rulesets(kernel)) + 1 else []:
        words = rule["words"]
        if words[0] == "include":
            _apply(kernel, words[1], shown, depth + 1)
            continue
        pattern = words[words.index("path") + 1] if "path" in words else "*"
        for name, seen in shown.items():
            if fnmatch.fnmatchcase(name.rstrip("/"), pattern):
                shown[name] = (seen or "unhide" in words) and "hide" not in words


def fill(host: Host, folder: Path, mount_options: t.Iterable[str]) -> None:
    """Put the visible devices into the folder of a devfs that is being mounted."""
    number = next((each.partition("=")[2] for each in mount_options if each.startswith("ruleset=")), "0")
    with host.kernel() as kernel:
        show(folder, visible(kernel, number))


def show(folder: Path, names: t.Sequence[str]) -> None:
    """Make the folder hold just these devices."""
    wanted = {name.rstrip("/") for name in names}
    for entry in list(folder.iterdir()):
        if entry.name not in wanted:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name in names:
        path = folder / name.rstrip("/")
        if path.exists():
            continue
        if name.endswith("/"):
            path.mkdir()
        else:
            path.touch(0o666)


def devfs(ctx: Context) -> int:
    """devfs(8): rule and ruleset."""
    flags, operands = options(ctx, "m:s:", USAGE)
    if ctx.jail is not None:
        raise Exit(1, "ioctl DEVFSIO_RAPPLY: Operation not permitted")
    mount_point = flags.get("m", ["/dev"])[-1]
    if not operands or operands[0] not in ("rule", "ruleset"):
        ctx.err.write(USAGE)
        return 1
    if operands[0] == "ruleset":
        if len(operands) != 2:
            ctx.err.write(USAGE)
            return 1
        _set_ruleset(ctx, mount_point, operands[1])
        return 0
    ctx.argv = ["devfs", *operands[1:]]
    inner, words = options(ctx, "m:s:", USAGE)
    number = [*flags.get("s", []), *inner.get("s", []), "0"][0]
    return _rule(ctx, mount_point, number, words)


def _rule(ctx: Context, mount_point: str, number: str, words: list[str]) -> int:
    action, rest = (words[0], words[1:]) if words else ("", [])
    if not number.isdigit() or action not in ("add", "apply", "applyset", "del", "delset", "show", "showsets"):
        ctx.err.write(USAGE)
        return 1
    if action in ("apply", "applyset"):
        _apply_to_mount(ctx, mount_point, number, rest)
        return 0
    with ctx.host.kernel() as kernel:
        sets = rulesets(kernel)
        if action == "showsets":
            lines = sorted(int(each) for each in sets if sets[each])
            ctx.out.write("".join(f"{each}\n" for each in lines))
        elif action == "show":
            ctx.out.write("".join(f"{each['number']} {' '.join(each['words'])}\n" for each in sets.get(number, [])))
        elif action == "add":
            _add(sets, number, rest)
        elif action == "delset":
            sets.pop(number, None)
        else:
            sets[number] = [each for each in sets.get(number, []) if [str(each["number"])] != rest]
    return 0


def _add(sets: dict[str, list[State]], number: str, words: list[str]) -> None:
    rules = sets.setdefault(number, [])
    own = (
        int(words.pop(0)) if words and words[0].isdigit() else (rules[-1]["number"] // STEP + 1 if rules else 1) * STEP
    )
    _check(words)
    if any(each["number"] == own for each in rules):
        raise Exit(1, "ioctl DEVFSIO_RADD: File exists")
    rules.append({"number": own, "words": words})
    rules.sort(key=lambda each: int(each["number"]))


def _check(words: list[str]) -> None:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in CONDITIONS | VALUES:
            if not rest:
                raise Exit(1, f"expecting argument for {word}")
            rest.pop(0)
        elif word not in ACTIONS:
            raise Exit(1, f"unknown argument: {word}")
    if not words:
        raise Exit(1, "no arguments to rulespec")


def _mounted(ctx: Context, mount_point: str) -> tuple[State | None, Path]:
    from model.files import Files  # noqa: PLC0415

    path = ctx.path(mount_point)
    name = Files(ctx.host).host_path(path)
    with ctx.host.kernel() as kernel:
        found = [each for each in kernel.get("mount", []) if each["target"] == name and each["type"] == "devfs"]
    if not found and name != "/dev":
        raise Exit(1, f"{mount_point}: {'not a devfs mount' if path.is_dir() else os.strerror(2)}")
    return (found[-1] if found else None), path


def _set_ruleset(ctx: Context, mount_point: str, number: str) -> None:
    found, _unused = _mounted(ctx, mount_point)
    with ctx.host.kernel() as kernel:
        for each in kernel.get("mount", []):
            if found is not None and each["target"] == found["target"] and each["type"] == "devfs":
                others = [option for option in each["options"] if not option.startswith("ruleset=")]
                each["options"] = [*others, f"ruleset={number}"]


def _apply_to_mount(ctx: Context, mount_point: str, number: str, words: list[str]) -> None:
    """Rules applied to a mount change what it shows now; the host's own /dev shows all to root anyway."""
    found, path = _mounted(ctx, mount_point)
    if found is None:
        return
    with ctx.host.kernel() as kernel:
        if words:
            rules = rulesets(kernel).setdefault("(one rule)", [])
            rules.append({"number": STEP, "words": words})
            number = "(one rule)"
        now = {each.name for each in path.iterdir()}
        shown = {name: name.rstrip("/") in now for name in devices(kernel)}
        _apply(kernel, number, shown, 0)
        rulesets(kernel).pop("(one rule)", None)
        show(path, [name for name, seen in shown.items() if seen])
