# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet import placement
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.capacity import neighbourhood_usage
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.check import Checked
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import ID_MAX
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.placement import Market, Wanted

G = 1 << 30
M = 10**6
RELEASE = "15.1-RELEASE-p1"
PLAN = {
    "disk": 4 * G, "memory": G, "processes": 100, "cpu": 50, "ports": 2, "bandwidth": {"up": 10 * M, "down": 10 * M},
}  # fmt: skip


def host(number: int, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "vps_addresses": [f"203.0.113.{number}0", f"203.0.113.{number}1"],
        "vps_netblock": ipaddress.IPv4Network(f"192.168.{number}.0/29"),
        "vps_memory": 8 * G,
        "vps_disk": 100 * G,
        "vps_link": {"up": 1000 * M, "down": 1000 * M},
        "vps_overcommit": {"memory": 100, "disk": 100, "bandwidth": 100},
        "vps_ports": (8000, 8005),
        "vps_orders": True,
        "vps_releases": {RELEASE: {}},
        **changes,
    }


def jail(number: int, where: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "host": f"h{where}",
        "plan": "base",
        "id": number,
        "address": f"192.168.{where}.{number}",
        "state": "running",
        "publish": [],
        **changes,
    }


def checked(jails: t.Sequence[dict[str, t.Any]] = (), **hosts: dict[str, t.Any]) -> Checked:
    named = {f"j{each['id']}": each for each in jails}
    return Checked(hosts or {"h1": host(1), "h2": host(2)}, {"base": PLAN}, {}, named)


def place(fleet: Checked, name: str = "new", **changes: t.Any) -> placement.Offer | None:
    best, _offers = Market(fleet, {}).place(Wanted(name, {**PLAN, **changes}, []))
    return best


def lacks(fleet: Checked, publish: t.Sequence[dict[str, t.Any]] = (), **changes: t.Any) -> list[str]:
    _best, (offer, *_others) = Market(fleet, {}).place(Wanted("new", {**PLAN, **changes}, list(publish)))
    return offer.lacks


def entry(port: int, **changes: t.Any) -> dict[str, t.Any]:
    return {"port": port, "to": 22, "protocol": "tcp", **changes}


# Ids, addresses, ports ------------------------------------------------------------------------------------------------


def test_the_lowest_id_is_taken_and_absent_jails_keep_theirs() -> None:
    assert placement.free_id(checked()) == 1
    assert placement.free_id(checked([jail(1), jail(2, state="absent"), jail(4)])) == 3


def test_ids_end() -> None:
    everyone = {f"j{number}": {"id": number} for number in range(1, ID_MAX + 1)}
    fleet = Checked({}, {}, {}, everyone)
    assert placement.free_id(fleet) is None
    del everyone["j24999"]
    assert placement.free_id(fleet) == ID_MAX == 24999


def test_the_lowest_address_is_taken_and_neither_the_first_nor_the_last() -> None:
    network = ipaddress.IPv4Network("192.168.1.0/30")
    assert placement.free_address(network, {}) == "192.168.1.1"
    assert placement.free_address(network, {"192.168.1.1"}) == "192.168.1.2"
    assert placement.free_address(network, {"192.168.1.1", "192.168.1.2"}) is None


def test_addresses_of_hosts_and_of_absent_jails_are_taken() -> None:
    hosts = {"h1": host(1), "h2": host(2, vps_addresses=["192.168.1.3"])}
    market = Market(checked([jail(1), jail(4, state="absent")], **hosts), {"h1": {"ansible_host": "192.168.1.2"}})
    assert market.offer("h1", Wanted("new", PLAN, [])).address == "192.168.1.5"


def test_gateway_of_a_bridge_is_taken() -> None:
    bridged = jail(4, network="vnet")
    assert Market(checked([bridged], h1=host(1)), {}).offer("h1", Wanted("new", PLAN, [])).address == "192.168.1.2"
    gone = {**bridged, "state": "absent"}
    assert Market(checked([gone], h1=host(1)), {}).offer("h1", Wanted("new", PLAN, [])).address == "192.168.1.1"


@given(st.sets(st.integers(1, 30)), st.integers(1, 12), st.integers(1, 30), st.integers(1, 30))
def test_free_ports_are_the_lowest_run(taken: set[int], count: int, one: int, other: int) -> None:
    span = min(one, other), max(one, other)
    runs = [first for first in range(span[0], span[1] - count + 2) if not taken & set(range(first, first + count))]
    assert placement.free_ports(span, count, taken) == (runs[0] if runs else None)


def test_taken_ports_are_those_of_the_same_address_over_tcp() -> None:
    fleet = checked([
        jail(1, publish=[entry(8000), entry(8001, protocol="udp")]),
        jail(2, publish=[entry(8002, address="203.0.113.11"), entry(8003, address="203.0.113.10")], state="absent"),
    ])  # fmt: skip
    assert Market(fleet, {}).offer("h1", Wanted("new", PLAN, [])).port == 8001


def test_the_port_by_which_the_host_is_reached_is_taken() -> None:
    market = Market(checked(), {"h1": {"ansible_port": 8000}, "h2": {"ansible_port": "8001"}})
    assert market.offer("h1", Wanted("new", PLAN, [])).port == 8001
    assert market.offer("h2", Wanted("new", PLAN, [])).port == 8002


def test_ports_that_the_order_brings_are_not_given_twice() -> None:
    brought = [entry(8000), entry(8002, address="203.0.113.10"), entry(8003, address="203.0.113.11")]
    assert Market(checked(), {}).offer("h1", Wanted("new", PLAN, brought)).port == 8003


# Room -----------------------------------------------------------------------------------------------------------------


