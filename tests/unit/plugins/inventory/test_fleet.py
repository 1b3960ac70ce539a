# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module", autouse=True)
def collections() -> t.Iterator[None]:
    """Let Ansible find the collection; ansible-test has seen to that already."""
    if AnsibleCollectionConfig.collection_finder is not None:
        yield
        return
    # Other tests imported the collection as ordinary packages, among which Ansible's loader finds no plugins.
    ordinary = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("ansible_collections")}
    init_plugin_loader([str(ROOT / ".build" / "tree")])
    yield
    t.cast("t.Any", AnsibleCollectionConfig.collection_finder)._remove()
    for name in [name for name in sys.modules if name.startswith("ansible_collections")]:
        del sys.modules[name]
    sys.modules.update(ordinary)


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
    return {host.name: [jail["name"] for jail in jails(manager, host.name)] for host in manager.get_hosts()}


EXAMPLE = {
    "h1": ["alice", "alice-mail", "bob", "carol-test"],
    "h2": ["carol", "dave", "dave-ns1", "erin-db"],
    "h3": ["bob-games", "carol-backup", "dave-ns2", "erin"],
}


@pytest.mark.parametrize("files", [("hosts.yml", "fleet.yml"), ("fleet.yml", "hosts.yml"), ("fleet.yml",)])
def test_fleet_gives_the_example_in_any_order_of_sources(files: tuple[str, ...]) -> None:
    manager = load(ROOT / "inventory", *files)
    assert names(manager) == EXAMPLE
    assert sorted(host.name for host in manager.groups["jail_hosts"].get_hosts()) == ["h1", "h2", "h3"]


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
        "state": "running",
        "retired": None,
        "path": "/usr/local/jails/h1/alice",
        "release": "15.1-RELEASE-p1",
        "restart": False,
        "publish": [
            {"protocol": "tcp", "address": "203.0.113.10", "port": 8011, "to": 22},
            {"protocol": "tcp", "address": "203.0.113.10", "port": 80, "to": 80},
            {"protocol": "tcp", "address": "203.0.113.10", "port": 443, "to": 443},
        ],
        "limits": {"disk": 16 * 2**30, "memory": 2 * 2**30, "processes": 400, "cpu": 100},
        "bandwidth": {"up": 50_000_000, "down": 50_000_000, "weight": 30},
    }


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
    host = manager.get_host("h1")
    variables = VariableManager(loader=DataLoader(), inventory=manager).get_vars(host=host)
    assert (variables["site"], variables["rack_name"], variables["vps_addresses"]) == ("north", "r1", ["203.0.113.10"])
    assert variables["ansible_host"] == "{{ inventory_hostname }}.example.net"
    assert host in manager.groups["jail_hosts"].get_hosts()


def test_fleet_raises_all_errors_at_once(folder: Path) -> None:
    bob = folder / "jails" / "bob.yml"
    bob.write_text(bob.read_text(encoding="utf-8").replace("id: 13", "id: 11") + "pubish: []\n", encoding="utf-8")
    (folder / "host_vars" / "h2.yml").write_text("vps_netblock: 192.168.2.0/24\n", encoding="utf-8")
    with pytest.raises(AnsibleParserError) as caught:
        parse(folder)
    assert str(caught.value).splitlines() == [
        "hosts.yml: h2: vps_addresses: missing; add it (Public IPv4 addresses; NAT translates to the first)",
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
