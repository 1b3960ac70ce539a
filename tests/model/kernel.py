# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel: what the loader gives it, its modules, and its variables as other subsystems ask for them.

State: ``kernel["release"]``, ``kernel["boottime"]``, ``kernel["hostname"]``, ``kernel["modules"]`` (name -> number of
its file), ``kernel["sysctl"]`` (what differs from :mod:`model.sysctl_table`).
"""

from __future__ import annotations

import time
import typing as t

from model import prison, releases, sysctl_table

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.host import Host, State

IDENT = "JAILISP"
MODULES = "/boot/kernel"

# Compiled into the kernel of the model: no file is needed for them.
BUILT_IN = frozenset(
    {"zfs", "if_bridge", "if_epair", "if_vlan", "if_lo", "if_tuntap", "ufs", "tmpfs", "procfs", "nfscl"}
)
# Modules that come as files, with what they need.
LOADABLE: dict[str, tuple[str, ...]] = {
    "accf_data": (),
    "accf_http": (),
    "carp": (),
    "dummynet": (),
    "fdescfs": (),
    "fusefs": (),
    "geom_eli": (),
    "geom_gate": (),
    "geom_mirror": (),
    "if_gif": (),
    "if_gre": (),
    "if_lagg": (),
    "if_wg": (),
    "ipfw": (),
    "linux": ("linux_common",),
    "linux64": ("linux_common",),
    "linux_common": (),
    "linprocfs": ("linux_common",),
    "linsysfs": ("linux_common",),
    "nfscommon": (),
    "nfsd": ("nfscommon",),
    "nmdm": (),
    "nullfs": (),
    "pf": (),
    "pflog": ("pf",),
    "pfsync": ("pf",),
    "unionfs": (),
    "vmm": (),
}
# The device that a module makes, and the state that goes with a module when it is unloaded.
DEVICES = {"pf": "pf", "zfs": "zfs", "geom_gate": "ggctl", "vmm": "vmmctl", "fusefs": "fuse"}
STATE = {"pf": "pf", "dummynet": "dummynet", "ipfw": "ipfw"}


class ModuleError(Exception):
    """Why the kernel does not load a module, in strerror(3)'s words."""


# Modules --------------------------------------------------------------------------------------------------------------


def loaded(kernel: State, name: str) -> bool:
    """Say whether that module is in the kernel."""
    return name in BUILT_IN or name in kernel.get("modules", {})


def load(host: Host, name: str) -> None:
    """Load a module and what it needs, as kldload(2); raise ModuleError if that cannot be."""
    with host.kernel() as kernel:
        _load(host, kernel, name)


def ensure(host: Host, name: str) -> bool:
    """Load a module unless it is there, as mount(8) or ifconfig(8) do by themselves; say whether it is there now."""
    with host.kernel() as kernel:
        try:
            if not loaded(kernel, name):
                _load(host, kernel, name)
        except ModuleError:
            return False
        return True


def _load(host: Host, kernel: State, name: str) -> None:
    if loaded(kernel, name):
        raise ModuleError("module already loaded or in kernel")
    if not host.path(f"{MODULES}/{name}.ko").exists():
        raise ModuleError("No such file or directory")
    if int(value(kernel, "kern.securelevel") or 0) > 0:
        raise ModuleError("Operation not permitted")
    for needed in LOADABLE.get(name, ()):
        if not loaded(kernel, needed):
            _load(host, kernel, needed)
    modules = kernel.setdefault("modules", {})
    modules[name] = max(modules.values(), default=1) + 1
    if name in DEVICES:
        host.path(f"/dev/{DEVICES[name]}").touch()
    if name == "pflog":
        from model import net  # noqa: PLC0415

        net.create(kernel, "pflog0")


def unload(host: Host, name: str) -> None:
    """Unload a module with all that it knew; raise ModuleError if another one needs it."""
    with host.kernel() as kernel:
        modules = kernel.get("modules", {})
        if name not in modules or any(name in LOADABLE.get(other, ()) for other in modules):
            raise ModuleError("Device busy")
        if int(value(kernel, "kern.securelevel") or 0) > 0:
            raise ModuleError("Operation not permitted")
        del modules[name]
        kernel.pop(STATE.get(name, ""), None)
    if name in DEVICES:
        host.path(f"/dev/{DEVICES[name]}").unlink(missing_ok=True)


# Variables ------------------------------------------------------------------------------------------------------------


class Variable(t.NamedTuple):
    """A line of the table: its name, its first value, and its kind (``-`` read-only, ``*`` tunable, or nothing)."""

    name: str
    value: str
    kind: str


