# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An executable model of a FreeBSD 15.1 jail host.

One implementation serves two uses: unit tests call :meth:`model.host.Host.run` in their own process, and a model host
that Ansible connects to runs the same code as the commands of an isolated file system (:mod:`model.enter`).

A host is a folder: ``root/`` is its file system and ``disk.json`` what else its disks hold, both outlive a reboot;
``kernel.json`` is what its kernel knows and a reboot forgets; ``commands.log`` has a line for each process started.

The model refuses what FreeBSD refuses: a command or an option that it does not know is an error, never a quiet success.
"""
