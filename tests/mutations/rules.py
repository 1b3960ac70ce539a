# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants of what records say of each other: claims to one value, references, capacity, names."""

from __future__ import annotations

import ipaddress
import random
import typing as t
from functools import cached_property

from mutations.edit import Edit, Path, key_of
from mutations.fleets import key
from mutations.keys import CAPACITY, GROUP, hosts_of
from mutations.mutant import REMOVED, Mutant, Place, Source

Data = dict[str, t.Any]
Thing = t.TypeVar("Thing")


def any_of(things: t.Iterable[Thing]) -> Thing:
    """Return one of some things, the first; a fleet that has none cannot be broken that way."""
    for thing in things:
        return thing
    raise LookupError("none")


class World:
    """What a source says, by name, and its mutants of one file."""

    def __init__(self, source: Source, chance: random.Random) -> None:
        """Keep the source."""
        self.source = source
        self.chance = chance

    def _records(self, folder: str) -> dict[str, Data]:
        return {name_of(file): self.source.document(file).data for file in self.source.records(folder)}

    @cached_property
    def jails(self) -> dict[str, Data]:
        """What the jails' records say, by name."""
        return self._records("jails")

    @cached_property
    def plans(self) -> dict[str, Data]:
        """What the plans say, by name."""
        return self._records("plans")

    @cached_property
    def hosts(self) -> dict[str, Data]:
        """What is true of the hosts, by name."""
        group = self.source.document(GROUP).data
        listed = self.source.document("hosts.yml").get(("jail_hosts", "hosts"))
        own = self._records("host_vars")
        return {name: {**group, **(listed[name] or {}), **own[name]} for name in listed}

    @property
    def first(self) -> list[str]:
        """The first two hosts, so that few model hosts serve many mutants."""
        return list(self.hosts)[:2]

    def neighbours(self) -> tuple[str, str]:
        """Return two jails of one host, the first first by name."""
        host = self.chance.choice(self.first)
        first, second = sorted(self.chance.sample(self.on(host), 2), key=file_of)
        return first, second

    def strangers(self) -> tuple[str, str]:
        """Return two jails of different hosts, the first first by name."""
        one, other = self.chance.sample(self.first, 2)
        first, second = sorted((self.chance.choice(self.on(one)), self.chance.choice(self.on(other))), key=file_of)
        return first, second

    def on(self, host: str) -> list[str]:
        """Return the names of a host's jails that are not absent."""
        return [name for name, jail in self.jails.items() if jail["host"] == host and jail.get("state") != "absent"]

    def jail(self) -> str:
        """Return any jail that is not absent."""
        return self.chance.choice([name for host in self.first for name in self.on(host)])

    def host_of(self, jail: str) -> Data:
        """Return what is true of a jail's host."""
        return self.hosts[self.jails[jail]["host"]]

    def put(self, file: str, path: Path, value: object) -> Edit:
        """Return a file with a key set."""
        return self.source.document(file).put(path, str(value))

    def set(self, what: str, file: str, path: Path, value: object, **more: t.Any) -> Mutant:
        """Return the mutant with a key of a record set, which must be refused there."""
        edit = self.put(file, path, value)
        return self.mutant(what, {file: edit}, Place(file, (key_of(path),), edit.first, edit.last), **more)

    def set_host(self, what: str, host: str, name: str, value: object, *places: Place, **more: t.Any) -> Mutant:
        """Return the mutant with a variable of a host set, which must be refused there or at the places."""
        file = f"host_vars/{host}.yml"
        places = places or (Place(f"hosts.yml: {host}", (name,)),)
        return self.mutant(what, {file: self.put(file, (name,), value)}, *places, **more)

    def mutant(self, what: str, edits: t.Mapping[str, Edit | None], *places: Place, **more: t.Any) -> Mutant:
        """Return a mutant of some files."""
        files = {file: edit.text.encode() if edit else REMOVED for file, edit in edits.items()}
        return Mutant(f"{self.source.name}: {' '.join(map(_printable, files))}: {what}", files, places, **more)

    def renamed(self, what: str, file: str, name: str, *places: Place, **more: t.Any) -> Mutant:
        """Return the mutant with a file under another name, which must be refused by that name or at the places."""
        new = f"{file.rpartition('/')[0]}/{name}"
        text = self.source.texts[file]
        edits = {file: None, new: Edit(text, 1, 1)}
        return self.mutant(what, edits, *(places or (Place(new, ("", "name", "hostname")),)), **more)


