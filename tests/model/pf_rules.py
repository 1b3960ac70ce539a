# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of pf.conf(5): what all kinds have in common, how lists are expanded, and translation rules.

A rule is a dictionary (it is kept in the kernel's state as JSON) with only those keys that say something; see
:mod:`model.pf_print` for what each means.
"""

from __future__ import annotations

import itertools
import typing as t

from model import pf_lex
from model.pf_hosts import Node
from model.pf_reader import Port, Problem, Reader, Rule, Syntax, mask_fits

TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
WITH_PORTS = (TCP, UDP, SCTP)
POOL_TYPES = ("bitmask", "random", "source-hash", "round-robin")


class Lists(t.NamedTuple):
    """The lists of one rule that make several out of it."""

    interfaces: list[tuple[str, bool]]
    protocols: list[int]
    sources: list[Node]
    source_ports: list[Port | None]
    targets: list[Node]
    target_ports: list[Port | None]
    icmp: t.Sequence[t.Any] = (None,)
    users: t.Sequence[t.Any] = (None,)
    groups: t.Sequence[t.Any] = (None,)


# Expanding ------------------------------------------------------------------------------------------------------------


def expand(reader: Reader, rule: Rule, lists: Lists) -> list[Rule]:
    """Return one rule for each combination of the lists' items that makes sense."""
    made: list[Rule] = []
    broken = False
    for on, protocol, icmp, source, sport, target, dport, user, group in itertools.product(
        lists.interfaces, lists.protocols, lists.icmp, lists.sources, lists.source_ports, lists.targets,
        lists.target_ports, lists.users, lists.groups,
    ):  # fmt: skip
        families = {family for family in (rule.get("af", ""), source.family, target.family) if family}
        if len(families) > 1:
            continue
        one = dict(rule)
        _set(one, af="".join(families), on=on[0], on_not=on[1], proto=protocol, icmp=icmp, user=user, group=group)
        _set(one, src=_side(source), src_not=source.negated, src_port=sport)
        _set(one, dst=_side(target), dst_not=target.negated, dst_port=dport)
        _per_protocol(one, protocol)
        if icmp and icmp[2] != protocol:
            reader.complain("icmp-type mismatch")
            broken = True
        fits = [mask_fits(reader.ctx, node, one.get("af", "")) for node in (source, target)]
        broken = broken or not all(fits)
        if not consistent(reader, one) or broken:
            reader.complain("skipping rule due to errors")
        else:
            made.append(one)
    if not made:
        reader.complain("rule expands to no valid combination")
    return made


def _side(node: Node) -> str:
    return "" if node.text == "any" else node.text


def _set(rule: Rule, **values: t.Any) -> None:
    for name, value in values.items():
        if value:
            rule[name] = value
        else:
            rule.pop(name, None)


def _per_protocol(rule: Rule, protocol: int) -> None:
    if protocol not in (0, TCP):
        rule.pop("flags", None)
        if rule.get("keep") in ("modulate", "synproxy"):
            rule["keep"] = "keep"


def consistent(reader: Reader, rule: Rule) -> bool:
    """Complain of what contradicts itself in a rule; say whether nothing does."""
    kind = rule["action"].removeprefix("no ")
    if kind in ("nat", "binat") or "anchor" in rule:
        return True
    wrong = _rdr_faults(rule) if kind == "rdr" else _filter_faults(rule)
    for message in wrong:
        reader.complain(message)
    return not wrong


def _rdr_faults(rule: Rule) -> list[str]:
    faults = []
    if rule.get("proto") not in WITH_PORTS:
        only = "port only applies to tcp/udp/sctp"
        pool_port = rule.get("pool", {}).get("ports")
        faults += [f"{name} {only}" for name in ("src", "dst") if f"{name}_port" in rule]
        faults += [f"rpool {only}"] if pool_port else []
    if rule.get("dst_port", ["="])[0] not in ("=", ":"):
        faults.append("invalid port operator for rdr destination port")
    return faults


def _filter_faults(rule: Rule) -> list[str]:
    protocol, family, action = rule.get("proto", 0), rule.get("af", ""), rule["action"]
    ports = "src_port" in rule or "dst_port" in rule
    icmp = {ICMP: "inet6", ICMP6: "inet"}
    names = {ICMP: "icmp", ICMP6: "icmp6"}
    checks = (
        (protocol not in WITH_PORTS and ports, "port only applies to tcp/udp/sctp"),
        (protocol not in icmp and "icmp" in rule, "icmp-type/code only applies to icmp"),
        (not family and "icmp" in rule, "must indicate address family with icmp-type/code"),
        (family and icmp.get(protocol) == family,
         f"proto {names.get(protocol)} doesn't match address family {family}"),
        ("allow_opts" in rule and action != "pass", "allow-opts can only be specified for pass rules"),
        ("fragment" in rule and (ports or "icmp" in rule), "fragments can be filtered only on IP header fields"),
        (rule.get("return", "").startswith("return-rst") and protocol != TCP,
         "return-rst can only be applied to TCP rules"),
        (action != "pass" and "keep" in rule, "keep state is great, but only for pass rules"),
        (action == "match" and "divert" in rule, "divert is not supported on match rules"),
        (action == "match" and "route" in rule,
         "route-to, reply-to, dup-to and fastroute must not be used on match rules"),
        (("nat_to" in rule or "rdr_to" in rule) and "dir" not in rule, "nat-to and rdr-to require a direction"),
    )  # fmt: skip
    return [message for wrong, message in checks if wrong]


# Parts that several kinds of rules have -------------------------------------------------------------------------------


Peer = tuple[list[Node], list[Port | None]]


def from_to(reader: Reader) -> tuple[list[Node], list[Port | None], list[Node], list[Port | None]]:
    """Read ``all`` or ``from ... to ...``, either of which may be missing."""
    source, sport = _anyone()
    target, dport = _anyone()
    if reader.accept("all"):
        return source, sport, target, dport
    if reader.accept("from"):
        source, sport = _peer(reader)
    if reader.at("os"):
        raise reader.problem("the model does not know operating systems by their packets")
    if reader.accept("to"):
        target, dport = _peer(reader)
    if any(node.text == "urpf-failed" for node in target):
        raise reader.problem('"urpf-failed" is not permitted in a destination address')
    return source, sport, target, dport


def _anyone() -> Peer:
    return [Node()], [None]


def _peer(reader: Reader) -> Peer:
    hosts = [Node()] if reader.at("port") else reader.hosts()
    ports: list[Port | None] = [*reader.ports()] if reader.accept("port") else [None]
    return hosts, ports


def log_quick(reader: Reader, rule: Rule) -> None:
    """Read what may follow: ``log (...)`` and ``quick``, in any order."""
    for _unused in range(2):
        if "log" not in rule and reader.at("log"):
            log(reader, rule)
        elif "quick" not in rule and reader.accept("quick"):
            rule["quick"] = True


def log(reader: Reader, rule: Rule) -> None:
    """Read what may follow: ``log``."""
    if not reader.accept("log"):
        return
    found: set[str] = set()
    if reader.accept("("):
        while not reader.accept(")"):
            word = reader.expect("all", "user", "group", "matches", "to") if reader.token.kind == pf_lex.KEY else ""
            if word == "to":
                found.add("to " + _pflog(reader))
            elif word or reader.string() == "matches":
                found.add({"group": "user"}.get(word, word or "matches"))
            reader.accept(",")
    rule["log"] = [each for each in ("all", "matches", "user") if each in found]
    rule["log"] += [each for each in sorted(found) if each.startswith("to ") and each != "to pflog0"]


def _pflog(reader: Reader) -> str:
    name = reader.strings()
    if not name.startswith("pflog"):
        raise reader.problem(f"{name}: should be a pflog interface")
    return name


def tags(reader: Reader, rule: Rule) -> None:
    """Read what may follow in a translation rule: ``tag X`` and ``tagged Y``."""
    if reader.accept("tag"):
        rule["tag"] = reader.tag()
    negated = bool(reader.accept("!"))
    if reader.accept("tagged"):
        _set(rule, tagged=reader.tag(), tagged_not=negated)
    elif negated:
        raise Syntax
    if reader.accept("rtable"):
        rule["rtable"] = reader.number()


# Address pools --------------------------------------------------------------------------------------------------------


def pool(reader: Reader, dport: Port | None, family: str, *, many: bool = True) -> tuple[dict[str, t.Any], str]:
    """Read the addresses of a translation and its options; return the pool and the rule's family."""
    if reader.accept("{"):
        hosts = [node for nodes in reader.rest_of_list(reader.host) for node in nodes]
    else:
        hosts = reader.host()
    port = reader.port_range(star=True) if reader.accept("port") else None
    family = family or hosts[0].family
    hosts = [node for node in hosts if not (family and node.family and node.family != family)]
    if not hosts:
        raise reader.problem("no translation address with matching address family found.")
    if not family and any(node.text[0] not in "<(" for node in hosts):
        raise reader.problem("address family not given and translation address expands to multiple address families")
    # Each address that does not fit is told of, not only the first.
    fits = [mask_fits(reader.ctx, node, family) for node in hosts]
    if not all(fits):
        raise Problem
    made: dict[str, t.Any] = {"hosts": [node.text for node in hosts]}
    _set(made, ports=_pool_ports(port, dport))
    if many:
        _pool_options(reader, made)
    return made, family


def _pool_ports(port: Port | None, dport: Port | None) -> list[int]:
    if port is None:
        return []
    if port[0] == "*":
        width = dport[2] - dport[1] if dport and dport[0] == ":" else 0
        return [port[1], port[1] + width] if width else [port[1]]
    return list(port[1:])


def _pool_options(reader: Reader, made: dict[str, t.Any]) -> None:
    while reader.at(*POOL_TYPES, "static-port", "sticky-address"):
        word = reader.take()
        if word in POOL_TYPES:
            if "type" in made:
                raise reader.problem("pool type cannot be redefined")
            made["type"] = word
            if word == "source-hash" and reader.token.kind == pf_lex.STRING:
                made["key"] = reader.take()
        elif word in made:
            raise reader.problem(f"{word} cannot be redefined")
        else:
            made[word] = True
    several = len(made["hosts"]) > 1
    if "type" not in made and (several or _many(made["hosts"][0])):
        made["type"] = "round-robin"
    if made.get("type") != "round-robin":
        if any(text.startswith("<") for text in made["hosts"]):
            raise reader.problem("tables are only supported in round-robin redirection pools")
        if several:
            raise reader.problem("only round-robin valid for multiple redirection addresses")


def _many(text: str) -> bool:
    """Say whether an address of a pool can stand for several."""
    if text.startswith("<"):
        return True
    inside = text[1:].partition(")")[0]
    name, _unused, modifiers = inside.partition(":")
    return text.startswith("(") and ("0" not in modifiers.split(":") or not name[-1].isdigit())


# Translation ----------------------------------------------------------------------------------------------------------


def translation(reader: Reader, *, negated: bool) -> list[Rule]:
    """Read a nat or rdr rule."""
    kind = reader.take()
    rule: Rule = {"action": f"no {kind}" if negated else kind}
    _nat_pass(reader, rule, negated)
    interfaces, family, protocols = reader.interfaces_on(), reader.family(), reader.protocols()
    source, sport, target, dport = from_to(reader)
    tags(reader, rule)
    arrow = reader.accept("->")
    family = family or source[0].family or target[0].family
    if arrow:
        rule["pool"], family = pool(reader, dport[0], family)
    end_of_rule(reader)
    reader.in_order("translation")
    _check_arrow(reader, rule, bool(arrow), negated)
    _set(rule, af=family)
    return expand(reader, rule, Lists(interfaces, protocols, source, sport, target, dport))


def _nat_pass(reader: Reader, rule: Rule, negated: bool) -> None:
    if reader.accept("pass"):
        if negated:
            raise reader.problem('"pass" not valid with "no"')
        rule["natpass"] = True
    log(reader, rule)


def _check_arrow(reader: Reader, rule: Rule, arrow: bool, negated: bool) -> None:
    if negated and arrow:
        raise reader.problem("translation rule with 'no' does not need '->'")
    if not negated and not arrow:
        raise reader.problem("translation rule requires '-> address'")
    found = rule.get("pool", {})
    if "static-port" in found and rule["action"] != "nat":
        raise reader.problem("the 'static-port' option is only valid with nat rules")
    if "static-port" in found and "ports" in found:
        raise reader.problem("the 'static-port' option can't be used when specifying a port range")


def binat(reader: Reader, *, negated: bool) -> list[Rule]:
    """Read a binat rule."""
    reader.take()
    rule: Rule = {"action": "no binat" if negated else "binat"}
    _nat_pass(reader, rule, negated)
    interfaces, family, protocols = reader.interfaces_on(), reader.family(), reader.protocols()
    reader.expect("from")
    source = reader.hosts()
    target = reader.hosts() if reader.accept("to") else [Node()]
    tags(reader, rule)
    arrow = reader.accept("->")
    found: dict[str, t.Any] = {}
    if arrow:
        found, family = pool(reader, None, family or source[0].family or target[0].family, many=False)
    end_of_rule(reader)
    reader.in_order("translation")
    if negated != (not arrow):
        raise reader.problem("'no binat' rule does not need '->'" if negated else "'binat' rule requires '-> address'")
    _check_binat(reader, source, target, found.get("hosts", []))
    _set(rule, af=family, pool=found)
    return expand(reader, rule, Lists(interfaces[:1], protocols[:1], source, [None], target, [None]))


def _check_binat(reader: Reader, source: list[Node], target: list[Node], hosts: list[str]) -> None:
    checks = (
        (source[0].text.startswith("<"),
         f"invalid use of table {source[0].text} as the source address of a binat rule"),
        (hosts and hosts[0].startswith("<"), "invalid use of table as the redirect address of a binat rule"),
        (len(source) > 1 or len(target) > 1, "multiple binat ip addresses"),
        (len(hosts) > 1, "binat rule must redirect to a single address"),
        (hosts and source[0].family and source[0].text.partition("/")[2] != hosts[0].partition("/")[2],
         "'binat' source mask and redirect mask must be the same"),
    )  # fmt: skip
    for wrong, message in checks:
        if wrong:
            raise reader.problem(message)


def end_of_rule(reader: Reader) -> None:
    """A rule must end here."""
    if not reader.at("\n", "}"):
        raise Syntax
