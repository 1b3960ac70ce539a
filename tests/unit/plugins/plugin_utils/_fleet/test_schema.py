# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas refuse nothing that the compiler accepts, and what only the compiler refuses is a closed list.

Generated records go to both: to the compiler as text, to the schema as an editor sees that text.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import model
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checker
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Key
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.schema import schemas, write_schemas
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.values import ELEMENTS

SCHEMAS = Path(__file__).resolve().parents[5] / "schemas"
TABLES = {
    "fleet": model.FLEET_KEYS,
    "plan": model.PLAN_KEYS,
    "customer": model.CUSTOMER_KEYS,
    "jail": model.JAIL_KEYS,
    "host": model.HOST_KEYS,
}
# Where a key stands in a record: names of keys, 0 for the first of a list, a release or a name in a mapping of them.
Place = tuple[str | int, ...]
RELEASE = "15.1-RELEASE-p1"

# What no schema can tell, by the kind of the key: a part of each such error. Nothing else may be missing from it.
COMPILER_ONLY = {
    "name": ("cannot be printed", "is longer than"),
    "text": ("cannot be printed", "is longer than"),
    # To a schema 80.0 is whole; and it sees what YAML makes of 0x50, not what was written.
    "integer": ("is not a whole number", "is another number to YAML"),
    "size": ("is too small", "is too large"),
    "rate": ("is too small", "is too large", "is not a rate"),
    "percent": ("is too small", "is too large"),
    "login": ("FreeBSD has itself",),
    "mail": ("is not a mail address",),
    "path": ("has a name of more than",),
    "moment": ("is not a moment",),
    "ports": ("is not a range of ports",),
    "portrange": ("is neither a port nor a range", "is more than 1000 ports", "is another number to YAML"),
    "network": ("is neither an address nor a network", "has bits of a host", "address; choose another"),
    "networks": ("is neither an address nor a network", "has bits of a host", "address; choose another"),
    "texts": ("cannot be printed", "is longer than"),
    "address": ("address; choose another",),
    "address6": ("address; choose another",),
    "netblock": ("is not an IPv4 network", "has bits of a host", "no room for a jail", "address; choose another"),
    "netblock6": ("is not an IPv6 network", "has bits of a host", "no room for a jail", "address; choose another"),
    # What is inside a key.
    "sshkeys": ("printable text", "base64", "is cut off", "another type", "another length"),
    "addresses": ("address; choose another",),
    "addresses46": ("address; choose another",),
}  # fmt: skip


