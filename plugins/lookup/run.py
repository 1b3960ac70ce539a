# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup ``run``; :mod:`plugin_utils._runs` does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run
short_description: The name of this run of ansible-playbook
version_added: 0.1.0
description:
  - Returns who runs, on which controller, in which process; the same in all plays and tasks of one run.
  - In the environment of a play as C(JAILISP_RUN) it has the modules of the collection hold each host for the run, from
    the first module that changes something until M(jailisp.vps.host_hold) lets go, so that two runs never mix.
author:
  - the jailisp.vps authors (@jailisp)
options:
  _terms:
    description: None are wanted.
"""

EXAMPLES = r"""
- name: Converge the pipes of a host that no other run shall touch meanwhile
  hosts: jail_hosts
  gather_facts: false
  environment:
    JAILISP_RUN: "{{ lookup('jailisp.vps.run') }}"
  tasks:
    - name: Hold the host
      jailisp.vps.host_hold:

    - name: Converge the pipes
      jailisp.vps.dummynet_pipes:
        pipes: []

    - name: Let go of the host
      jailisp.vps.host_hold:
        state: released
"""

RETURN = r"""
_raw:
  description: The name, a list of one.
  type: list
  elements: str
  sample: ["anna@control.example.net:4711"]
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.jailisp.vps.plugins.plugin_utils._runs import this_run


class LookupModule(LookupBase):
    """Ansible's lookup run."""

    def run(self, terms: t.Any, variables: t.Any = None, **options: t.Any) -> list[str]:
        """Return the name of this run."""
        return [this_run()]
