# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ifconfig(8)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from model import kernel as kernels
from model import net, prison
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

USAGE = """\
usage: ifconfig [-j jail] [-f type:format] [-aLmnv] [-g groupname] [-G groupname] [-[dkmuv]]
       ifconfig -l [-du] [-g groupname] [-G groupname] [address_family]
       ifconfig [-j jail] interface create [parameters]
       ifconfig [-j jail] interface destroy
       ifconfig [-j jail] interface [address_family] [address [dest_address]] [parameters]
"""
FAMILIES = ("inet", "inet6", "ether", "link", "lladdr")
UP, BROADCAST, LOOPBACK, RUNNING, PROMISC, SIMPLEX, MULTICAST = 0x1, 0x2, 0x8, 0x40, 0x100, 0x800, 0x8000
LOWER_UP = 0x1000000
FLAG_NAMES = {
    UP: "UP",
    BROADCAST: "BROADCAST",
    LOOPBACK: "LOOPBACK",
    RUNNING: "RUNNING",
    PROMISC: "PROMISC",
    SIMPLEX: "SIMPLEX",
    MULTICAST: "MULTICAST",
    LOWER_UP: "LOWER_UP",
}
# IFBIFBITS of FreeBSD's if_bridgevar.h.
MEMBER_FLAGS = {"LEARNING": 0x1, "DISCOVER": 0x2, "PRIVATE": 0x800, "AUTOEDGE": 0x40, "AUTOPTP": 0x100}
OPTIONS = {
    "ether": "880028<VLAN_MTU,JUMBO_MTU,LINKSTATE,HWSTATS>",
    "lo": "680003<RXCSUM,TXCSUM,LINKSTATE,RXCSUM_IPV6,TXCSUM_IPV6>",
    "epair": "60001b<RXCSUM,TXCSUM,VLAN_MTU,VLAN_HWTAGGING,RXCSUM_IPV6,TXCSUM_IPV6>",
    "bridge": "10<VLAN_HWTAGGING>",
    "vlan": "80000<LINKSTATE>",
    "tap": "80000<LINKSTATE>",
    "tun": "80000<LINKSTATE>",
}
ND6 = {
    "lo": "21<PERFORMNUD,AUTO_LINKLOCAL>",
    "bridge": "9<PERFORMNUD,IFDISABLED>",
}
ND6_ETHERNET = "29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>"
MEDIA = {
    "ether": "Ethernet autoselect (10Gbase-T <full-duplex>)",
    "epair": "Ethernet 10Gbase-T (10Gbase-T <full-duplex>)",
    "vlan": "Ethernet autoselect (10Gbase-T <full-duplex>)",
}


def ifconfig(ctx: Context) -> int:
    """ifconfig(8): show and set network interfaces."""
    flags, words = options(ctx, "aCdDf:g:G:j:klLmnuv", USAGE)
    if {"C", "D"} & flags.keys():
        raise Exit(1, "not modelled: -C, -D")
    jail = flags["j"][-1] if "j" in flags else ctx.jail
    if words and words[1:2] in (["create"], ["plumb"]) and "l" not in flags:
        _load_for(ctx, words[0])
    carp = "vhid" in words
    with ctx.host.kernel() as kernel:
        if "j" in flags and prison.find(kernel, jail or "") is None:
            raise Exit(1, f'jail "{jail}" not found')
        stack = net.stack_of(kernel, jail)
        shown = None if jail is None or stack is not None else _own_addresses(kernel, jail)
        if "l" in flags or "g" in flags:
            return _names(ctx, kernel, stack, flags)
        if not words or "a" in flags:
            return _all(ctx, kernel, stack, shown, flags)
        if len(words) == 1 or words[1:] in (["inet"], ["inet6"], ["ether"], ["link"]):
            ctx.out.write(show(_existing(kernel, words[0], stack), shown, words[1:], keys="k" in flags))
            return 0
        if shown is not None:
            raise Exit(1, "ioctl (SIOCAIFADDR): Operation not permitted")
        if carp and not kernels.loaded(kernel, "carp"):
            raise Exit(1, "SIOCSVH: Protocol not supported")
        return _Change(ctx, kernel, stack, words[0]).run(words[1:])


