# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of the collection that makes values of text: texts that are in order, and what it may say of others."""

from __future__ import annotations

import functools
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.connection.jail import is_absent
from ansible_collections.jailisp.vps.plugins.module_utils import _block, _hold, _source_tree, _units
from ansible_collections.jailisp.vps.plugins.module_utils._accounts import parse as accounts
from ansible_collections.jailisp.vps.plugins.module_utils._archives import parse as archives
from ansible_collections.jailisp.vps.plugins.module_utils._archives.render import checksum_line
from ansible_collections.jailisp.vps.plugins.module_utils._daemons import parse as daemons
from ansible_collections.jailisp.vps.plugins.module_utils._disk import parse as disk
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet import parse as dummynet
from ansible_collections.jailisp.vps.plugins.module_utils._host_info import parse as host_info
from ansible_collections.jailisp.vps.plugins.module_utils._images import parse as images
from ansible_collections.jailisp.vps.plugins.module_utils._jails import parse as jails
from ansible_collections.jailisp.vps.plugins.module_utils._net_info import parse as net_info
from ansible_collections.jailisp.vps.plugins.module_utils._net_info.describe import Flows, describe
from ansible_collections.jailisp.vps.plugins.module_utils._pf import foreign, traffic
from ansible_collections.jailisp.vps.plugins.module_utils._pf import model as pf_model
from ansible_collections.jailisp.vps.plugins.module_utils._pf import parse as pf
from ansible_collections.jailisp.vps.plugins.module_utils._plan import ParseError
from ansible_collections.jailisp.vps.plugins.module_utils._rctl import model as rctl_model
from ansible_collections.jailisp.vps.plugins.module_utils._rctl import parse as rctl
from ansible_collections.jailisp.vps.plugins.module_utils._settings import parse as settings
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import etc, journal, space, tree, versions
from ansible_collections.jailisp.vps.plugins.module_utils._worlds import parse as worlds
from ansible_collections.jailisp.vps.plugins.module_utils._zfs import model as zfs
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.credentials import (
    key_material,
    read_crypt,
    read_ssh_key,
)
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.host_keys import host_key_fingerprints
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.limits import read_rule
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Key, printable
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Problem as FleetProblem
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.values import READERS, read_value
from support.recordings import FOLDER
from transcripts.replay import Step, parse

EXAMPLE = FOLDER.parent.parent / "inventory"


@dataclass(frozen=True)
class Target:
    """Something that makes a value of a text.

    ``seeds`` are texts that are in order, ``raises`` what it may raise about others: what its caller, in the end the
    module's shell, makes one clear message of. What reads a customer's files, or notes that may be cut off, raises
    nothing.
    """

    name: str
    call: t.Callable[[str], t.Any]
    seeds: tuple[str, ...]
    raises: tuple[type[Exception], ...] = ()


