# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pkg(8) with a root of its own: install, info and which, from a repository that is a folder of this host.

A repository holds NAME.json for each package: version, ABI, __FreeBSD_version, dependencies, files; and SIGNATURE, the
fingerprint of the key that signed it. What the files contain is a release's (see model.archive). The texts are pkg's as
far as they are known; no transcript shows them. Of paths, pkg takes those of REPOS_DIR and fingerprints below the root
(bsdinstall's script pkgbase says so), and those of --repo-conf-dir and of repositories as the host's.
"""

from __future__ import annotations

import getopt
import hashlib
import json
import posixpath
import re
import typing as t

from model import archive, releases
from model import kernel as kernels
from model.command import Exit
from model.world import Failed, Installer

if t.TYPE_CHECKING:
    from model.command import Context
    from model.host import Host

# Where the port puts it; the base system has only what fetches it.
PROGRAM = "/usr/local/sbin/pkg"
DATABASE = "/var/db/pkg/local.sqlite"
REPOS_DIR = "/etc/pkg/"
USAGE = (
    "Usage: pkg [-v] [-d] [-l] [-N] [-j <jail name or id>|-c <chroot path>|-r <rootdir>] [-C <configuration file>] "
    "[-R <repo config dir>] [-o var=value] [-4|-6] <command> [<args>]\n"
)
EX_USAGE = 64
REPOSITORY = re.compile(r"([\w-]+)\s*:\s*\{((?:[^{}]|\$\{\w+\})*)\}")
SETTING = re.compile(r'(\w+)\s*:\s*(?:"([^"]*)"|([^\s,"]+))')
QUOTED = re.compile(r'(\w+)\s*:\s*"([^"]*)"')
# Where the base system has the fingerprints of those who sign its packages.
KEYS = "/usr/share/keys/pkgbase-15"
SIGNATURE = "SIGNATURE"
SIGNER = "pkg.FreeBSD.org"

Package = dict[str, t.Any]
# The packages of a jail's base system: name -> how the paths begin that are in it; the rest is in the last.
PARTS = {
    "FreeBSD-clibs": ("lib/libc.", "lib/libsys.", "lib/libthr.", "libexec/ld-elf."),
    "FreeBSD-runtime": ("bin/", "lib/", "libexec/", "sbin/"),
    "FreeBSD-rc": ("etc/rc",),
    "FreeBSD-ssh": ("etc/ssh/", "usr/sbin/sshd", "usr/bin/ssh", "usr/libexec/sshd"),
    "FreeBSD-utilities": ("",),
}
SETS = {
    "FreeBSD-set-minimal-jail": ("FreeBSD-clibs", "FreeBSD-rc", "FreeBSD-runtime", "FreeBSD-utilities"),
    "FreeBSD-set-base-jail": ("FreeBSD-set-minimal-jail", "FreeBSD-ssh"),
}


def write_repository(host: Host, folder: str, release: str, signer: str = SIGNER) -> None:
    """Make a repository of a release's base system in a folder of the host, signed by whoever it is."""
    place = host.path(folder)
    place.mkdir(parents=True, exist_ok=True)
    place.joinpath(SIGNATURE).write_text(fingerprint(signer))
    found = archive.contents(release)
    rest = [path for path in found if path not in archive.CERTIFICATES]
    for name, heads in PARTS.items():
        _write(host, folder, name, release, [], [path for path in rest if path.startswith(heads)])
        rest = [path for path in rest if not path.startswith(heads)]
    for name, parts in SETS.items():
        _write(host, folder, name, release, parts, [])


def _write(host: Host, folder: str, name: str, release: str, needs: t.Sequence[str], files: list[str]) -> None:
    major = releases.version(release)[0]
    package = {
        "version": release.replace("-RELEASE", "").replace("-", ""),
        "abi": f"FreeBSD:{major}:amd64",
        "osversion": releases.osreldate(release),
        "release": release,
        "needs": list(needs),
        "files": files,
    }
    host.path(f"{folder}/{name}.json").write_text(json.dumps(package))


def fingerprint(signer: str) -> str:
    """Return the fingerprint of somebody's key."""
    return hashlib.sha256(signer.encode()).hexdigest()


def trust(host: Host, signer: str = SIGNER, folder: str = KEYS) -> None:
    """Put a fingerprint among those that are trusted."""
    place = host.path(f"{folder}/trusted")
    place.mkdir(parents=True, exist_ok=True)
    place.joinpath(signer).write_text(f'function: "sha256"\nfingerprint: "{fingerprint(signer)}"\n')


def install_pkg(host: Host) -> None:
    """Install the package manager itself, and whom it trusts."""
    host.path(posixpath.dirname(PROGRAM)).mkdir(parents=True, exist_ok=True)
    host.path(PROGRAM).write_text("what pkg(7) runs\n")
    trust(host)


class Options(t.NamedTuple):
    """What stands before the command; ``repositories`` is the folder of their files, '' if it is not given."""

    root: str
    settings: dict[str, str]
    repositories: str


def pkg(ctx: Context) -> int:
    """pkg(8)."""
    try:
        pairs, words = getopt.getopt(ctx.arguments, "Nr:o:R:", ["rootdir=", "option=", "repo-conf-dir="])
    except getopt.GetoptError:
        return _usage(ctx)
    given = dict(pairs)
    if "-N" in given:
        return 0
    root = given.get("--rootdir") or given.get("-r") or "/"
    settings = dict(value.partition("=")[::2] for letter, value in pairs if letter in ("-o", "--option"))
    if not ctx.path(root).is_dir():
        raise Exit(1, f"Invalid rootdir: {root}: No such file or directory")
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        return _usage(ctx)
    repositories = given.get("--repo-conf-dir") or given.get("-R") or ""
    return command(ctx, Options(root.rstrip("/"), settings, repositories), words[1:])


def _usage(ctx: Context) -> int:
    ctx.err.write(USAGE)
    return EX_USAGE


def _known(ctx: Context, options: Options) -> dict[str, Package]:
    """Return the packages that are installed in the root."""
    path = ctx.path(options.root + DATABASE)
    try:
        return dict(json.loads(path.read_text())) if path.is_file() else {}
    except (ValueError, TypeError):
        raise Exit(1, "sqlite error while executing PRAGMA user_version: file is not a database") from None


def which(ctx: Context, options: Options, words: list[str]) -> int:
    """Say which package a file is from."""
    quiet, names = "-q" in words, [word for word in words if word != "-q"]
    known, status = _known(ctx, options), 0
    for name in names:
        owner = next((f"{key}-{each['version']}" for key, each in known.items() if name[1:] in each["files"]), "")
        if owner:
            ctx.print(owner if quiet else f"{name} was installed by package {owner}")
        else:
            status = 1
            if not quiet:
                ctx.print(f"{name} was not found in the database")
    return status if names else _usage(ctx)


def info(ctx: Context, options: Options, words: list[str]) -> int:
    """List the packages that are installed."""
    if words:
        return _usage(ctx)
    for name, package in sorted(_known(ctx, options).items()):
        ctx.print(f"{name}-{package['version']}")
    return 0


def install(ctx: Context, options: Options, words: list[str]) -> int:
    """Install packages with what they need."""
    try:
        pairs, names = getopt.getopt(words, "yr:", ["yes", "repository="])
    except getopt.GetoptError:
        return _usage(ctx)
    given = dict(pairs)
    if not given.keys() & {"-y", "--yes"}:
        raise Exit(1, "the model answers no questions: pkg install -y")
    offered = _offered(ctx, options, given.get("-r") or given.get("--repository") or "")
    wanted: dict[str, Package] = {}
    while names:
        name = names.pop(0)
        if name not in offered:
            raise Exit(1, f"No packages available to install matching '{name}' have been found in the repositories")
        wanted[name] = offered[name]
        names += [each for each in offered[name]["needs"] if each not in wanted]
    known = _known(ctx, options)
    fresh = {name: each for name, each in wanted.items() if known.get(name, {}).get("version") != each["version"]}
    if not fresh:
        ctx.print("The most recent versions of packages are already installed")
        return 0
    _fill(ctx, options, fresh)
    path = ctx.path(options.root + DATABASE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | fresh))
    return 0


