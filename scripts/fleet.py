# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a fleet, explain its values, or write the schemas of its records.

    python3 scripts/fleet.py validate
    python3 scripts/fleet.py explain alice limits.memory
    python3 scripts/fleet.py schema FOLDER

It needs a Python that has ansible-core, and nothing else: it finds the collection by its own path, be it installed or
a checkout.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
import typing as t
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[1]
PLACE = Path("ansible_collections", "jailisp", "vps")
COMMAND_LINE = "ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.command_line"


@contextlib.contextmanager
def collections_path() -> t.Iterator[Path]:
    """Give the folder in which Ansible finds this collection; for a checkout, one that is made for the time being."""
    if COLLECTION.parts[-3:] == PLACE.parts:
        yield COLLECTION.parents[2]
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / PLACE
        link.parent.mkdir(parents=True)
        link.symlink_to(COLLECTION)
        yield Path(folder)


def main() -> int:
    """Let Ansible find the collection, and run the command line that is in it."""
    if importlib.util.find_spec("ansible") is None:
        print(f"{sys.executable} has no ansible-core; run this with the Python that runs Ansible", file=sys.stderr)
        return 1
    # Else hosts that cannot be read would be hosts that are not there.
    os.environ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "true"
    with collections_path() as folder:
        # Before anything else of Ansible's that matters here: importing it sets up the controller's side.
        importlib.import_module("ansible.cli")
        importlib.import_module("ansible.plugins.loader").init_plugin_loader([str(folder)])
        return int(importlib.import_module(COMMAND_LINE).main())


if __name__ == "__main__":
    sys.exit(main())
