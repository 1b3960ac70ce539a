#!/usr/bin/python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jail_accounts
short_description: Let customers into their jails
version_added: 0.1.0
description:
  - Hands roots that M(jailisp.vps.jail_worlds) made to their customers, with a user of the customer's in the group
    wheel, the hash of his password for that user and for root, his public keys for both, host keys that no other jail
    has, and the files in etc that say what the jail is called and where it is.
  - Delivers a changed password and changed keys into jails that run.
  - A root is written in by the host only as long as nobody else has had it, which a note on the host says. From then on
    everything goes through a program inside the running jail, on its standard input. No secret is in an argument, a
    file that others may read, the result or a diff, and nothing that a program inside a jail prints is read.
  - What was delivered is noted on the host, of the password a checksum of its hash. Only what the record says otherwise
    than the note is delivered, so a password or a key that the customer gave himself stays. He may also remove his
    user.
options:
  accounts:
    description: The accounts, one a jail.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail.
        type: str
        required: true
      path:
        description: The root of the jail.
        type: str
        required: true
      user:
        description:
          - The customer's login name, none that FreeBSD has itself.
          - In a jail that runs already, a user of another name is given what is delivered if he is there, but not made.
        type: str
        required: true
      password:
        description:
          - The hash of the password, as C(openssl passwd -6) makes it.
          - Without it nobody gets in by password, and the user cannot become root by su(1) either.
        type: str
      keys:
        description: Public ssh keys, as lines of an authorized_keys file.
        type: list
        elements: str
        default: []
      runs:
        description: Whether the jail shall run. Nothing is delivered into one that shall not.
        type: bool
        default: true
      hostname:
        description: Its host name, for a fresh root. Without it, O(accounts[].name).
        type: str
      addresses:
        description: Its addresses, for etc/hosts of a fresh root.
        type: list
        elements: str
        default: []
      image:
        description: The image that is mounted at the root, as in M(jailisp.vps.jail_worlds).
        type: dict
        suboptions:
          file:
            description: The file of the image.
            type: str
            required: true
          unit:
            description: The number of its memory disk.
            type: int
            required: true
  roots:
    description:
      - V(fresh) hands over the roots that were made on this host and that nobody has had yet. Others are left alone.
      - V(running) delivers changes into jails that run.
    type: str
    choices: [fresh, running]
    required: true
  assumed:
    description:
      - In check mode, the jails whose root an earlier task would have made, or that it would have started.
      - Nothing is ever done to a root that is there and is not noted as fresh because it is named here.
    type: list
    elements: str
    default: []
  rc_conf:
    description: Lines for etc/rc.conf of each fresh root, besides C(hostname).
    type: str
    default: ""
  resolvers:
    description: Addresses of name servers for etc/resolv.conf of each fresh root, which has no such file without.
    type: list
    elements: str
    default: []
  at_once:
    description: How many jails are given their accounts at the same time.
    type: int
    default: 4
extends_documentation_fragment:
  - jailisp.vps.attributes
  - jailisp.vps.attributes.converges
"""

EXAMPLES = r"""
- name: Hand over what was made
  jailisp.vps.jail_accounts:
    roots: fresh
    accounts:
      - name: alice
        path: /usr/local/jails/h1/alice
        user: alice
        password: "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
        keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQUgEmr1FXM+hyTKmqRYPoiLBa6y7hyOt/xOG0owglu alice"]
        hostname: www.alice.example.net
        addresses: [192.168.1.17]
    rc_conf: |
      sshd_enable="YES"
    resolvers: [192.0.2.53]

- name: Deliver a new password to a customer whose jail runs
  jailisp.vps.jail_accounts:
    roots: running
    accounts:
      - name: alice
        path: /usr/local/jails/h1/alice
        user: alice
        password: "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
"""

RETURN = r"""
commands:
  description: What was done, or in check mode would be done, in order; processes as typed, and files written.
  returned: always
  type: list
  elements: str
before:
  description: What differs, as it was; keyed by the name of the thing. Of a password only whether it is set.
  returned: always
  type: dict
after:
  description: What differs, as it is now; keyed by the name of the thing. Of a password only whether it is set or new.
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
unready:
  description: The jails whose fresh root could not be handed over. They must not be started.
  returned: when O(roots=fresh)
  type: list
  elements: str
waiting:
  description: The jails that something is to be delivered into once they run.
  returned: when O(roots=running)
  type: list
  elements: str
gone:
  description: The jails whose customer has removed his user, and that user. Only root was given what is new.
  returned: when O(roots=running) and there are any
  type: dict
  sample: {"bob": "bob"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.jailisp.vps.plugins.module_utils._accounts.observe import Accounts
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import OPTION as IMAGE
from ansible_collections.jailisp.vps.plugins.module_utils._shell import run_module

ARGUMENT_SPEC = {
    "accounts": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "runs": {"type": "bool", "default": True},
            "hostname": {"type": "str"},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "image": IMAGE,
        },
    },
    "roots": {"type": "str", "choices": ["fresh", "running"], "required": True},
    "assumed": {"type": "list", "elements": "str", "default": []},
    "rc_conf": {"type": "str", "default": ""},
    "resolvers": {"type": "list", "elements": "str", "default": []},
    "at_once": {"type": "int", "default": 4},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, lambda: Accounts(module.params))


if __name__ == "__main__":
    main()
