# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The isolated file system of a model host: enter it and become a program in it.

Works as root by a mount namespace, and as an ordinary user by a user namespace in which that user is root. What the
host has as ``/`` is its own ``root/`` folder, in which only a few things of this machine appear, bound: the Python that
runs the model (as FreeBSD's package would install it), ``/bin/sh``, shared libraries, and device nodes.
"""

from __future__ import annotations

import ctypes
import os
import sys
import typing as t
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

CODE = Path(__file__).resolve().parent
INSIDE_RACK = Path("/.rack")
DEVICES = ("null", "zero", "random", "urandom", "tty")
ENVIRONMENT = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "BLOCKSIZE": "K",
    "PATH": "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/root/bin",
}


class CannotEnter(Exception):
    """The kernel of this machine does not let us make the isolated file system; the text says what is missing."""


def enter(host: Path, argv: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> t.NoReturn:
    """Become the program ``argv`` (``argv[0]`` is its path on the host) in the host whose folder is ``host``."""
    root = host / "root"
    _isolate()
    for source, target in _bindings(host):
        _bind(source, root / target)
    os.chroot(root)
    os.chdir("/root")
    os.umask(0o022)
    os.execve(argv[0], list(argv), {**ENVIRONMENT, **(environment or {})})


def _isolate() -> None:
    if os.geteuid() == 0:
        _call("unshare", CLONE_NEWNS)
    else:
        uid, gid = os.getuid(), os.getgid()
        _call("unshare", CLONE_NEWNS | CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)


def _bindings(host: Path) -> t.Iterator[tuple[Path, str]]:
    """Yield (path on this machine, path below the host's root) of all that shows through."""
    nested = INSIDE_RACK.is_dir()
    python = Path("/usr/local/bin/python3") if nested else Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    yield python, "usr/local/bin/python3"
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    stdlib = Path(os.__file__).parent
    yield stdlib, f"usr/local/lib/{name}"
    library = stdlib.parent / f"lib{name}.so.1.0"
    if library.exists() and not nested:
        # A Python built with a shared library looks for it where it was installed.
        yield library, str(library).lstrip("/")
    for folder in ("lib", "lib64", "usr/lib"):
        if Path("/", folder).is_dir():
            yield Path("/", folder).resolve(), folder
    yield Path("/.linux/bin" if nested else "/usr/bin"), ".linux/bin"
    yield Path("/bin/sh").resolve(), "bin/sh"
    for device in DEVICES:
        yield Path("/dev", device), f"dev/{device}"
    yield CODE, ".model/code/model"
    yield host, ".model/host"
    yield host.parent.parent, ".rack"


def _bind(source: Path, target: Path) -> None:
    if not target.exists():
        if source.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    _call("mount", os.fsencode(source), os.fsencode(target), None, MS_BIND | MS_REC, None)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: t.Any) -> None:
    if getattr(_LIBC, name)(*arguments) == 0:
        return
    error = ctypes.get_errno()
    if name == "unshare":
        raise CannotEnter(
            f"this kernel lets no ordinary user make namespaces ({os.strerror(error)}): run as root, or allow it by "
            "`sysctl kernel.unprivileged_userns_clone=1`"
        )
    raise CannotEnter(f"{name} {arguments}: {os.strerror(error)}")