def _printable(text: str) -> str:
    """Return a text as an error shows it: what would steer a terminal is written out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def name_of(file: str) -> str:
    """Return the name of a record from its file."""
    return file.rpartition("/")[2].removesuffix(".yml")


def file_of(jail: str) -> str:
    """Return the file of a jail's record."""
    return f"jails/{jail}.yml"


def at_key(world: World, jail: str, path: Path) -> Place:
    """Return the place of a key in a record as it stands."""
    line = world.source.document(file_of(jail)).line(path)
    return Place(file_of(jail), (key_of(path),), line, line)


def duplicates(world: World) -> t.Iterator[Mutant]:
    """Yield records that claim what another has: the one that comes second by name is refused, and names the first."""
    for what, pair in (("a neighbour's", world.neighbours()), ("a stranger's", world.strangers())):
        for changed, owner in (pair, pair[::-1]):
            edit = world.put(file_of(changed), ("id",), world.jails[owner]["id"])
            yield world.mutant(
                f"{what} id, {'second' if changed == pair[1] else 'first'} by name",
                {file_of(changed): edit},
                at_key(world, pair[1], ("id",)),
                mentions=f"{file_of(pair[0])}:",
            )
    first, second = world.neighbours()
    address = world.jails[first]["address"]
    more = {"mentions": f"{file_of(first)}:"}
    yield world.set("a neighbour's address", file_of(second), ("address",), address, **more)
    yield world.set("a neighbour's address, quoted", file_of(second), ("address",), f'"{address}"', **more)
    first, second = world.strangers()
    yield world.set("a stranger's address", file_of(second), ("address",), world.jails[first]["address"])
    yield world.set(
        "a stranger's host name",
        file_of(second),
        ("hostname",),
        f"{world.jails[first].get('hostname', first)}",
        harmless="a host name is the customer's own affair",
    )


def ports(world: World) -> t.Iterator[Mutant]:
    """Yield published ports that are another's, the host's own, or at a wrong address."""
    for proto in ("tcp", "udp"):
        first, second = world.neighbours()
        entry = f"{{port: {world.jails[first]['publish'][0]['port']}, to: 9, protocol: {proto}}}"
        harmless = "" if proto == "tcp" else "the same number of the other protocol"
        yield _published(world, f"a neighbour's port, {proto}", second, entry, "port", harmless)
    first, second = world.neighbours()
    public = world.host_of(first)["vps_addresses"]
    port = world.jails[first]["publish"][0]["port"]
    entry = f"{{port: {port}, to: 9, address: {public[0]}}}"
    yield _published(world, "a neighbour's port at an address that is the default", second, entry, "port")
    for other in public[1:]:
        entry = f"{{port: {port}, to: 9, address: {other}}}"
        yield _published(world, "a neighbour's port, at another address", second, entry, "port", "another address")
    jail = world.jail()
    twice = f"{{port: {world.jails[jail]['publish'][0]['port']}, to: 9}}"
    yield _published(world, "its own port again", jail, twice, "port")
    yield _published(world, "the port of the host's sshd", jail, "{port: 22, to: 22}", "port")
    udp = "{port: 22, to: 22, protocol: udp}"
    yield _published(world, "udp port 22", jail, udp, "port", "sshd listens by tcp only")
    entry = "{port: 54321, to: 22}"
    yield _published(world, "one port more", jail, entry, "port", "another port of its own")
    second_jail = world.strangers()[1]
    away = any_of(data for data in world.hosts.values() if data is not world.host_of(second_jail))
    for what, address in (
        ("another host's address", away["vps_addresses"][0]),
        ("an address of nobody's", "203.0.113.254"),
        ("its own private address", world.jails[second_jail]["address"]),
    ):
        entry = f"{{port: 54321, to: 22, address: {address}}}"
        yield _published(world, f"a port at {what}", second_jail, entry, "address")
    port = world.jails[jail]["publish"][0]["port"]
    yield world.set_host(
        "ansible_port is a published port",
        world.jails[jail]["host"],
        "ansible_port",
        port,
        *(Place(file_of(name), ("publish[0].port",)) for name in world.on(world.jails[jail]["host"])),
        **({} if _administered_publicly(world, jail) else {"harmless": "sshd listens at an address that no jail has"}),
    )