def variables() -> t.Iterator[Variable]:
    """Yield all variables that the model's kernel can have, in its order."""
    for line in sysctl_table.TABLE.splitlines():
        if line == "<jail parameters>":
            yield from (Variable(f"security.jail.param.{name}", str(size), "-") for name, size in prison.sysctl_names())
            continue
        name, _unused, first = line.partition(":")
        kind = name[0] if name[0] in "-*" else ""
        yield Variable(name.lstrip("-*"), first.lstrip(" "), kind)


def exists(kernel: State, name: str) -> bool:
    """Say whether the modules that are loaded give the kernel that variable."""
    for prefix, module in sysctl_table.OF_MODULE.items():
        if name.startswith(prefix):
            return loaded(kernel, module)
    return True


def value(kernel: State, name: str) -> str | None:
    """Return what ``sysctl -n NAME`` prints on the host, None if there is no such variable."""
    for variable in variables():
        if variable.name == name and exists(kernel, name):
            return current(kernel, variable)
    return None


def current(kernel: State, variable: Variable) -> str:
    """Return the value of a variable of the table."""
    if variable.value.startswith("<"):
        return _COMPUTED[variable.value](kernel)
    changed: str = kernel.get("sysctl", {}).get(variable.name, variable.value)
    return changed


def _boottime(kernel: State) -> str:
    moment = float(kernel.get("boottime", 0))
    return f"{{ sec = {int(moment)}, usec = {int(moment % 1 * 1e6)} }} {time.ctime(moment)}"


def release(kernel: State) -> str:
    """Return the running kernel's release, as ``uname -r``."""
    return str(kernel.get("release", ""))


def osreldate(kernel: State) -> int:
    """Return the running kernel's release as a number; 0 if no kernel runs."""
    return releases.osreldate(release(kernel)) if release(kernel) else 0


_COMPUTED: dict[str, t.Callable[[State], str]] = {
    "<release>": release,
    "<version>": lambda kernel: f"FreeBSD {release(kernel)} {IDENT}\n",
    "<hostname>": lambda kernel: str(kernel.get("hostname", "")),
    "<hostuuid>": lambda kernel: str(kernel.get("hostuuid", "00000000-0000-0000-0000-000000000000")),
    "<boottime>": _boottime,
    "<osreldate>": lambda kernel: str(osreldate(kernel)),
}


# Loader ---------------------------------------------------------------------------------------------------------------


def start(host: Host) -> None:
    """Do what the loader and the kernel do before init(8): tunables, the running release, modules of loader.conf."""
    with host.disk() as disk:
        tunables = dict(disk["machine"].get("tunables", {}))
    tunables.update(loader_settings(host))
    with host.kernel() as kernel:
        kernel.clear()
        kernel["boottime"] = time.time()
        kernel["release"] = installed_release(host)
        kernel["modules"] = {}
        settable = {variable.name for variable in variables() if variable.kind != "-"}
        kernel["sysctl"] = {name: text for name, text in tunables.items() if name in settable}
        for name, text in tunables.items():
            module = name.removesuffix("_load")
            if name.endswith("_load") and text.upper() == "YES" and not loaded(kernel, module):
                _load_early(host, kernel, module)


def _load_early(host: Host, kernel: State, module: str) -> None:
    """The loader goes on without a module that it does not find."""
    try:
        _load(host, kernel, module)
    except ModuleError as error:
        kernel.setdefault("console", []).append(f"can't find '{module}': {error}")


def loader_settings(host: Host) -> dict[str, str]:
    """Read what /boot/loader.conf, loader.conf.d/*.conf and loader.conf.local set, the later winning."""
    boot = host.path("/boot")
    files = [boot / "loader.conf", *sorted(boot.glob("loader.conf.d/*.conf")), boot / "loader.conf.local"]
    settings: dict[str, str] = {}
    for file in files:
        if file.is_file():
            settings.update(_settings(file))
    return settings


def _settings(file: Path) -> t.Iterator[tuple[str, str]]:
    for line in file.read_text(errors="replace").splitlines():
        name, equals, rest = line.partition("=")
        if not equals or name.lstrip().startswith("#"):
            continue
        rest = rest.strip()
        text = rest[1:].partition('"')[0] if rest.startswith('"') else rest.partition("#")[0].split(" ")[0]
        yield name.strip(), text


def installed_release(host: Host) -> str:
    """Return the release that the kernel's file names (what ``freebsd-version -k`` looks for in it)."""
    for line in host.path("/boot/kernel/kernel").read_text().splitlines():
        if line.startswith("@(#)FreeBSD "):
            return line.split()[1]
    return "unknown"
