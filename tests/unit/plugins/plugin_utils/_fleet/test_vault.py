# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import textwrap
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext

from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.model import Block, FleetError, Vaulted
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.read import read_document
from ansible_collections.jailisp.vps.plugins.plugin_utils._fleet.vault import Vault

HASH = "$2b$12$mved06r9dZe2EkEsXEHWyuRpayIV5a1RjxI/uVPUH7bODXNL6Ox6O"
SECRET = VaultSecret(b"the right one")
NO_SECRET = "is encrypted, and no secret is given; use --vault-password-file or --ask-vault-pass"
WRONG_SECRET = "cannot be decrypted with the secrets given; give the right one with --vault-id or --vault-password-file"


def encrypted(text: str) -> str:
    return t.cast("str", VaultLib([("default", SECRET)]).encrypt(text).decode())


def tagged(key: str, text: str) -> str:
    """Return the lines of a key whose value is encrypted."""
    return f"{key}: !vault |\n" + textwrap.indent(encrypted(text), "  ")


def loader(*secrets: bytes) -> DataLoader:
    made = DataLoader()
    # Ansible's annotation asks for secrets that somebody typed.
    found: t.Any = [("default", VaultSecret(secret)) for secret in secrets]
    made.set_vault_secrets(found)
    return made


@pytest.fixture
def right() -> DataLoader:
    return loader(b"the right one")


def errors(fleet: t.Any, made: DataLoader) -> list[str]:
    with pytest.raises(FleetError) as caught:
        fleet.project(made).check()
    return str(caught.value).splitlines()


def test_read_document_decrypts_a_value(right: DataLoader) -> None:
    text = "name: Alice\n" + tagged("password", HASH) + "contact: a@example.net\n"
    block = read_document(text, "customers/alice.yml", [], Vault(right))
    assert block is not None
    assert block.values == {"name": "Alice", "password": Vaulted(HASH), "contact": "a@example.net"}
    assert block.lines["contact"] > block.lines["password"] + 1


def test_read_document_decrypts_a_file(right: DataLoader) -> None:
    text = encrypted("id: 17\nrestart: true\nup:\npublish: [{port: 80}]\n")
    block = read_document(text.encode(), "jails/alice.yml", [], Vault(right))
    assert block is not None
    assert (block.values["id"], block.values["restart"], block.values["up"]) == (Vaulted(17), Vaulted(True), None)
    assert block.values["publish"] == [Block({"port": Vaulted(80)}, {"port": 4}, 4)]
    assert block.lines["publish"] == 4


def test_check_takes_encrypted_values_as_any_other(fleet: t.Any, right: DataLoader) -> None:
    plain = fleet.compile()
    fleet.write("customers/alice.yml", "name: A\ncontact: a@example.net\n" + tagged("password", HASH))
    for file in ("jails/alice.yml", "plans/base.yml"):
        fleet.write(file, encrypted((fleet.path / file).read_text(encoding="utf-8")))
    made = fleet.project(right)
    assert made.resolve()[1] == plain
    assert made.check().customers["alice"]["password"] == HASH
    assert not isinstance(made.check().customers["alice"]["password"], Vaulted)


@pytest.mark.parametrize(("secrets", "error"), [((), NO_SECRET), ((b"another",), WRONG_SECRET)])
def test_check_says_what_to_do_without_the_secret(fleet: t.Any, secrets: tuple[bytes, ...], error: str) -> None:
    fleet.write("customers/alice.yml", "name: A\ncontact: a@example.net\n" + tagged("password", HASH))
    fleet.write("jails/alice.yml", encrypted((fleet.path / "jails/alice.yml").read_text(encoding="utf-8")))
    assert errors(fleet, loader(*secrets)) == [
        f"customers/alice.yml:3: password: {error}",
        f"jails/alice.yml: {error}",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "$ANSIBLE_VAULT;1.1;AES256\n  3132",
        "$ANSIBLE_VAULT;1.1;AES256\n  zzzz",
        "$ANSIBLE_VAULT;1.1;ROT13\n  3132",
    ],
)
def test_check_names_what_no_vault_wrote(fleet: t.Any, right: DataLoader, text: str) -> None:
    fleet.write("customers/alice.yml", f"name: A\ncontact: a@example.net\npassword: !vault |\n  {text}\n")
    (error,) = errors(fleet, right)
    assert error.startswith("customers/alice.yml:3: password: ")
    assert "hunter2" not in error


