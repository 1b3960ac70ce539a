# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong values of a key, by its kind: what no record may say, and what looks wrong and is right."""

from __future__ import annotations

import base64
import json
import struct
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Key
from model.sha_crypt import sha512_crypt

RIGHT = "another right value of the same key"
SAME = "the same value, written otherwise"


@dataclass(frozen=True)
class Wrong:
    """A value as it is written in YAML.

    `harmless`: why it may be accepted. `part`: what an error's key has after the key itself. `secret`: what an error
    must not show.
    """

    what: str
    text: str
    harmless: str = ""
    part: str = ""
    secret: str = ""


def quoted(text: str) -> str:
    """Return a text as YAML, in quotes."""
    return json.dumps(text)


def wrong_values(key: Key) -> t.Iterator[Wrong]:
    """Yield wrong values of a key, and those that are right at the ends of its range."""
    yield Wrong("null", "")
    yield Wrong("null as a word", "null")
    yield Wrong("a tag", "!secret x")
    yield Wrong("a tag of Python", '!!python/object/apply:os.system ["true"]')
    if key.kind not in COLLECTIONS:
        yield Wrong("a list", "[a, b]")
        yield Wrong("a mapping", "{a: b}")
        yield Wrong("empty", '""')
        yield Wrong("blanks alone", '"  "')
        yield Wrong("with an escape sequence", quoted("\x1b[31mred"))
        yield Wrong("with a NUL", quoted("a\0b"))
        yield Wrong("two lines", quoted("one\ntwo"))
        yield Wrong("very long", quoted("a" * 5000))
    if key.kind != "boolean":
        yield Wrong("a boolean", "true")
        yield Wrong("YAML's no", "no")
    if key.kind not in ("integer", "portrange"):
        yield Wrong("a number", "5")
    if key.kind != "integer":
        yield Wrong("a date", "2026-11-24")
    yield from KINDS[key.kind](key)


def _listed(values: t.Iterable[tuple[str, str]]) -> t.Iterator[Wrong]:
    for what, text in values:
        yield Wrong(what, quoted(text))


