# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.filter.images import FilterModule
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.filters import archives, jails_parameters, worlds

FILE = "/var/jail-images/alice.img"


def test_only_jails_with_an_image_that_are_not_absent_have_one(jails: list[dict[str, t.Any]]) -> None:
    with_image = {**jails[0], "storage": "image", "image": FILE}
    absent = {**with_image, "name": "carol", "state": "absent"}
    assert FilterModule().filters()["images"]([with_image, jails[1], absent]) == [
        {"name": "alice", "file": FILE, "unit": 17, "size": "4G", "path": "/usr/local/jails/h1/alice"}
    ]


def test_every_module_is_told_of_the_image(jails: list[dict[str, t.Any]]) -> None:
    one = [{**jails[0], "image": FILE}]
    retired = [{**one[0], "state": "absent", "retired": "2026-11-24T093000Z"}]
    for option in (jails_parameters(one, "lo1"), worlds(one), archives(retired)):
        assert option[0]["image"] == {"file": FILE, "unit": 17}
