# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and numbers that pf.conf(5) knows: services, protocols, ICMP types, flags, time-outs, limits, keywords."""

from __future__ import annotations

# The part of /etc/services that a rule of a jail host may name. A port is printed by its name.
_SERVICES = """
ftp-data 20 ftp 21 ssh 22 telnet 23 smtp 25 time 37 domain 53 tftp 69 gopher 70 finger 79 http 80 kerberos-sec 88
pop3 110 sunrpc 111 auth 113 sftp 115 nntp 119 ntp 123 netbios-ns 137 netbios-dgm 138 netbios-ssn 139 imap 143 snmp 161
snmptrap 162 bgp 179 irc 194 ldap 389 https 443 microsoft-ds 445 submissions 465 isakmp 500 login 513 shell 514
printer 515 afpovertcp 548 submission 587 ldaps 636 rsync 873 domain-s 853 nfsrdma 20049 imaps 993 pop3s 995 ircs 994
l2f 1701 pptp 1723 radius 1812 radius-acct 1813 nfsd 2049 iscsi-target 3260 mysql 3306 ms-wbt-server 3389 nut 3493
svn 3690 sieve 4190 epmd 4369 ipsec-nat-t 4500 sip 5060 sip-tls 5061 xmpp-client 5222 xmpp-server 5269 mdns 5353
postgresql 5432 amqps 5671 amqp 5672 vnc-server 5900 couchdb 5984 x11 6000 x11-ssh 6010 ircd 6667 ircs-u 6697
ftp-proxy 8021 http-alt 8080 privoxy 8118 puppet 8140 jetdirect 9100 git 9418 zabbix-agent 10050 zabbix-trapper 10051
""".split()  # noqa: SIM905
SERVICES: dict[str, int] = dict(zip(_SERVICES[::2], map(int, _SERVICES[1::2]), strict=True))
SERVICES.update({"www": 80, "mail": 25, "rdp": 3389, "syslog": 514, "router": 520, "bootps": 67, "bootpc": 68})
_PORT_NAMES = {port: name for name, port in zip(_SERVICES[::2], map(int, _SERVICES[1::2]), strict=True)}
_UDP_NAMES = {514: "syslog", 67: "bootps", 68: "bootpc", 513: "who"}

PROTOCOLS: dict[str, int] = {
    "ip": 0, "icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "egp": 8, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50,
    "ah": 51, "icmp6": 58, "ipv6-icmp": 58, "ospf": 89, "etherip": 97, "pim": 103, "carp": 112, "vrrp": 112,
    "l2tp": 115, "sctp": 132, "pfsync": 240,
}  # fmt: skip
_PROTOCOL_NAMES = {number: name for name, number in reversed(PROTOCOLS.items())} | {58: "ipv6-icmp"}

ICMP_TYPES: dict[str, dict[str, int]] = {
    "inet": {
        "echoreq": 8, "echorep": 0, "unreach": 3, "squench": 4, "redir": 5, "althost": 6, "routeradv": 9,
        "routersol": 10, "timex": 11, "paramprob": 12, "timereq": 13, "timerep": 14, "inforeq": 15, "inforep": 16,
        "maskreq": 17, "maskrep": 18, "trace": 30,
    },
    "inet6": {
        "unreach": 1, "toobig": 2, "timex": 3, "paramprob": 4, "echoreq": 128, "echorep": 129, "groupqry": 130,
        "listqry": 130, "grouprep": 131, "listenrep": 131, "groupterm": 132, "listendone": 132, "routersol": 133,
        "routeradv": 134, "neighbrsol": 135, "neighbradv": 136, "redir": 137,
    },
}  # fmt: skip
ICMP_CODES: dict[str, dict[tuple[int, str], int]] = {
    "inet": {
        (3, "net-unr"): 0, (3, "host-unr"): 1, (3, "proto-unr"): 2, (3, "port-unr"): 3, (3, "needfrag"): 4,
        (3, "srcfail"): 5, (3, "net-prohib"): 9, (3, "host-prohib"): 10, (3, "filter-prohib"): 13, (11, "transit"): 0,
        (11, "reassemb"): 1,
    },
    "inet6": {
        (1, "noroute-unr"): 0, (1, "admin-unr"): 1, (1, "addr-unr"): 3, (1, "port-unr"): 4, (3, "transit"): 0,
        (3, "reassemb"): 1,
    },
}  # fmt: skip

