# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/fleet.py as it is run: its lines, its last line, its exit status."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "scripts" / "fleet.py"
# Nothing of whoever runs the tests may help.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))},
    "LC_ALL": "C.UTF-8",
}
HASH = "$6$saltsalt$" + 86 * "x"


def run(folder: Path, *arguments: str, script: Path = SCRIPT, **environment: str) -> tuple[list[str], str, int]:
    """Return the lines of standard output, standard error, and the exit status."""
    ended = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.splitlines(), ended.stderr, ended.returncode


def edit(file: Path, old: str, new: str) -> None:
    """Replace what is there once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a copy of the example fleet in inventory/."""
    shutil.copytree(PROJECT / "inventory", tmp_path / "inventory")
    return tmp_path


def test_validate_the_example() -> None:
    jails = len(list((PROJECT / "inventory" / "jails").iterdir()))
    hosts = len(list((PROJECT / "inventory" / "host_vars").iterdir()))
    assert run(PROJECT, "validate") == ([], f"{jails} jails on {hosts} hosts: no error\n", 0)


def test_validate_says_all_mistakes_and_counts_them(folder: Path) -> None:
    inventory = folder / "inventory"
    edit(inventory / "jails" / "bob.yml", "{memory: 1G}", "{memry: 1G}")
    edit(inventory / "jails" / "carol-test.yml", "id: 14", "id: 13")
    edit(inventory / "customers" / "dave.yml", "name:", "nam:")
    edit(inventory / "host_vars" / "h2.yml", "vps_pool: tank", 'vps_pool: "{{ pool }}"')
    assert run(folder, "validate") == (
        [
            "customers/dave.yml:2: nam: unknown key; did you mean name?",
            "customers/dave.yml:2: name: missing; add it (Name of the person or the company)",
            "hosts.yml: h2: vps_pool: 'pool' is undefined; correct it",
            "jails/bob.yml:9: limits.memry: unknown key; did you mean memory?",
            "jails/carol-test.yml:5: id: 13 is taken by bob (jails/bob.yml:5); choose a free one",
        ],
        "5 errors\n",
        1,
    )


@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("hosts.yml", "a: [\n", "hosts.yml:2: not YAML: did not find expected node content; correct it"),
        ("hosts.yml", "- a\n", "hosts.yml:1: must be a mapping of keys to values; write one"),
        ("hosts.yml", "a:\n", "fleet.yml: host_group: hosts.yml has no group jail_hosts; "),
        ("group_vars/jail_hosts.yml", "a: [\n", "group_vars/jail_hosts.yml:2: not YAML: "),
        (
            "group_vars/jail_hosts.yml",
            "- a\n",
            "group_vars/jail_hosts.yml:1: must be a mapping of keys to values; write one",
        ),
        ("host_vars/h1.yml", "a: {{ b }}\n", "host_vars/h1.yml: YAML parsing failed: "),
        ("host_vars/h1.yml", "$ANSIBLE_VAULT;1.1;AES256\n3132\n", "host_vars/h1.yml: Attempting to decrypt but no "),
        ("fleet.yml", "plugin: fleet\n", "fleet.yml:1: plugin: fleet is none of jailisp.vps.fleet; "),
    ],
)
def test_validate_names_the_file_that_ansible_could_not_read(folder: Path, file: str, text: str, error: str) -> None:
    (folder / "inventory" / file).write_text(text, encoding="utf-8")
    lines, summary, status = run(folder, "validate")
    assert [line[: len(error)] for line in lines] == [error]
    assert (summary, status) == ("1 error\n", 1)


def test_validate_hosts_that_are_no_yaml(folder: Path) -> None:
    edit(folder / "inventory" / "fleet.yml", "hosts: hosts.yml", "hosts: hosts.ini")
    (folder / "inventory" / "hosts.ini").write_text("[jail_hosts\n", encoding="utf-8")
    (line,), summary, status = run(folder, "validate")
    assert line.startswith("hosts.ini: Completely failed to parse inventory source ")
    assert (summary, status) == ("1 error\n", 1)


def test_validate_looks_for_the_fleet_in_the_working_directory(folder: Path) -> None:
    assert run(folder / "inventory", "validate")[2] == 0
    (line,), summary, status = run(folder / "inventory" / "jails", "validate")
    assert line.startswith("inventory/fleet.yml: not found, ")
    assert (summary, status) == ("1 error\n", 1)


def test_validate_a_fleet_by_name(folder: Path) -> None:
    assert run(folder.parent, "validate", "--fleet", f"{folder.name}/inventory/fleet.yml")[2] == 0
    (line,), summary, status = run(folder, "validate", "--fleet", "no/fleet.yml")
    assert line == "fleet.yml: cannot be read (No such file or directory); correct that"
    assert (summary, status) == ("1 error\n", 1)


