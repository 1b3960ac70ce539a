# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jail(8)."""

from __future__ import annotations

import queue
import threading
import time
import typing as t
from collections import deque

from model import execute, jailconf, prison, task
from model.command import Exit, options
from model.jailconf import Jail, Parameter, quoted

if t.TYPE_CHECKING:
    from model.command import Context

CONFIGURATION = "/etc/jail.conf"
USAGE = """usage: jail [-dhilqv] [-J jid_file] [-u username] [-U username]
            -[cmr] param=value ... [command=command ...]
       jail [-dqv] [-f file] [-p limit] -[cmr] [jail]
       jail [-qv] [-f file] [-p limit] -[rR] ['*' | jail ...]
       jail [-dhilqv] [-J jid_file] [-u username] [-U username]
            [-n jailname] [-s securelevel]
            path hostname [ip[,...]] command ...
       jail [-f file] -e separator
"""
_START_WORDS = (
    "exec.prepare ip4.addr ip6.addr mount mount.fstab mount.devfs mount.fdescfs mount.procfs exec.prestart (set) "
    "exec.created zfs.dataset vnet.interface exec.start command exec.poststart"
)
START = _START_WORDS.split()
_STOP_WORDS = (
    "exec.prestop exec.stop (term) (remove) exec.poststop mount.procfs mount.fdescfs mount.devfs mount.fstab mount "
    "ip6.addr ip4.addr exec.release"
)
STOP = _STOP_WORDS.split()
GONE = STOP[STOP.index("(remove)") :]
NOT_UNDONE = frozenset({"exec.prepare", "exec.prestart", "exec.created", "exec.start", "command", "exec.poststart"})
IN_JAIL = frozenset({"exec.start", "exec.stop", "command"})
BOOLEANS = frozenset(
    [
        "allow.dying",
        "exec.clean",
        "exec.system_jail_user",
        "ip_hostname",
        "mount.devfs",
        "mount.fdescfs",
        "mount.procfs",
    ]
)
INTEGERS = frozenset({"exec.fib", "exec.timeout", "stop.timeout"})
INTERNAL = (
    BOOLEANS
    | INTEGERS
    | frozenset(
        [
            "command",
            "depend",
            "exec.consolelog",
            "exec.jail_user",
            "exec.poststart",
            "exec.poststop",
            "exec.prepare",
            "exec.prestart",
            "exec.prestop",
            "exec.release",
            "exec.created",
            "exec.start",
            "exec.stop",
            "exec.system_user",
            "interface",
            "mount",
            "mount.fstab",
            "vnet.interface",
            "zfs.dataset",
        ]
    )
)
LISTS = ("ip4.addr", "ip6.addr", "vnet.interface", "zfs.dataset")
SHELL_MARKS = frozenset("!\"$&'()*;<>?[\\]`{|}~")
STOP_TIMEOUT = 10
MAGIC_TIMEOUT = "(timed out)"

Steps = t.Generator["Command | None", t.Any, bool]


class Command(t.NamedTuple):
    """A program (or a wait) that a jail's next step needs: ``work`` runs in a thread of its own."""

    line: str
    work: t.Callable[[], str]
    timeout: float | None
    counts: bool = True


class Run:
    """What is done with one jail."""

    def __init__(self, jail: Jail, *, wild: bool = False) -> None:
        """Nothing yet."""
        self.jail = jail
        self.operation = ""
        self.wild = wild
        self.dependent = False
        self.failed = False
        self.done = False
        self.queued = False
        self.checked = False
        self.jid = 0
        self.temporary_persist = False
        self.steps: Steps | None = None
        self.needs: list[Run] = []
        self.needed_by: list[Run] = []
        self.kernel_values: dict[str, t.Any] = {}
        self.mounts: list[str] = []

    @property
    def name(self) -> str:
        """The name that is looked for in the kernel."""
        return self.jail.name or self.jail.value("jid") or self.jail.value("name") or ""


def jail(ctx: Context) -> int:
    """jail(8)."""
    flags, operands = options(ctx, "cCde:f:hiJ:lmn:p:qrRs:u:U:v", USAGE)
    try:
        return Manager(ctx, flags).main(operands)
    except jailconf.Broken as error:
        raise Exit(1, str(error)) from None


