# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed on model hosts as usercustomize: lets Python programs there (Ansible's modules) see FreeBSD's uname(3)."""

import _socket
import json
import os
from pathlib import Path

STATE = Path("/.model/host/kernel.json")
IDENT = "JAILISP"


def _kernel() -> dict[str, str]:
    try:
        state: dict[str, str] = json.loads(STATE.read_text())
    except OSError:
        return {}
    return state


def _uname() -> os.uname_result:
    kernel = _kernel()
    release = kernel.get("release", "")
    return os.uname_result(("FreeBSD", _hostname(), release, f"FreeBSD {release} {IDENT}", "amd64"))


def _hostname() -> str:
    return _kernel().get("hostname", "")


os.uname = _uname
_socket.gethostname = _hostname
