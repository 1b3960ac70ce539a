#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: three model hosts on this machine, the example fleet converged on them, a change of one record.

demo.py                  run it; everything it makes is in .demo, or in the folder named by --folder
demo.py --clean          remove that folder
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
BIN = PROJECT / ".venv" / "bin"
OLD_PORT, NEW_PORT = 8011, 8111


def main() -> int:
    """Run the demonstration or remove what it made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clean", action="store_true", help="remove everything that the demonstration made")
    parser.add_argument("--folder", default=".demo", help="where it makes everything, relative to the project")
    options = parser.parse_args()
    folder = PROJECT / options.folder
    if folder.exists():
        shutil.rmtree(folder)
    if options.clean:
        print("The demonstration's hosts are gone.")
        return 0
    try:
        Demonstration(folder).run()
    except subprocess.CalledProcessError as failure:
        print(f"\nThe demonstration stopped: `{' '.join(map(str, failure.cmd))}` ended with {failure.returncode}.")
        return 1
    return 0


class Demonstration:
    """Model hosts, an inventory and an installed collection, all in one folder."""

    def __init__(self, folder: Path) -> None:
        """Build the collection, install it, and start the hosts."""
        self.folder = folder
        self.collections = folder / "collections"
        self.inventory = folder / "inventory"
        say("Build the collection jailisp.vps and install it")
        self.install_collection()
        say("Start three model hosts: h1 with UFS, h2 with a pool, h3 with two partitions for jails")
        self.rack = example.make_rack(folder / "rack", PROJECT / "inventory", self.inventory)

    def run(self) -> None:
        """Show the whole way from an inventory to running jails, and a day's work."""
        self.show_convergence()
        self.show_a_change()
        self.show_an_order()
        self.show_drift()
        self.show_the_disk()
        self.show_retiring()
        say("The hosts stay. Look into them:")
        print(f"  export {' '.join(f'{name}={value}' for name, value in self.settings().items())}")
        print("  .venv/bin/ansible jail_hosts -m jailisp.vps.jail_info     # what runs, as data")
        print("  .venv/bin/ansible alice -m ansible.builtin.raw -a id      # into a jail, through its host")
        print("  .venv/bin/ansible h1 -m ansible.builtin.raw -a 'jls; pfctl -a jailisp -sn'")
        print(f"  {self.rack.ssh.relative_to(PROJECT)} h1                                       # a shell on h1")
        print(f"Edit {self.inventory.relative_to(PROJECT)} and converge again by .venv/bin/ansible-playbook site.yml.")
        print("`make demo-clean` removes everything.")

    def show_convergence(self) -> None:
        """Converge the example fleet, twice."""
        say("Converge them: ansible-playbook site.yml")
        self.play("site.yml")
        say("What runs where: ansible-playbook playbooks/list.yml")
        self.play("playbooks/list.yml")
        say("Converge again: nothing changes")
        nothing_changed(self.play("site.yml"))

    def show_a_change(self) -> None:
        """Change a port in a record, foretell what that does, do it, and look from outside."""
        say(
            f"A customer wants another port: jails/alice.yml publishes {NEW_PORT} instead of {OLD_PORT}. "
            "What would change?"
        )
        record = self.inventory / "jails" / "alice.yml"
        record.write_text(record.read_text().replace(f"port: {OLD_PORT},", f"port: {NEW_PORT},"))
        self.play("site.yml", "--check", "--diff", "--limit", "h1")
        say("That is what we want: apply it")
        self.play("site.yml", "--limit", "h1")
        say("Seen from h2: the new port answers, the old one does not")
        self.look("h2", f"nc -z -w 1 203.0.113.10 {NEW_PORT}", expected=0)
        self.look("h2", f"nc -z -w 1 203.0.113.10 {OLD_PORT}", expected=1)

    def show_an_order(self) -> None:
        """Order a jail and look into it."""
        say("An order: ansible-playbook order.yml -e jail=alice-shop -e plan=base -e customer=alice")
        self.play("order.yml", "-e", "jail=alice-shop", "-e", "plan=base", "-e", "customer=alice")
        say("Its record is a file like the others, and the jail a host like others")
        print((self.inventory / "jails" / "alice-shop.yml").read_text())
        self.command("ansible", "alice-shop", "-m", "ansible.builtin.raw", "-a", "hostname; id")

    def show_drift(self) -> None:
        """Find what somebody changed by hand, and put it right."""
        say("Somebody stops a jail by hand. ansible-playbook drift.yml tells, and changes nothing")
        self.look("h1", "service jail onestop bob", expected=0)
        self.play("drift.yml", fails=True)
        say("His customer calls. What is in force for bob: ansible-playbook show.yml -e jail=bob")
        if "DIFFERS      it does not run" not in self.play("show.yml", "-e", "jail=bob"):
            raise SystemExit("It was to tell that bob does not run.")
        say("Converge again, and nothing differs")
        self.play("site.yml", "--limit", "h1")
        self.play("drift.yml")

    def show_the_disk(self) -> None:
        """Measure what the jails take of the disks."""
        say("What the jails take of the disks, and what they were sold: ansible-playbook disk.yml")
        self.play("disk.yml", "-e", "fail_over=true")

    def show_retiring(self) -> None:
        """Retire the jail that was ordered, then destroy its data."""
        say("The customer leaves: ansible-playbook retire.yml -e jail=alice-shop")
        self.play("retire.yml", "-e", "jail=alice-shop")
        say("His data go only when somebody says so by name: -e destroy=alice-shop")
        self.play("retire.yml", "-e", "jail=alice-shop", "-e", "destroy=alice-shop")
        nothing_changed(self.play("site.yml"))

    def install_collection(self) -> None:
        """Build the collection from the checkout and install it into the demonstration's own folder."""
        self.folder.mkdir(parents=True)
        self.command("ansible-galaxy", "collection", "build", "--output-path", str(self.folder), quiet=True)
        (archive,) = self.folder.glob("*.tar.gz")
        place = ("-p", str(self.collections), "--offline")
        self.command("ansible-galaxy", "collection", "install", str(archive), *place, quiet=True)
        print(f"{archive.name} is installed in {self.collections.relative_to(PROJECT)}")

    def settings(self) -> dict[str, str]:
        """Return the environment by which Ansible finds the demonstration's inventory and collection."""
        inventory = self.inventory.relative_to(PROJECT)
        return {
            "ANSIBLE_INVENTORY": ",".join(f"{inventory}/{name}.yml" for name in ("hosts", "fleet")),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections.relative_to(PROJECT)),
        }

    def play(self, playbook: str, *options: str, fails: bool = False) -> str:
        """Run a playbook with its output shown, and return that; raise if it does not end as it is to."""
        return self.command("ansible-playbook", playbook, *options, fails=fails)

    def command(self, program: str, *arguments: str, quiet: bool = False, fails: bool = False) -> str:
        """Run a command of Ansible's in the project, its output shown as it comes (or not at all); return it."""
        argv = [str(BIN / program), *arguments]
        environment = {**os.environ, **self.settings(), "PATH": f"{BIN}:{os.environ['PATH']}"}
        lines = []
        with subprocess.Popen(argv, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                lines.append(line)
                if not quiet:
                    print(line, end="", flush=True)
        if (process.returncode != 0) != fails:
            raise subprocess.CalledProcessError(process.returncode, argv)
        return "".join(lines)

    def look(self, host: str, command: str, expected: int) -> None:
        """Run a command on a host by ssh and show how it ends; end the demonstration if that is not as expected."""
        status = subprocess.run([self.rack.ssh, host, command], capture_output=True, check=False).returncode
        print(f"{host}$ {command}   -> exit status {status}")
        if status != expected:
            raise SystemExit(f"It was to end with {expected}.")


def nothing_changed(output: str) -> None:
    """Say that a run changed nothing on any host; end the demonstration if it did."""
    changed = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)
    if not changed or any(number != "0" for host, number in changed):
        raise SystemExit(f"This run was to change nothing, but did: {changed}")
    print(f"Nothing changed on {', '.join(host for host, number in changed)}.")


def say(text: str) -> None:
    """Announce a step."""
    print(f"\n\033[1m== {text}\033[0m\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