class Manager:
    """One call of jail(8)."""

    def __init__(self, ctx: Context, flags: t.Mapping[str, list[str]]) -> None:
        """Take the options."""
        self.ctx = ctx
        self.flags = flags
        self.verbose = -1 if "q" in flags or "i" in flags else int("v" in flags)
        self.file = flags.get("f", [CONFIGURATION])[-1]
        limit = flags.get("p", ["0"])[-1]
        self.limit = int(limit) if limit.isdigit() and int(limit) > 0 else 0
        self.runs: list[Run] = []
        self.note_remove = False
        self.error = 0
        self.ready: deque[tuple[Run, t.Any]] = deque()
        self.waiting: list[Run] = []
        self.finished: queue.Queue[tuple[Run, int, str | BaseException]] = queue.Queue()
        self.running: dict[int, tuple[Run, Command, float | None]] = {}
        self.held: deque[tuple[Run, Command]] = deque()
        self.count = 0

    # The command line ---------------------------------------------------------------------------------------------

    def main(self, operands: list[str]) -> int:
        """Find out what is asked for, and do it."""
        if "e" in self.flags:
            return self._export(operands)
        operation = "".join(letter for letter in "cmr" if letter in self.flags)
        if "R" in self.flags or "C" in self.flags:
            operation = operation if "r" in operation else operation + "r"
        if not operation:
            self._old_style(operands)
            operation = "c"
        elif operation == "r":
            self._removal(operands)
        elif len(operands) > 1 or (operands and "=" in operands[0]):
            self._command_line(operands)
        else:
            self._configured(operands)
        for run in self.runs:
            if run.jail.problems:
                self._problems(run)
        self._depend()
        if not self._choose(operands, operation):
            return 1
        self._loop()
        self._write_jid_file()
        return self.error

    def _usage(self) -> t.NoReturn:
        self.ctx.err.write(USAGE)
        raise Exit(1)

    def _problems(self, run: Run) -> None:
        for problem in run.jail.problems:
            self.warn(run, problem)
        run.failed = True

    def _export(self, operands: list[str]) -> int:
        if operands or set(self.flags) - {"e", "f"}:
            self._usage()
        separator = self.flags["e"][-1]
        for each in jailconf.load(self.ctx, self.file):
            for problem in each.problems:
                self.ctx.warn(f"{each.name}: {problem}")
            self.ctx.print(separator.join(_shown(parameter) for parameter in each.parameters))
        return 0

    def _load(self) -> None:
        self.runs = [Run(each) for each in jailconf.load(self.ctx, self.file)]

    def _is_old_option(self) -> bool:
        return bool({"h", "l", "n", "s", "u", "U"} & self.flags.keys())

    def _removal(self, operands: list[str]) -> None:
        ignoring = "R" in self.flags
        if not operands or self._is_old_option() or (not ignoring and any("=" in each for each in operands)):
            self._usage()
        if not ignoring and (self.file == "-" or self.ctx.path(self.file).exists()):
            self._load()
            self.note_remove = True
        self.note_remove = self.note_remove or len(operands) > 1 or jailconf.is_wild(operands[0])

    def _configured(self, operands: list[str]) -> None:
        del operands
        if "R" in self.flags or self._is_old_option():
            self._usage()
        self._load()

    def _command_line(self, operands: list[str]) -> None:
        if "R" in self.flags:
            self._usage()
        found = Jail(None)
        self._add_options(found)
        for place, operand in enumerate(operands):
            name, equals, text = operand.partition("=")
            if name == "command":
                words = ([text] if equals else []) + operands[place + 1 :]
                found.add(Parameter("command", [[(False, word)] for word in words], append=True))
                break
            values = text.split(",") if name in LISTS else [text]
            pieces = [[(False, value)] for value in values] if equals else []
            found.add(Parameter(name, t.cast("t.Any", pieces), append=name in LISTS))
        self.runs = [Run(found)]

    def _add_options(self, found: Jail) -> None:
        for letter, name in (("n", "name"), ("s", "securelevel"), ("u", "exec.jail_user"), ("U", "exec.jail_user")):
            for value in self.flags.get(letter, [])[-1:]:
                found.add(Parameter(name, [[(False, value)]]))
        for letter, name in (("l", "exec.clean"), ("u", "exec.system_jail_user"), ("h", "ip_hostname")):
            if letter in self.flags:
                found.add(Parameter(name, []))

    def _old_style(self, operands: list[str]) -> None:
        if len(operands) < 4 or not operands[0].startswith("/"):
            self._usage()
        found = Jail(None)
        self._add_options(found)
        pairs = [("path", [operands[0]]), ("host.hostname", [operands[1]]), ("command", operands[3:])]
        addresses = [each for each in operands[2].split(",") if each]
        pairs += [("ip4.addr", [each for each in addresses if ":" not in each])]
        pairs += [("ip6.addr", [each for each in addresses if ":" in each])]
        for name, values in pairs:
            if values:
                found.add(Parameter(name, [[(False, value)] for value in values]))
        self.runs = [Run(found)]

    # Which jails --------------------------------------------------------------------------------------------------

    def _depend(self) -> None:
        """Connect the jails that depend on each other; from the command line, what is needed must run already."""
        by_name = {run.jail.name: run for run in self.runs if run.jail.name}
        for run in self.runs:
            for name in run.jail.values("depend"):
                needed = by_name.get(name)
                if run.jail.name is None:
                    self._need_running(run, name)
                elif needed is None:
                    self.warn(run, f'depends on undefined jail "{name}"')
                    run.failed = True
                else:
                    run.needs.append(needed)
                    needed.needed_by.append(run)
            above = by_name.get((run.jail.name or "").rpartition(".")[0])
            if above is not None:
                run.needs.append(above)
                above.needed_by.append(run)
        for run in self.runs:
            if _needs_itself(run, run, set()):
                self.warn(run, "dependency loop")
                run.failed = True
                run.needs = []

    def _need_running(self, run: Run, name: str) -> None:
        with self.ctx.host.kernel() as kernel:
            if prison.find(kernel, name) is None:
                self.ctx.warn(f'depends on nonexistent jail "{name}"')
                run.failed = True

    def _choose(self, operands: list[str], operation: str) -> bool:
        """Queue the jails that are asked for; false if there is nothing to do because one is not found."""
        if operation != "r":
            if self.runs and self.runs[0].jail.name is None:
                self._queue(self.runs[0], operation)
                return True
            return self._choose_one(operands[0] if operands else "*", operation)
        for name in operands:
            if not self._choose_one(name, operation):
                self.error = 1
        return bool(self.ready or self.waiting) or not self.error

    def _choose_one(self, name: str, operation: str) -> bool:
        if jailconf.is_wild(name):
            for run in self._wild(name):
                run.wild = True
                self._queue(run, operation)
            return True
        found = next((run for run in self.runs if run.jail.name == name), None)
        if found is None and operation == "r":
            found = self._running(name)
        if found is None:
            self.ctx.warn(f'"{name}" not found')
            return False
        self._queue(found, operation)
        return True

    def _wild(self, name: str) -> list[Run]:
        if "R" not in self.flags:
            return [run for run in self.runs if jailconf.matches(run.jail.name or "", name)]
        with self.ctx.host.kernel() as kernel:
            names = [each["name"] for each in prison.prisons(kernel) if jailconf.matches(each["name"], name)]
        self.runs += [Run(Jail(each)) for each in names]
        return self.runs[-len(names) :] if names else []

    def _running(self, name: str) -> Run | None:
        """A jail that only the kernel knows."""
        with self.ctx.host.kernel() as kernel:
            if prison.find(kernel, name) is None:
                return None
        self.runs.append(Run(Jail(name)))
        return self.runs[-1]

    def _queue(self, run: Run, operation: str) -> None:
        run.operation = operation
        if not run.queued:
            run.queued = True
            self.ready.append((run, None))

    # The loop -----------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Take the next jail whose step is due, until none is left. Stopping begins with the last one."""
        while self.ready or self.running or self.held:
            try:
                number_of = self.finished.get_nowait()
            except queue.Empty:
                if self.ready:
                    last = self.ready[0][0].operation == "r" and self.ready[0][0].steps is None
                    self._advance(*(self.ready.pop() if last else self.ready.popleft()))
                    continue
                found = self._wait()
                if found is None:
                    continue
                number_of = found
            self._command_done(*number_of)
        for run in self.waiting:
            self.warn(run, "dependency loop")
            self.error = 1

    def _wait(self) -> tuple[Run, int, str | BaseException] | None:
        """Wait for a command; one that takes too long counts as ended, None if nothing came of it."""
        deadlines = [deadline for _unused, _unused2, deadline in self.running.values() if deadline is not None]
        left = max(min(deadlines) - time.monotonic(), 0) if deadlines else None
        try:
            return self.finished.get(timeout=left)
        except queue.Empty:
            for number, (run, _unused, deadline) in self.running.items():
                if deadline is not None and deadline <= time.monotonic():
                    return run, number, MAGIC_TIMEOUT
        return None

    def _command_done(self, run: Run, number: int, problem: str | BaseException) -> None:
        if isinstance(problem, BaseException):
            raise problem
        if number not in self.running:
            # It was given up before.
            return
        _unused, command, _unused2 = self.running.pop(number)
        if self.held:
            self._begin(*self.held.popleft())
        if problem == MAGIC_TIMEOUT:
            problem = f"{command.line}: timed out"
        if problem and command.counts:
            self.warn(run, problem)
        self.ready.appendleft((run, not problem))

    def _begin(self, run: Run, command: Command) -> None:
        if command.counts and self.limit and self._busy() >= self.limit:
            self.held.append((run, command))
            return
        self.count += 1
        number = self.count
        deadline = None if command.timeout is None else time.monotonic() + command.timeout
        self.running[number] = (run, command, deadline)
        self.ctx.out.flush()
        threading.Thread(target=lambda: self.finished.put((run, number, self._work(command))), daemon=True).start()

    def _busy(self) -> int:
        return sum(command.counts for _unused, command, _unused2 in self.running.values())

    @staticmethod
    def _work(command: Command) -> str | BaseException:
        try:
            return command.work()
        except task.Killed:
            return f"{command.line}: exited on signal 9"
        except Exception as error:
            # A mistake of the model in this thread must not leave the others waiting for ever.
            return f"{command.line}: {error!r}"
        except BaseException as end:
            # What shall end the whole process is for the thread that waits.
            return end

    def _advance(self, run: Run, answer: t.Any) -> None:
        """Let a jail go on until it needs a command."""
        if run.steps is None:
            if not self._prepare(run):
                return
            run.steps = self._operate(run)
            answer = None
        try:
            command = run.steps.send(answer)
        except StopIteration as end:
            run.failed = run.failed or not end.value
            self._finish(run)
            return
        if command is not None:
            self._begin(run, command)

    def _finish(self, run: Run) -> None:
        run.done = True
        if run.failed:
            self.error = 1
        for each in [each for each in self.waiting if self._is_free(each)]:
            self.waiting.remove(each)
            self.ready.append((each, None))

    def _prepare(self, run: Run) -> bool:
        """Check a jail's parameters and whether what it depends on is done; false if it is finished or has to wait."""
        if run.failed:
            self._finish(run)
            return False
        if not run.checked:
            run.checked = True
            if not self._check(run):
                run.failed = True
                self._finish(run)
                return False
            run.jid = self._jid(run)
        for each in self._before(run):
            if not each.operation:
                each.dependent = True
                self._queue(each, "c" if run.operation in ("c", "m", "cm") else "r")
        if not self._is_free(run):
            self.waiting.append(run)
            return False
        if any(each.failed for each in self._before(run)):
            if self.verbose >= 0 and not run.dependent:
                self.warn(run, "skipped")
            run.failed = True
            self._finish(run)
            return False
        return True

    @staticmethod
    def _before(run: Run) -> list[Run]:
        return run.needed_by if "r" in run.operation else run.needs

    def _is_free(self, run: Run) -> bool:
        return all(each.done for each in self._before(run))

    # What is done with a jail -------------------------------------------------------------------------------------

    def _operate(self, run: Run) -> Steps:
        operation = run.operation
        if operation in ("cm", "cmr", "mr"):
            operation = self._settled(run, operation)
            if not operation:
                return self._not_found(run)
        if operation == "c":
            return (yield from self._start(run))
        if operation == "m":
            return self._modify(run)
        if run.jid <= 0:
            return (yield from self._cleanup(run)) if "C" in self.flags else self._not_found(run)
        stopped = yield from self._stop(run)
        if operation == "r" or not stopped:
            return stopped
        return (yield from self._start(run))

    def _settled(self, run: Run, operation: str) -> str:
        """Turn an operation that depends on the jail's state into a plain one."""
        if run.jid <= 0:
            return "c" if "c" in operation else ""
        if "r" not in operation:
            return "m"
        return "rc" if self._fixed_difference(run) else "m"

    def _not_found(self, run: Run) -> bool:
        if run.dependent or run.wild:
            return True
        if self.verbose >= 0 or run.operation != "r":
            self.ctx.warn(f'"{run.name}" not found' if run.name else "no jail specified")
        return False

    def _jid(self, run: Run) -> int:
        with self.ctx.host.kernel() as kernel:
            found = prison.find(kernel, run.name) if run.name else None
            return found["jid"] if found else -1

    def _start(self, run: Run) -> Steps:
        if run.jid > 0:
            if run.dependent or run.wild:
                return True
            self.ctx.warn(f'"{run.name}" already exists')
            return False
        done: list[tuple[str, str]] = []
        for step in START:
            for item in self._items(run, step):
                if not (yield from self._step(run, step, item, down=False)):
                    yield from self._undo(run, done)
                    return False
                done.append((step, item))
        self._clear_persist(run)
        return True

    def _undo(self, run: Run, done: list[tuple[str, str]]) -> Steps:
        """Take back what a failed start did; the jail's own commands have no opposite."""
        for step, item in reversed(done):
            if step not in NOT_UNDONE:
                yield from self._step(run, step, item, down=True)
        return False

    def _stop(self, run: Run) -> Steps:
        good = True
        for step in STOP:
            for item in self._items(run, step, down=True):
                if (yield from self._step(run, step, item, down=True)):
                    continue
                good = False
                if run.jid > 0:
                    return False
        return good

    def _cleanup(self, run: Run) -> Steps:
        """What comes after the removal, for a jail that is gone already (-C)."""
        good = True
        for step in GONE[1:]:
            for item in self._items(run, step, down=True):
                good = (yield from self._step(run, step, item, down=True)) and good
        return good

    def _items(self, run: Run, step: str, *, down: bool = False) -> list[str]:
        """What there is to do in a step, in order."""
        if step.startswith("("):
            return [step]
        if step in ("mount.devfs", "mount.fdescfs", "mount.procfs"):
            return [step] if run.jail.is_true(step) else []
        if step == "mount.fstab":
            found = run.mounts
        elif step in ("ip4.addr", "ip6.addr"):
            default = run.jail.value("interface")
            found = [
                each if "|" in each else f"{default}|{each}" for each in run.jail.values(step) if "|" in each or default
            ]
        elif step == "command":
            return [" ".join(run.jail.values(step))] if run.jail.values(step) else []
        else:
            found = [each for each in run.jail.values(step) if each]
        return found[::-1] if down and step in ("mount", "mount.fstab", "ip4.addr", "ip6.addr") else found

    def _step(self, run: Run, step: str, item: str, *, down: bool) -> Steps:
        if step == "(term)":
            return (yield from self._terminate(run))
        if step.startswith("("):
            return self._create(run) if step == "(set)" and not down else self._remove(run)
        argv, background = self._argv(run, step, item, down=down)
        if not argv:
            return argv is not None
        if self.verbose > 0:
            self.note(run, f"run command{' in jail' if step in IN_JAIL else ''}: {' '.join(argv)}")
        timeout = self._integer(run, "exec.timeout") or None
        if background:
            threading.Thread(target=self._run, args=(run, step, argv), daemon=True).start()
            return True
        return bool((yield Command(" ".join(argv), lambda: self._run(run, step, argv), timeout)))

    @staticmethod
    def _integer(run: Run, name: str) -> int:
        return int(run.jail.value(name) or 0)

    # Commands -----------------------------------------------------------------------------------------------------

    def _argv(self, run: Run, step: str, item: str, *, down: bool) -> tuple[list[str] | None, bool]:
        """Return the command of a step (None if it cannot be), and whether nobody waits for it."""
        if step in ("ip4.addr", "ip6.addr"):
            return _ifconfig(step, item, down=down), False
        if step == "vnet.interface":
            return ["/sbin/ifconfig", item, "-vnet" if down else "vnet", str(run.jid)], False
        if step == "zfs.dataset":
            return ["/sbin/zfs", "unjail" if down else "jail", str(run.jid), item], False
        if step.startswith("mount"):
            return self._mount(run, step, item, down=down), False
        if set(item.removesuffix("&")) & SHELL_MARKS:
            return ["/bin/sh", "-c", item], False
        return item.removesuffix("&").split(), item.endswith("&")

    def _mount(self, run: Run, step: str, item: str, *, down: bool) -> list[str] | None:
        """Return the command that mounts or unmounts, none for an empty line, None if it cannot be."""
        words = item.split()[:4] if step in ("mount", "mount.fstab") else self._own_mount(run, step)
        if not words:
            return None if words is None else []
        if len(words) < 3:  # source, target, kind
            self.warn(run, f"{step}: {item}: missing information")
            return None
        source, target, kind, *extra = words
        if not self._check_path(run, step, target):
            return None
        if down:
            return ["/sbin/umount", target]
        if step == "mount.devfs":
            return ["/sbin/mount", "-t", kind, f"-o{extra[0]}", source, target]
        return ["/sbin/mount", "-t", kind, *(["-o", extra[0]] if extra else []), source, target]

    def _own_mount(self, run: Run, step: str) -> list[str] | None:
        """Return what mount.devfs, mount.fdescfs and mount.procfs mean, as the words of a line of fstab(5)."""
        path = run.jail.value("path")
        if path is None:
            self.warn(run, f"{step}: no path")
            return None
        folder = path.rstrip("/")
        if step == "mount.devfs":
            return [".", f"{folder}/dev", "devfs", f"ruleset={run.jail.value('devfs_ruleset') or '4'}"]
        kind = step.removeprefix("mount.")
        return [kind, f"{folder}/{'proc' if kind == 'procfs' else 'dev/fd'}", kind]

    def _check_path(self, run: Run, step: str, path: str, *, file: bool = False) -> bool:
        """Refuse links in what lies below the jail's own path."""
        if not path.startswith("/"):
            self.warn(run, f"{step}: {path}: not an absolute pathname")
            return False
        top = run.jail.value("path") or ""
        if not path.startswith(top.rstrip("/") + "/"):
            return True
        here = top.rstrip("/")
        parts = [part for part in path[len(here) :].split("/") if part]
        for place, part in enumerate(parts):
            here += "/" + part
            real = self.ctx.path(here, follow=False)
            if real.is_symlink():
                self.warn(run, f"{step}: {here} is a symbolic link")
                return False
            if not real.exists() and not (file and place == len(parts) - 1):
                self.warn(run, f"{step}: {here}: No such file or directory")
                return False
        return True

    def _run(self, run: Run, step: str, argv: list[str]) -> str:
        """Run a command to its end; return what went wrong."""
        ctx = self._context(run, step)
        if ctx is None:
            return f"{' '.join(argv)}: failed"
        try:
            status = execute.as_process(ctx, argv) if step in IN_JAIL else execute.run_or_script(ctx, argv)
        except execute.CannotExecute as error:
            prefix = f"{run.jail.name}: " if run.jail.name else ""
            ctx.err.write(f"jail: {prefix}exec {argv[0]}: {error}\n")
            status = 1
        except task.Refused:
            ctx.err.write("jail: fork: Resource temporarily unavailable\n")
            status = 1
        finally:
            if ctx.out is not self.ctx.out:
                ctx.out.close()
        return f"{' '.join(argv)}: failed" if status else ""

    def _context(self, run: Run, step: str) -> Context | None:
        """Return the surroundings of a command, None (after saying why) if it cannot have them."""
        import io  # noqa: PLC0415

        ctx = self.ctx.replace(stdin=io.BytesIO(), env=dict(self.ctx.env), cwd="/")
        if step not in IN_JAIL:
            with self.ctx.host.kernel() as kernel:
                found = prison.by_jid(kernel, run.jid)
            known = (
                {"JID": str(run.jid), "JNAME": found["name"], "JPATH": run.jail.value("path") or "/"} if found else {}
            )
            return ctx.replace(env={**ctx.env, **known})
        with self.ctx.host.kernel() as kernel:
            found = prison.by_jid(kernel, run.jid)
            path = prison.value(kernel, found, "path") if found else "/"
        if not self.ctx.path(path).is_dir():
            self.warn(run, f"chdir {path}: No such file or directory")
            return None
        if run.jail.is_true("exec.clean"):
            home = {"HOME": "/root", "SHELL": "/bin/sh", "USER": "root", "TERM": self.ctx.env.get("TERM", "")}
            ctx = ctx.replace(env={"PATH": execute.PATH, **home})
        log = run.jail.value("exec.consolelog")
        if log is not None:
            if not self._check_path(run, "exec.consolelog", log, file=True):
                return None
            try:
                stream = self.ctx.path(log).open("a", errors="surrogateescape", buffering=1)
            except OSError as error:
                self.warn(run, f"open {log}: {error.strerror}")
                return None
            ctx = ctx.replace(out=stream, err=stream)
        return ctx.replace(jail=found["name"] if found else "", inside=path)

    def _terminate(self, run: Run) -> Steps:
        """SIGTERM to all processes, then wait until they are gone."""
        text = run.jail.value("stop.timeout")
        seconds = STOP_TIMEOUT if text is None else int(text)
        if seconds == 0:
            return True
        with self.ctx.host.kernel() as kernel:
            numbers = [number for number, _unused in task.of_jail(kernel, run.jid)]
            for number in numbers:
                task.kill(kernel, number)
            left = task.of_jail(kernel, run.jid)
        if self.verbose > 0 and numbers:
            self.note(run, f"sent SIGTERM to: {' '.join(map(str, numbers))}")
        if left:
            yield Command("", lambda: self._wait_for(run), seconds, counts=False)
        return True

    def _wait_for(self, run: Run) -> str:
        while True:
            with self.ctx.host.kernel() as kernel:
                if not task.of_jail(kernel, run.jid):
                    return ""
            time.sleep(task.POLL_SECONDS)

    # The kernel ---------------------------------------------------------------------------------------------------

    def _check(self, run: Run) -> bool:
        """Check the values of jail's own parameters, and turn the kernel's into what the kernel takes."""
        good = True
        for parameter in run.jail.parameters:
            problem = _value_problem(parameter)
            if problem:
                self.warn(run, problem)
                good = False
        good = self._read_fstab(run) and good
        if run.operation == "r" or not good:
            return good
        for parameter in run.jail.parameters:
            if parameter.name in INTERNAL or _plain(parameter.name) in INTERNAL:
                continue
            try:
                name, value = prison.read_value(parameter.name, _kernel_text(parameter))
                run.kernel_values[name] = value
            except prison.Refused as error:
                self.warn(run, str(error))
                good = False
        return good

    def _read_fstab(self, run: Run) -> bool:
        good = True
        for name in run.jail.values("mount.fstab"):
            if not name:
                continue
            path = self.ctx.path(name)
            if not path.is_file():
                self.warn(run, f"mount.fstab: {name}: No such file or directory")
                good = False
                continue
            lines = (line.partition("#")[0].strip() for line in path.read_text(errors="surrogateescape").splitlines())
            run.mounts += [line for line in lines if line]
        return good

    def _create(self, run: Run) -> bool:
        path = run.jail.value("path")
        if path is not None and not self._is_jail_path(run, path):
            return False
        later = any(run.jail.find(each) for each in ("exec.start", "command", "exec.poststart"))
        wanted = dict(run.kernel_values)
        run.temporary_persist = later and not run.jail.is_true("persist")
        if run.temporary_persist:
            wanted["persist"] = True
        if path is not None:
            wanted["path"] = self._real_path(path)
        try:
            with self.ctx.host.kernel() as kernel:
                run.jid = prison.create(kernel, wanted)["jid"]
        except prison.Refused as error:
            self.warn(run, str(error))
            return False
        if "i" in self.flags:
            self.ctx.print(run.jid)
        if self.verbose >= 0 and (run.jail.name or self.verbose > 0):
            self.note(run, "created")
        return True

    def _is_jail_path(self, run: Run, path: str) -> bool:
        if run.jail.name is not None and not path.startswith("/"):
            self.warn(run, f"path {path}: not an absolute pathname")
            return False
        real = self.ctx.path(path)
        if real.is_dir():
            return True
        self.warn(run, f"path {path}: {'Not a directory' if real.exists() else 'No such file or directory'}")
        return False

    def _real_path(self, path: str) -> str:
        import os  # noqa: PLC0415

        relative = os.path.relpath(self.ctx.path(path), self.ctx.path("/"))
        return "/" if relative == "." else "/" + relative

    def _clear_persist(self, run: Run) -> None:
        """A jail that was kept alive for its commands lives on only by its processes."""
        if not run.temporary_persist:
            return
        with self.ctx.host.kernel() as kernel:
            found = prison.by_jid(kernel, run.jid)
            if found is not None:
                found["set"]["persist"] = False
            prison.prisons(kernel)

    def _remove(self, run: Run) -> bool:
        with self.ctx.host.kernel() as kernel:
            found = prison.by_jid(kernel, run.jid)
            if found is not None:
                prison.remove(kernel, found)
        run.jid = -1
        stopping = "r" in run.operation
        if self.verbose > 0 or (self.verbose == 0 and (self.note_remove if stopping else run.jail.name)):
            self.note(run, "removed")
        return True

    def _fixed_difference(self, run: Run) -> str:
        """Return the first parameter that would have to change but cannot in a running jail."""
        with self.ctx.host.kernel() as kernel:
            found = prison.by_jid(kernel, run.jid)
            for name, wanted in run.kernel_values.items():
                if found is None or name == "jid" or prison.look_up(name)[0].change != prison.CREATE:
                    continue
                if prison.value(kernel, found, name) != wanted:
                    return name
        return ""

    def _modify(self, run: Run) -> bool:
        if run.jid <= 0:
            return True if run.dependent else self._not_found_always(run)
        if run.dependent:
            return True
        name = self._fixed_difference(run)
        if name:
            self.warn(run, f"{name} cannot be changed after creation")
            return False
        live = {
            name: value for name, value in run.kernel_values.items() if prison.look_up(name)[0].change == prison.LIVE
        }
        try:
            with self.ctx.host.kernel() as kernel:
                found = prison.by_jid(kernel, run.jid)
                if found is not None:
                    prison.update(kernel, found, live)
                    prison.prisons(kernel)
        except prison.Refused as error:
            self.warn(run, str(error))
            return False
        if self.verbose >= 0 and (run.jail.name or self.verbose > 0):
            self.note(run, "updated")
        return True

    def _not_found_always(self, run: Run) -> bool:
        self.ctx.warn(f'"{run.name}" not found' if run.name else "no jail specified")
        return False

    # Words --------------------------------------------------------------------------------------------------------

    def warn(self, run: Run, message: str) -> None:
        """Print a warning with the jail's name, if it has one."""
        self.ctx.warn(f"{run.jail.name}: {message}" if run.jail.name else message)

    def note(self, run: Run, message: str) -> None:
        """Print a line with the jail's name, if it has one."""
        self.ctx.print(f"{run.jail.name}: {message}" if run.jail.name else message)

    def _write_jid_file(self) -> None:
        for name in self.flags.get("J", [])[-1:]:
            lines = [
                " ".join([f"jid={run.jid}", *(_shown(each) for each in run.jail.parameters if each.name != "jid")])
                for run in self.runs
                if run.jid > 0 and run.done and not run.failed
            ]
            self.ctx.path(name).write_text("".join(f"{line}\n" for line in lines))


