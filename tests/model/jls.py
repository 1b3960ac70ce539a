# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jls(8), with libxo's text and JSON."""

from __future__ import annotations

import json
import typing as t

from model import prison
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context

USAGE = """jls: usage: jls [-dhNnqv] [-j jail] [param ...]
            jls -c [-d] -j jail
"""
DEFAULT = ("jid", "ip4.addr", "host.hostname", "path")
VERBOSE = ("jid", "host.hostname", "path", "name", "dying", "cpuset.id", "ip4.addr", "ip6.addr")


class Row:
    """What is shown of one jail: for JSON a list of (key, value), for people text."""

    def __init__(self, text: str, members: list[tuple[str, t.Any]]) -> None:
        """Keep both."""
        self.text = text
        self.members = members


class Lister:
    """How jls was asked to show jails."""

    def __init__(self, ctx: Context, flags: t.Mapping[str, list[str]], names: list[str]) -> None:
        """Find out the form; later options undo earlier ones only in part, as in jls."""
        self.ctx = ctx
        self.header = "h" in flags and "s" not in flags
        self.pairs = "n" in flags or "s" in flags
        self.quote = "q" in flags or "s" in flags
        self.skip = "s" in flags
        self.verbose = "v" in flags and not (self.header or self.pairs or names)
        self.by_name = "N" in flags
        self.plain = not (self.header or self.pairs or self.verbose or names)
        self.names = names or (sorted(prison.PARAMETERS, key=_order) if self.header or self.pairs else [])
        for name in self.names:
            try:
                prison.look_up(name)
            except prison.Refused as error:
                raise Exit(1, str(error)) from None

    def heading(self) -> str:
        """Return the lines above the list."""
        if self.verbose:
            gap = " " * 8
            return (
                "   JID  Hostname                      Path\n"
                f"{gap}Name                          State\n{gap}CPUSetID\n{gap}IP Address(es)\n"
            )
        if self.plain and self.by_name:
            return f" {'JID':<15} {'IP Address':<15} {'Hostname':<29} Path\n"
        if self.plain:
            return "   JID  IP Address      Hostname                      Path\n"
        return " ".join(self.names) + "\n" if self.header else ""

    def row(self, kernel: dict[str, t.Any], jail: dict[str, t.Any]) -> Row:
        """Return what is shown of a jail."""
        if self.verbose:
            return self._verbose(kernel, jail)
        if self.plain:
            return self._plain(kernel, jail)
        words: list[str] = []
        members: list[tuple[str, t.Any]] = []
        for name in self.names:
            if self.skip and self._is_skipped(kernel, jail, name):
                continue
            text, member = self._parameter(name, prison.value(kernel, jail, name))
            words.append(text)
            members.append(member)
        return Row(" ".join(words) + "\n", members)

    def _plain(self, kernel: dict[str, t.Any], jail: dict[str, t.Any]) -> Row:
        address = (prison.value(kernel, jail, "ip4.addr") or [""])[0]
        hostname = prison.value(kernel, jail, "host.hostname")
        path = prison.value(kernel, jail, "path")
        first = f" {jail['name']:<15}" if self.by_name else f"{jail['jid']:6d} "
        key = ("name", jail["name"]) if self.by_name else ("jid", jail["jid"])
        text = f"{first} {address:<15.15} {hostname:<29.29} {path:.74}\n"
        return Row(text, [key, ("ipv4", address), ("hostname", hostname), ("path", path)])

    @staticmethod
    def _verbose(kernel: dict[str, t.Any], jail: dict[str, t.Any]) -> Row:
        jid, hostname, path, name, dying, cpuset, inet, inet6 = (prison.value(kernel, jail, each) for each in VERBOSE)
        state = "DYING" if dying else "ACTIVE"
        gap = " " * 8
        text = f"{jid:6d}  {hostname:<29.29} {path:.74}\n{gap}{name:<29.29} {state}\n{gap}{cpuset}\n"
        text += "".join(f"{gap}{address}\n" for address in [*inet, *inet6])
        members = [("jid", jid), ("hostname", hostname), ("path", path), ("name", name), ("state", state)]
        return Row(text, [*members, ("cpusetid", cpuset), ("ipv4_addrs", inet), ("ipv6_addrs", inet6)])

    @staticmethod
    def _is_skipped(kernel: dict[str, t.Any], jail: dict[str, t.Any], name: str) -> bool:
        """What cannot be given to jail(8), and what belongs to something that the jail has no own one of."""
        if prison.look_up(name)[0].change == prison.READ:
            return True
        parent = prison.PARAMETERS.get(name.partition(".")[0])
        has_parent = "." in name and parent is not None and parent.kind == prison.SYSTEM
        return has_parent and prison.value(kernel, jail, name.partition(".")[0]) != "new"

    def _parameter(self, name: str, value: t.Any) -> tuple[str, tuple[str, t.Any]]:
        if isinstance(value, bool):
            if self.pairs:
                return (name if value else prison.negated(name)), (name, value)
            return prison.show_value(value), (name, prison.show_value(value))
        prefix = f"{name}=" if self.pairs else ""
        if isinstance(value, list):
            empty = '""' if self.quote else "" if self.pairs else "-"
            return prefix + (",".join(value) or empty), (name, value)
        text = str(value)
        return prefix + self._quoted(text), (name, text)

    def _quoted(self, text: str) -> str:
        if not text:
            return '""'
        mark = '"' if "'" in text else "'" if '"' in text else '"' if " " in text or "\t" in text else ""
        return mark + text + mark if self.quote else text


