# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make in /usr/src: what installworld, distribution and delete-old do to a root, and to what lies beside it."""

from __future__ import annotations

import os
import typing as t

import pytest

from model import archive, etc_files, fuse, releases, source_tree
from model.files import Files
from model.host import Host, Result

if t.TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, NEXT = "15.0-RELEASE-p3", "15.1-RELEASE-p1", "15.2-RELEASE"
ROOT = "/usr/local/jails/alice"


class Builder:
    """A host with the sources of a release, built, and an empty root."""

    def __init__(self, directory: Path) -> None:
        for folder in ("etc", "tmp", "var/db", "usr/bin", "usr/local/jails/alice"):
            (directory / "root" / folder).mkdir(parents=True)
        self.host = Host(directory)
        self.root = self.host.path(ROOT)
        for name, text in (("passwd", etc_files.passwd()), ("group", etc_files.GROUPS)):
            self.host.path("/etc").joinpath(name).write_text(text)

    def run(self, line: str) -> Result:
        return self.host.run(line.split())

    def sources(self, release: str) -> None:
        source_tree.write(self.host, release)

    def make(self, targets: str, status: int = 0) -> str:
        done = self.run(f"make -C /usr/src {targets} DESTDIR={ROOT}")
        assert done.rc == status, done
        return done.out + done.err

    def fresh(self, release: str) -> None:
        """Fill the root with a release."""
        self.sources(release)
        self.make("installworld distribution")

    def flags(self, path: str) -> set[str]:
        return Files(self.host).flags_of(self.root / path)

    def tree(self) -> dict[str, object]:
        """Return all of the root: path -> mode, owner, flags, content."""
        files = Files(self.host)
        found: dict[str, object] = {}
        for path in files.walk(self.root):
            status = path.lstat()
            content: object = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
            key = str(path.relative_to(self.root))
            found[key] = (status.st_mode, files.owner(status), sorted(files.flags_of(path)), content)
        return found


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


@pytest.mark.parametrize("release", ["14.3-RELEASE-p2", OLD, NEW, NEXT])
def test_sources_and_archive_of_a_release_agree(builder: Builder, release: str) -> None:
    builder.sources(release)
    builder.make("installworld distribution DB_FROM_SRC=yes")
    made = builder.tree()
    assert builder.run(f"chflags -R noschg {ROOT}").rc == 0
    assert builder.run(f"rm -rf {ROOT}").rc == 0
    builder.root.mkdir()
    archive.write_base(builder.host.path("/base.txz"), release)
    assert builder.run(f"tar -xpf /base.txz -C {ROOT}").rc == 0
    assert made == builder.tree()


def test_each_step_between_releases_brings_and_takes_files_and_changes_configuration() -> None:
    for old, new in ((("14.3-RELEASE"), OLD), (OLD, NEW), (NEW, NEXT)):
        before, after = archive.contents(old), archive.contents(new)
        assert [path for path in after.keys() - before.keys() if ".so." in path], (old, new)
        assert set(releases.obsolete(new)) >= before.keys() - after.keys()
        assert any(before[path] != after[path] for path in before if path.startswith("etc/") and path in after)


def test_each_edit_changes_the_text_of_its_file() -> None:
    for edit in releases.EDITS:
        for release in ("14.3-RELEASE", "15.2-RELEASE"):
            text = archive.contents(release)[edit.path][0].decode()
            assert (edit.new if releases.version(release) >= edit.since else edit.old) in text, edit


def test_installworld_leaves_the_configuration_alone(builder: Builder) -> None:
    builder.fresh(OLD)
    builder.root.joinpath("etc/ssh/sshd_config").write_text("Port 2222\n")
    before = builder.tree()
    builder.sources(NEW)
    builder.make("installworld")
    after = builder.tree()
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert {"bin/sh", "lib/libc.so.7", "bin/freebsd-version", "lib/libufs.so.8"} <= changed
    assert not [path for path in changed if path.startswith(("etc/", "root/"))]
    assert not before.keys() - after.keys()
    assert NEW in builder.root.joinpath("bin/freebsd-version").read_text()


def test_immutable_files_are_replaced_and_are_immutable_again(builder: Builder) -> None:
    builder.fresh(OLD)
    for path in archive.IMMUTABLE:
        assert builder.flags(path) == {"schg"}, path
    builder.sources(NEW)
    builder.make("installworld")
    assert builder.flags("lib/libc.so.7") == {"schg"}
    builder.make("installworld NO_FSCHG=yes")
    assert builder.flags("lib/libc.so.7") == set()


def test_distribution_writes_over_what_a_customer_configured(builder: Builder) -> None:
    builder.fresh(NEW)
    builder.root.joinpath("etc/master.passwd").write_text("root:$6$secret:0:0::0:0::/root:/bin/sh\n")
    builder.make("distribution")
    assert builder.root.joinpath("etc/master.passwd").read_text() == etc_files.master_passwd()


