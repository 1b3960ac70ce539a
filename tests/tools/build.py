# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection as it is published, install it where nothing else is, and use it from there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / ".build" / "artifact"
INSTALLED = ROOT / ".build" / "installed"
ELSEWHERE = ROOT / ".build" / "elsewhere"

# Nothing of the checkout may help: not its ansible.cfg, its inventory, nor the tree that shows it as a collection.
OUTSIDE = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHONPATH"))}
ENVIRONMENT = OUTSIDE | {"ANSIBLE_COLLECTIONS_PATH": str(INSTALLED), "ANSIBLE_INJECT_FACT_VARS": "false"}


def run(*argv: str | Path) -> None:
    """Run one command in an empty folder, ending with its status when it fails."""
    status = subprocess.run(argv, cwd=ELSEWHERE, env=ENVIRONMENT, check=False).returncode
    if status:
        sys.exit(status)


def build() -> Path:
    """Build the artifact from the checkout, and return it."""
    run("ansible-galaxy", "collection", "build", ROOT, "--output-path", ARTIFACTS)
    (artifact,) = ARTIFACTS.glob("*.tar.gz")
    return artifact


def main() -> None:
    """Build, install and use."""
    for folder in (ARTIFACTS, INSTALLED, ELSEWHERE):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run("ansible-galaxy", "collection", "install", build(), "--collections-path", INSTALLED, "--offline")
    run("ansible-playbook", "--inventory", "localhost,", "--syntax-check", "jailisp.vps.site")


if __name__ == "__main__":
    main()