def _integer(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("too small", str(key.minimum - 1))
    yield Wrong("negative", str(-abs(key.minimum) - 1))
    yield Wrong("a text", '"5"')
    yield Wrong("a fraction", "5.5")
    yield Wrong("a whole float", "5.0")
    yield Wrong("a float with an exponent", "1.0e+1")
    yield Wrong("infinite", ".inf")
    yield Wrong("no number", ".nan")
    yield Wrong("YAML 1.1's octal", "010")
    yield Wrong("YAML 1.1's sexagesimal", "1:30")
    yield Wrong("YAML 1.2's octal", "0o20")
    yield Wrong("hexadecimal", "0x14", SAME)
    yield Wrong("with an underscore", "2_0", SAME)
    yield Wrong("the least", str(key.minimum), RIGHT)
    yield Wrong("more than any machine's word", "9" * 30)
    if key.maximum is not None:
        yield Wrong("too large", str(key.maximum + 1))
        yield Wrong("the greatest", str(key.maximum), RIGHT)


def _size(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a number without a unit", "512")
    yield from _listed(
        (
            ("no unit", "512"),
            ("the unit of a rate", "512Mbit/s"),
            ("the unit of a share", "50%"),
            ("an unknown unit", "512X"),
            ("a unit of two letters", "4GB"),
            ("a small unit", "4g"),
            ("a blank before the unit", "4 G"),
            ("a fraction", "1.5G"),
            ("nothing", "0M"),
            ("negative", "-4G"),
            ("digits of another script", "٤G"),
            ("a unit alone", "G"),
            ("more than any machine's word", "99999999999999999T"),
        )
    )


def _rate(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a number without a unit", "10000000")
    yield from _listed(
        (
            ("no unit", "10000000"),
            ("another unit", "10Mbps"),
            ("bytes", "10MByte/s"),
            ("the unit of a size", "10M"),
            ("the unit of a share", "50%"),
            ("small letters", "10mbit/s"),
            ("nothing", "0bit/s"),
            ("negative", "-10Mbit/s"),
            ("a part of a bit", "0.0001bit/s"),
            ("more than any machine's word", "99999999999999999Gbit/s"),
        )
    )
    yield Wrong("a blank before the unit", quoted("10 Mbit/s"), SAME)
    yield Wrong("the least", quoted("1bit/s"), RIGHT)
    if key.maximum is not None:
        yield Wrong("too large", quoted(f"{key.maximum + 1}bit/s"))
        yield Wrong("the greatest", quoted(f"{key.maximum}bit/s"), RIGHT)


def _percent(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a number without a unit", "50")
    yield from _listed(
        (
            ("no unit", "50"),
            ("a blank before the unit", "50 %"),
            ("a fraction", "0.5"),
            ("a fraction of a percent", "0.5%"),
            ("nothing", "0%"),
            ("negative", "-50%"),
            ("the unit of a size", "50M"),
            ("more than any machine's word", "99999999999999999999%"),
        )
    )
    yield Wrong("the least", "1%", RIGHT)
    if key.maximum is not None:
        yield Wrong("too large", f"{key.maximum + 1}%")
        yield Wrong("the greatest", f"{key.maximum}%", RIGHT)


def _boolean(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed((("yes as text", "yes"), ("true as text", "true"), ("another word", "maybe")))
    yield Wrong("one", "1")
    yield Wrong("YAML's yes", "yes", SAME)
    yield Wrong("YAML's off", "off", SAME)


def _choice(key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("in capitals", key.choices[0].upper()),
            ("a letter too few", key.choices[0][:-1]),
            ("a blank behind it", f"{key.choices[0]} "),
            ("another word", "purple"),
        )
    )
    for choice in key.choices[1:]:
        yield Wrong(f"{choice} instead", choice, RIGHT)


def _text(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a fraction", "5.5")
    if key.pattern:
        yield from _listed(
            (
                ("a dash first", "-x"),
                ("two words", "lo 1"),
                ("a command behind it", "lo1; reboot"),
                ("a command in it", "$(reboot)"),
                ("a quote", 'lo"1'),
                ("a slash", "lo/1"),
                ("a line end behind it", "lo1\n"),
                ("of another script", "lö1"),
                ("a template", "{{ nothing }}"),
                ("an address with a password", "http://me:secret@lo1/x"),
            )
        )


def _name(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("unknown", "zzzz"),
            ("a path", "../jails/alice"),
            ("in capitals", "H1"),
            ("a blank behind it", "h1 "),
            ("a list as text", "h1,h2"),
            ("a template", "{{ inventory_hostname }}"),
        )
    )


def _hostname(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("a dash first", "-www.example.net"),
            ("a dash last", "www-.example.net"),
            ("an underscore", "www_1.example.net"),
            ("two dots", "www..example.net"),
            ("a dot last", "www.example.net."),
            ("a blank", "www example.net"),
            ("a line end behind it", "www.example.net\n"),
            ("a command in it", "www.$(reboot).net"),
            ("of another script", "wwß.example.net"),
            ("a label of 64 letters", f"{'a' * 64}.example.net"),
            ("of 254 letters", ".".join(["a" * 49] * 5 + ["aaaa"])),
        )
    )
    yield Wrong("a label of 63 letters", f"{'a' * 63}.example.net", RIGHT)
    yield Wrong("of 253 letters", ".".join(["a" * 49] * 5 + ["aaa"]), RIGHT)
    yield Wrong("without a domain", "www", RIGHT)


def _login(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("a user of FreeBSD's", "www"),
            ("root", "root"),
            ("a group of FreeBSD's", "wheel"),
            ("a capital", "Alice"),
            ("a digit first", "1alice"),
            ("a dash first", "-alice"),
            ("a colon in it", "alice:0"),
            ("a path in it", "../alice"),
            ("a line end behind it", "alice\n"),
            ("a command in it", "$(reboot)"),
            ("of 33 letters", "a" * 33),
        )
    )
    yield Wrong("of 32 letters", "a" * 32, RIGHT)
    yield Wrong("an underscore first", "_alice", RIGHT)


def _mail(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("no @", "alice.example.net"),
            ("two @", "alice@bob@example.net"),
            ("nothing before @", "@example.net"),
            ("no domain", "alice@"),
            ("a host alone", "alice@localhost"),
            ("a blank", "alice archer@example.net"),
            ("another header behind it", "alice@example.net\nBcc: bob@example.net"),
            ("two addresses", "alice@example.net, bob@example.net"),
        )
    )


def _path(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("relative", "jails/h1"),
            ("the root", "/"),
            ("a step up", "/usr/../jails"),
            ("a dot", "/usr/./jails"),
            ("two slashes", "/usr//jails"),
            ("a slash last", "/usr/jails/"),
            ("a blank", "/usr/my jails"),
            ("a command behind it", "/usr/jails; reboot"),
            ("a command in it", "/usr/$(reboot)"),
            ("a line end behind it", "/usr/jails\n"),
            ("a home", "~/jails"),
            ("longer than a path may be", "/" + "/".join(["a" * 100] * 11)),
        )
    )