def reach(world: World) -> t.Iterator[Mutant]:
    """Yield public addresses that are not the host's, and entries of allow_from that let in nobody."""
    jail = world.jail()
    file = file_of(jail)
    for name, value, what in (
        ("public", "203.0.113.254", "a public address that is not the host's"),
        ("nat", "203.0.113.254", "connections from an address of nobody's"),
        ("nat", world.jails[jail]["address"], "connections from its private address"),
        ("publish_all", "true", "every port of no address"),
    ):
        if name != "publish_all" or "address6" not in world.jails[jail]:
            yield world.set(what, file, (name,), value)
    stranger = world.strangers()
    for what, changed, let_in in (
        ("a jail of another host let in", stranger[1], stranger[0]),
        ("itself let in", jail, jail),
        ("a jail that is not there let in", jail, "nobody"),
    ):
        edit = world.put(file_of(changed), ("allow_from",), f"[{{jail: {let_in}}}]")
        place = Place(file_of(changed), ("allow_from[0].jail",), edit.first, edit.last)
        yield world.mutant(what, {file_of(changed): edit}, place)
    host = world.jails[jail]["host"]
    yield world.set_host("NAT to an address of nobody's", host, "vps_nat", "203.0.113.254")
    yield world.set_host("its interface once more", host, "vps_interfaces", "[vtnet0]")
    netblock = world.hosts[host]["vps_netblock"]
    yield world.set_host("public addresses in the jails' netblock", host, "vps_public", f"[{netblock}]")


def _administered_publicly(world: World, jail: str) -> bool:
    """Return whether a jail's host is administered by one of its public addresses, or may be."""
    host = world.host_of(jail)
    return host.get("ansible_host") is None or host["ansible_host"] in host["vps_addresses"]


def _published(world: World, what: str, jail: str, entry: str, part: str, harmless: str = "") -> Mutant:
    """Return the mutant in which a jail publishes one port more."""
    if "sshd" in what and not _administered_publicly(world, jail):
        harmless = "sshd listens at an address that no jail has"
    file = file_of(jail)
    index = len(world.jails[jail]["publish"])
    edit = world.source.document(file).append(("publish",), entry)
    earlier = at_key(world, jail, ("publish",))
    name = f"publish[{index}].{part}"
    # Of two jails the one that comes later by name is refused.
    return world.mutant(what, {file: edit}, Place(file, (name,), earlier.first, edit.last), harmless=harmless)


def addresses(world: World) -> t.Iterator[Mutant]:
    """Yield private addresses that no jail of the host can have."""
    jail = world.jail()
    host = world.host_of(jail)
    block = ipaddress.IPv4Network(host["vps_netblock"])
    other = any_of(data for data in world.hosts.values() if data is not host)
    far = ipaddress.IPv4Network(other["vps_netblock"])
    for what, address in (
        ("the network's own", block.network_address),
        ("the network's broadcast", block.broadcast_address),
        ("one below the network", block.network_address - 1),
        ("one above the network", block.broadcast_address + 1),
        ("free, of another host's netblock", far.broadcast_address - 1),
        ("its host's public one", host["vps_addresses"][0]),
        ("another host's public one", other["vps_addresses"][0]),
    ):
        yield world.set(f"address is {what}", file_of(jail), ("address",), address)
    free = block.broadcast_address - 1
    yield world.set("a free address", file_of(jail), ("address",), free, harmless="another right value of the same key")
    yield from _addresses6(world)


