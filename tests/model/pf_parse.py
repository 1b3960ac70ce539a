# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pf.conf(5), read as pfctl(8) reads it: one file with those it includes."""

from __future__ import annotations

import typing as t

from model import pf_filter, pf_hosts, pf_lex, pf_rules
from model.pf_names import LIMITS, OPTIMIZATIONS, TIMEOUTS
from model.pf_print import rule_line
from model.pf_reader import MAX_TABLE_NAME, Problem, Reader, Rule, Settings, Syntax

if t.TYPE_CHECKING:
    from model.command import Context

# The rulesets of an anchor, in the order in which pfctl loads and shows them.
KINDS = ("scrub", "nat", "rdr", "binat", "filter")
DEBUG_LEVELS = {"none": "None", "urgent": "Urgent", "misc": "Misc", "loud": "Loud"}
UNMODELLED = ("altq", "queue", "ether")


class Table(t.NamedTuple):
    """A table's definition: its addresses, and whether it gives any (even none: ``{ }``)."""

    name: str
    flags: list[str]
    given: bool
    entries: list[str]


class Config:
    """What one file says."""

    def __init__(self, anchor: str) -> None:
        """Nothing yet, for that anchor ('' is the main ruleset)."""
        self.anchor = anchor
        self.rules: dict[str, list[Rule]] = {kind: [] for kind in KINDS}
        self.tables: list[Table] = []
        # Rules written in braces: the anchor's path below this one -> its filter rules.
        self.inline: dict[str, list[Rule]] = {}
        self.loads: list[tuple[str, str]] = []
        self.skip: list[str] = []
        self.limits: dict[str, int] = {}
        self.timeouts: dict[str, int] = {}
        self.options: dict[str, str] = {}