def _ecma_pattern(validator: t.Any, pattern: str, instance: t.Any, schema: t.Any) -> t.Iterator[t.Any]:
    """Match as an editor does: in JavaScript, $ is the end, and never before a last line feed."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$\Z", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


_EDITOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _ecma_pattern})
_LOADER: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EDITORS = {
    name: _EDITOR(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for name, schema in schemas().items()
}


def compiler_errors(table: str, text: str) -> list[str]:
    problems: list[model.Problem] = []
    block = read_document(text, "record.yml", problems)
    if block is not None:
        Checker("record.yml", "alice", problems).block(block, TABLES[table])
    return [str(problem) for problem in problems]


def editor_errors(table: str, text: str) -> list[str]:
    return [error.message for error in EDITORS[table].iter_errors(yaml.load(text, _LOADER))]


# Right values, by the kind of the key.

_PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("Cc", "Cf", "Zs"))
_LINES = st.text(_PRINTABLE, min_size=1, max_size=20)
_WORDS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


def _quantities(key: Key, units: dict[str, int]) -> st.SearchStrategy[str]:
    most = key.maximum or 1 << 62

    def amounts(unit: str) -> st.SearchStrategy[str]:
        least, greatest = -(-key.minimum // units[unit]), most // units[unit]
        return st.integers(least, greatest).map(lambda number: f"{number}{unit}") if least <= greatest else st.nothing()

    return st.one_of([amounts(unit) for unit in units])


def _ssh_key(material: bytes, comment: str) -> str:
    parts = (b"ssh-ed25519", material)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}".strip()


def _texts(key: Key) -> st.SearchStrategy[str]:
    return st.from_regex(key.pattern, fullmatch=True, alphabet=st.characters(codec="ascii")) if key.pattern else _LINES


RIGHT: dict[str, t.Callable[[Key], st.SearchStrategy[t.Any]]] = {
    "name": _texts,
    "text": _texts,
    "integer": lambda key: st.integers(key.minimum, key.maximum),
    "size": lambda key: _quantities(key, {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}),
    "rate": lambda key: _quantities(key, {"bit/s": 1, "Kbit/s": 10**3, " Mbit/s": 10**6, "Gbit/s": 10**9}),
    "percent": lambda key: _quantities(key, {"%": 1}),
    "boolean": lambda key: st.booleans(),
    "choice": lambda key: st.sampled_from(key.choices),
    "hostname": lambda key: st.lists(
        st.from_regex(r"[A-Z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4
    ).map(".".join),
    "login": lambda key: st.from_regex(r"[a-z_][a-z0-9_-]{8,20}", fullmatch=True),
    "mail": lambda key: st.builds("{}@{}.{}".format, _WORDS, _WORDS, _WORDS),
    "path": lambda key: st.lists(_WORDS, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names)),
    "relative": lambda key: st.lists(_WORDS, min_size=1).map("/".join),
    "moment": lambda key: st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2999, 12, 31)).map(
        lambda at: at.strftime("%Y-%m-%dT%H%M%SZ")
    ),
    "ports": lambda key: st.integers(1, 60000).flatmap(
        lambda first: st.integers(first, 65535).map(lambda last: f"{first}-{last}")
    ),
    "portrange": lambda key: st.integers(1, 65535) | st.integers(1, 60000).flatmap(
        lambda first: st.integers(first + 1, first + 999).map(lambda last: f"{first}-{last}")
    ),
    "network": lambda key: RIGHT["netblock"](key) | RIGHT["netblock6"](key) | RIGHT["address"](key),
    "networks": lambda key: st.lists(RIGHT["network"](key), max_size=3),
    "texts": lambda key: st.lists(_texts(key), max_size=3),
    "release": lambda key: st.from_regex(model.RELEASE_PATTERN, fullmatch=True),
    "address": lambda key: st.ip_addresses(network="10.0.0.0/8").map(str),
    "address6": lambda key: st.ip_addresses(network="2001:db8::/32").map(str),
    "netblock": lambda key: st.builds(
        lambda address, bits: str(ipaddress.ip_network((address, bits), strict=False)),
        st.ip_addresses(network="10.0.0.0/8"),
        st.integers(9, 30),
    ),
    "netblock6": lambda key: st.builds(
        lambda address, bits: str(ipaddress.ip_network((address, bits), strict=False)),
        st.ip_addresses(network="2001:db8::/32"),
        st.integers(33, 120),
    ),
    "sshkeys": lambda key: st.lists(
        st.builds(_ssh_key, st.binary(min_size=32, max_size=32), _WORDS), unique=True, max_size=3
    ),
    "addresses": lambda key: st.lists(RIGHT["address"](key), unique=True, min_size=1, max_size=3),
    "addresses46": lambda key: st.lists(RIGHT["address"](key) | RIGHT["address6"](key), unique=True, max_size=3),
    "choices": lambda key: st.lists(st.sampled_from(key.choices), max_size=3),
    "crypt": lambda key: st.from_regex(r"\$6\$(rounds=5000\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}", fullmatch=True),
    "mapping": lambda key: records(key.keys),
    "mappings": lambda key: st.lists(records(key.keys), max_size=3),
    "rules": lambda key: st.dictionaries(
        st.sampled_from(["openfiles:deny", "nthr:log", "cputime:devctl", "vmemoryuse:deny", "readbps:throttle"]),
        st.one_of(st.integers(1, 2**43), st.just("none"), st.integers(1, 2**43).map(str)),
        max_size=3,
    ),
    "releases": lambda key: st.dictionaries(RIGHT["release"](key), records(key.keys), max_size=2),
    "named": lambda key: st.dictionaries(
        st.from_regex(model.NAME_PATTERN, fullmatch=True), records(key.keys), max_size=2
    ),
}  # fmt: skip


def records(keys: t.Sequence[Key]) -> st.SearchStrategy[dict[str, t.Any]]:
    """Generate right mappings of these keys."""
    return st.fixed_dictionaries(
        {key.name: RIGHT[key.kind](key) for key in keys if key.required},
        optional={key.name: RIGHT[key.kind](key) for key in keys if not key.required},
    )


def places(keys: t.Sequence[Key], above: Place = ()) -> t.Iterator[tuple[Place, Key]]:
    """Yield every key of a table, and of the mappings in it, with its place."""
    step: dict[str, Place] = {"mappings": (0,), "releases": (RELEASE,), "named": ("n1",)}
    for key in keys:
        place = (*above, key.name)
        yield place, key
        yield from places(key.keys, place + step.get(key.kind, ()))


def with_value(record: t.Any, place: Place, value: t.Any) -> t.Any:
    """Return a record with another value at a place."""
    if not place:
        return value
    copy: t.Any = list(record) if isinstance(record, list) else dict(record)
    copy[place[0]] = with_value(record[place[0]], place[1:], value)
    return copy


def value_at(record: t.Any, place: Place) -> t.Any:
    return value_at(record[place[0]], place[1:]) if place else record


# Wrong values: what is wrong for most kinds, and what is almost right. All of it as it would be typed.

TYPED = (
    "", "~", "''", "' '", "no", "on", "true", "'true'", "0", "-1", "1", "'1'", "80.0", "80.5", "1e3", ".inf", "0x50",
    "010", "1:30", "1_000", "99999999", "65536", "2026-11-24", "2026-11-24T093000Z", "2026-02-30T093000Z", "512M", "0M",
    "512", "1K", "99999999T", "4GB", "10Mbit/s", "0.0001Kbit/s", "9Gbit/s", "50%", "0%", "[]", "{}", "[1]", "[a]",
    "{a: 1}", "[{}]", "[[]]", "[127.0.0.1]", "127.0.0.0/8",
    "'2001:db8::/128'", "'fe80::/64'", "x", "a b", "running", "/a", "/a/../b", "a/b", "'a@b.c'", "'-a@b.c'", "'a@b'",
    "192.168.1.17", "192.168.1.017", "192.168.1.17/24", "192.168.1.0/24", "10.0.0.0/31", "0.0.0.0", "127.0.0.1",
    "224.0.0.1", "'::1'", "'2001:db8::1'", "'fe80::1%lo0'", "'2001:db8::/64'", "'2001:db8::1/64'", "9-8", "8-9", "0-7",
    "15.1-RELEASE", "15.1", '"a\\n"', '"a\\nb"', '"\\e[1m"', "ssh-ed25519", "ssh-ed25519 AAAA", "[ssh-ed25519 AAAA]",
    f"/{'a' * 256}", f"/{'a/' * 400}a", "a" * 300, "$6$salt$short", "$1$salt$hash", "secret",
)  # fmt: skip


def _almost(value: t.Any) -> st.SearchStrategy[str]:
    """Generate texts that differ from a value by what is put in place of a few of its characters."""
    text = str(value)

    def changed(start: int, length: int, put: str) -> str:
        return json.dumps(text[:start] + put + text[start + length :])

    put = st.text("aZ09.-_/@%: \n\t$é\x1b", max_size=2)
    return st.builds(changed, st.integers(0, len(text)), st.integers(0, 2), put)


def written(record: t.Any, place: Place = (), typed: str = "") -> str:
    """Return a record as a text of YAML, with what was `typed` at a place."""
    mark = "PUT-IT-HERE"
    return json.dumps(with_value(record, place, mark) if place else record).replace(f'"{mark}"', typed)


def without(record: t.Any, place: Place) -> t.Any:
    """Return a record without the key at a place."""
    above, name = place[:-1], place[-1]
    return with_value(record, above, {key: value for key, value in value_at(record, above).items() if key != name})


# Every key that there is, each with a right value.
COMPLETE: dict[str, dict[str, t.Any]] = {
    "fleet": {
        "plugin": "jailisp.vps.fleet", "hosts": "hosts.yml", "plans": "plans", "customers": "customers",
        "jails": "jails", "host_group": "jail_hosts",
    },
    "plan": {
        "disk": "4G", "reservation": "1G", "memory": "512M", "processes": 100, "cpu": "50%", "release": RELEASE,
        "ports": 2, "canary": True, "nat": "203.0.113.10", "outgoing": {"smtp": True},
        "connections": {"states": 5000, "rate": "200/10"},
        "bandwidth": {"up": "10Mbit/s", "down": "20Mbit/s", "weight": 20},
        "rctl": {"openfiles:deny": 5, "nthr:deny": "none"},
        "jail": {
            "securelevel": 2, "enforce_statfs": 1, "devfs_ruleset": 5, "children_max": 0, "sysvipc": "inherit",
            "allow": ["suser", "mount"],
        },
    },
    "customer": {
        "name": "Alice Archer", "contact": "alice@example.net", "user": "archer",
        "keys": [_ssh_key(bytes(32), "alice@example.net")],
        "password": "$6$salt$" + 86 * "x",
    },
    "jail": {
        "host": "h1", "neighbourhood": "n1", "customer": "alice", "plan": "base", "id": 17,
        "address": "192.168.1.17", "network": "vnet",
        "address6": "2001:db8::17", "hostname": "www.example.net", "state": "absent", "retired": "2026-11-24T093000Z",
        "publish": [{
            "port": "8017-8019", "to": 22, "protocol": "tcp", "address": "203.0.113.10", "from": ["198.51.100.0/24"],
        }],
        "public": "203.0.113.65", "publish_all": True, "nat": "203.0.113.10",
        "allow_from": [{"jail": "bob", "network": "10.0.0.0/8", "port": 80, "protocol": "tcp"}],
        "outgoing": {"smtp": True}, "connections": {"states": 5000, "rate": "200/10"},
        "limits": {
            "disk": "4G", "reservation": "1G", "memory": "512M", "processes": 100, "cpu": "50%",
            "rctl": {"vmemoryuse:deny": "4G"},
        },
        "bandwidth": {"up": "10Mbit/s", "down": "20Mbit/s", "weight": 20}, "release": RELEASE, "storage": "image",
        "restart": True, "canary": False,
    },
    "host": {
        "vps_interface": "vtnet0", "vps_addresses": ["203.0.113.10"],
        "vps_own_addresses": ["203.0.113.9", "2001:db8::9"], "vps_resolvers": ["192.0.2.53"],
        "vps_interfaces": ["em1"], "vps_nat": "203.0.113.10", "vps_public": ["203.0.113.64/28"],
        "vps_services": [{"port": 53, "protocol": "udp"}], "vps_blocked": ["192.0.2.0/24"],
        "vps_netblock": "192.168.1.0/24", "vps_netblock6": "2001:db8::/64", "vps_memory": "32G", "vps_disk": "1T",
        "vps_storage": "dataset", "vps_pool": "tank", "vps_snapshot_room": "150%", "vps_images": "/var/jail-images",
        "vps_root": "/usr/local/jails/h1", "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
        "vps_neighbourhoods": {"n1": {"path": "/jails/n1", "disk": "80G"}},
        "vps_overcommit": {"memory": "100%", "disk": "150%", "bandwidth": "300%"}, "vps_ports": "8000-8999",
        "vps_orders": True, "vps_archives": "/var/jail-archives", "vps_archive_days": 90, "vps_release": RELEASE,
        "vps_releases": {
            RELEASE: {
                "archive": "/var/base.txz",
                "sha256": "0" * 64,
                "url": "https://mirror.example.net/base.txz",
                "src": "/usr/src",
                "dataset": "zroot/releases/15.1@p1",
                "pkgbase": {
                    "repository": "/var/repo", "fingerprints": "/etc/keys", "packages": ["FreeBSD-set-base-jail"],
                },
            }
        },
        "vps_made_releases": "/var/jail-releases",
        "vps_upgrades": "/var/jail-upgrades", "vps_jail_interface": "lo1", "vps_bridge": "bridge1",
    },
}  # fmt: skip

KEYS = [(table, place, key.kind) for table, keys in TABLES.items() for place, key in places(keys)]
STRUCTURES = ("mapping", "mappings", "releases", "named", "rules")
every_key = pytest.mark.parametrize(("table", "place", "kind"), KEYS, ids=str)
every_table = pytest.mark.parametrize("table", TABLES)


def judge(table: str, kind: str, text: str) -> None:
    """Compare what both say of a text."""
    compiler, editor = compiler_errors(table, text), editor_errors(table, text)
    if not compiler:
        assert editor == [], text
    elif not editor:
        listed = COMPILER_ONLY.get(kind, ())
        assert all(any(part in error for part in listed) for error in compiler), (text, compiler)


@every_table
@given(data=st.data())
def test_right_records_pass_both(table: str, data: st.DataObject) -> None:
    text = written(data.draw(records(TABLES[table])))
    assert (compiler_errors(table, text), editor_errors(table, text)) == ([], [])


@every_table
def test_complete_records_are_right(table: str) -> None:
    text = written(COMPLETE[table])
    assert (compiler_errors(table, text), editor_errors(table, text)) == ([], [])


@every_key
def test_whatever_is_typed_is_judged_alike(table: str, place: Place, kind: str) -> None:
    for typed in TYPED:
        judge(table, kind, written(COMPLETE[table], place, typed))


@pytest.mark.parametrize(("table", "place", "kind"), [key for key in KEYS if key[2] not in STRUCTURES], ids=str)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_almost_right_is_judged_alike(table: str, place: Place, kind: str, data: st.DataObject) -> None:
    # Of a list, its only element.
    place = (*place, 0) if kind in ELEMENTS else place
    judge(table, kind, written(COMPLETE[table], place, data.draw(_almost(value_at(COMPLETE[table], place)))))


@every_key
def test_a_missing_key_is_judged_alike(table: str, place: Place, kind: str) -> None:
    text = written(without(COMPLETE[table], place))
    # A host's variables are spread over files: each may lack any of them.
    spread = table == "host" and len(place) == 1
    assert bool(editor_errors(table, text)) == (bool(compiler_errors(table, text)) and not spread)


@every_key
def test_an_unknown_key_is_judged_alike(table: str, place: Place, kind: str) -> None:
    beside = {**value_at(COMPLETE[table], place[:-1]), "unknown": "x"}
    text = written(with_value(COMPLETE[table], place[:-1], beside))
    # The files of a host's variables hold others too.
    assert bool(editor_errors(table, text)) == (table != "host" or len(place) > 1)
    assert compiler_errors(table, text) != []


def test_an_editor_sees_what_is_encrypted_and_takes_it() -> None:
    record = {**COMPLETE["customer"], "password": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"}
    assert editor_errors("customer", written(record)) == []


def test_a_template_may_stand_for_any_variable_of_a_host() -> None:
    assert editor_errors("host", written({name: "{{ other }}" for name in COMPLETE["host"]})) == []
    assert editor_errors("host", written({"vps_root": "no path"})) != []


@every_table
def test_schemas_are_schemas(table: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[table])


def test_written_schemas_are_the_ones_that_the_tables_make(tmp_path: Path) -> None:
    made = {file.name: file.read_text(encoding="utf-8") for file in write_schemas(tmp_path)}
    kept = {file.name: file.read_text(encoding="utf-8") for file in SCHEMAS.iterdir()}
    assert kept == made, "run make schema"
