# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rc scripts of the base system: boot order, the variable that switches each on, and what it runs."""

from __future__ import annotations

import functools
import typing as t

# In the order of rcorder(8): SCRIPT[:VARIABLE[=DEFAULT]]. Without a variable a script always runs; the default is NO.
BOOT_ORDER = """\
sysctl dumpon dnctl:dnctl_enable hostid:hostid_enable=YES ddb:ddb_enable ccd ipfw:firewall_enable geli swap
ipfw_netflow:ipfw_netflow_enable fsck growfs:growfs_enable root mdconfig growfs_fstab serial
hostid_save:hostid_enable=YES mountcritlocal kldxref:kldxref_enable=YES zpool:zfs_enable var_run:var_run_enable=YES
zfsbe:zfs_enable zpoolreguid:zpool_reguid_enable kld zpoolupgrade:zpool_upgrade_enable zfskeys:zfskeys_enable sysvipc
devmatch:devmatch_enable=YES zfs:zfs_enable zvol:zfs_enable linux:linux_enable nuageinit:nuageinit_enable var tmp
cfumass:cfumass_enable localpkg cleanvar:cleanvar_enable=YES FILESYSTEMS ldconfig adjkerntz ugidfw:ugidfw_enable
hostname ip6addrctl:ip6addrctl_enable=YES netoptions random iovctl noshutdown ipsec:ipsec_enable geli2
rctl:rctl_enable=YES netif:netif_enable=YES pfsync:pfsync_enable devd:devd_enable=YES rtsold:rtsold_enable static_ndp
static_arp stf resolv:resolv_enable=YES pflog:pflog_enable routing bridge zfsd:zfsd_enable defaultroute pf:pf_enable
route6d:route6d_enable blocklistd:blocklistd_enable netwait:netwait_enable blacklistd:blacklistd_enable NETWORKING
pppoed:pppoed_enable ggated:ggated_enable nfsuserd:nfsuserd_enable tlsclntd:tlsclntd_enable tlsservd:tlsservd_enable
ctld:ctld_enable nfscbd:nfscbd_enable mountcritremote os-release:osrelease_enable=YES newsyslog:newsyslog_enable=YES
mdconfig2 virecover:virecover_enable=YES accounting:accounting_enable devfs cleartmp gptboot:gptboot_enable=YES
motd:update_motd=YES dmesg:dmesg_enable=YES nuageinit_post_net:nuageinit_enable syslogd:syslogd_enable=YES
rpcbind:rpcbind_enable hastd:hastd_enable watchdogd:watchdogd_enable pwcheck savecore:savecore_enable=YES
auditd:auditd_enable SERVERS auditdistd:auditdistd_enable nfsclient:nfs_client_enable nisdomain statd:rpc_statd_enable
ypserv:nis_server_enable lockd:rpc_lockd_enable ypbind:nis_client_enable ypldap:nis_ypldap_enable
ypupdated:rpc_ypupdated_enable ypxfrd:nis_ypxfrd_enable ypset:nis_ypset_enable quota:quota_enable
yppasswdd:nis_yppasswdd_enable DAEMON rwho:rwhod_enable utx:utx_enable=YES apm:apm_enable local mountlate
nscd:nscd_enable powerd:powerd_enable rarpd:rarpd_enable rtadvd:rtadvd_enable msconvd:msconvd_enable
moused:moused_enable ftp-proxy:ftpproxy_enable mountd:mountd_enable swaplate
nuageinit_user_data_script:nuageinit_enable LOGIN nfsd:nfs_server_enable inetd:inetd_enable cron:cron_enable=YES
sshd:sshd_enable syscons sysctl_lastload msgs bgfsck:background_fsck=YES jail:jail_enable securelevel
"""

# Scripts that are there but do not run at boot by themselves.
OTHERS = "bsnmpd kadmind kdc kfd kpasswdd local_unbound lpd mixer ntpd ntpdate opensm ppp sendmail"

DESCRIPTIONS = {
    "cron": "Daemon to execute scheduled commands",
    "devfs": "Device filesystem",
    "dnctl": "Dummynet packet queuing and scheduling",
    "jail": "Manage system jails",
    "mountd": "Service remote NFS mount requests",
    "netif": "Network interface setup",
    "nfsd": "Remote NFS server",
    "pf": "Packet filter",
    "pflog": "Packet filter logging interface",
    "rctl": "Resource control",
    "rpcbind": "Universal addresses to RPC program number mapper",
    "sshd": "Secure Shell Daemon",
    "sysctl": "Set sysctl variables from /etc/sysctl.conf and /etc/sysctl.conf.local",
    "syslogd": "System log daemon",
    "zfs": "Mount and share ZFS datasets",
}