class Parser(Reader):
    """Reads a whole file into a :class:`Config`."""

    def __init__(self, ctx: Context, name: str, text: str, interfaces: pf_hosts.Interfaces, settings: Settings) -> None:
        """Start with nothing read."""
        self.config = Config(settings.anchor)
        self._path: list[str] = []
        self._unnamed = 0
        super().__init__(ctx, name, text, interfaces, settings)

    def parse(self, macros: t.Mapping[str, str]) -> bool:
        """Read everything; say whether there was no mistake."""
        self.lexer.macros.update(macros)
        self._fixed = frozenset(macros)
        while self.token.kind != pf_lex.END:
            try:
                self._statement()
                self.expect("\n")
            except (Problem, Syntax) as error:
                self.recover(error)
        return not self.errors

    def _say(self, text: str) -> None:
        if self.settings.verbose:
            self.ctx.print(text)

    # Statements ---------------------------------------------------------------------------------------------------

    def _statement(self) -> None:
        if self.at("\n"):
            return
        if self.token.kind == pf_lex.STRING:
            self._macro()
            return
        word = self.token.text if self.token.kind == pf_lex.KEY else ""
        if word in UNMODELLED:
            raise self.problem(f"the model does not know '{word}'")
        statements: dict[str, t.Callable[[], None]] = {
            "set": self._set,
            "table": self._table_statement,
            "include": self._include,
            "load": self._load,
            "antispoof": lambda: self._add("filter", pf_filter.antispoof(self)),
            "anchor": self._anchor,
            "no": self._no,
            "scrub": lambda: self._add("scrub", pf_filter.scrub(self, negated=False)),
            "binat": lambda: self._add("binat", pf_rules.binat(self, negated=False)),
        }
        if word in statements:
            statements[word]()
        elif word in ("nat", "rdr"):
            self._add(word, pf_rules.translation(self, negated=False))
        elif word in ("nat-anchor", "rdr-anchor", "binat-anchor"):
            self._add(word.removesuffix("-anchor"), pf_filter.translation_anchor(self))
        elif word in ("pass", "block", "match"):
            self._add("filter", pf_filter.filter_rule(self))
        else:
            raise Syntax

    def _add(self, kind: str, rules: list[Rule]) -> None:
        target = self.config.rules[kind] if not self._path else self.config.inline["/".join(self._path)]
        for rule in rules:
            rule["nr"] = len(target)
            target.append(rule)

    def _no(self) -> None:
        self.take()
        kind = self.token.text
        if self.at("scrub"):
            self._add("scrub", pf_filter.scrub(self, negated=True))
        elif self.at("nat", "rdr"):
            self._add(kind, pf_rules.translation(self, negated=True))
        elif self.at("binat"):
            self._add("binat", pf_rules.binat(self, negated=True))
        else:
            raise Syntax

    def _macro(self) -> None:
        name = self.string()
        self.expect("=")
        words = [self.number_or_string()]
        while self.token.kind in (pf_lex.STRING, pf_lex.NUM):
            words.append(self.take())
        value = " ".join(words)
        self._say(f'{name} = "{value}"')
        if any(char.isspace() for char in name[1:]):
            raise self.problem("macro name cannot contain whitespace")
        if name not in self._fixed:
            self.lexer.macros[name] = value

    def _include(self) -> None:
        self.take()
        name = self.string()
        path = self.ctx.path(name)
        if not path.is_file():
            self.ctx.warn(f"pushfile: {name}: No such file or directory")
            raise self.problem(f"failed to include file {name}")
        self.lexer.include(name, path.read_text(errors="surrogateescape"))

    def _load(self) -> None:
        self.take()
        self.expect("anchor")
        anchor = self.strings()
        self.expect("from")
        below = f"{self.config.anchor}/{anchor}" if self.config.anchor else anchor
        self.config.loads.append((below, self.strings()))

    # Anchors ------------------------------------------------------------------------------------------------------

    def _anchor(self) -> None:
        rules, _unused = pf_filter.anchor_rule(self)
        if self.accept("{"):
            self.in_order("filtering")
            name = rules[0]["anchor"] if rules else ""
            pf_filter.check_anchor_name(self, name)
            if "/" in name:
                raise self.problem("anchor paths containing '/' cannot be used for inline anchors.")
            self._braces(name, rules)
        self._add("filter", rules)

    def _braces(self, name: str, rules: list[Rule]) -> None:
        self._unnamed += 1
        name = name or f"_{self._unnamed}"
        for rule in rules:
            rule["anchor"] = name
        self._path.append(name)
        below = "/".join(self._path)
        if below in self.config.inline:
            self._path.pop()
            raise self.problem(f"inline anchor '{name}' already exists")
        self.config.inline[below] = []
        try:
            self.expect("\n")
            while not self.at("}"):
                self._statement_in_braces()
                self.expect("\n")
            self.take()
        finally:
            self._path.pop()

    def _statement_in_braces(self) -> None:
        if self.at("anchor"):
            self._anchor()
        elif self.at("pass", "block", "match"):
            self._add("filter", pf_filter.filter_rule(self))
        elif not self.at("\n"):
            raise Syntax

    # Tables -------------------------------------------------------------------------------------------------------

    def _table_statement(self) -> None:
        self.take()
        self.expect("<")
        name = self.string()
        self.expect(">")
        if len(name) > MAX_TABLE_NAME:
            raise self.problem(f"table name too long, max {MAX_TABLE_NAME} chars")
        flags: set[str] = set()
        parts: list[str] = []
        entries: list[str] = []
        given = False
        while not self.at("\n"):
            if self.at("{", "file"):
                found, part = self._table_addresses()
                entries += found
                parts.append(part)
                given = True
            else:
                flags.add(self._table_flag())
        ordered: list[str] = [flag for flag in ("const", "persist", "counters") if flag in flags]
        self._say(" ".join([f"table <{name}>", *ordered, *parts]))
        self.config.tables.append(Table(name, ordered, given, list(dict.fromkeys(entries))))

    def _table_flag(self) -> str:
        flag = self.string()
        if flag not in ("const", "persist", "counters"):
            raise self.problem(f"invalid table option '{flag}'")
        return flag

    def _table_addresses(self) -> tuple[list[str], str]:
        if self.accept("file"):
            name = self.string()
            path = self.ctx.path(name)
            if not path.is_file():
                raise self.problem(f'cannot load "{name}": No such file or directory')
            try:
                return read_table_file(path.read_text(), self), f'file "{name}"'
            except pf_hosts.BadHost as error:
                self.ctx.err.write(f"{error}\n")
                raise self.problem(f'file "{name}" contains bad data') from None
        self.take()
        self.newlines()
        if self.accept("}"):
            return [], "{ }"
        nodes = [node for nodes in self.rest_of_list(self._host_or_any) for node in nodes]
        for node in nodes:
            self._check_entry(node)
        entries = [("!" if node.negated else "") + node.text for node in nodes]
        return entries, "{ " + " ".join(entries) + " }"

    def _check_entry(self, node: pf_hosts.Node) -> None:
        refused = {
            "<": "tables cannot contain tables",
            "(": "dynamic addresses are not permitted inside tables",
            "n": '"no-route" is not permitted inside tables',
            "u": '"urpf-failed" is not permitted inside tables',
        }
        if " - " in node.text:
            raise self.problem("address ranges are not permitted inside tables")
        if node.text[0] in refused:
            raise self.problem(refused[node.text[0]])

    # Options ------------------------------------------------------------------------------------------------------

    def _set(self) -> None:
        self.take()
        readers: dict[str, t.Callable[[], None]] = {
            "skip": self._set_skip,
            "limit": lambda: self._set_several("limit", self._limit),
            "timeout": lambda: self._set_several("timeout", self._timeout),
            "block-policy": self._set_block_policy,
            "fail-policy": lambda: self._set_word("fail-policy", self.expect("drop", "return")),
            "state-policy": self._set_state_policy,
            "state-defaults": self._set_state_defaults,
            "optimization": self._set_optimization,
            "ruleset-optimization": lambda: self._quietly(self._one_of("none", "basic", "profile")),
            "require-order": self._set_require_order,
            "loginterface": lambda: self._set_word("loginterface", self.accept("all") or self.string()),
            "debug": self._set_debug,
            "hostid": lambda: self._set_word("hostid", f"0x{self.number():08x}"),
            "reassemble": self._set_reassemble,
            "fingerprints": lambda: self._set_word("fingerprints", f'"{self.string()}"'),
            "keepcounters": lambda: self.config.options.update(keepcounters="yes"),
            "syncookies": lambda: self._set_word("syncookies", self._one_of("never", "always", "adaptive")),
        }
        if not self.at(*readers):
            raise Syntax
        readers[self.take()]()

    def _quietly(self, _word: str) -> None:
        """An option that neither shows nor changes anything here."""

    def _one_of(self, *words: str) -> str:
        word = self.string()
        if word not in words:
            raise Syntax
        return word

    def _option(self, name: str, value: str, said: str) -> None:
        self.in_order("options")
        self.config.options[name] = value
        self._say(f"set {said}")

    def _set_word(self, name: str, value: str) -> None:
        self._option(name, value, f"{name} {value}")

    def _set_skip(self) -> None:
        names = self.interfaces_on()
        if names in ([("", False)], [("none", False)]):
            self.config.skip = []
            self._say("set skip on none")
            return
        self._say("set skip on { " + " ".join(name for name, _unused in names) + " }")
        if any(negated for _unused, negated in names):
            self.complain("skip on ! <interface> is not supported")
            raise self.problem("error setting skip interface(s)")
        self.config.skip += [name for name, _unused in names]

    def _set_several(self, what: str, one: t.Callable[[], tuple[str, int]]) -> None:
        pairs = self.one_or_list(one)
        self.in_order("options")
        for name, value in pairs:
            self._say(f"set {what} {name} {value}")

    def _limit(self) -> tuple[str, int]:
        name = self.string()
        value = self.number()
        if name.lower() not in LIMITS:
            self.ctx.warn("Bad pool name.")
            raise self.problem(f"unable to set limit {name} {value}")
        self.config.limits[name.lower()] = value
        return name, value

    def _timeout(self) -> tuple[str, int]:
        name = self.accept("interval") or self.string()
        value = self.number()
        if name.lower() not in TIMEOUTS:
            self.ctx.warn("Bad timeout name.")
            raise self.problem(f"unknown timeout {name}")
        self.config.timeouts[name.lower()] = value
        return name, value

    def _set_block_policy(self) -> None:
        self.block_policy = self.expect("drop", "return")
        self._option("block-policy", self.block_policy, f"block-policy {self.block_policy}")

    def _set_state_policy(self) -> None:
        policy = self.expect("if-bound", "floating")
        self.state_policy = policy if policy == "if-bound" else ""
        self._say(f"set state-policy {policy}")

    def _set_state_defaults(self) -> None:
        if self.state_defaults:
            raise self.problem("cannot redefine state-defaults")
        while not self.at("\n"):
            self.state_defaults.append(pf_filter.state_option(self))
            self.accept(",")

    def _set_optimization(self) -> None:
        name = self.string()
        if name not in OPTIMIZATIONS:
            self.ctx.warn("invalid state timeouts optimization")
            raise self.problem(f"unknown optimization {name}")
        self.config.timeouts.update(zip(list(TIMEOUTS)[:7], OPTIMIZATIONS[name], strict=True))
        self._set_word("optimization", name)

    def _set_require_order(self) -> None:
        self.require_order = self._yes_no()
        self._say(f"set require-order {'yes' if self.require_order else 'no'}")

    def _yes_no(self) -> bool:
        if self.accept("no"):
            return False
        word = self.string()
        if word != "yes":
            raise self.problem(f"invalid value '{word}', expected 'yes' or 'no'")
        return True

    def _set_reassemble(self) -> None:
        wanted = "yes" if self._yes_no() else "no"
        self._option("reassemble", wanted, f"reassemble {wanted} {self.accept('no-df')}")

    def _set_debug(self) -> None:
        level = self.string()
        if level not in DEBUG_LEVELS:
            self.ctx.warn(f'unknown debug level "{level}"')
            raise self.problem(f"error setting debuglevel {level}")
        self._set_word("debug", level)


