# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How FreeBSD's releases differ: which has which files, and what stands in their configuration.

The kinds of difference are FreeBSD's (libraries with a new number, programs and scripts that come and go, a new
account, a changed default); which minor release brings which is the model's own, so that each step has several.
"""

from __future__ import annotations

import re
import typing as t

Version = tuple[int, int]

RELEASE = re.compile(r"(\d+)\.(\d+)-RELEASE(?:-p(\d+))?")
NEVER: Version = (999, 0)
# Whose configuration model.etc_files holds.
WRITTEN: Version = (15, 1)


def version(release: str) -> Version:
    """Return major and minor number of a release (``15.1-RELEASE-p1``)."""
    return order(release)[:2]


def order(release: str) -> tuple[int, int, int]:
    """Return what says which of two releases is the newer one: major, minor, patch level."""
    match = RELEASE.fullmatch(release)
    if match is None:
        raise ValueError(f"{release!r} is no release as the model has them")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def osreldate(release: str) -> int:
    """Return __FreeBSD_version, the release as a number."""
    major, minor = version(release)
    return major * 100_000 + minor * 1000


# path -> the first release that has it, and the first that has it no more. What is not named is in all of them.
FILES: dict[str, tuple[Version, Version]] = {
    "lib/libalias.so.7": ((0, 0), (15, 2)),
    "lib/libalias.so.8": ((15, 2), NEVER),
    "lib/libcrypto.so.30": ((0, 0), (15, 0)),
    "lib/libcrypto.so.35": ((15, 0), NEVER),
    "lib/libssl.so.30": ((0, 0), (15, 0)),
    "lib/libssl.so.35": ((15, 0), NEVER),
    "lib/libsys.so.7": ((15, 0), NEVER),
    "lib/libufs.so.7": ((0, 0), (15, 1)),
    "lib/libufs.so.8": ((15, 1), NEVER),
    "lib/libutil.so.9": ((0, 0), (15, 0)),
    "lib/libutil.so.10": ((15, 0), NEVER),
    "usr/bin/shar": ((0, 0), (15, 0)),
    "usr/bin/tip": ((0, 0), (15, 2)),
    "usr/libdata/lint/llib-lposix.ln": ((0, 0), (15, 1)),
    "usr/sbin/mergemaster": ((0, 0), (15, 0)),
    "usr/sbin/sndctl": ((15, 2), NEVER),
    "usr/sbin/vidcontrol": ((15, 1), NEVER),
}
FOLDERS: dict[str, tuple[Version, Version]] = {
    "etc/gss": ((0, 0), (15, 1)),
    "etc/tracker.d": ((15, 2), NEVER),
    "usr/libdata/lint": ((0, 0), (15, 1)),
    "usr/share/flua": ((15, 2), NEVER),
}
# The same for files of the configuration, with their text.
ETC: dict[str, tuple[Version, Version, str, int]] = {
    "etc/gss/mech": ((0, 0), (15, 1), "kerberosv5\t1.2.840.113554.1.2.2\n", 0o644),
    "etc/rc.d/amd": ((0, 0), (15, 1), '#!/bin/sh\n#\n# PROVIDE: amd\n#\n\nname="amd"\n', 0o755),
    "etc/rc.d/tracker": ((15, 2), NEVER, '#!/bin/sh\n#\n# PROVIDE: tracker\n#\n\nname="tracker"\n', 0o755),
    "etc/tracker.d/base.conf": ((15, 2), NEVER, "interval 60\n", 0o644),
}


class Edit(t.NamedTuple):
    """A passage of a file of the configuration, which is another one from some release on."""

    path: str
    since: Version
    old: str
    new: str


_HAST = "hast:*:845:845::0:0:HAST unprivileged user:/var/empty:/usr/sbin/nologin\n"
_TRACKER = "_tracker:*:901:901::0:0:Tracker unprivileged user:/var/empty:/usr/sbin/nologin\n"
_TESTS = "tests:*:977:977::0:0:Unprivileged user for tests:/nonexistent:/usr/sbin/nologin\n"


_READS = "reads rc.conf(5) and starts what it switches on."
_MULTI_USER = "This file is read when going to multi-user"


def _short(row: str) -> str:
    """Return a row of master.passwd(5) as /etc/passwd has it."""
    return row.replace("::0:0:", ":")


EDITS = (
    Edit("etc/defaults/rc.conf", (15, 1), "# Defaults.\n", "# Defaults; rc.conf(5) says what may be overridden.\n"),
    Edit("etc/group", (15, 1), "_ypldap:*:160:\n", "_ypldap:*:160:\nhast:*:845:\n"),
    Edit("etc/group", (15, 2), "tests:*:977:\n", "_tracker:*:901:\ntests:*:977:\n"),
    Edit("etc/login.conf", (15, 2), "/usr/local/sbin /usr/local/bin ~/bin:", "/usr/local/sbin /usr/local/bin:"),
    Edit("etc/master.passwd", (15, 1), _TESTS, _HAST + _TESTS),
    Edit("etc/master.passwd", (15, 2), _TESTS, _TESTS + _TRACKER),
    Edit("etc/motd.template", (15, 2), "Welcome to FreeBSD!\n", "Welcome to FreeBSD!\n\nHandbook: handbook(7)\n"),
    Edit("etc/passwd", (15, 1), _short(_TESTS), _short(_HAST + _TESTS)),
    Edit("etc/passwd", (15, 2), _short(_TESTS), _short(_TESTS + _TRACKER)),
    Edit("etc/rc", (15, 1), "# System startup.\n", f"# System startup: {_READS}\n"),
    Edit("etc/rc.d/cron", (15, 2), "# PROVIDE: cron\n", "# PROVIDE: cron\n# KEYWORD: shutdown\n"),
    Edit("etc/ssh/sshd_config", (15, 1), "#PermitRootLogin prohibit-password\n", "#PermitRootLogin no\n"),
    Edit("etc/ssh/sshd_config", (15, 2), "#UsePAM yes\n", "#UsePAM yes\n#UseBlocklist no\n"),
    Edit("etc/sysctl.conf", (15, 0), "# See sysctl.conf(5).\n", f"# {_MULTI_USER}; sysctl.conf(5) says how.\n"),
    Edit("etc/syslog.conf", (15, 1), "mail.info;news.err", "mail.crit;news.err"),
)


def is_in(release: str, span: tuple[t.Any, ...]) -> bool:
    """Say whether what has this span is in the release."""
    return bool(span[0] <= version(release) < span[1])


def has(release: str, path: str) -> bool:
    """Say whether the release has that file or folder, if any has it."""
    span = FILES.get(path) or FOLDERS.get(path) or ETC.get(path)
    return span is None or is_in(release, span)


def edited(release: str, path: str, text: str) -> str:
    """Return the text of a configuration file as that release has it, from that of the one which etc_files holds."""
    for edit in EDITS:
        is_new, was_new = edit.since <= version(release), edit.since <= WRITTEN
        if edit.path == path and is_new != was_new:
            text = text.replace(*((edit.old, edit.new) if is_new else (edit.new, edit.old)))
    return text


def is_library(path: str) -> bool:
    """Say whether delete-old-libs is for that file: programs may still need it."""
    return ".so." in path


def obsolete(release: str) -> list[str]:
    """Return the files that a release before this one had (ObsoleteFiles.inc), configuration aside."""
    return [path for path, span in FILES.items() if span[1] <= version(release)] + [
        path for path, span in ETC.items() if span[1] <= version(release)
    ]


def obsolete_folders(release: str) -> list[str]:
    """Return the folders that a release before this one had, the deepest first."""
    return sorted((path for path, span in FOLDERS.items() if span[1] <= version(release)), reverse=True)
