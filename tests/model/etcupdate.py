# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcupdate(8): update, build, extract, resolve, revert, status.

It works through whatever links stand in the destination, its work directory included, as the script of FreeBSD does:
that is where this is known from, where no transcript shows it.
"""

from __future__ import annotations

import fnmatch
import io
import os
import re
import shutil
import stat
import typing as t
from pathlib import Path

from model import merge3
from model.command import Context, Exit, options
from model.files import Files, reason
from model.fuse import Fuse

USAGE = """usage: etcupdate [-npBFN] [-d workdir] [-r | -s source | -t tarball]
                 [-A patterns] [-D destdir] [-I patterns] [-L logfile]
                 [-M options] [-m make]
       etcupdate build [-BN] [-d workdir] [-s source] [-L logfile] [-M options]
                 [-m make] <tarball>
       etcupdate diff [-d workdir] [-D destdir] [-I patterns] [-L logfile]
       etcupdate extract [-BN] [-d workdir] [-s source | -t tarball]
                 [-D destdir] [-L logfile] [-M options] [-m make]
       etcupdate resolve [-p] [-d workdir] [-D destdir] [-L logfile]
       etcupdate revert [-d workdir] [-D destdir] [-L logfile] file ...
       etcupdate status [-d workdir] [-D destdir]
