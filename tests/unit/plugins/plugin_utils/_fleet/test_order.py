# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, HostRunner
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import order as orders
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import records
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import FleetError
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project

RELEASE = "15.1-RELEASE-p1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu frank@example.net"
GROUP = {
    "vps_interface": "vtnet0",
    "vps_memory": "8G",
    "vps_disk": "100G",
    "vps_link": {"up": "1Gbit/s", "down": "1Gbit/s"},
    "vps_storage": "directory",
    "vps_release": RELEASE,
    "vps_releases": {RELEASE: {"archive": "/var/base.txz", "sha256": "0" * 64}},
}
PLAN = "disk: 4G\nmemory: 512M\nprocesses: 100\ncpu: 50%\nbandwidth: {up: 10Mbit/s, down: 10Mbit/s}\n"
BOB = "host: h1\ncustomer: alice\nplan: base\nid: 1\naddress: 192.168.1.1\npublish:\n  - {port: 8000, to: 22}\n"
WISH = {"jail": "shop", "customer": "alice", "plan": "base"}
FRANK: dict[str, t.Any] = {
    "customer": "frank",
    "customer_name": "no",
    "customer_contact": "frank@example.net",
    "customer_keys": [KEY],
}


class Inventory:
    """A fleet on disk: two hosts, one customer with one jail."""

    def __init__(self, base: Path, hosts: int = 2) -> None:
        self.base = base
        self.names = [f"h{number}" for number in range(1, hosts + 1)]
        for folder in ("plans", "customers", "jails", "group_vars", "host_vars"):
            (base / folder).mkdir(parents=True)
        self.write("fleet.yml", "plugin: jailisp.vps.fleet\n")
        self.write("hosts.yml", yaml.safe_dump({"jail_hosts": {"hosts": dict.fromkeys(self.names)}}))
        self.write("group_vars/jail_hosts.yml", yaml.safe_dump(GROUP))
        for number, name in enumerate(self.names, 1):
            self.host(name, vps_addresses=[f"203.0.113.{number}"], vps_netblock=f"192.168.{number}.0/24")
        self.write("plans/base.yml", PLAN)
        self.write("customers/alice.yml", "name: Alice Archer\ncontact: alice@example.net\n")
        self.write("jails/bob.yml", BOB)

    def write(self, file: str, text: str) -> None:
        (self.base / file).write_text(text, encoding="utf-8")

    def host(self, name: str, **variables: t.Any) -> None:
        """Set variables of a host, besides those that it has."""
        path = self.base / "host_vars" / f"{name}.yml"
        known = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**known, **variables}))

    def order(self, *, commit: bool = False, check_mode: bool = False, **wish: t.Any) -> dict[str, t.Any]:
        """Order a jail and return the result."""
        file = self.base / "fleet.yml"
        done = orders.order(file, {**WISH, **wish}, DataLoader(), commit=commit, check_mode=check_mode)
        return done.result()

    def refused(self, **wish: t.Any) -> list[str]:
        """Order a jail, which must fail and leave nothing behind; return the lines of the error."""
        before = self.files()
        with pytest.raises((FleetError, records.RecordError)) as caught:
            self.order(**wish)
        assert self.files() == before
        return str(caught.value).splitlines()

    def files(self) -> dict[str, bytes]:
        """Return all files of the inventory, hidden ones too, but not what git keeps."""
        found = (path for path in self.base.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.base)): path.read_bytes() for path in found}

    def check(self) -> t.Any:
        """Return the checked fleet; raise if it has an error."""
        return open_project(self.base / "fleet.yml", DataLoader()).check()

    def git(self, *argv: str) -> str:
        """Run git in the inventory and return what it prints."""
        done = HostRunner(os.environ).run(Command(("git", "-C", str(self.base), *argv)))
        assert done.rc == 0, done.failure
        return done.out

    def committed(self) -> None:
        """Make the inventory a repository in which all is committed."""
        self.git("init", "--quiet")
        for name, value in (("user.name", "Olga"), ("user.email", "olga@example.net"), ("commit.gpgsign", "false")):
            self.git("config", name, value)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=All")

    def status(self) -> list[str]:
        """Return what git shows as not committed."""
        return self.git("status", "--porcelain", "--untracked-files=all").splitlines()


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return Inventory(tmp_path / "inventory")


