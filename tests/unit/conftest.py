# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the tests import the package model, also under ansible-test, which does not read pyproject.toml."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