def read_table_file(text: str, reader: Reader) -> list[str]:
    """Read the addresses of a table's file, one a word, ``#`` begins a comment."""
    entries: list[str] = []
    for line in text.splitlines():
        for word in line.partition("#")[0].split():
            negation = "!" if word.startswith("!") else ""
            nodes = pf_hosts.read_host(word.lstrip("!"), reader.interfaces, reader.ctx.host)
            entries += [negation + node.text for node in nodes]
    return entries


def show(config: Config, settings: Settings) -> t.Iterator[str]:
    """Yield the rules as ``pfctl -v`` shows them while it loads them."""
    for kind in KINDS:
        yield from _show(config, config.rules[kind], "", settings)


def _show(config: Config, rules: list[Rule], path: str, settings: Settings) -> t.Iterator[str]:
    depth = 0 if not path else path.count("/") + 1
    indent = "" if settings.verbose > 1 else "  " * depth
    for rule in rules:
        line = indent + rule_line(expanded(rule), numbers=settings.verbose > 1, numeric=settings.numeric)
        below = f"{path}/{rule.get('anchor')}" if path else str(rule.get("anchor"))
        if "anchor" not in rule or below not in config.inline:
            yield line
            continue
        yield line + " {"
        yield from _show(config, config.inline[below], below, settings)
        yield "  " * depth + "}"


