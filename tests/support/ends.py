# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host came to, in a form in which two that came to the same by different ways are equal."""

from __future__ import annotations

import json
import re
import typing as t

from support.lab import Lab, snapshot

ROOTS = "/usr/local/jails/"
# What differs between two runs that end alike.
PASSING = ("root/var/log/", "root/var/run/", "root/.model/covered/", "root/.model/mounts")
# What is stored in a pool: its numbers are others after a clone was made anew.
NUMBERED = re.compile(r"(?<=^root/\.model/pool/)\d+-\d+")
OWN_NUMBERS = ("jid", "cpuset.id")
TRAFFIC = "root/var/db/jailisp/pf_jailisp_traffic.json"
RANDOM = ("root/var/jail-images/", "root/var/jail-releases/", "root/var/jail-upgrades/", TRAFFIC)
# What a rollback packs has the moment at which the upgrade began in its name.
MOMENT = re.compile(r"-\d+(?=\.changed\.tar\.zst$)")
JOURNALS = "root/var/db/jailisp/upgrades/"
SAID = ("state", "source", "target", "running", "units", "fresh", "etc", "links")
LIMITS = "quota,refquota,reservation,compression,atime"
LOOKS = (
    ("ifconfig",),
    ("mount", "-p"),
    ("mdconfig", "-lv"),
    ("kldstat", "-q", "-m", "pf"),
    ("sysctl", "security.bsd.see_jail_proc"),
    ("pfctl", "-sn"),
    ("pfctl", "-sr"),
    ("pfctl", "-a", "jailisp", "-sn"),
    ("pfctl", "-a", "jailisp", "-sr"),
    ("pfctl", "-a", "jailisp", "-t", "jails", "-T", "show"),
    ("dnctl", "pipe", "show"),
    ("dnctl", "queue", "show"),
    ("dnctl", "sched", "show"),
    ("rctl",),
    ("zfs", "list", "-H", "-o", "name,mountpoint,mounted", "-t", "all", "-r", "tank"),
    ("zfs", "get", "-r", "-Hp", "-t", "filesystem", "-o", "name,property,value,source", LIMITS, "tank"),
)

if t.TYPE_CHECKING:
    from pathlib import Path

End = dict[str, t.Any]


def end(lab: Lab) -> End:
    """Return what a host came to: its files, its jails, and what its kernel shows, without what is of the moment."""
    files = {
        name: value
        for name, value in snapshot(lab.host).items()
        if name.startswith("root/") and not name.startswith(PASSING) and "/var/" not in name.partition(ROOTS)[2]
    }
    # Host keys, and the marks of file systems in images, are other ones each time they are made; archives that the host
    # made hold times; other loads of rules count other packets.
    files = {MOMENT.sub("", name): value[:3] if _is_random(name) else value for name, value in files.items()}
    for name in files:
        if name.startswith(JOURNALS) and name.endswith(".json"):
            files[name] = (*files[name][:3], _journal(lab.path(name.removeprefix("root"))))
    stored: dict[str, list[t.Any]] = {}
    for name in [name for name in files if NUMBERED.search(name)]:
        stored.setdefault(NUMBERED.sub("", name), []).append(files.pop(name))
    running = lab.module("jail_info")["jails"]
    for jail in running.values():
        del jail["jid"], jail["age"]
        jail["parameters"] = {key: value for key, value in jail["parameters"].items() if key not in OWN_NUMBERS}
    looks = {" ".join(look): _lines(lab.host.run(look).out) for look in LOOKS}
    return {
        "files": files,
        "stored": {name: sorted(values) for name, values in stored.items()},
        "running": running,
        **looks,
    }


def _lines(text: str) -> list[str]:
    """Return lines in order, without those of an interface of jails that tell whether it ever had an address."""
    return sorted(_in_order(line) for line in text.splitlines() if not line.startswith("lo1: ") and "%lo1 " not in line)


def _in_order(line: str) -> str:
    """Return a line; what it lists of a scheduler's queues, the last to come first, in order."""
    head, colon, numbers = line.partition("Children flowsets:")
    return f"{head}{colon} {' '.join(sorted(numbers.split()))}" if colon else line


def _is_random(name: str) -> bool:
    return "/etc/ssh/ssh_host_" in name or name.startswith(RANDOM)


def _journal(path: Path) -> str:
    """Return what a journal says, without its moments and what depends on them."""
    said = json.loads(path.read_text())
    return json.dumps({key: said[key] for key in SAID})


def differences(one: End, other: End) -> list[str]:
    """Return what differs between two ends, one line each."""
    found = []
    for part in one.keys() | other.keys():
        mine, others = one.get(part), other.get(part)
        if mine == others:
            continue
        if isinstance(mine, dict) and isinstance(others, dict):
            found += [
                f"{part}: {name}: {mine.get(name)!r} became {others.get(name)!r}"
                for name in sorted(mine.keys() | others.keys())
                if mine.get(name) != others.get(name)
            ]
        else:
            found.append(f"{part}: {mine!r} became {others!r}")
    return sorted(found)
