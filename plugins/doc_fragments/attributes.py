# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of every module has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragments; a module that converges a host uses the default one and C(.converges)."""

    DOCUMENTATION = r"""
options: {}
author:
  - the jailisp.vps authors (@jailisp)
attributes:
  platform:
    description: The systems that the module runs on.
    support: full
    platforms: freebsd
  action_group:
    description: Use C(group/jailisp.vps.vps) in C(module_defaults) to set defaults for all modules of the collection.
    support: full
    membership:
      - jailisp.vps.vps
"""

    CONTROLLER = r"""
options: {}
author:
  - the jailisp.vps authors (@jailisp)
attributes:
  platform:
    description: The systems that the action runs on, which is the controller.
    support: full
    platforms: posix
  action_group:
    description: Use C(group/jailisp.vps.vps) in C(module_defaults) to set defaults for all modules of the collection.
    support: full
    membership:
      - jailisp.vps.vps
"""

    CONVERGES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do without changing anything.
    support: full
  diff_mode:
    description: Returns what differs, and nothing else, when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode with the same options, the second run changes nothing.
    support: full
"""

    HOLDS = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do without changing anything.
    support: full
  diff_mode:
    description: Returns what differs, and nothing else, when in diff mode.
    support: N/A
    details:
      - What a run holds is no part of the host's state.
  idempotent:
    description: When run twice in a row outside check mode with the same options, the second run changes nothing.
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do without changing anything.
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    description: Returns what differs, and nothing else, when in diff mode.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description: When run twice in a row outside check mode with the same options, the second run changes nothing.
    support: full
    details:
      - This module changes nothing.
"""