def _offered(ctx: Context, options: Options, only: str) -> dict[str, Package]:
    """Return the packages of all repositories that are enabled (or of one of them) and fit."""
    folder = ctx.path(options.repositories or options.root + options.settings.get("REPOS_DIR", REPOS_DIR))
    found: dict[str, Package] = {}
    for file in sorted(folder.glob("*.conf")) if folder.is_dir() else ():
        for name, text in REPOSITORY.findall(file.read_text()):
            settings = {key: quoted or bare for key, quoted, bare in SETTING.findall(text)}
            if settings.get("enabled", "yes") in ("yes", "true") and only in ("", name):
                ctx.print(f"Updating {name} repository catalogue...")
                found |= _catalogue(ctx, options, name, settings)
    if not found:
        raise Exit(1, "No active remote repositories configured.")
    return found


def _catalogue(ctx: Context, options: Options, name: str, settings: dict[str, str]) -> dict[str, Package]:
    """Return the packages of one repository, if whoever signed it is trusted."""
    scheme, _colon, place = settings.get("url", "").partition("://")
    if scheme.startswith("pkg+") != (settings.get("mirror_type", "none").lower() == "srv"):
        raise Exit(1, f"packagesite URL error for {settings['url']} -- pkg+:// implies SRV mirror type")
    if scheme != "file":
        raise Exit(1, f"An error occurred while fetching package: {settings.get('url')}: No address record")
    folder = ctx.path(place)
    if not folder.joinpath(SIGNATURE).is_file():
        ctx.warn(f"{settings['url']}/meta.txz: No such file or directory")
        raise Exit(1, f"Unable to update repository {name}")
    kind = settings.get("signature_type", "none").lower()
    if kind == "fingerprints":
        _check_signature(ctx, options, folder.joinpath(SIGNATURE).read_text(), settings.get("fingerprints", ""))
    elif kind != "none":
        raise Exit(1, f"the model does not know signature_type {kind}")
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    for each, package in found.items():
        _check(ctx, options, name, each, package)
    return found