def _addresses6(world: World) -> t.Iterator[Mutant]:
    having = [name for host in world.hosts for name in world.on(host) if "address6" in world.jails[name]]
    if not having:
        yield world.set("an IPv6 address without a netblock", file_of(world.jail()), ("address6",), "2001:db8:1::17")
        return
    first, second = having[0], having[1]
    for what, address in (
        ("another jail's", world.jails[first]["address6"]),
        ("another jail's, in capitals", world.jails[first]["address6"].upper()),
        ("another jail's, written out", ipaddress.IPv6Address(world.jails[first]["address6"]).exploded),
        ("the network's first", str(ipaddress.IPv6Network(world.host_of(second)["vps_netblock6"])[0])),
        ("of another host's netblock", f"{world.host_of(first)['vps_netblock6'].removesuffix('/64')}ffff"),
    ):
        if what == "of another host's netblock" and world.host_of(first) is world.host_of(second):
            continue
        yield world.set(f"address6 is {what}", file_of(second), ("address6",), f'"{address}"')
    host = world.jails[first]["host"]
    jails = [Place(file_of(name), ("address6",)) for name in world.jails if world.jails[name]["host"] == host]
    yield world.set_host("another IPv6 netblock", host, "vps_netblock6", '"2001:db8:ffff::/64"', *jails)


def references(world: World) -> t.Iterator[Mutant]:
    """Yield references to what is not there, or not what it should be."""
    jail = world.jail()
    record = world.jails[jail]
    for name in ("host", "customer", "plan"):
        known = {"host": world.hosts, "customer": world._records("customers"), "plan": world.plans}[name]
        close = f"{record[name]}x"
        yield world.set(f"{name} misspelt", file_of(jail), (name,), close, mentions="did you mean")
        for other in ("jail_hosts", "all", "localhost", jail if jail not in known else "nobody"):
            yield world.set(f"{name} is {other}", file_of(jail), (name,), other)
    elsewhere = any_of(host for host in world.hosts if host != record["host"])
    public = [Place(file_of(jail), (f"publish[{index}].address",)) for index in range(len(record["publish"]))]
    public += [Place(file_of(name), ("publish",)) for name in world.on(elsewhere)]
    six = Place(file_of(jail), ("address6",))
    edit = world.put(file_of(jail), ("host",), elsewhere)
    place = at_key(world, jail, ("address",))
    yield world.mutant("moved to another host, its address kept", {file_of(jail): edit}, place, six, *public)
    yield world.set("a release that no host has", file_of(jail), ("release",), "13.2-RELEASE")
    for plan in world.plans:
        users = tuple(
            Place(file_of(name), ("plan", "release")) for name, each in world.jails.items() if each["plan"] == plan
        )
        edit = world.put(f"plans/{plan}.yml", ("release",), "13.2-RELEASE")
        yield world.mutant("a release that no host has", {f"plans/{plan}.yml": edit}, *users)
        yield world.mutant("a plan in use is gone", {f"plans/{plan}.yml": None}, *users)
    customers = {record["customer"] for record in world.jails.values()}
    for customer in sorted(customers)[:3]:
        users = tuple(
            Place(file_of(name), ("customer",)) for name, each in world.jails.items() if each["customer"] == customer
        )
        yield world.mutant("a customer with jails is gone", {f"customers/{customer}.yml": None}, *users, every=True)