def _order(name: str) -> tuple[bool, str]:
    return "." in name, name


def jls(ctx: Context) -> int:
    """jls(8)."""
    style = _libxo(ctx)
    flags, names = options(ctx, "acdj:hNnqsv", USAGE)
    wanted = flags.get("j", [""])[-1]
    if "c" in flags:
        return _exists(ctx, wanted, names)
    lister = Lister(ctx, flags, names)
    if not style:
        ctx.out.write(lister.heading())
    with ctx.host.kernel() as kernel:
        found = prison.find(kernel, wanted) if wanted else None
        jails = ([found] if found else []) if wanted else prison.prisons(kernel)
        rows = [lister.row(kernel, jail) for jail in jails if _is_visible(ctx, jail)]
    ctx.out.write(_json(rows, pretty="pretty" in style) if style else "".join(row.text for row in rows))
    if wanted and not rows:
        raise Exit(1, f'jail "{wanted}" not found')
    return 0


def _is_visible(ctx: Context, jail: dict[str, t.Any]) -> bool:
    """A jail sees only its own children."""
    return ctx.jail is None or str(jail["name"]).startswith(f"{ctx.jail}.")


def _exists(ctx: Context, wanted: str, names: list[str]) -> int:
    if names or not wanted:
        ctx.warn("-c does not accept non-option arguments" if names else "-j jail to check must be provided for -c")
        ctx.err.write(USAGE)
        return 1
    with ctx.host.kernel() as kernel:
        return int(prison.find(kernel, wanted) is None)


def _libxo(ctx: Context) -> list[str]:
    """Take libxo's options out of the arguments; return the words of the style, none for plain text."""
    words: list[str] = []
    rest = [ctx.argv[0]]
    arguments = iter(ctx.arguments)
    for argument in arguments:
        if argument == "--libxo":
            words += next(arguments, "").split(",")
        elif argument.startswith(("--libxo=", "--libxo:")):
            words += argument[8:].split(",")
        else:
            rest.append(argument)
    ctx.argv = rest
    unknown = [word for word in words if word not in ("json", "pretty", "text", "J", "P", "JP")]
    if unknown:
        raise Exit(1, f"unsupported libxo option '{unknown[0]}'")
    words = [{"J": "json", "P": "pretty", "JP": "pretty"}.get(word, word) for word in words]
    return [] if "text" in words else words


def _json(rows: list[Row], *, pretty: bool) -> str:
    if pretty:
        body = ",\n".join(_pretty(row) for row in rows)
        return (
            '{\n  "__version": "2", \n  "jail-information": {\n    "jail": [\n'
            + (body + "\n" if body else "")
            + "    ]\n  }\n}\n"
        )
    body = ", ".join("{" + _members(row) + "}" for row in rows)
    return '{"__version": "2", "jail-information": {"jail": [' + body + "]}}\n"


def _members(row: Row) -> str:
    """Join members as libxo does: a list is set off by a blank."""
    text = ""
    for key, value in row.members:
        if isinstance(value, list):
            items = ",".join(json.dumps(item) for item in value)
            text += f"{', ' if text else ''}{json.dumps(key)}: [{items}]"
        else:
            text += f"{',' if text else ''}{json.dumps(key)}:{json.dumps(value, ensure_ascii=False)}"
    return text


def _pretty(row: Row) -> str:
    lines = []
    for key, value in row.members:
        if isinstance(value, list):
            items = "".join(f"          {json.dumps(item)},\n" for item in value)
            lines.append(f"        {json.dumps(key)}: [\n{items[:-2]}{chr(10) if items else ''}        ]")
        else:
            lines.append(f"        {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "      {\n" + ",\n".join(lines) + "\n      }"
