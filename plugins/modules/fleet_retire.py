#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_retire
short_description: Retire a jail in its record
version_added: 0.1.0
description:
  - Writes into the record of a jail that it is absent, and since when; everything else in the record stays as it is
    written. Nothing is done on any host, the playbook C(jailisp.vps.site) and M(jailisp.vps.jail_archives) do that.
  - The record stays, so that the jail's id, address and ports are given to nobody else, until its root is destroyed.
  - The whole fleet is checked before and with the changed record. What fails leaves the record as it was.
  - It works on the controller. Several may work at once; one waits for the other.
extends_documentation_fragment:
  - jailisp.vps.attributes.controller
  - jailisp.vps.attributes.converges
options:
  fleet:
    description: The file C(fleet.yml) of the inventory.
    type: path
    required: true
  jail:
    description: Name of the jail.
    type: str
    required: true
  step:
    description:
      - V(retire) writes that the jail is absent. One that is retired already keeps its moment.
      - V(destroy) writes nothing. It fails unless the jail is retired already, so that nothing is destroyed that was
        never archived.
      - V(forget) removes the record of a retired jail.
      - For the last two a jail without a record is no error; RV(known) tells.
    type: str
    choices: [retire, destroy, forget]
    default: retire
  commit:
    description: Whether to commit the record to git. Nothing else gets into the commit.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Retire a jail
  jailisp.vps.fleet_retire:
    fleet: inventory/fleet.yml
    jail: alice
  register: retired

- name: Forget a jail whose root is destroyed
  jailisp.vps.fleet_retire:
    fleet: inventory/fleet.yml
    jail: alice
    step: forget
    commit: true
"""

RETURN = r"""
known:
  description: Whether there is a record, or was before it was forgotten just now. Without one the following is missing.
  returned: success
  type: bool
host:
  description: The jail's host.
  returned: when known
  type: str
path:
  description: The jail's root on that host.
  returned: when known
  type: str
  sample: /usr/local/jails/h1/alice
retired:
  description: When the jail was retired, in UTC.
  returned: when known
  type: str
  sample: 2026-11-24T093000Z
archive:
  description: The path on that host of the archive that M(jailisp.vps.jail_archives) makes.
  returned: when known
  type: str
  sample: /var/jail-archives/alice-2026-11-24T093000Z.tar.zst
until:
  description: The day from which on the archive is removed, once the jail's record is gone.
  returned: when known
  type: str
  sample: "2027-02-22"
files:
  description: The records that were written or removed, or in check mode would be, relative to the inventory.
  returned: success
  type: list
  elements: str
  sample: [jails/alice.yml]
commit:
  description: The commit that was made; empty if there was none.
  returned: success
  type: str
"""