NOTHING = {"rules": [], "tables": {}, "kept_tables": [], "conf": "/etc/pf.conf", "guard": 0, "unskipped": ["lo1"]}
ROOTS = ("/usr/local/jails/h1/alice", "/usr/local/jails/h1/bob")
DIGEST = "0123456789abcdef" * 4
ARCHIVE = "alice-2026-10-01T120000Z.tar.zst"
MASTER_PASSWD = (
    "# $FreeBSD$\n#\nroot:$6$salt$hash:0:0::0:0:Charlie &:/root:/bin/sh\ntoor:*:0:0::0:0:Bourne-again:/root:\n"
    "alice:$6$salt$hash:1001:1001::0:0:A:/home/alice:/bin/sh\nnobody:*:65534:65534::0:0::/nonexistent:/sbin/nologin\n"
)
SSHD_CONFIG = (
    "#Port 22\nPort 2222\nListenAddress=198.51.100.11\nListenAddress [2001:db8::1]:22\nMatch User x\n\tPort 1\n"
)
SOCKSTAT = (
    "root     sshd         1044 4   tcp4   *:22                  *:*\n"
    "root     sshd: a [pr  1050 5   tcp6   2001:db8::1:22        2001:db8::2:5000\n"
    "?        ?            ?    ?   udp4   203.0.113.10:514      *:*\n"
)
DF = (
    "Filesystem    1024-blocks   Used   Avail Capacity  Mounted on\n"
    "/dev/vtbd0        8316764 262548 7638380     3%    /\n"
    "tank/jails/alice  4194304     96 4194208     0%    /usr/local/jails/h1/alice\n"
)
TAR = (
    "drwxr-xr-x  0 root   wheel       0 Nov 24 09:30 ./\n"
    "-r-xr-xr-x  0 root   wheel   14000 Nov 24  2025 ./bin/cat\n"
    "lrwxr-xr-x  0 root   wheel       0 Nov 24 09:30 ./usr/lib/libc.so -> ../../lib/libc.so.7\n"
    "hr-xr-xr-x  0 root   wheel       0 Nov 24 09:30 ./bin/[ link to ./bin/test\n"
)
SPACES = "tank/jails/alice\t98304\t98304\t4194304\t0\t4294967296\t0\ntank/jails/alice@jailisp-1\t0\t98304\t-\t-\t-\t-\n"
PINS = "tank/jails/alice@a\tclones\ttank/jails/bob\ntank/jails/alice@a\tuserrefs\t1\ntank/jails/alice@b\tuserrefs\t0\n"
DATASETS = "tank/jails\tnone\tno\ntank/jails/alice\t/usr/local/jails/h1/alice\tyes\ntank/jails/alice@clean\t-\t-\n"
PROPERTIES = "tank/jails/alice\trefquota\t4294967296\ntank/jails/alice\tquota\t0\ntank/jails/bob\treferenced\t98304\n"
NEWVERS = 'TYPE="FreeBSD"\nREVISION="15.1"\nBRANCH="RELEASE-p1"\nif [ -n "${BRANCH_OVERRIDE}" ]; then\n'
VERSION = '#!/bin/sh\n#\nset -e\nUSERLAND_VERSION="15.1-RELEASE-p1"\n: ${ROOT:=""}\n'
DU = f"87857\t{ROOTS[0]}\n12\t{ROOTS[1]}\n"
COMPLAINTS = f"du: {ROOTS[0]}/x: Permission denied\ndu: {ROOTS[1]}: No such file or directory\n"
ETCUPDATE = "  C /etc/ssh/sshd_config\n  M /etc/hosts\n"
LABELS = "jail:alice 100 20 3000 10 1000 10 2000 5\nlocal:alice 4 0 0 0 0 0 0 0\njail:alice 1 1 1 1 1 1 1 1\n"
TRAFFIC = json.dumps({"sums": {"jail:alice": [1, 2, 3, 4, 5]}, "pending": {"jail:alice": [9, 9, 9, 9, 9]}})
JOURNAL = journal.render(
    journal.Journal(
        *(journal.KEPT, "15.1-RELEASE", "15.1-RELEASE-p1", True, "1", 1764000000),
        ports=(22, 80),
        units=("bin", "usr/bin"),
        before={"etc/hosts": "100644 0:0 abc"},
        etc={"etc/hosts": ("100644 0:0 abc", None)},
    )
)
JAIL_CONF = (
    'alice {\n  path = "/usr/local/jails/h1/alice";\n'
    '  ip4.addr = "lo1|192.168.1.17/32";\n  ip6.addr = "lo1|2001:db8::17/128";\n}\n'
)
ANCHOR_FILE = (
    "table <jails> persist { 192.168.1.0/24 }\n"
    "rdr pass on vtnet0 inet proto tcp from any to 203.0.113.10 port 8017 -> 192.168.1.17 port 22 # alice\n"
    'pass out quick on vtnet0 from 192.168.1.17 to any label "jail:alice" dnpipe (1, 2) # alice\nblock in all\n'
)
PF_RULES = (
    "nat on vtnet0 inet from 192.168.1.17 to any tag jail_alice -> 203.0.113.10\n"
    "rdr pass on vtnet0 inet proto tcp from any to 203.0.113.10 port = 8017 tag jail_alice -> 192.168.1.17 port 22\n"
    "pass in quick on vtnet0 proto tcp from any to 192.168.1.17 port = 22 flags S/SA keep state"
    ' label "jail:alice" tagged jail_alice dnpipe(1, 2)\n'
    "  [ Evaluations: 5         Packets: 1         Bytes: 60          States: 1     ]\n"
    "  [ Inserted: uid 0 pid 1234 State Creations: 1     ]\n"
)
BOOT_PIPES = ("pipe 1 config bw 10Mbit/s", "queue 3 config pipe 1 weight 10", "# leaving: pipe 2 config")
RCTL_CONF = "jail:alice:maxproc:deny=100  # ours\n# all of it\nuser:bob:maxproc:deny=1\n"
NOTE = json.dumps({"file": ANCHOR_FILE, "shown": PF_RULES})
DELIVERED = json.dumps({"user": "alice", "password": "$6$a$b", "keys": ["ssh-ed25519 AAAA a"]})
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
KEYSCAN = f"198.51.100.11 {KEY}\n# a comment\n"
HOLDER = json.dumps({"run": "site 1", "module": "jails", "process": 7, "since": 1764000000, "until": 1764000120})
BLOCK = f"ours\n{_block.BEGIN}\nkern.racct.enable=1\n{_block.END}\ntheirs\n"


