# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model host with jails of an old release that run, and the module jail_upgrades at work on them."""

from __future__ import annotations

import hashlib
import importlib
import tarfile
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.jailisp.vps.plugins.module_utils._fresh import note
from model import archive, source_tree
from model.files import Files as ModelFiles
from support.lab import Lab, Result

OLD, NEW = "15.0-RELEASE-p3", "15.1-RELEASE-p1"
ARCHIVES = {OLD: "/var/base-15.0.txz", NEW: "/var/base.txz"}
ROOTS = "/usr/local/jails/h1"
STEPS = "ansible_collections.jailisp.vps.plugins.module_utils._upgrades.steps"
POOL = {"dataset": "tank/jails", "release_dataset": "tank/releases", "release_root": "/usr/local/jails/releases"}
STORAGES = ("directory", "image", "dataset")
# All that lies in a root, by path: mode, owner, flags, content.
Contents = dict[str, tuple[t.Any, ...]]
RC_CONF = {"path": "etc/rc.conf", "content": 'sshd_enable="YES"\n'}


class Yard:
    """A host whose jails run an old release, with roots of one kind of storage."""

    def __init__(self, lab: Lab, storage: str, *names: str, small: bool = False) -> None:
        """Make the roots, and start the jails; with a ``small`` world there is less to copy."""
        self.lab, self.storage, self.names = lab, storage, names
        archive.write_base(lab.path(ARCHIVES[OLD]), OLD)
        for path in ARCHIVES.values() if small else ():
            shrink(lab.path(path))
        self.releases = {release: {"archive": path, "sha256": self._digest(path)} for release, path in ARCHIVES.items()}
        self.numbers = {name: 17 + number for number, name in enumerate(names)}
        lab.module("host_settings", interfaces=["lo1"], devfs_rulesets=[4])
        # It listens on every address, and so it would answer in place of a jail's.
        lab.run("service", "sshd", "stop")
        self._make_roots()
        self.start()

    def _digest(self, path: str) -> str:
        return hashlib.sha256(self.lab.path(path).read_bytes()).hexdigest()

    def _make_roots(self) -> None:
        lab = self.lab
        worlds: dict[str, t.Any] = {"releases": self.releases, "files": [RC_CONF]}
        if self.storage == "dataset":
            lab.run("zpool", "create", "-m", "none", "tank", "/dev/vtbd1")
            lab.run("zfs", "create", "-o", f"mountpoint={ROOTS}", "tank/jails")
            lab.run("zfs", "create", "-o", f"mountpoint={POOL['release_root']}", "tank/releases")
            worlds |= POOL
        else:
            lab.run("mkdir", "-p", ROOTS)
        if self.storage == "image":
            images = [{"name": name, "size": "64M", "path": self.path(name), **self.image(name)} for name in self.names]
            lab.module("jail_images", images=images)
        made = [{"name": name, "path": self.path(name), "release": OLD, **self._imaged(name)} for name in self.names]
        result = lab.module("jail_worlds", worlds=made, **worlds)
        assert not result.get("failed"), result["msg"]
        for name in self.names:
            lab.files.remove(note(name))

    def path(self, name: str) -> str:
        """Return a jail's root."""
        return f"{ROOTS}/{name}"

    def image(self, name: str) -> dict[str, t.Any]:
        """Return a jail's image."""
        return {"file": f"/var/jail-images/{name}.img", "unit": self.numbers[name]}

    def _imaged(self, name: str) -> dict[str, t.Any]:
        return {"image": self.image(name)} if self.storage == "image" else {}

    def address(self, name: str) -> str:
        """Return a jail's address."""
        return f"192.168.1.{self.numbers[name]}"

    def start(self) -> None:
        """Start the jails."""
        result = self.start_again()
        assert not result.get("failed"), result["msg"]

    def start_again(self) -> Result:
        """Run the module jails."""
        jails = [
            {"name": name, "path": self.path(name), "ip4": [self.address(name)], **self._imaged(name)}
            for name in self.names
        ]
        return self.lab.module("jails", jails=jails, exec_timeout=15, stop_timeout=1)

    def parameters(self, **more: t.Any) -> dict[str, t.Any]:
        """Return the parameters by which all jails get the new release."""
        jails = [
            {
                "name": name,
                "path": self.path(name),
                "release": NEW,
                "address": self.address(name),
                "ports": [22],
                **self._imaged(name),
            }
            for name in self.names
        ]
        pool = {"dataset": POOL["dataset"]} if self.storage == "dataset" else {}
        return {"jails": jails, "releases": self.releases, "seconds": 2, "at_once": 1, **pool, **more}

    def with_sources(self) -> dict[str, t.Any]:
        """Put the sources of the new release on the host; return the parameters that have it installed from them."""
        source_tree.write(self.lab.host, NEW)
        return {"mode": "installworld", "releases": {**self.releases, NEW: {**self.releases[NEW], "src": "/usr/src"}}}

    def upgrade(self, **more: t.Any) -> Result:
        """Run the module."""
        return upgrade(self.lab, self.parameters(**more))

    def converge(self, **more: t.Any) -> Result:
        """Run the module, which makes an archive first; that much is foretold, and a second run changes nothing."""
        foretold = self.lab.check("jail_upgrades", **self.parameters(**more))
        result = self.upgrade(**more)
        assert not result.get("failed"), result["msg"]
        assert all(result[key] == foretold[key] for key in ("changed", "before", "after", "diff"))
        assert result["commands"][: len(foretold["commands"])] == foretold["commands"]
        again = self.upgrade(**more)
        assert (again["changed"], again["commands"]) == (False, [])
        return result

    def version(self, name: str) -> str:
        """Return the release that a root holds."""
        text = self.lab.files.read(f"{self.path(name)}/bin/freebsd-version") or ""
        return next(line.split('"')[1] for line in text.splitlines() if line.startswith("USERLAND_VERSION"))

    def running(self) -> list[str]:
        """Return the jails that run."""
        return sorted(self.lab.module("jail_info")["jails"])

    def answers(self, name: str) -> bool:
        """Whether a jail's sshd does."""
        return self.lab.host.run(["nc", "-z", self.address(name), "22"]).rc == 0

    def owned(self, name: str) -> dict[str, t.Any]:
        """Return what lies in a root where its customer owns it, and in /etc."""
        return {
            path: value
            for path, value in contents(self.lab, self.path(name)).items()
            if path.startswith(("etc/", "home/", "root/", "usr/local/", "var/db/", "var/mail/"))
        }


