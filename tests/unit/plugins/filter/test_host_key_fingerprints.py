# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.jailisp.vps.plugins.filter.host_key_fingerprints import FilterModule

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu"
LINE = f"[203.0.113.10]:8017 ssh-ed25519 {BLOB}"
# As `ssh-keygen -l` of OpenSSH 9.2 shows it.
SHOWN = "ssh-ed25519 SHA256:wSvUBnCYKf2OmM177a9TRTJ7VeE+uiQF87Cnq4U7DVg"

fingerprints = FilterModule().filters()["host_key_fingerprints"]


def test_each_key_is_shown_as_ssh_keygen_shows_it() -> None:
    assert fingerprints(f"{LINE}\n203.0.113.10 ssh-ed25519 {BLOB}\n") == [SHOWN, SHOWN]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# 203.0.113.10:8017 SSH-2.0-OpenSSH_10.0\n",
        "{{ lookup('pipe', 'id') }} {{ 1 }} {{ 2 }}\n",
        f"host ssh-ed25519 {BLOB[:-4]}\n",
        f"host ssh-rsa {BLOB}\n",
        "host ssh-ed25519 !!!!\n",
        f"host \x1b]0;owned\x07ssh-ed25519 {BLOB}\n",
    ],
)
def test_what_is_no_key_is_left_out(text: str) -> None:
    assert fingerprints(text) == []
    assert fingerprints(text + LINE) == [SHOWN]


def test_keys_of_somebody_else_are_left_out() -> None:
    assert fingerprints(LINE, without=[BLOB]) == []
    assert fingerprints(LINE, without=[BLOB[:-1]]) == [SHOWN]


def test_nothing_but_the_key_of_a_line_gets_through() -> None:
    assert fingerprints(f"host ssh-ed25519 {BLOB} {{{{ comment }}}}") == [SHOWN]


def test_of_a_flood_only_so_much_is_read() -> None:
    assert len(fingerprints(f"{LINE}\n" * 10000)) == 8
    assert fingerprints("x" * 10_000_000 + f"\n{LINE}\n") == []
