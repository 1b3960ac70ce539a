# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text filters: options as FreeBSD's programs take them, the work done by this machine's program of the same name.

What a filter does to text is the same on both systems as long as only options are given that FreeBSD knows; so the
options are checked against the table here and then translated where this machine's program spells them otherwise.
"""

from __future__ import annotations

import os
import re
import typing as t

from model.command import Exit, options
from model.files import FLAG_NAMES, Files
from model.longopts import long_options
from model.process_run import run_here

if t.TYPE_CHECKING:
    from model.command import Context

Found = dict[str, list[str]]


class Spec(t.NamedTuple):
    """A program's options as getopt(3) or getopt_long(3) are given them, what it says to others, and its operands."""

    letters: str
    usage: str
    status: int = 1
    names: t.Mapping[str, str] | None = None
    # Leading operands that are no files (a script, a pattern); None: none of the operands is checked to be there.
    skip: int | None = 0
    # Options that give the script or pattern, so that no operand does.
    scripts: str = ""


GREP_LONG = {
    "binary-files": ":",
    "help": "",
    "mmap": "",
    "line-buffered": "",
    "label": ":",
    "null": "",
    "color": "::",
    "colour": "::",
    "exclude": ":",
    "include": ":",
    "exclude-dir": ":",
    "include-dir": ":",
    "after-context": "A:",
    "text": "a",
    "before-context": "B:",
    "byte-offset": "b",
    "context": "C::",
    "count": "c",
    "devices": "D:",
    "directories": "d:",
    "extended-regexp": "E",
    "regexp": "e:",
    "fixed-strings": "F",
    "file": "f:",
    "basic-regexp": "G",
    "no-filename": "h",
    "with-filename": "H",
    "ignore-case": "i",
    "files-with-matches": "l",
    "files-without-match": "L",
    "max-count": "m:",
    "line-number": "n",
    "only-matching": "o",
    "quiet": "q",
    "silent": "q",
    "recursive": "r",
    "no-messages": "s",
    "binary": "U",
    "invert-match": "v",
    "version": "V",
    "word-regexp": "w",
    "line-regexp": "x",
    "null-data": "z",
}
SORT_LONG = {
    "ignore-leading-blanks": "b",
    "dictionary-order": "d",
    "ignore-case": "f",
    "general-numeric-sort": "g",
    "human-numeric-sort": "h",
    "ignore-nonprinting": "i",
    "month-sort": "M",
    "numeric-sort": "n",
    "random-sort": "R",
    "reverse": "r",
    "version-sort": "V",
    "check": "c::",
    "key": "k:",
    "merge": "m",
    "output": "o:",
    "stable": "s",
    "field-separator": "t:",
    "unique": "u",
    "zero-terminated": "z",
}
SPECS: dict[str, Spec] = {
    "sed": Spec(
        "EI:ae:f:i:lnrsu",
        "usage: sed script [-Ealnru] [-i extension] [file ...]\n"
        "\tsed [-Ealnu] [-i extension] [-e script] ... [-f script_file] ... [file ...]\n",
        skip=1,
        scripts="ef",
    ),
    "grep": Spec(
        "0123456789A:B:C:D:EFGHILOPSRUVabcd:e:f:hilm:nopqrsuvwxyz".replace("P", ""),
        "usage: grep [-abcDEFGHhIiLlmnOopqRSsUVvwxz] [-A num] [-B num] [-C num]\n"
        "\t[-e pattern] [-f file] [--binary-files=value] [--color=when]\n"
        "\t[--context=num] [--directories=action] [--label] [--line-buffered]\n"
        "\t[--null] [pattern] [file ...]\n",
        2,
        GREP_LONG,
        skip=None,
    ),
    "sort": Spec(
        "+bcCdfghik:Mmno:RrsS:t:T:uVz",
        "usage: sort [-bcCdfigMnrsuz] [-kPOS1[,POS2] ... ] [+POS1 [-POS2]] [-S memsize] "
        "[-T tmpdir] [-t separator] [-o outfile] [--batch-size size] [--files0-from file] "
        "[--heapsort] [--mergesort] [--radixsort] [--qsort] [--mmap] "
        "[--parallel thread_no] [--human-numeric-sort] [--version-sort] [--random-sort "
        "[--random-source file]] [--compress-program program] [file ...]\n",
        2,
        SORT_LONG,
    ),
    "head": Spec(
        "+n:c:qv",
        "usage: head [-n lines | -c bytes] [-qv] [file ...]\n",
        names={"bytes": "c:", "lines": "n:", "quiet": "q", "silent": "q", "verbose": "v"},
    ),
    "tail": Spec(
        "+Fb:c:fn:qrv",
        "usage: tail [-F | -f | -r] [-qv] [-b # | -c # | -n #] [file ...]\n",
        names={"blocks": "b:", "bytes": "c:", "lines": "n:", "quiet": "q", "silent": "q", "verbose": "v"},
    ),
    "cut": Spec(
        "b:c:d:f:snw",
        "usage: cut -b list [-n] [file ...]\n       cut -c list [file ...]\n"
        "       cut -f list [-s] [-w | -d delim] [file ...]\n",
    ),
    "tr": Spec(
        "Ccdsu",
        "usage: tr [-Ccsu] string1 string2\n       tr [-Ccu] -d string1\n       tr [-Ccu] -s string1\n"
        "       tr [-Ccu] -ds string1 string2\n",
        skip=None,
    ),
    "paste": Spec("d:s", "usage: paste [-s] [-d delimiters] file ...\n"),
    "comm": Spec("123i", "usage: comm [-123i] file1 file2\n"),
    "join": Spec(
        "+a:e:j:1:2:o:t:v:",
        "usage: join [-a fileno | -v fileno ] [-e string] [-1 field] [-2 field]\n"
        "            [-o list] [-t char] file1 file2\n",
    ),
    "awk": Spec(
        "F:v:f:ds",
        "usage: awk [-F fs | --csv][-v var=value][prog | -f progfile][file ...]\n",
        2,
        skip=None,
    ),
    "diff": Spec(
        "0123456789aA:bBcC:dD:efF:HhI:ilL:M:nNoPpqrS:sTtU:uwW:X:x:y",
        "usage: diff [-aBbdilpTtw] [-c | -e | -f | -n | -q | -u] [--ignore-case]\n"
        "            [--no-ignore-case] [--normal] [--strip-trailing-cr] [--tabsize]\n"
        "            [-I pattern] [-F pattern] [-L label] file1 file2\n",
        2,
        {
            "brief": "q",
            "unified": "U::",
            "label": "L:",
            "recursive": "r",
            "new-file": "N",
            "text": "a",
            "normal": "",
            "ignore-case": "i",
            "report-identical-files": "s",
            "exclude": "x:",
            "strip-trailing-cr": "",
            "color": "::",
        },
        skip=None,
    ),
    "xargs": Spec(
        "+0E:I:J:L:n:oP:pR:S:s:rtx",
        "usage: xargs [-0opt] [-E eofstr] [-I replstr [-R replacements] [-S replsize]]\n"
        "             [-J replstr] [-L number] [-n number [-x]] [-P maxprocs]\n"
        "             [-s size] [utility [argument ...]]\n",
        1,
        {"null": "0"},
        skip=None,
    ),
    "expr": Spec("e", "usage: expr [-e] expression\n", 2, skip=None),
    "fold": Spec("0123456789bsw:", "usage: fold [-bs] [-w width] [file ...]\n"),
    "rev": Spec("", "usage: rev [file ...]\n"),
    "nl": Spec("p:b:d:f:h:i:l:n:s:v:w:", "usage: nl [-p] [-b type] [-d delim] [-f type] [-h type] [file]\n"),
    "base64": Spec("b:Ddi:o:w:", "usage: base64 [-h | -D | -d] [-b count] [-i in_file] [-o out_file]\n", skip=None),
    "od": Spec("A:aBbcDdeFfHhIij:LlN:OosSt:vXx", "usage: od [-aBbcDdeFfHhIiLlOosvXx] [-A base] [-j skip] [file]\n"),
    "split": Spec(
        "0123456789a:b:cd l:n:p:".replace(" ", ""),
        "usage: split [-cd] [-l line_count] [-a suffix_length] [file [prefix]]\n",
        64,
        skip=None,
    ),
    "seq": Spec(
        "+f:hs:t:vw",
        "usage: seq [-w] [-f format] [-s string] [-t string] [first [incr]] last\n",
        1,
        {"format": "f:", "separator": "s:", "terminator": "t:", "equal-width": "w", "help": "h", "version": "v"},
        skip=None,
    ),
}
# Programs that cannot be told apart by the name that they are called by.
ALIASES = {"egrep": ("grep", "-E"), "fgrep": ("grep", "-F"), "gzcat": ("zcat", ""), "zgrep": ("zgrep", "")}


