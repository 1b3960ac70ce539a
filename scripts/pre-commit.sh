#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The hook of .pre-commit-hooks.yaml, which runs a file of this repository; $0 is where pre-commit has put it.
exec python3 "$(dirname "$0")/fleet.py" validate "$@"
