# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What ssh-keyscan(1) prints of a jail. A customer is root in there: whatever answers may say anything."""

from __future__ import annotations

import base64
import hashlib
import typing as t

from .credentials import read_ssh_key

# An sshd has a key of each type, which ssh-keyscan prints on a line each; no such line is longer.
KEYS_MAX = 8
_LINE_MAX = 8192


def host_key_fingerprints(text: str, without: t.Collection[str] = ()) -> list[str]:
    """Return the type and fingerprint of each key, as ``ssh-ed25519 SHA256:...``; what is no key is left out.

    So are the keys `without`, each the base64 of a public key.
    """
    fingerprints = []
    for line in text[: KEYS_MAX * _LINE_MAX].splitlines()[:KEYS_MAX]:
        _host, _space, key = line.partition(" ")
        try:
            kind, blob, *_comment = read_ssh_key(key).split()
        except ValueError:
            continue
        if blob not in without:
            fingerprints.append(f"{kind} {_fingerprint(blob)}")
    return fingerprints


def _fingerprint(blob: str) -> str:
    """Return the fingerprint of a key as ssh-keygen(1) shows it."""
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
