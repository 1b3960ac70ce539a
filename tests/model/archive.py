# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small base.txz: a userland with the names, modes and flags of FreeBSD's, and with contents the model can run."""

from __future__ import annotations

import typing as t

from model import etc_files, execute, index, releases

if t.TYPE_CHECKING:
    import tarfile
    from pathlib import Path

# 1 December 2025: every member has this time, so that the same release gives the same bytes.
MTIME = 1764547200

# path, mode, group where it is not wheel
_FOLDERS_WORDS = (
    ". bin boot dev etc etc/X11 etc/autofs etc/bluetooth etc/cron.d etc/defaults etc/devd etc/dma etc/jail.conf.d "
    "etc/kyua etc/mail etc/mtree etc/newsyslog.conf.d etc/ntp etc/pam.d etc/periodic etc/periodic/daily "
    "etc/periodic/monthly etc/periodic/security etc/periodic/weekly etc/pkg etc/ppp etc/profile.d etc/rc.conf.d "
    "etc/rc.d etc/security etc/ssh etc/ssl etc/ssl/certs etc/ssl/untrusted etc/syslog.d etc/zfs home lib lib/geom "
    "lib/nvmecontrol libexec libexec/resolvconf media mnt net proc rescue root sbin tmp usr usr/bin usr/include "
    "usr/lib usr/lib/debug usr/libdata usr/libexec usr/local usr/local/bin usr/local/etc usr/local/etc/rc.d usr/obj "
    "usr/sbin usr/share usr/share/certs usr/share/certs/trusted usr/share/man usr/share/skel "
    "usr/share/zoneinfo usr/src usr/tests var var/account var/at var/at/jobs var/audit "
    "var/backups var/cache var/crash var/cron var/cron/tabs var/db var/db/entropy var/db/pkg var/empty var/games "
    "var/heimdal var/log var/mail var/msgs var/preserve var/run var/rwho var/spool var/spool/lpd var/tmp var/unbound "
    "var/yp"
)
FOLDERS = _FOLDERS_WORDS.split()
FOLDER_MODES = {
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "root": 0o750,
    "var/empty": 0o555,
    "var/at": 0o755,
    "var/audit": 0o750,
    "var/backups": 0o750,
    "var/crash": 0o750,
    "var/cron": 0o750,
    "var/cron/tabs": 0o700,
    "var/db/entropy": 0o700,
    "etc/ppp": 0o700,
    "var/heimdal": 0o700,
    "var/mail": 0o775,
    "var/games": 0o775,
    "proc": 0o555,
}
# path -> uid, gid
OWNERS = {
    "var/db/entropy": (2, 5),
    "var/mail": (0, 6),
    "var/games": (0, 13),
    "var/spool/lpd": (0, 1),
    "var/unbound": (59, 59),
    "var/at/jobs": (1, 1),
    "usr/bin/write": (0, 4),
    "usr/bin/wall": (0, 4),
    "sbin/shutdown": (0, 5),
    "usr/bin/lpr": (0, 1),
    "var/log/utx.log": (0, 0),
    "var/msgs": (1, 1),
    "var/rwho": (1, 1),
}
# What only root (or the owner) may replace, not even he before the flag is cleared, in the archive's order.
_IMMUTABLE_WORDS = (
    "var/empty lib/libc.so.7 lib/libsys.so.7 lib/libcrypt.so.5 lib/librt.so.1 lib/libthr.so.3 libexec/ld-elf.so.1 "
    "sbin/init usr/bin/chpass usr/bin/login usr/bin/passwd usr/bin/su usr/bin/crontab"
)
IMMUTABLE = _IMMUTABLE_WORDS.split()
_LIBRARIES_WORDS = (
    "lib80211.so.1 libalias.so.7 libavl.so.2 libbe.so.1 libbegemot.so.4 libbsdxml.so.4 libc++.so.1 libcam.so.7 "
    "libcasper.so.1 libcrypto.so.35 libcuse.so.1 libcxxrt.so.1 libdevctl.so.5 libdevstat.so.7 libedit.so.8 libelf.so.2 "
    "libexecinfo.so.1 libfetch.so.6 libgcc_s.so.1 libgeom.so.5 libipsec.so.4 libjail.so.1 libkiconv.so.4 libkvm.so.7 "
    "libm.so.5 libmd.so.7 libnv.so.1 libpcap.so.8 libprivatessh.so.5 libsbuf.so.6 libssl.so.35 libtinfow.so.9 "
    "libufs.so.8 libulog.so.0 libutil.so.10 libuutil.so.2 libxo.so.0 libz.so.6 libzfs.so.4 libzpool.so.2"
)
LIBRARIES = _LIBRARIES_WORDS.split()
# Programs that the model has no function for: there, but nothing that it could run.
_UNKNOWN_WORDS = (
    "bin/cpio bin/csh bin/ed bin/pax bin/rmail bin/tcsh bin/uuidgen sbin/adjkerntz sbin/clri sbin/dhclient sbin/dmesg "
    "sbin/dump sbin/fsck sbin/init sbin/ldconfig sbin/md sbin/nologin sbin/reboot sbin/restore sbin/rtsol "
    "sbin/shutdown usr/bin/at usr/bin/bc usr/bin/calendar usr/bin/cc usr/bin/chpass usr/bin/clang "
    "usr/bin/crontab usr/bin/dc usr/bin/drill usr/bin/ee usr/bin/file usr/bin/finger usr/bin/ftp usr/bin/gunzip "
    "usr/bin/less usr/bin/login usr/bin/lpr usr/bin/mail usr/bin/man usr/bin/more usr/bin/passwd usr/bin/quota "
    "usr/bin/scp usr/bin/sftp usr/bin/su usr/bin/tip usr/bin/vi usr/bin/w usr/bin/wall usr/bin/who usr/bin/whois "
    "usr/bin/write usr/bin/xz usr/bin/zstd usr/libexec/getty usr/libexec/sftp-server usr/libexec/sshd-session "
    "usr/sbin/adduser usr/sbin/bsdconfig usr/sbin/bsdinstall usr/sbin/cron usr/sbin/inetd usr/sbin/mtree "
    "usr/sbin/newsyslog usr/sbin/ntpd usr/sbin/nologin usr/sbin/pwd_mkdb usr/sbin/sendmail usr/sbin/sshd "
    "usr/sbin/syslogd usr/sbin/tzsetup usr/sbin/vipw usr/sbin/vidcontrol"
)
UNKNOWN = _UNKNOWN_WORDS.split()
SETUID = frozenset(
    [
        "usr/bin/at",
        "usr/bin/chpass",
        "usr/bin/crontab",
        "usr/bin/login",
        "usr/bin/passwd",
        "usr/bin/quota",
        "usr/bin/su",
        "bin/rcp",
        "sbin/ping",
    ]
)
LINKS = {
    "sys": "usr/src/sys",
    "etc/aliases": "mail/aliases",
    "etc/motd": "../var/run/motd",
    "etc/os-release": "../var/run/os-release",
    "etc/rmt": "/usr/sbin/rmt",
    "etc/termcap": "/usr/share/misc/termcap",
    "etc/unbound": "/var/unbound",
    "usr/bin/c++": "cc",
    "usr/bin/reset": "tset",
    "usr/lib/libc.so": "../../lib/libc.so.7",
}
VERSION_SCRIPT = """#!/bin/sh

USERLAND_VERSION="{release}"

[ $# -gt 0 ] || set -- -u
for option in "$@"; do
    case "$option" in
    -[kru] | -[kru][kru] | -[kru][kru][kru]) ;;
    *)
        echo "usage: freebsd-version [-kru] [-j jail]" >&2
        exit 1
        ;;
    esac
done
case "$*" in *k*) uname -r ;; esac
case "$*" in *r*) uname -r ;; esac
case "$*" in *u*) echo "$USERLAND_VERSION" ;; esac
"""
DOTFILES = (".cshrc", ".login", ".profile", ".shrc")
# The one certificate, and what certctl(8) makes of it.
TRUSTED = "usr/share/certs/trusted"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nTW9kZWwgUm9vdA==\n-----END CERTIFICATE-----\n"
CERTIFICATES = {"etc/ssl/cert.pem": CERTIFICATE, "etc/ssl/certs/d8304ce6.0": CERTIFICATE}
# A file of a library or of a program that cannot be run.
OPAQUE = b"\x7fELF\x02\x01\x01\x09"


