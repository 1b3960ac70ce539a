# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that every jail is as wished; nothing for jails that are not ours."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import script
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_file
from ansible_collections.jailisp.vps.plugins.module_utils._jails.render import (
    HEADER,
    argument,
    kernel_parameters,
    render,
)
from ansible_collections.jailisp.vps.plugins.module_utils._plan import (
    Change,
    InvalidDesired,
    Plan,
    Remove,
    Run,
    Step,
    Write,
)
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import Vnet
from ansible_collections.jailisp.vps.plugins.module_utils._vnet.script import (
    SCRIPT,
    TEXT,
    give,
    given,
    links,
    made,
    make,
    remove,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.model import Jail, Wish
    from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import Parameters


@dataclass(frozen=True)
class Actual:
    """What is: parameters of the running jails, jail.conf.d files, and what the kernel knows around them.

    ``fresh`` are the jails whose roots are not handed to their customers yet, ``empty_rulesets`` the numbers of devfs
    rulesets that hide nothing, ``script`` the text of the script that makes links. ``between`` are the jails whose
    upgrade was cut off.
    """

    running: dict[str, Parameters]
    files: dict[str, str]
    allow: list[str]
    interfaces: dict[str, set[str]]
    mounts: list[tuple[str, str]]
    fresh: frozenset[str] = frozenset()
    empty_rulesets: frozenset[int] = frozenset()
    script: str | None = None
    between: frozenset[str] = frozenset()

    def ours(self, name: str) -> bool:
        """Whether the jail's file is one that we wrote."""
        return self.files.get(name, "").startswith(HEADER)


@dataclass(frozen=True)
class Decision:
    """What is to become of one jail.

    ``live`` are the kernel's parameters to change, ``restart`` names those that only a restart changes.
    """

    jail: Jail
    text: str
    live: dict[str, t.Any]
    restart: tuple[str, ...]
    stop: bool
    start: bool

    @property
    def pending(self) -> bool:
        """Whether it waits for a restart that the record does not allow."""
        return bool(self.restart) and not self.stop


def plan(wish: Wish, actual: Actual, attempt: int) -> Plan:
    """Return the steps: stop, live changes, files, start. Later attempts stop by force.

    A jail's old file stays until its live changes are done: it tells which addresses are still to be given up.
    """
    refused = (*_foreign(wish, actual), *_unfit(wish, actual), *_upgraded(wish, actual))
    refused_names = {name for name, reason in refused}
    decisions = [_decide(wish, actual, jail) for name, jail in wish.jails.items() if name not in refused_names]
    _few_removals(wish, actual, decisions)
    steps: list[Step] = [
        *_script(wish, actual),
        *(_stop(wish, actual, decisions) if attempt == 1 else _stop_by_force(wish, actual, decisions)),
        *[Run(remove(_link(name))) for name in _stale_links(wish, actual)],
        *[step for decision in decisions if _is_left_mounted(actual, decision) for step in _unmount(actual, decision)],
        *[step for decision in decisions for step in _left_aliases(wish, actual, decision)],
        *[step for decision in decisions for step in _live(wish, actual, decision)],
        *[step for decision in decisions for step in _files(wish, actual, decision)],
        *[step for decision in decisions if decision.start for step in _in_the_way(actual, decision, attempt)],
        *_start(wish, decisions),
    ]
    return Plan(
        steps=tuple(steps),
        changes=(
            *([Change(SCRIPT, actual.script, TEXT)] if _script(wish, actual) else []),
            *[Change(f"interface {name}a", "there\n", None) for name in _stale_links(wish, actual)],
            *[change for decision in decisions for change in _changes(wish, actual, decision)],
        ),
        refused=refused,
        notes={
            "starting": [one.jail.name for one in decisions if one.start],
            "pending_restart": {one.jail.name: list(one.restart) for one in decisions if one.pending},
            "unlisted": sorted(name for name in actual.files if actual.ours(name) and name not in wish.jails),
        },
    )


def _foreign(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    for name, jail in wish.jails.items():
        if name in actual.files and not actual.ours(name):
            yield (
                name,
                (
                    f"{wish.file(name)} is somebody else's (it does not begin with our first line); "
                    "rename the jail, or move that file away"
                ),
            )
        elif name in actual.running and not actual.ours(name) and actual.running[name]["path"] != jail.path:
            yield (
                name,
                (
                    f"a jail of this name runs at {actual.running[name]['path']} and is somebody else's; "
                    "rename the jail, or remove that one"
                ),
            )


def takes_ruleset(jail: Jail, running: Parameters | None) -> bool:
    """Whether a jail's devfs ruleset would be taken anew: it has to start, or runs with another."""
    if not jail.runs or running is None:
        return jail.runs
    return running["path"] != jail.path or running.get("devfs_ruleset") != str(jail.devfs_ruleset)


def _unfit(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    """Refuse what this host's kernel cannot give a jail, or would give it in a form that lays the host open."""
    for name, jail in wish.jails.items():
        unknown = sorted(jail.allow - set(actual.allow)) if jail.runs else []
        if unknown:
            text = f"allow: this host's kernel has no {', '.join(f'allow.{word}' for word in unknown)}; "
            yield name, text + "remove it from the jail's plan, or load the kernel module that brings it"
        elif jail.devfs_ruleset in actual.empty_rulesets and takes_ruleset(jail, actual.running.get(name)):
            text = f"devfs_ruleset: {jail.devfs_ruleset} holds no rules, the jail would see every device of the host; "
            yield name, text + "write it in /etc/devfs.rules and `service devfs restart`, or name another in its plan"


def _upgraded(wish: Wish, actual: Actual) -> t.Iterator[tuple[str, str]]:
    """Leave alone what an upgrade left between two releases: its file is held back so that nobody starts it."""
    for name in wish.jails:
        if name in actual.between:
            yield name, "the upgrade or rollback of its world was cut off; run upgrade.yml or rollback.yml again"


def _decide(wish: Wish, actual: Actual, jail: Jail) -> Decision:
    running = actual.running.get(jail.name)
    restart = tuple(_only_at_start(jail, running)) if running and jail.runs else ()
    # jail(8) has each jail persist until its start is done. One whose start was cut off before anything ran in it is
    # gone by this, and is started by the next attempt.
    wanted = kernel_parameters(jail, actual.allow) | {"persist": False}
    differs = {name: value for name, value in wanted.items() if running and running.get(name) != value}
    stop = bool(running) and (not jail.runs or (bool(restart) and jail.restart))
    return Decision(
        jail=jail,
        text=render(jail, actual.allow, wish),
        live=differs if jail.runs and not restart else {},
        restart=restart,
        stop=stop,
        start=jail.runs and (stop or not running),
    )


def _only_at_start(jail: Jail, running: Parameters) -> t.Iterator[str]:
    """Yield the parameters that differ and that the kernel does not change in a running jail."""
    if running["path"] != jail.path:
        yield "path"
    if (running.get("vnet") == "new") != bool(jail.vnet):
        yield "vnet"


def _few_removals(wish: Wish, actual: Actual, decisions: list[Decision]) -> None:
    """An accident in the inventory must not take all customers down."""
    absent = [one for one in decisions if one.jail.state == "absent"]
    leaving = [one.jail.name for one in absent if one.stop or actual.ours(one.jail.name)]
    if len(leaving) > wish.most_removals:
        raise InvalidDesired(
            f"jails: {len(leaving)} of them would become absent at once ({', '.join(leaving)}), more than "
            f"{wish.most_removals}; if that is meant, set most_removals to {len(leaving)}"
        )


def _stop(wish: Wish, actual: Actual, decisions: list[Decision]) -> list[Run]:
    """Stop all at once by the configuration that each was started with."""
    stopping = [one for one in decisions if one.stop]
    if not stopping:
        return []
    names = tuple(one.jail.name for one in stopping)
    stdin = "".join(actual.files.get(one.jail.name, one.text) for one in stopping)
    return [Run(Command(("jail", "-p", str(wish.at_once), "-f", "-", "-r", *names), stdin), judged=False, serves=names)]


def _stop_by_force(wish: Wish, actual: Actual, decisions: list[Decision]) -> list[Run]:
    """Remove what would not stop: a customer's broken rc.shutdown is no veto. -R undoes neither mounts nor aliases."""
    steps = []
    for jail in (one.jail for one in decisions if one.stop):
        name, running = jail.name, actual.running[jail.name]
        steps += [
            Run(Command(("jail", "-R", name)), name, judged=False),
            *_stale_mounts(actual, running["path"], name),
            *[Run(remove(_link(link)), name) for link in [made(actual.files.get(name, ""))] if link],
            *([Run(script("unmount", jail.image, running["path"]), name)] if jail.image else []),
            *_unused_aliases(wish, actual, jail),
        ]
    return steps


def _is_left_mounted(actual: Actual, one: Decision) -> bool:
    """Whether a jail is stopped whose image is mounted, though it is not to be filled either, or whose devices are."""
    stopped = one.jail.name not in actual.running and not one.start
    in_place = one.jail.image is not None and ("ufs", one.jail.path) in actual.mounts
    stale = _stale_mounts(actual, one.jail.path, one.jail.name)
    return stopped and ((in_place and one.jail.name not in actual.fresh) or bool(stale))


def _unmount(actual: Actual, one: Decision) -> list[Run]:
    """Unmount the image and the devices of a stopped jail, as its stop would have."""
    jail = one.jail
    unmount = [Run(script("unmount", jail.image, jail.path), jail.name)] if jail.image else []
    return [*_stale_mounts(actual, jail.path, jail.name), *unmount]


def _in_the_way(actual: Actual, one: Decision, attempt: int) -> list[Run]:
    """Unmount what is left over at the jail's /dev before it starts; a stop in this run has unmounted its own."""
    stale = _stale_mounts(actual, one.jail.path, one.jail.name)
    if one.stop and actual.running[one.jail.name]["path"] == one.jail.path:
        return stale[1:] if attempt == 1 else []
    return stale


def _stale_mounts(actual: Actual, path: str, name: str) -> list[Run]:
    """Unmount what is mounted at the jail's /dev, as often as it is: each start would mount one more over it."""
    devices = f"{path}/dev"
    mounted = [point for kind, point in actual.mounts if kind == "devfs" and point == devices]
    return [Run(Command(("umount", devices)), name) for _each in mounted]


def _files(wish: Wish, actual: Actual, one: Decision) -> list[Step]:
    """Keep a file for each jail that shall run and for no other: rc.d/jail starts at boot what has one."""
    name = one.jail.name
    if one.jail.runs:
        differs = actual.files.get(name) != one.text and not one.pending
        return [Write(wish.file(name), one.text, 0o600, name)] if differs else []
    return [Remove(wish.file(name), name)] if actual.ours(name) else []


def _live(wish: Wish, actual: Actual, one: Decision) -> list[Step]:
    """Change a running jail: an address stands on the interface before the jail gets it, and goes after it."""
    jail, name = one.jail, one.jail.name
    running = actual.running.get(name)
    if not running or not jail.runs or one.restart:
        return []
    there = actual.interfaces.get(jail.interface, set())
    modify = [argument(parameter, value) for parameter, value in sorted(one.live.items())]
    return [
        *[_alias(jail.interface, address, name) for address in jail.aliases if address not in there],
        *([Run(Command(("jail", "-m", f"name={name}", *modify)), name)] if modify else []),
        *_relink(actual, jail),
        *_unused_aliases(wish, actual, jail),
    ]


def _relink(actual: Actual, jail: Jail) -> list[Run]:
    """Address a running jail's own stack anew if it was given other addresses; its link is made if there is none."""
    if jail.vnet is None:
        return []
    give_it = give(jail.vnet, jail.name)
    if jail.vnet.name not in links(actual.interfaces):
        return [Run(make(jail.vnet), jail.name), Run(give_it, jail.name)]
    return [Run(give_it, jail.name)] if given(actual.files.get(jail.name, "")) != str(give_it) else []


def _script(wish: Wish, actual: Actual) -> list[Write]:
    """Have the script in place before a jail's file calls it, or what it made is removed."""
    needed = any(jail.runs and jail.vnet for jail in wish.jails.values()) or _stale_links(wish, actual)
    return [Write(SCRIPT, TEXT, 0o755)] if needed and actual.script != TEXT else []


def _stale_links(wish: Wish, actual: Actual) -> list[str]:
    """Return the links that no jail has: neither one that runs or may start at boot, nor one that shall."""
    wished = {jail.vnet.name for jail in wish.jails.values() if jail.runs and jail.vnet}
    return sorted(links(actual.interfaces) - wished - {made(text) for text in actual.files.values()})


def _link(name: str) -> Vnet:
    """Return a link by its name, as far as its removal goes."""
    return Vnet(int(name.removeprefix("vps")), "", ())


def _left_aliases(wish: Wish, actual: Actual, one: Decision) -> list[Run]:
    """Give up what a stop that was cut off left of a jail's addresses."""
    stopped = one.jail.name not in actual.running and not one.start
    return _unused_aliases(wish, actual, one.jail) if stopped else []


def _unused_aliases(wish: Wish, actual: Actual, jail: Jail) -> list[Run]:
    """Give up the addresses that the jail has, or had when its file was written, and that nobody shall have."""
    there = actual.interfaces.get(jail.interface, set())
    written = parse_file(actual.files.get(jail.name, "")) if actual.ours(jail.name) else []
    had = dict.fromkeys([*_addresses(actual.running.get(jail.name, {})), *written, *jail.aliases])
    wanted = jail.aliases if jail.runs else ()
    given_up = [old for old in had if old in there and old not in wanted]
    # To look at all others for each jail would take the square of their number.
    used = _used(wish, actual) if given_up else frozenset()
    return [_alias(jail.interface, old, jail.name, "-alias") for old in given_up if old not in used]


def _used(wish: Wish, actual: Actual) -> frozenset[str]:
    """Return the addresses that a jail shall have, or has that is none of these."""
    wished = {address for jail in wish.jails.values() if jail.runs for address in jail.aliases}
    others = [_addresses(parameters) for name, parameters in actual.running.items() if name not in wish.jails]
    return frozenset(wished.union(*others))


def _addresses(parameters: Parameters) -> list[str]:
    return [*parameters.get("ip4.addr", []), *parameters.get("ip6.addr", [])]


def _alias(interface: str, address: str, name: str, verb: str = "alias") -> Run:
    family, length = ("inet6", 128) if ":" in address else ("inet", 32)
    with_length = f"{address}/{length}" if verb == "alias" else address
    return Run(Command(("ifconfig", interface, family, with_length, verb)), name)


def _start(wish: Wish, decisions: list[Decision]) -> list[Run]:
    """Start all at once; jail -c without a name starts what the configuration holds and leaves what runs alone."""
    starting = [one for one in decisions if one.start]
    if not starting:
        return []
    stdin = "".join(one.text for one in starting)
    names = tuple(one.jail.name for one in starting)
    return [Run(Command(("jail", "-p", str(wish.at_once), "-f", "-", "-c"), stdin), judged=False, serves=names)]


def _changes(wish: Wish, actual: Actual, one: Decision) -> t.Iterator[Change]:
    name = one.jail.name
    running = actual.running.get(name)
    before: dict[str, t.Any] = {parameter: (running or {}).get(parameter) for parameter in one.live}
    after = dict(one.live)
    if running and one.jail.runs and not one.restart and (steps := _relink(actual, one.jail)):
        before["link"], after["link"] = "there" if len(steps) == 1 else "missing", f"{steps[-1].command}"
    if one.stop or one.start:
        before["state"] = "running" if running else "not running"
        after["state"] = "restarted" if one.stop and one.start else "running" if one.start else one.jail.state
    if _is_left_mounted(actual, one):
        what = "image" if one.jail.image else "devices"
        before[what], after[what] = "mounted", "not mounted"
    if aliases := _left_aliases(wish, actual, one):
        before["addresses"], after["addresses"] = [str(step.command.argv[3]) for step in aliases], []
    if after:
        yield Change(f"jail {name}", before, after)
    for step in _files(wish, actual, one):
        yield Change(wish.file(name), actual.files.get(name), step.content if isinstance(step, Write) else None)