"""
COMMANDS = frozenset({"build", "diff", "extract", "status", "resolve", "revert"})
# What each command does not take, of n, p, r, t.
FORBIDDEN = {
    "update": "",
    "build": "nprt",
    "revert": "nprt",
    "status": "nprt",
    "resolve": "nrt",
    "extract": "npr",
}
# What diff3(1) has memory for, in the model.
MOST = 1 << 28
PREWORLD = ("etc/group", "etc/master.passwd")
MARKS = re.compile(rb"^(<{7}|\|{7}|={7}|>{7}) ", re.MULTILINE)
ID = re.compile(rb"\$FreeBSD.*\$")
KINDS = {
    stat.S_IFREG: "regular file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo file",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}
EQUAL, ONLY_FIRST, ONLY_SECOND, OTHER_TYPE, OTHER_LINK, OTHER_FILE = range(6)

Found = dict[str, list[str]]


def etcupdate(ctx: Context) -> int:
    """etcupdate(8)."""
    words = ctx.arguments
    command = words[0] if words[:1] and words[0] in COMMANDS else "update"
    if command != "update":
        ctx.argv = [ctx.argv[0], *words[1:]]
    elif words and not words[0].startswith("-"):
        return _usage(ctx)
    flags, operands = options(ctx, "npBFNd:rs:t:A:D:I:L:M:m:", USAGE)
    if command == "diff" or "N" in flags:
        raise Exit(1, "the model knows neither etcupdate diff nor -N")
    if flags.keys() & set(FORBIDDEN[command]) or (command != "revert" and len(operands) != (command == "build")):
        return _usage(ctx)
    if "r" in flags and flags.keys() & {"t", "p"}:
        ctx.print(f"Only one of {'-r or -t' if 't' in flags else '-p or -r'} can be specified.\n")
        return _usage(ctx)
    job = Job(ctx, flags)
    job.open_log(truncate=command in ("update", "build", "extract"))
    try:
        return {
            "update": Update(job).run,
            "build": lambda: job.build(operands[0]),
            "extract": job.extract,
            "resolve": Resolver(job).run,
            "revert": lambda: Update(job).revert(operands),
            "status": job.status,
        }[command]()
    finally:
        job.files.save()
        job.close_log()


def _usage(ctx: Context) -> int:
    ctx.out.write(USAGE)
    return 1


class Job:
    """Where everything lies, and the commands that need no comparison."""

    def __init__(self, ctx: Context, flags: Found) -> None:
        """Find the trees."""
        self.ctx, self.flags = ctx, flags
        self.files, self.fuse = Files(ctx.host), Fuse(ctx)
        self.dest = flags.get("D", [""])[-1].rstrip("/")
        self.work = flags.get("d", [f"{self.dest}/var/db/etcupdate"])[-1]
        self.preworld, self.dry = "p" in flags, "n" in flags
        # The trees that an update compares and leaves behind: an update before installworld keeps those of the last.
        self.old, self.new = ("current", "preworld") if self.preworld else ("old", "current")
        self._log = io.StringIO()
        self._log_file: Path | None = None

    def place(self, name: str) -> Path:
        """Return where something in the work directory lies; if it is a link, the link."""
        return self.ctx.path(f"{self.work}/{name}", follow=False)

    def tree(self, name: str) -> Path:
        """Return where something in the work directory is found, through a link if it is one."""
        return self.ctx.path(f"{self.work}/{name}")

    # Log --------------------------------------------------------------------------------------------------------------

    def open_log(self, *, truncate: bool) -> None:
        """Open the log through whatever links there are, as the shell does."""
        try:
            self.ctx.path(self.work).mkdir(parents=True, exist_ok=True)
        except OSError:
            self.ctx.print(f"Failed to create work directory {self.work}")
        name = self.flags.get("L", [f"{self.work}/log"])[-1]
        path = self.ctx.path(name)
        if path.is_fifo():
            raise Exit(1, f"the model does not wait until somebody reads from {name}")
        try:
            self.files.check_write(path if path.exists() else path.parent)
            with path.open("w" if truncate else "a"):
                self._log_file = path
        except OSError as error:
            raise Exit(2, f"cannot create {name}: {reason(error)}") from None

    def log(self, text: str) -> None:
        """Note what is done."""
        self._log.write(f">>> {text}\n")

    def close_log(self) -> None:
        """Write the log."""
        if self._log_file is not None and self._log_file.is_file():
            with self._log_file.open("a", errors="surrogateescape") as file:
                file.write(self._log.getvalue())

    def child(self, argv: list[str]) -> int:
        """Run a command whose output goes to the log."""
        self.log(" ".join(argv))
        self.files.save()
        status = self.ctx.child(argv, out=self._log, err=self._log)
        self.files = Files(self.ctx.host)
        return status

    # Trees ------------------------------------------------------------------------------------------------------------

    def temporary(self) -> str:
        """Make the folder for a new tree, as mktemp(1) does; return its name in the work directory."""
        number = 0
        while True:
            name = f"etcupdate-{number:07}"
            try:
                self.files.check_create(self.place(name))
                self.place(name).mkdir(mode=0o700)
            except FileExistsError:
                number += 1
            except OSError as error:
                self.ctx.err.write(f"mktemp: mkdtemp failed on {self.work}/etcupdate-XXXXXXX: {reason(error)}\n")
                self.ctx.print("Unable to create temporary directory.")
                raise Exit(1) from None
            else:
                return name

    def fill(self, name: str, failure: str = "Failed to build new tree.") -> None:
        """Put the new tree there, from the archive or from the sources."""
        tarball = self.flags.get("t", [""])[-1]
        if tarball:
            wanted = list(PREWORLD) if self.preworld else []
            status = self.child(["tar", "xf", tarball, "-C", f"{self.work}/{name}", *wanted])
            failure = "Failed to extract new tree."
        else:
            status = self._preworld(name) if self.preworld else self._build(name)
        if status:
            self.ctx.print(failure)
            self.remove(self.place(name))
            raise Exit(1)

    @property
    def source(self) -> str:
        """Where the sources are."""
        return self.flags.get("s", ["/usr/src"])[-1]

    def _preworld(self, name: str) -> int:
        """Make a tree of what installworld needs beforehand."""
        tree = self.place(name)
        (tree / "etc").mkdir()
        for each in PREWORLD:
            stock = self.ctx.path(f"{self.source}/{each}")
            if not stock.is_file():
                return 1
            self.files.copy_file(stock, tree / each)
        return 0

    def _build(self, name: str) -> int:
        """Make a tree of the whole configuration, without what is generated, and without what is empty."""
        argv = ["make", "-C", self.source, f"DESTDIR={self.work}/{name}", "distrib-dirs", "distribution"]
        status = self.child(argv)
        if status:
            return status
        tree = self.place(name)
        for path in [*tree.glob("etc/*.db"), tree / "etc/passwd"]:
            path.unlink(missing_ok=True)
        # Folders come after what is in them.
        for path in sorted((path for path in tree.rglob("*") if not path.is_symlink()), reverse=True):
            self.files.set_flags(path, set())
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and path.stat().st_size == 0:
                path.unlink()
        return 0

    def remove(self, tree: Path) -> bool:
        """Remove a tree with what is immutable in it; say whether it is gone."""
        for path in self.files.walk(tree) if os.path.lexists(tree) else ():
            if self.files.flags_of(path):
                self.files.set_flags(path, set())
        if tree.is_symlink() or tree.is_file():
            tree.unlink()
        shutil.rmtree(tree, ignore_errors=True)
        return not os.path.lexists(tree)

    # Commands ---------------------------------------------------------------------------------------------------------

    def build(self, tarball: str) -> int:
        """Build a tree and save it in an archive."""
        name = self.temporary()
        self.fill(name, "Failed to build tree.")
        status = self.child(["tar", "cfj", tarball, "-C", f"{self.work}/{name}", "."])
        if status:
            self.ctx.print("Failed to create tarball.")
        self.remove(self.place(name))
        return int(status != 0)

    def extract(self) -> int:
        """Make the current tree."""
        name = self.temporary()
        self.fill(name)
        if not self.remove(self.place("current")):
            self.ctx.print("Unable to remove current tree.")
            self.remove(self.place(name))
            return 1
        self.place(name).rename(self.place("current"))
        return 0

    def status(self) -> int:
        """List the conflicts and the warnings that are left."""
        for path in self.left():
            self.ctx.print(f"  C {path}")
        warnings = self.tree("warnings")
        if warnings.is_file() and warnings.stat().st_size:
            self.ctx.print("Warnings:")
            self.ctx.out.write(warnings.read_text(errors="surrogateescape"))
        return 0

    def left(self) -> list[str]:
        """Return the files in conflict."""
        top = self.tree("conflicts")
        found = sorted(top.rglob("*")) if top.is_dir() else []
        return [f"/{path.relative_to(top)}" for path in found if path.is_symlink() or not path.is_dir()]


# Comparing ------------------------------------------------------------------------------------------------------------


def _kind(path: Path) -> str:
    return KINDS[stat.S_IFMT(path.lstat().st_mode)]


def compare(first: Path, second: Path) -> int:
    """Compare two nodes; two folders are equal whatever they hold."""
    if not os.path.lexists(first):
        return ONLY_SECOND if os.path.lexists(second) else EQUAL
    if not os.path.lexists(second):
        return ONLY_FIRST
    if _kind(first) != _kind(second):
        return OTHER_TYPE
    if first.is_symlink():
        return EQUAL if os.readlink(first) == os.readlink(second) else OTHER_LINK
    if not first.is_file():
        return EQUAL
    # Like cmp(1), which does not read files of different sizes.
    same = first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    return EQUAL if same else OTHER_FILE


def id_only(first: Path, second: Path) -> bool:
    """Say whether nothing but lines with a $FreeBSD$ differs."""
    one, two = ([line for line in path.read_bytes().split(b"\n") if not ID.search(line)] for path in (first, second))
    return one == two


class Update:
    """Merges what changed between two stock trees into the destination."""

    def __init__(self, job: Job) -> None:
        """Begin; nothing is read yet."""
        self.job, self.ctx = job, job.ctx
        self.old, self.new = job.tree(job.old), job.tree(job.new)
        self.aliases = False

    def dest(self, file: str) -> Path:
        """Return where the file lies in the destination, through links on the way."""
        return self.ctx.path(f"{self.job.dest}{file}", follow=False)

    def say(self, letter: str, file: str) -> None:
        """Print what became of a file."""
        self.ctx.print(f"  {letter} {file}")

    def warn(self, text: str) -> None:
        """Keep a warning for the end and for status."""
        with self.job.place("warnings").open("a", errors="surrogateescape") as file:
            file.write(f"  {text}\n")

    def matches(self, letter: str, file: str) -> bool:
        """Say whether a pattern of -I or -A is for the file; its ``*`` passes slashes too."""
        patterns = " ".join(self.job.flags.get(letter, [])).split()
        return any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns)

    # The whole --------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Update."""
        job = self.job
        if job.left() or job.place("conflicts").is_symlink():
            self.ctx.print("Conflicts remain from previous update, aborting.")
            return 1
        job.remove(job.place("conflicts"))
        name = "" if "r" in job.flags else job.temporary()
        if name:
            job.fill(name)
            self.old, self.new = job.tree("current"), job.place(name)
        if not self.old.is_dir():
            self.ctx.print("No previous tree to compare against, a sane comparison is not possible.")
            if name:
                job.remove(self.new)
            return 1
        warnings = job.place("warnings")
        job.remove(warnings)
        job.place("conflicts").mkdir()
        self._files()
        if warnings.is_file():
            self.ctx.print("Warnings:")
            self.ctx.out.write(warnings.read_text(errors="surrogateescape"))
        if name:
            self._rotate()
        return 0

    def _files(self) -> None:
        before, after = (_names(tree) for tree in (self.old, self.new))
        removed = [] if self.job.preworld else sorted(before - after)
        steps: list[tuple[t.Callable[[str], None], t.Iterable[str]]] = [
            (self._removed_file, removed),
            (self._removed_folder, reversed(removed)),
            (self._modified, sorted(before & after)),
            (self._added, sorted(after - before)),
        ]
        for handle, files in steps:
            for file in files:
                if self.matches("I", file):
                    self.job.log(f"IGNORE: file {file}")
                    continue
                self.job.fuse.step()
                handle(file)
        if self.aliases:
            self.warn("Needs update: /etc/mail/aliases.db (requires manual update via newaliases(1))")
        clock, zone = self.dest("/etc/localtime"), self.dest("/var/db/zoneinfo")
        if not (self.job.preworld or clock.is_symlink() or zone.is_file()) and clock.is_file():
            self.warn("Needs update: /etc/localtime (required manual update via tzsetup(8))")

    def _rotate(self) -> None:
        job = self.job
        if job.dry:
            job.remove(self.new)
            return
        if not job.preworld:
            job.remove(job.place("old"))
            job.place("current").rename(job.place("old"))
        job.remove(job.place(job.new))
        self.new.rename(job.place(job.new))

    # Installing -------------------------------------------------------------------------------------------------------

    def _folders(self, base: str, file: str) -> bool:
        """Make the folders above the file as the new tree has them; say whether they are there."""
        parent = file.rpartition("/")[0]
        place = self.ctx.path(f"{base}{parent}", follow=False)
        if self.ctx.path(f"{base}{parent}").is_dir():
            return True
        if os.path.lexists(place):
            self.warn(f"Directory mismatch: {base}{parent} ({_kind(place)})")
            return False
        if not self._folders(base, parent):
            return False
        if not self.job.dry:
            place.mkdir()
            self.job.files.copy_attributes(Path(f"{self.new}{parent}"), place)
        return True

    def install(self, file: str) -> bool:
        """Install the new version; what cp(1) fails at stands in the log only."""
        if not self._folders(self.job.dest, file):
            return False
        if not self.job.dry:
            self._copy(Path(f"{self.new}{file}"), file)
        self.after(file)
        return True

    def _copy(self, source: Path, file: str) -> None:
        """Do what ``cp -Rp`` does."""
        place, files = self.dest(file), self.job.files
        try:
            if place.is_file() and not place.is_symlink():
                files.check_write(place)
                place.write_bytes(source.read_bytes())
                files.copy_attributes(source, place)
            elif os.path.lexists(place):
                self.job.log(f"cp: {place.name}: File exists")
            else:
                files.check_create(place)
                files.copy_file(source, place)
        except OSError as error:
            self.job.log(f"cp: {file}: {reason(error)}")

    def resolved(self, kept: Path, file: str) -> None:
        """Install what was made of a conflict."""
        self._copy(kept, file)
        self.after(file)

    def after(self, file: str) -> None:
        """Make anew what is made from the file."""
        dest = self.job.dest
        commands = {
            "/etc/login.conf": ["cap_mkdb", f"{dest}{file}"],
            "/etc/master.passwd": ["pwd_mkdb", "-p", "-d", f"{dest}/etc", f"{dest}{file}"],
            "/etc/services": ["services_mkdb", "-q", "-o", f"{dest}/var/db/services.db", f"{dest}{file}"],
        }
        if file == "/etc/mail/aliases":
            self.aliases = bool(dest)
        elif file in commands and not self.job.dry:
            self.job.child(commands[file])

    def update(self, file: str) -> bool:
        """Put the new version in place of one that nobody changed."""
        place, fresh = self.dest(file), Path(f"{self.new}{file}")
        if place.is_dir() and not place.is_symlink():
            if any(place.iterdir()):
                return False
            if not self.job.dry:
                place.rmdir()
        elif not (place.is_file() and fresh.is_file()) and not self.job.dry:
            self._unlink(place)
        if fresh.is_dir() and not fresh.is_symlink():
            self.say("U" if any(fresh.iterdir()) else "D", file)
        elif self.install(file):
            self.say("U", file)
        return True

    def _unlink(self, place: Path) -> None:
        """Do what ``rm -f`` does; what it fails at stands in the log only."""
        try:
            if os.path.lexists(place):
                self.job.files.check_remove(place)
                self.job.files.forget(place)
                place.unlink()
        except OSError as error:
            self.job.log(f"rm: {place.name}: {reason(error)}")

    # Files of each kind -----------------------------------------------------------------------------------------------

    def _equal(self, first: Path, second: Path) -> int:
        """Compare, with lines that have a $FreeBSD$ aside if -F was given."""
        found = compare(first, second)
        return EQUAL if found == OTHER_FILE and "F" in self.job.flags and id_only(first, second) else found

    def _removed_file(self, file: str) -> None:
        place, old = self.dest(file), Path(f"{self.old}{file}")
        found = self._equal(place, old)
        if found == EQUAL and not (place.is_dir() and not place.is_symlink()):
            if not self.job.dry:
                self._unlink(place)
            self.say("D", file)
        elif found in (OTHER_TYPE, OTHER_LINK, OTHER_FILE):
            self.warn(f"Modified {_kind(place)} remains: {file}")

    def _removed_folder(self, file: str) -> None:
        place, old = self.dest(file), Path(f"{self.old}{file}")
        if not (place.is_dir() and old.is_dir()):
            return
        names = {child.name for child in place.iterdir()}
        if names and not (self.job.dry and names <= {child.name for child in old.iterdir()}):
            self.warn(f"Non-empty directory remains: {file}")
            return
        if not self.job.dry:
            place.rmdir()
        self.say("D", file)

    def _modified(self, file: str) -> None:
        old, new, place = Path(f"{self.old}{file}"), Path(f"{self.new}{file}"), self.dest(file)
        change, found = compare(old, new), compare(new, place)
        if EQUAL in (change, found):
            return
        if EQUAL in (self._equal(new, place), self._equal(old, place)) and self.update(file):
            return
        if found == ONLY_FIRST:
            self._vanished(file, change)
        elif self.matches("A", file) and self.update(file):
            self.job.log(f"ALWAYS: updating {file}")
        elif change == OTHER_TYPE:
            self._other_type(file, found)
        elif found == OTHER_TYPE:
            self.warn(f"Modified mismatch: {file} ({_kind(new)} vs {_kind(place)})")
        elif change == OTHER_LINK:
            self.warn(f'Modified link changed: {file} ("{os.readlink(old)}" became "{os.readlink(new)}")')
        else:
            self._merge(file)

    def _vanished(self, file: str, change: int) -> None:
        """Handle a changed file that the destination has no more."""
        old, new = Path(f"{self.old}{file}"), Path(f"{self.new}{file}")
        if self.matches("A", file):
            if not new.is_dir() and self.install(file):
                self.say("A", file)
        elif change == OTHER_TYPE:
            self.warn(f"Remove mismatch: {file} ({_kind(old)} became {_kind(new)})")
        elif change == OTHER_LINK:
            self.warn(f'Removed link changed: {file} ("{os.readlink(old)}" became "{os.readlink(new)}")')
        elif not ("F" in self.job.flags and id_only(old, new)):
            self.warn(f"Removed file changed: {file}")

    def _other_type(self, file: str, found: int) -> None:
        """Handle a node that is another kind of file in the new tree, and something of its own in the destination."""
        old, new, place = Path(f"{self.old}{file}"), Path(f"{self.new}{file}"), self.dest(file)
        if found == OTHER_LINK:
            self.warn(f'New link conflict: {file} ("{os.readlink(new)}" vs "{os.readlink(place)}")')
        elif found == OTHER_FILE:
            self._conflict(file)
        else:
            self.warn(f"Modified {_kind(place)} changed: {file} ({_kind(old)} became {_kind(new)})")

    def _added(self, file: str) -> None:
        new, place = Path(f"{self.new}{file}"), self.dest(file)
        found = self._equal(place, new)
        if found == EQUAL:
            return
        if found == ONLY_SECOND:
            if not (new.is_dir() and not new.is_symlink()) and self.install(file):
                self.say("A", file)
        elif self.matches("A", file) and self.update(file):
            self.job.log(f"ALWAYS: updating {file}")
        elif found == OTHER_TYPE:
            self.warn(f"New file mismatch: {file} ({_kind(new)} vs {_kind(place)})")
        elif found == OTHER_LINK:
            self.warn(f'New link conflict: {file} ("{os.readlink(new)}" vs "{os.readlink(place)}")')
        else:
            self._conflict(file)

    def _conflict(self, file: str) -> None:
        """Keep both versions of a new file that is there already."""
        if not self.job.dry:
            self._keep(file, merge3.beside(self.dest(file).read_bytes(), Path(f"{self.new}{file}").read_bytes()))
        self.say("C", file)

    def _merge(self, file: str) -> None:
        place = self.dest(file)
        if place.stat().st_size > MOST:
            self.ctx.print("PANIC: merge failed with status 2")
            raise Exit(10)
        versions = [path.read_bytes() for path in (place, Path(f"{self.old}{file}"), Path(f"{self.new}{file}"))]
        hunks = merge3.merge(*versions)
        if merge3.has_conflicts(hunks):
            if not self.job.dry:
                self._keep(file, merge3.text(hunks))
            self.say("C", file)
            return
        if not self.job.dry:
            try:
                self.job.files.check_write(place)
                place.write_bytes(merge3.text(hunks))
            except OSError as error:
                self.ctx.err.write(f"cannot create {self.job.dest}{file}: {reason(error)}\n")
        self.after(file)
        self.say("M", file)

    def _keep(self, file: str, content: bytes) -> None:
        """Put a file in conflict where resolve finds it."""
        self._folders(f"{self.job.work}/conflicts", file)
        self.job.tree(f"conflicts{file}").write_bytes(content)

    # revert -----------------------------------------------------------------------------------------------------------

    def revert(self, names: list[str]) -> int:
        """Give files their stock version back."""
        if not names:
            return _usage(self.ctx)
        for file in names:
            stock = Path(f"{self.new}{file}")
            if not stock.exists() or stock.is_dir():
                what = "is a directory" if stock.is_dir() else "does not exist in the current tree"
                self.ctx.print(f"File {file} {what}.")
                return 1
            if compare(self.dest(file), stock) != EQUAL and self.update(file):
                self.job.place(f"conflicts{file}").unlink(missing_ok=True)
        return 0


