# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a record may say, as data, and the values that the compiler passes around."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import ALLOWED_BY_DEFAULT
from ansible_collections.jailisp.vps.plugins.module_utils._releases import (
    PACKAGE,
    PACKAGES,
    REPOSITORY,
    SNAPSHOT,
    URL,
)

NAME_PATTERN = r"[a-z][a-z0-9_-]{0,30}"
RELEASE_PATTERN = r"[0-9]{1,3}\.[0-9]{1,3}-[A-Z][A-Z0-9]{0,15}(-p[0-9]{1,4})?"

# dummynet has 65535 numbers; the pipes of jail ID are 10000 + 2 * ID and the one after it.
ID_MAX = 24999
# dnctl(8) refuses 2^32 bit/s and more: "bandwidth too large".
RATE_MAX = (1 << 32) - 1
# No host's line is faster than 1 Tbit/s.
LINE_MAX = 10**12

DEFAULT_WEIGHT = 10
# How much of what a host has may be sold, where vps_overcommit says nothing.
DEFAULT_OVERCOMMIT = "100%"

# What FreeBSD can make use of at all: rc, a shell and one more daemon run in this memory, and a userland that is cut
# down to them fits on this disk.
MEMORY_MIN = 16 << 20
DISK_MIN = 64 << 20
# rctl(8), zfs(8) and Python's and C's signed numbers agree up to here.
SIZE_MAX = (1 << 63) - 1
# MAXPATHLEN is 1024 with its end; half of it is for what lies below: a jail's name, and what its customer makes there.
PATH_LENGTH = 512
# An interface's name, without the end of IFNAMSIZ.
_INTERFACE = r"[A-Za-z][A-Za-z0-9_.]{0,14}"
# zpool(8) reserves the names of vdevs, older ones those of disks too. The name of a dataset has at most 255 characters;
# the longest that the collection makes, POOL/releases/RELEASE@SNAPSHOT and POOL/jails/NAME, leave 128 for the pool.
_POOL = r"(?!mirror|raidz|draid|spare|log$|c[0-9])[A-Za-z][A-Za-z0-9_.:-]{0,127}"

# Stands for a value whose error is noted already, so that it is not complained about twice.
BROKEN: t.Final = object()


@dataclass(frozen=True)
class Key:
    """One key of a record.

    `kind` names the reader in values.py; `pattern` and `form` are for texts. `keys` are the keys of a mapping,
    of each element of a list (kind `mappings`), or of each value of a mapping whose keys are releases (kind `releases`)
    or names (kind `named`). In a `default`, written as in a record, `{name}` stands for the record's name; None: there
    is none, or it depends on other records (compile.py).
    """

    name: str
    kind: str
    description: str
    required: bool = False
    default: t.Any = None
    choices: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int | None = None
    pattern: str = ""
    form: str = ""
    keys: tuple[Key, ...] = ()


_BANDWIDTH = (
    Key("up", "rate", "What the jail may send, at most.", maximum=RATE_MAX),
    Key("down", "rate", "What the jail may receive, at most.", maximum=RATE_MAX),
    Key("weight", "integer", "Its share of the host's line, relative to the other jails'.", maximum=100),
)


def _limits(required: bool) -> tuple[Key, ...]:
    """Return the keys of limits, which a plan must give and a jail's record may override."""
    return (
        Key("disk", "size", "Disk space of the jail's root.", required, minimum=DISK_MIN, maximum=SIZE_MAX),
        Key(
            "memory",
            "size",
            "Memory of all its processes together.",
            required,
            minimum=MEMORY_MIN,
            maximum=SIZE_MAX,
        ),
        Key(
            "reservation",
            "size",
            "Disk space that is set aside for it, at most `disk`; only datasets can hold it.",
            maximum=SIZE_MAX,
        ),
        Key("processes", "integer", "How many processes it may have.", required, maximum=99999),
        Key("cpu", "percent", "Processor time; 100% is one processor.", required, maximum=100000),
        Key(
            "rctl",
            "rules",
            "Further rules of rctl(8), `RESOURCE:ACTION: AMOUNT`, as in `{openfiles:deny: 4096, readbps:throttle: "
            "20M}`; `none` takes one away that there is by default, see [plans](plans.md).",
        ),
    )


LIMITS = tuple(key.name for key in _limits(required=True) if key.required)

