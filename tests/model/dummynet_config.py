# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words after ``pipe N config``, ``queue N config`` and ``sched N config``, as dnctl(8) reads them."""

from __future__ import annotations

import re
import typing as t

from model.command import Exit

if t.TYPE_CHECKING:
    from model.command import Context

EX_USAGE, EX_DATAERR = 64, 65
UINT_MAX = 2**32 - 1
MAX_DELAY, SLOT_LIMIT, BYTE_LIMIT = 10000, 100, 1024 * 1024
PLR_ONE, RED_ONE, PIE_ONE = 0x7FFFFFFF, 1 << 16, 1 << 13
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
MASKS = {
    "dst-ip": ("dst_ip", UINT_MAX, 4), "src-ip": ("src_ip", UINT_MAX, 4), "dst-port": ("dst_port", 0xFFFF, 0),
    "src-port": ("src_port", 0xFFFF, 0), "proto": ("proto", 0xFF, 0), "flow-id": ("flow_id", 0xFFFFF, 6),
    "dst-ip6": ("dst_ip6", 128, 6), "src-ip6": ("src_ip6", 128, 6), "dst-ipv6": ("dst_ip6", 128, 6),
    "src-ipv6": ("src_ip6", 128, 6),
}  # fmt: skip
TOO_WIDE = {
    "dst_port": "port mask must be 16 bit", "src_port": "port mask must be 16 bit", "proto": "proto mask must be 8 bit",
    "flow_id": "flow_id mask must be 20 bit", "dst_ip6": "in6addr invalid mask len",
    "src_ip6": "in6addr invalid mask len",
}  # fmt: skip
AQM = {
    "codel": {"target": 5000, "interval": 100000},
    "fq_codel": {"target": 5000, "interval": 100000, "quantum": 1514, "limit": 10240, "flows": 1024},
    "pie": {"target": 15000, "tupdate": 15000, "max_burst": 150000, "max_ecnth": 819, "alpha": 1024, "beta": 10240},
}
AQM["fq_pie"] = {**AQM["pie"], "quantum": 1514, "limit": 10240, "flows": 1024}
AQM_TIMES = ("target", "interval", "tupdate", "max_burst")
AQM_FIXED = ("max_ecnth", "alpha", "beta")
AQM_FLAGS = {
    "ecn": ("ecn", True), "noecn": ("ecn", False), "capdrop": ("capdrop", True), "nocapdrop": ("capdrop", False),
    "onoff": ("onoff", True), "dre": ("dre", True), "ts": ("dre", False), "derand": ("derand", True),
    "noderand": ("derand", False),
}  # fmt: skip
AQM_FIRST = {
    "codel": {"ecn": False},
    "fq_codel": {"ecn": True},
    "pie": {"ecn": False, "capdrop": True, "onoff": False, "dre": True, "derand": True},
    "fq_pie": {"ecn": True, "capdrop": True, "onoff": False, "dre": False, "derand": True},
}


class Request:
    """What one ``config`` asks of the kernel; what it does not mention has its default."""

    def __init__(self, kind: str, number: int) -> None:
        """Everything at its default."""
        self.kind, self.number = kind, number
        self.bandwidth = self.delay = self.burst = 0
        # None: keep what the flow set has.
        self.parameters: list[int | None] = [None, None, None]
        self.plr = self.size = 0
        self.in_bytes = self.noerror = self.have_mask = self.ecn = False
        self.buckets = 0
        self.mask: dict[str, int] = {}
        self.red: dict[str, t.Any] = {}
        self.aqm: dict[str, t.Any] = {}
        self.type = ""
        self.scheduler_parameters: dict[str, t.Any] = {}
        self.target = 0


def leading_number(text: str) -> int:
    """Return the decimal number that a text begins with (atoi(3))."""
    match = re.match(r"\d+", text)
    return int(match.group()) if match else 0


