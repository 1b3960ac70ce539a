# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pfctl(8)."""

from __future__ import annotations

import getopt
import typing as t

from model import pf_kernel, pf_parse, pf_show, pf_states, pf_tables
from model.command import Exit
from model.pf_parse import Config
from model.pf_reader import MAX_TABLE_NAME, Settings

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import State

LETTERS = "a:AdD:eqf:F:ghi:k:K:mMnNOo:Pp:rRs:St:T:vx:z"
USAGE = (
    "usage: pfctl [-AdeghMmNnOPqRSrvz] [-a anchor] [-D macro=value] [-F modifier]\n"
    "\t[-f file] [-i interface] [-K host | network]\n"
    "\t[-k host | network | gateway | label | id] [-o level] [-p device]\n"
    "\t[-s modifier] [-t table -T command [address ...]] [-x level]\n"
)
FLUSHES = ("nat", "queue", "rules", "Sources", "states", "info", "Tables", "osfp", "all", "ethernet", "Reset")
LEVELS = ("none", "urgent", "misc", "loud")
OPTIMIZE = ("none", "basic", "profile")
NOT_MODELLED = {"queue", "osfp"}


class Request:
    """The command line, taken apart."""

    def __init__(self, ctx: Context) -> None:
        """Parse the options, or end with what pfctl says of them."""
        self.ctx = ctx
        try:
            pairs, self.operands = getopt.getopt(ctx.arguments, LETTERS)
        except getopt.GetoptError as error:
            needs = "requires argument" in error.msg
            letter = error.opt[:1] or "-"
            ctx.warn(f"option requires an argument -- {letter}" if needs else f"illegal option -- {letter}")
            raise self.usage() from None
        self.all: dict[str, list[str]] = {}
        for letter, value in pairs:
            self.all.setdefault(letter[1], []).append(value)
        self.verbose = min(len(self.all.get("v", [])), 2)
        self.recurse = False
        self.anchor = ""

    def usage(self, message: str = "") -> Exit:
        """Return the end of a run that was called wrongly."""
        if message:
            self.ctx.warn(message)
        self.ctx.err.write(USAGE)
        return Exit(1)

    def __contains__(self, letter: str) -> bool:
        """Say whether the option was given."""
        return letter in self.all

    def last(self, letter: str) -> str | None:
        """Return the last argument of an option, None without it."""
        return self.all[letter][-1] if letter in self.all else None

    def word(self, letter: str, words: t.Iterable[str], what: str) -> str | None:
        """Return which of the words an option's argument begins, None without the option."""
        given = self.last(letter)
        if given is None:
            return None
        found = next((word for word in words if given and word.startswith(given)), None)
        if found is None:
            raise self.usage(f"Unknown {what} '{given}'")
        return found

    @property
    def writes(self) -> bool:
        """Whether pfctl opens the device for writing."""
        command = self.last("T")
        if command is not None:
            return not command.startswith(("s", "t"))
        return any(letter in self for letter in "deFkKfxz")


def pfctl(ctx: Context) -> int:
    """pfctl(8)."""
    request = Request(ctx)
    if not ctx.arguments or "h" in request:
        raise request.usage()
    show = request.word("s", pf_show.WORDS, "show modifier")
    flush = request.word("F", FLUSHES, "flush modifier")
    command = request.word("T", pf_tables.COMMANDS, "table command")
    level = request.word("x", LEVELS, "debug level")
    request.word("o", OPTIMIZE, "optimization")
    _check(request, command)
    _anchor(request, show, command)
    _open(request)
    if "n" in request:
        show = flush = level = None
    else:
        _switch(request, "d")
    status = pf_show.show(request, show) if show else 0
    if flush:
        status = _flush(request, flush) or status
    if "k" in request:
        pf_states.kill(request)
    if command and command != "load":
        return _table(request, command)
    if "f" in request:
        load(request, tables_only=command == "load")
    if "n" not in request:
        _switch(request, "e")
    if level:
        _set_level(request, level)
    return status


def _check(request: Request, command: str | None) -> None:
    if "S" in request and "r" in request:
        raise Exit(1, "-N and -r are mutually exclusive")
    for letter in "kK":
        if len(request.all.get(letter, [])) > 2:
            raise request.usage(f"can only specify -{letter} twice")
    if (command is None) != ("t" not in request):
        raise request.usage()
    if command is None and request.operands:
        raise request.usage(f"unknown command line argument: {request.operands[0]} ...")
    for letter in "K":
        if letter in request:
            raise Exit(1, f"the model does not know -{letter}")