def _check_signature(ctx: Context, options: Options, signed: str, keys: str) -> None:
    """Look among the fingerprints, which are below the root, for that of whoever signed the repository."""
    folder = ctx.path(f"{options.root}{keys}/trusted")
    if not folder.is_dir():
        raise Exit(1, "Error loading trusted certificates")
    trusted = [dict(QUOTED.findall(path.read_text())).get("fingerprint") for path in folder.iterdir()]
    if not trusted:
        raise Exit(1, "No trusted certificates")
    if signed not in trusted:
        raise Exit(1, "No trusted public keys found")


def _check(ctx: Context, options: Options, repository: str, name: str, package: Package) -> None:
    with ctx.host.kernel() as kernel:
        host = kernels.osreldate(kernel)
    abi = options.settings.get("ABI", f"FreeBSD:{host // 100_000}:amd64")
    if package["abi"] != abi:
        raise Exit(1, f"repository {repository} contains packages for wrong ABI: {package['abi']}")
    running = int(options.settings.get("OSVERSION", host))
    if package["osversion"] > running and ctx.env.get("IGNORE_OSVERSION") != "yes":
        ctx.err.write(f"Newer FreeBSD version for package {name}:\nTo ignore this error set IGNORE_OSVERSION=yes\n")
        ctx.err.write(f"- package: {package['osversion']}\n- running userland: {running}\n")
        raise Exit(1, f"repository {repository} contains packages for wrong OS version: {package['abi']}")


def _fill(ctx: Context, options: Options, packages: dict[str, Package]) -> None:
    """Install the files; a link on the way is followed, as the folder's descriptor does not hinder it."""
    release = next(iter(packages.values()))["release"]
    installer = Installer(ctx, options.root or "/")
    found = archive.contents(release)
    try:
        for path in archive.folders(release):
            installer.folder(path)
        for number, (name, package) in enumerate(packages.items(), 1):
            ctx.print(f"[{number}/{len(packages)}] Installing {name}-{package['version']}...")
            for path in package["files"]:
                installer.file(path, *found[path])
        for path, target in archive.links(release).items():
            installer.link(path, target)
    except Failed as error:
        raise Exit(1, str(error).removeprefix("install: ")) from None
    finally:
        installer.files.save()
    if ctx.run(["certctl", "-D", installer.top, "rehash"]).rc:
        ctx.warn("POST-INSTALL script failed")


COMMANDS: dict[str, t.Callable[[Context, Options, list[str]], int]] = {"which": which, "info": info, "install": install}