def _short_options(ctx: Context, spec: Spec) -> tuple[Found, list[str]]:
    """Parse as the program's getopt would; the table says by its long options which of the two it is."""
    if spec.names is not None:
        return long_options(ctx, spec.letters, spec.names, spec.usage, spec.status)
    return options(ctx, spec.letters, spec.usage, spec.status)


def filter_text(ctx: Context) -> int:
    """Run the text filter that the program's name says."""
    name = ctx.argv[0]
    alias, extra = ALIASES.get(name, (name, ""))
    spec = SPECS[alias]
    _count(ctx, alias)
    found, operands = _short_options(ctx, spec)
    if extra:
        found.setdefault(extra[1:], []).append("")
    argv = TRANSLATIONS.get(alias, _plain)(ctx, alias, found, operands)
    if argv is None:
        return 0
    missing: list[str] = []
    if spec.skip is not None:
        missing = _missing(ctx, spec, found, operands)
        if missing and set(missing) >= set(_files(spec, found, operands)):
            return 2 if alias == "sort" else 1
        argv = [word for word in argv if word not in missing]
    status = run_here(ctx, argv)
    return max(status, 1) if missing else status


def _count(ctx: Context, name: str) -> None:
    """Rewrite ``head -5`` and ``tail +3`` as ``-n``, as the programs themselves do."""
    if name not in ("head", "tail") or len(ctx.argv) < 2:
        return
    match = re.fullmatch(r"([-+])(\d+)([bclfr]?)", ctx.argv[1])
    if not match or (name == "head" and match[1] == "+"):
        return
    sign = "+" if match[1] == "+" else ""
    letter = {"c": "-c", "b": "-b"}.get(match[3], "-n")
    ctx.argv[1:2] = [letter, sign + match[2], *([f"-{match[3]}"] if match[3] in ("f", "r") else [])]


