# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on a clean copy of the tree, on any machine that reaches a package index.

    .venv/bin/python tests/tools/run_ansible_test.py sanity --python 3.11

ansible-test wants three things that a checkout does not give: a path that ends in ansible_collections/jailisp/vps,
a git work tree that holds nothing but the collection, and a script get-pip.py that it would download from a site of
its own. The copy is the first two. A HOME of its own holds the third, which lets the pip of this Python do the work,
and pip's settings, because ansible-test passes on no PIP_* variable.
"""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import get_venv_packages

from pip_settings import pip_settings

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "ansible-test"
HOME = WORK / "home"

# ansible-test calls it with the Python of a new environment; the two options are known to the original only.
GET_PIP = """\
import subprocess
import sys

options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([{python!r}, "-m", "pip", "--python", sys.executable, "install", *options]))
"""


def project_files() -> list[str]:
    """Return what is or could be committed, so that a change can be checked before it is."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in sorted(set(listed.split("\0"))) if name and os.path.lexists(ROOT / name)]


def copy_project(tree: Path) -> None:
    """Copy the project's files into a git work tree of its own."""
    shutil.rmtree(tree, ignore_errors=True)
    for name in project_files():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    subprocess.run(["git", "add", "--all"], cwd=tree, check=True)


def write_home() -> None:
    """Write what ansible-test and its pip look for in a home directory."""
    python = NativePythonConfig(version=f"{sys.version_info.major}.{sys.version_info.minor}", path=sys.executable)
    version = get_venv_packages(python)["pip"]
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(python=sys.executable), encoding="utf-8")

    settings = configparser.RawConfigParser()
    settings["global"] = {**pip_settings(), "quiet": "1"}
    (HOME / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    with (HOME / ".config" / "pip" / "pip.conf").open("w", encoding="utf-8") as file:
        settings.write(file)


def main() -> None:
    """Run ansible-test with the arguments given; each of its commands has a copy, so that two can run at once."""
    arguments = sys.argv[1:]
    tree = WORK / arguments[0] / "ansible_collections" / "jailisp" / "vps"
    copy_project(tree)
    write_home()
    environment = {**os.environ, "HOME": str(HOME)}
    sys.exit(subprocess.run(["ansible-test", *arguments], cwd=tree, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