# What is written ------------------------------------------------------------------------------------------------------


def test_an_order_writes_one_record_as_a_person_would(inventory: Inventory) -> None:
    before = inventory.files()
    result = inventory.order(hostname="www.alice.example.net", publish=[{"port": 53, "to": 53, "protocol": "udp"}])
    after = inventory.files()
    assert after.pop("jails/shop.yml").decode() == (
        "---\nhost: h2\ncustomer: alice\nplan: base\nid: 2\naddress: 192.168.2.1\nhostname: www.alice.example.net\n"
        "publish:\n  - {port: 8000, to: 22}\n  - {port: 53, to: 53, protocol: udp}\n"
    )
    assert after == before
    assert result["changed"]
    assert result["files"] == ["jails/shop.yml"]
    assert result["ssh"] == {"address": "203.0.113.2", "port": 8000}
    assert result["gives"] == {
        "disk": "4G", "memory": "512M", "processes": 100, "cpu": "50%", "up": "10Mbit/s", "down": "10Mbit/s",
    }  # fmt: skip
    assert (result["jail"]["host"], result["jail"]["id"], result["jail"]["release"]) == ("h2", 2, RELEASE)


def test_the_record_names_the_neighbourhood_with_most_room(inventory: Inventory) -> None:
    places = {name: {"path": f"/jails/{name}", "disk": disk} for name, disk in (("n1", "8G"), ("n2", "6G"))}
    inventory.host("h2", vps_neighbourhoods=places)
    chosen = [inventory.order(jail=name, host="h2")["jail"]["neighbourhood"] for name in ("shop", "mail")]
    assert chosen == ["n1", "n2"]
    assert "host: h2\nneighbourhood: n1\n" in inventory.files()["jails/shop.yml"].decode()
    assert inventory.order(jail="shop", host="h2")["changed"] is False
    inventory.order(jail="news", host="h2")
    assert inventory.refused(jail="games", host="h2") == [
        "order: host: h2 cannot take it: it lacks disk in one neighbourhood (4G needed, at most 2G left in n2)"
    ]


def test_a_new_customer_gets_a_record_first(inventory: Inventory) -> None:
    result = inventory.order(**FRANK)
    assert result["files"] == ["customers/frank.yml", "jails/shop.yml"]
    text = inventory.files()["customers/frank.yml"].decode()
    assert text == f'---\nname: "no"\ncontact: frank@example.net\nkeys:\n  - {KEY}\n'
    assert inventory.check().customers["frank"]["name"] == "no"


def test_names_that_yaml_takes_for_something_else_are_quoted(inventory: Inventory) -> None:
    inventory.order(jail="no", hostname="on", host="h1")
    assert 'hostname: "on"\n' in inventory.files()["jails/no.yml"].decode()
    inventory.order(jail="off", customer="no", customer_name="x", customer_contact="no@example.net")
    assert 'customer: "no"\n' in inventory.files()["jails/off.yml"].decode()


def test_a_hostname_that_is_the_default_is_not_written(inventory: Inventory) -> None:
    inventory.order(hostname="shop")
    assert "hostname" not in inventory.files()["jails/shop.yml"].decode()


def test_a_plan_with_ports_gives_them_in_a_row(inventory: Inventory) -> None:
    inventory.write("plans/base.yml", PLAN + "ports: 3\n")
    inventory.order(host="h1")
    assert [(each["port"], each["to"]) for each in inventory.check().jails["shop"]["publish"]] == [
        (8001, 22), (8002, 8002), (8003, 8003),
    ]  # fmt: skip


