# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine under FreeBSD: installing it, switching it on and off."""

from __future__ import annotations

import posixpath
import signal
import sys
import typing as t
from pathlib import Path

from model import kernel as kernels
from model.index import PROGRAMS
from model.main import STUB

if t.TYPE_CHECKING:
    from model.host import Host

RELEASE = "15.1-RELEASE-p1"

FOLDERS = """
boot/kernel boot/modules dev etc/cron.d etc/defaults etc/jail.conf.d etc/newsyslog.conf.d etc/periodic/daily
etc/periodic/monthly etc/periodic/security etc/periodic/weekly etc/rc.conf.d etc/rc.d etc/ssh home lib libexec media mnt
net proc root sbin tmp usr/lib usr/libexec usr/local/bin usr/local/etc/rc.d usr/local/sbin usr/obj usr/share usr/src
var/at/jobs var/at/spool var/backups var/cache var/cron/tabs var/db var/empty var/log var/mail var/run var/spool var/tmp
"""
MODES = {"root": 0o750, "tmp": 0o1777, "var/tmp": 0o1777, "var/empty": 0o555}

# What is bound from the machine that runs the model, see model.enter.
BOUND = frozenset({"/bin/sh"})
DISK = "vtbd0"


def install(
    host: Host,
    name: str,
    address: str,
    *,
    domain: str = "example.net",
    interface: str = "vtnet0",
    disks: t.Mapping[str, str] | None = None,
    tunables: t.Mapping[str, str] | None = None,
    release: str = RELEASE,
    addresses: t.Sequence[str] = (),
) -> None:
    """Put a fresh FreeBSD on the host's disk: folders, programs, and the configuration of the base system.

    ``address`` is the host's own, in its /24, on ``interface``; ``addresses`` are further ones there. ``disks`` are
    spare ones (name -> size), ``tunables`` what this machine's kernel has as its defaults.
    """
    hostname = f"{name}.{domain}"
    with host.disk() as disk:
        disk["machine"] = {
            "hostname": hostname,
            "address": address,
            "addresses": list(addresses),
            "interface": interface,
            "disks": dict(disks or {}),
            "tunables": dict(tunables or {}),
        }
    for folder in FOLDERS.split():
        host.root.joinpath(folder).mkdir(parents=True, exist_ok=True)
        host.root.joinpath(folder).chmod(MODES.get(folder, 0o755))
    install_programs(host, release)
    _install_kernel(host, release)
    _install_files(host)
    _install_python(host)
    _write_rc_conf(host, hostname, address, interface, addresses)
    for device in (DISK, *(disks or {})):
        host.root.joinpath("dev", device).touch()


def install_programs(host: Host, release: str) -> None:
    """Put the model's commands where FreeBSD has its programs."""
    version = f'USERLAND_VERSION="{release}"\n'
    for program in PROGRAMS.keys() - BOUND:
        path = host.root / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        first, _unused, rest = STUB.partition("\n")
        path.write_text(f"{first}\n{version}{rest}" if program == "/bin/freebsd-version" else STUB)
        path.chmod(0o755)


def _install_kernel(host: Host, release: str) -> None:
    folder = host.root / "boot/kernel"
    folder.joinpath("kernel").write_text(f"@(#)FreeBSD {release} {kernels.IDENT}\n")
    for module in (*kernels.LOADABLE, *kernels.BUILT_IN):
        folder.joinpath(f"{module}.ko").touch()


def _install_files(host: Host) -> None:
    from model import etc_files  # noqa: PLC0415

    for name, file in etc_files.base().items():
        path = host.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)
    host.root.joinpath("etc/fstab").write_text(f"/dev/{DISK}\t/\tufs\trw\t1\t1\n")
    host.root.joinpath("var/log/messages").touch()
    for name in ("motd", "os-release"):
        link = host.root / "etc" / name
        if not link.is_symlink():
            link.symlink_to(f"../var/run/{name}")


def _install_python(host: Host) -> None:
    """Let the host's Python say that it runs on FreeBSD; the interpreter itself is bound, see model.enter."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = host.root / f"root/.local/lib/{version}/site-packages"
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("python_site.py")
    folder.joinpath("usercustomize.py").write_text(source.read_text())


def _write_rc_conf(host: Host, hostname: str, address: str, interface: str, addresses: t.Sequence[str]) -> None:
    gateway = posixpath.splitext(address)[0] + ".2"
    aliases = [f'ifconfig_{interface}_alias{number}="inet {each}/32"\n' for number, each in enumerate(addresses)]
    host.root.joinpath("etc/rc.conf").write_text(
        f'hostname="{hostname}"\n'
        f'ifconfig_{interface}="inet {address}/24"\n'
        + "".join(aliases)
        + f'defaultrouter="{gateway}"\n'
        + 'sshd_enable="YES"\nsendmail_enable="NONE"\ncron_enable="YES"\nsyslogd_flags="-ss"\n'
        + 'clear_tmp_enable="YES"\ndumpdev="NO"\n'
    )


def boot(host: Host) -> None:
    """Switch the machine on: the kernel starts knowing nothing, then rc(8) does its work."""
    from model import boot as rc  # noqa: PLC0415
    from model import net, process  # noqa: PLC0415

    kernels.start(host)
    with host.disk() as disk:
        interface = disk["machine"]["interface"]
    with host.kernel() as kernel:
        net.start(kernel, interface)
        process.boot(kernel)
    rc.start(host)


def halt(host: Host) -> None:
    """Shut down and switch the machine off: what its kernel knew is gone."""
    from model import boot as rc  # noqa: PLC0415
    from model import mount  # noqa: PLC0415

    if is_up(host):
        rc.stop(host)
    mount.unmount_all(host)
    power_off(host)


def power_off(host: Host) -> None:
    """Pull the plug: what the kernel knew is gone, and nobody was told."""
    from model import mount, task  # noqa: PLC0415

    with host.kernel() as kernel:
        for number in list(task.processes(kernel)):
            task.kill(kernel, int(number), signal.SIGKILL)
    mount.unmount_all(host, clean=False)
    with host.kernel() as kernel:
        kernel.clear()
    for device in kernels.DEVICES.values():
        host.path(f"/dev/{device}").unlink(missing_ok=True)


def reboot(host: Host) -> None:
    """Shut down and start again."""
    halt(host)
    boot(host)


def is_up(host: Host) -> bool:
    """Say whether the machine runs (and so answers on its ssh port)."""
    with host.kernel() as kernel:
        return "boottime" in kernel