# Daemons: their program and what must run before them.
DAEMONS: dict[str, tuple[str, ...]] = {
    "auditd": ("/usr/sbin/auditd",),
    "blocklistd": ("/usr/sbin/blocklistd",),
    "cron": ("/usr/sbin/cron",),
    "ctld": ("/usr/sbin/ctld",),
    "devd": ("/sbin/devd",),
    "ggated": ("/sbin/ggated",),
    "hastd": ("/sbin/hastd",),
    "inetd": ("/usr/sbin/inetd",),
    "lockd": ("/usr/sbin/rpc.lockd", "rpcbind"),
    "mountd": ("/usr/sbin/mountd", "rpcbind"),
    "nfsd": ("/usr/sbin/nfsd", "rpcbind", "mountd"),
    "ntpd": ("/usr/sbin/ntpd",),
    "powerd": ("/usr/sbin/powerd",),
    "rpcbind": ("/usr/sbin/rpcbind",),
    "sshd": ("/usr/sbin/sshd",),
    "statd": ("/usr/sbin/rpc.statd", "rpcbind"),
    "syslogd": ("/usr/sbin/syslogd",),
}

# The other settings of /etc/defaults/rc.conf that scripts or administrators ask for.
SETTINGS = {
    "rc_info": "NO",
    "rc_startmsgs": "YES",
    "rcshutdown_timeout": "90",
    "early_late_divider": "FILESYSTEMS",
    "local_startup": "/usr/local/etc/rc.d",
    "rc_conf_files": "/etc/rc.conf /etc/rc.conf.local",
    "clear_tmp_enable": "NO",
    "cleanvar_enable": "YES",
    "cloned_interfaces": "",
    "cron_flags": "",
    "defaultrouter": "NO",
    "devfs_rulesets": "/etc/defaults/devfs.rules /etc/devfs.rules",
    "devfs_system_ruleset": "",
    "devfs_load_rulesets": "YES",
    "dnctl_program": "/sbin/dnctl",
    "dnctl_rules": "/etc/dnctl.conf",
    "dumpdev": "NO",
    "gateway_enable": "NO",
    "hostid_file": "/etc/hostid",
    "hostname": "",
    "ipv6_activate_all_interfaces": "NO",
    "ipv6_gateway_enable": "NO",
    "jail_conf": "/etc/jail.conf",
    "jail_confwarn": "YES",
    "jail_list": "",
    "jail_parallel_start": "NO",
    "jail_reverse_stop": "NO",
    "kern_securelevel": "-1",
    "kern_securelevel_enable": "NO",
    "kld_list": "",
    "mountd_flags": "-r -S",
    "network_interfaces": "auto",
    "nfs_reserved_port_only": "YES",
    "nfs_server_flags": "-u -t",
    "nfsv4_server_enable": "NO",
    "ntpd_enable": "NO",
    "pf_fallback_rules": "block drop log all",
    "pf_fallback_rules_enable": "NO",
    "pf_fallback_rules_file": "/etc/pf-fallback.conf",
    "pf_flags": "",
    "pf_program": "/sbin/pfctl",
    "pf_rules": "/etc/pf.conf",
    "pflog_flags": "",
    "pflog_logfile": "/var/log/pflog",
    "rctl_rules": "/etc/rctl.conf",
    "root_rw_mount": "YES",
    "sendmail_enable": "NO",
    "static_routes": "",
    "sshd_flags": "",
    "sshd_program": "/usr/sbin/sshd",
    "syslogd_flags": "-s",
}


class Script(t.NamedTuple):
    """A script of /etc/rc.d: its name and the variable that switches it on ('' if it always runs)."""

    name: str
    variable: str


@functools.cache
def scripts() -> tuple[Script, ...]:
    """Return the scripts that run at boot, in their order."""
    return tuple(Script(name, variable.partition("=")[0]) for name, _unused, variable in _entries())


@functools.cache
def _by_name() -> dict[str, Script]:
    others = {name: Script(name, f"{name}_enable") for name in OTHERS.split()}
    return others | {script.name: script for script in scripts()}


def find(name: str) -> Script | None:
    """Return the script of that name."""
    return _by_name().get(name)


def _entries() -> list[tuple[str, str, str]]:
    return [entry.partition(":") for entry in BOOT_ORDER.split()]


def defaults() -> dict[str, str]:
    """Return what /etc/defaults/rc.conf sets."""
    known = {
        variable.partition("=")[0]: variable.partition("=")[2] or "NO"
        for _unused, _unused, variable in _entries()
        if variable
    }
    return dict(sorted((known | SETTINGS).items()))
