# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's plugin loaders in the process of a test, with the collection among what they find."""

from __future__ import annotations

import contextlib
import sys
import typing as t
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig

TREE = Path(__file__).resolve().parents[2] / ".build" / "tree"


def settings() -> dict[str, str]:
    """Return the environment by which Ansible as a process of its own finds the collection, as ansible-test sets it."""
    return {"ANSIBLE_COLLECTIONS_PATH": str(TREE)} if TREE.is_dir() else {}


@contextlib.contextmanager
def collections() -> t.Iterator[None]:
    """Let Ansible find the collection; ansible-test has seen to that already."""
    if AnsibleCollectionConfig.collection_finder is not None:
        yield
        return
    # Other tests imported the collection as ordinary packages, among which Ansible's loader finds no plugins.
    ordinary = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("ansible_collections")}
    init_plugin_loader([str(TREE)])
    yield
    t.cast("t.Any", AnsibleCollectionConfig.collection_finder)._remove()
    for name in [name for name in sys.modules if name.startswith("ansible_collections")]:
        del sys.modules[name]
    sys.modules.update(ordinary)
