# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What somebody else's rules do to ours: an interface that pf skips, a port that is redirected before we are asked."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._pf.parse import statements

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import Wish

Refused = tuple[tuple[str, str], ...]

SKIP = re.compile(r"set skip on (?P<interfaces>.*)")
# A redirection as it is written and as `pfctl -P -sn` shows it, up to the arrow before its goal.
REDIRECTION = re.compile(
    r"rdr (?:pass )?(?:on (?P<interface>\S+) )?(?:inet6? )?(?:proto (?P<protocol>\S+) )?.*?"
    r"\bto (?P<address>\S+)(?: port (?:= )?(?P<first>[0-9]{1,5})(?::(?P<last>[0-9]{1,5}))?)? "
)
LAST_PORT = 65535


class _Redirection(t.NamedTuple):
    """Which packets a redirection takes; '' stands for any interface, protocol or address."""

    interface: str
    protocol: str
    address: str
    first: int
    last: int

    def meets(self, other: _Redirection) -> bool:
        """Whether there are packets that both take."""
        words = zip(self[:3], other[:3], strict=True)
        return all(not one or not two or one == two for one, two in words) and (
            self.first <= other.last and other.first <= self.last
        )


def _redirection(rule: str) -> _Redirection | None:
    packets, arrow, _goal = rule.partition("-> ")
    found = REDIRECTION.match(packets) if arrow else None
    if found is None:
        return None
    address = found["address"] or ""
    # What stands in parentheses is an interface with whatever addresses it has.
    address = "" if address == "any" or address.startswith("(") else address
    first = int(found["first"] or 1)
    last = int(found["last"] or found["first"] or LAST_PORT)
    return _Redirection(found["interface"] or "", found["protocol"] or "", address, first, last)


def skipped(wish: Wish, conf: str | None) -> Refused:
    """Return what to say of interfaces that pf.conf has pf skip: no rule holds there, and so nothing is done at all."""
    found = [match["interfaces"] for each in statements(conf or "") if (match := SKIP.fullmatch(each.words))]
    names = {name for text in found for name in re.split(r"[{},\s]+", text)}
    return tuple(
        ("", f"{wish.conf}: `set skip on {name}` switches off there what keeps jails apart; remove it")
        for name in sorted(names & wish.unskipped)
    )


def taken(wish: Wish, main: t.Iterable[str]) -> Refused:
    """Return what to say of each published port that a rule of somebody else takes before ours is asked."""
    theirs = [(line, found) for line in sorted(main) if (found := _redirection(line))]
    ours = [(rule, found) for rule in wish.rules if theirs and (found := _redirection(rule.text))]
    return tuple(
        (
            rule.jail,
            f"`{rule.text}` never comes to pass, since somebody else's rule `{line}` of {wish.conf} comes before it; "
            "publish another port, or remove that rule",
        )
        for rule, our in ours
        for line, their in theirs
        if our.meets(their)
    )
