# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The script on a host that makes and destroys a jail's epair, and how it is called.

A jail's own file of jail.conf(5) calls it, so a jail has its network at boot and when it is started by hand as well.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._vnet.model import Vnet

SCRIPT = "/usr/local/libexec/jailisp-vnet"
MADE = re.compile(rf"{SCRIPT} make (vps[0-9]+) ")
GIVEN = re.compile(rf'"(/bin/sh {SCRIPT} give [^"]*)"')
OUTSIDE = re.compile(r"(vps[0-9]+)a")

TEXT = r"""#!/bin/sh
# jailisp.vps: written by Ansible; changes here are lost.
#
# usage: jailisp-vnet make NAME PAIR BRIDGE MAC-A MAC-B
#        jailisp-vnet give NAME JAIL MAC-B [ADDRESS GATEWAY] ...
#        jailisp-vnet remove NAME PAIR
#
# NAMEa is the host's end of the jail's link, NAMEb the jail's. `make` makes the link and puts NAMEa on the bridge, as
# exec.prepare; `give` moves NAMEb into the jail and addresses it, as exec.created and to change the address;
# `remove` destroys the link, as exec.poststop. Whatever is left of a start that failed is removed by the next one.
# Nothing in the jail is run: the host's own programs set up the jail's stack.

export PATH=/sbin:/bin:/usr/sbin:/usr/bin

die() {
    logger -t jailisp-vnet "$1"
    echo "jailisp-vnet: $1" >&2
    exit 1
}

exists() {
    ifconfig "$1" >/dev/null 2>&1
}

# Destroying the host's end takes the other one with it, even out of a jail whose stack is not quite gone.
destroy() {
    tries=0
    while exists "$1"; do
        if ! ifconfig "$1" destroy; then
            tries=$((tries + 1))
            if [ "$tries" -ge 10 ]; then
                die "$1 cannot be destroyed; see who uses it (ifconfig $1)"
            fi
            sleep 1
        fi
    done
}

remove() {
    destroy "${name}a"
    destroy "${pair}a"
}

# Members of a bridge that are private do not see each other, and what one sends cannot make the bridge believe that
# another one's address is there.
make() {
    bridge=$1 mac_a=$2 mac_b=$3
    exists "$bridge" || die "there is no $bridge; the role host makes it"
    remove
    ifconfig "$pair" create >/dev/null || die "$pair cannot be made"
    ifconfig "${pair}b" name "${name}b" >/dev/null || die "${name}b is taken"
    ifconfig "${pair}a" name "${name}a" >/dev/null || die "${name}a is taken"
    ifconfig "${name}b" ether "$mac_b" || die "${name}b cannot have the address $mac_b"
    ifconfig "${name}a" ether "$mac_a" group vps || die "${name}a cannot have the address $mac_a"
    ifconfig "$bridge" addm "${name}a" private "${name}a" -learn "${name}a" -discover "${name}a" \
        static "${name}a" "$mac_b" || die "${name}a cannot be put on $bridge"
    # Not before: an address that comes up with it, by IPv6, would keep it off the bridge.
    ifconfig "${name}a" up
}

family_of() {
    case "$1" in
    *:*)
        echo inet6
        ;;
    *)
        echo inet
        ;;
    esac
}

# The addresses that the jail's end has.
addresses() {
    ifconfig -j "$jail" "${name}b" | while read -r family address rest; do
        case "$family $address" in
        "inet6 fe80:"*)
            ;;
        "inet "* | "inet6 "*)
            echo "$address"
            ;;
        esac
    done
}

# Where the gateway is on the wire, and that all others are behind it. The host is told where the jail is, so that no
# other jail can claim its address.
connect() {
    address=$1 gateway=$2 family=$(family_of "$1")
    if [ "$family" = inet6 ]; then
        ifconfig -j "$jail" "${name}b" inet6 -ifdisabled up
        ifconfig -j "$jail" "${name}b" inet6 "$address/128" alias || die "$jail cannot have the address $address"
        ndp -d "$address" >/dev/null 2>&1
        ndp -s "$address" "$mac_b" || die "the host cannot be told where $address is"
    else
        ifconfig -j "$jail" "${name}b" inet "$address/32" alias || die "$jail cannot have the address $address"
        arp -S "$address" "$mac_b" || die "the host cannot be told where $address is"
    fi
    # Routes that are there may lead elsewhere.
    route -j "$jail" -n delete "-$family" default >/dev/null 2>&1
    route -j "$jail" -n delete "-$family" -host "$gateway" >/dev/null 2>&1
    route -j "$jail" -n add "-$family" -host "$gateway" -interface "${name}b" >/dev/null &&
        route -j "$jail" -n add "-$family" default "$gateway" >/dev/null ||
        die "$jail cannot have its routes by way of $gateway"
}

give() {
    jail=$1 mac_b=$2
    shift 2
    if exists "${name}b"; then
        ifconfig "${name}b" vnet "$jail" || die "${name}b cannot be moved into $jail"
    fi
    for old in $(addresses); do
        case " $* " in
        *" $old "*)
            ;;
        *)
            ifconfig -j "$jail" "${name}b" "$(family_of "$old")" "$old" -alias
            ;;
        esac
    done
    while [ $# -ge 2 ]; do
        connect "$1" "$2"
        shift 2
    done
}

action=$1 name=$2
case "$action" in
make)
    pair=$3
    shift 3
    make "$@"
    ;;
give)
    shift 2
    give "$@"
    ;;
remove)
    pair=$3
    remove
    ;;
*)
    echo "usage: jailisp-vnet make|give|remove NAME ..." >&2
    exit 64
    ;;
esac
"""


def make(link: Vnet) -> Command:
    """Return the command that makes a jail's link anew."""
    return _script("make", link.name, link.pair, link.bridge, link.mac("a"), link.mac("b"))


def give(link: Vnet, jail: str) -> Command:
    """Return the command that gives a jail its end of the link, and its addresses and routes."""
    routes = [word for route in link.routes for word in (route.address, route.gateway)]
    return _script("give", link.name, jail, link.mac("b"), *routes)


def remove(link: Vnet) -> Command:
    """Return the command that destroys a jail's link."""
    return _script("remove", link.name, link.pair)


def _script(*words: str) -> Command:
    return Command(("/bin/sh", SCRIPT, *words))


def made(text: str) -> str | None:
    """Return the name of the link that a jail's file makes, None if it makes none."""
    found = MADE.search(text)
    return found[1] if found else None


def given(text: str) -> str | None:
    """Return the command by which a jail's file gives it its addresses, None if it gives none."""
    found = GIVEN.search(text)
    return found[1] if found else None


def links(interfaces: t.Iterable[str]) -> set[str]:
    """Return the names of the links that the host has an end of."""
    return {found[1] for found in map(OUTSIDE.fullmatch, interfaces) if found}