# What is filled into labels and tags ----------------------------------------------------------------------------------


def expanded(rule: Rule) -> Rule:
    """Return the rule with ``$if``, ``$srcaddr``, ... in its labels and tags replaced."""
    texts = [*rule.get("labels", []), rule.get("tag", ""), rule.get("tagged", "")]
    if not any("$" in text for text in texts):
        return rule
    done = dict(rule)
    if "labels" in rule:
        done["labels"] = [_filled(text, rule) for text in rule["labels"]]
    for name in ("tag", "tagged"):
        if name in rule:
            done[name] = _filled(rule[name], rule)
    return done


def _filled(text: str, rule: Rule) -> str:
    from model.pf_names import protocol_name  # noqa: PLC0415

    for name, value in (
        ("$if", rule.get("on", "any")),
        ("$srcaddr", ("! " if "src_not" in rule else "") + rule.get("src", "any")),
        ("$dstaddr", ("! " if "dst_not" in rule else "") + rule.get("dst", "any")),
        ("$srcport", _port(rule.get("src_port"))),
        ("$dstport", _port(rule.get("dst_port"))),
        ("$proto", protocol_name(rule["proto"]) if "proto" in rule else ""),
        ("$nr", str(rule.get("nr", 0))),
    ):
        text = text.replace(name, value)
    return text


def _port(given: list[t.Any] | None) -> str:
    if not given:
        return ""
    operator, *numbers = given
    if len(numbers) > 1:
        return f"{numbers[0]}{operator}{numbers[1]}"
    return f"{'' if operator == '=' else operator}{numbers[0]}"
