# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of /etc (and a few others) that FreeBSD's base system brings along, for hosts and for base.txz."""

from __future__ import annotations

import typing as t

from model import rc_table

# name:uid:gid:class:gecos:home:shell
ACCOUNTS = """\
root:0:0::Charlie &:/root:/bin/sh
toor:0:0::Bourne-again Superuser:/root:
daemon:1:1::Owner of many system processes:/root:/usr/sbin/nologin
operator:2:5::System &:/:/usr/sbin/nologin
bin:3:7::Binaries Commands and Source:/:/usr/sbin/nologin
tty:4:65533::Tty Sandbox:/:/usr/sbin/nologin
kmem:5:65533::KMem Sandbox:/:/usr/sbin/nologin
games:7:13::Games pseudo-user:/:/usr/sbin/nologin
news:8:8::News Subsystem:/:/usr/sbin/nologin
man:9:9::Mister Man Pages:/usr/share/man:/usr/sbin/nologin
sshd:22:22::Secure Shell Daemon:/var/empty:/usr/sbin/nologin
smmsp:25:25::Sendmail Submission User:/var/spool/clientmqueue:/usr/sbin/nologin
mailnull:26:26::Sendmail Default User:/var/spool/mqueue:/usr/sbin/nologin
bind:53:53::Bind Sandbox:/:/usr/sbin/nologin
unbound:59:59::Unbound DNS Resolver:/var/unbound:/usr/sbin/nologin
proxy:62:62::Packet Filter pseudo-user:/nonexistent:/usr/sbin/nologin
_pflogd:64:64::pflogd privsep user:/var/empty:/usr/sbin/nologin
_dhcp:65:65::dhcp programs:/var/empty:/usr/sbin/nologin
uucp:66:66::UUCP pseudo-user:/var/spool/uucppublic:/usr/local/libexec/uucp/uucico
pop:68:6::Post Office Owner:/nonexistent:/usr/sbin/nologin
auditdistd:78:77::Auditdistd unprivileged user:/var/empty:/usr/sbin/nologin
www:80:80::World Wide Web Owner:/nonexistent:/usr/sbin/nologin
ntpd:123:123::NTP Daemon:/var/db/ntp:/usr/sbin/nologin
_ypldap:160:160::YP LDAP unprivileged user:/var/empty:/usr/sbin/nologin
hast:845:845::HAST unprivileged user:/var/empty:/usr/sbin/nologin
tests:977:977::Unprivileged user for tests:/nonexistent:/usr/sbin/nologin
nobody:65534:65534::Unprivileged user:/nonexistent:/usr/sbin/nologin
"""

GROUPS = """\
wheel:*:0:root
daemon:*:1:
kmem:*:2:
sys:*:3:
tty:*:4:
operator:*:5:root
mail:*:6:
bin:*:7:
news:*:8:
man:*:9:
games:*:13:
ftp:*:14:
staff:*:20:
sshd:*:22:
smmsp:*:25:
mailnull:*:26:
guest:*:31:
video:*:44:
realtime:*:47:
idletime:*:48:
bind:*:53:
unbound:*:59:
proxy:*:62:
authpf:*:63:
_pflogd:*:64:
_dhcp:*:65:
uucp:*:66:
dialer:*:68:
network:*:69:
audit:*:77:
www:*:80:
u2f:*:116:
ntpd:*:123:
_ypldap:*:160:
hast:*:845:
tests:*:977:
nogroup:*:65533:
nobody:*:65534:
"""

DEVFS_RULES = """\
[devfsrules_hide_all=1]
add hide

[devfsrules_unhide_basic=2]
add path null unhide
add path zero unhide
add path crypto unhide
add path random unhide
add path urandom unhide

[devfsrules_unhide_login=3]
add path 'ptyp*' unhide
add path 'ptyq*' unhide
add path 'ptyr*' unhide
add path 'ptys*' unhide
add path 'ptyP*' unhide
add path 'ptyQ*' unhide
add path 'ptyR*' unhide
add path 'ptyS*' unhide
add path 'ptyl*' unhide
add path 'ptym*' unhide
add path 'ptyn*' unhide
add path 'ptyo*' unhide
add path 'ptyL*' unhide
add path 'ptyM*' unhide
add path 'ptyN*' unhide
add path 'ptyO*' unhide
add path 'ttyp*' unhide
add path 'ttyq*' unhide
add path 'ttyr*' unhide
add path 'ttys*' unhide
add path 'ttyP*' unhide
add path 'ttyQ*' unhide
add path 'ttyR*' unhide
add path 'ttyS*' unhide
add path 'ttyl*' unhide
add path 'ttym*' unhide
add path 'ttyn*' unhide
add path 'ttyo*' unhide
add path 'ttyL*' unhide
add path 'ttyM*' unhide
add path 'ttyN*' unhide
add path 'ttyO*' unhide
add path ptmx unhide
add path pts unhide
add path 'pts/*' unhide
add path fd unhide
add path 'fd/*' unhide
add path stdin unhide
add path stdout unhide
add path stderr unhide

[devfsrules_jail=4]
add include $devfsrules_hide_all
add include $devfsrules_unhide_basic
add include $devfsrules_unhide_login
add path fuse unhide
add path zfs unhide

[devfsrules_jail_vnet=5]
add include $devfsrules_hide_all
add include $devfsrules_unhide_basic
add include $devfsrules_unhide_login
add include $devfsrules_jail
add path pf unhide
"""