def _anchor(request: Request, show: str | None, command: str | None) -> None:
    given = request.last("a")
    if given is None:
        return
    if not given:
        raise Exit(1, "anchor name must not be empty")
    if not request.writes and show is None and command is None:
        raise request.usage("anchors apply to -f, -F, -s, and -T only")
    if request.writes and command is None and (given.startswith("_") or "/_" in given):
        raise Exit(1, "anchor names beginning with '_' cannot be modified from the command line")
    if given.endswith("*"):
        request.recurse = True
        given = given.removesuffix("*").removesuffix("/")
    request.anchor = given


def _open(request: Request) -> None:
    ctx = request.ctx
    with ctx.host.kernel() as kernel:
        there = ctx.jail is None and pf_kernel.loaded(kernel)
        if there:
            pf_kernel.state(kernel)
    if not there:
        what = "Failed to open netlink" if "n" in request else request.last("p") or "/dev/pf"
        raise Exit(1, f"{what}: No such file or directory")
    if request.verbose and "n" not in request:
        ctx.err.write("No ALTQ support in kernel\nALTQ related functions disabled\n")


def _switch(request: Request, letter: str) -> None:
    """Enable or disable pf."""
    if letter not in request:
        return
    import time  # noqa: PLC0415

    on = letter == "e"
    with request.ctx.host.kernel() as kernel:
        pf = pf_kernel.state(kernel)
        if pf["enabled"] == on:
            raise Exit(1, "pf already enabled" if on else "pf not enabled")
        pf.update(enabled=on, since=time.time())
    if "q" not in request:
        request.ctx.err.write("pf enabled\n" if on else "pf disabled\n")


def _set_level(request: Request, level: str) -> None:
    with request.ctx.host.kernel() as kernel:
        pf_kernel.state(kernel)["options"]["debug"] = level
    if "q" not in request:
        request.ctx.err.write(f"debug level set to '{level}'\n")


def _table(request: Request, command: str) -> int:
    name = request.last("t") or ""
    addressed = command in ("add", "delete", "replace", "test", "zero", "expire")
    unfit = (request.operands and not addressed) or (command == "expire" and "f" in request)
    if len(name) > MAX_TABLE_NAME or unfit:
        raise request.usage()
    quiet, dummy = "q" in request, "n" in request
    file = request.last("f")
    table = pf_tables.Request(request.ctx, request.anchor, name, request.operands, file, request.verbose, quiet, dummy)
    return pf_tables.run(table, command)


# Loading --------------------------------------------------------------------------------------------------------------


def load(request: Request, *, tables_only: bool = False) -> None:
    """Check the file and, unless ``-n``, load it with the anchors that it loads, all or nothing."""
    with request.ctx.host.kernel() as kernel:
        interfaces = pf_kernel.Live(kernel)
        configs = _read_all(request, interfaces)
        if "n" in request:
            return
        chosen = {letter for letter in "NRAO" if letter in request}
        kinds = _kinds(chosen, tables_only)
        options = not tables_only and not request.anchor and (not chosen or "O" in chosen)
        pf_kernel.commit(pf_kernel.state(kernel), configs, kinds, options=options, merge="m" in request)


def _kinds(chosen: set[str], tables_only: bool) -> set[str]:
    if tables_only:
        return {"tables"}
    if not chosen:
        return {*pf_parse.KINDS, "tables"}
    return ({"nat", "rdr", "binat"} if "N" in chosen else set()) | ({"scrub", "filter"} if "R" in chosen else set())


def _read_all(request: Request, interfaces: pf_kernel.Live) -> list[Config]:
    macros: dict[str, str] = {}
    for given in request.all.get("D", []):
        name, equals, value = given.rpartition("=")
        if equals:
            macros[name] = value
        else:
            request.ctx.warn(f"could not parse macro definition {given}")
    main = _read(request, request.last("f") or "", request.anchor, interfaces, macros)
    if main is None:
        raise Exit(1, "" if "n" in request else "Syntax error in config file: pf rules not loaded")
    configs = [main]
    for anchor, file in main.loads:
        if request.verbose:
            request.ctx.err.write(f"\nLoading anchor {anchor} from {file}\n")
        config = _read(request, file, anchor, interfaces, {})
        if config is None:
            if "n" not in request:
                request.ctx.warn("Syntax error in config file: pf rules not loaded")
            raise Exit(1, "load anchors")
        configs.append(config)
    return configs


