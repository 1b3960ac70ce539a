# SPDX-License-Identifier: GPL-3.0-or-later
"""What the administrator has told pip about indexes, certificates and proxies."""

from __future__ import annotations

import configparser
import os
from pathlib import Path


def settings_files() -> list[Path]:
    """Return the files that pip itself reads, the one that wins last."""
    home = Path.home()
    config_home = Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"))
    personal = [home / ".pip/pip.conf", config_home / "pip/pip.conf"]
    return [Path("/etc/pip.conf"), *personal, Path(os.environ.get("PIP_CONFIG_FILE", os.devnull))]


def pip_settings() -> dict[str, str]:
    """Return the settings that `pip install` would obey: its files, then its variables."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(settings_files(), encoding="utf-8")
    settings = {key: value for part in ("global", "install") if part in parser for key, value in parser[part].items()}
    variables = {key[4:].lower().replace("_", "-"): value for key, value in os.environ.items() if key[:4] == "PIP_"}
    return settings | variables
