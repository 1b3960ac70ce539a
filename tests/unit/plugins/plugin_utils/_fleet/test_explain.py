# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checked, check_fleet
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import resolve_fleet
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.explain import Line, explain_host, explain_jail
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Fleet, Problem, Sources, Vaulted
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.project import open_project
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_fleet

EXAMPLE = Path(__file__).resolve().parents[5] / "inventory" / "fleet.yml"


def checked(folder: t.Any) -> tuple[Fleet, Checked]:
    problems: list[Problem] = []
    fleet = read_fleet(folder.path, Sources(), problems)
    result = check_fleet(fleet, folder.hosts, Sources(), problems)
    assert problems == []
    return fleet, result


def explained(folder: t.Any) -> dict[str, tuple[str, str]]:
    """Return what is said of the only jail, by key: the value as text, and its origin."""
    fleet, result = checked(folder)
    return {key: (found.text, found.origin) for key, found in explain_jail("alice", fleet, result, folder.hosts)}


def rebuilt(lines: list[Line]) -> dict[str, t.Any]:
    """Return the values of lines in the places that their keys name."""
    record: dict[str, t.Any] = {}
    for key, found in lines:
        place: t.Any = record
        *above, last = key.replace("[", ".[").split(".")
        for name in above:
            place = place.setdefault(name, {})
        place[last] = found.value
    return {key: list(value.values()) if _is_list(value) else value for key, value in record.items()}


def _is_list(value: t.Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(name.startswith("[") for name in value)


def test_explain_jail_follows_record_plan_host_and_default(fleet: t.Any) -> None:
    fleet.append("limits:\n  memory: 1G\npublish:\n  - port: 80\n    to: 8080\nbandwidth: {up: 1Mbit/s}\n")
    found = explained(fleet)
    assert found["name"] == ("alice", "jails/alice.yml")
    assert found["id"] == ("17", "jails/alice.yml:4")
    assert found["limits.memory"] == ("1G", "jails/alice.yml:7")
    assert found["limits.disk"] == ("4G", "plans/base.yml:1")
    assert found["limits.cpu"] == ("50%", "plans/base.yml:4")
    assert found["bandwidth.up"] == ("1Mbit/s", "jails/alice.yml:11")
    assert found["bandwidth.down"] == ("20Mbit/s", "plans/base.yml:5")
    assert found["bandwidth.weight"] == ("10", "default")
    assert found["publish[0].port"] == ("80", "jails/alice.yml:9")
    assert found["publish[0].to"] == ("8080", "jails/alice.yml:10")
    assert found["publish[0].protocol"] == ("tcp", "default")
    assert found["publish[0].address"] == ("203.0.113.10", "h1: vps_addresses")
    assert found["path"] == ("/usr/local/jails/h1/alice", "default")
    assert found["release"] == ("15.1-RELEASE-p1", "h1: vps_release")
    assert found["hostname"] == ("alice", "default")
    assert found["restart"] == ("false", "default")
    assert found["address6"] == ("none", "default")


def test_explain_jail_prefers_the_plan_to_the_host_and_the_record_to_both(fleet: t.Any) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%,\nrelease: 15.1-RELEASE-p1}")
    assert explained(fleet)["release"] == ("15.1-RELEASE-p1", "plans/base.yml:2")
    fleet.append("release: 15.1-RELEASE-p1\n")
    assert explained(fleet)["release"] == ("15.1-RELEASE-p1", "jails/alice.yml:6")


def test_explain_jail_without_cap_and_ports(fleet: t.Any) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%}")
    found = explained(fleet)
    assert (found["bandwidth.up"], found["publish"]) == (("none", "default"), ("none", "default"))
    fleet.append("publish: []\n")
    assert explained(fleet)["publish"] == ("none", "jails/alice.yml:6")


def test_explain_jail_tells_where_each_rule_is_from(fleet: t.Any) -> None:
    assert explained(fleet)["rctl"] == ("none", "default")
    fleet.write(
        "plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%,\nrctl: {nthr:deny: 5, nshm:deny: none}}"
    )
    fleet.append("limits:\n  rctl:\n    nthr:deny: 7\n")
    found = explained(fleet)
    assert found["rctl.nthr:deny"] == ("7", "jails/alice.yml:8")
    assert found["rctl.nshm:deny"] == ("none", "plans/base.yml:2")


def test_explain_jail_tells_what_its_plan_relaxes(fleet: t.Any) -> None:
    fleet.write("plans/base.yml", "{disk: 4G, memory: 1G, processes: 9, cpu: 50%,\njail: {allow: [suser, mlock]}}")
    found = explained(fleet)
    assert found["parameters.allow"] == ("suser, mlock", "plans/base.yml:2")
    assert found["parameters.sysvipc"] == ("new", "default")