def test_retired_records_keep_what_they_have(inventory: Inventory) -> None:
    inventory.write("jails/bob.yml", BOB + "state: absent\nretired: 2026-11-24T093000Z\n")
    jail = inventory.order(host="h1")["jail"]
    assert (jail["id"], jail["address"], jail["publish"][0]["port"]) == (2, "192.168.1.2", 8001)


def test_the_hosts_own_address_and_ssh_port_are_not_given_away(inventory: Inventory) -> None:
    inventory.host("h2", ansible_host="192.168.2.1", ansible_port=8000)
    jail = inventory.order(host="h2")["jail"]
    assert (jail["address"], jail["publish"][0]["port"]) == ("192.168.2.2", 8001)


def test_check_mode_shows_the_same_and_writes_nothing(inventory: Inventory) -> None:
    before = inventory.files()
    foretold = inventory.order(check_mode=True, **FRANK)
    assert inventory.files() == before
    done = inventory.order(**FRANK)
    assert foretold == done
    assert [each["after_header"] for each in done["diff"]] == ["customers/frank.yml", "jails/shop.yml"]
    assert done["diff"][1]["after"].encode() == inventory.files()["jails/shop.yml"]
    assert done["diff"][1]["before"] == ""


# Again ----------------------------------------------------------------------------------------------------------------


def test_the_same_order_again_continues(inventory: Inventory) -> None:
    first = inventory.order(**FRANK)
    files = inventory.files()
    for check_mode in (False, True):
        again = inventory.order(check_mode=check_mode, **FRANK)
        assert inventory.files() == files
        assert not again["changed"]
        assert (again["files"], again["diff"]) == ([], [])
        assert {key: again[key] for key in ("jail", "ssh", "gives")} == {
            key: first[key] for key in ("jail", "ssh", "gives")
        }


def test_a_record_that_says_otherwise_is_not_touched(inventory: Inventory) -> None:
    inventory.write("plans/plus.yml", PLAN)
    inventory.write("customers/carol.yml", "name: Carol\ncontact: carol@example.net\n")
    inventory.write("jails/bob.yml", BOB.replace("to: 22", "to: 23") + "state: suspended\n")
    advice = "order under another name, or edit the record"
    wish = {"jail": "bob", "customer": "carol", "plan": "plus", "host": "h2", "hostname": "b.net"}
    assert inventory.refused(**wish, publish=[{"port": 80, "to": 80, "protocol": "tcp"}]) == [
        f"jails/bob.yml: customer: is alice already, not carol; {advice}",
        f"jails/bob.yml: host: is h1 already, not h2; {advice}",
        f"jails/bob.yml: hostname: is bob already, not b.net; {advice}",
        f"jails/bob.yml: plan: is base already, not plus; {advice}",
        f"jails/bob.yml: publish: has no {{port: 80, to: 80}}; {advice}",
        f"jails/bob.yml: publish: no tcp port leads to 22; {advice}",
        f"jails/bob.yml: state: is suspended already; {advice}",
    ]


def test_a_customer_who_is_somebody_else_is_refused(inventory: Inventory) -> None:
    assert inventory.refused(customer_name="Alice Archer", customer_contact="a@example.net") == [
        "order: customer_contact: the record of customer alice says otherwise; correct that record, or leave this out"
    ]


# What is wrong --------------------------------------------------------------------------------------------------------


def test_all_errors_of_an_order_come_at_once(inventory: Inventory) -> None:
    wish = {"jail": "../x", "customer": "alise", "plan": "bas", "host": "h3", "hostname": "a_b"}
    assert inventory.refused(**wish, publish=[{"port": 0, "to": 80}]) == [
        "order: customer: alise is unknown; did you mean alice? For a new customer give customer_name and "
        "customer_contact",
        "order: host: h3 is unknown; choose one of h1, h2",
        "order: hostname: a_b is not a host name; write one such as www.example.net",
        "order: jail: ../x is not a name: a letter, then at most 30 of small letters, digits, - and _; correct it",
        "order: plan: bas is unknown; did you mean base?",
        "order: publish[0].port: 0 is neither a port nor a range of ports; write one such as 8000 or 8000-8009",
    ]