# The allow parameters of jail(8) that a plan may give. Those that are not here would give away the host, see
# docs/operators.md, "Hardened defaults".
ALLOW = (
    *("chflags", "mlock", "quotas", "raw_sockets", "read_msgbuf", "reserved_ports", "set_hostname", "socket_af"),
    *("suser", "unprivileged_proc_debug"),
    *("mount", "mount.devfs", "mount.fdescfs", "mount.linprocfs", "mount.linsysfs", "mount.nullfs", "mount.procfs"),
    *("mount.tmpfs", "mount.zfs"),
)

# What the kernel lets the jails of a plan do. Each default is the narrow one.
_PARAMETERS = (
    Key(
        "securelevel",
        "integer",
        "As in init(8). Below 1, root in the jail can undo what chflags(1) protects.",
        default=2,
        minimum=-1,
        maximum=3,
    ),
    Key(
        "enforce_statfs",
        "integer",
        "As in jail(8). Below 2, the jail sees where on the host its root is; mounting inside it needs 1.",
        default=2,
        minimum=0,
        maximum=2,
    ),
    Key(
        "devfs_ruleset",
        "integer",
        "What of /dev the jail sees. Any other than 4 shows it more devices of the host; the host must have it in "
        "/etc/devfs.rules.",
        default=4,
        maximum=65535,
    ),
    Key(
        "children_max",
        "integer",
        "How many jails it may make in itself. More than none lets it hide processes from its own tools, and "
        "needs a kernel interface that it has no use for otherwise.",
        default=0,
        minimum=0,
        maximum=999,
    ),
    Key(
        "sysvipc",
        "choice",
        "System V IPC. `new` is a name space of its own; with `inherit` it reads and removes the objects of the host "
        "and of every other such jail.",
        default="new",
        choices=("new", "inherit", "disable"),
    ),
    Key(
        "allow",
        "choices",
        "The allow parameters of jail(8) that are true; what each of them opens, see [operators](operators.md).",
        default=ALLOWED_BY_DEFAULT,
        choices=ALLOW,
    ),
)

PUBLISH_KEYS = (
    Key("port", "portrange", "Port on the public address, or a range of at most 1000.", required=True),
    Key("to", "integer", "Port in the jail; of a range the first.", required=True, maximum=65535),
    Key("protocol", "choice", "Transport protocol.", default="tcp", choices=("tcp", "udp")),
    Key(
        "address",
        "address",
        "One of vps_addresses, or the jail's own `public`; default is `public`, or else the first of vps_addresses.",
    ),
    Key("from", "networks", "Who reaches it: addresses and networks; everybody without it."),
)

ALLOW_KEYS = (
    Key("jail", "name", "A jail of the same host."),
    Key("network", "network", "Or an address or a network."),
    Key("port", "portrange", "Port of this jail, or a range; all of them without it."),
    Key(
        "protocol",
        "choice",
        "Transport protocol; default is tcp with a port, else all of them.",
        choices=("tcp", "udp"),
    ),
)

_RATE = r"[1-9][0-9]{0,6}/[1-9][0-9]{0,6}"
_CONNECTIONS = (
    Key("states", "integer", "How many connections it may have in each direction at a time.", maximum=1000000),
    Key(
        "rate",
        "text",
        "How many connections it may open in how many seconds; those beyond are cut off.",
        pattern=_RATE,
        form="a number of connections and of seconds, such as 200/10",
    ),
)


def _outgoing(default: bool | None) -> tuple[Key, ...]:
    """Return the keys of outgoing, which a plan gives and a jail's record may override."""
    return (Key("smtp", "boolean", "Whether it may connect to port 25 of others.", default=default),)


