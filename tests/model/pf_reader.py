# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small parts of pf.conf(5)'s grammar: lists, names, numbers, ports, addresses; how its mistakes are reported."""

from __future__ import annotations

import ipaddress
import typing as t

from model import pf_hosts, pf_lex
from model.pf_hosts import Node
from model.pf_names import SERVICES, protocol_number

if t.TYPE_CHECKING:
    from model.command import Context

Rule = dict[str, t.Any]
# An operator with one or two ports: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``:``, ``><``, ``<>``.
Port = list[t.Any]
Item = t.TypeVar("Item")

MAX_TABLE_NAME, MAX_TAG, MAX_LABEL, MAX_LABELS, MAX_INTERFACE = 31, 63, 63, 5, 15
MAX_PORT = 65535
ORDER = ("options", "ethernet", "normalization", "queueing", "translation", "filtering")
# After a mistake, the next ones are only reported when three words in between made sense.
QUIET_WORDS = 3


class Problem(Exception):
    """The statement is wrong and all that is to be said of it has been said."""


class Syntax(Exception):
    """A word that cannot stand here."""


class Settings(t.NamedTuple):
    """What one run of pfctl tells the parser."""

    anchor: str = ""
    verbose: int = 0
    numeric: bool = False


class Reader:
    """Words of one configuration file and the pieces that they make up."""

    def __init__(self, ctx: Context, name: str, text: str, interfaces: pf_hosts.Interfaces, settings: Settings) -> None:
        """Start reading."""
        self.ctx, self.interfaces, self.settings = ctx, interfaces, settings
        self.errors = 0
        self._quiet = 0
        self._place = 0
        # What ``set`` changes for the rules after it.
        self.require_order = True
        self.block_policy, self.state_policy = "drop", ""
        self.state_defaults: list[str] = []
        self.lexer = pf_lex.Lexer(name, text, self.report)

    # Mistakes -----------------------------------------------------------------------------------------------------

    def report(self, name: str, line: int, message: str) -> None:
        """Write ``FILE:LINE: message`` and count it."""
        self.errors += 1
        self.ctx.err.write(f"{name}:{line}: {message}\n")

    def complain(self, message: str) -> None:
        """Report a mistake at this place and go on."""
        self.report(self.lexer.name, self.lexer.token.line, message)

    def problem(self, message: str) -> Problem:
        """Report a mistake at this place; the caller raises what this returns."""
        self.complain(message)
        return Problem(message)

    def recover(self, error: Exception) -> None:
        """Skip the rest of the line that has a mistake."""
        if isinstance(error, Syntax) and self._quiet == 0:
            self.complain("syntax error")
        self.errors += 1
        self.lexer.skip_line()
        self._quiet = QUIET_WORDS - 1

    def in_order(self, kind: str) -> None:
        """Note that a statement of this kind was read; it must not come after one of a later kind."""
        place = ORDER.index(kind)
        if self.require_order and self._place > place:
            raise self.problem("Rules must be in order: " + ", ".join(ORDER))
        self._place = place

    # Words --------------------------------------------------------------------------------------------------------

    @property
    def token(self) -> pf_lex.Token:
        """The word at hand."""
        return self.lexer.token

    def take(self) -> str:
        """Return the word at hand and go on."""
        self._quiet = max(0, self._quiet - 1)
        return self.lexer.take().text

    def at(self, *texts: str) -> bool:
        """Say whether the word at hand is that sign or reserved word."""
        return self.token.kind in (pf_lex.SIGN, pf_lex.KEY) and self.token.text in texts

    def accept(self, *texts: str) -> str:
        """Take the word if it is one of these, otherwise return ''."""
        return self.take() if self.at(*texts) else ""

    def expect(self, *texts: str) -> str:
        """Take the word, which must be one of these."""
        if not self.at(*texts):
            raise Syntax
        return self.take()

    def string(self) -> str:
        """Take a word that is not reserved, or a quoted one."""
        if self.token.kind != pf_lex.STRING:
            raise Syntax
        return self.take()

    def strings(self) -> str:
        """Take one such word or several; they make one text."""
        words = [self.string()]
        while self.token.kind == pf_lex.STRING:
            words.append(self.take())
        return " ".join(words)

    def number(self, high: int = 2**32 - 1) -> int:
        """Take a number."""
        if self.token.kind == pf_lex.NUM:
            value = int(self.take())
        else:
            text = self.string()
            try:
                value = int(text, 0)
            except ValueError:
                raise self.problem(f"{text} is not a number") from None
        if not 0 <= value <= high:
            raise self.problem("only positive values permitted")
        return value

    def number_or_string(self) -> str:
        """Take a number or a word."""
        return self.take() if self.token.kind == pf_lex.NUM else self.string()

    def newlines(self) -> None:
        """Pass over ends of lines, where a list allows them."""
        while self.at("\n"):
            self.take()

    def one_or_list(self, item: t.Callable[[], Item]) -> list[Item]:
        """Read one item or ``{ item, item item }``."""
        if not self.accept("{"):
            return [item()]
        return self.rest_of_list(item)

    def rest_of_list(self, item: t.Callable[[], Item]) -> list[Item]:
        """Read the items of a list up to its closing brace; there must be one."""
        items: list[Item] = []
        self.newlines()
        while not items or not self.at("}"):
            items.append(item())
            self.newlines()
            if self.accept(",") and self.at("}"):
                raise Syntax
        self.take()
        return items

    # Names and numbers --------------------------------------------------------------------------------------------

    def tag(self) -> str:
        """Read a tag's name."""
        name = self.strings()
        if len(name) > MAX_TAG:
            raise self.problem(f"tag too long, max {MAX_TAG} chars")
        return name

    def interface_name(self) -> str:
        """Read the name of an interface or group, which need not exist."""
        name = self.string()
        if len(name) > MAX_INTERFACE:
            raise self.problem("interface name too long")
        return name

    def interface(self) -> tuple[str, bool]:
        """Read an interface and whether it is negated."""
        negated = bool(self.accept("!"))
        return self.interface_name(), negated

    def interfaces_on(self) -> list[tuple[str, bool]]:
        """Read what may follow: ``on INTERFACE``."""
        return self.one_or_list(self.interface) if self.accept("on") else [("", False)]

    def family(self) -> str:
        """Read what may follow: ``inet`` or ``inet6``."""
        return self.accept("inet", "inet6")

    def protocols(self) -> list[int]:
        """Read what may follow: ``proto PROTOCOL``; 0 stands for any."""
        return self.one_or_list(self._protocol) if self.accept("proto") else [0]

    def _protocol(self) -> int:
        if self.token.kind == pf_lex.NUM:
            number: int | None = int(self.take())
            if number is not None and not 0 <= number <= 255:
                raise self.problem("protocol outside range")
        else:
            # ``icmp`` and the like are no reserved words, nor is any protocol's name.
            name = self.string()
            number = protocol_number(name)
            if number is None:
                raise self.problem(f"unknown protocol {name}")
        if not number:
            raise self.problem("proto 0 cannot be used")
        return number

    # Ports --------------------------------------------------------------------------------------------------------

    def ports(self) -> list[Port]:
        """Read the ports after the word ``port``."""
        return self.one_or_list(self._port_item)

    def _port_item(self) -> Port:
        operator = self._operator()
        first = self.port_range()
        binary = self.accept("<>", "><") if not operator else ""
        second = self.port_range() if binary else first
        if (operator or binary) and (first[0] == ":" or second[0] == ":"):
            raise self.problem("':' cannot be used with an other port operator")
        if binary:
            return [binary, first[1], second[1]]
        return [operator, first[1]] if operator else first

    def _operator(self) -> str:
        if self.accept("="):
            return "="
        if self.accept("!"):
            self.expect("=")
            return "!="
        sign = self.accept("<", ">")
        return sign + self.accept("=") if sign else ""

    def port_range(self, *, star: bool = False) -> Port:
        """Read ``80``, ``http``, ``80:90``, or (``star``) ``80:*``."""
        low, colon, high = self.number_or_string().partition(":")
        first = self._service(low)
        if not colon:
            return ["=", first]
        if star and high == "*":
            return ["*", first]
        last = self._service(high)
        return ["=", first] if first == last else [":", first, last]

    def _service(self, text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            if text not in SERVICES:
                raise self.problem(f"unknown port {text}") from None
            return SERVICES[text]
        if not 0 <= value <= MAX_PORT:
            raise self.problem(f"illegal port value {value % 2**64}")
        return value

    # Addresses ----------------------------------------------------------------------------------------------------

    def hosts(self) -> list[Node]:
        """Read ``any``, an address, or a list of them."""
        if not self.accept("{"):
            return self._host_or_any() or [Node()]
        # In a list, ``any`` besides other addresses means nothing.
        found = [node for nodes in self.rest_of_list(self._host_or_any) for node in nodes]
        return found or [Node()]

    def _host_or_any(self) -> list[Node]:
        if self.accept("any"):
            return []
        negated = bool(self.accept("!"))
        word = self.accept("no-route", "urpf-failed")
        nodes = [Node(word)] if word else self.host()
        return [node._replace(negated=negated) for node in nodes]

    def host(self) -> list[Node]:
        """Read an address, network, range, table or interface; a name may stand for several addresses."""
        if self.accept("<"):
            return [self._table()]
        if self.accept("("):
            return [self._dynamic()]
        if self.token.kind == pf_lex.NUM:
            first = self.take()
            self.expect("/")
            return self._resolve(f"{first}/{self._mask()}")
        text = self.string()
        if self.accept("-"):
            return [self._range(text, self.string())]
        return self._resolve(f"{text}/{self._mask()}" if self.accept("/") else text)

    def _mask(self) -> str:
        if self.token.kind != pf_lex.NUM:
            raise Syntax
        return self.take()

    def _table(self) -> Node:
        name = self.string()
        self.expect(">")
        if len(name) > MAX_TABLE_NAME:
            raise self.problem(f"table name '{name}' too long")
        return Node(f"<{name}>")

    def _dynamic(self) -> Node:
        name, *modifiers = self.string().split(":")
        self.expect(")")
        if not name[:1].isalpha():
            raise self.problem(f"invalid interface name '{name}'")
        if any(modifier not in pf_hosts.MODIFIERS for modifier in modifiers):
            raise self.problem(f"interface {name} has bad modifier")
        if len(set(modifiers) - {"0"}) > 1:
            raise self.problem("illegal combination of interface modifiers")
        text = ":".join([name, *(modifier for modifier in pf_hosts.MODIFIERS if modifier in modifiers)])
        return Node(f"({text})/{self._mask()}" if self.accept("/") else f"({text})")

    def _resolve(self, text: str) -> list[Node]:
        try:
            return pf_hosts.read_host(text, self.interfaces, self.ctx.host)
        except pf_hosts.BadHost as error:
            self.ctx.err.write(f"{error}\n")
            raise self.problem("could not parse host specification") from None

    def addresses_of(self, name: str) -> list[Node]:
        """Return the addresses that an interface (``vtnet0``, ``vtnet0:network``) has now."""
        try:
            return pf_hosts.read_host(name, self.interfaces, self.ctx.host)
        except pf_hosts.BadHost:
            return []

    def _range(self, first: str, last: str) -> Node:
        (low, *more), (high, *others) = self._resolve(first), self._resolve(last)
        plain = "/" not in low.text + high.text
        if more or others or not plain or low.family != high.family:
            raise self.problem("invalid address range")
        return Node(f"{low.text} - {high.text}", low.family)


def family_of(nodes: t.Sequence[Node], family: str) -> str:
    """Return the family of a rule: the given one, or the one that all the addresses have."""
    families = {node.family for node in nodes}
    return family or (families.pop() if len(families) == 1 else "")


def mask_fits(ctx: Context, node: Node, family: str) -> bool:
    """Say whether the mask is possible for the family, and complain if not."""
    if family == pf_hosts.INET and node.bits > pf_hosts.BITS[pf_hosts.INET]:
        ctx.err.write(f"netmask {node.bits} invalid for IPv4 address\n")
        return False
    return True


def canonical(text: str) -> str:
    """Return an address as pfctl prints it."""
    return str(ipaddress.ip_address(text))
