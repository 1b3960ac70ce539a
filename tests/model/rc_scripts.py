# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the base system's rc scripts do when they are told to start, stop, or whatever else each one knows."""

from __future__ import annotations

import shlex
import typing as t

from model import jail_rc, nfs, prison, rc_jail, rc_net, rc_table, ssh_tools, task

if t.TYPE_CHECKING:
    from model.command import Context
    from model.rc import Handler, Rc


def handlers(name: str) -> dict[str, Handler]:
    """Return what that script can be asked: directive -> function."""
    if name in rc_table.DAEMONS:
        return dict(DAEMON) | _EXTRA.get(name, {})
    if name in SCRIPTS:
        return {"start": _nothing, "stop": _nothing} | SCRIPTS[name]
    script = rc_table.find(name)
    idle = script is None or not script.variable or rc_table.defaults().get(script.variable) == "YES"
    return {"start": _nothing if idle else _not_modelled, "stop": _nothing}


def _nothing(rc: Rc) -> int:
    """The script has nothing to do on the model."""
    del rc
    return 0


def _not_modelled(rc: Rc) -> int:
    rc.ctx.err.write(f"/etc/rc.d/{rc.name}: the model does not do what this script would start\n")
    return 1


# Daemons --------------------------------------------------------------------------------------------------------------


def pid_of(rc: Rc) -> int | None:
    """Return the number of the daemon's process, None if it does not run."""
    if rc.name not in rc_table.DAEMONS:
        return None
    comm = _program(rc).rpartition("/")[2]
    with rc.ctx.host.kernel() as kernel:
        jid = prison.jid_of(kernel, rc.ctx.jail)
        found = [number for number, entry in task.of_jail(kernel, jid) if entry["comm"] == comm]
        return found[0] if found else None


def _program(rc: Rc) -> str:
    return rc.get(f"{rc.name}_program") or rc_table.DAEMONS[rc.name][0]


def _start(rc: Rc) -> int:
    pid = pid_of(rc)
    if pid is not None:
        rc.ctx.err.write(f"{rc.name} already running?  (pid={pid}).\n")
        return 1
    check = _PRECHECK.get(rc.name)
    if check is not None and check(rc):
        return 1
    _start_needed(rc)
    rc.say(f"Starting {rc.name}.\n")
    program = _program(rc)
    listen = _listens(rc)
    if rc.name in _LISTENS and not listen:
        rc.ctx.err.write("Cannot bind any address.\n")
        return 0
    with rc.ctx.host.kernel() as kernel:
        jid = prison.jid_of(kernel, rc.ctx.jail)
        words = [program, *shlex.split(rc.get(f"{rc.name}_flags")), *(["-s"] if rc.name == "cron" else [])]
        task.add(kernel, words, jid=jid, comm=program.rpartition("/")[2], listen=listen)
        jail_rc.split_syslogd(kernel, jid)
    return 0


def _listens(rc: Rc) -> list[list[t.Any]]:
    return [list(each) for each in _LISTENS[rc.name](rc.ctx)] if rc.name in _LISTENS else []


def _start_needed(rc: Rc) -> None:
    """Start the daemons that this one requires (force_depend)."""
    from model import rc as rcs  # noqa: PLC0415

    for needed in rc_table.DAEMONS[rc.name][1:]:
        other = rcs.load(rc.ctx, needed)
        if other is not None and pid_of(other) is None:
            rcs.run(other, ["forcestart"])


def _stop(rc: Rc) -> int:
    pid = pid_of(rc)
    if pid is None:
        rc.ctx.err.write(f"{rc.name} not running? (check /var/run/{rc.name}.pid).\n")
        return 1
    rc.ctx.print(f"Stopping {rc.name}.")
    rc.ctx.print(f"Waiting for PIDS: {pid}.")
    with rc.ctx.host.kernel() as kernel:
        task.kill(kernel, pid)
    return 0


def _restart(rc: Rc) -> int:
    check = _PRECHECK.get(rc.name)
    if check is not None and check(rc):
        return 1
    _stop(rc)
    return _start(rc)


def _status(rc: Rc) -> int:
    pid = pid_of(rc)
    if pid is None:
        rc.ctx.print(f"{rc.name} is not running.")
        return 1
    rc.ctx.print(f"{rc.name} is running as pid {pid}.")
    return 0