def states(world: World) -> t.Iterator[Mutant]:
    """Yield states and dates that contradict each other, caps of one direction, and their right neighbours."""
    jail = any_of(name for name in world.on(world.first[0]) if world.jails[name].get("state", "running") == "running")
    moment = '"2026-11-24T093000Z"'
    yield world.set("retired, yet running", file_of(jail), ("retired",), moment)
    for state in ("stopped", "suspended", "absent"):
        yield world.set(
            f"{state} instead of running",
            file_of(jail),
            ("state",),
            state,
            harmless="another right value of the same key",
        )
    uncapped = [
        name
        for name in world.jails
        if "bandwidth" not in world.plans[world.jails[name]["plan"]] and "bandwidth" not in world.jails[name]
    ]
    for given, missing in (("up", "down"), ("down", "up")):
        edit = world.put(file_of(uncapped[0]), ("bandwidth",), f"{{{given}: 1Mbit/s}}")
        place = Place(file_of(uncapped[0]), (f"bandwidth.{missing}",), edit.first, edit.last)
        yield world.mutant(f"capped {given} only", {file_of(uncapped[0]): edit}, place)
        capped = any_of(name for name, plan in world.plans.items() if "bandwidth" in plan)
        file = f"plans/{capped}.yml"
        edit = world.source.document(file).remove(("bandwidth", missing))
        place = Place(file, (f"bandwidth.{missing}",), 1, edit.last)
        yield world.mutant(f"capped {given} only", {file: edit}, place)


def capacity(world: World) -> t.Iterator[Mutant]:
    """Yield hosts of which more is sold than there is."""
    for host, name, value in (
        (host, name, value)
        for host in list(world.hosts)[:3]
        for name, value in (
            ("vps_memory", "1G"),
            ("vps_disk", "8G"),
            ("vps_link", "{up: 1Mbit/s, down: 1Gbit/s}"),
            ("vps_link", "{up: 1Gbit/s, down: 1Mbit/s}"),
            ("vps_overcommit", "{memory: 1%}"),
            ("vps_overcommit", "{disk: 1%}"),
            ("vps_overcommit", "{bandwidth: 1%}"),
        )
    ):
        place = Place(f"hosts.yml: {host}", CAPACITY)
        yield world.set_host(f"{name} is {value}", host, name, value, place, mentions="sold")
    jail = world.jail()
    host = world.jails[jail]["host"]
    for what, path, value in (
        ("more memory than its host has", ("limits", "memory"), "4T"),
        ("more disk than its host has", ("limits", "disk"), "400T"),
        ("a wider line than its host has", ("bandwidth", "up"), "4Gbit/s"),
    ):
        capped = any_of(name for name in world.on(host) if "bandwidth" in world.plans[world.jails[name]["plan"]])
        edit = world.put(file_of(capped), path, value)
        yield world.mutant(what, {file_of(capped): edit}, Place(f"hosts.yml: {host}", CAPACITY), mentions="sold")
    for plan in world.plans:
        edit = world.put(f"plans/{plan}.yml", ("memory",), "1T")
        places = [Place(f"hosts.yml: {name}", CAPACITY) for name in world.hosts]
        yield world.mutant("more memory than any host has", {f"plans/{plan}.yml": edit}, *places, mentions="sold")


def neighbourhoods(world: World) -> t.Iterator[Mutant]:
    """Yield neighbourhoods that are in each other's way or sold out, and jails that are in none of their host's."""
    host = any_of(name for name, data in world.hosts.items() if "vps_neighbourhoods" in data)
    elsewhere = any_of(name for name, data in world.hosts.items() if "vps_neighbourhoods" not in data)
    first, second = (("vps_neighbourhoods", name) for name in ("n1", "n2"))
    file, said = f"host_vars/{host}.yml", f"hosts.yml: {host}"
    path = world.hosts[host]["vps_neighbourhoods"]["n1"]["path"]
    for what, folder in (("the other's", path), ("in the other's", f"{path}/n2"), ("around the other's", "/jails")):
        edit = world.put(file, (*second, "path"), folder)
        place = Place(said, (key_of((*second, "path")),))
        yield world.mutant(f"a folder {what}", {file: edit}, place, mentions=path)
    edit = world.put(file, (*first, "path"), "/var")
    yield world.mutant("a folder around the archives", {file: edit}, Place(said, (key_of((*first, "path")),)))
    edit = world.put(file, (*first, "disk"), "512M")
    yield world.mutant(
        "too small for its jails", {file: edit}, Place(said, (key_of((*first, "disk")),)), mentions="sold"
    )
    jail = any_of(name for name in world.on(host) if world.jails[name]["neighbourhood"] == "n1")
    place = Place(file_of(jail), ("neighbourhood",))
    edit = world.source.document(file_of(jail)).remove(("neighbourhood",))
    yield world.mutant("a jail in none", {file_of(jail): edit}, place, mentions="n2 (")
    yield world.set("unknown", file_of(jail), ("neighbourhood",), "n3", mentions="n1, n2")
    yield world.set("of another host", file_of(any_of(world.on(elsewhere))), ("neighbourhood",), "n1")


