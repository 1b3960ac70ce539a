# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""What has to be done so that the host's settings are as wished, now and at the next boot."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils import _block as block
from ansible_collections.jailisp.vps.plugins.module_utils._command import Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import Change, InvalidDesired, Plan, Run, Step, Write

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._settings.model import Wish


@dataclass(frozen=True)
class Actual:
    """What is: the files' texts, loaded modules, values, addresses by interface, and the rulesets that hold rules.

    ``rc_conf`` is what the administrator's own rc.conf says.
    """

    files: dict[str, str]
    modules: frozenset[str]
    values: dict[str, str]
    interfaces: dict[str, set[str]]
    rulesets: frozenset[int]
    rc_conf: str = ""


def plan(wish: Wish, actual: Actual) -> Plan:
    """Return the steps: files, modules (which bring sysctl values with them), interfaces, values, rulesets.

    An interface that is made may bring values too, as a bridge does. Raises :class:`InvalidDesired` where an interface
    would lose addresses that are not ours to take.
    """
    for name in wish.addresses:
        _refuse_foreign(wish, actual, name)
    texts = {part.path: _text(actual.files[part.path], part.lines) for part in wish.parts}
    modules = [name for name in wish.modules if name not in actual.modules]
    values = {name: value for name, value in wish.sysctl.items() if actual.values.get(name) != value}
    interfaces = [name for name in wish.interfaces if name not in actual.interfaces]
    rulesets = [number for number in wish.rulesets if number not in actual.rulesets]
    steps: list[Step] = [
        *[Write(part.path, texts[part.path], part.mode) for part in wish.parts if _differs(actual, texts, part.path)],
        *[_run("kldload", "-n", name, hint="is this kernel's module installed in /boot/kernel?") for name in modules],
        *[_run("ifconfig", name, "create") for name in interfaces],
        *[step for name in wish.addresses for step in _address(wish, actual, name)],
        *[_run("sysctl", f"{name}={value}") for name, value in values.items()],
        *([_load_rulesets(rulesets)] if rulesets else []),
    ]
    changes = [
        *[
            Change(path, actual.files[path] or None, text)
            for path, text in texts.items()
            if _differs(actual, texts, path)
        ],
        *[Change(f"kernel module {name}", "not loaded\n", "loaded\n") for name in modules],
        *[Change(f"sysctl {name}", actual.values.get(name), value) for name, value in values.items()],
        *[Change(f"interface {name}", None, "there\n") for name in interfaces],
        *[
            Change(f"interface {name} addresses", sorted(_present(actual, name)), sorted(_plain(texts)))
            for name, texts in wish.addresses.items()
            if _address(wish, actual, name)
        ],
        *[Change(f"devfs ruleset {number}", "empty\n", "loaded\n") for number in rulesets],
    ]
    return Plan(tuple(steps), tuple(changes), notes={"reboot_needed": _reboot(wish, actual)})


def _plain(texts: t.Iterable[str]) -> set[str]:
    return {text.partition("/")[0] for text in texts}


def _present(actual: Actual, name: str) -> set[str]:
    """Return an interface's addresses, without those that the kernel gives to each by itself."""
    return {address for address in actual.interfaces.get(name, set()) if not address.startswith("fe80:")}


def _refuse_foreign(wish: Wish, actual: Actual, name: str) -> None:
    """Refuse an interface that is somebody else's, and to take the address at which this login came in.

    Ours is one that our lines name already, or that nobody gave other addresses than those wished.
    """
    word = re.compile(rf"\b{re.escape(name)}\b")
    others = sorted(_present(actual, name) - _plain(wish.addresses[name]))
    ours = any(word.search(line) for text in actual.files.values() for line in block.split(text)[0])
    theirs = word.search("\n".join(line.partition("#")[0] for line in actual.rc_conf.splitlines()))
    if theirs or (others and not ours):
        why = f"it has {', '.join(others)}" if others and not ours else "it is in rc.conf"
        raise InvalidDesired(
            f"interface_addresses: {name} is not ours, {why}; name another in vps_bridge, or remove what it is there"
        )
    if wish.login in others:
        raise InvalidDesired(
            f"interface_addresses: you reached this host at {wish.login}, which {name} would lose; come in another way"
        )


def _address(wish: Wish, actual: Actual, name: str) -> list[Run]:
    """Give an interface its addresses, and take others away; IPv6 is off on a bridge before it is asked for."""
    there, wanted = _present(actual, name), wish.addresses[name]
    return [
        *[
            _run("ifconfig", name, "inet6", text, "-ifdisabled", "alias", "up")
            if ":" in text
            else _run("ifconfig", name, "inet", text, "alias", "up")
            for text in wanted
            if text.partition("/")[0] not in there
        ],
        *[
            _run("ifconfig", name, "inet6" if ":" in old else "inet", old, "-alias")
            for old in sorted(there - _plain(wanted))
        ],
    ]


def _text(text: str, lines: t.Sequence[str]) -> str:
    """Put our lines last: in an rc.conf.d file the later assignment counts, and may build on the earlier."""
    return block.join(lines, block.split(text)[1], first=False)


def _differs(actual: Actual, texts: dict[str, str], path: str) -> bool:
    return actual.files[path] != texts[path]


def _load_rulesets(numbers: t.Sequence[int]) -> Run:
    """Load all rulesets that the files of devfs.rules(5) hold; one that they do not hold is that one's own trouble."""
    serves = tuple(f"devfs ruleset {number}" for number in numbers)
    return Run(Command(("service", "devfs", "restart")), serves=serves)


def _run(*argv: str, hint: str = "") -> Run:
    return Run(Command(argv), explain=lambda said: f"{said.strip()}; {hint}" if hint else said)


def _reboot(wish: Wish, actual: Actual) -> list[str]:
    """Return the tunables that are not in force yet."""
    return [name for name, value in wish.tunables.items() if actual.values.get(name) != value]
