# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a plan sells, as rules of rctl(8): `RESOURCE:ACTION` and an amount."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._rctl.model import (
    ACTIONS,
    RESOURCES,
    check_amount,
    check_limit,
    parse_amount,
)

# What a record says for no rule where there would be one by default.
NONE = "none"
# The keys that say what these rules would.
OF_KEYS = {"memoryuse:deny": "memory", "maxproc:deny": "processes", "pcpu:deny": "cpu"}

# Every rule that a record may give.
RULES = tuple(f"{resource}:{action}" for resource in sorted(RESOURCES) for action in ACTIONS)

# Tables that the kernel has once for the whole host, and that one customer could fill for all others. Of each a jail
# gets a share that few programs need more of; a plan may say otherwise.
_SHARES = {
    # kern.pts_maxdev is 999.
    "pseudoterminals:deny": 16,
    # kern.ipc.msgmni and msgtql are 40, all messages together 16 KiB.
    "nmsgq:deny": 8,
    "msgqqueued:deny": 8,
    "msgqsize:deny": 4096,
    # kern.ipc.semmns is 340; what one semop(2) changes (nsemop) the kernel bounds itself.
    "nsem:deny": 64,
    # kern.ipc.shmmni is 192.
    "nshm:deny": 32,
}
# Files and threads go with processes: kern.maxfiles and kern.threads.max_threads are the host's, too. What counts as
# files is the room for them in each process's table, which doubles when it is full.
_FILES_PER_PROCESS, _FILES_MIN, _THREADS_PER_PROCESS = 64, 1024, 10
# Beyond its memory a jail is paged out, and the host's swap is one. What counts is all memory that was asked for, also
# what is not paged out and what was never touched, so with no more than its memory a server could not fork.
_SWAP_PER_MEMORY = 2

Values = t.Mapping[str, t.Any]


def read_rule(name: str, value: t.Any) -> int | str:
    """Return the amount of a rule that a record gives, or NONE; raise ValueError that says what to do."""
    resource, _colon, action = name.partition(":")
    check_limit(resource, action)
    if name in OF_KEYS:
        raise ValueError(f"is what the key {OF_KEYS[name]} says; give that instead")
    if value == NONE:
        return NONE
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"is no amount; write a whole number or {NONE}")
    amount = parse_amount(resource, str(value))
    check_amount(action, amount)
    return amount


def rules(jail: Values) -> dict[str, int]:
    """Return the rules of a resolved jail: amounts by `RESOURCE:ACTION`, none for one that is absent.

    `memoryuse:deny` and the like come from its limits, the shares from above unless its plan or record says otherwise.
    """
    if jail["state"] == "absent":
        return {}
    limits = jail["limits"]
    found = {
        **_SHARES,
        "openfiles:deny": max(_FILES_MIN, _FILES_PER_PROCESS * limits["processes"]),
        "nthr:deny": _THREADS_PER_PROCESS * limits["processes"],
        "swapuse:deny": _SWAP_PER_MEMORY * limits["memory"],
        "shmsize:deny": limits["memory"],
        **jail["rctl"],
        **{rule: limits[key] for rule, key in OF_KEYS.items()},
    }
    return {rule: amount for rule, amount in sorted(found.items()) if amount != NONE}


# How a record writes the two halves of a rule, for the schemas; see also read_rule.
RULE_PATTERN = f"({'|'.join(sorted(RESOURCES))}):({'|'.join(ACTIONS)})"
AMOUNT_PATTERN = rf"[0-9]+[kKmMgGtT]?|{NONE}"