class Writer:
    """Adds members with fixed times and owners."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        """Write into that archive."""
        self.archive = archive

    def member(self, path: str, mode: int, kind: bytes) -> tarfile.TarInfo:
        """Return a member as the release has it: ``./PATH``, owners, time, flags."""
        import tarfile  # noqa: PLC0415

        info = tarfile.TarInfo(path if path == "." else f"./{path}")
        info.type, info.mode, info.mtime = kind, mode, MTIME
        info.uid, info.gid = OWNERS.get(path, (0, 0))
        if path in IMMUTABLE:
            info.pax_headers = {"SCHILY.fflags": "schg"}
        return info

    def folder(self, path: str) -> None:
        """Add a folder."""
        self.archive.addfile(self.member(path, FOLDER_MODES.get(path, 0o755), b"5"))

    def file(self, path: str, content: bytes, mode: int) -> None:
        """Add a file."""
        import io  # noqa: PLC0415

        info = self.member(path, mode, b"0")
        info.size = len(content)
        self.archive.addfile(info, io.BytesIO(content))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        info = self.member(path, 0o755, b"2")
        info.linkname = target
        self.archive.addfile(info)


def contents(release: str) -> dict[str, tuple[bytes, int]]:
    """Return all files: path below the root -> content and mode.

    The second line of what is no text names the release, so that a world of two releases shows (see model.linker).
    """
    stamp = f"\n{release}\n".encode()
    found: dict[str, tuple[bytes, int]] = {}
    for path in opaque(release):
        found[path] = (OPAQUE + path.encode() + stamp, _mode(path))
    for program in index.PROGRAMS:
        if not program.startswith("/usr/local/"):
            found[program[1:]] = (execute.MAGIC + program.encode() + stamp, _mode(program[1:]))
    for path, text, mode in configuration(release):
        found[path] = (text.encode(), mode)
    for name in DOTFILES:
        found[f"root/{name}"] = (f"# {name}\n".encode(), 0o644)
        found[f"usr/share/skel/dot{name}"] = (f"# {name}\n".encode(), 0o644)
    return found | _special(release)


def opaque(release: str) -> list[str]:
    """Return the paths of the libraries, and of the programs that the model has no function for."""
    libraries = [f"lib/{name}" for name in LIBRARIES] + [each for each in IMMUTABLE if ".so" in each]
    known = dict.fromkeys([*UNKNOWN, *libraries, *releases.FILES])
    return [path for path in known if releases.has(release, path)]


def programs(release: str) -> list[str]:
    """Return the paths of all that the release's stamp stands in."""
    return opaque(release) + [program[1:] for program in index.PROGRAMS if not program.startswith("/usr/local/")]


