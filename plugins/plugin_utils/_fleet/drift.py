# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What differs between the hosts and the records, from what the roles foretell in check mode and what is there."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import printable
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SUFFIX

from .moves import root_name
from .rules import TABLES
from .shaping import pipes

Values = t.Mapping[str, t.Any]

HOST_ONLY, GIT_ONLY, DIFFERS = "host only", "git only", "differs"

# The variable in which each role leaves what its module returned, and the kind of thing that an error of it is about.
RESULTS = {
    "__host_settings": "setting",
    "__host_daemons": "daemon",
    "__storage_result": "dataset",
    "__storage_folder": "folder",
    "__storage_images": "image",
    "__world_result": "world",
    "__world_accounts": "account",
    "__shaping_result": "pipe",
    "__network_result": "pf",
    "__limits_result": "rctl",
    "__jails_result": "jail",
    "__jails_accounts": "account",
}
FOUND = "__drift_found"
# How rctl_rules names what a jail has and lacks.
LIMITS = "limits "

# How modules name what they change: a kind and a name, or a path. Everything else is pf's.
CHANGE = re.compile(
    r"(?P<kind>kernel module|sysctl|interface|devfs ruleset|daemon|folder|dataset|image|world|account|pipe|queue|jail) "
    r"(?P<name>.*)",
    re.DOTALL,
)
RULES_IN_FORCE = "rules in force in anchor "
# Steps that modules do not name among what they change.
FILE_STEP = re.compile(r"(?:write|remove) (?P<path>/.*)", re.DOTALL)
MOUNT_STEP = re.compile(r"zfs mount (?P<dataset>\S+)")


@dataclass(frozen=True, order=True)
class Difference:
    """One difference. ``where``: host only, git only, or differs. All texts can be printed as they are."""

    host: str
    kind: str
    name: str
    where: str
    detail: str


def drift(hosts: t.Iterable[str], variables: t.Mapping[str, Values]) -> dict[str, list[dict[str, str]]]:
    """Return `differences` (sorted), `foreign` jails (no drift), and the hosts that could not be asked (`unasked`).

    `variables` are those of each host, with the results of the roles (RESULTS) and of jail_host_info (FOUND).
    """
    names = sorted(hosts)
    home = {jail["name"]: host for host in names for jail in variables[host]["jails"]}
    unasked = [{"host": host, "detail": detail} for host in names for detail in sorted(set(_silence(variables[host])))]
    asked = [_Host(host, variables[host], home) for host in names if "roots" in variables[host].get(FOUND, {})]
    return {
        "differences": [asdict(each) for each in sorted({each for host in asked for each in host.differences()})],
        "foreign": [each for host in asked for each in host.foreign()],
        "unasked": unasked,
    }


def _silence(variables: Values) -> t.Iterator[str]:
    """Yield what a host did not answer, with the reason."""
    found = variables.get(FOUND, {})
    if "roots" not in found:
        yield printable(_message(found))
        return
    for key, kind in RESULTS.items():
        result = variables.get(key)
        if result is None:
            yield "it stopped answering"
        elif result.get("failed") or result.get("unreachable"):
            errors = result.get("errors", [])
            if not errors or any(not error["name"] for error in errors):
                yield printable(f"{kind}: {_message(result)}")


def _message(result: Values) -> str:
    return str(result.get("msg") or "it did not answer").strip()


