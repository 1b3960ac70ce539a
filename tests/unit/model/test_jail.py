# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jail, jls, jexec, what runs in jails, and base.txz, as the collection relies on them."""

from __future__ import annotations

import itertools
import json
import tarfile
import time
from pathlib import Path

import pytest

from model import archive, machine, prison, process
from model.host import Host

JAILS = Path("usr/local/jails")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.txz"
    archive.write_base(path, "15.1-RELEASE-p1")
    return path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    machine.install(host, name="h1", address="10.0.2.15")
    machine.boot(host)
    return host


@pytest.fixture
def alice(host: Host, base: Path) -> Host:
    """A host with a running jail of its own userland."""
    root = host.root / JAILS / "alice"
    root.mkdir(parents=True)
    with tarfile.open(base) as file:
        file.extraction_filter = lambda member, path: member
        file.extractall(root)
    write(
        host,
        'alice { path = "/usr/local/jails/alice"; exec.start = "/bin/sh /etc/rc"; ip4.addr = 192.168.0.10;'
        ' exec.stop = "/bin/sh /etc/rc.shutdown jail"; exec.clean; stop.timeout = 1;'
        ' exec.consolelog = "/var/log/alice.log"; }',
    )
    assert host.run(["jail", "-c", "alice"]).out == "alice: created\n"
    return host


def write(host: Host, text: str) -> None:
    (host.root / "etc/jail.conf").write_text(text)


def names(host: Host) -> list[str]:
    return host.run(["jls", "name"]).out.split()


class TestManyJails:
    @staticmethod
    def configuration(together: int) -> str:
        """Return four jails; none of them gets on with its start before so many have begun theirs."""
        wait = f"until [ $(grep -c begin /log) -ge {together} ]; do sleep 0.05; done"
        start = f"echo begin >> /log; {wait}; sleep 0.1; echo end >> /log"
        return "".join(
            f"p{name} {{ path = /; persist; exec.timeout = 60; exec.start = '{start}'; }}\n" for name in range(4)
        )

    @staticmethod
    def most_at_once(host: Host) -> int:
        """Return how many starts were under way at a time, at most."""
        changes = [1 if line == "begin" else -1 for line in (host.root / "log").read_text().split()]
        return max(itertools.accumulate(changes))

    def test_all_of_the_file_start_at_once_and_those_that_run_are_skipped(self, host: Host) -> None:
        write(host, self.configuration(4))
        result = host.run(["jail", "-c"])
        assert (result.rc, sorted(result.out.splitlines())) == (0, [f"p{number}: created" for number in range(4)])
        assert self.most_at_once(host) == 4
        again = host.run(["jail", "-c"])
        assert (again.rc, again.out, again.err) == (0, "", "")

    def test_the_limit_is_kept(self, host: Host) -> None:
        assert host.run(["jail", "-p", "2", "-f", "-", "-c"], self.configuration(2)).rc == 0
        assert self.most_at_once(host) == 2

    def test_one_that_fails_leaves_the_others(self, host: Host) -> None:
        write(host, "a { path = /nosuch; persist; }\nb { path = /; persist; }\n")
        result = host.run(["jail", "-c"])
        assert (result.rc, result.out) == (1, "b: created\n")
        assert result.err == "jail: a: path /nosuch: No such file or directory\n"

    def test_two_names_are_taken_for_parameters(self, host: Host) -> None:
        write(host, self.configuration(1))
        result = host.run(["jail", "-c", "p1", "p2"])
        assert result.rc == 1
        assert result.err.startswith("jail: unknown parameter: p1\n")

    def test_star_without_a_file_removes_nothing(self, host: Host) -> None:
        host.run(["jail", "-c", "name=x", "path=/", "persist"])
        assert host.run(["jail", "-r", "*"]).rc == 0
        assert names(host) == ["x"]
        assert host.run(["jail", "-R", "*"]).out == "x: removed\n"

    def test_depend_takes_others_along(self, host: Host) -> None:
        write(host, "mail { path = /; persist; }\nshop { path = /; persist; depend = mail; }\n")
        assert host.run(["jail", "-c", "shop"]).out == "mail: created\nshop: created\n"
        assert host.run(["jail", "-r", "mail"]).out == "shop: removed\nmail: removed\n"