JAIL_KEYS = (
    Key("host", "name", "The jail host that it runs on.", required=True),
    Key(
        "neighbourhood",
        "name",
        "Which of vps_neighbourhoods of its host holds its root; `order.yml` chooses it. Required where the host has "
        "any, unless the root is an image.",
    ),
    Key("customer", "name", "Who pays: a record in customers.", required=True),
    Key("plan", "name", "What was sold: a record in plans.", required=True),
    Key(
        "id", "integer", "Number, unique in the fleet; numbers of pipes derive from it.", required=True, maximum=ID_MAX
    ),
    Key("address", "address", "Private address, in the netblock of its host.", required=True),
    Key("address6", "address6", "IPv6 address, in vps_netblock6 of its host; none without it."),
    Key("hostname", "hostname", "Host name inside the jail.", default="{name}"),
    Key(
        "network",
        "choice",
        "Whether it shares its host's network stack, or has one of its own (`vnet`) behind the host's bridge; see "
        "[operators](operators.md).",
        default="shared",
        choices=("shared", "vnet"),
    ),
    Key(
        "state",
        "choice",
        "What the jail must be.",
        default="running",
        choices=("running", "stopped", "suspended", "absent"),
    ),
    Key("retired", "moment", "When it became absent; `retire.yml` writes it, its last archive is named after it."),
    Key("publish", "mappings", "Public ports that lead to the jail.", default=(), keys=PUBLISH_KEYS),
    Key("public", "address", "Public address of its own, in vps_public of its host."),
    Key("publish_all", "boolean", "Whether every port of its own addresses leads to the jail.", default=False),
    Key("nat", "address", "Public address of the host that its connections come from; default is `public`."),
    Key("allow_from", "mappings", "Who else reaches its private address.", default=(), keys=ALLOW_KEYS),
    Key("outgoing", "mapping", "Overrides of the plan's outgoing.", keys=_outgoing(default=None)),
    Key("connections", "mapping", "Overrides of the plan's connections.", keys=_CONNECTIONS),
    Key("limits", "mapping", "Overrides of the plan's limits.", keys=_limits(required=False)),
    Key("bandwidth", "mapping", "Overrides of the plan's bandwidth.", keys=_BANDWIDTH),
    Key("release", "release", "Override of the plan's and the host's release."),
    Key(
        "storage",
        "choice",
        "What its root is: a plain directory, or an image, whose size limits it; default is vps_storage of its host. "
        "Not on hosts of datasets, which are limited as well.",
        choices=("directory", "image"),
    ),
    Key("restart", "boolean", "Whether a change that needs it may restart this jail.", default=False),
    Key("canary", "boolean", "Override of the plan's canary."),
)

PLAN_KEYS = (
    *_limits(required=True),
    Key("bandwidth", "mapping", "Cap of the jail's traffic; none without it.", keys=_BANDWIDTH),
    Key("nat", "address", "Public address that the connections of its jails come from; default is vps_nat."),
    Key("outgoing", "mapping", "What its jails may connect to.", keys=_outgoing(default=False)),
    Key("connections", "mapping", "Limits of each jail's connections; none without it.", keys=_CONNECTIONS),
    Key("release", "release", "Release of the plan's jails; default is the host's."),
    Key(
        "canary",
        "boolean",
        "Whether `upgrade.yml` begins with the plan's jails, on all hosts, and goes on if all is well.",
        default=False,
    ),
    Key("jail", "mapping", "What the kernel lets the plan's jails do, as in jail(8).", keys=_PARAMETERS),
    Key(
        "ports",
        "integer",
        "Public ports that `order.yml` gives a jail; the first leads to ssh.",
        default=1,
        maximum=100,
    ),
)

CUSTOMER_KEYS = (
    Key("name", "text", "Name of the person or the company.", required=True),
    Key("contact", "mail", "Mail address for notices.", required=True),
    Key("user", "login", "Login name of the customer's user in each of his jails.", default="{name}"),
    Key("keys", "sshkeys", "Public ssh keys of the customer's user.", default=()),
    Key("password", "crypt", "Hash of the customer's password, as crypt(3) makes it; none: no way in by password."),
)

# How the variables of a host begin that are the fleet's.
HOST_PREFIX = "vps_"