def test_validate_does_not_pass_on_warnings(folder: Path) -> None:
    edit(folder / "inventory" / "hosts.yml", "jail_hosts:", "no-identifier: {}\njail_hosts:")
    lines, summary, status = run(folder, "validate")
    assert (lines, len(summary.splitlines()), status) == ([], 1, 0)


@pytest.fixture
def vaulted(folder: Path) -> Path:
    """Return a folder with a fleet in which a customer's password is encrypted, and the secret in the file secret."""
    encrypted = VaultLib([("default", VaultSecret(b"secret"))]).encrypt(HASH).decode()
    customer = folder / "inventory" / "customers" / "alice.yml"
    with customer.open("a", encoding="utf-8") as file:
        file.write("password: !vault |\n" + textwrap.indent(encrypted, "  "))
    (folder / "secret").write_text("secret\n", encoding="utf-8")
    (folder / "wrong").write_text("wrong\n", encoding="utf-8")
    return folder


def test_validate_decrypts_as_ansible_does(vaulted: Path) -> None:
    assert run(vaulted, "validate", "--vault-password-file", "secret")[2] == 0
    assert run(vaulted, "validate", ANSIBLE_VAULT_PASSWORD_FILE="secret")[2] == 0
    assert run(vaulted, "validate", ANSIBLE_VAULT_IDENTITY_LIST="default@secret")[2] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "customers/alice.yml:6: password: is encrypted, and no secret is given; "),
        (("--vault-password-file", "wrong"), "customers/alice.yml:6: password: cannot be decrypted "),
        (("--vault-password-file", "none"), "vault password: "),
    ],
)
def test_validate_says_what_it_cannot_decrypt(vaulted: Path, arguments: tuple[str, ...], error: str) -> None:
    lines, summary, status = run(vaulted, "validate", *arguments)
    assert [line[: len(error)] for line in lines] == [error]
    assert (summary, status) == ("1 error\n", 1)


def test_explain_shows_value_and_origin() -> None:
    assert run(PROJECT, "explain", "bob", "limits.memory", "hostname", "release") == (
        [
            "hostname       bob              default",
            "release        15.1-RELEASE-p1  h1: vps_release",
            "limits.memory  1G               jails/bob.yml:9",
        ],
        "",
        0,
    )


def test_explain_shows_all_of_a_jail_or_host_and_what_lies_below_a_key() -> None:
    lines = run(PROJECT, "explain", "alice")[0]
    assert {line.split()[0] for line in lines} > {"id", "publish[0].port", "bandwidth.up", "limits.cpu", "path"}
    assert [line.split()[0] for line in run(PROJECT, "explain", "h1", "vps_link")[0]] == [
        "vps_link.up",
        "vps_link.down",
    ]
    ports = [line for line in lines if line.startswith("publish[")]
    assert [line.split() for line in run(PROJECT, "explain", "alice", "publish")[0]] == [line.split() for line in ports]


def test_explain_shows_no_password(vaulted: Path) -> None:
    for name in ("alice", "h1"):
        lines, errors, status = run(vaulted, "explain", name, "--vault-password-file", "secret")
        assert (errors, status) == ("", 0)
        assert not any("password" in line or HASH in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("alise",), "alise is no jail or host; did you mean alice?\n"),
        (("bob", "limits.memry"), "limits.memry is no key of bob; did you mean limits.memory?\n"),
    ],
)
def test_explain_what_is_not_there(arguments: tuple[str, ...], error: str) -> None:
    assert run(PROJECT, "explain", *arguments) == ([], error, 1)


def test_schema_writes_the_schemas(tmp_path: Path) -> None:
    lines, errors, status = run(tmp_path, "schema", "new")
    assert (errors, status) == ("", 0)
    assert {tmp_path / line for line in lines} == set((tmp_path / "new").iterdir())
    assert {Path(line).name for line in lines} == {file.name for file in (PROJECT / "schemas").iterdir()}


def test_schema_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(tmp_path, "schema", "file") == ([], "file: cannot be written (File exists); choose another folder\n", 1)


@pytest.mark.parametrize("arguments", [(), ("validate", "fleet.yml"), ("explain",)])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    lines, errors, status = run(tmp_path, *arguments)
    assert (lines, errors.startswith("usage: fleet.py"), status) == ([], True, 2)


@pytest.mark.parametrize("place", ["ansible_collections/jailisp/vps", "checkout"])
def test_it_finds_its_collection_by_its_own_path(folder: Path, place: str) -> None:
    collection = folder / place
    (collection / "scripts").mkdir(parents=True)
    (collection / "plugins").symlink_to(PROJECT / "plugins")
    script = Path(shutil.copy(SCRIPT, collection / "scripts"))
    assert run(folder, "validate", script=script)[2] == 0


def test_a_python_without_ansible_core_is_told_so(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), "validate"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    words = f"{sys.executable} has no ansible-core; run this with the Python that runs Ansible\n"
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", words, 1)