class TestStarting:
    def test_steps_in_order_and_back(self, host: Host) -> None:
        steps = {step: f'exec.{step} = "echo {step} >> /tmp/steps"; ' for step in ("prepare", "prestart", "created")}
        steps |= {step: f'exec.{step} = "echo {step} >> /tmp/steps"; ' for step in ("start", "poststart", "prestop")}
        steps |= {step: f'exec.{step} = "echo {step} >> /tmp/steps"; ' for step in ("stop", "poststop", "release")}
        write(host, "x { path = /; persist; " + "".join(steps[step] for step in sorted(steps)) + "}")
        host.run(["jail", "-c", "x"])
        host.run(["jail", "-r", "x"])
        expected = "prepare prestart created start poststart prestop stop poststop release"
        assert (host.root / "tmp/steps").read_text().split() == expected.split()

    def test_a_failed_start_is_undone(self, host: Host) -> None:
        host.run(["ifconfig", "lo1", "create"])
        write(host, 'x { path = /; ip4.addr = "lo1|192.168.0.9/32"; exec.start = false; }')
        result = host.run(["jail", "-c", "x"])
        assert (result.rc, result.out) == (1, "x: created\nx: removed\n")
        assert result.err == "jail: x: false: failed\n"
        assert "192.168.0.9" not in host.run(["ifconfig", "lo1"]).out

    def test_a_timeout_ends_the_start(self, host: Host) -> None:
        result = host.run(["jail", "-c", "name=x", "path=/", "persist", "exec.start=/bin/sleep 50", "exec.timeout=1"])
        assert (result.rc, result.err) == (1, "jail: /bin/sleep 50: timed out\n")
        assert names(host) == []

    def test_a_veto_keeps_the_jail(self, host: Host) -> None:
        write(host, "x { path = /; persist; exec.stop = /usr/bin/false; }")
        host.run(["jail", "-c", "x"])
        result = host.run(["jail", "-r", "x"])
        assert (result.rc, result.err) == (1, "jail: x: /usr/bin/false: failed\n")
        assert names(host) == ["x"]
        assert host.run(["jail", "-R", "x"]).rc == 0
        assert names(host) == []

    def test_without_processes_and_persist_it_is_gone(self, host: Host) -> None:
        write(host, "x { path = /; exec.start = true; }")
        assert host.run(["jail", "-c", "x"]).rc == 0
        assert names(host) == []

    def test_a_process_that_is_killed_leaves_what_it_did(self, host: Host) -> None:
        host.run(["jail", "-c", "name=x", "path=/", "persist", "exec.poststart=sleep 0.1"])
        assert names(host) == ["x"]