def _relative(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("absolute", "/etc"),
            ("not there", "nothing-here"),
            ("a blank", "my records"),
            ("a slash last", "jails/"),
            ("two slashes", "a//b"),
            ("a line end behind it", "jails\n"),
            ("above the inventory", "../nothing-here"),
        )
    )


def _release(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a fraction", "15.1")
    yield from _listed(
        (
            ("a number alone", "15.1"),
            ("small letters", "15.1-release"),
            ("no minor number", "15-RELEASE"),
            ("a patch without a number", "15.1-RELEASE-p"),
            ("a path", "../15.1-RELEASE"),
            ("a line end behind it", "15.1-RELEASE\n"),
            ("one that the host does not have", "12.4-RELEASE"),
        )
    )


_V4 = (
    ("a part of 256", "192.168.1.256"),
    ("three parts", "192.168.1"),
    ("five parts", "192.168.1.1.1"),
    ("octal parts", "192.168.001.017"),
    ("with a length", "192.168.1.17/24"),
    ("with a port", "192.168.1.17:80"),
    ("a blank before it", " 192.168.1.17"),
    ("a line end behind it", "192.168.1.17\n"),
    ("of another script", "١٩٢.168.1.17"),
    ("a host name", "www.example.net"),
    ("an IPv6 address", "2001:db8::1"),
    ("multicast", "224.0.0.1"),
    ("loopback", "127.0.0.1"),
    ("unspecified", "0.0.0.0"),
    ("broadcast", "255.255.255.255"),
    ("link-local", "169.254.1.1"),
)


def _address(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a fraction", "192.168")
    yield Wrong("a large number", "3232235793")
    yield from _listed(_V4)


def _address6(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("an IPv4 address", "192.168.1.17"),
            ("an IPv4 address in IPv6", "::ffff:192.168.1.17"),
            ("with a zone", "fe80::1%lo1"),
            ("with a length", "2001:db8::17/64"),
            ("two gaps", "2001::db8::17"),
            ("a part of five digits", "2001:db8::12345"),
            ("in brackets", "[2001:db8::17]"),
            ("unspecified", "::"),
            ("loopback", "::1"),
            ("link-local", "fe80::17"),
            ("multicast", "ff02::1"),
            ("outside every netblock", "2001:db8:ffff::17"),
        )
    )


def _address46(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a fraction", "192.168")
    yield Wrong("a large number", "3232235793")
    yield from _listed((what, text) for what, text in _V4 if what != "an IPv6 address")
    for each in _address6(key):
        if each.what not in ("an IPv4 address", "outside every netblock"):
            yield replace(each, what=f"IPv6: {each.what}")


def _netblock(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("no length", "192.168.1.0"),
            ("with the bits of a host", "192.168.1.17/24"),
            ("a mask", "192.168.1.0/255.255.255.0"),
            ("of two addresses", "192.168.1.0/31"),
            ("of one address", "192.168.1.1/32"),
            ("a length of 33", "192.168.1.0/33"),
            ("a negative length", "192.168.1.0/-1"),
            ("a part of 256", "192.168.256.0/24"),
            ("IPv6", "2001:db8::/64"),
            ("a range", "192.168.1.0-192.168.1.255"),
            ("every address", "0.0.0.0/0"),
            ("loopback", "127.0.0.0/8"),
            ("multicast", "224.0.0.0/4"),
        )
    )


def _netblock6(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("no length", "2001:db8::"),
            ("with the bits of a host", "2001:db8::17/64"),
            ("a length of 129", "2001:db8::/129"),
            ("IPv4", "192.168.1.0/24"),
            ("with a zone", "fe80::%lo1/64"),
            ("multicast", "ff02::/16"),
            ("link-local", "fe80::/64"),
            ("of one address", "2001:db8::17/128"),
        )
    )