def _names(tree: Path) -> set[str]:
    """Return all nodes below a tree, each with a slash in front."""
    return {f"/{path.relative_to(tree)}" for path in tree.rglob("*")}


class Resolver:
    """Asks what to do with each conflict."""

    def __init__(self, job: Job) -> None:
        """Begin."""
        self.job, self.ctx, self.update = job, job.ctx, Update(job)

    def run(self) -> int:
        """Ask for each file, until there is an answer."""
        if not self.job.tree("current").is_dir() and self.job.tree("conflicts").is_dir():
            self.ctx.print("The current tree is not present to resolve conflicts.")
            return 1
        for file in self.job.left():
            self.ctx.print(f"Resolving conflict in '{file}':")
            while not self._answer(file):
                continue
        if self.update.aliases:
            self.update.warn("Needs update: /etc/mail/aliases.db (requires manual update via newaliases(1))")
        return 0

    def _read(self) -> str:
        line = self.ctx.stdin.readline().decode(errors="replace")
        if not line:
            raise Exit(1, "the model does not ask for ever where nobody answers")
        return line.strip()

    def _answer(self, file: str) -> bool:
        """Ask once; say whether the file is done with."""
        kept = self.job.tree(f"conflicts{file}")
        marked = MARKS.search(kept.read_bytes()) is not None
        self.ctx.out.write("Select: (p) postpone, (df) diff-full, (e) edit,")
        self.ctx.print("" if marked else " (r) resolved,")
        self.ctx.out.write("        (h) help for more options: ")
        command = self._read()
        if command == "p":
            return True
        if command == "r":
            if marked:
                self.ctx.print(f"File '{file}' still has conflicts, are you sure? (y/n) ")
                if self._read() != "y":
                    return False
            self.update.resolved(kept, file)
        elif command == "tf":
            self.update.install(file)
        elif command != "mf":
            self.ctx.print("Invalid command.")
            return False
        kept.unlink()
        return True
