# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from model import archive, machine
from model.host import Host
from support.lab import Lab, copy

RELEASE = "15.1-RELEASE-p1"
BASE = "/var/base.txz"

# The same examples each time, and no judgement by the clock: several gates share two processors.
settings.register_profile(
    "gate",
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("gate")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a host that was installed and booted and never used."""
    host = Host(tmp_path_factory.mktemp("installed") / "h1")
    host.directory.mkdir()
    machine.install(
        host,
        "h1",
        "198.51.100.11",
        addresses=["203.0.113.10"],
        disks={"vtbd1": "6G"},
        tunables={"kern.racct.enable": "1"},
    )
    machine.boot(host)
    archive.write_base(host.path(BASE), RELEASE)
    return host.directory


@pytest.fixture(scope="session")
def world(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a userland, to be copied to where a jail's root shall be: what a jail starts with, no more."""
    folder = tmp_path_factory.mktemp("world")
    with tarfile.open(Host(installed).path(BASE)) as file:
        members = [
            each
            for each in file.getmembers()
            if not each.name.startswith(("./usr/bin/", "./usr/lib", "./lib/")) or each.name == "./lib/libc.so.7"
        ]
        file.extraction_filter = lambda member, path: member
        file.extractall(folder, members)
    return folder


@pytest.fixture
def host(installed: Path, tmp_path: Path) -> Host:
    """Return a host of the test's own, installed and booted, with an archive and a spare disk."""
    directory = tmp_path / "h1"
    copy(installed, directory)
    return Host(directory)


@pytest.fixture
def lab(host: Host, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return the host with the modules at work on it."""
    return Lab(host, monkeypatch)


@pytest.fixture
def sha256(host: Host) -> str:
    """Return the SHA-256 of the archive."""
    return hashlib.sha256(host.path(BASE).read_bytes()).hexdigest()