def _moment(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("YAML's own moment", "2026-11-24T09:30:00Z")
    yield from _listed(
        (
            ("a date alone", "2026-11-24"),
            ("another time zone", "2026-11-24T093000+0100"),
            ("a month of 13", "2026-13-24T093000Z"),
            ("an hour of 25", "2026-11-24T253000Z"),
            ("a day that is not there", "2026-02-30T093000Z"),
            ("a word", "yesterday"),
            ("a path", "../../2026-11-24T093000Z"),
        )
    )


def _ports(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("one port", "8000"),
            ("backwards", "8999-8000"),
            ("from nothing", "0-8999"),
            ("beyond the last port", "8000-65536"),
            ("no end", "8000-"),
            ("two ranges", "8000-8100,8200-8300"),
            ("blanks", "8000 - 8999"),
            ("of another script", "٨٠٠٠-٨٩٩٩"),
        )
    )
    yield Wrong("every port", "1-65535", RIGHT)


def _port_range(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("nothing", "0")
    yield Wrong("a negative port", "-1")
    yield Wrong("beyond the last port", "65536")
    yield Wrong("a fraction", "80.5")
    yield from _listed(
        (
            ("a port in quotes", "8000"),
            ("backwards", "8009-8000"),
            ("from nothing", "0-10"),
            ("a range of one", "8000-8000"),
            ("a range beyond the last port", "65530-65536"),
            ("a range too long", "10000-20000"),
            ("no end", "8000-"),
            ("as pf writes it", "8000:8009"),
            ("two ranges", "8000-8001,8003-8004"),
            ("of another script", "٨٠٠٠-٨٠٠٩"),
        )
    )
    yield Wrong("a range", '"45000-45009"', RIGHT)


def _network(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a fraction", "192.168")
    yield Wrong("a large number", "3232235793")
    yield from _listed(
        (
            ("a name", "www.example.net"),
            ("with the bits of a host", "198.51.100.17/24"),
            ("a mask", "198.51.100.0/255.255.255.0"),
            ("a length of 33", "198.51.100.0/33"),
            ("a negation", "!198.51.100.0/24"),
            ("a table", "<jails>"),
            ("a range", "198.51.100.1-198.51.100.9"),
            ("every address", "0.0.0.0/0"),
            ("loopback", "127.0.0.1"),
            ("multicast", "ff02::/16"),
            ("with a zone", "fe80::1%lo1"),
        )
    )


def _blob(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


ED25519 = _blob(b"ssh-ed25519", b"k" * 32)
_RSA_1024 = _blob(b"ssh-rsa", b"\1\0\1", b"\0" + b"\x91" * 128)
_PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----"
_PRIVATE_BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"


def _sshkey(_key: Key) -> t.Iterator[Wrong]:
    yield from _listed(
        (
            ("no key at all", "ssh-ed25519"),
            ("the key alone", ED25519),
            ("an unknown type", f"ssh-purple {ED25519}"),
            ("DSA", f"ssh-dss {_blob(b'ssh-dss', b'p' * 128, b'q' * 20, b'g' * 128, b'y' * 128)}"),
            ("another type than is inside", f"ssh-rsa {ED25519}"),
            ("a short RSA key", f"ssh-rsa {_RSA_1024}"),
            ("a letter that base64 does not have", f"ssh-ed25519 {ED25519[:-4]}%%%="),
            ("cut off", f"ssh-ed25519 {ED25519[:40]}"),
            ("half a group of base64", f"ssh-ed25519 {ED25519[:-1]}"),
            ("too short a key", f"ssh-ed25519 {_blob(b'ssh-ed25519', b'k' * 31)}"),
            ("something behind the key", f"ssh-ed25519 {_blob(b'ssh-ed25519', b'k' * 32, b'more')}"),
            ("not a point of the curve's form", _nistp256(b"\x05" + b"k" * 64)),
            ("options before it", f'command="reboot" ssh-ed25519 {ED25519}'),
            ("a restriction before it", f"restrict ssh-ed25519 {ED25519}"),
            ("two keys in one", f"ssh-ed25519 {ED25519}\nssh-ed25519 {ED25519}"),
            ("of PuTTY", "---- BEGIN SSH2 PUBLIC KEY ----"),
            ("of PGP", "-----BEGIN PGP PUBLIC KEY BLOCK-----"),
            ("a comment", f"# ssh-ed25519 {ED25519}"),
            ("a file's name", "~/.ssh/id_ed25519.pub"),
        )
    )
    yield Wrong("a private key", quoted(f"{_PRIVATE}\n{_PRIVATE_BODY}\n"), secret=_PRIVATE_BODY)
    yield Wrong("a private key in one line", quoted(f"{_PRIVATE} {_PRIVATE_BODY}"), secret=_PRIVATE_BODY)
    yield Wrong("without a comment", f"ssh-ed25519 {ED25519}", RIGHT)
    yield Wrong("with a long comment", quoted(f"ssh-ed25519 {ED25519} alice at home, second floor"), RIGHT)


def _nistp256(point: bytes) -> str:
    return f"ecdsa-sha2-nistp256 {_blob(b'ecdsa-sha2-nistp256', b'nistp256', point)}"


_SHA512 = sha512_crypt("correct horse", "saltstring")
# The examples of the two algorithms' own descriptions.
_SHA256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"
_BCRYPT = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


def _crypt(_key: Key) -> t.Iterator[Wrong]:
    hashes = (
        ("plain text", "correct horse"),
        ("yescrypt", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"),
        ("scrypt", "$7$CU..../....2Q9obwLhin8qvQl6sisAO/$E1HizYWxBmnIH4sdPkdoPc1mFPRPw4c.P5RJbHIOEU5"),
        ("argon2", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b9dWRWJTmaaJObG"),
        ("MD5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
        ("DES", "ab1AQbLVGIKqs"),
        ("NT's", "$3$$8846f7eaee8fb117ad06bdd830b7586c"),
        ("bcrypt of another minor number", _BCRYPT.replace("$2b$", "$2y$")),
        ("bcrypt cut off", _BCRYPT[:-1]),
        ("bcrypt without a cost", _BCRYPT.replace("$05$", "$$")),
        ("bcrypt of a cost of 99", _BCRYPT.replace("$05$", "$99$")),
        ("SHA-512 cut off", _SHA512[:-10]),
        ("SHA-512 too long", f"{_SHA512}abcdefghij"),
        ("SHA-512 without a salt's end", _SHA512.replace("saltstring$", "saltstring")),
        ("SHA-512 with a salt of 17", _SHA512.replace("saltstring", "saltstringsaltstr")),
        ("SHA-512 with wrong rounds", _SHA512.replace("$6$", "$6$rounds=many$")),
        ("SHA-256 cut off", _SHA256[:-1]),
        ("a field of passwd behind it", f"{_SHA256}:0:0"),
        ("locked", f"*LOCKED*{_SHA256}"),
        ("an empty hash", "$6$saltstring$"),
        ("a star", "*"),
    )
    for what, value in hashes:
        # A star says nothing of anybody's password.
        yield Wrong(what, quoted(value), secret=value if len(value) > 1 else "")
    for what, value in (("SHA-512", _SHA512), ("SHA-256", _SHA256), ("bcrypt", _BCRYPT)):
        yield Wrong(what, quoted(value), RIGHT)


def _elements(element: t.Callable[[Key], t.Iterator[Wrong]]) -> t.Callable[[Key], t.Iterator[Wrong]]:
    """Return the wrong values of a list whose elements are of a kind."""

    def wrong(key: Key) -> t.Iterator[Wrong]:
        yield Wrong("a text", '"one"')
        yield Wrong("a mapping", "{a: b}")
        yield Wrong("empty", "[]", "" if key.required else RIGHT)
        yield Wrong("with a null", "[null]", part="[0]")
        yield Wrong("with a number", "[5]", part="[0]")
        yield Wrong("with a list", "[[a]]", part="[0]")
        yield Wrong("with a mapping", "[{a: b}]", part="[0]")
        yield Wrong("with an empty text", '[""]', part="[0]")
        for each in element(key):
            yield replace(each, text=f"[{each.text}]", part="[0]")

    return wrong


def _mappings(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a text", '"one"')
    yield Wrong("a mapping", "{port: 80}")
    yield Wrong("empty", "[]", RIGHT)
    yield Wrong("with a null", "[null]", part="[0]")
    yield Wrong("with a number", "[80]", part="[0]")
    yield Wrong("with a text", '["80:80"]', part="[0]")
    yield Wrong("with a list", "[[80, 80]]", part="[0]")
    for part in key.keys:
        if part.required:
            yield Wrong(f"with a mapping without {part.name}", _without(key, part), part=f"[0].{part.name}")


def _without(key: Key, missing: Key) -> str:
    given = (f"{part.name}: 54321" for part in key.keys if part.required and part is not missing)
    return f"[{{{', '.join(given)}}}]"


def _mapping(key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a text", '"one"')
    yield Wrong("a list", "[a, b]")
    yield Wrong("a list of mappings", "[{a: 1}]")
    yield Wrong("a key that is no word", "{[a, b]: c}", part="")
    if not any(part.required for part in key.keys):
        yield Wrong("empty", "{}", RIGHT)


def _releases(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a text", '"15.1-RELEASE"')
    yield Wrong("a list", "[15.1-RELEASE]")
    yield Wrong("a release without anything", "{15.1-RELEASE: }", part=".15.1-RELEASE")
    yield Wrong("a release that is a path", "{15.1-RELEASE: /var/base.txz}", part=".15.1-RELEASE")
    yield Wrong("no release", "{newest: {archive: /var/base.txz}}", part=".newest")
    yield Wrong("a release from nowhere", "{15.1-RELEASE-p1: {}}", part=".15.1-RELEASE-p1")
    yield Wrong(
        "a release from two places",
        "{15.1-RELEASE-p1: {src: /usr/src, dataset: zroot/a}}",
        part=".15.1-RELEASE-p1.src",
    )
    yield Wrong("an archive without a checksum", "{15.1-RELEASE-p1: {archive: /a}}", part=".15.1-RELEASE-p1.sha256")
    yield Wrong("empty", "{}")


def _named(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a text", '"n1"')
    yield Wrong("a list", "[n1]")
    yield Wrong("a name without anything", "{n1: }", part=".n1")
    yield Wrong("a name that is a path", "{n1: /jails/n1}", part=".n1")
    yield Wrong("no name", "{N1: {path: /jails/n1, disk: 80G}}", part=".N1")
    yield Wrong("empty", "{}", RIGHT)


def _rules(_key: Key) -> t.Iterator[Wrong]:
    yield Wrong("a text", '"openfiles:deny=5"')
    yield Wrong("a list", "[openfiles:deny=5]")
    yield Wrong("empty", "{}", RIGHT)
    for what, rule, amount in (
        ("a resource that is none", "openfile:deny", "5"),
        ("an action that is none", "openfiles:kill", "5"),
        ("no action", "openfiles", "5"),
        ("another subject", "user:www:openfiles:deny", "5"),
        ("what a key says", "maxproc:deny", "5"),
        ("what cannot be denied", "cputime:deny", "5"),
        ("what cannot be throttled", "openfiles:throttle", "5"),
        ("a negative amount", "openfiles:deny", "-5"),
        ("bytes of what is counted", "openfiles:deny", "4K"),
        ("a fraction", "openfiles:deny", "1.5"),
        ("another unit", "vmemoryuse:deny", "4GB"),
        ("an amount too large", "vmemoryuse:deny", "9999999999G"),
        ("a share of another subject", "openfiles:deny", "5/user"),
        ("a throttle to nothing", "readbps:throttle", "0"),
        ("no amount", "openfiles:deny", ""),
        ("a boolean amount", "openfiles:deny", "true"),
        ("a list of amounts", "openfiles:deny", "[5, 6]"),
    ):
        yield Wrong(what, f'{{"{rule}": {amount}}}', part=f".{rule}")
    for what, rule, amount in (
        ("bytes", "vmemoryuse:deny", "4g"),
        ("a rate", "readbps:throttle", "20M"),
        ("a notice", "maxproc:log", "10"),
        ("none", "openfiles:deny", "none"),
    ):
        yield Wrong(what, f'{{"{rule}": {amount}}}', RIGHT)


KINDS: dict[str, t.Callable[[Key], t.Iterator[Wrong]]] = {
    "name": _name,
    "text": _text,
    "integer": _integer,
    "size": _size,
    "rate": _rate,
    "percent": _percent,
    "boolean": _boolean,
    "choice": _choice,
    "hostname": _hostname,
    "login": _login,
    "mail": _mail,
    "path": _path,
    "release": _release,
    "address": _address,
    "address6": _address6,
    "netblock": _netblock,
    "netblock6": _netblock6,
    "relative": _relative,
    "moment": _moment,
    "ports": _ports,
    "portrange": _port_range,
    "network": _network,
    "networks": _elements(_network),
    "texts": _elements(_text),
    "sshkeys": _elements(_sshkey),
    "addresses": _elements(_address),
    "addresses46": _elements(_address46),
    "choices": _elements(_choice),
    "crypt": _crypt,
    "mappings": _mappings,
    "mapping": _mapping,
    "releases": _releases,
    "named": _named,
    "rules": _rules,
}
LISTS = frozenset({"sshkeys", "addresses", "addresses46", "networks", "texts", "choices", "mappings"})
COLLECTIONS = LISTS | {"mapping", "releases", "named", "rules"}
