# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rctl(8) and the kernel's resource limits.

State: ``kernel["rctl"]`` with ``rules`` (newest first; each a dictionary with ``subject``, ``id``, ``resource``,
``action``, ``amount`` and ``per``) and ``subjects`` (those that the kernel keeps accounts of, newest first,
as ``jail:NAME``).
"""

from __future__ import annotations

import re
import time
import typing as t

from model import kernel as kernels
from model import prison, task
from model.command import Exit, options

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host, State

USAGE = "usage: rctl [ -h ] [-a rule | -l filter | -r filter | -u filter | filter]\n"
DISABLED = "RACCT/RCTL present, but disabled; enable using kern.racct.enable=1 tunable"
SUBJECTS = ("process", "user", "loginclass", "jail")
# The order in which the kernel goes through its accounts.
LISTED = ("process", "loginclass", "user", "jail")
SHORT = {
    "u": "user", "g": "group", "p": "process", "l": "loginclass", "c": "loginclass", "class": "loginclass", "j": "jail",
}  # fmt: skip
RESOURCES = (
    "cputime", "datasize", "stacksize", "coredumpsize", "memoryuse", "memorylocked", "maxproc", "openfiles",
    "vmemoryuse", "pseudoterminals", "swapuse", "nthr", "msgqqueued", "msgqsize", "nmsgq", "nsem", "nsemop", "nshm",
    "shmsize", "wallclock", "pcpu", "readbps", "writebps", "readiops", "writeiops",
)  # fmt: skip
SIGNALS = (
    "hup", "int", "quit", "ill", "trap", "abrt", "emt", "fpe", "kill", "bus", "segv", "sys", "pipe", "alrm", "term",
    "urg", "stop", "tstp", "chld", "ttin", "ttou", "io", "xcpu", "xfsz", "vtalrm", "prof", "winch", "info", "usr1",
    "usr2", "thr",
)  # fmt: skip
ACTIONS = frozenset({"deny", "log", "devctl", "throttle", *(f"sig{name}" for name in SIGNALS)})
RATES = frozenset({"readbps", "writebps", "readiops", "writeiops"})
NOT_DENIABLE = RATES | {"cputime", "wallclock"}
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
PARTS = ("subject", "id", "resource", "action", "amount", "per")
CONFIGURATION = "/etc/rctl.conf"
INVALID, UNSUPPORTED, ABSENT = "Invalid argument", "Operation not supported", "No such process"
TOO_LARGE = "Result too large"
# What the kernel keeps in millionths.
MILLIONTHS = frozenset({"cputime", "wallclock", "pcpu"})


class Refused(Exception):
    """The kernel refuses; the text is strerror(3)'s."""


Rule = dict[str, t.Any]


def rctl(ctx: Context) -> int:
    """rctl(8)."""
    flags, operands = options(ctx, "ahlnru", USAGE)
    chosen = [letter for letter in "alru" if letter in flags]
    if len(chosen) > 1:
        raise Exit(1, "at most one of -a, -l, -r, or -u may be specified")
    if not operands and chosen:
        ctx.err.write(USAGE)
        return 1
    _check_enabled(ctx)
    failures = 0
    for text in operands or ["::"]:
        failures += not _one(ctx, chosen[0] if chosen else "", text, human="h" in flags)
    return failures


def _check_enabled(ctx: Context) -> None:
    with ctx.host.kernel() as kernel:
        if kernels.value(kernel, "kern.racct.enable") != "1":
            raise Exit(1, DISABLED)


def _one(ctx: Context, letter: str, text: str, *, human: bool) -> bool:
    """Do what is asked with one rule or filter; say whether it could be done."""
    what = {"a": "add rule", "l": "get limits for", "r": "remove rule", "u": "show resource consumption for"}
    try:
        wanted = _expand(ctx, text)
    except ValueError as error:
        ctx.warn(f"malformed rule '{text}': {error}")
        return False
    try:
        if ctx.jail is not None:
            raise Refused("Operation not permitted")
        with ctx.host.kernel() as kernel:
            lines = _ASK[letter](ctx, kernel, wanted, human)
    except Refused as error:
        ctx.warn(f"failed to {what.get(letter, 'show rules for')} '{text}': {error}")
        return False
    for line in lines:
        ctx.print(line)
    return True


