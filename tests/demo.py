#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: three model hosts on this machine, the example fleet converged on them, a change of one record.

demo.py           run it; everything it makes is in .demo
demo.py --clean   remove .demo
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from model import example

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".demo"
BIN = PROJECT / ".venv" / "bin"
COLLECTIONS = FOLDER / "collections"
INVENTORY = FOLDER / "inventory"
RECORD = INVENTORY / "jails" / "alice.yml"
OLD_PORT, NEW_PORT = 8011, 8111


def main() -> int:
    """Run the demonstration or remove what it made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clean", action="store_true", help="remove everything that the demonstration made")
    clean = parser.parse_args().clean
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    if clean:
        print("The demonstration's hosts are gone.")
        return 0
    try:
        demonstrate()
    except subprocess.CalledProcessError as failure:
        print(f"\nThe demonstration stopped: `{' '.join(map(str, failure.cmd))}` ended with {failure.returncode}.")
        return 1
    return 0


def demonstrate() -> None:
    """Show the whole way from an inventory to running jails, and a change."""
    say("Build the collection jailisp.vps and install it")
    install_collection()
    say("Start three model hosts: h1 and h3 with UFS, h2 with a pool")
    rack = example.make_rack(FOLDER / "rack", PROJECT / "inventory", INVENTORY)
    say("Converge them: ansible-playbook site.yml")
    run("ansible-playbook", "site.yml")
    say("What runs where: ansible-playbook playbooks/list.yml")
    run("ansible-playbook", "playbooks/list.yml")
    say("Converge again: nothing changes")
    nothing_changed(run("ansible-playbook", "site.yml"))
    say(
        f"A customer wants another port: jails/alice.yml publishes {NEW_PORT} instead of {OLD_PORT}. What would change?"
    )
    RECORD.write_text(RECORD.read_text().replace(f"port: {OLD_PORT},", f"port: {NEW_PORT},"))
    run("ansible-playbook", "site.yml", "--check", "--diff", "--limit", "h1")
    say("That is what we want: apply it")
    run("ansible-playbook", "site.yml", "--limit", "h1")
    say("Seen from h2: the new port answers, the old one does not")
    for port in (NEW_PORT, OLD_PORT):
        command = f"nc -z -w 1 203.0.113.10 {port}"
        answer = subprocess.run([rack.ssh, "h2", command], capture_output=True, check=False)
        print(f"h2$ {command}   -> {'answers' if answer.returncode == 0 else 'refused'}")
    say("The hosts stay. Look into them:")
    print(f"  export {variables(environment=settings())}")
    print("  .venv/bin/ansible jail_hosts -m jailisp.vps.jail_info     # what runs, as data")
    print("  .venv/bin/ansible h1 -m ansible.builtin.raw -a 'jls; pfctl -a jailisp -sn'")
    print(f"  {rack.ssh.relative_to(PROJECT)} h1                                       # a shell on h1")
    print(f"Edit {INVENTORY.relative_to(PROJECT)} and converge again by .venv/bin/ansible-playbook site.yml.")
    print("`make demo-clean` removes everything.")


def install_collection() -> None:
    """Build the collection from the checkout and install it into the demonstration's own folder."""
    FOLDER.mkdir()
    galaxy = str(BIN / "ansible-galaxy")
    run(galaxy, "collection", "build", "--output-path", str(FOLDER), quiet=True)
    (archive,) = FOLDER.glob("*.tar.gz")
    run(galaxy, "collection", "install", str(archive), "-p", str(COLLECTIONS), "--offline", quiet=True)
    print(f"{archive.name} is installed in {COLLECTIONS.relative_to(PROJECT)}")


def settings() -> dict[str, str]:
    """Return the environment by which Ansible finds the demonstration's inventory and collection."""
    return {
        "ANSIBLE_INVENTORY": ",".join(f"{INVENTORY.relative_to(PROJECT)}/{name}.yml" for name in ("hosts", "fleet")),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS.relative_to(PROJECT)),
    }


def variables(environment: dict[str, str]) -> str:
    """Show an environment as the shell takes it."""
    return " ".join(f"{name}={value}" for name, value in environment.items())


def run(*argv: str, quiet: bool = False) -> str:
    """Run a command in the project with its output shown as it comes (or not at all); return it; raise if it fails."""
    program = argv[0] if "/" in argv[0] else str(BIN / argv[0])
    environment = {**os.environ, **settings(), "PATH": f"{BIN}:{os.environ['PATH']}"}
    lines = []
    with subprocess.Popen(
        [program, *argv[1:]], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if not quiet:
                print(line, end="", flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [program, *argv[1:]])
    return "".join(lines)


def nothing_changed(output: str) -> None:
    """Say that a run changed nothing on any host; end the demonstration if it did."""
    changed = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)
    if not changed or any(number != "0" for host, number in changed):
        raise SystemExit(f"The second run was to change nothing, but did: {changed}")
    print(f"Nothing changed on {', '.join(host for host, number in changed)}.")


def say(text: str) -> None:
    """Announce a step."""
    print(f"\n\033[1m== {text}\033[0m\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
