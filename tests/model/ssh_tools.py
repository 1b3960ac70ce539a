# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd(8) as far as it reads its configuration, and ssh-keygen(1) as far as it makes and shows keys.

The keys have the form of real ones, but are random bytes: nothing on the model encrypts.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import typing as t

from model import net
from model.command import Exit, options

if t.TYPE_CHECKING:
    from pathlib import Path

    from model.command import Context

CONFIG = "/etc/ssh/sshd_config"
KINDS = ("rsa", "ecdsa", "ed25519")
SSHD_USAGE = (
    "OpenSSH_10.0p2, OpenSSL 3.5.6\n"
    "usage: sshd [-46DdeGiqTtV] [-C connection_spec] [-c host_cert_file]\n"
    "            [-E log_file] [-f config_file] [-g login_grace_time]\n"
    "            [-h host_key_file] [-o option] [-p port] [-u len]\n"
)
KEYGEN_USAGE = "usage: ssh-keygen [-q] [-t dsa | ecdsa | ed25519 | rsa] [-N new_passphrase] [-C comment] [-f keyfile]\n"
YES_NO = frozenset({"yes", "no"})
# Keywords that take anything, those that take yes or no, and what each takes (None: anything).
ANYTHING = """
acceptenv allowgroups allowusers authenticationmethods authorizedkeyscommand authorizedkeyscommanduser
authorizedkeysfile banner casignaturealgorithms chrootdirectory ciphers clientalivecountmax clientaliveinterval
denygroups denyusers forcecommand hostbasedauthentication hostcertificate hostkey hostkeyalgorithms include ipqos
kexalgorithms listenaddress logingracetime loglevel logverbose macs match maxauthtries maxsessions maxstartups
modulifile permitlisten permitopen permituserenvironment persourcemaxstartups persourcepenalties pidfile port
pubkeyacceptedalgorithms rekeylimit revokedkeys setenv subsystem syslogfacility trustedusercakeys versionaddendum
addressfamily useblacklist useblocklist requiredrsasize channeltimeout
"""
SWITCHES = """
allowagentforwarding allowstreamlocalforwarding challengeresponseauthentication disableforwarding exposeauthinfo
gatewayports gssapiauthentication ignorerhosts kbdinteractiveauthentication kerberosauthentication
passwordauthentication permitemptypasswords permittty permituserrc printlastlog printmotd pubkeyauthentication
strictmodes tcpkeepalive usedns usepam x11forwarding x11uselocalhost
"""
KEYWORDS: dict[str, frozenset[str] | None] = dict.fromkeys(ANYTHING.split())
KEYWORDS |= dict.fromkeys(SWITCHES.split(), YES_NO)
KEYWORDS["permitrootlogin"] = YES_NO | {"prohibit-password", "without-password", "forced-commands-only"}
KEYWORDS["allowtcpforwarding"] = YES_NO | {"local", "remote", "all"}


class _BadConfiguration(Exception):
    """sshd ends with status 255 and this text."""


# sshd -----------------------------------------------------------------------------------------------------------------


def sshd(ctx: Context) -> int:
    """sshd(8): -t and -T; the daemon itself is the business of rc.d/sshd."""
    flags, operands = options(ctx, "46DdeGiqTtVC:c:E:f:g:h:k:o:p:u:", SSHD_USAGE)
    if operands or not {"t", "T"} & flags.keys():
        ctx.err.write(SSHD_USAGE)
        return 1
    try:
        settings = read_config(ctx, flags.get("f", [CONFIG])[-1])
    except _BadConfiguration as error:
        ctx.err.write(f"{error}\n")
        return 255
    if not any(ctx.path(f"/etc/ssh/ssh_host_{kind}_key").is_file() for kind in KINDS):
        raise Exit(1, "no hostkeys available -- exiting.")
    if "T" in flags:
        ctx.out.writelines(f"{name} {value}\n" for name, value in settings)
    return 0