# Reading --------------------------------------------------------------------------------------------------------------


def _expand(ctx: Context, text: str) -> Rule:
    """Take a rule or filter apart; parts that are not given are ''. Raises ValueError with rctl's words."""
    subject, colon, rest = text.partition(":")
    if not colon:
        raise ValueError("missing subject")
    identity, _unused, rest = rest.partition(":")
    resource, _unused, rest = rest.partition(":")
    match = re.fullmatch(r"([^=/]*)(?:=([^/]*))?(?:/(.*))?", rest)
    action, amount, per = match.groups("") if match else (rest, "", "")
    subject = SHORT.get(subject.lower(), subject.lower())
    if subject in ("user", "group") and identity:
        identity = _user_number(ctx, subject, identity)
    if amount:
        amount = str(_number(amount))
    return dict(zip(PARTS, (subject, identity, resource, action, amount, per), strict=True))


def _number(text: str) -> int:
    match = re.fullmatch(r"(\d+|0x[0-9a-f]+)([bkmgtpe]?)", text.lower())
    if not match:
        raise ValueError(f"invalid numeric value '{text}'")
    number = int(match.group(1), 0 if "x" in match.group(1) else 10) * UNITS[match.group(2)]
    if number >= 1 << 64:
        raise ValueError(f"invalid numeric value '{text}'")
    return number


def _accounts(ctx: Context, subject: str) -> t.Iterator[list[str]]:
    path = ctx.path("/etc/passwd" if subject == "user" else "/etc/group")
    yield from (line.split(":") for line in (path.read_text(errors="replace").splitlines() if path.is_file() else []))


def _user_number(ctx: Context, subject: str, name: str) -> str:
    for fields in _accounts(ctx, subject):
        if fields[0] == name:
            return fields[2]
    if not name[:1].isdigit():
        raise ValueError(f"uknown {subject} '{name}'")
    if not name.isdigit():
        raise ValueError("trailing characters after numerical id")
    return name


# The kernel -----------------------------------------------------------------------------------------------------------


def _state(kernel: State) -> State:
    found: State = kernel.setdefault("rctl", {"rules": [], "subjects": []})
    return found


def _account(state: State, rule: Rule) -> None:
    """Let the kernel keep an account of the rule's subject from now on."""
    name = f"{rule['subject']}:{rule['id']}"
    if name not in state["subjects"]:
        state["subjects"].insert(0, name)


def _check(rule: Rule, *, whole: bool) -> None:
    """Refuse words that the kernel does not know and, of a rule to be added, what is missing."""
    known = (
        ("subject", SUBJECTS),
        ("resource", RESOURCES),
        ("action", ACTIONS),
        ("per", SUBJECTS),
    )
    for name, words in known:
        if rule[name] and rule[name] not in words:
            raise Refused(INVALID)
    most = ((1 << 63) - 1) // (10**6 if rule["resource"] in MILLIONTHS else 1)
    if rule["amount"] and int(rule["amount"]) > most:
        raise Refused(TOO_LARGE)
    if whole and not all(rule[name] for name in PARTS[:-1]):
        raise Refused(INVALID)


def _add(_ctx: Context, kernel: State, rule: Rule, _human: bool) -> list[str]:
    _check(rule, whole=True)
    undeniable = rule["action"] == "deny" and rule["resource"] in NOT_DENIABLE
    if undeniable or (rule["action"] == "throttle" and rule["resource"] not in RATES):
        raise Refused(UNSUPPORTED)
    rule = {**rule, "amount": int(rule["amount"]), "per": rule["per"] or rule["subject"]}
    state = _state(kernel)
    same = PARTS if rule["action"] != "deny" else ("subject", "id", "resource", "action", "per")
    state["rules"] = [each for each in state["rules"] if any(each[name] != rule[name] for name in same)]
    _account(state, rule)
    state["rules"].insert(0, rule)
    return []


def _matches(rule: Rule, wanted: Rule) -> bool:
    return all(not wanted[name] or str(rule[name]) == wanted[name] for name in PARTS)


