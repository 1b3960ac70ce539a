# SPDX-License-Identifier: GPL-3.0-or-later
from testinfra.host import Host

KEPT = "/var/tmp/jailisp-molecule"


def test_check_mode_changes_nothing_on_a_fresh_host(host: Host) -> None:
    before = host.check_output(f"cat {KEPT}/prepared").splitlines()
    after = host.check_output(f"{KEPT}/host.sh list").splitlines()
    assert after == before
