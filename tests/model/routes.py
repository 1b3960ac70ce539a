# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""route(8), netstat(1) as far as routes and interfaces go, and ping(8) of an address that is on the host."""

from __future__ import annotations

import json
import typing as t

from model import ifconfig, net, prison
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

ROUTE_USAGE = "usage: route [-j jail] [-46dnqtv] command [[modifiers] args]\n"
NETSTAT_USAGE = (
    "usage: netstat [-j jail] [-46AaCLnPRSTWx] [-f protocol_family | -p protocol]\n"
    "               [-M core] [-N system]\n"
)
MODIFIERS = ("-inet", "-inet6", "-net", "-host", "-4", "-6", "-interface", "-iface")
PING_USAGE = "usage: ping [-4AaDdfHnoQqRrv] [-C pcp] [-c count] host\n"


# route ----------------------------------------------------------------------------------------------------------------


def route(ctx: Context) -> int:
    """route(8): get, add, delete; ``-j`` as on 15."""
    flags, words = options(ctx, "46dnqtvj:", ROUTE_USAGE, 64)
    command, words = (words[0], words[1:]) if words else ("", [])
    given = {word for word in words if word in MODIFIERS} | {f"-{flag}" for flag in flags}
    words = [word for word in words if word not in MODIFIERS]
    family = "inet6" if given & {"-6", "-inet6"} or ":" in "".join(words[:1]) else "inet"
    with ctx.host.kernel() as kernel:
        if "j" in flags and prison.find(kernel, flags["j"][-1]) is None:
            raise Exit(1, f'jail "{flags["j"][-1]}" not found')
        stack = net.stack_of(kernel, flags["j"][-1] if "j" in flags else ctx.jail)
        if command == "get" and words:
            return _get(ctx, kernel, words[-1], stack)
        if command in ("add", "delete", "del") and words:
            change = _Change("add" if command == "add" else "delete", words, family, frozenset(given))
            return _change(ctx, kernel, change, stack, quiet="q" in flags)
    ctx.err.write(ROUTE_USAGE)
    return 64


class _Change(t.NamedTuple):
    """A route to add or delete, as given."""

    command: str
    words: list[str]
    family: str
    given: frozenset[str]

    @property
    def gateway(self) -> str:
        """Return the gateway or, with ``-interface``, the interface."""
        return self.words[1] if len(self.words) > 1 else ""

    def make(self, kernel: State, stack: str | None) -> None:
        """Add or delete it; raises NetError."""
        destination = _destination(self.words[0])
        if self.command == "delete":
            net.delete_route(kernel, destination, stack, family=self.family)
        elif self.given & {"-interface", "-iface"}:
            net.add_direct_route(kernel, destination, self.gateway, stack, family=self.family)
        else:
            net.add_route(kernel, destination, self.gateway, stack, family=self.family)

    def __str__(self) -> str:
        kind = "host" if "-host" in self.given else "net"
        name = self.words[0].partition("/")[0]
        return f"{self.command} {kind} {name}" + (f": gateway {self.gateway}" if self.gateway else "")


def _change(ctx: Context, kernel: State, what: _Change, stack: str | None, *, quiet: bool) -> int:
    try:
        if ctx.jail is not None and stack is None:
            raise net.NetError("Operation not permitted")
        what.make(kernel, stack)
    except net.NetError as error:
        reasons = {"File exists": "route already in table", "No such process": "not in table"}
        if not quiet:
            ctx.print(f"{what} fib 0: {reasons.get(str(error), str(error))}")
        raise Exit(1, f"message indicates error: {error}") from None
    if not quiet:
        ctx.print(what)
    return 0


def _destination(word: str) -> str:
    import ipaddress  # noqa: PLC0415

    if word in ("default", "0.0.0.0", "0.0.0.0/0", "::", "::/0"):
        return "default"
    try:
        return str(ipaddress.ip_network(word, strict=False))
    except ValueError:
        raise Exit(68, f"bad address: {word}") from None