def read_config(ctx: Context, name: str) -> list[tuple[str, str]]:
    """Return the settings (name in small letters, value) of a configuration file in their order."""
    settings: list[tuple[str, str]] = []
    bad = []
    for number, raw in enumerate(_read(ctx, name).splitlines(), 1):
        words = raw.partition("#")[0].replace("=", " ", 1).split(None, 1)
        if not words:
            continue
        keyword, value = words[0].lower(), words[1].strip() if len(words) > 1 else ""
        if keyword not in KEYWORDS:
            bad.append(f"{name}: line {number}: Bad configuration option: {words[0]}")
            continue
        _check(f"{name} line {number}", keyword, words[0], value)
        settings.append((keyword, value))
        if keyword == "include":
            settings += _included(ctx, value)
    if bad:
        raise _BadConfiguration("\n".join([*bad, f"{name}: terminating, {len(bad)} bad configuration options"]))
    return settings


def _read(ctx: Context, name: str) -> str:
    if name == "/dev/stdin":
        return ctx.stdin.read().decode(errors="replace")
    path = ctx.path(name)
    if not path.is_file():
        raise _BadConfiguration(f"{name}: No such file or directory")
    return path.read_text(errors="replace")


def _included(ctx: Context, value: str) -> list[tuple[str, str]]:
    import fnmatch  # noqa: PLC0415
    import posixpath  # noqa: PLC0415

    found: list[tuple[str, str]] = []
    for pattern in value.split():
        folder, last = posixpath.split(posixpath.join("/etc/ssh", pattern))
        path = ctx.path(folder)
        names = sorted(each.name for each in path.iterdir()) if path.is_dir() else []
        for name in fnmatch.filter(names, last):
            found += read_config(ctx, f"{folder}/{name}")
    return found


def _check(where: str, keyword: str, shown: str, value: str) -> None:
    words = KEYWORDS[keyword]
    if not value:
        raise _BadConfiguration(f'{where}: no argument after keyword "{shown}"')
    if words is not None and value.lower() not in words:
        raise _BadConfiguration(f'{where}: unsupported option "{value}".')
    if keyword == "port" and not (value.isdigit() and 0 < int(value) < 1 << 16):
        raise _BadConfiguration(f"{where}: Badly formatted port number.")
    if keyword == "listenaddress" and not _is_address(value):
        raise _BadConfiguration(f"{where}: bad address or host name: {value}")


def _is_address(value: str) -> bool:
    import ipaddress  # noqa: PLC0415

    host = value.split(maxsplit=1)[0]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def listens_on(ctx: Context) -> list[tuple[str, str, int, int]]:
    """Return (protocol, address, port, descriptor) of each socket that sshd opens with its configuration.

    It goes on without those whose address is not on the host.
    """
    found = _asked(ctx)
    if ctx.jail is not None:
        return found
    with ctx.host.kernel() as kernel:
        there = {"*", *(address for _interface, address, _length in net.addresses(kernel))}
    return [each for each in found if each[1] in there]


def _asked(ctx: Context) -> list[tuple[str, str, int, int]]:
    settings = read_config(ctx, CONFIG)
    ports = [int(value) for keyword, value in settings if keyword == "port"] or [22]
    addresses = [value.split(maxsplit=1)[0] for keyword, value in settings if keyword == "listenaddress"]
    if not addresses:
        return [(protocol, "*", port, number) for port in ports for protocol, number in (("tcp6", 6), ("tcp4", 7))]
    found = []
    for number, address in enumerate(addresses, 6):
        protocol = "tcp6" if address.count(":") > 1 else "tcp4"
        host, _unused, own = address.partition(":") if protocol == "tcp4" else (address, "", "")
        found += [(protocol, host, int(own) if own else port, number) for port in ports]
    return found


# ssh-keygen -----------------------------------------------------------------------------------------------------------


def ssh_keygen(ctx: Context) -> int:
    """ssh-keygen(1): -t, -A, -l, -y."""
    flags, operands = options(ctx, "Ab:C:f:lN:P:qt:y", KEYGEN_USAGE)
    if operands:
        ctx.err.write("Too many arguments.\n" + KEYGEN_USAGE)
        return 1
    if "A" in flags:
        return _generate_missing(ctx, flags)
    file = flags.get("f", ["/root/.ssh/id_ed25519"])[-1]
    if "l" in flags or "y" in flags:
        return _show(ctx, file, fingerprint="l" in flags)
    kind = flags.get("t", ["ed25519"])[-1]
    if kind not in KINDS:
        ctx.err.write(f"unknown key type {kind}\n")
        return 255
    if ctx.path(file).exists():
        ctx.print(f"{file} already exists.\nOverwrite (y/n)? ")
        return 1
    _generate(ctx, file, kind, flags)
    return 0


