#!/usr/bin/env python
# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for passwords wherever they must not be, while whole runs at -vvv with --diff set and change them, and fail.

Looked at are all that a run prints, the arguments and environments of every process of this machine while it runs, and
afterwards every file of the model hosts and of the controller. Each way of looking finds something first that it must.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import string
import subprocess
import sys
import tempfile
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

import yaml

from model import example

PROJECT = Path(__file__).resolve().parents[2]
BIN = PROJECT / ".venv" / "bin"
LETTERS = string.ascii_letters + string.digits + "./"
# What of a home has to hold a password's hash, and may only be root's.
HOLDERS = re.compile(r"/etc/(master\.passwd|spwd\.db)$")
VAULT = "of the vault"
# Where a customer's own program prints what it was given.
LEAK = "#!/bin/sh\ncat\ncat >&2\nexit 1\n"
# What the host's own pw(8) would say if it told what it was given. Without a password it does nothing.
TELLING = '#!/bin/sh\ncase "$*" in\n*-H*) cat >&2; exit 1 ;;\nesac\n'
CANARY = "canary-in-a-process"


def new_hash() -> str:
    """Return a text that FreeBSD would take for the hash of a password."""
    salt, body = ("".join(secrets.choice(LETTERS) for _place in range(length)) for length in (16, 86))
    return f"$6${salt}${body}"


def essence(text: str) -> str:
    """Return of a hash what nothing on its way would write otherwise: no escapes, no quotes."""
    return text.rpartition("$")[2]


def content(path: Path) -> str:
    """Return what is in a file; of a sparse one, such as a disk of a model host, only what has a place on the disk."""
    parts = []
    with path.open("rb") as file:
        end, place = path.stat().st_size, 0
        while place < end:
            try:
                start = os.lseek(file.fileno(), place, os.SEEK_DATA)
            except OSError:
                break  # Nothing but a hole is left.
            place = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            parts.append(os.pread(file.fileno(), place - start, start))
    return b"".join(parts).decode(errors="replace")


