# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel knows of jails: their parameters, and jail_set(2), jail_get(2) and jail_remove(2)."""

from __future__ import annotations

import time
import typing as t

from model import task

State = dict[str, t.Any]

MAX_CHILDREN = 999999
MAX_ADDRESSES = 255
RELEASE = "15.1-RELEASE-p1"

BOOL, INT, TEXT, SYSTEM, INET, INET6 = "bool", "int", "text", "system", "inet", "inet6"
LIVE, CREATE, READ = "live", "create", "read"


class Parameter(t.NamedTuple):
    """A parameter of a jail: what it holds, its default, when it can be set, and its length if it is text."""

    name: str
    kind: str
    default: t.Any
    change: str = LIVE
    size: int = 0


_ALLOW_ON = frozenset({"set_hostname", "reserved_ports", "unprivileged_proc_debug", "suser"})
_ALLOW_WORDS = (
    "set_hostname sysvipc raw_sockets chflags quotas socket_af mlock reserved_ports read_msgbuf "
    "unprivileged_proc_debug unprivileged_parent_tampering suser nfsd extattr adjtime settime routing setaudit mount "
    "mount.devfs mount.fdescfs mount.nullfs mount.procfs mount.tmpfs"
)
_ALLOW = _ALLOW_WORDS.split()

# In the order in which the kernel's sources declare them.
PARAMETERS: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter("jid", INT, 0, CREATE),
        Parameter("parent", INT, 0, READ),
        Parameter("name", TEXT, "", LIVE, 256),
        Parameter("path", TEXT, "/", CREATE, 1024),
        Parameter("securelevel", INT, -1),
        Parameter("osreldate", INT, 0, CREATE),
        Parameter("osrelease", TEXT, RELEASE, CREATE, 32),
        Parameter("enforce_statfs", INT, 2),
        Parameter("devfs_ruleset", INT, 0),
        Parameter("persist", BOOL, False),
        Parameter("vnet", SYSTEM, "inherit", CREATE),
        Parameter("dying", BOOL, False, READ),
        Parameter("children.cur", INT, 0, READ),
        Parameter("children.max", INT, 0),
        Parameter("host", SYSTEM, "inherit"),
        Parameter("host.hostname", TEXT, "", LIVE, 256),
        Parameter("host.domainname", TEXT, "", LIVE, 256),
        Parameter("host.hostuuid", TEXT, "00000000-0000-0000-0000-000000000000", LIVE, 64),
        Parameter("host.hostid", INT, 0),
        Parameter("cpuset.id", INT, 0, READ),
        Parameter("ip4", SYSTEM, "disable", CREATE),
        Parameter("ip4.addr", INET, []),
        Parameter("ip4.saddrsel", BOOL, True),
        Parameter("ip6", SYSTEM, "disable", CREATE),
        Parameter("ip6.addr", INET6, []),
        Parameter("ip6.saddrsel", BOOL, True),
        *(Parameter(f"allow.{name}", BOOL, name in _ALLOW_ON) for name in _ALLOW),
        Parameter("meta", TEXT, "", LIVE, 4096),
        Parameter("env", TEXT, "", LIVE, 4096),
        Parameter("sysvmsg", SYSTEM, "disable"),
        Parameter("sysvsem", SYSTEM, "disable"),
        Parameter("sysvshm", SYSTEM, "disable"),
    )
}
KEYED = ("meta", "env")
RANGES = {
    "enforce_statfs": (0, 2),
    "children.max": (0, MAX_CHILDREN),
    "securelevel": (-1, 3),
    "devfs_ruleset": (0, 65535),
}


class Refused(Exception):
    """The kernel or libjail refuses; the text is the whole message."""


# Parameters and their values ------------------------------------------------------------------------------------------


def look_up(name: str) -> tuple[Parameter, bool]:
    """Return the parameter of that name, and false if the name is its negation (``allow.noraw_sockets``)."""
    found = PARAMETERS.get(name)
    if found is not None:
        return found, True
    head, dot, last = name.rpartition(".")
    if head in KEYED:
        return PARAMETERS[head]._replace(name=name), True
    if last.startswith("no"):
        found = PARAMETERS.get(head + dot + last[2:])
        if found is not None and found.kind == BOOL:
            return found, False
    raise Refused(f"unknown parameter: {name}")


def negated(name: str) -> str:
    """Return the name that a false boolean is written by."""
    head, dot, last = name.rpartition(".")
    return f"{head}{dot}no{last}"


def read_value(name: str, text: str | None) -> tuple[str, t.Any]:
    """Turn the words of a command line or file into the parameter's name and value; None means no value was given."""
    parameter, positive = look_up(name)
    if parameter.kind == BOOL:
        return parameter.name, _boolean(name, text) is positive
    if text is None and parameter.kind != SYSTEM:
        return parameter.name, None
    return parameter.name, _READERS[parameter.kind](parameter, text or "")


def _boolean(name: str, text: str | None) -> bool:
    if text is None or text.lower() == "true":
        return True
    if text.lower() == "false":
        return False
    try:
        return int(text) != 0
    except ValueError:
        raise Refused(f'{name}: unknown boolean value "{text}"') from None


