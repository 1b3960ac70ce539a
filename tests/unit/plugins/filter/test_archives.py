# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.archives import FilterModule


def test_only_what_is_absent_and_was_retired_is_archived(jails: list[dict[str, t.Any]]) -> None:
    moment = "2026-11-24T093000Z"
    absent, retired, back = ({**jails[0], "name": name, "path": f"/jails/{name}"} for name in ("carol", "dave", "erin"))
    absent["state"] = retired["state"] = "absent"
    retired["retired"] = back["retired"] = moment
    assert FilterModule().filters()["archives"]([*jails, absent, retired, back]) == [
        {"name": "dave", "path": "/jails/dave", "retired": moment}
    ]
