# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Telling what runs."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_ages, parse_jails
from ansible_collections.jailisp.vps.plugins.module_utils._jails.render import HEADER
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.observe import root

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import Parameters
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

FOLDER = "/etc/jail.conf.d"


def tell(host: Host, names: t.Sequence[str] | None) -> dict[str, dict[str, t.Any]]:
    """Return what is known of the running jails (of those named, if any), by name, from two processes."""
    running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
    ages = parse_ages(output(host.runner, "ps", "-ax", "-o", "jid=", "-o", "etimes="))
    return {
        name: {**_tell(host, name, parameters), "age": ages.get(int(parameters["jid"]))}
        for name, parameters in running.items()
        if names is None or name in names
    }


def _tell(host: Host, name: str, parameters: Parameters) -> dict[str, t.Any]:
    return {
        "jid": int(parameters["jid"]),
        "path": parameters["path"],
        "hostname": parameters.get("host.hostname", ""),
        "ip4": parameters.get("ip4.addr", []),
        "ip6": parameters.get("ip6.addr", []),
        "ours": (host.files.read(f"{FOLDER}/{name}.conf") or "").startswith(HEADER),
        "release": root(host.files, parameters["path"]).version,
        "parameters": parameters,
    }