def test_the_host_with_the_greatest_room_is_taken() -> None:
    best = place(checked([jail(1, 1), jail(2, 1), jail(3, 2)]))
    assert best is not None
    assert (best.host, best.room) == ("h2", 75)


def test_the_scarcest_resource_counts() -> None:
    # h1 would have 87% of its memory left, but 46% of its disk; h2 75% of its memory.
    best = place(checked([jail(1, 2)], h1=host(1, vps_disk=int(7.5 * G)), h2=host(2)))
    assert best is not None
    assert (best.host, best.room) == ("h2", 75)


def test_overcommit_is_room() -> None:
    hosts = {"h1": host(1), "h2": host(2, vps_overcommit={"memory": 200, "disk": 100, "bandwidth": 100})}
    fleet = checked([jail(1, 1), jail(2, 2)], **hosts)
    assert place(fleet) == placement.Offer("h2", 87, "192.168.2.1", 8000)


def test_equal_hosts_get_about_as_many() -> None:
    hosts = {f"h{number}": host(number) for number in range(1, 5)}
    found = [place(checked([], **hosts), f"jail{number}") for number in range(200)]
    for name in hosts:
        assert 30 < sum(offer is not None and offer.host == name for offer in found) < 70


def test_who_orders_plays_no_part() -> None:
    assert place(checked(), "alice-shop") == place(checked(), "alice-shop")


def test_a_host_that_takes_no_orders_is_left_out() -> None:
    fleet = checked([jail(1, 2), jail(2, 2)], h1=host(1, vps_orders=False), h2=host(2))
    best = place(fleet)
    assert best is not None
    assert best.host == "h2"
    assert Market(fleet, {}).offer("h1", Wanted("new", PLAN, [])).lacks == []


@pytest.mark.parametrize(
    ("hosts", "changes", "lacking"),
    [
        ({"vps_memory": G - 1}, {}, "memory (1G needed, 1073741823 left)"),
        ({"vps_disk": 3 * G}, {}, "disk (4G needed, 3G left)"),
        ({"vps_link": {"up": 9 * M, "down": 20 * M}}, {}, "up (10Mbit/s needed, 9Mbit/s left)"),
        ({"vps_link": {"up": 10 * M, "down": 9 * M}}, {}, "down (10Mbit/s needed, 9Mbit/s left)"),
        ({}, {"ports": 7}, "7 free ports in a row from 8000 to 8005"),
        ({}, {"release": "14.3-RELEASE"}, "release 14.3-RELEASE"),
    ],
)
def test_a_host_says_what_it_lacks(hosts: dict[str, t.Any], changes: dict[str, t.Any], lacking: str) -> None:
    fleet = checked([], h1=host(1, **hosts))
    assert lacks(fleet, **changes) == [lacking]
    assert place(fleet, **changes) is None


def test_a_host_just_large_enough_is_full_afterwards() -> None:
    best = place(checked([], h1=host(1, vps_memory=G)))
    assert best is not None
    assert best.room == 0


def test_a_host_without_addresses_or_ports_of_the_order_says_so() -> None:
    jails = [jail(number, publish=[entry(79 + number)]) for number in range(1, 7)]
    fleet = checked(jails, h1=host(1))
    brought = [entry(80), entry(80, protocol="udp"), entry(81, address="203.0.113.11"), entry(9, address="203.0.113.9")]
    assert lacks(fleet, brought) == [
        "tcp port 80 of 203.0.113.10",
        "address 203.0.113.9",
        "a free address in 192.168.1.0/29",
    ]


# Neighbourhoods -------------------------------------------------------------------------------------------------------


def parted(**disks: int) -> dict[str, t.Any]:
    """Return a host with neighbourhoods of so many GB."""
    return host(1, vps_neighbourhoods={name: {"path": f"/{name}", "disk": disk * G} for name, disk in disks.items()})


def test_the_neighbourhood_with_the_greatest_room_is_taken() -> None:
    there = [jail(1, neighbourhood="n1"), jail(2, neighbourhood="n2"), jail(3, neighbourhood="n2", state="absent")]
    best = place(checked(there, h1=parted(n1=12, n2=15)))
    assert best is not None
    assert (best.host, best.neighbourhood) == ("h1", "n1")


def test_equal_neighbourhoods_get_about_as_many() -> None:
    fleet = checked([], h1=parted(n1=40, n2=40))
    found = [place(fleet, f"jail{number}") for number in range(200)]
    assert 60 < sum(offer is not None and offer.neighbourhood == "n1" for offer in found) < 140


def test_room_in_several_neighbourhoods_together_is_none() -> None:
    assert lacks(checked([], h1=parted(n1=3, n2=2))) == ["disk in one neighbourhood (4G needed, at most 3G left in n1)"]


def test_a_host_whose_neighbourhoods_are_full_gets_no_jail() -> None:
    best = place(checked([], h1=parted(n1=3), h2=host(2, vps_memory=3 * G)))
    assert best is not None
    assert (best.host, best.neighbourhood) == ("h2", None)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 12))
def test_orders_fill_neighbourhoods_and_never_more(disks: list[int], count: int) -> None:
    sizes = {f"n{number}": disk for number, disk in enumerate(disks)}
    jails: list[dict[str, t.Any]] = []
    for number in range(count):
        fleet = checked(jails, h1=parted(**sizes))
        offer = Market(fleet, {}).offer("h1", Wanted(f"new{number}", PLAN, []))
        room = max(share.left for share in neighbourhood_usage(fleet)["h1"].values())
        assert any(lack.startswith("disk in one") for lack in offer.lacks) == (room < 4 * G)
        if not offer.lacks:
            jails.append(jail(number + 1, neighbourhood=offer.neighbourhood))
    assert all(share.left >= 0 for share in neighbourhood_usage(checked(jails, h1=parted(**sizes)))["h1"].values())