@functools.cache
def _steps() -> tuple[Step, ...]:
    return tuple(step for file in sorted(FOLDER.glob("*.transcript")) for step in parse(file))


def printed(*beginnings: str) -> tuple[str, ...]:
    """Return what commands that begin so printed in the recordings, each text once."""
    texts = (step.out for step in _steps() if step.command.startswith(beginnings) and step.out)
    return tuple(dict.fromkeys(texts))


def _skipped_and_taken(text: str) -> t.Any:
    """Have a text of pf's looked at as a pf.conf, and as the main rules beside ours."""
    rules = [{"rule": line.partition(" # ")[0], "jail": "alice"} for line in ANCHOR_FILE.splitlines()[1:2]]
    wish = pf_model.wish({**NOTHING, "anchor": "vps", "rules": rules})
    return foreign.skipped(wish, text), foreign.taken(wish, text.splitlines())


def _described(text: str) -> t.Any:
    """Have rules told of as net_info does, beside pipes that dnctl shows."""
    flows = Flows(dummynet.parse_pipes(printed("dnctl pipe show")[0]), {})
    rules = net_info.parse_rules(text)
    return [describe(rule.jail, rules, flows, {}) for rule in rules[:3]]


def _rates(text: str) -> t.Any:
    """Have pipes told of, as a jail's rule leads to each."""
    pipes = dummynet.parse_pipes(text)
    carriers = [net_info.Carrier("pipe", number, number) for number in pipes]
    rule = net_info.parse_rules(PF_RULES)[0]
    return [describe("alice", [rule._replace(carrier=each)], Flows(pipes, {}), {}) for each in carriers]


def _counted(text: str) -> t.Any:
    """Have the file of traffic read, counted on and written."""
    found = traffic.after_load(traffic.before_load(traffic.parse_traffic(text), traffic.parse_labels(LABELS)))
    return _there_and_back(traffic.parse_traffic, traffic.render_traffic)(traffic.render_traffic(found))


def _there_and_back(read: t.Callable[[str], t.Any], write: t.Callable[[t.Any], str]) -> t.Callable[[str], t.Any]:
    """Return what reads a text, and wants what it read to be the same when it was written and is read again."""

    def check(text: str) -> t.Any:
        found = read(text)
        written = write(found)
        if read(written) != found:
            raise AssertionError(f"{found!r} is another when it was written: {written!r}")
        return found

    return check


def _block_beside(text: str) -> t.Any:
    """Have our part taken out of a file, and another put in, which must come out again beside all that is theirs."""
    _ours, theirs = _block.split(text)
    if _block.split(_block.join(["x"], theirs)) != (["x"], theirs):
        raise AssertionError("what is theirs is another beside our part")
    return theirs


def _held(text: str) -> t.Any:
    """Have it said who holds a host."""
    holder = _hold.parse_holder(text)
    return holder and str(_hold.Held(holder, working=False))


def _used(text: str) -> t.Any:
    return jails.user_of(jails.parse_jails(text), "alice", ROOTS[0])


def _journal(text: str) -> t.Any:
    """Have a journal read, asked and written, as those do that go on with an upgrade."""
    found = _there_and_back(lambda each: journal.parse(each, "alice.json"), journal.render)(text)
    return found.between, etc.undoing(found.etc, {"etc/hosts": "x"})