def _get(ctx: Context, kernel: State, word: str, stack: str | None) -> int:
    target = "0.0.0.0" if word == "default" else word
    towards = None if word == "default" else net.interface_towards(kernel, target, stack)
    gateway = ""
    if towards is None:
        way = net.way_to(kernel, target, stack)
        if way is None:
            raise Exit(1, "route has not been found")
        towards, gateway = way
    interface = net.find(kernel, towards, stack) or {}
    ctx.print(f"   route to: {target}")
    ctx.print(f"destination: {'0.0.0.0' if gateway else target}")
    if gateway:
        ctx.print("       mask: 0.0.0.0")
        ctx.print(f"    gateway: {gateway}")
    ctx.print("        fib: 0")
    ctx.print(f"  interface: {towards}")
    ctx.print(f"      flags: <UP,{'GATEWAY,DONE,STATIC' if gateway else 'DONE,PINNED'}>")
    ctx.print(" recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire")
    ctx.print(f"       0         0         0         0  {interface.get('mtu', 1500):8d}         1         0 ")
    return 0


# netstat --------------------------------------------------------------------------------------------------------------


def netstat(ctx: Context) -> int:
    """netstat(1): -rn and -i."""
    libxo = _take_libxo(ctx)
    flags, operands = options(ctx, "46abdf:hI:ij:nrW", NETSTAT_USAGE)
    if operands or {"a", "d", "h"} & flags.keys() or not {"r", "i", "I"} & flags.keys():
        ctx.err.write(NETSTAT_USAGE)
        return 1
    with ctx.host.kernel() as kernel:
        stack = net.stack_of(kernel, flags["j"][-1] if "j" in flags else ctx.jail)
        if "r" in flags:
            family = "inet6" if flags.get("f") == ["inet6"] or "6" in flags else "inet"
            return _routes(ctx, kernel, stack, family)
        rows = list(_rows(kernel, stack, flags.get("I", [""])[-1], octets="b" in flags))
    if libxo == "json":
        objects = ", ".join(json.dumps(row, separators=(",", ":")) for row in rows)
        ctx.print(f'{{"statistics": {{"interface": [{objects}]}}}}')
        return 0
    return _interfaces(ctx, rows, octets="b" in flags)


def _take_libxo(ctx: Context) -> str:
    words = ctx.argv
    for index, word in enumerate(words):
        if word == "--libxo" and index + 1 < len(words):
            del words[index]
            return words.pop(index)
        if word.startswith("--libxo="):
            return words.pop(index).partition("=")[2]
    return ""


def _routes(ctx: Context, kernel: State, stack: str | None, family: str) -> int:
    ctx.print("Routing tables")
    ctx.print()
    ctx.print("Internet:" if family == "inet" else "Internet6:")
    ctx.print(f"{'Destination':<18} {'Gateway':<18} {'Flags':<10} {'Netif':>8} Expire")
    rows = []
    for each in net.routes(kernel, stack):
        if each["family"] == family:
            interface = net.find(kernel, each["interface"], stack) or {"index": 0}
            gateway, flags = (each["gateway"], "UGS") if each["gateway"] else (f"link#{interface['index']}", "UHS")
            destination = each["destination"].removesuffix("/32").removesuffix("/128")
            rows.append((destination, gateway, flags, each["interface"]))
    rows += _connected(kernel, stack, family)
    for destination, gateway, flags, interface in sorted(rows, key=lambda row: (row[0] != "default", _order(row[0]))):
        ctx.print(f"{destination:<18} {gateway:<18} {flags:<10} {interface:>8}")
    return 0


def _order(destination: str) -> tuple[int, ...]:
    parts = destination.partition("/")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _connected(kernel: State, stack: str | None, family: str) -> t.Iterator[tuple[str, str, str, str]]:
    import ipaddress  # noqa: PLC0415

    loopback = net.find(kernel, "lo0", stack) or {"index": 0}
    for interface in net.interfaces(kernel, stack):
        for address, prefix, *_unused in interface[family]:
            host = prefix == (32 if family == "inet" else 128)
            if not host and interface["kind"] != "lo" and "%" not in address:
                network = str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
                yield network, f"link#{interface['index']}", "U", interface["name"]
            if interface["kind"] == "lo":
                yield address, f"link#{interface['index']}", "UH", interface["name"]
            else:
                yield address, f"link#{loopback['index']}", "UHS", "lo0"


