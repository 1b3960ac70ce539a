# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter, scrub and antispoof rules of pf.conf(5), and calls of anchors."""

from __future__ import annotations

import typing as t

from model import pf_lex
from model.pf_hosts import Node
from model.pf_names import ICMP_CODES, ICMP_TYPES, TCP_FLAGS, TIMEOUTS
from model.pf_reader import MAX_LABEL, MAX_LABELS, Reader, Rule, family_of
from model.pf_rules import ICMP, ICMP6, TCP, Lists, end_of_rule, expand, from_to, log_quick, pool, tags

ROUTES = ("route-to", "reply-to", "dup-to")
ICMP_WORDS = {"icmp-type": ("inet", ICMP), "icmp6-type": ("inet6", ICMP6)}
STATES = ("keep", "modulate", "synproxy")
COUNTED = ("max", "max-src-states", "max-src-conn", "max-src-nodes")
FLAGS = ("no-sync", "if-bound", "floating", "sloppy")
_PER_RULE = frozenset({"max-src-conn", "max-src-conn-rate", "max-src-nodes"})
_TRACKED = _PER_RULE | {"max-src-states"}
# How pfctl orders the options of a state.
STATE_ORDER = (
    "max ", "no-sync", "source-track", "max-src-states", "max-src-conn ", "max-src-conn-rate", "max-src-nodes",
    "overload", "if-bound", "sloppy",
)  # fmt: skip


class Options:
    """The options of one filter rule while they are read."""

    def __init__(self, rule: Rule) -> None:
        """Collect into ``rule``; the three lists make several rules out of it."""
        self.rule = rule
        self.icmp: list[t.Any] = [None]
        self.users: list[t.Any] = [None]
        self.groups: list[t.Any] = [None]
        self.seen: set[str] = set()
        self.family = ""


# Filter ---------------------------------------------------------------------------------------------------------------


def filter_rule(reader: Reader) -> list[Rule]:
    """Read a pass, block or match rule."""
    action = reader.take()
    rule: Rule = {"action": action}
    if action == "block":
        _block(reader, rule)
    _direction(reader, rule)
    log_quick(reader, rule)
    interfaces = reader.interfaces_on()
    if reader.at(*ROUTES):
        _route(reader, rule)
    options = Options(rule)
    options.family, protocols = reader.family(), reader.protocols()
    source, sport, target, dport = from_to(reader)
    _options(reader, options, dport[0])
    end_of_rule(reader)
    reader.in_order("filtering")
    _defaults(reader, options, protocols)
    family = family_of(target, family_of(source, options.family))
    rule.update({"af": family} if family else {})
    lists = Lists(interfaces, protocols, source, sport, target, dport, options.icmp, options.users, options.groups)
    return expand(reader, rule, lists)


def _direction(reader: Reader, rule: Rule) -> None:
    direction = reader.accept("in", "out")
    if direction:
        rule["dir"] = direction


def _block(reader: Reader, rule: Rule) -> None:
    word = reader.accept("drop", "return", "return-rst", "return-icmp", "return-icmp6") or reader.block_policy
    rule["return"] = word
    if word == "return-rst" and reader.accept("("):
        reader.expect("ttl")
        rule["return"] = f"return-rst(ttl {reader.number(255)})"
        reader.expect(")")
    elif word in ("return-icmp", "return-icmp6"):
        rule["return"] = "return-icmp"
        rule["return_codes"] = _return_codes(reader, word)


def _return_codes(reader: Reader, word: str) -> list[str]:
    codes = ["port-unr", "port-unr"]
    if reader.accept("("):
        codes[word == "return-icmp6"] = _return_code(reader, "inet6" if word == "return-icmp6" else "inet")
        if word == "return-icmp" and (reader.accept(",") or not reader.at(")")):
            codes[1] = _return_code(reader, "inet6")
        reader.expect(")")
    return codes


def _return_code(reader: Reader, family: str) -> str:
    name = reader.number_or_string()
    kind = 3 if family == "inet" else 1
    unreachable = {code: number for (each, code), number in ICMP_CODES[family].items() if each == kind}
    if name.isdigit():
        return next((code for code, number in unreachable.items() if str(number) == name), name)
    if name not in unreachable:
        raise reader.problem(f"unknown icmp code {name}")
    return name


def _route(reader: Reader, rule: Rule) -> None:
    word = reader.take()
    rule["route"] = [word, reader.one_or_list(lambda: _route_host(reader))]
    while reader.at("round-robin", "random", "bitmask", "sticky-address"):
        rule["route"].append(reader.take())