def _reload(rc: Rc) -> int:
    check = _PRECHECK.get(rc.name)
    if check is not None and check(rc):
        return 1
    pid = pid_of(rc)
    if pid is None:
        rc.ctx.err.write(f"{rc.name} not running? (check /var/run/{rc.name}.pid).\n")
        return 1
    if rc.name in _LISTENS:
        _listen_anew(rc, pid)
    return 0


def _listen_anew(rc: Rc, pid: int) -> None:
    """Read the configuration once more (on SIGHUP sshd executes itself): without any address it ends."""
    listen = _listens(rc)
    with rc.ctx.host.kernel() as kernel:
        if listen:
            task.processes(kernel)[str(pid)]["listen"] = listen
        else:
            task.kill(kernel, pid)


DAEMON: dict[str, Handler] = {"start": _start, "stop": _stop, "restart": _restart, "status": _status, "poll": _nothing}
# (protocol, address, port, descriptor) of what a daemon listens on.
_LISTENS: dict[str, t.Callable[[Context], list[tuple[str, str, int, int]]]] = {"sshd": ssh_tools.listens_on}


def _sshd_check(rc: Rc) -> int:
    """Make missing host keys, then let sshd read its configuration."""
    rc.say("Performing sanity check on sshd configuration.\n")
    folder = rc.ctx.path("/etc/ssh")
    for kind in ("rsa", "ecdsa", "ed25519"):
        key = folder / f"ssh_host_{kind}_key"
        if not key.exists():
            rc.silent("/usr/bin/ssh-keygen", "-q", "-t", kind, "-f", f"/etc/ssh/{key.name}", "-N", "")
    return rc.run("/usr/sbin/sshd", "-t")


_PRECHECK: dict[str, Handler] = {"sshd": _sshd_check}


def _mountd_reads(handler: Handler) -> Handler:
    """Return a handler after which mountd has read its exports."""

    def run(rc: Rc) -> int:
        status = handler(rc)
        if status == 0:
            nfs.read_exports(rc.ctx)
        return status

    return run


def _nfsd_start(rc: Rc) -> int:
    if not rc.modules("nfsd"):
        return 1
    if pid_of(rc) is None:
        rc.say(f"NFS on reserved port only={'YES' if rc.yes('nfs_reserved_port_only') else 'NO'}\n")
    return _start(rc)


_EXTRA: dict[str, dict[str, Handler]] = {
    "sshd": {"reload": _reload, "configtest": _sshd_check, "keygen": _sshd_check},
    "cron": {},
    "syslogd": {"reload": _reload},
    "inetd": {"reload": _reload},
    "mountd": {"start": _mountd_reads(_start), "reload": _mountd_reads(_reload)},
    "nfsd": {"start": _nfsd_start},
    "ctld": {"reload": _reload},
}


# pf, dummynet, rctl ---------------------------------------------------------------------------------------------------


def _pf_start(rc: Rc) -> int:
    program, rules, flags = rc.get("pf_program"), rc.get("pf_rules"), shlex.split(rc.get("pf_flags"))
    if not rc.readable(rules) or not rc.modules("pf"):
        return 1
    rc.say("Enabling pf")
    rc.silent(program, "-F", "all")
    if rc.run(program, "-f", rules, *flags):
        _pf_fallback(rc, program, flags)
    if "Enabled" not in rc.silent(program, "-s", "info").out:
        rc.run(program, "-eq")
    rc.say(".\n")
    return 0


def _pf_fallback(rc: Rc, program: str, flags: t.Sequence[str]) -> None:
    rc.warn(f"Unable to load {rc.get('pf_rules')}.")
    if not rc.yes("pf_fallback_rules_enable"):
        return
    file, rules = rc.get("pf_fallback_rules_file"), rc.get("pf_fallback_rules")
    if rc.ctx.path(file).is_file():
        rc.warn(f"Loading fallback rules file: {file}")
        rc.run(program, "-f", file, *flags)
        return
    rc.warn(f"Loading fallback rules: {rules}")
    result = rc.ctx.run([program, "-f", "-", *flags], stdin=f"{rules}\n")
    rc.ctx.out.write(result.out)
    rc.ctx.err.write(result.err)


