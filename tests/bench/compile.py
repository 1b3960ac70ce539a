#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load an inventory as Ansible does; fail if the fleet in it was not compiled."""

from __future__ import annotations

import sys

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader


def main() -> int:
    """Load it."""
    init_plugin_loader([])
    folder = sys.argv[1]
    inventory = InventoryManager(DataLoader(), [f"{folder}/hosts.yml", f"{folder}/fleet.yml"])
    if not all("jails" in host.vars for host in inventory.get_hosts("jail_hosts")):
        raise SystemExit("the fleet was not compiled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
