# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What a wish looks like in dnctl's output."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import Pipe
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import Shown

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import Flow


def rate_as_shown(bits: int) -> str:
    """Return a rate (bit/s) as dnctl prints it: three decimals of the greatest unit that it reaches."""
    for unit, factor in (("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if bits >= factor:
            return f"{bits / factor:.3f} {unit}bit/s"
    return f"{bits:.3f} bit/s" if bits else "unlimited"


def shown(flow: Flow) -> Shown:
    """Return what dnctl prints of it once it is in force, to the precision that it prints."""
    if isinstance(flow, Pipe):
        return Shown(rate_as_shown(flow.bandwidth), flow.delay, f"{flow.slots} sl.")
    return Shown(size=f"{flow.slots} sl.", sched=flow.pipe, weight=flow.weight)