def _load_for(ctx: Context, name: str) -> None:
    """ifconfig loads the module of an interface that it is to create, and goes on without one."""
    kind = net.kind_of(name)
    if kind:
        kernels.ensure(ctx.host, kind if kind == "pflog" else f"if_{kind}")


def _own_addresses(kernel: State, jail: str) -> frozenset[str]:
    found = prison.find(kernel, jail)
    if found is None:
        return frozenset()
    return frozenset([*prison.value(kernel, found, "ip4.addr"), *prison.value(kernel, found, "ip6.addr")])


def _existing(kernel: State, name: str, stack: str | None) -> State:
    found = net.find(kernel, name, stack)
    if found is None:
        raise Exit(1, f"interface {name} does not exist")
    return found


def _selected(kernel: State, stack: str | None, flags: t.Mapping[str, list[str]]) -> list[State]:
    found = net.interfaces(kernel, stack)
    if "u" in flags:
        found = [each for each in found if each["up"]]
    if "d" in flags:
        found = [each for each in found if not each["up"]]
    if "g" in flags:
        found = [each for each in found if flags["g"][-1] in (*each["groups"], "all")]
    return found


def _names(ctx: Context, kernel: State, stack: str | None, flags: t.Mapping[str, list[str]]) -> int:
    names = [each["name"] for each in _selected(kernel, stack, flags)]
    if "l" in flags:
        ctx.print(*names)
        return 0
    ctx.out.writelines(f"{name}\n" for name in names)
    return 0


def _all(
    ctx: Context, kernel: State, stack: str | None, shown: t.Container[str] | None, flags: t.Mapping[str, list[str]]
) -> int:
    for interface in _selected(kernel, stack, flags):
        ctx.out.write(show(interface, shown, keys="k" in flags))
    return 0


# Showing --------------------------------------------------------------------------------------------------------------


def flags_of(interface: State) -> int:
    """Return the interface's flags as the kernel has them."""
    kind, up = interface["kind"], interface["up"]
    if kind == "lo":
        return MULTICAST | LOOPBACK | (UP | RUNNING | LOWER_UP if up else 0)
    if kind == "pflog":
        return UP | RUNNING if up else 0
    flags = BROADCAST | SIMPLEX | MULTICAST
    if kind != "bridge" or up:
        flags |= RUNNING | LOWER_UP
    if interface["promiscuous"] or interface["carp"]:
        flags |= PROMISC
    return flags | (UP if up else 0)


def show(
    interface: State, only: t.Container[str] | None = None, families: t.Sequence[str] = (), *, keys: bool = False
) -> str:
    """Return what ``ifconfig NAME`` prints; ``only`` are the addresses that may be seen (None: all of them)."""
    kind = interface["kind"]
    flags = flags_of(interface)
    names = ",".join(name for bit, name in FLAG_NAMES.items() if flags & bit)
    lines = [f"{interface['name']}: flags={flags:x}<{names}> metric 0 mtu {interface['mtu']}"]
    if interface["descr"]:
        lines.append(f"\tdescription: {interface['descr']}")
    lines.append(f"\toptions={OPTIONS.get(kind, '0')}")
    if kind in net.ETHERNET and (not families or set(families) & {"ether", "link"}):
        lines.append(f"\tether {interface['mac']}")
    lines += _inet(interface, only) if not families or "inet" in families else []
    lines += _inet6(interface, only) if not families or "inet6" in families else []
    lines += _carp(interface, keys=keys)
    lines += _bridge(interface) if kind == "bridge" else []
    if interface["groups"]:
        lines.append(f"\tgroups: {' '.join(interface['groups'])}")
    if kind in MEDIA:
        lines += [f"\tmedia: {MEDIA[kind]}", "\tstatus: active"]
    if kind != "pflog":
        lines.append(f"\tnd6 options={_nd6(interface)}")
    return "".join(f"{line}\n" for line in lines)