class _Host:
    """One host that answered: its results, and the host that each jail's record names (`home`)."""

    def __init__(self, name: str, variables: Values, home: t.Mapping[str, str]) -> None:
        self.name = name
        self.variables = variables
        self.home = home
        self.found: Values = variables[FOUND]
        self.jails = {jail["name"]: jail for jail in variables["jails"]}

    def differences(self) -> t.Iterator[Difference]:
        """Yield all differences, first what git says and the host must become, then what only the host has."""
        for key, kind in RESULTS.items():
            yield from self._foretold(kind, self.variables.get(key) or {})
        yield from self._roots()
        yield from self._running()
        yield from self._in_kernel()

    def foreign(self) -> list[dict[str, str]]:
        """Return the running jails of others."""
        return [
            {"host": self.name, "name": name, "detail": f"runs at {jail['path']}"}
            for name, jail in sorted(self.found["jails"].items())
            if name not in self.jails and not self._is_ours(jail)
        ]

    def _row(self, kind: str, name: str, where: str, detail: str = "") -> Difference:
        return Difference(self.name, kind, name, where, detail)

    # What check mode foretells ---------------------------------------------------------------------------------------

    def _foretold(self, kind: str, result: Values) -> t.Iterator[Difference]:
        rows = [
            *self._changes(result),
            *[row for command in result.get("commands", []) for row in self._unnamed(command, result)],
            *self._notes(result),
            *[
                self._row(kind, printable(error["name"]), DIFFERS, _line(error["error"]))
                for error in result.get("errors", [])
                if error["name"]
            ],
        ]
        if not rows and result.get("changed"):
            # A change that the module cannot name as before and after, such as a load that repeats one cut off.
            steps = "; ".join(map(_line, result.get("commands", [])))
            rows = [self._row(kind, "", DIFFERS, steps)]
        yield from rows

    def _changes(self, result: Values) -> t.Iterator[Difference]:
        after = result.get("after", {})
        for name, before in result.get("before", {}).items():
            yield from self._change(name, before, after.get(name))

    def _change(self, name: str, before: t.Any, after: t.Any) -> t.Iterator[Difference]:
        match = CHANGE.fullmatch(name)
        if name.startswith(RULES_IN_FORCE):
            yield from self._rules(name.removeprefix(RULES_IN_FORCE), before, after)
        elif name.startswith(LIMITS):
            where = DIFFERS if before and after else HOST_ONLY if before else GIT_ONLY
            yield self._row("rctl", printable(name.removeprefix(LIMITS)), where, _limits(before or "", after or ""))
        elif match and match["kind"] == "jail":
            yield self._jail(match["name"], before, after)
        else:
            kind, thing = (match["kind"], match["name"]) if match else ("file" if name.startswith("/") else "pf", name)
            thing = thing.rpartition("/")[2].removesuffix(SUFFIX) if kind in ("world", "image") else thing
            where = GIT_ONLY if not before else HOST_ONLY if after is None else DIFFERS
            yield self._row(kind, printable(thing), where, _difference(before, after))

    def _jail(self, name: str, before: Values, after: Values) -> Difference:
        if before.get("state") == "not running":
            return self._row("jail", name, GIT_ONLY, "does not run")
        if after.get("state") == "absent":
            return self._row("jail", name, HOST_ONLY, "runs, its record says absent")
        return self._row("jail", name, DIFFERS, _difference(before, after))

    def _rules(self, anchor: str, before: str, after: str) -> t.Iterator[Difference]:
        """Yield a row for each rule or address in a table that was added or is missing in the running anchor."""
        there, wanted = _rule_lines(before), _rule_lines(after)
        for where, lines, others in ((HOST_ONLY, there, wanted), (GIT_ONLY, wanted, there)):
            for line in lines:
                if line not in others:
                    yield self._row("pf", anchor, where, printable(line))
        if sorted(there) == sorted(wanted) or set(there) == set(wanted):
            yield self._row("pf", anchor, DIFFERS, "the same rules in another order or number")

    def _unnamed(self, command: str, result: Values) -> t.Iterator[Difference]:
        if (match := FILE_STEP.fullmatch(command)) and match["path"] not in result["before"]:
            yield self._row("file", printable(match["path"]), DIFFERS, "not as site.yml writes it")
        elif match := MOUNT_STEP.fullmatch(command):
            yield self._row("dataset", printable(match["dataset"]), DIFFERS, "not mounted")

    def _notes(self, result: Values) -> t.Iterator[Difference]:
        for name in result.get("reboot_needed", []):
            yield self._row("loader", name, DIFFERS, "a reboot brings it into force")
        for name, release in result.get("differs", {}).items():
            yield self._row(
                "world", name, DIFFERS, printable(f"says it holds {release['is']}, its record says {release['wanted']}")
            )
        for name in result.get("unmade", []):
            yield self._row("world", name, GIT_ONLY, "no root, and none can be made")
        for name in result.get("stale", []):
            kind, number = name.split(" ")
            yield self._row(kind, number, HOST_ONLY, "left of an earlier record")
        for name, parameters in result.get("pending_restart", {}).items():
            yield self._row("jail", name, DIFFERS, f"{', '.join(parameters)}: waits for a restart")
        for name in result.get("unlisted", []):
            if name not in self.found["jails"]:
                yield self._row("jail", printable(name), HOST_ONLY, f"configured, {self._record(name)}")

    # What only the host has ------------------------------------------------------------------------------------------

    def _record(self, name: str) -> str:
        home = self.jails[name]["path"] if name in self.jails else self.home.get(name)
        return f"its record says {home}" if home else "no record"

    def _is_ours(self, jail: Values) -> bool:
        return bool(jail["ours"]) or jail["path"].startswith(tuple(f"{folder}/" for folder in self.found["folders"]))

    def _roots(self) -> t.Iterator[Difference]:
        roots, datasets = self.found["roots"], self.found["datasets"]
        mounted = {f"{self.found['folders'][0]}/{name}" for name in (*datasets, *self.found["images"])}
        known = mounted | {jail["path"] for jail in self.jails.values()}
        for path, kind in roots.items():
            if path not in known:
                what = {"folder": "is there", "empty": "is empty"}.get(kind, "is no folder")
                name = root_name(path)
                yield self._row("world", name, HOST_ONLY, f"{path} {what}, {self._record(name)}")
        for name in self.found["images"]:
            if name not in self.jails:
                yield self._row("image", name, HOST_ONLY, self._record(name))
        if self.variables["vps_storage"] != "dataset":
            return
        parent = f"{self.variables['vps_pool']}/jails"
        for name in datasets:
            if name not in self.jails:
                yield self._row("dataset", f"{parent}/{name}", HOST_ONLY, self._record(name))
        for name, jail in self.jails.items():
            if jail["state"] != "absent" and roots.get(jail["path"]) == "folder" and name not in datasets:
                yield self._row("dataset", f"{parent}/{name}", GIT_ONLY, f"{jail['path']} is no dataset")

    def _running(self) -> t.Iterator[Difference]:
        for name, jail in self.found["jails"].items():
            if name not in self.jails and self._is_ours(jail):
                yield self._row("jail", name, HOST_ONLY, f"runs at {jail['path']}, {self._record(name)}")

    def _in_kernel(self) -> t.Iterator[Difference]:
        found, jails = self.found, list(self.jails.values())
        for table in found["tables"]:
            if table not in TABLES:
                yield self._row("pf", f"<{table}>", HOST_ONLY, "a table that no record needs")
        for anchor in found["anchors"]:
            yield self._row("pf", anchor, HOST_ONLY, "an anchor below ours")
        stale = (self.variables.get("__shaping_result") or {}).get("stale", [])
        for kind, wanted in pipes(jails, self.variables["vps_host"]["link"]).items():
            numbers = {flow["number"] for flow in wanted}
            for number in found[kind]:
                name = kind.removesuffix("s")
                if number not in numbers and f"{name} {number}" not in stale:
                    yield self._row(name, str(number), HOST_ONLY, "in our range, of no record")
        ours = {*self.home, *map(root_name, found["roots"]), *found["datasets"]}
        ours |= {name for name, jail in found["jails"].items() if self._is_ours(jail)}
        # Of the host's own jails the module tells.
        ours -= self.jails.keys()
        for name, rules in found["rules"].items():
            if name in ours:
                yield self._row("rctl", name, HOST_ONLY, ", ".join(rules))


