# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import HOST_KEYS
from support.loader import collections

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module", autouse=True)
def collection() -> t.Iterator[None]:
    """Let Ansible find the collection."""
    with collections():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the example fleet."""
    return Path(shutil.copytree(ROOT / "inventory", tmp_path / "inventory"))


def load(folder: Path, *files: str) -> InventoryManager:
    return InventoryManager(loader=DataLoader(), sources=[str(folder / file) for file in files])


def parse(folder: Path, file: str = "fleet.yml") -> InventoryManager:
    """Parse one file by the plugin itself, so that its errors arrive here."""
    manager = InventoryManager(loader=DataLoader(), sources=None)
    plugin = inventory_loader.get("jailisp.vps.fleet")
    plugin.parse(manager._inventory, manager._loader, str(folder / file))
    return manager


def jails(manager: InventoryManager, host: str) -> list[dict[str, t.Any]]:
    found = manager.get_host(host)
    assert found is not None
    return t.cast("list[dict[str, t.Any]]", found.vars["jails"])


def names(manager: InventoryManager) -> dict[str, list[str]]:
    return {host: [jail["name"] for jail in jails(manager, host)] for host in members(manager, "jail_hosts")}


def members(manager: InventoryManager, group: str) -> list[str]:
    return sorted(host.name for host in manager.groups[group].get_hosts())


def variables(manager: InventoryManager, host: str) -> dict[str, t.Any]:
    """Return the variables of a host as a task has them."""
    manages = VariableManager(loader=DataLoader(), inventory=manager)
    HostVars(manager, manages, DataLoader())
    return manages.get_vars(host=manager.get_host(host))


EXAMPLE = {
    "h1": ["alice", "alice-mail", "bob", "carol-test"],
    "h2": ["carol", "dave", "dave-ns1", "erin-db"],
    "h3": ["bob-games", "carol-backup", "dave-ns2", "erin"],
}


@pytest.mark.parametrize("files", [("hosts.yml", "fleet.yml"), ("fleet.yml", "hosts.yml"), ("fleet.yml",)])
def test_fleet_gives_the_example_in_any_order_of_sources(files: tuple[str, ...]) -> None:
    manager = load(ROOT / "inventory", *files)
    assert names(manager) == EXAMPLE
    assert members(manager, "jail_hosts") == ["h1", "h2", "h3"]


def test_fleet_resolves_a_jail_of_the_example() -> None:
    (alice, *_unused) = jails(parse(ROOT / "inventory"), "h1")
    assert alice == {
        "name": "alice",
        "id": 11,
        "host": "h1",
        "customer": "alice",
        "plan": "plus",
        "address": "192.168.1.11",
        "address6": None,
        "hostname": "www.alice.example.net",
        "network": "shared",
        "state": "running",
        "retired": None,
        "neighbourhood": None,
        "path": "/usr/local/jails/h1/alice",
        "release": "15.1-RELEASE-p1",
        "restart": False,
        "canary": False,
        "publish": [
            {"protocol": "tcp", "address": "203.0.113.10", "port": 8011, "to": 22, "from": []},
            {"protocol": "tcp", "address": "203.0.113.10", "port": 80, "to": 80, "from": []},
            {"protocol": "tcp", "address": "203.0.113.10", "port": 443, "to": 443, "from": []},
        ],
        "public": None,
        "publish_all": False,
        "nat": "203.0.113.10",
        "allow_from": [],
        "outgoing": {"smtp": False},
        "connections": {"states": None, "rate": None},
        "storage": "directory",
        "image": None,
        "dataset": None,
        "snapshot_room": 150,
        "reservation": None,
        "limits": {"disk": 16 * 2**30, "memory": 2 * 2**30, "processes": 400, "cpu": 100},
        "rctl": {},
        "bandwidth": {"up": 50_000_000, "down": 50_000_000, "weight": 30},
        "parameters": {
            "securelevel": 2,
            "enforce_statfs": 2,
            "devfs_ruleset": 4,
            "children_max": 0,
            "sysvipc": "new",
            "allow": ["reserved_ports", "suser"],
        },
    }


def test_fleet_gives_each_host_what_lets_the_customers_of_its_jails_in() -> None:
    inventory = parse(ROOT / "inventory")
    accounts = inventory.get_host("h1").vars["vps_accounts"]
    assert sorted(accounts) == sorted({jail["customer"] for jail in jails(inventory, "h1")})
    assert (accounts["alice"]["user"], accounts["alice"]["password"]) == ("alice", None)
    assert accounts["alice"]["keys"][0].endswith("alice@alice.example.net")


def test_fleet_tells_of_each_host_what_is_known_with_all_defaults() -> None:
    manager = parse(ROOT / "inventory")
    hosts = {name: t.cast("t.Any", manager.get_host(name)).vars["vps_host"] for name in EXAMPLE}
    known = {key.name.removeprefix("vps_") for key in HOST_KEYS}
    assert {name: known - host.keys() for name, host in hosts.items()} == {"h1": set(), "h2": set(), "h3": set()}
    assert (hosts["h1"]["archives"], hosts["h1"]["memory"], hosts["h1"]["ports"]) == (
        "/var/jail-archives",
        32 * 2**30,
        [8000, 8999],
    )
    assert (hosts["h1"]["pool"], hosts["h1"]["dataset"], hosts["h1"]["release_root"]) == (None, None, None)
    assert (hosts["h2"]["dataset"], hosts["h2"]["release_dataset"]) == ("tank/jails", "tank/releases")
    assert (hosts["h2"]["root"], hosts["h2"]["release_root"]) == ("/usr/local/jails/h2", "/usr/local/jails/releases")
    assert (hosts["h3"]["netblocks"], hosts["h3"]["netblock6"]) == (["192.168.3.0/24"], None)


def test_fleet_gives_a_host_without_jails_an_empty_list(folder: Path) -> None:
    for path in (folder / "jails").glob("*.yml"):
        if "host: h3\n" in path.read_text(encoding="utf-8"):
            path.unlink()
    assert names(parse(folder)) == {**EXAMPLE, "h3": []}


def test_fleet_gives_nothing_to_hosts_that_are_no_jail_hosts(folder: Path) -> None:
    hosts = (folder / "hosts.yml").read_text(encoding="utf-8")
    (folder / "hosts.yml").write_text(hosts + "backup:\n  hosts:\n    b1:\n", encoding="utf-8")
    manager = parse(folder)
    backup = manager.get_host("b1")
    assert backup is not None
    assert "jails" not in backup.vars


def test_fleet_adds_hosts_with_their_own_variables(folder: Path) -> None:
    (folder / "hosts.yml").write_text(
        "all:\n  vars: {site: north}\n  children:\n    jail_hosts:\n      children: {rack: }\n"
        "    rack:\n      vars: {rack_name: r1}\n"
        "      hosts:\n        h1: {ansible_host: '{{ inventory_hostname }}.example.net'}\n        h2:\n        h3:\n",
        encoding="utf-8",
    )
    manager = load(folder, "fleet.yml")
    found = variables(manager, "h1")
    assert (found["site"], found["rack_name"], found["vps_addresses"]) == ("north", "r1", ["203.0.113.10"])
    assert found["ansible_host"] == "{{ inventory_hostname }}.example.net"
    assert "h1" in members(manager, "jail_hosts")


def test_each_jail_is_a_host_in_the_groups_of_its_record() -> None:
    manager = parse(ROOT / "inventory")
    assert members(manager, "jails") == sorted(name for names in EXAMPLE.values() for name in names)
    assert members(manager, "host_h1") == EXAMPLE["h1"]
    assert members(manager, "customer_bob") == ["bob", "bob-games"]
    assert members(manager, "plan_plus") == ["alice", "carol"]
    assert members(manager, "state_suspended") == ["bob-games"]
    assert members(manager, "state_absent") == []
    assert {group.name for group in manager.groups["jails"].child_groups} >= {"host_h3", "plan_base", "state_stopped"}
    assert members(manager, "jail_hosts") == ["h1", "h2", "h3"]


def test_a_jail_has_its_record_as_it_is_in_the_list_of_its_host() -> None:
    manager = parse(ROOT / "inventory")
    jail = manager.get_host("alice")
    assert jail is not None
    assert jail.vars["vps_jail"] is jails(manager, "h1")[0]


def test_a_group_has_an_identifier_for_its_name(folder: Path) -> None:
    (folder / "hosts.yml").write_text("jail_hosts: {hosts: {north-1.example.net: , h2: , h3: }}\n", encoding="utf-8")
    (folder / "host_vars" / "h1.yml").rename(folder / "host_vars" / "north-1.example.net.yml")
    for path in (folder / "jails").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("host: h1\n", "host: north-1.example.net\n"), encoding="utf-8")
    assert members(parse(folder), "host_north_1_example_net") == EXAMPLE["h1"]


def test_a_jail_is_reached_as_its_host_is_whatever_counts_for_all(folder: Path) -> None:
    (folder / "group_vars" / "all.yml").write_text(
        "ansible_user: nobody\nansible_connection: ssh\nansible_port: 22\n", encoding="utf-8"
    )
    with (folder / "host_vars" / "h1.yml").open("a", encoding="utf-8") as file:
        file.write("ansible_host: '{{ inventory_hostname }}.example.net'\nansible_user: '{{ admin }}'\nadmin: root\n")
        file.write("ansible_port: 2222\nansible_python_interpreter: /usr/local/bin/python3.11\nansible_become: true\n")
    manager = load(folder, "hosts.yml", "fleet.yml")
    found = variables(manager, "alice")
    assert (found["ansible_connection"], found["ansible_jail_name"]) == ("jailisp.vps.jail", "alice")
    templar = Templar(loader=DataLoader(), variables=found)
    names = ("ansible_jail_host", "ansible_user", "ansible_port")
    assert [templar.template(found[name]) for name in names] == ["h1.example.net", "root", 2222]
    assert not {"ansible_host", "ansible_python_interpreter", "ansible_become"} & found.keys()
    assert variables(manager, "carol")["ansible_jail_host"] == "h2"


def test_a_password_of_a_host_does_not_show_at_its_jails(folder: Path) -> None:
    with (folder / "host_vars" / "h1.yml").open("a", encoding="utf-8") as file:
        file.write('ansible_password: \'{{ lookup("ansible.builtin.env", "NO_SUCH_THING", default=undef()) }}\'\n')
    assert variables(parse(folder), "alice")["ansible_password"] == "{{ hostvars['h1']['ansible_password'] }}"


def test_fleet_raises_all_errors_at_once(folder: Path) -> None:
    bob = folder / "jails" / "bob.yml"
    bob.write_text(bob.read_text(encoding="utf-8").replace("id: 13", "id: 11") + "pubish: []\n", encoding="utf-8")
    (folder / "host_vars" / "h2.yml").write_text("vps_netblock: 192.168.2.0/24\n", encoding="utf-8")
    with pytest.raises(AnsibleParserError) as caught:
        parse(folder)
    assert str(caught.value).splitlines() == [
        "hosts.yml: h2: vps_addresses: missing; add it (Public IPv4 addresses)",
        "jails/bob.yml:5: id: 11 is taken by alice (jails/alice.yml:5); choose a free one",
        "jails/bob.yml:10: pubish: unknown key; did you mean publish?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("hosts.yml", "h.yml", "fleet.yml: hosts: h.yml is no file; make it or correct hosts"),
        ("hosts.yml", "jails", "fleet.yml: hosts: jails is no file; make it or correct hosts"),
        (
            "jail_hosts",
            "jailers",
            "fleet.yml: host_group: hosts.yml has no group jailers; add it there or correct host_group",
        ),
        (
            "plans: plans",
            "plans: p",
            "p: cannot be read (No such file or directory); make the folder or correct plans in the fleet's file",
        ),
    ],
)
def test_fleet_names_a_mistake_in_its_own_file(folder: Path, old: str, new: str, error: str) -> None:
    text = (folder / "fleet.yml").read_text(encoding="utf-8")
    (folder / "fleet.yml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(AnsibleParserError) as caught:
        parse(folder)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("name", "accepted"), [("fleet.yml", True), ("north.fleet.yml", True), ("hosts.yml", False), ("fleet.yaml", False)]
)
def test_fleet_accepts_files_by_name(tmp_path: Path, name: str, accepted: bool) -> None:
    (tmp_path / name).write_text("plugin: jailisp.vps.fleet\n", encoding="utf-8")
    assert inventory_loader.get("jailisp.vps.fleet").verify_file(str(tmp_path / name)) is accepted