def test_accounts_that_the_host_lacks_stop_installworld_unless_the_sources_have_them(builder: Builder) -> None:
    builder.sources(NEXT)
    printed = builder.make("installworld", status=1)
    assert "ERROR: Required _tracker user is missing, see /usr/src/UPDATING." in printed
    assert list(builder.root.iterdir()) == []
    builder.make("installworld DB_FROM_SRC=yes")


def test_without_a_build_nothing_is_installed(builder: Builder) -> None:
    source_tree.write(builder.host, NEW, built=False)
    assert "A build is required first." in builder.make("installworld", status=1)
    assert list(builder.root.iterdir()) == []


def test_what_was_built_is_installed_whatever_the_sources_became_since(builder: Builder) -> None:
    builder.sources(OLD)
    source_tree.write(builder.host, "15.0-RELEASE-p4", built=False)
    builder.make("installworld")
    assert OLD in builder.root.joinpath("bin/freebsd-version").read_text()


def test_mtree_gives_folders_back_their_mode_and_makes_missing_ones(builder: Builder) -> None:
    builder.fresh(NEW)
    builder.root.joinpath("tmp").chmod(0o700)
    builder.root.joinpath("usr/share/skel").joinpath("mine").write_text("mine\n")
    builder.root.joinpath("media").rmdir()
    builder.make("installworld")
    assert builder.root.joinpath("tmp").stat().st_mode & 0o7777 == 0o1777
    assert builder.root.joinpath("media").is_dir()
    assert builder.root.joinpath("usr/share/skel/mine").read_text() == "mine\n"


def test_a_link_of_a_folder_leads_installworld_out_of_the_root(builder: Builder) -> None:
    builder.fresh(OLD)
    builder.run(f"chflags -R noschg {ROOT}/lib")
    builder.run(f"rm -rf {ROOT}/lib")
    builder.root.joinpath("lib").symlink_to("/")
    builder.sources(NEW)
    assert "./lib missing (directory not created: File exists)" in builder.make("installworld")
    assert NEW in builder.host.path("/libc.so.7").read_bytes().decode(errors="replace")
    assert builder.host.path("/nvmecontrol").is_dir()


def test_a_relative_link_leads_out_of_the_root_too(builder: Builder) -> None:
    builder.fresh(NEW)
    builder.run(f"rm -rf {ROOT}/usr/share")
    builder.root.joinpath("usr/share").symlink_to("../../../escaped")
    builder.host.path("/usr/local/escaped").mkdir()
    builder.make("installworld")
    assert builder.host.path("/usr/local/escaped/skel/dot.profile").is_file()


def test_a_link_of_a_file_is_replaced_and_one_to_a_folder_is_entered(builder: Builder) -> None:
    builder.fresh(NEW)
    victim = builder.host.path("/etc/victim")
    victim.write_text("victim\n")
    for path, target in (("bin/cat", "/etc/victim"), ("bin/ls", "/usr/bin")):
        builder.root.joinpath(path).unlink()
        builder.root.joinpath(path).symlink_to(target)
    builder.make("installworld")
    assert victim.read_text() == "victim\n"
    assert not builder.root.joinpath("bin/cat").is_symlink()
    assert builder.host.path("/usr/bin/ls").is_file()


def test_a_fifo_in_place_of_a_program_stops_installworld(builder: Builder) -> None:
    builder.fresh(NEW)
    builder.root.joinpath("bin/sh").unlink()
    os.mkfifo(builder.root.joinpath("bin/sh"))
    printed = builder.make("installworld", status=1)
    assert f"install: {ROOT}/bin/sh: Inappropriate file type or format" in printed


def test_installworld_killed_in_the_midst_leaves_half_of_each_and_a_second_run_ends_it(builder: Builder) -> None:
    builder.fresh(OLD)
    builder.sources(NEW)
    fuse.light(builder.host, "make", 300)
    builder.make("installworld", status=fuse.KILLED)
    found = [path.read_bytes() for path in builder.root.joinpath("usr/sbin").iterdir()]
    assert {release for release in (OLD, NEW) for each in found if release.encode() in each} == {OLD, NEW}
    builder.make("installworld")
    assert not [path for path in builder.root.joinpath("usr/sbin").iterdir() if OLD.encode() in path.read_bytes()]


def test_a_full_disk_stops_installworld(builder: Builder) -> None:
    builder.sources(NEW)
    with builder.host.disk() as disk:
        disk["machine"] = {"disk_free_kb": 600}
    assert "No space left on device" in builder.make("installworld", status=1)