HOST_KEYS = (
    Key(
        "vps_interface",
        "text",
        "Outside interface of the host.",
        required=True,
        pattern=_INTERFACE,
        form="the name of an interface, such as vtnet0",
    ),
    Key(
        "vps_interfaces",
        "texts",
        "Further outside interfaces; what holds on vps_interface holds on them too.",
        default=(),
        pattern=_INTERFACE,
        form="the name of an interface, such as vtnet1",
    ),
    Key("vps_addresses", "addresses", "Public IPv4 addresses.", required=True),
    Key("vps_nat", "address", "The one of them that connections of jails come from; default is the first."),
    Key(
        "vps_public",
        "networks",
        "Public IPv4 addresses and networks for jails that have one of their own; they lead to the host.",
        default=(),
    ),
    Key(
        "vps_services",
        "mappings",
        "Ports at the host's own addresses that its jails may reach.",
        default=(),
        keys=(
            Key("port", "integer", "Port.", required=True, maximum=65535),
            Key("protocol", "choice", "Transport protocol.", default="tcp", choices=("tcp", "udp")),
        ),
    ),
    Key(
        "vps_own_addresses",
        "addresses46",
        "The host's own addresses, at which its sshd answers, and at no other; default is vps_addresses.",
    ),
    Key(
        "vps_blocked",
        "networks",
        "Addresses and networks that nobody here talks with; of more, administrators tell the table `blocked`.",
        default=(),
    ),
    Key("vps_netblock", "netblock", "Private network of the host's jails.", required=True),
    Key("vps_netblock6", "netblock6", "IPv6 network of the host's jails; none without it."),
    Key("vps_memory", "size", "Memory that the host has for its jails.", required=True, maximum=SIZE_MAX),
    Key("vps_disk", "size", "Disk space that the host has for its jails.", required=True, maximum=SIZE_MAX),
    Key(
        "vps_storage",
        "choice",
        "Where the roots are: plain directories, images, or ZFS datasets.",
        required=True,
        choices=("directory", "image", "dataset"),
    ),
    Key(
        "vps_images",
        "path",
        "Folder on the host for the files of images.",
        default="/var/jail-images",
        maximum=PATH_LENGTH,
    ),
    Key(
        "vps_pool",
        "text",
        "ZFS pool of the roots; only with datasets.",
        pattern=_POOL,
        form="the name of a pool that zpool(8) accepts, such as tank",
    ),
    Key(
        "vps_snapshot_room",
        "percent",
        "What a jail on a dataset and its snapshots may take together, in percent of its disk.",
        default="150%",
        minimum=100,
        maximum=100000,
    ),
    Key("vps_root", "path", "Folder of the roots.", default="/usr/local/jails/{name}", maximum=PATH_LENGTH),
    Key(
        "vps_neighbourhoods",
        "named",
        "Partitions that hold the roots in place of vps_root, by name; only with directories.",
        keys=(
            Key(
                "path",
                "path",
                "Folder where its file system is mounted: the roots are in there.",
                required=True,
                maximum=PATH_LENGTH,
            ),
            Key("disk", "size", "Disk space that it has for jails.", required=True, maximum=SIZE_MAX),
        ),
    ),
    Key(
        "vps_link",
        "mapping",
        "Real rates of the host's line.",
        required=True,
        keys=(
            Key("up", "rate", "What the line sends.", required=True, maximum=LINE_MAX),
            Key("down", "rate", "What the line receives.", required=True, maximum=LINE_MAX),
        ),
    ),
    Key(
        "vps_overcommit",
        "mapping",
        "How much of what the host has may be sold.",
        keys=tuple(
            Key(name, "percent", text, default=DEFAULT_OVERCOMMIT, maximum=100000)
            for name, text in (
                ("memory", "Share of vps_memory."),
                ("disk", "Share of vps_disk, and of the disk of a neighbourhood."),
                ("bandwidth", "Share of vps_link, up and down."),
            )
        ),
    ),
    Key(
        "vps_ports",
        "ports",
        "Public ports that `order.yml` gives away, of the first of vps_addresses.",
        default="8000-8999",
    ),
    Key(
        "vps_resolvers",
        "addresses46",
        "Name servers that a new jail asks; without them it has no /etc/resolv.conf.",
        default=(),
    ),
    Key("vps_orders", "boolean", "Whether `order.yml` may choose this host.", default=True),
    Key(
        "vps_archives",
        "path",
        "Folder on the host for the archives of retired jails.",
        default="/var/jail-archives",
        maximum=PATH_LENGTH,
    ),
    Key(
        "vps_upgrades",
        "path",
        "Folder on the host for what upgrades keep, so that they can be rolled back.",
        default="/var/jail-upgrades",
        maximum=PATH_LENGTH,
    ),
    Key("vps_archive_days", "integer", "How many days such an archive is kept.", default=90, maximum=36500),
    Key(
        "vps_made_releases",
        "path",
        "Folder on the host for the archives that it makes of releases from `src`, `dataset` or `pkgbase`.",
        default="/var/jail-releases",
        maximum=PATH_LENGTH,
    ),
    Key(
        "vps_releases",
        "releases",
        "Where the releases are from: each from an archive, or from one of `src`, `dataset` and `pkgbase`.",
        required=True,
        keys=(
            Key("archive", "path", "Path of its base archive on the host; with `sha256`.", maximum=PATH_LENGTH),
            Key(
                "sha256",
                "text",
                "Checksum of the archive.",
                pattern=r"[0-9a-f]{64}",
                form="64 hexadecimal digits, in lower case",
            ),
            Key(
                "url",
                "text",
                "Where the host fetches the archive if it is missing when it is needed.",
                pattern=URL.pattern,
                form="an address such as https://download.freebsd.org/releases/amd64/15.1-RELEASE/base.txz, without a "
                "name and a password",
            ),
            Key(
                "src",
                "path",
                "Path of its source tree, built on the host; beside an archive for `upgrade.yml -e mode=installworld`.",
                maximum=PATH_LENGTH,
            ),
            Key(
                "dataset",
                "text",
                "ZFS snapshot that jails are cloned from, or file system that they are copied from.",
                pattern=SNAPSHOT.pattern,
                form="the name of a snapshot or a file system, such as zroot/releases/15.1@p1",
            ),
            Key(
                "pkgbase",
                "mapping",
                "Packages of the base system, from FreeBSD 15 on; for new roots, not for upgrades.",
                keys=(
                    Key(
                        "repository",
                        "text",
                        "Address of their repository, or its path on the host.",
                        required=True,
                        pattern=REPOSITORY.pattern,
                        form="an address such as pkg+https://pkg.FreeBSD.org/${ABI}/base_release_1 or a path, without "
                        "a name and a password",
                    ),
                    Key(
                        "fingerprints",
                        "path",
                        "Folder on the host with the fingerprints of whoever signs it; default is "
                        "`/usr/share/keys/pkgbase-15`, with the release's own number.",
                        maximum=PATH_LENGTH,
                    ),
                    Key(
                        "packages",
                        "texts",
                        "What is installed.",
                        default=PACKAGES,
                        pattern=PACKAGE.pattern,
                        form="the name of a package",
                    ),
                ),
            ),
        ),
    ),
    Key("vps_release", "release", "Default release of the host's jails.", required=True),
    Key(
        "vps_jail_interface",
        "text",
        "Interface that carries the jails' addresses.",
        default="lo1",
        pattern=_INTERFACE,
        form="the name of an interface, such as lo1",
    ),
    Key(
        "vps_bridge",
        "text",
        "Bridge of the jails with `network: vnet`. It is made where there are such jails, and has the first address of "
        "each netblock, their gateway.",
        default="bridge0",
        pattern=r"bridge[0-9]{1,5}",
        form="the name of a bridge, such as bridge0",
    ),
)