class TestParameters:
    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("path=/tmp", "path cannot be changed after creation"),
            ("vnet", "vnet cannot be changed after creation"),
            ("osrelease=14.0-RELEASE", "osrelease cannot be changed after creation"),
            ("nosuch=1", "unknown parameter: nosuch"),
            ("ip4.addr=10.0.0.300", "ip4.addr: not an IPv4 address: 10.0.0.300"),
            ("allow.chflags=perhaps", 'allow.chflags: unknown boolean value "perhaps"'),
        ],
    )
    def test_refused(self, host: Host, asked: str, message: str) -> None:
        host.run(["jail", "-c", "name=x", "path=/", "persist"])
        result = host.run(["jail", "-m", "name=x", asked])
        assert (result.rc, result.err) == (1, f"jail: {message}\n")

    def test_live_change(self, host: Host) -> None:
        host.run(["jail", "-c", "name=x", "path=/", "persist"])
        assert host.run(["jail", "-m", "name=x", "allow.raw_sockets=1", "securelevel=3"]).rc == 0
        assert host.run(["jls", "-j", "x", "-n", "allow.raw_sockets", "securelevel"]).out == (
            "allow.raw_sockets securelevel=3\n"
        )

    def test_restart_only_for_what_needs_it(self, host: Host) -> None:
        write(host, "x { path = /; persist; allow.mlock; }")
        host.run(["jail", "-c", "x"])
        write(host, "x { path = /; persist; allow.mlock = false; }")
        assert host.run(["jail", "-cmr", "x"]).out == "x: updated\n"
        write(host, "x { path = /tmp; persist; }")
        assert host.run(["jail", "-cmr", "x"]).out == "x: created\n"

    def test_addresses_clash_only_if_one_has_several(self, host: Host) -> None:
        host.run(["jail", "-c", "name=a", "path=/", "persist", "ip4.addr=10.0.0.1"])
        assert host.run(["jail", "-c", "name=b", "path=/", "persist", "ip4.addr=10.0.0.1"]).rc == 0
        result = host.run(["jail", "-c", "name=c", "path=/", "persist", "ip4.addr=10.0.0.1,10.0.0.2"])
        assert (result.rc, result.err) == (1, "jail: IPv4 addresses clash\n")

    def test_meta_has_keys(self, host: Host) -> None:
        host.run(["jail", "-c", "name=m", "path=/", "persist", "meta=rev=abc"])
        assert host.run(["jls", "-j", "m", "meta.rev"]).out == "abc\n"
        host.run(["jail", "-m", "name=m", "meta.rev=def"])
        assert host.run(["jls", "-j", "m", "meta"]).out == "rev=def\n"

    def test_json(self, host: Host) -> None:
        host.run(["jail", "-c", "name=x", "path=/", "persist", "ip4.addr=10.0.0.1"])
        (found,) = json.loads(host.run(["jls", "--libxo", "json", "-n"]).out)["jail-information"]["jail"]
        assert (found["name"], found["persist"], found["ip4.addr"]) == ("x", True, ["10.0.0.1"])

    def test_sysctl_names(self) -> None:
        listed = [name for name, _unused in prison.sysctl_names()]
        assert (listed[0], listed[-1]) == ("sysvshm.", "jid")
        assert "allow.mount." in listed
        assert "ip4.addr" not in listed


class TestConfiguration:
    def test_export(self, host: Host) -> None:
        text = "* { allow.mlock = true; }\n"
        text += 'x { path = /; $v = "7"; host.hostname = "h$v"; ip4.addr = 10.0.0.1, 10.0.0.2; }'
        result = host.run(["jail", "-f", "-", "-e", ";"], text)
        assert result.out == "name=x;allow.mlock=true;path=/;host.hostname=h7;ip4.addr=10.0.0.1,10.0.0.2\n"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('x { path = "/"; persist', "STDIN: unexpected EOF"),
            ("x {\n path = / persist;\n}", "STDIN line 2: persist: syntax error"),
            ('x { path = "/; }\n', "STDIN line 1: unterminated string"),
            ('.include "/nosuch";', "/nosuch: No such file or directory"),
        ],
    )
    def test_errors(self, host: Host, text: str, message: str) -> None:
        result = host.run(["jail", "-f", "-", "-e", ";"], text)
        assert (result.rc, result.err) == (1, f"jail: {message}\n")

    def test_one_broken_file_breaks_all(self, host: Host) -> None:
        (host.root / "etc/jail.conf.d/a.conf").write_text("a { path = /; persist; }\n")
        (host.root / "etc/jail.conf.d/b.conf").write_text("b { path = /; ")
        write(host, '.include "/etc/jail.conf.d/*.conf";\n')
        result = host.run(["jail", "-c", "a"])
        assert (result.rc, result.err) == (1, "jail: /etc/jail.conf.d/b.conf: unexpected EOF\n")


