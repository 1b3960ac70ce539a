# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.capacity import Share, neighbourhood_usage
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checked
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.compile import resolve_host
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.explain import explain_jail
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.neighbourhoods import check_places

G = 2**30
PLACES = {"n1": {"path": "/jails/n1", "disk": "80G"}, "n2": {"path": "/jails/n2", "disk": "40G"}}
BOB = "host: h1\ncustomer: alice\nplan: base\nid: 18\naddress: 192.168.1.18\n"


@pytest.fixture
def parted(fleet: t.Any) -> t.Any:
    """Return a fleet whose host has two neighbourhoods; its only jail names none yet."""
    fleet.hosts["h1"]["vps_neighbourhoods"] = PLACES
    return fleet


def test_the_root_is_in_the_neighbourhood_that_the_record_names(parted: t.Any) -> None:
    parted.append("neighbourhood: n2\n")
    (jail,) = parted.compile()["h1"]
    assert (jail["neighbourhood"], jail["path"]) == ("n2", "/jails/n2/alice")


def test_an_image_is_mounted_in_the_folder_of_the_roots(parted: t.Any) -> None:
    parted.append("storage: image\n")
    (jail,) = parted.compile()["h1"]
    assert (jail["neighbourhood"], jail["path"]) == (None, "/usr/local/jails/h1/alice")


@pytest.mark.parametrize("state", ["running", "absent"])
def test_a_record_that_names_none_is_told_where_there_is_room(parted: t.Any, state: str) -> None:
    parted.append(f"state: {state}\n")
    parted.write("jails/bob.yml", f"{BOB}neighbourhood: n1\n")
    assert parted.errors() == [
        "jails/alice.yml:1: neighbourhood: missing; h1 has neighbourhoods: choose one of n1 (76G left), n2 (40G left)"
    ]


@pytest.mark.parametrize(
    ("variables", "record", "error"),
    [
        ({}, "neighbourhood: west", "west is unknown on h1; choose one of n1, n2"),
        (
            {},
            "neighbourhood: n1\nstorage: image",
            "has no meaning for an image, whose file is in vps_images; remove this key",
        ),
        (
            {"vps_neighbourhoods": {}},
            "neighbourhood: n1",
            "has no meaning on h1, which has no vps_neighbourhoods; remove this key",
        ),
    ],
)
def test_a_jail_that_cannot_be_there_is_told(parted: t.Any, variables: t.Any, record: str, error: str) -> None:
    parted.hosts["h1"] |= variables
    parted.append(f"{record}\n")
    assert parted.errors() == [f"jails/alice.yml:6: neighbourhood: {error}"]


@pytest.mark.parametrize(
    ("variables", "keys"),
    [
        ({"vps_neighbourhoods": {"n1": {"path": "jails", "disk": "8G"}}}, ["vps_neighbourhoods.n1.path"]),
        ({"vps_neighbourhoods": {"N 1": PLACES["n1"]}}, ["vps_neighbourhoods.N 1"]),
        ({"vps_neighbourhoods": "n1"}, ["vps_neighbourhoods"]),
    ],
)
def test_what_is_wrong_with_the_host_is_not_said_of_its_jails_too(
    parted: t.Any, variables: t.Any, keys: list[str]
) -> None:
    parted.hosts["h1"] |= variables
    parted.append("neighbourhood: 17\n" if "N 1" in keys[0] else "neighbourhood: n1\n")
    assert [error.split(": ")[2] for error in parted.errors() if error.startswith("hosts.yml")] == keys


def test_more_sold_than_a_neighbourhood_has_is_told_of_it(parted: t.Any) -> None:
    parted.hosts["h1"] |= {"vps_neighbourhoods": {"n1": {"path": "/jails/n1", "disk": "5G"}}}
    parted.append("neighbourhood: n1\n")
    parted.write("jails/bob.yml", f"{BOB}neighbourhood: n1\nstate: absent\n")
    text = "vps_neighbourhoods.n1.disk: 8G sold is more than 100% of 5G; move a jail, or raise vps_overcommit.disk"
    assert parted.errors() == [f"hosts.yml: h1: {text}"]
    parted.hosts["h1"]["vps_overcommit"] = {"disk": "160%"}
    assert len(parted.compile()["h1"]) == 2


