# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What Ansible's ssh connection can be told, from its own documentation, since that differs between releases."""

from __future__ import annotations

import functools
import typing as t

import yaml
from ansible.plugins.connection import ssh

# The program on the host that enters a jail.
JEXEC = "ansible_jail_jexec"
# Says where to: what reads it would reach the jail's host, and take it for the jail.
_DESTINATION = "host"
# How files are moved: into a jail there is only one way.
_TRANSFER = ("sftp_", "scp_", "ssh_transfer_method")


def jail_options() -> dict[str, t.Any]:
    """Return the options of the ssh connection that the connection into a jail has too, as documentation has them."""
    options = yaml.safe_load(ssh.DOCUMENTATION)["options"]
    return {
        name: _without_versions(option)
        for name, option in options.items()
        if name != _DESTINATION and not name.startswith(_TRANSFER)
    }


@functools.cache
def jail_variables() -> frozenset[str]:
    """Return the names of the variables of a host that its jails' connection needs as well."""
    names = (entry["name"] for option in jail_options().values() for entry in option.get("vars", ()))
    return frozenset((*names, JEXEC))


def _without_versions(value: t.Any) -> t.Any:
    """Return documentation without the versions that added something, which here would mean this collection's."""
    if isinstance(value, dict):
        return {key: _without_versions(each) for key, each in value.items() if key != "version_added"}
    if isinstance(value, list):
        return [_without_versions(each) for each in value]
    return value
