# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import accounts_note, note
from support.lab import Lab, Result

ROOTS, RELEASE = "/usr/local/jails/h1", "15.1-RELEASE-p1"
# Of the passwords `secret` and `hunter2`.
HASH = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
OTHER = "$6$rounds=5000$saltsalt$8RWsOfwR6M6PpnoeQiEiWzNTPo1f0HjVYjDnLZhGx16aBFRkeqiHAzfXP/LgrOWMBMXqiU2pLrXsSOHNUyUm91"
KEY, SECOND, OWN = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name} {name}" for name in ("first", "second", "own"))
RC_CONF = 'sshd_enable="YES"\nsshd_flags="-o PermitRootLogin=prohibit-password"\n'
FILLED = {"rc_conf": RC_CONF, "resolvers": ["192.0.2.53", "2001:db8::53"]}
IMAGE: dict[str, t.Any] = {"file": "/var/jail-images/alice.img", "unit": 17}

Values = dict[str, t.Any]


def account(name: str = "alice", **changes: t.Any) -> Values:
    return {
        "name": name,
        "path": f"{ROOTS}/{name}",
        "user": name,
        "password": HASH,
        "keys": [KEY],
        "hostname": f"www.{name}.example.net",
        "addresses": ["192.168.1.17", "2001:db8:1::17"],
        **changes,
    }


def fresh(*accounts: Values, **more: t.Any) -> Values:
    return {"roots": "fresh", "accounts": list(accounts), **FILLED, **more}


def running(*accounts: Values, **more: t.Any) -> Values:
    return {"roots": "running", "accounts": list(accounts), **more}