def _checked(kind: str) -> t.Callable[[str], t.Any]:
    def check(text: str) -> t.Any:
        try:
            return read_value(text, Key("key", kind, "A key.", choices=("a", "b"), default=""))
        except ValueError as error:
            # What Python itself says of a value tells nobody what to do.
            if "; " not in str(error):
                raise AssertionError(str(error)) from error
            raise

    return check


def _document(text: str) -> t.Any:
    problems: list[FleetProblem] = []
    read = read_document(text.encode(errors="surrogateescape"), "jails/alice.yml", problems)
    lines = [str(problem) for problem in problems]
    if (read is None and not lines) or not all(line.isprintable() and "; " in line for line in lines):
        raise AssertionError(f"said {lines}")
    return read


VALUES = (
    *(
        "alice",
        "4G",
        "512M",
        "10Mbit/s",
        "1.5 Mbit/s",
        "50%",
        "www.example.net",
        "alice@example.net",
        "/usr/local/jails",
    ),
    *("hosts.yml", "2026-10-01T120000Z", "8000-8999", "198.51.100.0/24", "2001:db8::/64", "::ffff:1.2.3.4", "a"),
    *("15.1-RELEASE-p1", "192.168.1.17", "2001:db8::17", "fe80::1%lo0", KEY),
    *("$6$salt$" + "a" * 86, "$5$rounds=5000$salt$" + "a" * 43, "$2b$05$" + "C" * 53, "true", "17"),
)