SSHD_CONFIG = """\
#Port 22
#AddressFamily any
#ListenAddress 0.0.0.0
#ListenAddress ::
#HostKey /etc/ssh/ssh_host_rsa_key
#HostKey /etc/ssh/ssh_host_ecdsa_key
#HostKey /etc/ssh/ssh_host_ed25519_key
#PermitRootLogin no
AuthorizedKeysFile\t.ssh/authorized_keys
#PasswordAuthentication no
#UsePAM yes
Subsystem\tsftp\t/usr/libexec/sftp-server
"""

SHELLS = "/bin/sh\n/bin/csh\n/bin/tcsh\n"
HOSTS = "::1\t\t\tlocalhost localhost.my.domain\n127.0.0.1\t\tlocalhost localhost.my.domain\n"


def passwd() -> str:
    """Return /etc/passwd."""
    return "".join(_fields(line, "*", short=True) for line in ACCOUNTS.splitlines())


def master_passwd() -> str:
    """Return /etc/master.passwd as it comes: root has no password, nobody else can log in."""
    return "".join(
        _fields(line, "" if line.startswith("root:") else "*", short=False) for line in ACCOUNTS.splitlines()
    )


def _fields(line: str, password: str, *, short: bool) -> str:
    name, uid, gid, group, gecos, home, shell = line.split(":")
    middle = [] if short else [group, "0", "0"]
    return ":".join([name, password, uid, gid, *middle, gecos, home, shell]) + "\n"


def os_release(release: str) -> str:
    """Return /etc/os-release (a file that rc.d/os-release makes at boot) of that release."""
    number = release.partition("-")[0]
    return (
        f'NAME=FreeBSD\nVERSION="{release}"\nVERSION_ID="{number}"\nID=freebsd\nANSI_COLOR="0;31"\n'
        f'PRETTY_NAME="FreeBSD {release}"\nCPE_NAME="cpe:/o:freebsd:freebsd:{number}"\n'
        'HOME_URL="https://FreeBSD.org/"\nBUG_REPORT_URL="https://bugs.FreeBSD.org/"\n'
    )


def rc_script(name: str) -> str:
    """Return an rc script: service(8) of the model holds what it does."""
    script = rc_table.find(name)
    variable = f'rcvar="{script.variable}"\n' if script and script.variable else ""
    return (
        f'#!/bin/sh\n#\n# PROVIDE: {name}\n#\n\nname="{name}"\n{variable}'
        f'[ $# -gt 0 ] || exec /usr/sbin/service -u {name}\nexec /usr/sbin/service {name} "$@"\n'
    )


def defaults_rc_conf() -> str:
    """Return /etc/defaults/rc.conf."""
    lines = "".join(f'{name}="{value}"\n' for name, value in rc_table.defaults().items())
    return f"#!/bin/sh\n\n# Defaults; rc.conf(5) says what may be overridden.\n\n{lines}"


class File(t.NamedTuple):
    """A file as it is installed."""

    text: str
    mode: int = 0o644


# The model's own program does what the scripts do, see model.jail_rc.
RC = """#!/bin/sh
# System startup: reads rc.conf(5) and starts what it switches on.
/libexec/rc.model start
"""
RC_SHUTDOWN = """#!/bin/sh
# System shutdown: stops the daemons.
/libexec/rc.model stop
"""


def base() -> dict[str, File]:
    """Return all files of the base system's configuration by their path below /."""
    found = {
        "etc/rc": File(RC),
        "etc/rc.shutdown": File(RC_SHUTDOWN),
        "etc/defaults/devfs.rules": File(DEVFS_RULES),
        "etc/defaults/rc.conf": File(defaults_rc_conf()),
        "etc/group": File(GROUPS),
        "etc/hosts": File(HOSTS),
        "etc/login.conf": File(
            "default:\\\n\t:path=/sbin /bin /usr/sbin /usr/bin /usr/local/sbin /usr/local/bin ~/bin:\n"
        ),
        "etc/master.passwd": File(master_passwd(), 0o600),
        "etc/motd.template": File("Welcome to FreeBSD!\n"),
        "etc/passwd": File(passwd()),
        "etc/shells": File(SHELLS),
        "etc/ssh/sshd_config": File(SSHD_CONFIG),
        "etc/sysctl.conf": File("# This file is read when going to multi-user; sysctl.conf(5) says how.\n"),
        "etc/syslog.conf": File("*.notice;authpriv.none;kern.debug;mail.crit;news.err\t/var/log/messages\n"),
    }
    names = [script.name for script in rc_table.scripts()] + rc_table.OTHERS.split()
    return found | {f"etc/rc.d/{name}": File(rc_script(name), 0o755) for name in names}