def _integer(parameter: Parameter, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(f'{parameter.name}: non-integer value "{text}"') from None


def _words(parameter: Parameter, text: str) -> str:
    if len(text) >= parameter.size > 0:
        raise Refused("jail_set: File name too long" if parameter.name == "path" else "jail_set: Invalid argument")
    return text


def _system(parameter: Parameter, text: str) -> str:
    if text in ("", "new"):
        return "new"
    if text in ("inherit", "disable"):
        return text
    raise Refused(f'{parameter.name}: unknown jailsys value "{text}"')


def _addresses(parameter: Parameter, text: str) -> list[str]:
    return [_address(parameter, word) for word in text.split(",") if text]


def _address(parameter: Parameter, word: str) -> str:
    import socket  # noqa: PLC0415

    family, what = (socket.AF_INET, "IPv4") if parameter.kind == INET else (socket.AF_INET6, "IPv6")
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, word))
    except OSError:
        raise Refused(f"{parameter.name}: not an {what} address: {word}") from None


_READERS: dict[str, t.Callable[[Parameter, str], t.Any]] = {
    INT: _integer,
    TEXT: _words,
    SYSTEM: _system,
    INET: _addresses,
    INET6: _addresses,
}


def show_value(value: t.Any) -> str:
    """Return a parameter's value as jls(8) and jail(8) write it, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(value)
    return str(value)


# Jails ----------------------------------------------------------------------------------------------------------------


def _table(kernel: State) -> State:
    return t.cast(State, kernel.setdefault("jail", {"last": 0, "list": []}))


def prisons(kernel: State) -> list[State]:
    """Return all jails, the lowest number first; one that nothing keeps alive any more is gone by then."""
    table = _table(kernel)
    alive = {entry["jid"] for entry in task.processes(kernel).values()}
    for gone in [each for each in table["list"] if not each["set"].get("persist") and each["jid"] not in alive]:
        remove(kernel, gone)
    return t.cast("list[State]", table["list"])


def by_jid(kernel: State, jid: int) -> State | None:
    """Return the jail of that number."""
    return next((each for each in _table(kernel)["list"] if each["jid"] == jid), None)


def find(kernel: State, name: str) -> State | None:
    """Return the jail of that name or number (as text)."""
    found = prisons(kernel)
    if name.isdigit() and int(name) != 0:
        return next((each for each in found if each["jid"] == int(name)), None)
    return next((each for each in found if each["name"] == name), None)


def jid_of(kernel: State, name: str | None) -> int:
    """Return the number of the jail of that name, 0 for the host itself (None) or when it is gone."""
    found = None if name is None else find(kernel, name)
    return 0 if found is None else found["jid"]


def allowed(kernel: State, jail: str | None, name: str) -> bool:
    """Say whether a process there may do what the parameter ``name`` (allow.*) is about; the host may do all."""
    found = None if jail is None else find(kernel, jail)
    return jail is None or (found is not None and bool(value(kernel, found, name)))


def value(kernel: State, jail: State, name: str) -> t.Any:
    """Return a parameter of a jail as jail_get(2) does."""
    if name in jail["set"]:
        return jail["set"][name]
    computed = _COMPUTED.get(name)
    if computed is not None:
        return computed(kernel, jail)
    head, _unused, key = name.rpartition(".")
    if head in KEYED:
        return dict(_keys(jail["set"].get(head, ""))).get(key, "")
    return PARAMETERS[name].default


def _keys(text: str) -> list[tuple[str, str]]:
    return [(key, words) for key, _unused, words in (line.partition("=") for line in text.split("\n") if line)]


def _network(kernel: State, jail: State) -> str:
    del kernel
    return "inherit" if jail["set"].get("vnet") == "new" else "disable"


def _hostname(kernel: State, jail: State) -> str:
    del jail
    return str(kernel.get("hostname", ""))


def _release(kernel: State, jail: State) -> str:
    del jail
    from model import kernel as kernels  # noqa: PLC0415

    return kernels.release(kernel)


def _osreldate(kernel: State, jail: State) -> int:
    del jail
    from model import kernel as kernels  # noqa: PLC0415

    return kernels.osreldate(kernel)


_COMPUTED: dict[str, t.Callable[[State, State], t.Any]] = {
    "jid": lambda _unused, jail: jail["jid"],
    "name": lambda _unused, jail: jail["name"],
    "parent": lambda kernel, jail: _parent(kernel, jail["name"]),
    "children.cur": lambda kernel, jail: len(_children(kernel, jail)),
    "cpuset.id": lambda _unused, jail: jail["cpuset"],
    "host.hostname": _hostname,
    "osreldate": _osreldate,
    "osrelease": _release,
    "ip4": _network,
    "ip6": _network,
}


def _parent(kernel: State, name: str) -> int:
    head = name.rpartition(".")[0]
    found = next((each for each in _table(kernel)["list"] if each["name"] == head), None)
    return found["jid"] if found else 0


def _children(kernel: State, jail: State) -> list[State]:
    return [each for each in _table(kernel)["list"] if each["name"].startswith(jail["name"] + ".")]


def create(kernel: State, wanted: t.Mapping[str, t.Any], *, attach: bool = False) -> State:
    """Make a jail (JAIL_CREATE); raises Refused."""
    table = _table(kernel)
    jid = wanted.get("jid") or table["last"] + 1
    name = wanted.get("name") or str(jid)
    if by_jid(kernel, jid) is not None:
        raise Refused(f"jail {jid} already exists")
    _check_name(kernel, name, jid)
    if not (wanted.get("persist") or attach):
        raise Refused("new jail must persist or attach")
    jail: State = {"jid": jid, "name": name, "set": {}, "cpuset": jid + 1, "born": time.time()}
    _check_addresses(kernel, jail, wanted)
    _apply(jail, wanted)
    if any(key.startswith("host.") for key in wanted):
        jail["set"].setdefault("host", "new")
    table["last"] = max(table["last"], jid)
    table["list"].append(jail)
    table["list"].sort(key=lambda each: each["jid"])
    return jail


def _check_name(kernel: State, name: str, jid: int) -> None:
    if name.isdigit() and name != str(jid):
        raise Refused("name cannot be numeric (unless it is the jid)")
    if any(each["name"] == name for each in _table(kernel)["list"]):
        raise Refused(f'jail "{name}" already exists')
    head, dot, _unused = name.rpartition(".")
    if not dot:
        return
    above = next((each for each in _table(kernel)["list"] if each["name"] == head), None)
    if above is None:
        raise Refused(f'jail "{head}" not found')
    if len(_children(kernel, above)) >= value(kernel, above, "children.max"):
        raise Refused("prison limit exceeded")


def _check_addresses(kernel: State, jail: State, wanted: t.Mapping[str, t.Any]) -> None:
    for name, what in (("ip4.addr", "IPv4"), ("ip6.addr", "IPv6")):
        mine = wanted.get(name)
        if not mine:
            continue
        if (wanted.get("vnet") or jail["set"].get("vnet")) == "new":
            raise Refused("vnet jails cannot have IP address restrictions")
        if len(mine) > MAX_ADDRESSES:
            raise Refused(f"too many {what} addresses")
        if any(_clash(mine, each["set"].get(name, [])) for each in _table(kernel)["list"] if each is not jail):
            raise Refused(f"{what} addresses clash")


def _clash(mine: list[str], theirs: list[str]) -> bool:
    """Two jails may share an address if it is the only one of either."""
    return bool(set(mine) & set(theirs)) and (len(mine) > 1 or len(theirs) > 1)


def update(kernel: State, jail: State, wanted: t.Mapping[str, t.Any]) -> None:
    """Change a jail (JAIL_UPDATE); raises Refused."""
    name = wanted.get("name", jail["name"])
    if name != jail["name"]:
        _check_name(kernel, name, jail["jid"])
    _check_addresses(kernel, jail, wanted)
    jail["name"] = name
    _apply(jail, wanted)


def _apply(jail: State, wanted: t.Mapping[str, t.Any]) -> None:
    for key, new in wanted.items():
        head, _unused, part = key.rpartition(".")
        if key in ("jid", "name"):
            continue
        if head in KEYED:
            _set_key(jail, head, part, new)
        elif new is None and PARAMETERS[key].kind in (INET, INET6):
            jail["set"].pop(key, None)
        else:
            _check_range(key, new)
            jail["set"][key] = new


def _check_range(key: str, new: t.Any) -> None:
    low, high = RANGES.get(key, (0, 0))
    if key in RANGES and not low <= new <= high:
        raise Refused("jail_set: Invalid argument")


def _set_key(jail: State, head: str, key: str, new: str | None) -> None:
    """One key of meta or env: no value removes it, an empty one empties it."""
    keys = dict(_keys(jail["set"].get(head, "")))
    if new is None:
        keys.pop(key, None)
    else:
        keys[key] = new
    jail["set"][head] = "\n".join(f"{each}={words}" for each, words in keys.items())


def remove(kernel: State, jail: State) -> None:
    """Kill what runs in the jail and in its children, and forget them (jail_remove)."""
    for each in [*_children(kernel, jail), jail]:
        for number, _unused in task.of_jail(kernel, each["jid"]):
            task.kill(kernel, number, 9)
        _table(kernel)["list"].remove(each)
        _give_back_interfaces(kernel, each)


def _give_back_interfaces(kernel: State, jail: State) -> None:
    if jail["set"].get("vnet") == "new":
        from model import net  # noqa: PLC0415

        net.jail_gone(kernel, jail["name"])


def sysctl_names() -> list[tuple[str, int]]:
    """Return (name below security.jail.param, value) in the order in which sysctl(8) lists them."""
    names = {each.name: each.name for each in PARAMETERS.values() if each.kind not in (INET, INET6)}
    names |= {each.name: f"{each.name}." for each in PARAMETERS.values() if each.kind == SYSTEM and each.name != "vnet"}
    names["allow.mount"] = "allow.mount."
    return [(shown, PARAMETERS[name].size) for name, shown in names.items()][::-1]
