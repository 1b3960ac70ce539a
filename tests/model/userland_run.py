# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run other programs, or end them: env, timeout, lockf, daemon, nice, nohup, kill."""

from __future__ import annotations

import fcntl
import os
import signal
import time
import typing as t

from model.command import Exit, options
from model.files import reason
from model.longopts import long_options
from model.process_run import isolated, run_program, start_program, wait_for
from model.userland import usage

if t.TYPE_CHECKING:
    from model.command import Context

ENV = """usage: env [-0iv] [-u name] [name=value ...]
       env [-iv] [-C workdir] [-P utilpath] [-S string] [-u name]
           [name=value ...] utility [argument ...]
"""
TIMEOUT = (
    "usage: timeout [-f | --foreground] [-k time | --kill-after time] [-p | --preserve-status] "
    "[-s signal | --signal signal]  [-v | --verbose] <duration> <command> [arg ...]\n"
)
LOCKF = """usage: lockf [-knsw] [-p] [-t seconds] file command [arguments]
       lockf [-s] [-t seconds] fd
"""
DAEMON = """usage: daemon [-cfHrS] [-p child_pidfile] [-P supervisor_pidfile]
              [-u user] [-o output_file] [-t title]
              [-l syslog_facility] [-s syslog_priority]
              [-T syslog_tag] [-m output_mask] [-R restart_delay_secs]
              command arguments ...
"""
KILL = """usage: kill [-s signal_name] pid ...
       kill -l [exit_status]
       kill -signal_name pid ...
       kill -signal_number pid ...
"""
EX_TEMPFAIL, EX_CANTCREAT, EX_UNAVAILABLE, TIMED_OUT = 75, 73, 69, 124


def env(ctx: Context) -> int:
    """env(1)."""
    flags, words = options(ctx, "0C:iL:P:S:U:u:v", ENV)
    environment = {} if "i" in flags else dict(ctx.env)
    for name in flags.get("u", []):
        environment.pop(name, None)
    words = [*(flags["S"][-1].split() if "S" in flags else []), *words]
    while words and "=" in words[0]:
        name, _unused, value = words.pop(0).partition("=")
        environment[name] = value
    if not words:
        for name, value in environment.items():
            ctx.out.write(f"{name}={value}" + ("\0" if "0" in flags else "\n"))
        return 0
    ctx.env = environment
    if "C" in flags:
        ctx.cwd = flags["C"][-1]
        if isolated(ctx) and ctx.inside == "/":
            os.chdir(ctx.cwd)
    return run_program(ctx, words)


def timeout(ctx: Context) -> int:
    """timeout(1)."""
    long = {"preserve-status": "p", "foreground": "f", "kill-after": "k:", "signal": "s:", "verbose": "v", "help": "h"}
    flags, words = long_options(ctx, "+fhk:ps:v", long, TIMEOUT, 125)
    if len(words) < 2:
        usage(ctx, TIMEOUT, 125)
    seconds = _duration(words[0])
    after = _duration(flags["k"][-1]) if "k" in flags else 0.0
    number = _signal(flags.get("s", ["TERM"])[-1])
    if not (isolated(ctx) and ctx.inside == "/"):
        return _timeout_inside(ctx, words[1:], seconds)
    pid = start_program(ctx, words[1:], setpgroup=0)
    if not pid:
        return 127
    if not seconds or _wait(pid, seconds):
        return wait_for(pid)
    os.killpg(pid, number)
    if after and not _wait(pid, after):
        os.killpg(pid, signal.SIGKILL)
    status = wait_for(pid)
    return status if "p" in flags else TIMED_OUT


def _timeout_inside(ctx: Context, words: list[str], seconds: float) -> int:
    class Late(BaseException):
        """Breaks off the command."""

    def late(*_unused: object) -> None:
        raise Late

    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return run_program(ctx, words)
    except Late:
        return TIMED_OUT
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _duration(text: str) -> float:
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    try:
        return float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        raise Exit(125, "duration is not a number") from None


def _signal(text: str) -> int:
    name = text.upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    # FreeBSD's numbers differ; a name means the same on both.
    number = getattr(signal, f"SIG{name}", None)
    if number is None:
        raise Exit(125, "invalid signal")
    return int(number)


