# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, memory disks, ZFS and archives: what persists, what is refused, what a shortage of room does."""

from __future__ import annotations

import typing as t

import pytest

from model import fuse, machine, mount
from model.host import Host

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.host import Result


ROOT = "root::0:0::0:0:Charlie &:/root:/bin/sh\n"


class Shell:
    """A host with a spare disk, and a short way to run commands on it."""

    def __init__(self, directory: Path) -> None:
        for folder in ("tmp", "etc", "dev", "mnt"):
            (directory / "root" / folder).mkdir(parents=True)
        self.host = Host(directory)
        with self.host.disk() as disk:
            disk["machine"] = {"hostname": "h1.example.net", "address": "10.0.2.15", "disks": {"vtbd1": "6G"}}

    def __call__(self, line: str, stdin: str | bytes = "") -> Result:
        return self.host.run(line.split(), stdin)

    def ok(self, *lines: str) -> str:
        out = ""
        for line in lines:
            result = self(line)
            assert result.rc == 0, (line, result.err)
            out = result.out
        return out


@pytest.fixture
def sh(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def pool(sh: Shell) -> Shell:
    sh.ok("zpool create -m none tank vtbd1", "zfs create -o mountpoint=/jails tank/jails", "zfs create tank/jails/t")
    sh.ok("touch /jails/t/file", "zfs snapshot tank/jails/t@1")
    return sh


def test_a_read_only_nullfs_shows_the_content_and_takes_no_writes(sh: Shell) -> None:
    sh.ok("mkdir /tmp/src /tmp/dst", "touch /tmp/src/f", "mount -t nullfs -o ro /tmp/src /tmp/dst")
    assert sh.ok("ls /tmp/dst") == "f\n"
    assert sh("touch /tmp/dst/x").err == "touch: /tmp/dst/x: Read-only file system\n"
    assert sh("rm /tmp/dst/f").rc == 1
    sh.ok("umount /tmp/dst")
    assert sh.ok("ls /tmp/dst") == ""


def test_what_a_mount_covers_comes_back(sh: Shell) -> None:
    sh.ok("mkdir /tmp/m", "touch /tmp/m/under", "mount -t tmpfs tmpfs /tmp/m", "touch /tmp/m/over")
    assert sh.ok("ls /tmp/m") == "over\n"
    assert sh("rmdir /tmp/m").err == "rmdir: /tmp/m: Device busy\n"
    sh.ok("umount /tmp/m")
    assert sh.ok("ls /tmp/m") == "under\n"


def test_a_memory_disk_keeps_its_content_in_the_image_file(sh: Shell) -> None:
    sh.ok("truncate -s 8m /tmp/a.img", "mdconfig -a -t vnode -f /tmp/a.img -u 7", "newfs -U /dev/md7", "mkdir /mnt/a")
    sh.ok("mount /dev/md7 /mnt/a", "touch /mnt/a/kept")
    assert sh("mdconfig -d -u 7").err == "mdconfig: ioctl(/dev/mdctl): Device busy\n"
    sh.ok("umount /mnt/a", "mdconfig -d -u 7", "cp /tmp/a.img /tmp/b.img", "rm /tmp/a.img")
    sh.ok("mdconfig -a -t vnode -f /tmp/b.img -u 8", "mount /dev/md8 /mnt/a")
    assert sh.ok("ls /mnt/a") == "kept\n"


def test_no_flags_of_a_file_system_that_is_away_stay_with_its_inodes(pool: Shell) -> None:
    pool.ok("truncate -s 8m /tmp/a.img", "mdconfig -a -t vnode -f /tmp/a.img -u 7", "newfs -U /dev/md7", "mkdir /mnt/a")
    pool.ok("mount /dev/md7 /mnt/a")
    for folder in ("/mnt/a", "/jails/t"):
        # Two names of one file: neither is the last one while both are removed.
        pool.ok(f"touch {folder}/one", f"ln {folder}/one {folder}/two", f"chflags uarch {folder}/one")
    pool.ok("umount /mnt/a", "zfs destroy -r tank/jails/t")
    with pool.host.disk() as disk:
        assert not disk["flags"]
    pool.ok("mount /dev/md7 /mnt/a")
    assert "uarch" in pool.ok("ls -lo /mnt/a/two")


def test_a_reboot_unmounts_and_pools_come_back(pool: Shell) -> None:
    machine.install(pool.host, name="h1", address="10.0.2.15", disks={"vtbd1": "6G"})
    pool.ok("sysrc zfs_enable=YES")
    machine.power_off(pool.host)
    assert not pool.host.path("/jails/t/file").exists()
    machine.boot(pool.host)
    assert pool.host.path("/jails/t/file").exists()


def test_a_clone_is_a_copy_of_its_own(pool: Shell) -> None:
    pool.ok("zfs clone -o jailisp:world=15.1 -o refquota=1G tank/jails/t@1 tank/jails/erin", "rm /jails/erin/file")
    assert pool.ok("ls /jails/t") == "file\n"
    assert (
        pool.ok("zfs get -Hp -o value,source jailisp:world,refquota tank/jails/erin")
        == "15.1\tlocal\n1073741824\tlocal\n"
    )
    assert pool("zfs destroy tank/jails/t@1").rc == 1


def test_a_quota_below_what_is_used_is_refused_and_writes_stop_at_it(pool: Shell) -> None:
    pool.ok("dd if=/dev/zero of=/jails/t/fill bs=1m count=4")
    assert pool("zfs set refquota=1M tank/jails/t").rc == 255
    pool.ok("zfs set refquota=6M tank/jails/t")
    result = pool("dd if=/dev/zero of=/jails/t/more bs=1m count=4")
    assert result.rc == 1
    assert result.err.startswith("dd: /jails/t/more: Disc quota exceeded\n")


TOO_SMALL = "cannot set property for 'tank/jails/t': size is less than current used or reserved space\n"
TOO_MUCH = "cannot set property for 'tank/jails/t': size is greater than available space\n"


def limits(pool: Shell, name: str = "tank/jails/t") -> list[int]:
    return [int(word) for word in pool.ok(f"zfs get -Hp -o value quota,refquota,reservation {name}").split()]


def test_of_several_properties_those_are_set_that_fit(pool: Shell) -> None:
    pool.ok("dd if=/dev/zero of=/jails/t/fill bs=1m count=4", "zfs set quota=10M reservation=8M tank/jails/t")
    refused = pool("zfs set refquota=1M quota=20M tank/jails/t")
    assert (refused.rc, refused.err) == (255, TOO_SMALL)
    assert limits(pool) == [20 << 20, 0, 8 << 20]
    assert pool("zfs set refquota=much quota=30M tank/jails/t").rc == 255
    assert limits(pool) == [20 << 20, 0, 8 << 20]


def test_what_fits_only_after_another_is_tried_again(pool: Shell) -> None:
    pool.ok("zfs set reservation=8M quota=10M tank/jails/t")
    assert pool("zfs set quota=5M tank/jails/t").err == TOO_SMALL
    assert pool("zfs set reservation=11M tank/jails/t").err == TOO_MUCH
    pool.ok("zfs set quota=5M reservation=4M tank/jails/t")
    pool.ok("zfs set reservation=12M quota=14M tank/jails/t")
    assert limits(pool) == [14 << 20, 0, 12 << 20]


def test_what_is_set_aside_is_taken_from_all_others(pool: Shell) -> None:
    def room(name: str) -> int:
        return int(pool.ok(f"zfs get -Hp -o value available {name}"))

    pool.ok("zfs create tank/jails/u")
    before = room("tank/jails/u")
    pool.ok("zfs set reservation=1G tank/jails/t")
    taken = before - room("tank/jails/u")
    assert (1 << 30) - (1 << 20) < taken < 1 << 30
    assert room("tank/jails/t") == before
    assert pool("zfs set reservation=6G tank/jails/u").rc == 255
    pool.ok("zfs set reservation=none tank/jails/t")
    assert room("tank/jails/u") == before


@pytest.mark.parametrize("limit", ["refquota=1M", "quota=1M -o reservation=2M", "reservation=100G"])
def test_a_new_file_system_that_its_limits_do_not_fit_is_not_made(pool: Shell, limit: str) -> None:
    pool.ok("dd if=/dev/zero of=/jails/t/fill bs=1m count=4", "zfs snapshot tank/jails/t@2")
    refused = pool(f"zfs clone -o {limit} tank/jails/t@2 tank/jails/u")
    assert (refused.rc, refused.err) == (1, "cannot create 'tank/jails/u': out of space\n")
    assert pool("zfs list tank/jails/u").rc == 1
    pool.ok("zfs clone -o refquota=5M -o quota=6M -o reservation=2M tank/jails/t@2 tank/jails/u")
    assert limits(pool, "tank/jails/u") == [6 << 20, 5 << 20, 2 << 20]


def test_inherited_mount_points_follow_a_rename(pool: Shell) -> None:
    pool.ok("zfs rename tank/jails/t tank/jails/u")
    assert pool.ok("zfs get -H -o value mountpoint tank/jails/u") == "/jails/u\n"
    assert pool.ok("ls /jails") == "u\n"


def _send(shell: Shell, line: str) -> bytes:
    result = shell(line)
    assert result.rc == 0, result.err
    return result.out.encode(errors="surrogateescape")


def test_incremental_streams_need_the_snapshot_that_they_build_on(pool: Shell) -> None:
    full = _send(pool, "zfs send tank/jails/t@1")
    assert pool("zfs receive -u tank/copy", full).rc == 0
    pool.ok("touch /jails/t/second", "zfs snapshot tank/jails/t@2", "zfs snapshot tank/jails/t@3")
    late = pool("zfs receive -u tank/copy", _send(pool, "zfs send -i @2 tank/jails/t@3"))
    assert (late.rc, late.err.splitlines()[0]) == (
        1,
        "cannot receive incremental stream: most recent snapshot of tank/copy does not",
    )
    assert pool("zfs receive -u tank/copy", _send(pool, "zfs send -I @1 tank/jails/t@3")).rc == 0
    assert pool.ok("zfs list -H -o name -t snapshot -r tank/copy").split() == [f"tank/copy@{n}" for n in (1, 2, 3)]
    assert not pool.host.path("/tank/copy").exists()


def test_a_file_system_that_holds_mounts_is_busy(pool: Shell) -> None:
    pool.ok("mkdir /jails/t/tmp", "mount -t tmpfs tmpfs /jails/t/tmp")
    assert pool("zfs destroy -r tank/jails/t").err == "cannot unmount '/jails/t': pool or dataset is busy\n"
    pool.ok("umount /jails/t/tmp", "zfs destroy -r tank/jails/t")
    with pool.host.kernel() as kernel:
        assert [each["target"] for each in mount.table(kernel)] == ["/", "/dev", "/jails"]


def test_an_archive_restores_flags_unless_told_not_to(sh: Shell) -> None:
    sh.ok("mkdir -p /tmp/src /tmp/one /tmp/two", "touch /tmp/src/f", "chflags schg /tmp/src/f")
    sh.ok(
        "tar -cf /tmp/a.tar -C /tmp/src .",
        "tar -xpf /tmp/a.tar -C /tmp/one",
        "tar -xpf /tmp/a.tar -C /tmp/two --no-fflags",
    )
    assert sh("rm /tmp/one/f").rc == 1
    assert sh("rm /tmp/two/f").rc == 0
    again = sh("tar -xpf /tmp/a.tar -C /tmp/one")
    assert again.err.splitlines()[0] == "./f: Can't unlink already-existing object: Operation not permitted"


def test_an_archive_cannot_write_through_a_link(sh: Shell) -> None:
    sh.ok("mkdir -p /tmp/src/d /tmp/root /tmp/out", "touch /tmp/src/d/f", "tar -cf /tmp/a.tar -C /tmp/src d/f")
    sh.ok("ln -s /tmp/out /tmp/root/d")
    assert sh("tar -xf /tmp/a.tar -C /tmp/root").rc == 1
    assert sh.ok("ls /tmp/out") == ""


def test_extraction_stops_when_the_disk_is_full(sh: Shell) -> None:
    sh.ok(
        "mkdir /tmp/src /tmp/to", "dd if=/dev/zero of=/tmp/src/big bs=1m count=2", "tar -cf /tmp/a.tar -C /tmp/src big"
    )
    with sh.host.disk() as disk:
        disk["machine"]["disk_free_kb"] = 5 * 1024
    result = sh("tar -xf /tmp/a.tar -C /tmp/to")
    assert result.rc == 1
    assert result.err.startswith("big: Write failed: No space left on device\n")


def test_accounts_below_another_root(sh: Shell) -> None:
    sh.ok("mkdir -p /j/etc")
    for name, text in (("master.passwd", ROOT), ("group", "wheel:*:0:root\n")):
        for folder in ("/etc", "/j/etc"):
            sh(f"tee {folder}/{name}", text)
    sh.ok("pw -R /j useradd frank -m -G wheel -s /bin/sh -c Frank -h -")
    assert sh("pw -R /j useradd frank").rc == 65
    assert sh("pw -R /j usermod frank -H 0", "$6$salt$hash\n").rc == 0
    assert sh.ok("pw -R /j usershow frank") == "frank:$6$salt$hash:1001:1001::0:0:Frank:/home/frank:/bin/sh\n"
    assert sh("pw usershow frank").rc == 67
    assert "frank:*:1001" in sh.ok("cat /j/etc/passwd")


def test_a_rollback_spares_the_clones_of_later_snapshots_unless_told_otherwise(pool: Shell) -> None:
    pool.ok("touch /jails/t/later", "zfs snapshot tank/jails/t@2", "zfs clone tank/jails/t@2 tank/jails/clone")
    refused = pool("zfs rollback -r tank/jails/t@1")
    assert refused.rc == 1
    assert "clones of previous snapshots exist" in refused.err
    assert "tank/jails/clone" in refused.err.splitlines()
    assert "later" in pool.ok("ls /jails/t")
    pool.ok("zfs hold keep tank/jails/t@2")
    assert pool("zfs rollback -R tank/jails/t@1").rc == 1
    assert "later" in pool.ok("ls /jails/clone")
    pool.ok("zfs release keep tank/jails/t@2", "zfs rollback -R tank/jails/t@1")
    assert pool.ok("ls /jails/t") == "file\n"
    assert pool.ok("zfs list -H -t all -o name -r tank/jails") == "tank/jails\ntank/jails/t\ntank/jails/t@1\n"


def test_an_upgraded_clone_takes_the_place_of_its_origin_and_the_origin_can_go(pool: Shell) -> None:
    pool.ok("zfs clone tank/jails/t@1 tank/jails/new", "touch /jails/new/upgraded")
    assert "filesystem has dependent clones" in pool("zfs destroy -r tank/jails/t").err
    pool.ok(
        "zfs promote tank/jails/new", "zfs rename tank/jails/t tank/jails/old", "zfs rename tank/jails/new tank/jails/t"
    )
    assert pool.ok("ls /jails/t") == "file\nupgraded\n"
    assert pool.ok("zfs list -H -o origin tank/jails/old") == "tank/jails/t@1\n"
    pool.ok("zfs destroy tank/jails/old", "zfs rollback tank/jails/t@1")
    assert pool.ok("ls /jails/t") == "file\n"


def test_what_leads_in_a_circle_is_no_mount_point(sh: Shell) -> None:
    sh.ok("ln -s b /tmp/a", "ln -s a /tmp/b")
    done = sh("umount -f /tmp/a")
    assert (done.rc, done.err.splitlines()[0]) == (1, "umount: /tmp/a: statfs: Too many levels of symbolic links")


def test_a_fetch_that_is_killed_leaves_half_a_file_and_one_that_was_there_whole(sh: Shell) -> None:
    sh.host.path("/tmp/far").write_text("far away")
    fuse.light(sh.host, "fetch", 0)
    assert sh("fetch -q -o /tmp/near file:///tmp/far").rc == 137
    assert sh.ok("cat /tmp/near") == "far "
    fuse.light(sh.host, "fetch", 0)
    assert sh("fetch -q -o /tmp/near file:///tmp/far").rc == 137
    assert sh.ok("cat /tmp/near") == "far "
    (half,) = [name for name in sh.ok("ls -a /tmp").splitlines() if name.startswith(".fetch.near.")]
    assert sh.ok(f"cat /tmp/{half}") == "far "
    assert sh.ok("fetch -q -o /tmp/near file:///tmp/far", "cat /tmp/near") == "far away"
