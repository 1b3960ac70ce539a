# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Runs of ansible-playbook, by their names."""

from __future__ import annotations

import getpass
import multiprocessing
import os
import socket


def this_run() -> str:
    """Return the name of the run that this process belongs to: USER@CONTROLLER:PROCESS.

    Plugins work in processes of their own; the run's is the one that forked them.
    """
    parent = multiprocessing.parent_process()
    return f"{getpass.getuser()}@{socket.gethostname()}:{parent.pid if parent else os.getpid()}"


def is_over(run: str) -> bool:
    """Whether a run is known to have ended: it was one on this controller, and its process is no more."""
    where, _colon, process = run.rpartition(":")
    if where.rpartition("@")[2] != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
