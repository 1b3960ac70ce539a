# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import yaml

from ansible_collections.jailisp.vps.plugins.plugin_utils._ssh import jail_options


class ModuleDocFragment:
    """The options of whatever ssh connection the installed Ansible has."""

    # Annotated, since ansible-test takes a plain assignment here for one of a literal text.
    DOCUMENTATION: str = yaml.safe_dump({"options": jail_options()})
