# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcupdate: what it merges, what it leaves to somebody, and where a hostile root leads it."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import archive, etc_files, fuse, merge3, source_tree
from model.files import Files
from model.host import Host, Result

if t.TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, NEXT = "15.0-RELEASE-p3", "15.1-RELEASE-p1", "15.2-RELEASE"
ROOT = "/usr/local/jails/alice"
TREE = "/var/tmp/etc.tbz"


class Merger:
    """A host with a root of an old release whose stock tree is extracted, and the tree of a newer one in an archive."""

    def __init__(self, directory: Path) -> None:
        for folder in ("etc", "tmp", "var/db", "var/tmp", "usr/local/jails/alice"):
            (directory / "root" / folder).mkdir(parents=True)
        self.host = Host(directory)
        self.root = self.host.path(ROOT)
        for name, text in (("passwd", etc_files.passwd()), ("group", etc_files.GROUPS)):
            self.host.path("/etc").joinpath(name).write_text(text)
        source_tree.write(self.host, OLD)
        self.run("make -C /usr/src distribution DESTDIR=" + ROOT)
        self.run(f"etcupdate extract -D {ROOT}")
        source_tree.write(self.host, NEW)
        self.run(f"etcupdate build {TREE}")

    def __call__(self, line: str, stdin: str = "") -> Result:
        return self.host.run(line.split(), stdin)

    def run(self, line: str, stdin: str = "") -> str:
        done = self(line, stdin)
        assert done.rc == 0, done
        return done.out

    def update(self, more: str = "") -> list[str]:
        return self.run(f"etcupdate {more} -t {TREE} -D {ROOT}").splitlines()

    def stock(self, path: str, release: str = NEW) -> str:
        return archive.contents(release)[path][0].decode()

    def text(self, path: str) -> str:
        return self.root.joinpath(path).read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.text(path)
        assert old in text
        self.root.joinpath(path).write_text(text.replace(old, new))


@pytest.fixture
def merger(tmp_path: Path) -> Merger:
    return Merger(tmp_path)


def test_what_nobody_changed_becomes_the_new_release_s(merger: Merger) -> None:
    printed = merger.update()
    assert {"  U /etc/ssh/sshd_config", "  D /etc/rc.d/amd", "  D /etc/gss/mech", "  D /etc/gss"} <= set(printed)
    for path in ("etc/ssh/sshd_config", "etc/rc", "etc/master.passwd", "etc/group", "etc/defaults/rc.conf"):
        assert merger.text(path) == merger.stock(path), path
    assert not merger.root.joinpath("etc/gss").exists()
    assert merger.run(f"etcupdate status -D {ROOT}") == ""
    assert merger.update() == []


def test_new_files_are_added(merger: Merger) -> None:
    merger.update()
    source_tree.write(merger.host, NEXT)
    printed = merger.run(f"etcupdate -D {ROOT}").splitlines()
    assert {"  A /etc/rc.d/tracker", "  A /etc/tracker.d/base.conf"} <= set(printed)
    assert merger.root.joinpath("etc/rc.d/tracker").stat().st_mode & 0o777 == 0o755


def test_a_customer_s_own_lines_are_merged(merger: Merger) -> None:
    merger.edit("etc/ssh/sshd_config", "#Port 22\n", "Port 2222\n")
    assert "  M /etc/ssh/sshd_config" in merger.update()
    assert merger.text("etc/ssh/sshd_config") == merger.stock("etc/ssh/sshd_config").replace(
        "#Port 22\n", "Port 2222\n"
    )


def test_a_conflict_exits_0_is_listed_and_stops_the_next_run(merger: Merger) -> None:
    merger.edit("etc/ssh/sshd_config", "#PermitRootLogin prohibit-password", "PermitRootLogin yes")
    before = merger.text("etc/ssh/sshd_config")
    assert "  C /etc/ssh/sshd_config" in merger.update()
    assert merger.text("etc/ssh/sshd_config") == before
    assert merger.run(f"etcupdate status -D {ROOT}") == "  C /etc/ssh/sshd_config\n"
    kept = merger.text("var/db/etcupdate/conflicts/etc/ssh/sshd_config")
    assert "<<<<<<< yours\nPermitRootLogin yes\n||||||| original\n" in kept
    again = merger(f"etcupdate -t {TREE} -D {ROOT}")
    assert (again.rc, again.out) == (1, "Conflicts remain from previous update, aborting.\n")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("mf\n", "mine"),
        ("tf\n", "theirs"),
        ("r\nn\nmf\n", "mine"),
        ("x\ntf\n", "theirs"),
    ],
)
def test_resolve_takes_answers_from_its_input(merger: Merger, answers: str, expected: str) -> None:
    merger.edit("etc/ssh/sshd_config", "#PermitRootLogin prohibit-password", "PermitRootLogin yes")
    mine = merger.text("etc/ssh/sshd_config")
    merger.update()
    merger.run(f"etcupdate resolve -D {ROOT}", answers)
    wanted = {"mine": mine, "theirs": merger.stock("etc/ssh/sshd_config")}[expected]
    assert merger.text("etc/ssh/sshd_config") == wanted
    assert merger.run(f"etcupdate status -D {ROOT}") == ""


