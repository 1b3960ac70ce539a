# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small programs that make files of the base system out of other ones: certctl(8), cap_mkdb(1), services_mkdb(8)."""

from __future__ import annotations

import hashlib
import os
import typing as t

from model.command import Exit, options
from model.files import Files, reason
from model.userland import check_open, usage

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

CERTCTL = """usage: certctl [-cv] [-D destdir] list
       certctl [-cv] [-D destdir] untrusted
       certctl [-BnUv] [-D destdir] [-M metalog] rehash
"""
CAP_MKDB = "usage: cap_mkdb [-b | -l] [-v] [-f outfile] file [file ...]\n"
SERVICES_MKDB = "usage:\tservices_mkdb [-b | -l] [-q] [-o <db>] [<servicefile>]\n"
# The base system's certificates, and those that the root's owner trusts.
TRUSTED = ("usr/share/certs/trusted", "usr/local/share/certs")
UNTRUSTED = ("usr/share/certs/untrusted",)
CERTS, BUNDLE = "etc/ssl/certs", "etc/ssl/cert.pem"
NO_CERTS = "etc/ssl/untrusted"


def certctl(ctx: Context) -> int:
    """certctl(8): list, rehash."""
    flags, words = options(ctx, "BcD:d:lM:nUv", CERTCTL)
    if words not in (["list"], ["rehash"]):
        usage(ctx, CERTCTL)
    top = flags.get("D", [ctx.env.get("DESTDIR", "")])[-1].rstrip("/")
    if words == ["list"]:
        for name, _content in _certificates(ctx, [f"{top}/{CERTS}"]):
            ctx.print(name)
        return 0
    untrusted = {content for _name, content in _certificates(ctx, [f"{top}/{path}" for path in (*UNTRUSTED, NO_CERTS)])}
    found = {content for _name, content in _certificates(ctx, [f"{top}/{path}" for path in (*TRUSTED, CERTS)])}
    trusted = sorted(found - untrusted)
    try:
        for path, contents in ((NO_CERTS, sorted(untrusted)), (CERTS, trusted)):
            _keep_certificates(ctx, f"{top}/{path}", contents)
        _replace(ctx, ctx.path(f"{top}/{BUNDLE}", follow=False), b"".join(trusted), 0o444)
    except OSError as error:
        raise Exit(1, f"{top}/{CERTS}: {reason(error)}") from None
    return 0


def _keep_certificates(ctx: Context, path: str, contents: list[bytes]) -> None:
    """Have a folder hold these and no other file, as write_certs() of certctl.c does."""
    folder = ctx.path(path)
    folder.mkdir(parents=True, exist_ok=True)
    names = {f"{hashlib.sha256(content).hexdigest()[:8]}.0": content for content in contents}
    for old in folder.iterdir():
        if old.name not in names and (old.is_symlink() or not old.is_dir()):
            old.unlink()
    for name, content in names.items():
        _replace(ctx, folder / name, content, 0o444)


def _certificates(ctx: Context, folders: list[str]) -> t.Iterator[tuple[str, bytes]]:
    """Yield names and contents; what is no certificate is passed over, wherever a link leads."""
    for folder in folders:
        for name, path in _files(ctx, folder, ()):
            content = path.read_bytes()
            if content.startswith(b"-----BEGIN CERTIFICATE-----"):
                yield name, content


def _files(ctx: Context, folder: str, above: tuple[Path, ...]) -> t.Iterator[tuple[str, Path]]:
    """Yield the files below a folder and whatever links lead to (fts(3) with FTS_LOGICAL), a circle but once."""
    place = ctx.path(folder)
    if place in above or not place.is_dir():
        return
    for name in sorted(os.listdir(place)):
        path = ctx.path(f"{folder}/{name}")
        if path.is_dir():
            yield from _files(ctx, f"{folder}/{name}", (*above, place))
        elif path.is_file():
            yield name, path


def _replace(ctx: Context, path: Path, content: bytes, mode: int) -> None:
    """Write a file beside the other, where nothing is left of what was planted there, and rename it."""
    check_open(Files(ctx.host), path)
    new = path.with_name(path.name + ".tmp")
    new.unlink(missing_ok=True)
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(path)


def cap_mkdb(ctx: Context) -> int:
    """cap_mkdb(1): makes FILE.db of capability files such as login.conf."""
    flags, words = options(ctx, "bf:lv", CAP_MKDB)
    if not words:
        usage(ctx, CAP_MKDB)
    for word in words:
        try:
            lines = ctx.path(word).read_bytes()
        except OSError as error:
            raise Exit(1, f"{word}: {reason(error)}") from None
        _replace(ctx, ctx.path(flags.get("f", [word])[-1] + ".db", follow=False), database(lines), 0o644)
    return 0


def services_mkdb(ctx: Context) -> int:
    """services_mkdb(8)."""
    flags, words = options(ctx, "blo:q", SERVICES_MKDB)
    if len(words) > 1:
        usage(ctx, SERVICES_MKDB)
    source = (words or ["/etc/services"])[0]
    try:
        content = ctx.path(source).read_bytes()
    except OSError as error:
        raise Exit(1, f"Cannot open `{source}': {reason(error)}") from None
    _replace(ctx, ctx.path(flags.get("o", ["/var/db/services.db"])[-1], follow=False), database(content), 0o644)
    return 0


def database(source: bytes) -> bytes:
    """Return what stands for a hash(3) file: it changes with what it was made of, and with nothing else."""
    return b"\0\x06\x15\x61" + hashlib.sha256(source).digest()