def _needs_itself(run: Run, wanted: Run, seen: set[int]) -> bool:
    for each in run.needs:
        if each is wanted:
            return True
        if id(each) not in seen:
            seen.add(id(each))
            if _needs_itself(each, wanted, seen):
                return True
    return False


def _shown(parameter: Parameter) -> str:
    if not parameter.pieces:
        return parameter.name
    return f"{parameter.name}={','.join(quoted(value) for value in parameter.values)}"


def _plain(name: str) -> str:
    """Return the name without the ``no`` of its last part."""
    head, dot, last = name.rpartition(".")
    return head + dot + last.removeprefix("no")


def _value_problem(parameter: Parameter) -> str:
    """Say what is wrong with the value of one of jail's own parameters."""
    if not parameter.pieces:
        return ""
    text = parameter.values[-1]
    number = text.lstrip("-").isdigit()
    if _plain(parameter.name) in BOOLEANS and not number and text.lower() not in ("true", "false"):
        return f'{parameter.name}: unknown boolean value "{text}"'
    if parameter.name in INTEGERS and not number:
        return f'{parameter.name}: non-integer value "{text}"'
    return ""


def _kernel_text(parameter: Parameter) -> str | None:
    """Return the value for the kernel: of a list all, of anything else the last; addresses without the rest."""
    values = parameter.values
    if not values:
        return None
    if parameter.name in ("ip4.addr", "ip6.addr"):
        return ",".join(each.rpartition("|")[2].partition("/")[0].partition(" ")[0] for each in values)
    return values[-1]


def _ifconfig(step: str, item: str, *, down: bool) -> list[str]:
    """Return the command that adds or removes an address: ``INTERFACE|ADDRESS[/MASK] [more words]``."""
    interface, _unused, rest = item.partition("|")
    address, *extra = rest.split(" ")
    family = "inet" if step == "ip4.addr" else "inet6"
    host, slash, mask = address.partition("/")
    if not slash:
        words = [address, "netmask", "255.255.255.255"] if family == "inet" else [address, "prefixlen", "128"]
    elif "." in mask:
        words = [host, "netmask", mask]
    else:
        words = [address]
    more = [word for word in extra if word]
    return ["/sbin/ifconfig", interface, family, *words, *more, "-alias" if down else "alias"]