def test_a_conflict_that_was_edited_can_be_resolved(merger: Merger) -> None:
    merger.edit("etc/ssh/sshd_config", "#PermitRootLogin prohibit-password", "PermitRootLogin yes")
    merger.update()
    merger.root.joinpath("var/db/etcupdate/conflicts/etc/ssh/sshd_config").write_text("Port 1\n")
    merger.run(f"etcupdate resolve -D {ROOT}", "r\n")
    assert merger.text("etc/ssh/sshd_config") == "Port 1\n"


def test_without_a_previous_tree_there_is_nothing_to_compare_with(merger: Merger) -> None:
    merger.run(f"rm -rf {ROOT}/var/db/etcupdate")
    done = merger(f"etcupdate -t {TREE} -D {ROOT}")
    assert done.rc == 1
    assert done.out == "No previous tree to compare against, a sane comparison is not possible.\n"
    assert sorted(path.name for path in merger.root.joinpath("var/db/etcupdate").iterdir()) == ["log"]


def test_the_databases_of_accounts_and_classes_are_made_anew(merger: Merger) -> None:
    merger.update()
    assert "hast:*:845:845:" in merger.text("etc/passwd")
    source_tree.write(merger.host, NEXT)
    merger.run(f"etcupdate -D {ROOT}")
    assert merger.root.joinpath("etc/login.conf.db").is_file()


def test_accounts_of_customers_are_merged_and_survive(merger: Merger) -> None:
    row = "carol:$6$x$y:1001:1001::0:0:Carol:/home/carol:/bin/sh\n"
    merger.root.joinpath("etc/master.passwd").write_text(row + merger.stock("etc/master.passwd", OLD))
    assert "  M /etc/master.passwd" in merger.update()
    assert row in merger.text("etc/master.passwd")
    assert "hast:*:845:" in merger.text("etc/master.passwd")
    assert "carol:*:1001:1001:" in merger.text("etc/passwd")


def test_before_installworld_only_the_accounts_are_merged(merger: Merger) -> None:
    printed = merger.update("-p")
    assert sorted(printed) == ["  U /etc/group", "  U /etc/master.passwd"]
    assert merger.text("etc/rc") == merger.stock("etc/rc", OLD)
    assert "  U /etc/rc" in merger.update()