class TestInside:
    def test_daemons_run(self, alice: Host) -> None:
        commands = alice.run(["ps", "-J", "alice", "-o", "comm="]).out.split()
        assert commands == ["syslogd", "syslogd", "syslogd", "cron"]
        with alice.kernel() as kernel:
            assert ("alice", "192.168.0.10", "udp4", 514) in [row[:4] for row in process.listeners(kernel)]
        assert "Starting cron." in (alice.root / "var/log/alice.log").read_text()
        assert alice.run(["jail", "-r", "alice"]).out == "alice: removed\n"

    def test_rc_conf_switches(self, alice: Host) -> None:
        alice.run(["jail", "-r", "alice"])
        (alice.root / JAILS / "alice/etc/rc.conf").write_text('sshd_enable="YES"\ncron_enable="NO"\n')
        alice.run(["jail", "-c", "alice"])
        commands = alice.run(["ps", "-J", "alice", "-o", "comm="]).out.split()
        assert "sshd" in commands
        assert "cron" not in commands

    def test_the_customers_own_programs_run(self, alice: Host) -> None:
        program = alice.root / JAILS / "alice/bin/hello"
        program.write_text('#!/bin/sh\necho "hello $1"\nexit 3\n')
        program.chmod(0o755)
        result = alice.run(["jexec", "alice", "hello", "you"])
        assert (result.rc, result.out) == (3, "hello you\n")

    def test_rubbish_is_no_program(self, alice: Host) -> None:
        shell = alice.root / JAILS / "alice/bin/sh"
        shell.unlink()
        shell.write_bytes(b"\x7fELF\0rubbish")
        shell.chmod(0o755)
        result = alice.run(["jexec", "alice", "/bin/sh", "-c", "true"])
        assert (result.rc, result.err) == (1, "jexec: execvp: /bin/sh: Exec format error\n")
        assert alice.run(["jail", "-r", "alice"]).rc == 1
        assert names(alice) == ["alice"]

    def test_a_link_does_not_lead_out(self, alice: Host) -> None:
        (alice.root / "secret").write_text("host\n")
        (alice.root / JAILS / "alice/leak").symlink_to("/secret")
        assert alice.run(["jexec", "alice", "cat", "/leak"]).rc == 1

    def test_a_broken_shutdown_script_is_a_veto(self, alice: Host) -> None:
        (alice.root / JAILS / "alice/etc/rc.shutdown").write_text("exit 1\n")
        assert alice.run(["jail", "-r", "alice"]).rc == 1
        assert names(alice) == ["alice"]

    def test_what_a_customer_has_run_at_the_start_and_the_stop_takes_its_time(self, alice: Host) -> None:
        root = alice.root / JAILS / "alice"
        (root / "etc/rc.shutdown.local").write_text("sleep 0.5; touch /stopped\n")
        (root / "etc/rc.local").write_text("sleep 0.5; touch /started; exit 1\n")
        for option, mark in (("-r", "stopped"), ("-c", "started")):
            begin = time.monotonic()
            assert alice.run(["jail", option, "alice"]).rc == 0
            assert time.monotonic() - begin > 0.5
            assert (root / mark).exists()
        log = (alice.root / "var/log/alice.log").read_text()
        assert "Shutting down local daemons:." in log
        assert "Starting local daemons:." in log

    def test_a_vanished_path_is_one_too(self, alice: Host) -> None:
        (alice.root / JAILS / "alice").rename(alice.root / JAILS / "elsewhere")
        result = alice.run(["jail", "-r", "alice"])
        assert result.rc == 1
        assert "jail: alice: chdir /usr/local/jails/alice: No such file or directory" in result.err
        assert names(alice) == ["alice"]

    def test_standard_input_becomes_a_file(self, alice: Host) -> None:
        assert alice.run(["jexec", "alice", "sh", "-c", "cat > /tmp/file"], "text\n").rc == 0
        assert (alice.root / JAILS / "alice/tmp/file").read_text() == "text\n"

    def test_what_ignores_sigterm_is_killed_in_the_end(self, alice: Host) -> None:
        alice.run(["jexec", "alice", "sh", "-c", 'trap "" TERM; while :; do :; done &'])
        start = time.monotonic()
        assert alice.run(["jail", "-r", "alice"]).rc == 0
        assert time.monotonic() - start < 5
        assert names(alice) == []

    def test_no_such_jail(self, host: Host) -> None:
        result = host.run(["jexec", "nosuch", "id"])
        assert (result.rc, result.err) == (1, 'jexec: jail "nosuch" not found\n')


