# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: pw(8) and pwd_mkdb(8) over the files in /etc, the host's or those below another root."""

from __future__ import annotations

import getopt
import os
import re
import shutil
import typing as t

from model.command import Exit, options
from model.files import Files, reason
from model.sha_crypt import new_salt, sha512_crypt

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_OSFILE, EX_IOERR = 64, 65, 67, 72, 74
USAGE = """usage:
  pw [user|group|lock|unlock] [add|del|mod|show|next] [help|switches/values]
"""
MKDB = "usage: pwd_mkdb [-BCiLNp] [-d directory] [-s cachesize] [-u username] file\n"
LETTERS = {
    "useradd": "C:qn:u:c:d:e:p:g:G:mM:k:s:oL:i:w:h:H:Db:NPy:Y",
    "userdel": "C:qn:u:rYy:",
    "usermod": "C:qn:u:c:d:e:p:g:G:mM:l:k:s:w:L:h:H:NPYy:",
    "usershow": "n:u:FPa7",
    "usernext": "C:q",
    "lock": "C:qn:",
    "unlock": "C:qn:",
    "groupadd": "C:qn:g:h:H:M:oNPY",
    "groupdel": "C:qn:g:Y",
    "groupmod": "C:qn:d:g:l:h:H:M:m:NPY",
    "groupshow": "n:g:FPa",
    "groupnext": "C:q",
}
NAMES = {"user": "user", "usr": "user", "group": "group", "grp": "group"}
VERBS = {"add": "add", "del": "del", "delete": "del", "mod": "mod", "show": "show", "next": "next"}
MIN_ID, MAX_ID = 1001, 32000
MAX_NAME = 32
# What pwd_mkdb(8) reads of a line; of a whole file the model reads so much.
MAX_LINE = 8192 - 1
MAX_BYTES = 1 << 24
LOCKED = "*LOCKED*"
# master.passwd(5)
NAME, SECRET, UID, GID, CLASS, CHANGE, EXPIRE, GECOS, HOME, SHELL = range(10)
SKEL = {
    ".cshrc": 0o644,
    ".login": 0o644,
    ".login_conf": 0o644,
    ".mail_aliases": 0o600,
    ".mailrc": 0o644,
    ".profile": 0o644,
    ".shrc": 0o644,
}

Found = dict[str, list[str]]


class Base:
    """The account files below a root."""

    def __init__(self, ctx: Context, root: str) -> None:
        """Read them."""
        self.ctx, self.root = ctx, root.rstrip("/")
        self.files = Files(ctx.host)
        self.users = self._rows("master.passwd", 10)
        self.groups = self._rows("group", 4)

    def path(self, name: str) -> Path:
        """Return where a file of that root lies."""
        return self.ctx.path(f"{self.root}/{name.lstrip('/')}")

    def _rows(self, name: str, fields: int) -> list[list[str]]:
        try:
            _see_no_fifo(self.ctx, f"{self.root}/etc/{name}")
            text = self.path(f"etc/{name}").read_text(errors="surrogateescape")
        except OSError as error:
            raise Exit(EX_OSFILE, f"{self.root}/etc/{name}: {reason(error)}") from None
        rows = [line.split(":") for line in text.splitlines()]
        return [row if len(row) == fields else [":".join(row)] for row in rows]

    def entries(self, rows: list[list[str]]) -> list[list[str]]:
        """Return the rows that are entries and no comments."""
        return [row for row in rows if len(row) > 1]

    def user(self, name: str) -> list[str] | None:
        """Return the user of that name."""
        return next((row for row in self.entries(self.users) if row[NAME] == name), None)

    def group(self, name: str) -> list[str] | None:
        """Return the group of that name or number."""
        return next((row for row in self.entries(self.groups) if name in (row[0], row[2])), None)

    def save(self) -> None:
        """Write the files and what pwd_mkdb(8) makes of them."""
        folder = self.path("etc")
        for name in ("master.passwd", "passwd", "group", "pwd.db", "spwd.db"):
            if (folder / name).exists():
                self.files.check_write(folder / name)
        write(folder / "master.passwd", _text(self.users), 0o600)
        write(folder / "group", _text(self.groups), 0o644)
        make_passwd(folder, self.users)


def _text(rows: list[list[str]]) -> str:
    return "".join(":".join(row) + "\n" for row in rows)