def _nd6(interface: State) -> str:
    if interface["inet6"] and interface["kind"] != "lo":
        return ND6["lo"]
    return ND6.get(interface["kind"], ND6_ETHERNET)


def _inet(interface: State, only: t.Container[str] | None) -> list[str]:
    lines = []
    for address, prefix, vhid in interface["inet"]:
        if only is not None and address not in only:
            continue
        mask = (1 << 32) - (1 << (32 - prefix))
        line = f"\tinet {address} netmask {mask:#010x}"
        if interface["kind"] != "lo":
            line += f" broadcast {_dotted(_number(address) | ~mask & 0xFFFFFFFF)}"
        lines.append(line + (f" vhid {vhid}" if vhid else ""))
    return lines


def _number(address: str) -> int:
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return number


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _inet6(interface: State, only: t.Container[str] | None) -> list[str]:
    lines = []
    for address, prefix, *vhid in interface["inet6"]:
        if only is not None and address not in only:
            continue
        scope = f" scopeid {interface['index']:#x}" if "%" in address else ""
        lines.append(f"\tinet6 {address} prefixlen {prefix}{scope}" + (f" vhid {vhid[0]}" if any(vhid) else ""))
    return lines


def _carp(interface: State, *, keys: bool) -> list[str]:
    lines = []
    for vhid, carp in interface["carp"].items():
        line = f"\tcarp: {net.carp_state(carp)} vhid {vhid} advbase {carp['advbase']} advskew {carp['advskew']}"
        lines.append(line + (f' key "{carp["pass"]}"' if keys and carp["pass"] else ""))
        lines.append("\t      peer 224.0.0.18 peer6 ff02::12")
    return lines


def _bridge(bridge: State) -> list[str]:
    priority = 32768 if bridge["up"] else 0
    lines = [
        "\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15",
        "\tmaxage 20 holdcnt 6 proto rstp maxaddr 2000 timeout 1200",
        f"\troot id 00:00:00:00:00:00 priority {priority} ifcost 0 port 0",
        "\tbridge flags=0<>",
    ]
    for port, member in enumerate(bridge["members"], 5):
        names = [name for name in MEMBER_FLAGS if name in bridge["member_flags"][member]]
        flags = sum(MEMBER_FLAGS[name] for name in names)
        lines.append(f"\tmember: {member} flags={flags:x}<{','.join(names)}>")
        lines.append(f"\t        port {port} priority 128 path cost 2000 vlan protocol 802.1q")
    return lines


# Changing -------------------------------------------------------------------------------------------------------------


