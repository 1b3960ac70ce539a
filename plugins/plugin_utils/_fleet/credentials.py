# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What lets a customer in: public ssh keys as sshd(8) takes them, and password hashes as FreeBSD's crypt(3) makes them.

No error here shows anything of the value: a private key or a password may have been pasted.
"""

from __future__ import annotations

import base64
import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.model import HASHES

# Public ssh keys ------------------------------------------------------------------------------------------------------

RSA_BITS_MIN = 2048
# OpenSSH reads no larger numbers.
_RSA_BITS_MAX = 16384
_ED25519_LENGTH = 32
# A point of a curve, not compressed: 4, then two numbers.
_POINTS = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_NOT_COMPRESSED = 4
_LENGTH_BYTES = 4

_SSH_KEY_FORM = "write TYPE KEY COMMENT on one line, as the file id_ed25519.pub has it"
_PRIVATE = ("-----BEGIN", "PRIVATE KEY", "PuTTY-User-Key-File")
_LONGEST_KEY = 16384
_WORDS = re.compile(r"(\S+)[ \t]+(\S+)(?:[ \t].*)?")


class _Blob:
    """The binary part of a key: strings with their lengths in front, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def string(self) -> bytes:
        """Return the next string; raise ValueError if the blob ends within it."""
        length = int.from_bytes(self.data[:_LENGTH_BYTES], "big")
        end = _LENGTH_BYTES + length
        if len(self.data) < end:
            raise ValueError("is cut off; paste the whole key")
        value, self.data = self.data[_LENGTH_BYTES:end], self.data[end:]
        return value

    def number(self) -> int:
        """Return the next string as a number; raise ValueError unless it is positive and in its shortest form."""
        value = self.string()
        if not value or value >= b"\x80" or b"\0" <= value < b"\0\x80":
            raise ValueError("holds a number that ssh refuses; make a new key")
        return int.from_bytes(value, "big")


def _check_ed25519(blob: _Blob) -> None:
    if len(blob.string()) != _ED25519_LENGTH:
        raise ValueError("has another length than keys of its type; paste the whole key")


def _check_ecdsa(curve: str) -> t.Callable[[_Blob], None]:
    def check(blob: _Blob) -> None:
        if blob.string() != curve.encode():
            raise ValueError(f"is not of the curve {curve}, as its type says; paste the key anew")
        point = blob.string()
        if len(point) != _POINTS[curve] or point[0] != _NOT_COMPRESSED:
            raise ValueError("has another length than keys of its type; paste the whole key")

    return check


def _check_rsa(blob: _Blob) -> None:
    exponent, modulus = blob.number(), blob.number()
    bits = modulus.bit_length()
    if not RSA_BITS_MIN <= bits <= _RSA_BITS_MAX:
        wanted = f"at least {RSA_BITS_MIN}" if bits < RSA_BITS_MIN else f"at most {_RSA_BITS_MAX}"
        raise ValueError(f"is an RSA key of {bits} bits; make one of {wanted}, or of type ssh-ed25519")
    if exponent == 1 or not exponent % 2 or not modulus % 2:
        raise ValueError("holds a number that ssh refuses; make a new key")


def _with_application(check: t.Callable[[_Blob], None]) -> t.Callable[[_Blob], None]:
    """Return the check of a key that lies on a token: the same, and the name of the application it is for."""

    def check_both(blob: _Blob) -> None:
        check(blob)
        if not blob.string():
            raise ValueError("names no application; paste the whole key")

    return check_both