def names(world: World) -> t.Iterator[Mutant]:
    """Yield names that are something else's already, or that cannot be names."""
    jail = file_of(world.jail())
    host, plan = any_of(world.hosts), any_of(world.plans)
    for name in (
        host,
        "jail_hosts",
        "all",
        "ungrouped",
        "jails",
        f"host_{host}",
        f"plan_{plan}",
        "state_running",
        "localhost",
    ):
        harmless = "no host and no group has the name" if name == "localhost" else ""
        yield world.renamed(f"named {name}", jail, f"{name}.yml", harmless=harmless)
    for what, name in (
        ("in capitals", "Alice.yml"),
        ("a digit first", "1st.yml"),
        ("a dot", "a.b.yml"),
        ("a blank", "a b.yml"),
        ("too long", f"{'a' * 32}.yml"),
        ("a dash first", "-rf.yml"),
        ("of another script", "жайл.yml"),
        ("a command", "a;reboot.yml"),
        ("a line end", "a\nb.yml"),
        ("an escape sequence", "a\x1b[31m.yml"),
    ):
        yield world.renamed(f"a name {what}", jail, name, Place(f"jails/{_printable(name)}", ("",)))
    yield world.renamed("a name of 31 letters", jail, f"{'a' * 31}.yml", harmless="a name that jail(8) can carry")
    yield world.renamed("the suffix .yaml", jail, f"{name_of(jail)}.yaml")
    for what, name in (("hidden", f".{name_of(jail)}.yml"), ("no suffix", name_of(jail)), ("kept", "old.yml.bak")):
        yield world.renamed(what, jail, name, harmless="no record any more: its jail stays as it is")
    for folder in ("plans", "customers"):
        first = world.source.records(folder)[0]
        for joint in ("-", "_"):
            new, other = f"{folder}/zz{joint}z.yml", f"{folder}/zz{'_' if joint == '-' else '-'}z.yml"
            text = world.source.texts[first]
            edits = {new: Edit(text, 1, 1), other: Edit(text, 1, 1)}
            yield world.mutant("two names of one group", edits, Place(new, ("", "name")), Place(other, ("", "name")))


def customers(world: World) -> t.Iterator[Mutant]:
    """Yield customers with a key twice."""
    file = world.source.records("customers")[0]
    one = key(world.chance)
    edit = world.put(file, ("keys",), f'["{one}", "{one}"]')
    yield world.mutant("a key twice", {file: edit}, Place(file, ("keys", "keys[1]"), edit.first, edit.last))
    edit = world.put(file, ("keys",), f'["{one}", "{one} at work"]')
    yield world.mutant(
        "a key twice, with another comment", {file: edit}, Place(file, ("keys", "keys[1]"), edit.first, edit.last)
    )
    yield world.set("a key more", file, ("keys",), f'["{one}"]', harmless="another right value of the same key")


