# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules as pfctl(8) prints them.

The keys of a rule: ``action``; ``anchor`` (it calls that one); ``natpass return return_codes dir log quick on on_not
route af proto src src_not src_port dst dst_not dst_port received user group flags icmp tos prio set keep prob
state_opts fragment scrub allow_opts labels ridentifier dn queue tag tagged tagged_not rtable divert`` and, for
translation, ``pool``, ``nat_to`` and ``rdr_to``. ``nr`` is its number, ``n`` its counters.
"""

from __future__ import annotations

import typing as t

from model.pf_names import ICMP_CODES, ICMP_TYPES, port_name, protocol_name

if t.TYPE_CHECKING:
    from model.pf_reader import Port, Rule

TCP, ICMP6 = 6, 58
NAT_PORTS = [50001, 65535]


def rule_line(rule: Rule, *, numbers: bool = False, numeric: bool = False) -> str:
    """Return the rule as one line; ``numbers`` gives its number and sizes of tables, ``numeric`` bare port numbers."""
    parts = [f"@{rule.get('nr', 0)}"] if numbers else []
    parts += _action(rule)
    parts += _where(rule)
    if "proto" in rule:
        parts += ["proto", protocol_name(rule["proto"])]
    parts += _from_to(rule, numbers, numeric)
    if "received" in rule:
        parts += ["received-on", rule["received"]]
    for name in ("user", "group"):
        if name in rule:
            parts += [name, _operation(rule[name][0], [str(each) for each in rule[name][1:]])]
    parts += _matching(rule)
    parts += _state(rule)
    parts += _scrub(rule)
    parts += _marks(rule)
    parts += _pools(rule)
    return " ".join(parts)


def _action(rule: Rule) -> list[str]:
    action = rule["action"]
    if "anchor" in rule:
        word = "anchor" if action == "pass" else f"{action}-anchor"
        name = rule["anchor"]
        return [word] if name.rpartition("/")[2].startswith("_") else [word, f'"{name}"']
    parts = [action]
    if "natpass" in rule:
        parts.append("pass")
    if action == "block":
        parts.append(_return(rule))
    return parts


def _return(rule: Rule) -> str:
    if rule["return"] != "return-icmp":
        return str(rule["return"])
    four, six = rule["return_codes"]
    family = rule.get("af")
    if family == "inet":
        return f"return-icmp({four})"
    return f"return-icmp6({six})" if family == "inet6" else f"return-icmp({four}, {six})"


def _where(rule: Rule) -> list[str]:
    parts = [rule["dir"]] if "dir" in rule else []
    if "log" in rule:
        parts.append("log")
        if rule["log"]:
            parts.append("(" + ", ".join(rule["log"]) + ")")
    if "quick" in rule:
        parts.append("quick")
    if "on" in rule:
        parts += ["on", "!", rule["on"]] if "on_not" in rule else ["on", rule["on"]]
    if "route" in rule:
        word, hosts, *opts = rule["route"]
        parts += [word, hosts[0] if len(hosts) == 1 else "{ " + ", ".join(hosts) + " }", *opts]
    if "af" in rule:
        parts.append(rule["af"])
    return parts


def _from_to(rule: Rule, numbers: bool, numeric: bool) -> list[str]:
    if not any(name in rule for name in ("src", "dst", "src_port", "dst_port")):
        return ["all"]
    parts: list[str] = []
    for word, side in (("from", "src"), ("to", "dst")):
        parts.append(word)
        if f"{side}_not" in rule:
            parts.append("!")
        parts.append(_address(rule.get(side, "any"), numbers))
        if f"{side}_port" in rule:
            parts.append("port " + port(rule[f"{side}_port"], rule.get("proto", 0), numeric))
    return parts


def _address(text: str, numbers: bool) -> str:
    if numbers and text.startswith("<"):
        return f"{text[:-1]}:*>"
    if numbers and text.startswith("("):
        inside, _unused, mask = text.partition(")")
        return f"{inside}:*){mask}"
    return text


def port(given: Port, protocol: int, numeric: bool) -> str:
    """Return ``= http`` or ``9000:9010`` and the like."""
    operator, *numbers = given
    names = [str(number) for number in numbers]
    if operator in ("=", "!=") and not numeric:
        names = [port_name(numbers[0], "tcp" if protocol == TCP else "udp")]
    return _operation(operator, names)


def _operation(operator: str, names: list[str]) -> str:
    if operator == ":":
        return ":".join(names)
    return f"{names[0]} {operator} {names[1]}" if len(names) > 1 else f"{operator} {names[0]}"


def _matching(rule: Rule) -> list[str]:
    parts: list[str] = []
    if "flags" in rule:
        parts += ["flags", "/".join(rule["flags"])]
    elif rule["action"] == "pass" and rule.get("proto", TCP) == TCP and "keep" in rule and "fragment" not in rule:
        parts += ["flags", "any"] if "anchor" not in rule else []
    if "icmp" in rule:
        parts.append(_icmp(rule["icmp"]))
    if "tos" in rule:
        parts.append(f"tos {rule['tos']}")
    if "prio" in rule:
        parts.append(f"prio {rule['prio']}")
    if "set" in rule:
        words = [f"{name}{'' if value.startswith('(') else ' '}{value}" for name, value in rule["set"].items()]
        parts.append("set ( " + ", ".join(words) + " )")
    return parts


def _icmp(given: list[t.Any]) -> str:
    number, code, protocol = given
    family = "inet6" if protocol == ICMP6 else "inet"
    name = next((name for name, value in ICMP_TYPES[family].items() if value == number), str(number))
    text = f"icmp{'6' if protocol == ICMP6 else ''}-type {name}"
    if code is not None:
        codes = ICMP_CODES[family].items()
        text += " code " + next((word for (kind, word), value in codes if (kind, value) == (number, code)), str(code))
    return text


def _state(rule: Rule) -> list[str]:
    parts: list[str] = []
    if "keep" in rule:
        parts.append(f"{rule['keep']} state")
    elif rule["action"] == "pass" and "anchor" not in rule:
        parts.append("no state")
    if "prob" in rule:
        parts.append(f"probability {rule['prob']}%")
    if rule.get("state_opts"):
        parts.append("(" + ", ".join(rule["state_opts"]) + ")")
    return parts


def _scrub(rule: Rule) -> list[str]:
    found = rule.get("scrub", {})
    parts = ["fragment"] if "fragment" in rule else []
    words = [name for name in ("no-df", "random-id") if name in found]
    words += [f"{name} {found[name]}" for name in ("min-ttl", "max-mss", "set-tos") if name in found]
    if rule["action"] == "scrub":
        parts += words
        parts += ["reassemble tcp"] if "reassemble" in found else []
        parts.append("fragment " + found.get("fragment", "reassemble"))
    elif found:
        words += ["reassemble tcp"] if "reassemble" in found else []
        parts.append("scrub (" + " ".join(words) + ")")
    if "allow_opts" in rule:
        parts.append("allow-opts")
    return parts


def _marks(rule: Rule) -> list[str]:
    parts = [f'label "{label}"' for label in rule.get("labels", [])]
    if "ridentifier" in rule:
        parts.append(f"ridentifier {rule['ridentifier']}")
    if "dn" in rule:
        kind, there, back = rule["dn"]
        if back:
            parts.append(f"dn{kind}({there}, {back})")
        elif there:
            parts.append(f"dn{kind} {there}")
    if "queue" in rule:
        names = rule["queue"]
        parts.append(f"queue {names[0]}" if len(names) == 1 else f"queue({names[0]}, {names[1]})")
    if "tag" in rule:
        parts.append(f"tag {rule['tag']}")
    if "tagged" in rule:
        parts.append(("! " if "tagged_not" in rule else "") + f"tagged {rule['tagged']}")
    if "rtable" in rule:
        parts.append(f"rtable {rule['rtable']}")
    if "divert" in rule:
        parts.append(f"divert-to {rule['divert']}")
    return parts


def _pools(rule: Rule) -> list[str]:
    parts: list[str] = []
    if "pool" in rule:
        parts += ["->", _pool(rule["pool"], rule["action"])]
    if "nat_to" in rule:
        parts += ["nat-to", _pool(rule["nat_to"], "nat")]
    if "rdr_to" in rule:
        parts += ["rdr-to", _pool(rule["rdr_to"], "rdr")]
    if "binat_to" in rule:
        parts += ["binat-to", _pool(rule["binat_to"], "binat")]
    return parts


def _pool(pool: dict[str, t.Any], action: str) -> str:
    hosts = pool["hosts"]
    text = hosts[0] if len(hosts) == 1 else "{ " + ", ".join(hosts) + " }"
    ports = pool.get("ports", [])
    if ports and not (action == "nat" and ports == NAT_PORTS):
        text += " port " + ":".join(str(number) for number in dict.fromkeys(ports))
    if "type" in pool:
        text += f" {pool['type']}"
    if "sticky-address" in pool:
        text += " sticky-address"
    if "static-port" in pool:
        text += " static-port"
    return text


def counters(rule: Rule, verbose: int) -> str:
    """Return the lines of counters below a rule, as ``-v`` and ``-vv`` show them."""
    evaluations, packets_in, bytes_in, packets_out, bytes_out, states, created, last = counts(rule)
    text = (
        f"  [ Evaluations: {evaluations:<8d}  Packets: {packets_in + packets_out:<8d}  "
        f"Bytes: {bytes_in + bytes_out:<10d}  States: {states:<6d}]\n"
        "  [ Source Nodes: 0      Limit: 0      NAT/RDR: 0      Route: 0      ]\n"
        f"  [ Inserted: uid 0 pid 0 State Creations: {created:<6d}]\n"
    )
    if verbose > 1:
        text += f"  [ Last Active Time: {_moment(last)} ]\n"
    return text


def _moment(seconds: int) -> str:
    if not seconds:
        return "N/A"
    import time  # noqa: PLC0415

    return time.ctime(seconds)


def counts(rule: Rule) -> list[int]:
    """Return evaluations, packets in, bytes in, packets out, bytes out, states now, states ever, last use."""
    found: list[int] = rule.setdefault("n", [0] * 8)
    return found