def _remove(_ctx: Context, kernel: State, wanted: Rule, _human: bool) -> list[str]:
    _check(wanted, whole=False)
    state = _state(kernel)
    left = [rule for rule in state["rules"] if not _matches(rule, wanted)]
    if len(left) == len(state["rules"]):
        raise Refused(ABSENT)
    state["rules"] = left
    used = {f"{rule['subject']}:{rule['id']}" for rule in left}
    state["subjects"] = [name for name in state["subjects"] if name in used]
    return []


def _show(ctx: Context, kernel: State, wanted: Rule, human: bool) -> list[str]:
    _check(wanted, whole=False)
    state = _state(kernel)
    order = {name: place for place, name in enumerate(state["subjects"])}
    found = [rule for rule in state["rules"] if _matches(rule, wanted)]
    found.sort(key=lambda rule: (LISTED.index(rule["subject"]), order.get(f"{rule['subject']}:{rule['id']}", 0)))
    return [_line(ctx, rule, human) for rule in found]


def _line(ctx: Context, rule: Rule, human: bool) -> str:
    identity = rule["id"]
    if rule["subject"] in ("user", "group"):
        names = (fields[0] for fields in _accounts(ctx, rule["subject"]) if fields[2:3] == [identity])
        identity = next(names, identity)
    amount = humanized(rule["amount"]) if human else rule["amount"]
    per = "" if rule["per"] == rule["subject"] else f"/{rule['per']}"
    return f"{rule['subject']}:{identity}:{rule['resource']}:{rule['action']}={amount}{per}"


def humanized(value: int) -> str:
    """humanize_number(3) into four digits."""
    for prefix in ("", "K", "M", "G", "T", "P"):
        if value < 10**4:
            return f"{value}{prefix}"
        value = (value + 512) // 1024
    return f"{value}E"


def _limits(_ctx: Context, _kernel: State, wanted: Rule, _human: bool) -> list[str]:
    _check(wanted, whole=False)
    raise Refused(UNSUPPORTED)


# What is used ---------------------------------------------------------------------------------------------------------


def _usage(_ctx: Context, kernel: State, wanted: Rule, human: bool) -> list[str]:
    _check(wanted, whole=False)
    if not wanted["subject"] or not wanted["id"]:
        raise Refused(INVALID)
    found = usage(kernel, wanted["subject"], wanted["id"])
    return [f"{name}={humanized(found[name]) if human else found[name]}" for name in RESOURCES]


def usage(kernel: State, subject: str, identity: str) -> dict[str, int]:
    """Return what a subject uses, resource by resource; zeros for one that does not exist."""
    found = dict.fromkeys(RESOURCES, 0)
    now = time.time()
    for number, entry in task.processes(kernel).items():
        if not _belongs(kernel, number, entry, subject, identity):
            continue
        age = int(now - entry["start"])
        computing = age if entry.get("spin") else 0
        found["cputime"] += computing + int(entry.get("cpu", 0))
        found["memoryuse"] += 1024 * int(entry.get("rss", 0))
        found["vmemoryuse"] += 1024 * int(entry.get("vsz", 0))
        found["maxproc"] += 1
        found["nthr"] += 1
        found["openfiles"] += 3 + len(entry.get("listen", []))
        found["pcpu"] += 100 if entry.get("spin") else 0
        found["wallclock"] += age
    return found


def _belongs(kernel: State, number: str, entry: State, subject: str, identity: str) -> bool:
    if subject == "process":
        return number == identity
    if subject == "jail":
        jail = prison.find(kernel, identity)
        return jail is not None and entry["jid"] == jail["jid"]
    return subject == "user" and entry.get("user", "root") == ("root" if identity == "0" else identity)


_ASK: dict[str, t.Callable[[Context, State, Rule, bool], list[str]]] = {
    "": _show,
    "a": _add,
    "l": _limits,
    "r": _remove,
    "u": _usage,
}


def load_configuration(host: Host) -> int:
    """Do what rc.d/rctl does at its start: add the rules of /etc/rctl.conf, one a line, all by one rctl(8)."""
    path = host.path(CONFIGURATION)
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    rules = [words[0] for line in lines if (words := line.partition("#")[0].split())]
    return host.run(["rctl", "-a", *rules]).rc if rules else 0