# The keys of fleet.yml itself.
FLEET_KEYS = (
    Key("plugin", "choice", "The name of the inventory plugin.", required=True, choices=("jailisp.vps.fleet",)),
    Key("hosts", "relative", "The inventory of the hosts, relative to this file.", default="hosts.yml"),
    Key("plans", "relative", "Folder of the plans, relative to this file.", default="plans"),
    Key("customers", "relative", "Folder of the customers, relative to this file.", default="customers"),
    Key("jails", "relative", "Folder of the jails, relative to this file.", default="jails"),
    Key(
        "host_group",
        "text",
        "The group of the jail hosts in hosts.",
        default="jail_hosts",
        pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        form="the name of a group",
    ),
)


@dataclass(frozen=True)
class Vaulted:
    """A single value that Ansible Vault had encrypted: checked like any other, never shown."""

    value: t.Any


@dataclass(frozen=True)
class Block:
    """A mapping as it was written: `values` by key (text, number, Vaulted, list, Block), and the `lines` of the keys.

    `line` is where the mapping begins. Values that come from Ansible have no lines: 0.
    """

    values: dict[str, t.Any]
    lines: dict[str, int] = field(default_factory=dict)
    line: int = 0

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the mapping if the key is missing."""
        return self.lines.get(key, self.line)


@dataclass(frozen=True)
class Record:
    """One file of the inventory: its path relative to the inventory's folder, its name, and what it says.

    `broken`: it could not be read, which is noted already; all that is known is that it is there.
    """

    file: str
    name: str
    block: Block
    broken: bool = False


def printable(text: str) -> str:
    r"""Return a text with what a terminal would obey or could not show written out: an escape becomes ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@dataclass(frozen=True, order=True)
class Problem:
    """One error: where it is (line 0: nowhere in particular), which key, what is wrong and what to do."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return printable(": ".join(part for part in (place, self.key, self.text) if part))


class FleetError(Exception):
    """The fleet has errors: all of them, in the order of files and lines."""

    def __init__(self, problems: t.Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Sources:
    """Where the records are: folders relative to the inventory's folder, and how hosts are known there."""

    hosts: str = "hosts.yml"
    plans: str = "plans"
    customers: str = "customers"
    jails: str = "jails"
    host_group: str = "jail_hosts"


@dataclass(frozen=True)
class Surroundings:
    """What the inventory of the hosts has besides the variables vps_*: the names of all its hosts and groups.

    `ways` are, by jail host, ansible_host and ansible_port by which Ansible reaches it, where it has them.
    """

    hosts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    ways: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fleet:
    """All records before checking, each list sorted by name; None for a folder that could not be read."""

    plans: list[Record] | None
    customers: list[Record] | None
    jails: list[Record] | None