def _pf_stop(rc: Rc) -> int:
    if "Enabled" in rc.silent(rc.get("pf_program"), "-s", "info").out:
        rc.ctx.out.write("Disabling pf")
        rc.run(rc.get("pf_program"), "-dq")
        rc.ctx.out.write(".\n")
    return 0


def _pf_check(rc: Rc) -> int:
    rc.ctx.print("Checking pf rules.")
    return rc.run(rc.get("pf_program"), "-n", "-f", rc.get("pf_rules"), *shlex.split(rc.get("pf_flags")))


def _pf_resync(rc: Rc) -> int:
    words = ["-f", rc.get("pf_rules"), *shlex.split(rc.get("pf_flags"))]
    if rc.run(rc.get("pf_program"), "-n", *words):
        return 1
    return rc.run(rc.get("pf_program"), *words)


def _pf_reload(rc: Rc) -> int:
    rc.ctx.print("Reloading pf rules.")
    return _pf_resync(rc)


def _pf_status(rc: Rc) -> int:
    if not rc.ctx.path("/dev/pf").exists():
        rc.ctx.print("pf.ko is not loaded")
        return 1
    rc.run(rc.get("pf_program"), "-s", "info")
    return rc.silent(rc.get("pf_program"), "-s", "Running").rc


def _pflog_start(rc: Rc) -> int:
    if not rc.modules("pf", "pflog"):
        return 1
    rc.say("Starting pflog.\n")
    rc.silent("ifconfig", "pflog0", "up")
    rc.ctx.path(rc.get("pflog_logfile")).touch()
    with rc.ctx.host.kernel() as kernel:
        task.add(kernel, ["pflogd:", "[running]"], comm="pflogd", user="_pflogd")
    return 0


def _pflog_stop(rc: Rc) -> int:
    with rc.ctx.host.kernel() as kernel:
        for number, entry in task.of_jail(kernel, 0):
            if entry["comm"] == "pflogd":
                task.kill(kernel, number)
    rc.ctx.print("Stopping pflog.")
    rc.silent("ifconfig", "pflog0", "down")
    return 0


def _dnctl_start(rc: Rc) -> int:
    if not rc.readable(rc.get("dnctl_rules")) or not rc.modules("dummynet"):
        return 1
    rc.say("Enabling dnctl")
    rc.run(rc.get("dnctl_program"), rc.get("dnctl_rules"))
    rc.say(".\n")
    return 0


def _not_running(rc: Rc) -> int:
    rc.ctx.err.write(f"{rc.name} not running?\n")
    return 1


def _is_not_running(rc: Rc) -> int:
    rc.ctx.print(f"{rc.name} is not running.")
    return 1


def _rctl_start(rc: Rc) -> int:
    """Add all rules of the file by one command: the first word of each line."""
    file = rc.ctx.path(rc.get("rctl_rules"))
    if not file.is_file():
        return 0
    lines = [line.partition("#")[0].split() for line in file.read_text(errors="replace").splitlines()]
    rules = [words[0] for words in lines if words]
    if rules:
        rc.run("rctl", "-a", *rules)
    return 0


def _rctl_stop(rc: Rc) -> int:
    if rc.silent("rctl").out:
        rc.silent("rctl", "-r", ":")
    return 0


# Kernel and files -----------------------------------------------------------------------------------------------------


def _sysctl(rc: Rc) -> int:
    for file in ("/etc/sysctl.conf", "/etc/sysctl.conf.local"):
        if rc.ctx.path(file).is_file():
            rc.ctx.err.write(rc.silent("sysctl", "-i", "-f", file).err)
    return 0


def _kld(rc: Rc) -> int:
    wanted = rc.get("kld_list").split()
    if wanted:
        rc.say("Loading kernel modules:")
        for module in wanted:
            if rc.run("kldload", "-n", module) == 0:
                rc.say(f" {module}")
        rc.say("\n")
    return 0


def _devfs(rc: Rc) -> int:
    """Read the rule sets of both files: a section empties its set, then adds its rules."""
    names: dict[str, str] = {}
    number = ""
    for file in rc.get("devfs_rulesets").split():
        path = rc.ctx.path(file)
        for line in path.read_text().splitlines() if path.is_file() else []:
            text = line.partition("#")[0].strip()
            if text.startswith("["):
                name, _unused, number = text.strip("[]").partition("=")
                names[name.strip()] = number = number.strip()
                rc.silent("devfs", "rule", "-s", number, "delset")
            elif text and number:
                words = (names.get(word.removeprefix("$"), word) for word in shlex.split(text))
                rc.run("devfs", "rule", "-s", number, *words)
    return 0


