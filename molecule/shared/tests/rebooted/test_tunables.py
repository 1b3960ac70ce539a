# SPDX-License-Identifier: GPL-3.0-or-later
from testinfra.host import Host


def test_tunables_are_in_force(host: Host) -> None:
    assert host.check_output("sysctl -n kern.racct.enable") == "1"
