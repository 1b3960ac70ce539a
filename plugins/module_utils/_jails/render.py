# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""A jail's wish as the kernel's parameters and as a file of jail.conf(5)."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import give, make, remove

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import Jail, Wish

HEADER = "# jailisp.vps: written by Ansible from the inventory; changes here are lost.\n"
EXEC_START = "/bin/sh /etc/rc"
EXEC_STOP = "/bin/sh /etc/rc.shutdown jail"


def kernel_parameters(jail: Jail, allow: t.Iterable[str]) -> dict[str, str | bool | list[str]]:
    """Return what the kernel shall say of the running jail, in the form in which jls says it.

    ``allow`` are the allow parameters that the kernel has: each is stated, since one left out would keep its value.
    """
    # A jail with a stack of its own refuses to be told its addresses.
    addresses = {} if jail.vnet else {"ip4.addr": list(jail.ip4), "ip6.addr": list(jail.ip6)}
    return {
        "host.hostname": jail.hostname,
        **addresses,
        "securelevel": str(jail.securelevel),
        "enforce_statfs": str(jail.enforce_statfs),
        "devfs_ruleset": str(jail.devfs_ruleset),
        "children.max": str(jail.children_max),
        **dict.fromkeys(("sysvmsg", "sysvsem", "sysvshm"), jail.sysvipc),
        **{f"allow.{name}": name in jail.allow for name in sorted(allow)},
    }


def argument(name: str, value: str | bool | list[str]) -> str:
    """Return a parameter as ``jail -m`` takes it on its command line."""
    if isinstance(value, bool):
        return f"{name}={int(value)}"
    return f"{name}={','.join(value) if isinstance(value, list) else value}"


def render(jail: Jail, allow: t.Iterable[str], wish: Wish) -> str:
    """Return the jail's file: complete in itself, since rc.d/jail reads no other beside it."""
    length = {4: 32, 6: 128}
    addresses = {
        f"ip{family}.addr": [f"{jail.interface}|{address}/{length[family]}" for address in each]
        for family, each in ((4, jail.ip4), (6, jail.ip6))
    }
    parameters = kernel_parameters(jail, allow) | ({"vnet": "new"} if jail.vnet else addresses)
    lines = [
        ("path", jail.path),
        *[(name, value) for name, value in parameters.items() if value != []],
        *_commands(jail),
        ("exec.start", EXEC_START),
        ("exec.stop", EXEC_STOP),
        ("exec.consolelog", f"/var/log/jail_{jail.name}_console.log"),
        ("exec.timeout", str(wish.exec_timeout)),
        ("stop.timeout", str(wish.stop_timeout)),
    ]
    body = "".join(f"  {name} = {_value(value)};\n" for name, value in lines)
    return f"{HEADER}{jail.name} {{\n{body}  mount.devfs;\n  exec.clean;\n}}\n"


def _commands(jail: Jail) -> t.Iterator[tuple[str, list[str]]]:
    """Yield what is run on the host around a jail.

    The image is mounted before anything else of a start, and unmounted after anything else of a stop. The jail gets
    its end of the link when it is there, and before anything runs in it.
    """
    prepare = [script("mount", jail.image, jail.path)] if jail.image else []
    prepare += [make(jail.vnet)] if jail.vnet else []
    if prepare:
        yield "exec.prepare", [str(command) for command in prepare]
    if jail.vnet:
        yield "exec.created", [str(give(jail.vnet, jail.name))]
        yield "exec.poststop", [str(remove(jail.vnet))]
    if jail.image:
        yield "exec.release", [str(script("unmount", jail.image, jail.path))]


def _value(value: str | bool | list[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_quoted, value))
    return _quoted(value)


def _quoted(text: str) -> str:
    """Quote for jail.conf(5): in double quotes, with what they would expand taken literally."""
    for special in ("\\", '"', "$"):
        text = text.replace(special, f"\\{special}")
    return f'"{text}"'