def write(path: Path, text: str, mode: int) -> None:
    """Replace a file at once, whatever was planted where the new one is written first."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.write_text(text, errors="surrogateescape")
    new.chmod(mode)
    new.replace(path)


def make_passwd(folder: Path, users: list[list[str]]) -> None:
    """Write passwd, which has no secrets, and touch the databases."""
    shown = [
        [row[NAME], "*", row[UID], row[GID], row[GECOS], row[HOME], row[SHELL]] if len(row) > 1 else row
        for row in users
    ]
    write(folder / "passwd", _text(shown), 0o644)
    for name, mode in (("pwd.db", 0o644), ("spwd.db", 0o600)):
        write(folder / name, "placeholder of pwd_mkdb(8)\n", mode)


def pw(ctx: Context) -> int:
    """pw(8)."""
    words = ctx.arguments
    root = ""
    while words and words[0][:2] in ("-R", "-V"):
        letter = words[0][1]
        value = words.pop(0)[2:] or (words.pop(0) if words else "")
        if not ctx.path(value).is_dir():
            raise Exit(EX_OSFILE, f"no such directory `{value}'")
        if letter == "V":
            raise Exit(EX_USAGE, "the model does not know -V")
        root = value
    command, rest = _command(ctx, words)
    flags, name = _options(ctx, command, rest)
    base = Base(ctx, root)
    try:
        status = COMMANDS[command](base, flags, name)
    except OSError as error:
        raise Exit(EX_IOERR, f"{error.filename or ''}: {reason(error)}") from None
    base.files.save()
    return status


def _command(ctx: Context, words: list[str]) -> tuple[str, list[str]]:
    """Return the command: one word (useradd), or two in either order (user add, add user)."""
    if not words:
        ctx.err.write(USAGE)
        raise Exit(EX_USAGE)
    first = words[0]
    if first in LETTERS:
        return first, words[1:]
    for noun, known in NAMES.items():
        for verb, meant in VERBS.items():
            if first in (noun + verb, verb + noun):
                return known + meant, words[1:]
    second = words[1] if len(words) > 1 else ""
    for noun, verb in ((first, second), (second, first)):
        if noun in NAMES and verb in VERBS:
            return NAMES[noun] + VERBS[verb], words[2:]
    ctx.warn(f"Unknown keyword `{first}'")
    ctx.err.write(USAGE)
    raise Exit(EX_USAGE)


def _options(ctx: Context, command: str, words: list[str]) -> tuple[Found, str]:
    name = words.pop(0) if words and not words[0].startswith("-") else ""
    try:
        pairs, operands = getopt.getopt(words, LETTERS[command])
    except getopt.GetoptError as error:
        letter = error.opt[:1] or "-"
        what = "option requires an argument" if "requires" in error.msg else "illegal option"
        ctx.warn(f"{what} -- {letter}")
        ctx.err.write(USAGE)
        raise Exit(EX_USAGE) from None
    found: Found = {}
    for letter, value in pairs:
        found.setdefault(letter[1:], []).append(value)
    if operands and not name:
        name = operands[0]
    return found, found.get("n", [name])[-1]


# Names, numbers, secrets ----------------------------------------------------------------------------------------------


def check_name(name: str, *, gecos: bool = False) -> None:
    """Refuse a name that pw refuses."""
    bad = ":!@" if gecos else ' ,\t:+&#%^()!@~*?<>=|\\/";'
    for place, letter in enumerate(name):
        control = ord(letter) < 32 or ord(letter) == 127 or (ord(letter) > 127 and not gecos)
        if (
            letter in bad
            or control
            or (place == 0 and letter == "-" and not gecos)
            or (letter == "$" and place != len(name) - 1)
        ):
            shown = letter if not control else f"0x{ord(letter):02x}"
            what = "gecos field" if gecos else "userid/group name"
            raise Exit(EX_DATAERR, f"invalid character `{shown}' at position {place} in {what}")
    if not gecos and len(name) > MAX_NAME:
        raise Exit(EX_USAGE, f"name too long `{name}' (max is {MAX_NAME})")


def _number(text: str) -> str:
    if not text.isdigit():
        raise Exit(EX_USAGE, f"Bad id '{text}': invalid")
    return str(int(text))


def _next(taken: t.Collection[str], wanted: str = "") -> str:
    if wanted and wanted not in taken:
        return wanted
    return next(str(number) for number in range(MIN_ID, MAX_ID) if str(number) not in taken)


def _secret(base: Base, flags: Found, old: str) -> str:
    """Return the password field that -h or -H asks for."""
    for letter in "hH":
        if letter not in flags:
            continue
        text = flags[letter][-1]
        if text == "-":
            return "*"
        if not text.isdigit():
            raise Exit(
                EX_USAGE,
                "'-h' or '-H' expects a file descriptor" if letter == "h" else "'-H' expects a file descriptor",
            )
        data = base.ctx.stdin.read() if text == "0" else os.read(int(text), 1024)
        line = data.decode(errors="surrogateescape").split("\n")[0]
        if letter == "H":
            if ":" in line:
                raise Exit(EX_DATAERR, "bad encrypted password")
            return line
        if not line:
            raise Exit(EX_DATAERR, "empty password read on file descriptor 0")
        return sha512_crypt(line, new_salt())
    if "w" in flags:
        return {"no": "*", "none": "", "yes": old if old != "*" else "*"}.get(flags["w"][-1], "*")
    return old


def _found_user(base: Base, flags: Found, name: str) -> list[str]:
    if "u" in flags and not name:
        uid = _number(flags["u"][-1])
        row = next((row for row in base.entries(base.users) if row[UID] == uid), None)
        if row is None:
            raise Exit(EX_NOUSER, f"no such uid `{uid}'")
        return row
    if not name:
        raise Exit(EX_DATAERR, "user name or id required")
    row = base.user(name)
    if row is None and name.isdigit():
        row = next((row for row in base.entries(base.users) if row[UID] == name), None)
    if row is None:
        raise Exit(EX_NOUSER, f"no such user `{name}'")
    return row


def _found_group(base: Base, flags: Found, name: str) -> list[str]:
    name = name or flags.get("g", [""])[-1]
    if not name:
        raise Exit(EX_DATAERR, "group name or id required")
    row = base.group(name)
    if row is None:
        raise Exit(EX_DATAERR, f"unknown group `{name}'")
    return row


# Users ----------------------------------------------------------------------------------------------------------------


def useradd(base: Base, flags: Found, name: str) -> int:
    """Pw useradd."""
    if not name:
        raise Exit(EX_DATAERR, "login name required")
    check_name(name)
    if base.user(name):
        raise Exit(EX_DATAERR, f"login name `{name}' already exists")
    uids = {row[UID] for row in base.entries(base.users)}
    uid = _number(flags["u"][-1]) if "u" in flags else _next(uids)
    if uid in uids and "o" not in flags:
        raise Exit(EX_DATAERR, f"uid `{uid}' has already been allocated")
    gid = _primary_group(base, flags, name, uid)
    gecos = flags.get("c", ["User &"])[-1]
    check_name(gecos, gecos=True)
    home = flags.get("d", [f"{flags.get('b', ['/home'])[-1]}/{name}"])[-1]
    shell = flags.get("s", ["/bin/sh"])[-1]
    shell = shell if shell.startswith("/") else f"/bin/{shell}"
    secret = _secret(base, flags, "*")
    row = [name, secret, uid, gid, flags.get("L", [""])[-1], "0", "0", gecos, home, shell]
    if "N" in flags:
        base.ctx.print(":".join(row))
        return 0
    base.users.append(row)
    _join(base, name, flags)
    base.save()
    if "m" in flags:
        _make_home(base, row, flags)
    return 0


def _primary_group(base: Base, flags: Found, name: str, uid: str) -> str:
    if "g" in flags and flags["g"][-1]:
        row = base.group(flags["g"][-1])
        if row is None:
            raise Exit(EX_NOUSER, f"group `{flags['g'][-1]}' is not defined")
        return row[2]
    row = base.group(name)
    if row is not None and row[0] == name:
        return row[2]
    gid = _next({row[2] for row in base.entries(base.groups)}, uid)
    base.groups.append([name, "*", gid, ""])
    return gid


def _join(base: Base, name: str, flags: Found) -> None:
    for word in flags.get("G", []):
        for each in word.split(","):
            row = base.group(each)
            if row is None:
                raise Exit(EX_NOUSER, f"group `{each}' does not exist")
            _add_member(row, name)


def _add_member(row: list[str], name: str) -> None:
    members = [each for each in row[3].split(",") if each]
    if name not in members:
        row[3] = ",".join([*members, name])


def _make_home(base: Base, row: list[str], flags: Found) -> None:
    home = base.path(row[HOME])
    home.parent.mkdir(parents=True, exist_ok=True)
    if not home.exists():
        base.files.check_create(home)
        home.mkdir()
        home.chmod(int(flags.get("M", ["0755"])[-1], 8))
    source = base.ctx.path(flags.get("k", ["/usr/share/skel"])[-1])
    for name, mode in SKEL.items():
        path = home / name
        if not path.exists():
            original = source / f"dot{name}"
            path.write_bytes(original.read_bytes() if original.is_file() else f"# {name}\n".encode())
            path.chmod(mode)
    for path in base.files.walk(home):
        base.files.chown(path, int(row[UID]), int(row[GID]), follow=False)


def usermod(base: Base, flags: Found, name: str) -> int:
    """Pw usermod."""
    row = _found_user(base, flags, name)
    fields = {"c": GECOS, "d": HOME, "s": SHELL, "L": CLASS, "e": EXPIRE, "p": CHANGE}
    for letter, field in fields.items():
        if letter in flags:
            if letter == "c":
                check_name(flags[letter][-1], gecos=True)
            row[field] = flags[letter][-1]
    if "u" in flags and name:
        _change_uid(base, row, _number(flags["u"][-1]))
    if "g" in flags:
        row[GID] = _primary_group(base, flags, row[NAME], row[UID])
    if "G" in flags:
        for group in base.entries(base.groups):
            group[3] = ",".join(each for each in group[3].split(",") if each and each != row[NAME])
        _join(base, row[NAME], flags)
    row[SECRET] = _secret(base, flags, row[SECRET])
    if "l" in flags:
        _rename_user(base, row, flags["l"][-1])
    base.save()
    if "m" in flags:
        _make_home(base, row, flags)
    return 0


def _change_uid(base: Base, row: list[str], uid: str) -> None:
    if any(other[UID] == uid and other is not row for other in base.entries(base.users)):
        raise Exit(EX_DATAERR, f"uid `{uid}' has already been allocated")
    row[UID] = uid


def _rename_user(base: Base, row: list[str], new: str) -> None:
    check_name(new)
    if base.user(new):
        raise Exit(EX_DATAERR, f"login name `{new}' already exists")
    for group in base.entries(base.groups):
        group[3] = ",".join(new if each == row[NAME] else each for each in group[3].split(","))
    row[NAME] = new


def userdel(base: Base, flags: Found, name: str) -> int:
    """Pw userdel."""
    row = _found_user(base, flags, name)
    name = row[NAME]
    if name == "root":
        raise Exit(EX_DATAERR, "cannot remove user 'root'")
    base.users.remove(row)
    for group in base.entries(base.groups):
        group[3] = ",".join(each for each in group[3].split(",") if each != name)
    own = base.group(name)
    if own is not None and own[0] == name and own[2] == row[GID] and not own[3]:
        base.groups.remove(own)
    base.save()
    if "r" in flags and row[HOME].startswith("/") and row[HOME] != "/":
        home = base.path(row[HOME])
        if home.is_dir():
            shutil.rmtree(home)
    return 0


def usershow(base: Base, flags: Found, name: str) -> int:
    """Pw usershow."""
    rows = base.entries(base.users) if "a" in flags else [_found_user(base, flags, name)]
    for row in rows:
        if "P" in flags:
            base.ctx.out.write(
                f"Login Name: {row[NAME]:<15}   #{row[UID]:<12} Group: {row[GID]}\n"
                f" Full Name: {row[GECOS]}\n      Home: {row[HOME]}\n     Shell: {row[SHELL]}\n"
            )
            continue
        base.ctx.print(":".join([*row[:CLASS], *row[GECOS:]] if "7" in flags else row))
    return 0


def usernext(base: Base, flags: Found, name: str) -> int:
    """Pw usernext."""
    del flags, name
    uid = _next({row[UID] for row in base.entries(base.users)})
    base.ctx.print(f"{uid}:{_next({row[2] for row in base.entries(base.groups)}, uid)}")
    return 0


def lock(base: Base, flags: Found, name: str) -> int:
    """Pw lock."""
    row = _found_user(base, flags, name)
    if row[SECRET].startswith(LOCKED):
        raise Exit(EX_DATAERR, f"user '{row[NAME]}' is already locked")
    row[SECRET] = LOCKED + row[SECRET]
    base.save()
    return 0


def unlock(base: Base, flags: Found, name: str) -> int:
    """Pw unlock."""
    row = _found_user(base, flags, name)
    if not row[SECRET].startswith(LOCKED):
        raise Exit(EX_DATAERR, f"user '{row[NAME]}' is not locked")
    row[SECRET] = row[SECRET][len(LOCKED) :]
    base.save()
    return 0


# Groups ---------------------------------------------------------------------------------------------------------------


def groupadd(base: Base, flags: Found, name: str) -> int:
    """Pw groupadd."""
    if not name:
        raise Exit(EX_DATAERR, "group name required")
    check_name(name)
    if any(row[0] == name for row in base.entries(base.groups)):
        raise Exit(EX_DATAERR, f"group name `{name}' already exists")
    gids = {row[2] for row in base.entries(base.groups)}
    gid = _number(flags["g"][-1]) if "g" in flags else _next(gids)
    if gid in gids and "o" not in flags:
        raise Exit(EX_DATAERR, f"gid `{gid}' has already been allocated")
    base.groups.append([name, "*", gid, ""])
    _members(base, base.groups[-1], flags.get("M", []))
    base.save()
    return 0


def _members(base: Base, row: list[str], words: t.Sequence[str]) -> None:
    for word in words:
        for each in [each for each in word.split(",") if each]:
            if base.user(each) is None:
                raise Exit(EX_NOUSER, f"user `{each}' does not exist")
            _add_member(row, each)


def groupmod(base: Base, flags: Found, name: str) -> int:
    """Pw groupmod."""
    row = _found_group(base, {} if name else flags, name)
    if "M" in flags:
        row[3] = ""
        _members(base, row, flags["M"])
    _members(base, row, flags.get("m", []))
    gone = {each for word in flags.get("d", []) for each in word.split(",")}
    row[3] = ",".join(each for each in row[3].split(",") if each and each not in gone)
    if "l" in flags:
        check_name(flags["l"][-1])
        row[0] = flags["l"][-1]
    if "g" in flags and name:
        row[2] = _number(flags["g"][-1])
    base.save()
    return 0


def groupdel(base: Base, flags: Found, name: str) -> int:
    """Pw groupdel."""
    base.groups.remove(_found_group(base, flags, name))
    base.save()
    return 0


def groupshow(base: Base, flags: Found, name: str) -> int:
    """Pw groupshow."""
    for row in base.entries(base.groups) if "a" in flags else [_found_group(base, flags, name)]:
        base.ctx.print(":".join(row))
    return 0


def groupnext(base: Base, flags: Found, name: str) -> int:
    """Pw groupnext."""
    del flags, name
    base.ctx.print(_next({row[2] for row in base.entries(base.groups)}))
    return 0


COMMANDS: dict[str, t.Callable[[Base, Found, str], int]] = {
    "useradd": useradd,
    "userdel": userdel,
    "usermod": usermod,
    "usershow": usershow,
    "usernext": usernext,
    "lock": lock,
    "unlock": unlock,
    "groupadd": groupadd,
    "groupdel": groupdel,
    "groupmod": groupmod,
    "groupshow": groupshow,
    "groupnext": groupnext,
}


# pwd_mkdb -------------------------------------------------------------------------------------------------------------


def _see_no_fifo(ctx: Context, name: str) -> None:
    if ctx.path(name).is_fifo():
        raise Exit(1, f"the model does not wait until somebody writes to {name}")


def _lines(ctx: Context, name: str) -> list[str]:
    """Return the lines of an account file, none of them longer than pwd_mkdb(8) reads."""
    try:
        _see_no_fifo(ctx, name)
        with ctx.path(name).open(errors="surrogateescape", newline="\n") as file:
            lines = file.read(MAX_BYTES).removesuffix("\n").split("\n")
    except OSError as error:
        raise Exit(1, f"{name}: {reason(error)}") from None
    for number, line in enumerate(lines, 1):
        if len(line) >= MAX_LINE:
            ctx.warn("line too long")
            ctx.warn(f"at line #{number}")
            raise Exit(1, f"{name}: Inappropriate file type or format")
    return lines


def pwd_mkdb(ctx: Context) -> int:
    """pwd_mkdb(8): checks the file and makes passwd (-p) and the databases from it."""
    flags, words = options(ctx, "BCd:iLNps:u:", MKDB)
    if len(words) != 1:
        ctx.err.write(MKDB)
        raise Exit(1)
    lines = _lines(ctx, words[0])
    rows = [line.split(":") for line in lines if line.strip() and not line.startswith("#")]
    for number, row in enumerate(rows, 1):
        if len(row) != 10 or not re.fullmatch(r"\d*", row[UID]) or not re.fullmatch(r"\d*", row[GID]):
            ctx.warn("corrupted entry")
            ctx.warn(f"at line #{number}")
            raise Exit(1, f"{words[0]}: Inappropriate file type or format")
    if "C" in flags:
        return 0
    folder = ctx.path(flags.get("d", ["/etc"])[-1])
    if "p" in flags:
        make_passwd(folder, rows)
    target = folder / "master.passwd"
    if ctx.path(words[0]) != target:
        write(target, "\n".join(lines) + "\n", 0o600)
        ctx.path(words[0]).unlink()
    return 0