def _read(
    request: Request, file: str, anchor: str, interfaces: pf_kernel.Live, macros: t.Mapping[str, str]
) -> Config | None:
    ctx = request.ctx
    if file == "-":
        name, text = "stdin", ctx.stdin.read().decode(errors="surrogateescape")
    else:
        name, path = file, ctx.path(file)
        if not path.exists():
            ctx.warn(f"pushfile: {file}: No such file or directory")
            ctx.warn("cannot open the main config file!: No such file or directory")
            return None
        text = path.read_text(errors="surrogateescape") if path.is_file() else ""
    settings = Settings(anchor, request.verbose, "P" in request)
    parser = pf_parse.Parser(ctx, name, text, interfaces, settings)
    if not parser.parse(macros):
        return None
    if request.verbose:
        for line in pf_parse.show(parser.config, settings):
            ctx.print(line)
    return parser.config


# Flushing -------------------------------------------------------------------------------------------------------------


def _flush(request: Request, what: str) -> int:
    ctx = request.ctx
    if what in NOT_MODELLED:
        return 0

    def say(text: str) -> None:
        if "q" not in request:
            ctx.err.write(f"{text}\n")

    with ctx.host.kernel() as kernel:
        pf = pf_kernel.state(kernel)
        if what == "all":
            return _flush_all(request, pf, say)
        _flush_one(request, pf, what, say)
    return 0


def _flush_one(request: Request, pf: State, what: str, say: t.Callable[[str], None]) -> None:
    told = _FLUSH[what](request, pf)
    # With ``*`` pfctl lists the anchors instead of saying what it did.
    if not (request.recurse and what in ("rules", "Tables")):
        say(told)


def _flush_rules(request: Request, pf: State) -> str:
    for anchor in _below(request, pf):
        pf_kernel.flush(pf, anchor, ("scrub", "filter"))
    return "rules cleared"


def _flush_nat(request: Request, pf: State) -> str:
    pf_kernel.flush(pf, request.anchor, ("nat", "rdr", "binat"))
    return "nat cleared"


def _flush_tables(request: Request, pf: State) -> str:
    deleted = sum(len(pf["tables"].pop(anchor, {})) for anchor in _below(request, pf))
    return f"{deleted} tables deleted."


def _flush_info(_request: Request, pf: State) -> str:
    pf["count"] = {}
    return "pf: statistics cleared"


def _reset(_request: Request, pf: State) -> str:
    pf.update(limits={}, timeouts={}, options={}, skip=[])
    return "pf: interface flags reset"


_FLUSH: dict[str, t.Callable[[Request, State], str]] = {
    "rules": _flush_rules,
    "nat": _flush_nat,
    "ethernet": lambda _request, _pf: "Ethernet rules cleared",
    "Tables": _flush_tables,
    "states": lambda _request, pf: f"{pf_states.clear(pf)} states cleared",
    "Sources": lambda _request, _pf: "source tracking entries cleared",
    "info": _flush_info,
    "Reset": _reset,
}


def _below(request: Request, pf: State) -> list[str]:
    """Return the anchor that is meant; with ``*`` all below it too, which pfctl lists."""
    if not request.recurse:
        return [request.anchor]
    prefix = f"{request.anchor}/" if request.anchor else ""
    found = [path for path in sorted(pf_kernel.anchors(pf), reverse=True) if path.startswith(prefix)]
    request.ctx.print("Removing:")
    for path in [*found, request.anchor]:
        request.ctx.print(f"  {path or '/'}")
    return [*found, request.anchor]


def _flush_all(request: Request, pf: State, say: t.Callable[[str], None]) -> int:
    for what in ("ethernet", "rules", "nat"):
        recurse, request.recurse = request.recurse, False
        _flush_one(request, pf, what, say)
        request.recurse = recurse
    if request.recurse:
        for anchor in _below(request, pf):
            pf["tables"].pop(anchor, None)
            pf_kernel.flush(pf, anchor, pf_parse.KINDS)
    elif request.anchor:
        # Clearing the tables of one anchor is something that the kernel of 15.1 does not support.
        request.ctx.warn("Operation not supported by device")
        return 1
    else:
        _flush_one(request, pf, "Tables", say)
        _flush_one(request, pf, "rules", say)
    if not request.anchor:
        for what in ("states", "Sources", "info", "Reset"):
            _flush_one(request, pf, what, say)
    return 0
