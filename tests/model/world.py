# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What make(1) does in /usr/src: installworld, distribution, delete-old and their kin.

A source tree is here what says its release (sys/conf/newvers.sh), its objects are what says which release was built
(bin/freebsd-version/freebsd-version); the files themselves are those of :mod:`model.archive`. Names below DESTDIR are
the host's: a symbolic link that a customer planted on the way leads where it says, out of the jail too.
Known from Makefile, Makefile.inc1, ObsoleteFiles.inc, install(1) and mtree(8) of FreeBSD.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

from model import archive, releases
from model.command import Exit
from model.files import Files, account_id, reason
from model.fuse import Fuse
from model.userland import Room, check_open

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

ARCHITECTURE = "amd64.amd64"
NEWVERS = "sys/conf/newvers.sh"
METADATA = "toolchain-metadata.mk"
BUILT = "bin/freebsd-version/freebsd-version"
RULE = "--------------------------------------------------------------"
# Accounts that own what installworld installs.
USERS = ("auditdistd", "ntpd", "proxy", "unbound")
GROUPS = ("audit", "authpf", "ntpd", "proxy", "unbound")

Variables = dict[str, str]

BEWARE = """Please be sure no application still uses those libraries, else you
can not start such an application. Consult UPDATING for more
information regarding how to cope with the removal/revision bump
of a specific library."""


class Failed(Exception):
    """A command of the makefile failed."""


class Tree:
    """A source tree with what was built of it."""

    def __init__(self, ctx: Context, folder: Path, variables: Variables) -> None:
        """Find the objects where make(1) does; nothing is read yet."""
        self.folder = folder
        self.name = Files(ctx.host).host_path(folder)
        prefix = variables.get("MAKEOBJDIRPREFIX") or ctx.env.get("MAKEOBJDIRPREFIX") or "/usr/obj"
        self.objects = f"{prefix}{self.name}/{ARCHITECTURE}"
        self._built = ctx.path(self.objects)

    def release(self) -> str:
        """Return the release that the sources are of."""
        text = (self.folder / NEWVERS).read_text()
        return "-".join(t.cast("re.Match[str]", re.search(f'^{word}="(.*)"$', text, re.MULTILINE))[1] for word in PARTS)

    def built(self) -> str:
        """Return the release that buildworld made; raises Failed if it never ran here."""
        if not (self._built / METADATA).is_file():
            raise Failed("A build is required first.  You may have the wrong MAKEOBJDIRPREFIX set.")
        text = (self._built / BUILT).read_text()
        return t.cast("re.Match[str]", re.search('^USERLAND_VERSION="(.*)"$', text, re.MULTILINE))[1]


PARTS = ("REVISION", "BRANCH")


def shown(ctx: Context, folder: Path, variables: Variables) -> Variables:
    """Return what ``make -V`` prints of the tree."""
    tree = Tree(ctx, folder, variables)
    return {".CURDIR": tree.name, ".OBJDIR": tree.objects}


def run(ctx: Context, folder: Path, variables: Variables, targets: list[str]) -> int:
    """Make the targets, one after the other, until one fails."""
    tree = Tree(ctx, folder, variables)
    for target in targets:
        if target not in TARGETS:
            ctx.print(f"make: don't know how to make {target}. Stop")
            ctx.print(f'\nmake: stopped making "{" ".join(targets)}" in {tree.name}')
            return 2
        if not variables.get("DESTDIR"):
            raise Exit(2, f"the model does {target} below a DESTDIR only")
        maker = Maker(ctx, tree, variables)
        try:
            TARGETS[target](maker)
        except Failed as error:
            ctx.print(f"{error}\n*** Error code 1\n\nStop.")
            ctx.print(f'make[1]: stopped making "{target}" in {tree.name}\n*** Error code 1\n\nStop.')
            ctx.print(f'make: stopped making "{target}" in {tree.name}')
            return 1
        finally:
            maker.files.save()
    return 0