def upgrade(lab: Lab, parameters: t.Mapping[str, t.Any]) -> Result:
    """Run jail_upgrades. What it waits for a second for it sees at once: nothing in the model takes time to answer."""
    slept = [0.0]
    clock = types.SimpleNamespace(
        time=time.time,
        strftime=time.strftime,
        monotonic=lambda: slept[0],
        sleep=lambda seconds: slept.append(slept.pop() + seconds),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module(STEPS), "time", clock)
        return lab.module("jail_upgrades", **parameters)


def shrink(base: Path) -> None:
    """Leave of a base archive what a jail starts with, and little more."""
    with tarfile.open(base) as whole:
        left_out = ("./usr/bin/", "./lib/lib")
        members = [each for each in whole.getmembers() if not each.name.startswith(left_out) or "libc." in each.name]
        kept = [(each, whole.extractfile(each) if each.isreg() else None) for each in members]
        small = base.with_suffix(".small")
        with tarfile.open(small, "w", format=tarfile.PAX_FORMAT) as archived:
            for member, content in kept:
                archived.addfile(member, content)
    small.replace(base)


def contents(lab: Lab, root: str) -> Contents:
    """Return all that lies in a root: by path, its kind and mode, its owner, its flags, and its content."""
    files, top = ModelFiles(lab.host), lab.path(root)
    found: Contents = {}
    for path in files.walk(top):
        status = path.lstat()
        content: t.Any = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        attributes = (status.st_mode, files.owner(status), sorted(files.flags_of(path)))
        found[str(path.relative_to(top))] = (*attributes, content)
    return found