def _route_host(reader: Reader) -> str:
    if not reader.accept("("):
        return reader.interface_name()
    name = reader.interface_name()
    host = reader.host()[0]
    reader.expect(")")
    return f"({name} {host.text})"


def _defaults(reader: Reader, options: Options, protocols: list[int]) -> None:
    """What a rule has though it does not say so: a state, and the flags that begin one."""
    rule = options.rule
    if rule["action"] == "pass" and "state" not in options.seen:
        rule["keep"] = "keep"
        if reader.state_defaults:
            rule["state_opts"] = list(reader.state_defaults)
    if "keep" in rule and reader.state_policy and not {"if-bound", "floating"} & options.seen:
        rule["state_opts"] = _ordered([*rule.get("state_opts", []), reader.state_policy])
    flags = rule.get("flags")
    if flags and flags != ["", ""] and protocols != [0] and TCP not in protocols:
        raise reader.problem("flags only apply to tcp")
    if rule["action"] == "pass" and "flags" not in rule and "fragment" not in rule and "keep" in rule:
        rule["flags"] = ["S", "SA"]
    if flags == ["", ""]:
        del rule["flags"]


# Options of filter rules ----------------------------------------------------------------------------------------------


def _options(reader: Reader, options: Options, dport: list[t.Any] | None) -> None:
    while True:
        word = reader.token.text
        if reader.at("nat-to", "rdr-to", "binat-to"):
            reader.take()
            found, options.family = pool(reader, dport, options.family)
            options.rule[word.replace("-", "_")] = found
        elif reader.at(*ROUTES) and "route" not in options.rule:
            _route(reader, options.rule)
        elif reader.at(*_READERS):
            _READERS[word](reader, options)
        else:
            return


def _once(reader: Reader, options: Options, what: str, message: str) -> None:
    if what in options.seen:
        raise reader.problem(message)
    options.seen.add(what)


def _ids(reader: Reader, options: Options) -> None:
    kind = reader.take()
    found = reader.one_or_list(lambda: _id(reader, kind))
    if kind == "user":
        options.users = found
    else:
        options.groups = found


def _id(reader: Reader, kind: str) -> list[t.Any]:
    operator = "!=" if reader.accept("!") and reader.expect("=") else reader.accept("=", "<", ">") or "="
    if operator in "<>":
        operator += reader.accept("=")
    first = _id_number(reader, kind)
    binary = reader.accept("<>", "><")
    return [binary, first, _id_number(reader, kind)] if binary else [operator, first]


def _id_number(reader: Reader, kind: str) -> str:
    if reader.token.kind == pf_lex.NUM:
        return reader.take()
    name = reader.string()
    path = reader.ctx.path("/etc/passwd" if kind == "user" else "/etc/group")
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        fields = line.split(":")
        if fields[0] == name:
            return fields[2]
    if name == "unknown":
        return name
    raise reader.problem(f"unknown {kind} {name}")


def _flags(reader: Reader, options: Options) -> None:
    reader.take()
    _once(reader, options, "flags", "flags cannot be redefined")
    if reader.accept("any"):
        options.rule["flags"] = ["", ""]
        return
    first = "" if reader.at("/") else _flag(reader)
    reader.expect("/")
    second = _flag(reader)
    if set(first) - set(second):
        raise reader.problem("flags always false")
    options.rule["flags"] = [first, second]


def _flag(reader: Reader) -> str:
    text = reader.string()
    if set(text) - set(TCP_FLAGS):
        raise reader.problem(f"bad flags {text}")
    return "".join(flag for flag in TCP_FLAGS if flag in text)


def _icmp(reader: Reader, options: Options) -> None:
    word = reader.take()
    _once(reader, options, "icmp", "icmp-type cannot be redefined")
    family, protocol = ICMP_WORDS[word]
    options.icmp = reader.one_or_list(lambda: _icmp_type(reader, word, family, protocol))


def _icmp_type(reader: Reader, word: str, family: str, protocol: int) -> list[t.Any]:
    name = reader.number_or_string()
    number = int(name) if name.isdigit() else ICMP_TYPES[family].get(name, -1)
    if not 0 <= number <= 255:
        raise reader.problem(f"{'illegal' if name.isdigit() else 'unknown'} {word} {name}")
    code: int | None = None
    if reader.accept("code"):
        text = reader.number_or_string()
        code = int(text) if text.isdigit() else ICMP_CODES[family].get((number, text), -1)
        if not 0 <= code <= 255:
            raise reader.problem(f"{'illegal icmp' if text.isdigit() else 'unknown ' + word[:-5]}-code {text}")
    return [number, code, protocol]


