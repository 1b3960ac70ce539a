#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pf_anchor
short_description: Converge the rules and tables of a pf anchor
version_added: 0.1.0
description:
  - Makes one anchor of pf hold exactly the given rules (nat, binat, rdr, pass, block, match) and tables, and keeps them
    in a file that C(pf.conf) loads, so that reload, restart and reboot keep them too.
  - C(pf.conf) stays the administrator's. Only the lines that call and load the anchor are added, where pf.conf(5)
    allows them. A host without one gets one that holds nothing else.
  - What would be loaded is parsed by C(pfctl -n) first, in check mode too. A load is one transaction. When it is
    refused, the old rules stay in force and the message names the record that the refused rule comes from.
  - After a load, the states of those jails about which old rules decided otherwise are killed by their labels.
  - A load forgets what the labels counted. So that is added up in C(/var/db/jailisp/pf_ANCHOR_traffic.json) before, by
    label - evaluations, packets and bytes in, packets and bytes out.
  - A published port that a rule of O(conf) redirects before ours is asked is an error that names both.
  - Needs the kernel module C(pf), see M(jailisp.vps.host_settings). Enables pf if it is disabled.
options:
  rules:
    description: All rules of the anchor, in pf's order, translation before filtering.
    type: list
    elements: dict
    required: true
    suboptions:
      rule:
        description:
          - One rule on one line, as in pf.conf(5), in the syntax that FreeBSD 14 and 15 share.
          - The numbers of pipes in it are checked to be possible, since C(pfctl -n) does not check them.
        type: str
        required: true
      jail:
        description: The record that the rule comes from; messages name it, and a change of its rules kills its states.
        type: str
  tables:
    description: Tables of the anchor; each name with the addresses and networks that it holds.
    type: dict
    default: {}
  kept_tables:
    description:
      - Names of tables of the anchor that the host's administrators fill by C(pfctl -T add) and C(pfctl -T delete).
      - No load takes away what they added. It is written down in C(/var/db/jailisp/pf_ANCHOR_table_NAME), from where
        whatever runs at boot after C(rc.d/pf) can add it again.
    type: list
    elements: str
    default: []
  guard:
    description:
      - After how many seconds what was loaded is taken back, unless it was confirmed by removing the file that
        RV(unconfirmed) names. Remove it over a new connection, since the old one outlives any rule. If it is not there
        any more when you come to remove it, the time was up before.
      - A reboot ends what waits. Whatever runs at boot before C(rc.d/pf) can take back what was not confirmed, by
        C(/bin/sh /var/db/jailisp/pf_ANCHOR_guard.sh boot) if that file is there, or C(pf_ANCHOR_taking_back) beside it;
        the role P(jailisp.vps.host#role) installs such a script.
      - With V(0) nothing is ever taken back.
    type: int
    default: 0
  unskipped:
    description: Interfaces that O(conf) must not have pf skip.
    type: list
    elements: str
    default: []
  anchor:
    description: The name of the anchor.
    type: str
    default: jailisp
  conf:
    description: The file of pf's main rules.
    type: path
    default: /etc/pf.conf
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Translate, publish and shape alice
  jailisp.vps.pf_anchor:
    rules:
      - jail: alice
        rule: nat on vtnet0 inet from 192.168.1.17 to any tag jail_alice -> 203.0.113.10
      - jail: alice
        rule: >-
          rdr on vtnet0 inet proto tcp from any to 203.0.113.10 port 8017 tag jail_alice
          -> 192.168.1.17 port 22
      - jail: alice
        rule: pass quick on lo inet from 192.168.1.17 to 192.168.1.17
      - rule: block drop quick on lo inet from <jails> to <jails>
      - jail: alice
        rule: pass out quick on vtnet0 inet tagged jail_alice keep state label "jail:alice" dnpipe (10034, 10035)
      - jail: alice
        rule: pass in quick on vtnet0 inet tagged jail_alice keep state label "jail:alice" dnpipe (10035, 10034)
    tables:
      jails: [192.168.1.17, 192.168.1.18]
"""

RETURN = r"""
commands:
  description: What was done, or in check mode would be done, in order; processes as typed, and files written.
  returned: always
  type: list
  elements: str
before:
  description: What differs, as it was; keyed by the name of the thing.
  returned: always
  type: dict
after:
  description: What differs, as it is now; keyed by the name of the thing.
  returned: always
  type: dict
errors:
  description: What went wrong, by record; an empty name means the host.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the record.
      type: str
    error:
      description: What went wrong.
      type: str
unconfirmed:
  description: The file to remove if the host can still be reached; empty if nothing waits to be confirmed.
  returned: always
  type: str
  sample: /var/db/jailisp/pf_jailisp_unconfirmed
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._pf.observe import PfAnchor
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "rules": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "rule": {"type": "str", "required": True},
            "jail": {"type": "str"},
        },
    },
    "tables": {"type": "dict", "default": {}},
    "kept_tables": {"type": "list", "elements": "str", "default": []},
    "guard": {"type": "int", "default": 0},
    "unskipped": {"type": "list", "elements": "str", "default": []},
    "anchor": {"type": "str", "default": "jailisp"},
    "conf": {"type": "path", "default": "/etc/pf.conf"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: PfAnchor(module.params))


if __name__ == "__main__":
    main()
