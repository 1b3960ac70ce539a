# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model hosts for an inventory: one for each host of the example fleet, as its host variables say."""

from __future__ import annotations

import hashlib
import re
import shutil
import typing as t
from pathlib import Path

from model import archive
from model.rack import Rack

if t.TYPE_CHECKING:
    from model.host import Host

RELEASE = "15.1-RELEASE-p1"
BASE = "/var/base.txz"
POOL_DISK = "vtbd1"
# Disks that are one partition each, and where they are mounted.
PARTITIONS = {"vtbd2": "/jails/n1", "vtbd3": "/jails/n2"}

# The hosts' own addresses, by which they are administered; the public ones of the customers come beside them.
HOSTS: dict[str, dict[str, t.Any]] = {
    "h1": {"address": "198.51.100.11", "addresses": ["203.0.113.10"]},
    "h2": {"address": "198.51.100.12", "addresses": ["203.0.113.20"], "disks": {POOL_DISK: "6G"}},
    "h3": {
        "address": "198.51.100.13",
        "addresses": ["203.0.113.30"],
        "disks": dict.fromkeys(PARTITIONS, "84G"),
    },
}


def make_rack(
    folder: Path, source: Path, inventory: Path, hosts: t.Mapping[str, t.Mapping[str, t.Any]] | None = None
) -> Rack:
    """Make the rack with its hosts, and a copy of the inventory ``source`` that reaches them and has their archive."""
    rack = Rack(folder)
    base = folder / "base.txz"
    folder.mkdir(parents=True, exist_ok=True)
    archive.write_base(base, RELEASE)
    for name, hardware in (hosts or HOSTS).items():
        host = rack.add(name, tunables={"kern.racct.enable": "1"}, **hardware)
        shutil.copy(base, host.path(BASE))
        disks = hardware.get("disks", {})
        if POOL_DISK in disks:
            _run(host, "zpool", "create", "-m", "none", "tank", f"/dev/{POOL_DISK}")
        for device in PARTITIONS.keys() & disks.keys():
            _make_partition(host, device, PARTITIONS[device])
        print(f"{name} runs FreeBSD {RELEASE}, address {hardware['address']}", flush=True)
    copy_inventory(source, inventory, rack, hashlib.sha256(base.read_bytes()).hexdigest())
    return rack


def _make_partition(host: Host, device: str, folder: str) -> None:
    """Give a disk a file system, mount it, and have that done at boot, too."""
    _run(host, "newfs", "-U", f"/dev/{device}")
    _run(host, "mkdir", "-p", folder)
    with host.path("/etc/fstab").open("a") as file:
        file.write(f"/dev/{device}\t{folder}\tufs\trw\t2\t2\n")
    _run(host, "mount", folder)


def _run(host: Host, *argv: str) -> None:
    done = host.run(argv)
    if done.rc != 0:
        raise RuntimeError(done.err)


def copy_inventory(source: Path, inventory: Path, rack: Rack, sha256: str) -> None:
    """Copy an inventory; add how the rack's hosts are reached, and the SHA-256 of their base archive."""
    shutil.copytree(source, inventory)
    group = inventory / "group_vars" / "jail_hosts.yml"
    group.write_text(re.sub(r"sha256: ['\"]?[0-9a-f]{64}['\"]?", f'sha256: "{sha256}"', group.read_text()))
    (inventory / "group_vars" / "all.yml").write_text(
        "---\n# The model hosts are reached by a program that stands in for ssh(1).\n"
        f"ansible_user: root\nansible_ssh_executable: {rack.ssh}\nansible_ssh_transfer_method: piped\n"
    )
