# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""A jail's wish as the kernel's parameters and as a file of jail.conf(5)."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import Jail, Wish

HEADER = "# jailisp.vps: written by Ansible from the inventory; changes here are lost.\n"
EXEC_START = "/bin/sh /etc/rc"
EXEC_STOP = "/bin/sh /etc/rc.shutdown jail"


def kernel_parameters(jail: Jail, allow: t.Iterable[str]) -> dict[str, str | bool | list[str]]:
    """Return what the kernel shall say of the running jail, in the form in which jls says it.

    ``allow`` are the allow parameters that the kernel has: each is stated, since one left out would keep its value.
    """
    return {
        "host.hostname": jail.hostname,
        "ip4.addr": list(jail.ip4),
        "ip6.addr": list(jail.ip6),
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
    parameters = kernel_parameters(jail, allow) | addresses
    lines = [
        ("path", jail.path),
        *[(name, value) for name, value in parameters.items() if value != []],
        *_image_lines(jail),
        ("exec.start", EXEC_START),
        ("exec.stop", EXEC_STOP),
        ("exec.consolelog", f"/var/log/jail_{jail.name}_console.log"),
        ("exec.timeout", str(wish.exec_timeout)),
        ("stop.timeout", str(wish.stop_timeout)),
    ]
    body = "".join(f"  {name} = {_value(value)};\n" for name, value in lines)
    return f"{HEADER}{jail.name} {{\n{body}  mount.devfs;\n  exec.clean;\n}}\n"


def _image_lines(jail: Jail) -> list[tuple[str, str]]:
    """Mount the image before anything else of a start, unmount it after anything else of a stop."""
    if jail.image is None:
        return []
    return [
        ("exec.prepare", str(script("mount", jail.image, jail.path))),
        ("exec.release", str(script("unmount", jail.image, jail.path))),
    ]


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