_KEY_TYPES: dict[str, t.Callable[[_Blob], None]] = {
    "ssh-ed25519": _check_ed25519,
    "ecdsa-sha2-nistp256": _check_ecdsa("nistp256"),
    "ecdsa-sha2-nistp384": _check_ecdsa("nistp384"),
    "ecdsa-sha2-nistp521": _check_ecdsa("nistp521"),
    "ssh-rsa": _check_rsa,
    "sk-ssh-ed25519@openssh.com": _with_application(_check_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _with_application(_check_ecdsa("nistp256")),
}

# What an editor can tell of a key; see values.PATTERNS for how it is written.
SSH_KEY_PATTERN = r"\s*(?:{})[ \t]+[A-Za-z0-9+/]+=*(?:[ \t].*)?\s*".format("|".join(_KEY_TYPES).replace(".", "[.]"))


def read_ssh_key(value: t.Any) -> str:
    """Return a public key on one line; raise ValueError, which shows nothing of it, if sshd(8) would not take it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"is not a public ssh key; {_SSH_KEY_FORM}")
    if any(mark in value for mark in _PRIVATE):
        raise ValueError(
            "is a private key, or a key in another form; write the public one (`ssh-keygen -y -f FILE`), and replace "
            "a private key that others may have seen here"
        )
    text = value.strip()
    if not text.isprintable() or len(text) > _LONGEST_KEY:
        raise ValueError(f"is not one line of printable text; {_SSH_KEY_FORM}")
    words = _WORDS.fullmatch(text)
    if not words or words[1] not in _KEY_TYPES:
        raise ValueError(_no_key_type(text))
    _check_blob(words[1], words[2])
    return text


def _no_key_type(text: str) -> str:
    """Return what is wrong with a key that does not begin with a type that is known and something after it."""
    known, first, rest = f"known are {', '.join(_KEY_TYPES)}", *(text.split()[:1]), text.split()[1:]
    if first in _KEY_TYPES:
        return f"has a type and no key; {_SSH_KEY_FORM}"
    if first == "ssh-dss":
        return "is of type ssh-dss, which sshd refuses; make one of type ssh-ed25519"
    if "-cert-v0" in first:
        return f"is a certificate; write the public key itself ({known})"
    if _KEY_TYPES.keys() & rest:
        return "has options before the key, which customers do not get; write the key only"
    return f"does not begin with the type of a key; {_SSH_KEY_FORM} ({known})"


def _check_blob(kind: str, text: str) -> None:
    """Raise ValueError unless a text is the base64 of exactly one key of a type."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    # The last character may hold bits that mean nothing; ssh-keygen leaves them zero.
    if not data or base64.b64encode(data).decode() != text:
        raise ValueError("is not base64 after its type, or cut off; paste the whole key")
    blob = _Blob(data)
    if blob.string() != kind.encode():
        raise ValueError("says another type inside than in front; paste the key anew")
    _KEY_TYPES[kind](blob)
    if blob.data:
        raise ValueError("goes on after its end; paste the key anew")


def key_material(line: t.Any) -> str | None:
    """Return what of a key, as it is written, makes it the same key as another: type and base64; None if not there."""
    words = _WORDS.fullmatch(line.strip()) if isinstance(line, str) else None
    return f"{words[1]} {words[2]}" if words else None


# Password hashes ------------------------------------------------------------------------------------------------------

CRYPT_PATTERN = "|".join(form.pattern for form in HASHES.values())
_MAKE = "make one with `openssl passwd -6`"
# Why another beginning than those is refused.
_REFUSED = {
    "$2y$": "begins with $2y$, which FreeBSD does not know; write $2b$ instead and leave the rest as it is",
    "$2x$": f"is of a kind that was made with an error; {_MAKE}",
    "$y$": f"is yescrypt, the default of Debian and others, which FreeBSD does not know; {_MAKE}",
    "$gy$": f"is gost-yescrypt, which FreeBSD does not know; {_MAKE}",
    "$7$": f"is scrypt, which FreeBSD does not know; {_MAKE}",
    "$argon2": f"is Argon2, which FreeBSD does not know; {_MAKE}",
    "$1$": f"is MD5, which is too weak; {_MAKE}",
    "$3$": f"is the hash of Windows, which is too weak; {_MAKE}",
    "$ANSIBLE_VAULT": "is encrypted but not marked so; write `password: !vault |` before it",
    "*": "is no hash; remove the key: without it nobody gets in by password",
    "!": "is no hash; remove the key: without it nobody gets in by password",
}
_DES = re.compile(r"[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19}")


def read_crypt(value: t.Any) -> str:
    """Return a hash that FreeBSD's crypt(3) checks passwords by; raise ValueError, which shows nothing of it, if not.

    It can with bcrypt ($2a$, $2b$), SHA-256 ($5$) and SHA-512 ($6$), the latter two with rounds= or without.
    """
    if not isinstance(value, str):
        raise ValueError(f"is not the hash of a password; {_MAKE}")
    for beginning, why in _REFUSED.items():
        if value.startswith(beginning):
            raise ValueError(why)
    for beginning, form in HASHES.items():
        if value.startswith(beginning):
            if not form.fullmatch(value):
                raise ValueError("is not a whole hash of the kind that it begins like; copy it anew, all of it")
            return value
    if _DES.fullmatch(value):
        raise ValueError(f"is DES, which is too weak, or the password itself; {_MAKE}")
    raise ValueError(f"is not the hash of a password; {_MAKE}, and change a password that others may have seen here")