TCP_FLAGS = "FSRPAUEW"

# Name, seconds; the order is that of ``pfctl -s timeouts``.
TIMEOUTS: dict[str, int] = {
    "tcp.first": 120, "tcp.opening": 30, "tcp.established": 86400, "tcp.closing": 900, "tcp.finwait": 45,
    "tcp.closed": 90, "tcp.tsdiff": 30, "sctp.first": 120, "sctp.opening": 30, "sctp.established": 86400,
    "sctp.closing": 900, "sctp.closed": 90, "udp.first": 60, "udp.single": 30, "udp.multiple": 60, "icmp.first": 20,
    "icmp.error": 10, "other.first": 60, "other.single": 30, "other.multiple": 60, "frag": 60, "interval": 10,
    "adaptive.start": 60000, "adaptive.end": 120000, "src.track": 0,
}  # fmt: skip
LIMITS: dict[str, int] = {
    "states": 100000, "src-nodes": 10000, "frags": 5000, "table-entries": 200000, "anchors": 0, "eth-anchors": 0,
}  # fmt: skip
OPTIMIZATIONS: dict[str, tuple[int, ...]] = {
    "normal": (120, 30, 86400, 900, 45, 90, 30),
    "satellite": (180, 35, 86400, 905, 50, 95, 60),
    "high-latency": (180, 35, 86400, 905, 50, 95, 60),
    "conservative": (3600, 900, 432000, 3600, 600, 180, 60),
    "aggressive": (30, 5, 18000, 60, 30, 30, 10),
}

KEYWORDS = frozenset(
    """
    af-to all allow-opts altq anchor antispoof any bandwidth binat binat-anchor binat-to bitmask block block-policy
    bridge-to buckets cbq code codelq debug divert-reply divert-to dnpipe dnqueue drop dup-to ether fail-policy
    fairq fastroute file fingerprints flags floating flush for fragment from global group hfsc hogs hostid icmp-type
    icmp6-type if-bound in include inet inet6 interval keep keepcounters l3 label limit linkshare load log
    loginterface map-e-portset match max max-mss max-pkt-rate max-pkt-size max-src-conn max-src-conn-rate
    max-src-nodes max-src-states min-ttl modulate nat nat-anchor nat-to no no-df no-route no-sync on once
    optimization os out overload pass port prio priority priq probability proto qlimit queue quick random random-id
    rdr rdr-anchor rdr-to realtime reassemble received-on reply-to require-order return return-icmp return-icmp6
    return-rst ridentifier round-robin route route-to rtable rule ruleset-optimization scrub set set-tos skip sloppy
    source-hash source-track state state-defaults state-policy static-port sticky-address syncookies synproxy table
    tag tagged target tbrsize timeout to tos ttl upperlimit urpf-failed user
    """.split()  # noqa: SIM905
)


def port_name(port: int, protocol: str) -> str:
    """Return how a port is printed: by the name of its service if it has one."""
    if protocol != "tcp" and port in _UDP_NAMES:
        return _UDP_NAMES[port]
    return _PORT_NAMES.get(port, str(port))


def protocol_name(number: int) -> str:
    """Return how a protocol is printed."""
    return _PROTOCOL_NAMES.get(number, str(number))


def protocol_number(name: str) -> int | None:
    """Return the number of a protocol, by its name in small or capital letters."""
    return PROTOCOLS.get(name, PROTOCOLS.get(name.lower()))