def _rows(kernel: State, stack: str | None, only: str, *, octets: bool) -> t.Iterator[dict[str, t.Any]]:
    """Yield a row for each interface and each of its addresses; nothing is counted, so all counters are 0."""
    import ipaddress  # noqa: PLC0415

    for interface in net.interfaces(kernel, stack):
        name = interface["name"]
        if only not in ("", name):
            continue
        flags = hex(ifconfig.flags_of(interface) & 0xFFFF)
        row = {"name": name, "flags": flags, "mtu": interface["mtu"], "network": f"<Link#{interface['index']}>"}
        row |= {"address": interface["mac"] if interface["kind"] in net.ETHERNET else name}
        row |= {"received-packets": 0, "received-errors": 0, "dropped-packets": 0}
        row |= ({"received-bytes": 0} if octets else {}) | {"sent-packets": 0, "send-errors": 0}
        yield row | ({"sent-bytes": 0} if octets else {}) | {"collisions": 0}
        for address, prefix, *_unused in interface["inet"]:
            network = str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
            row = {"name": name, "flags": flags, "network": network, "address": address, "received-packets": 0}
            row |= ({"received-bytes": 0} if octets else {}) | {"sent-packets": 0}
            yield row | ({"sent-bytes": 0} if octets else {})


def _interfaces(ctx: Context, rows: t.Iterable[t.Mapping[str, t.Any]], *, octets: bool) -> int:
    columns = ["received-packets", "received-errors", "dropped-packets", "received-bytes", "sent-packets"]
    columns += ["send-errors", "sent-bytes", "collisions"]
    titles = ["Ipkts", "Ierrs", "Idrop", "Ibytes", "Opkts", "Oerrs", "Obytes", "Coll"]
    wanted = [pair for pair in zip(columns, titles, strict=True) if octets or not pair[0].endswith("bytes")]
    heads = " ".join(
        f"{title:>{5 if title in ('Ierrs', 'Idrop', 'Oerrs', 'Coll') else 8}}" for _unused, title in wanted
    )
    ctx.print(f"{'Name':<8} {'Mtu':>5} {'Network':<13} {'Address':<17} {heads}")
    for row in rows:
        cells = " ".join(
            f"{row.get(column, '-'):>{5 if title in ('Ierrs', 'Idrop', 'Oerrs', 'Coll') else 8}}"
            for column, title in wanted
        )
        ctx.print(f"{row['name']:<8} {row.get('mtu', '-'):>5} {row['network']:<13} {row['address']:<17} {cells}")
    return 0


# ping -----------------------------------------------------------------------------------------------------------------


def ping(ctx: Context) -> int:
    """ping(8): answers come from addresses of the host and of its jails, at once; all others are silent."""
    flags, words = options(ctx, "4Aac:Dnoqt:i:W:s:S:", PING_USAGE, 64)
    if len(words) != 1:
        ctx.err.write(PING_USAGE)
        return 64
    count = int(flags.get("c", ["1"])[-1])
    with ctx.host.kernel() as kernel:
        stack = net.stack_of(kernel, ctx.jail)
        if not prison.allowed(kernel, ctx.jail, "allow.raw_sockets") and stack is None:
            raise Exit(71, "ssend socket: Operation not permitted")
        answers = _answers(kernel, stack, words[0])
    ctx.print(f"PING {words[0]} ({words[0]}): 56 data bytes")
    received = count if answers else 0
    for number in range(received):
        ctx.print(f"64 bytes from {words[0]}: icmp_seq={number} ttl=64 time=0.100 ms")
    ctx.print()
    ctx.print(f"--- {words[0]} ping statistics ---")
    loss = 100 - 100 * received / count
    ctx.print(f"{count} packets transmitted, {received} packets received, {loss:.1f}% packet loss")
    if received:
        ctx.print("round-trip min/avg/max/stddev = 0.100/0.100/0.100/0.000 ms")
    return 0 if received else 2


def _answers(kernel: State, stack: str | None, address: str) -> bool:
    if net.way_to(kernel, address, stack) is None:
        return False
    stacks = {each["stack"] for each in kernel["net"]["interfaces"]}
    return any(own == address for each in stacks for _unused, own, _unused2 in net.addresses(kernel, each))