class Watch:
    """Reads the arguments and environments of all processes, again and again."""

    def __init__(self, wanted: t.Callable[[], list[str]]) -> None:
        """Keep what gives the texts to look for."""
        self.wanted = wanted
        self.seen: set[str] = set()
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> t.Iterator[None]:
        """Watch while something runs."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.002):
            for folder in os.scandir("/proc"):
                if folder.name.isdigit():
                    self._read(folder.name)

    def _read(self, number: str) -> None:
        for name in ("cmdline", "environ"):
            try:
                text = Path("/proc", number, name).read_bytes().decode(errors="replace")
            except OSError:
                continue
            self.seen |= {f"{secret} in /proc/PID/{name}: {text[:200]!r}" for secret in self.wanted() if secret in text}


class Search:
    """Model hosts, their inventory with passwords in it, and what was found where it must not be."""

    def __init__(self, folder: Path) -> None:
        """Start the hosts; give every customer a password, one of them in a vault and one in an encrypted file."""
        self.folder = folder
        self.inventory = folder / "inventory"
        self.rack = example.make_rack(folder / "rack", PROJECT / "inventory", self.inventory)
        self.known: list[str] = []
        self.found: list[str] = []
        self.runs = self.lines = 0
        (folder / "vault").write_text(VAULT)
        self.records = {path.stem: path.read_text() for path in (self.inventory / "customers").glob("*.yml")}
        self.change_passwords()

    def change_passwords(self) -> None:
        """Write another password into each customer's record."""
        for name, text in self.records.items():
            password = new_hash()
            self.known.append(essence(password))
            path = self.inventory / "customers" / f"{name}.yml"
            if name == "bob":
                vaulted = self._vault("encrypt_string", stdin=password).replace("!vault |", "!vault |", 1)
                path.write_text(f"{text}password: {vaulted.strip()}\n")
            else:
                path.write_text(f"{text}password: {password}\n")
            if name == "carol":
                self._vault("encrypt", str(path))

    def _vault(self, *arguments: str, stdin: str = "") -> str:
        argv = [str(BIN / "ansible-vault"), *arguments, "--vault-password-file", str(self.folder / "vault")]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout

    def play(self, playbook: str, *options: str, fails: bool = False, shows: str = "") -> None:
        """Run a playbook at -vvv with --diff; note each password in what it prints, which must have ``shows`` in it."""
        argv = [str(BIN / "ansible-playbook"), str(PROJECT / playbook), "-vvv", "--diff", *options]
        done = subprocess.run(argv, cwd=PROJECT, env=self._environment(), capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        self.runs += 1
        self.lines += output.count("\n")
        self.found += [
            f"{playbook} {' '.join(options)}: {line[:300]}"
            for line in output.splitlines()
            if any(secret in line for secret in self.known)
        ]
        if (done.returncode != 0) != fails or shows not in output:
            missing = "" if shows in output else f" and did not say {shows!r}"
            raise SystemExit(f"{output[-9000:]}\n{playbook} {' '.join(options)} ended with {done.returncode}{missing}")

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_INVENTORY": ",".join(str(self.inventory / f"{name}.yml") for name in ("hosts", "fleet")),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "home" / "tmp"),
            "ANSIBLE_LOG_PATH": str(self.folder / "home" / "log"),
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / "home" / "facts"),
        }

    def look_into_files(self) -> int:
        """Note each file with a password in it that is no holder of it, or that others may read; return the holders."""
        holders = 0
        places = [self.rack.folder, self.folder / "home"]
        for path in (Path(top, name) for place in places for top, _folders, names in os.walk(place) for name in names):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            text = content(path)
            has_secret = any(secret in text for secret in self.known)
            is_key = path.match("ssh_host_*_key")
            holders += has_secret
            if has_secret and not HOLDERS.search(str(path)):
                self.found.append(f"a password is in {path}")
            if (has_secret or is_key) and status.st_mode & 0o077:
                self.found.append(f"others may read {path}")
        return holders

    def run(self) -> None:
        """Set passwords, change them, and let every task that bears one fail."""
        watch = Watch(lambda: [CANARY, *self.known])
        with watch.watching():
            subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", CANARY], check=True)
            self.play("site.yml", "--check", shows="account alice")
            self.play("site.yml", shows="account alice")
            self.change_passwords()
            self._plant("alice", "usr/sbin/pw", LEAK)
            self.play("site.yml", "--check", "--limit", "h1", shows="jexec alice /usr/sbin/pw usermod alice -H 0")
            self.play("site.yml", "--limit", "h1", fails=True, shows="what it said is not shown")
            self._wrong_hash()
            self.play("site.yml", "--limit", "h1", fails=True, shows="yescrypt")
            self.change_passwords()
            self._plant("", "usr/sbin/pw", TELLING)
            self._order("harry", "alice")
            self.play("site.yml", "--limit", "h1", fails=True, shows="(a secret)")
            self.play("drift.yml", "--limit", "h1", fails=True, shows="account")
        sightings = watch.seen
        if not any(CANARY in each for each in sightings):
            raise SystemExit("The process table was not watched: it did not show what was there to be seen.")
        self.found += sorted(each for each in sightings if CANARY not in each)

    def _plant(self, jail: str, name: str, text: str) -> None:
        """Put a program into a jail of the first host, or (jail '') onto the host itself."""
        root = self.rack.folder / "hosts" / "h1" / "root"
        path = (root / "usr/local/jails/h1" / jail if jail else root) / name
        path.unlink()
        path.write_text(text)
        path.chmod(0o555)

    def _order(self, name: str, like: str) -> None:
        """Have a further jail on the host of another one, with what else that one's record says."""
        folder = self.inventory / "jails"
        record = yaml.safe_load((folder / f"{like}.yml").read_text())
        record |= {
            "id": 99,
            "address": re.sub(r"\d+$", "99", record["address"]),
            "publish": [],
            "hostname": f"{name}.example.net",
        }
        (folder / f"{name}.yml").write_text(yaml.safe_dump(record, explicit_start=True))

    def _wrong_hash(self) -> None:
        """Have a hash in a record that FreeBSD does not know."""
        wrong = new_hash().replace("$6$", "$y$j9T$")
        self.known.append(essence(wrong))
        (self.inventory / "customers" / "dave.yml").write_text(f"{self.records['dave']}password: {wrong}\n")


def main() -> int:
    """Search; print figures, and each sighting."""
    with tempfile.TemporaryDirectory() as folder:
        search = Search(Path(folder) / "search")
        search.run()
        holders = search.look_into_files()
    if not holders:
        raise SystemExit("No file holds a password: nothing was set, so nothing could be seen.")
    for text in search.found:
        print(f"SEEN {text}")
    print(f"figure: secrets {len(search.known)}")
    print(f"figure: secret_runs {search.runs}")
    print(f"figure: secret_lines {search.lines}")
    print(f"figure: secret_holders {holders}")
    print(f"figure: secret_sightings {len(search.found)}")
    return 1 if search.found else 0


if __name__ == "__main__":
    sys.exit(main())