def targets() -> list[Target]:
    """Return all of them."""
    conf = ('set skip on { lo0 lo1 }\nnat-anchor "vps/*" \\\n  # x\nrdr-anchor "vps/*"\npass\n', PF_RULES, ANCHOR_FILE)
    shown = (PF_RULES, *printed("pfctl -a vps/", "pfctl -sn", "pfctl -sr", "pfctl -vs"))
    mounts, running = printed("mount -p"), printed("jls --libxo json -n")
    pipes, queues = printed("dnctl pipe show"), printed("dnctl queue show")
    inventory = tuple(path.read_text(encoding="utf-8") for path in sorted(EXAMPLE.rglob("*.yml")))
    parse_errors = (ParseError,)
    return [
        Target("parse_passwd", accounts.parse_passwd, (MASTER_PASSWD,)),
        Target("parse_keys", accounts.parse_keys, ("ssh-ed25519 AAAA a\n",)),
        Target("parse_delivered", accounts.parse_delivered, (DELIVERED,)),
        Target("parse_entry", archives.parse_entry, (ARCHIVE, f"{ARCHIVE}.sha256", f".{ARCHIVE}.part")),
        Target(
            "parse_checksum", lambda text: archives.parse_checksum(text, ARCHIVE), (checksum_line(DIGEST, ARCHIVE),)
        ),
        Target("parse_sockets", daemons.parse_sockets, (SOCKSTAT, *printed("sockstat -4lq")), parse_errors),
        Target("parse_ports", daemons.parse_ports, (SSHD_CONFIG,)),
        Target("parse_listen_addresses", daemons.parse_listen_addresses, (SSHD_CONFIG,)),
        Target("parse_sizes", lambda text: disk.parse_sizes(text, ROOTS), (DU,), parse_errors),
        Target("count_complaints", lambda text: disk.count_complaints(text, ROOTS), (COMPLAINTS,)),
        Target("parse_rooms", lambda text: disk.parse_rooms(text, ROOTS), (DF,), parse_errors),
        Target("parse_pipes", dummynet.parse_pipes, pipes, parse_errors),
        Target("parse_queues", dummynet.parse_queues, queues, parse_errors),
        Target("pipes of a jail", _rates, pipes, parse_errors),
        Target("numbers of the boot file", lambda text: dummynet.numbers(text.splitlines()), ("\n".join(BOOT_PIPES),)),
        Target("printable of a host", host_info.printable, ("alice", "b\x1b[31mc\\")),
        Target("printable of a fleet", printable, ("alice", "b\x1b[31mc\\")),
        Target(
            "parse_names", host_info.parse_names, ("  vps/nat\n  vps/rdr\n", *printed("pfctl -sA", "pfctl -a vps -sT"))
        ),
        Target("rules of rctl, of a host", host_info.parse_rules, printed("rctl", "rctl -l"), parse_errors),
        Target("parse_disks", images.parse_disks, printed("mdconfig -lv"), parse_errors),
        Target("parse_sources", images.parse_sources, mounts, parse_errors),
        Target("parse_mounts", jails.parse_mounts, mounts, parse_errors),
        Target("parse_jails", jails.parse_jails, running, parse_errors),
        Target("user_of", _used, running, parse_errors),
        Target(
            "parse_allow",
            jails.parse_allow,
            (*printed("sysctl -N security.jail.param"), "security.jail.param.allow.x.\n"),
        ),
        Target("parse_interfaces", jails.parse_interfaces, printed("ifconfig")),
        Target("addresses of jail.conf", jails.parse_file, (JAIL_CONF,)),
        Target("parse_ages", jails.parse_ages, ("    0    8\n    3    -\n    3  120\n",), parse_errors),
        Target("parse_rules of an anchor", net_info.parse_rules, shown, parse_errors),
        Target("a jail's network", _described, shown, parse_errors),
        Target("parse_note", pf.parse_note, (NOTE,)),
        Target("rules of the anchor's file", pf.parse_file, (ANCHOR_FILE,)),
        Target("statements", pf.statements, conf),
        Target("somebody else's rules", _skipped_and_taken, (*conf, *shown)),
        Target("parse_labels", traffic.parse_labels, (LABELS, *printed("pfctl -a vps/shape -s labels"))),
        Target("parse_traffic", traffic.parse_traffic, (TRAFFIC,)),
        Target("traffic, counted on", _counted, (TRAFFIC,)),
        Target("rules of rctl", rctl.parse_rules, printed("rctl")),
        Target("rules of rctl.conf", lambda text: rctl.parse_lines(text.splitlines()), (RCTL_CONF,)),
        Target("parse_usage", rctl.parse_usage, printed("rctl -u")),
        Target("parse_amount", lambda text: rctl_model.parse_amount("memoryuse", text), ("512m", "400"), (ValueError,)),
        Target("parse_sysctl", settings.parse_sysctl, printed("sysctl")),
        Target("parse_version", worlds.parse_version, (VERSION,)),
        Target("parse_pins", worlds.parse_pins, (PINS,), parse_errors),
        Target("parse_datasets", worlds.parse_datasets, (DATASETS,), parse_errors),
        Target("parse_properties", zfs.parse_properties, (PROPERTIES,), parse_errors),
        Target("parse_newvers", _source_tree.parse_newvers, (NEWVERS,)),
        Target("parse_conflicts", etc.parse_conflicts, (ETCUPDATE,)),
        Target("a journal of an upgrade", _journal, (JOURNAL,), parse_errors),
        Target("parse_spaces", space.parse_spaces, (SPACES,), parse_errors),
        Target("parse_listing", tree.parse_listing, (TAR,), parse_errors),
        Target("order of releases", versions.order, ("15.1-RELEASE-p1", "16.0-CURRENT")),
        Target("who holds the host", _held, (HOLDER,)),
        Target("block of ours", _block_beside, (BLOCK,)),
        Target("parse_size", _there_and_back(_units.parse_size, _units.format_size), VALUES, (ValueError,)),
        Target("parse_rate", _there_and_back(_units.parse_rate, _units.format_rate), VALUES, (ValueError,)),
        Target("parse_percent", _units.parse_percent, VALUES, (ValueError,)),
        Target("parse_moment", _there_and_back(_units.parse_moment, _units.format_moment), VALUES, (ValueError,)),
        Target("host_key_fingerprints", host_key_fingerprints, (KEYSCAN,)),
        Target("read_ssh_key", read_ssh_key, VALUES, (ValueError,)),
        Target("key_material", key_material, VALUES),
        Target("read_crypt", read_crypt, VALUES, (ValueError,)),
        Target("read_rule", lambda text: read_rule("openfiles:deny", text), ("400", "none"), (ValueError,)),
        Target("name of a rule", lambda text: read_rule(text, 1), ("openfiles:deny",), (ValueError,)),
        Target(
            "what jexec says",
            lambda text: is_absent("alice", (1, b"", text.encode(errors="replace"))),
            ('jexec: jail "alice" not found\n',),
        ),
        Target("a YAML document", _document, inventory),
        *(Target(f"a value: {kind}", _checked(kind), VALUES, (ValueError,)) for kind in sorted(READERS)),
    ]
