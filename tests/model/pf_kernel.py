# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's pf knows: rulesets of anchors, tables, options; and how a configuration takes effect.

State: ``kernel["pf"]`` with ``enabled``, ``since``, ``rules`` (anchor -> kind -> rules; '' is the main ruleset),
``tables`` (anchor -> name -> flags and entries), ``states``, ``skip``, ``limits``, ``timeouts``, ``options``,
``count``.
"""

from __future__ import annotations

import json
import time
import typing as t

from model import kernel as kernels
from model import net, pf_parse
from model.pf_parse import KINDS, Config
from model.pf_print import counts

if t.TYPE_CHECKING:
    from model.host import State
    from model.pf_reader import Rule


class Live:
    """The machine's interfaces as the addresses of rules see them."""

    def __init__(self, kernel: State) -> None:
        """Look at this kernel; what is looked up once stays as it was."""
        self.kernel = kernel
        self._all = net.addresses(kernel)

    def addresses(self, name: str) -> list[str]:
        """Return the addresses with prefix lengths of that interface or group; ``self`` is all of them."""
        return [f"{address}/{bits}" for each, address, bits in self._all if name == "self" or self.is_named(each, name)]

    def is_named(self, interface: str, name: str) -> bool:
        """Say whether an interface is the one that a rule names, or in the group that it names."""
        return interface == name or name in net.groups(self.kernel, interface)


def loaded(kernel: State) -> bool:
    """Say whether pf is in the kernel."""
    return kernels.loaded(kernel, "pf")


def state(kernel: State) -> State:
    """Return what pf knows; the module must be loaded."""
    fresh: State = {
        "enabled": False,
        "since": time.time(),
        "rules": {},
        "tables": {},
        "states": [],
        "skip": [],
        "limits": {},
        "timeouts": {},
        "options": {},
        "count": {},
        "last": 0,
    }
    found: State = kernel.setdefault("pf", fresh)
    return found


# Rulesets -------------------------------------------------------------------------------------------------------------


def rules(pf: State, anchor: str, kind: str) -> list[Rule]:
    """Return the rules of that kind in that anchor."""
    found: list[Rule] = pf["rules"].get(anchor, {}).get(kind, [])
    return found


def called(anchor: str, name: str) -> str:
    """Return the path of the anchor that a rule of ``anchor`` calls by ``name`` (without the last ``/*``)."""
    name = name.removesuffix("/*") if name != "*" else ""
    if name.startswith("/"):
        return name[1:]
    return f"{anchor}/{name}".strip("/")


def anchors(pf: State) -> set[str]:
    """Return the paths of all anchors that there are: with something in them, called by a rule, or above such a one."""
    found = {path for path, kinds in pf["rules"].items() if any(kinds.values())}
    found |= {path for path, tables in pf["tables"].items() if tables}
    for path, kinds in pf["rules"].items():
        found |= {called(path, rule["anchor"]) for each in kinds.values() for rule in each if "anchor" in rule}
    above = {path.rsplit("/", depth)[0] for path in found for depth in range(1, path.count("/") + 1)}
    return (found | above) - {""}


def exists(pf: State, anchor: str) -> bool:
    """Say whether there is that anchor."""
    return not anchor or anchor in anchors(pf)


def children(pf: State, anchor: str) -> list[str]:
    """Return the names of the anchors right below that one, in the order in which they are evaluated."""
    prefix = f"{anchor}/" if anchor else ""
    below = [path[len(prefix) :] for path in anchors(pf) if path.startswith(prefix)]
    return sorted(name for name in below if "/" not in name)


# Loading --------------------------------------------------------------------------------------------------------------


def commit(pf: State, configs: t.Iterable[Config], kinds: t.Collection[str], *, options: bool, merge: bool) -> None:
    """Let the configurations take effect all at once."""
    for config in configs:
        _load_rules(pf, config.anchor, config.rules, kinds)
        for path, inline in config.inline.items():
            below = f"{config.anchor}/{path}".strip("/")
            _load_rules(pf, below, {"filter": inline}, kinds)
        if "tables" in kinds:
            for table in config.tables:
                define(pf, config.anchor, table)
        if options and not config.anchor:
            _load_options(pf, config, merge)
    purge(pf)