def _rule_lines(shown: str) -> list[str]:
    """Return the rules, and the addresses with the table that they stand in, as pf showed them."""
    lines, table = [], ""
    for line in shown.splitlines():
        if line.startswith("<"):
            table = f"{line} "
        lines.append(line if line.startswith("<") else f"{table}{line.strip()}")
    return lines


def _limits(before: str, after: str) -> str:
    """Return the limits, one on a line each, that only the host has, and those that only git has."""
    sides = (("host", before), ("git", after))
    return printable("; ".join(f"{side}: {', '.join(lines.splitlines())}" for side, lines in sides if lines))


def _difference(before: t.Any, after: t.Any) -> str:
    """Return in one line what differs: of mappings the values, of texts the lines that only one of the two has."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [f"{key} is {_value(before.get(key))}, not {_value(value)}" for key, value in sorted(after.items())]
        return printable("; ".join(pairs))
    if before is None or after is None or isinstance(after, dict):
        return ""
    there, wanted = (str(value).splitlines() for value in (before, after))
    only = [
        *[f"host: {line.strip()}" for line in there if line not in wanted],
        *[f"git: {line.strip()}" for line in wanted if line not in there],
    ]
    return printable("; ".join(only) or "the same lines in another order")


def _value(value: t.Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _line(text: str) -> str:
    return printable(" ".join(text.split()))
