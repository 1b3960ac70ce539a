# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible reaches the jails as hosts of their own, through their host and into nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from records import INVENTORY, Jail, Site
from testinfra.host import Host

PROBE = "/var/tmp/jailisp-probe"
LINK = "/tmp/jailisp-link"


@pytest.fixture
def jail(site: Site) -> Jail:
    return site.running[0]


def ansible(jail: Jail, module: str, arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the jail by Ansible."""
    sources = [f"--inventory={INVENTORY / name}" for name in ("hosts.yml", "fleet.yml")]
    return subprocess.run(
        [sys.executable, "-m", "ansible.cli.adhoc", jail.name, *sources, "-m", module, "-a", arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_runs_in_the_jail(jail: Jail) -> None:
    done = ansible(jail, "ansible.builtin.raw", "hostname; sysctl -n security.jail.jailed")
    assert done.stdout.splitlines()[1:3] == [jail.hostname, "1"], done.stdout + done.stderr


def test_a_jail_that_does_not_run_is_unreachable(site: Site) -> None:
    stopped = next(jail for jail in site.jails if not jail.runs)
    done = ansible(stopped, "ansible.builtin.raw", "hostname")
    assert f"{stopped.name} does not run on" in done.stdout + done.stderr


def test_a_file_lands_in_the_jail_wherever_its_links_lead(host: Host, jail: Jail, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\nhostname\n")
    inside = f"jexec {jail.name}"
    host.check_output(f"mkdir {PROBE}")
    host.check_output(f"{inside} mkdir {PROBE}")
    host.check_output(f"{inside} ln -s {PROBE} {LINK}")
    try:
        kept = {"ANSIBLE_REMOTE_TMP": LINK, "ANSIBLE_KEEP_REMOTE_FILES": "true"}
        done = ansible(jail, "ansible.builtin.script", str(script), **kept)
        assert jail.hostname in done.stdout, done.stdout + done.stderr
        assert "script.sh" in host.check_output(f"{inside} find {PROBE} -type f")
        assert host.check_output(f"find {PROBE} -type f") == ""
    finally:
        host.check_output(f"rm -rf {PROBE}")
        host.check_output(f"{inside} rm -rf {PROBE} {LINK}")