def _load_rules(pf: State, anchor: str, given: t.Mapping[str, list[Rule]], kinds: t.Collection[str]) -> None:
    there = pf["rules"].setdefault(anchor, {})
    for kind in KINDS:
        if kind in kinds:
            there[kind] = []
            known: set[str] = set()
            for rule in given.get(kind, []):
                _append(there[kind], pf_parse.expanded(rule), known)
    if anchor and not any(there.values()):
        del pf["rules"][anchor]


def _append(there: list[Rule], rule: Rule, known: set[str]) -> None:
    """Add a rule; the kernel takes no rule that it has already (``known``)."""
    plain = {name: value for name, value in rule.items() if name not in ("nr", "n")}
    text = json.dumps(plain, sort_keys=True)
    if text in known:
        return
    known.add(text)
    there.append({**plain, "nr": len(there), "n": [0] * 8})


def _load_options(pf: State, config: Config, merge: bool) -> None:
    if not merge:
        pf.update(limits={}, timeouts={}, options={}, skip=[])
    pf["limits"].update(config.limits)
    pf["timeouts"].update(config.timeouts)
    pf["options"].update(config.options)
    pf["skip"] = sorted({*pf["skip"], *config.skip})
    if "states" in config.limits and not {"adaptive.start", "adaptive.end"} & config.timeouts.keys():
        tenth = config.limits["states"] // 10
        pf["timeouts"].update({"adaptive.start": tenth * 6, "adaptive.end": tenth * 12})


def flush(pf: State, anchor: str, kinds: t.Iterable[str]) -> None:
    """Remove the rules of those kinds from an anchor."""
    there = pf["rules"].get(anchor, {})
    for kind in kinds:
        there.pop(kind, None)
    if not any(there.values()):
        pf["rules"].pop(anchor, None)
    purge(pf)


# Tables ---------------------------------------------------------------------------------------------------------------


def define(pf: State, anchor: str, table: pf_parse.Table) -> None:
    """Make or change a table as its definition in a file says."""
    tables = pf["tables"].setdefault(anchor, {})
    found = tables.setdefault(table.name, {"flags": [], "entries": {}})
    found["flags"] = list(table.flags)
    if table.given:
        now = int(time.time())
        found["entries"] = {entry: found["entries"].get(entry, now) for entry in table.entries}


def purge(pf: State) -> None:
    """Forget tables that are neither to persist nor named by a rule."""
    used: dict[str, set[str]] = {}
    for anchor, kinds in pf["rules"].items():
        names = {name for each in kinds.values() for rule in each for name in _tables_of(rule)}
        used.setdefault(anchor, set()).update(names)
        # An anchor without such a table uses that of the main ruleset.
        used.setdefault("", set()).update(names)
    for anchor in list(pf["tables"]):
        tables = pf["tables"][anchor]
        for name in list(tables):
            if "persist" not in tables[name]["flags"] and name not in used.get(anchor, set()):
                del tables[name]
        if not tables:
            del pf["tables"][anchor]


def _tables_of(rule: Rule) -> t.Iterator[str]:
    places = [rule.get("src", ""), rule.get("dst", ""), *rule.get("pool", {}).get("hosts", [])]
    for name in ("nat_to", "rdr_to"):
        places += rule.get(name, {}).get("hosts", [])
    yield from (text[1:-1] for text in places if text.startswith("<"))
    options = rule.get("state_opts", [])
    yield from (option[10:].partition(">")[0] for option in options if option.startswith("overload <"))


def table_entries(pf: State, anchor: str, name: str) -> t.Iterable[str]:
    """Return the entries of the table that a rule of that anchor means by that name."""
    for path in (anchor, ""):
        found = pf["tables"].get(path, {}).get(name)
        if found is not None:
            return t.cast("dict[str, int]", found["entries"])
    return ()


# Counters -------------------------------------------------------------------------------------------------------------


def clear_counters(pf: State, anchor: str) -> None:
    """Set the counters of an anchor's rules to zero."""
    for kind in ("scrub", "filter"):
        for rule in rules(pf, anchor, kind):
            counts(rule)[:5] = [0] * 5
