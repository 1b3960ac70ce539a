# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SHA-512 form of crypt(3): Python's own crypt module is gone from newer versions."""

from __future__ import annotations

import hashlib
import secrets

LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROUNDS = 5000
SIZE = 64


def new_salt() -> str:
    """Return a salt of the usual length."""
    return "".join(secrets.choice(LETTERS) for _unused in range(16))


def _repeat(digest: bytes, length: int) -> bytes:
    return (digest * (length // SIZE + 1))[:length]


def sha512_crypt(password: str, salt: str) -> str:
    """Return ``$6$SALT$HASH``."""
    key, seed = password.encode(), salt.encode()[:16]
    other = hashlib.sha512(key + seed + key).digest()
    start = hashlib.sha512(key + seed + _repeat(other, len(key)))
    bits = len(key)
    while bits:
        start.update(other if bits & 1 else key)
        bits >>= 1
    digest = start.digest()
    keys = _repeat(hashlib.sha512(key * len(key)).digest(), len(key))
    seeds = _repeat(hashlib.sha512(seed * (16 + digest[0])).digest(), len(seed))
    for number in range(ROUNDS):
        one = hashlib.sha512(keys if number & 1 else digest)
        if number % 3:
            one.update(seeds)
        if number % 7:
            one.update(keys)
        one.update(digest if number & 1 else keys)
        digest = one.digest()
    return f"$6${seed.decode()}${_encode(digest)}"


def _encode(digest: bytes) -> str:
    text = []
    first, second, third = 0, 21, 42
    for _unused in range(21):
        text.append(_letters(digest[first] << 16 | digest[second] << 8 | digest[third], 4))
        first, second, third = second + 1, third + 1, first + 1
    return "".join(text) + _letters(digest[63], 2)


def _letters(value: int, count: int) -> str:
    text = ""
    for _unused in range(count):
        text += LETTERS[value & 63]
        value >>= 6
    return text