def test_delete_old_removes_what_older_releases_had_libraries_aside(builder: Builder) -> None:
    builder.fresh("14.3-RELEASE")
    builder.run(f"chflags schg {ROOT}/usr/bin/shar")
    builder.sources(NEW)
    builder.make("installworld")
    builder.root.joinpath("usr/libdata/lint/mine").write_text("mine\n")
    listed = builder.make("check-old")
    assert {f"{ROOT}/usr/bin/shar", f"{ROOT}/lib/libutil.so.9", f"{ROOT}/usr/libdata/lint"} <= set(listed.splitlines())
    builder.make("delete-old")
    assert builder.root.joinpath("usr/bin/shar").exists(), "without BATCH_DELETE_OLD_FILES nobody says yes"
    printed = builder.make("-DBATCH_DELETE_OLD_FILES delete-old")
    assert not builder.root.joinpath("usr/bin/shar").exists()
    assert builder.root.joinpath("lib/libutil.so.9").exists()
    assert f"rmdir: {ROOT}/usr/libdata/lint: Directory not empty" in printed
    builder.make("-DBATCH_DELETE_OLD_FILES delete-old-libs")
    assert not builder.root.joinpath("lib/libutil.so.9").exists()
    assert builder.root.joinpath("lib/libutil.so.10").exists()


def test_delete_old_follows_a_planted_folder_too(builder: Builder) -> None:
    builder.fresh(NEW)
    builder.host.path("/usr/bin/shar").write_text("the host's\n")
    builder.run(f"chflags -R noschg {ROOT}/usr/bin")
    builder.run(f"rm -rf {ROOT}/usr/bin")
    builder.root.joinpath("usr/bin").symlink_to("/usr/bin")
    builder.make("-DBATCH_DELETE_OLD_FILES delete-old")
    assert not builder.host.path("/usr/bin/shar").exists()


def test_make_shows_where_the_objects_are(builder: Builder) -> None:
    builder.sources(NEW)
    assert builder.run("make -C /usr/src -V .OBJDIR").out == "/usr/obj/usr/src/amd64.amd64\n"
    assert builder.run("make -C /usr/src -V .OBJDIR MAKEOBJDIRPREFIX=/obj").out == "/obj/usr/src/amd64.amd64\n"


def test_options_of_make_may_follow_its_targets(builder: Builder) -> None:
    builder.sources(NEW)
    assert builder.run(f"make installworld DESTDIR={ROOT} -C /usr/src -DNO_FSCHG -j 4 distribution").rc == 0
    assert builder.flags("lib/libc.so.7") == set()
    assert builder.root.joinpath("etc/rc").exists()
    assert builder.run("make - -C /usr/src").rc == 2


def test_an_unknown_target_is_refused(builder: Builder) -> None:
    builder.sources(NEW)
    done = builder.run(f"make -C /usr/src instalworld DESTDIR={ROOT}")
    assert (done.rc, done.out.splitlines()[0]) == (2, "make: don't know how to make instalworld. Stop")


def test_certificates_of_both_places_are_put_where_openssl_looks(builder: Builder) -> None:
    builder.fresh(NEW)
    place = builder.root / "usr/local/share/certs"
    place.mkdir(parents=True)
    (place / "own.pem").write_text("-----BEGIN CERTIFICATE-----\nb3du\n-----END CERTIFICATE-----\n")
    (place / "secret.pem").symlink_to("/etc/passwd")
    os.mkfifo(place / "fifo.pem")
    builder.make("installworld")
    bundle = builder.root.joinpath("etc/ssl/cert.pem").read_text()
    assert bundle.count("BEGIN CERTIFICATE") == 2
    assert "root:" not in bundle
    assert len(list(builder.root.joinpath("etc/ssl/certs").glob("*.0"))) == 2
    listed = builder.run(f"certctl -D {ROOT} list").out.splitlines()
    assert listed == sorted(path.name for path in builder.root.joinpath("etc/ssl/certs").glob("*.0"))


def test_certificates_are_looked_for_behind_links_and_what_is_no_certificate_is_removed(builder: Builder) -> None:
    builder.fresh(NEW)
    kept, others = builder.root / "home/kept", builder.root / "home/others"
    for folder in (kept, others):
        folder.mkdir(parents=True)
    (kept / "own.pem").write_text("-----BEGIN CERTIFICATE-----\nb3du\n-----END CERTIFICATE-----\n")
    (kept / "circle").symlink_to(f"{ROOT}/home")
    (others / "mine").write_text("mine\n")
    builder.root.joinpath("usr/local/share").mkdir(parents=True)
    builder.root.joinpath("usr/local/share/certs").symlink_to(f"{ROOT}/home/kept")
    builder.root.joinpath("etc/ssl/untrusted").rmdir()
    builder.root.joinpath("etc/ssl/untrusted").symlink_to(f"{ROOT}/home/others")
    builder.make("installworld")
    assert builder.root.joinpath("etc/ssl/cert.pem").read_text().count("BEGIN CERTIFICATE") == 2
    assert list(others.iterdir()) == []