def test_a_new_customer_must_be_whole(inventory: Inventory) -> None:
    assert inventory.refused(customer="../f", customer_keys=["x"])[0].startswith("order: customer: ../f is not a name")
    assert inventory.refused(customer="frank", customer_name="Frank") == [
        "order: customer_contact: missing; customer frank is new: give it"
    ]


def test_a_fleet_with_an_error_takes_no_order(inventory: Inventory) -> None:
    inventory.write("jails/eve.yml", BOB)
    assert any(line.startswith("jails/eve.yml:4: id: 1 is taken by bob") for line in inventory.refused())


def test_what_makes_the_fleet_wrong_is_refused(inventory: Inventory) -> None:
    # Each jail is a host for Ansible too, so it cannot have the name of one.
    assert any("h1" in line for line in inventory.refused(jail="h1"))


def test_no_host_with_room_is_told_of_each_host(inventory: Inventory) -> None:
    inventory.host("h1", vps_memory="600M")
    inventory.host("h2", vps_ports="8000-8001", vps_netblock="192.168.2.0/30")
    for number in (1, 2):
        inventory.order(jail=f"j{number}", host="h2")
    full = "order: host: h1 cannot take it: it lacks memory (512M needed, 88M left)"
    assert inventory.refused() == [
        full,
        "order: host: h2 cannot take it: it lacks a free address in 192.168.2.0/30, 1 free ports in a row from 8000 to "
        "8001",
    ]
    assert inventory.refused(host="h1") == [full]


def test_without_a_host_that_takes_orders_one_must_be_named(inventory: Inventory) -> None:
    for name in inventory.names:
        inventory.host(name, vps_orders=False)
    assert inventory.refused() == ["order: host: vps_orders is false for every host; name one"]
    assert inventory.order(host="h2")["jail"]["host"] == "h2"