def test_a_dry_run_tells_all_and_changes_nothing_but_its_own_notes(merger: Merger) -> None:
    files = Files(merger.host)
    before = {path: path.read_bytes() for path in files.walk(merger.root) if path.is_file()}
    printed = merger.update("-n")
    after = {path: path.read_bytes() for path in files.walk(merger.root) if path.is_file()}
    changed = {str(path.relative_to(merger.root)) for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {"var/db/etcupdate/log"}
    assert printed == merger.update()


def test_patterns_say_what_is_ignored_and_what_is_always_the_stock_version(merger: Merger) -> None:
    merger.edit("etc/ssh/sshd_config", "#PermitRootLogin prohibit-password", "PermitRootLogin yes")
    printed = merger.update("-I /etc/rc* -A /etc/ssh/*")
    assert "  U /etc/ssh/sshd_config" in printed
    assert merger.text("etc/rc") == merger.stock("etc/rc", OLD)
    assert merger.root.joinpath("etc/rc.d/amd").exists()


def test_what_a_customer_removed_or_turned_into_something_else_is_warned_of(merger: Merger) -> None:
    merger.root.joinpath("etc/syslog.conf").unlink()
    merger.root.joinpath("etc/rc").unlink()
    merger.root.joinpath("etc/rc").symlink_to("/bin/sh")
    merger.root.joinpath("etc/rc.d/amd").write_text("mine\n")
    printed = merger.update()
    warnings = {
        "  Removed file changed: /etc/syslog.conf",
        "  Modified mismatch: /etc/rc (regular file vs symbolic link)",
        "  Modified regular file remains: /etc/rc.d/amd",
    }
    assert warnings <= set(printed)
    assert {"Warnings:", *warnings} <= set(merger.run(f"etcupdate status -D {ROOT}").splitlines())


def test_a_linked_etc_leads_out_of_the_root(merger: Merger) -> None:
    merger.run(f"mv {ROOT}/etc/ssh /victim")
    merger.root.joinpath("etc/ssh").symlink_to("/victim")
    before = merger.host.path("/victim/sshd_config").read_text()
    merger.update()
    assert merger.host.path("/victim/sshd_config").read_text() != before


def test_a_linked_log_is_written_over(merger: Merger) -> None:
    victim = merger.host.path("/etc/victim")
    victim.write_text("victim\n")
    merger.root.joinpath("var/db/etcupdate/log").unlink()
    merger.root.joinpath("var/db/etcupdate/log").symlink_to("/etc/victim")
    merger.update()
    assert "victim" not in victim.read_text()


def test_linked_warnings_show_what_they_lead_to(merger: Merger) -> None:
    merger.host.path("/etc/secret").write_text("secret\n")
    merger.root.joinpath("var/db/etcupdate/warnings").symlink_to("/etc/secret")
    assert "secret" in merger.run(f"etcupdate status -D {ROOT}")


def test_an_immutable_file_stays_and_only_the_log_knows(merger: Merger) -> None:
    merger.run(f"chflags schg {ROOT}/etc/rc")
    assert "  U /etc/rc" in merger.update()
    assert merger.text("etc/rc") == merger.stock("etc/rc", OLD)
    assert "cp: /etc/rc: Operation not permitted" in merger.text("var/db/etcupdate/log")


def test_killed_in_the_midst_it_ends_its_work_in_the_next_run(merger: Merger) -> None:
    fuse.light(merger.host, "etcupdate", 60)
    assert merger(f"etcupdate -t {TREE} -D {ROOT}").rc == fuse.KILLED
    assert merger.text("etc/syslog.conf") == merger.stock("etc/syslog.conf", OLD)
    merger.update()
    assert merger.text("etc/syslog.conf") == merger.stock("etc/syslog.conf")


def test_a_file_too_large_to_merge_ends_the_update_in_its_midst(merger: Merger) -> None:
    with merger.root.joinpath("etc/master.passwd").open("r+b") as file:
        file.truncate(1 << 40)
    done = merger(f"etcupdate -t {TREE} -D {ROOT}")
    assert (done.rc, done.out.splitlines()[-1]) == (10, "PANIC: merge failed with status 2")


def test_accounts_with_a_line_too_long_make_no_database(merger: Merger) -> None:
    with merger.root.joinpath("etc/master.passwd").open("a") as file:
        file.write("carol:*:1001:1001::0:0:" + "x" * 8192 + ":/home/carol:/bin/sh\n")
    assert "  M /etc/master.passwd" in merger.update()
    assert "hast" not in merger.text("etc/passwd")
    assert "pwd_mkdb: line too long" in merger.text("var/db/etcupdate/log")


def test_revert_gives_the_stock_version_back(merger: Merger) -> None:
    merger.edit("etc/hosts", "localhost", "lokalhost")
    merger.run(f"etcupdate revert -D {ROOT} /etc/hosts")
    assert merger.text("etc/hosts") == merger.stock("etc/hosts", OLD)
    assert merger(f"etcupdate revert -D {ROOT} /etc/nothing").rc == 1


def test_a_broken_archive_leaves_everything_as_it_was(merger: Merger) -> None:
    merger.host.path(TREE).write_bytes(merger.host.path(TREE).read_bytes()[:100])
    done = merger(f"etcupdate -t {TREE} -D {ROOT}")
    assert (done.rc, done.out) == (1, "Failed to extract new tree.\n")
    assert merger.text("etc/rc") == merger.stock("etc/rc", OLD)


def test_an_archive_without_files_takes_all_away(merger: Merger) -> None:
    merger.host.path(TREE).write_bytes(b"\0" * 1024)
    assert "  D /etc/rc" in merger.update()
    assert not merger.root.joinpath("etc/rc").exists()


# The merge itself -----------------------------------------------------------------------------------------------------

texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n"]), max_size=8).map(b"".join)


@given(texts, texts)
def test_what_one_side_left_alone_is_what_the_other_made_of_it(old: bytes, new: bytes) -> None:
    for hunks in (merge3.merge(new, old, old), merge3.merge(old, old, new), merge3.merge(new, old, new)):
        assert not merge3.has_conflicts(hunks)
        assert merge3.text(hunks) == new


@given(texts, texts, texts)
def test_a_conflict_is_one_from_either_side_and_a_merge_is_the_same(mine: bytes, old: bytes, new: bytes) -> None:
    one, two = merge3.merge(mine, old, new), merge3.merge(new, old, mine)
    assert merge3.has_conflicts(one) == merge3.has_conflicts(two)
    for hunks, first, last in ((one, mine, new), (two, new, mine)):
        assert b"".join(line for hunk in hunks for line in hunk.mine) == first
        assert b"".join(line for hunk in hunks for line in hunk.origin) == old
        assert b"".join(line for hunk in hunks for line in hunk.theirs) == last
    if not merge3.has_conflicts(one):
        assert merge3.text(one) == merge3.text(two)


@given(texts, texts, texts)
def test_changes_apart_from_each_other_are_both_made(head: bytes, tail: bytes, more: bytes) -> None:
    middle = b"1\n2\n3\n"
    old = head + middle + tail
    hunks = merge3.merge(b"first\n" + old, old, old + more + b"last\n")
    assert not merge3.has_conflicts(hunks)
    assert merge3.text(hunks) == b"first\n" + old + more + b"last\n"


def test_a_last_line_without_an_end_is_kept_so() -> None:
    assert merge3.text(merge3.merge(b"0\na\nb", b"a\nb", b"a\nb")) == b"0\na\nb"
    assert merge3.beside(b"a", b"b") == b"<<<<<<< (local)\na\n=======\nb\n>>>>>>> (stock)\n"
