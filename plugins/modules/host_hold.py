#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_hold
short_description: Hold a host for a run, or let go of it
version_added: 0.1.0
description:
  - Waits until no other run of the collection's playbooks holds the host, and holds it for this one, which
    C(JAILISP_RUN) in the environment names (see P(jailisp.vps.run#lookup)). Until the run lets go, modules of other
    runs that would change something on the host are refused, and say who holds it.
  - A run that has ended without letting go loses the host at once if it was on the same controller, else after 2
    minutes in which it did nothing on the host. So does a run that waits for slower hosts for longer, and then is
    refused itself if another one came.
  - In check mode nothing is held, and nothing is waited for.
options:
  state:
    description:
      - Whether to hold the host or to let go of it.
      - V(awaited) lets go of it, and then waits until no other run holds it.
    type: str
    choices: [held, released, awaited]
    default: held
  seconds:
    description: How long to wait for another run, in seconds; 0 for not at all.
    type: int
    default: 600
  instead_of:
    description: The run that is known to have ended without letting go.
    type: str
    default: ""
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.holds
"""

EXAMPLES = r"""
- name: Hold the host once other runs have let it go, but wait no longer than a minute
  jailisp.vps.host_hold:
    seconds: 60
  environment:
    JAILISP_RUN: "{{ lookup('jailisp.vps.run') }}"
"""

RETURN = r"""
holder:
  description: Who holds the host instead, since and until when in seconds of the epoch. Empty if nobody else does.
  returned: always
  type: dict
  sample: {"run": "anna@control.example.net:4711", "module": "jails", "process": 812, "since": 1795899224}
"""

import os
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._files import Files
from ansible_collections.jailisp.vps.plugins.module_utils._hold import VARIABLE, Held, call, let_go

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["held", "released", "awaited"], "default": "held"},
    "seconds": {"type": "int", "default": 600},
    "instead_of": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module; the action of the same name does the waiting."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run = os.environ.get(VARIABLE, "")
    if not run:
        module.fail_json(msg=f"no run is named: set {VARIABLE} in the environment of the play, see the lookup run")
    if module.check_mode:
        module.exit_json(changed=False, holder={})
    try:
        state, instead_of = module.params["state"], module.params["instead_of"]
        if state == "held":
            with call(Files(), "host_hold", run, instead_of=instead_of):
                pass
        else:
            let_go(Files(), run, instead_of=instead_of, awaited=state == "awaited")
    except Held as held:
        module.fail_json(msg=str(held), holder=asdict(held.holder))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; log in as root, or set become: true")
    module.exit_json(changed=False, holder={})


if __name__ == "__main__":
    main()
