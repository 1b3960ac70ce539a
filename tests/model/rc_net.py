# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rc.d/netif and rc.d/routing: interfaces, addresses and routes from rc.conf."""

from __future__ import annotations

import re
import shlex
import typing as t

if t.TYPE_CHECKING:
    from model.rc import Handler, Rc

IFCONFIG = "/sbin/ifconfig"
LOOPBACK = "inet 127.0.0.1/8"


def _names(rc: Rc) -> list[str]:
    return rc.silent(IFCONFIG, "-l").out.split()


def _clones(rc: Rc) -> list[str]:
    """Return the interfaces of cloned_interfaces; those of vlans_IF are not modelled."""
    wanted = rc.get("cloned_interfaces").split()
    return [name for name in wanted if not rc.arguments or name in rc.arguments]


def _cloneup(rc: Rc) -> int:
    created = []
    there = _names(rc)
    for name in _clones(rc):
        first = f"{name}a" if re.fullmatch(r"epair\d+", name) else name
        if first not in there and name not in there:
            words = shlex.split(rc.get(f"create_args_{name}"))
            result = rc.silent(IFCONFIG, name, "create", *words)
            rc.ctx.err.write(result.err)
            if result.rc == 0:
                created.append(name)
    if created:
        rc.say(f"Created clone interfaces: {' '.join(created)}.\n")
    return 0


def _clonedown(rc: Rc) -> int:
    there = _names(rc)
    gone = [name for name in _clones(rc) if name in there and rc.silent(IFCONFIG, name, "destroy").rc == 0]
    if gone:
        rc.say(f"Destroyed clone interfaces: {' '.join(gone)}.\n")
    return 0


def _lines(rc: Rc, name: str) -> t.Iterator[list[str]]:
    """Yield the words of each ifconfig command that an interface's settings ask for."""
    variable = re.sub(r"[.:/-]", "_", name)
    main = rc.get(f"ifconfig_{variable}") or (LOOPBACK if name == "lo0" else rc.get("ifconfig_DEFAULT"))
    words = [word for word in shlex.split(main) if word.upper() not in ("DHCP", "SYNCDHCP", "NOAUTO", "WPA")]
    if words:
        yield words
        yield ["up"]
    for suffix in ("_ipv6", "_descr"):
        more = rc.get(f"ifconfig_{variable}{suffix}")
        if more:
            yield ["description", more] if suffix == "_descr" else shlex.split(more)
    yield from _aliases(rc, variable)
    for address in rc.get(f"ipv4_addrs_{variable}").split():
        yield ["inet", address, "alias"]


def _aliases(rc: Rc, variable: str) -> t.Iterator[list[str]]:
    number = 0
    while text := rc.get(f"ifconfig_{variable}_alias{number}"):
        yield _alias(shlex.split(text))
        number += 1
    for part in re.split(r"\s(?=inet6?\s)", rc.get(f"ifconfig_{variable}_aliases").strip()):
        if part:
            yield _alias(part.split())


def _alias(words: list[str]) -> list[str]:
    return words if "alias" in words else [*words, "alias"]


def _configure(rc: Rc, name: str) -> bool:
    """Configure one interface; say whether there was anything to do."""
    done = False
    for words in _lines(rc, name):
        result = rc.silent(IFCONFIG, name, *words)
        rc.ctx.err.write(result.err)
        done = True
    return done


def _start(rc: Rc) -> int:
    _cloneup(rc)
    names = [name for name in rc.arguments or _names(rc) if _configure(rc, name)]
    if names:
        rc.say(f"Starting Network: {' '.join(names)}.\n")
        for name in names:
            rc.say(rc.silent(IFCONFIG, name).out)
    return 0


def _stop(rc: Rc) -> int:
    names = [name for name in rc.arguments or _names(rc) if name in _names(rc)]
    for name in names:
        for found in re.findall(r"^\tinet (\S+)", rc.silent(IFCONFIG, name).out, re.MULTILINE):
            rc.silent(IFCONFIG, name, "inet", found, "-alias")
        rc.silent(IFCONFIG, name, "down")
    rc.say(f"Stopping Network: {' '.join(names)}.\n")
    return _clonedown(rc)


def _restart(rc: Rc) -> int:
    _stop(rc)
    return _start(rc)


def _routing(rc: Rc) -> int:
    for variable, oid in (
        ("gateway_enable", "net.inet.ip.forwarding"),
        ("ipv6_gateway_enable", "net.inet6.ip6.forwarding"),
    ):
        if rc.yes(variable):
            rc.silent("sysctl", f"{oid}=1")
    router = rc.get("defaultrouter")
    if router and router.upper() != "NO":
        _route(rc, ["default", router])
    for name in rc.get("static_routes").split():
        _route(rc, shlex.split(rc.get(f"route_{name.partition(':')[0]}")))
    return 0


def _route(rc: Rc, words: list[str]) -> None:
    result = rc.silent("route", "-n", "add", *words)
    rc.say(result.out)
    rc.ctx.err.write(result.err)


def _routing_stop(rc: Rc) -> int:
    rc.silent("route", "-n", "delete", "default")
    return 0


NETIF: dict[str, Handler] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "cloneup": _cloneup,
    "clonedown": _clonedown,
}
ROUTING: dict[str, Handler] = {"start": _routing, "stop": _routing_stop}