class Hosts(Lab):
    """A host whose jails' roots are made, but not handed over."""

    sha256: str

    def worlds(self, *names: str, **more: t.Any) -> Values:
        return {
            "worlds": [{"name": name, "path": f"{ROOTS}/{name}", "release": RELEASE, **more} for name in names],
            "releases": {RELEASE: {"archive": "/var/base.txz", "sha256": self.sha256}},
        }

    def make(self, *names: str) -> None:
        result = self.module("jail_worlds", **self.worlds(*names))
        assert not result.get("failed"), result["msg"]

    def start(self, *names: str) -> None:
        """Start jails, whose sshd listens at an address each."""
        self.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])
        jails = [
            {"name": name, "path": f"{ROOTS}/{name}", "ip4": [f"192.168.1.{number}"]}
            for number, name in enumerate(names, 17)
        ]
        result = self.module("jails", jails=jails)
        assert not result.get("failed"), result["msg"]

    def text(self, name: str, root: str = "alice") -> str:
        return self.path(f"{ROOTS}/{root}/{name}").read_text()

    def row(self, user: str, root: str = "alice") -> list[str]:
        """Return a user's line in master.passwd(5)."""
        lines = [line.split(":") for line in self.text("etc/master.passwd", root).splitlines()]
        return next((line for line in lines if line[0] == user), [])

    def keys(self, user: str = "alice", root: str = "alice") -> list[str]:
        home = "root" if user == "root" else f"home/{user}"
        return self.text(f"{home}/.ssh/authorized_keys", root).splitlines()

    def put(self, name: str, text: str, root: str = "alice", mode: int = 0o644) -> None:
        """Write a file in a root, as its customer would."""
        path = self.path(f"{ROOTS}/{root}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


@pytest.fixture
def lab(lab: Lab, sha256: str, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts(lab.host, monkeypatch)
    found.sha256 = sha256
    found.run("mkdir", "-p", ROOTS)
    return found


@pytest.fixture
def handed(lab: Hosts) -> Hosts:
    """Return a host on which alice's root was handed over, and runs."""
    lab.make("alice")
    lab.module("jail_accounts", **fresh(account()))
    lab.start("alice")
    return lab


def errors(result: Result) -> dict[str, str]:
    assert result["failed"], result
    return {error["name"]: error["error"] for error in result["errors"]}


# Fresh roots ----------------------------------------------------------------------------------------------------------


def test_a_fresh_root_is_handed_to_its_customer(lab: Hosts) -> None:
    lab.make("alice")
    assert (lab.row("root")[1], lab.row("alice")) == ("*", [])
    result = lab.converge("jail_accounts", **fresh(account()))
    assert (lab.row("root")[1], lab.row("alice")[1:4]) == (HASH, [HASH, "1001", "1001"])
    assert "wheel:*:0:root,alice" in lab.text("etc/group").splitlines()
    assert (lab.keys(), lab.keys("root")) == ([KEY], [KEY])
    assert lab.text("etc/rc.conf").splitlines()[1:] == ['hostname="www.alice.example.net"', *RC_CONF.splitlines()]
    assert lab.text("etc/resolv.conf") == "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"
    assert lab.text("etc/hosts").splitlines()[3:] == [
        "192.168.1.17\twww.alice.example.net www",
        "2001:db8:1::17\twww.alice.example.net www",
    ]
    assert result["after"] == {"account alice": {"user": "alice", "password": "set", "keys": [KEY]}}
    assert result["unready"] == []


def test_what_lets_a_customer_in_is_for_nobody_else(lab: Hosts) -> None:
    lab.make("alice")
    lab.converge("jail_accounts", **fresh(account()))
    for home in ("root", "home/alice"):
        folder = lab.path(f"{ROOTS}/alice/{home}/.ssh")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "authorized_keys").stat().st_mode & 0o777 == 0o600
    kept = lab.path(accounts_note("alice"))
    assert kept.stat().st_mode & 0o777 == 0o600
    assert HASH not in kept.read_text()


def test_every_jail_has_host_keys_of_its_own(lab: Hosts) -> None:
    lab.make("alice", "bob")
    for name in ("alice", "bob"):
        lab.put("etc/ssh/ssh_host_ed25519_key.pub", "of the template\n", name)
    lab.converge("jail_accounts", **fresh(account(), account("bob")))
    found = [
        lab.text(f"etc/ssh/ssh_host_{kind}_key.pub", name) for kind in ("ed25519", "rsa") for name in ("alice", "bob")
    ]
    assert len(set(found)) == 4
    assert "of the template\n" not in found


def test_without_a_password_nobody_gets_in_by_one(lab: Hosts) -> None:
    lab.make("alice")
    result = lab.converge("jail_accounts", **fresh(account(password=None)))
    assert (lab.row("root")[1], lab.row("alice")[1]) == ("*", "*")
    assert result["after"]["account alice"]["password"] == "none"


def test_a_fresh_root_without_keys_gets_no_file_for_them(lab: Hosts) -> None:
    lab.make("alice")
    lab.converge("jail_accounts", **fresh(account(keys=[])))
    assert not lab.path(f"{ROOTS}/alice/root/.ssh").exists()


def test_check_mode_foretells_the_accounts_of_roots_that_are_not_made_yet(lab: Hosts) -> None:
    made = lab.check("jail_worlds", **lab.worlds("alice", "bob"))["made"]
    foretold = lab.check("jail_accounts", **fresh(account(), account("bob"), assumed=made))
    lab.make("alice", "bob")
    result = lab.module("jail_accounts", **fresh(account(), account("bob")))
    assert {key: foretold[key] for key in ("commands", "after")} == {key: result[key] for key in ("commands", "after")}
    assert foretold["changed"]


def test_a_root_that_is_assumed_and_is_a_customers_is_left_alone(handed: Hosts) -> None:
    result = handed.module("jail_accounts", **fresh(account(password=OTHER), assumed=["alice"]))
    assert (result["commands"], handed.row("root")[1]) == ([], HASH)


def test_a_root_that_was_handed_over_is_never_written_in_again(handed: Hosts) -> None:
    changed = account(password=OTHER, keys=[SECOND], hostname="other.example.net")
    assert handed.module("jail_accounts", **fresh(changed))["commands"] == []


def test_a_root_in_an_image_is_handed_over_and_unmounted(lab: Hosts) -> None:
    lab.module("jail_images", images=[{"name": "alice", "size": "64M", "path": f"{ROOTS}/alice", **IMAGE}])
    lab.module("jail_worlds", **lab.worlds("alice", image=IMAGE), images="/var/jail-images")
    lab.converge("jail_accounts", **fresh(account(image=IMAGE)))
    assert lab.files.names(f"{ROOTS}/alice") == []
    lab.run("mdconfig", "-a", "-t", "vnode", "-u", "17", "-f", IMAGE["file"])
    lab.run("mount", "/dev/md17", f"{ROOTS}/alice")
    assert (lab.row("alice")[1], lab.keys()) == (HASH, [KEY])


@pytest.mark.parametrize("strange", ["etc", "etc/ssh", "home"])
def test_an_archive_that_would_lead_elsewhere_stops_one_root_and_no_other(lab: Hosts, strange: str) -> None:
    lab.make("alice", "bob")
    lab.run("rm", "-rf", f"{ROOTS}/alice/{strange}")
    lab.run("ln", "-s", "/etc", f"{ROOTS}/alice/{strange}")
    before = lab.path("/etc/master.passwd").read_text()
    result = lab.module("jail_accounts", **fresh(account(), account("bob")))
    assert errors(result) == {
        "alice": f"{ROOTS}/alice/{strange} is no folder; see what the archive of its release holds"
    }
    assert (result["unready"], lab.row("bob", "bob")[1]) == (["alice"], HASH)
    assert lab.path("/etc/master.passwd").read_text() == before
    assert lab.files.read(note("alice")) is not None


def test_a_clone_that_failed_leaves_nothing_to_hand_over(lab: Hosts) -> None:
    lab.files.write(note("alice"), "filled\n", 0o600)
    assert lab.module("jail_accounts", **fresh(account()))["commands"] == []


# Running jails --------------------------------------------------------------------------------------------------------


def test_a_changed_password_and_changed_keys_reach_a_running_jail(handed: Hosts) -> None:
    result = handed.converge("jail_accounts", **running(account(password=OTHER, keys=[SECOND])))
    assert (handed.row("root")[1], handed.row("alice")[1]) == (OTHER, OTHER)
    assert (handed.keys(), handed.keys("root")) == ([SECOND], [SECOND])
    assert result["before"] == {"account alice": {"user": "alice", "password": "set", "keys": [KEY]}}
    assert result["after"] == {"account alice": {"user": "alice", "password": "changed", "keys": [SECOND]}}
    assert all(command.startswith(("jexec alice ", "write /var/db/")) for command in result["commands"])


def test_what_a_customer_changed_himself_stays(handed: Hosts) -> None:
    handed.run("jexec", "alice", "/usr/sbin/pw", "usermod", "alice", "-H", "0", stdin=f"{OTHER}\n")
    handed.put("home/alice/.ssh/authorized_keys", f"{KEY}\n{OWN}\n")
    assert handed.module("jail_accounts", **running(account()))["commands"] == []
    handed.converge("jail_accounts", **running(account(keys=[SECOND])))
    assert (handed.keys(), handed.row("alice")[1]) == ([OWN, SECOND], OTHER)


def test_a_password_that_is_withdrawn_is_locked(handed: Hosts) -> None:
    handed.converge("jail_accounts", **running(account(password=None)))
    assert (handed.row("root")[1], handed.row("alice")[1]) == ("*", "*")


def test_a_user_whom_the_customer_removed_is_not_made_again(handed: Hosts) -> None:
    handed.run("jexec", "alice", "/usr/sbin/pw", "userdel", "alice", "-r")
    result = handed.converge("jail_accounts", **running(account(keys=[SECOND])))
    assert (result["gone"], handed.row("alice"), handed.keys("root")) == ({"alice": "alice"}, [], [SECOND])


def test_in_an_image_that_is_not_mounted_yet_the_user_is_taken_to_be_there(handed: Hosts) -> None:
    handed.run("jail", "-f", "/etc/jail.conf.d/alice.conf", "-r", "alice")
    handed.path(f"{ROOTS}/alice").rename(handed.path("/var/unmounted"))
    handed.path(f"{ROOTS}/alice").mkdir()
    changed = account(keys=[SECOND], image={"file": "/var/jail-images/alice.img", "unit": 17})
    foretold = handed.check("jail_accounts", **running(changed, assumed=["alice"]))
    given = [command.rpartition(" sh ")[2] for command in foretold["commands"][:2]]
    assert given == ["/root root", "/home/alice alice"]
    assert "gone" not in foretold


def test_what_is_for_a_stopped_jail_waits(handed: Hosts) -> None:
    handed.run("jail", "-f", "/etc/jail.conf.d/alice.conf", "-r", "alice")
    changed = account(keys=[SECOND])
    assert handed.module("jail_accounts", **running(changed))["waiting"] == ["alice"]
    assert handed.keys() == [KEY]
    handed.start("alice")
    assert handed.converge("jail_accounts", **running(changed))["waiting"] == []
    assert handed.keys() == [SECOND]


def test_nothing_is_delivered_into_a_jail_that_shall_stop(handed: Hosts) -> None:
    assert handed.module("jail_accounts", **running(account(keys=[SECOND], runs=False)))["commands"] == []


def test_another_jail_of_that_name_gets_nothing(handed: Hosts) -> None:
    elsewhere = account(path=f"{ROOTS}/elsewhere", keys=[SECOND])
    assert handed.module("jail_accounts", **running(elsewhere))["commands"] == []


def test_a_jail_that_has_everything_already_is_only_noted(handed: Hosts) -> None:
    handed.path(accounts_note("alice")).unlink()
    result = handed.module("jail_accounts", **running(account()))
    assert (result["changed"], result["commands"]) == (False, [])
    assert json.loads(handed.files.read(accounts_note("alice")) or "")["user"] == "alice"


def test_the_number_of_processes_does_not_grow(lab: Hosts) -> None:
    names = ("alice", "bob", "carol")
    lab.make(*names)
    accounts = [account(name) for name in names]
    lab.module("jail_accounts", **fresh(*accounts))
    lab.start(*names)
    for parameters in (fresh, running):
        assert lab.processes("jail_accounts", **parameters(*accounts)) == 0
        assert lab.processes("jail_accounts", **parameters(accounts[0])) == 0


# Hostile jails --------------------------------------------------------------------------------------------------------


def test_links_inside_a_running_jail_lead_nowhere_outside(handed: Hosts) -> None:
    for home in ("root", "home/alice"):
        handed.run("rm", "-rf", f"{ROOTS}/alice/{home}/.ssh")
        handed.run("ln", "-s", "/tmp", f"{ROOTS}/alice/{home}/.ssh")
    before = handed.files.names("/tmp")
    handed.module("jail_accounts", **running(account(keys=[SECOND])))
    assert handed.files.names("/tmp") == before
    assert handed.text("tmp/authorized_keys").splitlines() == [SECOND]


def test_a_file_of_keys_without_end_is_refused_and_stops_no_other(handed: Hosts) -> None:
    handed.make("bob")
    handed.module("jail_accounts", **fresh(account("bob")))
    handed.start("alice", "bob")
    handed.put("home/alice/.ssh/authorized_keys", "x" * (70 << 10))
    result = handed.module("jail_accounts", **running(account(keys=[SECOND]), account("bob", keys=[SECOND])))
    assert "longer than 65536 bytes" in errors(result)["alice"]
    assert handed.keys("bob", "bob") == [SECOND]


def test_what_a_customers_program_prints_is_never_shown(handed: Hosts) -> None:
    handed.put("usr/sbin/pw", "#!/bin/sh\ncat\ncat >&2\nexit 1\n", mode=0o555)
    result = handed.module("jail_accounts", **running(account(password=OTHER)))
    assert errors(result)["alice"].endswith("ended with status 1: what it said is not shown")
    assert OTHER not in json.dumps(result)


def test_a_home_that_is_no_plain_path_is_not_believed(handed: Hosts) -> None:
    rows = handed.text("etc/master.passwd").replace(":/home/alice:", ":/home/../../$(reboot):")
    handed.put("etc/master.passwd", rows)
    handed.module("jail_accounts", **running(account(keys=[SECOND])))
    assert handed.keys() == [SECOND]


@pytest.mark.parametrize("parameters", [fresh, running])
def test_no_secret_is_in_an_argument_or_in_what_is_returned(lab: Hosts, parameters: t.Any) -> None:
    lab.make("alice")
    if parameters is running:
        lab.module("jail_accounts", **fresh(account(password=None)))
        lab.start("alice")
    result = lab.module("jail_accounts", **parameters(account()))
    assert lab.row("root")[1] == HASH
    assert HASH not in json.dumps(result)
    assert not [command for command in lab.runner.ran if HASH in " ".join(command.argv)]
    assert any(HASH in command.stdin for command in lab.runner.ran)


# The wish -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "a.b"}, "accounts: 'a.b': name: no jail can have it"),
        ({"path": "/a/../b"}, "accounts: alice: path: '/a/../b' is not an absolute, plain path below /"),
        ({"user": "Alice"}, "accounts: alice: user: 'Alice' is not a login name"),
        ({"user": "www"}, "accounts: alice: user: 'www' is a user or a group that FreeBSD has itself"),
        ({"hostname": "a_b"}, "accounts: alice: hostname: 'a_b' is none"),
        ({"password": "$y$j9T$hunter2"}, "accounts: alice: password: is no hash that FreeBSD knows"),
        ({"password": "hunter2"}, "accounts: alice: password: is no hash that FreeBSD knows"),
        ({"keys": [f"{KEY}\n{KEY}"]}, "accounts: alice: keys[0]: is not one line with a public key"),
        ({"keys": [KEY, ""]}, "accounts: alice: keys[1]: is not one line with a public key"),
        ({"addresses": ["192.168.1"]}, "accounts: alice: addresses: '192.168.1' does not appear to be"),
    ],
)
def test_a_wrong_wish_is_refused_and_no_secret_shown(lab: Hosts, changes: Values, error: str) -> None:
    result = lab.module("jail_accounts", **fresh(account(**changes)))
    assert result["failed"]
    assert str(result["msg"]).startswith(error)
    assert "hunter2" not in str(result["msg"])


def test_a_wrong_resolver_is_refused(lab: Hosts) -> None:
    result = lab.module("jail_accounts", **fresh(account(), resolvers=["ns.example.net"]))
    assert str(result["msg"]).startswith("resolvers: 'ns.example.net' does not appear to be")
