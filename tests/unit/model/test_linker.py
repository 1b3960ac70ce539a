# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A jail starts with a world that is whole and no newer than the kernel, and with no other."""

from __future__ import annotations

import typing as t

import pytest

from model import archive, fuse, machine, source_tree
from model.host import Host, Result

if t.TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, NEXT = "15.0-RELEASE-p3", "15.1-RELEASE-p1", "15.2-RELEASE"
ROOT = "/usr/local/jails/alice"
CONFIGURATION = (
    f'alice {{ path = "{ROOT}"; exec.start = "/bin/sh /etc/rc"; exec.stop = "/bin/sh /etc/rc.shutdown"; }}\n'
)


class Yard:
    """A host that runs 15.1, with a jail that is not running yet."""

    def __init__(self, directory: Path, release: str) -> None:
        self.host = Host(directory)
        machine.install(self.host, name="h1", address="10.0.2.15")
        machine.boot(self.host)
        self.root = self.host.path(ROOT)
        self.root.mkdir(parents=True)
        archive.write_base(self.host.path("/base.txz"), release)
        self.run(f"tar -xpf /base.txz -C {ROOT}")
        self.host.path("/etc/jail.conf").write_text(CONFIGURATION)

    def __call__(self, line: str) -> Result:
        return self.host.run(line.split())

    def run(self, line: str) -> str:
        done = self(line)
        assert done.rc == 0, done
        return done.out

    def remove(self, path: str) -> None:
        self.run(f"chflags noschg {ROOT}/{path}")
        self.run(f"rm {ROOT}/{path}")

    def refused(self) -> str:
        """Start the jail, which must fail; return why."""
        done = self("jail -c alice")
        assert (done.rc, self("jls name").out) == (1, ""), done
        return done.err + done.out


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path, OLD)


def test_an_older_world_runs_on_a_newer_kernel(yard: Yard) -> None:
    yard.run("jail -c alice")
    assert yard.run("freebsd-version -j alice") == f"{OLD}\n"
    assert yard.run("jexec alice uname -K") == "1501000\n"
    assert yard.run("jexec alice uname -U") == "1500000\n"


def test_a_newer_world_does_not_run_on_an_older_kernel(tmp_path: Path) -> None:
    yard = Yard(tmp_path, NEXT)
    assert "Bad system call" in yard.refused()


def test_a_newer_patch_level_runs(tmp_path: Path) -> None:
    yard = Yard(tmp_path, "15.1-RELEASE-p7")
    yard.run("jail -c alice")


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("libexec/ld-elf.so.1", "ELF interpreter /libexec/ld-elf.so.1 not found, error 2"),
        ("lib/libc.so.7", 'Shared object "libc.so.7" not found, required by "/bin/sh"'),
        ("bin/sh", "exec /bin/sh: No such file or directory"),
    ],
)
def test_without_what_every_program_needs_no_jail_starts(yard: Yard, missing: str, why: str) -> None:
    yard.remove(missing)
    assert why in yard.refused()


def test_a_program_needs_a_library_that_is_no_older(yard: Yard) -> None:
    content, _mode = archive.contents(NEW)["bin/sh"]
    yard.remove("bin/sh")
    yard.root.joinpath("bin/sh").write_bytes(content)
    yard.root.joinpath("bin/sh").chmod(0o555)
    assert f"ld-elf.so.1: /lib/libc.so.7: version FBSD_{OLD} required by /bin/sh not found" in yard.refused()


@pytest.mark.parametrize("steps", [60, 110, 200, 300])
def test_a_world_between_two_releases_does_not_start(yard: Yard, steps: int) -> None:
    source_tree.write(yard.host, NEW)
    argv = f"make -C /usr/src installworld DESTDIR={ROOT}"
    fuse.light(yard.host, "make", steps)
    assert yard(argv).rc == fuse.KILLED
    if steps > 100:
        assert f"is from {OLD}, /lib/libc.so.7 from {NEW}" in yard.refused()
    else:
        # Nothing but folders was made so far.
        yard.run("jail -c alice")
        yard.run("jail -r alice")
    yard.run(argv)
    yard.run("jail -c alice")
    assert yard.run("freebsd-version -j alice") == f"{NEW}\n"


def test_what_a_customer_put_in_place_of_a_program_is_his(yard: Yard) -> None:
    yard.remove("usr/bin/cc")
    yard.root.joinpath("usr/bin/cc").write_text("#!/bin/sh\necho mine\n")
    yard.root.joinpath("usr/bin/cc").chmod(0o755)
    yard.run("jail -c alice")
    assert yard.run("jexec alice cc") == "mine\n"


def test_the_kernel_that_runs_is_the_one_that_was_booted(yard: Yard) -> None:
    kernel = yard.host.path("/boot/kernel/kernel")
    kernel.write_text(kernel.read_text().replace(NEW, NEXT))
    assert (yard.run("uname -K"), yard.run("freebsd-version -k -r")) == ("1501000\n", f"{NEXT}\n{NEW}\n")
    machine.reboot(yard.host)
    assert (yard.run("uname -K"), yard.run("sysctl -n kern.osreldate")) == ("1502000\n", "1502000\n")