class Installer:
    """Installs below a folder, as install(1) and mtree(8) do."""

    def __init__(self, ctx: Context, top: str, *, immutable: bool = True) -> None:
        """Begin; ``immutable`` says whether files become so."""
        self.ctx, self.top, self.immutable = ctx, top.rstrip("/") or "/", immutable
        self.files = Files(ctx.host)
        self.room = Room(self.files)
        self.fuse = Fuse(ctx)

    def place(self, path: str, *, follow: bool = True) -> Path:
        """Return where the path below the folder lies, through whatever links there are."""
        return self.ctx.path(f"{self.top}/{path}", follow=follow)

    def folder(self, path: str) -> None:
        """Make a folder or give it back its mode and owner, as ``mtree -deU`` does."""
        self.fuse.step()
        place = self.place(path, follow=False)
        if path != "." and os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            # What is no folder is passed over (-d), and so the folder is missing; what belongs in it is not left out.
            self.ctx.print(f"./{path} missing (directory not created: File exists)")
            return
        owner, mode = archive.OWNERS.get(path, (0, 0)), archive.FOLDER_MODES.get(path, 0o755)
        try:
            place = self.place(path)
            if not place.exists():
                self.files.check_create(place)
                place.mkdir()
            status = place.stat()
            if (stat.S_IMODE(status.st_mode), self.files.owner(status)) != (mode, owner):
                self.files.check_write(place)
                place.chmod(mode)
                self._own(place, owner)
            if path in archive.IMMUTABLE and self.immutable:
                self.files.set_flags(place, {"schg"})
        except OSError as error:
            self.ctx.print(f"./{path}: {reason(error)}")

    def _own(self, place: Path, owner: tuple[int, int]) -> None:
        if self.files.owner(place.stat()) != owner:
            self.files.chown(place, *owner)

    def file(self, path: str, content: bytes, mode: int) -> None:
        """Install a file as install(1) does: it takes the place of what is there, or goes into it if it is a folder."""
        self.fuse.step()
        name = f"{self.top}/{path}"
        try:
            place = self._free(path)
            check_open(self.files, place)
            self.room.take(place, len(content))
            place.write_bytes(content)
        except OSError as error:
            raise Failed(f"install: {name}: {reason(error)}") from None
        place.chmod(mode)
        self._own(place, archive.OWNERS.get(path, (0, 0)))
        if path in archive.IMMUTABLE and self.immutable:
            self.files.set_flags(place, {"schg"})

    def _free(self, path: str) -> Path:
        """Return where the file goes, with nothing there any more."""
        place = self.place(path)
        if place.is_dir():
            place = self.place(f"{path}/{path.rpartition('/')[2]}", follow=False)
        elif place.exists() and not place.is_file():
            raise Failed(f"install: {self.top}/{path}: Inappropriate file type or format")
        else:
            place = self.place(path, follow=False)
        if os.path.lexists(place):
            # install(1) takes immutable flags off what it replaces.
            self.files.set_flags(place, set())
            self.files.check_remove(place)
            self.files.forget(place)
            place.unlink()
        return place

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, as ``install -l s`` does."""
        self.fuse.step()
        place = self.place(path, follow=False)
        try:
            if os.path.lexists(place):
                self.files.check_remove(place)
                self.files.forget(place)
                place.unlink()
            self.files.check_create(place)
            place.symlink_to(target)
        except OSError as error:
            raise Failed(f"install: symlink {target} -> {self.top}/{path}: {reason(error)}") from None


class Maker(Installer):
    """Works below DESTDIR for the makefiles."""

    def __init__(self, ctx: Context, tree: Tree, variables: Variables) -> None:
        """Keep what make(1) was told."""
        super().__init__(ctx, variables["DESTDIR"], immutable="NO_FSCHG" not in variables)
        self.tree, self.variables = tree, variables

    def say(self, text: str) -> None:
        """Print a heading."""
        self.ctx.print(f"{RULE}\n>>> {text}\n{RULE}")


# installworld, distribution -------------------------------------------------------------------------------------------


def is_configuration(path: str) -> bool:
    """Say whether distribution installs that file, not installworld."""
    return path.startswith(("etc/", "root/")) or path in ("sys", "var/log/utx.log")


def installworld(maker: Maker) -> None:
    """Install what was built; the configuration, /etc/rc.d with it, stays as it is."""
    release = maker.tree.built()
    if "DB_FROM_SRC" not in maker.variables:
        _check_accounts(maker, release)
    if not maker.place(".").is_dir():
        raise Failed(f"mtree: {maker.top}: No such file or directory")
    maker.say("Installing everything started")
    distrib_dirs(maker)
    found = archive.contents(release)
    # Libraries first, and among all the C library: what is installed after it needs it.
    for path in sorted(found, key=lambda path: (path not in archive.IMMUTABLE, ".so." not in path)):
        if not is_configuration(path):
            maker.file(path, *found[path])
    for path, target in archive.links(release).items():
        if not is_configuration(path):
            maker.link(path, target)
    _rehash(maker)
    maker.say("Installing everything completed")


def _check_accounts(maker: Maker, release: str) -> None:
    new = ["_tracker"] if releases.version(release) >= (15, 2) else []
    for what, names, file in (("user", USERS, "passwd"), ("group", GROUPS, "group")):
        for name in [*names, *new]:
            if account_id(maker.ctx, name, file) is None:
                raise Failed(f"ERROR: Required {name} {what} is missing, see {maker.tree.name}/UPDATING.")


def _rehash(maker: Maker) -> None:
    done = maker.ctx.run(["certctl", "-D", maker.top, "rehash"])
    if done.rc:
        raise Failed(done.err.rstrip("\n"))


def distrib_dirs(maker: Maker) -> None:
    """Make the folders of the release, or give them back their modes and owners."""
    for path in archive.folders(maker.tree.release()):
        maker.folder(path)


def distribution(maker: Maker) -> None:
    """Install the configuration as it comes, over whatever is there."""
    release = maker.tree.release()
    if not maker.place(".").is_dir():
        raise Failed(f"mtree: {maker.top}: No such file or directory")
    distrib_dirs(maker)
    found = archive.contents(release)
    for path in sorted(path for path in found if is_configuration(path) and path not in archive.CERTIFICATES):
        maker.file(path, *found[path])
    for path, target in archive.links(release).items():
        if is_configuration(path) and not os.path.lexists(maker.place(path, follow=False)):
            maker.link(path, target)


# delete-old -----------------------------------------------------------------------------------------------------------


def _remove(maker: Maker, path: str) -> None:
    """Remove an old file, as ``rm`` does after ``chflags noschg``; without BATCH_DELETE_OLD_FILES nobody says yes."""
    place = maker.place(path, follow=False)
    if not os.path.lexists(place) or (place.is_dir() and not place.is_symlink()):
        return
    name = f"{maker.top}/{path}"
    if "BATCH_DELETE_OLD_FILES" not in maker.variables:
        maker.ctx.print(f"remove {name}? ")
        return
    maker.fuse.step()
    if "schg" in maker.files.flags_of(place):
        maker.files.set_flags(place, set())
    try:
        maker.files.check_remove(place)
        maker.files.forget(place)
        place.unlink()
        maker.ctx.print(name)
    except OSError as error:
        maker.ctx.err.write(f"rm: {name}: {reason(error)}\n")


def delete_old(maker: Maker) -> None:
    """Remove the files and folders that only older releases have, libraries aside."""
    release = maker.tree.release()
    maker.ctx.print(">>> Removing old files (only deletes safe to delete libs)")
    for path in releases.obsolete(release):
        if not releases.is_library(path):
            _remove(maker, path)
    maker.ctx.print(">>> Old files removed\n>>> Removing old directories")
    for path in releases.obsolete_folders(release):
        place = maker.place(path, follow=False)
        if place.is_dir() and not place.is_symlink():
            try:
                place.rmdir()
                maker.ctx.print(f"{maker.top}/{path}")
            except OSError as error:
                maker.ctx.err.write(f"rmdir: {maker.top}/{path}: {reason(error)}\n")
    maker.ctx.print(">>> Old directories removed\nTo remove old libraries run 'make delete-old-libs'.")


def delete_old_libs(maker: Maker) -> None:
    """Remove the libraries that only older releases have."""
    maker.ctx.print(">>> Removing old libraries")
    maker.ctx.print(BEWARE)
    for path in releases.obsolete(maker.tree.release()):
        if releases.is_library(path):
            _remove(maker, path)
    maker.ctx.print(">>> Old libraries removed")


def check_old(maker: Maker) -> None:
    """List what delete-old and delete-old-libs would remove."""
    release = maker.tree.release()
    there = [path for path in releases.obsolete(release) if os.path.lexists(maker.place(path, follow=False))]
    folders = [path for path in releases.obsolete_folders(release) if maker.place(path, follow=False).is_dir()]
    lists = (
        ("files", [path for path in there if not releases.is_library(path)]),
        ("libraries", [path for path in there if releases.is_library(path)]),
        ("directories", folders),
    )
    for what, paths in lists:
        maker.ctx.print(f">>> Checking for old {what}")
        for path in paths:
            maker.ctx.print(f"{maker.top}/{path}")
    maker.ctx.print("To remove old files and directories run 'make delete-old'.")
    maker.ctx.print("To remove old libraries run 'make delete-old-libs'.")


TARGETS: dict[str, t.Callable[[Maker], None]] = {
    "installworld": installworld,
    "distribution": distribution,
    "distrib-dirs": distrib_dirs,
    "delete-old": delete_old,
    "delete-old-libs": delete_old_libs,
    "check-old": check_old,
}
