# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pkg with a root of its own: a base system from packages."""

from __future__ import annotations

import typing as t

import pytest

from model import archive, machine, packages
from model.host import Host, Result
from support.possessions import catalogue

if t.TYPE_CHECKING:
    from pathlib import Path

RELEASE = "15.1-RELEASE-p1"
ROOT = "/usr/local/jails/alice"
INSTALL = f"pkg --rootdir {ROOT} --repo-conf-dir /etc/repos -oABI=FreeBSD:15:amd64 -o OSVERSION=1501000 install -y"
REPOSITORY = """FreeBSD-base: {{
  url: "{url}",
  mirror_type: "none",
  signature_type: "fingerprints",
  fingerprints: "/keys",
  enabled: yes
}}
"""


class Shop:
    """A host with pkg, a repository, and an empty root."""

    def __init__(self, directory: Path) -> None:
        self.host = Host(directory)
        machine.install(self.host, name="h1", address="10.0.2.15")
        machine.boot(self.host)
        self.root = self.host.path(ROOT)
        self.root.mkdir(parents=True)
        self.host.path("/etc/repos").mkdir()
        self.configure('FreeBSD-base: { url: "file:///var/repo", enabled: yes }\n')
        packages.write_repository(self.host, "/var/repo", RELEASE)
        packages.install_pkg(self.host)

    def configure(self, text: str) -> None:
        self.host.path("/etc/repos/base.conf").write_text(text)

    def __call__(self, line: str) -> Result:
        return self.host.run(line.split())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_set_of_packages_is_a_world_that_starts(shop: Shop) -> None:
    assert shop(f"{INSTALL} FreeBSD-set-base-jail").rc == 0
    assert RELEASE in shop.root.joinpath("bin/freebsd-version").read_text()
    shop.host.path("/etc/jail.conf").write_text(f'alice {{ path = "{ROOT}"; exec.start = "/bin/sh /etc/rc"; }}\n')
    assert shop("jail -c alice").rc == 0
    assert shop("freebsd-version -j alice").out == f"{RELEASE}\n"


def test_packages_and_archive_of_a_release_agree(shop: Shop) -> None:
    assert shop(f"{INSTALL} FreeBSD-set-base-jail").rc == 0
    archive.write_base(shop.host.path("/base.txz"), RELEASE)
    assert shop("mkdir /usr/local/jails/bob").rc == 0
    assert shop("tar -xpf /base.txz -C /usr/local/jails/bob").rc == 0
    made, unpacked = (
        {
            name: (mode, owner, flags, content)
            for name, (mode, owner, flags, _time, content, _twin) in catalogue(shop.host, root, ["."]).items()
            if not name.startswith("var/db/pkg/")
        }
        for root in (ROOT, "/usr/local/jails/bob")
    )
    assert made == unpacked


def test_which_tells_packages_from_what_was_unpacked(shop: Shop) -> None:
    ask = f"pkg -r {ROOT} which -q /usr/bin/uname"
    assert (shop(ask).rc, shop(ask).out) == (1, "")
    assert shop(f"{INSTALL} FreeBSD-set-minimal-jail").rc == 0
    assert (shop(ask).rc, shop(ask).out) == (0, "FreeBSD-utilities-15.1p1\n")
    assert not shop.root.joinpath("etc/ssh/sshd_config").exists()
    assert "FreeBSD-runtime-15.1p1\n" in shop(f"pkg -r {ROOT} info").out


def test_a_second_installation_changes_nothing(shop: Shop) -> None:
    shop(f"{INSTALL} FreeBSD-set-minimal-jail")
    shop.root.joinpath("etc/rc").write_text("mine\n")
    assert "already installed" in shop(f"{INSTALL} FreeBSD-set-minimal-jail").out
    assert shop.root.joinpath("etc/rc").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            INSTALL.replace(":15:", ":14:") + " FreeBSD-set-base-jail",
            "contains packages for wrong ABI: FreeBSD:15:amd64",
        ),
        (
            INSTALL.replace("1501000", "1500000") + " FreeBSD-set-base-jail",
            "To ignore this error set IGNORE_OSVERSION=yes",
        ),
        (INSTALL.replace("/etc/repos", "/nowhere") + " FreeBSD-set-base-jail", "No active remote repositories"),
        (INSTALL + " FreeBSD-set-nothing", "No packages available to install matching 'FreeBSD-set-nothing'"),
        (INSTALL.replace(ROOT, "/nowhere") + " FreeBSD-set-base-jail", "Invalid rootdir"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_installed(shop: Shop, line: str, why: str) -> None:
    done = shop(line)
    assert done.rc == 1
    assert why in done.err
    assert list(shop.root.iterdir()) == []


def test_a_repository_is_taken_from_whom_the_root_trusts(shop: Shop) -> None:
    shop.configure(REPOSITORY.format(url="file:///var/repo"))
    line = f"{INSTALL} -r FreeBSD-base FreeBSD-set-minimal-jail"
    packages.trust(shop.host, folder="/keys")
    assert "Error loading trusted certificates" in shop(line).err
    shop.root.joinpath("keys/trusted").mkdir(parents=True)
    assert "No trusted certificates" in shop(line).err
    packages.trust(shop.host, "somebody", folder=f"{ROOT}/keys")
    assert "No trusted public keys found" in shop(line).err
    assert not shop.root.joinpath("bin").exists()
    packages.trust(shop.host, folder=f"{ROOT}/keys")
    assert shop(line).rc == 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///var/nothing", "Unable to update repository FreeBSD-base"),
        ("https://192.0.2.1/base", "No address record"),
        ("pkg+https://pkg.FreeBSD.org/${ABI}/base_release_1", "implies SRV mirror type"),
    ],
)
def test_a_repository_that_is_not_there_is_refused(shop: Shop, url: str, why: str) -> None:
    shop.configure(REPOSITORY.format(url=url))
    done = shop(f"{INSTALL} -r FreeBSD-base FreeBSD-set-minimal-jail")
    assert (done.rc, why in done.err) == (1, True), done.err


def test_a_repository_of_another_name_is_not_asked(shop: Shop) -> None:
    assert "No active remote repositories" in shop(f"{INSTALL} -r other FreeBSD-set-minimal-jail").err


def test_the_folder_of_repositories_by_option_is_below_the_root(shop: Shop) -> None:
    line = INSTALL.replace("--repo-conf-dir /etc/repos", "-o REPOS_DIR=/etc/repos") + " FreeBSD-set-minimal-jail"
    assert "No active remote repositories" in shop(line).err
    shop.root.joinpath("etc").mkdir()
    shop.host.path("/etc/repos").rename(shop.root / "etc/repos")
    assert shop(line).rc == 0


def test_a_planted_link_leads_pkg_out_of_the_root(shop: Shop) -> None:
    shop.host.path("/victim").mkdir()
    shop.root.joinpath("sbin").symlink_to("/victim")
    shop(f"{INSTALL} FreeBSD-set-minimal-jail")
    assert shop.host.path("/victim/init").is_file()


def test_without_pkg_there_is_only_what_fetches_it(shop: Shop) -> None:
    shop.host.path(packages.PROGRAM).unlink()
    assert shop("pkg -N").rc == 1


def test_a_database_that_is_none_is_refused(shop: Shop) -> None:
    shop.root.joinpath("var/db/pkg").mkdir(parents=True)
    shop.root.joinpath("var/db/pkg/local.sqlite").write_text("nonsense\n")
    assert "file is not a database" in shop(f"pkg -r {ROOT} which -q /usr/bin/uname").err