def hosts(world: World) -> t.Iterator[Mutant]:
    """Yield hosts whose variables contradict each other, or those of other hosts."""
    first, second = world.first
    mine, theirs = world.hosts[first], world.hosts[second]
    jails = [file_of(name) for name in world.jails if world.jails[name]["host"] == second]
    outside = [Place(file, ("address",)) for file in jails]
    own = Place(f"hosts.yml: {second}", ("vps_addresses",))
    published = [Place(file, (f"publish[{index}]",)) for file in jails for index in range(9)]
    yield world.set_host(
        "another host's public address",
        second,
        "vps_addresses",
        f"[{mine['vps_addresses'][0]}]",
        own,
        *published,
        mentions=first,
    )
    inside = world.jails[world.on(second)[0]]["address"].rpartition(".")[0] + ".250"
    yield world.set_host(
        "a public address in the netblock",
        second,
        "vps_addresses",
        f"[{inside}]",
        own,
        *published,
        Place(own.file, ("vps_netblock",)),
    )
    yield world.set_host(
        "a public address twice",
        second,
        "vps_addresses",
        f"[{theirs['vps_addresses'][0]}, {theirs['vps_addresses'][0]}]",
        own,
        *published,
    )
    block = Place(f"hosts.yml: {second}", ("vps_netblock",))
    yield world.set_host("another host's netblock", second, "vps_netblock", mine["vps_netblock"], *outside, block)
    yield world.set_host("a netblock of nobody's", second, "vps_netblock", "10.99.0.0/24", *outside)
    yield world.set_host(
        "a netblock that its jails outgrow",
        second,
        "vps_netblock",
        theirs["vps_netblock"].replace("/24", "/30"),
        *outside,
    )
    yield world.set_host("a release that it has not", second, "vps_release", "13.2-RELEASE")
    gone = [Place(file, ("release", "plan")) for file in jails]
    yield world.set_host(
        "its release's archive is gone",
        second,
        "vps_releases",
        '{12.4-RELEASE: {archive: /var/base.txz, sha256: "' + "0" * 64 + '"}}',
        Place(own.file, ("vps_release",)),
        *gone,
    )
    yield from _sources(world)
    for storage in ("directory", "dataset"):
        name = next((name for name, data in world.hosts.items() if data["vps_storage"] != storage), "")
        yield world.set_host(
            f"storage is {storage}", name, "vps_storage", storage, Place(f"hosts.yml: {name}", ("vps_pool",))
        )
    name = any_of(name for name, data in world.hosts.items() if data["vps_storage"] == "directory")
    yield world.set_host("a pool without datasets", name, "vps_pool", "tank")
    for pool in ("mirror", "raidz1", "spare", "log", "c0d0", "a" * 260):
        name = any_of(name for name, data in world.hosts.items() if data["vps_storage"] == "dataset")
        yield world.set_host(f"a pool named {pool[:10]}", name, "vps_pool", pool)
    jail = world.on(second)[0]
    yield world.set_host(
        "administered by a jail's address",
        second,
        "ansible_host",
        world.jails[jail]["address"],
        at_key(world, jail, ("address",)),
    )
    yield from _templates(world, second)


def _sources(world: World) -> t.Iterator[Mutant]:
    """Yield releases from where they cannot be on their host."""
    new, old = "15.1-RELEASE-p1", "14.3-RELEASE"
    for storage, what, release, source in (
        ("directory", "a snapshot without a pool", new, "{dataset: tank/golden@p1}"),
        ("dataset", "a snapshot of another pool", new, "{dataset: other/golden@p1}"),
        ("dataset", "a snapshot of a jail", new, "{dataset: tank/jails/alice@p1}"),
        ("dataset", "a release's own dataset", new, "{dataset: tank/releases/15.1}"),
        ("directory", "packages of a release that has none", old, "{pkgbase: {repository: /var/repo}}"),
    ):
        for name in [name for name, data in world.hosts.items() if data["vps_storage"] == storage][:1]:
            keys = (f"vps_releases.{release}.dataset", f"vps_releases.{release}.pkgbase", "vps_release")
            gone = [file_of(each) for each, jail in world.jails.items() if jail["host"] == name]
            places = (Place(f"hosts.yml: {name}", keys), *[Place(file, ("release", "plan")) for file in gone])
            yield world.set_host(what, name, "vps_releases", f"{{{release}: {source}}}", *places)