def _mode(path: str) -> int:
    if ".so." in path and "ld-elf" not in path:
        return 0o444
    return 0o4555 if path in SETUID else 0o555


def configuration(release: str) -> t.Iterator[tuple[str, str, int]]:
    """Yield path, text and mode of what rc(8) and the system's programs are configured by."""
    for path, file in etc_files.base().items():
        yield path, releases.edited(release, path, file.text), file.mode
    for path, (*_span, text, mode) in releases.ETC.items():
        if releases.has(release, path):
            yield path, text, mode


def folders(release: str) -> list[str]:
    """Return the folders of the release, each after the one above it."""
    return FOLDERS + [path for path in releases.FOLDERS if releases.has(release, path)]


def links(release: str) -> dict[str, str]:
    """Return the symbolic links of the release: path -> where it leads."""
    return {path: target for path, target in LINKS.items() if releases.has(release, path)}


def _special(release: str) -> dict[str, tuple[bytes, int]]:
    """The files that the model's own behaviour hangs on."""
    return {
        "bin/freebsd-version": (VERSION_SCRIPT.format(release=release).encode(), 0o555),
        "etc/rc.subr": (b"# Functions for rc scripts; the model's scripts call service(8).\n", 0o644),
        "etc/pwd.db": (b"placeholder of pwd_mkdb(8)\n", 0o644),
        "etc/spwd.db": (b"placeholder of pwd_mkdb(8)\n", 0o600),
        f"{TRUSTED}/Model_Root_CA.pem": (CERTIFICATE, 0o444),
        "etc/ssl/openssl.cnf": (b"openssl_conf = openssl_init\n", 0o644),
        **{path: (content, 0o444) for path, content in CERTIFICATES.items()},
        "etc/resolv.conf.sample": (b"", 0o644),
        "etc/mtree/BSD.root.dist": (b"# mtree(5) of the root\n", 0o644),
        "etc/ttys": (
            b'console\tnone\tunknown\toff secure\nttyv0\t"/usr/libexec/getty Pc"\txterm\tonifexists secure\n',
            0o644,
        ),
        "etc/crontab": (b"SHELL=/bin/sh\n", 0o644),
        "etc/fstab.sample": (b"", 0o644),
        "etc/mail/aliases": (b"postmaster: root\n", 0o644),
        "var/log/utx.log": (b"", 0o644),
    }


def write_base(path: Path, release: str) -> None:
    """Write the archive of that release; the same release gives the same bytes."""
    import lzma  # noqa: PLC0415
    import tarfile  # noqa: PLC0415

    files = contents(release)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        lzma.open(path, "wb", preset=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        writer = Writer(archive)
        for folder in folders(release):
            writer.folder(folder)
        first = [each for each in IMMUTABLE if each in files]
        for name in [*first, *sorted(files.keys() - set(first))]:
            writer.file(name, *files[name])
        for name, target in links(release).items():
            if name not in files:
                writer.link(name, target)