@dataclass
class _Change:
    """One command line that changes an interface: words are read one by one, the address is set at the end."""

    ctx: Context
    kernel: State
    stack: str | None
    name: str
    family: str = "inet"
    address: str = ""
    prefix: int | None = None
    mode: str = ""
    vhid: int = 0
    carp: dict[str, t.Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def run(self, words: t.Sequence[str]) -> int:
        """Do what the words say."""
        self.words = list(words)
        if self.words[0] in ("create", "plumb"):
            self._create(self.words.pop(0))
        while self.words:
            self._word(self.words.pop(0))
        self._finish()
        return 0

    @property
    def interface(self) -> State:
        """The interface that the command is about."""
        return _existing(self.kernel, self.name, self.stack)

    def _create(self, word: str) -> None:
        del word
        given = self.name
        try:
            self.name = net.create(self.kernel, given, self.stack)
        except net.NetError as error:
            if str(error) == "File exists":
                raise Exit(1, f"interface {given} already exists") from None
            raise Exit(1, f"SIOCIFCREATE2 ({given}): {error}") from None
        if self.name != given:
            self.ctx.print(self.name)

    def _word(self, word: str) -> None:
        handler = _WORDS.get(word)
        if word in FAMILIES:
            self.family = "ether" if word in ("link", "lladdr") else word
        elif handler is not None:
            handler(self)
        elif self.family == "ether":
            self.interface["mac"] = word
        else:
            self._address(word)

    def _take(self, word: str) -> str:
        if not self.words:
            raise Exit(1, f"'{word}' requires argument")
        return self.words.pop(0)

    def _address(self, word: str) -> None:
        import socket  # noqa: PLC0415

        address, slash, length = word.partition("/")
        family = socket.AF_INET6 if self.family == "inet6" else socket.AF_INET
        try:
            self.address = socket.inet_ntop(family, socket.inet_pton(family, address))
        except OSError:
            raise Exit(1, f"{word}: bad value") from None
        if slash:
            self.prefix = self._length(length, word)

    def _length(self, length: str, word: str) -> int:
        if not length.isdigit() or int(length) > (128 if self.family == "inet6" else 32):
            raise Exit(1, f"{word}: bad value (width too large)" if length.isdigit() else f"{word}: bad value")
        return int(length)

    def netmask(self) -> None:
        """``netmask MASK``: hexadecimal or dotted."""
        word = self._take("netmask")
        number = int(word, 16) if word.startswith("0x") else _number(word) if word.count(".") == 3 else -1
        bits = f"{number & 0xFFFFFFFF:032b}"
        if number < 0 or "01" in bits:
            raise Exit(1, f"{word}: bad value")
        self.prefix = bits.count("1")

    def member(self, *, add: bool) -> None:
        """``addm``, ``deletem``."""
        name = self._take("addm" if add else "deletem")
        try:
            (net.add_member if add else net.delete_member)(self.kernel, self.interface, name)
        except net.NetError as error:
            raise Exit(1, f"{'BRDGADD' if add else 'BRDGDEL'} {name}: {error}") from None

    def flag(self, name: str, *, on: bool) -> None:
        """``private``, ``-learn`` and the like, of a bridge's member."""
        member = self._take(name.lower())
        try:
            net.flag_member(self.interface, member, name, on=on)
        except net.NetError as error:
            raise Exit(1, f"unable to get bridge flags: {error}") from None

    def static(self) -> None:
        """``static MEMBER ADDRESS``: the model's bridge knows where its members are anyway."""
        member, _address = self._take("static"), self._take("static")
        if member not in self.interface["members"]:
            raise Exit(1, f"BRDGSADDR {member}: No such file or directory")

    def rename(self) -> None:
        """``name NAME``; ifconfig prints the new name."""
        name = self._take("name")
        try:
            net.rename(self.kernel, self.interface, name)
        except net.NetError as error:
            raise Exit(1, f"ioctl SIOCSIFNAME (set name): {error}") from None
        self.name = name
        self.ctx.print(name)

    def group(self, *, add: bool) -> None:
        """``group``, ``-group``."""
        name = self._take("group" if add else "-group")
        groups = self.interface["groups"]
        if add and name[-1:].isdigit():
            raise Exit(1, "setifgroup: group names may not end in a digit")
        if add == (name in groups):
            raise Exit(1, "SIOCAIFGROUP: File exists" if add else "SIOCDIFGROUP: No such file or directory")
        (groups.append if add else groups.remove)(name)

    def vnet(self, *, into: bool) -> None:
        """``vnet JAIL``, ``-vnet JAIL``."""
        name = self._take("vnet" if into else "-vnet")
        jail = prison.find(self.kernel, name)
        if jail is None:
            raise Exit(1, f'jail "{name}" not found')
        source, target = (self.stack, jail["name"]) if into else (jail["name"], self.stack)
        try:
            net.move(self.kernel, self.name, target, source)
        except net.NetError as error:
            raise Exit(1, f"SIOCSIFVNET ({self.name}): {error}") from None

    def destroy(self) -> None:
        """``destroy``."""
        try:
            net.destroy(self.kernel, self.interface)
        except net.NetError as error:
            raise Exit(1, f"SIOCIFDESTROY: {error}") from None

    def number(self, name: str, low: int, high: int) -> int:
        """Take a number between two limits."""
        word = self._take(name)
        if not word.isdigit() or not low <= int(word) <= high:
            raise Exit(1, f"{word}: bad value" if name == "mtu" else f"{name} must be between {low} and {high}")
        return int(word)

    def state(self) -> None:
        """``state master|backup``."""
        word = self._take("state").upper()
        if word not in ("MASTER", "BACKUP", "INIT"):
            raise Exit(1, "unknown carp state: " + word.lower())
        self.carp["state"] = word

    def _finish(self) -> None:
        if self.vhid:
            if not self.address and str(self.vhid) not in self.interface["carp"]:
                raise Exit(1, "SIOCSVH: No such file or directory")
            net.set_carp(self.interface, self.vhid, self.carp)
        if self.address:
            self._set_address()

    def _set_address(self) -> None:
        interface = self.interface
        try:
            if self.mode == "-alias":
                net.remove_address(interface, self.family, self.address)
                return
            prefix = self._prefix(interface)
            entries = interface[self.family]
            if not self.mode and self.family == "inet" and entries and entries[0][0] != self.address:
                entries.pop(0)
            net.add_address(self.kernel, interface, self.family, (self.address, prefix, self.vhid))
        except net.NetError as error:
            raise Exit(1, f"ioctl ({'SIOCDIFADDR' if self.mode == '-alias' else 'SIOCAIFADDR'}): {error}") from None

    def _prefix(self, interface: State) -> int:
        if self.prefix is not None:
            return self.prefix
        if self.family == "inet6":
            return 64
        if interface["kind"] != "lo":
            raise Exit(1, "ERROR: setting interface address without mask is no longer supported.")
        first = int(self.address.partition(".")[0])
        return 8 if first < 128 else 16 if first < 192 else 24


def _set(name: str, value: t.Any) -> t.Callable[[_Change], None]:
    return lambda change: setattr(change, name, value)


def _descr(change: _Change) -> None:
    change.interface["descr"] = change._take("description")


def _broadcast(change: _Change) -> None:
    """The broadcast address follows from the mask."""
    change._take("broadcast")


_WORDS: dict[str, t.Callable[[_Change], None]] = {
    "up": lambda change: net.set_up(change.interface, True),
    "down": lambda change: net.set_up(change.interface, False),
    "destroy": _Change.destroy,
    "unplumb": _Change.destroy,
    "alias": _set("mode", "alias"),
    "add": _set("mode", "alias"),
    "-alias": _set("mode", "-alias"),
    "delete": _set("mode", "-alias"),
    "remove": _set("mode", "-alias"),
    "netmask": _Change.netmask,
    "prefixlen": lambda change: setattr(change, "prefix", change.number("prefixlen", 0, 128)),
    "broadcast": _broadcast,
    "mtu": lambda change: change.interface.update(mtu=change.number("mtu", 72, 65536)),
    "description": _descr,
    "descr": _descr,
    "-description": lambda change: change.interface.update(descr=""),
    "-descr": lambda change: change.interface.update(descr=""),
    "group": lambda change: change.group(add=True),
    "-group": lambda change: change.group(add=False),
    "addm": lambda change: change.member(add=True),
    "deletem": lambda change: change.member(add=False),
    "private": lambda change: change.flag("PRIVATE", on=True),
    "-private": lambda change: change.flag("PRIVATE", on=False),
    "learn": lambda change: change.flag("LEARNING", on=True),
    "-learn": lambda change: change.flag("LEARNING", on=False),
    "discover": lambda change: change.flag("DISCOVER", on=True),
    "-discover": lambda change: change.flag("DISCOVER", on=False),
    "static": _Change.static,
    "name": _Change.rename,
    "-ifdisabled": lambda change: None,
    "vnet": lambda change: change.vnet(into=True),
    "-vnet": lambda change: change.vnet(into=False),
    "vhid": lambda change: setattr(change, "vhid", change.number("vhid", 1, 255)),
    "advbase": lambda change: change.carp.update(advbase=change.number("advbase", 1, 255)),
    "advskew": lambda change: change.carp.update(advskew=change.number("advskew", 0, 254)),
    "pass": lambda change: change.carp.update({"pass": change._take("pass")}),
    "state": _Change.state,
    "vlan": lambda change: change.interface.update(vlan=change.number("vlan", 1, 4094)),
    "vlandev": lambda change: change.interface.update(vlandev=change._take("vlandev")),
}