def _wait(pid: int, seconds: float) -> bool:
    """Wait that long for a process to end; leave it to be waited for. Say whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.01)
    return False


def lockf(ctx: Context) -> int:
    """lockf(1)."""
    flags, words = options(ctx, "knpsTt:w", LOCKF, 64)
    if len(words) < 2:
        usage(ctx, LOCKF, 64)
    name, *command = words
    path = ctx.path(name)
    mode = os.O_RDWR if "w" in flags or not path.exists() else os.O_RDONLY
    try:
        descriptor = os.open(path, mode | (0 if "n" in flags else os.O_CREAT) | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if "n" in flags and not path.exists():
            raise Exit(EX_UNAVAILABLE, "" if "s" in flags else f"cannot open {name}: {reason(error)}") from None
        raise Exit(EX_CANTCREAT, f"cannot open {name}: {reason(error)}") from None
    try:
        if not _lock(descriptor, float(flags["t"][-1]) if "t" in flags else None):
            raise Exit(EX_TEMPFAIL, "" if "s" in flags else f"{name}: already locked")
        status = run_program(ctx, command)
        if "k" not in flags and path.exists():
            path.unlink()
    finally:
        os.close(descriptor)
    return status if status != 127 else 70


def _lock(descriptor: int, seconds: float | None) -> bool:
    if seconds is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        else:
            return True


# daemon ---------------------------------------------------------------------------------------------------------------


def daemon(ctx: Context) -> int:
    """daemon(8)."""
    long = {"change-dir": "c", "close-fds": "f", "sighup": "H", "syslog": "S", "output-file": "o:", "pidfile": "p:"}
    long |= {"child-pidfile": "p:", "supervisor-pidfile": "P:", "restart": "r", "restart-delay": "R:", "title": "t:"}
    flags, words = long_options(ctx, "+cfHSp:P:ru:o:s:l:t:m:R:T:C:h", long, DAEMON)
    if not words:
        usage(ctx, DAEMON)
    if not isolated(ctx) or ctx.inside != "/":
        raise Exit(1, "the model makes daemons only on a host of its own")
    for letter in "pP":
        if letter in flags and _is_held(ctx, flags[letter][-1]):
            raise Exit(3, "process already running, pid: " + ctx.path(flags[letter][-1]).read_text().strip())
    ctx.out.flush()
    if os.fork():
        return 0
    os.setsid()
    if os.fork():
        os._exit(0)
    _detach(ctx, flags)
    os._exit(_supervise(ctx, flags, words))


def _is_held(ctx: Context, name: str) -> bool:
    path = ctx.path(name)
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not _lock(descriptor, 0)
    finally:
        os.close(descriptor)


def _detach(ctx: Context, flags: t.Mapping[str, list[str]]) -> None:
    if "c" in flags:
        os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    if "o" in flags:
        output = os.open(ctx.path(flags["o"][-1]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
    elif flags.keys() & {"f", "S"}:
        os.dup2(null, 1)
        os.dup2(null, 2)


def _pidfile(ctx: Context, name: str, pid: int) -> int:
    """Write a process id into its file and hold the file locked, as pidfile_open(3) does."""
    descriptor = os.open(ctx.path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(pid).encode())
    return descriptor


def _supervise(ctx: Context, flags: t.Mapping[str, list[str]], words: list[str]) -> int:
    restart = bool(flags.keys() & {"r", "R"})
    state = {"child": 0, "ending": False}

    def end(number: int, _unused: object) -> None:
        state["ending"] = True
        if state["child"]:
            os.kill(state["child"], number)

    held = [_pidfile(ctx, flags["P"][-1], os.getpid())] if "P" in flags else []
    signal.signal(signal.SIGTERM, end)
    status = 0
    while True:
        pid = start_program(ctx, words, setsigdef=[signal.SIGTERM])
        if not pid:
            break
        state["child"] = pid
        own = [_pidfile(ctx, flags["p"][-1], pid)] if "p" in flags else []
        status = wait_for(pid)
        for descriptor in own:
            os.close(descriptor)
        if not restart or state["ending"]:
            break
        time.sleep(float(flags.get("R", ["1"])[-1]))
    for letter in "pP":
        if letter in flags:
            ctx.path(flags[letter][-1]).unlink(missing_ok=True)
    for descriptor in held:
        os.close(descriptor)
    return status


# Options and usage of programs that only change how another is run. That of stdbuf(1) is from its source.
WRAPPERS = {
    "nice": ("n:", "usage: nice [-n incr] utility [arguments]\n"),
    "nohup": ("", "usage: nohup [--] utility [arguments]\n"),
    "stdbuf": ("e:i:o:", "Usage: stdbuf [-e 0|L|B|<sz>] [-i 0|L|B|<sz>] [-o 0|L|B|<sz>] <cmd> [args ...]\n"),
}


def nice(ctx: Context) -> int:
    """nice(1), nohup(1), stdbuf(1): the model has no priorities, hangups and buffers, so the program simply runs."""
    letters, text = WRAPPERS[ctx.argv[0]]
    _unused, words = options(ctx, letters, text)
    if not words:
        usage(ctx, text)
    return run_program(ctx, words)


# kill -----------------------------------------------------------------------------------------------------------------


def kill(ctx: Context) -> int:
    """kill(1): processes of the model's table, and those that programs of the isolated file system started."""
    words = ctx.arguments
    number = int(signal.SIGTERM)
    if words[:1] == ["-l"]:
        ctx.print(
            "HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM URG STOP TSTP CONT CHLD TTIN "
            "TTOU IO XCPU XFSZ VTALRM PROF WINCH INFO USR1 USR2"
        )
        return 0
    if words[:1] == ["-s"] and len(words) > 1:
        number, words = _kill_signal(ctx, words[1]), words[2:]
    elif words and words[0].startswith("-") and words[0] != "--":
        number, words = _kill_signal(ctx, words[0][1:]), words[1:]
    words = words[1:] if words[:1] == ["--"] else words
    if not words:
        usage(ctx, KILL)
    status = 0
    for word in words:
        if not word.lstrip("-").isdigit():
            raise Exit(2, f"illegal process id: {word}")
        try:
            _send(ctx, int(word), number)
        except OSError as error:
            ctx.warn(f"{word}: {reason(error)}")
            status = 1
    return status


def _kill_signal(ctx: Context, text: str) -> int:
    try:
        return _signal(text)
    except Exit:
        ctx.warn(f"unknown signal {text}; valid signals:")
        raise Exit(1) from None


def _send(ctx: Context, pid: int, number: int) -> None:
    from model import task  # noqa: PLC0415

    with ctx.host.kernel() as kernel:
        if task.kill(kernel, pid, number):
            return
    if not isolated(ctx):
        raise ProcessLookupError(3, "No such process")
    os.kill(pid, number)