def test_explain_jail_shows_nothing_that_was_encrypted(fleet: t.Any) -> None:
    records, result = checked(fleet)
    record = records.jails[0] if records.jails else None
    assert record
    record.block.values["host"] = Vaulted("h1")
    (found,) = (found for key, found in explain_jail("alice", records, result, fleet.hosts) if key == "host")
    assert (found.text, found.origin) == ("(vaulted)", "jails/alice.yml:1")


def test_explain_host_names_the_variable(fleet: t.Any) -> None:
    result = checked(fleet)[1]
    found = {key: (each.text, each.origin) for key, each in explain_host("h1", result, fleet.hosts)}
    assert found["vps_memory"] == ("64G", "h1: vps_memory")
    assert found["vps_link.up"] == ("1Gbit/s", "h1: vps_link")
    assert found["vps_addresses[1]"] == ("203.0.113.11", "h1: vps_addresses")
    assert found["vps_releases.15.1-RELEASE-p1.archive"] == ("/var/base.txz", "h1: vps_releases")
    assert found["vps_overcommit.disk"] == ("100%", "default")
    assert found["vps_ports"] == ("8000-8999", "default")
    assert found["vps_orders"] == ("true", "default")


def agree(fleet: Fleet, result: Checked, hosts: t.Mapping[str, t.Mapping[str, t.Any]]) -> int:
    """Compare every value of every jail with the compiler's, and return how many jails there are."""
    jails = [jail for resolved in resolve_fleet(result).values() for jail in resolved]
    for jail in jails:
        assert rebuilt(explain_jail(jail["name"], fleet, result, hosts)) == jail
    return len(jails)


def test_values_are_the_compilers_for_the_example() -> None:
    project = open_project(EXAMPLE, DataLoader())
    assert agree(project.read(), project.check(), project.variables) > 10


_RATES = st.integers(1, 4000).map("{}Mbit/s".format)
_LIMITS: dict[str, st.SearchStrategy[t.Any]] = {
    "disk": st.integers(64, 9999).map("{}M".format),
    "memory": st.integers(16, 999).map("{}M".format),
    "processes": st.integers(1, 999),
    "cpu": st.integers(1, 999).map("{}%".format),
}
_BANDWIDTH = st.fixed_dictionaries({"up": _RATES, "down": _RATES}, optional={"weight": st.integers(1, 100)})
_PORT = st.fixed_dictionaries(
    {"port": st.integers(1000, 65535), "to": st.integers(1, 65535)},
    optional={"protocol": st.sampled_from(("tcp", "udp")), "address": st.just("203.0.113.11")},
)
_RELEASE = st.just("15.1-RELEASE-p1")
_PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "securelevel": st.integers(-1, 3),
        "sysvipc": st.sampled_from(("new", "inherit", "disable")),
        "allow": st.lists(st.sampled_from(("suser", "mount", "mount.tmpfs")), max_size=3),
    },
)
PLANS = st.fixed_dictionaries(_LIMITS, optional={"bandwidth": _BANDWIDTH, "release": _RELEASE, "jail": _PARAMETERS})
OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "hostname": st.just("www.example.net"),
        "state": st.sampled_from(("running", "stopped", "suspended")),
        "publish": st.lists(_PORT, max_size=3, unique_by=lambda entry: entry["port"]),
        "limits": st.fixed_dictionaries({}, optional=_LIMITS),
        "bandwidth": _BANDWIDTH,
        "release": _RELEASE,
        "restart": st.booleans(),
    },
)
HOSTS = st.fixed_dictionaries({}, optional={"vps_root": st.just("/tank/jails")})


@given(plan=PLANS, overrides=OVERRIDES, host=HOSTS)
def test_values_are_the_compilers_for_any_record(
    shared_fleet: t.Any, plan: dict[str, t.Any], overrides: dict[str, t.Any], host: dict[str, t.Any]
) -> None:
    common = {name: value for name, value in shared_fleet.hosts["h1"].items() if name != "vps_root"}
    shared_fleet.hosts = {"h1": {**common, **host, "vps_link": {"up": "4Gbit/s", "down": "4Gbit/s"}}}
    shared_fleet.write("plans/base.yml", json.dumps(plan))
    shared_fleet.append("".join(f"{key}: {json.dumps(value)}\n" for key, value in overrides.items()))
    assert agree(*checked(shared_fleet), shared_fleet.hosts) == 1