class TestShell:
    @pytest.mark.parametrize(
        ("text", "out", "rc"),
        [
            ("a=1; b=$((a + 2)); echo \"$a-$b\" '$a'", "1-3 $a\n", 0),
            ("false || echo no; true && echo yes; ! true", "no\nyes\n", 1),
            ("for i in a b; do echo $i; done | sort -r", "b\na\n", 0),
            ("if [ -d /nosuch ]; then echo is; else echo not; fi", "not\n", 0),
            ("f() { echo $1; return 4; }; f x; echo $?", "x\n4\n", 0),
            ("case abc in a*) echo fits ;; *) echo not ;; esac", "fits\n", 0),
            ("x=$(echo in; exit 2); echo $x $?; exit 7", "in 2\n", 7),
            ("cat <<END\n$((1+1)) lines\nEND\n", "2 lines\n", 0),
            ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
            ("echo ${none:-else} ${none:+then}", "else\n", 0),
            ('set -- a \'b c\'; echo $#; for x in "$@"; do echo "$x"; done', "2\na\nb c\n", 0),
            ("set -e; false; echo never", "", 1),
        ],
    )
    def test_language(self, host: Host, text: str, out: str, rc: int) -> None:
        result = host.run(["sh", "-c", text])
        assert (result.out, result.rc, result.err) == (out, rc, "")

    def test_what_it_does_not_know_is_an_error(self, host: Host) -> None:
        assert host.run(["sh", "-c", "nosuch"]).err == "sh: nosuch: not found\n"
        assert host.run(["sh", "-c", "if true; then"]).rc == 2


class TestArchive:
    def test_same_bytes_each_time(self, base: Path, tmp_path: Path) -> None:
        archive.write_base(tmp_path / "again.txz", "15.1-RELEASE-p1")
        assert (tmp_path / "again.txz").read_bytes() == base.read_bytes()

    def test_what_matters_is_there(self, base: Path) -> None:
        with tarfile.open(base) as file:
            flags = {member.name for member in file if member.pax_headers.get("SCHILY.fflags") == "schg"}
            passwd = file.extractfile("./etc/master.passwd")
            assert passwd is not None
            assert passwd.read().startswith(b"root::0:0")
            assert file.getmember("./tmp").mode == 0o1777
        assert {"./var/empty", "./lib/libc.so.7", "./sbin/init"} <= flags


class TestProcesses:
    def test_hogs_can_be_found_and_reniced(self, host: Host) -> None:
        host.run(["jail", "-c", "name=busy", "path=/", "persist"])
        pid = host.run(["jexec", "busy", "sh", "-c", "while :; do :; done & echo $!"]).out.strip()
        text = host.run(["ps", "--libxo", "json", "-J", "busy", "-o", "jail,pid,nice,pcpu"]).out
        (found,) = json.loads(text)["process-information"]["process"]
        assert found == {"jail-name": "busy", "pid": pid, "nice": "0", "percent-cpu": "100.0"}
        assert host.run(["renice", "-n", "10", "-p", pid]).err == f"{pid}: old priority 0, new priority 10\n"
        assert host.run(["pkill", "-j", "busy", "sh"]).rc == 0
        assert host.run(["pkill", "-j", "busy", "sh"]).rc == 1
        assert host.run(["ps", "-J", "nosuch", "-o", "pid"]).err == "ps: Invalid jail id: nosuch\n"

    def test_the_jails_processes_end_with_it(self, host: Host) -> None:
        host.run(["jail", "-c", "name=busy", "path=/", "persist"])
        host.run(["jexec", "busy", "sh", "-c", "sleep 300 &"])
        host.run(["jail", "-R", "busy"])
        assert host.run(["pgrep", "sleep"]).rc == 1
