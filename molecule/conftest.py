# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of all scenarios are given."""

import pytest
from records import Site, found_hosts, read_site
from testinfra.host import Host


@pytest.fixture(scope="module")
def site(host: Host) -> Site:
    """Return the host as the inventory has it; where only one was found, it may be reached by any name."""
    names = list(found_hosts())
    return read_site(names[0] if len(names) == 1 else host.backend.get_hostname())