def _generate_missing(ctx: Context, flags: t.Mapping[str, list[str]]) -> int:
    """Make the host keys that are missing; with -A, what -f says stands before the path of each."""
    prefix = flags.get("f", [""])[-1]
    files = {kind: f"{prefix}/etc/ssh/ssh_host_{kind}_key" for kind in KINDS}
    missing = [kind for kind in KINDS if not ctx.path(files[kind]).exists()]
    if missing:
        ctx.out.write(f"ssh-keygen: generating new host keys: {' '.join(map(str.upper, missing))} ")
    for kind in missing:
        if not ctx.path(files[kind]).parent.is_dir():
            ctx.err.write(f"Could not save your private key in {files[kind]}: No such file or directory\n")
            return 255
        _generate(ctx, files[kind], kind, {"q": [""]})
    if missing:
        ctx.print("")
    return 0


def _generate(ctx: Context, file: str, kind: str, flags: t.Mapping[str, list[str]]) -> None:
    name, *parts = _key_parts(kind)
    body = base64.b64encode(b"".join(_packed(part) for part in (name, *parts))).decode()
    comment = flags["C"][-1] if "C" in flags else f"root@{ctx.run(['hostname']).out.strip()}"
    private = base64.b64encode(secrets.token_bytes(210)).decode()
    lines = "\n".join(private[start : start + 70] for start in range(0, len(private), 70))
    path = ctx.path(file)
    _write(path, f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n", 0o600)
    _write(ctx.path(f"{file}.pub"), f"{name.decode()} {body} {comment}\n", 0o644)
    if "q" not in flags:
        ctx.print(f"Generating public/private {kind} key pair.")
        ctx.print(f"Your identification has been saved in {file}")
        ctx.print(f"Your public key has been saved in {file}.pub")


def _key_parts(kind: str) -> tuple[bytes, ...]:
    """Return what a public key consists of: its type, then its numbers."""
    if kind == "rsa":
        return b"ssh-rsa", (65537).to_bytes(3, "big"), b"\0\x80" + secrets.token_bytes(382) + b"\1"
    if kind == "ecdsa":
        return b"ecdsa-sha2-nistp256", b"nistp256", b"\4" + secrets.token_bytes(64)
    return b"ssh-ed25519", secrets.token_bytes(32)


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _write(path: Path, text: str, mode: int) -> None:
    path.write_text(text)
    path.chmod(mode)


def _show(ctx: Context, file: str, *, fingerprint: bool) -> int:
    public = ctx.path(file if file.endswith(".pub") else f"{file}.pub")
    path = public if public.is_file() else ctx.path(file)
    if not path.is_file():
        ctx.err.write(f"{file}: No such file or directory\n")
        return 255
    found = False
    for line in path.read_text(errors="replace").splitlines():
        words = line.split(None, 2)
        data = _key(words)
        if data is None:
            continue
        found = True
        if not fingerprint:
            ctx.print(line)
            continue
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        kind = {"ssh-rsa": "RSA", "ssh-ed25519": "ED25519"}.get(words[0], "ECDSA")
        bits = 3072 if kind == "RSA" else 256
        ctx.print(f"{bits} SHA256:{digest} {words[2] if len(words) > 2 else 'no comment'} ({kind})")
    if not found:
        ctx.err.write(f"{file} is not a public key file.\n")
    return 0 if found else 255


def _key(words: t.Sequence[str]) -> bytes | None:
    """Return the bytes of a public key's line, None if it is none."""
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-")):
        return None
    try:
        data = base64.b64decode(words[1], validate=True)
    except ValueError:
        return None
    return data if data[4 : 4 + len(words[0])] == words[0].encode() else None
