# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jails on a lab's host, behind the rules, pipes and queues that the modules make of their records."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes
from model import task

if t.TYPE_CHECKING:
    from support.lab import Lab

Values = dict[str, t.Any]


def prepare(lab: Lab) -> None:
    """Load pf and dummynet, and make the interface of jails."""
    lab.run("kldload", "pf", "dummynet")
    lab.run("ifconfig", "lo1", "create")


def start(lab: Lab, record: Values) -> None:
    """Start a jail with the addresses of its record, and something that listens for ssh."""
    addresses = [f"ip4.addr=lo1|{record['address']}"]
    addresses += [f"ip6.addr=lo1|{record['address6']}"] if record["address6"] else []
    how = ["vnet"] if record["network"] == "vnet" else addresses
    lab.run("jail", "-c", f"name={record['name']}", f"path={record['path']}", "persist", *how)
    jid = int(lab.run("jls", "-j", record["name"], "jid"))
    with lab.host.kernel() as kernel:
        task.add(kernel, ["server"], jid=jid, listen=[["tcp4", "*", 22, 3]])


def converge(lab: Lab, host: Values, *jails: Values) -> None:
    """Make the rules, pipes and queues of records; `host` is a variable vps_host."""
    for name, options in (("dummynet_pipes", pipes(jails, host["link"])), ("pf_anchor", pf_rules(jails, host))):
        result = lab.module(name, **options)
        assert not result.get("failed"), result["msg"]
