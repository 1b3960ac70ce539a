# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zstandard's format (RFC 8878) with blocks that are stored as they are: Python before 3.14 has no compressor for it.

What :func:`compress` writes every program that knows zstd can read. :func:`decompress` reads what has no compressed
blocks in it.
"""

from __future__ import annotations

MAGIC = b"\x28\xb5\x2f\xfd"
# A single segment whose size takes eight bytes; neither checksum nor dictionary.
DESCRIPTOR = b"\xe0"
SIZE_BYTES, HEADER_BYTES = 8, 3
BLOCK = 1 << 17
RAW, REPEATED = 0, 1


class Unreadable(Exception):
    """The data are no zstd frame, or one that the model cannot read."""


def compress(data: bytes) -> bytes:
    """Return one frame that holds the data."""
    starts = range(0, len(data), BLOCK) if data else (0,)
    blocks = []
    for start in starts:
        part = data[start : start + BLOCK]
        last = start + BLOCK >= len(data)
        blocks.append((len(part) << 3 | RAW << 1 | last).to_bytes(HEADER_BYTES, "little") + part)
    return MAGIC + DESCRIPTOR + len(data).to_bytes(SIZE_BYTES, "little") + b"".join(blocks)


def decompress(data: bytes) -> bytes:
    """Return what one frame holds; EOFError if it ends too soon."""
    place = len(MAGIC) + len(DESCRIPTOR) + SIZE_BYTES
    if data[: len(MAGIC) + len(DESCRIPTOR)] != MAGIC + DESCRIPTOR:
        raise Unreadable
    parts, last = [], False
    while not last:
        if place + HEADER_BYTES > len(data):
            raise EOFError
        header = int.from_bytes(data[place : place + HEADER_BYTES], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        place += HEADER_BYTES
        part = data[place : place + (1 if kind == REPEATED else size)]
        if kind not in (RAW, REPEATED):
            raise Unreadable
        if len(part) < (1 if kind == REPEATED else size):
            raise EOFError
        parts.append(part * size if kind == REPEATED else part)
        place += len(part)
    return b"".join(parts)