def test_check_names_what_is_no_text(fleet: t.Any, right: DataLoader) -> None:
    (fleet.path / "customers/alice.yml").write_bytes(VaultLib([("default", SECRET)]).encrypt(b"\xff\xfe\xfd"))
    assert errors(fleet, right) == ["customers/alice.yml: holds no text in UTF-8; encrypt it anew"]


def test_check_shows_nothing_of_a_syntax_error_in_an_encrypted_file(fleet: t.Any, right: DataLoader) -> None:
    fleet.write("customers/alice.yml", encrypted("name: A\npassword: [*hunter2]\n"))
    assert errors(fleet, right) == ["customers/alice.yml:2: not YAML; correct it"]


RECORD = {
    "host": "h1",
    "customer": "alice",
    "plan": "base",
    "id": "18",
    "address": "192.168.1.18",
    "hostname": "bob",
    "address6": "2001:db8:1::18",
    "release": "15.1-RELEASE-p1",
    "publish": "[{port: 80, to: 80}]",
    "limits": "{memory: 1G}",
}
# For each key, values that are wrong by themselves or in their fleet, and what an error may not show of them.
SECRETS = [
    ("host", "h11", "h11"),
    ("host", "[h11]", "h11"),
    ("customer", "alicia", "alicia"),
    ("plan", "bass", "bass"),
    ("id", "17", "17"),
    ("id", "25123", "25123"),
    ("id", "0x4711", "4711"),
    ("address", "192.168.1.17", "192.168.1.17"),
    ("address", "192.168.7.17", "192.168.7.17"),
    ("address", "192.168.1.255", "192.168.1.255"),
    ("address", "127.0.0.77", "127.0.0.77"),
    ("address6", "2001:db8:7::18", "2001:db8:7"),
    ("address6", "2001:db8:1::", "2001:db8:1:: "),
    ("hostname", "a_b_c", "a_b_c"),
    ("hostname", "2026-99-99", "2026"),
    ("state", "runing", "runing"),
    ("retired", "2026-11-24T093000X", "2026"),
    ("release", "14.3-RELEASE", "14.3"),
    ("restart", "perhaps", "perhaps"),
    ("publish", "[{port: 47110000, to: 80}]", "4711"),
    ("publish", "[{port: 22, to: 80}]", "22"),
    ("publish", "[{port: 8017, to: 22}]", "8017"),
    ("publish", "[{port: 80, to: 80, address: 203.0.113.99}]", "203.0.113.99"),
    ("publish", "[{port: 80, to: 80, protocol: tdp}]", "tdp"),
    ("limits", "{memory: 77Q}", "77Q"),
    ("limits", "{memory: 7K}", "7K"),
    ("bandwidth", "{up: 77Kbit, down: 1Mbit/s}", "77"),
]


@pytest.mark.parametrize(("key", "value", "secret"), SECRETS)
def test_check_shows_nothing_of_a_vaulted_value(
    fleet: t.Any, right: DataLoader, key: str, value: str, secret: str
) -> None:
    fleet.hosts["h1"]["vps_netblock6"] = "2001:db8:1::/64"
    fleet.append("publish: [{port: 8017, to: 22}]\n")
    text = "".join(f"{name}: {value}\n" for name, value in {**RECORD, key: value}.items())
    fleet.write("jails/bob.yml", encrypted(text))
    found = errors(fleet, right)
    assert found
    assert not any(secret in error.replace(" (jails/alice.yml", "") for error in found), found
    assert all(error.startswith("jails/bob.yml") for error in found)


def test_check_shows_nothing_of_a_vaulted_host_variable(fleet: t.Any) -> None:
    fleet.hosts["h1"]["vps_memory"] = Vaulted("4711")
    assert fleet.errors() == ["hosts.yml: h1: vps_memory: (vaulted) has no unit; correct it"]


def test_open_project_marks_encrypted_host_variables(fleet: t.Any, right: DataLoader, monkeypatch: t.Any) -> None:
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext([("default", SECRET)]))
    (fleet.path / "host_vars").mkdir()
    fleet.write("host_vars/h1.yml", tagged("vps_disk", "1T") + tagged("ansible_port", "2222") + "vps_memory: 64G\n")
    del fleet.hosts["h1"]["vps_disk"]
    project = fleet.project(right)
    assert (project.variables["h1"]["vps_disk"], project.variables["h1"]["vps_memory"]) == (Vaulted("1T"), "64G")
    assert project.surroundings.ways == {"h1": {"ansible_port": "2222"}}
    assert project.check().hosts["h1"]["vps_disk"] == 2**40
