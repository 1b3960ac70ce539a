# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests expect: read from the records as they are written, with no help of the collection."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

INVENTORY = Path(__file__).parent / "shared" / "inventory"
BITS = {"Kbit/s": 10**3, "Mbit/s": 10**6}


def read(*names: str) -> dict[str, Any]:
    """Return what a YAML file of the inventory says."""
    said: dict[str, Any] = yaml.safe_load(INVENTORY.joinpath(*names).with_suffix(".yml").read_text())
    return said


def found_hosts() -> dict[str, dict[str, str]]:
    """Return what was found out about the hosts that are jail hosts now."""
    found: dict[str, dict[str, str]] = json.loads(
        Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "found.json").read_text()
    )
    return found


@dataclass(frozen=True)
class Jail:
    """One record."""

    name: str
    record: dict[str, Any]

    @property
    def address(self) -> str:
        return str(self.record["address"])

    @property
    def hostname(self) -> str:
        return str(self.record.get("hostname", self.name))

    @property
    def runs(self) -> bool:
        return bool(self.record.get("state", "running") == "running")

    @property
    def root(self) -> str:
        return f"/usr/local/jails/{self.record['host']}/{self.name}"

    @property
    def conf(self) -> str:
        return f"/etc/jail.conf.d/{self.name}.conf"

    @property
    def pipes(self) -> dict[int, str]:
        """Each of its pipes' bandwidth, in the words of the record."""
        bandwidth = self.record.get("bandwidth") or read("plans", self.record["plan"]).get("bandwidth")
        first = 10000 + 2 * self.record["id"]
        return {first: bandwidth["up"], first + 1: bandwidth["down"]} if bandwidth else {}


@dataclass(frozen=True)
class Site:
    """A host of the inventory: its variables, what was found out about it, and its jails."""

    name: str
    variables: dict[str, Any]
    interface: str
    address: str
    jails: list[Jail]

    @property
    def running(self) -> list[Jail]:
        return [jail for jail in self.jails if jail.runs]


def read_site(name: str) -> Site:
    """Return one of the hosts that were found."""
    found = found_hosts()[name]
    files = sorted(INVENTORY.joinpath("jails").glob("*.yml"))
    jails = [Jail(file.stem, read("jails", file.stem)) for file in files]
    return Site(
        name=name,
        variables=read("host_vars", name),
        interface=found["interface"],
        address=found["address"],
        jails=[jail for jail in jails if jail.record["host"] == name],
    )
