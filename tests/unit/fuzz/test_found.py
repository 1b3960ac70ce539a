# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What searches among modules found to end in a traceback, or in a message that named nothing."""

from __future__ import annotations

import json
import random
import typing as t
from pathlib import Path

import pytest

from fuzz import modules
from fuzz.modules import Host, Rubbish, examples
from fuzz.mutate import Mutator

LONG = "/" + "9" * 5000


@pytest.fixture
def host(tmp_path: Path) -> t.Iterator[Host]:
    with pytest.MonkeyPatch.context() as patch:
        yield Host(tmp_path / "host", patch)


def run(host: Host, module: str, **changes: t.Any) -> dict[str, t.Any]:
    orderly = Rubbish(Mutator(random.Random(1), [""]), odds=0)
    return host.run(module, orderly, {**examples(module)[0], **changes}, check=True)


@pytest.mark.parametrize(
    ("module", "changes", "named"),
    [
        ("dummynet_pipes", {"file": "\0"}, "file: "),
        ("dummynet_pipes", {"file": LONG}, "file: "),
        ("pf_anchor", {"conf": "/"}, "conf: "),
        ("pf_anchor", {"tables": {"jails": None}}, "tables: jails: "),
        ("pf_anchor", {"tables": {"jails": [True]}}, "tables: jails: "),
        ("pf_anchor", {"rules": [{"rule": f"pass out dnpipe {'9' * 5000}"}]}, "rules[0]: "),
        ("jails", {"folder": "\0"}, "folder: "),
        ("jail_worlds", {"images": LONG}, "images: "),
        ("jail_worlds", {"files": [{"path": "etc/a\0", "content": ""}]}, "files: "),
        (
            "jail_worlds",
            {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": "\0"},
            "release_root: ",
        ),
        (
            "zfs_datasets",
            {"datasets": [{"name": "tank/a", "properties": {"mountpoint": "\0"}}]},
            "datasets: tank/a: properties: mountpoint: ",
        ),
        ("host_settings", {"interface_addresses": {"bridge0": False}}, "interface_addresses: bridge0: "),
        ("host_settings", {"sysctl": {"kern.maxproc": "1\0"}}, "sysctl: kern.maxproc: "),
        ("jail_disk_info", {"folders": ["\0"]}, "folders: "),
        ("jail_disk_info", {"jails": [{"name": "alice", "path": LONG}]}, "jails: alice: path: "),
        ("jail_disk_info", {"jails": [{"name": "bob", "path": "/b", "dataset": "a\0"}]}, "jails: bob: dataset: "),
        ("jail_host_info", {"folders": ["\0"]}, "folders: "),
        ("jail_host_info", {"dataset": "tank/jail\0"}, "dataset: "),
        ("jail_host_info", {"anchor": "a\0"}, "anchor: "),
        ("jail_host_info", {"images": LONG}, "images: "),
    ],
)
def test_a_wrong_option_is_named(host: Host, module: str, changes: dict[str, t.Any], named: str) -> None:
    assert run(host, module, **changes)["msg"].startswith(named)


def test_a_jail_that_has_its_hosts_name_is_told_of(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # jls does not print host.hostname of a jail with host=inherit.
    jail = {"name": "other", "jid": "7", "path": "/", "host": "inherit"}
    monkeypatch.setitem(modules.PROGRAMS, ("jls",), (json.dumps({"jail-information": {"jail": [jail]}}),))
    assert run(host, "jail_info")["jails"]["other"]["hostname"] == ""


def test_a_damaged_journal_is_named(host: Host) -> None:
    host.write("var/db/jailisp/upgrades/alice.json", "{}")
    assert run(host, "jail_upgrades")["msg"].startswith("/var/db/jailisp/upgrades/alice.json is no journal")
