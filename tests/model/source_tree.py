# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small FreeBSD sources of any release with what buildworld made of them, as model.world installs them."""

from __future__ import annotations

import typing as t

from model import archive, releases
from model.world import ARCHITECTURE, BUILT, METADATA, NEWVERS

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.host import Host

PARAM = "sys/sys/param.h"


def write(host: Host, release: str, *, folder: str = "/usr/src", prefix: str = "/usr/obj", built: bool = True) -> None:
    """Put the sources of a release into a folder of the host, in place of any that are there, and its objects.

    Without ``built`` the objects stay as they are: those of another release, or none.
    """
    revision, _unused, branch = release.partition("-")
    sources = {
        "Makefile": "# The user-driven targets; the work is done by Makefile.inc1.\n",
        "Makefile.inc1": "# installworld and its kin.\n",
        "UPDATING": f"Updating Information for users of FreeBSD {revision}.\n",
        "ObsoleteFiles.inc": "".join(_obsolete(release)),
        NEWVERS: f'#!/bin/sh\n\nTYPE="FreeBSD"\nREVISION="{revision}"\nBRANCH="{branch}"\n',
        PARAM: f"#define __FreeBSD_version {releases.osreldate(release)}\n",
    }
    for path, text in sources.items():
        _put(host.path(folder) / path, text)
    for name in ("master.passwd", "group"):
        content, _mode = archive.contents(release)[f"etc/{name}"]
        _put(host.path(folder) / "etc" / name, content.decode())
    if built:
        objects = host.path(f"{prefix}{folder}") / ARCHITECTURE
        _put(objects / METADATA, "# what compiled it\n")
        _put(objects / BUILT, archive.VERSION_SCRIPT.format(release=release))


def _obsolete(release: str) -> t.Iterator[str]:
    for path in releases.obsolete(release):
        yield f"OLD_{'LIBS' if releases.is_library(path) else 'FILES'}+={path}\n"
    for path in releases.obsolete_folders(release):
        yield f"OLD_DIRS+={path}\n"


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
