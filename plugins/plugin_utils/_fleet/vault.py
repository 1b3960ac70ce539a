# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin_util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What Ansible Vault encrypted in records: single values with the tag !vault, and whole files."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultFormatError, VaultLib

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

TAG = "!vault"


class Vault:
    """Decrypts with the secrets that Ansible was given; without a loader there are none."""

    def __init__(self, loader: DataLoader | None = None) -> None:
        # Ansible has no public way to these but for whole files, and none that leaves a value's line known.
        self.library: VaultLib = loader._vault if loader else VaultLib()

    def decrypt(self, data: str | bytes) -> str:
        """Return what was encrypted; raise ValueError that says what to do."""
        try:
            return str(self.library.decrypt(data).decode("utf-8"))
        except UnicodeDecodeError:
            raise ValueError("holds no text in UTF-8; encrypt it anew") from None
        except AnsibleVaultFormatError:
            raise ValueError("is not what ansible-vault wrote; encrypt it anew") from None
        except AnsibleError:
            raise ValueError(self._complaint(data)) from None

    def _complaint(self, data: str | bytes) -> str:
        """Return why nothing came out."""
        if not is_encrypted(data):
            return "is not what ansible-vault wrote; encrypt it anew"
        if not self.library.secrets:
            return "is encrypted, and no secret is given; use --vault-password-file or --ask-vault-pass"
        return "cannot be decrypted with the secrets given; give the right one with --vault-id or --vault-password-file"


def is_encrypted(data: str | bytes) -> bool:
    """Return whether a text or a file is Ansible Vault's."""
    return bool(VaultLib.is_encrypted(data))