def strtoul(text: str) -> tuple[int, str]:
    """Return the number that a text begins with, decimal, octal or hexadecimal, and the rest."""
    match = re.match(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*", text)
    if not match:
        return 0, text
    word = match.group()
    base = 16 if word[:2] in ("0x", "0X") else 8 if word.startswith("0") else 10
    return int(word, base), text[match.end() :]


def strtod(text: str) -> float:
    """Return the number that a text begins with."""
    match = re.match(r"-?(\d+\.?\d*|\.\d+)", text)
    return float(match.group()) if match else 0.0


def parse(ctx: Context, kind: str, words: list[str]) -> Request:
    """Read the number and the words, or end with what dnctl says of them."""
    number = leading_number(words[0]) if words and words[0][:1].isdigit() else -1
    if number <= 0:
        raise Exit(EX_USAGE, "need a pipe/flowset/sched number")
    request = Request(kind, number)
    reader = _Words(ctx, request, words[1:])
    while reader.words:
        reader.option()
    _check(request)
    return request


class _Words:
    """Reads options one after the other."""

    def __init__(self, ctx: Context, request: Request, words: list[str]) -> None:
        self.ctx, self.request, self.words = ctx, request, words
        self.told_bandwidth = False

    def option(self) -> None:
        """Read one option with its values."""
        word = self.words.pop(0)
        if word not in _OPTIONS:
            raise Exit(EX_DATAERR, f"unrecognised option ``{word}''")
        read, kinds, unfit, missing = _OPTIONS[word]
        if self.request.kind not in kinds.split():
            raise Exit(EX_DATAERR, unfit)
        if missing and not self.words:
            raise Exit(EX_USAGE, missing)
        read(self, word)

    # Links --------------------------------------------------------------------------------------------------------

    def bandwidth(self, _word: str) -> None:
        """``bw 10Mbit/s``"""
        text = self.words.pop(0)
        if self.told_bandwidth:
            self.ctx.warn("duplicate token, override bandwidth value!")
        if "a" <= text[:1] <= "z":
            raise Exit(1, "no if support")
        value, unit = strtoul(text)
        scale = {"k": 1000, "m": 1000000, "g": 1000000000}.get(unit[:1].lower(), 1)
        unit = unit[1:] if scale > 1 else unit
        # ``B`` is bytes, unless it begins ``Bit/s``; so is ``bytes``.
        octets = (unit.startswith("B") and not unit.startswith("Bi")) or unit.startswith("by")
        value *= scale * (8 if octets else 1)
        if value > UINT_MAX:
            raise Exit(EX_DATAERR, "bandwidth too large")
        self.request.bandwidth = value % UINT_MAX
        self.told_bandwidth = True

    def delay(self, _word: str) -> None:
        """``delay 10`` (ms)"""
        self.request.delay = strtoul(self.words.pop(0))[0]

    def burst(self, _word: str) -> None:
        """``burst 15000`` (bytes)"""
        text = self.words.pop(0)
        match = re.fullmatch(r"(\d+)([kmgtpe]?)b?", text.lower())
        if not match:
            raise Exit(EX_DATAERR, "burst: invalid argument")
        value = int(match.group(1)) * UNITS.get(match.group(2), 1)
        if value >= 1 << 48:
            raise Exit(EX_DATAERR, "burst: out of range (0..2^48-1)")
        self.request.burst = value

    # Flow sets ----------------------------------------------------------------------------------------------------

    def noerror(self, _word: str) -> None:
        """``noerror``"""
        self.request.noerror = True

    def plr(self, _word: str) -> None:
        """``plr 0.1``"""
        self.request.plr = int(min(max(strtod(self.words.pop(0)), 0), 1) * PLR_ONE)

    def size(self, _word: str) -> None:
        """``queue 60`` or ``queue 50KB``"""
        value, unit = strtoul(self.words.pop(0))
        self.request.in_bytes = unit[:1] in ("K", "k", "B") or unit.startswith("by")
        self.request.size = value * (1024 if unit[:1] in ("K", "k") else 1)

    def buckets(self, _word: str) -> None:
        """``buckets 128``"""
        self.request.buckets = strtoul(self.words.pop(0))[0]

    def parameter(self, word: str) -> None:
        """``weight 10``, ``lmax 1500``, ``pri 1``"""
        place = {"weight": 0, "lmax": 1, "maxlen": 1}.get(word, 2)
        text = self.words.pop(0)
        sign = -1 if text.startswith("-") else 1
        self.request.parameters[place] = sign * strtoul(text.lstrip("-"))[0]

    def target(self, _word: str) -> None:
        """``pipe 1`` or ``sched 1``"""
        self.request.target = strtoul(self.words.pop(0))[0]

    def red(self, word: str) -> None:
        """``red W/MIN/MAX/P``"""
        parts = [*self.words.pop(0).split("/"), "", "", "", ""]
        weight, probability = strtod(parts[0]), strtod(parts[3])
        if not 0 < weight <= 1:
            raise Exit(EX_DATAERR, "0 < w_q <= 1")
        if not 0 <= probability <= 1:
            raise Exit(EX_DATAERR, "0 <= max_p <= 1")
        low, high = (value * (1024 if unit[:1] in ("K", "k") else 1) for value, unit in map(strtoul, parts[1:3]))
        self.request.red = {
            "gentle": word == "gred", "w_q": int(weight * RED_ONE), "min_th": low, "max_th": high,
            "max_p": int(probability * RED_ONE),
        }  # fmt: skip

    def ecn(self, _word: str) -> None:
        """``ecn``"""
        self.request.ecn = True

    def droptail(self, _word: str) -> None:
        """``droptail``"""
        self.request.red = {}

    def aqm(self, word: str) -> None:
        """``codel ...`` or ``pie ...``: all the words after it belong to it"""
        self.request.red = {}
        self.request.aqm = self._aqm_parameters(word)

    # Schedulers ---------------------------------------------------------------------------------------------------

    def type(self, _word: str) -> None:
        """``type fq_codel ...``"""
        name = self.words.pop(0)
        if not 0 < len(name) <= 15:
            raise Exit(1, f"type {name} too long")
        self.request.type = name
        if name.lower() in ("fq_codel", "fq_pie"):
            self.request.scheduler_parameters = self._aqm_parameters(name.lower())

    def fair(self, word: str) -> None:
        """``fq_codel ...``: parameters of a scheduler that has that type already"""
        self.request.scheduler_parameters = self._aqm_parameters(word)

    def _aqm_parameters(self, name: str) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {"name": name, **AQM[name], **AQM_FIRST[name]}
        while self.words:
            word = self.words.pop(0)
            if word in AQM_FLAGS and AQM_FLAGS[word][0] in found:
                flag, value = AQM_FLAGS[word]
                found[flag] = value
            elif word in AQM["fq_codel"] | AQM["fq_pie"]:
                found[word] = self._aqm_value(name, word)
            else:
                self.ctx.print(f"{word} is {'Invalid' if 'codel' in name else 'invalid'} parameter")
        return found

    def _aqm_value(self, name: str, word: str) -> int:
        if word not in AQM[name]:
            raise Exit(EX_DATAERR, f"{word} is not for {name}{', use queue instead' if word == 'limit' else ''}\n")
        text = self.words.pop(0) if self.words else ""
        if word in AQM_TIMES:
            match = re.fullmatch(r"(\d*\.?\d*)(us|ms|s|)", text, re.IGNORECASE)
            if not match or not match.group(1):
                raise Exit(EX_DATAERR, f"{word} needs time\n")
            scale = {"us": 1, "s": 1000000}.get(match.group(2).lower(), 1000)
            return int(float(match.group(1)) * scale)
        if not re.fullmatch(r"\d*\.?\d*", text) or not text:
            raise Exit(EX_DATAERR, f"{word} needs number\n")
        return int(float(text) * PIE_ONE) if word in AQM_FIXED else int(float(text))

    # Masks --------------------------------------------------------------------------------------------------------

    def mask(self, _word: str) -> None:
        """``mask dst-ip 0xffffffff ...``, ``mask all``, ``mask queue``"""
        request = self.request
        request.mask = {}
        while self.words:
            word = self.words[0]
            if word == "all":
                self.words.pop(0)
                full = {"dst_ip": UINT_MAX, "src_ip": UINT_MAX, "dst_port": 0xFFFF, "src_port": 0xFFFF, "proto": 0xFF}
                request.mask = {**full, "dst_ip6": 128, "src_ip6": 128, "flow_id": UINT_MAX}
                request.have_mask = True
                return
            if word == "queue":
                self.words.pop(0)
                request.mask["extra"] = request.have_mask = True
                return
            if word not in MASKS:
                return
            self._one_mask(self.words.pop(0))

    def _one_mask(self, word: str) -> None:
        name, widest, family = MASKS[word]
        if not self.words:
            raise Exit(EX_USAGE, "mask: value missing")
        text = self.words.pop(0)
        value = strtoul(text.lstrip("/"))[0]
        if text.startswith("/") and not name.endswith("ip6"):
            value = UINT_MAX if value == 32 else (1 << value) - 1
        if value > widest and name in TOO_WIDE:
            raise Exit(EX_DATAERR, TOO_WIDE[name])
        self.request.mask[name] = value & UINT_MAX
        if family:
            self.request.mask["family"] = family
        self.request.have_mask = self.request.have_mask or value != 0


Option = tuple[t.Callable[[_Words, str], None], str, str, str]
_FLOW, _LINK = "pipe queue sched", "pipe"
_OPTIONS: dict[str, Option] = {
    "noerror": (_Words.noerror, _FLOW, "", ""),
    "plr": (_Words.plr, _FLOW, "", "plr needs argument 0..1\n"),
    "queue": (_Words.size, _FLOW, "", "queue needs queue size\n"),
    "buckets": (_Words.buckets, _FLOW, "", "buckets needs argument\n"),
    "mask": (_Words.mask, _FLOW, "", "mask needs mask specifier\n"),
    "sched_mask": (_Words.mask, _FLOW, "", "mask needs mask specifier\n"),
    "flow_mask": (_Words.mask, _FLOW, "", "mask needs mask specifier\n"),
    "codel": (_Words.aqm, _FLOW, "", ""),
    "pie": (_Words.aqm, _FLOW, "", ""),
    "fq_codel": (_Words.fair, "pipe sched", "fq_codel/fq_pie is only for schd", ""),
    "fq_pie": (_Words.fair, "pipe sched", "fq_codel/fq_pie is only for schd", ""),
    "red": (_Words.red, _FLOW, "", "red/gred needs w_q/min_th/max_th/max_p\n"),
    "gred": (_Words.red, _FLOW, "", "red/gred needs w_q/min_th/max_th/max_p\n"),
    "ecn": (_Words.ecn, _FLOW, "", ""),
    "droptail": (_Words.droptail, _FLOW, "", ""),
    "bw": (_Words.bandwidth, _LINK, "bw is only for links", "bw needs bandwidth or interface\n"),
    "bandwidth": (_Words.bandwidth, _LINK, "bw is only for links", "bw needs bandwidth or interface\n"),
    "delay": (_Words.delay, _LINK, "delay is only for links", "delay needs argument 0..10000ms\n"),
    "burst": (_Words.burst, _LINK, "burst", "burst needs argument\n"),
    "type": (_Words.type, "pipe sched", "type is only for schedulers", "type needs a string"),
    "weight": (_Words.parameter, _FLOW, "", "weight needs argument\n"),
    "lmax": (_Words.parameter, _FLOW, "", "lmax needs argument\n"),
    "maxlen": (_Words.parameter, _FLOW, "", "lmax needs argument\n"),
    "pri": (_Words.parameter, _FLOW, "", "priority needs argument\n"),
    "priority": (_Words.parameter, _FLOW, "", "priority needs argument\n"),
    "pipe": (_Words.target, _FLOW, "", "pipe/link/sched needs number\n"),
    "sched": (_Words.target, _FLOW, "", "pipe/link/sched needs number\n"),
}


def _check(request: Request) -> None:
    if request.delay > MAX_DELAY:
        raise Exit(EX_DATAERR, f"delay must be < {MAX_DELAY}")
    if request.in_bytes and request.size > BYTE_LIMIT:
        raise Exit(EX_DATAERR, f"queue size must be < {BYTE_LIMIT}B")
    if not request.in_bytes and request.size > SLOT_LIMIT:
        raise Exit(EX_DATAERR, f"2 <= queue size <= {SLOT_LIMIT}")
    if request.ecn and not request.red and not request.aqm:
        raise Exit(EX_USAGE, "ECN can be used with red/gred/codel/fq_codel only!")
    if request.red:
        low, high = request.red["min_th"], request.red["max_th"]
        if low >= high and not (request.ecn and low == high):
            raise Exit(EX_DATAERR, f"min_th {low} must be {'=<' if request.ecn else '<'} than max_th {high}")
