# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading what is in force for jails: nine processes, however many there are."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import output
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import parse_pipes, parse_queues
from ansible_collections.jailisp.vps.plugins.module_utils._host_info.observe import shown
from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import printable
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails
from ansible_collections.jailisp.vps.plugins.module_utils._net_info.describe import Flows, describe
from ansible_collections.jailisp.vps.plugins.module_utils._net_info.parse import parse_rules
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.plan import calls_anchor
from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import (
    after_load,
    before_load,
    parse_labels,
    parse_traffic,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._net_info.parse import Rule
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.traffic import Sums
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

Values = dict[str, t.Any]
# What an anchor has beside its name is of no concern here.
NOTHING: Values = {"rules": [], "tables": {}, "kept_tables": [], "conf": "/etc/pf.conf", "guard": 0, "unskipped": []}


def tell(host: Host, anchor: str, names: t.Sequence[str] | None) -> Values:
    """Return the state of ``pf``, and of ``jails`` by name all that run or have rules; or those that are named."""
    wished = wish({"anchor": anchor, **NOTHING})
    running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
    pf = _pf(host, wished)
    rules = _rules(host, anchor) if pf["loaded"] else {}
    traffic = _traffic(host, wished) if pf["loaded"] else {}
    flows = Flows(
        parse_pipes(shown(host, "dummynet", "dnctl", "pipe", "show")),
        parse_queues(shown(host, "dummynet", "dnctl", "queue", "show")),
    )
    wanted = sorted({*running, *rules}) if names is None else names
    return {
        "pf": pf,
        "jails": {
            printable(name): {**_kernel(running.get(name)), **describe(name, rules.get(name, []), flows, traffic)}
            for name in wanted
        },
    }


def _kernel(jail: Values | None) -> Values:
    """Tell what the kernel knows of a jail; the addresses in a stack of its own are its customer's affair."""
    known = jail or {}
    return {
        "running": jail is not None,
        "vnet": known.get("vnet") == "new",
        "addresses": [*known.get("ip4.addr", []), *known.get("ip6.addr", [])],
    }


def _pf(host: Host, wished: Wish) -> Values:
    info = shown(host, "pf", "pfctl", "-s", "info")
    if not info:
        return {"loaded": False, "enabled": False, "called": False}
    main = shown(host, "pf", "pfctl", "-P", "-sn") + shown(host, "pf", "pfctl", "-sr")
    called = calls_anchor(wished, frozenset(main.splitlines()))
    return {"loaded": True, "enabled": "Status: Enabled" in info, "called": called}


def _rules(host: Host, anchor: str) -> dict[str, list[Rule]]:
    """Return the rules of the anchor by jail, translation first."""
    ours = ("pfctl", "-a", anchor, "-P")
    found: dict[str, list[Rule]] = {}
    for rule in parse_rules(shown(host, "pf", *ours, "-sn")) + parse_rules(shown(host, "pf", *ours, "-vsr")):
        found.setdefault(rule.jail, []).append(rule)
    return found


def _traffic(host: Host, wished: Wish) -> Sums:
    """Return what the labels counted by now, with what earlier loads of the rules left."""
    now = parse_labels(shown(host, "pf", "pfctl", "-a", wished.anchor, "-s", "labels"))
    return after_load(before_load(parse_traffic(host.files.read(wished.traffic)), now)).sums
