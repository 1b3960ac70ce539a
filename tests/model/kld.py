# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kldload(8), kldunload(8) and kldstat(8)."""

from __future__ import annotations

import posixpath
import typing as t

from model import kernel as kernels
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context

LOAD_USAGE = "usage: kldload [-nqv] file ...\n"
UNLOAD_USAGE = "usage: kldunload [-fv] -i id ...\n       kldunload [-fv] [-n] name ...\n"
STAT_USAGE = "usage: kldstat [-dhqv] [-i id] [-n filename]\n       kldstat [-dhq] [-m modname]\n"
ABSENT = "No such file or directory"
# Where the kernel puts its first module, and how far apart the model puts them.
BASE, STEP = 0xFFFFFFFF82318000, 0x10000


def kldload(ctx: Context) -> int:
    """kldload(8)."""
    flags, names = options(ctx, "nqv", LOAD_USAGE)
    if not names:
        ctx.err.write(LOAD_USAGE)
        return 1
    failures = 0
    for name in names:
        module = posixpath.basename(name).removesuffix(".ko")
        try:
            if ctx.jail is not None:
                raise kernels.ModuleError("Operation not permitted")
            with ctx.host.kernel() as kernel:
                there = kernels.loaded(kernel, module)
            if not (there and "n" in flags):
                kernels.load(ctx.host, module)
                if "v" in flags:
                    ctx.print(f"Loaded {name}")
        except kernels.ModuleError as error:
            failures += 1
            if "q" not in flags:
                ctx.warn(f"can't load {name}: {error}")
    return int(failures > 0)


def kldunload(ctx: Context) -> int:
    """kldunload(8)."""
    flags, names = options(ctx, "fi:nv", UNLOAD_USAGE)
    if not names and "i" not in flags:
        ctx.err.write(UNLOAD_USAGE)
        return 1
    failed = False
    for name in [*names, *(_name_of(ctx, number) for number in flags.get("i", []))]:
        module = name.removesuffix(".ko")
        try:
            if not _is_file(ctx, module):
                ctx.warn(f"can't find file {name}: {ABSENT}")
                failed = True
                continue
            kernels.unload(ctx.host, module)
        except kernels.ModuleError as error:
            ctx.warn(f"can't unload file: {error}")
            failed = True
    return int(failed)


def _is_file(ctx: Context, module: str) -> bool:
    with ctx.host.kernel() as kernel:
        return module == "kernel" or module in kernel.get("modules", {})


def _name_of(ctx: Context, number: str) -> str:
    with ctx.host.kernel() as kernel:
        for name, each in kernel.get("modules", {}).items():
            if str(each) == number:
                return str(name)
    return number


def kldstat(ctx: Context) -> int:
    """kldstat(8): the files in the kernel, or whether one file or module is in it."""
    flags, operands = options(ctx, "dhi:m:n:qv", STAT_USAGE)
    if operands or {"d", "h", "v"} & flags.keys():
        ctx.err.write(STAT_USAGE)
        raise Exit(1)
    with ctx.host.kernel() as kernel:
        modules: dict[str, int] = dict(kernel.get("modules", {}))
        if "m" in flags:
            return _module(ctx, flags["m"][-1], "q" in flags, kernels.loaded(kernel, flags["m"][-1]))
    if "n" in flags:
        name = flags["n"][-1]
        module = name.removesuffix(".ko")
        if module not in modules and module != "kernel":
            return _absent(ctx, f"can't find file {name}", quiet="q" in flags)
        modules = {} if module == "kernel" else {module: modules[module]}
        return 0 if "q" in flags else _table(ctx, modules, kernel=module == "kernel")
    if "i" in flags:
        modules = {name: number for name, number in modules.items() if str(number) == flags["i"][-1]}
        return _table(ctx, modules, kernel=flags["i"][-1] == "1")
    return _table(ctx, modules, kernel=True)


def _absent(ctx: Context, what: str, *, quiet: bool) -> int:
    if not quiet:
        ctx.warn(f"{what}: {ABSENT}")
    return 1


def _module(ctx: Context, name: str, quiet: bool, there: bool) -> int:
    if not there:
        return _absent(ctx, f"can't find module {name}", quiet=quiet)
    if not quiet:
        ctx.print("Id  Refs Name")
        ctx.print(f"{1:3d} {1:4d} {name}")
    return 0


def _table(ctx: Context, modules: t.Mapping[str, int], *, kernel: bool) -> int:
    ctx.print("Id Refs Address                Size Name")
    if kernel:
        ctx.print(f"{1:2d} {1 + len(modules):4d} 0xffffffff80000000 80000000 kernel")
    for name, number in sorted(modules.items(), key=lambda pair: pair[1]):
        ctx.print(f"{number:2d} {1:4d} {BASE + number * STEP:#x} {STEP:8x} {name}.ko")
    return 0
