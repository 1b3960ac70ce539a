# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model host with jails behind the rules and pipes that the collection gives it, to be asked about connections."""

from __future__ import annotations

import ipaddress
import typing as t
from pathlib import Path

from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.model import wish as dummynet_wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import wish as pf_wish
from ansible_collections.jailisp.vps.plugins.module_utils._pf.render import render_conf, render_file
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.rules import pf_rules
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.shaping import pipes
from model import connect, machine, task
from model.host import Host
from model.pf_packets import Verdict

Values = dict[str, t.Any]
CLIENT, CLIENT6, OWN6 = "198.51.100.77", "2001:db8:ffff::77", "2001:db8:ffff::11"
# Everything that a jail could be reached at listens in it.
FAMILIES = ("tcp4", "tcp6", "udp4", "udp6")


class Answer(t.NamedTuple):
    """What came of a connection: who answered ('' for nobody, `host` for the host itself), and what carried it."""

    who: str
    carrier: tuple[str, int, int] | None
    source: str
    labels: tuple[str, ...]


class Wall:
    """The host `values` (a variable vps_host) with its resolved `jails`; servers listen in all that are running."""

    def __init__(self, folder: Path, values: Values, jails: t.Sequence[Values], ports: t.Iterable[int]) -> None:
        """Make the host, start the jails, load the rules."""
        self.host = Host(folder)
        more = [*values["addresses"], *(jail["public"] for jail in jails if jail["public"])]
        machine.install(self.host, name="h1", address=values["own_addresses"][0], addresses=list(dict.fromkeys(more)))
        machine.boot(self.host)
        for command in (["kldload", "pf"], ["kldload", "dummynet"], ["ifconfig", "lo1", "create"]):
            self.run(*command)
        self.run("ifconfig", "vtnet0", "inet6", f"{OWN6}/64", "alias")
        self.run("route", "-6", "add", "default", CLIENT6)
        self.jails = {jail["name"]: jail for jail in jails}
        self.listen("", 0, ports)
        for number, jail in enumerate((jail for jail in jails if jail["state"] == "running"), 1):
            addresses = [f"ip4.addr=lo1|{jail['address']}"]
            addresses += [f"ip6.addr=lo1|{jail['address6']}"] if jail["address6"] else []
            self.run("jail", "-c", f"name={jail['name']}", "path=/", "persist", *addresses)
            self.listen(jail["name"], number, ports)
        self.load(values, jails)

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a command that must succeed."""
        done = self.host.run(argv, stdin)
        assert done.rc == 0, (argv, done.err)
        return done.out

    def listen(self, name: str, jid: int, ports: t.Iterable[int]) -> None:
        """Let something listen on ports, in a jail or on the host."""
        sockets = [[family, "*", port, 3] for family in FAMILIES for port in ports]
        with self.host.kernel() as kernel:
            task.add(kernel, ["server", name], jid=jid, listen=sockets)

    def load(self, values: Values, jails: t.Sequence[Values]) -> None:
        """Load pipes, queues and rules as the modules would."""
        found = pipes(jails, values["link"])
        flows = {kind: [{**FLOW, **flow} for flow in found[kind]] for kind in found}
        shaping = dummynet_wish({**flows, **SHAPING})
        lines = [pipe.line for pipe in shaping.pipes.values()] + [queue.line for queue in shaping.queues.values()]
        for line in lines:
            self.run("dnctl", *line.split())
        wished = pf_wish({**PF, **self.rules(values, jails)})
        self.host.path("/etc/pf.anchors").mkdir(exist_ok=True)
        self.host.path(wished.file).write_text(render_file(wished))
        self.host.path(wished.conf).write_text(render_conf(wished, None))
        self.run("pfctl", "-f", wished.conf)
        self.host.run(["pfctl", "-e"])

    def rules(self, values: Values, jails: t.Sequence[Values]) -> Values:
        """Return the options of pf_anchor."""
        found = pf_rules(jails, values)
        return {**found, "rules": [{"jail": None, **rule} for rule in found["rules"]]}

    def ask(
        self, target: str, port: int, protocol: str = "tcp", *, source: str = "", jail: str | None = None
    ) -> Answer:
        """Connect from a jail, or from outside (the client's address unless another is given); say what came of it."""
        if jail is None and not source:
            source = CLIENT6 if ":" in target else CLIENT
        found = connect.connect(self.host, source, target, protocol, port, jail=jail)
        asking = _asking(found)
        answered = found.result == "open" and found.listener is not None
        who = (found.listener[0] or "host") if answered and found.listener else ""
        if not asking:
            return Answer(who, None, "", ())
        return Answer(who, asking[-1].dummynet, asking[-1].packet.source, asking[-1].labels)

    def leaves(self, jail: str, target: str, port: int, protocol: str = "tcp") -> Answer:
        """Say how a jail's connection to somebody outside leaves the host: `who` is `outside` if it does."""
        verdict = _asking(connect.connect(self.host, "", target, protocol, port, jail=jail))[-1]
        own = ipaddress.ip_address(self.jails[jail]["address"])
        translated = ":" in target or ipaddress.ip_address(verdict.packet.source) != own
        who = "outside" if verdict.passed and translated else ""
        return Answer(who, verdict.dummynet, verdict.packet.source, verdict.labels)


def _asking(found: connect.Connection) -> list[Verdict]:
    """Return what pf made of the packet that asks, at each interface; not of the one that answers."""
    return [verdict for verdict in found.verdicts if verdict.forward]


PF: Values = {"anchor": "jailisp", "conf": "/etc/pf.conf", "guard": 0}
FLOW: Values = {"jail": None, "delay": 0, "slots": 50}
SHAPING: Values = {"first": 10000, "last": 59999, "file": "/etc/dnctl.conf", "remove": False, "assumed": False}
