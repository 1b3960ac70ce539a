# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import base64
import struct
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.credentials import (
    key_material,
    read_crypt,
    read_ssh_key,
)

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcUwGaiyzXaKh/7zgw+8y8G1qg+eI5pFcd/4LLDaPJw"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPwf6DPSw9oac/bwH4q7mNHKRpHQ/WnveRj9vs9x"
    "sCIsLj7MABzWsjXlDRyLMlTb0KJ/Ur3utbBUr8aCtwXT9So="
)
POINT = b"\x04" + bytes(64)


def blob(*strings: bytes) -> str:
    data = b"".join(struct.pack(">I", len(string)) + string for string in strings)
    return base64.b64encode(data).decode()


def key(kind: str, *strings: bytes) -> str:
    return f"{kind} {blob(kind.encode(), *strings)}"


def rsa(bits: int, exponent: bytes = b"\x01\x00\x01", last: int = 1) -> str:
    """Return an RSA key whose modulus has so many bits, a multiple of eight."""
    return key("ssh-rsa", exponent, b"\x00\x80" + bytes(bits // 8 - 2) + bytes([last]))


RIGHT = {
    "ed25519": ED25519,
    "ecdsa 256": ECDSA,
    "ecdsa 384": key("ecdsa-sha2-nistp384", b"nistp384", b"\x04" + bytes(96)),
    "ecdsa 521": key("ecdsa-sha2-nistp521", b"nistp521", b"\x04" + bytes(132)),
    "rsa 2048": rsa(2048),
    "rsa 16384": rsa(16384),
    "sk ed25519": key("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    "sk ecdsa": key("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:"),
}
LENGTH = "has another length than keys of its type; paste the whole key"
NUMBER = "holds a number that ssh refuses; make a new key"
WHOLE = "is not base64 after its type, or cut off; paste the whole key"
PLAIN = "write TYPE KEY COMMENT on one line, as the file id_ed25519.pub has it"

WRONG: list[tuple[t.Any, str]] = [
    (None, f"is not a public ssh key; {PLAIN}"),
    (17, f"is not a public ssh key; {PLAIN}"),
    (" ", f"is not a public ssh key; {PLAIN}"),
    (f"{ED25519}\nssh-rsa", f"is not one line of printable text; {PLAIN}"),
    (f"{ED25519} \x1b[2J", f"is not one line of printable text; {PLAIN}"),
    (f"{ED25519} {16384 * 'a'}", f"is not one line of printable text; {PLAIN}"),
    ("ssh-ed25519", f"has a type and no key; {PLAIN}"),
    ("ssh-dss AAAAB3NzaC1kc3M=", "is of type ssh-dss, which sshd refuses; make one of type ssh-ed25519"),
    (f'no-pty,command="x" {ED25519}', "has options before the key, which customers do not get; write the key only"),
    ("ssh-ed25519 !!!!", WHOLE),
    (ED25519[:-1], WHOLE),
    (ED25519 + "=", WHOLE),
    # Bits in the last character that mean nothing.
    (ECDSA.replace("9So=", "9Sp="), WHOLE),
    ("ssh-ed25519 " + ECDSA.split()[1], "says another type inside than in front; paste the key anew"),
    (ED25519[:-4], "is cut off; paste the whole key"),
    (key("ssh-ed25519", bytes(31)), LENGTH),
    (key("ssh-ed25519", bytes(32), b""), "goes on after its end; paste the key anew"),
    (
        key("ecdsa-sha2-nistp256", b"nistp384", POINT),
        "is not of the curve nistp256, as its type says; paste the key anew",
    ),
    (key("ecdsa-sha2-nistp384", b"nistp384", POINT), LENGTH),
    (key("ecdsa-sha2-nistp256", b"nistp256", b"\x02" + bytes(64)), LENGTH),
    (key("sk-ssh-ed25519@openssh.com", bytes(32), b""), "names no application; paste the whole key"),
    (key("sk-ssh-ed25519@openssh.com", bytes(32)), "is cut off; paste the whole key"),
    (rsa(1024), "is an RSA key of 1024 bits; make one of at least 2048, or of type ssh-ed25519"),
    (rsa(2040), "is an RSA key of 2040 bits; make one of at least 2048, or of type ssh-ed25519"),
    (rsa(16392), "is an RSA key of 16392 bits; make one of at most 16384, or of type ssh-ed25519"),
    (rsa(2048, last=2), NUMBER),
    (rsa(2048, b"\x01"), NUMBER),
    (rsa(2048, b"\x04"), NUMBER),
    (rsa(2048, b""), NUMBER),
    (rsa(2048, b"\xff"), NUMBER),
    (rsa(2048, b"\x00\x03"), NUMBER),
]
PRIVATE = [
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY----- MIIEowIBAAKCAQEA",
    "PuTTY-User-Key-File-3: ssh-ed25519",
]


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("comment", ["", " alice@example.net", "  two words"])
def test_read_ssh_key_takes_what_sshd_takes(name: str, comment: str) -> None:
    assert read_ssh_key(f" {RIGHT[name]}{comment}\n") == RIGHT[name] + comment


@pytest.mark.parametrize(("value", "error"), WRONG)
def test_read_ssh_key_names_the_mistake(value: t.Any, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_ssh_key(value)
    assert str(caught.value) == error


@pytest.mark.parametrize("value", PRIVATE)
def test_read_ssh_key_shows_nothing_of_a_private_key(value: str) -> None:
    with pytest.raises(
        ValueError, match=r"is a private key, .* replace a private key that others may have seen"
    ) as caught:
        read_ssh_key(value)
    assert not set(value.split()[-2:]) & set(str(caught.value).split())


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "is a certificate; write the public key itself "),
        ("hunter2 hunter3", f"does not begin with the type of a key; {PLAIN} "),
        ("x509v3-ssh-rsa AAAA", f"does not begin with the type of a key; {PLAIN} "),
    ],
)
def test_read_ssh_key_lists_the_types(value: str, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_ssh_key(value)
    assert str(caught.value).startswith(f"{error}(known are ssh-ed25519, ecdsa-sha2-nistp256, ")
    assert "hunter" not in str(caught.value)


def test_key_material_is_without_the_comment() -> None:
    assert key_material(f" {ED25519} a") == key_material(f"{ED25519.replace(' ', '  ')}\tb") == ED25519
    assert [key_material(value) for value in (17, "", "ssh-ed25519")] == [None, None, None]


# Made by crypt(3) and openssl-passwd(1).
HASHES = [
    "$6$K9DDYZHNlppUcvgU$KDvn1zu2GpgKlzqlp3YmSb4dGCwow.cHk4iMJ36mNqZia96dAuj0LrMlczxnuOaKOia2WhNsVQaCDhD33PlIh1",
    "$6$rounds=5000$saltsalt$8RWsOfwR6M6PpnoeQiEiWzNTPo1f0HjVYjDnLZhGx16aBFRkeqiHAzfXP/LgrOWMBMXqiU2pLrXsSOHNUyUm91",
    "$5$v3OfxNRAR6JfCplb$q.m3HVG1mQZWz3AMfwgVnKMs2RY6av0lhzZlLBx7Cr2",
    "$2b$12$mved06r9dZe2EkEsXEHWyuRpayIV5a1RjxI/uVPUH7bODXNL6Ox6O",
    "$2a$05$abcdefghijklmnopqrstuuhKF09ZYWwH2zP/0fwE1X8e/Q1YNx/hO",
]
WHOLE_HASH = "is not a whole hash of the kind that it begins like; copy it anew, all of it"
MAKE = "make one with `openssl passwd -6`"
NONE = f"is not the hash of a password; {MAKE}, and change a password that others may have seen here"


@pytest.mark.parametrize("value", HASHES)
def test_read_crypt_takes_what_freebsd_knows(value: str) -> None:
    assert read_crypt(value) == value


@pytest.mark.parametrize("value", HASHES)
@pytest.mark.parametrize("wrong", ["{}a", "{}\n", "short", "!"])
def test_read_crypt_wants_a_whole_hash(value: str, wrong: str) -> None:
    changed = {"short": value[:-1], "!": value[:-1] + "!"}.get(wrong, wrong.format(value))
    with pytest.raises(ValueError) as caught:
        read_crypt(changed)
    assert str(caught.value) == WHOLE_HASH


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (HASHES[0].replace("K9DDYZHNlppUcvgU", 17 * "a"), WHOLE_HASH),
        (HASHES[0].replace("K9DDYZHNlppUcvgU", ""), WHOLE_HASH),
        (HASHES[1].replace("5000", "999"), WHOLE_HASH),
        (HASHES[1].replace("5000", "05000"), WHOLE_HASH),
        (HASHES[3].replace("$12$", "$03$"), WHOLE_HASH),
        (HASHES[3].replace("$12$", "$32$"), WHOLE_HASH),
        (HASHES[3].replace("$2b$", "$2$"), WHOLE_HASH),
        (
            HASHES[3].replace("$2b$", "$2y$"),
            "begins with $2y$, which FreeBSD does not know; write $2b$ instead and leave the rest as it is",
        ),
        (
            "$y$j9T$abcdefghijkl$tIEIK0tRpVYnb5EbxZDlFLI0ryBZQGiiMcG7Xj5gBz0",
            f"is yescrypt, the default of Debian and others, which FreeBSD does not know; {MAKE}",
        ),
        ("$7$CU..../....", f"is scrypt, which FreeBSD does not know; {MAKE}"),
        ("$argon2id$v=19$m=65536", f"is Argon2, which FreeBSD does not know; {MAKE}"),
        ("$1$93MHHua4$dk944Z5.xegiMwGuEXJug0", f"is MD5, which is too weak; {MAKE}"),
        ("$3$$8846f7eaee8fb117ad06bdd830b7586c", f"is the hash of Windows, which is too weak; {MAKE}"),
        ("abiQ6Ep3EYTHc", f"is DES, which is too weak, or the password itself; {MAKE}"),
        ("_J9..rasmBYk8r9AiWNc", f"is DES, which is too weak, or the password itself; {MAKE}"),
        ("*LOCKED*", "is no hash; remove the key: without it nobody gets in by password"),
        ("$ANSIBLE_VAULT;1.1;AES256\n", "is encrypted but not marked so; write `password: !vault |` before it"),
        ("hunter2", NONE),
        ("", NONE),
        (12345, f"is not the hash of a password; {MAKE}"),
    ],
)
def test_read_crypt_says_what_to_do(value: t.Any, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_crypt(value)
    assert str(caught.value) == error


def test_a_key_with_a_letter_of_another_script_is_told_what_to_do() -> None:
    with pytest.raises(ValueError, match="is not base64 after its type, or cut off; paste the whole key"):
        read_ssh_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE\u0663AAAAIAsBje1G1y2FoUgagEF9l+05FZFm2uqbWajLTvG8Fxxg")


def test_what_is_compared_of_a_key_is_found_in_linear_time() -> None:
    # In the square of its length it would take hours.
    assert key_material("ssh-ed25519 AAAA" + " " * 250_000 + "\nx") is None