def _keep(reader: Reader, options: Options) -> None:
    word = reader.take()
    reader.expect("state")
    _once(reader, options, "state", "modulate or keep cannot be redefined")
    if word == "no":
        return
    options.rule["keep"] = word
    if reader.accept("("):
        found: list[str] = []
        while not found or not reader.accept(")"):
            found.append(state_option(reader))
            reader.accept(",")
        options.seen.update({"if-bound", "floating"} & set(found))
        kept = _ordered([option for option in [*found, *_implied(found)] if option != "floating"])
        options.rule.update({"state_opts": kept} if kept else {})


def _implied(found: list[str]) -> list[str]:
    """Return what pfctl adds: sources are tracked where they are limited, and for as long as a rate is measured.

    As in parse.y of FreeBSD's pfctl; no transcript shows it.
    """
    given = {option.partition(" ")[0]: option.partition(" ")[2] for option in found}
    added: list[str] = []
    if "source-track" not in given and _TRACKED & given.keys():
        added.append("source-track " + ("rule" if _PER_RULE & given.keys() else "global"))
    if "max" in given and not {"adaptive.start", "adaptive.end"} & given.keys():
        tenth = int(given["max"]) // 10
        added += [f"adaptive.start {tenth * 6}", f"adaptive.end {tenth * 12}"]
    seconds = int(given.get("max-src-conn-rate", "0/0").partition("/")[2])
    if seconds > int(given.get("src.track", 0)):
        added.append(f"src.track {seconds}")
    return added


def state_option(reader: Reader) -> str:
    """Read one option in the parentheses after ``keep state``."""
    word = reader.accept(*COUNTED, "max-src-conn-rate", "source-track", "overload", *FLAGS)
    if word in COUNTED:
        return f"{word} {reader.number()}"
    if word == "max-src-conn-rate":
        first = reader.number()
        reader.expect("/")
        return f"{word} {first}/{reader.number()}"
    if word == "source-track":
        return f"{word} {reader.accept('rule', 'global') or 'global'}"
    if word == "overload":
        reader.expect("<")
        name = reader.string()
        reader.expect(">")
        flush = " flush" + (" global" if reader.accept("global") else "") if reader.accept("flush") else ""
        return f"overload <{name}>{flush}"
    if word:
        return word
    name = reader.string()
    seconds = reader.number()
    if name not in TIMEOUTS:
        raise reader.problem(f"illegal timeout name {name}")
    return f"{name} {seconds}"


def _ordered(found: list[str]) -> list[str]:
    def place(option: str) -> int:
        return next((index for index, name in enumerate(STATE_ORDER) if option.startswith(name)), len(STATE_ORDER))

    return sorted(found, key=place)


def label(reader: Reader, rule: Rule) -> None:
    """Read a label; a rule may have several."""
    reader.take()
    labels = rule.setdefault("labels", [])
    text = reader.string()
    if len(labels) >= MAX_LABELS:
        raise reader.problem(f"label can only be used {MAX_LABELS} times")
    if len(text) > MAX_LABEL:
        raise reader.problem(f"rule label too long (max {MAX_LABEL} chars)")
    labels.append(text)


def _dummynet(reader: Reader, options: Options) -> None:
    kind = reader.take().removeprefix("dn")
    numbers = [0, 0]
    if reader.accept("("):
        numbers[0] = reader.number()
        if not reader.at(")"):
            reader.accept(",")
            numbers[1] = reader.number()
        reader.expect(")")
    else:
        numbers[0] = reader.number()
    # One word decides what both numbers are: the last ``dnpipe`` wins over any ``dnqueue``.
    kind = "pipe" if options.rule.get("dn", [""])[0] == "pipe" else kind
    # The kernel has 16 bits for each.
    options.rule["dn"] = [kind, *(number & 0xFFFF for number in numbers)]


def _queue(reader: Reader, options: Options) -> None:
    reader.take()
    if "queue" in options.rule:
        raise reader.problem("queue cannot be redefined")
    if not reader.accept("("):
        options.rule["queue"] = [reader.string()]
        return
    options.rule["queue"] = [reader.string()]
    if not reader.at(")"):
        reader.accept(",")
        options.rule["queue"].append(reader.string())
    reader.expect(")")


def _tagged(reader: Reader, options: Options) -> None:
    if reader.accept("!"):
        options.rule["tagged_not"] = True
    reader.expect("tagged")
    options.rule["tagged"] = reader.tag()