@pytest.mark.parametrize("kind", ["image", "dataset"])
def test_only_directories_are_in_neighbourhoods(parted: t.Any, kind: str) -> None:
    parted.hosts["h1"] |= {"vps_storage": kind, **({"vps_pool": "tank"} if kind == "dataset" else {})}
    text = f"vps_neighbourhoods: only hold directories, and vps_storage is {kind}; remove one of the two"
    assert parted.errors() == [f"hosts.yml: h1: {text}"]


@pytest.mark.parametrize(
    ("variables", "key", "folders"),
    [
        ({"n2": "/jails/n1"}, "n2", "/jails/n1 and /jails/n1 (vps_neighbourhoods.n1.path)"),
        ({"n2": "/jails/n1/deep"}, "n2", "/jails/n1/deep and /jails/n1 (vps_neighbourhoods.n1.path)"),
        ({"n2": "/jails"}, "n2", "/jails and /jails/n1 (vps_neighbourhoods.n1.path)"),
        ({"vps_root": "/jails"}, "n1", "/jails/n1 and /jails (vps_root)"),
        ({"vps_images": "/jails/n1/images"}, "n1", "/jails/n1 and /jails/n1/images (vps_images)"),
        ({"vps_archives": "/jails/n1/kept"}, "n1", "/jails/n1 and /jails/n1/kept (vps_archives)"),
    ],
)
def test_folders_that_are_in_one_another_are_refused(
    parted: t.Any, variables: dict[str, str], key: str, folders: str
) -> None:
    places = {"n1": PLACES["n1"]}
    if "n2" in variables:
        places["n2"] = {"path": variables["n2"], "disk": "40G"}
    parted.hosts["h1"] |= {"vps_neighbourhoods": places, **{k: v for k, v in variables.items() if k != "n2"}}
    parted.append("neighbourhood: n1\n")
    text = f"vps_neighbourhoods.{key}.path: {folders} are one in the other; choose another folder"
    assert parted.errors() == [f"hosts.yml: h1: {text}"]


FOLDERS = st.lists(st.sampled_from(("a", "ab", "b")), min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))


@given(st.lists(FOLDERS, min_size=1, max_size=3), FOLDERS)
def test_folders_pass_if_none_holds_another(folders: list[str], root: str) -> None:
    host = {"vps_root": root, "vps_neighbourhoods": {f"n{n}": {"path": path} for n, path in enumerate(folders)}}
    everyone = [root.split("/"), *(path.split("/") for path in folders)]
    apart = all(
        one[: len(other)] != other
        for place, one in enumerate(everyone)
        for another, other in enumerate(everyone)
        if place != another
    )
    assert (not list(check_places(host))) == apart


def test_explain_knows_which_variable_the_path_comes_from(parted: t.Any) -> None:
    parted.append("neighbourhood: n2\n")
    project = parted.project()
    found = {
        key: (value.text, value.origin)
        for key, value in explain_jail("alice", project.read(), project.check(), project.variables)
    }
    assert found["neighbourhood"] == ("n2", "jails/alice.yml:6")
    assert found["path"] == ("/jails/n2/alice", "h1: vps_neighbourhoods")


def test_a_hosts_folders_are_told_with_that_of_the_roots_first(parted: t.Any) -> None:
    parted.append("neighbourhood: n2\n")
    told = resolve_host(parted.project().check().hosts["h1"])
    assert told["folders"] == ["/usr/local/jails/h1", "/jails/n1", "/jails/n2"]
    assert told["neighbourhoods"]["n2"] == {"path": "/jails/n2", "disk": 40 * G}


def test_usage_is_by_host_and_neighbourhood() -> None:
    host = {"vps_neighbourhoods": {"n1": {"disk": 10 * G}, "n2": {"disk": 10 * G}}, "vps_overcommit": {"disk": 150}}
    jails = {
        "a": {"host": "h1", "neighbourhood": "n1", "plan": "base", "state": "running"},
        "b": {"host": "h1", "neighbourhood": "n1", "plan": "base", "state": "absent"},
        "c": {"host": "h2", "neighbourhood": "n1", "plan": "base", "state": "running"},
    }
    plans = {"base": {"memory": G, "disk": 4 * G}}
    checked = Checked({"h1": host, "h2": host, "h3": {}}, plans, {}, jails)
    assert neighbourhood_usage(checked) == {
        "h1": {"n1": Share(8 * G, 15 * G), "n2": Share(0, 15 * G)},
        "h2": {"n1": Share(4 * G, 15 * G), "n2": Share(0, 15 * G)},
        "h3": {},
    }
    assert neighbourhood_usage(checked)["h1"]["n1"].left == 7 * G
