# SPDX-License-Identifier: GPL-3.0-or-later
"""Make .venv hold what a requirements file names, and .build/tree show the checkout as an Ansible collection.

    python3 tests/tools/bootstrap.py requirements-dev.txt

Nothing happens when both are there already. The standard library alone runs this; a Python too old for ansible-core
gets as far as being told so. Debian's python3 comes without the package that `python3 -m venv` wants, so pip is put
into the environment by whatever way the machine offers.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from pip_settings import pip_settings

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
COLLECTION = ROOT / ".build" / "tree" / "ansible_collections" / "jailisp" / "vps"
DEFAULT_INDEX = "https://pypi.org/simple"

# The pip that is fetched when the machine has none. Its checksum stands here, so an index need not be trusted.
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def say(text: str) -> None:
    """Show progress at once, even when make has redirected the output."""
    print(f"bootstrap: {text}", flush=True)


def requirement_files(name: str) -> list[str]:
    """Return the file and all that it includes with -r: together they decide what is installed."""
    included = re.findall(r"^-r\s+(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return [name, *(inner for direct in included for inner in requirement_files(direct))]


def digest(name: str) -> str:
    """Return the checksum of a requirements file, of what it includes, and of the place its scripts are bound to."""
    parts = [str(VENV), *((ROOT / part).read_text(encoding="utf-8") for part in requirement_files(name))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def stamp(name: str) -> Path:
    """Return the file that says which checksum of these requirements is installed, whole."""
    return VENV / f".installed-{name}"


def is_installed(name: str) -> bool:
    """Tell whether these requirements are installed, by an interpreter that still exists."""
    return VENV_PYTHON.exists() and stamp(name).exists() and stamp(name).read_text(encoding="utf-8") == digest(name)


def is_whole() -> bool:
    """Tell whether the last run finished: stamps are taken away first and put back last."""
    return VENV_PYTHON.exists() and any(VENV.glob(".installed-*"))


def succeeds(*argv: str | Path) -> bool:
    """Run one attempt of several quietly: what it prints when it fails is of no use while another may work."""
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def pip_by_ensurepip() -> bool:
    """Install pip from the copy that a complete Python carries."""
    return succeeds(VENV_PYTHON, "-m", "ensurepip", "--default-pip")


def pip_by_other_pip() -> bool:
    """Install pip with any pip of the machine that can serve another interpreter (22.3 or newer)."""
    programs = filter(None, map(shutil.which, ("pip3", "pip")))
    pips = [[sys.executable, "-m", "pip"], *([path] for path in programs)]
    return any(succeeds(*pip, "--python", VENV_PYTHON, "install", "pip") for pip in pips)


def fetch(url: str, certificates: str | None) -> bytes:
    """Read one address, with the authorities that pip was told to trust."""
    context = ssl.create_default_context(cafile=certificates)
    with urllib.request.urlopen(url, timeout=60, context=context) as answer:
        return bytes(answer.read())


def fetch_pip_wheel(index: str, certificates: str | None) -> bytes:
    """Read pip's wheel from one index; anything but the known file is an error."""
    page = f"{index.rstrip('/')}/pip/" + ("index.html" if index.startswith("file:") else "")
    link = re.search(rf'href="([^"]*{re.escape(PIP_WHEEL)}[^"]*)"', fetch(page, certificates).decode())
    if link is None:
        raise ValueError(f"{page} does not offer {PIP_WHEEL}")
    wheel = fetch(urllib.parse.urljoin(page, link[1]), certificates)
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise ValueError(f"{page} offers another {PIP_WHEEL} than the one known here")
    return wheel


def first_pip_wheel() -> bytes | None:
    """Read pip's wheel from the first index that has it, saying why the others do not serve."""
    settings = pip_settings()
    for index in [settings.get("index-url", DEFAULT_INDEX), *settings.get("extra-index-url", "").split()]:
        try:
            return fetch_pip_wheel(index, settings.get("cert"))
        except (OSError, ValueError) as error:
            say(f"no pip from {index}: {error}")
    return None


def pip_by_wheel() -> bool:
    """Install pip by running it from its own wheel."""
    wheel = first_pip_wheel()
    if wheel is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, PIP_WHEEL)
        path.write_bytes(wheel)
        return succeeds(VENV_PYTHON, path / "pip", "install", "--no-index", path)


def create() -> None:
    """Make an empty environment with pip in it, in place of whatever is there."""
    say(f"creating {VENV} with {sys.executable}")
    if subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV], check=False).returncode != 0:
        sys.exit(f"bootstrap: {sys.executable} could not make {VENV}; see its message above")
    if not (pip_by_ensurepip() or pip_by_other_pip() or pip_by_wheel()):
        sys.exit(
            "bootstrap: no pip could be found or fetched. Install the package that brings it (Debian and Ubuntu: "
            "apt install python3-venv; FreeBSD: pkg install py311-pip), or let PIP_INDEX_URL name an index."
        )


def install(name: str) -> None:
    """Install one requirements file, so that an interrupted run leaves no stamp and the next one starts afresh."""
    if not is_whole():
        create()
    for old in VENV.glob(".installed-*"):
        old.unlink()
    say(f"installing {name}")
    pip = (str(VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--requirement", str(ROOT / name))
    if subprocess.run(pip, check=False).returncode != 0:
        sys.exit(f"bootstrap: {name} could not be installed; see pip's message above")
    for part in requirement_files(name):
        stamp(part).write_text(digest(part), encoding="utf-8")


def refuse_old_python() -> None:
    """End with what to do about it when this Python is too old for ansible-core."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"bootstrap: Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed, {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}; if there is another one: make PYTHON=python3.11 ..."
        )


def link_collection() -> None:
    """Let the checkout be found as ansible_collections.jailisp.vps, wherever it lies."""
    if not COLLECTION.is_symlink():
        COLLECTION.parent.mkdir(parents=True, exist_ok=True)
        COLLECTION.symlink_to("../../../..")


def main() -> None:
    """Install what the argument names, unless it is there; two at once take turns."""
    refuse_old_python()
    name = sys.argv[1]
    with Path(__file__).open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        link_collection()
        if not is_installed(name):
            install(name)


if __name__ == "__main__":
    main()