def _templates(world: World, host: str) -> t.Iterator[Mutant]:
    """Yield templates in a host's variables."""
    places = (Place(f"hosts.yml: {host}", ("vps_memory", "")), Place("hosts.yml", ("", "vps_memory")))
    for what, template in (
        ("of nothing that is there", "{{ nothing }}"),
        ("of itself", "{{ vps_memory }}"),
        ("cut off", "{{ vps_disk"),
        ("with an unknown filter", "{{ vps_disk | nothing }}"),
        ("that fails", "{{ 1 // 0 }}"),
        ("of no size", "{{ inventory_hostname }}"),
    ):
        yield world.set_host(f"a template {what}", host, "vps_memory", f'"{template}"', *places)
    right = '"{{ 64 }}G"'
    yield world.set_host(
        "a template of a size", host, "vps_memory", right, *places, harmless="another right value of the same key"
    )


def host_files(world: World) -> t.Iterator[Mutant]:
    """Yield hosts that are added, taken away or misnamed in the files of Ansible's own."""
    listed = world.source.document("hosts.yml")
    last = hosts_of(world.source)[-1]
    required = Place("hosts.yml: h99", ("vps_addresses", "vps_netblock"))
    edit = listed.insert(("jail_hosts", "hosts", "h99"), "")
    yield world.mutant("a host of which nothing is known", {"hosts.yml": edit}, required)
    edit = listed.remove(("jail_hosts", "hosts", last))
    gone = [Place(file_of(name), ("host",)) for name in world.jails if world.jails[name]["host"] == last]
    yield world.mutant("a host with jails is gone", {"hosts.yml": edit}, *gone, every=True)
    bare = [Place(f"hosts.yml: {last}", ("vps_addresses", "vps_netblock"))]
    bare += [Place(file_of(name), ("neighbourhood",)) for name in world.on(last)]
    yield world.mutant("a host's variables are gone", {f"host_vars/{last}.yml": None}, *bare)
    text = world.source.texts[f"host_vars/{last}.yml"]
    edits = {f"host_vars/{last}.yml": None, f"host_vars/{last.upper()}.yml": Edit(text, 1, 1)}
    yield world.mutant("a host's variables under another name", edits, *bare)
    edits = {"host_vars/h99.yml": Edit(text, 1, 1)}
    yield world.mutant("variables of no host", edits, harmless="Ansible reads the file for no host")
    everyone = [Place(f"hosts.yml: {name}", tuple(world.source.document(GROUP).data)) for name in world.hosts]
    yield world.mutant("the group's variables are gone", {GROUP: None}, *everyone)
    edit = listed.rename(("jail_hosts",), "jailhosts")
    yield world.mutant("the group under another name", {"hosts.yml": edit}, Place("fleet.yml", ("host_group",)))
    for what, name in (("a blank", '"h 1"'), ("a path", "../h1"), ("an option", "-oProxyCommand=reboot")):
        edit = listed.insert(("jail_hosts", "hosts", name), "")
        shown = name.strip('"')
        keys = ("", "name", *(key for data in world.hosts.values() for key in data if key.startswith("vps_")))
        yield world.mutant(f"a host's name with {what}", {"hosts.yml": edit}, Place(f"hosts.yml: {shown}", keys))


RULES: tuple[t.Callable[[World], t.Iterator[Mutant]], ...] = (
    duplicates,
    ports,
    reach,
    addresses,
    references,
    states,
    capacity,
    neighbourhoods,
    names,
    customers,
    hosts,
    host_files,
)


def rule_mutants(source: Source, chance: random.Random) -> t.Iterator[Mutant]:
    """Yield the mutants of all rules."""
    world = World(source, chance)
    for rule in RULES:
        yield from rule(world)
