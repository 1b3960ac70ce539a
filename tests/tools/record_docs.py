# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the tables of keys in docs/inventory.md from the tables that the inventory plugin checks by.

.venv/bin/python tests/tools/record_docs.py
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

from ansible_collections.jailisp.vps.plugins.module_utils._units import format_size
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import (
    CUSTOMER_KEYS,
    FLEET_KEYS,
    HOST_KEYS,
    JAIL_KEYS,
    PLAN_KEYS,
    Key,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "inventory.md"
TABLES = {"jail": JAIL_KEYS, "plan": PLAN_KEYS, "customer": CUSTOMER_KEYS, "host": HOST_KEYS, "fleet": FLEET_KEYS}

FORMS = {
    "size": "size: `512M`, `4G` (powers of 1024)",
    "rate": "rate: `512Kbit/s`, `10Mbit/s`, `1Gbit/s` (powers of 1000)",
    "percent": "share: `50%`",
    "name": "name",
    "address": "IPv4 address",
    "addresses": "list of IPv4 addresses",
    "addresses46": "list of IPv4 and IPv6 addresses",
    "netblock": "IPv4 network: `192.168.1.0/24`",
    "hostname": "host name",
    "login": "login name, none that FreeBSD has itself",
    "release": "release: `15.1-RELEASE-p1`",
    "releases": "mapping of releases, each with:",
    "named": "mapping of names, each with:",
    "rules": "mapping of rules: `openfiles:deny: 4096`",
    "boolean": "`true` or `false`",
    "mapping": "mapping of:",
    "mappings": "list of:",
    "mail": "mail address",
    "address6": "IPv6 address",
    "netblock6": "IPv6 network: `2001:db8:1::/64`",
    "ports": "range of ports: `8000-8999`",
    "portrange": "port, or range of ports: `8000-8009`",
    "network": "IPv4 or IPv6 address or network",
    "networks": "list of IPv4 and IPv6 addresses and networks",
    "texts": "list of texts",
    "moment": "moment: `2026-11-24T093000Z`",
    "sshkeys": "list of public ssh keys",
    "crypt": "hash of a password",
    "relative": "relative path",
    "text": "text",
    "path": "absolute path",
}


def page(text: str) -> str:
    """Return the page with each table between its marks made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- table {name} -->\n{table(TABLES[name])}<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def table(keys: t.Sequence[Key]) -> str:
    """Return the table of a record's keys."""
    head = "| key | form | default | meaning |\n|---|---|---|---|\n"
    return head + "".join(_rows(keys, ""))


def _rows(keys: t.Sequence[Key], prefix: str) -> t.Iterator[str]:
    for key in keys:
        default = "required" if key.required else _default(key)
        yield f"| `{prefix}{key.name}` | {_form(key)} | {default} | {key.description} |\n"
        yield from _rows(key.keys, f"{prefix}{key.name}.")


def _form(key: Key) -> str:
    if key.kind in ("choice", "choices"):
        return ("list of: " if key.kind == "choices" else "") + ", ".join(f"`{choice}`" for choice in key.choices)
    if key.kind == "integer":
        return f"number from {key.minimum}" + (f" to {key.maximum}" if key.maximum else "")
    form = key.form or FORMS[key.kind]
    return f"{form}, at least `{format_size(key.minimum)}`" if key.kind == "size" and key.minimum > 1 else form


def _default(key: Key) -> str:
    if key.default is None:
        return ""
    if isinstance(key.default, bool):
        return "`true`" if key.default else "`false`"
    shown = {(): "none", "{name}": "its name"}
    if isinstance(key.default, tuple) and key.default:
        return ", ".join(f"`{each}`" for each in key.default)
    text = str(key.default).replace("{name}", "NAME")
    return shown.get(key.default, f"`{text}`")


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