def test_without_a_free_id_nothing_is_ordered(inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.placement.ID_MAX", 1)
    assert inventory.refused() == ["order: jail: no id is free; retire and destroy jails that nobody uses"]


def test_what_is_wrong_once_it_is_written_is_taken_back(inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    create = records.create

    def create_and_break(path: Path, text: str) -> None:
        create(path, text.replace("id: 2", "id: 1"))

    monkeypatch.setattr(records, "create", create_and_break)
    assert inventory.refused(**FRANK) == [
        "jails/shop.yml:5: id: 1 is taken by bob (jails/bob.yml:4); choose a free one"
    ]


# git ------------------------------------------------------------------------------------------------------------------


def test_a_commit_holds_the_order_and_nothing_else(inventory: Inventory) -> None:
    inventory.committed()
    inventory.write("plans/staged.yml", PLAN)
    inventory.git("add", "plans/staged.yml")
    foretold = inventory.order(commit=True, check_mode=True, **FRANK)
    result = inventory.order(commit=True, **FRANK)
    assert foretold["changed"]
    assert result["commit"] == inventory.git("rev-parse", "HEAD").strip()
    assert inventory.git("show", "--name-status", "--format=%s", "HEAD").split("\n") == [
        "Order jail shop for frank: base on h2", "", "A\tcustomers/frank.yml", "A\tjails/shop.yml", "",
    ]  # fmt: skip
    assert inventory.status() == ["A  plans/staged.yml"]


def test_an_order_without_commit_is_committed_by_the_next(inventory: Inventory) -> None:
    inventory.committed()
    inventory.order()
    assert inventory.status() == ["?? jails/shop.yml"]
    assert inventory.order(commit=True, check_mode=True)["changed"]
    assert inventory.order(commit=True)["changed"]
    assert inventory.status() == []
    head = inventory.git("rev-parse", "HEAD")
    for check_mode in (False, True):
        assert not inventory.order(commit=True, check_mode=check_mode)["changed"]
    assert inventory.git("rev-parse", "HEAD") == head


def test_an_order_that_git_refuses_leaves_no_trace(inventory: Inventory) -> None:
    inventory.committed()
    hook = inventory.base / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho closed >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "closed; correct that and run the same again" in inventory.refused(commit=True, **FRANK)[0]
    assert inventory.status() == []


def test_an_order_cannot_be_committed_without_git(inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(inventory.base.parent))
    assert "nothing can be committed here" in inventory.refused(commit=True)[0]


# Many -----------------------------------------------------------------------------------------------------------------

ORDER = """
import sys
from pathlib import Path
from ansible.parsing.dataloader import DataLoader
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.order import order
wish = {"jail": sys.argv[2], "customer": "alice", "plan": "base"}
order(Path(sys.argv[1]), wish, DataLoader(), commit=False, check_mode=False)
"""


def test_two_at_once_never_get_the_same(inventory: Inventory) -> None:
    collections = next(
        parent.parent for parent in Path(orders.__file__).parents if parent.name == "ansible_collections"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(collections), *filter(None, sys.path)])}
    argv = [sys.executable, "-c", ORDER, str(inventory.base / "fleet.yml")]
    names = [f"j{number}" for number in range(8)]
    started = [subprocess.Popen([*argv, name], env=environment, stderr=subprocess.PIPE, text=True) for name in names]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 8
    jails = inventory.check().jails
    assert sorted(jails) == ["bob", *names]
    assert sorted(jail["id"] for jail in jails.values()) == list(range(1, 10))
    assert len({jail["address"] for jail in jails.values()}) == 9
    assert sorted(jail["host"] for jail in jails.values()).count("h1") in (4, 5)


HOSTS = st.lists(
    st.fixed_dictionaries({
        "vps_memory": st.sampled_from(["512M", "1G", "3G"]),
        "vps_ports": st.sampled_from(["8000-8001", "8000-8999"]),
        "vps_orders": st.booleans(),
        "size": st.sampled_from([29, 30]),
    }),
    min_size=1,
    max_size=3,
)  # fmt: skip
PORTS = st.lists(
    st.fixed_dictionaries({
        "port": st.integers(7998, 8003), "to": st.integers(20, 24), "protocol": st.sampled_from(["tcp", "udp"]),
    }),
    max_size=2,
)  # fmt: skip
WISHES = st.lists(
    st.fixed_dictionaries({
        "plan": st.sampled_from(["base", "three"]),
        "host": st.sampled_from(["", "h1"]),
        "publish": PORTS,
        "customer": st.sampled_from(["alice", "frank"]),
    }),
    min_size=1,
    max_size=5,
)  # fmt: skip


@settings(max_examples=20)
@given(HOSTS, WISHES)
def test_whatever_is_ordered_the_fleet_stays_right(
    hosts: list[dict[str, t.Any]], wishes: list[dict[str, t.Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inventory = Inventory(Path(folder) / "inventory", len(hosts))
        inventory.write("plans/three.yml", PLAN + "ports: 3\n")
        for number, host in enumerate(hosts, 1):
            size = host.pop("size")
            inventory.host(f"h{number}", **host, vps_netblock=f"192.168.{number}.0/{size}")
        for number, wish in enumerate(wishes):
            before = inventory.files()
            frank = {key: FRANK[key] for key in FRANK if key != "customer"} if wish["customer"] == "frank" else {}
            try:
                result = inventory.order(**wish, **frank, jail=f"j{number}")
            except FleetError:
                assert inventory.files() == before
            else:
                assert inventory.check().jails[f"j{number}"]["id"] == result["jail"]["id"]