def _files(spec: Spec, found: Found, operands: list[str]) -> list[str]:
    skip = 0 if any(letter in found for letter in spec.scripts) else spec.skip or 0
    return operands[skip:]


def _missing(ctx: Context, spec: Spec, found: Found, operands: list[str]) -> list[str]:
    """Report the files that are not there, in FreeBSD's words; return them."""
    missing = []
    for name in _files(spec, found, operands):
        if name != "-" and not ctx.path(name).exists():
            ctx.warn(f"{name}: No such file or directory")
            missing.append(name)
    return missing


def _plain(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    """Give the program the same options in the same words; long ones without a letter by their name."""
    del ctx
    argv = [name]
    for option, values in found.items():
        for value in values:
            if len(option) > 1:
                argv.append(f"--{option}" + (f"={value}" if value else ""))
            else:
                argv += [f"-{option}", value] if value else [f"-{option}"]
    return [*argv, "--", *operands]


def _sed(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if not any(letter in found for letter in "ef"):
        if not operands:
            ctx.err.write(SPECS["sed"].usage)
            raise Exit(1)
        found["e"] = [operands.pop(0)]
    suffixes = found.pop("i", []) + found.pop("I", [])
    if suffixes and not operands:
        raise Exit(1, "-I or -i may not be used with stdin")
    found.pop("a", None)
    if found.pop("l", None):
        found["u"] = [""]
    argv = _plain(ctx, name, found, operands)
    if argv and suffixes:
        argv.insert(1, f"-i{suffixes[-1]}")
        files = Files(ctx.host)
        for operand in operands:
            if ctx.path(operand).exists():
                _check(ctx, files, operand)
    return argv


def _check(ctx: Context, files: Files, name: str) -> None:
    try:
        files.check_remove(ctx.path(name))
    except OSError as error:
        raise Exit(1, f"rename(): {error.strerror}") from None


def _grep(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if "e" not in found and "f" not in found and not operands:
        ctx.err.write(SPECS["grep"].usage)
        raise Exit(2)
    if "V" in found:
        ctx.print("grep (BSD grep, GNU compatible) 2.6.0-FreeBSD")
        return None
    found.pop("p", None)
    if found.pop("S", None):
        found["R"] = found.pop("r", [""])
    return _plain(ctx, name, found, operands)


def _tail(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if found.pop("r", None):
        argv = _plain(ctx, "tac", {}, operands)
        return (
            argv if "n" not in found else ["sh", "-c", f'tac "$@" | head -n {int(found["n"][-1])}', *(argv or [])[1:]]
        )
    if "b" in found:
        found["c"] = [str(int(found.pop("b")[-1]) * 512)]
    return _plain(ctx, name, found, operands)


def _head(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    for letter, what in (("n", "line"), ("c", "byte")):
        for value in found.get(letter, []):
            if not re.fullmatch(r"\d+[kKmMgG]?", value):
                raise Exit(1, f"illegal {what} count -- {value}")
    return _plain(ctx, name, found, operands)


def _cut(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if not found.keys() & {"b", "c", "f"}:
        ctx.err.write(SPECS["cut"].usage)
        raise Exit(1)
    if found.pop("w", None):
        # This machine's cut knows no runs of blanks.
        fields = found["f"][-1]
        found.pop("f")
        return ["sh", "-c", f"sed 's/[[:blank:]][[:blank:]]*/\\t/g' \"$@\" | cut -f {fields}", "cut", *operands]
    return _plain(ctx, name, found, operands)


def _diff(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if len(operands) != 2:
        ctx.err.write(SPECS["diff"].usage)
        raise Exit(2)
    for operand in operands:
        if operand != "-" and not ctx.path(operand).exists() and "N" not in found:
            raise Exit(2, f"{operand}: No such file or directory")
    return _plain(ctx, name, found, operands)


def _xargs(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    # FreeBSD's never runs the program for empty input.
    found["r"] = [""]
    if "J" in found:
        raise Exit(1, "the model does not know -J")
    for letter in ("R", "S", "o"):
        found.pop(letter, None)
    argv = _plain(ctx, name, found, operands)
    if argv:
        argv.remove("--")
    return argv


def _awk(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    if not operands and "f" not in found:
        ctx.err.write(SPECS["awk"].usage)
        raise Exit(2)
    for letter in ("d", "s"):
        found.pop(letter, None)
    return _plain(ctx, name, found, operands)


def _expr(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    del found
    return [name, *operands]


def _base64(ctx: Context, name: str, found: Found, operands: list[str]) -> list[str] | None:
    argv = [name]
    if found.keys() & {"d", "D"}:
        argv.append("-d")
    argv += ["-w", (found.get("b") or found.get("w") or ["0"])[-1]] if "-d" not in argv else []
    return [*argv, *found.get("i", []), *operands]


TRANSLATIONS: dict[str, t.Callable[[Context, str, Found, list[str]], list[str] | None]] = {
    "sed": _sed,
    "grep": _grep,
    "tail": _tail,
    "head": _head,
    "cut": _cut,
    "diff": _diff,
    "xargs": _xargs,
    "awk": _awk,
    "expr": _expr,
    "base64": _base64,
}


# find -----------------------------------------------------------------------------------------------------------------

FIND = """usage: find [-H | -L | -P] [-EXdsx] [-f path] path ... [expression]
       find [-H | -L | -P] [-EXdsx] -f path [path ...] [expression]
"""
ACTIONS = frozenset({"-print", "-print0", "-printf", "-exec", "-execdir", "-ok", "-ls", "-delete", "-quit", "-prune"})


def find(ctx: Context) -> int:
    """find(1); what belongs to the model does not show below the host's root."""
    flags, words = options(ctx, "EHLPXdf:sx", FIND)
    start = flags.get("f", [])
    while words and not words[0].startswith(("-", "(", "!")):
        start = [*start, words.pop(0)]
    if not start:
        ctx.err.write(FIND)
        raise Exit(1)
    prefix = ["-depth"] if "d" in flags or "-delete" in words else []
    prefix += ["-xdev"] if "x" in flags else []
    prefix += ["-regextype", "posix-extended"] if "E" in flags else []
    # The bounds of the search are no tests: this machine's find wants them first.
    for bound in ("-maxdepth", "-mindepth"):
        while bound in words:
            place = words.index(bound)
            prefix += words[place : place + 2]
            del words[place : place + 2]
    for bound in ("-depth", "-xdev", "-mount"):
        if bound in words:
            words.remove(bound)
            prefix.append(bound)
    while "-flags" in words:
        place = words.index("-flags")
        words[place : place + 2] = _with_flags(ctx, start, (words[place + 1 : place + 2] or [""])[0])
    deleting = "-delete" in words
    words = ["-print0" if word == "-delete" else word for word in words]
    hide = _hidden(ctx, start)
    tests = ["(", *words, ")"] if hide and words else words
    if hide and not ACTIONS & set(words):
        tests.append("-print")
    letters = [f"-{letter}" for letter in "HLP" if letter in flags]
    argv = ["find", *letters, *start, *prefix, *hide, *tests]
    return _delete(ctx, argv) if deleting else run_here(ctx, argv)


def _hidden(ctx: Context, start: list[str]) -> list[str]:
    if not any(os.path.normpath(ctx.path(name)) == os.path.normpath(ctx.host.root) for name in start):
        return []
    test: list[str] = []
    for name in ("/.model", "/.rack", "/.linux"):
        test += ["-o"] * bool(test) + ["-path", name, "-o", "-path", f".{name}"]
    return ["(", *test, ")", "-prune", "-o"]


def _with_flags(ctx: Context, start: list[str], text: str) -> list[str]:
    """Return what this machine's find wants for ``-flags [+|-]FLAG,...``: the files that have them now.

    Without a sign the flags are these and no others, with ``-`` at least these, with ``+`` any of them; a name with
    "no" in front is a flag that must not be set.
    """
    names = text.lstrip("+-").split(",")
    wanted = {FLAG_NAMES[name] for name in names if name in FLAG_NAMES}
    barred = {FLAG_NAMES[name[2:]] for name in names if name not in FLAG_NAMES and name[2:] in FLAG_NAMES}
    if len(wanted) + len(barred) != len(names):
        raise Exit(1, f"-flags: {text}: illegal flags string")
    fits: dict[str, t.Callable[[set[str]], bool]] = {
        "+": lambda flags: bool(flags & wanted or barred - flags),
        "-": lambda flags: wanted <= flags and not flags & barred,
        "": lambda flags: flags == wanted,
    }
    files = Files(ctx.host)
    numbers = [
        str(path.lstat().st_ino)
        for name in start
        for path in files.walk(ctx.path(name, follow=False))
        if fits[text[0] if text[0] in "+-" else ""](files.flags_of(path))
    ]
    return ["(", "-false", *(word for number in numbers for word in ("-o", "-inum", number)), ")"]


def _delete(ctx: Context, argv: list[str]) -> int:
    import io  # noqa: PLC0415

    from model.userland import Remover  # noqa: PLC0415

    found = io.BytesIO()
    out = io.TextIOWrapper(found, errors="surrogateescape", write_through=True)
    status = run_here(ctx.replace(out=out), argv, captured=True)
    remover = Remover(ctx, {"d"})
    for name in found.getvalue().decode(errors="surrogateescape").split("\0")[:-1]:
        if name not in (".", "/"):
            remover.delete(name)
    remover.files.save()
    return status or remover.status