def _scrub_in_rule(reader: Reader, options: Options) -> None:
    reader.take()
    reader.expect("(")
    found: Rule = {}
    _scrub_options(reader, found)
    reader.expect(")")
    options.rule["scrub"] = found


def _set(reader: Reader, options: Options) -> None:
    reader.take()
    many = reader.accept("(")
    found: dict[str, str] = options.rule.setdefault("set", {})
    while True:
        word = reader.expect("prio", "tos")
        if word == "prio" and reader.accept("("):
            first = reader.number(7)
            reader.accept(",")
            found["prio"] = f"({first}, {reader.number(7)})"
            reader.expect(")")
        else:
            found[word] = str(reader.number(7)) if word == "prio" else _tos(reader)
        reader.accept(",")
        if not many or reader.accept(")"):
            return


def _tos(reader: Reader) -> str:
    names = {"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04, "critical": 0xA0, "ef": 0xB8}
    text = reader.number_or_string()
    value = names.get(text, -1)
    if value < 0:
        try:
            value = int(text, 0)
        except ValueError:
            value = -1
    if not 0 <= value <= 255:
        raise reader.problem(f"illegal tos value {text}")
    return f"0x{value:02x}"


def _simple(name: str) -> t.Callable[[Reader, Options], None]:
    def read(reader: Reader, options: Options) -> None:
        reader.take()
        options.rule[name] = True

    return read


def _valued(name: str, value: t.Callable[[Reader], t.Any]) -> t.Callable[[Reader, Options], None]:
    def read(reader: Reader, options: Options) -> None:
        reader.take()
        options.rule[name] = value(reader)

    return read


def _probability(reader: Reader) -> str:
    text = reader.number_or_string()
    try:
        share = float(text.removesuffix("%")) * (1 if text.endswith("%") else 100)
    except ValueError:
        raise reader.problem(f"invalid probability: {text}") from None
    return f"{share:f}".rstrip("0").rstrip(".")


_READERS: dict[str, t.Callable[[Reader, Options], None]] = {
    "user": _ids,
    "group": _ids,
    "flags": _flags,
    "icmp-type": _icmp,
    "icmp6-type": _icmp,
    "keep": _keep,
    "modulate": _keep,
    "synproxy": _keep,
    "no": _keep,
    "label": lambda reader, options: label(reader, options.rule),
    "dnpipe": _dummynet,
    "dnqueue": _dummynet,
    "queue": _queue,
    "tag": _valued("tag", lambda reader: reader.tag()),
    "!": _tagged,
    "tagged": _tagged,
    "fragment": _simple("fragment"),
    "allow-opts": _simple("allow_opts"),
    "once": _simple("once"),
    "tos": _valued("tos", _tos),
    "prio": _valued("prio", lambda reader: reader.number(7)),
    "ridentifier": _valued("ridentifier", lambda reader: reader.number()),
    "rtable": _valued("rtable", lambda reader: reader.number()),
    "received-on": _valued("received", lambda reader: reader.interface_name()),
    "probability": _valued("prob", _probability),
    "divert-to": _valued("divert", lambda reader: reader.port_range()[1]),
    "scrub": _scrub_in_rule,
    "set": _set,
}


# Anchors --------------------------------------------------------------------------------------------------------------


def anchor_rule(reader: Reader) -> tuple[list[Rule], Options]:
    """Read a call of an anchor up to its options; the caller reads the rules in braces and expands the call."""
    reader.take()
    rule: Rule = {"action": "pass", "anchor": reader.string() if reader.token.kind == pf_lex.STRING else ""}
    _direction(reader, rule)
    if reader.accept("quick"):
        rule["quick"] = True
    interfaces = reader.interfaces_on()
    options = Options(rule)
    options.family, protocols = reader.family(), reader.protocols()
    source, sport, target, dport = from_to(reader)
    _options(reader, options, None)
    if "keep" in rule:
        raise reader.problem("cannot specify state handling on anchors")
    if not reader.at("{"):
        _check_anchor(reader, rule)
    family = family_of(target, family_of(source, options.family))
    rule.update({"af": family} if family else {})
    lists = Lists(interfaces, protocols, source, sport, target, dport, options.icmp, options.users, options.groups)
    return expand(reader, rule, lists), options


def _check_anchor(reader: Reader, rule: Rule) -> None:
    end_of_rule(reader)
    reader.in_order("filtering")
    name = rule["anchor"]
    if not name:
        raise reader.problem("anchors without explicit rules must specify a name")
    check_anchor_name(reader, name)


def check_anchor_name(reader: Reader, name: str) -> None:
    """Names that pfctl makes up itself are refused."""
    if name.startswith("_") or "/_" in name:
        raise reader.problem("anchor names beginning with '_' are reserved for internal use")


def translation_anchor(reader: Reader) -> list[Rule]:
    """Read a nat-anchor, rdr-anchor or binat-anchor."""
    kind = reader.take().removesuffix("-anchor")
    rule: Rule = {"action": kind, "anchor": reader.strings()}
    interfaces, family, protocols = reader.interfaces_on(), reader.family(), reader.protocols()
    source, sport, target, dport = from_to(reader)
    if reader.accept("rtable"):
        rule["rtable"] = reader.number()
    end_of_rule(reader)
    reader.in_order("translation")
    if kind == "rdr" and sport != [None]:
        raise reader.problem("source port parameter not supported in rdr-anchor")
    if kind == "rdr" and len(dport) > 1:
        raise reader.problem("destination port list expansion not supported in rdr-anchor")
    if kind == "binat" and (source, target) != ([Node()], [Node()]):
        raise reader.problem("fromto parameter not supported in binat-anchor")
    family = family_of(target, family_of(source, family))
    rule.update({"af": family} if family else {})
    return expand(reader, rule, Lists(interfaces, protocols, source, sport, target, dport))


# Scrub and antispoof --------------------------------------------------------------------------------------------------


def scrub(reader: Reader, *, negated: bool) -> list[Rule]:
    """Read a scrub rule."""
    reader.take()
    rule: Rule = {"action": "no scrub" if negated else "scrub"}
    _direction(reader, rule)
    log_quick(reader, rule)
    interfaces, family, protocols = reader.interfaces_on(), reader.family(), reader.protocols()
    source, sport, target, dport = from_to(reader)
    found: Rule = {}
    if not reader.at("\n"):
        _scrub_options(reader, found)
    rule.update({"scrub": found} if found else {})
    tags(reader, rule)
    end_of_rule(reader)
    reader.in_order("normalization")
    if "quick" in rule:
        raise reader.problem("scrub rules do not support 'quick'")
    rule.update({"af": family} if family else {})
    return expand(reader, rule, Lists(interfaces, protocols, source, sport, target, dport))


def _scrub_options(reader: Reader, found: Rule) -> None:
    while reader.at("no-df", "random-id", "min-ttl", "max-mss", "set-tos", "fragment", "reassemble"):
        word = reader.take()
        if word in found:
            raise reader.problem(f"{word} cannot be respecified")
        if word in ("min-ttl", "max-mss"):
            found[word] = reader.number(255 if word == "min-ttl" else 65535)
        elif word == "set-tos":
            found[word] = _tos(reader)
        elif word == "fragment":
            found[word] = "no reassemble" if reader.accept("no") else "reassemble"
            reader.expect("reassemble")
        elif word == "reassemble":
            name = reader.string()
            if name != "tcp":
                raise reader.problem(f"scrub reassemble supports only tcp, not '{name}'")
            found[word] = "tcp"
        else:
            found[word] = True
        reader.accept(",")


def antispoof(reader: Reader) -> list[Rule]:
    """Read an antispoof rule and return what it stands for."""
    reader.take()
    rule: Rule = {"action": "block", "return": "drop", "dir": "in"}
    log_quick(reader, rule)
    reader.expect("for")
    names = reader.one_or_list(lambda: _antispoofed(reader))
    family = reader.family()
    while reader.at("label"):
        label(reader, rule)
    end_of_rule(reader)
    reader.in_order("filtering")
    rule.update({"af": family} if family else {})
    made: list[Rule] = []
    for name, is_dynamic in names:
        made += _antispoof(reader, rule, name, is_dynamic)
    return made


def _antispoofed(reader: Reader) -> tuple[str, bool]:
    if not reader.accept("("):
        return reader.interface_name(), False
    name = reader.interface_name()
    reader.expect(")")
    return name, True


def _antispoof(reader: Reader, rule: Rule, name: str, is_dynamic: bool) -> list[Rule]:
    if is_dynamic:
        networks, own = [Node(f"({name}:network)")], [Node(f"({name})")]
    else:
        networks, own = reader.addresses_of(f"{name}:network"), reader.addresses_of(name)
    made: list[Rule] = []
    if networks:
        made += expand(reader, rule, Lists([(name, True)], [0], networks, [None], [Node()], [None]))
    if own and not name.startswith("lo"):
        made += expand(reader, rule, Lists([("", False)], [0], own, [None], [Node()], [None]))
    return made
