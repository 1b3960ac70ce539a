# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess

from ansible_collections.jailisp.vps.plugins.plugin_utils._runs import is_over, this_run


def test_a_run_has_the_same_name_in_all_of_its_processes() -> None:
    assert this_run().endswith(f"@{socket.gethostname()}:{os.getpid()}")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(this_run) == this_run()


def test_only_a_run_of_this_controller_whose_process_is_gone_is_known_to_be_over() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    here = f"anna@{socket.gethostname()}"
    assert is_over(f"{here}:{gone.pid}")
    for run in (this_run(), f"{here}:1", f"anna@elsewhere:{gone.pid}", "", "x", f"{here}:x", f"{here}:{10**30}"):
        assert not is_over(run), run