def _hostname(rc: Rc) -> int:
    if rc.get("hostname"):
        rc.say(f"Setting hostname: {rc.get('hostname')}.\n")
        rc.run("hostname", rc.get("hostname"))
    return 0


def _hostid(rc: Rc) -> int:
    import uuid  # noqa: PLC0415

    file = rc.ctx.path(rc.get("hostid_file"))
    if not file.is_file():
        file.write_text(f"{uuid.uuid4()}\n")
    with rc.ctx.host.kernel() as kernel:
        kernel["hostuuid"] = file.read_text().strip()
    return 0


def _mdconfig(rc: Rc) -> int:
    """Attach the images that rc.conf names (mdconfig_mdN)."""
    for name in sorted(rc.settings):
        unit = name.removeprefix("mdconfig_")
        if name.startswith("mdconfig_md") and unit[2:].isdigit():
            rc.say(f"Creating {unit} device (vnode).\n")
            rc.run("mdconfig", "-a", *shlex.split(rc.get(name)), "-u", unit)
    return 0


def _cleartmp(rc: Rc) -> int:
    if rc.yes("clear_tmp_enable"):
        folder = rc.ctx.path("/tmp")
        rc.run("rm", "-rf", *(f"/tmp/{each.name}" for each in folder.iterdir()))
    return 0


def _cleanvar(rc: Rc) -> int:
    for each in rc.ctx.path("/var/run").iterdir():
        if each.is_file():
            each.unlink()
    return 0


def _motd(rc: Rc) -> int:
    template = rc.ctx.path("/etc/motd.template")
    if template.is_file():
        text = f"{rc.silent('uname', '-a').out.strip()}\n\n{template.read_text()}"
        rc.ctx.path("/var/run/motd").write_text(text)
    return 0


def _os_release(rc: Rc) -> int:
    from model import etc_files  # noqa: PLC0415

    release = rc.silent("freebsd-version", "-u").out.strip()
    rc.ctx.path("/var/run/os-release").write_text(etc_files.os_release(release))
    return 0


def _securelevel(rc: Rc) -> int:
    if rc.yes("kern_securelevel_enable") and int(rc.get("kern_securelevel") or -1) >= 0:
        rc.run("sysctl", f"kern.securelevel={rc.get('kern_securelevel')}")
    return 0


def _command(*words: str) -> Handler:
    """Return a handler that runs a command and keeps only what it complains of."""

    def run(rc: Rc) -> int:
        result = rc.silent(*words)
        rc.ctx.err.write(result.err)
        return 0

    return run


SCRIPTS: dict[str, dict[str, Handler]] = {
    "cleanvar": {"start": _cleanvar},
    "cleartmp": {"start": _cleartmp},
    "devfs": {"start": _devfs, "restart": _devfs},
    "dnctl": {"start": _dnctl_start, "stop": _not_running, "status": _is_not_running},
    "hostid": {"start": _hostid},
    "hostname": {"start": _hostname},
    "jail": rc_jail.HANDLERS,
    "kld": {"start": _kld},
    "linux": {"start": _command("kldload", "-n", "linux64")},
    "mdconfig": {"start": _mdconfig},
    "motd": {"start": _motd},
    "mountcritlocal": {"start": _command("mount", "-a")},
    "mountlate": {"start": _command("mount", "-a", "-l")},
    "netif": rc_net.NETIF,
    "os-release": {"start": _os_release},
    "pf": {
        "start": _pf_start,
        "stop": _pf_stop,
        "check": _pf_check,
        "reload": _pf_reload,
        "resync": _pf_resync,
        "status": _pf_status,
    },
    "pflog": {"start": _pflog_start, "stop": _pflog_stop},
    "rctl": {"start": _rctl_start, "stop": _rctl_stop, "status": _is_not_running},
    "routing": rc_net.ROUTING,
    "securelevel": {"start": _securelevel},
    "sysctl": {"start": _sysctl, "restart": _sysctl},
    "sysctl_lastload": {"start": _sysctl},
    "zfs": {"start": _command("zfs", "mount", "-a")},
}
